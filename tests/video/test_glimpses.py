"""Looking into a video here and there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edgeavatar.types import Frame
from edgeavatar.video import glimpses
from edgeavatar.video.decode import Decoder, Picture
from edgeavatar.video.reader import open_video

LOOSE = {"qp": "20", "threads": "1", "sc_threshold": "0"}


def _same(one: Frame, other: Frame) -> bool:
    return all(np.array_equal(getattr(one, p), getattr(other, p)) for p in "yuv")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give the times of the pictures that are decoded from now on."""
    times: list[int] = []
    decode = Decoder.__iter__

    def counted(self: Decoder) -> Iterator[Picture]:
        for picture in decode(self):
            times.append(picture.pts)
            yield picture

    monkeypatch.setattr(Decoder, "__iter__", counted)
    return times


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty frames of 64 x 48."""
    monkeypatch.setattr(glimpses, "MOST_DECODED_PX", 60 * 64 * 48)


def test_a_short_video_is_looked_at_from_end_to_end(make_video: Callable[..., Path]) -> None:
    with open_video(make_video("short.mp4", 50)) as reader:
        seen = list(reader.glimpses(10))
        frames = list(reader.frames())
    assert [frame.time_s * 25 for frame in seen] == list(range(3, 50, 5))
    assert all(_same(frame, frames[int(frame.time_s * 25)]) for frame in seen)


def test_a_few_frames_are_all_looked_at(make_video: Callable[..., Path]) -> None:
    with open_video(make_video("three.mp4", 3)) as reader:
        assert [frame.time_s * 25 for frame in reader.glimpses(40)] == [1, 2]


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("name", ["long.mp4", "long.mkv"])
def test_a_long_video_is_looked_at_everywhere_for_little(
    name: str, make_video: Callable[..., Path], decoded: list[int]
) -> None:
    path = make_video(name, 400, options={**LOOSE, "g": "40", "bf": "2"})
    with open_video(path) as reader:
        decoded.clear()
        seen = list(reader.glimpses(20))
        cost = len(decoded)
        frames = {frame.time_s: frame for frame in reader.frames()}
    times = [frame.time_s for frame in seen]
    assert 10 <= len(seen) <= 20
    assert times == sorted(set(times))
    assert cost <= 60 + 20
    assert {int(time / 4) for time in times} == {0, 1, 2, 3}
    assert all(_same(frame, frames[frame.time_s]) for frame in seen)


@pytest.mark.usefixtures("small_budget")
def test_without_an_index_the_beginning_is_looked_at(make_video: Callable[..., Path]) -> None:
    path = make_video("long.ts", 400, options={**LOOSE, "g": "40", "bf": "2"})
    with open_video(path) as reader:
        seen = list(reader.glimpses(20))
        assert len(seen) == 20
        assert seen[-1].time_s < 5
        for frame in seen[::5]:
            again = reader.glimpse(frame.time_s)
            assert again is not None
            assert _same(again, frame)


@pytest.mark.usefixtures("small_budget")
def test_one_key_frame_leaves_the_beginning(
    make_video: Callable[..., Path], decoded: list[int]
) -> None:
    path = make_video("one_key.mp4", 400, options={**LOOSE, "g": "999"})
    with open_video(path) as reader:
        decoded.clear()
        times = [frame.time_s * 25 for frame in reader.glimpses(20)]
    assert times == list(range(0, 60, 3))
    assert len(decoded) <= 61


def test_bytes_count_too(
    make_video: Callable[..., Path], decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video("heavy.mp4", 200, options={**LOOSE, "g": "50"})
    monkeypatch.setattr(glimpses, "MOST_DECODED_BYTES", path.stat().st_size // 4)
    with open_video(path) as reader:
        decoded.clear()
        assert len(list(reader.glimpses(8))) == 8
    assert len(decoded) <= 60


def test_a_time_leads_back_to_its_frame(make_video: Callable[..., Path]) -> None:
    path = make_video("again.mp4", 60, options={**LOOSE, "g": "20", "bf": "2"})
    with open_video(path) as reader:
        for frame in reader.glimpses(7):
            again = reader.glimpse(frame.time_s)
            assert again is not None
            assert again.time_s == frame.time_s
            assert _same(again, frame)


def test_a_time_between_frames_or_behind_them_has_none(make_video: Callable[..., Path]) -> None:
    with open_video(make_video("few.mp4", 10)) as reader:
        assert reader.glimpse(Fraction(1, 60)) is None
        assert reader.glimpse(Fraction(99)) is None


def test_a_turned_video_stays_upright(make_video: Callable[..., Path]) -> None:
    with open_video(make_video("turned.mp4", 10, rotation_deg=90)) as reader:
        frame = next(iter(reader.glimpses(5)))
        assert (frame.width, frame.height) == (48, 64)
