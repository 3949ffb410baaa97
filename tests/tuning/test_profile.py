from __future__ import annotations

import dataclasses
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeavatar import zoo
from edgeavatar.errors import IntegrityError, OutputError
from edgeavatar.tuning.choice import Candidate, Measurement
from edgeavatar.tuning.profile import (
    Profile,
    profile_path,
    profile_text,
    read_profile,
    write_profile,
)

Maker = Callable[[zoo.Model, str, Candidate], Profile]


@pytest.fixture
def profile(tiny_models: zoo.Model, profile_of: Maker) -> Profile:
    made = profile_of(tiny_models, "net", Candidate("half", "fp16", "openvino", 1))
    measurements = (
        Measurement(Candidate("net", "fp32", "onnxruntime", 2), 1.5, 1.75, 2.5, 30, 0.0),
        Measurement(
            Candidate("wrong", "int8", "onnxruntime", 2), None, None, None, 0, 0.09, "differs"
        ),
    )
    (tuned,) = made.files
    tuned = dataclasses.replace(tuned, measurements=measurements)
    return dataclasses.replace(made, files=(tuned,), notes=("it was busy",))


def test_what_is_written_is_read(profile: Profile, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "profile.json"
    write_profile(profile, path)
    assert read_profile(path) == profile
    assert [entry.name for entry in path.parent.iterdir()] == ["profile.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_people_can_read_it(profile: Profile) -> None:
    told = json.loads(profile_text(profile))
    assert told["measured"] == "2030-01-02T03:04:05Z"
    assert told["machine"]["usable_cores"] >= 1
    assert set(told["machine"]["backends"]) == {"onnxruntime", "openvino"}
    (model,) = told["models"]
    assert (model["model"], model["file"]) == ("tiny", "net")
    assert model["chosen"] == {
        "file": "half",
        "precision": "fp16",
        "backend": "openvino",
        "threads": 1,
    }
    # The weights of an .xml file count as much as the file itself.
    assert set(model["sha256"]) == {"net", "half", "half_bin"}
    assert model["candidates"][0]["p95_ms"] == 2.5
    assert len(profile_text(profile).splitlines()) > 20


def test_a_place_that_cannot_be_written(profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written to .*choose another place"):
        write_profile(profile, tmp_path / "file" / "profile.json")
    folder = tmp_path / "taken"
    folder.mkdir()
    with pytest.raises(OutputError):
        write_profile(profile, folder)
    assert not list(tmp_path.glob("**/*.part"))


def test_where_there_is_none(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path / "no" / "folder.json"):
        with pytest.raises(FileNotFoundError):
            read_profile(path)


def _changed(*keys: Any, to: Any) -> Callable[[Any], Any]:
    def change(told: Any) -> Any:
        place = told
        for key in keys[:-1]:
            place = place[key]
        if to is KeyError:
            del place[keys[-1]]
        else:
            place[keys[-1]] = to
        return told

    return change


FIRST = ("models", 0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _: [], "expected a table"),
        (lambda _: None, "expected a table"),
        (_changed("schema", to=2), "expected schema 1, found 2"),
        (_changed("machine", to=KeyError), "lacks 'machine'"),
        (_changed("machine", to="laptop"), "expected a table around"),
        (_changed("machine", "usable_cores", to="two"), "expected usable_cores as int, found str"),
        (_changed("machine", "usable_cores", to=True), "expected usable_cores as int, found bool"),
        (_changed("measured", to="yesterday"), "Invalid isoformat"),
        (_changed("models", to={}), "expected models as list, found dict"),
        (_changed(*FIRST, to=3), "expected a table around"),
        (_changed(*FIRST, "sha256", to={}), "no sha256 of net or half"),
        (_changed(*FIRST, "chosen", "backend", to="torch"), "no backend 'torch'"),
        (_changed(*FIRST, "chosen", "precision", to="int4"), "no precision 'int4'"),
        (_changed(*FIRST, "chosen", "threads", to=0), "expected 1 to 1024 threads, found 0"),
        (_changed(*FIRST, "chosen", "threads", to=10**9), "expected 1 to 1024 threads"),
        (_changed(*FIRST, "candidates", 0, "p50_ms", to="fast"), "expected p50_ms as a number"),
    ],
)
def test_a_damaged_one_is_told_in_a_line(
    profile: Profile, tmp_path: Path, change: Callable[[Any], Any], complaint: str
) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(change(json.loads(profile_text(profile)))))
    with pytest.raises(IntegrityError, match=complaint) as caught:
        read_profile(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("run: edgeavatar tune")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe{}", b"[" * 100_000, b" " * (5 << 20)],
    ids=["empty", "cut", "no text", "deep", "long"],
)
def test_what_is_no_json_is_told_in_a_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"the profile .*run: edgeavatar tune") as caught:
        read_profile(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_profile(tmp_path)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAVATAR_PROFILE", "none")
    assert profile_path() is None
    monkeypatch.setenv("EDGEAVATAR_PROFILE", str(tmp_path / "mine.json"))
    assert profile_path() == tmp_path / "mine.json"
    monkeypatch.delenv("EDGEAVATAR_PROFILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = profile_path()
    assert found is not None
    assert found.name == "profile.json"
    assert found.parent.name == "edgeavatar"
