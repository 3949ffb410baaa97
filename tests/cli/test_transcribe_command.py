"""What ``edgeavatar transcribe`` writes and says, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edgeavatar import __version__, cli, zoo
from edgeavatar.errors import ModelNotFound


@pytest.fixture(autouse=True)
def _desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_store: Callable[[str], object]
) -> None:
    """Work in an empty folder with recordings in the folder above."""
    for name in ("asr-moonshine-tiny", "vad-silero", "fixture-speech"):
        model_store(name)
    (tmp_path / "speech.wav").write_bytes(zoo.resolve("fixture-speech")["beckett"].read_bytes())
    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * 16000 * 3))
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")


def _left() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


SAID = _words("Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.")


def test_the_text_alone_is_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["transcribe", "../speech.wav"]) == 0
    out, err = capfd.readouterr()
    assert _words(out) == SAID
    assert out.endswith("\n")
    assert "listening" in err
    assert _left() == []


def test_subtitles_in_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["transcribe", "../speech.wav", "-o", "talk.srt"]) == 0
    out, _ = capfd.readouterr()
    text = Path("talk.srt").read_text(encoding="utf-8")
    blocks = text.strip().split("\n\n")
    assert out == f"talk.srt  10.0 s  12 words  {len(blocks)} subtitles\n"
    assert [block.split("\n")[0] for block in blocks] == [str(i + 1) for i in range(len(blocks))]
    assert all(
        re.fullmatch(r"\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}", block.split("\n")[1])
        for block in blocks
    )
    assert _words(" ".join(" ".join(block.split("\n")[2:]) for block in blocks)) == SAID
    assert _left() == ["talk.srt"]


def test_the_ending_says_the_format_and_the_option_more(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["transcribe", "-q", "../speech.wav", "-o", "talk.vtt"]) == 0
    assert Path("talk.vtt").read_text().startswith("WEBVTT\n\n")
    assert cli.run(["transcribe", "-q", "../speech.wav", "--format", "vtt", "-o", "a.srt"]) == 0
    assert Path("a.srt").read_text() == Path("talk.vtt").read_text()
    assert cli.run(["transcribe", "-q", "../speech.wav", "-o", "talk.md"]) == 0
    assert _words(Path("talk.md").read_text()) == SAID
    assert capfd.readouterr() == ("", "")


def test_json_has_words_times_confidence_and_provenance() -> None:
    assert cli.run(["transcribe", "-q", "../speech.wav", "-o", "talk.json"]) == 0
    told = json.loads(Path("talk.json").read_text(encoding="utf-8"))
    assert told["provenance"] == {
        "program": f"edgeavatar {__version__}",
        "file": "speech.wav",
        "sha256": zoo.file_sha256(Path("../speech.wav")),
        "model": "asr-moonshine-tiny 0.1.0",
        "alignment": "motion-nets 1",
    }
    assert told["language"] == "en"
    assert told["duration_s"] == pytest.approx(9.963, abs=0.001)
    assert told["word_time_error"]["clear_median_ms"] <= 10
    words = [word for stretch in told["stretches"] for word in stretch["words"]]
    assert [_words(word["text"])[0] for word in words] == SAID
    # The detector finds "Ever tried." from 0.29 to 1.28 s and "Fail better." to 8.8 s.
    assert words[0]["start_s"] == pytest.approx(0.29, abs=0.08)
    assert words[1]["end_s"] == pytest.approx(1.2, abs=0.12)
    assert all(0 <= word["confidence"] <= 1 for word in words)


def test_the_report(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["transcribe", "../speech.wav", "-o", "talk.srt", "--json"]) == 0
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert err == ""
    assert report["words"] == 12
    assert report["language"] == "en"
    assert report["unclear_s"] == 0
    assert report["confidence"] > 0.2
    assert 4 < report["speech_s"] < report["duration_s"] == pytest.approx(9.963, abs=0.001)
    assert report["word_time_error"]["clear_p90_ms"] <= 40
    assert report["warnings"] == []


@pytest.mark.parametrize(
    ("form", "expected"), [("txt", ""), ("srt", ""), ("vtt", "WEBVTT\n\n"), ("json", None)]
)
def test_silence_is_an_empty_transcript(
    form: str, expected: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["transcribe", "../silence.wav", "--format", form]) == 0
    out, err = capfd.readouterr()
    if expected is None:
        assert json.loads(out)["stretches"] == []
    else:
        assert out == expected
    assert err.splitlines()[-1] == "note: no words were heard: the transcript is empty"


def test_words_of_a_video_are_told_in_its_own_time() -> None:
    """The picture begins 2 s into the file's clock, as after cutting a stream."""
    rate, samples = 16000, _samples("../speech.wav")
    with av.open("clip.mkv", "w") as file:
        video: Any = file.add_stream("libx264", rate=Fraction(25))
        video.width = video.height = 64
        sound: Any = file.add_stream("pcm_s16le", rate=rate, layout="mono")
        for i in range(250):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
            frame.pts = 50 + i
            file.mux(video.encode(frame))
        block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        block.sample_rate, block.pts = rate, 0
        file.mux(sound.encode(block))
        file.mux(video.encode(None))
        file.mux(sound.encode(None))
    assert cli.run(["transcribe", "-q", "../speech.wav", "-o", "sound.json"]) == 0
    assert cli.run(["transcribe", "-q", "clip.mkv", "-o", "clip.json"]) == 0
    last = [json.loads(Path(p).read_text())["stretches"][-1] for p in ("sound.json", "clip.json")]
    assert last[1]["end_s"] == pytest.approx(last[0]["end_s"] - 2.0, abs=0.06)


def _samples(path: str) -> np.ndarray:
    with wave.open(path, "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere.wav"], 7, "no such file"),
        (["text.txt"], 7, "cannot be read"),
        (["mute.mp4"], 7, "expected a file with sound, found video in mute.mp4"),
        (["../speech.wav", "--json"], 2, "add --output"),
        (["../speech.wav", "-o", "../speech.wav"], 2, "is the recording itself"),
        (["../speech.wav", "-o", "no/where.srt"], 11, "cannot write no/where.srt"),
        (["../speech.wav", "--format", "docx"], 2, "'docx' is not one of"),
        (["../speech.wav", "--model", "huge"], 2, "'huge' is not one of"),
        ([], 2, "Missing argument 'SOURCE'"),
    ],
)
def test_what_goes_wrong_is_one_line(
    arguments: list[str], code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("text.txt").write_text("These are words already.")
    with av.open("mute.mp4", "w") as file:
        video: Any = file.add_stream("libx264", rate=25)
        file.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        file.mux(video.encode(None))
    before = _left()
    assert cli.run(["transcribe", "-q", *arguments]) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err
    assert _left() == before


def test_a_model_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path / "empty"))
    assert cli.run(["transcribe", "-q", "../speech.wav", "--model", "base", "-o", "a.srt"]) == 3
    _, err = capfd.readouterr()
    assert "edgeavatar models install asr-moonshine-base" in err
    assert _left() == []


def test_the_larger_model() -> None:
    try:
        zoo.resolve("asr-moonshine-base")
    except ModelNotFound as missing:
        pytest.skip(str(missing))
    command = ["transcribe", "-q", "../speech.wav", "--model", "base", "-o", "a.json"]
    assert cli.run(command) == 0
    told = json.loads(Path("a.json").read_text())
    assert told["provenance"]["model"] == "asr-moonshine-base 0.1.4"
    assert _words(" ".join(stretch["text"] for stretch in told["stretches"])) == SAID


PROGRAM = """
import json, resource, sys
from edgeavatar import cli
code = cli.run(["transcribe", "-q", sys.argv[1], "-o", sys.argv[2]])
print(json.dumps([code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def test_memory_does_not_grow_with_the_recording() -> None:
    def peak(times: int) -> int:
        with wave.open("long.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            for _ in range(times):
                file.writeframes(_samples("../speech.wav").tobytes())
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM, "long.wav", f"{times}.srt"],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        code, kilobytes = json.loads(result.stdout)
        assert code == 0
        return int(kilobytes)

    short, long = peak(4), peak(18)
    assert "--> 00:02:5" in Path("18.srt").read_text()
    assert long < 1.06 * short
