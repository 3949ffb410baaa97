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


@dataclass(frozen=True, slots=True)
class _Shape:
    """How cut peaks show among the amplitudes, in bins of 0.1 dB."""

    width: int
    """Bins in which they are gathered."""
    below: tuple[int, int]
    """Bins under these, with whose density theirs is compared."""
    times: float
    """Least ratio of the densities."""


_SHARP: Final = _Shape(3, (4, 16), 3.0)
"""As they were cut. The amplitudes of speech are spread as a gamma distribution (Kim and Stern,
Interspeech 2008): per decibel, their density only falls towards the top, so that the ratio is
below 1."""
_BLUNT: Final = _Shape(15, (20, 40), 1.3)
"""After coding at few bits, whose ripples spread them."""
_OVER: Final = 0.15
"""Samples above the spike, over those in it, that may be ripples of coding; else it is none."""
_LEAST: Final = 12
"""Samples in a spike."""
_DEEPEST: Final = 50
"""Bins below the highest amplitude in which to look."""


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
    sharp = _gathered(counts, _SHARP)
    return _gathered(counts, _BLUNT) if sharp is None else sharp


def _gathered(counts: npt.NDArray[np.int64], shape: _Shape) -> tuple[int, int] | None:
    total = int(counts.sum())
    sums = np.concatenate([[0], np.cumsum(counts)])
    top = int(np.flatnonzero(counts)[-1]) if total else -1
    best: tuple[float, int, int] | None = None
    # Coding may throw a few samples above the level at which they were cut.
    for first in range(top - shape.width + 1, max(top - _DEEPEST, shape.below[1]), -1):
        end = min(first + shape.width, _BINS)
        inside, above = int(sums[end] - sums[first]), total - int(sums[end])
        low, high = first - shape.below[1], first - shape.below[0]
        under = float(sums[high] - sums[low]) * shape.width / (high - low)
        if inside < _LEAST or above > _OVER * inside or inside < shape.times * under:
            continue
        ratio = inside / (under + 1.0)
        if best is None or ratio > best[0]:
            best = (ratio, first, round(inside + above - under))
    return None if best is None else (best[1], best[2])
