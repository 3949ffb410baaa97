"""Where eyes look, and when they blink, from the irises and lids of the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeavatar.pose import rotation_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

EYEBALL_OVER_WIDTH: Final = 0.36
"""Distance from the middle of rotation to the iris over the distance of the eye's corners. The
middle of rotation is 13.5 mm behind the cornea (Fry & Hill 1962), the pupil's plane 3 mm behind it;
the corners are 30 mm apart (Farkas 1994). With it, of 214 photos of people who look at the camera,
eyes turn back by .98 degrees for each degree that the head turns aside."""
ABOVE_DEG: Final = 13.3
"""By how much the iris is above the line of the corners when one looks straight ahead: mean of 51
people who look at the camera (Face Research Lab London Set)."""
AT_CAMERA_DEG: Final = 12.0
"""Angle between gaze and the way to the camera up to which one looks at it: holds for 98% of the
photos of 51 other people who do. The error is 1.6 degrees sideways and 4.6 up and down (standard
deviations), so a look at notes beside the camera is told from 15 degrees on."""
LEAST_OPEN: Final = 0.12
"""Lid gap over eye width below which the iris says nothing."""


@dataclass(frozen=True, slots=True)
class EyePoints:
    """One eye in face-local space."""

    outer: FloatArray
    inner: FloatArray
    iris: FloatArray
    """``(3,)`` each, in centimetres."""
    opening: float
    """Gap of the lids over the distance of the corners."""


def gaze_in_head(eyes: tuple[EyePoints, EyePoints]) -> tuple[float, float]:
    """Tell where eyes look, seen from the head.

    The iris moves on a ball whose middle lies behind the middle of the corners. The mean of both
    eyes is taken; an eye that is shut does not count.

    Returns
    -------
    tuple[float, float]
        Degrees to the picture's right and up, 0 straight ahead; NaN where both eyes are shut.
    """
    seen = [_turn(eye) for eye in eyes if eye.opening >= LEAST_OPEN]
    if not seen:
        return float("nan"), float("nan")
    right, up = np.mean(seen, axis=0)
    return float(right), float(up) - ABOVE_DEG


def _turn(eye: EyePoints) -> tuple[float, float]:
    middle = (eye.outer + eye.inner) / 2
    width = float(np.linalg.norm((eye.outer - eye.inner)[:2]))
    right, up = (eye.iris - middle)[:2] / (EYEBALL_OVER_WIDTH * max(width, 1e-6))
    return _degrees(float(right)), _degrees(float(up))


def _degrees(sine: float) -> float:
    return float(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))


def off_camera_deg(
    gaze_x: npt.NDArray[Any],
    gaze_y: npt.NDArray[Any],
    yaw_deg: npt.NDArray[Any],
    pitch_deg: npt.NDArray[Any],
    roll_deg: npt.NDArray[Any],
) -> npt.NDArray[np.float64]:
    """Angle between gaze and the way to the camera.

    Parameters
    ----------
    gaze_x, gaze_y
        As :func:`gaze_in_head` gives them, ``(n,)`` each.
    yaw_deg, pitch_deg, roll_deg
        The head, as in :class:`edgeavatar.types.HeadPose`.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` degrees from 0; NaN where the gaze is not known.
    """
    right, up = np.radians(gaze_x), np.radians(gaze_y)
    ahead = np.stack([np.sin(right) * np.cos(up), np.sin(up), np.cos(right) * np.cos(up)], axis=-1)
    turned = [
        float((rotation_of(yaw, pitch, roll) @ look)[2])
        for yaw, pitch, roll, look in zip(yaw_deg, pitch_deg, roll_deg, ahead, strict=True)
    ]
    return np.asarray(np.degrees(np.arccos(np.clip(turned, -1.0, 1.0))), np.float64)
