"""What a neural renderer is given of one frame: pictures and masks of the lower face, upright.

Everything is drawn in a square around the mouth that moves with the head and not with the mouth, so
that skin which does not move stays where it is from frame to frame. The same code prepares frames
that are trained on and frames that are rendered.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar.kernels.warp import polygon_alpha, rasterise_field
from edgeavatar.pose import FLIP, angles_deg, to_picture
from edgeavatar.rendering.geometry import (
    down_axis,
)
from edgeavatar.rendering.softness import softened
from edgeavatar.types import HeadPose

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.rendering.interior import InteriorLight, InteriorModel, MouthInside
    from edgeavatar.types import ByteArray, FloatArray, Frame

SIDE_CM = 11.0
"""Side of the square in the canonical face's space: from below the eyes to below a dropped chin."""
BELOW_CM = 0.9
"""How far its middle lies below the lip line: the jaw drops, the nose does not."""
LIPS_DEPTH_CM = 5.2
"""Depth of the lips' plane in the canonical face's space."""
SHIFT_NODES = 64
"""Nodes of the displacement field along a side."""
CAVITY_EDGE = 1.0 / 128.0
LIPS_EDGE, LIPS_BEYOND = 1.0 / 32.0, 1.0 / 64.0
"""Widths of the soft edges of cavity and lips, and how far the latter lies outside the lips, in
sides of the square."""
LIP_OUTLINE = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip
"""Outer rim of the lips from the person's right, above first."""


@dataclass(frozen=True, slots=True)
class MouthCrop:
    """The square around a mouth, and how to get there."""

    size: int
    """Pixels along a side."""
    matrix: npt.NDArray[np.float64]
    """``(2, 3)``: picture to square."""

    @property
    def scale(self) -> float:
        """Pixels of the square for one of the picture."""
        return float(np.hypot(*self.matrix[:, 0]))

    def points(self, picture: FloatArray) -> FloatArray:
        """Take points ``(n, 2)`` of the picture to the square, float32."""
        found = picture @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.asarray(found, np.float32)

    @property
    def corners(self) -> npt.NDArray[np.float64]:
        """Middles of the four outermost pixels, ``(4, 2)`` px of the picture."""
        inverse = cv2.invertAffineTransform(self.matrix)
        places = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64) * (self.size - 1)
        return np.asarray(places @ inverse[:, :2].T + inverse[:, 2], np.float64)

    def box_in(self, frame: Frame) -> tuple[int, int, int, int] | None:
        """Even box of a frame around the square; None if nothing of it lies in the frame."""
        corners = self.corners
        x0, y0 = (max(0, math.floor(v)) & ~1 for v in corners.min(0))
        x1 = min(frame.width & ~1, (math.ceil(corners[:, 0].max()) + 2) & ~1)
        y1 = min(frame.height & ~1, (math.ceil(corners[:, 1].max()) + 2) & ~1)
        return (x0, y0, x1, y1) if x1 - x0 >= 2 and y1 - y0 >= 2 else None

    def moved(self, x0: int, y0: int) -> MouthCrop:
        """Give the same square for a picture that begins at another place."""
        matrix = self.matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ np.array([x0, y0], np.float64)
        return MouthCrop(self.size, matrix)

    def cut(self, picture: npt.NDArray[np.uint8], *, beyond_black: bool = False) -> ByteArray:
        """Cut the square out of a picture ``(h, w, c)``, whose border is repeated or black."""
        # Sampling a large picture at few places would alias: whole blocks of it are averaged first.
        block = max(1, math.floor(1.0 / self.scale))
        matrix = self.matrix
        if block > 1:
            height, width = (side // block for side in picture.shape[:2])
            picture = np.asarray(
                cv2.resize(
                    picture[: height * block, : width * block],
                    (width, height),
                    interpolation=cv2.INTER_AREA,
                ),
                np.uint8,
            )
            turn = matrix[:, :2]
            shift = turn @ np.full(2, (block - 1) / 2.0) + matrix[:, 2]
            matrix = np.concatenate([turn * block, shift[:, None]], axis=1)
        cut = cv2.warpAffine(
            picture,
            matrix,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT if beyond_black else cv2.BORDER_REPLICATE,
        )
        return np.asarray(cut, np.uint8)


def crop_mouth(pose: HeadPose, lip_line_cm: float, size: int) -> MouthCrop:
    """Place the square by the head's pose alone.

    Parameters
    ----------
    pose
        The head.
    lip_line_cm
        Height of the person's lip line in the canonical face's space.
    size
        Pixels along a side of the result.
    """
    middle = np.array([[0.0, lip_line_cm - BELOW_CM, LIPS_DEPTH_CM]])
    centre = to_picture(middle, pose)[0, :2].astype(np.float64)
    down = down_axis(pose).astype(np.float64)
    right = np.array([down[1], -down[0]])
    scale = size / (SIDE_CM * pose.scale_px)
    turn = scale * np.stack([right, down])
    shift = (size - 1) / 2.0 - turn @ centre
    return MouthCrop(size, np.concatenate([turn, shift[:, None]], axis=1))


def cavity_mask(crop: MouthCrop, rim: FloatArray) -> FloatArray:
    """Soft coverage of the opened mouth.

    Parameters
    ----------
    crop
        Of side ``s``.
    rim
        ``(n, 2)`` float32: the lips' inner rim in px of the picture.

    Returns
    -------
    FloatArray
        ``(s, s)`` float32 in [0, 1].
    """
    box = (0, 0, crop.size, crop.size)
    return polygon_alpha(crop.points(rim), box, crop.size * CAVITY_EDGE)


def lip_mask(crop: MouthCrop, landmarks: FloatArray) -> FloatArray:
    """Soft coverage of lips and what is between them, ``(s, s)`` float32 in [0, 1].

    Parameters
    ----------
    crop
        Of side ``s``.
    landmarks
        ``(n, 2)`` float32 px of the picture, those of the face first.
    """
    outline = crop.points(landmarks[list(LIP_OUTLINE)])
    box = (0, 0, crop.size, crop.size)
    return polygon_alpha(outline, box, crop.size * LIPS_EDGE, crop.size * LIPS_BEYOND)


def moved_pose(pose: HeadPose, matrix: npt.NDArray[np.float64]) -> HeadPose:
    """Take a pose along with a similarity of the picture.

    Parameters
    ----------
    pose
        In the picture before.
    matrix
        ``(2, 3)``: a turn, a scale and a shift; no mirror.
    """
    scale = float(np.hypot(*matrix[:, 0]))
    turn = np.eye(3)
    turn[:2, :2] = matrix[:, :2] / scale
    rotation = (FLIP[:, None] * turn * FLIP @ pose.rotation).astype(np.float32)
    place = matrix[:, :2] @ pose.translation_px[:2] + matrix[:, 2]
    translation = np.array([*place, scale * pose.translation_px[2]], np.float32)
    return HeadPose(rotation, translation, scale * pose.scale_px, *angles_deg(rotation))


def similarity(
    points: npt.NDArray[np.floating], onto: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Find the turn, scale and shift that bring points nearest to others (Umeyama 1991).

    Parameters
    ----------
    points, onto
        ``(n, 2)``, n >= 2.

    Returns
    -------
    numpy.ndarray
        ``(2, 3)`` float64.
    """
    a, b = (np.asarray(p, np.float64) @ np.array([1.0, 1.0j]) for p in (points, onto))
    turn = np.vdot(a - a.mean(), b - b.mean()) / np.vdot(a - a.mean(), a - a.mean()).real
    shift = b.mean() - turn * a.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


@dataclass(frozen=True, slots=True)
class MouthLayers:
    """The square around a mouth in layers, all of side ``s``."""

    warped: ByteArray
    """``(s, s, 3)`` BGR: the source, its lips moved; nothing painted between them."""
    interior: ByteArray
    """``(s, s, 3)`` BGR: the modelled inside of the mouth; black where far from the opening."""
    cavity: FloatArray
    """``(s, s)`` in [0, 1]: :func:`cavity_mask`."""
    lips: FloatArray
    """``(s, s)`` in [0, 1]: :func:`lip_mask`."""
    shift: FloatArray
    """``(64, 64, 2)``: px of the square by which the source was moved."""
    reference: ByteArray | None
    """``(s, s, 3)`` BGR: another moment of the same person, warped to the same lips."""


def draw_layers(
    crop: MouthCrop,
    warped: ByteArray,
    landmarks: tuple[FloatArray, FloatArray],
    triangles: tuple[npt.NDArray[np.int32], FloatArray],
    interior: ByteArray,
    rim: FloatArray,
    reference: ByteArray | None,
) -> MouthLayers:
    """Put the layers of a frame together.

    Parameters
    ----------
    crop
        Where.
    warped
        ``(s, s, 3)`` BGR, already cut.
    landmarks
        Landmarks and rings in the source and in the frame to be made, ``(n, 2)`` px each.
    triangles
        The mesh over them, see :class:`~edgeavatar.rendering.mesh.WarpMesh`.
    interior
        ``(s, s, 3)`` BGR.
    rim
        The lips' inner rim in px of the picture, ``(n, 2)``.
    reference
        ``(s, s, 3)`` BGR or None.
    """
    sources, targets = (crop.points(p) for p in landmarks)
    step = crop.size / SHIFT_NODES
    shift = rasterise_field(
        targets, targets - sources, *triangles, (0, 0), step, (SHIFT_NODES, SHIFT_NODES)
    )
    return MouthLayers(
        warped,
        interior,
        cavity_mask(crop, rim),
        lip_mask(crop, landmarks[1]),
        shift,
        reference,
    )


def draw_interior(
    model: InteriorModel,
    crop: MouthCrop,
    pose: HeadPose,
    inside: MouthInside,
    light: InteriorLight,
    rim: FloatArray,
    softness_px: float = 0.0,
) -> ByteArray:
    """Draw the modelled inside of the mouth in the square.

    Parameters
    ----------
    model
        The person's.
    crop
        Of side ``s``.
    pose
        Head pose in the picture.
    inside
        Jaw and tongue.
    light
        On the face.
    rim
        The lips' inner rim in px of the picture, ``(n, 2)``.
    softness_px
        Of the picture, see :func:`~edgeavatar.rendering.softness.camera_softness`.

    Returns
    -------
    ByteArray
        ``(s, s, 3)`` BGR.
    """
    outline = crop.points(rim)
    out = np.zeros((crop.size, crop.size, 3), np.uint8)
    margin = 2.0 + 0.03 * crop.size
    x0, y0 = (max(0, math.floor(v - margin)) for v in outline.min(0))
    x1, y1 = (min(crop.size, math.ceil(v + margin) + 1) for v in outline.max(0))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return out
    drawn = model.render(
        moved_pose(pose, crop.matrix),
        **asdict(inside),
        region_xyxy=(float(x0), float(y0), float(x1), float(y1)),
        size=(x1 - x0, y1 - y0),
        light=light,
        lip_polygon=outline,
    )
    out[y0:y1, x0:x1] = softened(drawn, softness_px * crop.scale)
    return out
