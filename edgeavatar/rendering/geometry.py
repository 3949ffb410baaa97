"""A person's own face geometry, and where its landmarks go when the mouth or the head moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.pose import FLIP, rotation_of, to_face_local, to_picture
from edgeavatar.rendering.lip_rows import (
    INNER_CORNERS,
    LOWER_INNER_LIP,
    LOWER_LIP_ROWS,
    UPPER_INNER_LIP,
    UPPER_LIP_ROWS,
)
from edgeavatar.rendering.unfolding import unfolded
from edgeavatar.types import MOTION_NAMES, HeadPose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeavatar.rendering.basis import FaceBasis
    from edgeavatar.types import FaceObservation, FloatArray, IdlePose

LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)  # fmt: skip
"""All landmarks of the lips, outer and inner rim."""
CHIN = (18, 83, 313, 200, 199, 175, 152, 148, 176, 149, 377, 400, 378)
"""Landmarks that follow the jaw whatever the lips do."""
SPEECH = (*LIPS, *CHIN)
"""Landmarks from which the source's own speech is read."""
STEADY = (6, 197, 195, 5, 133, 362, 33, 263, 168, 8, 9, 151, 10, 108, 337)
"""Landmarks that speech does not move: nose bridge, corners of the eyes, forehead."""
LEFTOVER_CM = (3.0, 6.0)
"""Distances from the middle of the lips between which a source's movement that its weights do not
explain is left to it more and more: the lips and their corners lie within, the face's border
without."""

UPPER_LIDS = ((246, 161, 160, 159, 158, 157, 173), (466, 388, 387, 386, 385, 384, 398))
LOWER_LIDS = ((7, 163, 144, 145, 153, 154, 155), (249, 390, 373, 374, 380, 381, 382))
EYE_CORNERS = ((33, 133), (263, 362))
"""Outer and inner corner of each eye."""
LID_FOLDS = ((247, 30, 29, 27, 28, 56, 190), (467, 260, 259, 257, 258, 286, 414))
"""The row of landmarks above each upper lid, which follows it part of the way."""
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)

MOUTH_CLOSE = MOTION_NAMES.index("mouthClose")
PRESS = (MOTION_NAMES.index("mouthPressLeft"), MOTION_NAMES.index("mouthPressRight"))

PUCKER, FUNNEL = MOTION_NAMES.index("mouthPucker"), MOTION_NAMES.index("mouthFunnel")
ROUNDED = (0.1, 0.6)
"""Pucker and funnel together at which the opening begins to be round, and at which it is."""
ROUND_WIDTH = 0.92
"""Width of a round opening in distances of the inner corners: beside it the lips touch."""

SPEAKING = (0.02, 0.12)
"""Largest weight of a row at which speech begins, and at which an open smile has given way."""
STILL_ABOVE_CM = 1.5
STILL_FADE_CM = 2.5
"""Height in the canonical face's space above which mouth weights move nothing, halfway from the tip
of the nose to the eyes, and the band below it in which they fade in."""

NECK_PIVOT_CM = np.array([0.0, -9.0, -7.0], np.float32)
"""Where a small head turn pivots, in the canonical face's space: the top of the cervical spine,
about 7 cm behind the lips' plane at the height of the chin."""


@dataclass(frozen=True, slots=True)
class Person:
    """What stays the same in one person's face through all frames."""

    neutral_cm: FloatArray
    """``(478, 3)`` float32: landmarks at rest in the canonical face's space."""
    basis_cm: FloatArray
    """``(26, 478, 3)`` float32: displacement per unit of each of :data:`MOTION_NAMES`."""
    unmix: FloatArray
    """``(26, 3 * len(SPEECH))`` float32: least-squares weights from movements of lips and chin."""

    @property
    def mouth_width_cm(self) -> float:
        """Distance of the mouth's corners at rest."""
        span = self.neutral_cm[61] - self.neutral_cm[291]
        return float(np.linalg.norm(span))

    @property
    def lip_line_cm(self) -> float:
        """Height of the lip line at rest in the canonical face's space."""
        rims = self.neutral_cm[[*UPPER_INNER_LIP, *LOWER_INNER_LIP], 1]
        return float(rims.mean())

    def gaps_cm(self, row: FloatArray) -> FloatArray:
        """Gap of the lips at nine places under a row of mouth weights, ``(9,)``."""
        y = self.neutral_cm[:, 1] + np.tensordot(row, self.basis_cm[:, :, 1], 1)
        return np.asarray(y[list(UPPER_INNER_LIP)] - y[list(LOWER_INNER_LIP)], np.float32)


def fit_person(observations: Sequence[FaceObservation], basis: FaceBasis) -> Person:
    """Learn a person's resting face from some frames.

    The resting mouth is the median over the third of the frames whose lips are closest, since
    people who talk or smile in the source close their lips between words.

    Parameters
    ----------
    observations
        At least one.
    basis
        See :class:`~edgeavatar.rendering.basis.FaceBasis`.
    """
    faces = np.stack([to_face_local(o.landmarks, o.pose) for o in observations])
    gaps = faces[:, UPPER_INNER_LIP, 1].mean(1) - faces[:, LOWER_INNER_LIP, 1].mean(1)
    calm = np.argsort(gaps)[: max(1, math.ceil(len(faces) / 3))]
    neutral = np.median(faces[calm], axis=0).astype(np.float32)
    # The rig's mouth shapes stir the whole face a little; what lies above the nose stays.
    height = neutral[:, 1]
    share = np.clip((STILL_ABOVE_CM - height) / STILL_FADE_CM, 0.0, 1.0)
    table = basis.select(MOTION_NAMES) * (share * share * (3 - 2 * share))[None, :, None]
    table = _smooth_along_lips(table)
    matrix = table[:, SPEECH].reshape(len(MOTION_NAMES), -1).T.astype(np.float64)
    ridge = 0.3 * np.eye(matrix.shape[1])
    unmix = np.linalg.solve(matrix.T @ matrix + ridge, matrix.T).astype(np.float32)
    return Person(neutral, table, unmix)


def _smooth_along_lips(table: FloatArray) -> FloatArray:
    """Smooth displacements ``(k, 478, 3)`` along the inner rims, corners left as they are.

    The rig's rims are read off at landmarks whose places on it are known to a few millimetres;
    neighbours disagree by as much, and a rim that opens shows it as kinks.
    """
    smooth = table.copy()
    first, last = INNER_CORNERS
    for rim in (UPPER_INNER_LIP, LOWER_INNER_LIP):
        line = table[:, [first, *rim, last]]
        smooth[:, list(rim)] = 0.25 * (line[:, :-2] + 2.0 * line[:, 1:-1] + line[:, 2:])
    return smooth


def smoothstep(low: float, high: float, value: float) -> float:
    """Hermite step from 0 at ``low`` to 1 at ``high``."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def mouth_strength(face: FaceObservation) -> float:
    """How far the mouth may be moved in this frame, 0 to 1.

    The landmarks of the far half of a face turned past about 45 degrees are guesses, and so are
    those of a face that the model is not sure of: the source is left as it is there.
    """
    turn = 1.0 - smoothstep(35.0, 50.0, abs(face.pose.yaw_deg))
    nod = 1.0 - smoothstep(28.0, 42.0, abs(face.pose.pitch_deg))
    return turn * nod * smoothstep(0.4, 0.7, face.score)


def source_speech(face: FaceObservation, person: Person) -> tuple[FloatArray, float]:
    """Find out how the source itself moves its mouth in this frame.

    Returns
    -------
    weights : FloatArray
        ``(26,)`` float32; all zero when the lips are within noise of their rest, so that a still
        source is left still.
    certainty : float
        0 when the source is at rest, 1 when it clearly talks, smiles or yawns.
    """
    _, weights, certainty = _source_movement(face, person)
    return np.asarray(weights * np.float32(certainty), np.float32), certainty


def _source_movement(face: FaceObservation, person: Person) -> tuple[FloatArray, FloatArray, float]:
    """Read how far a face is from its rest, ``(478, 3)`` cm, its weights, and their certainty."""
    moved = to_face_local(face.landmarks, face.pose) - person.neutral_cm
    weights = person.unmix @ moved[list(SPEECH)].ravel()
    shown = np.tensordot(weights, person.basis_cm[:, list(LIPS)], 1)
    return moved, weights, smoothstep(0.06, 0.16, float(np.sqrt((shown**2).sum(-1).mean())))


def _leftover(moved: FloatArray, weights: FloatArray, person: Person) -> FloatArray:
    """Give what the source's weights do not explain of its mouth's movement, ``(478, 3)`` cm.

    The rig has no shape for it, so it would stay and a mouth that should be still would move: on
    nine clips that were trained on, the lips of a talker who is given silence trembled by 1.44 px
    at a face height of 256 with it, and by 1.24 without.
    """
    left = moved - np.tensordot(weights, person.basis_cm, 1)
    # A jaw that drops leads the pose astray a little; that is no movement of the mouth.
    left -= left[list(STEADY)].mean(axis=0)
    place = person.neutral_cm[:, :2]
    away = np.linalg.norm(place - place[list(LIPS)].mean(axis=0), axis=1)
    near = np.clip((LEFTOVER_CM[1] - away) / (LEFTOVER_CM[1] - LEFTOVER_CM[0]), 0.0, 1.0)
    below = np.clip((STILL_ABOVE_CM - place[:, 1]) / STILL_FADE_CM, 0.0, 1.0)
    share = near * near * (3.0 - 2.0 * near) * below
    return np.asarray(share[:, None] * left, np.float32)


def lip_closure(row: FloatArray) -> float:
    """How firmly a row asks the lips to be shut, 0 to 1: the pressing that /p b m/ bring along."""
    return smoothstep(0.02, 0.2, 0.5 * float(row[PRESS[0]] + row[PRESS[1]]))


def mouth_displacement(face: FaceObservation, person: Person, row: FloatArray) -> FloatArray:
    """Move lips, jaw and cheeks of one frame to a row of mouth weights.

    Weights are relative to the person's rest, which may be an open smile; where the row presses the
    lips together, they are closed whatever that rest is.

    Parameters
    ----------
    row
        ``(26,)`` float32, order of :data:`~edgeavatar.types.MOTION_NAMES`.

    Returns
    -------
    FloatArray
        ``(478, 2)`` float32 pixels. Lips meet but never cross.
    """
    strength = np.float32(mouth_strength(face))
    own_cm, own, certainty = _source_movement(face, person)
    weights = (row - own * np.float32(certainty)) * strength
    closure = lip_closure(row) * float(strength)
    if not np.abs(weights).max() > 1e-4:
        return np.zeros((478, 2), np.float32)
    moved_cm = np.tensordot(weights, person.basis_cm, 1)
    if certainty > 0:
        moved_cm -= np.float32(certainty * strength) * _leftover(own_cm, own, person)
    moved = _turned(moved_cm, face.pose)
    gap = np.maximum(_lip_gaps(face, moved), 0.0)
    scale = np.float32(face.pose.scale_px)
    # A mouth that the source opened is brought back by the rig's own movements as far as they
    # explain it; the rest of its gap is taken up by the rims.
    asked = np.maximum(person.gaps_cm(row), 0.0) * scale
    wanted = gap + (asked - gap) * np.float32(certainty * strength)
    # Nobody speaks through an open smile: its gap goes as speech comes.
    smile = np.maximum(person.gaps_cm(np.zeros_like(row)), 0.0) * scale
    speaking = smoothstep(*SPEAKING, float(np.abs(row).max())) * float(strength)
    wanted = np.maximum(wanted - np.float32(speaking) * smile, 0.0) * np.float32(1.0 - closure)
    rounding = smoothstep(*ROUNDED, float(row[PUCKER] + row[FUNNEL])) * float(strength)
    wanted += np.float32(rounding) * (_rounded(face, moved, wanted) - wanted)
    # Lips and chin come along; the rims are set exactly.
    shut = person.basis_cm[MOUTH_CLOSE]
    per_unit = float((shut[list(LOWER_INNER_LIP), 1] - shut[list(UPPER_INNER_LIP), 1]).mean())
    moved += _turned(shut * np.float32((gap - wanted).mean() / (scale * per_unit)), face.pose)
    _set_lip_gaps(face, moved, wanted)
    where = face.landmarks[:, :2]
    return unfolded(where, where + moved) - where


def _rounded(face: FaceObservation, moved: FloatArray, gaps: FloatArray) -> FloatArray:
    """Gaps of an opening as large as that of ``gaps``, but round, ``(9,)``.

    The rig's pucker and funnel part the lips as a tent with thin tips; rounded lips leave an oval
    and touch beside it.
    """
    where = face.landmarks[:, :2] + moved
    down = down_axis(face.pose)
    along = np.array([down[1], -down[0]], np.float32)
    first, last = where[list(INNER_CORNERS)] @ along
    middle = 0.5 * (where[list(UPPER_INNER_LIP)] + where[list(LOWER_INNER_LIP)]) @ along
    place = (2.0 * middle - first - last) / (ROUND_WIDTH * max(float(last - first), 1e-3))
    oval = np.sqrt(np.maximum(1.0 - place**2, 0.0))
    return np.asarray(oval * (gaps.mean() / max(float(oval.mean()), 1e-3)), np.float32)


def _turned(offset_cm: FloatArray, pose: HeadPose) -> FloatArray:
    """Displacements in the canonical face's space, ``(n, 3)``, as pixels ``(n, 2)``."""
    turned = offset_cm @ pose.rotation.T * (FLIP * np.float32(pose.scale_px))
    return np.asarray(turned[:, :2], np.float32)


def down_axis(pose: HeadPose) -> FloatArray:
    """Give the unit vector from the forehead to the chin in the picture, ``(2,)``."""
    down = -(pose.rotation[:, 1] * FLIP)[:2]
    return np.asarray(down / max(float(np.hypot(*down)), 1e-6), np.float32)


def _lip_gaps(face: FaceObservation, moved: FloatArray) -> FloatArray:
    """Signed distance in pixels between the moved rims at nine places, ``(9,)``."""
    where = face.landmarks[:, :2] + moved
    apart = where[list(LOWER_INNER_LIP)] - where[list(UPPER_INNER_LIP)]
    return np.asarray(apart @ down_axis(face.pose), np.float32)


def _set_lip_gaps(face: FaceObservation, moved: FloatArray, wanted_px: FloatArray) -> None:
    """Move both rims alike until their gaps are the wanted ones (changes ``moved``)."""
    excess = _lip_gaps(face, moved) - wanted_px
    shift = 0.5 * excess[:, None] * down_axis(face.pose)[None, :]
    where = face.landmarks[:, :2] + moved
    moved += lip_displacement(where, shift, -shift)


def lip_displacement(where: FloatArray, upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Spread a movement of the inner rims over the lips: their outer rims stay.

    The rows of a lip lie so near to its rim that a rim which moved alone would pass them, and what
    it borders on would be seen on both sides of it.

    Parameters
    ----------
    where
        ``(n, 2)`` float32 px, landmarks first.
    upper, lower
        ``(9, 2)`` float32 px: how far the rims go.

    Returns
    -------
    FloatArray
        ``(n, 2)`` float32 px.
    """
    moved = np.zeros((len(where), 2), np.float32)
    for rows, shift in ((UPPER_LIP_ROWS, upper), (LOWER_LIP_ROWS, lower)):
        inner, outer = where[list(rows[0])], where[list(rows[-1])]
        across = outer - inner
        whole = np.maximum((across**2).sum(1), 1e-6)
        for row in rows[:-1]:
            passed = ((where[list(row)] - inner) * across).sum(1) / whole
            moved[list(row)] = (1.0 - np.clip(passed, 0.0, 1.0))[:, None] * shift
    return moved


def sway_pose(face: FaceObservation, idle: IdlePose) -> HeadPose:
    """Pose of the head after it turned by ``idle`` about the top of the neck."""
    pose = face.pose
    turn = rotation_of(idle.yaw_deg, idle.pitch_deg, idle.roll_deg)
    rotation = (pose.rotation @ turn).astype(np.float32)
    kept_cm = pose.rotation @ (NECK_PIVOT_CM - turn @ NECK_PIVOT_CM)
    shift = np.array([idle.shift_x, idle.shift_y, 0.0], np.float32) * face_height_px(face)
    translation = pose.translation_px + np.float32(pose.scale_px) * kept_cm * FLIP + shift
    return HeadPose(
        rotation=rotation,
        translation_px=translation.astype(np.float32),
        scale_px=pose.scale_px,
        yaw_deg=pose.yaw_deg + idle.yaw_deg,
        pitch_deg=pose.pitch_deg + idle.pitch_deg,
        roll_deg=pose.roll_deg + idle.roll_deg,
    )


def head_displacement(points_px: FloatArray, pose: HeadPose, swayed: HeadPose) -> FloatArray:
    """Displacement of points fixed to a head that went from one pose to another.

    Parameters
    ----------
    points_px
        ``(n, 3)`` float32.

    Returns
    -------
    FloatArray
        ``(n, 2)`` float32 pixels.
    """
    return np.asarray(to_picture(to_face_local(points_px, pose), swayed)[:, :2] - points_px[:, :2])


def blink_displacement(face: FaceObservation, idle: IdlePose) -> FloatArray:
    """Displacement of the landmarks that shuts the lids and lifts the brows.

    The upper lid travels nearly all the way (Evinger et al. 1991: the lower lid moves by a
    millimetre and mostly towards the nose).
    """
    moved = np.zeros((478, 2), np.float32)
    where = face.landmarks[:, :2]
    if idle.blink > 0:
        for upper, lower, fold in zip(UPPER_LIDS, LOWER_LIDS, LID_FOLDS, strict=True):
            opening = where[list(lower)] - where[list(upper)]
            moved[list(upper)] += np.float32(0.92 * idle.blink) * opening
            moved[list(lower)] -= np.float32(0.08 * idle.blink) * opening
            moved[list(fold)] += np.float32(0.45 * idle.blink) * opening
    if idle.brow_up > 0:
        up = (face.pose.rotation[:, 1] * FLIP)[:2] * np.float32(face.pose.scale_px)
        moved[list(BROWS)] += np.float32(0.35 * idle.brow_up) * up
    return moved


def face_height_px(face: FaceObservation) -> float:
    """Distance from the top of the forehead to the chin."""
    return float(np.linalg.norm(face.landmarks[10, :2] - face.landmarks[152, :2]))
