"""How soft a camera's picture is, so that what is drawn into it is no sharper."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar.rendering.geometry import LIPS, face_height_px

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame

DRAWN_VARIANCE = 0.4
"""Blur that the interior is drawn with, px², see :func:`~edgeavatar.kernels.cavity.develop`."""
FACE_EDGE = 0.005
"""Softness of the typical edge of nose and lips, in face heights, before any camera's: with it
three quarters of the London portraits need no blur, in which teeth are drawn as sharp as they are
(see :mod:`~edgeavatar.rendering.interior`)."""
MOST_SOFTNESS_PX = 4.0
"""Most blur that is added: beyond it edges were measured where there are none."""
_NOSE_BRIDGE = 168


def camera_softness(frame: Frame, face: FaceObservation) -> float:
    r"""Measure how much softer than a sharp portrait a picture is: a Gaussian's deviation, px.

    An edge blurred by :math:`\sigma` has, when blurred again by :math:`s`, a slope in proportion to
    :math:`1/\sqrt{\sigma^2 + s^2}`; the slopes at two :math:`s` give :math:`\sigma` (Zhuo & Sim
    2011, Defocus map estimation from a single image). What a face's edges have of themselves,
    :data:`FACE_EDGE`, is taken off.

    Parameters
    ----------
    frame, face
        A picture and the face in it.

    Returns
    -------
    float
        0 where too little of the face is seen.
    """
    x0, y0, x1, y1 = _nose_and_lips(face, frame)
    if min(x1 - x0, y1 - y0) < 16:
        return 0.0
    luma = frame.y[y0:y1, x0:x1].astype(np.float32)
    once, twice = (squared_slope(luma, sigma) for sigma in (1.0, 2.0))
    steep = twice >= max(float(np.quantile(twice, 0.95)), 1.0)
    if not steep.any():
        return 0.0
    # Squares of slopes are as (σ² + 4) to (σ² + 1); flat ones are as 1 to 1.
    ratio = np.maximum(once[steep] / twice[steep], 1.02)
    variance = np.maximum((4.0 - ratio) / (ratio - 1.0), 0.0)
    own = (FACE_EDGE * face_height_px(face)) ** 2
    return math.sqrt(max(float(np.median(variance)) - own, 0.0))


def _nose_and_lips(face: FaceObservation, frame: Frame) -> tuple[int, int, int, int]:
    """Part of the picture, as wide as the lips, from the bridge of the nose to the lower lip."""
    where = face.landmarks[[_NOSE_BRIDGE, *LIPS], :2]
    x0, y0 = (max(0, math.floor(v)) for v in where.min(0))
    x1, y1 = (math.ceil(v) for v in where.max(0))
    return x0, y0, min(x1, frame.width), min(y1, frame.height)


def squared_slope(luma: FloatArray, sigma: float) -> FloatArray:
    """Give the squared slope of a picture ``(h, w)`` that was blurred by ``sigma`` px."""
    soft = cv2.GaussianBlur(luma, (0, 0), sigma)
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=0.125)
    along = cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=0.125)
    return np.asarray(across**2 + along**2, np.float32)


def softened(picture: ByteArray, softness_px: float) -> ByteArray:
    """Blur a drawn interior until its edges are as soft as those of a picture.

    Parameters
    ----------
    picture
        ``(h, w, 3)`` uint8 from :class:`~edgeavatar.rendering.interior.InteriorModel`.
    softness_px
        Of the picture, in its own px.
    """
    missing = softness_px**2 - DRAWN_VARIANCE
    if missing < 0.05:
        return picture
    sigma = math.sqrt(min(missing, MOST_SOFTNESS_PX**2))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
