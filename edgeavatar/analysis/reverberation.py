"""How long a room goes on sounding, from the ends of what is said in it.

Blind estimate: where the level of a band falls freely, its slope is that of the room. Median over
all falls in all bands, after T. de M. Prego et al., "A blind algorithm for reverberation-time
estimation using subband decomposition of speech signals" (JASA 131, 2012). Speech itself ends
slowly, which makes the falls of a short room longer: the two times add up as squares, and that of
speech is taken out. Below :data:`LEAST_S` nothing can be told.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.sound_pieces import RATE_HZ, Spectra

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

EDGES_HZ: Final = (250.0, 500.0, 1000.0, 2000.0, 4000.0, 7000.0)
"""Of the bands."""
LEAST_S: Final = 0.25
"""Shorter times are not told from none."""
_SPEECH_S: Final = 0.24
"""Median without any room, of the speakers by whom ``benchmarks/degraded_sound.py`` chooses."""
_ROW_S: Final = Spectra.HOP / RATE_HZ
_BLOCK: Final = round(60.0 / _ROW_S)
"""Rows that are looked at together, and whose floor is one: a minute."""
_LEAST_ROWS: Final = 6
_LEAST_DROP_DB: Final = 12.0
_EARLY_DB: Final = 3.0
"""Where a fall begins, the voice is still heard."""
_RISE_DB: Final = 0.5
"""A row may be this much louder than the one before within a fall: tails flutter."""
_ABOVE_FLOOR_DB: Final = 6.0
_LEAST_DECAYS: Final = 8


class DecayMeter:
    """Free decays in the bands of a stream."""

    def __init__(self) -> None:
        self._edges = np.round(np.array(EDGES_HZ) / Spectra.STEP_HZ).astype(np.intp)
        self._levels: list[FloatArray] = []
        self._rows = 0
        self._times_s: list[float] = []

    def push(self, spectra: FloatArray) -> None:
        """Take the spectra of some windows.

        Parameters
        ----------
        spectra : numpy.ndarray
            ``(n, 257)`` of :class:`~edgeavatar.analysis.sound_pieces.Spectra`.
        """
        power = np.add.reduceat(spectra[:, : self._edges[-1]], self._edges[:-1], axis=1)
        self._levels.append((10.0 * np.log10(power + 1e-12)).astype(np.float32))
        self._rows += len(power)
        if self._rows >= _BLOCK:
            self._look()

    def finish(self) -> float | None:
        """Give the estimate of RT60.

        Returns
        -------
        float or None
            Seconds; :data:`LEAST_S` stands for that and less. None with less than 8 free decays.
        """
        self._look()
        if len(self._times_s) < _LEAST_DECAYS:
            return None
        found = float(np.median(self._times_s))
        return max(LEAST_S, math.sqrt(max(0.0, found**2 - _SPEECH_S**2)))

    def _look(self) -> None:
        if self._rows >= 2 * _LEAST_ROWS:
            for band in np.concatenate(self._levels).T:
                self._times_s += decay_times(band)
        self._levels, self._rows = [], 0


def decay_times(levels: FloatArray) -> list[float]:
    """Give the time to fall by 60 dB of each free decay in a band.

    Parameters
    ----------
    levels : numpy.ndarray
        ``(n,)`` decibels, every 16 ms.

    Returns
    -------
    list of float
        Seconds, of falls of 12 dB and more that take 0.1 s or more, from 3 dB below their top to
        6 dB above the floor (the 5th percentile).
    """
    smooth = np.convolve(
        np.pad(levels.astype(np.float64), 1, mode="edge"), [0.25, 0.5, 0.25], "valid"
    )
    floor = np.percentile(smooth, 5.0) + _ABOVE_FLOOR_DB
    falls = (np.diff(smooth) < _RISE_DB) & (smooth[1:] > floor)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], falls.astype(np.int8), [0]])))
    times = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        seconds = _decay_time(smooth[start : end + 1])
        if seconds is not None:
            times.append(seconds)
    return times


def _decay_time(fall: npt.NDArray[np.float64]) -> float | None:
    fall = fall[int(np.argmax(fall)) :]
    fall = fall[int(np.argmax(fall < fall[0] - _EARLY_DB)) :]
    if len(fall) < _LEAST_ROWS or fall[0] - fall[-1] < _LEAST_DROP_DB:
        return None
    at = (np.arange(len(fall)) - (len(fall) - 1) / 2.0) * _ROW_S
    slope = float(at @ fall / (at @ at))
    return -60.0 / slope if slope < 0.0 else None
