"""What the mouth model hears: log band energies, levelled and freed of steady noise.

A row of the 100 Hz grid hears the 25 ms around its own time. Loudness and noise are followed
within a window that reaches 4 s back and 1.5 s ahead, so a quiet recording moves the mouth as much
as a loud one, and a fan does not move it at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.previous.movement import RATE

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Floats = npt.NDArray[np.float64]

SAMPLE_RATE = 16000
HOP_LENGTH = SAMPLE_RATE // int(RATE)
BANDS = 12
_WINDOW_LENGTH = 400
_FFT_LENGTH = 512
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7400.0

_TICK_ROWS = 10
"""Rows between updates of noise and level."""
_BACK_TICKS, _AHEAD_TICKS = 40, 15
_NOISE_PERCENTILE = 4.0
_NOISE_SMOOTHING = 9
"""Rows averaged before the noise is looked for: single rows of steady noise scatter by 5 dB."""
_NOISE_MARGIN = 2.0
"""How many times the found noise is taken away; a low percentile lies below the mean."""
_LEVEL_PERCENTILE = 92.0
_LOWEST_LEVEL_DB = -50.0
"""Sound below this (dB of full scale) is not levelled up to speech."""
_LEVEL_FALL_DB = 0.1
"""Most that the level falls from tick to tick: a pause does not turn the room up."""
_RANGE_DB = (50.0, 45.0)
"""A band at -50 dB of the level counts 0, at -5 dB 1."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Rows of the 100 Hz grid."""

    bands: Floats
    """``(n, BANDS)`` float64 in [0, 1.2]: log energy of mel bands from 100 Hz to 7.4 kHz, noise
    taken away, relative to the level of the speech."""
    over_level_db: Floats
    """``(n,)`` float64: energy relative to the level of the speech."""
    over_noise_db: Floats
    """``(n,)`` float64: energy relative to the steady noise."""


class Listener:
    """Hears a stream of 16 kHz sound.

    What comes out does not depend on how the stream is cut, up to rounding.
    """

    def __init__(self) -> None:
        # Row 0 hears as much before the start of the stream as after it.
        self._samples = np.zeros(_WINDOW_LENGTH // 2, np.float64)
        self._power = np.zeros((0, BANDS))
        self._first_row = 0
        self._heard_rows = 0
        self._ticks: list[tuple[Floats, float]] = []
        self._first_tick = 0
        self._total = 0

    def push(self, samples: FloatArray) -> Heard:
        """Take the next samples and give the rows that can be heard by now.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32 in [-1, 1] at 16 kHz.

        Returns
        -------
        Heard
            The next rows, maybe none; each row once.
        """
        self._total += len(samples)
        self._take(np.concatenate([self._samples, np.asarray(samples, np.float64)]))
        return self._hear(ended=False)

    def finish(self) -> Heard:
        """Give the remaining rows: with those before, one for each begun 10 ms."""
        missing = self.rows - (self._first_row + len(self._power))
        if missing > 0:
            needed = (missing - 1) * HOP_LENGTH + _WINDOW_LENGTH
            self._take(np.pad(self._samples, (0, max(0, needed - len(self._samples)))))
        keep = self.rows - self._first_row
        self._power = self._power[:keep]
        return self._hear(ended=True)

    @property
    def rows(self) -> int:
        """Rows that the sound so far spans."""
        return -(-self._total // HOP_LENGTH)

    def _take(self, samples: Floats) -> None:
        count = max(0, (len(samples) - _WINDOW_LENGTH) // HOP_LENGTH + 1)
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW_LENGTH)
            frames = frames[: count * HOP_LENGTH : HOP_LENGTH]
            spectrum = np.abs(np.fft.rfft(frames * _WINDOW, _FFT_LENGTH)) ** 2
            self._power = np.concatenate([self._power, spectrum @ _FILTERS.T])
        self._samples = samples[count * HOP_LENGTH :]

    def _hear(self, *, ended: bool) -> Heard:
        known = self._first_row + len(self._power)
        end_tick = -(-known // _TICK_ROWS) if ended else known // _TICK_ROWS - _AHEAD_TICKS
        for tick in range(self._first_tick + len(self._ticks), end_tick + 1):
            self._ticks.append(self._measure(tick, known))
        start = self._heard_rows
        last = min(known, max(start, end_tick * _TICK_ROWS))
        heard = self._levelled(start, last)
        self._heard_rows = last
        self._forget()
        return heard

    def _measure(self, tick: int, known: int) -> tuple[Floats, float]:
        """Noise power of each band and level of the speech around a tick."""
        low = max(0, (tick - _BACK_TICKS) * _TICK_ROWS)
        high = min(known, (tick + _AHEAD_TICKS) * _TICK_ROWS)
        if high == low:
            return np.zeros(BANDS), _LOWEST_LEVEL_DB
        window = self._power[low - self._first_row : high - self._first_row]
        size = min(_NOISE_SMOOTHING, len(window))
        total = np.cumsum(np.concatenate([np.zeros((1, BANDS)), window]), axis=0)
        noise = np.percentile((total[size:] - total[:-size]) / size, _NOISE_PERCENTILE, axis=0)
        level = float(np.percentile(_decibel(window.sum(axis=1)), _LEVEL_PERCENTILE))
        before = self._ticks[-1][1] if self._ticks else _LOWEST_LEVEL_DB
        return noise, max(level, before - _LEVEL_FALL_DB, _LOWEST_LEVEL_DB)

    def _levelled(self, first: int, last: int) -> Heard:
        rows = np.arange(first, last)
        tick, share = np.divmod(rows - self._first_tick * _TICK_ROWS, _TICK_ROWS)
        share = (share / _TICK_ROWS)[:, None]
        noise_of = np.array([noise for noise, _ in self._ticks]).reshape(-1, BANDS)
        level_of = np.array([level for _, level in self._ticks])[:, None]
        noise = noise_of[tick] + share * (noise_of[tick + 1] - noise_of[tick])
        level = level_of[tick] + share * (level_of[tick + 1] - level_of[tick])
        power = self._power[first - self._first_row : last - self._first_row]
        total = _decibel(power.sum(axis=1))
        clean = _decibel(np.maximum(power - _NOISE_MARGIN * noise, 0.0))
        floor, span = _RANGE_DB
        return Heard(
            np.clip((clean - level + floor) / span, 0.0, 1.2),
            total - level[:, 0],
            total - _decibel(noise.sum(axis=1)),
        )

    def _forget(self) -> None:
        used = self._heard_rows // _TICK_ROWS - self._first_tick
        if used > 0:
            del self._ticks[:used]
            self._first_tick += used
        next_tick = self._first_tick + len(self._ticks)
        drop = (next_tick - _BACK_TICKS) * _TICK_ROWS - self._first_row
        if drop > 0:
            self._power = self._power[drop:]
            self._first_row += drop


def _decibel(power: Floats) -> Floats:
    return np.asarray(10.0 * np.log10(power + 1e-12))


def _mel_filters() -> Floats:
    """Triangles on the mel scale (HTK's formula), each of unit sum: ``(BANDS, 257)``."""
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)
    frequencies = np.fft.rfftfreq(_FFT_LENGTH, 1.0 / SAMPLE_RATE)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (frequencies - left) / (middle - left)
    falling = (right - frequencies) / (right - middle)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(filters / filters.sum(axis=1, keepdims=True))


_WINDOW = np.hanning(_WINDOW_LENGTH + 1)[:-1]
_WINDOW /= np.sqrt((_WINDOW**2).sum())
_FILTERS = _mel_filters()
