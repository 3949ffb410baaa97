"""A small copy of a source that a report carries in itself."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.audio.decode import decode_audio
from edgeavatar.errors import MediaError
from edgeavatar.report.pictures import Preview
from edgeavatar.subtitles.cues import Word, make_cues
from edgeavatar.subtitles.files import written
from edgeavatar.types import AudioChunk, ColourTags, Frame
from edgeavatar.video.prefetch import prefetch
from edgeavatar.video.reader import open_video
from edgeavatar.video.writer import AUDIO_RATE_HZ, VideoWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeavatar.analysis.results import Analysis
    from edgeavatar.types import ByteArray

_SIDE_PX: Final = 240
_RATE: Final = Fraction(15)
_AUDIO_BITS_PER_S: Final = 48_000
_BLANK_PX: Final = 16
_SOUND_ONLY_S: Final = Fraction(180)


@dataclass(frozen=True, slots=True)
class _Size:
    seconds: Fraction
    crf: int


_SIZES: Final = (
    _Size(Fraction(60), 30),
    _Size(Fraction(60), 37),
    _Size(Fraction(20), 37),
    _Size(Fraction(8), 42),
)
"""Tried one after the other until the preview is small enough."""


def make_preview(analysis: Analysis, source_path: Path, most_bytes: int) -> Preview | None:
    """Make a small copy of the beginning of a source.

    240 pixels on the shorter side, at most 15 frames a second, at most a minute; of a sound at most
    three minutes, and less where that is not small enough. Times are those of the source.

    Parameters
    ----------
    analysis
        Of the source.
    source_path
        The file itself.
    most_bytes
        What it may take.

    Returns
    -------
    Preview or None
        None for a photo, and where not even a few seconds are small enough.

    Raises
    ------
    MediaError
        The source can no longer be read.
    """
    kind = analysis.source.kind
    if kind == "photo":
        return None
    with tempfile.TemporaryDirectory(prefix="edgeavatar-report-") as folder:
        path = Path(folder) / "preview.mp4"
        for size in _SIZES if kind == "video" else (_Size(_SOUND_ONLY_S, 37),):
            made = (
                _filmed(source_path, path, size)
                if kind == "video"
                else _heard(source_path, path, size.seconds)
            )
            if path.stat().st_size <= most_bytes:
                return _finished(analysis, path, made)
    return None


@dataclass(frozen=True, slots=True)
class _Made:
    duration_s: Fraction
    has_sound: bool
    size: tuple[int, int] | None
    is_whole: bool


def _filmed(source_path: Path, path: Path, wanted: _Size) -> _Made:
    with open_video(source_path) as reader:
        info = reader.info
        width, height = _small(info.width, info.height, reader.sample_aspect_ratio)
        sound = _sound(source_path, wanted.seconds) if info.has_audio else None
        first = None if sound is None else next(sound, None)
        writer = VideoWriter(
            path,
            width,
            height,
            rate=min(_RATE, info.rate),
            time_base=reader.time_base,
            colour=info.colour,
            audio_rate=AUDIO_RATE_HZ if first is not None else None,
            audio_bits_per_s=_AUDIO_BITS_PER_S,
            crf=wanted.crf,
            threads=1,
        )
        end, is_whole = Fraction(0), True
        with writer:
            heard_s = Fraction(0)
            due = Fraction(0)
            for frame in prefetch(reader.frames):
                if frame.time_s >= wanted.seconds:
                    is_whole = False
                    break
                end = frame.time_s
                if frame.time_s < due:
                    continue
                due += ((frame.time_s - due) // (1 / _RATE) + 1) / _RATE
                writer.write_frame(_shrunk(frame, width, height))
                while sound is not None and first is not None and heard_s <= frame.time_s:
                    writer.write_audio(first)
                    heard_s = Fraction(first.start_sample + len(first.samples), first.sample_rate)
                    first = next(sound, None)
            end = wanted.seconds if not is_whole else max(end, reader.end_time_s)
            while sound is not None and first is not None:
                if first.start_sample >= end * first.sample_rate:
                    break
                writer.write_audio(first)
                first = next(sound, None)
            writer.finish(end)
        return _Made(end, sound is not None, (width, height), is_whole)


def _heard(source_path: Path, path: Path, seconds: Fraction) -> _Made:
    """Write sound under a black picture, for the writer makes videos; only the sound is used."""
    plane = np.full((_BLANK_PX, _BLANK_PX), 16, np.uint8)
    chroma = np.full((_BLANK_PX // 2, _BLANK_PX // 2), 128, np.uint8)
    blank = Frame(0, Fraction(0), plane, chroma, chroma, ColourTags())
    samples = 0
    with VideoWriter(
        path,
        _BLANK_PX,
        _BLANK_PX,
        rate=Fraction(1),
        time_base=Fraction(1, 1000),
        audio_rate=AUDIO_RATE_HZ,
        audio_bits_per_s=_AUDIO_BITS_PER_S,
        threads=1,
    ) as writer:
        writer.write_frame(blank)
        for chunk in _sound(source_path, seconds):
            writer.write_audio(chunk)
            samples = chunk.start_sample + len(chunk.samples)
        end = Fraction(samples, AUDIO_RATE_HZ)
        if not samples:
            raise MediaError(f"expected sound in {source_path.name}, found none")
        writer.finish(end)
    return _Made(end, True, None, end < seconds)


def _sound(source_path: Path, seconds: Fraction) -> Iterator[AudioChunk]:
    most = int(seconds * AUDIO_RATE_HZ)
    for chunk in decode_audio(source_path, AUDIO_RATE_HZ):
        if chunk.start_sample >= most:
            return
        kept = chunk.samples[: most - chunk.start_sample]
        yield AudioChunk(kept, chunk.sample_rate, chunk.start_sample)


def _finished(analysis: Analysis, path: Path, made: _Made) -> Preview:
    width, height = made.size or (None, None)
    return Preview(
        data=path.read_bytes(),
        media_type="video/mp4",
        duration_s=float(made.duration_s),
        is_whole=made.is_whole,
        width=width,
        height=height,
        has_sound=made.has_sound,
        captions=_captions(analysis, made.duration_s),
    )


def _captions(analysis: Analysis, until_s: Fraction) -> str | None:
    words = [
        Word(word.text, Fraction(word.start_s), Fraction(word.end_s), word.confidence)
        for word in analysis.words
        if word.end_s <= until_s
    ]
    return "".join(written(make_cues(words), "vtt")) if words else None


def _small(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Give the even size of the preview, with square pixels; never larger than the source."""
    shown = width * aspect
    scale = min(Fraction(1), Fraction(_SIDE_PX) / min(shown, Fraction(height)))
    return _even(shown * scale), _even(height * scale)


def _even(side: Fraction) -> int:
    return max(2, round(side / 2) * 2)


def _shrunk(frame: Frame, width: int, height: int) -> Frame:
    half = width // 2, height // 2
    sizes = ((width, height), half, half)
    y, u, v = (
        _resized(plane, *size)
        for plane, size in zip((frame.y, frame.u, frame.v), sizes, strict=True)
    )
    return Frame(frame.index, frame.time_s, y, u, v, frame.colour, frame.source_index)


def _resized(plane: ByteArray, width: int, height: int) -> ByteArray:
    """Shrink by means of whole blocks, then by less than a half to the size that is wanted.

    That takes a quarter of the time of means over parts of pixels. Up to a block less one pixel of
    the right and lower edge are left out.
    """
    rows, columns = plane.shape
    block = max(1, min(rows // height, columns // width))
    size = columns // block, rows // block
    if block > 1:
        whole = np.ascontiguousarray(plane[: size[1] * block, : size[0] * block])
        plane = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)
    if size != (width, height):
        small = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
        plane = np.asarray(small, np.uint8)
    return plane
