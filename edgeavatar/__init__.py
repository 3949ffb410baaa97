"""A face and words go in, a video of that face saying those words comes out; no network.

The names below are loaded when they are first used, so that ``import edgeavatar`` costs nothing::

    import edgeavatar

    report = edgeavatar.render(source="face.jpg", text="Good morning.", output="hello.mp4")

The pieces under ``render`` are in the rooms: ``edgeavatar.video``, ``audio``, ``speech``, ``face``,
``motion`` and ``backends``.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeavatar.errors import EdgeAvatarError
    from edgeavatar.pipeline import RenderJob, RenderReport, render
    from edgeavatar.portrait import make_portrait, write_portrait
    from edgeavatar.speech import list_voices, open_voice

# onnxruntime (from 1.29) and OpenVINO tell their makers about every start, unless they are told not
# to before they are loaded. This module runs before any of ours can load them.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__version__ = "0.1.0"

__all__ = [
    "EdgeAvatarError",
    "RenderJob",
    "RenderReport",
    "__version__",
    "list_voices",
    "make_portrait",
    "open_voice",
    "render",
    "write_portrait",
]

_HOMES = {
    "EdgeAvatarError": "edgeavatar.errors",
    "RenderJob": "edgeavatar.pipeline",
    "RenderReport": "edgeavatar.pipeline",
    "list_voices": "edgeavatar.speech",
    "make_portrait": "edgeavatar.portrait",
    "open_voice": "edgeavatar.speech",
    "render": "edgeavatar.pipeline",
    "write_portrait": "edgeavatar.portrait",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
