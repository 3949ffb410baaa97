"""Accents and pauses heard in sound, without knowing a word of it.

What listeners hear as prominent is above all loud and long; pitch adds little (Kochanski, Grabe,
Coleman & Rosner 2005). So an accent is a peak of the loudness over about a syllable, which grows
with both, above the other peaks of this speaker of late. Steady sounds have none.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.motion.gestures import EARLY_S
from edgeavatar.motion.mel import HOP_LENGTH
from edgeavatar.types import MOTION_RATE

if TYPE_CHECKING:
    from edgeavatar.motion.gestures import Gestures
    from edgeavatar.types import FloatArray

_ROW_S = 1.0 / float(MOTION_RATE)
_SYLLABLE = np.hanning(17)[1:-1] / np.hanning(17).sum()
"""150 ms: most syllables of fluent speech are 100 to 250 ms long."""
_LATE_ROWS = len(_SYLLABLE) // 2
_PEAK_ROWS = 80
"""An accent is the loudest within 0.8 s on both sides: one or two in a phrase."""
_MEMORY = 12
"""What is usual is the mean of so many syllables, some 3 s of speech, fading."""
_LEAST_SPREAD_DB = 2.0
_ACCENT, _STRONG_ACCENT = 0.7, 2.2
"""Spreads above the mean at which a peak is an accent, and at which it is as strong as any."""
_WEAK = 0.6
_VOWEL_S = 0.08
"""Half of an accented vowel."""

_QUIET_DB = -25.0
"""Below the level of the speech this is a pause."""
_QUIETEST_DB, _FIRST_LEVEL_DB = -60.0, -35.0
"""Against full scale: always a pause; the level before anything was heard."""
_FALL_DB = 0.02
"""What the level forgets per row."""
_PAUSE_ROWS = 20
_REPEAT_ROWS = 50
"""In a longer pause a blink is in place again and again."""

LOOK_AHEAD_S = (_PEAK_ROWS + _LATE_ROWS) * _ROW_S + _VOWEL_S + EARLY_S
"""Sound needed after a moment to know of all accents and pauses up to it: 1.05 s."""


class Listener:
    """Hears accents and pauses in a stream of sound at 16 kHz.

    What is told does not depend on how the stream is cut.

    Parameters
    ----------
    gestures : Gestures
        Is told of them.
    """

    def __init__(self, gestures: Gestures) -> None:
        self._gestures = gestures
        self._rest: FloatArray = np.zeros(0, np.float32)
        self._powers: deque[float] = deque([0.0] * len(_SYLLABLE), len(_SYLLABLE))
        self._syllables: deque[float] = deque([-200.0] * (2 * _PEAK_ROWS + 1), 2 * _PEAK_ROWS + 1)
        self._row = 0
        self._level = _FIRST_LEVEL_DB
        self._quiet = _PAUSE_ROWS
        self._heard = 0
        self._mean = self._spread = 0.0

    @property
    def known(self) -> float:
        """Moment in seconds up to which accents and pauses have been told."""
        return self._row * _ROW_S - LOOK_AHEAD_S

    def push(self, samples: FloatArray) -> None:
        """Hear more: ``(n,)`` float32."""
        self._rest = np.concatenate([self._rest, samples])
        count = len(self._rest) // HOP_LENGTH
        whole = self._rest[: count * HOP_LENGTH].reshape(count, HOP_LENGTH).astype(np.float64)
        self._rest = self._rest[count * HOP_LENGTH :]
        for power in (whole**2).mean(axis=1).tolist():
            self._hear(power)

    def finish(self) -> None:
        """Silence follows."""
        for _ in range(math.ceil(LOOK_AHEAD_S / _ROW_S)):
            self._hear(0.0)

    def _hear(self, power: float) -> None:
        self._row += 1
        self._powers.append(power)
        self._listen_for_pauses()
        syllable = _decibels(float(_SYLLABLE @ np.array(self._powers)))
        self._syllables.append(syllable)
        if self._syllables[-3] < self._syllables[-2] >= syllable:
            self._compare(self._syllables[-2])
        self._listen_for_accents()

    def _compare(self, peak: float) -> None:
        """Let the loudness of a syllable's middle count for what is usual."""
        if peak <= max(self._level + _QUIET_DB, _QUIETEST_DB):
            return
        self._heard += 1
        share = 1.0 / min(self._heard, _MEMORY)
        self._mean += share * (peak - self._mean)
        self._spread += share * (abs(peak - self._mean) - self._spread)

    def _listen_for_pauses(self) -> None:
        # Three rows, the last of which is this one.
        here = _decibels((self._powers[-3] + self._powers[-2] + self._powers[-1]) / 3.0)
        self._level = max(self._level - _FALL_DB, here)
        if here > max(self._level + _QUIET_DB, _QUIETEST_DB):
            self._quiet = 0
            return
        self._quiet += 1
        if self._quiet == _PAUSE_ROWS:
            self._gestures.welcome_blink((self._row - self._quiet + 4) * _ROW_S, 1.0)
        elif self._quiet > _PAUSE_ROWS and self._quiet % _REPEAT_ROWS == 0:
            self._gestures.welcome_blink((self._row - 8) * _ROW_S, 0.7)

    def _listen_for_accents(self) -> None:
        middle = self._syllables[_PEAK_ROWS]
        score = (middle - self._mean) / max(self._spread, _LEAST_SPREAD_DB)
        if score < _ACCENT or middle < max(self._syllables):
            return
        if middle == self._syllables[_PEAK_ROWS - 1]:  # a plateau
            return
        peak = (self._row - _PEAK_ROWS - _LATE_ROWS - 0.5) * _ROW_S
        strength = min(1.0, (score - _ACCENT) / (_STRONG_ACCENT - _ACCENT))
        weight = _WEAK + (1.0 - _WEAK) * strength
        if self._gestures.emphasise(peak - _VOWEL_S, peak + _VOWEL_S, weight=weight):
            # When its word is over, most likely.
            self._gestures.welcome_blink(peak + 0.3, 0.5)


def _decibels(power: float) -> float:
    return 10.0 * math.log10(power + 1e-12)
