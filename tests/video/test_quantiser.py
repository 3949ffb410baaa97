"""What a decoder tells of the coarseness of a video, and its key frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgeavatar.video.quantiser import mean_quantiser
from edgeavatar.video.reader import open_video


def _film(path: Path, codec: str, **options: str) -> Path:
    draw = np.random.default_rng(0)
    texture = draw.integers(0, 255, (96, 200, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25), options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for k in range(30):
            picture = np.ascontiguousarray(texture[:, k : k + 128])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("quantiser", [18, 30, 45])
def test_a_constant_quantiser_is_read_back(tmp_path: Path, quantiser: int) -> None:
    # No adaptive quantisation, and the same for all kinds of frames.
    options = {"qp": str(quantiser), "x264-params": "aq-mode=0:ipratio=1:pbratio=1"}
    path = _film(tmp_path / "film.mp4", "libx264", **options)
    assert mean_quantiser(path) == pytest.approx(quantiser, abs=0.5)
    assert mean_quantiser(path, 2) == pytest.approx(quantiser, abs=0.5)


def test_other_codecs_do_not_tell(tmp_path: Path) -> None:
    assert mean_quantiser(_film(tmp_path / "film.mkv", "mpeg4")) is None


def test_key_glimpses_are_key_frames(tmp_path: Path) -> None:
    path = _film(tmp_path / "film.mp4", "libx264", g="10", sc_threshold="0")
    with open_video(path) as reader:
        times = [frame.time_s for frame in reader.key_glimpses(6)]
        assert times == [0, Fraction(10, 25), Fraction(20, 25)]
        wanted = {frame.time_s: frame.y for frame in reader.frames()}
        for frame in reader.key_glimpses(6):
            assert np.array_equal(frame.y, wanted[frame.time_s])
