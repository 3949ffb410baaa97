"""What a picture file says of itself, read before anything large is decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Final, Literal

PhotoFormat = Literal["jpeg", "png", "webp", "bmp", "tiff", "gif", "avif", "heic"]

_EXIF_ORIENTATION: Final = 0x0112
_TIFF_WIDTH: Final = 0x0100
_TIFF_HEIGHT: Final = 0x0101
_TIFF_BITS: Final = 0x0102
_TIFF_PHOTOMETRIC: Final = 0x0106
_TIFF_SAMPLES: Final = 0x0115
_TIFF_CMYK: Final = 5
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """The parts of a header that decide how a picture is decoded. Sizes are as stored."""

    format: PhotoFormat
    width: int = 0
    height: int = 0
    channels: int = 3
    bytes_per_sample: int = 1
    orientation: int = 1
    """EXIF orientation, 1 to 8."""
    is_progressive: bool = False
    is_cmyk: bool = False
    is_animated: bool = False


def looks_like_photo(start: bytes) -> bool:
    """Whether a file that begins with these 16 bytes is some kind of picture."""
    return (
        start[:3] in (b"\xff\xd8\xff", b"GIF")
        or start[:4] in (b"\x89PNG", b"II*\0", b"MM\0*")
        or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
        or (start[:2] == b"BM" and start[6:10] == b"\0\0\0\0")
        or (start[4:8] == b"ftyp" and start[8:12] in _HEIF_BRANDS | _AVIF_BRANDS)
    )


def read_photo_header(data: bytes) -> PhotoHeader | None:
    """Recognise a picture by its content.

    Parameters
    ----------
    data : bytes
        The whole file, or enough of it to hold the header.

    Returns
    -------
    PhotoHeader or None
        None if this is no picture known here. ``gif``, ``avif`` and ``heic`` are recognised only;
        their sizes stay 0.

    Raises
    ------
    ValueError
        If the file begins like a picture but its header ends early or makes no sense.
    """
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _read_jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _read_png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _read_webp(data)
        if data[:2] == b"BM" and len(data) > 26 and data[6:10] == b"\0\0\0\0":
            width, height = struct.unpack_from("<ii", data, 18)
            return PhotoHeader("bmp", width, abs(height), channels=4)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _read_tiff(data)
    except (struct.error, IndexError) as error:
        raise ValueError("its header ends early") from error
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return PhotoHeader("gif")
    if data[4:8] == b"ftyp":
        if data[8:12] in _AVIF_BRANDS:
            return PhotoHeader("avif", is_animated=data[8:12] == b"avis")
        if data[8:12] in _HEIF_BRANDS:
            return PhotoHeader("heic")
    return None


def _read_jpeg(data: bytes) -> PhotoHeader:
    orientation = 1
    position = 2
    while True:
        if data[position] != 0xFF:
            raise ValueError("its header makes no sense")
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        position += 1
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if marker == 0xE1 and data[position + 2 : position + 8] == b"Exif\0\0":
            orientation = _exif_orientation(data[position + 8 : position + length])
        if marker in _JPEG_FRAMES:
            height, width, channels = struct.unpack_from(">HHB", data, position + 3)
            return PhotoHeader(
                "jpeg",
                width,
                height,
                channels=channels,
                orientation=orientation,
                is_progressive=marker in _JPEG_PROGRESSIVE,
                is_cmyk=channels == 4,
            )
        if marker in (0xD9, 0xDA):
            raise ValueError("its header makes no sense")
        position += length


def _read_png(data: bytes) -> PhotoHeader:
    width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    channels = {0: 1, 2: 3, 3: 4, 4: 4, 6: 4}.get(colour_type, 4)
    header = PhotoHeader(
        "png", width, height, channels=channels, bytes_per_sample=2 if depth == 16 else 1
    )
    position = 8
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        if kind == b"acTL":
            header = replace(header, is_animated=True)
        elif kind == b"eXIf":
            exif = data[position + 8 : position + 8 + length]
            header = replace(header, orientation=_exif_orientation(exif))
        position += length + 12
    return header


def _read_webp(data: bytes) -> PhotoHeader:
    kind = data[12:16]
    if kind == b"VP8X":
        flags = data[20]
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        orientation = 1
        position = 12
        while position + 8 <= len(data):
            (length,) = struct.unpack_from("<I", data, position + 4)
            if data[position : position + 4] == b"EXIF":
                exif = data[position + 8 : position + 8 + length].removeprefix(b"Exif\0\0")
                orientation = _exif_orientation(exif)
            position += 8 + length + length % 2
        return PhotoHeader(
            "webp",
            width,
            height,
            channels=4,
            orientation=orientation,
            is_animated=bool(flags & 0x02),
        )
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return PhotoHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, channels=4)
    width, height = struct.unpack_from("<HH", data, 26)
    return PhotoHeader("webp", width & 0x3FFF, height & 0x3FFF)


def _read_tiff(data: bytes) -> PhotoHeader:
    tags = _first_directory(data)
    if _TIFF_WIDTH not in tags or _TIFF_HEIGHT not in tags:
        raise ValueError("its header makes no sense")
    orientation = tags.get(_EXIF_ORIENTATION, 1)
    return PhotoHeader(
        "tiff",
        tags[_TIFF_WIDTH],
        tags[_TIFF_HEIGHT],
        channels=max(3, tags.get(_TIFF_SAMPLES, 1)),
        bytes_per_sample=max(1, tags.get(_TIFF_BITS, 8) // 8),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        is_cmyk=tags.get(_TIFF_PHOTOMETRIC) == _TIFF_CMYK,
    )


def _exif_orientation(exif: bytes) -> int:
    try:
        value = _first_directory(exif).get(_EXIF_ORIENTATION, 1)
    except (struct.error, ValueError):
        return 1
    return value if 1 <= value <= 8 else 1


def _first_directory(data: bytes) -> dict[int, int]:
    """Return the first value of every SHORT or LONG tag of the first directory (TIFF 6.0, 2)."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("its header makes no sense")
    (offset,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, offset)
    tags = {}
    for entry in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, entry)
        code, size = {3: ("H", 2), 4: ("I", 4)}.get(kind, ("", 0))
        if not size:
            continue
        where = entry + 8
        if length * size > 4:
            (where,) = struct.unpack_from(order + "I", data, where)
        (tags[tag],) = struct.unpack_from(order + code, data, where)
    return tags
