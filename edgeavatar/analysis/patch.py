"""A face cut out of a picture, and which of its pixels are skin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FaceObservation, FloatArray

    Mask = npt.NDArray[np.bool_]

_OVAL: Final = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288),
    *(397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136),
    *(172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_MOUTH: Final = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    *(375, 321, 405, 314, 17, 84, 181, 91, 146),
)
_EYES: Final = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_BROWS: Final = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
"""Rings of the MediaPipe face mesh."""
_BEYOND: Final = 0.04
"""Face heights by which eyes, brows and lips reach beyond their rings: lashes, a lid's shadow."""
_ENOUGH_PX: Final = 150
"""Height of a face that is enough to tell light and colours by."""
_INWARD: Final = 0.06
"""Face heights by which skin ends inside the oval: beyond are hair, ears and collar."""


@dataclass(frozen=True, slots=True)
class FacePatch:
    """The part of a picture that holds a face, in the picture's own pixels."""

    bgr: ByteArray
    """``(h, w, 3)`` uint8."""
    luma: ByteArray
    """``(h, w)`` uint8, full range, BT.601 weights."""
    origin: tuple[int, int]
    """Column and row of the picture where it begins."""
    points: FloatArray
    """``(478, 2)`` float32 landmarks in pixels of the patch."""
    height_px: float
    """From hairline to chin."""
    step: int
    """Every so many pixels is enough to tell light and colours by."""
    skin: Mask
    """Of every ``step``-th pixel: the face without its border, eyes, brows and mouth."""
    inside: float
    """Share of the face that lies in the picture, 0 to 1."""


def face_height(face: FaceObservation) -> float:
    """Distance from hairline (10) to chin (152), turned heads as they are seen, in pixels."""
    return float(np.linalg.norm(face.landmarks[10, :2] - face.landmarks[152, :2]))


def cut_face(bgr: ByteArray, face: FaceObservation) -> FacePatch | None:
    """Cut a face out of a picture.

    Parameters
    ----------
    bgr
        ``(H, W, 3)`` uint8.
    face
        A face in it.

    Returns
    -------
    FacePatch or None
        None if less than a few pixels of it are in the picture.
    """
    height, width = bgr.shape[:2]
    points = face.landmarks[:, :2]
    (left, top), (right, bottom) = points.min(0), points.max(0)
    x0, y0 = max(0, math.floor(left)), max(0, math.floor(top))
    x1, y1 = min(width, math.ceil(right) + 1), min(height, math.ceil(bottom) + 1)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return None
    patch = np.ascontiguousarray(bgr[y0:y1, x0:x1])
    own = np.asarray(points - np.array([x0, y0]), np.float32)
    size = face_height(face)
    step = max(1, int(size / _ENOUGH_PX))
    whole = max(1.0, float((right - left) * (bottom - top)))
    return FacePatch(
        bgr=patch,
        luma=np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY), np.uint8),
        origin=(x0, y0),
        points=own,
        height_px=size,
        step=step,
        skin=_skin(
            np.asarray(own / step, np.float32), size / step, patch[::step, ::step].shape[:2]
        ),
        inside=min(1.0, (x1 - x0) * (y1 - y0) / whole),
    )


def eye_rings(points: FloatArray) -> list[FloatArray]:
    """Rings of both eyes, each ``(16, 2)``, the person's right one first."""
    return [np.asarray(points[list(ring)], np.float32) for ring in _EYES]


def filled(ring: FloatArray, shape: tuple[int, int]) -> Mask:
    """Pixels inside a ring ``(n, 2)``, as ``shape`` bool."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(ring).astype(np.int32)], 1)
    return mask > 0


def _skin(points: FloatArray, size: float, shape: tuple[int, int]) -> Mask:
    oval = np.asarray(points[list(_OVAL)], np.float32)
    middle = oval.mean(0)
    skin = filled(middle + (oval - middle) * (1.0 - 2.0 * _INWARD), shape)
    for ring in (_MOUTH, *_EYES, *_BROWS):
        hole = np.asarray(points[list(ring)], np.float32)
        away = hole - hole.mean(0)
        far = np.maximum(1e-3, np.linalg.norm(away, axis=1, keepdims=True))
        skin &= ~filled(hole + away / far * (_BEYOND * size), shape)
    return skin
