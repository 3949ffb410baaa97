"""Small movements of a head that is not filmed: sway, blinks, brows.

Everything is a pure function of time and seed, so that frames may be asked for in any order and a
render can be repeated.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.types import IdlePose

_SWAY_HZ = (0.11, 0.19, 0.31, 0.47, 0.67)
"""Where heads at rest and in conversation move: most power below 1 Hz, falling with frequency
(Hadar, Steiner, Grant & Rose 1983 report slow postural shifts up to 1.8 Hz, quick ones with
stress). Spacing is uneven so that the sum does not repeat within a video."""
_SWAY_FALL = 0.8
"""Amplitude falls as frequency to this power."""

_RANGE_DEG = {"yaw": 1.5, "pitch": 1.1, "roll": 0.9}
_RANGE_SHIFT = {"x": 0.006, "y": 0.004}
"""Bounds of the sway, in degrees and in face heights."""
_BROW_RANGE = 0.12
_NOD_DEG = 0.9
"""Extra downward pitch under full emphasis: heads move with stress (Munhall et al. 2004)."""
_BROW_EMPHASIS = 0.25

_FIRST_BLINK_S = 0.8
_BLINK_GAP_MEDIAN_S = 3.5
_BLINK_GAP_SIGMA = 0.5
"""Log-normal gaps with a mean of 4.0 s: 15 blinks a minute, between rest (17) and reading (4.5)
(Bentivoglio et al. 1997)."""
_BLINK_GAP_RANGE_S = (1.2, 10.0)
_CLOSING_S = 0.10
_OPENING_S = (0.15, 0.20)
_SHUT_S = 0.02
_EPOCH_S = 60.0
"""Blinks are drawn minute by minute, so that one at the tenth minute needs no history."""


def idle_pose(time_s: float, seed: int, *, emphasis: float = 0.0) -> IdlePose:
    """Give the pose of a resting head at one moment.

    The result depends on the arguments alone, and is continuous with its first derivative in time
    (while ``emphasis`` is).

    Parameters
    ----------
    time_s : float
        Seconds from the start of the video, >= 0.
    seed : int
        Which head; >= 0.
    emphasis : float
        Stress of the speech at this moment, 0 to 1: adds a small nod and raises the brows.

    Returns
    -------
    IdlePose
        Yaw within ±1.5°, pitch ±1.1° (up to 0.9° lower under emphasis), roll ±0.9°, shifts within
        0.6% and 0.4% of the face height.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    if not (time_s >= 0.0 and math.isfinite(time_s)) or seed < 0 or not 0.0 <= emphasis <= 1.0:
        raise UsageError(
            "expected time >= 0, seed >= 0 and emphasis from 0 to 1, "
            f"found {time_s!r}, {seed!r} and {emphasis!r}"
        )
    sway = _sway(seed)
    wave = np.sin(2.0 * np.pi * np.array(_SWAY_HZ) * sway[0] * time_s + sway[1])
    yaw, pitch, roll, x, y, brow = (sway[2] * wave).sum(axis=1).tolist()
    return IdlePose(
        yaw_deg=_RANGE_DEG["yaw"] * yaw,
        pitch_deg=_RANGE_DEG["pitch"] * pitch - _NOD_DEG * emphasis,
        # People lean a little into a turn.
        roll_deg=_RANGE_DEG["roll"] * (0.6 * roll + 0.4 * yaw),
        shift_x=_RANGE_SHIFT["x"] * x,
        shift_y=_RANGE_SHIFT["y"] * y,
        blink=_blink(time_s, seed),
        brow_up=min(1.0, _BROW_RANGE * (0.5 + 0.5 * brow) + _BROW_EMPHASIS * emphasis),
    )


@lru_cache(maxsize=64)
def _sway(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tempo, phases and amplitudes of six movements: ``(6, 5)`` each, amplitudes add up to 1."""
    draw = np.random.default_rng([seed, 1])
    tempo = draw.uniform(0.9, 1.1, (6, len(_SWAY_HZ)))
    phase = draw.uniform(0.0, 2.0 * np.pi, (6, len(_SWAY_HZ)))
    size = draw.uniform(0.5, 1.0, (6, len(_SWAY_HZ))) / np.array(_SWAY_HZ) ** _SWAY_FALL
    return tempo, phase, size / size.sum(axis=1, keepdims=True)


def _blink(time_s: float, seed: int) -> float:
    blinks = _blinks(seed, int(time_s // _EPOCH_S))
    return max((_lid(time_s - start, opening) for start, opening in blinks), default=0.0)


@lru_cache(maxsize=256)
def _blinks(seed: int, epoch: int) -> tuple[tuple[float, float], ...]:
    """Start and opening time of the blinks of one minute; all end within it."""
    draw = np.random.default_rng([seed, 2, epoch])
    low, high = _BLINK_GAP_RANGE_S
    end = _EPOCH_S * (epoch + 1)
    time = _EPOCH_S * epoch
    # Half a gap at the start: a minute joins the one before without a double blink.
    time += _FIRST_BLINK_S + 0.5 * float(draw.uniform(low, _BLINK_GAP_MEDIAN_S))
    blinks = []
    while time < end - _FIRST_BLINK_S:
        blinks.append((time, float(draw.uniform(*_OPENING_S))))
        gap = _BLINK_GAP_MEDIAN_S * math.exp(_BLINK_GAP_SIGMA * float(draw.standard_normal()))
        time += min(max(gap, low), high)
    return tuple(blinks)


def _lid(since_s: float, opening_s: float) -> float:
    """Lid of one blink: shut in 100 ms, a moment closed, open again more slowly."""
    if since_s < 0.0:
        return 0.0
    if since_s < _CLOSING_S:
        return _ease(since_s / _CLOSING_S)
    back = (since_s - _CLOSING_S - _SHUT_S) / opening_s
    return _ease(1.0 - min(1.0, max(0.0, back)))


def _ease(x: float) -> float:
    return x * x * (3.0 - 2.0 * x)
