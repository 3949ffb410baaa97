"""How sharp a face is, as the width of the blur on its edges.

Zhuo and Sim, "Defocus map estimation from a single image" (2011): an edge that was blurred by s is
blurred once more by a known s0. The slope falls by a ratio R that does not depend on the contrast,
and s = s0 / sqrt(R^2 - 1). A face has soft edges of its own, which is allowed for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from edgeavatar.analysis.patch import FacePatch
    from edgeavatar.types import ByteArray, FloatArray

PIXEL_BLUR: Final = 0.7
"""Blur of an edge that is as sharp as pixels can show, standard deviation in pixels: a step seen
by square pixels behind a filter that keeps it from aliasing."""
_AGAIN: Final = 1.5
"""Blur that is added, in pixels."""
_STRONG: Final = 0.04
"""Share of the places with the steepest slopes."""
_SHARPEST: Final = 65.0
"""Percentile of the blur on them that counts. A lower one sees the ends of the ramps that movement
makes of edges, which are sharp."""
_NATURAL: Final = 1.75
"""Blur at that percentile over the blur that was added, of six faces: those have soft edges."""
_LEAST_SLOPE: Final = 2.0
"""Levels per pixel below which a slope is noise."""
_WIDE_PX: Final = 0.9
"""Blur from which a picture of half the size tells more."""
_SMALLEST_PX: Final = 64
_LARGEST_PX: Final = 320
"""Height of a face above which half of the pixels tell as much."""


@dataclass(frozen=True, slots=True)
class Sharpness:
    """Blur on a face."""

    blur_px: float
    """Standard deviation in pixels of the picture; NaN where there is no edge at all."""
    detail_px: float
    """Height of a sharp face that would show as much: at most that of the face."""


def measure_sharpness(patch: FacePatch) -> Sharpness:
    """Measure the blur on a face.

    Parameters
    ----------
    patch
        A face, cut out.
    """
    luma = patch.luma.astype(np.float32)
    scale = 1.0
    while patch.height_px / scale > _LARGEST_PX:
        luma, scale = _halved(luma), 2.0 * scale
    first = scale
    across, down = _blur_along(luma, 1), _blur_along(luma, 0)
    # A wide blur is measured better where it is a few pixels wide.
    while max(across, down) > _WIDE_PX and patch.height_px / scale > _SMALLEST_PX:
        luma, scale = _halved(luma), 2.0 * scale
        again = _blur_along(luma, 1), _blur_along(luma, 0)
        if any(math.isnan(blur) for blur in again):
            scale /= 2.0
            break
        across, down = again
    both = [blur for blur in (across, down) if not math.isnan(blur)]
    if not both:
        return Sharpness(math.nan, math.nan)
    blur = scale * max(both)
    # What halving hides counts as sharp.
    excess = max(0.0, blur * blur - (PIXEL_BLUR * first) ** 2)
    detail = patch.height_px * PIXEL_BLUR / math.sqrt(excess + PIXEL_BLUR**2)
    return Sharpness(blur, detail)


def _halved(luma: FloatArray) -> FloatArray:
    small = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def frame_sharpness(luma: ByteArray) -> float:
    """Measure how sharp a whole picture is, in every sixteenth row.

    Parameters
    ----------
    luma
        ``(H, W)`` uint8.

    Returns
    -------
    float
        1 where edges are as sharp as pixels can show, 0.5 where they are twice as wide; NaN
        without edges.
    """
    rows = np.ascontiguousarray(luma[::16]).astype(np.float32)
    blur = _blur_along(rows, 1)
    return blur if math.isnan(blur) else min(1.0, PIXEL_BLUR / blur)


def excess_blur(detail_px: float, height_px: float) -> float:
    """Blur of a face beyond that of pixels, over its height.

    Parameters
    ----------
    detail_px, height_px
        Of :class:`Sharpness` and of the face.

    Returns
    -------
    float
        Standard deviation in face heights; 0 for a face that is as sharp as its pixels allow.
    """
    if math.isnan(detail_px):
        return math.nan
    blur = PIXEL_BLUR * height_px / max(detail_px, 1e-3)
    return math.sqrt(max(0.0, blur * blur - PIXEL_BLUR * PIXEL_BLUR)) / max(height_px, 1e-3)


def _blur_along(luma: FloatArray, axis: int) -> float:
    """Blur of edges that are crossed along an axis, in pixels of ``luma``."""
    size = (1 + 2 * math.ceil(3 * _AGAIN), 1)
    again = cv2.GaussianBlur(
        luma, size if axis else size[::-1], _AGAIN if axis else 0.01, None, 0.01 if axis else _AGAIN
    )
    slope, softened = _slope(luma, axis), _slope(np.asarray(again, np.float32), axis)
    wanted = max(16, int(_STRONG * slope.size))
    if slope.size <= wanted:
        return math.nan
    # Most of a picture is flat, and need not be put in order.
    steep = slope[slope >= _LEAST_SLOPE]
    least = _LEAST_SLOPE
    if len(steep) >= wanted:
        least = float(np.partition(steep, -wanted)[-wanted])
    strong = (slope >= least) & (slope > softened) & (softened > 0)
    if np.count_nonzero(strong) < 16:
        return math.nan
    ratio = slope[strong] / softened[strong]
    blur = _AGAIN / np.sqrt(np.maximum(ratio * ratio - 1.0, 1e-6))
    return float(np.percentile(blur, _SHARPEST)) / _NATURAL


def _slope(luma: FloatArray, axis: int) -> FloatArray:
    """Size of the slope between the neighbours of each pixel; without the first and last ones."""
    before, after = (luma[:-2], luma[2:]) if axis == 0 else (luma[:, :-2], luma[:, 2:])
    return np.asarray(cv2.absdiff(after, before), np.float32) * np.float32(0.5)
