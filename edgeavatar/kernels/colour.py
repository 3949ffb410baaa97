"""Between 8-bit YUV 4:2:0 planes and BGR pictures.

Matrices are those of ITU-R BT.601, BT.709 and BT.2020 (non-constant luminance), in limited (luma
16..235, chroma 16..240) or full range. Chroma is treated as sited in the middle of its 2x2 block:
it is repeated on the way to BGR and averaged on the way back, so that a picture which went to BGR
and back keeps its chroma, whatever siting the video declares.

Arithmetic is integer: coefficients are rounded to 2**-16, each sum is rounded half up once and
clipped to 0..255. Against the exact real value the result is off by at most one level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, ColourMatrix, ColourRange, ColourTags, Frame

    IntArray = npt.NDArray[np.int32]
    WordArray = npt.NDArray[np.uint32]

SHIFT: Final = 16
HALF: Final = 1 << (SHIFT - 1)

_LUMA_WEIGHTS: Final[dict[ColourMatrix, tuple[float, float]]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""``(Kr, Kb)`` of ITU-R BT.601-7, BT.709-6 and BT.2020-2."""


def _fixed(value: float) -> int:
    return round(value * (1 << SHIFT))


def decode_coefficients(matrix: ColourMatrix, range_: ColourRange) -> tuple[int, ...]:
    """Return ``(y_offset, y, v_to_r, u_to_g, v_to_g, u_to_b)``, all but the first times 2**16."""
    kr, kb = _LUMA_WEIGHTS[matrix]
    kg = 1.0 - kr - kb
    y_offset, y_gain, c_gain = (16, 255 / 219, 255 / 224) if range_ == "limited" else (0, 1.0, 1.0)
    return (
        y_offset,
        _fixed(y_gain),
        _fixed(c_gain * 2 * (1 - kr)),
        _fixed(-c_gain * 2 * (1 - kb) * kb / kg),
        _fixed(-c_gain * 2 * (1 - kr) * kr / kg),
        _fixed(c_gain * 2 * (1 - kb)),
    )


def _encode_coefficients(matrix: ColourMatrix, range_: ColourRange) -> tuple[int, ...]:
    """Return ``(y_offset, yr, yg, yb, ur, ug, ub, vr, vg, vb)``, all but the first times 2**16.

    The green terms are what the others leave, so that grey stays grey to the bit.
    """
    kr, kb = _LUMA_WEIGHTS[matrix]
    y_offset, y_gain, c_gain = (16, 219 / 255, 224 / 255) if range_ == "limited" else (0, 1.0, 1.0)
    yr, yb = _fixed(y_gain * kr), _fixed(y_gain * kb)
    ur, ub = _fixed(-c_gain * kr / (2 * (1 - kb))), _fixed(c_gain / 2)
    vr, vb = _fixed(c_gain / 2), _fixed(-c_gain * kb / (2 * (1 - kr)))
    return (y_offset, yr, _fixed(y_gain) - yr - yb, yb, ur, -ur - ub, ub, vr, -vr - vb, vb)


def planes_to_bgr(frame: Frame, x0: int, y0: int, x1: int, y1: int) -> ByteArray:
    """Convert one rectangle of a frame to BGR.

    Parameters
    ----------
    frame : Frame
        Planar 4:2:0; matrix and range are taken from ``frame.colour``.
    x0, y0, x1, y1 : int
        Half-open rectangle in luma pixels, inside the frame; any parity.

    Returns
    -------
    ndarray
        ``(y1 - y0, x1 - x0, 3)`` uint8, BGR, C-contiguous.

    Raises
    ------
    ValueError
        If the rectangle is empty or reaches outside the frame.
    """
    if not (0 <= x0 < x1 <= frame.width and 0 <= y0 < y1 <= frame.height):
        raise ValueError(
            f"rectangle ({x0}, {y0})-({x1}, {y1}) is not inside a "
            f"{frame.width} x {frame.height} frame"
        )
    out = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
    coefficients = np.array(decode_coefficients(frame.colour.matrix, frame.colour.range), np.int32)
    _planes_to_bgr(frame.y, frame.u, frame.v, x0, y0, coefficients, out)
    return out


def frame_to_bgr(frame: Frame) -> ByteArray:
    """Convert a whole frame to BGR.

    Parameters
    ----------
    frame : Frame
        Planar 4:2:0; matrix and range are taken from ``frame.colour``.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` uint8, BGR, C-contiguous.
    """
    return planes_to_bgr(frame, 0, 0, frame.width, frame.height)


def bgr_to_planes(bgr: ByteArray, colour: ColourTags) -> tuple[ByteArray, ByteArray, ByteArray]:
    """Convert a BGR picture to 4:2:0 planes.

    Chroma is computed from the mean colour of each 2x2 block; at an odd right or bottom edge the
    last column or row counts twice.

    Parameters
    ----------
    bgr : ndarray
        ``(H, W, 3)`` uint8; rows may be strided.
    colour : ColourTags
        Matrix and range to write in.

    Returns
    -------
    tuple of ndarray
        ``y`` ``(H, W)``, ``u`` and ``v`` ``((H + 1) // 2, (W + 1) // 2)``, uint8, C-contiguous.

    Raises
    ------
    ValueError
        If ``bgr`` is not ``(H, W, 3)`` uint8 with at least one pixel.
    """
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or bgr.size == 0:
        raise ValueError(f"expected (H, W, 3) uint8 pixels, found {bgr.shape} {bgr.dtype}")
    height, width = bgr.shape[:2]
    y = np.empty((height, width), np.uint8)
    u = np.empty(((height + 1) // 2, (width + 1) // 2), np.uint8)
    v = np.empty_like(u)
    coefficients = np.array(_encode_coefficients(colour.matrix, colour.range), np.int32)
    _bgr_to_planes(np.ascontiguousarray(bgr), coefficients, y, u, v)
    return y, u, v


_i32 = np.int32
_u32 = np.uint32


@numba.njit(cache=True, nogil=True)
def chroma_terms(
    u_row: ByteArray,
    v_row: ByteArray,
    k: IntArray,
    blue: IntArray,
    green: IntArray,
    red: IntArray,
) -> None:
    """Write what a row of chroma adds to blue, green and red, each twice: for two luma pixels.

    Parameters
    ----------
    u_row, v_row
        ``(n,)`` uint8.
    k
        ``(6,)`` int32, see :func:`decode_coefficients`.
    blue, green, red
        ``(2 n,)`` int32, times 2**16.
    """
    krv, kgu, kgv, kbu = k[2], k[3], k[4], k[5]
    for i in range(u_row.size):
        cu = _i32(_i32(u_row[i]) - _i32(128))
        cv = _i32(_i32(v_row[i]) - _i32(128))
        b = _i32(kbu * cu)
        g = _i32(_i32(kgu * cu) + _i32(kgv * cv))
        r = _i32(krv * cv)
        blue[2 * i] = b
        blue[2 * i + 1] = b
        green[2 * i] = g
        green[2 * i + 1] = g
        red[2 * i] = r
        red[2 * i + 1] = r


@numba.njit(cache=True, nogil=True)
def _planes_to_bgr(
    y: ByteArray,
    u: ByteArray,
    v: ByteArray,
    x0: int,
    y0: int,
    k: IntArray,
    out: ByteArray,
) -> None:
    # Every product is cast back to 32 bits: numba widens to 64, which halves the vector lanes.
    y_offset, ky = k[0], k[1]
    height, width = out.shape[:2]
    padded = (width + 3) // 4 * 4
    first = x0 >> 1
    count = ((x0 + width - 1) >> 1) - first + 1
    skip = x0 & 1
    blue_of_chroma = np.empty(2 * count, np.int32)
    green_of_chroma = np.empty(2 * count, np.int32)
    red_of_chroma = np.empty(2 * count, np.int32)
    blue = np.zeros(padded, np.uint8)
    green = np.zeros(padded, np.uint8)
    red = np.zeros(padded, np.uint8)
    words = np.empty(3 * padded // 4, np.uint32)
    pixels = words.view(np.uint8)
    loaded = -1
    for row in range(height):
        chroma_row = (y0 + row) >> 1
        if chroma_row != loaded:
            loaded = chroma_row
            u_row = u[chroma_row, first : first + count]
            v_row = v[chroma_row, first : first + count]
            chroma_terms(u_row, v_row, k, blue_of_chroma, green_of_chroma, red_of_chroma)
        y_row = y[y0 + row, x0 : x0 + width]
        b_row = blue_of_chroma[skip : skip + width]
        g_row = green_of_chroma[skip : skip + width]
        r_row = red_of_chroma[skip : skip + width]
        for col in range(width):
            luma = _i32(_i32(ky * _i32(_i32(y_row[col]) - y_offset)) + _i32(HALF))
            blue[col] = _clip(_i32(luma + b_row[col]) >> _i32(SHIFT))
            green[col] = _clip(_i32(luma + g_row[col]) >> _i32(SHIFT))
            red[col] = _clip(_i32(luma + r_row[col]) >> _i32(SHIFT))
        _interleave(blue, green, red, words)
        _copy(pixels, out[row].reshape(3 * width), 3 * width)


@numba.njit(cache=True, nogil=True)
def _bgr_to_planes(bgr: ByteArray, k: IntArray, y: ByteArray, u: ByteArray, v: ByteArray) -> None:
    y_offset, yr, yg, yb = k[0], k[1], k[2], k[3]
    ur, ug, ub, vr, vg, vb = k[4], k[5], k[6], k[7], k[8], k[9]
    height, width = y.shape
    chroma_height, chroma_width = u.shape
    padded = (width + 3) // 4 * 4
    y_base = _i32(_i32(y_offset << SHIFT) + _i32(HALF))
    # Chroma sums hold four pixels, hence two more bits.
    c_base = _i32((128 << (SHIFT + 2)) + (HALF << 2))
    words = np.zeros(3 * padded // 4, np.uint32)
    pixels = words.view(np.uint8)
    blue = np.zeros((2, padded + 1), np.int32)
    green = np.zeros((2, padded + 1), np.int32)
    red = np.zeros((2, padded + 1), np.int32)
    for chroma_row in range(chroma_height):
        for half in range(2):
            row = min(2 * chroma_row + half, height - 1)
            b_row, g_row, r_row = blue[half], green[half], red[half]
            _copy(bgr[row].reshape(3 * width), pixels, 3 * width)
            _separate(words, b_row, g_row, r_row)
            b_row[width] = b_row[width - 1]
            g_row[width] = g_row[width - 1]
            r_row[width] = r_row[width - 1]
            y_row = y[row]
            for col in range(width):
                total = _i32(_i32(yr * r_row[col]) + _i32(yg * g_row[col]))
                total = _i32(total + _i32(_i32(yb * b_row[col]) + y_base))
                y_row[col] = _clip(total >> _i32(SHIFT))
        u_row, v_row = u[chroma_row], v[chroma_row]
        for col in range(chroma_width):
            i = 2 * col
            b = _i32(_i32(blue[0, i] + blue[0, i + 1]) + _i32(blue[1, i] + blue[1, i + 1]))
            g = _i32(_i32(green[0, i] + green[0, i + 1]) + _i32(green[1, i] + green[1, i + 1]))
            r = _i32(_i32(red[0, i] + red[0, i + 1]) + _i32(red[1, i] + red[1, i + 1]))
            cu = _i32(_i32(_i32(ur * r) + _i32(ug * g)) + _i32(_i32(ub * b) + c_base))
            cv = _i32(_i32(_i32(vr * r) + _i32(vg * g)) + _i32(_i32(vb * b) + c_base))
            u_row[col] = _clip(cu >> _i32(SHIFT + 2))
            v_row[col] = _clip(cv >> _i32(SHIFT + 2))


@numba.njit(cache=True, nogil=True)
def _clip(value: np.int32) -> np.uint8:
    return np.uint8(min(max(value, _i32(0)), _i32(255)))


@numba.njit(cache=True, nogil=True)
def _copy(source: ByteArray, target: ByteArray, count: int) -> None:
    # A plain loop: numba's own slice assignment does not become a block copy.
    for i in range(count):
        target[i] = source[i]


@numba.njit(cache=True, nogil=True)
def _interleave(blue: ByteArray, green: ByteArray, red: ByteArray, words: WordArray) -> None:
    """Pack bytes as little-endian words, four pixels in three: ten times as fast as byte stores."""
    for i in range(words.size // 3):
        j = 4 * i
        words[3 * i] = (
            _u32(blue[j])
            | (_u32(green[j]) << _u32(8))
            | (_u32(red[j]) << _u32(16))
            | (_u32(blue[j + 1]) << _u32(24))
        )
        words[3 * i + 1] = (
            _u32(green[j + 1])
            | (_u32(red[j + 1]) << _u32(8))
            | (_u32(blue[j + 2]) << _u32(16))
            | (_u32(green[j + 2]) << _u32(24))
        )
        words[3 * i + 2] = (
            _u32(red[j + 2])
            | (_u32(blue[j + 3]) << _u32(8))
            | (_u32(green[j + 3]) << _u32(16))
            | (_u32(red[j + 3]) << _u32(24))
        )


@numba.njit(cache=True, nogil=True)
def _separate(words: WordArray, blue: IntArray, green: IntArray, red: IntArray) -> None:
    """Undo :func:`_interleave`, to 32-bit values."""
    low = _u32(255)
    for i in range(words.size // 3):
        first, second, third = words[3 * i], words[3 * i + 1], words[3 * i + 2]
        j = 4 * i
        blue[j] = first & low
        green[j] = (first >> _u32(8)) & low
        red[j] = (first >> _u32(16)) & low
        blue[j + 1] = first >> _u32(24)
        green[j + 1] = second & low
        red[j + 1] = (second >> _u32(8)) & low
        blue[j + 2] = (second >> _u32(16)) & low
        green[j + 2] = second >> _u32(24)
        red[j + 2] = third & low
        blue[j + 3] = (third >> _u32(8)) & low
        green[j + 3] = (third >> _u32(16)) & low
        red[j + 3] = third >> _u32(24)
