"""What a turned head hides of itself goes with what is seen in front of it.

The mesh goes on behind the far cheek, and its border, where the surroundings begin, lies there
within the picture of the face. Hidden landmarks move in their own way as well; were the picture
moved by them, the cheek would part from the background that borders on it, and slivers of one would
be seen in the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.rendering.geometry import face_height_px
from edgeavatar.rendering.mesh import FACE_OVAL

if TYPE_CHECKING:
    from edgeavatar.types import FaceObservation, FloatArray, HeadPose

FACING = (-0.2, 0.0)
"""Share of a landmark's normal towards the viewer at which it counts as hidden, and as seen. Of a
face that looks at the camera hardly anything is hidden."""
BESIDE, OUTERMOST = 0.025, 0.008
"""In face heights: how near to a ray landmarks belong to the outline there, and how much further
out than others they have to be."""
NEAR = 0.015
"""Distance in face heights over which landmarks that are seen are taken together. Over .04, a
contour moves less than the cheek at it."""


def hidden_share(outwards: FloatArray, pose: HeadPose) -> FloatArray:
    """Tell how much of each landmark a head hides itself, ``(n,)``, 0 to 1.

    Parameters
    ----------
    outwards
        ``(n, 3)``: normals in the canonical face's space, see
        :func:`~edgeavatar.rendering.shapes.smooth_normals`; zero counts as seen.
    pose
        Of the head.
    """
    low, high = FACING
    seen = np.clip((outwards @ pose.rotation[2] - low) / (high - low), 0.0, 1.0)
    return np.asarray(1.0 - seen * seen * (3.0 - 2.0 * seen), np.float32)


def on_outline(face: FaceObservation, hidden: FloatArray) -> FloatArray:
    """Put the hidden border of the mesh where the outline of the face is.

    Parameters
    ----------
    face
        The face.
    hidden
        ``(478,)`` from :func:`hidden_share`.

    Returns
    -------
    FloatArray
        ``(478, 3)`` px, a copy.
    """
    out = face.landmarks.copy()
    oval = np.array([place for place in FACE_OVAL if hidden[place] > 0], np.intp)
    if not len(oval):
        return out
    centre = out[list(FACE_OVAL), :2].mean(0)
    away = out[:, :2] - centre
    own = np.linalg.norm(away[oval], axis=1, keepdims=True)
    rays = away[oval] / np.maximum(own, 1e-6)
    along = rays @ away.T
    beside = rays @ (away[:, ::-1] * np.array([1.0, -1.0], np.float32)).T
    height = np.float32(face_height_px(face))
    # Of the landmarks near a ray the outermost count; taken together, so that none jumps in.
    weight = np.exp(-0.5 * (beside / (BESIDE * height)) ** 2) * (along > 0)
    weight *= np.expm1(np.clip((along - own) / (OUTERMOST * height), 0.0, 20.0))
    total = weight.sum(1, keepdims=True)
    weight /= np.maximum(total, 1e-9)
    grown = np.concatenate(
        [
            centre + (weight * along).sum(1, keepdims=True) * rays,
            (weight @ out[:, 2])[:, None],
        ],
        axis=1,
    )
    out[oval] += hidden[oval, None] * (total / (1.0 + total)) * (grown - out[oval])
    return out


def with_the_seen(moved: FloatArray, face: FaceObservation, hidden: FloatArray) -> FloatArray:
    """Let hidden landmarks go where the nearest ones that are seen go.

    Parameters
    ----------
    moved
        ``(478, 2)`` px.
    face
        The face that is moved.
    hidden
        ``(478,)`` from :func:`hidden_share`.

    Returns
    -------
    FloatArray
        ``(478, 2)`` px, a copy.
    """
    out = moved.copy()
    behind = np.flatnonzero(hidden)
    if not len(behind):
        return out
    where = face.landmarks[:, :2]
    apart = where[behind, None] - where[None]
    fit = -0.5 * (apart**2).sum(-1) / np.float32(NEAR * face_height_px(face)) ** 2
    fit = fit + np.log(np.maximum(1.0 - hidden, 1e-9))
    # What is far behind has nobody near; the nearest counts then.
    weights = np.exp(fit - fit.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    out[behind] += hidden[behind, None] * (weights @ moved - moved[behind])
    return out
