"""A frame as a BGR picture of which only what is looked at is converted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.kernels.colour import planes_to_bgr

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, Frame

_NONE = (0, 0, 0, 0)


class Canvas:
    """A frame that becomes BGR where somebody looks; not for two threads at a time.

    A face takes a tenth of a frame, and so does converting its surroundings.

    Parameters
    ----------
    frame
        Planar 4:2:0.
    """

    __slots__ = ("_bgr", "_done", "_frame")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._bgr: ByteArray = np.empty((frame.height, frame.width, 3), np.uint8)
        self._done = _NONE

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 3."""
        return self._frame.height, self._frame.width, 3

    def whole(self) -> ByteArray:
        """Give ``(H, W, 3)`` uint8, all of it converted."""
        return self.around(0, 0, self._frame.width, self._frame.height)

    def around(self, x0: int, y0: int, x1: int, y1: int) -> ByteArray:
        """Give ``(H, W, 3)`` uint8 whose pixels are right within a rectangle.

        Parameters
        ----------
        x0, y0, x1, y1
            Half-open, in pixels; what lies outside the frame is left out.
        """
        x0, y0 = max(0, x0), max(0, y0)
        x1, y1 = min(self._frame.width, x1), min(self._frame.height, y1)
        left, top, right, bottom = self._done
        known = left <= x0 and top <= y0 and x1 <= right and y1 <= bottom
        if x0 < x1 and y0 < y1 and not known:
            self._bgr[y0:y1, x0:x1] = planes_to_bgr(self._frame, x0, y0, x1, y1)
            self._done = x0, y0, x1, y1
        return self._bgr
