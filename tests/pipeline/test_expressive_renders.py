"""Styles, and faces that follow the words, in finished renders."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from studio import Made, silence, write_wav

import edgeavatar
from edgeavatar import zoo
from edgeavatar.motion.track_file import read_track
from edgeavatar.pipeline.motion import MotionJob, write_motion
from edgeavatar.types import MOTION_NAMES, IdlePose

JAW = MOTION_NAMES.index("jawOpen")
TEXT = "Did you really say that? He never took the money."

Poses: TypeAlias = list[IdlePose]


def render(source: Path, output: Path, **options: object) -> None:
    edgeavatar.render(source=source, output=output, preset="ultrafast", label=None, **options)


@pytest.fixture
def poses(monkeypatch: pytest.MonkeyPatch) -> Poses:
    """Give the head poses that are made from now on."""
    run = importlib.import_module("edgeavatar.pipeline.run")
    record: Poses = []
    idle_pose: Callable[..., IdlePose] = run.idle_pose

    def asked(*given: object) -> IdlePose:
        record.append(idle_pose(*given))
        return record[-1]

    monkeypatch.setattr(run, "idle_pose", asked)
    return record


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a reader."""
    from edgeavatar.audio import decode_audio

    recording = zoo.resolve("fixture-speech")["two_cities"]
    sound = np.concatenate([chunk.samples for chunk in decode_audio(recording, 16000)])
    return write_wav(tmp_path_factory.mktemp("speech") / "speech.wav", sound[16000:80000])


def test_brows_rise_with_the_words_and_more_so_in_a_lively_style(
    photo: Path, tmp_path: Path, poses: Poses
) -> None:
    highest = []
    for style in ("calm", "neutral", "lively"):
        poses.clear()
        render(photo, tmp_path / "out.mp4", text=TEXT, style=style)
        brows = np.array([pose.brow_up for pose in poses])
        highest.append(brows.max())
        assert np.abs(np.diff(brows)).max() < 0.45  # at 25 fps, smooth
        assert brows[0] < 0.15
    assert 0.2 < highest[0] < 0.8 * highest[1] < 0.8 * 0.8 * highest[2]
    assert highest[2] > 0.6


def test_brows_rise_with_a_recording(
    photo: Path, speech: Path, tmp_path: Path, poses: Poses
) -> None:
    render(photo, tmp_path / "out.mp4", audio=speech, style="lively")
    loud = max(pose.brow_up for pose in poses)
    poses.clear()
    hush = silence(tmp_path / "silence.wav", 4.0)
    render(photo, tmp_path / "out.mp4", audio=hush, style="lively", fps=Fraction(10))
    assert max(pose.brow_up for pose in poses) < 0.13 < 0.3 < loud


@pytest.mark.parametrize("kind", ["text", "audio"])
def test_a_face_follows_the_words_although_its_mouth_follows_a_track(
    photo: Path, speech: Path, tmp_path: Path, poses: Poses, kind: str
) -> None:
    words = {"text": TEXT} if kind == "text" else {"audio": speech}
    render(photo, tmp_path / "one.mp4", **words)
    own = list(poses)
    write_motion(MotionJob(tmp_path / "track.json", **words))
    poses.clear()
    render(photo, tmp_path / "two.mp4", motion=tmp_path / "track.json", **words)
    assert poses == own
    assert max(pose.brow_up for pose in poses) > 0.2


def test_filmed_and_still_heads_have_no_pose(
    photo: Path, clip: Path, tmp_path: Path, poses: Poses
) -> None:
    render(photo, tmp_path / "out.mp4", text="Hi.", still=True, style="lively")
    render(clip, tmp_path / "out.mp4", text="Hi.", style="lively")
    assert poses == []


@pytest.mark.parametrize("kind", ["text", "audio"])
def test_articulation_is_the_size_of_the_mouth_and_nothing_else(
    photo: Path, speech: Path, tmp_path: Path, made: Made, poses: Poses, kind: str
) -> None:
    words = {"text": TEXT} if kind == "text" else {"audio": speech}
    jaws, heads = [], []
    for articulation in (0.0, 0.5, 1.0, 1.5):
        made.rows.clear()
        poses.clear()
        render(photo, tmp_path / "out.mp4", articulation=articulation, **words)
        rows = np.stack(made.rows)
        assert rows.any() == (articulation > 0.0)
        jaws.append(rows[:, JAW].max())
        heads.append(list(poses))
    assert jaws[1] == pytest.approx(0.5 * jaws[2], rel=0.1)
    assert jaws[3] > 1.25 * jaws[2]
    assert all(head == heads[0] for head in heads)


def test_a_track_has_the_articulation_of_a_render(photo: Path, tmp_path: Path, made: Made) -> None:
    render(photo, tmp_path / "out.mp4", text=TEXT, style="calm", articulation=0.7)
    written = np.stack(made.rows).astype(np.float64)
    write_motion(MotionJob(tmp_path / "track.json", text=TEXT, style="calm", articulation=0.7))
    track = read_track(tmp_path / "track.json")
    np.testing.assert_array_equal(track.rows, np.round(written, 4).astype("f4"))


@pytest.mark.parametrize("kind", ["text", "audio"])
def test_the_same_expressive_job_gives_the_same_bytes(
    photo: Path, speech: Path, tmp_path: Path, poses: Poses, kind: str
) -> None:
    words = {"text": TEXT} if kind == "text" else {"audio": speech}
    made = []
    for name, seed in (("one.mp4", 1), ("two.mp4", 1), ("three.mp4", 2)):
        render(photo, tmp_path / name, style="lively", seed=seed, fps=Fraction(12), **words)
        made.append(((tmp_path / name).read_bytes(), [(p.blink, p.brow_up) for p in poses]))
        poses.clear()
    assert made[0] == made[1]
    assert made[0][1] != made[2][1]
