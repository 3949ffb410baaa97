"""One pass over small videos whose truth is known, with the real models."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scenes import Picture, before, clouds, noisy, portrait, write

import edgeavatar
from edgeavatar.analysis.blinks import find_blinks
from edgeavatar.analysis.illuminant import light_temperature_k
from edgeavatar.face import FaceTracker
from edgeavatar.motion.idle import idle_pose
from edgeavatar.pipeline import picture_analysis
from edgeavatar.pipeline.analysing import analyse
from edgeavatar.pipeline.picture_analysis import NO_BODY, Seen, look_at_photo, look_at_video
from edgeavatar.video import open_video, read_photo

Floats = npt.NDArray[Any]


@pytest.fixture(autouse=True)
def _models(model_store: Callable[[str], object]) -> None:
    model_store("face")


def _look(path: Path) -> Seen:
    with open_video(path) as reader:
        return look_at_video(reader, lambda *_: None)


def _column(seen: Seen, name: str, track: int = 0) -> Floats:
    column: Floats = np.asarray(seen.faces[name])
    return np.asarray(column[np.asarray(seen.faces["track"]) == track])


SEED = 3
JAW = [0.0] * 50 + [max(0.0, 0.5 * float(np.sin(2 * np.pi * i / 40))) for i in range(130)]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Render a portrait that sways, blinks and opens its mouth."""
    folder = tmp_path_factory.mktemp("rendered")
    cv2.imwrite(str(folder / "face.png"), portrait(320))
    track = {
        "format": "edgeavatar-motion",
        "version": 1,
        "fps": 25,
        "names": ["jawOpen"],
        "rows": [[weight] for weight in JAW],
    }
    (folder / "track.json").write_text(json.dumps(track))
    edgeavatar.render(
        source=folder / "face.png",
        output=folder / "clip.mp4",
        motion=folder / "track.json",
        seed=SEED,
        fps=Fraction(25),
        renderer="geometric",
        preset="ultrafast",
        label=None,
    )
    return _look(folder / "clip.mp4")


def test_known_blinks(rendered: Seen) -> None:
    time_s = np.asarray(rendered.frames["time_s"], np.float64)
    lids = np.array([idle_pose(float(t), SEED).blink for t in time_s])
    truth = time_s[1:][np.diff((lids > 0.5).astype(int)) == 1]
    found = find_blinks(time_s, _column(rendered, "blink"))
    assert len(truth) >= 2
    assert len(found) == len(truth)
    assert all(begin - 0.1 <= t <= end for t, (begin, end) in zip(truth, found, strict=True))


def test_known_poses(rendered: Seen) -> None:
    time_s = np.asarray(rendered.frames["time_s"], np.float64)
    poses = [idle_pose(float(t), SEED) for t in time_s]
    for name in ("yaw_deg", "roll_deg"):
        truth = np.array([getattr(pose, name) for pose in poses])
        found = _column(rendered, name)
        assert np.corrcoef(truth, found)[0, 1] > 0.85
        assert 0.6 < np.polyfit(truth, found, 1)[0] < 1.1


def test_a_known_mouth(rendered: Seen) -> None:
    found = _column(rendered, "aperture")[: len(JAW)]
    assert np.corrcoef(JAW[: len(found)], found)[0, 1] > 0.97


def test_every_frame_has_its_row(rendered: Seen) -> None:
    frames = rendered.frames
    assert np.array_equal(np.asarray(frames["index"]), np.arange(len(frames["index"])))
    assert np.asarray(frames["time_s"])[25] == pytest.approx(1.0)
    assert np.isfinite(np.asarray(frames["luma"], float)).sum() == -(-len(frames["index"]) // 10)
    assert not np.asarray(frames["cut"]).any()
    assert set(_column(rendered, "track")) == {0}
    assert _column(rendered, "score").min() > 0.9
    assert np.nanmax(_column(rendered, "mouth_covered")) < 0.1


def _scene(people: list[tuple[Picture, int, int]], seed: int = 5) -> Picture:
    whole = clouds(960, 540, seed)
    for person, left, top in people:
        whole = before(whole, person, left, top)
    return whole


@pytest.fixture(scope="module")
def two_shots(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Film two people; after a cut at frame 30 one of them, elsewhere."""
    small, large = portrait(230), np.ascontiguousarray(portrait(340)[:, ::-1])
    first = _scene([(small, 40, 60), (large, 560, 120)])
    second = _scene([(large, 200, 150)], seed=9)
    frames = [noisy(first, i) for i in range(30)] + [noisy(second, i) for i in range(30)]
    return _look(write(tmp_path_factory.mktemp("shots") / "two.mp4", frames))


def test_two_people_have_two_tracks_that_end_at_the_cut(two_shots: Seen) -> None:
    assert np.flatnonzero(np.asarray(two_shots.frames["cut"])).tolist() == [30]
    spans = {
        int(track): (int(index.min()), int(index.max()), len(index))
        for track in np.unique(np.asarray(two_shots.faces["track"]))
        for index in [_column(two_shots, "index", int(track))]
    }
    assert spans == {0: (0, 29, 30), 1: (0, 25, 6), 2: (30, 59, 30)}


def test_the_larger_face_is_the_main_one_and_boxes_are_where_faces_are(two_shots: Seen) -> None:
    heights = [np.median(_column(two_shots, "height_px", track)) for track in (0, 1, 2)]
    assert heights[0] == pytest.approx(heights[2], rel=0.03)
    assert heights[1] == pytest.approx(heights[0] * 230 / 340, rel=0.05)
    assert np.median(_column(two_shots, "eyes_x", 0)) == pytest.approx(560 + 170, abs=10)
    assert np.median(_column(two_shots, "eyes_x", 1)) == pytest.approx(40 + 115, abs=10)
    assert np.median(_column(two_shots, "eyes_x", 2)) == pytest.approx(200 + 170, abs=10)


def test_a_summary_of_two_shots(two_shots: Seen) -> None:
    from edgeavatar.pipeline.picture_findings import sum_up

    found = sum_up(two_shots, None)
    assert [track.id for track in found.faces] == [0, 1, 2]
    assert [track.seen_share for track in found.faces] == [1.0, 1.0, 1.0]
    assert found.main_face == 0
    assert found.movement is not None
    assert found.movement.cuts_s == (1.2,)
    assert found.movement.camera == "steady"
    assert found.style.off_centre == pytest.approx((560 + 170) / 960 - 0.5, abs=0.02)


def test_white_balance_moves_the_light_by_what_it_is(tmp_path: Path) -> None:
    """Gains of a black body of 3500 K over D65, in linear light."""
    picture = portrait(512).astype(np.float64) / 255
    linear = np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    found = []
    for gains in ((1.0, 1.0, 1.0), (0.4056, 0.8920, 1.5640)):
        lit = np.clip(linear * (0.6 * np.array(gains)), 0, 1)
        srgb = np.where(lit <= 0.0031308, 12.92 * lit, 1.055 * lit ** (1 / 2.4) - 0.055)
        path = tmp_path / "lit.png"
        cv2.imwrite(str(path), np.rint(srgb * 255).astype(np.uint8))
        faces = look_at_photo(read_photo(path)).faces
        found.append(light_temperature_k(np.asarray(faces["skin"]), np.asarray(faces["sclera"])))
    neutral, warm = found
    assert neutral is not None
    assert warm is not None
    assert neutral == pytest.approx(6500, abs=1000)
    assert warm == pytest.approx(3500, abs=500)


def test_a_photo_has_one_row_and_no_movement(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), _scene([(portrait(340), 300, 100)]))
    found = analyse(path)
    assert found.source.kind == "photo"
    assert found.source.duration_s is None
    assert found.movement is None
    assert found.speech is None
    assert len(found.faces) == 1
    assert found.faces[0].blinks_per_min is None
    assert found.style is not None
    assert found.style.shot in ("medium", "medium close-up", "close-up")
    assert len(found.frames["index"]) == 1
    assert found.preflight is not None


def test_a_video_without_a_face(tmp_path: Path) -> None:
    frames = [noisy(clouds(320, 240, 1), i) for i in range(20)]
    found = analyse(write(tmp_path / "clouds.mp4", frames))
    assert found.faces == ()
    assert found.main_face is None
    assert found.style is not None
    assert found.style.shot is None
    assert found.style.contrast is not None
    assert found.movement is not None
    assert found.movement.head_deg_per_s is None


def test_without_the_model_of_bodies_a_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeavatar.errors import ModelNotFound

    def missing(**_: object) -> object:
        raise ModelNotFound("not here")

    monkeypatch.setattr(picture_analysis, "BodyModel", missing)
    frames = [noisy(_scene([(portrait(340), 300, 100)]), i) for i in range(6)]
    found = analyse(write(tmp_path / "clip.mp4", frames))
    assert NO_BODY in found.notes
    assert found.movement is not None
    assert found.movement.body_found_share is None
    assert found.movement.gesture_energy is None


def test_a_failing_face_model_ends_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(FaceTracker, "track", fail)
    path = write(tmp_path / "clip.mp4", [clouds(320, 240, 1)] * 40)
    with pytest.raises(RuntimeError, match="on purpose"):
        _look(path)
    assert not [t for t in threading.enumerate() if t.name.startswith("edgeavatar-")]


def test_memory_is_that_of_the_rows(two_shots: Seen) -> None:
    tables = [*two_shots.frames.values(), *two_shots.faces.values()]
    assert sum(column.nbytes for column in tables) / 60 < 500
