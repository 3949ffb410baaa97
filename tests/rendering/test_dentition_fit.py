from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.rendering import dentition_fit
from edgeavatar.rendering.dentition import MouthAnatomy, fit_anatomy, jaw_transform
from edgeavatar.rendering.dentition_fit import (
    ARCH,
    OVERBITE_CM,
    TOOTH_HUE,
    TOOTH_LUMA,
    UPPER_CM,
    ShownTeeth,
    fit_dentition,
    view_teeth,
)
from edgeavatar.rendering.interior import InteriorLight, InteriorModel, MouthInside
from edgeavatar.rendering.lip_rows import INNER_CORNERS, LOWER_LIP_ROWS, UPPER_LIP_ROWS
from edgeavatar.types import ColourTags, FaceObservation, Frame, HeadPose

SIZE = (320, 240)
LIGHT = InteriorLight()
SKIN, LIP, DARK = (121, 136, 172), (105, 100, 165), (14, 12, 22)
TAGS = ColourTags("bt709", "full")


def _pose(scale=40.0, yaw=0.0):
    y = math.radians(yaw)
    turn = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    middle = scale * (turn @ np.array([0, -4.4, 5.3])) * (1, -1, -1)
    at = np.array([SIZE[0] / 2 - middle[0], SIZE[1] / 2 - middle[1], 0])
    return HeadPose(turn.astype(np.float32), at.astype(np.float32), scale, yaw, 0.0, 0.0)


def _face(top=-3.65, bottom=-5.0, **pose):
    """Make a face that is all lips: rims are half ellipses, lips a centimetre thick."""
    local = np.zeros((478, 3))
    local[168] = 0, 1.5, 5.5
    local[10], local[152] = (0, 8, 4), (0, -9, 4)
    middle = -4.15
    local[list(INNER_CORNERS)] = [(-2.3, middle, 4.1), (2.3, middle, 4.1)]
    x = np.linspace(-2.0, 2.0, 9)
    arch = np.sqrt(1 - (x / 2.3) ** 2)
    for rows, rim, out in ((UPPER_LIP_ROWS, top, 1), (LOWER_LIP_ROWS, bottom, -1)):
        for number, row in enumerate(rows):
            y = middle + (rim - middle) * arch + out * number * arch / 3
            local[list(row)] = np.column_stack([x, y, 5.45 - 0.25 * x**2])
    made = _pose(**pose)
    marks = local @ made.rotation.T * made.scale_px * (1, -1, -1) + made.translation_px
    return FaceObservation(marks.astype(np.float32), 0.99, made, np.zeros(52, np.float32))


def _outline(face, row_of_upper, row_of_lower):
    upper, lower = UPPER_LIP_ROWS[row_of_upper], LOWER_LIP_ROWS[row_of_lower]
    order = (INNER_CORNERS[0], *upper, INNER_CORNERS[1], *reversed(lower))
    return face.landmarks[list(order), :2]


def _frame(face, fill):
    """Skin, lips, and between them ``fill``: a colour or a picture."""
    picture = np.full((SIZE[1], SIZE[0], 3), SKIN, np.uint8)
    cv2.fillPoly(picture, [np.rint(_outline(face, 3, 3)).astype(np.int32)], LIP)
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(_outline(face, 0, 0) * 16).astype(np.int32)], 1, shift=4)
    picture[mask > 0] = np.broadcast_to(np.asarray(fill, np.uint8), picture.shape)[mask > 0]
    return Frame(0, Fraction(0), *bgr_to_planes(picture, TAGS), TAGS)


def _mouth(anatomy, face, jaw_open, light=LIGHT):
    picture = InteriorModel(anatomy).render(
        face.pose,
        jaw_open=jaw_open,
        region_xyxy=(0, 0, *SIZE),
        size=SIZE,
        light=light,
        lip_polygon=_outline(face, 0, 0),
    )
    return _frame(face, picture)


def _shown(anatomy, jaws=(0.25,), light=LIGHT, **face):
    seen = _face(**face)
    shown = []
    for jaw_open in jaws:
        view = view_teeth(_mouth(anatomy, seen, jaw_open, light), seen, LIGHT)
        assert view is not None
        shown.append(ShownTeeth(view, MouthInside(jaw_open=jaw_open)))
    return shown


USUAL = fit_anatomy(-4.15, 5.0)


@pytest.mark.parametrize(
    ("upper", "overbite", "jaw"), [(0.31, 0.12, 0.3), (0.6, 0.12, 0.2), (0.0, 0.45, 0.25)]
)
def test_edges_that_were_drawn_are_found_again(upper, overbite, jaw):
    known = replace(USUAL, upper_tooth_offset=upper, overbite=overbite)
    found, _ = fit_dentition(_shown(known, (jaw,)), USUAL, LIGHT)
    assert abs(found.upper_tooth_offset - upper) <= 0.09
    # The lower row is judged where it shows, at the jaw that it hangs on.
    assert abs((found.overbite - found.upper_tooth_offset) - (overbite - upper)) <= 0.13


@pytest.mark.parametrize("size", [0.92, 1.08])
def test_a_small_or_large_arch_is_found_again(size):
    known = replace(USUAL, arch_scale=USUAL.arch_scale * size)
    found, _ = fit_dentition(_shown(known), USUAL, LIGHT)
    assert found.arch_scale / USUAL.arch_scale == pytest.approx(size, abs=0.045)


def test_tooth_colour_is_found_again():
    known = replace(USUAL, tooth_bgr=(0.45, 0.60, 0.66))
    found, light = fit_dentition(_shown(known), USUAL, LIGHT)
    drawn = np.array(found.tooth_bgr) * light.gain_bgr
    np.testing.assert_allclose(drawn, known.tooth_bgr, rtol=0.06)


def test_several_frames_agree_on_what_one_has_wrong():
    known = replace(USUAL, tooth_bgr=(0.45, 0.60, 0.66))
    odd = replace(USUAL, tooth_bgr=(0.80, 0.80, 0.80))
    shown = _shown(known, (0.2, 0.25, 0.3)) + _shown(odd, (0.25,))
    found, light = fit_dentition(shown, USUAL, LIGHT)
    drawn = np.array(found.tooth_bgr) * light.gain_bgr
    np.testing.assert_allclose(drawn, known.tooth_bgr, rtol=0.12)


def test_nothing_shown_changes_nothing():
    anatomy, light = fit_dentition([], USUAL, LIGHT)
    assert anatomy is USUAL
    assert light is LIGHT


@pytest.mark.parametrize("fill", [DARK, LIP, (45, 40, 95), (70, 60, 140)])
def test_a_mouth_without_teeth_shows_none(fill):
    face = _face()
    assert view_teeth(_frame(face, fill), face, LIGHT) is None


def test_dark_noise_shows_no_teeth():
    rng = np.random.default_rng(3)
    noise = rng.normal(10, 8, (SIZE[1], SIZE[0], 3)).clip(0, 255).astype(np.uint8)
    face = _face()
    assert view_teeth(_frame(face, noise), face, LIGHT) is None


@pytest.mark.parametrize(
    "face",
    [
        _face(top=-4.14, bottom=-4.16),
        _face(top=-4.05, bottom=-4.25),
        _face(yaw=32.0),
        _face(scale=4.5),
        replace(_face(), landmarks=_face().landmarks + np.float32(150)),
    ],
    ids=["closed", "slit", "turned", "small", "outside"],
)
def test_what_cannot_be_judged_shows_nothing(face):
    white = np.full((SIZE[1], SIZE[0], 3), (180, 200, 205), np.uint8)
    frame = Frame(0, Fraction(0), *bgr_to_planes(white, TAGS), TAGS)
    assert view_teeth(frame, face, LIGHT) is None


def test_lips_as_pale_as_teeth_tell_nothing():
    face = _face()
    grey = frame_to_bgr(_mouth(USUAL, face, 0.25)).mean(axis=2, keepdims=True).repeat(3, axis=2)
    planes = bgr_to_planes(grey.astype(np.uint8), TAGS)
    assert view_teeth(Frame(0, Fraction(0), *planes, TAGS), face, LIGHT) is None


def test_dim_warm_and_noisy_footage_is_read():
    warm = InteriorLight((0.14, 0.22, 0.32))
    face = _face()
    bgr = frame_to_bgr(_mouth(USUAL, face, 0.25)).astype(np.float64)
    linear = (bgr / 255) ** 2.2 * warm.gain_bgr
    noise = np.random.default_rng(5).normal(0, 5, bgr.shape)
    dim = (255 * linear ** (1 / 2.2) + noise).clip(0, 255).astype(np.uint8)
    frame = Frame(0, Fraction(0), *bgr_to_planes(dim, TAGS), TAGS)
    view = view_teeth(frame, face, warm)
    assert view is not None
    found, _ = fit_dentition([ShownTeeth(view, MouthInside(jaw_open=0.25))], USUAL, warm)
    assert abs(found.upper_tooth_offset - USUAL.upper_tooth_offset) <= 0.09


def test_bounds_hold_for_a_monster():
    monster = replace(
        USUAL,
        upper_tooth_offset=1.1,
        overbite=-0.6,
        arch_scale=1.3 * USUAL.arch_scale,
        tooth_bgr=(0.99, 0.99, 0.5),
    )
    found, light = fit_dentition(_shown(monster, top=-3.4, bottom=-5.6), USUAL, LIGHT)
    assert UPPER_CM[0] <= found.upper_tooth_offset <= UPPER_CM[1]
    assert OVERBITE_CM[0] <= found.overbite <= OVERBITE_CM[1]
    assert ARCH[0] - 1e-6 <= found.arch_scale / USUAL.arch_scale <= ARCH[1] + 1e-6
    most = TOOTH_LUMA[1] * TOOTH_HUE[1]
    drawn = np.array(found.tooth_bgr) * light.gain_bgr
    assert (drawn <= most * np.array(USUAL.tooth_bgr) + 1e-6).all()
    assert max(found.tooth_bgr) <= 1.0


def test_the_same_frames_give_the_same_teeth():
    known = replace(USUAL, upper_tooth_offset=0.5)
    first, second = (fit_dentition(_shown(known, (0.2, 0.3)), USUAL, LIGHT) for _ in range(2))
    assert first == second


def test_weak_evidence_keeps_to_what_people_are_like(monkeypatch):
    known = replace(USUAL, upper_tooth_offset=0.6)
    shown = _shown(known)
    monkeypatch.setattr(dentition_fit, "_PULL", 50.0)
    found, _ = fit_dentition(shown, USUAL, LIGHT)
    assert abs(found.upper_tooth_offset - USUAL.upper_tooth_offset) <= 0.09
    assert found.arch_scale == USUAL.arch_scale


def test_the_area_of_teeth_is_that_of_the_rows_between_the_lips():
    known = MouthAnatomy()
    (shown,) = _shown(known)
    rotation, shift = jaw_transform(0.25)
    lower_edge = (rotation @ np.array([0, known.upper_edge_y + known.overbite, 4.97]) + shift)[1]
    heights = (-3.65 - known.upper_edge_y) + max(lower_edge + 5.0, 0.0)
    assert 0.4 * heights * 4.0 < shown.view.teeth_cm2 < heights * 4.6
