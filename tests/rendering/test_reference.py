"""Which moments of a person's mouth are worth being shown to a painter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from edgeavatar.rendering.geometric import lip_rim
from edgeavatar.rendering.reference import (
    SHOWN_GAP,
    is_worth_showing,
    opening_worth,
    shows_mouth,
    teeth_worth,
    view_mouth,
    worths,
)
from edgeavatar.types import FaceObservation, Frame

LIP_LINE_CM = -4.0


class Moment(NamedTuple):
    frame: Frame
    face: FaceObservation


@pytest.fixture(scope="module")
def moments(model_store: Any) -> tuple[Moment, Moment]:
    """Give a filmed man with his lips closed, and talking."""
    from edgeavatar.face import FaceTracker
    from edgeavatar.kernels.colour import frame_to_bgr
    from edgeavatar.video.reader import open_video

    found = []
    path = model_store.resolve("fixture-vitallens")["video_2"]
    with open_video(path) as reader, FaceTracker() as tracker:
        for frame in islice(reader.frames(), 0, 204, 203):
            face = tracker.track(frame_to_bgr(frame))
            assert face is not None
            found.append(Moment(frame, face))
    closed, smiling = found
    return closed, _jaw_dropped(smiling)


@pytest.fixture(scope="module")
def talking(moments: tuple[Moment, Moment]) -> Moment:
    return moments[1]


def _jaw_dropped(moment: Moment) -> Moment:
    """Make the lower half of the opening dark."""
    rim = lip_rim(moment.face.landmarks[:, :2])
    opening = np.zeros(moment.frame.y.shape, np.float32)
    cv2.fillPoly(opening, [np.rint(rim).astype(np.int32)], 1.0)
    opening[: round(float(rim[:, 1].mean()))] = 0.0
    shade = 1 - 0.7 * cv2.GaussianBlur(opening, (0, 0), 1.0)
    return Moment(replace(moment.frame, y=(moment.frame.y * shade).astype(np.uint8)), moment.face)


def _worths(moments: list[Moment]) -> np.ndarray:
    views = [view_mouth(m.frame, m.face, LIP_LINE_CM) for m in moments]
    assert None not in views
    return worths([view for view in views if view is not None], moments[0].face.pose)


def _blurred(moment: Moment) -> Moment:
    planes = {p: cv2.GaussianBlur(getattr(moment.frame, p), (0, 0), 3.0) for p in "yuv"}
    return Moment(replace(moment.frame, **planes), moment.face)


def _dragged(moment: Moment) -> Moment:
    """Move the camera during the exposure."""
    kernel = np.eye(15, dtype=np.float32) / 15
    return Moment(replace(moment.frame, y=cv2.filter2D(moment.frame.y, -1, kernel)), moment.face)


def _turned(moment: Moment, yaw: float = 14.0, pitch: float = 0.0) -> Moment:
    pose = moment.face.pose
    pose = replace(pose, yaw_deg=pose.yaw_deg + yaw, pitch_deg=pose.pitch_deg + pitch)
    return Moment(moment.frame, replace(moment.face, pose=pose))


def _overexposed(moment: Moment) -> Moment:
    bright = np.clip(moment.frame.y.astype(int) * 3, 0, 255).astype(np.uint8)
    return Moment(replace(moment.frame, y=bright), moment.face)


def _under_another_lamp(moment: Moment) -> Moment:
    u = np.clip(moment.frame.u.astype(int) - 25, 0, 255).astype(np.uint8)
    v = np.clip(moment.frame.v.astype(int) + 25, 0, 255).astype(np.uint8)
    return Moment(replace(moment.frame, u=u, v=v), moment.face)


def _toothless(moment: Moment) -> Moment:
    luma = moment.frame.y
    rim = lip_rim(moment.face.landmarks[:, :2])
    opening = np.zeros(luma.shape, np.float32)
    cv2.fillPoly(opening, [np.rint(rim).astype(np.int32)], 1.0)
    shade = 1 - 0.7 * cv2.GaussianBlur(opening, (0, 0), 1.5)
    return Moment(replace(moment.frame, y=(luma * shade).astype(np.uint8)), moment.face)


def _clenched(moment: Moment) -> Moment:
    frame = replace(moment.frame, **{k: getattr(moment.frame, k).copy() for k in ("y", "u", "v")})
    rim = lip_rim(moment.face.landmarks[:, :2])
    lips = float(np.median(frame.y[round(rim[:, 1].max()) + 2, :]))
    cv2.fillPoly(frame.y, [np.rint(rim).astype(np.int32)], 1.3 * lips)
    for plane in (frame.u, frame.v):
        cv2.fillPoly(plane, [np.rint(rim / 2).astype(np.int32)], 128)
    return Moment(frame, moment.face)


def _hardly_trusted(moment: Moment) -> Moment:
    return Moment(moment.frame, replace(moment.face, score=0.6 * moment.face.score))


@pytest.mark.parametrize(
    "spoilt",
    [_blurred, _dragged, _turned, _overexposed, _under_another_lamp, _toothless, _hardly_trusted],
    ids=lambda spoilt: spoilt.__name__.strip("_"),
)
def test_a_spoilt_copy_of_the_same_moment_is_worth_less(
    spoilt: Callable[[Moment], Moment], talking: Moment
) -> None:
    good, other, bad = _worths([talking, talking, spoilt(talking)])
    assert good == other
    assert bad < 0.8 * good


def test_a_nod_costs_as_much_as_a_turn(talking: Moment) -> None:
    _, turned, nodded = _worths([talking, _turned(talking, 10.0), _turned(talking, 0.0, 10.0)])
    assert turned == pytest.approx(nodded)


def test_a_leaning_head_costs_nothing(talking: Moment) -> None:
    pose = replace(talking.face.pose, roll_deg=talking.face.pose.roll_deg + 20.0)
    upright, leaning = _worths([talking, Moment(talking.frame, replace(talking.face, pose=pose))])
    assert leaning == upright


def test_closed_lips_are_never_a_reference(moments: tuple[Moment, Moment]) -> None:
    closed, talking = moments
    assert shows_mouth(talking.face)
    assert not shows_mouth(closed.face)
    assert view_mouth(*closed, LIP_LINE_CM) is None


def test_a_head_that_is_turned_away_is_never_a_reference(talking: Moment) -> None:
    assert view_mouth(*_turned(talking, 40.0), LIP_LINE_CM) is None


def test_speech_is_worth_more_than_a_slit_and_than_a_yawn() -> None:
    assert opening_worth(0.0) == opening_worth(SHOWN_GAP) == 0.0
    assert opening_worth(0.03) < opening_worth(0.06)
    assert opening_worth(0.06) < opening_worth(0.08) == opening_worth(0.1) == 1.0
    assert opening_worth(0.3) < opening_worth(0.2) < opening_worth(0.1)


def test_some_teeth_are_worth_more_than_none_and_clenched_ones_nothing() -> None:
    assert teeth_worth(0.3) == 1.0
    assert teeth_worth(0.0) == 0.5
    assert teeth_worth(0.7) == 0.0


def test_a_moment_without_others_is_shown_unless_its_teeth_are_clenched(
    moments: tuple[Moment, Moment],
) -> None:
    closed, talking = moments
    usual = talking.face.pose
    assert is_worth_showing(*talking, LIP_LINE_CM, usual)
    assert not is_worth_showing(*_clenched(talking), LIP_LINE_CM, usual)
    assert not is_worth_showing(*closed, LIP_LINE_CM, usual)


def test_worths_are_shares(talking: Moment) -> None:
    found = _worths([talking, _blurred(talking)])
    assert found.dtype == np.float32
    assert ((found > 0) & (found <= 1)).all()
    assert worths([], talking.face.pose).shape == (0,)
