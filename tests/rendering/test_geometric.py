"""The geometric renderer on a real portrait, and the search for the lip line."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.rendering.geometric import GeometricRenderer, lip_rim
from edgeavatar.rendering.geometry import (
    LIPS,
    LOWER_INNER_LIP,
    UPPER_INNER_LIP,
    face_height_px,
    mouth_displacement,
)
from edgeavatar.rendering.interior import InteriorModel, light_from_skin
from edgeavatar.rendering.lipline import closedness, lip_line_offsets, move_lip_line
from edgeavatar.types import MOTION_NAMES, ColourTags, FaceObservation, Frame, IdlePose

if TYPE_CHECKING:
    from edgeavatar.rendering.geometry import Person


LIGHT = light_from_skin((130.0, 150.0, 200.0))


def row(**weights: float) -> np.ndarray:
    out = np.zeros(len(MOTION_NAMES), np.float32)
    for name, weight in weights.items():
        out[MOTION_NAMES.index(name)] = weight
    return out


@pytest.fixture(scope="module")
def renderer(person: Person) -> GeometricRenderer:
    from edgeavatar.face import canonical_mesh

    return GeometricRenderer(person, canonical_mesh().triangles, InteriorModel(), LIGHT)


def luma_around(frame: Frame, points: np.ndarray, half: int = 4) -> float:
    x, y = points.mean(0).round().astype(int)
    return float(frame.y[y - half : y + half + 1, x - half : x + half + 1].mean())


def test_rest_gives_the_very_frame(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    assert renderer.render(portrait, face, row(), None) is portrait


def test_the_source_is_not_written_to(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    before = [plane.copy() for plane in (portrait.y, portrait.u, portrait.v)]
    made = renderer.render(portrait, face, row(jawOpen=0.3), IdlePose(yaw_deg=1.0, blink=1.0))
    assert made.y is not portrait.y
    for plane, old in zip((portrait.y, portrait.u, portrait.v), before, strict=True):
        assert np.array_equal(plane, old)


def test_all_but_the_lower_face_keeps_every_bit(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    made = renderer.render(portrait, face, row(jawOpen=0.3), None)
    changed = made.y != portrait.y
    rows, columns = np.nonzero(changed)
    top, bottom = rows.min(), rows.max()
    height = face_height_px(face)
    assert changed.mean() > 0.01
    for lid, other in ((159, 145), (386, 374)):
        y0, y1 = face.landmarks[[lid, other], 1].astype(int)
        x = int(face.landmarks[lid, 0])
        assert not changed[y0 : y1 + 1, x - 20 : x + 20].any()
    assert bottom < face.landmarks[152, 1] + 0.55 * height
    assert columns.min() > face.landmarks[:, 0].min() - 0.4 * height
    chroma = (made.u != portrait.u) | (made.v != portrait.v)
    where = np.argwhere(chroma)
    assert where[:, 0].min() * 2 >= top - 2
    assert where[:, 0].max() * 2 <= bottom + 2


def test_the_mouth_opens_dark_between_lips_that_keep_their_colour(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation, person: Person
) -> None:
    weights = row(jawOpen=0.4)
    made = renderer.render(portrait, face, weights, None)
    where = face.landmarks[:, :2] + mouth_displacement(face, person, weights)
    throat = 0.35 * where[[13]] + 0.65 * where[[14]]
    lower_lip = 0.5 * (where[[14]] + where[[17]])
    lip_before = 0.5 * (face.landmarks[[14], :2] + face.landmarks[[17], :2])
    assert luma_around(made, throat) < 0.5 * luma_around(made, lower_lip)
    assert luma_around(made, lower_lip) == pytest.approx(
        luma_around(portrait, lip_before), rel=0.12
    )


def test_the_face_model_sees_the_mouth_that_was_asked_for(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    from edgeavatar.face import FaceTracker
    from edgeavatar.face.measures import inner_lip_gap

    seen = []
    with FaceTracker() as tracker:
        for jaw in (0.0, 0.15, 0.3, 0.45):
            made = renderer.render(portrait, face, row(jawOpen=jaw), None)
            tracker.reset()
            found = tracker.track(frame_to_bgr(made))
            assert found is not None
            seen.append(inner_lip_gap(found.landmarks))
    assert seen[0] < 0.006
    assert seen[1:] == pytest.approx([0.15 * 0.185, 0.3 * 0.185, 0.45 * 0.185], rel=0.3)


def test_no_seam_where_the_movement_ends(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    made = renderer.render(portrait, face, row(jawOpen=0.35), None)
    changed = (made.y != portrait.y).astype(np.uint8)
    whole = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((31, 31), np.uint8))
    ring = cv2.dilate(whole, np.ones((5, 5))) - cv2.erode(whole, np.ones((5, 5)))
    assert ring.sum() > 500

    def edges(luma: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(luma, cv2.CV_32F))[ring > 0].mean())

    assert edges(made.y) == pytest.approx(edges(portrait.y), rel=0.03)


def test_the_lips_edge_moves_smoothly_with_the_jaw(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    frames = [
        renderer.render(portrait, face, row(jawOpen=0.2 + 0.002 * k), None).y.astype(int)
        for k in range(4)
    ]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert max(steps) < 3.0 * min(steps)


def test_lids_hide_the_iris(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    made = renderer.render(portrait, face, row(), IdlePose(blink=1.0))
    for iris in (468, 473):
        pupil = face.landmarks[[iris], :2]
        assert luma_around(made, pupil, 3) > 1.5 * luma_around(portrait, pupil, 3)


def test_a_swaying_head_leaves_the_picture_border_alone(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    made = renderer.render(portrait, face, row(), IdlePose(yaw_deg=1.5, roll_deg=0.8))
    assert np.array_equal(made.y[0], portrait.y[0])
    assert np.array_equal(made.y[-1], portrait.y[-1])
    assert np.array_equal(made.y[:, 0], portrait.y[:, 0])
    assert np.array_equal(made.y[:, -1], portrait.y[:, -1])


@pytest.mark.parametrize("factor", [8, 2])
def test_small_faces_and_odd_sizes(
    portrait: Frame, face: FaceObservation, person: Person, factor: int
) -> None:
    from edgeavatar.face import canonical_mesh

    small = np.ascontiguousarray(frame_to_bgr(portrait)[:1021, :1023][::factor, ::factor])
    planes = bgr_to_planes(small, ColourTags())
    frame = Frame(0, Fraction(0), *planes, ColourTags())
    pose = replace(
        face.pose,
        translation_px=face.pose.translation_px / factor,
        scale_px=face.pose.scale_px / factor,
    )
    seen = replace(face, landmarks=face.landmarks / factor, pose=pose)
    made = GeometricRenderer(person, canonical_mesh().triangles, InteriorModel(), LIGHT).render(
        frame, seen, row(jawOpen=0.3), IdlePose(yaw_deg=1.0)
    )
    assert made.y.shape == frame.y.shape
    assert made.u.shape == frame.u.shape
    assert (made.y != frame.y).any()


def test_a_face_half_outside_the_picture_is_no_trouble(
    renderer: GeometricRenderer, portrait: Frame, face: FaceObservation
) -> None:
    for shift in (-500.0, 500.0):
        landmarks = face.landmarks + np.array([shift, 0, 0], np.float32)
        pose = replace(
            face.pose,
            translation_px=face.pose.translation_px + np.array([shift, 0, 0], np.float32),
        )
        moved = replace(face, landmarks=landmarks, pose=pose)
        made = renderer.render(portrait, moved, row(jawOpen=0.3), IdlePose(yaw_deg=1.0))
        assert made.y.shape == portrait.y.shape


def test_the_rim_passes_through_the_landmarks(face: FaceObservation) -> None:
    rim = lip_rim(face.landmarks[:, :2], steps=4)
    assert rim.shape == (80, 2)
    assert rim[0] == pytest.approx(face.landmarks[78, :2])
    assert rim[5 * 4] == pytest.approx(face.landmarks[13, :2])


# ---------------------------------------------------------------------------------- the lip line


def darkness_of_line(frame: Frame, landmarks: np.ndarray) -> float:
    """Mean luma along the inner lip line."""
    line = 0.5 * (landmarks[list(UPPER_INNER_LIP), :2] + landmarks[list(LOWER_INNER_LIP), :2])
    return float(np.mean([frame.y[round(y), round(x)] for x, y in line]))


def test_the_line_is_found_on_the_dark_valley(
    portrait: Frame, raw_face: FaceObservation, face: FaceObservation
) -> None:
    lips = raw_face.landmarks[list(LIPS), :2]
    x0, y0 = lips.min(0).astype(int)
    x1, y1 = lips.max(0).astype(int)
    typical = float(np.median(portrait.y[y0:y1, x0:x1]))
    assert darkness_of_line(portrait, face.landmarks) < 0.7 * typical
    before = darkness_of_line(portrait, raw_face.landmarks)
    assert darkness_of_line(portrait, face.landmarks) < before


@pytest.mark.parametrize("shift", [-0.012, 0.012])
def test_the_same_line_is_found_from_wrong_landmarks(
    portrait: Frame, raw_face: FaceObservation, face: FaceObservation, shift: float
) -> None:
    landmarks = raw_face.landmarks.copy()
    rims = [*UPPER_INNER_LIP, *LOWER_INNER_LIP]
    landmarks[rims, 1] += shift * face_height_px(raw_face)
    wrong = replace(raw_face, landmarks=landmarks)
    offsets = lip_line_offsets(portrait, wrong)
    assert offsets is not None
    found = move_lip_line(wrong, offsets)
    apart = found[rims, 1] - face.landmarks[rims, 1]
    assert np.abs(apart).mean() < 0.004 * face_height_px(face)


def test_open_lips_are_not_looked_at(portrait: Frame, face: FaceObservation) -> None:
    landmarks = face.landmarks.copy()
    landmarks[list(LOWER_INNER_LIP), 1] += 0.05 * face_height_px(face)
    apart = replace(face, landmarks=landmarks)
    assert closedness(face) == pytest.approx(1.0)
    assert closedness(apart) == 0.0
    assert lip_line_offsets(portrait, apart) is None
    assert np.array_equal(move_lip_line(apart, np.full(9, 0.01, np.float32)), landmarks)
