"""Writing frames and sound into a video file."""

from __future__ import annotations

import contextlib
import math
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self, cast

import av
import numpy as np
from av.codec.context import Flags

from edgeavatar.errors import OutputError, UsageError
from edgeavatar.types import ColourTags
from edgeavatar.video.atomic import AtomicFile
from edgeavatar.video.encoders import STORES_ASPECT, choose_encoding
from edgeavatar.video.planes import to_420
from edgeavatar.video.tags import matrix_code, range_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.subtitles.stream import SubtitleStream
    from av.video.stream import VideoStream

    from edgeavatar.types import AudioChunk, ByteArray, FloatArray, Frame

AUDIO_RATE_HZ: Final = 48_000
"""Rate of the sound in every result; the one rate that all players and Opus take."""

_AUDIO_BITS_PER_S: Final = 128_000
_SILENCE_BLOCK: Final = 1 << 16

_SUBTITLE_ENCODERS: Final = {
    "mp4": "mov_text",
    "mov": "mov_text",
    "matroska": "subrip",
    "webm": "webvtt",
}
_SUBTITLE_TICKS: Final = Fraction(1, 1000)
_SUBTITLE_HEADER: Final = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment
Style: Default,Arial,18,&Hffffff,2

[Events]
Format: Layer, Start, End, Style, Text
"""
"""Without one, FFmpeg's text encoders do not open."""

_ITUNES_KEYS: Final = frozenset(
    {
        "title",
        "artist",
        "album_artist",
        "composer",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "grouping",
        "lyrics",
        "description",
        "synopsis",
        "show",
        "keywords",
    }
)
"""Tags that FFmpeg's mp4 muxer writes where ordinary players look for them."""


class VideoWriter:
    """A video file being written; it appears at its path only when it is complete.

    Used in a ``with`` block: leaving it normally completes the file, leaving it by an exception
    (an interrupt too) removes all traces. Frames and sound may come in any order relative to each
    other; they are interleaved by time, and what waits for its counterpart waits encoded, at most
    ten seconds of it.

    Frame times are written exactly as multiples of ``time_base`` (Matroska and WebM store whole
    milliseconds). The delay of the audio encoder is declared in the file, so that the first sample
    sounds with the first frame. The same input gives the same bytes on the same machine; give
    ``threads`` to have that on others too.

    Parameters
    ----------
    path : path-like
        The extension decides the container: .mp4, .m4v, .mov, .mkv, .webm.
    width, height : int
        Of the frames to come. Encoders want even sizes: of an odd one, the last column or row is
        left out.
    rate : Fraction
        Nominal frames per second.
    time_base : Fraction, optional
        Unit of frame times; default ``1 / rate``. For frames with a file's own times, the file's.
    colour : ColourTags
        Written as they are.
    sample_aspect_ratio : Fraction
        Width over height of a pixel. H.264 and H.265 store it; for the others, which do not,
        pictures are stretched to square pixels.
    audio_rate : int, optional
        Rate in Hz of the sound to come; without it the file has no sound track.
    audio_bits_per_s : int
        Of the compressed sound.
    audio_options : mapping, optional
        Of FFmpeg's encoder of the sound, by its names for them.
    crf : int, optional
        Constant rate factor, less is better; default: see
        :data:`~edgeavatar.video.encoders.ENCODERS`.
    preset : str, optional
        Effort of the encoder; default as above.
    encoder : str, optional
        FFmpeg's name of the video encoder; default libx264, for WebM libvpx-vp9.
    metadata : mapping, optional
        Container tags. In mp4 and mov, if all keys are common ones (title, artist, comment, ...)
        they are written where players look for them; one other key moves all into QuickTime
        metadata, which keeps any name.
    threads : int
        Threads of the video encoder; 0 lets it choose by the machine.
    subtitles : str, optional
        Language of the subtitles to come, in ISO 639-2; without it the file has no such track.

    Raises
    ------
    UsageError
        For an extension, encoder, ``crf`` or ``preset`` that does not work here.
    OutputError
        If the place cannot be written or the encoder refuses the settings.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        *,
        rate: Fraction,
        time_base: Fraction | None = None,
        colour: ColourTags | None = None,
        sample_aspect_ratio: Fraction = Fraction(1),
        audio_rate: int | None = None,
        audio_bits_per_s: int = _AUDIO_BITS_PER_S,
        audio_options: Mapping[str, str] | None = None,
        crf: int | None = None,
        preset: str | None = None,
        encoder: str | None = None,
        metadata: Mapping[str, str] | None = None,
        threads: int = 0,
        subtitles: str | None = None,
    ) -> None:
        self.path = Path(path)
        choice = choose_encoding(self.path, encoder=encoder, crf=crf, preset=preset)
        if min(width, height) < 2:
            raise UsageError(f"expected frames of at least 2 x 2 pixels, found {width} x {height}")
        self.width, self.height = width - width % 2, height - height % 2
        self._square_size: tuple[int, int] | None = None
        if sample_aspect_ratio != 1 and choice.encoder not in STORES_ASPECT:
            self._square_size = _square_size(self.width, self.height, sample_aspect_ratio)
            sample_aspect_ratio = Fraction(1)
        self._given_size = (width, height)
        self._colour = colour or ColourTags()
        self._rate = rate
        self._time_base = time_base or 1 / rate
        self._held: tuple[Frame, int] | None = None
        self._last_ticks = max(1, round(1 / (rate * self._time_base)))
        self._audio_in_rate = audio_rate
        self._audio_samples = 0
        self._muxer = choice.container.muxer
        self._subtitles: SubtitleStream | None = None
        self._subtitle_end = 0
        self._file = AtomicFile(self.path)
        self._container: OutputContainer | None = None
        try:
            with self._reporting():
                self._open(choice.container.muxer, dict(metadata or {}))
                self._video = self._add_video(
                    choice.encoder, choice.options, sample_aspect_ratio, threads
                )
                if audio_rate is not None:
                    self._audio = self._add_audio(
                        choice.container.audio_encoder, audio_bits_per_s, dict(audio_options or {})
                    )
                if subtitles is not None:
                    self._subtitles = self._add_subtitles(choice.container.muxer, subtitles)
                self._start(choice.encoder)
        except BaseException:
            self.abort()
            raise

    @property
    def _out(self) -> OutputContainer:
        if self._container is None:
            raise ValueError(f"{self.path} is already closed")
        return self._container

    def _open(self, muxer: str, metadata: dict[str, str]) -> None:
        options = {"fflags": "+bitexact"}
        if muxer in ("mp4", "mov"):
            movflags = "+faststart"
            if not metadata.keys() <= _ITUNES_KEYS:
                movflags += "+use_metadata_tags"
            options["movflags"] = movflags
            options["movie_timescale"] = str(_movie_timescale(self._time_base))
        container = av.open(str(self._file.path), "w", format=muxer, container_options=options)
        container.metadata.update(metadata)
        self._container = container

    def _add_video(
        self, encoder: str, options: dict[str, str], aspect: Fraction, threads: int
    ) -> VideoStream:
        stream = cast(
            "VideoStream", self._out.add_stream(encoder, rate=self._rate, options=options)
        )
        stream.width, stream.height = self._square_size or (self.width, self.height)
        stream.pix_fmt = "yuv420p"
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = aspect
        context.color_range = range_code(self._colour)
        context.colorspace = matrix_code(self._colour)
        context.color_primaries = self._colour.primaries
        context.color_trc = self._colour.transfer
        context.thread_count = threads
        context.flags |= Flags.bitexact | Flags.frame_duration
        if encoder == "libsvtav1":
            # The encoder writes its settings to the terminal; this is its only switch.
            os.environ.setdefault("SVT_LOG", "1")
        if encoder == "libx265" and self._file.path.suffix != ".mkv":
            # Apple's players know HEVC by this tag only.
            context.codec_tag = "hvc1"
        return stream

    def _add_audio(self, encoder: str, bits_per_s: int, options: dict[str, str]) -> AudioStream:
        stream = cast(
            "AudioStream",
            self._out.add_stream(encoder, rate=AUDIO_RATE_HZ, layout="mono", options=options),
        )
        stream.codec_context.bit_rate = bits_per_s
        stream.codec_context.flags |= Flags.bitexact
        self._resampler = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=AUDIO_RATE_HZ
        )
        return stream

    def _add_subtitles(self, muxer: str, language: str) -> SubtitleStream:
        stream = cast("SubtitleStream", self._out.add_stream(_SUBTITLE_ENCODERS[muxer]))
        stream.codec_context.subtitle_header = _SUBTITLE_HEADER
        stream.codec_context.time_base = _SUBTITLE_TICKS
        stream.time_base = _SUBTITLE_TICKS
        stream.metadata["language"] = language
        return stream

    def _start(self, encoder: str) -> None:
        try:
            self._out.start_encoding()
        except (av.ArgumentError, av.error.ExternalError) as error:
            raise OutputError(
                f"expected pictures that {encoder} takes, found that it refuses "
                f"{self._video.width} x {self._video.height} at {float(self._rate):g} frames per "
                "second; choose another encoder or size"
            ) from error

    def write_frame(self, frame: Frame) -> None:
        """Append a frame; it shows from its ``time_s`` until the next frame's.

        Parameters
        ----------
        frame : Frame
            Of the declared size, later than the frame before. Its planes must not change
            until the next call: one frame is held back to know how long it shows.

        Raises
        ------
        ValueError
            If the size differs or time does not advance by at least one ``time_base``.
        OutputError
            If the file cannot be written; call :meth:`abort`, which leaving the block does.
        """
        if (frame.width, frame.height) != self._given_size:
            raise ValueError(
                f"expected frames of {self._given_size[0]} x {self._given_size[1]}, "
                f"found {frame.width} x {frame.height}"
            )
        pts = round(frame.time_s / self._time_base)
        if self._held is not None:
            held, held_pts = self._held
            if pts <= held_pts:
                raise ValueError(
                    f"expected a frame later than {float(held.time_s):.6f} s, "
                    f"found one at {float(frame.time_s):.6f} s"
                )
            self._encode_frame(held, held_pts, pts - held_pts)
        self._held = (frame, pts)

    def _encode_frame(self, frame: Frame, pts: int, ticks: int) -> None:
        self._last_ticks = ticks
        picture = av.VideoFrame(self.width, self.height, "yuv420p")
        for plane, values in zip(picture.planes, (frame.y, frame.u, frame.v), strict=True):
            _fill_plane(plane, values)
        if self._square_size:
            picture = to_420(picture, self._colour, self._square_size)
        picture.pts = pts
        picture.time_base = self._time_base
        picture.duration = ticks
        picture.color_range = range_code(self._colour)
        picture.colorspace = matrix_code(self._colour)
        picture.color_primaries = self._colour.primaries
        picture.color_trc = self._colour.transfer
        with self._reporting():
            self._out.mux(self._video.encode(picture))

    def write_audio(self, chunk: AudioChunk) -> None:
        """Append sound; a gap before ``chunk.start_sample`` becomes silence.

        Parameters
        ----------
        chunk : AudioChunk
            At the declared rate, not starting before the end of the sound so far.

        Raises
        ------
        ValueError
            If the writer was made without sound, the rate differs or the chunk overlaps.
        OutputError
            If the file cannot be written.
        """
        if self._audio_in_rate is None:
            raise ValueError("this writer was made without audio_rate and takes no sound")
        if chunk.sample_rate != self._audio_in_rate:
            raise ValueError(
                f"expected sound at {self._audio_in_rate} Hz, found {chunk.sample_rate} Hz"
            )
        gap = chunk.start_sample - self._audio_samples
        if gap < 0:
            raise ValueError(
                f"expected sound from sample {self._audio_samples} on, found a chunk that starts "
                f"at {chunk.start_sample}"
            )
        while gap:
            block = min(gap, _SILENCE_BLOCK)
            self._encode_samples(np.zeros(block, np.float32))
            gap -= block
        for start in range(0, chunk.samples.size, _SILENCE_BLOCK):
            self._encode_samples(chunk.samples[start : start + _SILENCE_BLOCK])

    def _encode_samples(self, samples: FloatArray) -> None:
        rate = cast("int", self._audio_in_rate)
        values = np.ascontiguousarray(np.clip(samples, -1.0, 1.0), np.float32)
        block = av.AudioFrame.from_ndarray(values[np.newaxis], format="fltp", layout="mono")
        block.sample_rate = rate
        block.time_base = Fraction(1, rate)
        block.pts = self._audio_samples
        self._audio_samples += samples.size
        with self._reporting():
            for converted in self._resampler.resample(block):
                self._out.mux(self._audio.encode(converted))

    @property
    def subtitle_markup(self) -> Literal["srt", "vtt", "none"]:
        """What text of subtitles is read as: its marks are to be escaped so."""
        if self._muxer == "matroska":
            return "srt"
        return "vtt" if self._muxer == "webm" else "none"

    def write_subtitle(self, text: str, start_s: Fraction, end_s: Fraction) -> None:
        """Append a subtitle; times are stored in milliseconds.

        Parameters
        ----------
        text : str
            One or more lines, as :attr:`subtitle_markup` says.
        start_s, end_s : Fraction
            From when to when it shows; not before the end of the last one. It should come before
            ten seconds of frames after its start, which is how far streams are interleaved.

        Raises
        ------
        ValueError
            If the writer was made without subtitles or times go back.
        OutputError
            If the file cannot be written.
        """
        if self._subtitles is None:
            raise ValueError("this writer was made without subtitles and takes none")
        start, end = (round(time_s / _SUBTITLE_TICKS) for time_s in (start_s, end_s))
        if not self._subtitle_end <= start < end:
            raise ValueError(
                f"expected a subtitle that starts at {self._subtitle_end} ms or later and lasts, "
                f"found one from {start} to {end} ms"
            )
        self._subtitle_end = end
        data = text.encode("utf-8")
        if self._subtitles.name == "mov_text":
            # 3GPP TS 26.245: a sample of timed text begins with its length.
            data = len(data).to_bytes(2, "big") + data
        packet = av.Packet(data)
        packet.stream = self._subtitles
        packet.time_base = _SUBTITLE_TICKS
        packet.pts = packet.dts = start
        packet.duration = end - start
        packet.is_keyframe = True
        with self._reporting():
            self._out.mux(packet)

    def finish(self, end_time_s: Fraction | None = None) -> None:
        """Complete the file and give it its name.

        Parameters
        ----------
        end_time_s : Fraction, optional
            When the last frame stops showing; default: it shows as long as the one before.

        Raises
        ------
        OutputError
            If no frame was written or the file cannot be completed; nothing is left behind.
        """
        if self._container is None:
            return
        try:
            if self._held is None:
                raise OutputError(
                    f"expected at least one frame to write to {self.path}, found none"
                )
            frame, pts = self._held
            ticks = self._last_ticks
            if end_time_s is not None:
                ticks = max(1, round(end_time_s / self._time_base) - pts)
            self._encode_frame(frame, pts, ticks)
            self._held = None
            with self._reporting():
                self._out.mux(self._video.encode(None))
                if self._audio_in_rate is not None:
                    for rest in self._resampler.resample(None):
                        self._out.mux(self._audio.encode(rest))
                    self._out.mux(self._audio.encode(None))
                self._out.close()
            self._container = None
        except BaseException:
            self.abort()
            raise
        self._file.commit()

    def abort(self) -> None:
        """Remove everything written so far; the target stays as it was. Does not raise."""
        self._held = None
        self._file.discard()
        if self._container is not None:
            # Closing writes the end of a file that no longer has a name; its errors mean nothing.
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise OutputError(
                f"cannot write {self.path}: {(error.strerror or str(error)).lower()}; "
                "nothing was written there"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abort()


def _movie_timescale(time_base: Fraction) -> int:
    """Return a unit in which the end of both tracks is a whole number.

    FFmpeg's default, the millisecond, cuts up to half of one off the sound.
    """
    common = math.lcm(AUDIO_RATE_HZ, time_base.denominator)
    return common if common < 1 << 31 else AUDIO_RATE_HZ


def _square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return the even size at which square pixels show the same, no side smaller than it was."""
    if aspect > 1:
        return round(width * aspect / 2) * 2, height
    return width, round(height / aspect / 2) * 2


def _fill_plane(plane: av.video.plane.VideoPlane, values: ByteArray) -> None:
    stride = plane.line_size
    rows = np.frombuffer(memoryview(plane), np.uint8, count=stride * plane.height)
    rows = rows.reshape(plane.height, stride)
    rows[:, : plane.width] = values[: plane.height, : plane.width]
