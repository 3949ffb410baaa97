"""Laying a changed patch over a frame, in the frame's own planes.

``out = (alpha * patch + (255 - alpha) * frame) / 255``, rounded half up, exact. Where alpha is 0
the frame keeps its value to the bit, where it is 255 it takes the patch's. Nothing outside the
patch is read or written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FloatArray, Frame


def blend_plane(
    plane: ByteArray,
    patch: ByteArray | FloatArray,
    alpha: ByteArray | FloatArray,
    x0: int,
    y0: int,
) -> None:
    """Blend a patch into a plane, in place.

    Parameters
    ----------
    plane : ndarray
        ``(H, W)`` uint8, C-contiguous rows; changed within the patch's rectangle only.
    patch : ndarray
        ``(h, w)`` uint8, or float32 in 0..255 (rounded half up and clipped first).
    alpha : ndarray
        ``(h, w)`` uint8 in 0..255, or float32 in 0..1 (brought to 255 steps, rounded half up and
        clipped first).
    x0, y0 : int
        Where the patch's top left pixel lies; the patch must lie within the plane.

    Raises
    ------
    ValueError
        If shapes or types do not fit or the patch reaches outside the plane.
    """
    _check_placement(plane.shape, patch.shape, x0, y0)
    if alpha.shape != patch.shape:
        raise ValueError(f"expected alpha of shape {patch.shape}, found {alpha.shape}")
    if plane.dtype != np.uint8:
        raise ValueError(f"expected a uint8 plane, found {plane.dtype}")
    _blend_plane(plane, _to_bytes(patch, 1), _to_bytes(alpha, 255), x0, y0)


def blend_frame(
    frame: Frame,
    patch: tuple[ByteArray, ByteArray, ByteArray],
    alpha: ByteArray | FloatArray,
    x0: int,
    y0: int,
) -> Frame:
    """Blend a 4:2:0 patch into a copy of a frame.

    The alpha of a chroma sample is the mean over those of its four luma pixels that lie in the
    frame, pixels beside the patch counting 0. A luma pixel with alpha 0 therefore always keeps its
    luma, and keeps its chroma unless another pixel of its 2x2 block is blended.

    Parameters
    ----------
    frame : Frame
        Left as it is.
    patch : tuple of ndarray
        ``y`` ``(h, w)``, ``u`` and ``v`` ``((h + 1) // 2, (w + 1) // 2)``, uint8, in the colour of
        the frame.
    alpha : ndarray
        ``(h, w)`` uint8 in 0..255 or float32 in 0..1.
    x0, y0 : int
        Where the patch's top left pixel lies; both even. The patch must lie within the frame.

    Returns
    -------
    Frame
        With planes of its own.

    Raises
    ------
    ValueError
        If shapes or types do not fit, ``x0`` or ``y0`` is odd, or the patch reaches outside.
    """
    patch_y, patch_u, patch_v = patch
    height, width = patch_y.shape
    half = ((height + 1) // 2, (width + 1) // 2)
    _check_placement(frame.y.shape, patch_y.shape, x0, y0)
    if x0 % 2 or y0 % 2:
        raise ValueError(f"expected an even place for a 4:2:0 patch, found ({x0}, {y0})")
    if alpha.shape != patch_y.shape or patch_u.shape != half or patch_v.shape != half:
        raise ValueError(
            f"expected alpha of shape {patch_y.shape} and chroma of {half}, found {alpha.shape}, "
            f"{patch_u.shape} and {patch_v.shape}"
        )
    if {p.dtype for p in (*patch, frame.y, frame.u, frame.v)} != {np.dtype(np.uint8)}:
        raise ValueError("expected uint8 planes and patch")
    weights = _to_bytes(alpha, 255)
    chroma_weights = np.empty(half, np.uint8)
    _halve_alpha(weights, x0 + width == frame.width, y0 + height == frame.height, chroma_weights)
    y, u, v = frame.y.copy(), frame.u.copy(), frame.v.copy()
    _blend_plane(y, patch_y, weights, x0, y0)
    _blend_plane(u, patch_u, chroma_weights, x0 // 2, y0 // 2)
    _blend_plane(v, patch_v, chroma_weights, x0 // 2, y0 // 2)
    return replace(frame, y=y, u=u, v=v)


def _check_placement(plane: tuple[int, ...], patch: tuple[int, ...], x0: int, y0: int) -> None:
    height, width = patch
    if x0 < 0 or y0 < 0 or y0 + height > plane[0] or x0 + width > plane[1]:
        raise ValueError(
            f"a patch of {width} x {height} at ({x0}, {y0}) reaches outside a plane of "
            f"{plane[1]} x {plane[0]}"
        )


def _to_bytes(values: ByteArray | FloatArray, scale: int) -> ByteArray:
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values, np.uint8)
    if values.dtype != np.float32:
        raise ValueError(f"expected uint8 or float32 values, found {values.dtype}")
    out = np.empty(values.shape, np.uint8)
    _round(np.ascontiguousarray(values), np.float32(scale), out)
    return out


@numba.njit(cache=True, nogil=True)
def _round(values: FloatArray, scale: np.float32, out: ByteArray) -> None:
    for row in range(values.shape[0]):
        for col in range(values.shape[1]):
            value = values[row, col] * scale + np.float32(0.5)
            # Written so that NaN becomes 0.
            value = value if value > np.float32(0) else np.float32(0)
            out[row, col] = np.uint8(value if value < np.float32(255) else np.float32(255))


@numba.njit(cache=True, nogil=True)
def _blend_plane(plane: ByteArray, patch: ByteArray, alpha: ByteArray, x0: int, y0: int) -> None:
    height, width = patch.shape
    for row in range(height):
        target = plane[y0 + row, x0 : x0 + width]
        source = patch[row]
        weight = alpha[row]
        for col in range(width):
            a = np.uint16(weight[col])
            # 16 bits hold 255 * 255 + 128 and the correction below; narrow lanes are fast lanes.
            total = np.uint16(
                np.uint16(a * np.uint16(source[col]))
                + np.uint16(np.uint16(np.uint16(255) - a) * np.uint16(target[col]))
                + np.uint16(128)
            )
            # Blinn 1995, "Three wrongs make a right": exact division by 255 of 0..65280 rounded.
            target[col] = np.uint8(np.uint16(total + (total >> np.uint16(8))) >> np.uint16(8))


@numba.njit(cache=True, nogil=True)
def _halve_alpha(
    alpha: ByteArray, ends_at_right: bool, ends_at_bottom: bool, out: ByteArray
) -> None:
    height, width = alpha.shape
    even_height, even_width = height // 2, width // 2
    for row in range(even_height):
        upper, lower = alpha[2 * row], alpha[2 * row + 1]
        for col in range(even_width):
            total = (
                np.uint16(upper[2 * col])
                + np.uint16(upper[2 * col + 1])
                + np.uint16(lower[2 * col])
                + np.uint16(lower[2 * col + 1])
            )
            out[row, col] = np.uint8((total + np.uint16(2)) >> np.uint16(2))
    # An odd edge: half a block. At the frame's own edge the other half does not exist.
    if width % 2:
        for row in range(even_height):
            total = np.uint16(alpha[2 * row, width - 1]) + np.uint16(alpha[2 * row + 1, width - 1])
            shift = 1 if ends_at_right else 2
            out[row, even_width] = (total + shift) >> shift
    if height % 2:
        for col in range(even_width):
            total = np.uint16(alpha[height - 1, 2 * col]) + np.uint16(
                alpha[height - 1, 2 * col + 1]
            )
            shift = 1 if ends_at_bottom else 2
            out[even_height, col] = (total + shift) >> shift
    if width % 2 and height % 2:
        shift = 2 - int(ends_at_right) - int(ends_at_bottom)
        corner = np.uint16(alpha[height - 1, width - 1])
        out[even_height, even_width] = (corner + ((1 << shift) >> 1)) >> shift
