from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from edgeavatar.audio import VoiceActivityDetector, decode_audio, detect_speech, open_vad
from edgeavatar.audio.vad import HOP_LENGTH, SpeechSegment, segments_of
from edgeavatar.types import AudioChunk


class Store(Protocol):
    def resolve(self, name: str) -> dict[str, Path]: ...


@pytest.fixture(scope="module")
def detector(model_store: Store) -> Iterator[VoiceActivityDetector]:
    model_store.resolve("vad-silero")
    vad = open_vad()
    yield vad
    vad.close()


@pytest.fixture(scope="module")
def beckett(model_store: Store) -> np.ndarray:
    path = model_store.resolve("fixture-speech")["beckett"]
    return np.concatenate([c.samples for c in decode_audio(path, 16000)])


def test_six_short_sentences_are_found(
    detector: VoiceActivityDetector, beckett: np.ndarray
) -> None:
    found = list(detect_speech([AudioChunk(beckett, 16000)], detector))
    assert len(found) == 6
    # Read off the waveform: "Ever tried." sounds from 0.33 to 1.24 s.
    assert abs(found[0].start_s - 0.33) < 0.1
    assert abs(found[0].end_s - 1.24) < 0.1
    for a, b in itertools.pairwise(found):
        assert a.end_sample <= b.start_sample
    assert found[-1].end_sample <= len(beckett)


def test_blocks_do_not_matter(detector: VoiceActivityDetector, beckett: np.ndarray) -> None:
    detector.reset()
    whole = np.concatenate([detector.push(beckett), detector.flush()])
    detector.reset()
    parts = [detector.push(beckett[i : i + 1001]) for i in range(0, len(beckett), 1001)]
    assert np.allclose(np.concatenate([*parts, detector.flush()]), whole, atol=1e-5)
    assert len(whole) == -(-len(beckett) // HOP_LENGTH)
    assert whole.min() >= 0
    assert whole.max() > 0.95


def test_noise_and_silence_are_not_speech(detector: VoiceActivityDetector) -> None:
    rng = np.random.default_rng(0)
    noise = (0.02 * rng.standard_normal(48000)).astype(np.float32)
    hum = (0.1 * np.sin(2 * np.pi * 100 * np.arange(48000) / 16000)).astype(np.float32)
    for sound in (noise, hum, np.zeros(48000, np.float32)):
        assert list(detect_speech([AudioChunk(sound, 16000)], detector)) == []


def test_a_dip_does_not_end_a_segment_and_a_blip_does_not_begin_one() -> None:
    speech, dip, quiet = 0.9, 0.4, 0.1
    steady = [quiet] * 5 + [speech] * 10 + [dip] * 3 + [quiet] * 2 + [speech] * 10 + [quiet] * 9
    found = list(segments_of(steady))
    assert found == [SpeechSegment(5 * HOP_LENGTH - 480, 30 * HOP_LENGTH + 480)]
    assert list(segments_of([quiet] * 5 + [speech] * 3 + [quiet] * 9)) == []
    assert list(segments_of([speech] * 20)) == [SpeechSegment(0, 20 * HOP_LENGTH + 480)]
    assert list(segments_of([])) == []
