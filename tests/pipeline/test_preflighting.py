"""The short form: few frames, few words, and never an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeavatar.pipeline.covering import MouthWatch
from edgeavatar.pipeline.preflighting import MOST_NOTES, preflight, preflight_notes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clip(model_store: Callable[[str], Any]) -> Path:
    return Path(model_store("fixture-vitallens")["video_1"])


def test_a_good_clip_is_good_at_a_glance(clip: Path) -> None:
    found = preflight(clip, short=True)
    assert found.verdict == "good"
    by_name = {factor.name: factor for factor in found.factors}
    assert by_name["face-size"].value == pytest.approx(217, abs=10)
    assert by_name["gaps"].verdict == by_name["repeated"].verdict == "unknown"
    assert preflight_notes(clip) == []


def test_at_most_three_notes_the_worst_first(tmp_path: Path, model_store: Any) -> None:
    model_store("face")
    picture = cv2.imread(str(ROOT / "examples" / "portrait.jpg"))
    small = cv2.GaussianBlur(cv2.resize(picture, (180, 180)), (0, 0), 2.5)
    dark = np.asarray(255 * (small / 255) ** 2.2 * 0.3, np.uint8)
    path = tmp_path / "spoiled.jpg"
    cv2.imwrite(str(path), dark, [cv2.IMWRITE_JPEG_QUALITY, 8])
    notes = preflight_notes(path)
    verdicts = {f.title.lower(): f.verdict for f in preflight(path, short=True).factors}
    assert sum(verdict in ("warn", "bad") for verdict in verdicts.values()) > MOST_NOTES
    assert len(notes) == MOST_NOTES
    told = [next(v for title, v in verdicts.items() if note.startswith(title)) for note in notes]
    assert told == sorted(told)  # bad before warn
    assert told[0] == "bad"


def test_what_a_render_tells_itself_is_not_noted(tmp_path: Path, model_store: Any) -> None:
    model_store("face")
    nobody = tmp_path / "nobody.png"
    cv2.imwrite(str(nobody), np.full((96, 96, 3), 128, np.uint8))
    assert preflight_notes(nobody) == []
    assert preflight_notes(tmp_path / "missing.mp4") == []
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    assert preflight_notes(tmp_path / "broken.mp4") == []


def test_a_dark_bar_before_the_mouth_is_seen_in_a_clip(clip: Path, model_store: Any) -> None:
    from edgeavatar.face import FaceTracker
    from edgeavatar.video.reader import open_video

    watch, told = MouthWatch(), []
    with FaceTracker(model_store("face"), threads=1) as tracker, open_video(clip) as reader:
        from edgeavatar.kernels.colour import frame_to_bgr

        for frame in reader.frames():
            face = tracker.track(frame_to_bgr(frame))
            assert face is not None
            if frame.index >= 20:
                # It rises from the chin to the nose in ten frames.
                x, y = face.landmarks[[61, 291, 13], :2].mean(0)
                top = round(float(y) + 60 - 8 * min(10, frame.index - 20))
                frame.y[top : top + 60, round(float(x)) - 70 : round(float(x)) + 70] = 20
            told.append(watch.push(frame, face))
            if frame.index == 40:
                break
    assert np.isnan(told[:4]).all()
    assert max(told[4:20]) == 0.0
    assert told[-1] > 0.5
