"""What can be exported: one recipe for each net, and how to judge whether it still does its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from export.recipes.base import Recipe


def all_recipes() -> dict[str, Recipe]:
    """Give every recipe by its name."""
    from export.recipes import motion, painter

    return {r.name: r for module in (painter, motion) for r in module.RECIPES}


def recipe_named(name: str) -> Recipe:
    """Give a recipe.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    known = all_recipes()
    if name not in known:
        raise UsageError(f"expected a net of {', '.join(known)}, found {name}")
    return known[name]
