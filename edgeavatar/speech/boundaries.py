"""Where one sound turns into the next, near where a model says it does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from edgeavatar.types import FloatArray

_HOP_S = 0.0025
_WINDOW_S = 0.01
_SIDE_HOPS = 6
"""15 ms on either side are compared: shorter than nearly all phonemes."""
_N_FFT = 256
_N_BANDS = 20
_MIN_HZ, _MAX_HZ = 100.0, 10000.0
_FLOOR = 1e-4
"""Power that counts as none, as a share of the loud parts' power."""

REACH_S = 0.03
"""A boundary moves at most this far."""
_SPREAD_S = 0.015
"""Standard deviation that a model's boundaries are believed to have: durations of 25 ms units
(StyleTTS 2) are uncertain by 7 ms, the rest is the alignment the model learnt."""
_WEIGHT = 2.0
"""Strength of the change of sound against that belief; from 1 to 2 the results hardly differ."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A boundary between two phonemes, in samples."""

    position: int
    low: int
    """It may not move below this sample."""
    high: int
    """Nor above this one."""


def snap(samples: FloatArray, sample_rate: int, boundaries: Sequence[Boundary]) -> list[int]:
    """Move boundaries to where the sound changes most, as far as they can be believed.

    The change is the distance between the mean log spectra of the 15 ms before and after. The
    best place has the largest ``2 log(change) - (distance moved / 15 ms)^2 / 2``.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(n,)`` float32.
    sample_rate : int
        Hertz.
    boundaries : sequence of Boundary
        In order.

    Returns
    -------
    list of int
        New positions, a multiple of 2.5 ms where a boundary moved; each within 30 ms of the old
        one and within its own limits.
    """
    if not boundaries:
        return []
    hop = max(1, round(_HOP_S * sample_rate))
    change = _change(samples, sample_rate, hop)
    reach = round(REACH_S * sample_rate)
    spread = _SPREAD_S * sample_rate
    positions = []
    for boundary in boundaries:
        low = max(boundary.low, boundary.position - reach)
        high = min(boundary.high, boundary.position + reach)
        candidates = np.arange(-(-low // hop), min(high // hop, len(change) - 1) + 1)
        if not len(candidates):
            positions.append(boundary.position)
            continue
        moved = (candidates * hop - boundary.position) / spread
        score = _WEIGHT * np.log(change[candidates] + 0.05) - moved**2 / 2
        positions.append(int(candidates[np.argmax(score)]) * hop)
    return positions


def _change(samples: FloatArray, sample_rate: int, hop: int) -> npt.NDArray[np.float64]:
    """Distance between the sound before and after each hop: root mean square over log bands."""
    width = round(_WINDOW_S * sample_rate)
    count = -(-len(samples) // hop)
    # Window i begins hop * i - width / 2 + hop / 2, so that it lies between boundaries i and i + 1.
    padded = np.pad(samples, (width // 2, width + hop))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)[hop // 2 :: hop][:count]
    spectrum = np.fft.rfft(windows * np.hanning(width).astype(np.float32), _N_FFT)
    power = (spectrum.real**2 + spectrum.imag**2) @ _bands(sample_rate).T
    floor = _FLOOR * float(np.percentile(power.sum(axis=1), 95)) / _N_BANDS
    rows = np.log(power + max(floor, 1e-12))
    total = np.concatenate([np.zeros((1, _N_BANDS)), np.cumsum(rows, axis=0)])
    here = np.arange(count)
    start, end = np.maximum(here - _SIDE_HOPS, 0), np.minimum(here + _SIDE_HOPS, count)
    before = (total[here] - total[start]) / np.maximum(here - start, 1)[:, None]
    after = (total[end] - total[here]) / np.maximum(end - here, 1)[:, None]
    distance: npt.NDArray[np.float64] = np.sqrt(((before - after) ** 2).mean(axis=1))
    return distance


@lru_cache(maxsize=4)
def _bands(sample_rate: int) -> FloatArray:
    """Bands of equal width in mel (O'Shaughnessy 1987), each with at least one bin."""
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (_MIN_HZ, _MAX_HZ))
    mel = np.linspace(low, high, _N_BANDS + 1)
    edges = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    hertz = np.arange(_N_FFT // 2 + 1) * sample_rate / _N_FFT
    inside = (hertz >= edges[:-1, None]) & (hertz < edges[1:, None])
    nearest = np.abs(hertz - edges[:-1, None]).argmin(axis=1)
    inside[np.arange(_N_BANDS), nearest] |= ~inside.any(axis=1)
    bands: FloatArray = inside.astype(np.float32)
    bands.setflags(write=False)
    return bands
