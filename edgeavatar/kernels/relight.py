"""Making part of a frame brighter or darker, in the frame's own planes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FloatArray, Frame


def relight_frame(frame: Frame, gain: FloatArray, x0: int, y0: int) -> Frame:
    """Multiply the colours of a rectangle by a gain.

    Luma is multiplied above its black level and chroma about its grey, so that hue and saturation
    stay. A chroma sample takes the gain of the first of its four luma pixels, which is enough for
    gains that vary smoothly. Where the gain is 1 every byte stays what it was.

    Parameters
    ----------
    frame : Frame
        Left as it is.
    gain : ndarray
        ``(h, w)`` float32, at least 0.
    x0, y0 : int
        Where the rectangle's top left pixel lies; both even. It must lie within the frame.

    Returns
    -------
    Frame
        With planes of its own.

    Raises
    ------
    ValueError
        If ``x0`` or ``y0`` is odd or the rectangle reaches outside.
    """
    height, width = gain.shape
    inside = x0 >= 0 and y0 >= 0 and x0 + width <= frame.width and y0 + height <= frame.height
    if x0 % 2 or y0 % 2 or not inside:
        raise ValueError(
            f"expected a {width} x {height} rectangle at an even place inside a {frame.width} x "
            f"{frame.height} frame, found ({x0}, {y0})"
        )
    black = 16 if frame.colour.range == "limited" else 0
    y, u, v = frame.y.copy(), frame.u.copy(), frame.v.copy()
    fine = np.ascontiguousarray(gain, np.float32)
    coarse = np.ascontiguousarray(fine[::2, ::2])
    _scale(y, fine, np.float32(black), x0, y0)
    _scale(u, coarse, np.float32(128), x0 // 2, y0 // 2)
    _scale(v, coarse, np.float32(128), x0 // 2, y0 // 2)
    return replace(frame, y=y, u=u, v=v)


@numba.njit(cache=True, nogil=True)
def _scale(plane: ByteArray, gain: FloatArray, zero: np.float32, x0: int, y0: int) -> None:
    for row in range(gain.shape[0]):
        target = plane[y0 + row]
        for col in range(gain.shape[1]):
            value = zero + (np.float32(target[x0 + col]) - zero) * gain[row, col] + np.float32(0.5)
            value = min(max(value, np.float32(0)), np.float32(255))
            target[x0 + col] = np.uint8(value)
