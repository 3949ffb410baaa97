"""The rotated square of a picture that the face models look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.face.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from edgeavatar.types import FaceBox

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FloatArray

EXPANSION: Final = 1.5
"""Side of the region over the longer side of the face's box (MediaPipe face landmarker graph)."""


@dataclass(frozen=True, slots=True)
class Region:
    """A square that may be turned and may reach outside the picture.

    Coordinates count pixel corners: the picture spans ``[0, width] x [0, height]``.
    """

    centre: tuple[float, float]
    side: float
    """Pixels."""
    angle_rad: float = 0.0
    """Clockwise in the picture."""

    def matrix(self, size: int) -> npt.NDArray[np.float64]:
        """Give the affine map from pixel indices of the picture to those of the crop.

        Pixel indices count pixel centres, as OpenCV does.

        Parameters
        ----------
        size
            Side of the crop in pixels.

        Returns
        -------
        numpy.ndarray
            ``(2, 3)`` float64.
        """
        scale = size / self.side
        cosine, sine = scale * math.cos(self.angle_rad), scale * math.sin(self.angle_rad)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        shift = size / 2 - 0.5 - turn @ (np.array(self.centre) - 0.5)
        return np.hstack([turn, shift[:, None]])


def region_of_box(box: FaceBox) -> Region:
    """Region that the mesh model wants for a detected face, turned upright by its eyes."""
    left, top, right, bottom = box.bbox_xyxy
    centre = ((left + right) / 2 + 0.5, (top + bottom) / 2 + 0.5)
    angle = 0.0
    if len(box.keypoints) >= 2:
        (first_x, first_y), (second_x, second_y) = box.keypoints[:2]
        angle = math.atan2(second_y - first_y, second_x - first_x)
    return Region(centre, EXPANSION * max(right - left, bottom - top), angle)


def region_of_landmarks(landmarks: FloatArray) -> Region:
    """Region of the next frame, from the landmarks of this one.

    The box of all landmarks, turned by the outer corners of the eyes (MediaPipe face landmarker
    graph). The box is taken along the turned axes, so that it does not grow with the turn.
    """
    points = landmarks[:, :2].astype(np.float64)
    across = points[LEFT_EYE_OUTER] - points[RIGHT_EYE_OUTER]
    angle = math.atan2(across[1], across[0])
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = points @ np.array([[cosine, -sine], [sine, cosine]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    middle = (low + high) / 2 @ np.array([[cosine, sine], [-sine, cosine]]) + 0.5
    return Region(
        (float(middle[0]), float(middle[1])), EXPANSION * float((high - low).max()), angle
    )


def crop(picture: ByteArray, region: Region, size: int) -> ByteArray:
    """Cut a region out of a picture; what lies outside the picture is black.

    Regions more than twice as large as the crop are averaged down first, so that detail does not
    alias into noise.

    Parameters
    ----------
    picture
        ``(H, W, 3)`` uint8.
    region
        What to cut.
    size
        Side of the result in pixels.

    Returns
    -------
    numpy.ndarray
        ``(size, size, 3)`` uint8.
    """
    matrix = region.matrix(size)
    factor = int(region.side / size)
    if factor >= 2:
        picture, matrix = _averaged(picture, region, matrix, factor)
    result: Any = cv2.warpAffine(
        picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(result, np.uint8)


def _averaged(
    picture: ByteArray, region: Region, matrix: npt.NDArray[np.float64], factor: int
) -> tuple[ByteArray, npt.NDArray[np.float64]]:
    height, width = picture.shape[:2]
    reach = region.side / 2 * (abs(math.cos(region.angle_rad)) + abs(math.sin(region.angle_rad)))
    # Blocks start at multiples of the factor wherever the region is, so that a slow move of the
    # region does not change which pixels are averaged together.
    left = max(0, int(region.centre[0] - reach) // factor * factor)
    top = max(0, int(region.centre[1] - reach) // factor * factor)
    columns = (min(width, math.ceil(region.centre[0] + reach)) - left) // factor
    rows = (min(height, math.ceil(region.centre[1] + reach)) - top) // factor
    if columns < 1 or rows < 1:
        return picture, matrix
    part = picture[top : top + rows * factor, left : left + columns * factor]
    small: Any = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    offset = (factor - 1) / 2
    back = np.array([[factor, 0, left + offset], [0, factor, top + offset], [0, 0, 1]])
    return np.asarray(small, np.uint8), matrix @ back
