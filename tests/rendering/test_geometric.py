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
from edgeavatar.rendering.geometry import LIPS, face_height_px, lip_displacement, mouth_displacement
from edgeavatar.rendering.interior import InteriorModel, light_from_skin
from edgeavatar.rendering.lip_rows import (
    INNER_CORNERS,
    LOWER_INNER_LIP,
    LOWER_LIP_ROWS,
    UPPER_INNER_LIP,
    UPPER_LIP_ROWS,
)
from edgeavatar.rendering.lipline import (
    closedness,
    lip_edge_offsets,
    lip_line_offsets,
    move_lip_edges,
    move_lip_line,
)
from edgeavatar.rendering.mesh import MOUTH, WarpMesh
from edgeavatar.rendering.softness import camera_softness
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


def test_a_round_opening_is_no_tent(face: FaceObservation, person: Person) -> None:
    weights = row(jawOpen=0.22, mouthFunnel=0.5, mouthPucker=0.5)
    where = face.landmarks[:, :2] + mouth_displacement(face, person, weights)
    gaps = (where[list(LOWER_INNER_LIP)] - where[list(UPPER_INNER_LIP)])[:, 1]
    assert gaps.min() >= -0.01
    # An oval is 0.87 of its height halfway to its ends; a tent is half of it.
    first, last = where[list(INNER_CORNERS), 0]
    middle = 0.5 * (where[list(UPPER_INNER_LIP), 0] + where[list(LOWER_INNER_LIP), 0])
    place = np.abs(2 * middle - first - last) / (last - first)
    assert np.interp(0.5, place[4:], gaps[4:]) > 0.75 * gaps[4]
    assert (np.diff(gaps[:5]) > 0).all()
    assert (np.diff(gaps[4:]) < 0).all()


def test_rows_of_a_lip_keep_their_order_when_its_rim_moves(face: FaceObservation) -> None:
    where = face.landmarks[:, :2]
    across = [where[list(r[-1])] - where[list(r[0])] for r in (UPPER_LIP_ROWS, LOWER_LIP_ROWS)]
    moved = where + lip_displacement(where, 0.6 * across[0], 0.6 * across[1])
    for rows, away in zip((UPPER_LIP_ROWS, LOWER_LIP_ROWS), across, strict=True):
        along = [((q[list(r)] * away).sum(1)) for q in (where, moved) for r in rows]
        before, after = np.diff(along[:4], axis=0), np.diff(along[4:], axis=0)
        assert (after[before > 0] > 0).all()
        assert np.array_equal(moved[list(rows[-1])], where[list(rows[-1])])


def test_only_triangles_at_the_lips_reach_further() -> None:
    from edgeavatar.face import canonical_mesh

    mesh = WarpMesh.build(canonical_mesh().triangles)
    further = mesh.reach_of_lips(2.5)
    changed = further != mesh.reach
    assert np.array_equal(mesh.reach_of_lips(0.0), mesh.reach)
    assert changed.any()
    assert np.isin(mesh.triangles[changed], MOUTH).any(1).all()
    assert (further[changed] == np.float32(2.5)).all()


# ------------------------------------------------------------------------------------- open lips

TOOTH = 235
"""Luma of painted teeth."""
BEYOND = 0.006
"""How far they reach beyond the rims that the model sees, in face heights."""


class _Unfilled(GeometricRenderer):
    """Moves a mesh and paints nothing inside."""

    def _fill_mouth(self, warped: Frame, *_: object) -> Frame:
        return warped


@pytest.fixture(scope="module")
def smile(portrait: Frame, face: FaceObservation, person: Person) -> tuple[Frame, FaceObservation]:
    """Take the portrait's lips apart and paint one white tooth into the whole opening."""
    from edgeavatar.face import canonical_mesh

    weights = row(jawOpen=0.3)
    mover = _Unfilled(person, canonical_mesh().triangles, InteriorModel(), LIGHT)
    opened = mover.render(portrait, face, weights, None)
    landmarks = face.landmarks.copy()
    landmarks[:, :2] += mouth_displacement(face, person, weights)
    rim = lip_rim(landmarks[:, :2])
    y, u, v = opened.y.copy(), opened.u.copy(), opened.v.copy()
    for plane, half, value in ((y, 1, TOOTH), (u, 2, 126), (v, 2, 130)):
        cv2.fillPoly(plane, [np.round((rim + 0.5) / half * 16 - 8).astype(np.int32)], value, 0, 4)
    height = face_height_px(face)
    landmarks[list(UPPER_INNER_LIP), 1] += BEYOND * height
    landmarks[list(LOWER_INNER_LIP), 1] -= BEYOND * height
    return Frame(0, Fraction(0), y, u, v, opened.colour), replace(face, landmarks=landmarks)


def test_the_edges_of_open_lips_are_found(smile: tuple[Frame, FaceObservation]) -> None:
    frame, face = smile
    found = lip_edge_offsets(frame, face)
    assert found.shape == (2, 9)
    assert np.abs(found[:, 2:7] - BEYOND).max() < 0.0035
    moved = move_lip_edges(face, found)
    upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    wider = (moved[lower, 1] - moved[upper, 1]) - (
        face.landmarks[lower, 1] - face.landmarks[upper, 1]
    )
    assert wider == pytest.approx(found.sum(0) * face_height_px(face), rel=0.02, abs=0.1)


def test_closed_lips_have_no_edges_to_be_found(portrait: Frame, face: FaceObservation) -> None:
    assert not lip_edge_offsets(portrait, face).any()


def test_no_fringe_of_teeth_stays_on_lips_that_close(
    renderer: GeometricRenderer, smile: tuple[Frame, FaceObservation]
) -> None:
    frame, face = smile
    made = renderer.render(frame, face, row(mouthPressLeft=0.4, mouthPressRight=0.4), None)
    x0, y0 = face.landmarks[list(LIPS), :2].min(0).astype(int)
    x1, y1 = face.landmarks[list(LIPS), :2].max(0).astype(int)
    before, after = ((p[y0:y1, x0:x1] > TOOTH - 20).sum() for p in (frame.y, made.y))
    assert before > 2000
    # The corners may keep a speck: nothing is known of them.
    assert after < 0.001 * before


def test_no_fringe_of_teeth_goes_along_with_a_lip_that_opens(
    renderer: GeometricRenderer,
    smile: tuple[Frame, FaceObservation],
    person: Person,
) -> None:
    frame, face = smile
    weights = row(jawOpen=0.5)
    made = renderer.render(frame, face, weights, None)
    where = face.landmarks[:, :2] + mouth_displacement(face, person, weights)
    height = face_height_px(face)
    lower = where[list(LOWER_INNER_LIP)[3:6]]
    # Of the painted tooth nothing may be left within a lip's edge of the lower rim.
    for x, y in lower:
        band = made.y[round(y - 0.02 * height) : round(y + 0.03 * height), round(x)]
        assert band.max() < TOOTH - 40


def test_teeth_are_stretched_up_to_a_lip_that_rises(
    renderer: GeometricRenderer, smile: tuple[Frame, FaceObservation], person: Person
) -> None:
    frame, face = smile
    weights = row(jawOpen=0.15, mouthUpperUpLeft=0.25, mouthUpperUpRight=0.25)
    made = renderer.render(frame, face, weights, None)
    where = face.landmarks[:, :2] + mouth_displacement(face, person, weights)
    height = face_height_px(face)
    risen = face.landmarks[13, 1] - where[13, 1]
    assert 0.004 * height < risen < 0.02 * height
    # One tooth was painted: it has to be one from the risen lip down.
    x, y = round(float(where[13, 0])), float(where[13, 1]) + 0.008 * height
    column = made.y[round(y) : round(face.landmarks[13, 1] + 0.02 * height), x]
    assert column.min() > TOOTH - 25


# ---------------------------------------------------------------------------------- softness


@pytest.mark.parametrize("sigma", [3.0, 5.0])
def test_softness_of_a_picture_is_measured(
    portrait: Frame, face: FaceObservation, sigma: float
) -> None:
    factor = 4
    small = [cv2.resize(p, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
             for p in (portrait.y, portrait.u, portrait.v)]  # fmt: skip
    pose = replace(face.pose, scale_px=face.pose.scale_px / factor)
    seen = replace(face, landmarks=face.landmarks / factor, pose=pose)
    sharp = Frame(0, Fraction(0), *small, portrait.colour)
    blurred = Frame(
        0, Fraction(0), cv2.GaussianBlur(small[0], (0, 0), sigma), *small[1:], portrait.colour
    )
    before = camera_softness(sharp, seen)
    assert before < 1.2
    assert camera_softness(blurred, seen) == pytest.approx(np.hypot(before, sigma), rel=0.25)


def test_nothing_is_measured_of_a_face_outside_the_picture(
    portrait: Frame, face: FaceObservation
) -> None:
    away = replace(face, landmarks=face.landmarks + np.array([5000, 0, 0], np.float32))
    assert camera_softness(portrait, away) == 0.0


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
    assert np.array_equal(move_lip_line(apart, np.full(11, 0.01, np.float32)), landmarks)


def test_lips_just_apart_are_apart_where_pixels_tell(face: FaceObservation) -> None:
    slit = face.landmarks.copy()
    slit[list(LOWER_INNER_LIP), 1] = slit[list(UPPER_INNER_LIP), 1]
    slit[list(LOWER_INNER_LIP), 1] += 0.0095 * face_height_px(face)
    large = replace(face, landmarks=slit)
    small = replace(face, landmarks=slit * np.float32(150 / face_height_px(face)))
    assert closedness(large) == 0.0
    assert closedness(small) > 0.9


def drawn_line(face: FaceObservation, frame: Frame, hairs: bool) -> tuple[Frame, np.ndarray]:
    """Draw a line on lips of one colour, and hair over them; returns it at the eleven places."""
    height = face_height_px(face)
    where = face.landmarks[:, :2]
    middle = 0.5 * (where[list(UPPER_INNER_LIP)] + where[list(LOWER_INNER_LIP)])
    model = np.concatenate([where[[78]], middle, where[[308]]])
    along = np.linspace(-1, 1, 11)
    line = model + np.stack([0 * along, height * (0.008 + 0.010 * along - 0.006 * along**2)], 1)
    left, right = line[0, 0] - 0.03 * height, line[-1, 0] + 0.03 * height
    luma = np.full(frame.y.shape, 120, np.uint8)
    ends = np.concatenate([[[left, line[0, 1]]], line, [[right, line[-1, 1]]]])
    cv2.polylines(luma, [np.round(ends).astype(np.int32)], False, 75, max(2, round(height / 250)))
    if hairs:
        for x, y in line[2:9:2]:
            top, foot = (round(x), round(y - 0.035 * height)), (round(x + 4), round(y - 4))
            cv2.line(luma, top, foot, 40, max(2, round(height / 200)))
    return replace(frame, y=cv2.GaussianBlur(luma, (0, 0), height / 500)), line


@pytest.mark.parametrize("hairs", [False, True])
def test_a_drawn_line_is_found_from_corner_to_corner(
    portrait: Frame, raw_face: FaceObservation, hairs: bool
) -> None:
    drawn, line = drawn_line(raw_face, portrait, hairs)
    offsets = lip_line_offsets(drawn, raw_face)
    assert offsets is not None
    found = move_lip_line(raw_face, offsets)
    for places, wanted in (
        (list(UPPER_INNER_LIP), line[1:-1]),
        (list(LOWER_INNER_LIP), line[1:-1]),
        ([78, 308], line[[0, -1]]),
    ):
        away = np.abs(found[places, 1] - wanted[:, 1]) / face_height_px(raw_face)
        assert away.max() < 0.003
