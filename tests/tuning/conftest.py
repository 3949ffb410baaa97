"""A manifest of one tiny net with variants, and profiles of this machine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import openvino
import pytest
from tiny_world import nets, write_manifest

from edgeavatar import zoo
from edgeavatar.tuning.choice import Candidate
from edgeavatar.tuning.machine import this_machine
from edgeavatar.tuning.profile import Profile, TunedFile
from edgeavatar.tuning.settings import digests


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache"
    monkeypatch.setenv("EDGEAVATAR_CACHE", str(home))
    return home


@pytest.fixture
def tiny_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> zoo.Model:
    """Make these the project's own models: a net, its half, a wrong one and one that is none."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(nets.tiny_model())
    half = openvino.convert_model(folder / "net.onnx")
    openvino.save_model(half, folder / "half.xml", compress_to_fp16=True)
    (folder / "wrong.onnx").write_bytes(nets.tiny_model(weights=1.1 * nets.tiny_weights()))
    (folder / "renamed.onnx").write_bytes(nets.tiny_model(output="z"))
    (folder / "broken.onnx").write_bytes(b"no net at all")
    variant = {"variant_of": "net", "precision": "int8"}
    path = write_manifest(
        folder,
        {
            "net": ("net.onnx", {}),
            "half": (
                "half.xml",
                {
                    "variant_of": "net",
                    "precision": "fp16",
                    "weights": "half_bin",
                    "tolerance": 0.01,
                },
            ),
            "half_bin": ("half.bin", {}),
            "wrong": ("wrong.onnx", {**variant, "tolerance": 0.05}),
            "renamed": ("renamed.onnx", variant),
            "broken": ("broken.onnx", variant),
        },
    )
    monkeypatch.setattr(zoo, "models_dir", lambda: folder)
    assert zoo.check_manifest(path) == []
    return zoo.load_manifest(path).model("tiny")


@pytest.fixture
def profile_of() -> Callable[[zoo.Model, str, Candidate], Profile]:
    """Give a profile of this machine in which one file has one choice."""

    def make(model: zoo.Model, base: str, chosen: Candidate) -> Profile:
        moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
        tuned = TunedFile(
            model=model.name,
            file=base,
            measured=moment,
            sha256=digests(model, {base, chosen.file}),
            chosen=chosen,
            reason="as the test wants it",
            measurements=(),
        )
        return Profile("0", moment, this_machine(), (), (tuned,))

    return make
