"""Small movements of a head that is not filmed: sway, blinks, brows.

Everything is a pure function of what is given, so that frames may be asked for in any order and a
render can be repeated. What speech adds is given as an expression
(:mod:`edgeavatar.motion.expression`).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.style import NEUTRAL
from edgeavatar.types import IdlePose

if TYPE_CHECKING:
    from edgeavatar.motion.style import SpeakingStyle
    from edgeavatar.types import Expression

_SWAY_HZ = (0.11, 0.19, 0.31, 0.47, 0.67)
"""Where heads at rest and in conversation move: most power below 1 Hz, falling with frequency
(Hadar, Steiner, Grant & Rose 1983 report slow postural shifts up to 1.8 Hz, quick ones with
stress). Spacing is uneven so that the sum does not repeat within a video."""
_SWAY_FALL = 0.8
"""Amplitude falls as frequency to this power."""

_RANGE_DEG = {"yaw": 1.5, "pitch": 1.1, "roll": 0.9}
_RANGE_SHIFT = {"x": 0.006, "y": 0.004}
"""Bounds of the neutral sway, in degrees and in face heights."""
_BROW_RANGE = 0.12
_ASKING_TILT = 0.6
"""Raise of the chin by a question, in nods: heads tilt back while brows rise (Srinivasan & Massaro
2003)."""

FIRST_BLINK_S = 0.8
"""No blink before this."""
_BLINK_GAP_SIGMA = 0.5
_BLINK_GAP_MEAN = math.exp(_BLINK_GAP_SIGMA**2 / 2.0)
"""Mean of log-normal gaps, in medians."""
_BLINK_GAP_RANGE_S = (1.2, 10.0)
_CLOSING_S = 0.10
_OPENING_S = (0.15, 0.20)
_SHUT_S = 0.02
_EPOCH_S = 60.0
"""Blinks are drawn minute by minute, so that one at the tenth minute needs no history."""


def idle_pose(
    time_s: float,
    seed: int,
    expression: Expression | None = None,
    style: SpeakingStyle = NEUTRAL,
) -> IdlePose:
    """Give the pose of a head at one moment.

    The result depends on the arguments alone, and is continuous with its first derivative in time
    (while the expression is).

    Parameters
    ----------
    time_s : float
        Seconds from the start of the video, >= 0.
    seed : int
        Which head; >= 0.
    expression : Expression, optional
        What speech does to the face at this moment, blinks included. Without it, the brows drift
        and the eyes blink on their own.
    style : SpeakingStyle
        Size of everything.

    Returns
    -------
    IdlePose
        Yaw within ±1.5°, pitch ±1.1°, roll ±0.9°, shifts within 0.6% and 0.4% of the face height,
        all times ``style.sway``; pitch lower by up to ``style.nod_deg`` under emphasis, higher by
        0.6 of that in a question. Blink and brows from 0 to 1.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    if not (time_s >= 0.0 and math.isfinite(time_s)) or seed < 0:
        raise UsageError(f"expected time >= 0 and seed >= 0, found {time_s!r} and {seed!r}")
    emphasis = asking = 0.0
    if expression is None:
        blink = _blink(time_s, seed, style.blinks_per_min)
    else:
        emphasis, asking, blink = expression.emphasis, expression.asking, expression.blink
        if not all(0.0 <= share <= 1.0 for share in (emphasis, asking, blink)):
            raise UsageError(f"expected an expression of values from 0 to 1, found {expression}")
    tempo, phase, size = _sway(seed)
    wave = np.sin(2.0 * np.pi * np.array(_SWAY_HZ) * style.tempo * tempo * time_s + phase)
    yaw, pitch, roll, x, y, brow = (size * wave).sum(axis=1).tolist()
    sway = style.sway
    lifted = 1.0 - (1.0 - emphasis) * (1.0 - asking)
    return IdlePose(
        yaw_deg=sway * _RANGE_DEG["yaw"] * yaw,
        pitch_deg=sway * _RANGE_DEG["pitch"] * pitch
        + style.nod_deg * (_ASKING_TILT * asking - emphasis),
        # People lean a little into a turn.
        roll_deg=sway * _RANGE_DEG["roll"] * (0.6 * roll + 0.4 * yaw),
        shift_x=sway * _RANGE_SHIFT["x"] * x,
        shift_y=sway * _RANGE_SHIFT["y"] * y,
        blink=blink,
        brow_up=min(1.0, _BROW_RANGE * (0.5 + 0.5 * brow) + style.brow_lift * lifted),
    )


@lru_cache(maxsize=64)
def _sway(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tempo, phases and amplitudes of six movements: ``(6, 5)`` each, amplitudes add up to 1."""
    draw = np.random.default_rng([seed, 1])
    tempo = draw.uniform(0.9, 1.1, (6, len(_SWAY_HZ)))
    phase = draw.uniform(0.0, 2.0 * np.pi, (6, len(_SWAY_HZ)))
    size = draw.uniform(0.5, 1.0, (6, len(_SWAY_HZ))) / np.array(_SWAY_HZ) ** _SWAY_FALL
    return tempo, phase, size / size.sum(axis=1, keepdims=True)


def _blink(time_s: float, seed: int, per_min: float) -> float:
    blinks = _blinks(seed, int(time_s // _EPOCH_S), per_min)
    return max((lid(time_s - start, opening) for start, opening in blinks), default=0.0)


@lru_cache(maxsize=256)
def _blinks(seed: int, epoch: int, per_min: float) -> tuple[tuple[float, float], ...]:
    """Start and opening time of the blinks of one minute; all end within it."""
    draw = np.random.default_rng([seed, 2, epoch])
    end = _EPOCH_S * (epoch + 1)
    # Half a gap at the start: a minute joins the one before without a double blink.
    time = _EPOCH_S * epoch + first_wait(draw, per_min)
    blinks = []
    while time < end - FIRST_BLINK_S:
        blinks.append((time, opening_time(draw)))
        time += blink_gap(draw, per_min)
    return tuple(blinks)


def blink_gap(draw: np.random.Generator, per_min: float) -> float:
    """Draw the time in seconds from one blink to the next.

    Log-normal, cut to 1.2 to 10 s: people's intervals are skewed, with many short ones and a few
    long ones (Bentivoglio et al. 1997).

    Parameters
    ----------
    draw : numpy.random.Generator
        Where chance comes from; one number is taken.
    per_min : float
        Blinks a minute, but for what the cut changes.
    """
    low, high = _BLINK_GAP_RANGE_S
    gap = _gap_median(per_min) * math.exp(_BLINK_GAP_SIGMA * float(draw.standard_normal()))
    return min(max(gap, low), high)


def first_wait(draw: np.random.Generator, per_min: float) -> float:
    """Draw the time in seconds before a first blink: at least 0.8 s, and part of a gap."""
    low = _BLINK_GAP_RANGE_S[0]
    return FIRST_BLINK_S + 0.5 * float(draw.uniform(low, _gap_median(per_min)))


def opening_time(draw: np.random.Generator) -> float:
    """Draw how long, in seconds, a lid takes to open again."""
    return float(draw.uniform(*_OPENING_S))


def _gap_median(per_min: float) -> float:
    return 60.0 / per_min / _BLINK_GAP_MEAN


def lid(since_s: float, opening_s: float) -> float:
    """Lid of one blink, 0 open to 1 shut: shut in 100 ms, a moment closed, open more slowly.

    Parameters
    ----------
    since_s : float
        Seconds since the blink began.
    opening_s : float
        How long the lid takes to open.
    """
    if since_s < 0.0:
        return 0.0
    if since_s < _CLOSING_S:
        return _ease(since_s / _CLOSING_S)
    back = (since_s - _CLOSING_S - _SHUT_S) / opening_s
    return _ease(1.0 - min(1.0, max(0.0, back)))


def _ease(x: float) -> float:
    return x * x * (3.0 - 2.0 * x)
