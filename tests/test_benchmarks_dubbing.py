"""The dubbing benchmark's measures, on frames whose answers are known."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks import dubbing, renderer
from benchmarks.renderer import Case, Look
from edgeavatar.face.topology import LIPS
from edgeavatar.rendering.lip_rows import INNER_CORNERS, LOWER_INNER_LIP, UPPER_INNER_LIP
from edgeavatar.types import ColourTags, FaceObservation, Frame, HeadPose

COLOUR = ColourTags(matrix="bt709", range="full")


def frame_of(luma: np.ndarray) -> Frame:
    grey = np.full((luma.shape[0] // 2, luma.shape[1] // 2), 128, np.uint8)
    return Frame(0, Fraction(0), luma, grey, grey, COLOUR)


def open_face() -> FaceObservation:
    """Make a face 200 px high whose lips are a diamond around (128, 160)."""
    marks = np.zeros((478, 3), np.float32)
    angle = np.linspace(0, 2 * np.pi, 478, endpoint=False)
    marks[:, 0], marks[:, 1] = 128 + 80 * np.cos(angle), 120 + 100 * np.sin(angle)
    marks[list(LIPS), :2] = (128, 160)
    for rims, down in ((UPPER_INNER_LIP, -12.0), (LOWER_INNER_LIP, 12.0)):
        share = np.linspace(-1, 1, len(rims))
        marks[list(rims), 0] = 128 + 20 * share
        marks[list(rims), 1] = 160 + down * (1 - np.abs(share))
    marks[list(INNER_CORNERS), 0] = (104, 152)
    pose = HeadPose(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 11.0, 0.0, 0.0, 0.0)
    return FaceObservation(marks, 1.0, pose, np.zeros(52, np.float32))


def case_of(luma: np.ndarray) -> Case:
    face = open_face()
    look = Look(frame_of(luma), face, face.landmarks[:, :2])
    return Case("", (), None, look, look, None, None)  # type: ignore[arg-type]


def test_an_error_that_stays_does_not_flicker_and_one_that_comes_and_goes_does() -> None:
    real = np.full((256, 256), 100, np.uint8)
    cases = [case_of(real)] * 4
    assert dubbing.flicker([frame_of(real + 30)] * 4, cases) == 0.0
    jumping = [frame_of(real + 30 * (k % 2)) for k in range(4)]
    assert dubbing.flicker(jumping, cases) == pytest.approx(30.0)


def test_what_changes_away_from_the_mouth_is_no_flicker() -> None:
    real = np.full((256, 256), 100, np.uint8)
    other = real.copy()
    other[:120] = 160
    assert dubbing.flicker([frame_of(real), frame_of(other)], [case_of(real)] * 2) == 0.0


def test_a_mouth_that_never_opens_cannot_flicker() -> None:
    real = np.full((256, 256), 100, np.uint8)
    case = case_of(real)
    case.target.face.landmarks[list(LIPS), :2] = (128, 160)
    assert math.isnan(dubbing.flicker([frame_of(real)] * 3, [case] * 3))


def test_speech_is_where_the_words_are(tmp_path: Path) -> None:
    words = {"a": [[0.0, 0.4, "sil"], [0.4, 0.8, "bin"], [0.8, 2.2, "blue"], [2.2, 3.0, "sil"]]}
    (tmp_path / "grid_s1_words.json").write_text(json.dumps(words), "utf-8")
    (tmp_path / "grid_s1").mkdir()
    path = tmp_path / "grid_s1" / "a.mp4"
    assert renderer.spoken_frames(path) == (10, 55)
    looks = dict.fromkeys(range(75))
    film = dubbing.Film(path, looks)  # type: ignore[arg-type]
    assert film.speech(second=False) == list(range(10, 30))
    assert film.speech(second=True) == list(range(35, 55))
    del looks[40]
    assert film.speech(second=True) == []
    assert renderer.spoken_frames(path.with_stem("b")) == (0, 0)
