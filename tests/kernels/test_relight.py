from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.kernels.relight import relight_frame
from edgeavatar.types import ColourTags, Frame


def random_frame(width: int, height: int, range_: str = "limited") -> Frame:
    draw = np.random.default_rng(0)
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = (draw.integers(0, 256, s).astype(np.uint8) for s in ((height, width), half, half))
    return Frame(0, Fraction(0), y, u, v, ColourTags(range=range_))  # type: ignore[arg-type]


def smooth_gain(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (1.0 + 0.4 * np.sin(rows / 9.0) * np.cos(columns / 7.0)).astype(np.float32)


def scaled(plane: np.ndarray, gain: np.ndarray, zero: float) -> np.ndarray:
    """Say the same in plain numpy."""
    value = np.float32(zero) + (plane.astype(np.float32) - np.float32(zero)) * gain
    return np.clip(np.floor(value + np.float32(0.5)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("range_", "black"), [("limited", 16), ("full", 0)])
def test_equals_its_numpy_twin(range_: str, black: int) -> None:
    frame = random_frame(64, 48, range_)
    gain = smooth_gain(20, 30)
    made = relight_frame(frame, gain, 10, 6)
    part = (slice(6, 26), slice(10, 40))
    half = (slice(3, 13), slice(5, 20))
    # One step of rounding where the compiler fuses a product and a sum.
    wanted = scaled(frame.y[part], gain, black).astype(int)
    assert np.abs(made.y[part].astype(int) - wanted).max() <= 1
    for plane, before in ((made.u, frame.u), (made.v, frame.v)):
        wanted = scaled(before[half], gain[::2, ::2], 128).astype(int)
        assert np.abs(plane[half].astype(int) - wanted).max() <= 1


def test_a_gain_of_one_and_all_outside_keep_every_bit() -> None:
    frame = random_frame(64, 48)
    before = frame.y.copy()
    made = relight_frame(frame, np.ones((20, 30), np.float32), 10, 6)
    for plane, old in ((made.y, frame.y), (made.u, frame.u), (made.v, frame.v)):
        assert np.array_equal(plane, old)
    darker = relight_frame(frame, np.full((20, 30), 0.5, np.float32), 10, 6)
    outside = np.ones(before.shape, bool)
    outside[6:26, 10:40] = False
    assert np.array_equal(darker.y[outside], before[outside])
    assert np.array_equal(frame.y, before)


def test_grey_stays_grey() -> None:
    frame = random_frame(16, 16)
    grey = Frame(
        0,
        Fraction(0),
        frame.y,
        np.full_like(frame.u, 128),
        np.full_like(frame.v, 128),
        frame.colour,
    )
    made = relight_frame(grey, np.full((16, 16), 1.7, np.float32), 0, 0)
    assert (made.u == 128).all()
    assert (made.v == 128).all()
    assert made.y.astype(int).mean() > frame.y.astype(int).mean()


@pytest.mark.parametrize("place", [(1, 0), (0, 3), (50, 0), (-2, 0)])
def test_refuses_places_outside_or_odd(place: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="rectangle"):
        relight_frame(random_frame(64, 48), np.ones((20, 30), np.float32), *place)
