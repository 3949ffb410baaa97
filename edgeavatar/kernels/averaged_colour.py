"""A part of a frame as a BGR picture that is smaller by a whole number, in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from edgeavatar.kernels.averaging import MOST
from edgeavatar.kernels.colour import HALF, SHIFT, chroma_terms, decode_coefficients

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.kernels.colour import IntArray
    from edgeavatar.types import ByteArray, Frame

    SumArray = npt.NDArray[np.uint16]

_i32 = np.int32


def averaged_bgr(
    frame: Frame, left: int, top: int, size: tuple[int, int], factor: int
) -> ByteArray:
    """Convert a rectangle of a frame to BGR and average square blocks of it.

    The same as :func:`~edgeavatar.kernels.averaging.block_means` of
    :func:`~edgeavatar.kernels.colour.planes_to_bgr`, bit for bit, in half of the time: no picture
    of full size is written in between.

    Parameters
    ----------
    frame
        Planar 4:2:0.
    left, top
        Where the first block begins, in luma pixels; any parity.
    size
        Columns and rows of blocks, at least one of each.
    factor
        Side of a block in pixels, 2 to 16.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 3)`` uint8, C-contiguous.

    Raises
    ------
    ValueError
        If the blocks reach outside the frame, or are too large to be summed.
    """
    columns, rows = size
    right, bottom = left + columns * factor, top + rows * factor
    inside = 0 <= left < right <= frame.width and 0 <= top < bottom <= frame.height
    if not (inside and 2 <= factor <= MOST):
        raise ValueError(
            f"expected blocks of 2 to {MOST} inside a {frame.width} x {frame.height} frame, found "
            f"{columns} x {rows} of {factor} from ({left}, {top}) on"
        )
    coefficients = np.array(decode_coefficients(frame.colour.matrix, frame.colour.range), np.int32)
    out = np.empty((rows, columns, 3), np.uint8)
    _averaged_bgr(frame.y, frame.u, frame.v, left, top, factor, coefficients, out)
    return out


@numba.njit(cache=True, nogil=True)
def _averaged_bgr(
    y: ByteArray,
    u: ByteArray,
    v: ByteArray,
    left: int,
    top: int,
    factor: int,
    k: IntArray,
    out: ByteArray,
) -> None:
    # As in kernels.colour: every product is cast back to 32 bits, else half of the lanes are lost.
    y_offset, ky = k[0], k[1]
    rows, columns = out.shape[:2]
    width = columns * factor
    first = left >> 1
    count = ((left + width - 1) >> 1) - first + 1
    skip = left & 1
    blue_of_chroma = np.empty(2 * count, np.int32)
    green_of_chroma = np.empty(2 * count, np.int32)
    red_of_chroma = np.empty(2 * count, np.int32)
    luma = np.empty(width, np.int32)
    sums = np.empty((3, width), np.uint16)
    across = np.empty(width - factor + 1, np.uint16)
    share = np.float32(1.0 / (factor * factor))
    loaded = -1
    for row in range(rows):
        sums[:] = np.uint16(0)
        for line in range(top + row * factor, top + (row + 1) * factor):
            if line >> 1 != loaded:
                loaded = line >> 1
                u_row = u[loaded, first : first + count]
                v_row = v[loaded, first : first + count]
                chroma_terms(u_row, v_row, k, blue_of_chroma, green_of_chroma, red_of_chroma)
            _scaled(y[line, left : left + width], y_offset, ky, luma)
            _add(luma, blue_of_chroma[skip : skip + width], sums[0])
            _add(luma, green_of_chroma[skip : skip + width], sums[1])
            _add(luma, red_of_chroma[skip : skip + width], sums[2])
        for channel in range(3):
            _means(sums[channel], factor, share, across, out[row], channel)


@numba.njit(cache=True, nogil=True)
def _scaled(y_row: ByteArray, y_offset: np.int32, ky: np.int32, out: IntArray) -> None:
    for i in range(out.size):
        out[i] = _i32(_i32(ky * _i32(_i32(y_row[i]) - y_offset)) + _i32(HALF))


@numba.njit(cache=True, nogil=True)
def _add(luma: IntArray, chroma: IntArray, sums: SumArray) -> None:
    # One channel at a time: with more, the compiler gives up proving that rows do not overlap.
    for i in range(sums.size):
        value = _i32(_i32(luma[i] + chroma[i]) >> _i32(SHIFT))
        sums[i] = np.uint16(sums[i] + np.uint16(min(max(value, _i32(0)), _i32(255))))


@numba.njit(cache=True, nogil=True)
def _means(
    down: SumArray,
    factor: int,
    share: np.float32,
    across: SumArray,
    line_out: ByteArray,
    channel: int,
) -> None:
    # As in kernels.averaging: sums that begin at every pixel take whole lanes.
    for i in range(across.size):
        across[i] = down[i]
    for pixel in range(1, factor):
        shifted = down[pixel:]
        for i in range(across.size):
            across[i] = np.uint16(across[i] + shifted[i])
    for column in range(line_out.shape[0]):
        mean = np.rint(np.float32(across[column * factor]) * share)
        line_out[column, channel] = np.uint8(mean)
