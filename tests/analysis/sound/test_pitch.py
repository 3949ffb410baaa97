"""Pitch: known glides are followed, what has none has none."""

from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.analysis.pitch import HOP, PitchTracker, pitch_range, without_strays

RATE = 16000


def glide(low_hz: float, high_hz: float, seconds: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Harmonics under a formant, and the fundamental of each sample."""
    times = np.arange(round(seconds * RATE)) / RATE
    hertz = low_hz * (high_hz / low_hz) ** (0.5 + 0.5 * np.sin(2 * np.pi * times / 2.3))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    draw = np.random.default_rng(0)
    sound = np.zeros(len(times))
    for k in range(1, 20):
        weight = np.exp(-(((k * hertz - 600) / 700) ** 2)) + 0.1
        sound += weight * np.sin(k * phase + draw.uniform(0, 6)) * (k * hertz < RATE / 2)
    return sound.astype(np.float32), hertz


def tracked(sound: np.ndarray, size: int = RATE) -> np.ndarray:
    tracker = PitchTracker()
    parts = [tracker.push(sound[i : i + size]) for i in range(0, len(sound), size)]
    return np.concatenate([*parts, tracker.flush()])


@pytest.mark.parametrize("snr_db", [60, 10])
@pytest.mark.parametrize(("low", "high"), [(70, 110), (90, 160), (150, 300), (250, 480)])
def test_glides_are_followed(low: float, high: float, snr_db: float) -> None:
    sound, hertz = glide(low, high)
    noise = np.random.default_rng(1).standard_normal(len(sound))
    noise *= np.sqrt((sound**2).mean()) * 10 ** (-snr_db / 20)
    found = tracked((0.05 * (sound + noise)).astype(np.float32))
    assert abs(len(found) - len(sound) / HOP) <= 1
    truth = hertz[np.minimum(np.arange(len(found)) * HOP, len(hertz) - 1)]
    voiced = np.isfinite(found)
    assert voiced.mean() > 0.95
    off_cents = 1200 * np.abs(np.log2(found[voiced] / truth[voiced]))
    assert np.median(off_cents) < 12
    assert (off_cents > 100).mean() < 0.01


def test_noise_and_silence_have_no_pitch() -> None:
    noise = (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    assert np.isfinite(tracked(noise)).mean() < 0.01
    assert not np.isfinite(tracked(np.zeros(RATE, np.float32))).any()


def test_range_is_in_semitones() -> None:
    octave = np.concatenate([np.full(50, 100.0), np.full(50, 200.0)]).astype(np.float32)
    middle, semitones = pitch_range(np.append(octave, np.nan)) or (0.0, 0.0)
    assert semitones == pytest.approx(12.0)
    assert 100 <= middle <= 200
    assert pitch_range(octave[:10]) is None


def test_strays_are_left_out() -> None:
    nan = np.nan
    run = [110.0, 112.0, 114.0, 115.0]
    pitch = np.array([nan, 430.0, nan, *run, 450.0, nan, nan, 90.0, 91.0], np.float32)
    kept = without_strays(pitch)
    assert np.flatnonzero(np.isfinite(kept)).tolist() == [3, 4, 5, 6]
    assert kept[3:7].tolist() == run
    assert len(without_strays(pitch[:0])) == 0
