"""What hides a face from a camera: glare on glasses, and whatever is before the mouth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.analysis.patch import eye_rings, filled

if TYPE_CHECKING:
    from edgeavatar.analysis.patch import FacePatch

_LENS: Final = 2.2
"""Size of the place behind a lens, over that of the eye."""
_BRIGHT: Final = 225
_GREY: Final = 40
"""Most by which the channels of a reflection differ: it has the colour of a lamp or a window."""
_CATCHLIGHT: Final = 0.012
"""Area of a reflection in the eye itself, in squares of the distance of the eyes."""


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
    spread = bgr.max(axis=2).astype(np.int16) - bgr.min(axis=2)
    spots = (luma >= bright) & (spread <= _GREY)
    worst = math.nan
    for ring in eye_rings(points):
        middle = ring.mean(0)
        lens = filled(middle + (ring - middle) * np.array([1.4, _LENS * 1.4]), luma.shape)
        area = int(np.count_nonzero(lens))
        if area < 16:
            continue
        count, _, stats, _ = cv2.connectedComponentsWithStats(
            (lens & spots).astype(np.uint8), connectivity=8
        )
        sizes = stats[1:count, cv2.CC_STAT_AREA]
        large = sizes[sizes > _CATCHLIGHT * eyes * eyes]
        share = float(large.sum()) / area
        worst = share if math.isnan(worst) else max(worst, share)
    return worst
