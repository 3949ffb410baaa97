"""Cuts are found where they are, and nothing else is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scenes import Picture, clouds, noisy, planes, portrait

from edgeavatar.analysis.shots import CutFinder
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.video import open_video

WALL = clouds(480, 270, 1)


def _cuts(frames: list[Picture]) -> list[int]:
    finder = CutFinder()
    found = [finder.push(*planes(frame)) for frame in frames]
    return [at for at in found if at is not None] + finder.finish()


def _shot(picture: Picture, count: int, seed: int = 0) -> list[Picture]:
    return [noisy(picture, seed + i) for i in range(count)]


def test_cuts_at_known_frames() -> None:
    frames = _shot(WALL, 20) + _shot(clouds(480, 270, 2), 7) + _shot(portrait(270), 30)
    assert _cuts(frames) == [20, 27]


def test_a_cut_just_before_the_end() -> None:
    assert _cuts(_shot(WALL, 20) + _shot(clouds(480, 270, 2), 1)) == [20]


def test_a_cut_is_told_within_five_frames() -> None:
    finder = CutFinder()
    told = [finder.push(*planes(f)) for f in _shot(WALL, 10) + _shot(portrait(270), 10)]
    assert told.index(10) == 15


def test_one_frame_is_no_cut() -> None:
    assert _cuts([WALL]) == []


@pytest.mark.parametrize("frames_long", [1, 2, 3, 4])
def test_a_flash_is_no_cut(frames_long: int) -> None:
    frames = _shot(WALL, 40)
    for at in range(15, 15 + frames_long):
        frames[at] = np.clip(frames[at].astype(np.float32) * 2.2 + 70, 0, 255).astype(np.uint8)
    assert _cuts(frames) == []


@pytest.mark.parametrize("speed", [8, 40, 80])
def test_a_pan_is_no_cut(speed: int) -> None:
    wide = clouds(2000, 270, 3)
    path = [0] * 10 + list(range(0, 1520, speed)) + [1519] * 10
    assert _cuts([noisy(wide[:, x : x + 480], i) for i, x in enumerate(path)]) == []


def test_a_shaken_camera_is_no_cut() -> None:
    rng = np.random.default_rng(1)
    wide = clouds(800, 600, 4)
    places = (150 + 20 * rng.standard_normal((80, 2))).clip(0, 300).astype(int)
    frames = [noisy(wide[y : y + 270, x : x + 480], i) for i, (x, y) in enumerate(places)]
    assert _cuts(frames) == []


def test_a_dissolve_is_no_cut() -> None:
    one, other = WALL, clouds(480, 270, 2)
    mixed: Any = [cv2.addWeighted(one, 1 - k / 25, other, k / 25, 0.0) for k in range(26)]
    assert _cuts([*_shot(one, 12), *mixed, *_shot(other, 12)]) == []


def test_strong_noise_in_the_dark_is_no_cut() -> None:
    dark = (portrait(270) // 12).astype(np.uint8)
    assert _cuts([noisy(dark, i, 4.0) for i in range(40)]) == []


def test_people_before_the_same_wall(shared_data: Path) -> None:
    """Faces that the bounds were not set on."""
    paths = sorted((shared_data / "london").glob("*_neutral.jpg"))[60:90]
    frames: list[Picture] = []
    for place, path in enumerate(paths):
        whole: Any = cv2.imread(str(path))
        picture = np.asarray(cv2.resize(whole, (360, 360)), np.uint8)
        frames += _shot(picture, 12, 100 * place)
    assert _cuts(frames) == list(range(12, len(frames), 12))


def test_shots_of_the_same_speaker_in_the_same_studio(shared_data: Path) -> None:
    """Clips that the bounds were not set on: most cuts are found, and nothing else."""
    paths = sorted((shared_data / "grid_s1").glob("*.mp4"))[200:220]
    frames: list[Picture] = []
    for path in paths:
        with open_video(path) as reader:
            frames += [
                frame_to_bgr(frame) for frame, _ in zip(reader.frames(), range(30), strict=False)
            ]
    found = set(_cuts(frames))
    truth = set(range(30, len(frames), 30))
    assert found <= truth
    assert len(found) >= 0.9 * len(truth)
