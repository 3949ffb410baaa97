"""What is before a filmed mouth - a hand, a microphone, a cup - stays before it.

The lower face is compared with itself: its colours, in a square that moves with the head, are
learned from the frames that were seen so far. Where a frame is too unlike them, something covers
the face, and there the source is shown instead of what was rendered. Lips, teeth and tongue change
colour as people speak, so they never start an alarm; they are covered only by what is seen to
reach them over skin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar.kernels.blend import blend_frame
from edgeavatar.rendering.layers import LIP_OUTLINE, MouthCrop, crop_mouth
from edgeavatar.rendering.mesh import FACE_OVAL

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame

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
CHANGED = 0.5
"""Part of the upper face that is not known again after a cut or a sudden shadow: then nothing is
said of the lower one."""
CHANGED_FRAMES = 6
"""Such frames in a row after which the face is learned anew."""
CUT = 0.32
"""Lower quartile of the upper face's change from one frame to the next, over what means nothing,
that is a cut: 0.25 at most in 78 clips, 0.27 with something moving through the picture, 0.34 and
more from one person to another in the same studio."""
ALARM_FRAMES = 2
"""Frames in a row that raise an alarm."""
LONGEST_FRAMES = 500
"""Frames after which what covers a face is taken for a part of it: a mouth must not stay still for
ever because a shadow fell on it."""
LIPS_COVERED, LIPS_FREE = 0.1, 0.04
"""Part of the lips and their surroundings whose covering stops the whole mouth, and below which it
moves again: a mesh that loses sight of a part of the lips misplaces the rest."""
RISE, FALL = 0.5, 0.25
"""Most by which a place is uncovered more or less from one frame to the next."""
FADE_IN, FADE_OUT = 0.2, 0.125
"""The same for the whole mouth."""


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


@dataclass(frozen=True, slots=True)
class Cover:
    """What of a frame must stay as it was filmed."""

    crop: MouthCrop
    alpha: FloatArray
    """``(64, 64)`` in [0, 1]: the share of the source in the square."""
    whole: float
    """Share of the source in the whole frame, 0 to 1."""


class OcclusionWatch:
    """Learns a person's lower face and finds what is before it, frame by frame.

    Parameters
    ----------
    lip_line_cm
        See :attr:`~edgeavatar.rendering.geometry.Person.lip_line_cm`.
    """

    def __init__(self, lip_line_cm: float) -> None:
        self.covered_frames = 0
        """Frames in which something covered the mouth or the skin around it."""
        self._lip_line_cm = lip_line_cm
        self._appearance = Appearance()
        self._last: Look | None = None
        self._alpha = np.zeros((SIZE, SIZE), np.float32)
        self._whole = 0.0
        self._stopped = False
        self._alarms = 0
        self._changes = 0

    def uncovered(self, source: Frame, face: FaceObservation, made: Frame) -> Frame:
        """Put what is before the mouth back over a rendered frame.

        Parameters
        ----------
        source
            As it was filmed; the next one of its video.
        face
            The face in it.
        made
            What was rendered of it.

        Returns
        -------
        Frame
            ``made`` itself where nothing covers the face, ``source`` itself where the lips are
            covered for longer than the mouth takes to fade.
        """
        crop = crop_mouth(face.pose, self._lip_line_cm, SIZE)
        cover = self.follow(crop, look_at(source, face, crop))
        if cover is None:
            return made
        self.covered_frames += 1
        return keep_source(source, made, cover)

    def follow(self, crop: MouthCrop, look: Look) -> Cover | None:
        """Find what covers the next frame; None if nothing does."""
        found = self._find(look)
        self._alarms = 0 if found is None else self._alarms + 1
        if self._alarms > LONGEST_FRAMES:
            self._appearance = Appearance()
            self._alarms = 0
        known = found is not None and (self._alarms >= ALARM_FRAMES or bool(self._alpha.any()))
        seen = found if found is not None and known else np.zeros((SIZE, SIZE), bool)
        self._alpha = np.clip(soft(seen), self._alpha - FALL, self._alpha + RISE)
        share = float(seen[look.around_lips].mean()) if look.around_lips.any() else 0.0
        self._stopped = share > (LIPS_FREE if self._stopped else LIPS_COVERED)
        step = FADE_IN if self._stopped else -FADE_OUT
        self._whole = min(1.0, max(0.0, self._whole + step))
        if self._whole == 0.0 and not self._alpha.any():
            return None
        return Cover(crop, self._alpha, self._whole)

    def _find(self, look: Look) -> Mask | None:
        """Tell what is not the face, and learn the rest."""
        if self._last is not None and is_cut(self._last, look):
            self._appearance = Appearance()
        self._last = look
        compared = self._appearance.compare(look)
        if compared is None:
            self._appearance.learn(look, np.zeros_like(look.colours), look.face)
            return None
        difference, light = compared
        known = look.face & look.above & self._appearance.known
        if (difference[known] > SURE).mean() > CHANGED:
            self._changes += 1
            if self._changes >= CHANGED_FRAMES:
                self._appearance = Appearance()
                self._changes = 0
            return None
        self._changes = 0
        found = foreign(difference, look)
        free = look.face if found is None else look.face & ~widened(found, 3)
        self._appearance.learn(look, light, free)
        return found


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
    return Look(colours, oval, widened(lips, 3), above)


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
    column = np.nonzero(where)[1][::3].astype(np.float32)
    changes = change[where][::3]
    even = np.median(changes, axis=0)
    right = column > np.median(column)
    if not right.any():
        return np.broadcast_to(even, change.shape).astype(np.float32)
    apart = max(1.0, float(column[right].mean() - column[~right].mean()))
    slope = (np.median(changes[right], axis=0) - np.median(changes[~right], axis=0)) / apart
    level = np.median(changes - column[:, None] * slope, axis=0)
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


def soft(mask: Mask) -> FloatArray:
    """Widen a mask ``(64, 64)`` by what the mouth moves its edge, and soften it; float32."""
    return np.asarray(cv2.GaussianBlur(widened(mask, 2).astype(np.float32), (5, 5), 1.2))


def widened(mask: Mask, px: int) -> Mask:
    """Widen a mask to all sides."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(px)) > 0)


def keep_source(source: Frame, made: Frame, cover: Cover) -> Frame:
    """Show the source where it is covered.

    Parameters
    ----------
    source, made
        The same frame as it was filmed and as it was rendered.
    cover
        Where something is before the face.
    """
    if cover.whole >= 1.0 or made is source:
        return source
    if cover.whole > 0.0:
        made = replace(
            made,
            y=_mixed(made.y, source.y, cover.whole),
            u=_mixed(made.u, source.u, cover.whole),
            v=_mixed(made.v, source.v, cover.whole),
        )
    box = cover.crop.box_in(source)
    if box is None or not cover.alpha.any():
        return made
    x0, y0, x1, y1 = box
    inverse = cv2.invertAffineTransform(cover.crop.matrix)
    inverse[:, 2] -= (x0, y0)
    alpha = cv2.warpAffine(cover.alpha, inverse, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    patch = (
        source.y[y0:y1, x0:x1],
        source.u[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2],
        source.v[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2],
    )
    return blend_frame(made, patch, np.asarray(alpha, np.float32), x0, y0)


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


def _unexplained(rest: npt.NDArray[np.floating]) -> float:
    """Size of what is left of changes ``(n, 3)`` in most places."""
    return float(np.median(np.abs(rest / np.array(FLOOR, np.float32)).sum(-1)))


def _inside(outline: FloatArray) -> Mask:
    """Places ``(64, 64)`` inside an outline ``(n, 2)`` px of the square."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    return mask > 0


def _disc(px: int) -> ByteArray:
    side = 2 * px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _mixed(made: ByteArray, source: ByteArray, share: float) -> ByteArray:
    return np.asarray(cv2.addWeighted(made, 1.0 - share, source, share, 0.0), np.uint8)
