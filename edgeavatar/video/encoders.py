"""Which containers and encoders results are written with."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import av
import llvmlite.binding  # type: ignore[import-untyped]
from av.codec import Codec

from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_X26X_PRESETS: Final = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)


@dataclass(frozen=True, slots=True)
class ContainerFormat:
    """A kind of file that can be written."""

    muxer: str
    """FFmpeg's name."""
    video_encoders: tuple[str, ...]
    """Encoders that it takes; the first is the default."""
    audio_encoder: str


@dataclass(frozen=True, slots=True)
class VideoEncoder:
    """How an encoder's quality and effort are set."""

    crf_range: tuple[int, int]
    crf: int
    """Default constant rate factor; less is better."""
    preset_option: str
    presets: tuple[str, ...]
    """From fast and large to slow and small, or the reverse for numbers (see ``preset``)."""
    preset: str
    """Default."""
    options: tuple[tuple[str, str], ...] = ()
    """Further private options."""


_H26X_FIRST: Final = ("libx264", "libx265", "libsvtav1", "libaom-av1", "libvpx-vp9")

FORMATS: Final[dict[str, ContainerFormat]] = {
    ".mp4": ContainerFormat("mp4", _H26X_FIRST, "aac"),
    ".m4v": ContainerFormat("mp4", _H26X_FIRST, "aac"),
    ".mov": ContainerFormat("mov", ("libx264", "libx265"), "aac"),
    ".mkv": ContainerFormat("matroska", _H26X_FIRST, "aac"),
    ".webm": ContainerFormat("webm", ("libvpx-vp9", "libsvtav1", "libaom-av1"), "libopus"),
}
"""By file name extension, lower case."""

ENCODERS: Final[dict[str, VideoEncoder]] = {
    "libx264": VideoEncoder((0, 51), 18, "preset", _X26X_PRESETS, "veryfast"),
    "libx265": VideoEncoder(
        (0, 51), 20, "preset", _X26X_PRESETS, "medium", (("x265-params", "log-level=error"),)
    ),
    "libvpx-vp9": VideoEncoder(
        (0, 63),
        24,
        "cpu-used",
        tuple(str(n) for n in range(9)),
        "4",
        (("deadline", "good"), ("row-mt", "1"), ("b", "0")),
    ),
    "libaom-av1": VideoEncoder(
        (0, 63), 24, "cpu-used", tuple(str(n) for n in range(9)), "6", (("row-mt", "1"),)
    ),
    "libsvtav1": VideoEncoder((1, 63), 26, "preset", tuple(str(n) for n in range(14)), "8"),
}
"""By FFmpeg's name. Defaults aim at no loss that shows."""


STORES_ASPECT: Final = frozenset({"libx264", "libx265"})
"""Encoders that write the pixel aspect into the stream itself; PyAV offers no other place."""


_UP_TO_AVX2: Final = "SSE2Fast,LZCNT,SSSE3,SSE4.2,AVX,FMA3,BMI1,BMI2,AVX2"
"""x264's names for what every processor with AVX-512 has beside it.

With its AVX-512 code, x264 165 gave different bytes for the same small pictures in 1 of 10 runs
(macroblock tree with 10 blocks a row); with this list, in none of 100, and not slower.
"""


@dataclass(frozen=True, slots=True)
class EncodingChoice:
    """A container and encoder with all their settings, checked against this build of FFmpeg."""

    container: ContainerFormat
    encoder: str
    options: dict[str, str]


def available_encoders() -> tuple[str, ...]:
    """Return the supported video encoders that this build of PyAV has."""
    return tuple(name for name in ENCODERS if _has_encoder(name))


def choose_encoding(
    path: Path, *, encoder: str | None, crf: int | None, preset: str | None
) -> EncodingChoice:
    """Resolve the settings for a result to be written at ``path``.

    Parameters
    ----------
    path : Path
        Its extension decides the container.
    encoder : str, optional
        Default: H.264, or VP9 for WebM.
    crf : int, optional
        Constant rate factor; default: the encoder's own in :data:`ENCODERS`.
    preset : str, optional
        One of the encoder's presets; default: the encoder's own in :data:`ENCODERS`.

    Raises
    ------
    UsageError
        If the extension, the encoder, its pairing with the container, ``crf`` or ``preset`` is
        none that works here; the message lists those that do.
    """
    container = FORMATS.get(path.suffix.lower())
    if container is None:
        raise UsageError(
            f"expected an output ending in {', '.join(FORMATS)}, found "
            f"{path.suffix or 'no extension'} in {path.name!r}; rename the output"
        )
    name = encoder or container.video_encoders[0]
    usable = [n for n in container.video_encoders if _has_encoder(n)]
    if name not in usable:
        raise UsageError(
            f"expected one of {', '.join(usable) or 'no encoders'} for {path.suffix} here, "
            f"found {name!r}; choose another encoder or extension"
        )
    settings = ENCODERS[name]
    lowest, highest = settings.crf_range
    quality = settings.crf if crf is None else crf
    if not lowest <= quality <= highest:
        raise UsageError(
            f"expected a crf from {lowest} to {highest} for {name}, found {quality}; "
            f"its default is {settings.crf}"
        )
    effort = settings.preset if preset is None else preset
    if effort not in settings.presets:
        raise UsageError(
            f"expected a preset among {', '.join(settings.presets)} for {name}, found {effort!r}; "
            f"its default is {settings.preset}"
        )
    options = {"crf": str(quality), settings.preset_option: effort, **dict(settings.options)}
    if name == "libx264" and _has_avx512():
        options["x264-params"] = f"asm={_UP_TO_AVX2}"
    return EncodingChoice(container, name, options)


@functools.cache
def _has_avx512() -> bool:
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512f"))


def _has_encoder(name: str) -> bool:
    try:
        Codec(name, "w")
    except (av.FFmpegError, ValueError):
        return False
    return True
