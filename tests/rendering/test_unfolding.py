"""Skin and lips give way where they would pass each other."""

from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.face import canonical_mesh
from edgeavatar.rendering import geometry
from edgeavatar.rendering.geometry import Person, face_height_px, mouth_displacement
from edgeavatar.rendering.lip_rows import (
    CHIN_BELOW,
    CORNERS,
    LOWER_INNER_LIP,
    LOWER_LIP_ROWS,
    SKIN_ABOVE,
    SKIN_BELOW,
    UPPER_INNER_LIP,
    UPPER_LIP_ROWS,
)
from edgeavatar.rendering.unfolding import unfolded
from edgeavatar.types import MOTION_NAMES, FaceObservation

RIMS = [*UPPER_INNER_LIP, *LOWER_INNER_LIP, *CORNERS[0]]
AROUND = {
    *(place for r in (*UPPER_LIP_ROWS, *LOWER_LIP_ROWS) for place in r),
    *(*SKIN_ABOVE, *SKIN_BELOW, *CHIN_BELOW),
}


def skin_around() -> np.ndarray:
    """Triangles of the mesh itself on lips and the skin around them, corners left out."""
    triangles = canonical_mesh().triangles
    near = np.isin(triangles, list(AROUND)).all(1)
    return triangles[near & ~np.isin(triangles, RIMS).all(1)]


def areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, k]].astype(float) for k in range(3))
    first, second = b - a, c - a
    return 0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])


def turned_over(before: np.ndarray, after: np.ndarray) -> int:
    triangles = skin_around()
    own = areas(before, triangles)
    # The mesh winds one way; what is turned over in the source, or has no area there, is let be.
    seen = own * np.sign(np.median(own)) > 1e-4 * np.ptp(before[:, 1]) ** 2
    return int((areas(after, triangles)[seen] * own[seen] < 0).sum())


def test_what_folds_nowhere_is_left_as_it_is(face: FaceObservation) -> None:
    before = face.landmarks[:, :2]
    assert np.array_equal(unfolded(before, before), before)
    grown = np.float32(1.3) * before + np.float32(7)
    assert np.array_equal(unfolded(before, grown), grown)


def test_the_chin_gives_way_to_a_lip_that_comes_down_on_it(face: FaceObservation) -> None:
    before, after = face.landmarks[:, :2], face.landmarks[:, :2].copy()
    lip = [place for r in LOWER_LIP_ROWS for place in r]
    after[lip, 1] += 0.08 * face_height_px(face)
    assert turned_over(before, after) > 10
    found = unfolded(before, after)
    assert turned_over(before, found) == 0
    assert np.array_equal(found[RIMS], after[RIMS])
    pushed = found - after
    assert pushed[list(SKIN_BELOW), 1].mean() > 0.01 * face_height_px(face)
    far = [place for place in range(478) if place not in AROUND and place not in sum(CORNERS, ())]
    assert not pushed[far].any()


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_a_pursed_mouth_folds_nothing(
    face: FaceObservation, person: Person, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    row = np.zeros(len(MOTION_NAMES), np.float32)
    for name, weight in {"jawOpen": 0.3, "mouthFunnel": 0.8, "mouthPucker": 0.8}.items():
        row[MOTION_NAMES.index(name)] = share * weight
    before = face.landmarks[:, :2]
    moved = before + mouth_displacement(face, person, row)
    assert turned_over(before, moved) == 0
    monkeypatch.setattr(geometry, "unfolded", lambda _, after: after)
    folded = before + mouth_displacement(face, person, row)
    assert (turned_over(before, folded) > 0) == (share == 1.0)


def test_movement_grows_without_jumps(face: FaceObservation, person: Person) -> None:
    row = np.zeros(len(MOTION_NAMES), np.float32)
    places = [MOTION_NAMES.index(name) for name in ("mouthFunnel", "mouthPucker")]
    before = face.landmarks[:, :2]
    path = []
    for share in np.linspace(0.5, 0.9, 41, dtype=np.float32):
        row[places] = share
        path.append(before + mouth_displacement(face, person, row))
    steps = np.linalg.norm(np.diff(np.stack(path), axis=0), axis=2)
    assert steps.max() < 0.004 * face_height_px(face)
