"""Log-mel spectrum: what a small net hears."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

SAMPLE_RATE = 16000
"""Hertz that :func:`log_mel` and :class:`LogMel` expect."""
HOP_LENGTH = 160
"""Samples between rows: 100 rows a second, the rate of a motion track."""
WINDOW_LENGTH = 400
"""25 ms Hann window."""
N_FFT = 512
N_MELS = 80
MIN_HZ = 50.0
MAX_HZ = 7600.0
FLOOR = 1e-8
"""Power below which the logarithm is cut: 80 dB below a full-scale sine's mel band."""

_ROWS_AT_ONCE = 1024


@lru_cache(maxsize=4)
def mel_filters(n_mels: int = N_MELS) -> FloatArray:
    """Triangular filters, equally spaced on the mel scale of O'Shaughnessy (1987).

    ``mel = 2595 log10(1 + f / 700)``. Each triangle peaks at 1.

    Parameters
    ----------
    n_mels : int
        Number of filters between :data:`MIN_HZ` and :data:`MAX_HZ`.

    Returns
    -------
    numpy.ndarray
        ``(n_mels, N_FFT // 2 + 1)`` float32, read-only.
    """
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (MIN_HZ, MAX_HZ))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, n_mels + 2) / 2595.0) - 1.0)
    bins = np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    filters.setflags(write=False)
    return filters


class LogMel:
    """Log-mel rows of a stream, the same rows for any cutting of the stream into blocks.

    Row ``i`` is centred on sample ``i * HOP_LENGTH``; sound before the first and after the last
    sample is silence. ``n`` samples give ``ceil(n / HOP_LENGTH)`` rows, the last of them on
    :meth:`flush`.

    Parameters
    ----------
    n_mels : int
        Columns.
    """

    def __init__(self, *, n_mels: int = N_MELS) -> None:
        self._filters = mel_filters(n_mels)
        self._buffer: FloatArray = np.zeros(WINDOW_LENGTH // 2, np.float32)
        self._taken = 0
        self._rows = 0

    def push(self, samples: FloatArray) -> FloatArray:
        """Take more sound and return the rows that are complete.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32 at 16 kHz in [-1, 1].

        Returns
        -------
        numpy.ndarray
            ``(rows, n_mels)`` float32: natural logarithm of mel power, at least ``log(FLOOR)``.
        """
        self._taken += len(samples)
        self._buffer = np.concatenate([self._buffer, samples.astype(np.float32, copy=False)])
        ready = max(0, (len(self._buffer) - WINDOW_LENGTH) // HOP_LENGTH + 1)
        return self._take(ready)

    def flush(self) -> FloatArray:
        """Return the rows whose windows reach beyond the last sample.

        Returns
        -------
        numpy.ndarray
            ``(rows, n_mels)`` float32.
        """
        missing = -(-self._taken // HOP_LENGTH) - self._rows
        needed = (missing - 1) * HOP_LENGTH + WINDOW_LENGTH if missing > 0 else 0
        if needed > len(self._buffer):
            self._buffer = np.pad(self._buffer, (0, needed - len(self._buffer)))
        return self._take(max(0, missing))

    def _take(self, rows: int) -> FloatArray:
        out: FloatArray = np.empty((rows, len(self._filters)), np.float32)
        for start in range(0, rows, _ROWS_AT_ONCE):
            stop = min(rows, start + _ROWS_AT_ONCE)
            begin = start * HOP_LENGTH
            end = (stop - 1) * HOP_LENGTH + WINDOW_LENGTH
            out[start:stop] = _rows(self._buffer[begin:end], self._filters)
        self._buffer = self._buffer[rows * HOP_LENGTH :]
        self._rows += rows
        return out


def log_mel(samples: FloatArray, *, n_mels: int = N_MELS) -> FloatArray:
    """Log-mel rows of a sound that is held in memory.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(n,)`` float32 at 16 kHz.
    n_mels : int
        Columns.

    Returns
    -------
    numpy.ndarray
        ``(ceil(n / HOP_LENGTH), n_mels)`` float32, see :class:`LogMel`.
    """
    stream = LogMel(n_mels=n_mels)
    return np.concatenate([stream.push(samples), stream.flush()])


@lru_cache(maxsize=1)
def _window() -> FloatArray:
    n = np.arange(WINDOW_LENGTH)
    # Scaled so that a full-scale sine has power 1 at its peak.
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * n / WINDOW_LENGTH)
    scaled: FloatArray = (window * 2.0 / window.sum()).astype(np.float32)
    return scaled


def _rows(samples: FloatArray, filters: FloatArray) -> FloatArray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_LENGTH)[::HOP_LENGTH]
    spectrum = np.fft.rfft(frames * _window(), N_FFT)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    rows: FloatArray = np.log(np.maximum(power @ filters.T, np.float32(FLOOR)))
    return rows
