"""Subtitles within the file: what was put in comes out of it, at the same time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgeavatar.types import AudioChunk, ColourTags, Frame
from edgeavatar.video.writer import VideoWriter

TOLD = (
    ("Good morning.", Fraction(1, 2), Fraction(2)),
    ("Two\nlines, é", Fraction(9), Fraction(12)),
)


def frame(index: int) -> Frame:
    plane, chroma = np.full((64, 64), index, np.uint8), np.full((32, 32), 128, np.uint8)
    return Frame(index, Fraction(index, 10), plane, chroma, chroma, ColourTags())


def write(path: Path, told: tuple[tuple[str, Fraction, Fraction], ...] = TOLD) -> Path:
    with VideoWriter(
        path, 64, 64, rate=Fraction(10), audio_rate=16000, subtitles="eng", threads=1
    ) as writer:
        waiting = list(told)
        for i in range(130):
            writer.write_frame(frame(i))
            writer.write_audio(AudioChunk(np.zeros(1600, np.float32), 16000, i * 1600))
            while waiting and waiting[0][2] <= Fraction(i, 10):
                writer.write_subtitle(*waiting.pop(0))
        writer.finish(Fraction(13))
    return path


def read(path: Path) -> list[tuple[str, float, float]]:
    with av.open(str(path)) as file:
        stream = file.streams.subtitles[0]
        found = []
        for packet in file.demux(stream):
            data = bytes(packet)
            if stream.codec_context.name == "mov_text":
                data = data[2:]
            if data:
                start = float(packet.pts * packet.time_base)
                found.append(
                    (data.decode(), start, start + float(packet.duration * packet.time_base))
                )
        return found


@pytest.mark.parametrize("ending", ["mp4", "m4v", "mov", "mkv", "webm"])
def test_text_and_times_come_back(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"told.{ending}")
    assert read(path) == [(text, float(start), float(end)) for text, start, end in TOLD]
    with av.open(str(path)) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio", "subtitle"]
        assert file.streams.subtitles[0].metadata["language"] == "eng"
        assert file.duration == pytest.approx(13_000_000, abs=40_000)
    with av.open(str(path)) as file:
        assert sum(1 for _ in file.decode(video=0)) == 130


def test_a_track_may_be_empty(tmp_path: Path) -> None:
    for ending in ("mp4", "mkv", "webm"):
        path = write(tmp_path / f"mute.{ending}", ())
        with av.open(str(path)) as file:
            assert sum(1 for _ in file.decode(video=0)) == 130


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write(tmp_path / f"{name}.mp4").read_bytes() for name in "ab")
    assert one == other


def test_what_text_is_read_as(tmp_path: Path) -> None:
    found = {}
    for ending in ("mp4", "mkv", "webm"):
        writer = VideoWriter(tmp_path / f"x.{ending}", 64, 64, rate=Fraction(10), subtitles="eng")
        found[ending] = writer.subtitle_markup
        writer.abort()
    assert found == {"mp4": "none", "mkv": "srt", "webm": "vtt"}


def test_wrong_use_is_an_error(tmp_path: Path) -> None:
    plain = VideoWriter(tmp_path / "plain.mp4", 64, 64, rate=Fraction(10))
    with pytest.raises(ValueError, match="without subtitles"):
        plain.write_subtitle("x", Fraction(0), Fraction(1))
    plain.abort()
    writer = VideoWriter(tmp_path / "track.mp4", 64, 64, rate=Fraction(10), subtitles="eng")
    writer.write_subtitle("x", Fraction(0), Fraction(1))
    with pytest.raises(ValueError, match="starts at 1000 ms or later"):
        writer.write_subtitle("y", Fraction(1, 2), Fraction(2))
    with pytest.raises(ValueError, match="and lasts"):
        writer.write_subtitle("y", Fraction(2), Fraction(2))
    writer.abort()
    assert list(tmp_path.iterdir()) == []
