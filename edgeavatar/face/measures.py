"""Distances on the face mesh that benchmarks and tests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from edgeavatar.face.topology import CHIN, FACE_TOP, LIPS

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

_INNER_LIP_PAIRS: Final = ((13, 14), (82, 87), (312, 317))
"""Upper and lower point at the middle of the mouth opening and beside it."""


def lip_landmark_indices() -> npt.NDArray[np.intp]:
    """Give the indices of the 80 landmarks of the lips, ascending."""
    return np.array(LIPS, dtype=np.intp)


def face_height(landmarks: FloatArray) -> float:
    """Distance from the top of the forehead (10) to the chin (152) in the picture, in pixels.

    Parameters
    ----------
    landmarks
        ``(478, 3)`` or ``(478, 2)`` in pixels.
    """
    return float(np.linalg.norm(landmarks[FACE_TOP, :2] - landmarks[CHIN, :2]))


def inner_lip_gap(landmarks: FloatArray) -> float:
    """Mean opening of the inner lips along the face's own axis, over the face height.

    Positive when the lips are apart; slightly negative values mean that the mesh's lips overlap.

    Parameters
    ----------
    landmarks
        ``(478, 3)`` or ``(478, 2)`` in pixels.
    """
    points = landmarks[:, :2].astype(np.float64)
    down = points[CHIN] - points[FACE_TOP]
    height = np.linalg.norm(down)
    gaps = [(points[lower] - points[upper]) @ down / height for upper, lower in _INNER_LIP_PAIRS]
    return float(np.mean(gaps) / height)


def jitter(
    landmarks: Sequence[FloatArray] | npt.NDArray[np.float32],
    indices: Sequence[int] | npt.NDArray[np.intp] | None = None,
) -> float:
    """Root mean square of the second difference of landmarks in time.

    Parameters
    ----------
    landmarks
        ``(n >= 3, 478, 3)`` in pixels, of consecutive frames.
    indices
        Landmarks that count; the lips by default.

    Returns
    -------
    float
        Length of ``x[t - 1] - 2 x[t] + x[t + 1]`` in the picture, in pixels at face height 256.

    Raises
    ------
    ValueError
        There are fewer than three frames.
    """
    stack = np.asarray(landmarks, np.float64)
    if len(stack) < 3:
        msg = f"expected at least 3 frames, found {len(stack)}"
        raise ValueError(msg)
    chosen = lip_landmark_indices() if indices is None else np.asarray(indices)
    scale = 256.0 / np.mean([face_height(frame.astype(np.float32)) for frame in stack])
    second = np.diff(stack[:, chosen, :2], n=2, axis=0)
    return float(scale * np.sqrt(np.mean(np.sum(second**2, axis=-1))))
