"""The rules that the mouth net first learns from: dominance functions on a 100 Hz grid.

Each phoneme's goals (:mod:`edgeavatar.motion.visemes`) claim the articulators around their own
time, and the track is the mean of the goals weighted by these claims (Cohen & Massaro 1993,
"Modeling coarticulation in synthetic visual speech"). The claim has a plateau over the middle of
the phoneme and falls off as ``(1 - x)^3 (1 + 3x)`` instead of ``exp(-x)``: smooth everywhere, and
zero after a stated reach. Closures, rest and speed limits are the runtime's own
(:mod:`edgeavatar.motion.score`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeavatar.motion.dynamics import MARGIN, RATE, settle
from edgeavatar.motion.score import Score
from edgeavatar.motion.visemes import ARTICULATORS, PRESSED_GAP, visemes_of
from edgeavatar.types import SpeechChunk

Times = npt.NDArray[np.float64]
Channels = npt.NDArray[np.float64]

_GAP = ARTICULATORS.index("gap")
_JAW = ARTICULATORS.index("jaw")
_LEAD_S = 0.015
_STRESS_GAIN, _UNSTRESSED_GAIN = 1.08, 0.88
_MIN_CLOSURE_S = 0.05
_GLIDE_SHARE = 0.45
"""Part of a diphthong's time by which each of its vowels reaches into the other: the lips are on
their way for most of it."""

_REACH_S = {
    "jaw": (0.075, 0.075),
    "gap": (0.065, 0.070),
    "pucker": (0.140, 0.100),
    "funnel": (0.140, 0.100),
    "spread": (0.100, 0.100),
    "labiodental": (0.060, 0.050),
    "press": (0.050, 0.050),
    "tongue_tip": (0.060, 0.050),
    "tongue_out": (0.050, 0.050),
}
"""How far a claim reaches before and after the phoneme's middle, in seconds. Rounding begins
early (Perkell & Matthies 1992)."""

_REACH = np.array([_REACH_S[name] for name in ARTICULATORS])


@dataclass(frozen=True, slots=True)
class _Goal:
    """One letter of a phoneme in time."""

    start: float
    end: float
    target: Channels
    dominance: Channels
    glide_in: float = 0.0
    """Reach at least this far back, in seconds: from the first vowel of a diphthong."""
    glide_out: float = 0.0


def dominance_channels(chunks: Sequence[SpeechChunk]) -> Channels:
    """Write the movement of the articulators by the rules.

    Parameters
    ----------
    chunks : sequence of SpeechChunk
        In order, from the start of the stream; their sound is not used.

    Returns
    -------
    numpy.ndarray
        ``(ceil(100 * duration), 9)`` float64, order of
        :data:`~edgeavatar.motion.visemes.ARTICULATORS`.
    """
    score, goals = Score(), []
    for chunk in chunks:
        rate = chunk.audio.sample_rate
        for phoneme in chunk.phonemes:
            start, end = phoneme.start_sample / rate - _LEAD_S, phoneme.end_sample / rate - _LEAD_S
            if end > start:
                score.add(phoneme.symbol, start, end)
                goals += _goals(phoneme.symbol, start, end, phoneme.stress)
    last = chunks[-1].audio
    end_sample = last.start_sample + len(last.samples)
    count = -(-end_sample * int(RATE) // last.sample_rate)
    times = np.arange(-MARGIN, count + MARGIN) / RATE
    wanted = _blend(goals, times)
    score.hold(wanted, times, 1.0, _MIN_CLOSURE_S)
    return settle(wanted)


def _goals(symbol: str, start: float, end: float, stress: int) -> list[_Goal]:
    visemes = visemes_of(symbol)
    vowel = all(v.vowel for v in visemes)
    glide = _GLIDE_SHARE * (end - start) if len(visemes) > 1 and vowel else 0.0
    total = sum(v.share for v in visemes)
    goals, cursor = [], start
    for i, viseme in enumerate(visemes):
        stop = cursor + (end - start) * viseme.share / total
        target = viseme.target.copy()
        if viseme.seals:
            target[_GAP] = PRESSED_GAP
        elif viseme.vowel and stress != 1:
            target[[_JAW, _GAP]] *= _STRESS_GAIN if stress else _UNSTRESSED_GAIN
        inner = (glide if i > 0 else 0.0, glide if i + 1 < len(visemes) else 0.0)
        goals.append(_Goal(cursor, stop, target, viseme.dominance, *inner))
        cursor = stop
    return goals


def _blend(goals: list[_Goal], times: Times) -> Channels:
    total = np.zeros((len(times), len(ARTICULATORS)))
    weight = np.full((len(times), len(ARTICULATORS)), 1e-9)
    longest = float(_REACH.max())
    for goal in goals:
        low = int(np.searchsorted(times, goal.start - max(longest, goal.glide_in)))
        high = int(np.searchsorted(times, goal.end + max(longest, goal.glide_out)))
        if low == high:
            continue
        claim = goal.dominance * _claim(times[low:high], goal)
        total[low:high] += claim * goal.target
        weight[low:high] += claim
    return np.asarray(total / weight)


def _claim(times: Times, goal: _Goal) -> Channels:
    """Dominance of a goal over time, each articulator with its own reach: ``(n, 9)`` in [0, 1]."""
    # The plateau is the middle; a phoneme gives way towards its neighbours within its own time.
    quarter = 0.25 * (goal.end - goal.start)
    before = np.maximum(_REACH[:, 0], goal.glide_in) + quarter
    after = np.maximum(_REACH[:, 1], goal.glide_out) + quarter
    early = (goal.start + quarter - times)[:, None] / before
    late = (times - goal.end + quarter)[:, None] / after
    x = np.clip(np.maximum(early, late), 0.0, 1.0)
    return np.asarray((1.0 - x) ** 3 * (1.0 + 3.0 * x))
