"""Imports point one way, and starting is cheap: read from the source, then checked in a process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "edgeavatar"

GROUND = frozenset({"types", "errors"})
FOUNDATION = frozenset({"backends", "kernels", "pose", "rates", "zoo"})
STAGES = frozenset(
    {
        *("video", "audio", "speech", "motion", "face", "rendering", "trust", "portrait"),
        # Words with times to cues, files and letters: neither speech, which knows no picture, nor
        # video, which knows no words.
        "subtitles",
        # Measures of pictures and sound that others decoded, and verdicts on them.
        "analysis",
    }
)
MAY_IMPORT: dict[str, frozenset[str]] = {
    "types": frozenset(),
    "errors": frozenset(),
    **dict.fromkeys(FOUNDATION, GROUND),
    # What a manifest says is one thing, what is installed another; only the zoo puts them together.
    "manifest": GROUND,
    "zoo": GROUND | {"manifest"},
    **dict.fromkeys(STAGES, GROUND | FOUNDATION),
    "installing": GROUND | {"zoo"},
    # Measures the nets with what the stages feed them; of all rooms only those above the stages
    # read what it found, and hand it down.
    "tuning": GROUND | FOUNDATION | STAGES | {"manifest"},
    "diagnosis": GROUND | FOUNDATION | {"tuning"},
    # Draws what the motion stage makes, lip gap included.
    "plotting": GROUND | {"motion"},
    # Turns what an analysis found into a page; measures nothing.
    "report": GROUND | {"analysis"},
    "pipeline": GROUND | FOUNDATION | STAGES | {"plotting", "tuning", "report"},
    "cli": GROUND | FOUNDATION | STAGES | {"pipeline", "diagnosis", "tuning"},
}
"""Room -> the other rooms it may import. A new room is entered here, with a reason."""

MODELS_COMMAND = frozenset({"cli/models.py", "cli/transfer_progress.py"})
"""The only modules that may start an installation."""

NEVER = frozenset({"torch", "onnx", "onnxslim", "nncf"})
NETWORK = frozenset(
    {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "pip"}
)
HEAVY = frozenset(
    {
        "av",
        "cv2",
        "hibari",
        "matplotlib",
        "numba",
        "numpy",
        "onnxruntime",
        "openvino",
        "piper",
        "sherpa_onnx",
    }
)
LIGHT_ROOMS = frozenset({"types", "errors", "zoo", "cli", "", "__main__"})
"""Rooms that import nothing heavy when they are imported ("" is ``edgeavatar/__init__.py``)."""

INSTALLS_AS = {
    "opencv-python-headless": "cv2",
    "hibari-tts": "hibari",
    "piper-tts": "piper",
    "sherpa-onnx": "sherpa_onnx",
}


@dataclass(frozen=True)
class Import:
    path: Path
    line: int
    module: str
    """Full name of what is imported, ``edgeavatar.zoo`` or ``numpy``."""
    at_start: bool
    """Runs when the importing module is imported."""
    never_runs: bool
    """For type checkers only."""

    @property
    def room(self) -> str:
        parts = self.path.relative_to(PACKAGE).with_suffix("").parts
        return "" if parts[0] == "__init__" else parts[0]

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def imported_room(self) -> str:
        return self.module.split(".")[1] if self.module.count(".") else ""

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )


def _walk(path: Path, node: ast.AST, at_start: bool, never_runs: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(path, child.lineno, alias.name, at_start, never_runs)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{path}:{child.lineno}: imports are absolute here"
            assert child.module is not None
            for alias in child.names:
                name = child.module
                if name == "edgeavatar" and alias.name != "__version__":
                    name = f"edgeavatar.{alias.name}"
                yield Import(path, child.lineno, name, at_start, never_runs)
        else:
            types = never_runs or _is_for_types(child)
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(path, child, at_start and not later and not types, types)


def _imports() -> list[Import]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        found.extend(_walk(path, tree, at_start=True, never_runs=False))
    return found


IMPORTS = _imports()


def test_every_room_is_known() -> None:
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file())
        and path.stem not in ("__init__", "__main__")
    }
    assert rooms <= set(MAY_IMPORT), "a new room: say in MAY_IMPORT what it may import"


def test_imports_point_one_way() -> None:
    wrong = [
        found.place
        for found in IMPORTS
        if found.top == "edgeavatar"
        and found.room not in ("", "__main__")
        and found.imported_room not in ("", found.room)
        and found.imported_room not in MAY_IMPORT[found.room]
        and not (found.room == "cli" and found.imported_room == "installing")
    ]
    assert wrong == []


def test_only_the_models_command_installs() -> None:
    importers = {
        str(found.path.relative_to(PACKAGE))
        for found in IMPORTS
        if found.imported_room == "installing"
        and found.room != "installing"
        and not found.never_runs
    }
    assert importers <= MODELS_COMMAND
    users = {
        str(found.path.relative_to(PACKAGE))
        for found in IMPORTS
        if found.module == "edgeavatar.cli.transfer_progress"
    }
    assert users <= MODELS_COMMAND


def test_training_libraries_stay_out() -> None:
    assert [found.place for found in IMPORTS if found.top in NEVER] == []


def test_network_modules_only_where_models_are_installed() -> None:
    wrong = [
        found.place
        for found in IMPORTS
        if found.top in NETWORK
        and found.room != "installing"
        # Parses a URL-like text; opens nothing.
        and found.module != "urllib.parse"
    ]
    assert wrong == []


def test_piper_is_imported_late_and_in_one_place() -> None:
    """It is GPL-3.0: whoever does not choose its voices never loads it."""
    found = [found for found in IMPORTS if found.top == "piper"]
    assert len({found.path for found in found}) <= 1
    assert all(found.room == "speech" and not found.at_start for found in found)


def test_matplotlib_is_imported_late_and_in_one_place() -> None:
    """It is an extra: whoever draws nothing may do without."""
    found = [found for found in IMPORTS if found.top == "matplotlib"]
    assert {found.room for found in found} == {"plotting"}
    assert not any(found.at_start for found in found)


def test_heavy_libraries_load_late() -> None:
    wrong = [
        found.place
        for found in IMPORTS
        if found.top in HEAVY and found.room in LIGHT_ROOMS and found.at_start
    ]
    assert wrong == []


def test_commands_import_stages_late() -> None:
    wrong = [
        found.place
        for found in IMPORTS
        if found.room == "cli"
        and found.at_start
        and found.top == "edgeavatar"
        and found.imported_room not in ("", "cli", "errors", "types", "zoo")
    ]
    assert wrong == []


def test_every_library_is_declared() -> None:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]
    declared = set()
    for requirement in project["dependencies"] + project["optional-dependencies"]["plot"]:
        name = requirement.split(">")[0].split("=")[0].strip()
        declared.add(INSTALLS_AS.get(name, name.replace("-", "_")))
    used = {found.top for found in IMPORTS} - set(sys.stdlib_module_names) - {"edgeavatar"}
    assert used - declared == set()
    assert declared - used == set(), "a dependency that nothing imports"


@pytest.mark.parametrize(
    "program",
    [
        "import edgeavatar",
        "import edgeavatar.errors, edgeavatar.types, edgeavatar.zoo",
        "from edgeavatar.cli import root; root.main(['--help'], standalone_mode=False)",
        "from edgeavatar.cli import root; root.main(['--version'], standalone_mode=False)",
    ],
)
def test_starting_loads_nothing_heavy(program: str) -> None:
    probe = f"{program}\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}
    assert "edgeavatar" in loaded
    assert loaded & (HEAVY | NEVER | {"rich", "PIL"}) == set()


def test_help_of_every_command_loads_nothing_heavy() -> None:
    probe = (
        "import json, sys\n"
        "from edgeavatar.cli import COMMANDS, root\n"
        "for name in COMMANDS:\n"
        "    root.main([name, '--help'], standalone_mode=False)\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    loaded = {name.partition(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}
    assert loaded & (HEAVY | NEVER) == set()
