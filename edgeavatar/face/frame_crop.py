"""The square that the face models look at, cut from a frame that nobody needs as BGR."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgeavatar.face.region import Region, crop, surroundings
from edgeavatar.kernels.averaged_colour import averaged_bgr
from edgeavatar.kernels.averaging import MOST
from edgeavatar.kernels.colour import planes_to_bgr

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, Frame


def crop_frame(frame: Frame, region: Region, size: int) -> ByteArray:
    """Cut a region out of a frame.

    The same as :func:`~edgeavatar.face.region.crop` of the whole frame in BGR, bit for bit, for the
    cost of converting what is in the region.

    Parameters
    ----------
    frame
        Planar 4:2:0.
    region
        What to cut.
    size
        Side of the result in pixels.

    Returns
    -------
    numpy.ndarray
        ``(size, size, 3)`` uint8, BGR; what lies outside the frame is black.
    """
    factor = int(region.side / size)
    if 2 < factor <= MOST:
        result = _of_blocks(frame, region, size, factor)
        if result is not None:
            return result
    # What is not filled is not looked at.
    picture = np.empty((frame.height, frame.width, 3), np.uint8)
    x0, y0, x1, y1 = surroundings(region, size)
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(frame.width, x1), min(frame.height, y1)
    if x0 < x1 and y0 < y1:
        picture[y0:y1, x0:x1] = planes_to_bgr(frame, x0, y0, x1, y1)
    return crop(picture, region, size)


def _of_blocks(frame: Frame, region: Region, size: int, factor: int) -> ByteArray | None:
    """Cut a large region out of the blocks that it covers; None if it covers no whole one."""
    reach = region.side / 2 * (abs(math.cos(region.angle_rad)) + abs(math.sin(region.angle_rad)))
    (x, y), width, height = region.centre, frame.width, frame.height
    left = max(0, int(x - reach) // factor * factor)
    top = max(0, int(y - reach) // factor * factor)
    columns = (min(width, math.ceil(x + reach)) - left) // factor
    rows = (min(height, math.ceil(y + reach)) - top) // factor
    if columns < 1 or rows < 1:
        return None
    small = averaged_bgr(frame, left, top, (columns, rows), factor)
    offset = (factor - 1) / 2
    back = np.array([[factor, 0, left + offset], [0, factor, top + offset], [0, 0, 1]])
    result: Any = cv2.warpAffine(
        small,
        region.matrix(size) @ back,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(result, np.uint8)
