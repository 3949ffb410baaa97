"""Where landmarks go: poses, lips that meet, jaws that drop, lids that shut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeavatar.errors import IntegrityError
from edgeavatar.pose import to_face_local, to_picture
from edgeavatar.rendering.basis import FaceBasis, load_basis
from edgeavatar.rendering.geometry import (
    LOWER_LIDS,
    UPPER_LIDS,
    Person,
    blink_displacement,
    down_axis,
    face_height_px,
    fit_person,
    head_displacement,
    mouth_displacement,
    mouth_strength,
    source_speech,
    sway_pose,
)
from edgeavatar.rendering.lip_rows import LOWER_INNER_LIP, UPPER_INNER_LIP
from edgeavatar.types import MOTION_NAMES, FaceObservation, IdlePose

UPPER, LOWER = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)


def row(**weights: float) -> np.ndarray:
    out = np.zeros(len(MOTION_NAMES), np.float32)
    for name, weight in weights.items():
        for place, known in enumerate(MOTION_NAMES):
            if known in (name, f"{name}Left", f"{name}Right"):
                out[place] = weight
    return out


def gaps(face: FaceObservation, moved: np.ndarray) -> np.ndarray:
    where = face.landmarks[:, :2] + moved
    return (where[LOWER] - where[UPPER]) @ down_axis(face.pose)


def opened(face: FaceObservation, person: Person, weights: np.ndarray) -> FaceObservation:
    """Return the same face filmed while its mouth moves."""
    moved = mouth_displacement(face, person, weights)
    landmarks = face.landmarks.copy()
    landmarks[:, :2] += moved
    return replace(face, landmarks=landmarks)


def test_unposing_undoes_posing(face: FaceObservation) -> None:
    local = to_face_local(face.landmarks, face.pose)
    assert to_picture(local, face.pose) == pytest.approx(face.landmarks, abs=2e-2)
    assert np.abs(local[:468].mean(0)[:2]).max() < 3.0


def test_rest_moves_nothing(face: FaceObservation, person: Person) -> None:
    assert not mouth_displacement(face, person, row()).any()


def test_the_jaw_opens_the_mouth_and_drops_the_chin(face: FaceObservation, person: Person) -> None:
    moved = mouth_displacement(face, person, row(jawOpen=0.3))
    height = face_height_px(face)
    assert gaps(face, moved)[4] / height == pytest.approx(0.3 * 0.185, rel=0.15)
    assert 0.02 < moved[152, 1] / height < 0.06
    assert np.abs(moved[[10, 33, 263, 168]]).max() < 0.002 * height


def test_rounding_narrows_and_stretching_widens(face: FaceObservation, person: Person) -> None:
    def width(**weights: float) -> float:
        where = face.landmarks[:, :2] + mouth_displacement(face, person, row(**weights))
        return float(np.linalg.norm(where[61] - where[291]))

    assert width(mouthPucker=0.6) < 0.93 * width(jawOpen=0.01) < 0.97 * width(mouthStretch=0.8)


@pytest.mark.parametrize("jaw", [0.0, 0.1, 0.3])
def test_pressed_lips_touch_at_every_place(
    face: FaceObservation, person: Person, jaw: float
) -> None:
    pressed = row(jawOpen=jaw, mouthClose=0.84 * jaw, mouthPress=0.3)
    assert np.abs(gaps(face, mouth_displacement(face, person, pressed))).max() < 0.05


def test_lips_never_cross(face: FaceObservation, person: Person) -> None:
    rng = np.random.default_rng(11)
    for _ in range(40):
        weights = rng.uniform(0, 0.6, len(MOTION_NAMES)).astype(np.float32)
        assert gaps(face, mouth_displacement(face, person, weights)).min() > -0.05


def test_a_smiling_source_is_closed_for_bilabials(face: FaceObservation, person: Person) -> None:
    smile = opened(face, person, row(mouthSmile=0.5, mouthLowerDown=0.4, mouthUpperUp=0.4))
    assert gaps(smile, np.zeros((478, 2)))[4] > 0.02 * face_height_px(face)
    grinning = fit_person([smile], load_basis())
    pressed = mouth_displacement(smile, grinning, row(mouthPress=0.3, mouthRollUpper=0.1))
    assert np.abs(gaps(smile, pressed)).max() < 0.05


def test_speech_of_the_source_is_recognised_and_removed(
    face: FaceObservation, person: Person
) -> None:
    talking = opened(face, person, row(jawOpen=0.25))
    shown, certainty = source_speech(talking, person)
    assert certainty == pytest.approx(1.0)
    assert shown[MOTION_NAMES.index("jawOpen")] > 0.1
    moved = mouth_displacement(talking, person, row())
    assert np.abs(gaps(talking, moved)).max() < 0.01 * face_height_px(face)
    assert (talking.landmarks[152, 1] + moved[152, 1]) == pytest.approx(
        face.landmarks[152, 1], abs=0.012 * face_height_px(face)
    )


def test_noise_of_the_source_is_not_taken_for_speech(face: FaceObservation, person: Person) -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.0015 * face_height_px(face), (478, 3)).astype(np.float32)
    trembling = replace(face, landmarks=face.landmarks + noise)
    weights, certainty = source_speech(trembling, person)
    assert certainty == 0.0
    assert not weights.any()


def test_a_face_turned_away_is_left_alone(face: FaceObservation, person: Person) -> None:
    for pose in (replace(face.pose, yaw_deg=55.0), replace(face.pose, pitch_deg=-45.0)):
        turned = replace(face, pose=pose)
        assert mouth_strength(turned) == 0.0
        assert not mouth_displacement(turned, person, row(jawOpen=0.4)).any()
    assert mouth_strength(face) == pytest.approx(1.0)
    half = mouth_strength(replace(face, pose=replace(face.pose, yaw_deg=-42.0)))
    assert 0.2 < half < 0.8


def test_a_turning_head_moves_near_parts_more(face: FaceObservation) -> None:
    turned = sway_pose(face, IdlePose(yaw_deg=2.0))
    moved = head_displacement(face.landmarks, face.pose, turned)
    assert moved[1, 0] > moved[234, 0]
    assert moved[1, 0] > 0
    up = head_displacement(face.landmarks, face.pose, sway_pose(face, IdlePose(pitch_deg=2.0)))
    assert up[1, 1] < 0
    leaning = sway_pose(face, IdlePose(roll_deg=2.0))
    lean = head_displacement(face.landmarks, face.pose, leaning)
    assert lean[10, 0] > lean[152, 0]
    still = head_displacement(face.landmarks, face.pose, sway_pose(face, IdlePose()))
    assert np.abs(still).max() < 0.02


def test_lids_meet_in_a_blink(face: FaceObservation) -> None:
    where = face.landmarks[:, :2] + blink_displacement(face, IdlePose(blink=1.0))
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        opening = np.linalg.norm(
            face.landmarks[list(lower), :2] - face.landmarks[list(upper), :2], axis=1
        )
        left = np.linalg.norm(where[list(lower)] - where[list(upper)], axis=1)
        assert (left < 0.01 * opening + 0.01).all()
    assert not blink_displacement(face, IdlePose()).any()


def test_the_resting_face_comes_from_frames_with_closed_lips(
    face: FaceObservation, person: Person
) -> None:
    talking = [opened(face, person, row(jawOpen=weight)) for weight in (0.1, 0.3, 0.2, 0.15)]
    learned = fit_person([talking[0], face, *talking[1:], face], load_basis())
    assert learned.neutral_cm == pytest.approx(person.neutral_cm, abs=1e-3)


def test_the_table_has_both_sides_alike() -> None:
    basis = load_basis()
    left = basis.select(["mouthSmileLeft"])[0]
    right = basis.select(["mouthSmileRight"])[0]
    assert left[291] == pytest.approx(right[61] * [-1, 1, 1], abs=2e-3)
    assert not basis.select(["tongueUp"]).any()
    assert isinstance(basis, FaceBasis)


def test_a_broken_table_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "face_basis.npz"
    path.write_bytes(b"PK not a zip")
    with pytest.raises(IntegrityError, match=r"face_basis\.npz"):
        load_basis(path)
    np.savez(path, names=np.array(["jawOpen"]), basis=np.zeros((1, 468, 3)))
    with pytest.raises(IntegrityError, match="478"):
        load_basis(path)
