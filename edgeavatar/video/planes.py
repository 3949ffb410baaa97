"""From decoded pictures to upright 4:2:0 planes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from av.video.reformatter import Interpolation

if TYPE_CHECKING:
    import av

    from edgeavatar.types import ByteArray, ColourTags

    Planes = tuple[ByteArray, ByteArray, ByteArray]

EXACT_FORMATS: Final = frozenset({"yuv420p", "yuvj420p", "nv12", "nv21"})
"""Pixel formats whose planes are taken bit for bit; all others go through swscale once."""

_SWS_MATRIX: Final = {"bt601": 5, "bt709": 1, "bt2020": 9}
"""swscale's ``SWS_CS_*`` codes."""

_FIXED_ONE: Final = 1 << 16
"""1.0 in the 16.16 numbers of an ISO/IEC 14496-12 display matrix."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is turned to stand upright: transposed first, then mirrored."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def is_upright(self) -> bool:
        """Whether nothing has to be done."""
        return not (self.transpose or self.flip_x or self.flip_y)

    @property
    def rotation_deg(self) -> int:
        """Clockwise quarter turns; for a mirrored picture, those that follow a left-right flip."""
        turns = {
            (False, False, False): 0,
            (True, True, False): 90,
            (False, True, True): 180,
            (True, False, True): 270,
            (False, True, False): 0,
            (True, True, True): 90,
            (False, False, True): 180,
            (True, False, False): 270,
        }
        return turns[self.transpose, self.flip_x, self.flip_y]

    def apply(self, plane: ByteArray) -> ByteArray:
        """Return ``plane`` (``(H, W)`` or ``(H, W, C)``) turned upright, C-contiguous.

        Values are moved, never changed. With an odd size, chroma of a mirrored axis ends up one
        luma pixel off, because its blocks are counted from the other end.
        """
        if self.transpose:
            plane = plane.swapaxes(0, 1)
        if self.flip_y:
            plane = plane[::-1]
        if self.flip_x:
            plane = plane[:, ::-1]
        return np.ascontiguousarray(plane)

    @classmethod
    def from_display_matrix(cls, data: bytes) -> Orientation | None:
        """Read a display matrix; None if it asks for something else than quarter turns and flips.

        Parameters
        ----------
        data : bytes
            Nine native int32 ``a b u c d v x y w``; a stored point ``(p, q)`` is shown at
            ``(a p + c q + x, b p + d q + y)`` (FFmpeg, libavutil/display.h).
        """
        a, b, _, c, d, *_ = struct.unpack("=9i", data[:36])
        scale = max(abs(a), abs(b), abs(c), abs(d))
        if scale == 0:
            return None
        tolerance = scale // 64
        if max(abs(b), abs(c)) <= tolerance and min(abs(a), abs(d)) > tolerance:
            return cls(flip_x=a < 0, flip_y=d < 0)
        if max(abs(a), abs(d)) <= tolerance and min(abs(b), abs(c)) > tolerance:
            return cls(transpose=True, flip_x=c < 0, flip_y=b < 0)
        return None


def extract_planes(
    picture: av.VideoFrame,
    colour: ColourTags,
    size: tuple[int, int],
    orientation: Orientation,
    *,
    shared: bool = False,
) -> Planes:
    """Return upright planes of a decoded picture as arrays that own their memory.

    8-bit 4:2:0 is copied bit for bit. Other formats (4:2:2, 4:4:4, more bits, RGB, grey, alpha) and
    pictures whose size changed within the stream are converted once by swscale, from and to the
    matrix and range of ``colour``; alpha is dropped.

    Parameters
    ----------
    picture : av.VideoFrame
        As decoded.
    colour : ColourTags
        Of the whole stream.
    size : tuple of int
        Stored width and height of the stream.
    orientation : Orientation
        Turns the stored picture upright.
    shared : bool
        Give the decoder's own memory where its rows follow each other without a gap. It stays as it
        is for as long as somebody holds an array of it; nobody may write to it, because the decoder
        predicts other pictures from it.
    """
    width, height = size
    name = picture.format.name
    if name not in EXACT_FORMATS or (picture.width, picture.height) != size:
        picture = to_420(picture, colour, size)
        name = picture.format.name
    chroma_width, chroma_height = (width + 1) // 2, (height + 1) // 2
    y = _plane(picture.planes[0], width, height)
    if name in ("nv12", "nv21"):
        pairs = _plane(picture.planes[1], 2 * chroma_width, chroma_height)
        first, second = pairs[:, 0::2], pairs[:, 1::2]
        u, v = (first, second) if name == "nv12" else (second, first)
    else:
        u = _plane(picture.planes[1], chroma_width, chroma_height)
        v = _plane(picture.planes[2], chroma_width, chroma_height)
    if orientation.is_upright:
        if shared:
            return np.ascontiguousarray(y), np.ascontiguousarray(u), np.ascontiguousarray(v)
        return y.copy(), u.copy(), v.copy()
    return tuple(_own(orientation.apply(plane)) for plane in (y, u, v))  # type: ignore[return-value]


def to_420(picture: av.VideoFrame, colour: ColourTags, size: tuple[int, int]) -> av.VideoFrame:
    """Convert any picture to 8-bit 4:2:0 of ``size`` in the matrix and range of ``colour``."""
    code = _SWS_MATRIX[colour.matrix]
    range_ = 2 if colour.range == "full" else 1
    rgb = picture.format.is_rgb
    return picture.reformat(
        width=size[0],
        height=size[1],
        format="yuv420p",
        src_colorspace=code,
        dst_colorspace=code,
        src_color_range=2 if rgb else range_,
        dst_color_range=range_,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT,
        threads=1,
    )


def _plane(plane: av.video.plane.VideoPlane, width: int, height: int) -> ByteArray:
    stride = plane.line_size
    rows = np.frombuffer(memoryview(plane), np.uint8, count=stride * height)
    return rows.reshape(height, stride)[:, :width]


def _own(array: ByteArray) -> ByteArray:
    return array if array.base is None else array.copy()
