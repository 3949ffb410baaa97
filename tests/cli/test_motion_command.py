"""What ``edgeavatar motion`` writes, says and draws, and how it ends."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from edgeavatar import __version__, cli, zoo
from edgeavatar.motion.track_file import read_track
from edgeavatar.plotting import Plot, draw_plot
from edgeavatar.types import MOTION_NAMES, PhonemeTiming, WordTiming

ENDLESS = "This is a long sentence that goes on for a while. " * 400


@pytest.fixture(autouse=True)
def _desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_store: Callable[[str], object]
) -> None:
    """Work in an empty folder with a sound of 0.3 s in the folder above."""
    for name in ("voice-hibari", "vad-silero"):
        model_store(name)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * 4800))
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")


def _left() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


# ------------------------------------------------------------------------------------- what it says


def test_a_track_of_text(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["motion", "-t", "Hi, Bob.", "-o", "track.json", "--rate", "1.5"]) == 0
    out, err = capfd.readouterr()
    track = json.loads(Path("track.json").read_text(encoding="utf-8"))
    end_s = track["phonemes"][-1]["end_s"]
    count = len(track["rows"])
    assert out == f"track.json  {end_s:.2f} s  {count} rows at 25 fps  voice hibari\n"
    assert err == ""
    assert (count - 1) / 25 < end_s <= count / 25
    assert [word["text"] for word in track["words"]] == ["Hi", "Bob"]
    assert [p["symbol"] for p in track["phonemes"] if p["word"] == 1] == ["b", "ɑ", "b"]
    assert track["provenance"] == track["provenance"] | {
        "program": f"edgeavatar {__version__}",
        "words_from": "text",
        "sha256": hashlib.sha256(b"Hi, Bob.").hexdigest(),
        "voice": "hibari",
        "rate": 1.5,
        "model": f"motion-nets {zoo.load_manifest().model('motion-nets').version}",
    }
    assert _left() == ["track.json"]


def test_a_track_of_a_recording(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["motion", "../sound.wav", "-o", "track.json", "--fps", "29.97"]) == 0
    assert capfd.readouterr() == ("track.json  0.30 s  9 rows at 29.97 fps\n", "")
    track = json.loads(Path("track.json").read_text(encoding="utf-8"))
    assert track["fps_exact"] == "30000/1001"
    assert len(track["rows"]) == 9
    assert "phonemes" not in track
    found = track["provenance"]
    assert (found["words_from"], found["file"]) == ("audio", "sound.wav")
    assert found["sha256"] == hashlib.sha256(Path("../sound.wav").read_bytes()).hexdigest()
    assert found["model"].startswith("motion-nets ")


@pytest.mark.parametrize("more", [[], ["-q"]])
def test_json_is_one_object(more: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["motion", "-t", "Hi.", "-o", "track.json", "--json", *more]) == 0
    out, err = capfd.readouterr()
    assert (out.count("\n"), err) == (1, "")
    report = json.loads(out)
    track = read_track("track.json")
    assert report["output"] == "track.json"
    assert report["plot"] is None
    assert report["rows"] == len(track.rows) == -(-report["duration_s"] * 25 // 1)
    assert (report["fps"], report["voice"], report["words"]) == (25.0, "hibari", 1)


def test_quiet_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["motion", "../sound.wav", "-o", "track.json", "-q"]) == 0
    assert capfd.readouterr() == ("", "")
    assert _left() == ["track.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names of Linux are bytes")
def test_a_recording_whose_name_is_no_text() -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    Path(name).write_bytes(Path("../sound.wav").read_bytes())
    assert cli.run(["motion", name, "-o", "track.json", "--plot", "track.png", "-q"]) == 0
    track = json.loads(Path("track.json").read_text(encoding="utf-8"))
    assert track["provenance"]["file"] == name


def test_words_come_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Café.".encode())))
    assert cli.run(["motion", "--text-file", "-", "-o", "track.json", "-q"]) == 0
    track = json.loads(Path("track.json").read_text(encoding="utf-8"))
    assert [word["text"] for word in track["words"]] == ["Café"]


def test_the_same_words_give_the_same_bytes() -> None:
    for name in ("one", "two"):
        arguments = ["-t", "Hello there.", "-o", f"{name}.json", "--plot", f"{name}.png", "-q"]
        assert cli.run(["motion", *arguments]) == 0
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


# ---------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            [],
            2,
            "expected either text or audio, found neither; give one of --text, --text-file and "
            "AUDIO",
        ),
        (
            ["../sound.wav", "-t", "Hi."],
            2,
            "expected either text or audio, found both; give one of --text, --text-file and AUDIO",
        ),
        (
            ["../sound.wav", "--voice", "hibari"],
            2,
            "--voice speaks text, and the words come from AUDIO; leave one out",
        ),
        (
            ["../sound.wav", "--rate", "2"],
            2,
            "--rate changes how text is spoken, and the words come from AUDIO",
        ),
        (["-t", "Hi.", "--fps", "0"], 2, "expected a frame rate from 1 to 120, found 0"),
        (
            ["-t", "Hi.", "--fps", "fast"],
            2,
            "expected a frame rate as 25 or 30000/1001, found 'fast'",
        ),
        (
            ["-t", "Hi.", "-o", "track.txt"],
            2,
            "expected an output that ends in .json, found track.txt; rename it",
        ),
        (
            ["-t", "Hi.", "--plot", "track.gif"],
            2,
            "expected a --plot that ends in .png, .svg, .pdf, found track.gif; rename it",
        ),
        (
            ["../desk/track.json", "-o", "track.json"],
            2,
            "track.json is the recording itself; give another output",
        ),
        (
            ["missing.wav"],
            7,
            "expected a sound file at missing.wav, found no such file; check the path",
        ),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    arguments: list[str], code: int, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["motion", "-o", "track.json", *arguments]) == code
    assert capfd.readouterr() == ("", f"error: {words}\n")
    assert _left() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-t", ""], 10, "empty text"),
        (["-t", "Hi.", "--voice", "nobody"], 10, "edgeavatar voices"),
        (["-t", "Hi.", "--rate", "3"], 2, "from 0.5 to 2.0"),
        (["-t", "Hi.", "-o", "missing/track.json"], 11, "cannot write missing/track.json"),
        (["-t", "Hi.", "--plot", "missing/track.png"], 11, "cannot write missing/track.png"),
        (["../desk"], 7, "found a folder"),
    ],
)
def test_mistakes_found_later_leave_nothing_either(
    arguments: list[str], code: int, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["motion", "-o", "track.json", "--plot", "track.png", *arguments]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert (err.count("\n"), words in err) == (1, True), err
    assert _left() == []


def test_a_plot_that_cannot_be_drawn_leaves_what_was_there(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("track.json", "track.png"):
        Path(name).write_text("older")
    module = importlib.import_module("edgeavatar.pipeline.motion")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "draw_plot", fail)
    arguments = ["../sound.wav", "-o", "track.json", "--plot", "track.png"]
    assert cli.run(["motion", *arguments]) == 11
    assert capfd.readouterr().err.startswith("error: cannot write track.json: No space left")
    assert _left() == ["track.json", "track.png"]
    assert {Path(name).read_text() for name in _left()} == {"older"}


def test_without_matplotlib_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module("edgeavatar.pipeline.motion")
    monkeypatch.setattr(module, "open_words", lambda *_: pytest.fail("work was begun"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.run(["motion", "-t", "Hi.", "-o", "track.json", "--plot", "track.png"]) == 2
    assert capfd.readouterr() == (
        "",
        "error: --plot draws with matplotlib, and it is not installed; install it with: "
        "pip install 'edgeavatar[plot]', or leave --plot out\n",
    )
    assert _left() == []


def test_without_matplotlib_tracks_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.run(["motion", "../sound.wav", "-o", "track.json", "-q"]) == 0
    assert _left() == ["track.json"]


@pytest.mark.parametrize(
    ("number", "exit_code", "words"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended by SIGTERM")],
)
def test_a_signal_in_the_middle_leaves_nothing(
    number: signal.Signals, exit_code: int, words: str
) -> None:
    Path("track.json").write_text("an older track")
    program = Path(sys.executable).with_name("edgeavatar")
    arguments = [program, "motion", "-t", ENDLESS, "-o", "track.json", "--plot", "track.png"]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not any(path.stat().st_size > 10_000 for path in Path().glob(".track.json.*")):
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (exit_code, "", f"error: {words}\n")
    assert _left() == ["track.json"]
    assert Path("track.json").read_text() == "an older track"


# ---------------------------------------------------------------------------------------- pictures


def _plot(duration_s: float, *, words: tuple[str, ...] = ("baˈm",)) -> Plot:
    drawn = min(duration_s, 30.0)
    rate = 8000
    step = round(drawn * rate / (2 * len(words)))
    phonemes, said = [], []
    for index, word in enumerate(words):
        start = 2 * index * step
        phonemes.append(PhonemeTiming("b", start, start + step, word=index))
        phonemes.append(PhonemeTiming("ɑ", start + step, start + 2 * step, 2, index))
        said.append(WordTiming(word, start, start + 2 * step))
    rows = np.zeros((round(drawn * 25), len(MOTION_NAMES)), np.float32)
    rows[::2, MOTION_NAMES.index("jawOpen")] = 0.5
    sound = np.sin(np.arange(round(drawn * rate)) / 10).astype(np.float32)
    return Plot(
        "A title", sound, rate, rows, Fraction(25), tuple(phonemes), tuple(said), duration_s
    )


def _svg(plot: Plot) -> str:
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        draw_plot(plot, file, ".svg")
    return file.getvalue().decode()


def test_a_picture_shows_letters_words_and_curves() -> None:
    svg = _svg(_plot(1.0, words=("$5$", "naïve")))
    for text in (
        "A title",
        ">b<",
        ">ɑ<",
        ">$5$<",
        ">naïve<",
        ">lip gap<",
        ">/p b m/<",
        ">time (s)<",
    ):
        assert text in svg
    curves = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthStretch", "tongueUp")
    assert all(svg.count(f">{name}<") == 1 for name in curves)
    assert svg.count(">b<") == 2
    assert "the first" not in svg


def test_closures_are_shaded() -> None:
    shaded = _svg(_plot(1.0)).count("#fbe6bf")
    assert shaded == 4 + 1, "one closure in four panels and once in the legend"


def test_a_long_track_is_cut_and_says_so() -> None:
    svg = _svg(_plot(95.4, words=("one", "two", "three", "four")))
    assert "A title · the first 30 s of 95 s" in svg
    assert svg.count(">time (s)<") == 4, "four lines of 7.5 s"
    assert svg.count(">three<") == 1


def test_a_word_in_a_script_without_a_font_is_no_warning() -> None:
    file = io.BytesIO()
    draw_plot(_plot(0.5, words=("\U00013000",)), file, ".png")
    assert file.getvalue().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [["-t", "Hi, Bob."], ["../sound.wav"]])
def test_a_picture_of_a_track(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["motion", *words, "-o", "track.json", "--plot", "track.png"]) == 0
    out, err = capfd.readouterr()
    assert out.endswith("  plot track.png\n")
    assert err == ""
    assert _left() == ["track.json", "track.png"]
    picture = cv2.imread("track.png")
    assert picture.shape[:2] == (1152, 1920)
    assert (picture.mean(axis=2) < 250).mean() > 0.02
