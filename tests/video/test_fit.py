from __future__ import annotations

import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from video_maker import pattern

from edgeavatar.errors import UsageError
from edgeavatar.types import Frame
from edgeavatar.video import fit_frames, open_video
from edgeavatar.video.photo import PHOTO_COLOUR

F = Fraction
LOSSY = {"preset": "ultrafast", "crf": "20", "threads": "1"}


def until(end):
    return lambda time_s: time_s < end


def bar(position, size=(96, 64)):
    """Draw a bright bar at a horizontal position."""
    y, u, v = pattern(0, *size)
    y[:] = 60
    y[:, int(position) : int(position) + 12] = 200
    return y, u, v


def check_loop(frames, source_times) -> None:
    """Check what holds for every loop: neighbours follow each other, and so do their times."""
    assert [f.index for f in frames] == list(range(len(frames)))
    assert frames[0].source_index == 0
    assert frames[0].time_s == 0
    for a, b in pairwise(frames):
        assert abs(a.source_index - b.source_index) == 1
        gap = abs(source_times[b.source_index] - source_times[a.source_index])
        assert b.time_s - a.time_s == gap


def test_loop_goes_back_and_forth_with_the_intervals_of_the_source(make_video) -> None:
    pts = np.cumsum([0, 40, 41, 40, 100, 7, 33, 40, 40, 55, 40, 40, 12, 40, 40, 40]).tolist()
    options = {**LOSSY, "x264-params": "keyint=5:bframes=2"}
    path = make_video("v.mp4", 16, pts=pts, time_base=F(1, 1000), options=options)
    with open_video(path) as reader:
        originals = list(reader.frames())
        fitted = fit_frames(reader, "loop", until(3), window_bytes=3 * reader.frame_bytes)
        frames = list(fitted)
    check_loop(frames, [F(p, 1000) for p in pts])
    assert frames[-1].time_s < 3 <= fitted.end_time_s
    indices = [f.source_index for f in frames]
    turns = [b for a, b, c in zip(indices, indices[1:], indices[2:], strict=False) if a == c]
    assert len(turns) >= 4
    assert len(set(turns)) == 2
    assert min(turns) <= 4
    assert max(turns) >= 11
    for frame in frames:
        assert np.array_equal(frame.y, originals[frame.source_index].y)
        assert np.array_equal(frame.v, originals[frame.source_index].v)


def test_loop_turns_where_the_picture_is_still(make_video) -> None:
    # The bar starts at once, rests over frames 5 to 8, runs, rests over 50 to 54, runs on.
    speed = np.full(60, 3.0)
    speed[6:9] = 0
    speed[51:55] = 0
    places = np.cumsum(speed) % 80
    path = make_video("b.mp4", [bar(p) for p in places], size=(96, 64), options=LOSSY)
    with open_video(path) as reader:
        frames = list(fit_frames(reader, "loop", until(8)))
        indices = [f.source_index for f in frames]
        check_loop(frames, [F(i, 25) for i in range(60)])
    assert max(indices) in range(50, 55)
    assert min(indices[60:]) in range(5, 9)


def test_loop_plays_everything_when_it_need_not_turn(make_video) -> None:
    with open_video(make_video("a.mp4", 40, options=LOSSY)) as reader:
        fitted = fit_frames(reader, "loop", until(F(10, 25)))
        assert [f.source_index for f in fitted] == list(range(10))
        assert fitted.end_time_s == F(10, 25)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_loop_of_very_short_sources(make_video, count) -> None:
    with open_video(make_video("a.mp4", count, options=LOSSY)) as reader:
        frames = list(fit_frames(reader, "loop", until(1)))
    assert [f.time_s for f in frames] == [F(i, 25) for i in range(25)]
    assert {f.source_index for f in frames} <= set(range(count))
    if count > 1:
        check_loop(frames, [F(i, 25) for i in range(count)])


def test_loop_holds_little(make_video) -> None:
    size = (480, 360)
    options = {**LOSSY, "x264-params": "keyint=500"}
    path = make_video("l.mp4", [pattern(0, *size)] * 100, size=size, options=options)
    peaks = []
    for seconds in (8, 16):
        with open_video(path) as reader:
            window = 8 * reader.frame_bytes
            fitted = fit_frames(reader, "loop", until(seconds), window_bytes=window)
            tracemalloc.start()
            assert sum(1 for _ in fitted) == 25 * seconds
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            # Half a second is held back to find a turn, and later one window.
            assert peaks[-1] < (12 + 8 + 8) * reader.frame_bytes
    assert peaks[1] <= 1.02 * peaks[0]


def test_freeze_repeats_the_last_frame(make_video) -> None:
    with open_video(make_video("a.mp4", 5, options=LOSSY, rate=F(30000, 1001))) as reader:
        fitted = fit_frames(reader, "freeze", until(F(1, 2)))
        frames = list(fitted)
    assert [f.source_index for f in frames] == [0, 1, 2, 3] + [4] * 11
    assert [f.index for f in frames] == list(range(15))
    assert [f.time_s for f in frames] == [F(1001 * i, 30000) for i in range(15)]
    assert fitted.end_time_s == F(1001 * 15, 30000)


def test_trim_ends_with_the_shorter(make_video) -> None:
    with open_video(make_video("a.mp4", 5, options=LOSSY)) as reader:
        fitted = fit_frames(reader, "trim", until(9))
        assert [f.source_index for f in fitted] == [0, 1, 2, 3, 4]
        assert fitted.end_time_s == F(5, 25)
        fitted = fit_frames(reader, "trim", until(F(2, 25)))
        assert [f.source_index for f in fitted] == [0, 1]
        assert fitted.end_time_s == F(2, 25)


@pytest.mark.parametrize("mode", ["loop", "freeze", "trim"])
def test_a_photo_lasts(mode) -> None:
    photo = Frame(0, F(0), *pattern(0, 32, 32), PHOTO_COLOUR)
    fitted = fit_frames(photo, mode, until(1), rate=F(30000, 1001))
    frames = list(fitted)
    assert [f.time_s for f in frames] == [F(1001 * i, 30000) for i in range(30)]
    assert {f.source_index for f in frames} == {0}
    assert fitted.end_time_s == F(30030, 30000)


def test_each_time_is_asked_for_once_and_in_order(make_video) -> None:
    asked = []

    def needed(time_s):
        asked.append(time_s)
        return len(asked) < 30

    with open_video(make_video("a.mp4", 10, options=LOSSY)) as reader:
        frames = list(fit_frames(reader, "loop", needed))
    assert asked == [f.time_s for f in frames] + [F(29, 25)]


def test_an_unknown_mode_is_refused(make_video) -> None:
    with (
        open_video(make_video("a.mp4", 1)) as reader,
        pytest.raises(UsageError, match="loop, freeze, trim, found 'bounce'"),
    ):
        fit_frames(reader, "bounce", until(1))  # type: ignore[arg-type]
