"""Rooms whose time is known are found from the speech in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.degraded_sound import convolved, room_response, rt60_of
from edgeavatar.analysis.reverberation import LEAST_S, DecayMeter
from edgeavatar.analysis.sound_pieces import Spectra
from edgeavatar.audio import decode_audio

RATE = 16000


@pytest.fixture(scope="module")
def reading(model_store: Any) -> np.ndarray:
    path = model_store.resolve("fixture-speech")["two_cities"]
    return np.concatenate([c.samples for c in decode_audio(path, RATE)])[: 20 * RATE]


def estimate(samples: np.ndarray) -> float | None:
    meter, spectra = DecayMeter(), Spectra()
    for i in range(0, len(samples) // 512 * 512, 16384):
        meter.push(spectra.push(samples[i : i + 16384][: len(samples[i:]) // 512 * 512]))
    return meter.finish()


def tail(rt60_s: float) -> np.ndarray:
    """Give a direct sound and noise that falls by 60 dB in the time, equally loud."""
    count = round(1.2 * rt60_s * RATE)
    noise = np.random.default_rng(3).standard_normal(count)
    noise *= 10.0 ** (-3.0 * np.arange(count) / RATE / rt60_s)
    noise[:80] = 0.0
    noise /= np.sqrt((noise**2).sum())
    noise[0] = 1.0
    return noise


@pytest.mark.parametrize("rt60_s", [0.5, 0.8, 1.2])
def test_falling_noise(reading: np.ndarray, rt60_s: float) -> None:
    found = estimate(convolved(reading, tail(rt60_s)).astype(np.float32))
    assert found == pytest.approx(rt60_s, rel=0.15)


@pytest.mark.parametrize("asked_s", [0.5, 0.8, 1.2])
def test_rooms_by_the_image_method(reading: np.ndarray, asked_s: float) -> None:
    response = room_response(asked_s, 2.0)
    found = estimate(convolved(reading, response).astype(np.float32))
    assert found == pytest.approx(rt60_of(response), rel=0.15)


def test_a_dry_voice_has_no_more_than_can_be_told(reading: np.ndarray) -> None:
    assert estimate(reading) == LEAST_S


def test_too_few_decays() -> None:
    noise = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    assert estimate(0.1 * noise) is None
    assert estimate(np.zeros(0, np.float32)) is None
