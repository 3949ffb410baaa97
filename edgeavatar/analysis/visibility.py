"""What hides a face from a camera: glare on glasses, and whatever is before the mouth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.analysis.patch import eye_rings, filled

if TYPE_CHECKING:
    from edgeavatar.analysis.patch import FacePatch

_OUTER_LIPS: Final = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    *(375, 321, 405, 314, 17, 84, 181, 91, 146),
)
_INNER_LIPS: Final = (
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    *(324, 318, 402, 317, 14, 87, 178, 88, 95),
)
_LIPS_PX: Final = 128.0
"""Height of the face at which lips are looked at."""
_NEAR, _FAR = 1.2, 1.7
"""Sizes of the ring of skin around the lips, over that of the lips."""
_UNSEEN_LAB: Final = 2.0
"""Difference in CIELAB that is hardly seen; also keeps an even patch from being told by noise."""
_LENS: Final = 2.2
"""Size of the place behind a lens, over that of the eye."""
_BRIGHT: Final = 225
_GREY: Final = 40
"""Most by which the channels of a reflection differ: it has the colour of a lamp or a window."""
_LEAST_PX: Final = 24
_CATCHLIGHT: Final = 0.012
"""Area of a reflection in the eye itself, in squares of the distance of the eyes."""


def measure_lips(patch: FacePatch) -> float:
    """Tell how clearly lips are told from the skin around them.

    A hand, a mask or a cup has no lips, whatever its colour: where the mesh puts them, the picture
    goes on as beside them.

    Parameters
    ----------
    patch
        A face, cut out.

    Returns
    -------
    float
        Distance of the colours of the lips and of a ring of skin around them, lightness, red and
        yellow each over its own spread: 1 to 3 for lips, 0 without any. The dark line between them
        does not count, since fingers have such lines too. NaN if the mouth is not in the picture.
    """
    scale = _LIPS_PX / max(1.0, patch.height_px)
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    small = cv2.resize(patch.bgr, None, fx=scale, fy=scale, interpolation=how)
    points = np.asarray((patch.points + 0.5) * scale - 0.5, np.float32)
    shape = small.shape[:2]
    outer = points[list(_OUTER_LIPS)]
    middle = outer.mean(0)
    lips = filled(outer, shape) & ~filled(points[list(_INNER_LIPS)], shape)
    ring = filled(middle + (outer - middle) * _FAR, shape)
    ring &= ~filled(middle + (outer - middle) * _NEAR, shape)
    if np.count_nonzero(lips) < _LEAST_PX or np.count_nonzero(ring) < _LEAST_PX:
        return math.nan
    left, top, wide, high = cv2.boundingRect((lips | ring).view(np.uint8))
    here = slice(top, top + high), slice(left, left + wide)
    colours = cv2.cvtColor(small[here].astype(np.float32) / 255.0, cv2.COLOR_BGR2LAB)
    a, b = colours[lips[here]], colours[ring[here]]
    spread = np.sqrt(a.var(axis=0) + b.var(axis=0)) + _UNSEEN_LAB
    apart = (np.median(a, axis=0) - np.median(b, axis=0)) / spread
    return float(np.sqrt((apart**2).sum()))


def measure_glare(patch: FacePatch) -> float:
    """Measure the reflections on glasses.

    Parameters
    ----------
    patch
        A face, cut out.

    Returns
    -------
    float
        Share of the worse eye's lens that is covered by bright spots without colour, spots as small
        as those that shine in any eye left out. NaN if no eye is in the picture.
    """
    luma, bgr = (values[:: patch.step, :: patch.step] for values in (patch.luma, patch.bgr))
    points = patch.points / np.float32(patch.step)
    eyes = float(np.linalg.norm(points[33] - points[263]))
    skin = luma[patch.skin]
    bright = max(_BRIGHT, float(np.median(skin)) + 40.0) if len(skin) else _BRIGHT
    worst = math.nan
    for ring in eye_rings(points):
        middle = ring.mean(0)
        lens = filled(middle + (ring - middle) * np.array([1.4, _LENS * 1.4]), luma.shape)
        area = int(np.count_nonzero(lens))
        if area < 16:
            continue
        left, top, wide, high = cv2.boundingRect(lens.view(np.uint8))
        here = slice(top, top + high), slice(left, left + wide)
        spread = bgr[here].max(axis=2).astype(np.int16) - bgr[here].min(axis=2)
        spots = (luma[here] >= bright) & (spread <= _GREY)
        count, _, stats, _ = cv2.connectedComponentsWithStats(
            (lens[here] & spots).astype(np.uint8), connectivity=8
        )
        sizes = stats[1:count, cv2.CC_STAT_AREA]
        large = sizes[sizes > _CATCHLIGHT * eyes * eyes]
        share = float(large.sum()) / area
        worst = share if math.isnan(worst) else max(worst, share)
    return worst
