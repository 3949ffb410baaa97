"""Making a source last as long as the sound."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.types import Frame
from edgeavatar.video.reader import WINDOW_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgeavatar.types import FloatArray
    from edgeavatar.video.reader import VideoReader

FitMode = Literal["loop", "freeze", "trim"]
FIT_MODES: Final[tuple[FitMode, ...]] = ("loop", "freeze", "trim")

PHOTO_RATE: Final = Fraction(25)

_TURN_SEARCH_S: Final = Fraction(1, 2)
"""How far from either end of the source a turn may be."""
_TURN_BYTES: Final = 48 << 20
"""Bound on the frames held back while the source may be about to end."""
_STILL_SPAN: Final = 3
"""Frames over which a turn must be still; more than one, so that a doubled frame is not enough."""
_THUMBNAIL_PX: Final = 48


class FittedFrames:
    """The frames of one result, in order; made by :func:`fit_frames`, iterated once.

    Attributes
    ----------
    end_time_s : Fraction
        When the last frame stops showing; known after the iteration.
    """

    def __init__(
        self,
        source: VideoReader | Frame,
        mode: FitMode,
        until: Callable[[Fraction], bool],
        rate: Fraction,
        window_bytes: int,
    ) -> None:
        self.end_time_s = Fraction(0)
        self._source = source
        self._mode = mode
        self._until = until
        self._rate = rate
        self._window_bytes = window_bytes

    def __iter__(self) -> Iterator[Frame]:
        for index, (frame, time_s) in enumerate(self._timed()):
            if not self._until(time_s):
                self.end_time_s = time_s
                return
            yield replace(frame, index=index, time_s=time_s)

    def _timed(self) -> Iterator[tuple[Frame, Fraction]]:
        """Yield frames and their times; sets ``end_time_s`` if the source decides the end."""
        if isinstance(self._source, Frame):
            yield from _repeat(self._source, Fraction(0), 1 / self._rate)
            return
        if self._mode == "loop":
            yield from _ping_pong(self._source, self._window_bytes)
            return
        last: Frame | None = None
        for frame in self._source.frames():
            yield frame, frame.time_s
            last = frame
        if self._mode == "freeze" and last is not None:
            yield from _repeat(last, self._source.end_time_s, 1 / self._source.info.rate)
        self.end_time_s = self._source.end_time_s


def fit_frames(
    source: VideoReader | Frame,
    mode: FitMode,
    until: Callable[[Fraction], bool],
    *,
    rate: Fraction = PHOTO_RATE,
    window_bytes: int = WINDOW_BYTES,
) -> FittedFrames:
    """Make a source last as long as it is needed.

    ``loop``: the source is played forwards, backwards, forwards and so on. No frame is shown twice
    in a row, and every interval between two frames is that of the source, so that movement keeps
    its speed in both directions, variable frame rate included. Each turn is made where the picture
    is stillest within half a second of the end (of the beginning), because a reversal is seen by
    the movement it reverses; the few frames beyond a turn are left out.

    ``freeze``: after its end, the source's last frame is repeated at the nominal rate.

    ``trim``: the result ends with the source; cut the sound at ``end_time_s``.

    In every mode the result ends before the first frame whose time is not needed. A photo is
    repeated at ``rate`` whatever the mode.

    Parameters
    ----------
    source : VideoReader or Frame
        A video or a photo.
    mode : {"loop", "freeze", "trim"}
        What happens when the source is shorter than needed.
    until : callable
        Asked once before each frame, with the time in seconds at which it would appear, in order;
        False ends the result. It may wait until the answer is known.
    rate : Fraction
        Frames per second for a photo.
    window_bytes : int
        Bound on the frames kept while running backwards; another 48 MiB at most are held back in
        ``loop`` mode to find a turn.

    Returns
    -------
    FittedFrames
        Frames with consecutive ``index``, exact ``time_s`` and the ``source_index`` they show.

    Raises
    ------
    UsageError
        For an unknown mode.
    MediaError
        While iterating, if the file can no longer be read.
    """
    if mode not in FIT_MODES:
        raise UsageError(f"expected fit to be one of {', '.join(FIT_MODES)}, found {mode!r}")
    return FittedFrames(source, mode, until, rate, window_bytes)


def _repeat(frame: Frame, start_s: Fraction, step_s: Fraction) -> Iterator[tuple[Frame, Fraction]]:
    count = 0
    while True:
        yield frame, start_s + count * step_s
        count += 1


def _ping_pong(reader: VideoReader, window_bytes: int) -> Iterator[tuple[Frame, Fraction]]:
    span = max(1, round(_TURN_SEARCH_S * reader.info.rate))
    span = min(span, max(1, _TURN_BYTES // reader.frame_bytes))
    held: deque[Frame] = deque()
    opening: list[FloatArray] = []
    for frame in reader.frames():
        if len(opening) < span + _STILL_SPAN:
            opening.append(_thumbnail(frame))
        held.append(frame)
        if len(held) > span + _STILL_SPAN:
            shown = held.popleft()
            yield shown, shown.time_s
    count = reader.frames_seen
    # A turn leaves at least half of a short source.
    reach = min(span, count // 4)
    low = _stillest(opening[: reach + _STILL_SPAN], reach)
    closing = [_thumbnail(frame) for frame in list(held)[-(reach + _STILL_SPAN) :]]
    high = count - 1 - _stillest(closing[::-1], reach)
    while held and held[0].index <= high:
        shown = held.popleft()
        yield shown, shown.time_s
    held.clear()
    if low == high:
        yield from _repeat(shown, reader.end_time_s, 1 / reader.info.rate)
    time_s = reader.time_of(high)
    while True:
        for frame in reader.frames_reversed(high - 1, low, window_bytes=window_bytes):
            time_s += reader.time_of(frame.source_index + 1) - frame.time_s
            yield frame, time_s
        for frame in reader.frames(low + 1):
            time_s += frame.time_s - reader.time_of(frame.source_index - 1)
            yield frame, time_s
            if frame.source_index == high:
                break


def _stillest(thumbnails: Sequence[FloatArray], reach: int) -> int:
    """Return how far from the first of ``thumbnails`` the picture is stillest, at most ``reach``.

    Stillness of frame ``i`` is the mean absolute difference to the next few frames, the ones that a
    turn at ``i`` shows before and after it.
    """
    best, least = 0, float("inf")
    for i in range(min(reach + 1, len(thumbnails))):
        others = thumbnails[i + 1 : i + 1 + _STILL_SPAN]
        if not others:
            break
        movement = float(np.mean([np.abs(other - thumbnails[i]).mean() for other in others]))
        if movement < least:
            best, least = i, movement
    return best


def _thumbnail(frame: Frame) -> FloatArray:
    step = max(1, min(frame.y.shape) // _THUMBNAIL_PX)
    height, width = (side // step * step for side in frame.y.shape)
    rows = frame.y[:height:step, :width].reshape(height // step, width // step, step)
    thumbnail: FloatArray = rows.mean(axis=2, dtype=np.float32)
    return thumbnail
