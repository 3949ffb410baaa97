"""Mel spectra in the convention that Wav2Lip was published with, one window for each video frame.

Its constants come from the speech synthesiser Tacotron and were taken over by Prajwal et al. (2020,
"A Lip Sync Expert Is All You Need for Speech to Lip Generation In the Wild"); nets that were
trained on them hear nothing else. :mod:`edgeavatar.motion.mel` is what this project's own nets
hear.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.audio.resample import Resampler

if TYPE_CHECKING:
    from fractions import Fraction

    from edgeavatar.types import FloatArray

RATE_HZ: Final = 16000
HOP_LENGTH: Final = 200
"""Samples between rows: 80 rows a second."""
ROWS_PER_S: Final = RATE_HZ // HOP_LENGTH
N_FFT: Final = 800
"""Samples of a transform and of its Hann window: 50 ms."""
N_MELS: Final = 80
MIN_HZ, MAX_HZ = 55.0, 7600.0
PREEMPHASIS: Final = 0.97
REFERENCE_DB: Final = 20.0
FLOOR_DB: Final = -100.0
SPAN: Final = 4.0
"""Rows run from minus this, at the floor, to this."""
WINDOW_ROWS: Final = 16
"""Rows of a window: 0.2 s, five frames at 25 a second."""

_LINEAR_HZ, _HZ_PER_MEL = 1000.0, 200.0 / 3.0
_LOG_STEP = math.log(6.4) / 27.0
_ROWS_AT_ONCE = 512


@lru_cache(maxsize=1)
def mel_filters() -> FloatArray:
    """Triangular filters of equal area on the mel scale of Slaney's Auditory Toolbox (1998).

    The scale is linear up to 1000 Hz, 15 mel, and has 27 mel to a factor of 6.4 above. A triangle
    peaks at 2 over its width in hertz.

    Returns
    -------
    numpy.ndarray
        ``(80, 401)`` float32, read-only.
    """
    low, high = (_to_mel(hz) for hz in (MIN_HZ, MAX_HZ))
    edges = _to_hz(np.linspace(low, high, N_MELS + 2))
    bins = np.arange(N_FFT // 2 + 1) * RATE_HZ / N_FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    filters = np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]
    narrow: FloatArray = filters.astype(np.float32)
    narrow.setflags(write=False)
    return narrow


def _to_mel(hz: float) -> float:
    if hz < _LINEAR_HZ:
        return hz / _HZ_PER_MEL
    return _LINEAR_HZ / _HZ_PER_MEL + math.log(hz / _LINEAR_HZ) / _LOG_STEP


def _to_hz(mel: np.ndarray) -> np.ndarray:
    knee = _LINEAR_HZ / _HZ_PER_MEL
    above = _LINEAR_HZ * np.exp(_LOG_STEP * np.maximum(mel - knee, 0.0))
    return np.where(mel < knee, mel * _HZ_PER_MEL, above)


class MelWindows:
    """What a stream of sound is like in the 0.2 s from any moment on.

    Row ``i`` is centred on ``i / 80`` seconds. Sound before the first and after the last sample is
    silence. (The published code mirrors the sound there, which tells in the first and last two rows
    only, and shows its last window until the end, where here a mouth comes to rest.) Any cutting of
    the stream into blocks gives the same rows.

    Parameters
    ----------
    sample_rate
        Of the stream.
    """

    def __init__(self, sample_rate: int) -> None:
        self._resampler = Resampler(sample_rate, RATE_HZ)
        self._last = np.float32(0.0)
        self._buffer: FloatArray = np.zeros(N_FFT // 2, np.float32)
        self._rows: FloatArray = np.zeros((0, N_MELS), np.float32)
        self._first = 0
        self._ended = False

    def push(self, samples: FloatArray) -> None:
        """Take more sound, ``(n,)`` float32 in [-1, 1]."""
        self._take(self._resampler.push(samples))

    def finish(self) -> None:
        """Let the sound end; calling it again does nothing."""
        if not self._ended:
            self._take(self._resampler.flush())
            self._ended = True
            # All rows whose windows begin before the end.
            missing = -(-(len(self._buffer)) // HOP_LENGTH)
            needed = (missing - 1) * HOP_LENGTH + N_FFT
            self._buffer = np.pad(self._buffer, (0, max(0, needed - len(self._buffer))))
            self._transform()

    def covers(self, time_s: Fraction) -> bool:
        """Tell whether enough sound was taken for the window of a moment."""
        return self._ended or _row_of(time_s) + WINDOW_ROWS <= self._first + len(self._rows)

    def forget_before(self, time_s: Fraction) -> None:
        """Free what no window from this moment on needs."""
        gone = min(max(0, _row_of(time_s) - self._first), len(self._rows))
        self._rows = self._rows[gone:]
        self._first += gone

    def window_at(self, time_s: Fraction) -> FloatArray:
        """Give the spectrum from a moment on.

        Parameters
        ----------
        time_s
            Not before that of :meth:`forget_before`, and covered, see :meth:`covers`.

        Returns
        -------
        numpy.ndarray
            ``(80, 16)`` float32, -4 to 4: band by row.
        """
        first = _row_of(time_s) - self._first
        rows = self._rows[first : first + WINDOW_ROWS]
        window: FloatArray = np.full((N_MELS, WINDOW_ROWS), -SPAN, np.float32)
        window[:, : len(rows)] = rows.T
        return window

    def _take(self, samples: FloatArray) -> None:
        if len(samples):
            before = np.concatenate([[self._last], samples[:-1]]).astype(np.float32)
            emphasised = samples - np.float32(PREEMPHASIS) * before
            self._last = samples[-1]
            self._buffer = np.concatenate([self._buffer, emphasised])
            self._transform()

    def _transform(self) -> None:
        """Turn all of the buffer that can be into rows."""
        ready = max(0, (len(self._buffer) - N_FFT) // HOP_LENGTH + 1)
        made = [self._rows]
        for start in range(0, ready, _ROWS_AT_ONCE):
            stop = min(ready, start + _ROWS_AT_ONCE)
            span = slice(start * HOP_LENGTH, (stop - 1) * HOP_LENGTH + N_FFT)
            made.append(_rows(self._buffer[span]))
        self._rows = np.concatenate(made)
        self._buffer = self._buffer[ready * HOP_LENGTH :]


def _row_of(time_s: Fraction) -> int:
    return math.floor(time_s * ROWS_PER_S)


@lru_cache(maxsize=1)
def _window() -> FloatArray:
    n = np.arange(N_FFT)
    window: FloatArray = (0.5 - 0.5 * np.cos(2.0 * np.pi * n / N_FFT)).astype(np.float32)
    return window


def _rows(samples: FloatArray) -> FloatArray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP_LENGTH]
    size = np.abs(np.fft.rfft(frames * _window())).astype(np.float32) @ mel_filters().T
    level_db = 20.0 * np.log10(np.maximum(size, np.float32(10.0 ** (FLOOR_DB / 20.0))))
    share = (level_db - REFERENCE_DB - FLOOR_DB) / -FLOOR_DB
    rows: FloatArray = np.clip(2.0 * SPAN * share - SPAN, -SPAN, SPAN).astype(np.float32)
    return rows
