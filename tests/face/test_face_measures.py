from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.face.measures import (
    face_height,
    inner_lip_gap,
    jitter,
    lip_landmark_indices,
)


def _face(gap: float, *, turn_deg: float = 0.0, scale: float = 1.0) -> np.ndarray:
    points = np.zeros((478, 3))
    points[10, :2], points[152, :2] = (50, 0), (50, 200)
    for upper, lower in ((13, 14), (82, 87), (312, 317)):
        points[upper, :2], points[lower, :2] = (50, 140), (50, 140 + gap)
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points[:, :2] = points[:, :2] @ turn * scale
    return points.astype(np.float32)


def test_height_and_gap() -> None:
    assert face_height(_face(20)) == pytest.approx(200)
    assert inner_lip_gap(_face(20)) == pytest.approx(0.1)
    assert inner_lip_gap(_face(-2)) == pytest.approx(-0.01)


def test_the_gap_does_not_depend_on_size_or_lean() -> None:
    assert inner_lip_gap(_face(20, turn_deg=40, scale=3.0)) == pytest.approx(0.1, abs=1e-5)


def test_jitter_is_the_second_difference_at_height_256() -> None:
    frames = np.stack([_face(10) for _ in range(5)])
    assert jitter(frames) == 0
    moving = frames.copy()
    moving[:, :, 0] += 3 * np.arange(5, dtype=np.float32)[:, None]
    assert jitter(moving) == pytest.approx(0, abs=1e-4), "steady motion is no jitter"
    shaking = frames.copy()
    shaking[::2, lip_landmark_indices(), 1] += 0.5
    # Every second difference is 1 px on a face of 200 px.
    assert jitter(shaking) == pytest.approx(256 / 200, rel=1e-4)
    assert jitter(shaking, [10]) == 0
    with pytest.raises(ValueError, match="at least 3 frames, found 2"):
        jitter(frames[:2])
