"""The renderer benchmark's measures and choices, on pictures whose answers are known."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import _mouth_measures as measures
from benchmarks import renderer
from edgeavatar.face.topology import LIPS
from edgeavatar.types import MOTION_NAMES
from export.measures import ssim


def noise(side: int = 64, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side)).astype(np.uint8)


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]], np.float32)


def test_equal_pictures_are_as_good_as_can_be() -> None:
    assert ssim(noise(), noise()) == pytest.approx(1.0)
    assert measures.psnr(noise(), noise()) == math.inf


def test_ssim_of_flat_pictures_is_its_luminance_term() -> None:
    dark, bright = np.full((32, 32), 100, np.uint8), np.full((32, 32), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(dark, bright) == pytest.approx(expected, rel=1e-6)


def test_unlike_pictures_have_no_similarity() -> None:
    assert abs(ssim(noise(seed=1), noise(seed=2))) < 0.1


def test_psnr_of_an_error_of_one_level() -> None:
    flat = np.full((8, 8, 3), 7, np.uint8)
    assert measures.psnr(flat, flat + 1) == pytest.approx(20 * math.log10(255))


def test_blur_takes_detail_away() -> None:
    blurred = np.asarray(cv2.GaussianBlur(noise(), (0, 0), 2.0), np.uint8)
    assert measures.detail_energy(blurred) < 0.05 * measures.detail_energy(noise())
    assert measures.detail_energy(np.full((9, 9), 40, np.uint8)) < 1e-12


def test_landmark_distance_is_at_a_face_height_of_256() -> None:
    marks = np.zeros((478, 2), np.float32)
    shifted = marks.copy()
    shifted[list(LIPS)] += (3.0, 4.0)
    assert measures.landmark_distance(shifted, marks, 512.0) == pytest.approx(2.5)
    elsewhere = marks + 9
    elsewhere[list(LIPS)] = 0
    assert measures.landmark_distance(elsewhere, marks, 512.0) == 0


def test_cavity_error_counts_what_is_inside_the_rim_alone() -> None:
    real = np.zeros((40, 40), np.uint8)
    made = np.full((40, 40), 255, np.uint8)
    made[10:31, 10:31] = 20
    assert measures.cavity_error(made, real, square(10, 30)) == pytest.approx(20)
    assert math.isnan(measures.cavity_error(made, real, square(10, 14)))


def test_seam_is_the_step_across_the_rim() -> None:
    luma = np.full((40, 40), 50, np.uint8)
    assert measures.seam_energy(luma, square(10, 30)) == 0
    yy, xx = np.mgrid[:40, :40]
    luma[np.hypot(yy - 20, xx - 20) < 10] = 110
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    rim = (20 + 9.5 * np.stack([np.cos(angle), np.sin(angle)], 1)).astype(np.float32)
    assert measures.seam_energy(luma, rim) == pytest.approx(60, rel=0.1)


def test_box_lies_in_the_picture_and_carries_points_along() -> None:
    marks = np.zeros((478, 2), np.float32)
    marks[58], marks[288] = (0, 50), (100, 50)
    marks[list(LIPS)] = (50, 60)
    box = measures.mouth_box(marks, 128.0, (200, 200))
    assert (box.side, box.size) == (60, 120)
    assert (box.left, box.top) == (20, 30)
    np.testing.assert_allclose(box.points(np.array([[49.5, 59.5]], np.float32)), 59.5)
    edge = measures.mouth_box(marks + np.float32([0, 130]), 128.0, (200, 200))
    assert edge.top + edge.side == 200
    # What is drawn at a point is found at that point of the cut.
    picture = np.zeros((200, 200), np.uint8)
    picture[70, 40] = 255
    cut = box.cut(picture).astype(np.float64)
    ys, xs = np.mgrid[: box.size, : box.size]
    middle = [(cut * xs).sum() / cut.sum(), (cut * ys).sum() / cut.sum()]
    np.testing.assert_allclose(middle, box.points(np.array([[40, 70]], np.float32))[0], atol=0.3)


def test_only_triangles_with_a_moving_corner_move() -> None:
    before = np.array([[5, 5], [15, 5], [5, 15], [35, 35], [45, 35], [35, 45]], np.float32)
    after = before.copy()
    after[0] -= 4
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    mask = measures.moved_mask(before, after, triangles, (50, 50), 1)
    assert mask[6, 6]
    assert mask[2, 2]
    assert not mask[36:, 36:].any()


def test_changed_bytes_are_counted_where_it_says() -> None:
    y, uv = np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8)
    other = y.copy()
    other[0, 0] = 1
    keep = np.ones((4, 4), bool)
    assert measures.changed_share((y, uv, uv), (other, uv, uv), keep) == 1 / 24
    keep[0, 0] = False
    # Three chroma bytes are left in either plane, and fifteen of luma.
    assert measures.changed_share((y, uv, uv), (other, uv, uv + 1), keep) == 3 / 21
    assert math.isnan(measures.changed_share((y, uv, uv), (other, uv, uv), np.zeros((4, 4), bool)))


def test_targets_are_different_frames_at_the_quantiles() -> None:
    gaps = np.array([0.0, 0.0, 0.1, 0.2, 0.4])
    assert measures.spread_targets(gaps, (1.0, 0.5)) == [4, 2]
    assert len(set(measures.spread_targets(np.zeros(5), (1.0, 0.8, 0.6, 0.3)))) == 4


def test_most_similar_frame_is_among_the_allowed() -> None:
    lips = np.arange(5.0)[:, None, None] * np.ones((5, 3, 2))
    allowed = np.array([True, False, False, False, True])
    assert measures.most_similar(lips, lips[1], allowed) == 0
    assert measures.most_similar(lips, lips[1], np.zeros(5, bool)) is None


def test_means_leave_out_what_is_not_known() -> None:
    assert measures.mean_of([1.0, math.nan, 3.0, math.inf]) == 2.0
    assert math.isnan(measures.mean_of([math.nan]))
    assert measures.mean_of([0.5, 2.0], measures.geometric_mean) == pytest.approx(1.0)


def test_largest_share_of_bytes_counts() -> None:
    good = renderer.Figures(0.8, 30.0, 1.0, 0.5, 0.5, 10.0, 0.0, 0.0, 1.0)
    bad = renderer.Figures(0.6, 20.0, 3.0, 2.0, 2.0, math.nan, 0.1, 0.0, 0.0)
    found = renderer.summary([good, bad])
    assert (found.ssim, found.lmd, found.cavity) == pytest.approx((0.7, 2.0, 10.0))
    assert (found.sharpness, found.outside, found.ahead) == pytest.approx((1.0, 0.1, 0.5))


def test_skin_gets_the_wanted_colour() -> None:
    picture = np.full((2, 2, 3), (50, 100, 200), np.uint8)
    matched = renderer.skin_matched(picture, np.array([50.0, 100, 200]), np.array([60.0, 80, 250]))
    assert matched[0, 0].tolist() == [60, 80, 250]


def test_shapes_name_weights_that_there_are() -> None:
    for weights in renderer.SHAPES.values():
        assert set(weights) <= set(MOTION_NAMES)
        assert np.count_nonzero(renderer.row_of(weights)) == len(weights)


def test_faces_come_back_from_the_cache_as_they_were() -> None:
    rng = np.random.default_rng(0)
    pose = renderer.HeadPose(
        rng.random((3, 3)).astype(np.float32), np.arange(3, dtype=np.float32), 9.0, 1.0, 2.0, 3.0
    )
    marks, weights = (rng.random(n).astype(np.float32) for n in (478 * 3, 52))
    face = renderer.FaceObservation(marks.reshape(478, 3), 0.5, pose, weights)
    back, none = renderer._unpacked(renderer._packed([face, None]))
    assert none is None
    assert back is not None
    np.testing.assert_array_equal(back.landmarks, face.landmarks)
    np.testing.assert_array_equal(back.pose.rotation, pose.rotation)
    np.testing.assert_array_equal(back.blendshapes, weights)
    assert (back.score, back.pose.scale_px, back.pose.roll_deg) == (0.5, 9.0, 3.0)


def test_clips_are_spread_over_all() -> None:
    paths = [Path(str(k)) for k in range(10)]
    assert [p.name for p in renderer.spread(paths, 5)] == ["0", "2", "4", "6", "8"]
    assert renderer.spread(paths, 20) == paths


def test_pictures_of_people_stay_out_of_the_repository(tmp_path: Path) -> None:
    assert renderer.may_be_written(tmp_path / "sheet.png")
    assert renderer.may_be_written(renderer.ROOT / "out" / "sheet.png")
    assert not renderer.may_be_written(renderer.ROOT / "docs" / "sheet.png")
    assert not renderer.may_be_written(renderer.ROOT / "out" / ".." / "docs" / "sheet.png")
