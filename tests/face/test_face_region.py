from __future__ import annotations

import math

import numpy as np
import pytest

from edgeavatar.face.geometry import CanonicalMesh
from edgeavatar.face.region import (
    EXPANSION,
    Region,
    crop,
    follow,
    misfit,
    region_of_box,
    region_of_pose,
)
from edgeavatar.pose import rotation_of
from edgeavatar.types import FaceBox, HeadPose


def _ramp(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x % 256, y % 256, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_an_upright_region_of_the_same_size_is_a_copy() -> None:
    picture = _ramp(100, 120)
    cut = crop(picture, Region((70.0, 50.0), 64.0), 64)
    np.testing.assert_array_equal(cut, picture[18:82, 38:102])


def test_outside_is_black() -> None:
    picture = np.full((40, 40, 3), 200, np.uint8)
    cut = crop(picture, Region((0.0, 0.0), 64.0), 64)
    assert cut[:31, :31].max() == 0
    assert cut[33:, 33:].min() == 200


def test_a_quarter_turn() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cut = crop(picture, Region((32.0, 32.0), 64.0, math.pi / 2), 64)
    # A head that leans clockwise by a quarter has its top at the picture's right.
    np.testing.assert_array_equal(cut, np.rot90(picture))


def test_large_regions_are_averaged_not_sampled() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    cut = crop(noise, Region((512.0, 512.0), 1024.0), 128)
    blocks = noise.reshape(128, 8, 128, 8, 3).mean(axis=(1, 3))
    assert np.abs(cut - blocks).max() <= 1.0
    # Neither does it shift anything: a ramp stays the same ramp.
    y, x = np.mgrid[0:1000, 0:1000]
    ramp = np.stack([x / 4, y / 4, x / 8], axis=-1).astype(np.uint8)
    for centre in ((500.0, 500.0), (501.7, 499.2)):
        region = Region(centre, 600.0)
        small = crop(ramp, region, 100)
        expected = (centre[0] - 300 + (np.arange(100) + 0.5) * 6 - 0.5) / 4 - 0.5
        np.testing.assert_allclose(small[50, 5:-5, 0], expected[5:-5], atol=1.0)


def test_the_matrix_takes_the_middle_to_the_middle() -> None:
    region = Region((300.25, 200.75), 97.0, 0.4)
    matrix = region.matrix(256)
    middle = matrix @ [300.25 - 0.5, 200.75 - 0.5, 1.0]
    np.testing.assert_allclose(middle, [127.5, 127.5])
    right = matrix @ [300.25 - 0.5 + math.cos(0.4), 200.75 - 0.5 + math.sin(0.4), 1.0]
    np.testing.assert_allclose(right - middle, [256 / 97.0, 0], atol=1e-9)


def test_region_of_a_leaning_box() -> None:
    box = FaceBox((100, 50, 200, 150), 0.9, keypoints=((130, 80), (170, 120)))
    region = region_of_box(box)
    assert region.centre == (150.5, 100.5)
    assert region.side == 150
    assert region.angle_rad == pytest.approx(math.pi / 4)


def test_region_of_a_pose_does_not_see_the_jaw(canonical: CanonicalMesh) -> None:
    pose = HeadPose(rotation_of(0, 0, 30), np.array([100, 80, 0], np.float32), 10.0, 0.0, 0.0, 30.0)
    region = region_of_pose(pose, canonical)
    height = canonical.vertices[:, 1].max() - canonical.vertices[:, 1].min()
    assert region.side == pytest.approx(EXPANSION * 10 * height)
    assert region.angle_rad == pytest.approx(math.radians(30))
    assert math.dist(region.centre, (100.5, 80.5)) < 0.1 * region.side


def test_following_ignores_noise_and_keeps_up_with_motion() -> None:
    held = Region((100.0, 100.0), 200.0, 0.0)
    assert follow(held, Region((101.0, 101.0), 202.0, 0.01), slack=0.01) == held
    far = follow(held, Region((150.0, 100.0), 300.0, 0.5), slack=0.01)
    assert far.centre == pytest.approx((148.0, 100.0))
    assert far.side == pytest.approx(300 * math.exp(-0.015))
    assert far.angle_rad == pytest.approx(0.5 - 0.0175)
    over = follow(Region((0, 0), 100.0, 3.1), Region((0, 0), 100.0, -3.1), slack=0.01)
    assert over.angle_rad == pytest.approx(-3.1 + math.tau - 0.0175)


def test_misfit_is_measured_in_the_unit_of_the_slack() -> None:
    held = Region((100.0, 100.0), 200.0, 0.1)
    assert misfit(held, held) == 0
    assert misfit(held, Region((103.0, 104.0), 200.0, 0.1)) == pytest.approx(0.025)
    assert misfit(held, Region((100.0, 100.0), 200 * math.exp(0.06), 0.1)) == pytest.approx(0.04)
    assert misfit(held, Region((100.0, 100.0), 200.0, 0.1 - 0.07)) == pytest.approx(0.04)
    far = Region((150.0, 100.0), 260.0, 0.4)
    assert misfit(follow(held, far, slack=0.01), far) == pytest.approx(0.01, rel=0.3)


def test_following_has_no_jumps() -> None:
    held = Region((0.0, 0.0), 100.0)
    steps = []
    for x in np.linspace(0, 10, 101):
        moved = follow(held, Region((float(x), 0.0), 100.0), slack=0.01)
        steps.append(moved.centre[0] - held.centre[0])
        held = moved
    assert max(steps) <= 0.1 + 1e-9
    assert held.centre[0] == pytest.approx(9.0)
