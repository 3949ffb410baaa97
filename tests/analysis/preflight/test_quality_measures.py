"""Measures of one picture answer to what was done to it, and to nothing else."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from benchmarks import _degradations as spoil
from edgeavatar.analysis.compression import blockiness, is_repeated
from edgeavatar.analysis.quality import FaceQuality, measure_face, measure_frame
from edgeavatar.analysis.sharpness import excess_blur

if TYPE_CHECKING:
    from tests.analysis.preflight.conftest import Portrait

Bytes = spoil.Bytes


def _draw() -> np.random.Generator:
    return np.random.default_rng(0)


def _measured(portrait: Portrait, bgr: Bytes) -> FaceQuality:
    return measure_face(bgr, portrait.face)


def _luma(bgr: Bytes) -> Bytes:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def test_a_good_portrait_is_good(portrait: Portrait) -> None:
    found = _measured(portrait, portrait.bgr)
    assert found.height_px == pytest.approx(327, abs=8)
    assert found.inside == 1.0
    assert 0.5 < found.luma < found.highlight < 0.9
    assert found.clipped_low == found.clipped_high == 0.0
    assert abs(found.side_light) < 0.2
    assert found.noise < 2.0
    assert excess_blur(found.sharpness, found.height_px) < 0.005
    assert found.glare == 0.0
    assert found.lips > 1.0


@pytest.mark.parametrize("ratio", [0.7, 0.5, 0.3])
def test_side_light_tells_ratio_and_side(portrait: Portrait, ratio: float) -> None:
    before = _measured(portrait, portrait.bgr).side_light
    dark_left = spoil.side_lit(portrait.bgr, portrait.face, ratio, _draw())
    assert _measured(portrait, dark_left).side_light - before == pytest.approx(
        -math.log2(ratio), abs=0.25
    )
    mirrored = dark_left[:, ::-1].copy()
    face = portrait.face
    points = face.landmarks.copy()
    points[:, 0] = mirrored.shape[1] - 1 - points[:, 0]
    # Seen in a mirror, the person's cheeks change places too.
    swapped = points.copy()
    for one, other in ((50, 280), (101, 330), (118, 347), (205, 425)):
        swapped[[one, other]] = points[[other, one]]
    turned = measure_face(mirrored, dataclasses.replace(face, landmarks=swapped))
    assert turned.side_light < -0.3


def test_darkness_and_brightness(portrait: Portrait) -> None:
    highlights = [
        _measured(portrait, spoil.darker(portrait.bgr, portrait.face, stops, _draw())).highlight
        for stops in (0, 2, 4)
    ]
    assert highlights[0] > 1.5 * highlights[1] > 2.0 * highlights[2]
    burnt = _measured(portrait, spoil.brighter(portrait.bgr, portrait.face, 2.0, _draw()))
    assert burnt.clipped_high > 0.3
    assert burnt.clipped_low == 0.0


def test_backlight_is_told_in_stops(portrait: Portrait) -> None:
    stops = [
        _measured(portrait, spoil.backlit(portrait.bgr, portrait.face, by, _draw())).backlight
        for by in (1.0, 4.0)
    ]
    assert stops[1] - stops[0] == pytest.approx(3.0, abs=0.4)


@pytest.mark.parametrize("sigma", [4.0, 8.0, 16.0])
def test_noise_is_measured_in_levels(portrait: Portrait, sigma: float) -> None:
    noisy = spoil.noisy(portrait.bgr, portrait.face, sigma, _draw())
    # Luma is a weighted sum of three channels, whose noises cancel: sigma x 0.67.
    assert _measured(portrait, noisy).noise == pytest.approx(0.67 * sigma, rel=0.15)


@pytest.mark.parametrize("percent", [1.0, 1.5, 2.0])
def test_blur_is_measured_in_face_heights(portrait: Portrait, percent: float) -> None:
    blurred = spoil.blurred(portrait.bgr, portrait.face, percent, _draw())
    found = _measured(portrait, blurred)
    told = 100 * excess_blur(found.sharpness, found.height_px)
    assert percent / 1.6 < told < percent * 1.6


def test_more_blur_is_more(portrait: Portrait) -> None:
    told = [
        _measured(portrait, spoil.blurred(portrait.bgr, portrait.face, by, _draw())).sharpness
        for by in (0.25, 0.5, 1.0, 2.0, 4.0)
    ]
    assert told == sorted(told, reverse=True)
    smeared = spoil.smeared(portrait.bgr, portrait.face, 6.0, _draw())
    found = _measured(portrait, smeared)
    assert 100 * excess_blur(found.sharpness, found.height_px) > 0.9


def test_enlarging_adds_no_detail(portrait: Portrait) -> None:
    small = spoil.smaller(portrait.bgr, portrait.face, 100.0, _draw())
    size = portrait.bgr.shape[1::-1]
    again = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    found = _measured(portrait, again)
    assert found.height_px > 300
    assert found.sharpness < 0.65 * found.height_px


def test_blocks_are_found_wherever_the_grid_begins(portrait: Portrait) -> None:
    coded = _luma(spoil.blocky(portrait.bgr, portrait.face, 10, _draw()))
    assert blockiness(_luma(portrait.bgr)) < 1.6
    assert blockiness(coded) > 3.0
    assert blockiness(coded[3:, 5:]) > 3.0
    assert blockiness(np.full((64, 64), 90, np.uint8)) == 1.0
    assert blockiness(coded[:20]) == 1.0


def test_repeated_frames(portrait: Portrait) -> None:
    luma = _luma(portrait.bgr)
    assert is_repeated(luma, luma.copy())
    assert not is_repeated(luma, np.roll(luma, 1, axis=1))
    assert not is_repeated(luma, luma[:-2])


def test_glare_and_covered_lips(portrait: Portrait) -> None:
    shining = spoil.glaring(portrait.bgr, portrait.face, 0.3, _draw())
    assert _measured(portrait, shining).glare > 0.06
    hand = spoil.covered(portrait.bgr, portrait.face, 1.0, _draw())
    assert _measured(portrait, hand).lips < 0.33
    assert _measured(portrait, hand).glare == 0.0


def test_a_face_beyond_the_picture_is_not_measured(portrait: Portrait) -> None:
    away = portrait.face.landmarks + np.array([5000, 0, 0], np.float32)
    found = measure_face(portrait.bgr, dataclasses.replace(portrait.face, landmarks=away))
    assert found.inside == 0.0
    assert math.isnan(found.luma)
    half = portrait.bgr[: round(float(portrait.face.landmarks[4, 1]))].copy()
    assert 0.3 < _measured(portrait, half).inside < 0.8


def test_a_grey_picture_has_no_sharpness() -> None:
    found = measure_frame(np.full((120, 160), 128, np.uint8))
    assert math.isnan(found.sharpness)
    assert found.luma == pytest.approx(128 / 255)
    assert found.clipped_low == found.clipped_high == 0.0
