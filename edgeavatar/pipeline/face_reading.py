"""From what the face model saw to one row of the table of faces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeavatar.analysis.framing import CROWN_ABOVE
from edgeavatar.analysis.gaze import EyePoints, gaze_in_head
from edgeavatar.analysis.style import blink_of, smile_of
from edgeavatar.face.measures import face_height, inner_lip_gap
from edgeavatar.face.topology import (
    CHIN,
    FACE_TOP,
    LEFT_EYE_INNER,
    LEFT_EYE_LOWER,
    LEFT_EYE_OUTER,
    LEFT_EYE_UPPER,
    LEFT_IRIS_CENTRE,
    MESH_COUNT,
    RIGHT_EYE_INNER,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_OUTER,
    RIGHT_EYE_UPPER,
    RIGHT_IRIS_CENTRE,
)
from edgeavatar.pose import to_face_local

if TYPE_CHECKING:
    from edgeavatar.types import FaceObservation, FloatArray

_EYES = (
    (RIGHT_EYE_OUTER, RIGHT_EYE_INNER, RIGHT_IRIS_CENTRE, RIGHT_EYE_UPPER, RIGHT_EYE_LOWER),
    (LEFT_EYE_OUTER, LEFT_EYE_INNER, LEFT_IRIS_CENTRE, LEFT_EYE_UPPER, LEFT_EYE_LOWER),
)
_MIDDLE = slice(3, 6)
"""Places of a lid's edge, from corner to corner, where it is highest."""


def face_row(face: FaceObservation) -> dict[str, Any]:
    """Give the columns that follow from the mesh alone, by name.

    See :attr:`edgeavatar.analysis.results.Analysis.faces_by_frame`.
    """
    points = face.landmarks
    low, high = points[:MESH_COUNT, :2].min(axis=0), points[:MESH_COUNT, :2].max(axis=0)
    corners = [index for outer, inner, *_ in _EYES for index in (outer, inner)]
    eyes = points[corners, :2].mean(axis=0)
    up = points[FACE_TOP, :2] - points[CHIN, :2]
    eye_points = eyes_of(face)
    gaze_x, gaze_y = gaze_in_head(eye_points)
    return {
        "score": face.score,
        "left": low[0],
        "top": low[1],
        "right": high[0],
        "bottom": high[1],
        "yaw_deg": face.pose.yaw_deg,
        "pitch_deg": face.pose.pitch_deg,
        "roll_deg": face.pose.roll_deg,
        "height_px": face_height(points),
        "eyes_x": eyes[0],
        "eyes_y": eyes[1],
        "crown_y": points[FACE_TOP, 1] + CROWN_ABOVE * up[1],
        "aperture": inner_lip_gap(points),
        "smile": smile_of(face.blendshapes),
        "blink": blink_of(face.blendshapes),
        "gaze_x": gaze_x,
        "gaze_y": gaze_y,
        "blendshapes": face.blendshapes,
    }


def eyes_of(face: FaceObservation) -> tuple[EyePoints, EyePoints]:
    """Both eyes in face-local space, the person's right one first."""
    local = to_face_local(face.landmarks, face.pose)
    right, left = (_eye(local, *indices) for indices in _EYES)
    return right, left


def box_of(row: dict[str, Any]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a row."""
    return tuple(float(row[side]) for side in ("left", "top", "right", "bottom"))  # type: ignore[return-value]


def _eye(
    local: FloatArray,
    outer: int,
    inner: int,
    iris: int,
    upper: tuple[int, ...],
    lower: tuple[int, ...],
) -> EyePoints:
    gaps = local[list(upper[_MIDDLE]), :2] - local[list(lower[_MIDDLE]), :2]
    width = math.dist(local[outer, :2], local[inner, :2])
    return EyePoints(
        outer=local[outer],
        inner=local[inner],
        iris=local[iris],
        opening=float(np.linalg.norm(gaps, axis=1).mean()) / max(width, 1e-6),
    )
