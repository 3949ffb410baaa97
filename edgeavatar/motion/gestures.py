"""Raises of the brows and blinks over time, from the moments that speech gives occasion for.

Whoever reads or hears the speech (:mod:`edgeavatar.motion.expression`) tells where accents are and
where a blink would be in place. Here chance, which a seed fixes, decides what comes of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgeavatar.motion.dynamics import RATE
from edgeavatar.motion.idle import FIRST_BLINK_S, blink_gap, first_wait, lid, opening_time

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.motion.style import SpeakingStyle
    from edgeavatar.types import FloatArray

    Times = npt.NDArray[np.float64]

COLUMNS = 3
"""Emphasis, asking and lid, as in :class:`~edgeavatar.types.Expression`."""

EARLY_S = 0.1
"""Nothing moves longer before its accent."""
_LEAD_S = 0.06
"""Brows begin to rise this long before the accent (Flecha-García 2010)."""
_RISE_S, _FALL_S = (0.15, 0.25), (0.3, 0.45)
"""A raise that goes with an accent is quick and comes back soon, 0.4 to 0.8 s in all; within half
a second of silence the face is at rest."""
_HOLD_S = 0.05
_SIZE, _ASKING_SIZE = (0.6, 1.0), (0.75, 1.0)
_ACCENTS_APART_S = 0.9
"""Accents closer than this share one raise."""

BLINKS_APART_S = 0.8
_BACK_S, _FORWARD_S = 0.8, 1.0
"""How far a blink moves from when it was due to where it is in place. The next one is due by the
same clock, so the rate stays what it is."""
_COST_PER_S = 0.5
"""What a place must be better to be a second further away."""


class _Raise(NamedTuple):
    start: float
    top: float
    falling: float
    end: float
    size: float

    def at(self, times: Times) -> Times:
        up = np.clip((times - self.start) / (self.top - self.start), 0.0, 1.0)
        down = np.clip((self.end - times) / (self.end - self.falling), 0.0, 1.0)
        return self.size * _ease(up) * _ease(down)


@dataclass(frozen=True, slots=True)
class _Place:
    time: float
    worth: float


class Gestures:
    """Brows and lids of one head while it speaks.

    Accents and places are told in any order within what is not yet known; memory holds what rows
    still to come depend on.

    Parameters
    ----------
    seed : int
        Which head, >= 0.
    style : SpeakingStyle
        How many accents are shown, and how often it blinks.
    """

    def __init__(self, seed: int, style: SpeakingStyle) -> None:
        self._style = style
        self._accents = np.random.default_rng([seed, 3])
        self._blinking = np.random.default_rng([seed, 4])
        self._raises: tuple[list[_Raise], list[_Raise]] = ([], [])
        self._last_accent = -np.inf
        self._places: list[_Place] = []
        self._blinks: deque[tuple[float, float]] = deque()
        self._last_blink = FIRST_BLINK_S - BLINKS_APART_S
        self._due = first_wait(self._blinking, style.blinks_per_min)
        self._next_row = 0

    def emphasise(
        self, onset: float, end: float, *, weight: float = 1.0, chance: float = 1.0
    ) -> bool:
        """Tell of an accent; says whether the brows rise with it.

        Parameters
        ----------
        onset, end : float
            Seconds: of the accented vowel.
        weight : float
            Size against a usual accent, 0 to 1.
        chance : float
            How likely a head of :attr:`SpeakingStyle.accents` 1 is to show it.
        """
        # All are drawn in any case, so that the same accents vary alike in all styles.
        luck, size, rise, fall = self._accents.random(4)
        if luck >= chance * self._style.accents or onset - self._last_accent < _ACCENTS_APART_S:
            return False
        self._last_accent = onset
        self._raise(0, onset, end, weight * _between(_SIZE, size), rise, fall)
        return True

    def ask(self, onset: float, end: float) -> None:
        """Tell of a question, from its accented vowel to its end; the brows stay up until then."""
        size, rise, fall = self._accents.random(3)
        self._last_accent = onset
        self._raise(1, onset, end, _between(_ASKING_SIZE, size), rise, fall)

    def _raise(
        self, column: int, onset: float, end: float, size: float, rise: float, fall: float
    ) -> None:
        start = onset - _LEAD_S
        top = start + _between(_RISE_S, rise)
        falling = max(top, end) + _HOLD_S
        self._raises[column].append(
            _Raise(start, top, falling, falling + _between(_FALL_S, fall), size)
        )

    def welcome_blink(self, time: float, worth: float) -> None:
        """Tell of a moment at which a blink is in place, and how much so, 0 to 1."""
        self._places.append(_Place(time, worth))

    def rows(self, known: float) -> FloatArray:
        """Give the rows that can be told, when all accents and places up to a moment are told.

        Parameters
        ----------
        known : float
            Seconds. Accents whose raise begins later, and later places, may still come.

        Returns
        -------
        numpy.ndarray
            ``(n, 3)`` float32 in [0, 1]: the next rows, 100 a second, as
            :class:`~edgeavatar.types.Expression`.
        """
        while self._due + _FORWARD_S <= known:
            self._blink()
        earliest = max(self._due - _BACK_S, self._last_blink + BLINKS_APART_S)
        return self._write(int(np.floor(min(known, earliest) * RATE)))

    def finish(self, end: float) -> FloatArray:
        """Give the remaining rows up to a moment, in seconds; nothing more is told."""
        while self._due - _BACK_S <= end:
            self._blink()
        return self._write(int(np.ceil(end * RATE - 1e-6)))

    def _blink(self) -> None:
        """Put the blink that is due where it is best in place."""
        earliest = max(self._due - _BACK_S, self._last_blink + BLINKS_APART_S)
        latest = self._due + _FORWARD_S
        best, most = max(self._due, earliest), 0.0
        for place in self._places:
            if earliest <= place.time <= latest:
                value = place.worth - _COST_PER_S * abs(place.time - self._due)
                if value > most:
                    best, most = place.time, value
        self._blinks.append((best, opening_time(self._blinking)))
        self._last_blink = best
        self._due += blink_gap(self._blinking, self._style.blinks_per_min)
        gone = max(self._due - _BACK_S, best)
        self._places = [place for place in self._places if place.time >= gone]

    def _write(self, stop: int) -> FloatArray:
        count = max(0, stop - self._next_row)
        times = np.arange(self._next_row, self._next_row + count) / RATE
        rows = np.zeros((count, COLUMNS))
        if count:
            for column, raises in enumerate(self._raises):
                low = np.ones(count)
                for lift in raises:
                    low *= 1.0 - lift.at(times)
                rows[:, column] = 1.0 - low
                raises[:] = [lift for lift in raises if lift.end > times[-1]]
            while self._blinks and self._blinks[0][0] < times[0] - BLINKS_APART_S:
                self._blinks.popleft()
            for start, opening in self._blinks:
                first, last = np.searchsorted(times, (start, start + BLINKS_APART_S))
                rows[first:last, 2] = [lid(t - start, opening) for t in times[first:last]]
            self._next_row += count
        return rows.astype(np.float32)


def _between(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * float(share)


def _ease(x: Times) -> Times:
    return np.asarray(x * x * (3.0 - 2.0 * x))
