"""What a heard mouth must not do, whatever a net says: held after the net, with bounded look-ahead.

- Where nobody speaks, the mouth rests.
- Where the listener is sure of /p b m/, the lips meet.
- Nothing moves faster than lips and jaws do (:data:`~edgeavatar.motion.dynamics.SPEED`), and
  nothing trembles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.motion.dynamics import SPEED_PER_ROW
from edgeavatar.motion.nets import HEARD
from edgeavatar.motion.phones import PHONES
from edgeavatar.motion.visemes import ARTICULATORS, PRESSED_GAP, is_bilabial

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.motion.visemes import Channels
    from edgeavatar.types import FloatArray

    Flags = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]

_GAP = ARTICULATORS.index("gap")
_PRESS = ARTICULATORS.index("press")
_BILABIALS = [i for i, phone in enumerate(PHONES) if is_bilabial(phone)]

_SHORTEST_ROWS = 1
"""Sounds and gaps no longer than twice this are clicks."""
_LOUD = 0.06
_LOUD_BACK_ROWS, _LOUD_AHEAD_ROWS = 2, 2
"""Where clean speech would have been quieter than this for so long before and after, there is none:
no phoneme but the weakest fricatives and closures of stops are. The listener's own probability of
silence is no such measure: on filmed speech it is high in the middle of words."""
_EARLY_ROWS, _HELD_ROWS = 1, 4
"""A mouth opens 10 ms before it is heard and is left alone for 40 ms after: closures of stops and
gaps between words are no pauses."""
_FADE_ROWS = 2
"""Faded over ±20 ms: with the times above, the mouth rests 80 ms after the last sound."""
_GATE_BACK = 2 * _SHORTEST_ROWS + _HELD_ROWS + _FADE_ROWS
_GATE_AHEAD = 2 * _SHORTEST_ROWS + _EARLY_ROWS + _FADE_ROWS + _LOUD_AHEAD_ROWS

_SEAL_FROM, _SEAL_FULL = 0.15, 0.4
"""Probabilities of a bilabial between which lips are drawn together."""

_EARLY_MOVE_ROWS = 1
"""What is wanted is aimed at a row before its time: a mouth that keeps to a speed arrives late."""
_ENVELOPE_ROWS = 2
_ROUNDING = 0.125
"""Share of each neighbour in a row. On 101 filmed clips that were learned from, .25 (a binomial
filter) made lips 10.7 % less lively than they were seen to be, this 10.1 %, at the same likeness
and jitter."""
LOOK_AHEAD = _EARLY_MOVE_ROWS + _ENVELOPE_ROWS + 1
"""Rows of movement that must be known after the one that is given."""
_BACK = _GATE_BACK + _LOUD_BACK_ROWS + 1


class Restraint:
    """Restrains a stream of movement.

    Parameters
    ----------
    strength : float
        Size of all openings and shapes, 0 rests.
    """

    def __init__(self, strength: float = 1.0) -> None:
        self._strength = strength
        # Before the stream begins there is rest and silence.
        self._wanted: Channels = np.zeros((_BACK, len(ARTICULATORS)))
        self._heard: FloatArray = np.zeros((_BACK, HEARD), np.float32)
        self._heard[:, 0] = 1.0
        self._voiced: Flags = np.zeros(_BACK, bool)
        self._first = -_BACK
        self._next = 0
        self._last: Channels = np.zeros((2, len(ARTICULATORS)))

    def push(self, wanted: Channels, heard: FloatArray, voiced: Flags) -> Channels:
        """Take more rows and return those that are settled.

        Parameters
        ----------
        wanted : numpy.ndarray
            ``(k, 9)`` movement from the mouth net.
        heard : numpy.ndarray
            ``(m, 38)`` phone probabilities and loudness; they may be ahead of the movement.
        voiced : numpy.ndarray
            ``(j,)`` bool: the voice activity detector hears somebody; may be ahead, too.

        Returns
        -------
        numpy.ndarray
            ``(n, 9)`` float64: the next rows.
        """
        self._wanted = np.concatenate([self._wanted, wanted])
        self._heard = np.concatenate([self._heard, heard])
        self._voiced = np.concatenate([self._voiced, voiced])
        moved, known = self._first + len(self._wanted), self._first + len(self._heard)
        listened = self._first + len(self._voiced)
        reach = _GATE_AHEAD + 1
        return self._settle(min(moved - LOOK_AHEAD, known - reach, listened - reach))

    def flush(self) -> Channels:
        """Return the remaining rows: silence follows."""
        end = self._first + len(self._wanted)
        count = end - self._first
        silent = np.zeros((_GATE_AHEAD + LOOK_AHEAD, HEARD), np.float32)
        silent[:, 0] = 1.0
        self._heard = np.concatenate([self._heard[:count], silent])
        self._voiced = np.concatenate([self._voiced[:count], np.zeros(len(silent), bool)])
        self._wanted = np.concatenate([self._wanted, np.zeros((LOOK_AHEAD, len(ARTICULATORS)))])
        return self._settle(end)

    def _settle(self, end: int) -> Channels:
        count = end - self._next
        if count <= 0:
            return np.zeros((0, len(ARTICULATORS)))
        low, high = self._next - self._first, end - self._first
        first, last = low + _EARLY_MOVE_ROWS, high + LOOK_AHEAD
        wanted = self._wanted[first:last] * self._strength
        self._seal(wanted, self._heard[first:last])
        # One row more than is given, for smoothing.
        wanted = _slowest(wanted)[: count + 1]
        wanted *= self._gate(low - _GATE_BACK, high + 1 + _GATE_AHEAD)[:, None]
        settled = self._move(wanted, count)
        self._next = end
        drop = self._next - _BACK - self._first
        if drop > 0:
            self._wanted, self._heard = self._wanted[drop:], self._heard[drop:]
            self._voiced = self._voiced[drop:]
            self._first += drop
        return settled

    def _seal(self, wanted: Channels, rows: FloatArray) -> None:
        if self._strength <= 0.0:
            return
        heard = rows[:, _BILABIALS].sum(axis=1, dtype=np.float64)
        x = np.clip((heard - _SEAL_FROM) / (_SEAL_FULL - _SEAL_FROM), 0.0, 1.0)
        seal = x * x * (3.0 - 2.0 * x)
        wanted[:, _GAP] += seal * np.minimum(0.0, PRESSED_GAP - wanted[:, _GAP])
        press = wanted[:, _PRESS]
        press += seal * np.maximum(0.0, min(1.0, self._strength) - press)

    def _gate(self, low: int, high: int) -> Floats:
        """0 where nobody speaks, 1 where somebody does; shorter by its reach on each side."""
        loud = self._heard[low - _LOUD_BACK_ROWS : high, -1] >= _LOUD
        lasting = widened(~widened(~loud, _SHORTEST_ROWS), _SHORTEST_ROWS)
        lately = _lengthened(lasting, _LOUD_AHEAD_ROWS, _LOUD_BACK_ROWS)
        speaks = lately[_LOUD_BACK_ROWS:] & self._voiced[low:high]
        active = _lengthened(speaks, _EARLY_ROWS, _HELD_ROWS).astype(np.float64)
        kernel = np.hanning(2 * _FADE_ROWS + 3)[1:-1]
        gate = np.convolve(active, kernel / kernel.sum(), mode="same")
        return np.asarray(gate[_GATE_BACK:-_GATE_AHEAD])

    def _move(self, wanted: Channels, count: int) -> Channels:
        """Follow what is wanted no faster than can be, then round off the corners this leaves."""
        moved = np.empty((count + 3, wanted.shape[1]))
        moved[:2] = self._last
        here = self._last[1]
        for i in range(count + 1):
            here = here + np.clip(wanted[i] - here, -SPEED_PER_ROW, SPEED_PER_ROW)
            moved[i + 2] = here
        self._last = moved[count : count + 2]
        return np.asarray(
            _ROUNDING * (moved[1:-2] + moved[3:]) + (1.0 - 2.0 * _ROUNDING) * moved[2:-1]
        )


def _slowest(wanted: Channels) -> Channels:
    """Let closures begin early enough to be reached in time: lower each row to what the next ask.

    This is the lower Lipschitz envelope of :func:`~edgeavatar.motion.dynamics.settle`, looking
    ahead only.
    """
    limited = wanted.copy()
    for k in range(1, _ENVELOPE_ROWS + 1):
        np.minimum(limited[:-k], wanted[k:] + k * SPEED_PER_ROW, out=limited[:-k])
    return limited


def _lengthened(flags: Flags, before: int, after: int) -> Flags:
    """Set so many flags before and after every set one."""
    long = flags.copy()
    for k in range(1, before + 1):
        long[:-k] |= flags[k:]
    for k in range(1, after + 1):
        long[k:] |= flags[:-k]
    return long


def widened(flags: Flags, rows: int) -> Flags:
    """Set every flag that has a set one within so many rows.

    Parameters
    ----------
    flags : numpy.ndarray
        ``(n,)`` bool.
    rows : int
        Reach on both sides.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` bool.
    """
    return _lengthened(flags, rows, rows)
