"""How far a row of weights parts the lips.

The rig is linear, so the gap between the inner lips is a weighted sum. The coefficients were read
off ICT-FaceKit (MIT, © 2020 USC Institute for Creative Technologies): vertical distance of the
mid inner-lip landmarks 62 and 66 under each expression delta, in units of the face height, which
is taken as 17.7 / 8.9 of the distance between the outer eye corners (the proportions of the
MediaPipe canonical face, forehead top to chin).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.types import MOTION_NAMES

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

GAP_PER_WEIGHT: dict[str, float] = {
    "jawOpen": 0.185,
    "jawForward": 0.007,
    "mouthClose": -0.220,
    "mouthFunnel": 0.077,
    "mouthPucker": -0.003,
    "mouthRollLower": -0.021,
    "mouthRollUpper": 0.010,
    "mouthShrugLower": -0.039,
    "mouthShrugUpper": 0.030,
    "mouthLowerDownLeft": 0.019,
    "mouthLowerDownRight": 0.019,
    "mouthUpperUpLeft": 0.020,
    "mouthUpperUpRight": 0.020,
    "mouthStretchLeft": -0.001,
    "mouthStretchRight": -0.001,
    "mouthDimpleLeft": -0.002,
    "mouthDimpleRight": -0.002,
    "mouthPressLeft": -0.007,
    "mouthPressRight": -0.007,
    "mouthFrownLeft": -0.001,
    "mouthFrownRight": -0.001,
    "cheekPuff": -0.002,
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
