from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.acoustics import LOOK_AHEAD_S, audio_rows
from edgeavatar.motion.aperture import lip_aperture, signed_aperture
from edgeavatar.motion.dynamics import SPEED
from edgeavatar.types import MOTION_NAMES, AudioChunk

RATE = 16000


def vowel(length_s: float, first_hz: float = 700.0, pitch_hz: float = 120.0) -> np.ndarray:
    """Make a buzz with one formant."""
    times = np.arange(round(length_s * RATE)) / RATE
    sound = np.zeros_like(times)
    for k in range(1, 40):
        frequency = k * pitch_hz
        sound += np.sin(2 * np.pi * frequency * times) / (
            1.0 + ((frequency - first_hz) / 200.0) ** 2
        )
    edge = np.minimum(1.0, np.minimum(times, times[-1] - times) / 0.02)
    return 0.2 * edge * sound / np.abs(sound).max()


def silence(length_s: float) -> np.ndarray:
    return np.zeros(round(length_s * RATE))


SYLLABLES = np.concatenate(
    [silence(0.6), vowel(0.2), silence(0.06), vowel(0.25), silence(0.8), vowel(0.3), silence(0.5)]
)
SPOKEN = ((0.6, 1.11), (1.91, 2.21))


def chunks_of(samples: np.ndarray, size: int = 4000) -> Iterator[AudioChunk]:
    for first in range(0, len(samples), size):
        part = samples[first : first + size].astype(np.float32)
        yield AudioChunk(part, RATE, first)


def chances_of(samples: np.ndarray, spoken: tuple[tuple[float, float], ...]) -> list[float]:
    middles = (np.arange(-(-len(samples) // 512)) + 0.5) * 512 / RATE
    return [float(any(a <= t <= b for a, b in spoken)) for t in middles]


def rows_of(samples: np.ndarray, **options: object) -> np.ndarray:
    return np.concatenate(list(audio_rows(chunks_of(samples), **options)))  # type: ignore[arg-type]


def far_from_speech(count: int) -> np.ndarray:
    times = np.arange(count) / 100.0
    far = np.ones(count, bool)
    for start, end in SPOKEN:
        far &= (times < start - 0.13) | (times > end + 0.13)
    return far


def test_the_mouth_opens_where_somebody_speaks_and_rests_elsewhere() -> None:
    rows = rows_of(SYLLABLES)
    assert len(rows) == round(len(SYLLABLES) / RATE * 100)
    gaps = lip_aperture(rows)
    assert gaps[65:75].mean() > 0.02
    assert gaps[95:105].mean() > 0.02
    assert gaps[198:215].mean() > 0.02
    assert not rows[far_from_speech(len(rows))].any()


@pytest.mark.parametrize("level_db", [-30.0, 0.0, 8.0])
def test_loudness_of_the_recording_does_not_matter(level_db: float) -> None:
    plain = lip_aperture(rows_of(SYLLABLES))
    scaled = lip_aperture(rows_of(SYLLABLES * 10.0 ** (level_db / 20.0)))
    assert np.abs(scaled - plain).max() < 0.01


def test_a_fan_does_not_move_the_mouth() -> None:
    draw = np.random.default_rng(0)
    fan = np.convolve(draw.standard_normal(len(SYLLABLES) + 7), np.ones(8) / 8, mode="valid")
    fan *= 10.0 ** (-35.0 / 20.0) / fan.std()
    rows = rows_of(SYLLABLES + fan)
    assert not rows[far_from_speech(len(rows))].any()
    assert lip_aperture(rows)[65:75].mean() > 0.015
    alone = rows_of(fan, speech_probability=iter([0.1] * 200))
    assert not alone.any()


def test_what_the_detector_calls_no_speech_is_rest() -> None:
    chances = chances_of(SYLLABLES, SPOKEN[:1])
    rows = rows_of(SYLLABLES, speech_probability=iter(chances))
    assert lip_aperture(rows)[95:105].mean() > 0.02
    assert not rows[150:].any()


def test_a_click_is_not_speech() -> None:
    sound = silence(2.0)
    sound[16000:16160] = 0.5
    assert not rows_of(np.concatenate([sound, SYLLABLES]))[80:120].any()


@pytest.mark.parametrize("size", [160, 1000, 7777, 1_000_000])
def test_a_stream_is_the_same_however_it_is_cut(size: int) -> None:
    sound = np.concatenate([SYLLABLES, 0.3 * SYLLABLES, SYLLABLES])
    chances = chances_of(sound, ((0.0, 9.0),))
    whole = rows_of(sound, speech_probability=iter(chances))
    cut = np.concatenate(list(audio_rows(chunks_of(sound, size), iter(chances))))
    assert cut.shape == whole.shape
    np.testing.assert_allclose(cut, whole, atol=1e-5)


def test_rows_come_within_three_seconds_of_their_sound() -> None:
    taken = []

    def chunks() -> Iterator[AudioChunk]:
        for chunk in chunks_of(np.tile(SYLLABLES, 8), 1600):
            taken.append(chunk.start_sample)
            yield chunk

    given = 0
    for block in audio_rows(chunks()):
        given += len(block)
        if taken[-1] / RATE < 8 * len(SYLLABLES) / RATE - 0.2:
            assert taken[-1] / RATE + 0.1 - given / 100.0 < 3.0
    assert given == round(8 * len(SYLLABLES) / RATE * 100)


def test_memory_does_not_grow_with_the_recording() -> None:
    def peak(times: int) -> int:
        def chunks() -> Iterator[AudioChunk]:
            position = 0
            for _ in range(times):
                for chunk in chunks_of(SYLLABLES):
                    yield AudioChunk(chunk.samples, RATE, position)
                    position += len(chunk.samples)

        tracemalloc.start()
        for _ in audio_rows(chunks(), iter(lambda: 1.0, None)):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1)
    assert peak(16) < 1.3 * peak(4)


def test_probabilities_are_taken_only_for_sound_that_has_come() -> None:
    taken = []

    def chances() -> Iterator[float]:
        for i in range(10_000):
            taken.append(i)
            yield 1.0

    come = 0
    heard = chances()

    def chunks() -> Iterator[AudioChunk]:
        nonlocal come
        for chunk in chunks_of(SYLLABLES, 700):
            assert len(taken) == come // 512
            come += len(chunk.samples)
            yield chunk

    list(audio_rows(chunks(), heard))
    assert len(taken) == -(-len(SYLLABLES) // 512)


def test_too_few_probabilities_are_refused() -> None:
    with pytest.raises(UsageError, match="speech probabilities"):
        rows_of(SYLLABLES, speech_probability=iter([1.0, 1.0]))


def test_movement_keeps_the_limits_of_a_face() -> None:
    draw = np.random.default_rng(1)
    burst = np.concatenate(
        [
            vowel(float(d), float(f))
            for d, f in zip(draw.uniform(0.03, 0.2, 40), draw.uniform(250, 900, 40), strict=True)
        ]
    )
    rows = rows_of(np.concatenate([silence(0.5), burst, silence(0.5)]))
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0
    speed = np.abs(np.diff(rows, axis=0)).max(axis=0) * 100.0
    assert speed[MOTION_NAMES.index("jawOpen")] <= SPEED["jaw"] + 1e-3
    assert np.abs(np.diff(signed_aperture(rows))).max() * 100.0 <= SPEED["gap"] + 1e-3


@pytest.mark.parametrize("length", [1, 159, 160, 161, 400, 5000])
def test_any_length_has_a_row_for_each_begun_hundredth(length: int) -> None:
    sound = 0.1 * np.sin(np.arange(length))
    assert len(rows_of(sound)) == -(-length // 160)


def test_no_sound_gives_nothing() -> None:
    assert list(audio_rows([])) == []
    assert list(audio_rows([AudioChunk(np.zeros(0, np.float32), RATE)])) == []


def test_streams_of_another_kind_are_refused() -> None:
    with pytest.raises(UsageError, match="16000 samples per second, found 44100"):
        list(audio_rows([AudioChunk(np.zeros(10, np.float32), 44100)]))
    first = AudioChunk(np.zeros(10, np.float32), RATE)
    with pytest.raises(UsageError, match="at sample 10, found 0"):
        list(audio_rows([first, first]))
