"""Tracks and renders show the same motion, and a render follows the track that it is given."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from studio import Made, Said, moving, silence, write_video, write_wav

import edgeavatar
from edgeavatar import zoo
from edgeavatar.motion.track_file import read_track
from edgeavatar.pipeline import RenderReport
from edgeavatar.pipeline.motion import MotionJob, write_motion
from edgeavatar.types import MOTION_NAMES

JAW = MOTION_NAMES.index("jawOpen")
TEXT = "Hello there, Bob. My big puppy sleeps."


def render(source: Path, output: Path, **options: object) -> RenderReport:
    return edgeavatar.render(source=source, output=output, preset="ultrafast", **options)


def put_track(path: Path, jaw: list[float], fps: object = 25) -> Path:
    """Write a track of another tool: nothing but the jaw."""
    fields = {
        "format": "edgeavatar-motion",
        "version": 1,
        "fps": fps,
        "names": ["jawOpen"],
        "rows": [[weight] for weight in jaw],
    }
    path.write_text(json.dumps(fields))
    return path


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a reader."""
    from edgeavatar.audio import decode_audio

    recording = zoo.resolve("fixture-speech")["two_cities"]
    sound = np.concatenate([chunk.samples for chunk in decode_audio(recording, 16000)])
    return write_wav(tmp_path_factory.mktemp("speech") / "speech.wav", sound[16000:48000])


# ---------------------------------------------------------------------------- a track is a render's


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
@pytest.mark.parametrize("kind", ["text", "audio"])
def test_a_track_has_the_rows_of_a_render(
    photo: Path, speech: Path, tmp_path: Path, made: Made, kind: str, fps: Fraction
) -> None:
    words = {"text": TEXT, "rate": 1.3} if kind == "text" else {"audio": speech}
    report = render(photo, tmp_path / "out.mp4", fps=fps, **words)
    shown = np.stack(made.rows)
    assert len(shown) == report.frames > 40
    written = write_motion(MotionJob(tmp_path / "track.json", fps=fps, **words))
    track = read_track(tmp_path / "track.json")
    assert (track.rate, written.rows) == (fps, report.frames)
    np.testing.assert_array_equal(track.rows, np.round(shown.astype(np.float64), 4).astype("f4"))
    assert np.ptp(track.rows[:, JAW]) > 0.1
    assert written.duration_s == pytest.approx(report.duration_s, abs=1e-4)


def test_a_render_that_follows_its_own_track_is_the_same(
    clip: Path, tmp_path: Path, made: Made
) -> None:
    render(clip, tmp_path / "one.mp4", text=TEXT)
    own = np.stack(made.rows)
    write_motion(MotionJob(tmp_path / "track.json", text=TEXT))
    made.rows.clear()
    report = render(clip, tmp_path / "two.mp4", text=TEXT, motion=tmp_path / "track.json")
    np.testing.assert_allclose(np.stack(made.rows), own, atol=5.1e-5, rtol=0)
    assert report.warnings == []
    assert report.voice == "hibari"


# ---------------------------------------------------------------------------- a render follows one


def test_the_mouth_follows_the_track_and_not_the_sound(
    photo: Path, speech: Path, tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = importlib.import_module("edgeavatar.pipeline.opening")
    monkeypatch.setattr(opening, "open_vad", lambda: pytest.fail("the sound was listened to"))
    jaw = [0.0, 0.5, 1.0, 0.25] * 13
    track = put_track(tmp_path / "track.json", jaw[:50])
    report = render(photo, tmp_path / "out.mp4", audio=speech, motion=track)
    shown = np.stack(made.rows)
    np.testing.assert_array_equal(shown[:, JAW], np.array(jaw[:50], np.float32))
    assert not np.delete(shown, JAW, axis=1).any()
    assert report.warnings == []
    with av.open(str(tmp_path / "out.mp4")) as result:
        assert float(result.streams.audio[0].duration * result.streams.audio[0].time_base) == 2.0


def test_the_track_is_read_at_the_times_of_the_frames(tmp_path: Path, made: Made) -> None:
    ticks = [0, 3003, 6006, 7000, 12000, 12900, 20000, 24001]
    source = write_video(
        tmp_path / "clip.mp4", moving(8, 192), pts=ticks, time_base=Fraction(1, 90000)
    )
    jaw = np.linspace(0, 1, 11)
    track = put_track(tmp_path / "track.json", jaw.tolist(), "30000/1001")
    sound = silence(tmp_path / "s.wav", 0.3)
    render(source, tmp_path / "out.mp4", audio=sound, motion=track, fit="trim")
    expected = np.interp(np.array(ticks) / 90000, np.arange(11) * 1001 / 30000, jaw)
    np.testing.assert_allclose(np.stack(made.rows)[:, JAW], expected, atol=1e-6)


def test_after_the_track_the_mouth_rests(photo: Path, tmp_path: Path, made: Made) -> None:
    track = put_track(tmp_path / "track.json", [0.5] * 5)
    sound = silence(tmp_path / "s.wav", 0.6)
    report = render(photo, tmp_path / "out.mp4", audio=sound, motion=track)
    assert np.stack(made.rows)[:, JAW].tolist() == [0.5] * 5 + [0.0] * 10
    assert report.warnings == []


@pytest.mark.parametrize(("rows", "told"), [(16, False), (17, True), (40, True)])
def test_a_track_that_is_longer_than_the_sound_is_told(
    photo: Path, tmp_path: Path, rows: int, told: bool
) -> None:
    track = put_track(tmp_path / "track.json", [0.5] * rows)
    sound = silence(tmp_path / "s.wav", 0.6)
    report = render(photo, tmp_path / "out.mp4", audio=sound, motion=track)
    note = (
        f"the motion track lasts {rows / 25:.2f} s and the sound 0.60 s: the rest of the track "
        "was not used"
    )
    assert report.warnings == [note] * told
    assert report.frames == 15


def test_without_sound_the_video_is_silent_and_as_long_as_the_track(
    photo: Path, tmp_path: Path, made: Made
) -> None:
    track = put_track(tmp_path / "track.json", [0.0, 0.5, 1.0] * 4, 30)
    report = render(photo, tmp_path / "out.mp4", motion=track, fps=Fraction(30))
    assert (report.frames, report.duration_s, report.voice) == (12, pytest.approx(0.4), None)
    assert np.stack(made.rows)[:, JAW].tolist() == [0.0, 0.5, 1.0] * 4
    with av.open(str(tmp_path / "out.mp4")) as result:
        assert [stream.type for stream in result.streams] == ["video"]
        assert result.streams.video[0].frames == 12


def test_mouths_that_are_told_to_open_open(clip: Path, tmp_path: Path, made: Made) -> None:
    for name, weight in (("shut", 0.0), ("open", 0.6)):
        render(
            clip,
            tmp_path / f"{name}.mp4",
            motion=put_track(tmp_path / "track.json", [weight] * 5),
            label=None,
        )
    shut, opened = made.frames[4], made.frames[9]
    assert shut.source_index == opened.source_index
    assert (shut.y != opened.y).sum() > 500


# ---------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["--motion", "track.json", "--voice", "hibari"],
            2,
            "--voice, --rate and --volume are for sound, and --motion alone has none; add --text "
            "or --audio",
        ),
        (
            ["--motion", "track.json", "--volume", "-20"],
            2,
            "--voice, --rate and --volume are for sound, and --motion alone has none; add --text "
            "or --audio",
        ),
        (
            ["--motion", "track.json", "-t", "Hi.", "-a", "sound.wav"],
            2,
            "expected either text or audio, found both; give one of --text, --text-file and "
            "--audio",
        ),
        (
            ["--motion", "out.mp4", "-t", "Hi."],
            2,
            "out.mp4 is the motion track itself; give another output",
        ),
        (
            ["--motion", "missing.json", "-t", "Hi."],
            7,
            "expected a motion track at missing.json, found none to read: no such file or "
            "directory; check the path",
        ),
        (
            ["--motion", "wrong.json", "-t", "Hi."],
            7,
            'wrong.json: expected a weight from 0 to 1 for jawOpen in row 1 of "rows" (the first '
            "is 0), found 2; clip it",
        ),
    ],
)
def test_mistakes_are_told_and_leave_nothing(
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    render_command: Callable[..., Said],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    put_track(Path("track.json"), [0.5])
    put_track(Path("wrong.json"), [0.5, 2])
    silence(Path("sound.wav"), 0.2)
    said = render_command("-s", photo, "-o", "out.mp4", *arguments)
    assert said.err.splitlines()[-1] == f"error: {words}"
    assert (said.code, said.out) == (code, "")
    assert sorted(path.name for path in Path().iterdir()) == [
        "sound.wav", "track.json", "wrong.json",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------ memory

PROGRAM = """
import resource, sys
from pathlib import Path
from edgeavatar.pipeline.motion import MotionJob, write_motion
report = write_motion(MotionJob(Path(sys.argv[1]), audio=Path(sys.argv[2])))
print(report.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _measure(folder: Path, seconds: float) -> tuple[int, int]:
    sound = silence(folder / "sound.wav", seconds)
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder / "track.json", sound],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    rows, peak = result.stdout.split()
    return int(rows), int(peak)


def test_four_minutes_take_no_more_memory_than_15_s(tmp_path: Path) -> None:
    rows, short = _measure(tmp_path, 15)
    assert rows == 15 * 25
    rows, long = _measure(tmp_path, 240)
    assert rows == 240 * 25
    assert long < 1.06 * short
