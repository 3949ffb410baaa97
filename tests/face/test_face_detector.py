from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice

import cv2
import numpy as np
import pytest

from edgeavatar.face import FaceTracker
from edgeavatar.face.detector import (
    anchor_centres,
    decode,
    intersection_over_union,
    tiles,
    weighted_suppression,
)
from edgeavatar.face.measures import face_height


def test_anchors() -> None:
    anchors = anchor_centres()
    assert anchors.shape == (896, 2)
    np.testing.assert_allclose(anchors[:3], [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32]])
    np.testing.assert_allclose(anchors[32], [1 / 32, 3 / 32])
    np.testing.assert_allclose(anchors[512:518], np.full((6, 2), 1 / 16))
    np.testing.assert_allclose(anchors[-1], [15 / 16, 15 / 16])


def test_decoding() -> None:
    values = np.zeros((1, 16))
    values[0, :4] = 0.1, -0.1, 0.2, 0.4
    values[0, 4:6] = 0.05, 0.02
    (points,) = decode(values, np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(points[0], [0.5, 0.2])
    np.testing.assert_allclose(points[1], [0.7, 0.6])
    np.testing.assert_allclose(points[2], [0.55, 0.52])
    np.testing.assert_allclose(points[3:], 0.5)


def _plain_suppression(points: np.ndarray, scores: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Merge as the paper says, one box after the other."""
    left = sorted(range(len(scores)), key=lambda index: -scores[index])
    found = []
    while left:
        best, group = left[0], []
        for index in left:
            (ax, ay), (bx, by) = points[best, 0], points[best, 1]
            (cx, cy), (dx, dy) = points[index, 0], points[index, 1]
            shared = max(0, min(bx, dx) - max(ax, cx)) * max(0, min(by, dy) - max(ay, cy))
            total = (bx - ax) * (by - ay) + (dx - cx) * (dy - cy) - shared
            if shared / total > 0.3:
                group.append(index)
        weight = sum(scores[index] for index in group)
        found.append((sum(scores[i] * points[i] for i in group) / weight, scores[best]))
        left = [index for index in left if index not in group]
    return found


def test_suppression_is_that_of_the_paper() -> None:
    generator = np.random.default_rng(0)
    centres = generator.uniform(0, 1, (40, 1, 2))
    points = np.repeat(centres, 8, axis=1) + generator.normal(0, 0.01, (40, 8, 2))
    points[:, 0] = centres[:, 0] - 0.1
    points[:, 1] = centres[:, 0] + 0.1
    scores = generator.uniform(0.5, 1, 40)
    merged, merged_scores = weighted_suppression(points, scores)
    expected = _plain_suppression(points, scores)
    assert 5 < len(expected) < 40
    np.testing.assert_allclose(merged, [points for points, _ in expected])
    np.testing.assert_allclose(merged_scores, [score for _, score in expected])


def test_overlap_of_empty_and_equal_boxes() -> None:
    box = np.array([[0.0, 0.0], [2.0, 2.0]])
    others = np.array([[[0, 0], [2, 2]], [[1, 0], [3, 2]], [[5, 5], [6, 6]], [[1, 1], [1, 1]]])
    np.testing.assert_allclose(intersection_over_union(box, others), [1, 1 / 3, 0, 0])


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (700, 700), (100, 4000)])
def test_every_face_lies_whole_and_large_in_some_tile(width: int, height: int) -> None:
    regions = list(tiles(width, height, 56.0))
    assert regions[0].side == max(width, height)
    generator = np.random.default_rng(0)
    for _ in range(300):
        size = float(np.exp(generator.uniform(np.log(56), np.log(0.9 * min(width, height)))))
        left = generator.uniform(0, width - size)
        top = generator.uniform(0, height - size)
        assert any(
            size >= 0.159 * region.side
            and left >= region.centre[0] - region.side / 2 - 1e-6
            and top >= region.centre[1] - region.side / 2 - 1e-6
            and left + size <= region.centre[0] + region.side / 2 + 1e-6
            and top + size <= region.centre[1] + region.side / 2 + 1e-6
            for region in regions
        ), (size, left, top)


def test_the_number_of_tiles_is_bounded() -> None:
    # For some heights, as 1617 and 2880, the smallest side times its share rounds up.
    for height in (1080, 2160, 2880, 9000, *range(1600, 1640)):
        width = height * 4 // 3
        smallest = max(56.0, 0.035 * height)
        assert len(list(islice(tiles(width, height, smallest), 250))) < 250


def test_small_faces_in_a_large_frame(
    tracker: FaceTracker, man: np.ndarray, other_man: np.ndarray
) -> None:
    frame = cv2.resize(man[:, :260], (1920, 1080))
    places = ((1500, 60), (120, 700))
    for (x, y), picture, height in zip(places, (man, other_man), (217, 243), strict=True):
        small = cv2.resize(
            picture, None, fx=96 / height, fy=96 / height, interpolation=cv2.INTER_AREA
        )
        frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    found = tracker.find(frame)
    assert len(found) == 2
    for (x, y), box in zip(places, sorted(found, key=lambda box: -box.bbox_xyxy[0]), strict=True):
        left, top, right, bottom = box.bbox_xyxy
        assert x < left < right < x + 300
        assert y < top < bottom < y + 300
        assert 60 < box.height < 110
        assert len(box.keypoints) == 6
    tracker.choice = "left"
    seen = tracker.track(frame)
    assert seen is not None
    assert face_height(seen.landmarks) == pytest.approx(96, rel=0.05)


def test_a_4k_portrait_that_fills_the_frame(tracker: FaceTracker, man: np.ndarray) -> None:
    portrait = cv2.resize(man[70:410, 150:490], (2160, 2160), interpolation=cv2.INTER_CUBIC)
    frame = cv2.copyMakeBorder(portrait, 0, 0, 840, 840, cv2.BORDER_REPLICATE)
    seen = tracker.track(frame)
    assert seen is not None
    assert face_height(seen.landmarks) == pytest.approx(217 * 2160 / 340, rel=0.03)


@pytest.mark.parametrize("degrees", [-45, -20, 20, 45])
def test_leaning_faces(
    tracker: FaceTracker,
    man: np.ndarray,
    turn_picture: Callable[..., tuple[np.ndarray, np.ndarray]],
    degrees: float,
) -> None:
    upright = tracker.track(man)
    assert upright is not None
    picture, matrix = turn_picture(man, degrees)
    tracker.reset()
    leaning = tracker.track(picture)
    assert leaning is not None
    expected = upright.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    away = np.linalg.norm(leaning.landmarks[:, :2] - expected, axis=1)
    assert away.mean() * 256 / face_height(upright.landmarks) < 0.8
    assert leaning.pose.roll_deg - upright.pose.roll_deg == pytest.approx(degrees, abs=1.0)
    assert np.abs(leaning.blendshapes - upright.blendshapes).max() < 0.08


def test_key_points_are_the_persons_own_sides(tracker: FaceTracker, man: np.ndarray) -> None:
    (box,) = tracker.find(man)
    (right_eye, left_eye, nose, mouth, right_ear, left_ear) = box.keypoints
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert right_eye[1] < nose[1] < mouth[1]
    seen = tracker.track(man)
    assert seen is not None
    assert math.dist(right_eye, seen.landmarks[468, :2]) < 0.08 * face_height(seen.landmarks)


def test_pictures_without_faces(tracker: FaceTracker, man: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    for picture in (noise, np.zeros((64, 64, 3), np.uint8), man[:, :230], noise[:1, :1]):
        assert tracker.find(np.ascontiguousarray(picture)) == []
        assert tracker.track(np.ascontiguousarray(picture)) is None
