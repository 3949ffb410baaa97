"""When a profile counts, and what it then says."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_world import nets, write_manifest, x_of

from edgeavatar import zoo
from edgeavatar.backends import open_session
from edgeavatar.errors import UsageError
from edgeavatar.tuning import load_tuning
from edgeavatar.tuning.choice import Candidate
from edgeavatar.tuning.machine import Machine, what_changed
from edgeavatar.tuning.profile import Profile, write_profile
from edgeavatar.tuning.settings import profile_status, unmeasured

Maker = Callable[[zoo.Model, str, Candidate], Profile]
HALF = Candidate("half", "fp16", "openvino", 1)


@pytest.fixture
def profile(tiny_models: zoo.Model, profile_of: Maker) -> Profile:
    return profile_of(tiny_models, "net", HALF)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profile.json"


def test_the_choice_is_opened_in_place_of_the_base(
    profile: Profile, path: Path, tiny_models: zoo.Model
) -> None:
    write_profile(profile, path)
    tuning = load_tuning(path)
    assert tuning.notes == ()
    base = zoo.own_file("net.onnx")
    with open_session(base, tuned=tuning.models) as session:
        assert session.path == tiny_models.origin / "half.xml"
        assert session.backend == "openvino"
        assert session.reason == "profile: as the test wants it"
        found = session.run({"x": x_of()})["y"]
    with open_session(base) as session:
        assert session.path == base
        np.testing.assert_allclose(found, session.run({"x": x_of()})["y"], rtol=0.01, atol=0.01)


def test_the_usual_place(profile: Profile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAVATAR_PROFILE", str(path))
    assert load_tuning() == load_tuning("none")
    assert profile_status().state == "none"
    write_profile(profile, path)
    assert len(load_tuning().models) == 1
    assert load_tuning("none").models == {}
    assert profile_status().state == "fits"
    monkeypatch.setenv("EDGEAVATAR_PROFILE", "none")
    assert load_tuning().models == {}


def test_a_file_that_was_named_must_be_there(path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a profile at .*tune -o .*profile\.json"):
        load_tuning(path)


def test_a_damaged_file_is_a_line_and_no_error(path: Path) -> None:
    path.write_text('{"schema": 1}')
    tuning = load_tuning(path)
    assert tuning.models == {}
    (note,) = tuning.notes
    assert note.startswith(f"no profile is used: the profile {path} lacks 'machine'")
    assert "\n" not in note
    assert profile_status(path).state == "damaged"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"processor": "Old CPU", "processor_id": "x86_64 0"},
            "it was measured on Old CPU, this is ",
        ),
        ({"processor_id": "x86_64 0"}, "the instruction sets of the processor have changed"),
        ({"usable_cores": 1024}, "it was measured with 1024 cores, this process may use "),
        (
            {"backends": {"onnxruntime": "0.1", "openvino": "0.1"}},
            "it was measured with onnxruntime 0.1, this is ",
        ),
    ],
)
def test_a_profile_of_another_machine_is_passed_over_with_a_line(
    profile: Profile, path: Path, change: dict[str, object], why: str
) -> None:
    machine = dataclasses.replace(profile.machine, **change)  # type: ignore[arg-type]
    write_profile(dataclasses.replace(profile, machine=machine), path)
    tuning = load_tuning(path)
    assert tuning.models == {}
    (note,) = tuning.notes
    assert f"the profile {path} is not used: {why}" in note
    assert note.endswith("; run: edgeavatar tune")
    assert profile_status(path).state == "stale"


def test_what_makes_a_machine_another_one() -> None:
    here = Machine("CPU", "x86_64 1", 4, {"onnxruntime": "1", "openvino": "2"})
    assert what_changed(here, here) is None
    fewer = dataclasses.replace(here, backends={"onnxruntime": "1"})
    assert what_changed(here, fewer) == "it was measured with openvino 2, it is not here"
    assert what_changed(fewer, here) == "it was measured with openvino missing, this is 2"
    one = dataclasses.replace(here, usable_cores=1)
    assert what_changed(one, here) == "it was measured with 1 core, this process may use 4"


@pytest.mark.parametrize("changed", ["net.onnx", "half.xml", "half.bin"])
def test_a_changed_model_is_passed_over_with_a_line(
    profile: Profile,
    path: Path,
    tiny_models: zoo.Model,
    changed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_profile(profile, path)
    folder = tiny_models.origin.parent / "newer"
    folder.mkdir()
    for name in ("net.onnx", "half.xml", "half.bin"):
        (folder / name).write_bytes((tiny_models.origin / name).read_bytes())
    with (folder / changed).open("ab") as file:
        file.write(b" ")
    half = {"variant_of": "net", "precision": "fp16", "weights": "half_bin"}
    files = {"net": ("net.onnx", {}), "half": ("half.xml", half), "half_bin": ("half.bin", {})}
    write_manifest(folder, files)
    monkeypatch.setattr(zoo, "models_dir", lambda: folder)
    tuning = load_tuning(path)
    assert tuning.models == {}
    (note,) = tuning.notes
    assert "is not used for tiny/net: the files have changed since they were measured" in note


def test_a_variant_that_is_gone_or_damaged(
    profile: Profile, path: Path, tiny_models: zoo.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profile(profile, path)
    half = tiny_models.origin / "half.bin"
    content = half.read_bytes()
    half.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    tuning = load_tuning(path)
    assert tuning.models == {}
    assert len(tuning.notes) == 1
    assert "half.bin: expected SHA-256" in tuning.notes[0]
    folder = tiny_models.origin.parent / "newer"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(nets.tiny_model())
    write_manifest(folder, {"net": ("net.onnx", {})})
    monkeypatch.setattr(zoo, "models_dir", lambda: folder)
    assert load_tuning(path).models == {}


def test_variants_that_came_later_are_known(
    profile: Profile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeavatar import diagnosis

    assert unmeasured(profile) == ["tiny/wrong", "tiny/renamed", "tiny/broken"]
    write_profile(profile, path)
    monkeypatch.setenv("EDGEAVATAR_PROFILE", str(path))
    told = diagnosis._tuning(load_tuning()).told
    assert told.startswith("not yet measured here: tiny/wrong, tiny/renamed, tiny/broken; run: ")


def test_models_that_are_not_here_are_nobodys_business(profile: Profile, path: Path) -> None:
    (tuned,) = profile.files
    other = dataclasses.replace(tuned, model="gone")
    write_profile(dataclasses.replace(profile, files=(other, tuned)), path)
    tuning = load_tuning(path)
    assert len(tuning.models) == 1
    assert tuning.notes == ()


def test_a_file_that_is_no_variant_is_not_opened_in_its_place(
    tiny_models: zoo.Model, profile_of: Maker, path: Path
) -> None:
    write_profile(profile_of(tiny_models, "half", Candidate("net", "fp32", "openvino", 1)), path)
    assert load_tuning(path).models == {}


def test_reading_a_profile_loads_no_backend(profile: Profile, path: Path) -> None:
    """A voice needs one of them, and the other takes longer to load than to speak."""
    write_profile(profile, path)
    program = (
        "import sys; from edgeavatar.tuning import load_tuning\n"
        f"assert load_tuning({str(path)!r}).notes == ()\n"
        "print({'onnxruntime', 'openvino', 'cv2', 'av'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "set()\n", done.stderr
