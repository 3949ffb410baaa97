"""Pictures made smaller by a whole number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numba
import numpy as np

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray

MOST: Final = 16
"""Side of the largest block that is summed in 16 bits."""


def block_means(picture: ByteArray, factor: int) -> ByteArray:
    """Average square blocks of pixels.

    OpenCV's ``INTER_AREA`` gives the same in two to four times the time from blocks of 3 on.

    Parameters
    ----------
    picture
        ``(H, W)`` or ``(H, W, 3)`` uint8; rows may be strided. What is left over at the right and
        bottom is left out.
    factor
        Side of a block in pixels, 2 to 16.

    Returns
    -------
    numpy.ndarray
        ``(H // factor, W // factor)``, with the same channels, uint8, C-contiguous.

    Raises
    ------
    ValueError
        If there is not one whole block, or it is too large to be summed.
    """
    rows, columns = picture.shape[0] // factor, picture.shape[1] // factor
    if not (2 <= factor <= MOST and rows and columns):
        raise ValueError(f"expected blocks of 2 to {MOST} in {picture.shape[:2]}, found {factor}")
    channels = 1 if picture.ndim == 2 else 3
    if picture.strides[1] != channels:
        picture = np.ascontiguousarray(picture)
    flat = np.lib.stride_tricks.as_strided(
        picture,
        (rows * factor, columns * factor * channels),
        (picture.strides[0], 1),
        writeable=False,
    )
    out = np.empty((rows, columns, *picture.shape[2:]), np.uint8)
    _block_means(flat, factor, channels, out.reshape(rows, columns * channels))
    return out


@numba.njit(cache=True, nogil=True)
def _block_means(flat: ByteArray, factor: int, channels: int, out: ByteArray) -> None:
    down = np.empty(flat.shape[1], np.uint16)
    across = np.empty(flat.shape[1] - channels * (factor - 1), np.uint16)
    share = np.float32(1.0 / (factor * factor))
    columns = out.shape[1] // channels
    for row in range(out.shape[0]):
        first = flat[row * factor]
        for i in range(down.size):
            down[i] = np.uint16(first[i])
        for line in range(1, factor):
            more = flat[row * factor + line]
            for i in range(down.size):
                down[i] = np.uint16(down[i] + np.uint16(more[i]))
        # Sums that begin at every pixel, though one in some is used: those take whole lanes.
        for i in range(across.size):
            across[i] = down[i]
        for pixel in range(1, factor):
            shifted = down[channels * pixel :]
            for i in range(across.size):
                across[i] = np.uint16(across[i] + shifted[i])
        line_out = out[row]
        if channels == 1:
            for column in range(columns):
                line_out[column] = np.uint8(np.rint(np.float32(across[column * factor]) * share))
            continue
        for column in range(columns):
            place = column * factor * 3
            for channel in range(3):
                mean = np.rint(np.float32(across[place + channel]) * share)
                line_out[column * 3 + channel] = np.uint8(mean)
