from __future__ import annotations

import math

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.measures import (
    ClosureScore,
    Extent,
    articulation_ratio,
    closure,
    closure_contrast,
    correlation,
    extent,
    lip_jitter,
    silence_leakage,
)
from edgeavatar.types import PhonemeTiming

RATE = 1000
TIMES = np.arange(0.0, 2.0, 0.04)
SAID = (
    PhonemeTiming("_", 0, 400, 0, -1),
    PhonemeTiming("m", 400, 520, 0, 0),
    PhonemeTiming("ɑ", 520, 760, 2, 0),
    PhonemeTiming("p", 760, 880, 0, 0),
    PhonemeTiming("æ", 880, 1120, 2, 0),
    PhonemeTiming("_", 1120, 2000, 0, -1),
)
GAPS = {"_": 0.0, "m": 0.002, "ɑ": 0.08, "p": 0.004, "æ": 0.07}


def gaps_of(**changes: float) -> np.ndarray:
    values = GAPS | changes
    gaps = np.zeros(len(TIMES))
    for i, time in enumerate(TIMES):
        here = next(p for p in SAID if p.start_sample <= round(time * RATE) < p.end_sample)
        gaps[i] = values[here.symbol]
    return gaps


def test_closure_counts_hits_and_false_ones() -> None:
    assert closure(gaps_of(), TIMES, SAID, RATE) == ClosureScore(2, 2, 2, 0)
    assert closure(gaps_of(p=0.05), TIMES, SAID, RATE).hit_share == 0.5
    assert closure(gaps_of(æ=0.001), TIMES, SAID, RATE).false_share == 0.5


def test_a_closure_outside_its_window_does_not_count() -> None:
    gaps = np.full(len(TIMES), 0.08)
    late = 0.46 + 0.06 + 0.02
    gaps[np.abs(TIMES - late) < 0.021] = 0.0
    assert closure(gaps, TIMES, SAID[:2], RATE) == ClosureScore(1, 1, 0, 0)
    gaps[np.abs(TIMES - 0.52) < 0.001] = 0.08
    assert closure(gaps, TIMES, SAID[:2], RATE) == ClosureScore(1, 0, 0, 0)


def test_closure_shares_without_instances_are_unknown() -> None:
    score = closure(gaps_of(), TIMES, SAID[:1], RATE)
    assert math.isnan(score.hit_share)
    assert math.isnan(score.false_share)


def test_contrast_is_open_over_closed() -> None:
    assert closure_contrast(gaps_of(), TIMES, SAID, RATE) == pytest.approx(25.0, rel=0.05)
    assert closure_contrast(gaps_of(m=0.0, p=0.0), TIMES, SAID, RATE) == pytest.approx(
        75.0, rel=0.05
    )
    assert math.isnan(closure_contrast(gaps_of(), TIMES, SAID[:2], RATE))


def test_leakage_is_the_share_of_silence_with_an_open_or_moving_mouth() -> None:
    assert silence_leakage(gaps_of(), TIMES, SAID, RATE) == 0.0
    gaps = gaps_of()
    late = TIMES > 1.6
    gaps[late] = 0.03
    silent = (TIMES < 0.28) | (TIMES > 1.24)
    assert silence_leakage(gaps, TIMES, SAID, RATE) == pytest.approx(late.sum() / silent.sum())
    gaps = gaps_of()
    gaps[late] = 0.005 * (np.arange(late.sum()) % 2)
    assert silence_leakage(gaps, TIMES, SAID, RATE) == pytest.approx(
        late.sum() / silent.sum(), abs=0.05
    )
    assert math.isnan(silence_leakage(gaps, TIMES, (PhonemeTiming("ɑ", 0, 2000),), RATE))


@pytest.mark.parametrize("lag", [-3, 0, 2])
def test_correlation_finds_the_lag(lag: int) -> None:
    draw = np.random.default_rng(0)
    reference = np.convolve(draw.standard_normal(200), np.ones(5), mode="same")
    found = correlation(3.0 * np.roll(reference, lag) + 1.0, reference, max_lag=5)
    assert found.lag == lag
    assert found.r == pytest.approx(1.0)


def test_correlation_of_still_curves_is_unknown() -> None:
    assert math.isnan(correlation(np.zeros(50), np.arange(50.0)).r)
    with pytest.raises(UsageError, match="at least 7"):
        correlation(np.zeros(5), np.zeros(5))


def test_extent_measures_range_and_frequency() -> None:
    times = np.arange(0.0, 8.0, 0.04)
    wave = 0.04 + 0.03 * np.sin(2 * np.pi * 3.0 * times)
    found = extent(wave, 25.0)
    assert found.range == pytest.approx(0.06, rel=0.05)
    assert found.frequency_hz == pytest.approx(3.0, abs=0.1)
    assert articulation_ratio(found, Extent(0.03, 6.0)) == pytest.approx((2.0, 0.5), rel=0.05)
    assert all(math.isnan(x) for x in articulation_ratio(found, Extent(0.0, 0.0)))
    with pytest.raises(UsageError, match="one second"):
        extent(wave[:10], 25.0)


def test_jitter_is_scaled_to_the_face_and_ignores_drift() -> None:
    draw = np.random.default_rng(0)
    drift = np.arange(200.0)[:, None, None] * np.ones((1, 20, 2))
    assert lip_jitter(drift, 100.0) == pytest.approx(0.0, abs=1e-9)
    # The second difference of white noise has 6 times its variance, in x and in y.
    noisy = drift + draw.normal(0.0, 0.1, drift.shape)
    assert lip_jitter(noisy, 128.0) == pytest.approx(2.0 * 0.1 * np.sqrt(12.0), rel=0.05)
    with pytest.raises(UsageError, match="face height"):
        lip_jitter(drift, 0.0)


def test_lengths_must_agree() -> None:
    for measure in (closure, closure_contrast, silence_leakage):
        with pytest.raises(UsageError, match="as many gaps as times"):
            measure(np.zeros(3), TIMES, SAID, RATE)
