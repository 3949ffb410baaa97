"""What can be exported: a recipe for each net, and how to judge whether it still does its task."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from export.converting import Conversion
    from export.recipes.base import Recipe

_ROOMS = {
    "mouth-painter": "painter",
    "mouth-painter-small": "painter",
    "motion-nets": "motion",
    "wav2lip": "wav2lip",
    "face-detector": "face",
    "face-mesh": "face",
    "face-blendshapes": "face",
    "voice-joe": "voices",
    "voice-hibari": "voices",
    "voice-kokoro": "voices",
    "piper": "piper",
    "sherpa-piper": "voices",
    "sherpa-kokoro": "voices",
    "sherpa-moonshine": "asr",
}
"""Names of recipes and the modules that hold them, each imported when it is wanted: some need torch
and others do not."""


def recipe_names() -> tuple[str, ...]:
    """Give the names of all recipes."""
    return tuple(_ROOMS)


def recipe_named(name: str) -> Recipe | Conversion:
    """Give a recipe: what to make of a net, or how to pack a model of others.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if name not in _ROOMS:
        raise UsageError(f"expected one of {', '.join(_ROOMS)}, found {name}")
    recipes: tuple[Recipe | Conversion, ...] = import_module(
        f"export.recipes.{_ROOMS[name]}"
    ).RECIPES
    return next(recipe for recipe in recipes if recipe.name == name)
