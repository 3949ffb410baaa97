"""No library that edgeavatar loads talks to anyone, in native code either."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edgeavatar import zoo

ROOT = Path(__file__).resolve().parent.parent
GUARD = ROOT / "tests" / "network_guard"

pytestmark = pytest.mark.skipif(
    not runpy.run_path(str(GUARD / "no_internet.py"))["SUPPORTED"],
    reason="the filter is written for Linux on x86-64 and aarch64",
)

LIBRARIES = """
import time
import edgeavatar
import av, cv2, hibari, numba, onnxruntime, openvino, piper, rich, sherpa_onnx
from edgeavatar import zoo
from edgeavatar.backends import open_session
for model, key, backend in (("face", "mesh", "openvino"), ("vad-silero", "vad", "onnxruntime")):
    open_session(zoo.resolve(model)[key], backend=backend).close()
time.sleep(1.5)  # for what reports in the background
"""
COMMAND = """
import sys
from edgeavatar import cli
code = cli.run(sys.argv[1:])
assert code == 0, code
"""


def _run_guarded(program: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    # No variable of a CI service: libraries that report hold back when they see one.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(GUARD),
        "EDGEAVATAR_MODELS": str(zoo.store_root()),
    }
    guarded = f"import no_internet; no_internet.forbid_internet_sockets()\n{program}"
    return subprocess.run(
        [sys.executable, "-c", guarded, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _files_outside_our_caches(home: Path) -> list[str]:
    ours = (".cache/edgeavatar/", ".cache/numba/", ".cache/matplotlib/")
    found = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith(ours))


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_guard_ends_a_native_socket(family: str, tmp_path: Path) -> None:
    program = (
        "import ctypes, socket\n"
        f"ctypes.CDLL(None).socket(int(socket.{family}), int(socket.SOCK_STREAM), 0)"
    )
    assert _run_guarded(program, home=tmp_path).returncode == -signal.SIGSYS


def test_the_guard_lets_other_sockets_live(tmp_path: Path) -> None:
    program = "import socket; socket.socketpair()[0].close(); print('alive')"
    assert _run_guarded(program, home=tmp_path).stdout == "alive\n"


@pytest.mark.parametrize(
    ("undo", "library"),
    [
        ("import os; del os.environ['ORT_DISABLE_TELEMETRY']", "onnxruntime"),
        ("import sys; del sys.modules['openvino_telemetry']", "openvino"),
    ],
)
def test_the_check_sees_a_library_that_reports(undo: str, library: str, tmp_path: Path) -> None:
    _run_guarded(f"import edgeavatar\n{undo}\nimport {library}", home=tmp_path)
    assert _files_outside_our_caches(tmp_path) != []


@pytest.mark.usefixtures("model_store")
def test_libraries_are_silent(tmp_path: Path) -> None:
    result = _run_guarded(LIBRARIES, home=tmp_path)
    assert result.returncode == 0, result.stderr
    assert _files_outside_our_caches(tmp_path) == []


@pytest.mark.usefixtures("model_store")
@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor"],
        ["speak", "--text", "Hello.", "-o", "OUT/hello.wav"],
        ["motion", "--text", "Hi.", "-o", "OUT/hi.json", "--plot", "OUT/hi.png"],
        ["render", "--source", "OUT/face.jpg", "--text", "Hi.", "-o", "OUT/hi.mp4"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_are_silent(arguments: list[str], tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    out.mkdir()
    face = cv2.imread(str(ROOT / "examples" / "portrait.jpg"))
    cv2.imwrite(str(out / "face.jpg"), cv2.resize(face, (320, 320), interpolation=cv2.INTER_AREA))
    placed = [argument.replace("OUT", str(out)) for argument in arguments]
    result = _run_guarded(COMMAND, *placed, home=home)
    assert result.returncode == 0, result.stderr
    assert _files_outside_our_caches(home) == []
