"""The bars of MEASURES.md on real voices, before any picture is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnxruntime
import pytest

from edgeavatar.audio.resample import resample_stream
from edgeavatar.audio.vad import SAMPLE_RATE, open_vad
from edgeavatar.motion.acoustics import audio_rows
from edgeavatar.motion.aperture import lip_aperture
from edgeavatar.motion.coarticulation import phoneme_rows
from edgeavatar.motion.measures import (
    closure,
    closure_contrast,
    correlation,
    extent,
    silence_leakage,
)
from edgeavatar.speech import open_voice
from edgeavatar.types import AudioChunk, PhonemeTiming, SpeechChunk

TEXT = """
Bob maps the big moon before five people. Please call Stella and ask her to bring these things
with her from the store. Nobody may copy the map, but maybe Pam will be happy to keep a piece of it!
My father bought a big brown boat. Did you put the paper cup back on top of the table?
"""


VOICES = {"hibari": "voice-hibari", "en_US-joe": "voice-joe"}


@pytest.fixture(scope="module", params=sorted(VOICES))
def speech(
    request: pytest.FixtureRequest, model_store: Callable[[str], object]
) -> list[SpeechChunk]:
    model_store(VOICES[request.param])
    model_store("vad-silero")
    # Piper's graph draws its own noise: the same recording each time.
    onnxruntime.set_seed(0)
    voice = open_voice(request.param)
    chunks = list(voice.synthesize(TEXT))
    voice.close()
    return chunks


@pytest.fixture(scope="module")
def spoken_gaps(speech: list[SpeechChunk]) -> np.ndarray:
    return lip_aperture(np.concatenate(list(phoneme_rows(speech))))


def phonemes_of(speech: list[SpeechChunk]) -> list[PhonemeTiming]:
    return [phoneme for chunk in speech for phoneme in chunk.phonemes]


def frames(gaps: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(0.0, (len(gaps) - 1) / 100.0, 1.0 / fps)
    return np.interp(times, np.arange(len(gaps)) / 100.0, gaps), times


@pytest.mark.parametrize("fps", [24000 / 1001, 25.0, 30000 / 1001, 60.0])
def test_words_are_articulated_at_any_frame_rate(
    speech: list[SpeechChunk], spoken_gaps: np.ndarray, fps: float
) -> None:
    phonemes, rate = phonemes_of(speech), speech[0].audio.sample_rate
    gaps, times = frames(spoken_gaps, fps)
    score = closure(gaps, times, phonemes, rate)
    assert score.bilabials > 30
    assert score.open_vowels > 20
    assert score.hit_share == 1.0
    assert score.false_share <= 0.05
    assert closure_contrast(gaps, times, phonemes, rate) >= 3.8
    assert silence_leakage(gaps, times, phonemes, rate) <= 0.01


def test_openings_are_those_of_a_real_speaker(spoken_gaps: np.ndarray) -> None:
    """GRID's speaker opens .075 face heights (5th to 95th percentile) at 2.8 Hz in commands."""
    gaps, _ = frames(spoken_gaps, 25.0)
    found = extent(gaps, 25.0)
    assert 0.9 <= found.range / 0.079 <= 1.15
    assert 2.0 <= found.frequency_hz <= 3.2


@pytest.mark.parametrize("fan_db", [None, -35.0])
def test_the_sound_alone_moves_the_mouth_like_its_phonemes(
    speech: list[SpeechChunk], spoken_gaps: np.ndarray, fan_db: float | None
) -> None:
    sound = np.concatenate(
        [c.samples for c in resample_stream((c.audio for c in speech), SAMPLE_RATE)]
    )
    if fan_db is not None:
        draw = np.random.default_rng(0)
        fan = np.convolve(draw.standard_normal(len(sound)), np.ones(6) / 6, mode="same")
        sound = sound + (fan / fan.std() * 10.0 ** (fan_db / 20.0)).astype(np.float32)
    detector = open_vad()
    chances = np.concatenate([detector.push(sound), detector.flush()])
    detector.close()

    def chunks() -> Iterator[AudioChunk]:
        for first in range(0, len(sound), 4096):
            yield AudioChunk(sound[first : first + 4096], SAMPLE_RATE, first)

    heard = lip_aperture(np.concatenate(list(audio_rows(chunks(), iter(chances.tolist())))))
    phonemes, rate = phonemes_of(speech), speech[0].audio.sample_rate
    gaps, times = frames(heard, 25.0)
    wanted, _ = frames(spoken_gaps, 25.0)
    found = correlation(gaps, wanted)
    assert found.r >= 0.7
    assert abs(found.lag) <= 1
    score = closure(gaps, times, phonemes, rate)
    assert score.hit_share >= 0.8
    assert score.false_share <= 0.15
    assert closure_contrast(gaps, times, phonemes, rate) >= 3.8
    assert silence_leakage(gaps, times, phonemes, rate) <= 0.01
    assert 0.85 <= extent(gaps, 25.0).range / extent(wanted, 25.0).range <= 1.15
