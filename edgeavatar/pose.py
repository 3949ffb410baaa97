"""Between face-local space and the picture, and between rotations and angles.

Face-local space and the signs of all angles are those of :class:`~edgeavatar.types.HeadPose`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray, HeadPose

FLIP: Final = np.array([1.0, -1.0, -1.0])
"""Face-local axes to picture axes: y downwards, z away from the viewer."""


def angles_deg(rotation: npt.NDArray[Any]) -> tuple[float, float, float]:
    """Split a rotation into yaw, pitch and roll in degrees, signs as in :class:`HeadPose`.

    ``R = Ry(yaw) @ Rx(-pitch) @ Rz(-roll)`` with right-handed elementary rotations.
    """
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(rotation[1, 2], -1.0, 1.0))
    roll = np.arctan2(-rotation[1, 0], rotation[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def rotation_of(yaw_deg: float, pitch_deg: float, roll_deg: float) -> FloatArray:
    """Build the rotation that :func:`angles_deg` splits.

    Returns
    -------
    numpy.ndarray
        ``(3, 3)`` float32.
    """
    yaw, pitch, roll = np.radians([yaw_deg, -pitch_deg, -roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    about_z = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    rotation: FloatArray = (about_y @ about_x @ about_z).astype(np.float32)
    return rotation


def to_picture(points: npt.NDArray[Any], pose: HeadPose) -> FloatArray:
    """Take face-local points to the picture.

    Parameters
    ----------
    points
        ``(n, 3)`` in centimetres.
    pose
        The head's pose.

    Returns
    -------
    numpy.ndarray
        ``(n, 3)`` float32 in pixels.
    """
    turned = points @ pose.rotation.T * pose.scale_px * FLIP
    placed: FloatArray = (turned + pose.translation_px).astype(np.float32)
    return placed


def to_face_local(landmarks: npt.NDArray[Any], pose: HeadPose) -> FloatArray:
    """Take points of the picture to face-local space; the inverse of :func:`to_picture`.

    Parameters
    ----------
    landmarks
        ``(n, 3)`` in pixels.
    pose
        The head's pose.

    Returns
    -------
    numpy.ndarray
        ``(n, 3)`` float32 in centimetres.
    """
    upright = (landmarks - pose.translation_px) * FLIP / pose.scale_px
    local: FloatArray = (upright @ pose.rotation).astype(np.float32)
    return local
