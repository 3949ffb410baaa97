"""The square that the face models look at, cut from a frame as from its BGR picture."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.face import FaceTracker
from edgeavatar.face.frame_crop import crop_frame
from edgeavatar.face.region import Region, crop
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.types import ColourTags, FaceObservation, Frame


def _frame(bgr: np.ndarray) -> Frame:
    height, width = (side & ~1 for side in bgr.shape[:2])
    colour = ColourTags()
    planes = bgr_to_planes(np.ascontiguousarray(bgr[:height, :width]), colour)
    return Frame(0, Fraction(0), *planes, colour)


@pytest.fixture(scope="module")
def noise() -> Frame:
    return _frame(np.random.default_rng(5).integers(0, 256, (300, 420, 3), np.uint8))


@pytest.mark.parametrize("side", [20.0, 64.0, 127.0, 129.0, 200.0, 270.0, 700.0, 1500.0])
@pytest.mark.parametrize("angle_deg", [0.0, 13.0, -100.0])
def test_it_is_the_crop_of_the_picture(noise: Frame, side: float, angle_deg: float) -> None:
    picture = frame_to_bgr(noise)
    for centre in ((210.3, 150.8), (10.0, 290.5), (418.0, 2.0), (-60.0, -35.0), (2000.0, 900.0)):
        region = Region(centre, side, math.radians(angle_deg))
        cut = crop_frame(noise, region, 64)
        np.testing.assert_array_equal(cut, crop(picture, region, 64))


def test_a_face_is_followed_in_frames_as_in_pictures(tracker: FaceTracker, man: np.ndarray) -> None:
    frames = [_frame(np.roll(man, shift, axis=1)) for shift in (0, 1, 3, 4)]
    from_frames = [tracker.track(frame) for frame in frames]
    tracker.reset()
    from_pictures = [tracker.track(frame_to_bgr(frame)) for frame in frames]
    for one, other in zip(from_frames, from_pictures, strict=True):
        assert isinstance(one, FaceObservation)
        assert isinstance(other, FaceObservation)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
        np.testing.assert_array_equal(one.blendshapes, other.blendshapes)
        assert one.pose.scale_px == other.pose.scale_px
