"""Models of others, packed for others: they load there, and say what they said before."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edgeavatar.errors import BackendError, UsageError

onnx = pytest.importorskip("onnx", reason="onnx is only needed for export")
pytest.importorskip("onnxslim", reason="onnxslim is only needed for export")

from export.__main__ import main
from export.building import read_report
from export.converting import Conversion, convert
from export.gates import Gate
from export.recipes import recipe_named
from export.recipes.asr import same_words, words_heard
from export.recipes.lexicon import (
    english_words,
    espeak_reading,
    lexicon,
    misaki_reading,
    regular_forms,
)
from export.recipes.voices import _make_sherpa_kokoro, _make_sherpa_piper, with_durations

_WORDS = ["before", "by", "come", "door", "front", "in", "leave"]
_WORDS += ["please", "the", "umbrella", "you", "your"]


def quiet(_: str) -> None:
    pass


def named(name: str) -> Conversion:
    found = recipe_named(name)
    assert isinstance(found, Conversion)
    return found


def checks(report: dict[str, Any]) -> dict[str, Any]:
    return {check["name"]: check for check in report["checks"]}


@pytest.mark.parametrize("name", ["voice-joe", "voice-hibari", "voice-kokoro"])
def test_a_voice_tells_how_long_its_phonemes_last(
    name: str, tmp_path: Path, model_store: Any
) -> None:
    model_store.resolve(name)
    report = convert(named(name), tmp_path, quiet)
    assert report["passed"], report["checks"]
    assert checks(report)["same outputs as before"]["found"] == "0.0e+00 away"
    file = next(iter(report["files"]))
    onnx.checker.check_model(str(tmp_path / file))
    # All that it makes is there, and nothing else.
    assert {p.name for p in tmp_path.iterdir()} == {*report["files"], "report.json", "report.md"}


def test_durations_that_a_graph_does_not_have_are_refused(model_store: Any) -> None:
    path = model_store.resolve("voice-hibari")["acoustic"]
    with pytest.raises(BackendError, match="/Nowhere"):
        with_durations(path, "/Nowhere", ("L",))


@pytest.mark.parametrize(
    ("name", "make"),
    [("sherpa-piper", _make_sherpa_piper), ("sherpa-kokoro", _make_sherpa_kokoro)],
)
def test_sherpa_onnx_speaks_a_packed_voice(
    name: str, make: Any, tmp_path: Path, model_store: Any
) -> None:
    for model in ("voice-joe", "voice-kokoro", "asr-moonshine-tiny"):
        model_store.resolve(model)
    found = make(tmp_path, quiet, words=lambda: _WORDS)
    assert all(check.passed for check in found), found
    assert [c.name for c in found][1:] == ["words of phonemes", "words of a text"]
    assert {p.name for p in tmp_path.iterdir()} == set(named(name).files)


def test_a_word_that_is_not_heard_fails_a_check() -> None:
    assert same_words("heard", "Please, don't LEAVE!", "Please don't leave.").passed
    assert not same_words("heard", "Please leave.", "Please don't leave.").passed
    silence = words_heard("heard", "Please leave.", np.zeros(0, np.float32), 16000)
    assert not silence.passed


def test_sherpa_onnx_transcribes_with_the_token_table(tmp_path: Path, model_store: Any) -> None:
    model_store.resolve("asr-moonshine-tiny")
    model_store.resolve("fixture-speech")
    report = convert(named("sherpa-moonshine"), tmp_path, quiet)
    assert report["passed"], report["checks"]
    lines = (tmp_path / "tokens.txt").read_text(encoding="ascii").splitlines()
    assert len(lines) == 32768
    assert [int(line.split()[-1]) for line in lines] == list(range(32768))


def write(folder: Path, _: Any, *, passes: bool) -> list[Gate]:
    (folder / "model.onnx").write_bytes(b"one")
    return [Gate("it works", "maybe", "yes", passed=passes)]


def pack(*, passes: bool) -> Conversion:
    make = partial(write, passes=passes)
    return Conversion("pack", "a pack", "voice-joe", "open it", ("model.onnx",), make)


def test_a_pack_that_fails_leaves_no_file_and_is_no_net(tmp_path: Path) -> None:
    assert convert(pack(passes=True), tmp_path, quiet)["passed"]
    assert (tmp_path / "model.onnx").read_bytes() == b"one"
    assert not convert(pack(passes=False), tmp_path, quiet)["passed"]
    # What an earlier build left would be taken for what this one made.
    assert {p.name for p in tmp_path.iterdir()} == {"report.json", "report.md"}
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| it works | maybe | yes | **no** |" in page
    assert "No file was kept." in page
    assert "commercial use: unclear" in page
    with pytest.raises(UsageError, match="found the pack"):
        read_report(tmp_path)


@pytest.mark.parametrize(("passes", "code"), [(True, 0), (False, 1)])
def test_build_packs_and_says_whether_it_passed(
    passes: bool, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.recipes.recipe_named", lambda _: pack(passes=passes))
    result = CliRunner().invoke(main, ["build", "pack", "-o", str(tmp_path)])
    assert result.exit_code == code, result.output
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is passes


def test_a_pack_takes_no_checkpoint(tmp_path: Path) -> None:
    arguments = ["build", "sherpa-moonshine", "-o", str(tmp_path / "out"), "--checkpoint", "x.pt"]
    result = CliRunner().invoke(main, arguments)
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "out").exists()


def test_words_have_their_regular_forms() -> None:
    assert set(regular_forms("stop")) == {"stops", "stopped", "stopping", "stop's"}
    assert set(regular_forms("carry")) == {"carries", "carried", "carrying", "carry's"}
    assert set(regular_forms("make")) == {"makes", "maked", "making", "make's"}
    assert set(regular_forms("watch")) == {"watches", "watched", "watching", "watch's"}
    words = english_words()
    assert words == sorted(set(words))
    assert {"pebbles", "watched", "rolling", "umbrella", "don't", "george"} <= set(words)


def test_a_list_has_what_the_voice_can_say() -> None:
    read = {"go": list("ɡˈO"), "née": list("né"), "hm": list("..")}
    assert lexicon(read, lambda word: read[word], "ɡˈOn.") == "go ɡ ˈ O\nnée n\n"


def test_short_words_are_read_as_among_others() -> None:
    espeak = pytest.importorskip("piper.phonemize_espeak").EspeakPhonemizer()
    reading = espeak_reading(lambda text: [p for s in espeak.phonemize("en-us", text) for p in s])
    # Alone, "a" is the name of a letter.
    assert "".join(reading("a")) == "ɐ"
    assert "".join(reading("to")) == "tə"
    assert "".join(misaki_reading("a")) == "ɐ"
    assert "".join(misaki_reading("watched")) == "wˈɑʧt"
    assert misaki_reading("zxyqb") == []
    assert np.all([len(sound) == 1 for sound in misaki_reading("umbrella")])
