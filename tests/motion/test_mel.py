from __future__ import annotations

import numpy as np

from edgeavatar.motion.mel import (
    FLOOR,
    HOP_LENGTH,
    MAX_HZ,
    MIN_HZ,
    N_FFT,
    N_MELS,
    SAMPLE_RATE,
    WINDOW_LENGTH,
    LogMel,
    log_mel,
    mel_filters,
)


def reference(sound: np.ndarray, n_mels: int) -> np.ndarray:
    """Follow the definition, one row and one filter at a time."""
    rows = []
    to_mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    from_mel = lambda m: 700 * (10 ** (m / 2595) - 1)  # noqa: E731
    marks = [
        from_mel(to_mel(MIN_HZ) + (to_mel(MAX_HZ) - to_mel(MIN_HZ)) * k / (n_mels + 1))
        for k in range(n_mels + 2)
    ]
    n = np.arange(WINDOW_LENGTH)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW_LENGTH)
    window *= 2 / window.sum()
    for row in range(-(-len(sound) // HOP_LENGTH)):
        start = row * HOP_LENGTH - WINDOW_LENGTH // 2
        piece = [sound[i] if 0 <= i < len(sound) else 0.0 for i in range(start, start + len(n))]
        power = np.abs(np.fft.rfft(np.array(piece) * window, N_FFT)) ** 2
        row_of = []
        for m in range(n_mels):
            low, peak, high = marks[m : m + 3]
            total = 0.0
            for k, p in enumerate(power):
                f = k * SAMPLE_RATE / N_FFT
                total += p * max(0.0, min((f - low) / (peak - low), (high - f) / (high - peak)))
            row_of.append(np.log(max(total, FLOOR)))
        rows.append(row_of)
    return np.array(rows)


def test_rows_follow_the_definition() -> None:
    rng = np.random.default_rng(0)
    sound = (0.1 * rng.standard_normal(1700)).astype(np.float32)
    assert np.abs(log_mel(sound, n_mels=20) - reference(sound, 20)).max() < 2e-4


def test_streaming_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    sound = (0.1 * rng.standard_normal(20001)).astype(np.float32)
    stream = LogMel()
    parts, at = [], 0
    for size in [1, 159, 160, 161, 0, 400, 5000, 20000]:
        parts.append(stream.push(sound[at : at + size]))
        at += size
    parts.append(stream.flush())
    found = np.concatenate(parts)
    assert found.shape == (126, N_MELS)
    assert np.allclose(found, log_mel(sound), atol=1e-5)


def test_a_click_is_loudest_in_its_own_row() -> None:
    sound = np.zeros(16000, np.float32)
    sound[50 * HOP_LENGTH] = 1.0
    assert int(log_mel(sound).sum(axis=1).argmax()) == 50


def test_a_tone_lights_its_filter_and_silence_none() -> None:
    t = np.arange(8000) / SAMPLE_RATE
    rows = log_mel(np.sin(2 * np.pi * 1000 * t).astype(np.float32))
    centres = mel_filters() @ np.arange(N_FFT // 2 + 1) / mel_filters().sum(axis=1)
    best = int(rows[20].argmax())
    assert abs(centres[best] * SAMPLE_RATE / N_FFT - 1000) < 60
    assert np.allclose(log_mel(np.zeros(1000, np.float32)), np.log(FLOOR))


def test_every_filter_hears_something() -> None:
    assert mel_filters().shape == (N_MELS, N_FFT // 2 + 1)
    assert float(mel_filters().sum(axis=1).min()) > 0.3
    assert len(log_mel(np.zeros(0, np.float32))) == 0
