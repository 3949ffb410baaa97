"""Turned heads: the far cheek's contour stays one line."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgeavatar.face import canonical_mesh
from edgeavatar.pose import rotation_of, to_face_local, to_picture
from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.far_side import hidden_share, on_outline, with_the_seen
from edgeavatar.rendering.geometric import GeometricRenderer
from edgeavatar.rendering.geometry import Person, face_height_px, fit_person, mouth_displacement
from edgeavatar.rendering.interior import InteriorLight, InteriorModel
from edgeavatar.rendering.mesh import FACE_OVAL
from edgeavatar.rendering.shapes import smooth_normals
from edgeavatar.rendering.unfolding import MOST, unfolded
from edgeavatar.types import MOTION_NAMES, FaceObservation, Frame

SKIN, BEHIND = 190, 40


def row(**weights: float) -> np.ndarray:
    out = np.zeros(len(MOTION_NAMES), np.float32)
    for name, weight in weights.items():
        out[MOTION_NAMES.index(name)] = weight
    return out


def turned(face: FaceObservation, yaw_deg: float) -> FaceObservation:
    """Return the face as it is after a turn of the head."""
    local = to_face_local(face.landmarks, face.pose)
    rotation = (face.pose.rotation @ rotation_of(yaw_deg, 0.0, 0.0)).astype(np.float32)
    pose = replace(face.pose, rotation=rotation, yaw_deg=face.pose.yaw_deg + yaw_deg)
    return FaceObservation(to_picture(local, pose), face.score, pose, face.blendshapes)


def cut_out(face: FaceObservation, like: Frame) -> Frame:
    """Draw a picture in which all that is within the outline of the landmarks is skin."""
    luma = np.full(like.y.shape, BEHIND, np.uint8)
    around = cv2.convexHull(np.round(face.landmarks[:, :2] * 16).astype(np.int32))
    cv2.fillConvexPoly(luma, around, SKIN, cv2.LINE_AA, 4)
    grey = np.full(like.u.shape, 128, np.uint8)
    return replace(like, y=cv2.GaussianBlur(luma, (0, 0), 1.0), u=grey, v=grey.copy())


def crossings(frame: Frame, face: FaceObservation, side: int) -> np.ndarray:
    """How often skin gives way to background from the nose to the far side, row by row."""
    x = round(float(face.landmarks[4, 0]))
    y0, y1 = (round(float(face.landmarks[k, 1])) for k in (4, 152))
    luma = frame.y[y0:y1, x:] if side > 0 else frame.y[y0:y1, : x + 1][:, ::-1]
    # The inside of the mouth is dark as well: only what lies beyond the lips' corner counts.
    corner = 1.15 * abs(float(face.landmarks[291 if side > 0 else 61, 0]) - x)
    skin = luma[:, round(corner) :] > (SKIN + BEHIND) // 2
    return (skin[:, :-1] & ~skin[:, 1:]).sum(1)


@pytest.mark.parametrize("yaw", [-32.0, -20.0, 20.0, 32.0])
@pytest.mark.parametrize("asked", ["ah", "oo"])
def test_the_contour_of_a_far_cheek_is_one_line(
    portrait: Frame, face: FaceObservation, yaw: float, asked: str
) -> None:
    weights = {
        "ah": row(jawOpen=0.5),
        "oo": row(jawOpen=0.2, mouthFunnel=0.35, mouthPucker=0.35),
    }[asked]
    head = turned(face, yaw)
    picture = cut_out(head, portrait)
    person = fit_person([head], load_basis())
    renderer = GeometricRenderer(
        person, canonical_mesh().triangles, InteriorModel(), InteriorLight()
    )
    made = renderer.render(picture, head, weights, None)
    side = 1 if head.pose.yaw_deg > 0 else -1
    before, after = (crossings(frame, head, side) for frame in (picture, made))
    assert before.max() == 1
    assert (after > 1).mean() < 0.02


def test_a_face_that_looks_at_the_camera_is_left_as_it_is(
    face: FaceObservation, person: Person
) -> None:
    outwards = smooth_normals(person.neutral_cm, canonical_mesh().triangles)
    level = turned(face, -face.pose.yaw_deg)
    hidden = hidden_share(outwards, level.pose)
    moved = mouth_displacement(level, person, row(jawOpen=0.5))
    kept = with_the_seen(moved, level, hidden)
    height = face_height_px(level)
    assert np.abs(on_outline(level, hidden) - level.landmarks).max() < 0.004 * height
    assert np.abs(kept - moved).max() < 0.002 * height


def test_the_hidden_border_comes_to_the_outline(face: FaceObservation, person: Person) -> None:
    outwards = smooth_normals(person.neutral_cm, canonical_mesh().triangles)
    head = turned(face, 30.0)
    hidden = hidden_share(outwards, head.pose)
    found = on_outline(head, hidden)[:, :2]
    around = cv2.convexHull(head.landmarks[:, :2].copy())
    far = [place for place in FACE_OVAL if hidden[place] == 1.0]
    assert len(far) > 5
    depth = [cv2.pointPolygonTest(around, tuple(map(float, found[place])), True) for place in far]
    before = [
        cv2.pointPolygonTest(around, tuple(map(float, head.landmarks[place, :2])), True)
        for place in far
    ]
    assert np.mean(before) > 0.03 * face_height_px(head)
    assert np.abs(depth).mean() < 0.3 * np.mean(before)
    others = [place for place in range(478) if place not in FACE_OVAL or hidden[place] == 0]
    assert np.array_equal(found[others], head.landmarks[others, :2])


def test_normals_point_outwards(person: Person) -> None:
    outwards = smooth_normals(person.neutral_cm, canonical_mesh().triangles)
    assert outwards[4, 2] > 0.8
    assert outwards[234, 0] < -0.5
    assert outwards[454, 0] > 0.5
    lengths = np.linalg.norm(outwards[:468], axis=1)
    assert lengths == pytest.approx(np.ones(468), abs=1e-3)


@pytest.mark.parametrize("yaw", [-34.0, 34.0])
def test_nothing_is_flung_out_of_a_mouth_seen_from_the_side(
    face: FaceObservation, person: Person, yaw: float
) -> None:
    opened = face.landmarks.copy()
    opened[:, :2] += mouth_displacement(face, person, row(jawOpen=0.3))
    head = turned(replace(face, landmarks=opened), yaw)
    rng = np.random.default_rng(5)
    far = 0.0
    for _ in range(60):
        wanted = np.zeros(len(MOTION_NAMES), np.float32)
        wanted[rng.choice(len(MOTION_NAMES), 5, replace=False)] = rng.uniform(0.0, 0.6, 5)
        after = head.landmarks[:, :2] + rng.normal(0.0, 4.0, (478, 2)).astype(np.float32)
        after += mouth_displacement(head, person, wanted)
        given = unfolded(head.landmarks[:, :2], after) - after
        far = max(far, float(np.linalg.norm(given, axis=1).max()))
    assert 0.01 * face_height_px(head) < far < 1.01 * MOST * np.ptp(head.landmarks[:, 1])
