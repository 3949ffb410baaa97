"""Reading a video one upright frame at a time, forwards or backwards, with exact times."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, cast

from edgeavatar.errors import MediaError
from edgeavatar.types import Frame, VideoInfo
from edgeavatar.video.decode import SEEK_MARGINS_S, Decoder, Picture
from edgeavatar.video.glimpses import key_pictures, picture_at, spread_pictures
from edgeavatar.video.planes import Orientation, extract_planes
from edgeavatar.video.tags import (
    FULL_RANGE,
    LIMITED_RANGE,
    RGB_TARGET_MATRIX,
    read_tags,
    unusual_tags,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from types import TracebackType

    import av
    from av.sidedata.sidedata import SideDataContainer

WINDOW_BYTES: Final = 64 << 20
"""Default bound on the frames that :meth:`VideoReader.frames_reversed` keeps at once."""


_SHORT_BY_S: Final = Fraction(1, 2)
"""A file that lacks more than this, and 2%, of what it declares was cut short."""


class _SeekMismatchError(Exception):
    """Decoding from a key frame gave other frames than decoding from the start."""


class VideoReader:
    """A video file; made by :func:`open_video`, closed by leaving its ``with`` block.

    Attributes
    ----------
    path : Path
        The file.
    info : VideoInfo
        What is known before decoding; sizes are those of the upright picture.
    time_base : Fraction
        Unit of the file's own times; every ``Frame.time_s`` is a whole multiple of it.
    sample_aspect_ratio : Fraction
        Width over height of one pixel of the upright picture; 1 if unknown.
    warnings : list of str
        What is wrong with the file without keeping it from being read. Grows while decoding.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._times: array[int] = array("q")
        """Presentation time in ticks of every frame decoded so far."""
        self._keys: array[int] = array("q")
        """Indices of the frames that decoding can start from."""
        self._last_ticks = 0
        self._is_complete = False
        self._seek_margins_s: list[int] = list(SEEK_MARGINS_S)
        """How far before a key frame to seek; the first one that works stays, none is left if
        this file cannot be sought in."""
        decoder = Decoder(path)
        try:
            first = next(iter(decoder), None)
            if first is None:
                raise self._no_frames(decoder)
            self._describe(decoder, first)
        finally:
            decoder.close()

    def _describe(self, decoder: Decoder, first: Picture) -> None:
        picture = first.frame
        stored_width, stored_height = self._stored_size = (picture.width, picture.height)
        self._orientation = orientation = self._read_orientation(picture)
        is_rgb = picture.format.is_rgb
        is_full = picture.color_range == FULL_RANGE or picture.format.name.startswith("yuvj")
        colour = read_tags(
            matrix=RGB_TARGET_MATRIX if is_rgb else int(picture.colorspace),
            range_=FULL_RANGE if is_full and not is_rgb else LIMITED_RANGE,
            primaries=int(picture.color_primaries),
            transfer=int(picture.color_trc),
            stored_height=stored_height,
        )
        note = unusual_tags(matrix=int(picture.colorspace), transfer=int(picture.color_trc))
        if note:
            self._warn(note)
        if picture.interlaced_frame:
            self._warn("the source is interlaced; frames are used as they are, both fields in one")
        self.time_base = decoder.time_base
        self._first_ticks = first.pts
        aspect = decoder.stream.sample_aspect_ratio or Fraction(1)
        self.sample_aspect_ratio = 1 / aspect if orientation.transpose else aspect
        self._nominal_ticks = decoder.nominal_ticks
        self.info = VideoInfo(
            width=stored_height if orientation.transpose else stored_width,
            height=stored_width if orientation.transpose else stored_height,
            rate=decoder.rate,
            duration_s=decoder.duration_s,
            frame_count=decoder.stream.frames or round(decoder.duration_s * decoder.rate),
            rotation_deg=orientation.rotation_deg,
            colour=colour,
            has_audio=decoder.has_audio,
        )

    def _read_orientation(self, picture: av.VideoFrame) -> Orientation:
        side_data = cast("SideDataContainer", picture.side_data)
        if "DISPLAYMATRIX" not in side_data:
            return Orientation()
        orientation = Orientation.from_display_matrix(bytes(side_data["DISPLAYMATRIX"]))
        if orientation is None:
            self._warn("the source asks for a turn that is not a quarter turn; it is ignored")
            return Orientation()
        return orientation

    @property
    def frame_bytes(self) -> int:
        """Bytes of the planes of one frame."""
        width, height = self._stored_size
        return width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)

    @property
    def frames_seen(self) -> int:
        """How many frames were decoded so far; all of them once the end was reached."""
        return len(self._times)

    @property
    def end_time_s(self) -> Fraction:
        """When the last frame stops showing; exact once the end was reached."""
        if not self._is_complete:
            return self.info.duration_s
        return (self._times[-1] - self._times[0] + self._last_ticks) * self.time_base

    def time_of(self, index: int) -> Fraction:
        """Return when frame ``index`` appears, for any frame decoded so far."""
        return (self._times[index] - self._times[0]) * self.time_base

    def frames(self, start: int = 0, *, shared: bool = False) -> Iterator[Frame]:
        """Yield the frames from index ``start`` to the end, one at a time.

        Every call reads the file anew, so several iterations may go on at once. An index that an
        earlier iteration has passed is reached by seeking to the key frame before it; any other by
        decoding from the beginning.

        Parameters
        ----------
        start : int
            Index of the first frame wanted; none are yielded if the video is shorter.
        shared : bool
            Planes may be the decoder's own memory, which saves copying them. It stays as it is for
            as long as somebody holds them, and nobody may write to it.

        Yields
        ------
        Frame
            Planes own their memory, unless it is shared; ``index`` equals ``source_index``.

        Raises
        ------
        MediaError
            If the file can no longer be opened.
        """
        for index, picture in self._pictures(start):
            yield self._with_planes(index, self.time_of(index), picture, shared=shared)

    def frames_reversed(
        self, start: int, stop: int = 0, *, window_bytes: int = WINDOW_BYTES
    ) -> Iterator[Frame]:
        """Yield the frames from index ``start`` back to index ``stop``, both included.

        Video only decodes forwards, so a window of frames is decoded, kept and handed out from its
        end, then the window before it. Windows begin at key frames where they can; where key frames
        are further apart than a window, the frames between the key frame and the window are
        decoded again for each.

        Parameters
        ----------
        start, stop : int
            ``frames_seen > start >= stop >= 0``: only frames that were decoded before.
        window_bytes : int
            Bound on the planes kept at once; at least one frame is kept.

        Yields
        ------
        Frame
            Equal to those of :meth:`frames`.

        Raises
        ------
        ValueError
            If the range is not within the frames decoded so far.
        MediaError
            If the file can no longer be opened or has changed.
        """
        if not self.frames_seen > start >= stop >= 0:
            raise ValueError(
                f"expected {self.frames_seen} > start >= stop >= 0, found {start} and {stop}"
            )
        capacity = max(1, window_bytes // self.frame_bytes)
        high = start
        while high >= stop:
            low = max(stop, high - capacity + 1)
            if self._seek_margins_s:
                key = bisect_left(self._keys, low)
                if key < len(self._keys) and self._keys[key] <= high:
                    low = self._keys[key]
            window: list[Frame] = []
            for index, picture in self._pictures(low):
                window.append(self._to_frame(index, picture))
                if index == high:
                    break
            if len(window) != high - low + 1:
                raise MediaError(
                    f"expected frames {low} to {high} of {self.path} a second time, found "
                    f"{len(window)} of them; the file changed while it was read, run again"
                )
            while window:
                yield window.pop()
            high = low - 1

    def glimpses(self, count: int) -> Iterator[Frame]:
        """Yield at most ``count`` frames from all over the video, for a bounded cost.

        See :func:`~edgeavatar.video.glimpses.spread_pictures`. The frames are in order; their
        ``index`` counts them, since their place in the video is not known, and their ``time_s`` is
        exact.
        """
        for index, picture in enumerate(spread_pictures(self.path, count)):
            yield self._glimpsed(index, picture)

    def key_glimpses(self, count: int) -> Iterator[Frame]:
        """Yield at most ``count`` key frames from all over the video, for the least cost.

        See :func:`~edgeavatar.video.glimpses.key_pictures`, and :meth:`glimpses` for the frames.
        """
        for index, picture in enumerate(key_pictures(self.path, count)):
            yield self._glimpsed(index, picture)

    def glimpse(self, time_s: Fraction) -> Frame | None:
        """Return the frame that :meth:`glimpses` gave for a time; None if the file has none."""
        picture = picture_at(self.path, self._first_ticks + round(time_s / self.time_base))
        return None if picture is None else self._glimpsed(0, picture)

    def _pictures(self, start: int) -> Iterator[tuple[int, Picture]]:
        index = start
        while True:
            decoder = Decoder(self.path)
            try:
                for picture in self._walk(decoder, index):
                    yield index, picture
                    index += 1
                return
            except _SeekMismatchError:
                del self._seek_margins_s[:1]
            finally:
                decoder.close()

    def _walk(self, decoder: Decoder, start: int) -> Iterator[Picture]:
        index = 0
        sought = bool(self._seek_margins_s) and 0 < start < len(self._times)
        if sought:
            index = start
            decoder.needed_from = self._times[start]
            key = self._keys[bisect_right(self._keys, start) - 1]
            margin = round(self._seek_margins_s[0] / self.time_base)
            if key and not decoder.seek(self._times[key] - margin):
                raise _SeekMismatchError
        ticks = 0
        for picture in decoder:
            if index < len(self._times):
                if sought and picture.pts < self._times[index]:
                    continue
                if sought and picture.pts != self._times[index]:
                    raise _SeekMismatchError
            else:
                self._times.append(picture.pts)
                if picture.is_key or index == 0:
                    self._keys.append(index)
                if picture.is_repaired:
                    # Made-up times cannot be recognised again after seeking.
                    self._seek_margins_s.clear()
                    self._warn("some frames have no usable time; the nominal rate is used there")
            ticks = picture.duration
            if index >= start:
                yield picture
            index += 1
        if sought and index < len(self._times):
            raise _SeekMismatchError
        if index == 0:
            raise self._no_frames(decoder)
        self._finish(decoder, ticks)

    def _finish(self, decoder: Decoder, last_ticks: int) -> None:
        if self._is_complete:
            return
        self._is_complete = True
        before_last = self._times[-1] - self._times[-2] if len(self._times) > 1 else 0
        self._last_ticks = last_ticks or before_last or self._nominal_ticks
        if decoder.damaged:
            self._warn(
                f"{decoder.damaged} parts of the source are damaged; what decodes is used"
                + (f" ({decoder.last_error})" if decoder.last_error else "")
            )
        declared_s = self.info.duration_s
        if declared_s - self.end_time_s > max(_SHORT_BY_S, declared_s / 50):
            self._warn(
                f"the source ends early: it declares {float(declared_s):.1f} s, "
                f"{float(self.end_time_s):.1f} s were found"
            )

    def _glimpsed(self, index: int, picture: Picture) -> Frame:
        time_s = (picture.pts - self._first_ticks) * self.time_base
        return self._with_planes(index, time_s, picture)

    def _to_frame(self, index: int, picture: Picture) -> Frame:
        return self._with_planes(index, self.time_of(index), picture)

    def _with_planes(
        self, index: int, time_s: Fraction, picture: Picture, *, shared: bool = False
    ) -> Frame:
        y, u, v = extract_planes(
            picture.frame, self.info.colour, self._stored_size, self._orientation, shared=shared
        )
        return Frame(
            index=index,
            time_s=time_s,
            y=y,
            u=u,
            v=v,
            colour=self.info.colour,
            source_index=index,
        )

    def _no_frames(self, decoder: Decoder) -> MediaError:
        detail = f" ({decoder.last_error.lower()})" if decoder.last_error else ""
        return MediaError(
            f"expected a video frame in {self.path}, found none that decodes{detail}; "
            "the file is empty or damaged, copy or export it again"
        )

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the index of frames; iterations that are still going keep their own file open."""


def open_video(path: str | os.PathLike[str]) -> VideoReader:
    """Open a video file and decode its first frame.

    Every container and codec of the FFmpeg in PyAV is read. Rotation and mirroring asked for by
    the file's display matrix are applied by moving pixels, without loss. The planes of 8-bit 4:2:0
    video are those of the decoder, bit for bit; any other format is converted once by swscale,
    keeping matrix and range. Interlaced video is not de-interlaced.

    Parameters
    ----------
    path : path-like
        A local file. Playlists may only name local files.

    Returns
    -------
    VideoReader
        To be used in a ``with`` block.

    Raises
    ------
    MediaError
        If the file is missing, is no media file, was cut short beyond use, holds no video or no
        frame that decodes.
    """
    return VideoReader(Path(path))
