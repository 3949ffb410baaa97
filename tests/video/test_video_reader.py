from __future__ import annotations

import shutil
import tracemalloc
import wave
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from conftest_video import pattern

from edgeavatar.errors import MediaError
from edgeavatar.video import open_video

F = Fraction
RATES = [F(24000, 1001), F(25), F(30000, 1001), F(30), F(50), F(60)]
FAST = {"preset": "ultrafast", "crf": "20", "threads": "1"}


def planes_equal(frame, planes) -> bool:
    return all(
        np.array_equal(a, b) for a, b in zip((frame.y, frame.u, frame.v), planes, strict=True)
    )


# ----------------------------------------------------------------------------------- pixels


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("a.mp4", {}),
        ("full.mp4", {"pix_fmt": "yuvj420p", "range_": 2}),
        ("nv12.nut", {"codec": "rawvideo", "pix_fmt": "nv12", "options": {}}),
        ("a.mkv", {"codec": "ffv1", "options": {}}),
        ("odd.mkv", {"codec": "ffv1", "options": {}, "size": (51, 35)}),
        ("odd.nut", {"codec": "rawvideo", "pix_fmt": "nv12", "options": {}, "size": (51, 35)}),
    ],
)
def test_planes_of_420_video_are_bit_exact(make_video, name, spec) -> None:
    width, height = spec.get("size", (64, 48))
    with open_video(make_video(name, 5, **spec)) as reader:
        frames = list(reader.frames())
    assert [f.index for f in frames] == [0, 1, 2, 3, 4] == [f.source_index for f in frames]
    for frame in frames:
        assert planes_equal(frame, pattern(frame.index, width, height))
        assert frame.y.flags.c_contiguous
        assert frame.u.flags.c_contiguous
        assert frame.y.flags.owndata
        assert frame.u.flags.owndata


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(64, 48), (51, 35)])
def test_rotation_is_applied_by_moving_pixels(make_video, degrees, hflip, size) -> None:
    path = make_video(
        "r.mov",
        2,
        size=size,
        codec="rawvideo",
        pix_fmt="nv12",
        format="nut" if False else "mov",
        options={},
        rotation_deg=degrees,
        hflip=hflip,
    )
    with open_video(path) as reader:
        frames = list(reader.frames())
        info = reader.info
    turned = degrees in (90, 270)
    assert (info.width, info.height) == (size[::-1] if turned else size)
    for frame in frames:
        for got, stored in zip(
            (frame.y, frame.u, frame.v), pattern(frame.index, *size), strict=True
        ):
            expected = np.rot90(stored, degrees // 90)
            if hflip:
                expected = expected[:, ::-1]
            assert np.array_equal(got, expected)
            assert got.flags.owndata
    if not hflip:
        assert info.rotation_deg == -degrees % 360
