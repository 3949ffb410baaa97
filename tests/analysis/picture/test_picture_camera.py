"""Shift of the background, in pixels of a frame that is 1080 high."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scenes import Picture, before, clouds, noisy, portrait

from edgeavatar.analysis.movement import (
    BackgroundShift,
    BackgroundWatch,
    angular_speed,
    camera_kind,
)

RATE = 25.0
WIDTH, HEIGHT = 960, 540
TO_1080 = 1080 / HEIGHT
FACTOR = 2.5
SIDE = 350
"""Of the pasted portrait; its face is 224 high from 70 below its top."""


def _small(picture: Picture) -> Picture:
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    size = (round(picture.shape[1] / FACTOR), round(picture.shape[0] / FACTOR))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)


def _watch(
    frames: list[Picture], people: list[tuple[float, float, float, float]]
) -> list[BackgroundShift]:
    watch = BackgroundWatch(RATE)
    return [watch.push(_small(frame), people) for frame in frames]


def _columns(
    shifts: list[BackgroundShift],
) -> tuple[npt.NDArray[np.float64], ...]:
    time_s = np.arange(len(shifts)) / RATE
    return (
        time_s,
        np.array([s.dx for s in shifts]),
        np.array([s.dy for s in shifts]),
        np.array([s.px_per_s for s in shifts]),
    )


def _window(wide: Picture, x: float, y: float) -> Picture:
    matrix = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
    return np.asarray(cv2.warpAffine(wide, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR))


@pytest.mark.parametrize(("step_x", "step_y"), [(1.5, 0.0), (-0.75, 0.35), (0.0, -4.0)])
def test_a_known_shift(step_x: float, step_y: float) -> None:
    """The window goes right and down, so that what it shows goes left and up."""
    wide = clouds(WIDTH + 300, HEIGHT + 300, 5)
    frames = [noisy(_window(wide, 150 + step_x * i, 150 + step_y * i), i) for i in range(16)]
    time_s, dx, dy, speed = _columns(_watch(frames, []))
    assert np.median(dx[1:]) == pytest.approx(-TO_1080 * step_x, abs=0.1)
    assert np.median(dy[1:]) == pytest.approx(-TO_1080 * step_y, abs=0.1)
    kind, px_per_s = camera_kind(time_s, dx, dy, speed)
    assert px_per_s == pytest.approx(TO_1080 * RATE * float(np.hypot(step_x, step_y)), rel=0.03)
    assert kind in ("handheld", "moving")


def test_a_camera_that_stands() -> None:
    frames = [noisy(clouds(WIDTH, HEIGHT, 5), i, 3.0) for i in range(20)]
    shifts = _watch(frames, [])
    kind, px_per_s = camera_kind(*_columns(shifts))
    assert kind == "steady"
    assert px_per_s is not None
    assert px_per_s < 2.0
    assert shifts[-1].still == pytest.approx(1.0, abs=0.001)


def test_a_person_who_moves_before_a_wall_is_no_camera() -> None:
    """The person takes a third of the picture and moves by 3 pixels a frame."""
    wall, person = clouds(WIDTH, HEIGHT, 5), portrait(SIDE)
    watch = BackgroundWatch(RATE)
    shifts = []
    for i in range(20):
        left, top = 250 + 3 * i, HEIGHT - SIDE
        box = (left + 90, top + 70, left + 260, top + 295)
        people = [tuple(side / FACTOR for side in box)]
        shifts.append(watch.push(_small(before(wall, person, left, top)), people))  # type: ignore[arg-type]
    kind, px_per_s = camera_kind(*_columns(shifts))
    assert kind == "steady"
    assert px_per_s is not None
    assert px_per_s < 2.0


def test_a_person_who_stands_before_a_moving_picture_does_not_hide_it() -> None:
    wide, person = clouds(WIDTH + 300, HEIGHT, 5), portrait(SIDE)
    left, top = 300, HEIGHT - SIDE
    frames = [before(_window(wide, 2.0 * i, 0), person, left, top) for i in range(16)]
    box = tuple(v / FACTOR for v in (left + 90, top + 70, left + 260, top + 295))
    _, dx, _, _ = _columns(_watch(frames, [box]))  # type: ignore[list-item]
    assert np.median(dx[1:]) == pytest.approx(-4.0, abs=0.2)


def test_a_zoom_is_a_movement_that_shifts_nothing() -> None:
    wide = clouds(WIDTH, HEIGHT, 5)
    frames = []
    for i in range(16):
        zoom = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 0.0, 1.004**i)
        frames.append(np.asarray(cv2.warpAffine(wide, zoom, (WIDTH, HEIGHT)), np.uint8))
    _, dx, dy, speed = _columns(_watch(frames, []))
    assert abs(np.nanmedian(dx)) < 0.2
    assert abs(np.nanmedian(dy)) < 0.2
    # Corners move by .004 of half the diagonal a frame; the root mean square over four of five.
    expected = TO_1080 * 0.004 * np.hypot(WIDTH, HEIGHT) / 2 * np.sqrt(4 / 5) * RATE
    assert np.nanmedian(speed) == pytest.approx(expected, rel=0.06)


def test_a_wall_without_texture_tells_nothing() -> None:
    frames = [np.full((HEIGHT, WIDTH, 3), 128, np.uint8)] * 12
    assert camera_kind(*_columns(_watch(frames, []))) == (None, None)


def test_a_pan_is_a_led_camera() -> None:
    wide = clouds(WIDTH + 300, HEIGHT, 5)
    frames = [_window(wide, 6.0 * i, 0) for i in range(40)]
    kind, _ = camera_kind(*_columns(_watch(frames, [])))
    assert kind == "moving"


def test_a_background_that_lives_is_not_still() -> None:
    """A third of it flickers."""
    wall = clouds(WIDTH, HEIGHT, 5)
    frames = []
    for i in range(15):
        frame = wall.copy()
        frame[:, : WIDTH // 3] = clouds(WIDTH // 3, HEIGHT, 10 + i)
        frames.append(frame)
    assert _watch(frames, [])[-1].still == pytest.approx(2 / 3, abs=0.06)


def test_the_speed_of_a_head() -> None:
    time_s = np.arange(100) / RATE
    still = np.zeros(100)
    assert angular_speed(time_s, 30.0 * time_s, still, still) == pytest.approx(30.0)
    jitter = np.random.default_rng(0).normal(0.0, 0.1, 100)
    quiet = angular_speed(time_s, jitter, still, still)
    assert quiet is not None
    assert quiet < 1.5
    assert angular_speed(time_s[:20], still[:20], still[:20], still[:20]) is None
