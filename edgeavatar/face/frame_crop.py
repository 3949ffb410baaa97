"""The square that the face models look at, cut from a frame that nobody needs as BGR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgeavatar.face.region import Region, blocks_of, crop, surroundings
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
    blocks = blocks_of(region, size, frame.width, frame.height)
    if blocks is not None and 2 < blocks.factor <= MOST:
        small = averaged_bgr(
            frame, blocks.left, blocks.top, (blocks.columns, blocks.rows), blocks.factor
        )
        result: Any = cv2.warpAffine(
            small,
            region.matrix(size) @ blocks.matrix,
            (size, size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        return np.asarray(result, np.uint8)
    # What is not filled is not looked at.
    picture = np.empty((frame.height, frame.width, 3), np.uint8)
    x0, y0, x1, y1 = surroundings(region, size)
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(frame.width, x1), min(frame.height, y1)
    if x0 < x1 and y0 < y1:
        picture[y0:y1, x0:x1] = planes_to_bgr(frame, x0, y0, x1, y1)
    return crop(picture, region, size)
