"""Build hook: a wheel carries ``models/`` as ``edgeavatar/_models``.

An editable install reads ``models/`` where it lies; a copy in site-packages would go stale.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ModelsHook(BuildHookInterface):
    """Adds the manifest, the cards and the weights of our own to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them; hatchling calls this before it builds."""
        if version != "editable":
            build_data["force_include"]["models"] = "edgeavatar/_models"
