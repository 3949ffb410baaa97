"""The clip that the benchmark of analyses makes is the one that it tells of."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks import analysis
from edgeavatar.video.reader import open_video


@pytest.fixture(autouse=True)
def a_second(monkeypatch: pytest.MonkeyPatch, model_store: Callable[[str], object]) -> None:
    """Have the fixtures, and a shorter clip."""
    for name in ("fixture-vitallens", "fixture-speech"):
        model_store(name)
    monkeypatch.setattr(analysis, "SECONDS", 1)


def test_size_rate_and_sound(tmp_path: Path) -> None:
    with open_video(analysis.make_clip(tmp_path / "out" / "clip.mp4")) as clip:
        frames = list(clip.frames())
        assert (clip.info.width, clip.info.height, clip.info.rate) == (1920, 1080, 25)
        assert clip.info.has_audio
        assert len(frames) == 25
        assert clip.end_time_s == Fraction(1)
    # A face that sits still, and no frame twice.
    changes = [np.abs(a.y.astype(int) - b.y).mean() for a, b in pairwise(frames)]
    assert min(changes) > 0.0
    assert max(changes) < 5.0


def test_speech_has_no_gap() -> None:
    chunks = list(analysis.speech())
    assert [c.start_sample + len(c.samples) for c in chunks[:-1]] == [
        c.start_sample for c in chunks[1:]
    ]
    assert sum(len(c.samples) for c in chunks) == analysis.AUDIO_RATE_HZ
