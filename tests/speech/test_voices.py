from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from edgeavatar import zoo
from edgeavatar.backends import Setting
from edgeavatar.errors import IntegrityError, ModelNotFound, SpeechError, UsageError
from edgeavatar.speech import (
    DEFAULT_VOICE,
    Voice,
    find_voice,
    is_installed,
    list_voices,
    measure_speed,
    open_voice,
)
from edgeavatar.speech.base import MAX_RATE
from edgeavatar.types import SpeechChunk

VOWELS = frozenset("aeiouæɑɐɒɔəɛɜɪʊʌɚ")


class Store(Protocol):
    def resolve(self, name: str) -> dict[str, Path]: ...


@pytest.fixture(scope="module")
def hibari(model_store: Store) -> Iterator[Voice]:
    model_store.resolve("voice-hibari")
    voice = open_voice("hibari", threads=1)
    yield voice
    voice.close()


@pytest.fixture(scope="module")
def joe(model_store: Store) -> Iterator[Voice]:
    model_store.resolve("voice-joe")
    voice = open_voice("joe", threads=1)
    yield voice
    voice.close()


@pytest.fixture(scope="module")
def kokoro(model_store: Store) -> Iterator[Voice]:
    model_store.resolve("voice-kokoro")
    voice = open_voice("af_heart")
    yield voice
    voice.close()


def check_stream(chunks: list[SpeechChunk], sample_rate: int) -> None:
    """Check all that a stream of chunks promises."""
    position = words = 0
    for chunk in chunks:
        audio = chunk.audio
        assert audio.sample_rate == sample_rate
        assert audio.start_sample == position
        assert audio.samples.dtype == np.float32
        assert np.isfinite(audio.samples).all()
        assert 0.02 < np.abs(audio.samples).max() <= 1.5
        assert chunk.phonemes[0].start_sample == position
        assert chunk.phonemes[0].symbol == chunk.phonemes[-1].symbol == "_"
        position += len(audio.samples)
        assert chunk.phonemes[-1].end_sample == position
        for a, b in itertools.pairwise(chunk.phonemes):
            assert a.start_sample < a.end_sample == b.start_sample
        for word, timing in enumerate(chunk.words, words):
            own = [p for p in chunk.phonemes if p.word == word]
            assert timing.start_sample == own[0].start_sample
            assert timing.end_sample == own[-1].end_sample
        words += len(chunk.words)
        for a, b in itertools.pairwise(chunk.words):
            assert a.end_sample <= b.start_sample
        assert all((p.word < 0) == (p.symbol == "_") for p in chunk.phonemes)


def symbols(chunk: SpeechChunk) -> str:
    return " ".join(p.symbol for p in chunk.phonemes)


def test_hibari_speaks_sentence_by_sentence(hibari: Voice) -> None:
    text = "Peter picked up a big book, but Bob stopped. Did she pay $9.99 at 7:30 pm?"
    chunks = list(hibari.synthesize(text))
    check_stream(chunks, 24000)
    assert [c.text for c in chunks] == [
        "Peter picked up a big book, but Bob stopped.",
        "Did she pay $9.99 at 7:30 pm?",
    ]
    assert [w.text for c in chunks for w in c.words] == [
        "Peter", "picked", "up", "a", "big", "book", "but", "Bob", "stopped",
        "Did", "she", "pay", "$9.99", "at", "7:30 pm",
    ]  # fmt: skip
    assert symbols(chunks[0]).startswith("_ p i ɾ ə ɹ p ɪ k t ʌ p ɐ b ɪ ɡ b ʊ k")
    assert chunks[0].phonemes[2].stress == 2


def test_hibari_says_the_same_each_time(hibari: Voice) -> None:
    first, second = (next(hibari.synthesize("Again and again.")) for _ in range(2))
    assert np.array_equal(first.audio.samples, second.audio.samples)
    assert first.phonemes == second.phonemes


def test_joe_has_exact_times(joe: Voice) -> None:
    chunks = list(joe.synthesize("Peter picked up a big book. The church bell rang at 7:30 pm!"))
    check_stream(chunks, 22050)
    assert [w.text for w in chunks[1].words] == ["The", "church", "bell", "rang", "at", "7:30 pm"]
    assert symbols(chunks[0]).startswith("_ p i ɾ ɚ p ɪ k t ʌ p ɐ b ɪ ɡ b ʊ k")
    assert " tʃ ɜ tʃ " in symbols(chunks[1])


def test_kokoro_has_exact_times(kokoro: Voice) -> None:
    chunks = list(kokoro.synthesize("Bob may pay now."))
    check_stream(chunks, 24000)
    assert symbols(chunks[0]) == "_ b ɑ b m eɪ p eɪ n aʊ _"
    assert [w.text for w in chunks[0].words] == ["Bob", "may", "pay", "now"]


def test_kokoro_speaks_other_languages(model_store: Store) -> None:
    model_store.resolve("voice-kokoro")
    voice = open_voice("ef_dora")
    chunks = list(voice.synthesize("¡Hola, 25 años!"))
    voice.close()
    check_stream(chunks, 24000)
    assert [w.text for w in chunks[0].words] == ["Hola", "25", "años"]
    assert symbols(chunks[0]).startswith("_ o l a")


SIBILANTS = (
    "The essence of this season is a certain softness.",
    "A fish in the bushes wishes to see the sea.",
    "We saw a machine in the passage near the ocean.",
    "The boss is missing a message about the mission.",
)


def hiss_edges(chunk: SpeechChunk) -> Iterator[float]:
    """Distance in ms from edges of sibilants between vowels to where the hiss begins or ends."""
    rate, samples = chunk.audio.sample_rate, chunk.audio.samples
    hop, width = rate // 500, rate // 66
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, width // 2), width)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(width), 1024)) ** 2
    hertz = np.fft.rfftfreq(1024, 1 / rate)
    high = power[:, hertz > 4500].sum(axis=1)
    low = power[:, (hertz > 200) & (hertz < 3500)].sum(axis=1)
    hiss = high / (high + low + 1e-6 * low.max())
    for before, p, after in zip(
        chunk.phonemes, chunk.phonemes[1:], chunk.phonemes[2:], strict=False
    ):
        if p.symbol not in "sʃz" or before.symbol[-1] not in VOWELS:
            continue
        if after.symbol[0] not in VOWELS:
            continue
        start = (p.start_sample - chunk.audio.start_sample) // hop
        end = (p.end_sample - chunk.audio.start_sample) // hop
        peak = start + int(np.argmax(hiss[start:end]))
        left = right = peak
        while left > 0 and hiss[left] > hiss[peak] / 2:
            left -= 1
        while right < len(hiss) - 1 and hiss[right] > hiss[peak] / 2:
            right += 1
        yield (left - start) * 2.0
        yield (right - end) * 2.0


@pytest.mark.parametrize("name", ["hibari", "joe"])
def test_phoneme_times_fit_the_sound(name: str, request: pytest.FixtureRequest) -> None:
    voice = request.getfixturevalue(name)
    found = [e for text in SIBILANTS for c in voice.synthesize(text) for e in hiss_edges(c)]
    assert len(found) >= 20
    assert abs(statistics.median(found)) <= 10
    assert statistics.median(abs(e) for e in found) <= 15


@pytest.mark.parametrize("name", ["hibari", "joe"])
def test_rate_changes_the_pace(name: str, request: pytest.FixtureRequest) -> None:
    voice = request.getfixturevalue(name)
    text = "She walked along the river every morning before breakfast."

    def seconds(rate: float) -> float:
        chunks = list(voice.synthesize(text, rate=rate))
        check_stream(chunks, voice.info.sample_rate)
        return (chunks[0].words[-1].end_sample - chunks[0].words[0].start_sample) / (
            voice.info.sample_rate
        )

    normal = seconds(1.0)
    assert 1.6 < seconds(0.5) / normal < 2.3
    assert 0.42 < seconds(MAX_RATE) / normal < 0.65


def test_a_book_begins_at_once_and_a_word_may_be_long(hibari: Voice) -> None:
    text = "This is one sentence of a book that never seems to come to its end. " * 1500
    start = time.perf_counter()
    first = list(itertools.islice(hibari.synthesize(text), 2))
    assert time.perf_counter() - start < 2.0
    check_stream(first, 24000)
    digits = list(hibari.synthesize("9876543210123456 " * 12))
    check_stream(digits, 24000)
    assert len(digits) > 1


@pytest.mark.parametrize("text", ["", "  \n", "🎉 🎉", "...", "Привет", "你好", "مرحبا"])
def test_what_cannot_be_spoken_is_refused(hibari: Voice, text: str) -> None:
    with pytest.raises(SpeechError) as caught:
        list(hibari.synthesize(text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate", [0.0, 0.49, 2.01, -1.0, float("nan")])
def test_a_rate_out_of_range_is_refused(hibari: Voice, rate: float) -> None:
    with pytest.raises(UsageError, match="rate"):
        list(hibari.synthesize("Hello.", rate=rate))


def test_advice_names_a_voice_that_can(hibari: Voice) -> None:
    with pytest.raises(SpeechError, match=r"Devanagari.*--voice hf_alpha"):
        list(hibari.synthesize("नमस्ते"))


def test_the_catalogue_is_complete() -> None:
    voices = list_voices()
    assert voices[0].name == DEFAULT_VOICE
    assert voices[0].commercial_use == "yes"
    assert len({v.name for v in voices}) == len(voices) == 56
    assert {v.engine for v in voices} == {"hibari", "kokoro", "piper"}
    languages = {v.languages[0] for v in voices if not v.unavailable}
    assert languages == {"en-US", "en-GB", "es-ES", "fr-FR", "hi-IN", "it-IT", "pt-BR"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("heart", "af_heart"),
        ("af_hart", "af_heart"),
        ("HIBARI", "hibari"),
        ("zzzz", "edgeavatar voices"),
        ("jf_alpha", "Japanese"),
        ("zm_yunxi", "Mandarin"),
    ],
)
def test_a_voice_that_cannot_be_had_is_explained(name: str, words: str) -> None:
    with pytest.raises(SpeechError) as caught:
        find_voice(name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_model_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path))
    with pytest.raises(ModelNotFound, match="edgeavatar models install voice-kokoro"):
        open_voice("af_heart")
    assert not is_installed(find_voice("af_heart"))


def test_a_style_table_of_another_size_is_refused(tmp_path: Path) -> None:
    from edgeavatar.speech.kokoro import KokoroVoice

    (tmp_path / "style.bin").write_bytes(bytes(1000))
    with pytest.raises(IntegrityError, match="250"):
        KokoroVoice(find_voice("af_heart"), None, tmp_path / "style.bin", {}, str)  # type: ignore[arg-type]


def test_speed_is_measured_and_remembered(
    model_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeavatar.speech import known_speed

    model_store.resolve("voice-hibari")

    monkeypatch.setenv("EDGEAVATAR_CACHE", str(tmp_path))
    info = find_voice("hibari")
    assert known_speed(info) is None
    factor = measure_speed(info)
    assert 0.0005 < factor < 0.5
    assert known_speed(info) == pytest.approx(factor, abs=1e-4)
    # As another profile has it, it may be as fast or not.
    path = zoo.file_of("voice-hibari", "acoustic")
    assert known_speed(info, {path: Setting(path, "onnxruntime", 2, "")}) is None


def test_the_default_voice_loads_no_gpl_code_and_downloads_nothing(model_store: Store) -> None:
    model_store.resolve("voice-hibari")
    code = (
        "import sys, hibari.voices\n"
        "def never(*a, **k): raise AssertionError('download')\n"
        "hibari.voices.voice_path = hibari.voices.download = never\n"
        "from edgeavatar.speech import open_voice\n"
        "print(sum(len(c.audio.samples) for c in open_voice().synthesize('Hello.')))\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('piper', 'sherpa_onnx')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    samples, loaded = done.stdout.splitlines()
    assert int(samples) > 10000
    assert loaded == "[]"
