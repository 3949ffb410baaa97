"""A small copy of a source that a report carries in itself."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.audio.decode import decode_audio
from edgeavatar.errors import EdgeAvatarError, MediaError
from edgeavatar.kernels.averaging import MOST, block_means
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
    from edgeavatar.video.reader import VideoReader

_SIDE_PX: Final = 240
_RATE: Final = Fraction(15)
_AUDIO_BITS_PER_S: Final = 48_000
_AUDIO_OPTIONS: Final = {"aac_coder": "fast"}
"""The search that is the default takes three times as long, half of what a preview costs."""
_PRESET: Final = "superfast"
"""Files are a fifth larger than at the default, in half of the time."""
_BLANK_PX: Final = 16
_SOUND_ONLY_S: Final = Fraction(180)


@dataclass(frozen=True, slots=True)
class PreviewSize:
    """How long a preview may be, and how coarse."""

    seconds: Fraction
    crf: int


PREVIEW_SIZES: Final = (
    PreviewSize(Fraction(60), 30),
    PreviewSize(Fraction(60), 37),
    PreviewSize(Fraction(20), 37),
    PreviewSize(Fraction(8), 42),
)
"""Tried one after the other until the preview is small enough."""


@dataclass(frozen=True, slots=True)
class PreviewMade:
    """What a preview turned out to be."""

    duration_s: Fraction
    has_sound: bool
    size: tuple[int, int] | None
    is_whole: bool


def make_preview(
    analysis: Analysis, source_path: Path, most_bytes: int, film: PreviewFilm | None = None
) -> Preview | None:
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
    film
        Made of the same video before; None, and one that is too large, has the source read again.

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
    if film is not None and film.made is not None and film.path.stat().st_size <= most_bytes:
        return _finished(analysis, film.path, film.made)
    with tempfile.TemporaryDirectory(prefix="edgeavatar-report-") as folder:
        path = Path(folder) / "preview.mp4"
        for size in PREVIEW_SIZES if kind == "video" else (PreviewSize(_SOUND_ONLY_S, 37),):
            made = (
                _filmed(source_path, path, size)
                if kind == "video"
                else _heard(source_path, path, size.seconds)
            )
            if path.stat().st_size <= most_bytes:
                return _finished(analysis, path, made)
    return None


class PreviewFilm:
    """Writes the small copy of a video, from frames that somebody reads anyway.

    Parameters
    ----------
    source_path
        The video, whose sound is read.
    path
        File to write. It is complete after :meth:`finish`.
    size
        How long and how coarse.
    """

    def __init__(self, source_path: Path, path: Path, size: PreviewSize = PREVIEW_SIZES[0]) -> None:
        self.path = path
        self.made: PreviewMade | None = None
        self._source_path = source_path
        self._wanted = size
        self._stack = ExitStack()
        self._writer: VideoWriter | None = None
        self._shape = (0, 0)
        self._sound: Iterator[AudioChunk] = iter(())
        self._next: AudioChunk | None = None
        self._has_sound = False
        self._due = Fraction(0)
        self._last = Fraction(0)
        self._is_whole = True

    def begin(self, reader: VideoReader) -> None:
        """Take the shape, colours and rate of a video."""
        info = reader.info
        self._shape = _small(info.width, info.height, reader.sample_aspect_ratio)
        if info.has_audio:
            self._sound = _sound(self._source_path, self._wanted.seconds)
            self._next = next(self._sound, None)
            self._has_sound = self._next is not None
        self._writer = self._stack.enter_context(
            VideoWriter(
                self.path,
                *self._shape,
                rate=min(_RATE, info.rate),
                time_base=reader.time_base,
                colour=info.colour,
                audio_rate=AUDIO_RATE_HZ if self._has_sound else None,
                audio_bits_per_s=_AUDIO_BITS_PER_S,
                audio_options=_AUDIO_OPTIONS,
                crf=self._wanted.crf,
                preset=_PRESET,
                threads=1,
            )
        )

    def beside(self, reader: VideoReader) -> Iterator[Frame]:
        """Give all frames of a video to somebody else, and film them on the way.

        Where no film can be made, it is left off without a word: :attr:`made` stays None.
        """
        going = True
        for frame in reader.frames(shared=True):
            yield frame
            if not going:
                continue
            try:
                if self._writer is None:
                    self.begin(reader)
                going = self.push(frame)
            except EdgeAvatarError:
                going = False
                self.close()
        with suppress(EdgeAvatarError):
            self.finish(reader.end_time_s)

    def push(self, frame: Frame) -> bool:
        """Take the next frame.

        Returns
        -------
        bool
            Whether more is wanted.
        """
        if self._writer is None or frame.time_s >= self._wanted.seconds:
            self._is_whole = False
            return False
        self._last = frame.time_s
        if frame.time_s < self._due:
            return True
        self._due += ((frame.time_s - self._due) // (1 / _RATE) + 1) / _RATE
        self._writer.write_frame(_shrunk(frame, *self._shape))
        self._hear(frame.time_s)
        return True

    def finish(self, end_s: Fraction) -> None:
        """Complete the file of a video that ends then."""
        if self._writer is None:
            return
        end = max(self._last, end_s) if self._is_whole else self._wanted.seconds
        self._hear(end)
        self._writer.finish(end)
        self._stack.close()
        self.made = PreviewMade(end, self._has_sound, self._shape, self._is_whole)

    def close(self) -> None:
        """Leave an unfinished file away."""
        self._writer = None
        self._stack.close()

    def _hear(self, until_s: Fraction) -> None:
        """Write the sound that begins before a time."""
        assert self._writer is not None
        while self._next is not None:
            if self._next.start_sample >= until_s * self._next.sample_rate:
                return
            self._writer.write_audio(self._next)
            self._next = next(self._sound, None)


def _filmed(source_path: Path, path: Path, wanted: PreviewSize) -> PreviewMade:
    film = PreviewFilm(source_path, path, wanted)
    with (
        open_video(source_path) as reader,
        closing(film),
        closing(prefetch(reader.frames)) as frames,
    ):
        film.begin(reader)
        for frame in frames:
            if not film.push(frame):
                break
        film.finish(reader.end_time_s)
    assert film.made is not None
    return film.made


def _heard(source_path: Path, path: Path, seconds: Fraction) -> PreviewMade:
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
        audio_options=_AUDIO_OPTIONS,
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
    return PreviewMade(end, True, None, end < seconds)


def _sound(source_path: Path, seconds: Fraction) -> Iterator[AudioChunk]:
    most = int(seconds * AUDIO_RATE_HZ)
    for chunk in decode_audio(source_path, AUDIO_RATE_HZ):
        if chunk.start_sample >= most:
            return
        kept = chunk.samples[: most - chunk.start_sample]
        yield AudioChunk(kept, chunk.sample_rate, chunk.start_sample)


def _finished(analysis: Analysis, path: Path, made: PreviewMade) -> Preview:
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


def _block_means(plane: ByteArray, block: int) -> ByteArray:
    if 2 < block <= MOST:
        return block_means(plane, block)
    rows, columns = (side // block for side in plane.shape)
    whole = np.ascontiguousarray(plane[: rows * block, : columns * block])
    small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _resized(plane: ByteArray, width: int, height: int) -> ByteArray:
    """Shrink by means of whole blocks, then by less than a half to the size that is wanted.

    That takes a quarter of the time of means over parts of pixels. Up to a block less one pixel of
    the right and lower edge are left out.
    """
    rows, columns = plane.shape
    block = max(1, min(rows // height, columns // width))
    size = columns // block, rows // block
    if block > 1:
        plane = _block_means(plane, block)
    if size != (width, height):
        small = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
        plane = np.asarray(small, np.uint8)
    return plane
