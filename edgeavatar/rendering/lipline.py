"""Where the closed lips really meet.

The face model places the inner rims of closed lips a few pixels beside the dark line between them.
A warp that opens the mouth there would tear a strip off one lip and hang it on the other, so the
line is looked up in the picture: a dark valley that runs from corner to corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.rendering.geometry import (
    LOWER_INNER_LIP,
    UPPER_INNER_LIP,
    down_axis,
    face_height_px,
    smoothstep,
)

if TYPE_CHECKING:
    from edgeavatar.types import FaceObservation, FloatArray, Frame

REACH = 0.04
"""How far from the model's line the valley is sought, in face heights: less than half a lip."""
CLOSED_GAP = 0.008
OPEN_GAP = 0.018
"""Gaps between the rims, in face heights, at which lips count as closed and as clearly open. The
model sees the rims of open lips well, so the correction fades between the two."""


def lip_line_offsets(frame: Frame, face: FaceObservation) -> FloatArray | None:
    """Distance from the model's inner lip line to the dark line between closed lips.

    Parameters
    ----------
    frame
        The picture.
    face
        The face in it.

    Returns
    -------
    FloatArray or None
        ``(9,)`` float32 in face heights, positive towards the chin, one for each pair of
        :data:`~edgeavatar.rendering.geometry.UPPER_INNER_LIP`; None when the lips are apart.
    """
    height = face_height_px(face)
    if closedness(face) < 0.5 or height < 48:
        return None
    down, along = _mouth_axes(face)
    upper = face.landmarks[list(UPPER_INNER_LIP), :2]
    lower = face.landmarks[list(LOWER_INNER_LIP), :2]
    middle = 0.5 * (upper + lower)
    reach = np.linspace(-REACH, REACH, 65, dtype=np.float32)
    across = np.linspace(-0.012, 0.012, 5, dtype=np.float32)
    where = (
        middle[:, None, None, :]
        + height * reach[None, :, None, None] * down
        + height * across[None, None, :, None] * along
    )
    profile = _luma_at(frame, where.reshape(-1, 2)).reshape(where.shape[:3]).mean(2)
    depth = _valley(profile, reach)
    cost = depth + 12.0 * (reach / REACH)[None, :] ** 2
    best = cost.argmin(1)
    offset = reach[best]
    weight = np.maximum(-depth[np.arange(len(best)), best], 0.0)
    if weight.sum() < 1.0:
        return None
    # A lip line is a smooth curve: a parabola over the nine places, trusting the dark ones.
    place = np.linspace(-1.0, 1.0, len(offset))
    design = np.stack([np.ones_like(place), place, place**2], 1) * np.sqrt(weight)[:, None]
    ridge = np.diag([0.0, 1.0, 1.0]) * 0.02 * weight.sum()
    normal = design.T @ design + ridge
    fit = np.linalg.solve(normal, design.T @ (offset * np.sqrt(weight)))
    smooth = np.stack([np.ones_like(place), place, place**2], 1) @ fit
    mixed = np.clip(offset, smooth - 0.006, smooth + 0.006)
    return np.asarray(np.clip(mixed, -REACH, REACH), np.float32)


def closedness(face: FaceObservation) -> float:
    """1 when the lips touch, 0 when they are clearly apart."""
    return 1.0 - smoothstep(CLOSED_GAP, OPEN_GAP, lip_gap(face))


def lip_gap(face: FaceObservation) -> float:
    """Distance between the inner rims of the lips in face heights."""
    upper = face.landmarks[list(UPPER_INNER_LIP), :2].mean(0)
    lower = face.landmarks[list(LOWER_INNER_LIP), :2].mean(0)
    return float(np.linalg.norm(lower - upper)) / max(face_height_px(face), 1e-6)


def move_lip_line(face: FaceObservation, offsets: FloatArray) -> FloatArray:
    """Landmarks with both inner rims on the line that the picture shows.

    Parameters
    ----------
    face
        As seen by the model.
    offsets
        ``(9,)`` float32 from :func:`lip_line_offsets`.

    Returns
    -------
    FloatArray
        ``(478, 3)`` float32 pixels, a copy.
    """
    landmarks = face.landmarks.copy()
    weight = closedness(face)
    if weight <= 0:
        return landmarks
    down, _ = _mouth_axes(face)
    upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    shift = offsets[:, None] * np.float32(face_height_px(face)) * down[None, :]
    line = 0.5 * (landmarks[upper, :2] + landmarks[lower, :2]) + shift
    landmarks[upper, :2] += np.float32(weight) * (line - landmarks[upper, :2])
    landmarks[lower, :2] += np.float32(weight) * (line - landmarks[lower, :2])
    return landmarks


def _mouth_axes(face: FaceObservation) -> tuple[FloatArray, FloatArray]:
    """Give unit vectors to the chin and, along the mouth, to the picture's right."""
    down = down_axis(face.pose)
    return down, np.array([down[1], -down[0]], np.float32)


def _valley(profile: FloatArray, reach: FloatArray) -> FloatArray:
    """How much darker each place is than the lips on both sides of it (negative: darker)."""
    step = float(reach[1] - reach[0])
    width = max(1, round(0.012 / step))
    padded = np.pad(profile, ((0, 0), (width, width)), mode="edge")
    sides = np.minimum(padded[:, : -2 * width], padded[:, 2 * width :])
    return np.asarray(profile - sides, np.float32)


def _luma_at(frame: Frame, points: FloatArray) -> FloatArray:
    """Bilinear luma at ``(n, 2)`` pixels, border repeated."""
    x = np.clip(points[:, 0], 0, frame.width - 1.001)
    y = np.clip(points[:, 1], 0, frame.height - 1.001)
    j, i = x.astype(int), y.astype(int)
    fx, fy = x - j, y - i
    p = frame.y
    top = p[i, j] * (1 - fx) + p[i, j + 1] * fx
    bottom = p[i + 1, j] * (1 - fx) + p[i + 1, j + 1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy, np.float32)
