from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from video_maker import make_video_file


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Return ``make(name, pictures, **spec) -> path``."""

    def make(name: str, pictures: Sequence[Any] | int = 10, **spec: Any) -> Path:
        return make_video_file(tmp_path / name, pictures, **spec)

    return make
