"""What comes before a mouth stays before it, and nothing else is taken for such a thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import pytest

from edgeavatar.face import FaceTracker
from edgeavatar.face.smoothing import smooth_offline
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.geometry import fit_person
from edgeavatar.rendering.occlusion import NEEDED, OcclusionWatch
from edgeavatar.types import FaceObservation, Frame
from edgeavatar.video.reader import open_video

if TYPE_CHECKING:
    from edgeavatar.rendering.geometry import Person

Picture: TypeAlias = np.ndarray
LIPS, CHIN, CHEEK = (13, 14), (152, 17), (50, 205)
CLIPS = 3


def framed(bgr: Picture, like: Frame) -> Frame:
    y, u, v = bgr_to_planes(np.clip(bgr, 0, 255).astype(np.uint8), like.colour)
    return replace(like, y=y, u=u, v=v)


def rendered(frame: Frame) -> Frame:
    """Something that differs from the source everywhere."""
    return replace(frame, y=frame.y ^ 1)


def between(face: FaceObservation, landmarks: tuple[int, int]) -> tuple[int, int]:
    x, y = face.landmarks[list(landmarks), :2].mean(0).round().astype(int)
    return int(x), int(y)


def with_disc(
    bgr: Picture, face: FaceObservation, at: tuple[int, int], radius_cm: float
) -> Picture:
    """Hold the head of a microphone before a place."""
    out = bgr.copy()
    cv2.circle(out, at, round(radius_cm * face.pose.scale_px), (45, 40, 40), -1, cv2.LINE_AA)
    return out


def grain(index: int, shape: tuple[int, ...]) -> Picture:
    return np.random.default_rng(index).normal(0, 2.0, shape).astype(np.float32)


@pytest.fixture(scope="module")
def still(portrait: Frame) -> Picture:
    return frame_to_bgr(portrait)


@pytest.fixture
def watch(person: Person, portrait: Frame, face: FaceObservation) -> OcclusionWatch:
    """Give a watch that knows the face."""
    watch = OcclusionWatch(person.lip_line_cm)
    for _ in range(NEEDED + 3):
        watch.uncovered(portrait, face, portrait)
    return watch


def test_a_still_picture_is_left_alone(
    person: Person, portrait: Frame, face: FaceObservation
) -> None:
    watch, made = OcclusionWatch(person.lip_line_cm), rendered(portrait)
    assert all(watch.uncovered(portrait, face, made) is made for _ in range(40))
    assert watch.covered_frames == 0


@pytest.mark.parametrize(
    "light",
    [
        pytest.param(lambda i: 1.0 - 0.012 * i, id="dimmed"),
        pytest.param(lambda i: 0.7 if i > 15 else 1.0, id="switched"),
        pytest.param(lambda i: 1.0 + 0.1 * np.sin(2.1 * i), id="flickering"),
        pytest.param(lambda i: 0.85 + np.array([-0.005, 0.0, 0.004]) * i, id="warmer"),
    ],
)
def test_light_covers_nothing(
    person: Person,
    portrait: Frame,
    still: Picture,
    face: FaceObservation,
    light: Callable[[int], Any],
) -> None:
    watch = OcclusionWatch(person.lip_line_cm)
    for i in range(30):
        frame = framed(still * light(i) + grain(i, still.shape), portrait)
        made = rendered(frame)
        assert watch.uncovered(frame, face, made) is made


def test_a_thing_before_the_chin_stays_and_the_mouth_moves(
    watch: OcclusionWatch, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    x, y = between(face, CHIN)
    frame = framed(with_disc(still, face, (x, y), 1.2), portrait)
    made = rendered(frame)
    first, *_, last = (watch.uncovered(frame, face, made) for _ in range(8))
    assert first is made, "one frame is no alarm"
    assert last.y[y, x] == frame.y[y, x]
    for place in (LIPS, CHEEK):
        x, y = between(face, place)
        assert last.y[y, x] == made.y[y, x]
    assert watch.covered_frames == 7


def test_covered_lips_fade_to_the_source_and_back(
    watch: OcclusionWatch, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    frame = framed(with_disc(still, face, between(face, LIPS), 3.0), portrait)
    made = replace(frame, y=np.where(frame.y < 128, frame.y + 100, frame.y - 100).astype(np.uint8))
    far = [int(watch.uncovered(frame, face, made).y[40, 40]) for _ in range(4)]
    steps = np.abs(np.diff([int(made.y[40, 40]), *far, int(frame.y[40, 40])]))
    assert steps.max() <= 60, "it pops"
    for _ in range(4):
        last = watch.uncovered(frame, face, made)
    assert last is frame
    for _ in range(12):
        last = watch.uncovered(portrait, face, made)
    assert last is made


def test_what_is_there_from_the_start_is_part_of_the_face(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    watch = OcclusionWatch(person.lip_line_cm)
    frame = framed(with_disc(still, face, between(face, CHIN), 1.5), portrait)
    made = rendered(frame)
    assert all(watch.uncovered(frame, face, made) is made for _ in range(30))


def test_another_picture_is_learned_anew(
    watch: OcclusionWatch, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    other = 255 - cv2.GaussianBlur(still, (0, 0), 9.0)
    frame = framed(other, portrait)
    made = rendered(frame)
    assert all(watch.uncovered(frame, face, made) is made for _ in range(30))


def test_a_shadow_does_not_stop_a_mouth_for_ever(
    watch: OcclusionWatch,
    portrait: Frame,
    still: Picture,
    face: FaceObservation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgeavatar.rendering.occlusion.LONGEST_FRAMES", 20)
    frame = framed(with_disc(still, face, between(face, LIPS), 3.0), portrait)
    made = rendered(frame)
    shown = [watch.uncovered(frame, face, made) for _ in range(45)]
    assert shown[15] is frame
    assert shown[-1] is made


@pytest.mark.parametrize("place", [(-1.5, 0.0), (0.98, 0.5), (0.4, 0.97)])
def test_a_face_beyond_the_border(
    person: Person, portrait: Frame, face: FaceObservation, place: tuple[float, float]
) -> None:
    shift = np.array([*place, 0.0], np.float32) * portrait.width
    pose = replace(face.pose, translation_px=face.pose.translation_px + shift)
    moved = replace(face, landmarks=face.landmarks + shift, pose=pose)
    watch, made = OcclusionWatch(person.lip_line_cm), rendered(portrait)
    assert all(watch.uncovered(portrait, moved, made) is made for _ in range(20))


# ------------------------------------------------------------------------------------ filmed faces


def followed(path: Path, count: int) -> tuple[list[Frame], list[FaceObservation]]:
    with open_video(path) as reader, FaceTracker() as tracker:
        frames = [frame for frame, _ in zip(reader.frames(), range(count), strict=False)]
        seen = list(smooth_offline(tracker.track(frame_to_bgr(frame)) for frame in frames))
    faces = [face for face in seen if face is not None]
    assert len(faces) == len(frames)
    return frames, faces


def alarms(frames: list[Frame], faces: list[FaceObservation]) -> Iterator[bool]:
    watch = OcclusionWatch(fit_person(faces[:24], load_basis()).lip_line_cm)
    for frame, face in zip(frames, faces, strict=True):
        made = rendered(frame)
        yield watch.uncovered(frame, face, made) is not made


@pytest.mark.parametrize("clip", ["video_1", "video_2"])
def test_filmed_people_who_hold_nothing(model_store: Any, clip: str) -> None:
    frames, faces = followed(model_store.resolve("fixture-vitallens")[clip], 75)
    assert not any(alarms(frames, faces))
    covered = frames[:]
    for i in range(40, 60):
        bgr = frame_to_bgr(frames[i])
        covered[i] = framed(with_disc(bgr, faces[i], between(faces[i], LIPS), 2.5), frames[i])
    told = list(alarms(covered, faces))
    assert not any(told[:41])
    assert all(told[41:60])
    assert not any(told[70:])


@pytest.mark.parametrize("index", range(CLIPS))
def test_speech_covers_nothing(shared_data: Path, model_store: Any, index: int) -> None:
    clips = sorted((shared_data / "grid_s1").glob("*.mp4"))
    if not clips:
        pytest.skip("the GRID clips are not in the data sets of this machine")
    model_store.resolve("face")
    frames, faces = followed(clips[index * len(clips) // CLIPS], 75)
    assert not any(alarms(frames, faces))
