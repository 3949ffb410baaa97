"""What ``edgeavatar analyze`` writes and says, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from edgeavatar import cli, zoo
from edgeavatar.audio import decode_audio

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"
MODELS = ("face", "vad-silero", "asr-moonshine-tiny", "fixture-speech")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a video of a still portrait and a reader, a photo, a recording, and a text."""
    folder = tmp_path_factory.mktemp("sources")
    recording = zoo.resolve("fixture-speech")["beckett"]
    (folder / "speech.wav").write_bytes(recording.read_bytes())
    whole: Any = cv2.imread(str(PORTRAIT))
    picture = cv2.resize(whole, (256, 256), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / "photo.png"), picture)
    (folder / "text.mp4").write_text("not a video")
    sound = np.concatenate([chunk.samples for chunk in decode_audio(recording, 16000)])
    with av.open(str(folder / "clip.mp4"), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 256, 256, "yuv420p"
        audio = out.add_stream("aac", rate=16000, layout="mono")
        for i in range(int(len(sound) / 16000 * 25)):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, i // 20, axis=1), format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for start in range(0, len(sound), 1024):
            block = np.ascontiguousarray(sound[None, start : start + 1024])
            heard = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 16000, start, Fraction(1, 16000)
            out.mux(audio.encode(heard))
        out.mux(audio.encode(None))
    return folder


@pytest.fixture(autouse=True)
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_store: Callable[[str], object]
) -> Path:
    """Work in an empty folder."""
    for name in MODELS:
        model_store(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: object) -> int:
    return cli.run(["analyze", *(str(argument) for argument in arguments)])


def _left() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_everything_of_a_video(sources: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = sources / "clip.mp4"
    outputs = ("--json", "a.json", "--columns", "a.npz", "--srt", "a.srt", "--html", "a.html")
    assert _run(source, *outputs) == 0
    out, _ = capfd.readouterr()
    assert _left() == ["a.html", "a.json", "a.npz", "a.srt"]
    for title in ("source", "faces", "framing", "movement", "speech", "sound", "preflight"):
        assert f"\n{title}" in f"\n{out}"

    told = json.loads(Path("a.json").read_text())
    assert told["format"] == "edgeavatar-analysis"
    assert told["source"]["kind"] == "video"
    assert told["source"]["frame_rate"] == pytest.approx(25.0, abs=0.1)
    (face,) = told["faces"]
    assert face["seen_share"] == 1.0
    assert face["articulation_range"] == pytest.approx(0.0, abs=0.01), "the mouth is still"
    assert told["main_face"] == face["id"]
    assert told["movement"]["cuts_s"] == []
    assert told["speech"]["words"] == len(told["words"])
    assert "fail" in [word["text"].lower().strip(".,") for word in told["words"]]
    assert told["preflight"]["exit_code"] in (0, 1, 2)
    assert {factor["group"] for factor in told["preflight"]["factors"]} >= {"lighting", "sound"}

    columns = np.load("a.npz")
    frames = told["source"]["frames"]
    assert columns["frames/index"].tolist() == list(range(frames))
    assert columns["faces/blendshapes"].shape == (frames, 52)
    assert columns["faces/blendshapes"].dtype == np.float16
    assert len(columns["sound/time_s"]) == pytest.approx(20 * told["source"]["duration_s"], abs=3)
    assert "Ever tried" in Path("a.srt").read_text()


def test_a_photo(sources: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(sources / "photo.png", "--json", "a.json", "--columns", "a.npz") == 0
    out, _ = capfd.readouterr()
    told = json.loads(Path("a.json").read_text())
    assert told["source"]["kind"] == "photo"
    assert told["movement"] is None
    assert told["speech"] is None
    assert told["style"]["colour_temperature_k"] == pytest.approx(6000, abs=1500)
    assert np.load("a.npz")["faces/index"].tolist() == [0]
    assert "movement" not in out
    assert "frames" not in out


def test_sound_alone(sources: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(sources / "speech.wav", "--json", "a.json", "--srt", "a.srt") == 0
    out, _ = capfd.readouterr()
    told = json.loads(Path("a.json").read_text())
    assert told["source"]["kind"] == "sound"
    assert told["style"] is None
    assert told["faces"] == []
    assert told["speech"]["words"] > 5
    assert {factor["group"] for factor in told["preflight"]["factors"]} == {"sound"}
    assert "faces" not in out


def test_silent_video_and_subtitles(sources: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(sources / "photo.png", "--srt", "a.srt", "--json", "a.json") == 2
    assert "has no sound" in capfd.readouterr().err
    assert _left() == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("nowhere.mp4",),
            7,
            "expected a video, a photo or sound at nowhere.mp4, found no such file",
        ),
        (("nowhere.wav", "--srt", "a"), 7, "or sound at nowhere.wav, found no such file"),
        ((".",), 7, "expected a video, a photo or sound, found ., which is not a file"),
        (("text.mp4",), 7, "expected"),
        (("clip.mp4", "--json", "clip.mp4"), 2, "is the source itself"),
        (("clip.mp4", "--json", "a", "--srt", "a"), 2, "asked for twice"),
        (("clip.mp4", "--model", "huge"), 2, "huge"),
        (("photo.png", "--json", "nowhere/a.json"), 11, "nowhere"),
    ],
)
def test_one_line_and_nothing_left(
    sources: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    known = {"clip.mp4", "photo.png", "text.mp4"}
    given = [sources / name if name in known else name for name in arguments]
    assert _run(*given, "--quiet") == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err
    assert _left() == []
    assert (sources / "clip.mp4").stat().st_size > 1000


def test_without_a_recogniser_the_rest_is_told(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeavatar.errors import ModelNotFound
    from edgeavatar.pipeline import sound_analysis

    def missing(*_: object, **__: object) -> object:
        raise ModelNotFound("asr is not installed; run `edgeavatar models install asr`")

    monkeypatch.setattr(sound_analysis, "open_recognizer", missing)
    assert _run(sources / "speech.wav", "--json", "a.json", "--quiet") == 0
    told = json.loads(Path("a.json").read_text())
    assert told["speech"]["words"] is None
    assert told["speech"]["loudness_lufs"] is not None
    assert any("models install asr" in note for note in told["notes"])


def test_quiet_says_nothing(sources: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(sources / "photo.png", "--quiet") == 0
    assert capfd.readouterr() == ("", "")
