"""Where the stages meet: a face and words become a talking video.

The names below are loaded when they are first used: an analysis needs nothing of a render.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeavatar.pipeline.job import RenderJob, RenderReport
    from edgeavatar.pipeline.run import render

__all__ = ["RenderJob", "RenderReport", "render"]

_HOMES = {
    "RenderJob": "edgeavatar.pipeline.job",
    "RenderReport": "edgeavatar.pipeline.job",
    "render": "edgeavatar.pipeline.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
