"""One pass over the pictures of a video file."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av

from edgeavatar.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.stream import VideoStream

_PLAYLIST_DEMUXERS: Final = frozenset({"concat", "dash", "hls", "rtp", "rtsp", "sdp", "whip"})
"""Could name the network, or wait for ever for more."""
_TEXT_DEMUXERS: Final = frozenset({"adf", "bin", "ffmetadata", "idf", "tty", "xbin"})
"""Draw text into pictures: any .txt counts as a terminal recording."""
_REFUSED_DEMUXERS: Final = _PLAYLIST_DEMUXERS | _TEXT_DEMUXERS | {"image2"}
"""``image2`` reads a percent sign in a file name as a pattern."""

_SKIPPING_DECODERS: Final = frozenset({"h264", "hevc", "mpeg2video", "mpeg4", "vp9"})
"""Decoders that can leave out single pictures; libdav1d cannot from one packet to the next."""

SEEK_MARGINS_S: Final = (0, 1, 5)
"""How long before a picture to seek. Containers without an index (MPEG-TS) land somewhere near;
what comes too early is dropped."""

_FALLBACK_RATE: Final = Fraction(25)
_MAX_DAMAGED_PACKETS: Final = 10_000
"""A stream of nothing but damage is given up after this many packets."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture with a time that is never missing and always later than the one before."""

    pts: int
    """Presentation time in ticks of the stream's time base."""
    duration: int
    """In ticks; 0 if unknown."""
    is_key: bool
    is_repaired: bool
    """The file's own time was missing or out of order."""
    frame: av.VideoFrame


class Decoder:
    """The best video stream of a file; iterating gives its pictures in order of presentation.

    A packet that does not decode is skipped and counted; a file that ends early just ends.

    Parameters
    ----------
    path : Path
        A local file.

    Attributes
    ----------
    stream : av.video.stream.VideoStream
        The stream being decoded.
    has_audio : bool
        Whether the file also holds sound.
    damaged : int
        Packets that did not decode or decoded with errors so far.
    last_error : str
        FFmpeg's words for the last of them.
    needed_from : int or None
        Pictures before this time, in ticks, need not come out; those that no other picture is
        predicted from are then left out where the decoder can, which shortens the way from a key
        frame by half.

    Raises
    ------
    MediaError
        If the file is missing, is no media file, or holds no video.
    """

    def __init__(self, path: Path) -> None:
        self._container = _open_container(path)
        self.damaged = 0
        self.last_error = ""
        self.needed_from: int | None = None
        try:
            self.stream = _choose_stream(self._container, path)
        except BaseException:
            self._container.close()
            raise
        self.stream.thread_type = "AUTO"
        self.has_audio = bool(self._container.streams.audio)

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def seek(self, pts: int) -> bool:
        """Go to the last key frame the container knows at or before ``pts``; False if it cannot."""
        try:
            self._container.seek(pts, stream=self.stream, backward=True)
        except av.FFmpegError:
            return False
        return True

    def key_time(self, pts: int) -> int | None:
        """Time of the key frame that :meth:`seek` finds for ``pts``; None if it finds none."""
        if not self.seek(pts):
            return None
        try:
            packet = next(self._container.demux(self.stream), None)
        except av.FFmpegError:
            return None
        return packet.pts if packet is not None and packet.is_keyframe else None

    @property
    def size_bytes(self) -> int:
        """Size of the file, sound included; 0 if unknown."""
        return max(0, self._container.size)

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick."""
        return self.stream.time_base or 1 / _FALLBACK_RATE

    @property
    def rate(self) -> Fraction:
        """Nominal frames per second.

        The container's average suffers from an odd first or last duration, so that FFmpeg's guess
        of the nominal rate is preferred where the two nearly agree.
        """
        average, guessed = self.stream.average_rate, self.stream.guessed_rate
        if average and guessed:
            return guessed if abs(guessed / average - 1) < Fraction(1, 50) else average
        return average or guessed or _FALLBACK_RATE

    @property
    def nominal_ticks(self) -> int:
        """Ticks between two frames at the nominal rate, at least 1."""
        return max(1, round(1 / (self.rate * self.time_base)))

    @property
    def duration_s(self) -> Fraction:
        """The container's word on the duration, 0 if it has none."""
        if self.stream.duration:
            return self.stream.duration * self.time_base
        if self._container.duration:
            return Fraction(self._container.duration, av.time_base)
        return Fraction(0)

    def __iter__(self) -> Iterator[Picture]:
        nominal = self.nominal_ticks
        last: int | None = None
        for frame in self._decode():
            pts = frame.pts
            repaired = pts is None or (last is not None and pts <= last)
            if pts is None or repaired:
                pts = 0 if last is None else last + nominal
            last = pts
            yield Picture(pts, max(0, frame.duration or 0), frame.key_frame, repaired, frame)

    def _decode(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self.stream)
        can_skip = self.stream.codec_context.name in _SKIPPING_DECODERS
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                # Nothing more can be read, but the decoder still holds pictures.
                self._note(error)
                with contextlib.suppress(av.FFmpegError):
                    yield from self.stream.decode(None)
                return
            if packet is None:
                return
            if can_skip and self.needed_from is not None and packet.pts is not None:
                is_needed = packet.pts >= self.needed_from
                self.stream.codec_context.skip_frame = "DEFAULT" if is_needed else "NONREF"
            try:
                pictures = packet.decode()
            except av.EOFError:
                return
            except av.FFmpegError as error:
                self._note(error)
                if self.damaged > _MAX_DAMAGED_PACKETS:
                    return
                continue
            for picture in pictures:
                self.damaged += picture.is_corrupt
                yield picture

    def _note(self, error: av.FFmpegError) -> None:
        self.damaged += 1
        self.last_error = error.strerror or str(error)


def _open_container(path: Path) -> InputContainer:
    if not path.exists():
        raise MediaError(f"expected a video at {path}, found no such file; check the path")
    if not path.is_file():
        raise MediaError(f"expected a video file, found {path}, which is not a file; name a file")
    try:
        return av.open(
            str(path.absolute()),
            options={"protocol_whitelist": "file", "format_whitelist": _accepted_demuxers()},
        )
    except av.PermissionError as error:
        raise MediaError(
            f"expected a readable video, found that {path} may not be read; check its permissions"
        ) from error
    except (av.FFmpegError, UnicodeError) as error:
        found = "an empty file" if path.stat().st_size == 0 else "no media FFmpeg knows"
        raise MediaError(
            f"expected a video in {path}, found {found} ({_words(error)}); a file that was cut "
            "short in copying or recording looks like this too, copy or export it again"
        ) from error


@functools.cache
def _accepted_demuxers() -> str:
    known = {name for names in av.formats_available for name in names.split(",")}
    return ",".join(sorted(known - _REFUSED_DEMUXERS))


def _choose_stream(container: InputContainer, path: Path) -> VideoStream:
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not streams:
        what = "only sound" if container.streams.audio else "neither picture nor sound"
        raise MediaError(
            f"expected a video in {path}, found {what}; give a video or a photo of a face"
        )
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise MediaError(
            f"expected a video codec that FFmpeg decodes, found an unknown one in {path}; "
            "convert it to H.264 first"
        )
    return stream


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
