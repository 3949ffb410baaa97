"""The audio-driven mouth motion of version 0.1.0, frozen: what later models are compared with.

Band energies through a regression with one hidden layer, with its weights beside it. It learned
from Kokoro's voices without ``export.train.spoken.HELD_OUT`` and from 160 GRID clips
(:func:`learned_clips`). Nothing here is ever improved.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from benchmarks.previous.acoustics import audio_rows

__all__ = ["audio_rows", "learned_clips"]

_CLIPS, _HELD_OUT = 240, 80


def learned_clips(names: Iterable[str]) -> set[str]:
    """Name the GRID clips that the regression was fitted to, of all that its folder holds."""
    shuffled = sorted(names)
    random.Random(0).shuffle(shuffled)
    return set(shuffled[_HELD_OUT:_CLIPS])
