"""Recordings become words with times: what is heard, when, and what is not."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.motion import music
from benchmarks.transcription import READINGS, bare, filmed, pronounced, word_errors
from edgeavatar.audio import decode_audio, open_vad, resample
from edgeavatar.motion.nets import open_listener
from edgeavatar.pipeline import transcribing
from edgeavatar.pipeline.transcribing import Ears, Progress, Stretch, open_ears, words_of
from edgeavatar.speech import open_voice
from edgeavatar.types import AudioChunk

RATE = 16000


@pytest.fixture(autouse=True)
def _models(model_store: Callable[[str], object]) -> None:
    for name in ("asr-moonshine-tiny", "vad-silero", "voice-hibari"):
        model_store(name)


@pytest.fixture(scope="module")
def readings(model_store: Any) -> dict[str, np.ndarray]:
    return {
        name: np.concatenate([c.samples for c in decode_audio(path, RATE)])
        for name, path in model_store.resolve("fixture-speech").items()
    }


class Told:
    """A recogniser that is told what to have heard, and remembers what it was shown."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.shown: list[int] = []

    def recognize(self, samples: np.ndarray) -> str:
        self.shown.append(len(samples))
        return self._texts.pop(0) if self._texts else ""


def chunked(samples: np.ndarray) -> Iterator[AudioChunk]:
    for i in range(0, len(samples), 7000):
        yield AudioChunk(samples[i : i + 7000].astype(np.float32), RATE, i)


def hear(samples: np.ndarray, progress: Progress | None = None) -> list[Stretch]:
    with open_ears() as ears:
        return list(words_of(chunked(samples), ears, progress))


def told(samples: np.ndarray, *texts: str) -> list[Stretch]:
    recognizer: Any = Told(*texts)
    detector = open_vad()
    with open_listener() as listener:
        return list(words_of(chunked(samples), Ears(detector, recognizer, listener)))


@pytest.mark.parametrize(("name", "most"), [("two_cities", 0.03), ("beckett", 0.0)])
def test_the_readings_are_heard(readings: dict[str, np.ndarray], name: str, most: float) -> None:
    stretches = hear(readings[name])
    expected = pronounced(READINGS[name])
    found = pronounced(" ".join(stretch.text for stretch in stretches))
    assert word_errors(expected, found) <= most * len(expected)
    words = [word for stretch in stretches for word in stretch.words]
    assert " ".join(word.text for word in words) == " ".join(s.text for s in stretches)
    for one, other in itertools.pairwise(words):
        assert one.start_s <= one.end_s <= other.start_s
    assert all(0.0 <= (word.confidence or 0.0) <= 1.0 for word in words)
    assert all(stretch.fit > 0.2 for stretch in stretches)


def test_words_of_a_voice_are_timed_to_10_ms() -> None:
    off = []
    for text in (
        "The museum charges a little for adults and nothing for children.",
        "A sudden gust of wind blew the papers across the parking lot.",
        "Bright yellow leaves covered the path beside the river.",
    ):
        made = list(open_voice("hibari").synthesize(text))
        rate = made[0].audio.sample_rate
        samples = resample(np.concatenate([c.audio.samples for c in made]), rate, RATE)
        truth = [word for chunk in made for word in chunk.words]
        found = [word for stretch in hear(samples) for word in stretch.words]
        assert [bare(w.text) for w in found] == [bare(w.text) for w in truth]
        for word, exact in zip(found, truth, strict=True):
            off += [
                abs(float(word.start_s) - exact.start_sample / rate),
                abs(float(word.end_s) - exact.end_sample / rate),
            ]
    assert np.median(off) <= 0.010
    assert np.percentile(off, 90) <= 0.040


def test_words_of_noisy_film_are_timed_to_40_ms(shared_data: Path) -> None:
    if not (shared_data / "grid_s1").is_dir():
        pytest.skip("no GRID clips")
    off = []
    for clip in filmed(shared_data, 90):
        found = [word for stretch in told(clip.samples, clip.text) for word in stretch.words]
        if len(found) == len(clip.words):
            for word, (_, start, end) in zip(found, clip.words, strict=True):
                off += [abs(float(word.start_s) - start), abs(float(word.end_s) - end)]
    assert len(off) > 80
    assert np.median(off) <= 0.040
    assert np.percentile(off, 90) <= 0.120


def sounds() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(8)
    count = 12 * RATE
    times = np.arange(count) / RATE
    return {
        "silence": np.zeros(count),
        "noise": 0.1 * draw.standard_normal(count),
        "faint noise": 0.001 * draw.standard_normal(count),
        "hum": 0.4 * np.sin(100 * np.pi * times),
        "clicks": 0.8 * (draw.random(count) < 0.0003),
        "music": 0.3 * music(count, draw),
    }


@pytest.mark.parametrize("name", list(sounds()))
def test_no_words_are_invented(name: str) -> None:
    assert hear(np.clip(sounds()[name], -1, 1)) == []


@pytest.mark.parametrize("name", ["silence", "noise", "clicks", "music"])
def test_invented_words_do_not_fit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the detector took all for speech."""
    monkeypatch.setattr(transcribing.VoiceActivityDetector, "_probability", lambda *_: 0.9)
    progress = Progress()
    with open_ears() as ears:
        invent: Any = Told("Thank you for watching.")
        samples = np.clip(sounds()[name], -1, 1)
        heard = words_of(chunked(samples), Ears(ears.detector, invent, ears.listener), progress)
        assert list(heard) == []
    assert progress.unclear_s > 10


def test_words_that_were_not_said_are_left_out(readings: dict[str, np.ndarray]) -> None:
    speech = readings["beckett"]
    assert len(told(speech, READINGS["beckett"])) == 1
    wrong = "Thank you for watching, and please subscribe to my wonderful channel today."
    assert told(speech, wrong) == []


def test_times_do_not_depend_on_the_place_in_a_recording() -> None:
    made = list(open_voice("hibari").synthesize("Bright yellow leaves covered the path."))
    rate = made[0].audio.sample_rate
    speech = resample(np.concatenate([c.audio.samples for c in made]), rate, RATE)
    late = np.concatenate([np.zeros(40 * RATE), speech, np.zeros(20 * RATE)])
    alone, moved = ([w for s in hear(x) for w in s.words] for x in (speech, late))
    assert [bare(word.text) for word in moved] == [bare(word.text) for word in alone]
    for one, other in zip(alone, moved, strict=True):
        assert abs(other.start_s - 40 - one.start_s) <= Fraction(1, 50)


class Counted:
    """Chunks that tell how many of them are still held."""

    def __init__(self, samples: np.ndarray, times: int) -> None:
        self._samples, self._times = samples.astype(np.float32), times
        self._alive = 0
        self.most_s = 0.0

    def _gone(self) -> None:
        self._alive -= 1

    def __iter__(self) -> Iterator[AudioChunk]:
        position = 0
        for _ in range(self._times):
            for i in range(0, len(self._samples), RATE):
                samples = self._samples[i : i + RATE].copy()
                self._alive += 1
                weakref.finalize(samples, self._gone)
                yield AudioChunk(samples, RATE, position)
                position += len(samples)
                del samples
                gc.collect(0)
                self.most_s = max(self.most_s, float(self._alive))


@pytest.mark.parametrize("kind", ["silence", "speech", "endless"])
def test_little_of_a_long_recording_is_held(
    readings: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "endless":
        monkeypatch.setattr(transcribing.VoiceActivityDetector, "_probability", lambda *_: 0.9)
    samples = np.zeros(10 * RATE) if kind == "silence" else readings["beckett"]
    source = Counted(samples, 12)
    recognizer: Any = Told()
    detector = open_vad()
    with open_listener() as listener:
        list(words_of(source, Ears(detector, recognizer, listener)))
    assert source.most_s <= {"silence": 4, "speech": 22, "endless": 45}[kind]
    assert max(recognizer.shown, default=0) <= 20.5 * RATE
    shown_s = sum(recognizer.shown) / RATE
    if kind == "endless":
        assert shown_s >= 119
    else:
        assert shown_s <= 120


def test_a_stretch_comes_when_it_is_over(readings: dict[str, np.ndarray]) -> None:
    taken = 0

    def live() -> Iterator[AudioChunk]:
        nonlocal taken
        sound = np.concatenate([readings["beckett"], np.zeros(60 * RATE, np.float32)])
        for i in range(0, len(sound), 1600):
            taken = i
            yield AudioChunk(sound[i : i + 1600], RATE, i)

    with open_ears() as ears:
        first = next(words_of(live(), ears))
    assert first.text.startswith("Ever tried")
    assert taken / RATE < 12.0
