from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from edgeavatar.audio.resample import resample_stream
from edgeavatar.audio.vad import open_vad
from edgeavatar.errors import UsageError
from edgeavatar.motion.acoustics import LOOK_AHEAD_S, audio_rows
from edgeavatar.motion.aperture import lip_aperture, signed_aperture
from edgeavatar.motion.coarticulation import Articulation
from edgeavatar.motion.dynamics import SPEED
from edgeavatar.speech import open_voice
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


def chunks_of(samples: np.ndarray, size: int = 4000) -> Iterator[AudioChunk]:
    for first in range(0, len(samples), size):
        part = samples[first : first + size].astype(np.float32)
        yield AudioChunk(part, RATE, first)


def chances_of(samples: np.ndarray, spoken: tuple[tuple[float, float], ...]) -> list[float]:
    middles = (np.arange(-(-len(samples) // 512)) + 0.5) * 512 / RATE
    return [float(any(a <= t <= b for a, b in spoken)) for t in middles]


def rows_of(samples: np.ndarray, **options: object) -> np.ndarray:
    return np.concatenate(list(audio_rows(chunks_of(samples), **options)))  # type: ignore[arg-type]


SENTENCE = "My father bought a big brown boat."
PAUSE_S = 1.0


@pytest.fixture(scope="module")
def spoken(model_store: Callable[[str], object]) -> np.ndarray:
    """Speak a sentence twice with a second of silence between and around."""
    model_store("voice-hibari")
    voice = open_voice("hibari")
    chunks = [chunk.audio for chunk in voice.synthesize(SENTENCE)]
    voice.close()
    sound = np.concatenate([c.samples for c in resample_stream(iter(chunks), RATE)])
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    said = sound[loud[0] : loud[-1] + 1].astype(np.float64)
    rest = silence(PAUSE_S)
    return np.concatenate([rest, said, rest, said, rest])


def pauses(sound: np.ndarray) -> np.ndarray:
    """Tell the rows 120 ms and more from all speech."""
    said = (len(sound) / RATE - 3 * PAUSE_S) / 2
    times = np.arange(-(-len(sound) // 160)) / 100.0
    far = np.ones(len(times), bool)
    for start in (PAUSE_S, 2 * PAUSE_S + said):
        far &= (times < start - 0.12) | (times > start + said + 0.12)
    return far


def test_the_mouth_opens_where_somebody_speaks_and_rests_elsewhere(spoken: np.ndarray) -> None:
    rows = rows_of(spoken)
    assert len(rows) == -(-len(spoken) // 160)
    far = pauses(spoken)
    assert far.sum() > 200
    assert not rows[far].any()
    gaps = lip_aperture(rows)[~far]
    assert np.percentile(gaps, 90) > 0.05
    assert (gaps < 0.003).mean() > 0.1


@pytest.mark.parametrize("level_db", [-20.0, 8.0])
def test_loudness_of_the_recording_does_not_matter(spoken: np.ndarray, level_db: float) -> None:
    plain = lip_aperture(rows_of(spoken))
    scaled = lip_aperture(rows_of(np.clip(spoken * 10.0 ** (level_db / 20.0), -1.0, 1.0)))
    assert np.corrcoef(plain, scaled)[0, 1] > 0.97
    assert np.abs(scaled - plain).mean() < 0.004


def detected(sound: np.ndarray) -> np.ndarray:
    """Give the rows as a render makes them, with the detector."""
    detector = open_vad()
    chances = np.concatenate([detector.push(sound.astype(np.float32)), detector.flush()])
    detector.close()
    return rows_of(sound, speech_probability=iter(chances.tolist()))


def test_a_fan_does_not_move_the_mouth(
    spoken: np.ndarray, model_store: Callable[[str], object]
) -> None:
    model_store("vad-silero")
    draw = np.random.default_rng(0)
    fan = np.convolve(draw.standard_normal(len(spoken) + 7), np.ones(8) / 8, mode="valid")
    fan *= 10.0 ** (-38.0 / 20.0) / fan.std()
    rows = detected(spoken + fan)
    still = ~rows[pauses(spoken)].any(axis=1)
    assert still.mean() > 0.99
    assert np.corrcoef(lip_aperture(rows), lip_aperture(rows_of(spoken)))[0, 1] > 0.9
    assert not detected(fan).any()


def test_what_the_detector_calls_no_speech_is_rest(spoken: np.ndarray) -> None:
    half = len(spoken) / RATE / 2
    chances = chances_of(spoken, ((0.0, half),))
    rows = rows_of(spoken, speech_probability=iter(chances))
    assert lip_aperture(rows)[: round(100 * half)].max() > 0.05
    assert not rows[round(100 * half) + 20 :].any()


@pytest.mark.parametrize("kind", ["click", "hum", "nothing"])
def test_what_is_not_speech_does_not_move_the_mouth(
    kind: str, model_store: Callable[[str], object]
) -> None:
    model_store("vad-silero")
    sound = silence(3.0)
    times = np.arange(len(sound)) / RATE
    if kind == "click":
        sound[16000:16160] = 0.5
    elif kind == "hum":
        sound += 0.05 * np.sin(2 * np.pi * 50.0 * times) + 0.02 * np.sin(2 * np.pi * 150.0 * times)
    assert not detected(sound).any()


def test_a_doubtful_moment_begins_nothing_but_goes_on(spoken: np.ndarray) -> None:
    windows = -(-len(spoken) // 512)
    assert not lip_aperture(rows_of(spoken, speech_probability=iter([0.45] * windows))).any()
    surely = lip_aperture(rows_of(spoken, speech_probability=iter([1.0] * windows)))
    begun = lip_aperture(rows_of(spoken, speech_probability=iter([0.6] + [0.4] * windows)))
    assert np.array_equal(begun, surely)


def test_nothing_beyond_the_look_ahead_is_needed(spoken: np.ndarray) -> None:
    at = round(1.9 * RATE)
    other = spoken.copy()
    other[at:] = 0.1 * np.random.default_rng(0).standard_normal(len(spoken) - at)
    one, two = rows_of(spoken), rows_of(other)
    known = int(100 * (at / RATE - LOOK_AHEAD_S))
    np.testing.assert_allclose(one[:known], two[:known], atol=1e-5)
    assert np.abs(one[known + 16 :] - two[known + 16 :]).max() > 0.05
    assert LOOK_AHEAD_S <= 0.16


def test_strength_scales_openings_and_zero_is_rest(spoken: np.ndarray) -> None:
    plain, half, none = (
        np.concatenate(list(audio_rows(chunks_of(spoken), articulation=Articulation(strength=k))))
        for k in (1.0, 0.5, 0.0)
    )
    ratio = lip_aperture(half).max() / lip_aperture(plain).max()
    assert ratio == pytest.approx(0.5, abs=0.06)
    assert not lip_aperture(none).any()
    # Lips that meet in /b/ meet at any strength.
    assert (signed_aperture(half) < 0.0).sum() >= 0.8 * (signed_aperture(plain) < 0.0).sum() > 5


@pytest.mark.parametrize("size", [160, 1000, 7777, 1_000_000])
def test_a_stream_is_the_same_however_it_is_cut(size: int) -> None:
    sound = np.concatenate([SYLLABLES, 0.3 * SYLLABLES, SYLLABLES])
    chances = chances_of(sound, ((0.0, 9.0),))
    whole = rows_of(sound, speech_probability=iter(chances))
    cut = np.concatenate(list(audio_rows(chunks_of(sound, size), iter(chances))))
    assert cut.shape == whole.shape
    np.testing.assert_allclose(cut, whole, atol=1e-5)


def test_rows_come_as_soon_as_they_can() -> None:
    taken = 0

    def chunks() -> Iterator[AudioChunk]:
        nonlocal taken
        for chunk in chunks_of(np.tile(SYLLABLES, 8), 160):
            taken += len(chunk.samples)
            yield chunk

    given = 0
    total = 8 * len(SYLLABLES)
    for block in audio_rows(chunks()):
        given += len(block)
        if taken < total:
            assert taken / RATE - given / 100.0 <= LOOK_AHEAD_S + 0.01
    assert given == round(total / RATE * 100)


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
