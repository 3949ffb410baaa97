"""Damage of compression and transport: blocks, and pictures that are shown twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray

BLOCK: Final = 8
"""Side of the blocks of JPEG, MPEG-2, MPEG-4 and of the larger transform of H.264."""
_SAME: Final = 1
"""Levels by which pixels of a picture that was coded twice may differ."""
_CHANGED_SHARE: Final = 0.002
_FEW: Final = 96
_UNSEEN: Final = 0.5
"""Steps in levels that nobody sees, which an even background would make a large ratio of."""


def blockiness(luma: ByteArray) -> float:
    """Measure the steps between blocks of 8 x 8 pixels, wherever the grid begins.

    After Wang, Sheikh and Bovik, "No-reference perceptual quality assessment of JPEG compressed
    images" (2002): the mean difference of neighbours across the borders of blocks, over that of all
    other neighbours.

    Parameters
    ----------
    luma
        ``(H, W)`` uint8, not resized since it was decoded.

    Returns
    -------
    float
        1 without blocks; the larger of the two directions' values, of the worst grid. 1 for a
        picture of less than four blocks.
    """
    found = 1.0
    for axis in (0, 1):
        if luma.shape[axis] < 4 * BLOCK:
            return 1.0
        found = max(found, _steps(luma, axis))
    return found


def _steps(luma: ByteArray, axis: int) -> float:
    before, after = (luma[:-1], luma[1:]) if axis == 0 else (luma[:, :-1], luma[:, 1:])
    profile = cv2.reduce(cv2.absdiff(before, after), 1 - axis, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
    profile = profile.ravel()
    usable = len(profile) // BLOCK * BLOCK
    # The middle of a line's differences: one contour along the border of a block is no grid.
    phases = np.median(profile[:usable].reshape(-1, BLOCK), axis=0)
    worst = int(phases.argmax())
    others = np.delete(phases, worst)
    floor = _UNSEEN * luma.shape[1 - axis]
    return float((phases[worst] + floor) / (np.median(others) + floor))


def is_repeated(before: ByteArray, after: ByteArray) -> bool:
    """Tell whether a picture is the one before it once more.

    Parameters
    ----------
    before, after
        ``(h, w)`` uint8 luma of two frames, or of the same part of both.
    """
    if before.shape != after.shape:
        return False
    step = max(1, min(before.shape) // _FEW)
    change = cv2.absdiff(
        np.ascontiguousarray(before[::step, ::step]), np.ascontiguousarray(after[::step, ::step])
    )
    return bool((change > _SAME).mean() < _CHANGED_SHARE)
