"""The lower face in a square that moves with the head, compared with how it looked before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar.rendering.layers import LIP_OUTLINE, MouthCrop, crop_mouth
from edgeavatar.rendering.lip_colours import THIRDS, lip_contrast, middle_of
from edgeavatar.rendering.mesh import FACE_OVAL

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame, HeadPose

    Mask = npt.NDArray[np.bool_]

SIZE = 64
"""Pixels along a side of the square: one is 1.7 mm."""
NEEDED = 12
"""Frames in which a place of the face was seen before anything there can be told from it."""
RATE = 0.05
"""Least weight of a new frame among those before: light that wanders is followed in a second."""
FLOOR = (0.10, 0.030, 0.030)
"""Differences that mean nothing, of log luma and of both chroma over luma: wrinkles, shine, noise,
and what compression leaves of colours."""
DARK = 24.0
"""Added to luma, below which noise rules."""
SHIFT_PX = 2
"""Pixels by which a feature of the face may be beside its place."""
FAR = np.float32(1e3)
"""A colour that none is beyond."""
SURE, LIKELY = 1.5, 1.0
"""Difference, over the usual one, that is seen as something else, and that counts beside such."""
LEAST_PX = 30
"""Pixels of the square, about 1 cm2, that are enough for an alarm."""
_INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
_BESIDE = (1.2, 1.3), (1.5, 1.9)
"""Width and height of the ring of skin beside the lips, inner and outer, over those of the lips."""
_EYE_LINE_CM = 4.4
"""Height at which the square shows eyes and brows, in the canonical face's space."""
_BAND_PX, _REACH_PX = 12, 6
"""Half the height of the band of eyes and brows, and how far it may have moved to each side."""
_SAME = 0.9
"""Correlation of eyes and brows with the frame before from which nothing was cut."""
CUT = 0.32
"""Lower quartile of the upper face's change from one frame to the next, over what means nothing,
that is a cut: 0.25 at most in 78 clips, 0.27 with something moving through the picture, 0.34 and
more from one person to another in the same studio."""


@dataclass(frozen=True, slots=True)
class Look:
    """The square of one frame."""

    colours: FloatArray
    """``(64, 64, 3)``: log luma, and both chroma over luma."""
    face: Mask
    """``(64, 64)``: the face without its border."""
    around_lips: Mask
    """``(64, 64)``: lips and what is between them, as far as they may move."""
    above: Mask
    """``(64, 64)``: all that lies higher than the lips."""
    third: ByteArray
    """``(64, 64)``: in which third of the mouth's width a place lies, 0 to 2."""
    contrast: FloatArray
    """``(3, 3)``: of each third, see :func:`~edgeavatar.rendering.lip_colours.lip_contrast`."""


class Appearance:
    """Colours of a face in the square, and how much they vary; constant in size."""

    def __init__(self) -> None:
        self._mean = np.zeros((SIZE, SIZE, 3), np.float32)
        self._variance = np.zeros((SIZE, SIZE, 3), np.float32)
        self._seen = np.zeros((SIZE, SIZE), np.float32)

    @property
    def known(self) -> Mask:
        """Places ``(64, 64)`` that were seen often enough."""
        return np.asarray(self._seen >= NEEDED)

    def compare(self, look: Look) -> tuple[FloatArray, FloatArray] | None:
        """Hold a frame against the face.

        Returns
        -------
        difference : FloatArray
            ``(64, 64)`` float32 over what is usual; 0 where the face is not known.
        light : FloatArray
            ``(64, 64, 3)`` float32: what the light adds to the colours of this frame.

        None if too little is known.
        """
        known = look.face & self.known
        steady = known & look.above
        if np.count_nonzero(steady) < SIZE * SIZE // 40:
            return None
        light = light_over(look.colours - self._mean, steady)
        colours = look.colours - light
        around = np.ones((2 * SHIFT_PX + 1, 2 * SHIFT_PX + 1), np.uint8)
        # Places that were never seen are as the one that is asked about: they excuse nothing.
        unseen = (self._seen == 0)[..., None]
        low = cv2.erode(np.where(unseen, FAR, self._mean), around)
        high = cv2.dilate(np.where(unseen, -FAR, self._mean), around)
        beyond = np.maximum(np.maximum(low - colours, colours - high), np.float32(0.0))
        usual = cv2.blur(self._variance, (3, 3)) + np.square(np.array(FLOOR, np.float32))
        difference = np.sqrt((beyond * beyond / usual).sum(-1))
        return np.where(known, difference, np.float32(0.0)), light

    def learn(self, look: Look, light: FloatArray, where: Mask) -> None:
        """Take a frame in, at places ``(64, 64)``."""
        weight = np.where(where, np.maximum(np.float32(RATE), 1 / (self._seen + 1)), 0)[..., None]
        weight = weight.astype(np.float32)
        away = look.colours - light - self._mean
        self._mean += weight * away
        self._variance = (1 - weight) * (self._variance + weight * away * away)
        self._seen += where


def look_at(frame: Frame, face: FaceObservation, crop: MouthCrop) -> Look:
    """Cut the square out of a frame, and tell what is where in it.

    Parameters
    ----------
    frame, face
        What was filmed.
    crop
        Of side 64.
    """
    planes = [_cut(plane, crop, half) for plane, half in ((frame.y, 1), (frame.u, 2), (frame.v, 2))]
    y, u, v = (cv2.blur(plane.astype(np.float32), (3, 3)) for plane in planes)
    luma = y + np.float32(DARK)
    middle = np.float32(128.0)
    colours = np.stack([np.log(luma), (u - middle) / luma, (v - middle) / luma], axis=-1)
    points = crop.points(face.landmarks[:, :2])
    lips = _inside(points[list(LIP_OUTLINE)])
    top = points[list(LIP_OUTLINE), 1].min() - 4
    above = np.broadcast_to((np.arange(SIZE) < top)[:, None], (SIZE, SIZE))
    oval = ~widened(~_inside(points[list(FACE_OVAL)]), 4)
    third = _thirds(points)
    red = lips & ~_inside(points[list(_INNER_LIPS)])
    contrast = lip_contrast(colours, red, _beside(points) & oval, third)
    return Look(colours, oval, widened(lips, 3), above, third, contrast)


def same_eyes(before: Frame, pose: HeadPose, after: Frame) -> bool:
    """Tell whether eyes and brows are in the next frame as they were, about where they were.

    Parameters
    ----------
    before, after
        Two frames in a row.
    pose
        The head in the first one. In the second it may be misjudged, with a hand before the face.
    """
    turn = crop_mouth(pose, _EYE_LINE_CM, SIZE)
    seen = [_cut(frame.y, turn, 1) for frame in (before, after)]
    band = slice(SIZE // 2 - _BAND_PX, SIZE // 2 + _BAND_PX)
    was = seen[0][band, _REACH_PX:-_REACH_PX]
    around = seen[1][band.start - _REACH_PX : band.stop + _REACH_PX]
    return bool(cv2.matchTemplate(around, was, cv2.TM_CCOEFF_NORMED).max() > _SAME)


def is_cut(before: Look, after: Look) -> bool:
    """Tell whether the upper face changed all over and at once, as no hand would change it."""
    both = before.face & before.above & after.face & after.above
    if not both.any():
        return True
    change = after.colours - before.colours
    change -= light_over(change, both)
    size = np.sqrt(np.square(change[both] / np.array(FLOOR, np.float32)).sum(-1))
    return bool(np.percentile(size, 25) > CUT)


def light_over(change: FloatArray, where: Mask) -> FloatArray:
    """Explain a change of colours by light that changed evenly, or more to the left or right.

    Parameters
    ----------
    change
        ``(64, 64, 3)`` float32.
    where
        ``(64, 64)``: places to go by, few of which may have another reason to change.

    Returns
    -------
    FloatArray
        ``(64, 64, 3)`` float32, the same in each column. What the upper face tells of light
        from above or below is too little to go by further down.
    """
    # Every third place tells as much of the light, in a third of the time.
    places = np.flatnonzero(where)[::3]
    column = (places % SIZE).astype(np.float32)
    changes = change.reshape(-1, change.shape[-1])[places]
    even = middle_of(changes)
    right = column > middle_of(column)
    if not right.any():
        return np.broadcast_to(even, change.shape).astype(np.float32)
    apart = max(1.0, float(column[right].mean() - column[~right].mean()))
    slope = (middle_of(changes[right]) - middle_of(changes[~right])) / apart
    level = middle_of(changes - column[:, None] * slope)
    # What covers one cheek looks like light from one side, but explains the other one worse.
    if _unexplained(changes - even) <= _unexplained(changes - level - column[:, None] * slope):
        return np.broadcast_to(even, change.shape).astype(np.float32)
    line = level + np.arange(SIZE, dtype=np.float32)[:, None] * slope
    return np.broadcast_to(line, change.shape).astype(np.float32)


def foreign(difference: FloatArray, look: Look) -> Mask | None:
    """Tell apart what covers a face from what only differs a little.

    Parameters
    ----------
    difference
        From :meth:`Appearance.compare`.
    look
        The same frame.

    Returns
    -------
    ndarray or None
        ``(64, 64)`` bool, with holes closed; None if nothing covers the face.
    """
    skin = look.face & ~look.around_lips & ~look.above
    # An edge beside its place is a line, and what covers a face is not.
    broad = cv2.morphologyEx(
        (look.face & (difference > SURE)).astype(np.uint8), cv2.MORPH_OPEN, _disc(1)
    )
    sure = skin & (broad > 0)
    if np.count_nonzero(sure) < LEAST_PX:
        return None
    likely = (look.face & (difference > LIKELY)).astype(np.uint8)
    count, parts = cv2.connectedComponents(likely, connectivity=8)
    support = np.bincount(parts[sure], minlength=count)
    covers = support >= LEAST_PX
    covers[0] = False
    if not covers.any():
        return None
    closed = cv2.morphologyEx(covers[parts].astype(np.uint8), cv2.MORPH_CLOSE, _disc(5))
    return np.asarray(closed > 0)


def widened(mask: Mask, px: int) -> Mask:
    """Widen a mask to all sides."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(px)) > 0)


def _cut(plane: ByteArray, crop: MouthCrop, half: int) -> ByteArray:
    """Cut the square out of a plane that has every ``half``-th pixel, ``(64, 64)``."""
    # Chroma samples lie in the middle of their four pixels.
    turn = crop.matrix[:, :2] * half
    shift = crop.matrix[:, :2] @ np.full(2, (half - 1) / 2.0) + crop.matrix[:, 2]
    whole = MouthCrop(SIZE, np.concatenate([turn, shift[:, None]], axis=1))
    (x0, y0), (x1, y1) = whole.corners.min(0), whole.corners.max(0)
    height, width = plane.shape
    # A head beyond the border leaves a few lines of pixels, which are repeated.
    least = math.ceil(np.hypot(*np.linalg.inv(turn)[:, 0])) + 1
    left = min(max(int(x0) - 1, 0), max(0, width - least))
    top = min(max(int(y0) - 1, 0), max(0, height - least))
    right, bottom = max(left + least, int(x1) + 3), max(top + least, int(y1) + 3)
    return whole.moved(left, top).cut(plane[top:bottom, left:right])


def _thirds(points: FloatArray) -> ByteArray:
    """Thirds of the mouth's width, ``(64, 64)``; beyond its corners the outer ones go on."""
    left, right = points[LIP_OUTLINE[0], 0], points[LIP_OUTLINE[10], 0]
    width = max(1.0, float(right - left))
    column = (np.arange(SIZE) - left) * (THIRDS / width)
    return np.broadcast_to(np.clip(column, 0, THIRDS - 1).astype(np.uint8), (SIZE, SIZE))


def _beside(points: FloatArray) -> Mask:
    """Skin around the lips, ``(64, 64)``."""
    lips = points[list(LIP_OUTLINE)]
    middle = lips.mean(0)
    near, far = (middle + (lips - middle) * np.array(size, np.float32) for size in _BESIDE)
    return _inside(far) & ~_inside(near)


def _unexplained(rest: npt.NDArray[np.floating]) -> float:
    """Size of what is left of changes ``(n, 3)`` in most places."""
    return float(middle_of(np.abs(rest / np.array(FLOOR, np.float32)).sum(-1)))


def _inside(outline: FloatArray) -> Mask:
    """Places ``(64, 64)`` inside an outline ``(n, 2)`` px of the square."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    return mask > 0


def _disc(px: int) -> ByteArray:
    side = 2 * px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
