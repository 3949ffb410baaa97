"""Mel windows against their definitions, one number at a time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.audio.mel_windows import MelWindows, mel_filters
from edgeavatar.audio.resample import resample


def windows_of(sound: np.ndarray, rate: int = 16000) -> MelWindows:
    windows = MelWindows(rate)
    windows.push(sound)
    windows.finish()
    return windows


def hertz(mel: float) -> float:
    """Slaney's scale, from its two pieces: 3/200 mel a hertz, then 27 mel to a factor of 6.4."""
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def mel_of(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def row(sound: np.ndarray, index: int) -> np.ndarray:
    """Follow the definition for the row at ``index / 80`` s of a 16 kHz sound."""
    emphasised = [sound[n] - 0.97 * (sound[n - 1] if n else 0.0) for n in range(len(sound))]
    start = 200 * index - 400
    piece = [
        (emphasised[n] if 0 <= n < len(sound) else 0.0)
        * (0.5 - 0.5 * np.cos(2 * np.pi * (n - start) / 800))
        for n in range(start, start + 800)
    ]
    size = np.abs(np.fft.fft(piece)[:401])
    marks = np.array(
        [hertz(m) for m in np.linspace(mel_of(55.0), mel_of(7600.0), 82)], dtype=np.float64
    )
    out = []
    for low, peak, high in zip(marks, marks[1:], marks[2:], strict=False):
        total = 0.0
        for k in range(401):
            f = k * 20.0
            side = min((f - low) / (peak - low), (high - f) / (high - peak))
            total += max(0.0, side) * 2.0 / (high - low) * size[k]
        decibels = 20 * np.log10(max(total, 1e-5)) - 20.0
        out.append(min(max(8.0 * (decibels + 100.0) / 100.0 - 4.0, -4.0), 4.0))
    return np.array(out)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Half a second that swells from silence to full scale."""
    draw = np.random.default_rng(0)
    return (np.linspace(0, 0.5, 8000) ** 3 * 8 * draw.uniform(-1, 1, 8000)).astype(np.float32)


def test_windows_follow_the_definition(noise: np.ndarray) -> None:
    windows = windows_of(noise)
    # 25 and 30000/1001 frames a second; the fourth reaches beyond the sound.
    moments = [Fraction(0), Fraction(3, 25), Fraction(5 * 1001, 30000), Fraction(11, 25)]
    for moment in moments:
        first = int(80 * moment)
        wanted = np.stack([row(noise, first + i) for i in range(16)], axis=1)
        found = windows.window_at(moment)
        assert found.shape == (80, 16)
        assert found.dtype == np.float32
        assert np.abs(found - wanted).max() < 2e-3
    assert wanted.max() > 1.0


def test_the_filters_are_those_of_the_scale() -> None:
    filters = mel_filters()
    assert filters.shape == (80, 401)
    # Triangles of area 1, as well as bins of 20 Hz can tell of the wide ones.
    assert np.abs(filters[30:].sum(axis=1) * 20.0 - 1.0).max() < 0.05
    assert hertz(15 + 27) == pytest.approx(6400.0)
    assert not filters[:, :3].any()
    assert not filters[:, 380:].any()


def test_cutting_the_stream_changes_nothing(noise: np.ndarray) -> None:
    whole, parts = windows_of(noise), MelWindows(16000)
    at = 0
    for size in (1, 199, 200, 201, 0, 3, 800, 4000, 8000):
        parts.push(noise[at : at + size])
        at += size
    parts.finish()
    parts.finish()
    for moment in (Fraction(0), Fraction(1, 10), Fraction(2, 5)):
        assert np.abs(parts.window_at(moment) - whole.window_at(moment)).max() < 1e-5


def test_a_window_is_covered_when_its_sound_is_there(noise: np.ndarray) -> None:
    windows = MelWindows(16000)
    # The last of 16 rows is centred on sample 3000 and reaches 400 further.
    windows.push(noise[:3399])
    assert not windows.covers(Fraction(0))
    windows.push(noise[3399:3400])
    assert windows.covers(Fraction(0))
    assert not windows.covers(Fraction(1, 80))
    early = windows.window_at(Fraction(0))
    assert np.abs(early - windows_of(noise).window_at(Fraction(0))).max() < 1e-5
    windows.finish()
    assert windows.covers(Fraction(100))


def test_silence_is_the_floor_and_nothing_is_above_the_ceiling() -> None:
    assert (windows_of(np.zeros(9000, np.float32)).window_at(Fraction(1, 10)) == -4.0).all()
    assert (windows_of(np.zeros(0, np.float32)).window_at(Fraction(0)) == -4.0).all()
    loud = np.sign(np.random.default_rng(1).uniform(-1, 1, 9000)).astype(np.float32)
    assert windows_of(1000 * loud).window_at(Fraction(1, 10)).max() == 4.0


def test_after_the_sound_there_is_silence(noise: np.ndarray) -> None:
    windows = windows_of(noise)
    last = windows.window_at(Fraction(2, 5))
    # 8000 samples: rows up to the 41st begin before the end, and the window begins with the 32nd.
    assert (last[:, :10].max(axis=0) > -4.0).all()
    assert (last[:, 10:] == -4.0).all()
    assert (windows.window_at(Fraction(9)) == -4.0).all()


@pytest.mark.parametrize("rate", [22050, 24000, 48000])
def test_other_rates_are_brought_to_16_khz(rate: int) -> None:
    t = np.arange(rate // 2) / rate
    sound = (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    moment = Fraction(1, 8)
    found = windows_of(sound, rate).window_at(moment)
    assert np.abs(found - windows_of(resample(sound, rate, 16000)).window_at(moment)).max() < 1e-3
    peak = int(found[:, 8].argmax())
    centres = mel_filters() @ (20.0 * np.arange(401)) / mel_filters().sum(axis=1)
    assert abs(centres[peak] - 440.0) < 25.0


def test_what_has_passed_is_forgotten(noise: np.ndarray) -> None:
    windows = MelWindows(16000)
    kept = []
    for second in range(60):
        windows.push(np.concatenate([noise, noise]))
        windows.forget_before(Fraction(second))
        kept.append(len(windows._rows))
    assert max(kept) <= 81
    reference = windows_of(np.concatenate([noise] * 120)).window_at(Fraction(119, 2))
    windows.finish()
    assert np.abs(windows.window_at(Fraction(119, 2)) - reference).max() < 1e-5
