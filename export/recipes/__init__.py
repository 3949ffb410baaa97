"""What can be exported: a recipe for each net, and how to judge whether it still does its task."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from export.recipes.base import Recipe

_ROOMS = {
    "mouth-painter": "painter",
    "mouth-painter-small": "painter",
    "motion-nets": "motion",
}
"""Names of recipes and the modules that hold them, each imported when it is wanted: some need torch
and others do not."""


def recipe_names() -> tuple[str, ...]:
    """Give the names of all recipes."""
    return tuple(_ROOMS)


def recipe_named(name: str) -> Recipe:
    """Give a recipe.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if name not in _ROOMS:
        raise UsageError(f"expected a net of {', '.join(_ROOMS)}, found {name}")
    recipes: tuple[Recipe, ...] = import_module(f"export.recipes.{_ROOMS[name]}").RECIPES
    return next(recipe for recipe in recipes if recipe.name == name)
