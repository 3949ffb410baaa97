"""``render --subtitles``: the words beside the file, in it, and in the picture."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from studio import Made, Said, moving, write_video

import edgeavatar
from edgeavatar import zoo
from edgeavatar.face.topology import LIPS
from edgeavatar.pipeline import captions as captions_module
from edgeavatar.pipeline.captions import Captions, mouth_box
from edgeavatar.speech import open_voice
from edgeavatar.subtitles.cues import Word
from edgeavatar.subtitles.drawing import Caption, Stage
from edgeavatar.trust.label import draw_label
from edgeavatar.types import ColourTags, FaceObservation, Frame, HeadPose

TEXT = "Good morning, dear visitors. The café opens at nine."
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)[,.](\d{3})")


def seconds(text: str) -> list[float]:
    return [
        3600 * int(h) + 60 * int(m) + int(s) + int(ms) / 1000 for h, m, s, ms in _TIME.findall(text)
    ]


def blocks(path: Path) -> list[tuple[float, float, str]]:
    found = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = [line for line in block.split("\n") if not line.isdecimal()]
        if "-->" in lines[0]:
            start, end = seconds(lines[0])
            found.append((start, end, " ".join(lines[1:])))
    return found


def test_files_with_exact_times_of_a_text(
    photo: Path, tmp_path: Path, render_command: Callable[..., Said]
) -> None:
    output = tmp_path / "hello.mp4"
    said = render_command(
        *("-s", photo, "-t", TEXT, "--renderer", "geometric", "--preset", "ultrafast"),
        *("--subtitles", "srt,vtt", "-o", output, "--json"),
    )
    assert said.code == 0
    report = json.loads(said.out)
    assert report["subtitles"] == [str(output.with_suffix(".srt")), str(output.with_suffix(".vtt"))]
    found = blocks(output.with_suffix(".srt"))
    assert found == blocks(output.with_suffix(".vtt"))
    assert " ".join(text for _, _, text in found) == TEXT
    spoken = list(open_voice("hibari").synthesize(TEXT))
    rate = spoken[0].audio.sample_rate
    starts = {round(word.start_sample / rate, 3) for chunk in spoken for word in chunk.words}
    assert {start for start, _, _ in found} <= starts
    assert found[0][0] == min(starts)
    assert all(end <= report["duration_s"] + 0.0006 for _, end, _ in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "hello.mp4",
        "hello.srt",
        "hello.vtt",
    ]


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_track_of_a_recording(
    clip: Path,
    tmp_path: Path,
    render_command: Callable[..., Said],
    ending: str,
) -> None:
    speech = zoo.resolve("fixture-speech")["beckett"]
    output = tmp_path / f"said.{ending}"
    said = render_command(
        *("-s", clip, "-a", speech, "--renderer", "geometric", "--preset", "ultrafast", "-q"),
        *("--subtitles", "track", "--subtitles", "srt", "-o", output),
    )
    assert said == Said(0, "", "")
    beside = blocks(output.with_suffix(".srt"))
    words = re.findall(r"[a-z]+", " ".join(text for *_, text in beside).lower())
    assert " ".join(words) == ("ever tried ever failed no matter try again fail again fail better")
    with av.open(str(output)) as file:
        stream = file.streams.subtitles[0]
        assert stream.metadata["language"] == "eng"
        inside = []
        for packet in file.demux(stream):
            text = bytes(packet)[2 if ending == "mp4" else 0 :].decode()
            if text:
                start = float(packet.pts * packet.time_base)
                end = start + float(packet.duration * packet.time_base)
                inside.append((round(start, 3), round(end, 3), text.replace("\n", " ")))
        assert inside == beside
        assert file.duration == pytest.approx(9_963_000, abs=40_000)


def test_burnt_in_words_show_while_they_are_spoken(
    photo: Path, tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No mouth to move away from, so that they stand just above the label.
    monkeypatch.setattr(captions_module, "mouth_box", lambda _: (0, 0, 0, 0))

    def frames(*kinds: str) -> list[Frame]:
        made.frames.clear()
        edgeavatar.render(
            source=photo,
            text=TEXT,
            output=tmp_path / "hello.mp4",
            renderer="geometric",
            preset="ultrafast",
            subtitles=kinds,  # type: ignore[arg-type]
        )
        return list(made.frames)

    plain, burnt = frames(), frames("burn", "srt")
    cues = blocks(tmp_path / "hello.srt")
    label = draw_label("AI-generated", 320, 320, ColourTags())
    height, width = label.alpha.shape
    for one, other in zip(plain, burnt, strict=True):
        time_s = float(one.time_s)
        shown = any(start <= time_s + 0.0005 and time_s < end - 0.0005 for start, end, _ in cues)
        changed = one.y != other.y
        assert changed.any() == shown, time_s
        assert not changed[label.y0 : label.y0 + height, label.x0 : label.x0 + width].any()
        if shown:
            assert other.y[changed].max() > 225


def test_a_subtitle_does_not_jump(
    tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head nods far enough for both places; each subtitle keeps its own."""
    places: dict[str, set[int]] = {}
    apply, draw = Caption.apply, captions_module.draw_caption
    lines: dict[int, str] = {}

    def drawn(text: tuple[str, ...], *rest: object) -> Caption:
        caption = draw(text, *rest)  # type: ignore[arg-type]
        lines[id(caption.alpha)] = text[0]
        return caption

    def applied(self: Caption, frame: Frame) -> Frame:
        places.setdefault(lines[id(self.alpha)], set()).add(self.y0)
        return apply(self, frame)

    monkeypatch.setattr(captions_module, "draw_caption", drawn)
    monkeypatch.setattr(Caption, "apply", applied)
    nods = [0, 200] * 200
    monkeypatch.setattr(
        captions_module, "mouth_box", lambda _: (100, nods[0], 220, nods.pop(0) + 40)
    )
    edgeavatar.render(
        source=photo,
        text=TEXT,
        output=tmp_path / "a.mp4",
        renderer="geometric",
        preset="ultrafast",
        subtitles=("burn",),
    )
    assert places
    assert all(len(rows) == 1 for rows in places.values())


def _face(centre_y: float) -> FaceObservation:
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, 0] = 160
    landmarks[list(LIPS), 0] = np.linspace(130, 190, len(LIPS))
    landmarks[list(LIPS), 1] = np.linspace(centre_y - 10, centre_y + 10, len(LIPS))
    pose = HeadPose(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 1.0, 0, 0, 0)
    return FaceObservation(landmarks, 1.0, pose, np.zeros(52, np.float32))


def _frame(time_s: Fraction) -> Frame:
    plane, chroma = np.full((320, 320), 100, np.uint8), np.full((160, 160), 128, np.uint8)
    return Frame(0, time_s, plane, chroma, chroma, ColourTags())


@pytest.mark.parametrize(("mouth_y", "at_top"), [(150.0, False), (270.0, True)])
def test_the_mouth_stays_free(mouth_y: float, at_top: bool) -> None:
    stage = Stage(320, 320, ColourTags(), 320)
    words = [Word("Good morning.", Fraction(0), Fraction(1))]
    captions = Captions(words, {}, track=False, stage=stage)
    face = _face(mouth_y)
    made = captions.draw(_frame(Fraction(1, 2)), face)
    rows, columns = np.nonzero(made.y != 100)
    assert (rows.max() < 160) == at_top
    left, top, right, bottom = mouth_box(face)
    inside = (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
    assert not inside.any()


def test_without_a_face_the_last_place_counts() -> None:
    stage = Stage(320, 320, ColourTags(), 320)
    words = [
        Word("Good morning.", Fraction(0), Fraction(1)),
        Word("Good evening.", Fraction(5), Fraction(6)),
    ]
    captions = Captions(words, {}, track=False, stage=stage)
    captions.draw(_frame(Fraction(0)), _face(270.0))
    between = captions.draw(_frame(Fraction(4)), None)
    assert (between.y == 100).all()
    later = captions.draw(_frame(Fraction(5)), None)
    assert np.nonzero(later.y != 100)[0].max() < 160


def test_what_is_cut_off_is_not_written(
    tmp_path: Path, render_command: Callable[..., Said]
) -> None:
    clip = write_video(tmp_path / "short.mp4", moving(30))
    output = tmp_path / "cut.mp4"
    said = render_command(
        *("-s", clip, "-t", TEXT, "--fit", "trim", "--renderer", "geometric", "-q"),
        *("--preset", "ultrafast", "--subtitles", "srt,track", "-o", output),
    )
    assert said == Said(0, "", "")
    found = blocks(output.with_suffix(".srt"))
    assert len(found) == 1
    assert found[0][1] == 1.2
    with av.open(str(output)) as file:
        assert file.duration == pytest.approx(1_200_000, abs=25_000)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["-t", "Fine 😀.", "--subtitles", "burn,srt"], 2, "GRINNING FACE"),
        (["-t", "Hello.", "--subtitles", "ass"], 2, "srt, vtt, track, burn, found 'ass'"),
        (["--motion", "m.json", "--subtitles", "srt"], 2, "--motion alone has none"),
    ],
)
def test_what_cannot_be_done_is_refused(
    photo: Path,
    tmp_path: Path,
    render_command: Callable[..., Said],
    options: list[str],
    code: int,
    said: str,
) -> None:
    found = render_command("-s", photo, *options, "-o", tmp_path / "out.mp4", "-q")
    assert found.code == code
    assert said in found.err
    assert found.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_small_picture_is_refused(tmp_path: Path, render_command: Callable[..., Said]) -> None:
    clip = write_video(tmp_path / "small.mp4", moving(5, 96))
    found = render_command(
        *("-s", clip, "-t", "Hello.", "--subtitles", "burn", "-q", "-o", tmp_path / "out.mp4")
    )
    assert found.code == 2
    assert "96 x 96" in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["small.mp4"]


def test_subtitles_are_not_written_over_what_is_read(
    photo: Path, tmp_path: Path, render_command: Callable[..., Said]
) -> None:
    track = tmp_path / "out.srt"
    track.write_text("a motion track, of all names")
    found = render_command(
        *("-s", photo, "-t", "Hello.", "--motion", track, "--subtitles", "srt", "-q"),
        *("-o", tmp_path / "out.mp4"),
    )
    assert found.code == 2
    assert "written over" in found.err
    assert track.read_text() == "a motion track, of all names"


def test_nothing_is_left_of_a_render_that_fails(
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    render_command: Callable[..., Said],
) -> None:
    old = tmp_path / "out.srt"
    old.write_text("from before")

    def fails(*_: object) -> Frame:
        raise KeyboardInterrupt

    monkeypatch.setattr(Captions, "draw", fails)
    found = render_command(
        *("-s", photo, "-t", "Hello.", "--subtitles", "srt,vtt", "-q", "-o", tmp_path / "out.mp4")
    )
    assert found.code == 130
    assert old.read_text() == "from before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.srt"]
