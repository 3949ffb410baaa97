"""What the motion nets are given of sound: rows at the level of the speech, and loudness.

A net that is to hear a whisper and a shout alike must not see how loud the recording is. The level
is the loudest row so far, forgotten at 5 dB a second: it needs no look-ahead, so sound can be
heard live. All logarithms are natural.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.motion.mel import LogMel
from edgeavatar.types import MOTION_RATE

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

FALL_PER_ROW = 0.012
"""What the level forgets: 5.2 dB a second, so a pause does not turn the room up."""
LEVEL_START, LEVEL_LOWEST = -6.0, -8.5
"""Level before anything was heard, that of quiet speech at -38 dBFS, so that speech is at its own
level from its first loud vowel on; and the lower bound of the level: quieter sound is not turned
up."""
INPUT_SCALE = 0.25
INPUT_BOUNDS = (-2.5, 1.0)
"""Rows less the level are scaled and cut: 43 dB below the level and quieter is all the same."""

LOUDNESS_START, LOUDNESS_LOWEST = -7.0, -11.0
LOUDNESS_SPAN = 7.0
"""Loudness 0 is 30 dB below the level, 1 is the level."""
_WINDOW_ROWS = 1.25
"""Half of the 25 ms over which power is averaged."""


class _Level:
    """The loudest value so far, falling."""

    def __init__(self, start: float, lowest: float) -> None:
        self._value = start
        self._lowest = lowest

    def push(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give the level at each of the next values."""
        # A running maximum of value + fall * t, less fall * t, is the falling maximum.
        fall = FALL_PER_ROW * np.arange(1, len(values) + 1)
        running = np.maximum.accumulate(np.append(self._value, values + fall))[1:] - fall
        if len(values):
            self._value = float(running[-1])
        return np.asarray(np.maximum(running, self._lowest))


class Hearing:
    """Rows of a stream as the listener is given them.

    The rows do not depend on how the stream is cut, up to rounding. Row ``i`` is centred on
    ``i / 100`` s and needs 12.5 ms of sound after that.
    """

    def __init__(self) -> None:
        self._mel = LogMel()
        self._level = _Level(LEVEL_START, LEVEL_LOWEST)

    def push(self, samples: FloatArray) -> FloatArray:
        """Take more sound and return the rows that are complete.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32 in [-1, 1] at 16 kHz.

        Returns
        -------
        numpy.ndarray
            ``(k, 80)`` float32 in [-2.5, 1].
        """
        return self._levelled(self._mel.push(samples))

    def flush(self) -> FloatArray:
        """Return the rows whose windows reach beyond the last sample."""
        return self._levelled(self._mel.flush())

    def _levelled(self, rows: FloatArray) -> FloatArray:
        loudness = np.log(np.exp(rows.astype(np.float64)).sum(axis=1))
        level = self._level.push(loudness)[:, None]
        heard: FloatArray = np.clip((rows - level) * INPUT_SCALE, *INPUT_BOUNDS).astype(np.float32)
        return heard


SILENT_ROW = INPUT_BOUNDS[0]
"""Value of every column of a row in which there is nothing to hear."""


class Loudness:
    """Loudness of clean speech relative to the loudest of late, at any sample rate.

    Parameters
    ----------
    sample_rate : int
        Hertz.
    early_s : float
        Row ``i`` hears what sounds at ``i / 100 + early_s`` s.
    """

    def __init__(self, sample_rate: int, early_s: float = 0.0) -> None:
        self._hop = sample_rate / float(MOTION_RATE)
        self._early_rows = early_s * float(MOTION_RATE)
        self._level = _Level(LOUDNESS_START, LOUDNESS_LOWEST)
        # Running sum of squares; before the first sample there is silence.
        self._sums = np.zeros(1)
        self._first = 0
        self._row = 0

    def push(self, samples: FloatArray) -> FloatArray:
        """Take more sound and return the loudness of rows that can be told.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32.

        Returns
        -------
        numpy.ndarray
            ``(k,)`` float32 in [0, 1.2].
        """
        squares = np.cumsum(samples.astype(np.float64) ** 2)
        self._sums = np.concatenate([self._sums, self._sums[-1] + squares])
        end = self._first + len(self._sums) - 1
        return self._rows(int(np.floor(end / self._hop - _WINDOW_ROWS - self._early_rows)) + 1)

    def flush(self) -> FloatArray:
        """Return the remaining rows: with those before, one for each begun 10 ms."""
        end = self._first + len(self._sums) - 1
        return self._rows(int(np.ceil(end / self._hop)))

    def _rows(self, stop: int) -> FloatArray:
        rows = np.arange(self._row, max(self._row, stop))
        moments = (rows + self._early_rows) * self._hop
        half = _WINDOW_ROWS * self._hop
        last = len(self._sums) - 1
        low, high = (
            np.clip(np.rint(moments + side).astype(int) - self._first, 0, last)
            for side in (-half, half)
        )
        power = np.maximum(self._sums[high] - self._sums[low], 0.0) / round(2.0 * half)
        loud = np.log(power + 1e-9)
        level = self._level.push(loud)
        self._row += len(rows)
        oldest = int((self._row + self._early_rows - 2) * self._hop) - 4
        drop = min(oldest - self._first, last)
        if drop > 0:
            self._sums = self._sums[drop:] - self._sums[drop]
            self._first += drop
        relative: FloatArray = np.clip((loud - level) / LOUDNESS_SPAN + 1.0, 0.0, 1.2).astype(
            np.float32
        )
        return relative
