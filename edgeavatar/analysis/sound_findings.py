"""All that was found in a sound, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from edgeavatar.analysis.results import Speech, TimedWord

Spans = tuple[tuple[float, float], ...]
"""Starts and ends in seconds, in order, not overlapping."""


@dataclass(frozen=True, slots=True)
class SoundFindings:
    """What is heard in one file."""

    duration_s: float
    speech: Speech
    speech_spans_s: Spans = ()
    """Where somebody speaks, by the detector."""
    pauses: bool = True
    """Whether the detector hears enough pauses to know the noise; without them, others may be
    talking all the time, and the noise is what is heard between the syllables."""
    clipped_spans_s: Spans = ()
    """Where peaks are cut off, to 32 ms; neighbours are joined."""
    music_share: float | None = None
    """Of the sound without speech; None if there are less than 2 s of that."""
    music_spans_s: Spans = ()
    words: tuple[TimedWord, ...] = ()
    """Empty if nobody listened for words."""
    unclear_s: float = 0.0
    """Speech that no English words fit."""
    columns: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    """As :attr:`edgeavatar.analysis.results.Analysis.sound`."""
