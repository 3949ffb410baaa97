"""The source as a stream of frames that lasts as long as the words."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from edgeavatar.video.fit import PHOTO_RATE, FitMode, FittedFrames, fit_frames
from edgeavatar.video.photo import photo_info
from edgeavatar.video.prefetch import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from edgeavatar.types import Frame, VideoInfo
    from edgeavatar.video.reader import VideoReader


class Glimpses(Protocol):
    """A video that can be looked into at any place."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def glimpses(self, count: int) -> Iterator[Frame]:
        """Yield at most so many frames from all over it, for a bounded cost."""
        ...

    def glimpse(self, time_s: Fraction) -> Frame | None:
        """Return the frame that was given for a time."""
        ...


class Picture(Protocol):
    """A photo or a video, opened."""

    info: VideoInfo
    time_base: Fraction
    sample_aspect_ratio: Fraction
    sways: bool
    """Whether the head is to be moved, because it was not filmed."""
    film: Glimpses | None
    """The video, if it is one."""

    @property
    def warnings(self) -> list[str]:
        """What is odd about the source."""
        ...

    def probe(self) -> Iterator[Frame]:
        """Frames from the start, to learn from."""
        ...

    def frames(self, needed: Callable[[Fraction], bool]) -> Iterator[Frame]:
        """Frames of the result, for as long as they are needed."""
        ...

    def end_s(self, sound_s: Fraction) -> Fraction:
        """When the last frame stops showing, once :meth:`frames` has ended."""
        ...


class PhotoPicture:
    """A photo that becomes a video."""

    sample_aspect_ratio = Fraction(1)
    film: Glimpses | None = None

    def __init__(self, frame: Frame, rate: Fraction | None, *, still: bool) -> None:
        self._frame = frame
        self.info = photo_info(frame, rate or PHOTO_RATE)
        self.time_base = 1 / self.info.rate
        self.sways = not still
        self.warnings: list[str] = []

    def probe(self) -> Iterator[Frame]:
        """Yield the photo."""
        yield self._frame

    def frames(self, needed: Callable[[Fraction], bool]) -> Iterator[Frame]:
        """Yield the photo again and again."""
        return iter(fit_frames(self._frame, "loop", needed, rate=self.info.rate))

    def end_s(self, sound_s: Fraction) -> Fraction:
        """End with the sound."""
        return max(sound_s, self.time_base)


class FilmedPicture:
    """A video; its own head movement and blinks stay."""

    sways = False

    def __init__(self, reader: VideoReader, fit: FitMode) -> None:
        self._reader = reader
        self._fit = fit
        self._fitted: FittedFrames | None = None
        self.film: Glimpses | None = reader
        self.info = reader.info
        self.time_base = reader.time_base
        self.sample_aspect_ratio = reader.sample_aspect_ratio

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the file without keeping it from being read."""
        return self._reader.warnings

    def probe(self) -> Generator[Frame, None, None]:
        """Yield the first frames."""
        return prefetch(self._reader.frames)

    def frames(self, needed: Callable[[Fraction], bool]) -> Iterator[Frame]:
        """Yield the video, made to last as long as needed."""
        self._fitted = fit_frames(self._reader, self._fit, needed)
        return iter(self._fitted)

    def end_s(self, sound_s: Fraction) -> Fraction:
        """End with the sound, or with the video where that cuts the sound."""
        end_s = self._fitted.end_time_s if self._fitted is not None else Fraction(0)
        return end_s if self._fit == "trim" else max(sound_s, end_s)
