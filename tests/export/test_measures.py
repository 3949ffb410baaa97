"""Measures of pictures, movements and sounds."""

from __future__ import annotations

import numpy as np
import pytest

from export.measures import correlation, log_mel_distance, ssim

RATE = 22050


def voice(seed: int = 0) -> np.ndarray:
    """Give a second of noise that swells twice, with silence between."""
    draw = np.random.default_rng(seed)
    swell = np.maximum(0.0, np.sin(4.0 * np.pi * np.arange(RATE) / RATE))
    return (0.3 * swell * draw.standard_normal(RATE)).astype(np.float32)


def test_a_sound_is_as_far_as_its_level_is_changed() -> None:
    sound = voice()
    assert log_mel_distance(sound, sound, RATE) == 0.0
    half = log_mel_distance(sound, 0.5 * sound, RATE)
    assert half == pytest.approx(20.0 * np.log10(2.0), abs=0.05)


def test_noise_counts_by_how_much_it_covers() -> None:
    sound = voice()
    hiss = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    little, much = (log_mel_distance(sound, sound + x * hiss, RATE) for x in (1e-3, 0.1))
    assert 0.0 < little < 0.5
    assert much > 2.0


def test_sounds_of_another_length_are_compared_as_long_as_both_last() -> None:
    sound = voice()
    assert log_mel_distance(sound, sound[: RATE // 2], RATE) < 0.2
    assert log_mel_distance(sound, sound[:0], RATE) == 0.0


def test_pictures_and_tracks() -> None:
    draw = np.random.default_rng(0)
    picture = draw.integers(0, 256, (40, 40)).astype(np.uint8)
    assert ssim(picture, picture) == pytest.approx(1.0)
    assert ssim(picture, 255 - picture) < 0.0
    track = np.sin(np.arange(50) / 5.0)
    assert correlation(track, 3.0 * track + 1.0) == pytest.approx(1.0)
    assert correlation(track, np.zeros(50)) == 0.0
