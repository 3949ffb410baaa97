from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from edgeavatar.audio import decode_audio, resample
from edgeavatar.errors import IntegrityError
from edgeavatar.speech import Recognizer, open_recognizer, open_voice, transcribe
from edgeavatar.speech.transcription import SAMPLE_RATE, read_tokens, without_loops
from edgeavatar.types import AudioChunk


class Store(Protocol):
    def resolve(self, name: str) -> dict[str, Path]: ...


@pytest.fixture(scope="module")
def recognizer(model_store: Store) -> Recognizer:
    model_store.resolve("asr-moonshine-tiny")
    return open_recognizer()


@pytest.fixture(scope="module")
def beckett(model_store: Store) -> np.ndarray:
    path = model_store.resolve("fixture-speech")["beckett"]
    return np.concatenate([c.samples for c in decode_audio(path, SAMPLE_RATE)])


def test_a_reading_is_transcribed_stretch_by_stretch(
    recognizer: Recognizer, beckett: np.ndarray
) -> None:
    chunks = (AudioChunk(beckett[i : i + 4000], 16000, i) for i in range(0, len(beckett), 4000))
    stretches = [(4640, 20448), (29216, 46048), (55328, 68000)]
    found = list(transcribe(chunks, stretches, recognizer))
    assert [s.text for s in found] == ["Ever tried.", "Ever failed.", "No matter."]
    for segment, (start, end) in zip(found, stretches, strict=True):
        assert segment.start_s == start / 16000
        assert segment.end_s == end / 16000


def test_sound_outside_the_stretches_is_not_read(
    recognizer: Recognizer, beckett: np.ndarray
) -> None:
    assert list(transcribe([AudioChunk(beckett, 16000)], [], recognizer)) == []


def test_stretches_are_read_as_they_come(recognizer: Recognizer, beckett: np.ndarray) -> None:
    taken = 0

    def chunks() -> Iterator[AudioChunk]:
        nonlocal taken
        for i in range(0, len(beckett), 1600):
            taken = i
            yield AudioChunk(beckett[i : i + 1600], 16000, i)

    first = next(transcribe(chunks(), [(4640, 20448), (29216, 46048)], recognizer))
    assert first.text == "Ever tried."
    assert taken < 25000


def test_a_voice_is_understood(recognizer: Recognizer, model_store: Store) -> None:
    model_store.resolve("voice-hibari")
    chunks = open_voice("hibari").synthesize("The quick brown fox jumps over the lazy dog.")
    samples = np.concatenate([c.audio.samples for c in chunks])
    heard = recognizer.recognize(resample(samples, 24000, SAMPLE_RATE))
    assert heard.lower().strip(" .") == "the quick brown fox jumps over the lazy dog"


def test_a_long_stretch_is_cut_in_silence(recognizer: Recognizer, beckett: np.ndarray) -> None:
    sound = np.tile(beckett, 3)
    found = list(transcribe([AudioChunk(sound, 16000)], [(0, len(sound))], recognizer))
    assert len(found) >= 2
    assert all(s.end_s - s.start_s <= 20.0 for s in found)
    text = " ".join(s.text for s in found)
    assert text.lower().count("no matter") == 3


def test_too_short_a_stretch_has_no_words(recognizer: Recognizer) -> None:
    assert recognizer.recognize(np.zeros(100, np.float32)) == ""


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [
        ("No, no, no.", 2.0, "No, no, no."),
        ("go go go go go go go go", 9.0, "go"),
        ("I am here. I am here. I am here. I am here. I am here.", 9.0, "I am here."),
        ("one two three four five six seven eight nine", 0.4, "one two three"),
        ("It was the best of times.", 2.0, "It was the best of times."),
        ("", 1.0, ""),
    ],
)
def test_loops_are_cut(text: str, seconds: float, expected: str) -> None:
    assert without_loops(text, seconds) == expected


def test_tokens_are_read(tmp_path: Path) -> None:
    long = bytes(range(65, 91)) * 6
    data = b"\x00" + b"\x03abc" + bytes([128 + len(long) % 128, len(long) // 128]) + long
    assert read_tokens(data, tmp_path) == [b"", b"abc", long]
    with pytest.raises(IntegrityError, match="whole tokens"):
        read_tokens(b"\x05ab", tmp_path)


def test_the_token_list_is_made_once(
    model_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = model_store.resolve("asr-moonshine-tiny")
    monkeypatch.setenv("EDGEAVATAR_CACHE", str(tmp_path))
    for _ in range(2):
        open_recognizer()
    lists = list((tmp_path / "tokens").iterdir())
    assert len(lists) == 1
    lines = lists[0].read_text().splitlines()
    tokens = read_tokens(files["tokenizer"].read_bytes(), files["tokenizer"])
    assert len(lines) == len(tokens) == 32768
    word, number = lines[300].split(" ")
    assert base64.b64decode(word) == tokens[300]
    assert number == "300"
