"""The square around a mouth, and the layers in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pose import rotation_of, to_picture
from edgeavatar.rendering.geometric import lip_rim
from edgeavatar.rendering.geometry import mouth_displacement
from edgeavatar.rendering.interior import InteriorLight, InteriorModel, MouthInside
from edgeavatar.rendering.layers import (
    cavity_mask,
    crop_mouth,
    draw_interior,
    lip_mask,
    moved_pose,
    similarity,
)
from edgeavatar.types import MOTION_NAMES, HeadPose

if TYPE_CHECKING:
    from edgeavatar.rendering.geometry import Person
    from edgeavatar.types import FaceObservation, Frame

TURN = np.array([[0.8, -0.6, 30.0], [0.6, 0.8, -12.0]]) * np.array([[1.5, 1.5, 1.0]])


def opened(face: FaceObservation, person: Person, jaw: float) -> np.ndarray:
    row = np.zeros(len(MOTION_NAMES), np.float32)
    row[MOTION_NAMES.index("jawOpen")] = jaw
    return face.landmarks[:, :2] + mouth_displacement(face, person, row)


def test_similarity_is_found_again() -> None:
    points = np.random.default_rng(0).normal(size=(12, 2)) * 40.0
    assert similarity(points, points @ TURN[:, :2].T + TURN[:, 2]) == pytest.approx(TURN)


def test_a_moved_pose_moves_points_alike() -> None:
    pose = HeadPose(rotation_of(12.0, -7.0, 5.0), np.array([80.0, 60.0, 3.0]), 9.0, 12.0, -7.0, 5.0)
    points = np.random.default_rng(1).normal(size=(9, 3)) * 4.0
    direct = to_picture(points, pose)[:, :2] @ TURN[:, :2].T + TURN[:, 2]
    moved = moved_pose(pose, TURN)
    assert to_picture(points, moved)[:, :2] == pytest.approx(direct, abs=1e-3)
    assert moved.yaw_deg == pytest.approx(12.0, abs=8.0)


def test_the_square_is_upright_and_holds_the_mouth(
    portrait: Frame, face: FaceObservation, person: Person
) -> None:
    crop = crop_mouth(face.pose, person.lip_line_cm, 256)
    inside = crop.points(face.landmarks[[61, 291, 0, 17, 152], :2])
    assert (inside > 20).all()
    assert (inside < 236).all()
    # Right corner of the mouth to the left, chin below.
    assert inside[0, 0] < 128 < inside[1, 0]
    assert inside[4, 1] > inside[3, 1] > inside[2, 1]
    assert crop.cut(frame_to_bgr(portrait)).shape == (256, 256, 3)


def test_the_square_follows_a_turned_and_enlarged_picture(
    face: FaceObservation, person: Person
) -> None:
    lips = face.landmarks[[61, 291, 0, 17], :2]
    crop = crop_mouth(face.pose, person.lip_line_cm, 256)
    other = crop_mouth(moved_pose(face.pose, TURN), person.lip_line_cm, 256)
    there = lips @ TURN[:, :2].T + TURN[:, 2]
    assert other.points(there) == pytest.approx(crop.points(lips), abs=0.5)


def test_masks_cover_cavity_and_lips_and_nothing_else(
    face: FaceObservation, person: Person
) -> None:
    crop = crop_mouth(face.pose, person.lip_line_cm, 256)
    points = opened(face, person, 0.5)
    cavity, lips = cavity_mask(crop, lip_rim(points)), lip_mask(crop, points)
    middle = crop.points(points[[13, 14]]).mean(0).round().astype(int)
    assert cavity[middle[1], middle[0]] == 1.0
    assert 0.005 < cavity.mean() < lips.mean() < 0.2
    assert (lips[cavity > 0.5] > 0.9).all()
    assert not cavity_mask(crop, lip_rim(opened(face, person, 0.0))).sum() > 60.0
    assert not lips[:60].any()


def test_the_interior_is_drawn_where_the_mouth_is(face: FaceObservation, person: Person) -> None:
    crop = crop_mouth(face.pose, person.lip_line_cm, 256)
    rim = lip_rim(opened(face, person, 0.5))
    model, light = InteriorModel(), InteriorLight()
    drawn = draw_interior(model, crop, face.pose, MouthInside(jaw_open=0.5), light, rim)
    cavity = cavity_mask(crop, rim) > 0.9
    assert drawn[cavity].max() > 90  # teeth
    assert drawn[cavity].min() < 40  # the dark behind them
    assert not drawn[:60].any()
    # A head that leans in the picture shows the same in the upright square.
    leaned = moved_pose(face.pose, TURN)
    other = crop_mouth(leaned, person.lip_line_cm, 256)
    moved_rim = (rim @ TURN[:, :2].T + TURN[:, 2]).astype(np.float32)
    again = draw_interior(model, other, leaned, MouthInside(jaw_open=0.5), light, moved_rim)
    assert np.abs(again.astype(int) - drawn)[cavity].mean() < 6.0


def test_a_mouth_outside_the_square_draws_nothing(face: FaceObservation, person: Person) -> None:
    crop = crop_mouth(face.pose, person.lip_line_cm, 64)
    far = replace(crop, matrix=crop.matrix + np.array([[0.0, 0.0, 500.0], [0.0, 0.0, 0.0]]))
    rim = lip_rim(opened(face, person, 0.3))
    drawn = draw_interior(InteriorModel(), far, face.pose, MouthInside(), InteriorLight(), rim)
    assert not drawn.any()
