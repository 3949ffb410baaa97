from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from edgeavatar.subtitles.cues import Cue
from edgeavatar.subtitles.files import SubtitleFormat, timestamp, written

CUES = [
    Cue(("Good morning.",), Fraction(1, 10), Fraction(3, 2)),
    Cue(("Fish & chips", "for <i>two</i>"), Fraction(2), Fraction(7261, 2)),
]


def test_subrip() -> None:
    assert "".join(written(CUES[:1], "srt")) == (
        "1\n00:00:00,100 --> 00:00:01,500\nGood morning.\n\n"
    )


def test_webvtt() -> None:
    assert "".join(written(CUES, "vtt")) == (
        "WEBVTT\n\n"
        "00:00:00.100 --> 00:00:01.500\nGood morning.\n\n"
        "00:00:02.000 --> 01:00:30.500\nFish &amp; chips\nfor &lt;i&gt;two&lt;/i&gt;\n\n"
    )


def test_times_are_rounded_to_milliseconds() -> None:
    assert timestamp(Fraction(59_999_6, 10_000), "srt") == "00:01:00,000"
    assert timestamp(Fraction(1, 3), "vtt") == "00:00:00.333"
    assert timestamp(Fraction(360_000), "srt") == "100:00:00,000"


@pytest.mark.parametrize("kind", ["srt", "vtt"])
@pytest.mark.parametrize(
    "text", ["a <i>b</i> c", "3 < 4 & 5 > 4", r"{\an8} {b}", "a --> b", "1 < x"]
)
def test_a_player_shows_the_letters_themselves(
    tmp_path: Path, kind: SubtitleFormat, text: str
) -> None:
    path = tmp_path / f"cue.{kind}"
    path.write_text("".join(written([Cue((text,), Fraction(0), Fraction(1))], kind)), "utf-8")
    with av.open(str(path)) as file:
        shown = [
            subtitle.ass.decode().split(",", 8)[8]
            for packet in file.demux(file.streams.subtitles[0])
            for subtitle in packet.decode()
        ]
    # FFmpeg gives lines of ASS, and escapes braces in two ways.
    for mark, plain in (("\u2060", ""), ("\\{", "{"), ("\\}", "}"), ("{{}", "{")):
        shown = [line.replace(mark, plain) for line in shown]
    assert shown == [text]


def test_no_cues() -> None:
    assert "".join(written([], "srt")) == ""
    assert "".join(written([], "vtt")) == "WEBVTT\n\n"
