from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.audio import Resampler, resample, resample_stream
from edgeavatar.types import AudioChunk

RATES = [(48000, 16000), (44100, 16000), (24000, 16000), (22050, 48000), (16000, 16000)]


def tone(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * hertz * t + 0.3)).astype(np.float32)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_keeps_its_phase_and_length(source: int, target: int) -> None:
    found = resample(tone(source), source, target)
    expected = tone(target)
    assert len(found) == len(expected)
    inner = slice(target // 50, -target // 50)
    assert np.abs(found[inner] - expected[inner]).max() < 2e-3


@pytest.mark.parametrize(("source", "target"), RATES)
def test_blocks_of_any_size_give_the_same_sound(source: int, target: int) -> None:
    sound = tone(source)
    resampler = Resampler(source, target)
    sizes = iter([1, 7, 0, 160, 1000, 3] * 1000)
    blocks, at = [], 0
    while at < len(sound):
        size = next(sizes)
        blocks.append(resampler.push(sound[at : at + size]))
        at += size
    blocks.append(resampler.flush())
    assert np.allclose(np.concatenate(blocks), resample(sound, source, target), atol=1e-6)


def test_length_is_the_rounded_up_ratio() -> None:
    for n in (1, 2, 3, 479, 480, 481):
        assert len(resample(np.ones(n, np.float32), 48000, 16000)) == -(-n // 3)
    assert len(resample(np.zeros(0, np.float32), 48000, 16000)) == 0


def test_channels_are_resampled_alike() -> None:
    sound = np.stack([tone(24000), -tone(24000)])
    resampler = Resampler(24000, 16000, channels=2)
    out = np.concatenate([resampler.push(sound), resampler.flush(ndim=2)], axis=1)
    assert out.shape == (2, 16000)
    assert np.allclose(out[0], -out[1], atol=1e-6)
    assert np.allclose(out[0], resample(sound[0], 24000, 16000), atol=1e-6)


def test_a_stream_has_no_gaps() -> None:
    sound = tone(22050, 2.0)
    chunks = [AudioChunk(sound[i : i + 5000], 22050, i) for i in range(0, len(sound), 5000)]
    at = 0
    for chunk in resample_stream(chunks, 16000):
        assert chunk.start_sample == at
        assert chunk.sample_rate == 16000
        at += len(chunk.samples)
    assert at == 32000
