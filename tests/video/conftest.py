from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from video_maker import make_video_file

# SVT-AV1 reads this once, when it is first used, be it by a test or by the writer.
os.environ.setdefault("SVT_LOG", "1")


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Return ``make(name, pictures, **spec) -> path``."""

    def make(name: str, pictures: Sequence[Any] | int = 10, **spec: Any) -> Path:
        return make_video_file(tmp_path / name, pictures, **spec)

    return make
