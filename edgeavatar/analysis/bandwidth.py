"""Up to which frequency speech was kept: a telephone's band, a codec's, a whole one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.sound_pieces import QUIET, SPEAKING, WINDOW_S

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.analysis.sound_pieces import Piece

BAND_HZ: Final = 125.0
_LOW_DB, _HIGH_DB = -140, 10
_PERCENTILE: Final = 0.98
"""Fricatives, which alone reach high up, are this rare."""
_ABOVE_NOISE_DB: Final = 6.0
_BELOW_PEAK_DB: Final = 55.0
"""Speech of a whole band falls by 30 to 45 dB up to 8 kHz in its loudest windows; what a filter
leaves lies deeper."""
_HIDDEN_HZ: Final = 500.0
"""Width of noise alone, above the highest band of speech, from which there may be more."""
_LEAST_WINDOWS: Final = 30


class BandwidthMeter:
    """Levels of the bands of a stream in its windows of speech and of quiet.

    Parameters
    ----------
    sample_rate : int
        Of the file, hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._length = round(WINDOW_S * sample_rate)
        self._shape = np.hanning(self._length + 1)[:-1].astype(np.float32)
        self._scale = 2.0 / (self._length * float((self._shape**2).sum()))
        bands = max(1, int(sample_rate / 2 / BAND_HZ))
        spacing = sample_rate / self._length
        self._starts = np.ceil(np.arange(bands) * BAND_HZ / spacing).astype(np.intp)
        self._counts = np.zeros((2, bands, _HIGH_DB - _LOW_DB), np.int64)

    def push(self, piece: Piece) -> None:
        """Take some windows, at the rate of the file."""
        starts = np.minimum(piece.edges, max(0, len(piece.full) - self._length))
        if len(piece.full) < self._length or not len(starts):
            return
        wanted = (piece.probability >= SPEAKING) | (piece.probability < QUIET)
        for first in np.flatnonzero(wanted):
            self._take(piece, int(starts[first]), int(piece.probability[first] < QUIET))

    def _take(self, piece: Piece, start: int, kind: int) -> None:
        rows = piece.full[start : start + self._length] * self._shape
        power = np.abs(np.fft.rfft(rows)) ** 2 * self._scale
        level = 10.0 * np.log10(np.add.reduceat(power, self._starts) + 1e-14)
        bins = np.clip(level.astype(np.intp) - _LOW_DB, 0, _HIGH_DB - _LOW_DB - 1)
        self._counts[kind, np.arange(len(bins)), bins] += 1

    def finish(self) -> float | None:
        """Give the upper edge of the highest band in which speech is heard.

        Returns
        -------
        float or None
            Hertz; None with less than a second of speech, and where noise may hide speech above.
        """
        speech, quiet = (_level(counts) for counts in self._counts)
        if self._counts[0, 0].sum() < _LEAST_WINDOWS:
            return None
        present = speech >= float(speech.max()) - _BELOW_PEAK_DB
        heard = present
        if self._counts[1, 0].sum() >= _LEAST_WINDOWS:
            heard = present & (speech >= quiet + _ABOVE_NOISE_DB)
        top = _top(heard)
        if top is None or (_top(present) or 0) - top > _HIDDEN_HZ / BAND_HZ:
            return None
        return float(top * BAND_HZ)


def _top(bands: npt.NDArray[np.bool_]) -> int | None:
    """Upper edge of the highest band; one alone above a hole is a whistle, not speech."""
    at = np.flatnonzero(bands[:-1] & bands[1:])
    return int(at[-1]) + 2 if len(at) else None


def _level(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Level that a band exceeds in 2 % of its windows, ``(bands,)`` decibels."""
    shares = np.cumsum(counts, axis=1) / np.maximum(1, counts.sum(axis=1, keepdims=True))
    return np.asarray((shares < _PERCENTILE).sum(axis=1) + _LOW_DB, np.float64)
