"""What comes before a mouth stays before it, and nothing else is taken for such a thing."""

from __future__ import annotations

from collections.abc import Callable
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
from edgeavatar.rendering.layers import LIP_OUTLINE
from edgeavatar.rendering.lip_colours import middle_of
from edgeavatar.rendering.lower_face import NEEDED
from edgeavatar.rendering.occlusion import AHEAD, OcclusionGuard, keep_source
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
    return replace(frame, y=np.asarray(frame.y ^ 1, np.uint8))


def between(face: FaceObservation, landmarks: tuple[int, int]) -> tuple[int, int]:
    x, y = face.landmarks[list(landmarks), :2].mean(0).round().astype(int)
    return int(x), int(y)


def shown(
    guard: OcclusionGuard,
    frames: list[Frame],
    faces: list[FaceObservation],
    made: list[Frame] | None = None,
) -> list[Frame]:
    """Give what is shown of frames that were rendered as ``made``."""
    made = made or [rendered(frame) for frame in frames]
    return [
        render if cover is None else keep_source(frame, render, cover)
        for (frame, _, cover), render in zip(
            guard.covers(zip(frames, faces, strict=True)), made, strict=True
        )
    ]


def covered(lip_line_cm: float, frames: list[Frame], faces: list[FaceObservation]) -> list[float]:
    """Give how much the source shows in each frame: 1 where the mouth must not move at all."""
    guard = OcclusionGuard(lip_line_cm)
    covers = [cover for *_, cover in guard.covers(zip(frames, faces, strict=True))]
    return [0.0 if c is None else max(c.whole, float(c.alpha.max()) / 2.0) for c in covers]


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


SEEN = NEEDED + AHEAD + 3
"""Frames after which a face is known, and nothing that comes shows in them yet."""


@pytest.mark.parametrize("rows", [1, 2, 7, 250])
def test_medians_are_those_of_numpy(rows: int) -> None:
    values = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    values[: rows // 2] = values[-1]
    before = values.copy()
    for one in (values, values[:, 0], np.asfortranarray(values), values[:, :1]):
        found = middle_of(one)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.median(one, axis=0))
    np.testing.assert_array_equal(values, before)


def test_a_still_picture_is_left_alone(
    person: Person, portrait: Frame, face: FaceObservation
) -> None:
    guard = OcclusionGuard(person.lip_line_cm)
    covers = [cover for *_, cover in guard.covers([(portrait, face)] * 40)]
    assert covers == [None] * 40
    assert guard.covered_frames == 0


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
    frames = [framed(still * light(i) + grain(i, still.shape), portrait) for i in range(30)]
    assert not any(covered(person.lip_line_cm, frames, [face] * 30))


def test_a_thing_before_the_chin_stays_and_the_mouth_moves(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    x, y = between(face, CHIN)
    frame = framed(with_disc(still, face, (x, y), 1.2), portrait)
    guard = OcclusionGuard(person.lip_line_cm)
    made = rendered(frame)
    *_, last = shown(guard, [portrait] * SEEN + [frame] * 8, [face] * (SEEN + 8))
    assert last.y[y, x] == frame.y[y, x]
    for place in (LIPS, CHEEK):
        x, y = between(face, place)
        assert last.y[y, x] == made.y[y, x]
    assert guard.covered_frames == 8 + AHEAD - 1


def test_one_frame_is_no_alarm(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    frame = framed(with_disc(still, face, between(face, LIPS), 3.0), portrait)
    frames = [portrait] * SEEN + [frame] + [portrait] * 9
    assert not any(covered(person.lip_line_cm, frames, [face] * len(frames)))


def test_covered_lips_fade_to_the_source_before_and_back_after(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    frame = framed(with_disc(still, face, between(face, LIPS), 3.0), portrait)
    frames = [portrait] * SEEN + [frame] * 8 + [portrait] * 12
    told = covered(person.lip_line_cm, frames, [face] * len(frames))
    first, last = SEEN - AHEAD, SEEN + 8
    assert told[: first + 1] == [0.0] * (first + 1)
    assert told[SEEN:last] == [1.0] * 8
    assert told[-3:] == [0.0] * 3
    assert np.abs(np.diff(told)).max() <= 0.5, "it pops"
    made = [rendered(each) for each in frames]
    out = shown(OcclusionGuard(person.lip_line_cm), frames, [face] * len(frames), made)
    assert out[0] is made[0]
    assert all(out[i] is frames[i] for i in range(SEEN, last))
    assert out[-1] is made[-1]


def test_what_hides_the_face_from_the_mesh_stays_hidden(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    frame = framed(with_disc(still, face, between(face, LIPS), 3.0), portrait)
    frames = [portrait] * SEEN + [frame] * 20
    faces: list[FaceObservation | None] = [face] * len(frames)
    faces[SEEN + 4 : SEEN + 16] = [None] * 12
    covers = list(OcclusionGuard(person.lip_line_cm).covers(zip(frames, faces, strict=True)))
    assert all(cover is None for *_, cover in covers[SEEN + 4 : SEEN + 16])
    cover = covers[SEEN + 16][2]
    assert cover is not None
    assert cover.whole == 1.0


def test_what_is_there_from_the_start_is_part_of_the_face(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    frame = framed(with_disc(still, face, between(face, CHIN), 1.5), portrait)
    assert not any(covered(person.lip_line_cm, [frame] * 30, [face] * 30))


def test_another_picture_is_learned_anew(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    other = framed(255 - cv2.GaussianBlur(still, (0, 0), 9.0), portrait)
    frames = [portrait] * SEEN + [other] * 30
    assert not any(covered(person.lip_line_cm, frames, [face] * len(frames)))


def test_a_shadow_does_not_stop_a_mouth_for_ever(
    person: Person,
    portrait: Frame,
    still: Picture,
    face: FaceObservation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgeavatar.rendering.occlusion.LONGEST_FRAMES", 20)
    frame = framed(with_disc(still, face, between(face, LIPS), 3.0), portrait)
    frames = [portrait] * SEEN + [frame] * 45
    told = covered(person.lip_line_cm, frames, [face] * len(frames))
    assert told[SEEN + 15] == 1.0
    assert told[-1] == 0.0


@pytest.mark.parametrize("place", [(-1.5, 0.0), (0.98, 0.5), (0.4, 0.97)])
def test_a_face_beyond_the_border(
    person: Person, portrait: Frame, face: FaceObservation, place: tuple[float, float]
) -> None:
    shift = np.array([*place, 0.0], np.float32) * portrait.width
    pose = replace(face.pose, translation_px=face.pose.translation_px + shift)
    moved = replace(face, landmarks=face.landmarks + shift, pose=pose)
    assert not any(covered(person.lip_line_cm, [portrait] * 20, [moved] * 20))


# ---------------------------------------------------------------------- hands of the face's colour


def skin_of(bgr: Picture, face: FaceObservation) -> Picture:
    x, y = np.rint(face.landmarks[[50, 280, 205, 425], :2]).astype(int).T
    return np.asarray(np.median(bgr[y, x].astype(np.float32), axis=0))


def with_hand(bgr: Picture, face: FaceObservation, away_cm: float = 0.0) -> Picture:
    """Hold a hand in the colour of the cheeks before the mouth, its fingers across.

    ``away_cm`` is how far it still has to go.
    """
    cm = face.pose.scale_px
    skin = skin_of(bgr, face) * 0.97
    x, y = between(face, LIPS)
    hand: Picture = bgr.astype(np.float32)
    rows = np.arange(bgr.shape[0], dtype=np.float32)[:, None]
    for finger in range(4):
        middle = y + (finger - 1.5) * 1.6 * cm
        tip = (round(x + (3.5 - away_cm) * cm), round(middle))
        mask = np.zeros(bgr.shape[:2], np.float32)
        cv2.line(mask, (round(x - 30 * cm), tip[1]), tip, 1.0, max(2, round(1.6 * cm)))
        edge = cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.06 * cm))[..., None]
        shade = 1.0 - 0.2 * np.clip(np.abs(rows - middle) / (0.8 * cm), 0, 1) ** 2
        hand = hand * (1 - edge) + skin * shade[..., None] * edge
    return hand


def test_a_hand_in_the_colour_of_the_face_that_is_there_at_once(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    frame = framed(with_hand(still, face), portrait)
    frames = [portrait] * SEEN + [frame] * 25 + [portrait] * 12
    told = covered(person.lip_line_cm, frames, [face] * len(frames))
    assert told[SEEN : SEEN + 25] == [1.0] * 25
    assert not any(told[: SEEN - AHEAD])
    assert not any(told[-3:])


def test_half_a_mouth_hidden_stops_the_whole(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    frame = framed(with_hand(still, face, away_cm=3.5), portrait)
    frames = [portrait] * SEEN + [frame] * 20
    assert covered(person.lip_line_cm, frames, [face] * len(frames))[SEEN:] == [1.0] * 20


def test_lips_that_are_pressed_together_are_not_hidden(
    person: Person, portrait: Frame, still: Picture, face: FaceObservation
) -> None:
    lips = face.landmarks[list(LIP_OUTLINE), :2].round().astype(np.int32)
    mask = cv2.fillPoly(np.zeros(still.shape[:2], np.uint8), [lips], 1)
    mask = cv2.dilate(mask, np.ones((7, 7), np.uint8))
    pressed = framed(cv2.inpaint(still, mask, 5, cv2.INPAINT_TELEA), portrait)
    frames = [portrait] * SEEN + [pressed] * 20
    assert not any(covered(person.lip_line_cm, frames, [face] * len(frames)))


# ------------------------------------------------------------------------------------ filmed faces


def followed(path: Path, count: int) -> tuple[list[Frame], list[FaceObservation]]:
    with open_video(path) as reader, FaceTracker() as tracker:
        frames = [frame for frame, _ in zip(reader.frames(), range(count), strict=False)]
        seen = list(smooth_offline(tracker.track(frame_to_bgr(frame)) for frame in frames))
    faces = [face for face in seen if face is not None]
    assert len(faces) == len(frames)
    return frames, faces


def followed_covers(frames: list[Frame], faces: list[FaceObservation]) -> list[float]:
    return covered(fit_person(faces[:24], load_basis()).lip_line_cm, frames, faces)


@pytest.mark.parametrize("clip", ["video_1", "video_2"])
def test_filmed_people(model_store: Any, clip: str) -> None:
    frames, faces = followed(model_store.resolve("fixture-vitallens")[clip], 75)
    assert not any(followed_covers(frames, faces)), "they hold nothing"
    for thing in ("microphone", "hand", "hand that moves in"):
        out = frames[:]
        for i in range(40, 60):
            bgr, face = frame_to_bgr(frames[i]), faces[i]
            if thing == "microphone":
                bgr = with_disc(bgr, face, between(face, LIPS), 2.5)
            else:
                bgr = with_hand(bgr, face, 0.0 if thing == "hand" else max(0.0, 2.0 * (45 - i)))
            out[i] = framed(bgr, frames[i])
        told = followed_covers(out, faces)
        assert not any(told[: 41 - AHEAD])
        assert all(share == 1.0 for share in told[45:60])
        assert not any(told[70:])


@pytest.mark.parametrize("index", range(CLIPS))
def test_speech_covers_nothing(shared_data: Path, model_store: Any, index: int) -> None:
    clips = sorted((shared_data / "grid_s1").glob("*.mp4"))
    if not clips:
        pytest.skip("the GRID clips are not in the data sets of this machine")
    model_store.resolve("face")
    frames, faces = followed(clips[index * len(clips) // CLIPS], 75)
    assert not any(followed_covers(frames, faces))
