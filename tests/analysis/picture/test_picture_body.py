"""Arms of people, with the real model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from scenes import clouds, portrait

from edgeavatar import zoo
from edgeavatar.face import FaceTracker
from edgeavatar.face.body import JOINTS, BodyModel
from edgeavatar.face.measures import face_height
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.types import FaceObservation
from edgeavatar.video import open_video

NAMES = list(JOINTS)


@pytest.fixture(scope="module")
def body() -> Iterator[BodyModel]:
    with BodyModel(threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def scene() -> Any:
    """Give a frame of someone who sits, shoulders included."""
    with open_video(zoo.resolve("fixture-vitallens")["video_1"]) as reader:
        return frame_to_bgr(next(iter(reader.frames())))


@pytest.fixture(scope="module")
def seen(scene: Any) -> FaceObservation:
    with FaceTracker(choice="largest", threads=1) as tracker:
        face = tracker.track(scene)
    assert face is not None
    return face


@pytest.fixture(autouse=True)
def _models(model_store: Callable[[str], object]) -> None:
    for name in ("face", "body-pose", "fixture-vitallens"):
        model_store(name)


def test_shoulders_are_below_the_face_and_arms_outside_the_frame_are_not_seen(
    body: BodyModel, scene: Any, seen: FaceObservation
) -> None:
    reading = body.read(scene, seen)
    assert reading is not None
    left, right = reading.points[:2]
    tall = face_height(seen.landmarks)
    chin_x, chin_y = seen.landmarks[152, :2]
    assert left[0] > chin_x > right[0]
    assert chin_y < left[1] < chin_y + 1.2 * tall
    assert chin_y < right[1] < chin_y + 1.2 * tall
    assert 1.2 * tall < left[0] - right[0] < 3.0 * tall
    assert np.isnan(reading.points[NAMES.index("left_wrist")]).all()
    assert np.isnan(reading.points[NAMES.index("right_wrist")]).all()


def test_the_reading_moves_with_the_picture(
    body: BodyModel, scene: Any, seen: FaceObservation
) -> None:
    there = body.read(scene, seen)
    shifted = np.roll(scene, 40, axis=1)
    with FaceTracker(choice="largest", threads=1) as tracker:
        face = tracker.track(shifted)
    assert face is not None
    here = body.read(shifted, face)
    assert there is not None
    assert here is not None
    moved = here.points[:2] - there.points[:2]
    assert moved[:, 0] == pytest.approx([40, 40], abs=6)
    assert moved[:, 1] == pytest.approx([0, 0], abs=6)


def test_the_body_of_another_is_not_taken(
    body: BodyModel, scene: Any, seen: FaceObservation
) -> None:
    """A face that is said to be half a face beside the one of the body."""
    aside = seen.landmarks + np.array([0.6 * face_height(seen.landmarks), 0, 0], np.float32)
    assert body.read(scene, replace(seen, landmarks=aside)) is None


def test_no_body_where_there_is_none(body: BodyModel, seen: FaceObservation) -> None:
    empty: Any = cv2.blur(clouds(640, 480, 7), (31, 31))
    assert body.read(empty, seen) is None


def test_a_head_alone_is_no_body(body: BodyModel) -> None:
    picture = portrait(400)
    with FaceTracker(choice="largest", threads=1) as tracker:
        face = tracker.track(picture)
    assert face is not None
    assert body.read(picture, face) is None
