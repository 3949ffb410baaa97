"""The wheel holds what a user needs, and the lock holds what the project asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from edgeavatar import __version__, zoo

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("runtime.txt", "dev.txt")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_package_and_models(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "edgeavatar").rglob("*.py")}
    assert modules <= names
    assert "edgeavatar/py.typed" in names
    assert "edgeavatar/_models/manifest.toml" in names
    for model in zoo.load_manifest().models.values():
        for file in model.files.values():
            if file.is_local:
                assert f"edgeavatar/_models/{file.path}" in names
    others = {name for name in names if not name.startswith("edgeavatar/")}
    assert {name.split("/")[0] for name in others} == {f"edgeavatar-{__version__}.dist-info"}


def test_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    info = f"edgeavatar-{__version__}.dist-info"
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "edgeavatar = edgeavatar.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def _pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", "")
    pins = {}
    for line in text.splitlines():
        match = re.match(
            r"([a-z0-9-]+)==([^ ;]+)(?: ; [^#]*?)?((?: +--hash=sha256:[0-9a-f]{64})+)$", line
        )
        assert match, f"{name}: not a pin with hashes: {line[:80]}"
        pins[match[1]] = match[2]
    return pins


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for line in requirements}


def test_locks_pin_what_the_project_asks_for() -> None:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]
    runtime, dev = _pins("runtime.txt"), _pins("dev.txt")
    assert _names(project["dependencies"]) | {"hatchling", "editables"} <= set(runtime)
    assert _names(project["optional-dependencies"]["plot"]) <= set(runtime)
    assert _names(project["optional-dependencies"]["dev"]) <= set(dev)
    assert runtime.items() <= dev.items()
    # What only export needs is no user's; of that, what is large is no developer's either.
    assert not {"torch", "onnx", "onnxslim", "nncf"} & set(runtime)
    assert not {"torch", "nncf"} & set(dev)


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_place(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert re.search(r"^-", text, re.MULTILINE) is None
