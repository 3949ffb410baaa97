"""True peak, loudness range and momentary loudness, by the signals of their standards."""

from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.audio.loudness import LoudnessMeter

RATE = 48000


def tone(dbfs: float, seconds: float, hertz: float = 1000.0, phase: float = 0.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * times + phase)).astype(np.float32)


@pytest.mark.parametrize(("first", "second", "range_lu"), [(-20, -30, 10), (-20, -15, 5)])
def test_loudness_range(first: float, second: float, range_lu: float) -> None:
    # EBU Tech 3342, minimum requirements, cases 1 and 2: within 1 LU.
    meter = LoudnessMeter(RATE, detailed=True)
    meter.push(np.concatenate([tone(first, 20), tone(second, 20)]))
    meter.finish()
    assert meter.range_lu == pytest.approx(range_lu, abs=1.0)


def test_true_peak_lies_between_samples() -> None:
    # EBU Tech 3341, case 16: a quarter of the rate at 45 degrees, samples 3 dB below the peak.
    meter = LoudnessMeter(RATE, detailed=True)
    sound = tone(-6.0, 2.0, RATE / 4, np.pi / 4)
    fade = np.hanning(4800)
    sound[:2400] *= fade[:2400]
    sound[-2400:] *= fade[2400:]
    meter.push(sound)
    meter.finish()
    assert meter.true_peak_dbtp == pytest.approx(-6.0, abs=0.2)


def test_momentary_loudness_comes_every_tenth_of_a_second() -> None:
    meter = LoudnessMeter(RATE, detailed=True)
    meter.push(np.concatenate([tone(-20, 2), np.zeros(2 * RATE, np.float32)]))
    meter.finish()
    found = np.array(meter.take_momentary())
    assert len(found) == 40
    assert found[10:20] == pytest.approx(-23.0, abs=0.1)
    assert (found[30:] == -70.0).all()
    assert meter.take_momentary() == []


def test_short_and_silent_sounds_have_no_range() -> None:
    for sound in (tone(-20, 5), np.zeros(20 * RATE, np.float32)):
        meter = LoudnessMeter(RATE, detailed=True)
        meter.push(sound)
        meter.finish()
        assert meter.range_lu is None
    assert meter.true_peak_dbtp is None
