"""What ``edgeavatar tune`` measures, writes and says, and what ``doctor`` tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeavatar import cli
from edgeavatar.backends.base import usable_cores
from edgeavatar.tuning.profile import read_profile


@pytest.fixture(autouse=True)
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_store: Callable[[str], object]
) -> Path:
    """Give the usual place of the profile, where none is yet."""
    for name in ("face", "voice-hibari", "vad-silero"):
        model_store(name)
    path = tmp_path / "config" / "profile.json"
    monkeypatch.setenv("EDGEAVATAR_PROFILE", str(path))
    return path


def _doctor(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    assert cli.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["tuning"]
    assert cli.run(["doctor"]) == 0
    told = capsys.readouterr().out
    return found, told[told.index("\nprofile ") :]


def test_it_measures_writes_and_tells(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tune", "--quick", "--models", "vad-silero, mouth-painter"]) == 0
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "measuring vad-silero/vad (1 of 3)",
        "measuring mouth-painter/painter (2 of 3)",
        "measuring mouth-painter/small (3 of 3)",
    ]
    table, _, after = told.out.partition("\n\n")
    header, *rows = table.splitlines()
    assert header.split() == [
        *("MODEL", "FILE", "BACKEND", "PRECISION", "THREADS", "P50", "MS", "P95", "MS", "VERDICT")
    ]
    assert sum(row.endswith("  chosen") for row in rows) == 3
    assert {row.split()[0] for row in rows} == {"vad-silero", "mouth-painter"}
    assert after.splitlines()[0] == f"profile: {place}"
    profile = read_profile(place)
    assert [(t.model, t.file) for t in profile.files] == [
        ("vad-silero", "vad"),
        ("mouth-painter", "painter"),
        ("mouth-painter", "small"),
    ]
    for tuned in profile.files:
        assert tuned.chosen in [m.candidate for m in tuned.measurements if not m.refusal]
    backends = {m.candidate.backend for m in profile.files[1].measurements}
    assert backends == {"onnxruntime", "openvino"}
    apart: dict[str, list[float]] = {"fp16": [], "int8": []}
    for m in profile.files[1].measurements:
        assert m.difference is not None
        apart[m.candidate.precision].append(m.difference)
    assert max(apart["fp16"]) < 1e-4
    # What ships in INT8 computes nearly the same, and is seen to be another file.
    assert all(1e-3 < difference < 0.2 for difference in apart["int8"])
    assert len(apart["int8"]) >= 2


def test_other_models_keep_what_was_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["tune", "--quick", "--models", "vad-silero", "-q"]) == 0
    first = read_profile(place)
    assert cli.run(["tune", "--quick", "--models", "motion-nets", "--threads", "1", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    second = read_profile(place)
    assert [(t.model, t.file) for t in second.files] == [
        ("motion-nets", "listener"),
        ("motion-nets", "mouth"),
        ("vad-silero", "vad"),
    ]
    assert second.files[2] == first.files[0]
    assert {m.candidate.threads for t in second.files[:2] for m in t.measurements} == {1}
    # Of another machine nothing is kept.
    text = place.read_text().replace('"usable_cores": ', '"usable_cores": 9')
    place.write_text(text)
    assert cli.run(["tune", "--quick", "--models", "vad-silero", "-q"]) == 0
    assert [(t.model, t.file) for t in read_profile(place).files] == [("vad-silero", "vad")]


def test_json_is_the_profile(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mine.json"
    arguments = ["--quick", "--models", "vad-silero", "--json", "-o", str(output)]
    assert cli.run(["tune", *arguments]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out == output.read_text()
    assert not place.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--models", "nobody"], (3, "there is no model 'nobody'")),
        (["--models", "face-basis"], (2, "face-basis, which is not installed or has nothing")),
        (["--threads", "0"], (2, "expected threads from 1 to")),
        (["--threads", str(usable_cores() + 1)], (2, "expected threads from 1 to")),
        (["--threads", "two"], (2, "expected --threads as whole numbers like 1,2, found 'two'")),
        (["--threads", "²"], (2, "expected --threads as whole numbers")),
    ],
)
def test_what_cannot_be_measured(
    arguments: list[str], said: tuple[int, str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said
    assert cli.run(["tune", *arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert text in error
    assert error.count("\n") == 1
    assert not place.exists()


def test_no_place_to_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEAVATAR_PROFILE", "none")
    assert cli.run(["tune", "--quick"]) == 2
    assert "EDGEAVATAR_PROFILE=none says" in capsys.readouterr().err


def test_a_busy_machine_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load = usable_cores() / 2 + 0.1
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    assert cli.run(["tune", "--quick", "--models", "vad-silero"]) == 0
    assert f"note: the machine was busy: a load of {load:.1f} on " in capsys.readouterr().out
    monkeypatch.setattr("os.getloadavg", lambda: (load - 0.2, 0.0, 0.0))
    assert cli.run(["tune", "--quick", "--models", "vad-silero"]) == 0
    assert "the machine was busy" not in capsys.readouterr().out


def test_doctor_tells_of_the_profile(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, told = _doctor(capsys)
    assert (found["state"], found["path"]) == ("none", str(place))
    assert f"none at {place}; `edgeavatar tune` measures" in told
    assert cli.run(["tune", "--quick", "--models", "vad-silero", "-q"]) == 0
    found, told = _doctor(capsys)
    assert (found["state"], found["models"], found["told"]) == ("fits", 1, "")
    assert 0.0 <= found["age_days"] < 0.1
    assert "(today), fits this machine, used for 1 model file\n" in told
    sound = place.read_text()
    place.write_text(sound.replace('"onnxruntime": "', '"onnxruntime": "0.'))
    found, told = _doctor(capsys)
    assert (found["state"], found["models"]) == ("stale", 0)
    assert "does not fit this machine" in told
    assert "is not used: it was measured with onnxruntime 0." in told
    place.write_text(sound[:-20])
    found, told = _doctor(capsys)
    assert found["state"] == "damaged"
    assert "no profile is used: the profile" in told
    digest = json.loads(sound)["models"][0]["sha256"]["vad"]
    place.write_text(sound.replace(digest, "0" * 64))
    found, told = _doctor(capsys)
    assert (found["state"], found["models"]) == ("fits", 0)
    assert "is not used for vad-silero/vad: the files have changed" in told
