from __future__ import annotations

import io
import json
import sys
import wave
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from edgeavatar.audio import measure_lufs
from edgeavatar.cli import run


class Store(Protocol):
    def resolve(self, name: str) -> dict[str, Path]: ...


@pytest.fixture(autouse=True)
def _models(model_store: Store) -> None:
    model_store.resolve("voice-hibari")


def sound(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as wav:
        pcm = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
        return pcm.astype(np.float32) / 32767, wav.getframerate()


def test_sound_and_timings_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, times = tmp_path / "a.wav", tmp_path / "a.json"
    text = "Good morning. It is 7:30 pm, and Bob pays $5."
    args = ["speak", "--text", text, "-o", str(out), "--timings", str(times), "--json"]
    assert run(args) == 0
    summary = json.loads(capsys.readouterr().out)
    samples, rate = sound(out)
    found = json.loads(times.read_text(encoding="utf-8"))
    assert summary["samples"] == found["samples"] == len(samples)
    assert summary["sample_rate"] == found["sample_rate"] == rate == 24000
    assert summary["sentences"] == len(found["sentences"]) == 2
    at = 0
    for phoneme in found["phonemes"]:
        assert phoneme["start_sample"] == at
        at = phoneme["end_sample"]
        if phoneme["word"] >= 0:
            word = found["words"][phoneme["word"]]
            assert word["start_sample"] <= phoneme["start_sample"]
            assert at <= word["end_sample"]
    assert at == len(samples)
    assert [w["text"] for w in found["words"]] == [
        "Good", "morning", "It", "is", "7:30 pm", "and", "Bob", "pays", "$5",
    ]  # fmt: skip


@pytest.mark.parametrize("volume", ["-18", "-23"])
def test_the_loudness_is_as_asked(tmp_path: Path, volume: str) -> None:
    out = tmp_path / "a.wav"
    text = "The loudness of this sentence is measured by the standard."
    assert run(["speak", "-t", text, "-o", str(out), "--volume", volume, "-q"]) == 0
    assert abs(measure_lufs(*sound(out)) - float(volume)) < 0.5


def test_volume_off_leaves_the_voice_as_it_is(tmp_path: Path) -> None:
    loud = []
    for volume in ("off", "-30"):
        out = tmp_path / f"{volume}.wav"
        assert run(["speak", "-t", "Hello there.", "-o", str(out), "--volume", volume, "-q"]) == 0
        loud.append(measure_lufs(*sound(out)))
    assert loud[0] > loud[1] + 1


def test_words_come_from_a_file_or_from_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words.txt"
    words.write_bytes("\ufeffGood morning – café.".encode())
    for source in (str(words), "-"):
        stdin = io.TextIOWrapper(io.BytesIO(words.read_bytes()))
        monkeypatch.setattr(sys, "stdin", stdin)
        out = tmp_path / "a.wav"
        assert run(["speak", "--text-file", source, "-o", str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["words"] == 3


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["-t", ""], 10, "empty"),
        (["-t", "🎉"], 10, "emoji"),
        (["-t", "Привет"], 10, "Cyrillic"),
        (["-t", "hi", "--voice", "nobody"], 10, "known voice"),
        (["-t", "hi", "--rate", "3"], 2, "rate"),
        (["-t", "hi", "--volume", "loud"], 2, "--volume"),
        (["-t", "hi", "--volume", "3"], 2, "--volume"),
        (["-t", "hi", "--text-file", "x"], 2, "leave one out"),
        ([], 2, "found neither"),
        (["--text-file", "missing.txt"], 7, "missing.txt"),
        (["--text-file", "latin1.txt"], 7, "UTF-8"),
        (["--text-file", "folder"], 7, "folder"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin1.txt").write_bytes("caf\xe9".encode("latin-1"))
    Path("folder").mkdir()
    before = sorted(Path().iterdir())
    assert run(["speak", *args, "-o", "a.wav", "--timings", "a.json"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(("out", "code"), [("missing/a.wav", 11), ("a.mp3", 2), ("folder.wav", 11)])
def test_an_output_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.wav").mkdir()
    assert run(["speak", "-t", "hi", "-o", out, "--timings", "a.json"]) == code
    assert [p.name for p in Path().iterdir()] == ["folder.wav"]


def test_voices_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgeavatar import speech

    monkeypatch.setenv("EDGEAVATAR_CACHE", str(tmp_path))
    monkeypatch.setattr(speech, "measure_speed", lambda info, _: len(info.model) / 1000)
    assert run(["voices", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["hibari"]["default"]
    assert rows["hibari"]["installed"]
    assert rows["hibari"]["real_time_factor"] == 0.012
    assert rows["hibari"]["commercial_use"] == "yes"
    assert rows["jf_alpha"]["unavailable"]
    assert rows["jf_alpha"]["real_time_factor"] is None
    assert run(["voices"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[1].split()[:3] == ["hibari", "(default)", "en-US"]
    assert "0.012" in table[1]


def test_voices_that_are_missing_tell_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path))
    assert run(["voices"]) == 0
    said = capsys.readouterr().out
    assert "not installed" in said
    assert "edgeavatar models install voice-hibari" in said
    assert run(["voices", "--installed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
