"""Renders, tracks and voices go by what was measured."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from studio import Said, silence

import edgeavatar
from edgeavatar import cli, diagnosis, speech, zoo
from edgeavatar.backends import selection
from edgeavatar.tuning.choice import Candidate
from edgeavatar.tuning.machine import this_machine
from edgeavatar.tuning.profile import Profile, TunedFile, write_profile
from edgeavatar.tuning.settings import digests

Opened = list[tuple[str, str, int]]

CHOICES = {
    ("mouth-painter", "painter"): Candidate("painter", "fp32", "onnxruntime", 1),
    ("face", "mesh"): Candidate("mesh", "fp32", "openvino", 1),
    ("motion-nets", "mouth"): Candidate("mouth", "fp32", "onnxruntime", 2),
    ("motion-nets", "listener"): Candidate("listener", "fp32", "onnxruntime", 2),
    ("vad-silero", "vad"): Candidate("vad", "fp32", "onnxruntime", 2),
    ("voice-hibari", "acoustic"): Candidate("acoustic", "fp32", "onnxruntime", 2),
}


def _profile() -> Profile:
    moment = datetime(2030, 1, 2, tzinfo=UTC)
    files = [
        TunedFile(
            model=name,
            file=key,
            measured=moment,
            sha256=digests(zoo.load_manifest().model(name), {key}),
            chosen=chosen,
            reason=f"{chosen.threads} as the test wants it",
            measurements=(),
        )
        for (name, key), chosen in CHOICES.items()
    ]
    return Profile("0", moment, this_machine(), (), tuple(files))


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "profile.json"
    write_profile(_profile(), path)
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Give file, backend and threads of what is opened from now on."""
    record: Opened = []
    real = selection._Opener.open

    def watched(self: Any, backend: str, device: str, reason: str) -> Any:
        record.append((self.path.name, backend, self.threads))
        return real(self, backend, device, reason)

    monkeypatch.setattr(selection._Opener, "open", watched)
    return record


def test_a_render_opens_what_the_profile_says(
    photo: Path, tmp_path: Path, profile: Path, opened: Opened
) -> None:
    report = edgeavatar.render(
        source=photo,
        output=tmp_path / "out.mp4",
        text="Ma.",
        renderer="neural",
        profile=str(profile),
    )
    assert report.backends["painter"] == "onnxruntime on cpu: profile: 1 as the test wants it"
    assert report.backends["mesh"] == "openvino on cpu: profile: 1 as the test wants it"
    assert report.warnings == []
    assert ("mouth_painter.onnx", "onnxruntime", 1) in opened
    assert ("face_landmarks_detector.tflite", "openvino", 1) in opened
    assert ("motion_mouth.onnx", "onnxruntime", 2) in opened
    assert ("hibari.onnx", "onnxruntime", 2) in opened
    # What was not measured is opened as ever.
    assert any(name == "face_detector.tflite" for name, *_ in opened)


def test_sound_is_heard_by_what_the_profile_says(
    tmp_path: Path, profile: Path, opened: Opened
) -> None:
    sound, track = silence(tmp_path / "sound.wav", 0.3), tmp_path / "track.json"
    assert cli.run(["motion", str(sound), "-o", str(track), "--profile", str(profile), "-q"]) == 0
    assert sorted(opened) == [
        ("motion_listener.onnx", "onnxruntime", 2),
        ("motion_mouth.onnx", "onnxruntime", 2),
        ("silero_vad_16k_op15.onnx", "onnxruntime", 2),
    ]


def test_the_usual_place_is_looked_at_unless_told_otherwise(
    tmp_path: Path, profile: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEAVATAR_PROFILE", str(profile))
    arguments = ["-t", "Hi.", "-o", str(tmp_path / "out.wav"), "-q"]
    assert cli.run(["speak", *arguments]) == 0
    assert cli.run(["speak", *arguments, "--profile", "none"]) == 0
    assert cli.run(["speak", *arguments, "--threads", "1"]) == 0
    assert [(name, threads) for name, _, threads in opened] == [
        ("hibari.onnx", 2),
        ("hibari.onnx", 1),
        ("hibari.onnx", 1),
    ]


def test_a_backend_that_is_asked_for_wins(
    photo: Path,
    tmp_path: Path,
    profile: Path,
    opened: Opened,
    render_command: Callable[..., Said],
) -> None:
    arguments = ["-s", photo, "-t", "Hi.", "-o", tmp_path / "out.mp4", "--renderer", "neural"]
    said = render_command(*arguments, "--json", "--profile", profile, "--backend", "openvino")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["backends"]["painter"] == "openvino on cpu: openvino was asked for"
    assert told["backends"]["mesh"] == "openvino on cpu: openvino was asked for"
    assert ("hibari.onnx", "openvino", 1) in opened


@pytest.mark.parametrize("kind", ["stale", "damaged"])
def test_what_does_not_count_is_a_line_and_the_render_goes_on(
    kind: str, photo: Path, tmp_path: Path, profile: Path, render_command: Callable[..., Said]
) -> None:
    if kind == "stale":
        made = _profile()
        machine = dataclasses.replace(made.machine, usable_cores=512)
        write_profile(dataclasses.replace(made, machine=machine), profile)
    else:
        profile.write_text("{")
    output = tmp_path / "out.mp4"
    said = render_command("-s", photo, "-t", "Hi.", "-o", output, "--profile", profile)
    assert said.code == 0, said.err
    notes = [line for line in said.out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert str(profile) in notes[0]
    assert notes[0].endswith("run: edgeavatar tune")
    assert output.exists()


def test_a_profile_that_is_not_there_stops_before_work_is_done(
    photo: Path, tmp_path: Path, opened: Opened, render_command: Callable[..., Said]
) -> None:
    output = tmp_path / "out.mp4"
    said = render_command("-s", photo, "-t", "Hi.", "-o", output, "--profile", tmp_path / "no.json")
    assert said.code == 2
    assert "expected a profile at" in said.err
    assert said.err.count("error: ") == 1
    assert opened == []
    assert not output.exists()


def test_voices_and_doctor_measure_what_the_profile_says(
    profile: Path,
    opened: Opened,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    detector = Candidate("detector", "fp32", "openvino", 1)
    monkeypatch.setitem(CHOICES, ("face", "detector"), detector)
    write_profile(_profile(), profile)
    monkeypatch.setenv("EDGEAVATAR_PROFILE", str(profile))
    monkeypatch.setenv("EDGEAVATAR_CACHE", str(tmp_path / "cache"))
    found = diagnosis.diagnose()
    assert found.face_detector.endswith(" ms, as tuned")
    name = zoo.file_of("face", "detector").name
    assert opened == [(name, "openvino", 1)]
    opened.clear()
    monkeypatch.setattr(speech, "list_voices", lambda: [speech.find_voice("hibari")])
    assert cli.run(["voices", "--json"]) == 0
    name = zoo.file_of("voice-hibari", "acoustic").name
    assert opened == [(name, "onnxruntime", 2)]
    (row,) = json.loads(capsys.readouterr().out)
    # Measured once: the second time it is known.
    assert cli.run(["voices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [row]
    assert len(opened) == 1
    # A profile of another machine is told, and not used.
    stale = dataclasses.replace(_profile().machine, usable_cores=99)
    write_profile(dataclasses.replace(_profile(), machine=stale), profile)
    assert cli.run(["voices", "--json"]) == 0
    assert "note: the profile" in capsys.readouterr().err
    assert opened[-1] == (name, "onnxruntime", 1)
