"""What ``edgeavatar render`` says, and how it ends."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import pytest

from edgeavatar import cli
from edgeavatar.cli.progress import progress_bar
from edgeavatar.rates import parse_rate

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["opening", "learning the face", "rendering", "finishing"]
ENDLESS = "This is a long sentence that goes on for a while. " * 80


@pytest.fixture(autouse=True)
def _desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_store: Callable[[str], object]
) -> None:
    """Work in an empty folder with a photo and a short sound in the folder above."""
    for name in ("face", "voice-hibari", "vad-silero"):
        model_store(name)
    picture = cv2.imread(str(ROOT / "examples" / "portrait.jpg"))
    small = cv2.resize(picture, (240, 240), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "face.png"), small)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * 3200))
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")


def _left() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_plain_lines_tell_the_stages_and_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", "-s", "../face.png", "-a", "../sound.wav", "-o", "out.mp4"]) == 0
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines] == STAGES
    assert lines[2].startswith("rendering: 1 frame")
    assert lines[3] == "finishing: 5 frames, 100%"
    assert "\r" not in err
    assert "\x1b" not in err
    assert out.startswith("out.mp4: 0.2 s, 240x240 at 25 fps, made in ")
    assert out.count("\n") == 1
    assert _left() == ["out.mp4"]


def test_quiet_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", "-s", "../face.png", "-t", "Hi.", "-o", "out.mp4", "-q"]) == 0
    assert capfd.readouterr() == ("", "")
    assert _left() == ["out.mp4"]


@pytest.mark.parametrize("more", [[], ["--quiet"]])
def test_json_is_one_object(more: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["-s", "../face.png", "-t", "Hi.", "-o", "out.mp4", "--json", *more]
    assert cli.run(["render", *arguments]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    report = json.loads(out)
    assert report["output"] == "out.mp4"
    assert report["voice"] == "hibari"
    assert report["frames"] == round(report["duration_s"] * report["fps"])
    with av.open("out.mp4") as result:
        assert result.streams.video[0].frames == report["frames"]


def test_json_of_a_failure_is_a_line_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", "-s", "no.png", "-t", "Hi.", "-o", "out.mp4", "--json"]) == 7
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("source", ["words.txt", "-"])
def test_words_come_from_a_file_or_from_stdin(
    source: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("words.txt").write_text("\ufeffHi, café.", encoding="utf-8")
    stdin = io.TextIOWrapper(io.BytesIO(Path("words.txt").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    arguments = ["-s", "../face.png", "--text-file", source, "-o", "out.mp4", "--json"]
    assert cli.run(["render", *arguments]) == 0
    assert 0.5 < json.loads(capfd.readouterr().out)["duration_s"] < 2


def test_names_in_any_script(capfd: pytest.CaptureFixture[str]) -> None:
    photo = Path("we ird %d né 顔.png")
    photo.write_bytes(Path("../face.png").read_bytes())
    output = "aus gabe %03d ö.mp4"
    assert cli.run(["render", "-s", str(photo), "-a", "../sound.wav", "-o", output, "-q"]) == 0
    assert capfd.readouterr() == ("", "")
    assert _left() == sorted([photo.name, output])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("25", "25"),
        ("29.97", "30000/1001"),
        ("23.976", "24000/1001"),
        ("30000/1001", "30000/1001"),
        ("12.5", "25/2"),
        ("29.123456789", "2359/81"),
    ],
)
def test_frame_rates_as_people_write_them(written: str, meant: str) -> None:
    assert str(parse_rate(written)) == meant


def test_lines_tell_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with progress_bar(quiet=False) as tell:
        for stage, share, frames, after_s in (
            ("opening", None, 0, 0),
            ("rendering", 0.01, 1, 2),
            ("rendering", 0.1, 10, 4),
            ("rendering", 0.25, 25, 8),
            ("finishing", 1.0, 100, 30),
        ):
            clock[0] = 100.0 + after_s
            tell(stage, share, frames)
    assert capsys.readouterr().err.splitlines() == [
        "opening",
        "rendering: 1 frame, 1%",
        "rendering: 25 frames, 25%, about 24 s left",
        "finishing: 100 frames, 100%",
    ]


# -------------------------------------------------------------------------- in a process of its own


def _start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    program = Path(sys.executable).with_name("edgeavatar")
    return subprocess.Popen(
        [program, "render", "-s", "../face.png", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize(
    ("number", "exit_code", "words"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended by SIGTERM")],
)
def test_a_signal_in_the_middle_leaves_nothing(
    number: signal.Signals, exit_code: int, words: str
) -> None:
    Path("out.mp4").write_text("an older result")
    with _start("-t", ENDLESS, "-o", "out.mp4") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("rendering"):
                break
        assert len(_left()) == 2
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == exit_code
    assert out == ""
    assert err.splitlines()[-1] == f"error: {words}"
    assert "Traceback" not in err
    assert _left() == ["out.mp4"]
    assert Path("out.mp4").read_text() == "an older result"


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("name", ["out.mp4", "out.webm"])
def test_a_full_disk_leaves_nothing(name: str) -> None:
    import resource

    # The first render leaves the kernels compiled: the limit is on every file.
    assert cli.run(["render", "-s", "../face.png", "-t", "Hi.", "-o", name, "-q"]) == 0
    half = Path(name).stat().st_size // 2
    Path(name).write_text("an older result")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))

    with _start("-t", "Hi.", "-o", name, "-q", preexec_fn=limit) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (11, "")
    assert err == f"error: cannot write {name}: file too large; nothing was written there\n"
    assert _left() == [name]
    assert Path(name).read_text() == "an older result"


def test_a_full_disk_met_anywhere_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import errno

    # The module, which the function of the same name hides.
    module = importlib.import_module("edgeavatar.pipeline.run")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/cache/kernel")

    monkeypatch.setattr(module, "open_renderer", fail)
    arguments = ["-s", "../face.png", "-a", "../sound.wav", "-o", "out.mp4", "-q"]
    assert cli.run(["render", *arguments]) == 11
    assert capfd.readouterr().err == (
        "error: the disk is full at /cache/kernel; make room and run again\n"
    )
    assert _left() == []
