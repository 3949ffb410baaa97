"""The rotated square of a picture that the face models look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.face.geometry import CanonicalMesh
from edgeavatar.kernels.averaging import MOST, block_means
from edgeavatar.pose import to_picture
from edgeavatar.types import FaceBox, HeadPose

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray

EXPANSION: Final = 1.5
"""Side of the region over the longer side of the face's box (MediaPipe face landmarker graph)."""
SLACK: Final = 0.01
"""Share of its side that a region stays behind the face; of 0.5, 1 and 2% the middle one had the
least jitter on two clips of sitting people and the best lips on a talking one."""
_SIZE_SLACK: Final = 1.5
_TURN_SLACK: Final = 1.75


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


def region_of_pose(pose: HeadPose, mesh: CanonicalMesh) -> Region:
    """Region of the next frame, from the head's pose in this one.

    MediaPipe takes the box of all landmarks, which breathes with the jaw. The box of the canonical
    face under the pose has the same place and size on a resting face and stays when only the mouth
    moves: a third of the jitter on a still picture, and lips that read better (benchmarks/face.py).
    """
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    middle = to_picture(((low + high) / 2)[None], pose)[0]
    height = float(high[1] - low[1]) * pose.scale_px
    centre = (float(middle[0]) + 0.5, float(middle[1]) + 0.5)
    return Region(centre, EXPANSION * height, math.radians(pose.roll_deg))


def misfit(held: Region, wanted: Region) -> float:
    """Tell how far a region is from the one that fits, in the unit of ``slack`` of :func:`follow`.

    The largest of the distance between the centres over the side, the change in size (its
    logarithm over 1.5) and the turn in radians (over 1.75).
    """
    return max(
        math.dist(held.centre, wanted.centre) / held.side,
        abs(math.log(wanted.side / held.side)) / _SIZE_SLACK,
        abs(math.remainder(wanted.angle_rad - held.angle_rad, math.tau)) / _TURN_SLACK,
    )


def follow(held: Region, wanted: Region, slack: float = SLACK) -> Region:
    """Move a held region only as far as the face has left it.

    The networks answer to a shifted crop with slightly other landmarks, so a region that follows
    noise adds to it. Within the slack nothing moves; beyond it the region is drawn along as if on
    a rope, which keeps its path free of jumps.

    Parameters
    ----------
    held
        Region of this frame.
    wanted
        Region that fits the face best.
    slack
        How much may differ before anything moves, see :func:`misfit`.
    """
    away = math.dist(held.centre, wanted.centre)
    part = max(0.0, 1.0 - slack * held.side / away) if away > 0 else 0.0
    (held_x, held_y), (x, y) = held.centre, wanted.centre
    turn = math.remainder(wanted.angle_rad - held.angle_rad, math.tau)
    growth = math.log(wanted.side / held.side)
    return Region(
        (held_x + part * (x - held_x), held_y + part * (y - held_y)),
        held.side * math.exp(_excess(growth, _SIZE_SLACK * slack)),
        held.angle_rad + _excess(turn, _TURN_SLACK * slack),
    )


def surroundings(region: Region, size: int) -> tuple[int, int, int, int]:
    """Tell what :func:`crop` reads, and a little more: left, top, right and bottom, half-open."""
    reach = region.side / 2 * (abs(math.cos(region.angle_rad)) + abs(math.sin(region.angle_rad)))
    # A block, and the neighbours that are interpolated between.
    reach += region.side / size + 3.0
    x, y = region.centre
    return (
        math.floor(x - reach),
        math.floor(y - reach),
        math.ceil(x + reach),
        math.ceil(y + reach),
    )


def _excess(value: float, slack: float) -> float:
    return math.copysign(max(0.0, abs(value) - slack), value)


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
    blocks = blocks_of(region, size, picture.shape[1], picture.shape[0])
    if blocks is not None:
        picture, matrix = _averaged(picture, blocks), matrix @ blocks.matrix
    result: Any = cv2.warpAffine(
        picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(result, np.uint8)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Square blocks of pixels, each of which becomes one pixel of a smaller picture."""

    left: int
    top: int
    columns: int
    rows: int
    factor: int
    """Side of a block in pixels."""

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """``(3, 3)``: pixels of the smaller picture to those of the picture."""
        offset, factor = (self.factor - 1) / 2, self.factor
        return np.array(
            [[factor, 0, self.left + offset], [0, factor, self.top + offset], [0, 0, 1]]
        )


def blocks_of(region: Region, size: int, width: int, height: int) -> Blocks | None:
    """Lay blocks over a region that is at least twice as large as its crop.

    They start at multiples of their side wherever the region is, so that a slow move of the region
    does not change which pixels are averaged together.

    Parameters
    ----------
    region
        What is to be cut.
    size
        Side of the crop in pixels.
    width, height
        Of the picture.

    Returns
    -------
    Blocks or None
        None where the region is smaller, or covers no whole block of the picture.
    """
    factor = int(region.side / size)
    if factor < 2:
        return None
    reach = region.side / 2 * (abs(math.cos(region.angle_rad)) + abs(math.sin(region.angle_rad)))
    x, y = region.centre
    left = max(0, int(x - reach) // factor * factor)
    top = max(0, int(y - reach) // factor * factor)
    columns = (min(width, math.ceil(x + reach)) - left) // factor
    rows = (min(height, math.ceil(y + reach)) - top) // factor
    return Blocks(left, top, columns, rows, factor) if columns >= 1 and rows >= 1 else None


def _averaged(picture: ByteArray, blocks: Blocks) -> ByteArray:
    factor, columns, rows = blocks.factor, blocks.columns, blocks.rows
    part = picture[
        blocks.top : blocks.top + rows * factor, blocks.left : blocks.left + columns * factor
    ]
    if 2 < factor <= MOST:
        return block_means(part, factor)
    small: Any = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
