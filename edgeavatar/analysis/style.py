"""How a face behaves, and the colour of the light on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeavatar.types import BLENDSHAPE_NAMES

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

SMILING: Final = 0.4
"""Mean weight of both mouth corners from which it is a smile."""
EXPRESSIVE: Final = (
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekSquintLeft", "cheekSquintRight", "eyeSquintLeft", "eyeSquintRight"),
    *("eyeWideLeft", "eyeWideRight", "noseSneerLeft", "noseSneerRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
)
"""Weights that speech hardly moves."""
_COLUMNS: Final = [BLENDSHAPE_NAMES.index(name) for name in EXPRESSIVE]
_SMILE: Final = [BLENDSHAPE_NAMES.index(f"mouthSmile{side}") for side in ("Left", "Right")]
_BLINK: Final = [BLENDSHAPE_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
_LEAST_ROWS: Final = 25


def smile_of(blendshapes: FloatArray) -> float:
    """Mean of both mouth corners' weights, of one row of 52."""
    return float(blendshapes[_SMILE].mean())


def blink_of(blendshapes: FloatArray) -> float:
    """Mean of both eyes' weights, of one row of 52."""
    return float(blendshapes[_BLINK].mean())


def expressiveness(blendshapes: npt.NDArray[Any]) -> float | None:
    """How much a face moves apart from speech.

    The ranges, from the 5 % to the 95 % percentile, of the 17 weights of :data:`EXPRESSIVE`, as a
    root mean square. 0 is a mask; 1 would be every muscle from rest to its utmost.

    Parameters
    ----------
    blendshapes
        ``(n, 52)`` in [0, 1].

    Returns
    -------
    float or None
        None for fewer than 25 rows.
    """
    if len(blendshapes) < _LEAST_ROWS:
        return None
    low, high = np.percentile(blendshapes[:, _COLUMNS].astype(np.float32), (5, 95), axis=0)
    return float(np.sqrt(np.mean((high - low) ** 2)))


def articulation_range(aperture: npt.NDArray[Any], speaking: npt.NDArray[np.bool_]) -> float | None:
    """90th less 10th percentile of the lip gap while there is speech; None below 25 such rows.

    Parameters
    ----------
    aperture
        ``(n,)`` inner-lip gap over face height.
    speaking
        ``(n,)``.
    """
    spoken = aperture[speaking & ~np.isnan(aperture)]
    if len(spoken) < _LEAST_ROWS:
        return None
    low, high = np.percentile(spoken, (10, 90))
    return float(high - low)
