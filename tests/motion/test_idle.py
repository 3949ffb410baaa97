from __future__ import annotations

import math

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.idle import idle_pose
from edgeavatar.motion.style import NEUTRAL, SpeakingStyle, style_named
from edgeavatar.types import Expression

FIELDS = ("yaw_deg", "pitch_deg", "roll_deg", "shift_x", "shift_y", "blink", "brow_up")
BOUNDS = (1.5, 1.1, 0.9, 0.006, 0.004)


def curves(
    seed: int, length_s: float, rate: float = 50.0, style: SpeakingStyle = NEUTRAL
) -> np.ndarray:
    times = np.arange(0.0, length_s, 1.0 / rate)
    poses = (idle_pose(float(t), seed, style=style) for t in times)
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
    still, stressed = idle_pose(5.0, 1), idle_pose(5.0, 1, Expression(emphasis=1.0))
    assert stressed.pitch_deg == pytest.approx(still.pitch_deg - NEUTRAL.nod_deg)
    assert stressed.brow_up == pytest.approx(still.brow_up + NEUTRAL.brow_lift)
    assert stressed.yaw_deg == still.yaw_deg


def test_a_question_raises_brows_and_chin() -> None:
    still, asking = idle_pose(5.0, 1), idle_pose(5.0, 1, Expression(asking=1.0))
    assert still.pitch_deg + 0.3 < asking.pitch_deg < still.pitch_deg + NEUTRAL.nod_deg
    assert asking.brow_up == pytest.approx(still.brow_up + NEUTRAL.brow_lift)
    both = idle_pose(5.0, 1, Expression(emphasis=1.0, asking=1.0))
    assert both.brow_up == pytest.approx(asking.brow_up)


def test_blinks_are_those_of_the_expression() -> None:
    alone = curves(0, 20.0)[:, 5]
    shut = int(alone.argmax()) / 50.0
    assert idle_pose(shut, 0).blink > 0.9
    assert idle_pose(shut, 0, Expression()).blink == 0.0
    assert idle_pose(shut, 0, Expression(blink=0.3)).blink == 0.3


def test_styles_sway_and_blink_more_or_less() -> None:
    calm, neutral, lively = (
        curves(2, 240.0, style=style_named(name)) for name in ("calm", "neutral", "lively")
    )
    for column in range(5):
        assert calm[:, column].std() < 0.8 * neutral[:, column].std()
        assert lively[:, column].std() > 1.2 * neutral[:, column].std()
    # As fast again as large.
    pace = [np.diff(track[:, 0]).std() / track[:, 0].std() for track in (calm, neutral, lively)]
    assert pace[0] < 0.9 * pace[1] < 0.9 * 0.9 * pace[2]
    blinks = [len(blink_starts(track[:, 5])) for track in (calm, neutral, lively)]
    assert blinks[0] < blinks[1] < blinks[2]


@pytest.mark.parametrize("name", ["calm", "neutral", "lively"])
def test_brows_at_their_highest_are_within_bounds(name: str) -> None:
    style = style_named(name)  # type: ignore[arg-type]
    most = Expression(emphasis=1.0, asking=1.0)
    highest = max(idle_pose(t / 5.0, 3, most, style).brow_up for t in range(600))
    assert style.brow_lift < highest < 1.0


def test_hours_are_as_cheap_as_seconds() -> None:
    assert abs(idle_pose(36_000.5, 2).yaw_deg) <= 1.5


@pytest.mark.parametrize(("time_s", "seed"), [(-1.0, 0), (0.0, -1), (math.nan, 0)])
def test_values_out_of_range_are_refused(time_s: float, seed: int) -> None:
    with pytest.raises(UsageError, match="expected time"):
        idle_pose(time_s, seed)


@pytest.mark.parametrize("field", ["emphasis", "asking", "blink"])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_wild_expressions_are_refused(field: str, value: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 1, found"):
        idle_pose(0.0, 0, Expression(**{field: value}))
