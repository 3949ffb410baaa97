from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgeavatar import cli, diagnosis, zoo

X86 = """processor\t: 0
model name\t: Example CPU @ 2.00GHz
flags\t\t: fpu sse4_2 avx avx2 fma f16c avx512f avx512_vnni
"""
ARM = """processor\t: 0
Features\t: fp asimd asimdhp asimddp i8mm bf16
Model\t\t: Example Board Model B
"""


@pytest.mark.parametrize(
    ("text", "flags", "name"),
    [
        (
            X86,
            ("SSE4.2", "AVX", "AVX2", "FMA", "F16C", "AVX-512F", "AVX-512-VNNI"),
            "Example CPU @ 2.00GHz",
        ),
        (ARM, ("NEON", "NEON-FP16", "NEON-DOTPROD", "I8MM", "BF16"), "Example Board Model B"),
    ],
)
def test_cpuinfo(text: str, flags: tuple[str, ...], name: str) -> None:
    assert diagnosis.parse_cpuinfo(text) == (flags, name)


@pytest.mark.usefixtures("model_store")
def test_ready_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor"]) == 0, capsys.readouterr().out
    told = capsys.readouterr().out
    assert told.endswith("\nready\n")
    for part in ("onnxruntime", "openvino", "libx264", "aac", "face detector: openvino on cpu"):
        assert part in told


@pytest.mark.usefixtures("model_store")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ready"] is True
    assert found["problems"] == []
    assert found["machine"]["usable_cores"] >= 1
    assert set(found["backends"]) == {"onnxruntime", "openvino"}
    assert "cpu" in found["devices"]["openvino"]
    assert all(found["packages"].values())
    states = {model["name"]: model["state"] for model in found["models"]}
    assert states["face"] == "installed"


def test_nothing_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path / "none"))
    assert cli.run(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "not ready:" in told
    assert "run: edgeavatar models install" in told
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("model_store")
def test_damaged_model(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = zoo.load_manifest().model("face")
    shutil.copytree(zoo.model_dir(model), tmp_path / model.folder)
    damaged = tmp_path / model.folder / model.files["detector"].path
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path))
    assert cli.run(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    states = {model["name"]: model["state"] for model in found["models"]}
    assert states["face"] == "damaged"
    assert any("SHA-256" in problem for problem in found["problems"])
    assert found["face_detector"].startswith("not tried")


@pytest.mark.usefixtures("model_store")
def test_little_room(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert cli.run(["doctor"]) == 1
    assert "only 1 MB are free" in capsys.readouterr().out
