"""What ``edgeavatar preflight`` says and how it ends, and what ``render`` says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edgeavatar import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_store: Callable[[str], object]
) -> None:
    """Work in a folder with a good portrait and spoiled copies of it."""
    for name in ("face", "voice-hibari", "vad-silero"):
        model_store(name)
    picture = cv2.imread(str(ROOT / "examples" / "portrait.jpg"))
    good = cv2.resize(picture, (400, 400), interpolation=cv2.INTER_AREA)
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("good.png", good)
    cv2.imwrite("small.png", cv2.resize(good, (150, 150), interpolation=cv2.INTER_AREA))
    cv2.imwrite("blurred.png", cv2.GaussianBlur(good, (0, 0), 9.0))
    cv2.imwrite("nobody.png", np.full((120, 160, 3), 90, np.uint8))
    cv2.imwrite("two.png", np.hstack([good, good]))


def _film(path: str, pictures: list[np.ndarray], rate: int = 25) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate), options={"crf": "12"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _found(*arguments: str) -> tuple[int, dict[str, str]]:
    code = cli.run(["preflight", "-q", "--json", "found.json", *arguments])
    told = json.loads(Path("found.json").read_text())
    assert told["exit_code"] == code
    return code, {f["name"]: f["verdict"] for f in told["factors"]}


def test_a_good_photo_is_good(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["preflight", "-s", "good.png"]) == 0
    out, _ = capfd.readouterr()
    assert "Size of the face" in out
    assert out.splitlines()[-1] == "good: nothing to do"
    assert "WARN" not in out
    assert "BAD" not in out


@pytest.mark.parametrize(
    ("picture", "code", "factor", "verdict"),
    [
        ("small.png", 1, "face-size", "warn"),
        ("blurred.png", 2, "blur", "bad"),
        ("nobody.png", 2, "face-missing", "bad"),
        ("two.png", 2, "faces", "bad"),
    ],
)
def test_what_is_wrong_is_named_and_decides_the_exit_code(
    picture: str, code: int, factor: str, verdict: str
) -> None:
    ended, verdicts = _found("-s", picture)
    assert ended == code
    assert verdicts[factor] == verdict


def test_a_warning_comes_with_reason_effect_and_advice(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["preflight", "-s", "small.png"]) == 1
    out, _ = capfd.readouterr()
    assert "WARN  Size of the face: lips and teeth" in out
    assert "do:    film closer" in out
    assert "why:   hairline to chin" in out
    assert out.splitlines()[-1].startswith("usable")


def test_a_chosen_face_is_no_question() -> None:
    code, verdicts = _found("-s", "two.png", "--face", "left")
    assert (code, verdicts["faces"]) == (1, "warn")


def test_frames_concerned_are_told_of_a_video(capfd: pytest.CaptureFixture[str]) -> None:
    good = cv2.imread("good.png")
    moved = [np.roll(good, k % 3, axis=1) for k in range(30)]
    _film("film.mp4", moved[:20] + [np.full_like(good, 90)] * 5 + moved[20:])
    assert cli.run(["preflight", "-s", "film.mp4", "--json", "found.json"]) == 1
    out, _ = capfd.readouterr()
    told = json.loads(Path("found.json").read_text())
    missing = next(f for f in told["factors"] if f["name"] == "face-missing")
    assert missing["frames"] == [[20, 24]]
    assert missing["times_s"] == [[0.8, 0.96]]
    assert "where: 0.8 to 1.0 s" in out


def test_a_file_that_cannot_be_read_is_an_error_and_no_verdict(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["preflight", "-s", "missing.png", "--json", "found.json"]) == 7
    assert capfd.readouterr().err.splitlines()[-1].startswith("error: expected a photo or a video")
    assert not Path("found.json").exists()


@pytest.mark.parametrize(
    "arguments", [["--sauce", "good.png"], [], ["-s", "good.png", "--face", "the tall one"]]
)
def test_a_wrong_option_is_no_verdict(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["preflight", *arguments]) == 64
    assert capfd.readouterr().err.splitlines()[-1].startswith("error: ")


def test_a_fault_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("edgeavatar.pipeline.preflighting.preflight", fail)
    assert cli.run(["preflight", "-s", "good.png"]) == 70
    assert "a fault of edgeavatar" in capfd.readouterr().err


def test_json_that_cannot_be_written_leaves_nothing() -> None:
    assert cli.run(["preflight", "-q", "-s", "good.png", "--json", "no/where.json"]) == 11
    assert not Path("no").exists()


def test_render_says_first_what_matters(capfd: pytest.CaptureFixture[str]) -> None:
    job = ["render", "-t", "Hi.", "-o", "out.mp4"]
    assert cli.run([*job, "-s", "small.png"]) == 0
    _, err = capfd.readouterr()
    assert err.startswith("note: size of the face ")
    assert err.count("note: ") == 1
    assert cli.run([*job, "-s", "small.png", "--no-preflight"]) == 0
    assert "note: size" not in capfd.readouterr().err
    assert cli.run([*job, "-s", "good.png"]) == 0
    assert "note: " not in capfd.readouterr().err


def test_render_puts_it_into_its_report(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", "-t", "Hi.", "-o", "out.mp4", "-s", "small.png", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["warnings"][0].startswith("size of the face ")
    assert "note: " not in err
