from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.speech.boundaries import REACH_S, Boundary, snap

RATE = 24000
FREE = (0, 10 * RATE)


def hum_then_hiss(at_s: float, seconds: float = 0.6) -> np.ndarray:
    """Low noise, and from ``at_s`` on high noise."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(round(seconds * RATE))
    low = np.convolve(noise, np.hanning(48) / 24, "same")
    high = noise - low
    change = round(at_s * RATE)
    return np.concatenate([low[:change], 0.5 * high[change:]]).astype(np.float32)


@pytest.mark.parametrize("rate", [22050, 24000])
@pytest.mark.parametrize("off_s", [-0.025, -0.01, 0.0, 0.01, 0.025])
def test_a_boundary_moves_to_the_change(rate: int, off_s: float) -> None:
    at = round(0.3 * RATE)
    [found] = snap(hum_then_hiss(0.3), rate, [Boundary(at + round(off_s * RATE), *FREE)])
    assert abs(found - at) <= 0.005 * RATE


def test_a_change_too_far_away_is_another_boundary() -> None:
    start = round(0.4 * RATE)
    [found] = snap(hum_then_hiss(0.3), RATE, [Boundary(start, *FREE)])
    assert abs(found - start) <= REACH_S * RATE


def test_limits_are_kept() -> None:
    at = round(0.3 * RATE)
    late = at + round(0.02 * RATE)
    [found] = snap(hum_then_hiss(0.3), RATE, [Boundary(late, late - 100, late + 100)])
    assert late - 100 <= found <= late + 100
    [stuck] = snap(hum_then_hiss(0.3), RATE, [Boundary(late, late + 2, late + 1)])
    assert stuck == late


def test_where_nothing_changes_a_boundary_stays() -> None:
    position = round(0.3 * RATE)
    [found] = snap(np.zeros(RATE, np.float32), RATE, [Boundary(position, *FREE)])
    assert abs(found - position) <= 0.00125 * RATE + 1
    assert snap(np.zeros(RATE, np.float32), RATE, []) == []


def test_the_ends_of_the_sound_are_no_place_to_go() -> None:
    sound = hum_then_hiss(0.3)
    for position in (0, 10, len(sound) - 10, len(sound)):
        [found] = snap(sound, RATE, [Boundary(position, 0, len(sound))])
        assert 0 <= found <= len(sound)
