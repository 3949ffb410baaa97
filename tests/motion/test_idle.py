from __future__ import annotations

import math

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.idle import idle_pose

FIELDS = ("yaw_deg", "pitch_deg", "roll_deg", "shift_x", "shift_y", "blink", "brow_up")
BOUNDS = (1.5, 1.1, 0.9, 0.006, 0.004)


def curves(seed: int, length_s: float, rate: float = 50.0, emphasis: float = 0.0) -> np.ndarray:
    times = np.arange(0.0, length_s, 1.0 / rate)
    poses = (idle_pose(float(t), seed, emphasis=emphasis) for t in times)
    return np.array([[getattr(pose, field) for field in FIELDS] for pose in poses])


def blink_starts(lid: np.ndarray, rate: float = 50.0) -> np.ndarray:
    return np.flatnonzero((lid[1:] > 0) & (lid[:-1] == 0)) / rate


def test_a_pose_depends_on_time_and_seed_alone() -> None:
    assert idle_pose(12.34, 5) == idle_pose(12.34, 5)
    assert idle_pose(12.34, 5) != idle_pose(12.34, 6)


@pytest.mark.parametrize("seed", range(5))
def test_sway_stays_in_bounds_and_uses_them(seed: int) -> None:
    track = curves(seed, 120.0)
    for column, bound in enumerate(BOUNDS):
        peak = np.abs(track[:, column]).max()
        assert 0.4 * bound < peak <= bound
    assert track[:, 5:].min() >= 0.0
    assert track[:, 5:].max() <= 1.0


def test_sway_is_slow_and_has_no_corners() -> None:
    track = curves(1, 120.0)
    for column in range(5):
        power = np.abs(np.fft.rfft(track[:, column] * np.hanning(len(track)))) ** 2
        frequencies = np.fft.rfftfreq(len(track), 0.02)
        assert power[(frequencies > 0.08) & (frequencies < 0.8)].sum() > 0.95 * power.sum()
    speed = np.diff(track, axis=0) * 50.0
    assert np.abs(speed[:, :3]).max() < 4.0
    assert np.abs(np.diff(speed, axis=0))[:, :3].max() < 0.3


def test_blinks_come_every_four_seconds_but_not_at_once() -> None:
    gaps = []
    for seed in range(8):
        starts = blink_starts(curves(seed, 180.0)[:, 5])
        assert starts[0] >= 0.8
        gaps.append(np.diff(starts))
    joined = np.concatenate(gaps)
    assert 3.5 < joined.mean() < 4.5
    assert joined.min() > 1.0
    assert joined.std() > 1.0


def test_a_blink_shuts_fast_and_opens_slowly() -> None:
    lid = curves(3, 20.0, rate=1000.0)[:, 5]
    start = int(blink_starts(lid, 1000.0)[0] * 1000)
    blink = lid[start : start + 400]
    shut = int(blink.argmax())
    opened = shut + int(np.flatnonzero(blink[shut:] == 0.0)[0])
    assert blink.max() == pytest.approx(1.0, abs=1e-3)
    assert 90 <= shut <= 125
    assert 150 <= opened - shut <= 235
    assert np.abs(np.diff(blink)).max() < 0.02


def test_emphasis_nods_and_raises_the_brows() -> None:
    still, stressed = idle_pose(5.0, 1), idle_pose(5.0, 1, emphasis=1.0)
    assert stressed.pitch_deg == pytest.approx(still.pitch_deg - 0.9)
    assert stressed.brow_up > still.brow_up + 0.2
    assert stressed.yaw_deg == still.yaw_deg


def test_hours_are_as_cheap_as_seconds() -> None:
    assert abs(idle_pose(36_000.5, 2).yaw_deg) <= 1.5


@pytest.mark.parametrize(
    ("time_s", "seed", "emphasis"),
    [(-1.0, 0, 0.0), (0.0, -1, 0.0), (0.0, 0, 2.0), (math.nan, 0, 0.0)],
)
def test_values_out_of_range_are_refused(time_s: float, seed: int, emphasis: float) -> None:
    with pytest.raises(UsageError, match="expected time"):
        idle_pose(time_s, seed, emphasis=emphasis)
