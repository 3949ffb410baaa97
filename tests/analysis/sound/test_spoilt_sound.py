"""Noise, cut peaks, narrow bands and music are measured as they were made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.degraded_sound import low_pass
from benchmarks.motion import fan, music
from edgeavatar.analysis.sound_findings import SoundFindings
from edgeavatar.audio import limit_peaks, resample
from edgeavatar.pipeline.sound_analysis import analyse_sound

RATE = 16000
Find = Callable[..., SoundFindings]


def with_noise(reading: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Mean power of the loud half of the reading, about that of its speech, over the noise's."""
    blocks = (reading[: len(reading) // 512 * 512].reshape(-1, 512) ** 2).mean(axis=1)
    speech = blocks[blocks > np.median(blocks) / 10].mean()
    return reading + noise * np.sqrt(speech / (noise**2).mean() / 10 ** (snr_db / 10))


@pytest.mark.parametrize("snr_db", [15, 5, 0])
@pytest.mark.parametrize("kind", ["white", "fan"])
def test_noise_at_a_known_ratio(find: Find, reading: np.ndarray, kind: str, snr_db: float) -> None:
    draw = np.random.default_rng(0)
    count = len(reading)
    noise = fan(count, draw) if kind == "fan" else draw.standard_normal(count)
    assert find(with_noise(reading, noise, snr_db)).speech.snr_db == pytest.approx(snr_db, abs=2)


def test_noise_is_found_where_nobody_ever_pauses(find: Find, reading: np.ndarray) -> None:
    spans = find(reading).speech_spans_s
    noise = np.random.default_rng(0).standard_normal(len(reading))
    noisy = with_noise(reading, noise, 10)
    talk = np.concatenate(
        [noisy[round((a + 0.05) * RATE) : round((b - 0.05) * RATE)] for a, b in spans]
    )
    assert find(talk).speech.snr_db == pytest.approx(10, abs=2.5)


def test_silence_is_nothing(find: Find) -> None:
    found = find(np.zeros(3 * RATE))
    assert found.speech.speech_share == 0.0
    speech = found.speech
    for value in (speech.snr_db, speech.loudness_lufs, speech.true_peak_dbtp, speech.bandwidth_hz):
        assert value is None
    assert speech.reverberation_s is None
    assert speech.clipped_share is None
    assert speech.pitch_median_hz is None


def test_no_sound_at_all(find: Find) -> None:
    found = find(np.zeros(0))
    assert found.duration_s == 0.0
    assert all(len(column) == 0 for column in found.columns.values())


def clipped(samples: np.ndarray, share: float) -> tuple[np.ndarray, float]:
    """Cut both sides at a level, turn down by 6 dB, round to 16 bits."""
    loud = np.abs(samples)[np.abs(samples) > 0.02 * np.abs(samples).max()]
    limit = np.quantile(loud, 1 - share)
    cut = 0.5 * np.clip(samples, -limit, limit) / limit
    return (np.rint(cut * 32767) / 32768).astype(np.float32), limit


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_cut_peaks_are_found_after_they_were_turned_down(
    find: Find, reading: np.ndarray, share: float
) -> None:
    sound, limit = clipped(reading, share)
    found = find(sound)
    spoken = np.zeros(len(reading), bool)
    for start, end in found.speech_spans_s:
        spoken[round(start * RATE) : round(end * RATE)] = True
    truth = (np.abs(reading[spoken]) >= limit).mean()
    assert found.speech.clipped_share == pytest.approx(truth, rel=0.3)
    # Where peaks are cut, there are times; where none are, none.
    cut_s = np.flatnonzero(np.abs(reading) >= limit) / RATE
    inside = [any(a <= t <= b for a, b in found.clipped_spans_s) for t in cut_s[::50]]
    assert np.mean(inside) > 0.95


def test_one_side_alone(find: Find, reading: np.ndarray) -> None:
    limit = float(np.quantile(reading[reading > 0.01], 0.9))
    assert (find(np.minimum(reading, limit)).speech.clipped_share or 0.0) > 0.01


def test_a_limiter_cuts_nothing(find: Find, reading: np.ndarray) -> None:
    assert find(reading).speech.clipped_share == 0.0
    loud = limit_peaks((reading * 8).astype(np.float32), RATE)
    assert find(loud).speech.clipped_share == 0.0


def encoded(samples: np.ndarray, path: Path, codec: str, bit_rate: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout="mono")
        stream.bit_rate = bit_rate
        for i in range(0, len(samples), 1024):
            part = np.ascontiguousarray(samples[None, i : i + 1024], np.float32)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("bit_rate", [128000, 64000])
def test_cut_peaks_are_found_in_aac(reading: np.ndarray, tmp_path: Path, bit_rate: int) -> None:
    full = resample(reading[: 8 * RATE], RATE, 48000)
    cut, _ = clipped(full, 0.1)
    spoilt = analyse_sound(encoded(cut, tmp_path / "c.m4a", "aac", bit_rate), words=False)
    assert (spoilt.speech.clipped_share or 0.0) > 0.02
    plain = 0.8 * full / np.abs(full).max()
    clear = analyse_sound(encoded(plain, tmp_path / "p.m4a", "aac", bit_rate), words=False)
    assert clear.speech.clipped_share == 0.0


@pytest.mark.parametrize("edge_hz", [1500, 2500, 3400, 6000])
def test_bandwidth(find: Find, reading: np.ndarray, edge_hz: float) -> None:
    found = find(low_pass(reading, edge_hz)).speech.bandwidth_hz
    assert found is not None
    assert edge_hz - 250 <= found <= 1.1 * edge_hz + 250


def test_bandwidth_of_telephone_sound_in_a_file_of_a_high_rate(
    find: Find, reading: np.ndarray
) -> None:
    full = resample(resample(reading, RATE, 8000), 8000, 48000)
    found = find(full, 48000).speech.bandwidth_hz
    assert found is not None
    assert 3500 <= found <= 4500  # the slopes of two resamplers


def test_music_is_told_from_speech_noise_and_hum(find: Find, reading: np.ndarray) -> None:
    draw = np.random.default_rng(0)
    count = 12 * RATE
    times = np.arange(count) / RATE
    hum = sum(np.sin(2 * np.pi * 50 * k * times) / k for k in range(1, 16))
    silence = np.zeros(4 * RATE)
    others = {
        "speech": np.concatenate([silence, reading, silence]),
        "noise": 0.1 * draw.standard_normal(count),
        "hum": 0.1 * hum + 0.001 * draw.standard_normal(count),
    }
    found = find(0.1 * music(count, draw))
    assert (found.music_share or 0.0) > 0.7
    assert found.music_spans_s
    for name, sound in others.items():
        assert (find(sound).music_share or 0.0) < 0.1, name


def test_noise_over_the_upper_bands_is_not_taken_for_a_narrow_band(
    find: Find, reading: np.ndarray
) -> None:
    noise = np.random.default_rng(0).standard_normal(len(reading))
    found = find(np.pad(with_noise(reading, noise, 5), RATE)).speech
    assert found.bandwidth_hz is None or found.bandwidth_hz > 6000
