"""Peaks that are cut off, whether they still stand at full scale or were turned down since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.sound_pieces import SPEAKING

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.analysis.sound_pieces import Piece
    from edgeavatar.types import FloatArray

_STEP_DB: Final = 0.1
_LOW_DB, _HIGH_DB = -60.0, 6.0
_BINS: Final = round((_HIGH_DB - _LOW_DB) / _STEP_DB)
_SPIKE: Final = 3
"""Bins, 0.3 dB, in which cut peaks are gathered; lossy coding spreads them."""
_BELOW: Final = (4, 16)
"""Bins under the spike, 0.4 to 1.6 dB, with which it is compared."""
_TIMES: Final = 3.0
"""Density of the spike over that below it from which peaks are cut. The amplitudes of speech are
spread as a gamma distribution (Kim and Stern 2008): their density only falls towards the top, so
that the ratio is below 1."""
_OVER: Final = 0.15
"""Samples above the spike, over those in it, that may be ripples of coding; else it is none."""
_LEAST: Final = 12
"""Samples in a spike."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """Peaks that are cut off."""

    share: float
    """Of the samples of speech."""
    windows: npt.NDArray[np.bool_]
    """``(n,)`` in which there are some."""


class ClippingMeter:
    """Amplitudes of a stream, to find at its end where they were cut."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, _BINS), np.int64)
        self._samples = 0
        self._peaks: list[FloatArray] = []

    def push(self, piece: Piece) -> None:
        """Take some windows, at the rate of the file."""
        sides = (np.maximum(piece.full, 0.0), np.maximum(-piece.full, 0.0))
        self._peaks.append(
            np.stack([np.maximum.reduceat(side, piece.edges) for side in sides], axis=1)
        )
        lengths = np.diff(np.append(piece.edges, len(piece.full)))
        spoken = np.repeat(piece.probability >= SPEAKING, lengths)
        self._samples += int(spoken.sum())
        for counts, side in zip(self._counts, sides, strict=True):
            loud = side[spoken & (side > 10.0 ** (_LOW_DB / 20.0))]
            bins = _bin_of(loud)
            counts += np.bincount(bins, minlength=_BINS)

    def finish(self) -> Clipping:
        """Tell how much is cut."""
        peaks = np.concatenate([*self._peaks, np.zeros((0, 2), np.float32)])
        cut = np.zeros(len(peaks), bool)
        clipped = 0
        for side, counts in enumerate(self._counts):
            found = _spike(counts)
            if found is not None:
                first, surplus = found
                clipped += surplus
                cut |= peaks[:, side] >= 10.0 ** ((_LOW_DB + first * _STEP_DB) / 20.0)
        return Clipping(clipped / self._samples if self._samples else 0.0, cut)


def _bin_of(amplitudes: FloatArray) -> npt.NDArray[np.intp]:
    level = (20.0 * np.log10(amplitudes) - _LOW_DB) / _STEP_DB
    return np.clip(level.astype(np.intp), 0, _BINS - 1)


def _spike(counts: npt.NDArray[np.int64]) -> tuple[int, int] | None:
    """First bin of the cut peaks, and their number; None if there are none."""
    total = int(counts.sum())
    sums = np.concatenate([[0], np.cumsum(counts)])
    top = int(np.flatnonzero(counts)[-1]) if total else -1
    best: tuple[float, int, int] | None = None
    # Coding may throw a few samples above the level at which they were cut: look 3 dB down.
    for first in range(top - _SPIKE + 1, max(top - 30, _BELOW[1]), -1):
        inside = int(sums[min(first + _SPIKE, _BINS)] - sums[first])
        above = total - int(sums[min(first + _SPIKE, _BINS)])
        low, high = first - _BELOW[1], first - _BELOW[0]
        below = (sums[high] - sums[low]) * _SPIKE / (high - low)
        if inside < _LEAST or above > _OVER * inside or inside < _TIMES * below:
            continue
        if best is None or inside / (below + 1.0) > best[0]:
            best = (inside / (below + 1.0), first, round(inside + above - below))
    return None if best is None else (best[1], best[2])
