"""Music where nobody speaks, told by notes: tones that stand still for a while and then change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.sound_pieces import RATE_HZ, WINDOW

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Flags = npt.NDArray[np.bool_]

_LENGTH: Final = 2048
"""Samples of a spectrum: 128 ms, bins of 7.8 Hz."""
_HOP: Final = 2 * WINDOW
_LOW_HZ, _HIGH_HZ = 150.0, 4000.0
_STANDS_OUT: Final = 16.0
"""Power of a tone over the median of its surroundings (12 dB)."""
_AROUND: Final = 24
_HELD: Final = 4
"""Spectra in which a tone stands still: 0.26 s. Voices glide; so do their higher harmonics more."""
_TONES: Final = 3
"""Of such tones at once."""
_ALWAYS: Final = 0.8
"""A tone that is there for this share of a minute is a hum."""
_MINUTE: Final = round(60 * RATE_HZ / _HOP)
_LEAST_POWER: Final = 1e-7
"""Mean square (-70 dB of full scale) below which there is nothing."""


class NoteMeter:
    """Windows of a stream in which notes are held."""

    def __init__(self) -> None:
        self._rest = np.zeros((_LENGTH - _HOP) // 2, np.float32)
        self._shape = np.hanning(_LENGTH + 1)[:-1].astype(np.float32)
        self._bins = slice(round(_LOW_HZ * _LENGTH / RATE_HZ), round(_HIGH_HZ * _LENGTH / RATE_HZ))
        self._tones: list[Flags] = []
        self._rows = 0
        self._found: list[Flags] = []

    def push(self, heard: FloatArray) -> None:
        """Take more sound at 16 kHz."""
        sound = np.concatenate([self._rest, heard])
        count = max(0, (len(sound) - _LENGTH) // _HOP + 1)
        self._rest = sound[count * _HOP :]
        if count == 0:
            return
        rows = np.lib.stride_tricks.sliding_window_view(sound, _LENGTH)[::_HOP][:count]
        power = (np.abs(np.fft.rfft(rows * self._shape))[:, self._bins] ** 2).astype(np.float32)
        loud = (rows.astype(np.float32) ** 2).mean(axis=1) > _LEAST_POWER
        self._tones.append(_standing_out(power) & loud[:, None])
        self._rows += count
        if self._rows >= _MINUTE:
            self._look()

    def finish(self, windows: int) -> Flags:
        """Tell in which windows of 512 samples notes are held, ``(windows,)`` bool."""
        self._look()
        found = np.repeat(np.concatenate([*self._found, np.zeros(0, bool)]), _HOP // WINDOW)
        return np.pad(found[:windows], (0, max(0, windows - len(found))))

    def _look(self) -> None:
        if self._rows:
            tones = np.concatenate(self._tones)
            if self._rows > 2 * _HELD:
                tones &= tones.mean(axis=0) < _ALWAYS
            self._found.append(_held(tones).sum(axis=1) >= _TONES)
        self._tones, self._rows = [], 0


def _standing_out(power: FloatArray) -> Flags:
    """Local maxima well above their surroundings, ``(n, bins)``."""
    blocks = -(-power.shape[1] // _AROUND)
    padded = np.pad(power, ((0, 0), (0, blocks * _AROUND - power.shape[1])), mode="edge")
    middle = np.median(padded.reshape(len(power), blocks, _AROUND), axis=2)
    around = np.repeat(middle, _AROUND, axis=1)[:, : power.shape[1]]
    peak = np.zeros(power.shape, bool)
    peak[:, 1:-1] = (power[:, 1:-1] > power[:, :-2]) & (power[:, 1:-1] >= power[:, 2:])
    found: Flags = peak & (power > _STANDS_OUT * around)
    return found


def _held(tones: Flags) -> Flags:
    """Tones that stand in the same bin for some spectra."""
    held = np.zeros_like(tones)
    for first in range(len(tones) - _HELD + 1):
        still = tones[first : first + _HELD].all(axis=0)
        held[first : first + _HELD] |= still
    return held
