"""Synthetic portraits: a person who does not exist, made from a seed.

A mapping network turns noise into a style; the style is pulled towards the mean style
(the truncation trick, Karras et al. 2019, "A Style-Based Generator Architecture for Generative
Adversarial Networks", section 3); a synthesis network paints it.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar import __version__
from edgeavatar.backends import open_session
from edgeavatar.errors import IntegrityError, OutputError, UsageError
from edgeavatar.zoo import resolve

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FloatArray

MODEL_NAME = "portrait"

SUFFIXES = (".png", ".jpg", ".jpeg")

JPEG_QUALITY = 92

MIN_SIZE_PX = 64
MAX_SIZE_PX = 1024
"""The size at which the synthesis network paints; larger pictures would hold no more detail."""

DEFAULT_TRUNCATION = 0.6
"""Chosen by eye over 130 seeds: above it strange backgrounds and second faces appear, below it
people grow alike."""

_STYLE_LENGTH = 512
_MEAN_STYLE_SAMPLES = 4096
"""Number of styles averaged by the authors of the weights (their configuration, ``n_samples``)."""
_MEAN_STYLE_SEED = 0


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture of a person who does not exist."""

    image: ByteArray
    """``(size, size, 3)`` uint8, BGR."""
    seed: int
    truncation: float


def make_portrait(
    seed: int,
    *,
    size: int = MAX_SIZE_PX,
    truncation: float = DEFAULT_TRUNCATION,
    threads: int | None = None,
) -> Portrait:
    """Paint the person of a seed.

    The same seed, size and truncation give the same picture on the same machine; another processor
    may round a few pixels differently.

    Parameters
    ----------
    seed
        0 or more.
    size
        Width and height in pixels, 64 to 1024.
    truncation
        0 (the mean face, always the same) to 1 (the full variety, more artefacts).
    threads
        Threads of the backend; None leaves the choice to it.

    Raises
    ------
    UsageError
        A value is out of its range.
    ModelNotFound
        The weights are not installed.
    """
    if seed < 0:
        raise UsageError(f"a seed is a whole number from 0, found {seed}")
    if not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
        raise UsageError(f"a size is {MIN_SIZE_PX} to {MAX_SIZE_PX} pixels, found {size}")
    if not 0.0 <= truncation <= 1.0:
        raise UsageError(f"a truncation is 0 to 1, found {truncation}")
    files = resolve(MODEL_NAME)
    style = style_of(files["mapping_xml"], seed, truncation, threads)
    with open_session(files["synthesis_xml"], backend="openvino", threads=threads) as session:
        painted = session.run({"style": style})["img"]
    if painted.shape != (1, 3, MAX_SIZE_PX, MAX_SIZE_PX):
        raise IntegrityError(
            f"the synthesis network should give (1, 3, {MAX_SIZE_PX}, {MAX_SIZE_PX}), "
            f"found {painted.shape}; run: edgeavatar models install {MODEL_NAME}"
        )
    return Portrait(image=_to_bgr(painted[0], size), seed=seed, truncation=truncation)


def write_portrait(portrait: Portrait, path: Path) -> None:
    """Write a portrait as PNG or JPEG, with its origin inside the file.

    The file says in its text fields which program and seed made it, and in XMP that its digital
    source type is "trainedAlgorithmicMedia" (IPTC's term for a picture made by a trained model).
    It appears under its name only when complete.

    Parameters
    ----------
    portrait
        The picture.
    path
        Ends in ``.png``, ``.jpg`` or ``.jpeg``.

    Raises
    ------
    UsageError
        The name ends otherwise.
    OutputError
        The file cannot be written.
    """
    require_picture_name(path)
    data = _encode(portrait, path.suffix.lower())
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that exists, "
            "is writable and has room"
        ) from error


def require_picture_name(path: Path) -> None:
    """Raise UsageError unless ``path`` ends in a picture format that can be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"expected a name ending in {', '.join(SUFFIXES)}, found {path.name!r}")


def style_of(mapping: Path, seed: int, truncation: float, threads: int | None = None) -> FloatArray:
    """Return the style of a seed, ``(1, 512)`` float32, drawn towards the mean style.

    Parameters
    ----------
    mapping
        The mapping network.
    seed, truncation, threads
        As for :func:`make_portrait`.
    """
    noise = np.concatenate(
        [
            np.random.default_rng(_MEAN_STYLE_SEED).standard_normal(
                (_MEAN_STYLE_SAMPLES, _STYLE_LENGTH)
            ),
            np.random.default_rng(seed).standard_normal((1, _STYLE_LENGTH)),
        ]
    ).astype(np.float32)
    with open_session(
        mapping, backend="openvino", threads=threads, input_shapes={"var": noise.shape}
    ) as session:
        styles = session.run({"var": noise})["style"]
    mean = styles[:-1].mean(axis=0, keepdims=True)
    style: FloatArray = (mean + np.float32(truncation) * (styles[-1:] - mean)).astype(np.float32)
    return style


def _to_bgr(painted: FloatArray, size: int) -> ByteArray:
    """Turn ``(3, H, W)`` RGB in [-1, 1] into a ``(size, size, 3)`` BGR picture."""
    rgb = np.clip((painted + 1.0) * 127.5 + 0.5, 0.0, 255.0).astype(np.uint8)
    image = np.ascontiguousarray(rgb[::-1].transpose(1, 2, 0))
    if size != image.shape[0]:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return image


def _encode(portrait: Portrait, suffix: str) -> bytes:
    if suffix == ".png":
        _, buffer = cv2.imencode(".png", portrait.image)
        return _png_with_origin(buffer.tobytes(), portrait)
    _, buffer = cv2.imencode(".jpg", portrait.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return _jpeg_with_origin(buffer.tobytes(), portrait)


def _origin(portrait: Portrait) -> dict[str, str]:
    return {
        "Software": f"edgeavatar {__version__}",
        "Source": "synthetic, AI-generated; a person who does not exist",
        "Comment": (
            f"edgeavatar portrait --seed {portrait.seed} --truncation {portrait.truncation:g} "
            f"--size {portrait.image.shape[0]}"
        ),
    }


_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    " Iptc4xmpExt:DigitalSourceType="
    '"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
).encode()


def _png_with_origin(png: bytes, portrait: Portrait) -> bytes:
    """Insert tEXt and iTXt chunks behind the header (PNG specification, sections 5.3 and 11.3)."""
    header_end = 8 + 4 + 4 + 13 + 4
    chunks = [
        _png_chunk(b"tEXt", key.encode("latin-1") + b"\0" + value.encode("latin-1"))
        for key, value in _origin(portrait).items()
    ]
    chunks.append(_png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _XMP))
    return png[:header_end] + b"".join(chunks) + png[header_end:]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _jpeg_with_origin(jpeg: bytes, portrait: Portrait) -> bytes:
    """Insert an XMP and a comment segment behind the JFIF one (ITU-T T.81, B.2.4; XMP part 3)."""
    jfif_end = 2 + 2 + struct.unpack(">H", jpeg[4:6])[0]
    comment = "\n".join(f"{key}: {value}" for key, value in _origin(portrait).items()).encode()
    segments = _jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + _XMP)
    segments += _jpeg_segment(0xFE, comment)
    return jpeg[:jfif_end] + segments + jpeg[jfif_end:]


def _jpeg_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
