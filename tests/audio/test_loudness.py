from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.audio import level_speech, limit_peaks, measure_lufs, resample
from edgeavatar.audio.loudness import (
    DEFAULT_LUFS,
    LoudnessMeter,
    amplify,
    gain_to,
    measure_stream_lufs,
)
from edgeavatar.types import AudioChunk, PhonemeTiming, SpeechChunk


def tone(amplitude: float, seconds: float, rate: int = 48000, hertz: float = 997.0) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def speech(samples: np.ndarray, rate: int = 24000, start: int = 0) -> SpeechChunk:
    whole = (PhonemeTiming("a", start, start + len(samples), 0, 0),)
    return SpeechChunk(AudioChunk(samples, rate, start), "a", whole, ())


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
def test_the_standard_tone_has_the_standard_loudness(rate: int) -> None:
    # BS.1770: a full-scale 997 Hz sine in one channel is -3.01 LUFS.
    assert abs(measure_lufs(tone(1.0, 5, rate), rate) + 3.01) < 0.1
    assert abs(measure_lufs(tone(0.1, 5, rate), rate) + 23.01) < 0.1


def test_silence_is_gated_out() -> None:
    sound = np.concatenate([tone(0.1, 5), np.zeros(48000 * 20, np.float32)])
    assert abs(measure_lufs(sound, 48000) + 23.0) < 0.3
    assert measure_lufs(np.zeros(48000, np.float32), 48000) == -70.0
    assert measure_lufs(np.zeros(0, np.float32), 48000) == -70.0


def test_a_short_sound_can_be_measured() -> None:
    assert -30 < measure_lufs(tone(0.1, 0.2), 48000) < -20


def test_blocks_do_not_matter() -> None:
    sound = tone(0.2, 3)
    meter = LoudnessMeter(48000)
    for start in range(0, len(sound), 777):
        meter.push(sound[start : start + 777])
    assert abs(meter.finish() - measure_lufs(sound, 48000)) < 0.01


def test_one_gain_for_the_whole_stream() -> None:
    rng = np.random.default_rng(0)
    envelope = np.hanning(24000)
    blocks = [
        (a * envelope * rng.standard_normal(24000)).astype(np.float32)
        for a in (0.02, 0.03, 0.02, 0.05, 0.01)
    ]
    chunks = [speech(b, start=i * 24000) for i, b in enumerate(blocks)]
    levelled = list(level_speech(chunks, -23.0))
    gains = [
        np.dot(after.audio.samples, before) / np.dot(before, before)
        for after, before in zip(levelled, blocks, strict=True)
    ]
    assert np.ptp(gains) < 1e-3 * gains[0]
    first = np.concatenate([c.audio.samples for c in levelled[:3]])
    assert abs(measure_lufs(first, 24000) + 23.0) < 0.2
    for after, before in zip(levelled, chunks, strict=True):
        assert after.phonemes == before.phonemes
        assert after.audio.start_sample == before.audio.start_sample


def test_a_short_text_is_measured_whole_and_nothing_is_lost() -> None:
    chunks = [speech(tone(0.5, 0.3, 24000)), speech(tone(0.1, 0.3, 24000), start=7200)]
    levelled = list(level_speech(iter(chunks)))
    assert len(levelled) == 2
    joined = np.concatenate([c.audio.samples for c in levelled])
    assert abs(measure_lufs(joined, 24000) - DEFAULT_LUFS) < 0.2
    assert list(level_speech([])) == []


def test_silence_is_left_alone_and_gain_is_bounded() -> None:
    assert gain_to(-18, -70) == 1.0
    assert gain_to(-18, -65) == pytest.approx(10 ** (24 / 20))
    silent = list(level_speech([speech(np.zeros(24000, np.float32))]))
    assert not silent[0].audio.samples.any()


def test_the_limiter_holds_true_peaks_and_leaves_the_rest() -> None:
    rng = np.random.default_rng(0)
    sound = (0.05 * rng.standard_normal(48000)).astype(np.float32)
    sound[20000:20300] += tone(1.3, 1, 24000, 3000.0)[:300]
    limited = limit_peaks(sound, 24000)
    ceiling = 10 ** (-1 / 20)
    assert np.abs(resample(limited, 24000, 192000)).max() <= ceiling * 1.01
    assert np.abs(limited).max() > 0.8 * ceiling
    far = np.r_[0:19000, 21500:48000]
    assert np.array_equal(limited[far], sound[far])


@pytest.mark.parametrize("size", [100, 333, 4096, 48000])
def test_a_stream_is_amplified_as_a_whole(size: int) -> None:
    rng = np.random.default_rng(0)
    sound = (0.02 * rng.standard_normal(30000)).astype(np.float32)
    sound[[5, 9990, 10000, 10010, 29990]] = 0.5
    chunks = [AudioChunk(sound[i : i + size], 24000, 7 + i) for i in range(0, 30000, size)]
    amplified = list(amplify(iter(chunks), 4.0))
    position = 7
    for chunk in amplified:
        assert chunk.start_sample == position
        position += len(chunk.samples)
    joined = np.concatenate([chunk.samples for chunk in amplified])
    np.testing.assert_allclose(joined, limit_peaks(sound * np.float32(4.0), 24000), atol=1e-6)
    assert 0.8 < joined.max() < 0.9
    assert list(amplify([], 2.0)) == []


def test_a_stream_is_measured_as_a_whole() -> None:
    sound = tone(0.2, 2)
    chunks = [AudioChunk(sound[i : i + 777], 48000, i) for i in range(0, len(sound), 777)]
    assert abs(measure_stream_lufs(chunks) - measure_lufs(sound, 48000)) < 0.01
    assert measure_stream_lufs([]) == -70.0


def test_a_peak_between_samples_is_seen() -> None:
    n = np.arange(4000)
    sound = (0.95 * np.sin(2 * np.pi * n / 4 + np.pi / 4)).astype(np.float32)
    assert np.abs(sound).max() < 10 ** (-1 / 20)
    sound = (1.3 * sound).astype(np.float32)
    limited = limit_peaks(sound, 24000)
    assert np.abs(resample(limited, 24000, 192000)[1600:-1600]).max() < 10 ** (-1 / 20) * 1.01


def test_quiet_sound_is_returned_as_it_is() -> None:
    quiet = tone(0.3, 0.1)
    assert limit_peaks(quiet, 48000) is quiet
    assert len(limit_peaks(np.zeros(0, np.float32), 48000)) == 0
