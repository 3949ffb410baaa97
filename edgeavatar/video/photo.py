"""Reading a photo as one upright frame."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.errors import MediaError
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.types import ColourTags, Frame, VideoInfo
from edgeavatar.video.photo_header import PhotoHeader, read_photo_header
from edgeavatar.video.planes import Orientation
from edgeavatar.video.reader import open_video

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy.typing as npt

    from edgeavatar.types import ByteArray

MAX_SIDE_PX: Final = 3840
"""Default limit of a photo's longer side, that of UHD video."""

MAX_DECODE_BYTES: Final = 256 << 20
"""A photo that needs more than this to decode is refused: 85 megapixels of 8-bit colour."""

PHOTO_COLOUR: Final = ColourTags(matrix="bt709", range="limited", primaries=1, transfer=1)
"""What photos are converted to: the video colours nearest to sRGB."""

_BACKGROUND: Final = 128
"""Grey behind transparent pixels."""

_MAX_FILE_BYTES: Final = 512 << 20

_ORIENTATIONS: Final = {
    1: Orientation(),
    2: Orientation(flip_x=True),
    3: Orientation(flip_x=True, flip_y=True),
    4: Orientation(flip_y=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, flip_x=True),
    7: Orientation(transpose=True, flip_x=True, flip_y=True),
    8: Orientation(transpose=True, flip_y=True),
}
"""By EXIF 2.32 orientation tag."""


def read_photo(path: str | os.PathLike[str], *, max_side_px: int = MAX_SIDE_PX) -> Frame:
    """Read a picture as one frame of even size, upright, in limited-range BT.709.

    JPEG, PNG, WebP, TIFF, BMP, AVIF and still GIF are known, by content and not by name. EXIF
    orientation is applied. Transparent pixels are laid over mid grey, 16 bits are rounded to 8,
    grey becomes colour. Embedded colour profiles are not applied: values count as sRGB. A picture
    larger than ``max_side_px`` is scaled down by area averaging, a large JPEG already while it is
    decoded; an odd last row or column is left out.

    Parameters
    ----------
    path : path-like
        A local file.
    max_side_px : int
        Limit of the longer side of the result.

    Returns
    -------
    Frame
        Index 0, time 0.

    Raises
    ------
    MediaError
        If the file is missing, damaged, no picture, animated, CMYK, HEIC, smaller than 2 x 2
        pixels, or needs more than :data:`MAX_DECODE_BYTES` to decode.
    """
    path = Path(path)
    data = read_bytes(path)
    header = sniff(path, data)
    if header is None:
        raise MediaError(
            f"expected a photo in {path}, found no picture this program knows; "
            "give a JPEG, PNG, WebP, TIFF, BMP or AVIF"
        )
    if header.format == "heic":
        raise MediaError(f"expected a photo, found HEIC in {path}; convert it to JPEG or PNG first")
    if header.is_animated:
        raise _moves(path)
    if header.is_cmyk:
        raise MediaError(
            f"expected a picture in RGB, found CMYK print colours in {path}; export it as RGB"
        )
    if header.format in ("gif", "avif"):
        with open_video(path) as reader:
            frames = list(islice(reader.frames(), 2))
        if len(frames) > 1:
            raise _moves(path)
        bgr = frame_to_bgr(frames[0])
    else:
        bgr = _decode(path, data, header, max_side_px)
    bgr = _fit(bgr, max_side_px)
    if min(bgr.shape[:2]) < 2:
        raise MediaError(
            f"expected a photo of at least 2 x 2 pixels, found {bgr.shape[1]} x {bgr.shape[0]} "
            f"in {path}"
        )
    y, u, v = bgr_to_planes(bgr, PHOTO_COLOUR)
    return Frame(index=0, time_s=Fraction(0), y=y, u=u, v=v, colour=PHOTO_COLOUR)


def photo_info(frame: Frame, rate: Fraction) -> VideoInfo:
    """Describe a photo that is to become a video at ``rate`` frames per second."""
    return VideoInfo(
        width=frame.width,
        height=frame.height,
        rate=rate,
        duration_s=Fraction(0),
        frame_count=1,
        rotation_deg=0,
        colour=frame.colour,
        has_audio=False,
        is_photo=True,
    )


def read_bytes(path: Path) -> bytes:
    """Read a picture file whole; MediaError if it is missing, no file, unreadable or too large."""
    if not path.exists():
        raise MediaError(f"expected a photo at {path}, found no such file; check the path")
    if not path.is_file():
        raise MediaError(f"expected a photo, found {path}, which is not a file; name a file")
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise MediaError(
                f"expected a photo of at most {_MAX_FILE_BYTES >> 20} MiB, found {path} with "
                f"{path.stat().st_size >> 20} MiB; scale it down first"
            )
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error


def sniff(path: Path, data: bytes) -> PhotoHeader | None:
    """Return the header of a picture, None for anything else; MediaError if it is damaged."""
    try:
        return read_photo_header(data)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _decode(path: Path, data: bytes, header: PhotoHeader, max_side_px: int) -> ByteArray:
    shrink = 1
    if header.format == "jpeg":
        # libjpeg scales by 1/2, 1/4, 1/8 within the inverse transform.
        while shrink < 8 and max(header.width, header.height) >= 2 * shrink * max_side_px:
            shrink *= 2
    pixels = header.width * header.height
    needed = pixels // shrink**2 * max(3, header.channels) * header.bytes_per_sample
    if header.is_progressive:
        needed += pixels * header.channels * 2  # libjpeg keeps all coefficients
    if needed > MAX_DECODE_BYTES:
        raise MediaError(
            f"expected a photo that decodes in {MAX_DECODE_BYTES >> 20} MiB, found {path} with "
            f"{header.width} x {header.height} pixels, which takes {needed >> 20} MiB; "
            "scale it down first"
        )
    flags = cv2.IMREAD_UNCHANGED
    if header.format == "jpeg":
        reduced = {
            1: cv2.IMREAD_COLOR,
            2: cv2.IMREAD_REDUCED_COLOR_2,
            4: cv2.IMREAD_REDUCED_COLOR_4,
            8: cv2.IMREAD_REDUCED_COLOR_8,
        }
        flags = reduced[shrink] | cv2.IMREAD_IGNORE_ORIENTATION
    with _quiet():
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            raise _damaged(path, "its pixels do not decode") from error
    if picture is None:
        raise _damaged(path, "its pixels do not decode")
    if picture.dtype not in (np.uint8, np.uint16):
        raise MediaError(
            f"expected 8 or 16 bits per colour, found {picture.dtype} in {path}; "
            "export it as PNG or JPEG"
        )
    return _ORIENTATIONS[header.orientation].apply(_to_bgr(picture))


def _to_bgr(picture: npt.NDArray[np.integer | np.floating]) -> ByteArray:
    """Bring grey, colour or colour with alpha, 8 or 16 bits, to opaque BGR, row by row."""
    height, width = picture.shape[:2]
    picture = picture.reshape(height, width, -1)
    out = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        values = picture[row]
        if values.dtype == np.uint16:
            values = (values.astype(np.uint32) + 128) // 257
        if values.shape[1] == 4:
            opacity = values[:, 3:].astype(np.uint16)
            values = (values[:, :3] * opacity + _BACKGROUND * (255 - opacity) + 127) // 255
        out[row] = values
    return out


def _fit(bgr: ByteArray, max_side_px: int) -> ByteArray:
    height, width = bgr.shape[:2]
    longer = max(height, width)
    if longer > max_side_px:
        size = tuple(max(2, round(side * max_side_px / longer / 2) * 2) for side in (width, height))
        return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    even = bgr[: max(1, height - height % 2), : max(1, width - width % 2)]
    return np.ascontiguousarray(even)


def _moves(path: Path) -> MediaError:
    return MediaError(f"expected a still photo, found an animation in {path}; give a photo")


def _damaged(path: Path, why: str) -> MediaError:
    return MediaError(
        f"expected a whole picture in {path}, found a damaged one: {why}; copy or export it again"
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from writing its own complaints to the terminal."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
