"""How far a row of weights parts the lips.

The rig is linear, so the gap between the inner lips is a weighted sum. The coefficients are those
of ``models/face_basis.npz`` (derived from ICT-FaceKit, MIT, © 2020 USC Institute for Creative
Technologies): vertical movement of landmark 13, the middle of the upper inner lip, less that of
landmark 14 below it, in units of the face height, 17.7 cm in the MediaPipe canonical face. They
are written out here because the motion stage needs nothing else of the basis; a test holds the
two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.types import MOTION_NAMES

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

GAP_PER_WEIGHT: dict[str, float] = {
    "jawOpen": 0.1809,
    "jawForward": 0.0089,
    "mouthClose": -0.2136,
    "mouthFunnel": 0.0707,
    "mouthPucker": -0.0031,
    "mouthRollLower": -0.0174,
    "mouthRollUpper": 0.0178,
    "mouthShrugLower": -0.0378,
    "mouthShrugUpper": 0.0276,
    "mouthLowerDownLeft": 0.0189,
    "mouthLowerDownRight": 0.0189,
    "mouthUpperUpLeft": 0.0194,
    "mouthUpperUpRight": 0.0194,
    "mouthSmileLeft": 0.0003,
    "mouthSmileRight": 0.0003,
    "mouthStretchLeft": -0.0011,
    "mouthStretchRight": -0.0011,
    "mouthDimpleLeft": -0.0014,
    "mouthDimpleRight": -0.0014,
    "mouthPressLeft": -0.0066,
    "mouthPressRight": -0.0066,
    "mouthFrownLeft": -0.0008,
    "mouthFrownRight": -0.0008,
    "cheekPuff": -0.0017,
}
"""Change of the inner-lip gap by a whole weight, in face heights; names not listed do nothing."""

_GAP = np.array([GAP_PER_WEIGHT.get(name, 0.0) for name in MOTION_NAMES])


def signed_aperture(rows: FloatArray) -> FloatArray:
    """Inner-lip gap that rows of weights ask for, below zero where lips press on each other.

    Parameters
    ----------
    rows : numpy.ndarray
        ``(..., 26)`` weights in the order of :data:`~edgeavatar.types.MOTION_NAMES`.

    Returns
    -------
    numpy.ndarray
        ``(...)`` float32, in face heights, relative to the lips at rest.

    Raises
    ------
    UsageError
        If the last axis does not hold one weight for each name.
    """
    weights = np.asarray(rows, np.float64)
    if weights.ndim == 0 or weights.shape[-1] != len(MOTION_NAMES):
        raise UsageError(
            f"expected motion rows of {len(MOTION_NAMES)} weights, found shape {weights.shape}"
        )
    return np.asarray((weights * _GAP).sum(axis=-1), np.float32)


def lip_aperture(rows: FloatArray) -> FloatArray:
    """Inner-lip gap that rows of weights show: :func:`signed_aperture`, not below zero.

    Parameters
    ----------
    rows : numpy.ndarray
        ``(..., 26)`` weights in the order of :data:`~edgeavatar.types.MOTION_NAMES`.

    Returns
    -------
    numpy.ndarray
        ``(...)`` float32 >= 0, in face heights; 0 is the lips at rest or closed.
    """
    return np.maximum(signed_aperture(rows), np.float32(0.0))
