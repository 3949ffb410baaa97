"""What is before a filmed mouth - a hand, a microphone, a cup - stays before it.

The lower face is compared with itself: its colours, in a square that moves with the head, are
learned from the frames that were seen so far. Something is before the mouth where a frame is too
unlike them, or where lips that were told from the skin no longer are while the skin beside them
changed too, as with a hand in the colour of the face. There the source is shown instead of what was
rendered. Lips, teeth and tongue change colour as people speak, and lips that are pressed together
vanish; neither alone starts an alarm.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar.kernels.blend import blend_frame
from edgeavatar.rendering.layers import MouthCrop, crop_mouth
from edgeavatar.rendering.lip_colours import LipColours
from edgeavatar.rendering.lower_face import (
    FLOOR,
    SIZE,
    SURE,
    Appearance,
    Look,
    foreign,
    is_cut,
    look_at,
    same_eyes,
    widened,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame

    Mask = npt.NDArray[np.bool_]

CHANGED = 0.5
"""Part of the upper face that is not known again after a cut or a sudden shadow: then nothing is
said of the lower one, unless the lips are gone too."""
CHANGED_FRAMES = 6
"""Such frames in a row after which the face is learned anew."""
GONE, BACK = 0.5, 0.65
"""Share of what usually sets a third of the lips apart below which it is missed, and from which it
is seen again."""
BESIDE, BESIDE_SLOPE, BESIDE_FREE = 0.22, 0.3, 0.12
"""Mean difference, over the usual one, of the skin beside a missed third from which that is hidden:
so much where nothing of the lips is seen, and more by the slope where some is. Below the last it is
only pressed or rolled in."""
BESIDE_PX = 5
"""How far that skin reaches."""
ALARM_FRAMES = 2
"""Frames in a row that raise an alarm."""
LONGEST_FRAMES = 500
"""Frames after which what covers a face is taken for a part of it: a mouth must not stay still for
ever because a shadow fell on it."""
MOST = 1.6
"""Of what usually sets the lips apart: more is something dark or bright that lies on them. Lips
that speak, on 12 clips of two silent people, one speaker and three drawn ones, have at most 1.43.
"""
LIPS_SHOWN = 0.4
"""Part of the lips and their surroundings that nothing covers while all of the lips are seen: a
beard that drops with the jaw is as unlike what was there before."""
LIPS_COVERED, LIPS_FREE = 0.1, 0.04
"""Part of the lips and their surroundings whose covering stops the whole mouth, and below which it
moves again: a mesh that loses sight of a part of the lips misplaces the rest."""
AHEAD = 5
"""Frames that are looked at before one is given away, so that what comes finds the source shown."""
RISE = 1.0 / AHEAD
"""Most by which the source shows more from one frame to the next."""
FALL, FADE_OUT = 0.25, 0.125
"""Most by which it shows less, in a place and in the whole mouth."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is before the face in one frame, seen from this frame and those before."""

    crop: MouthCrop
    foreign: Mask | None
    """``(64, 64)``: what is unlike the face; None if nothing is."""
    share: float
    """Part of the lips and their surroundings that is hidden, 0 to 1; 1 if lips are missed."""
    stops: bool
    """That is so much that the whole mouth must stay as it was filmed."""

    @property
    def softened(self) -> FloatArray:
        """What is foreign, with a soft edge, ``(64, 64)`` float32 in [0, 1]."""
        if self.foreign is None:
            return np.zeros((SIZE, SIZE), np.float32)
        return soft(self.foreign)

    @property
    def alarming(self) -> bool:
        """Tell whether there is anything."""
        return self.foreign is not None or self.share > 0.0


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
        self._lip_line_cm = lip_line_cm
        self._last: tuple[Frame, FaceObservation, Look] | None = None
        self._appearance = Appearance()
        self._lips = LipColours(FLOOR)
        self._hidden = self._stopped = False
        self._doubts = self._changes = 0

    def find(self, frame: Frame, face: FaceObservation) -> Finding:
        """Find what is before the face in the next frame, and learn the face where it is free."""
        crop = crop_mouth(face.pose, self._lip_line_cm, SIZE)
        look = look_at(frame, face, crop)
        if self._was_cut(frame, look):
            self._forget()
        self._last = frame, face, look
        compared = self._appearance.compare(look)
        if compared is None:
            self._learn(look, np.zeros_like(look.colours), None)
            return Finding(crop, None, 0.0, False)
        difference, light = compared
        shown = self._lips.shown(look.contrast)
        missed = shown < (BACK if self._hidden else GONE)
        self._hidden = self._is_hidden(shown, missed, look, difference)
        changed = self._is_changed(look, difference)
        found = None if changed else foreign(difference, look)
        lips = bool(((shown >= BACK) & (shown <= MOST)).all())
        if lips and _share(found, look.around_lips) > LIPS_SHOWN:
            found = None
        doubtful = bool(missed.any()) or found is not None
        self._doubts = self._doubts + 1 if doubtful else 0
        if self._changes >= CHANGED_FRAMES or self._doubts > LONGEST_FRAMES:
            self._forget()
            return Finding(crop, None, 0.0, False)
        share = 1.0 if self._hidden else _share(found, look.around_lips)
        self._stopped = share > (LIPS_FREE if self._stopped else LIPS_COVERED)
        # Lips that are missed may be pressed together or hidden: until that is known, nothing of
        # it becomes usual.
        if not missed.any() and not changed:
            self._learn(look, light, found)
        return Finding(crop, found, share, self._stopped)

    def _forget(self) -> None:
        self._appearance = Appearance()
        self._lips = LipColours(FLOOR)
        self._hidden = self._stopped = False
        self._doubts = self._changes = 0

    def _was_cut(self, frame: Frame, look: Look) -> bool:
        if self._last is None:
            return False
        before, face, last = self._last
        # A hand that is there at once changes most of the square, but not the eyes above it.
        return is_cut(last, look) and not same_eyes(before, face.pose, frame)

    def _is_changed(self, look: Look, difference: FloatArray) -> bool:
        """Tell whether too much differs to say anything, and count such frames."""
        known = look.face & look.above & self._appearance.known
        changed = bool((difference[known] > SURE).mean() > CHANGED)
        self._changes = self._changes + 1 if changed and not self._hidden else 0
        return changed

    def _is_hidden(
        self, shown: FloatArray, missed: Mask, look: Look, difference: FloatArray
    ) -> bool:
        """Tell whether the skin beside a third of the lips that is missed changed as well."""
        for third in np.flatnonzero(missed):
            beside = widened(look.around_lips, BESIDE_PX) & look.face & ~look.around_lips
            beside &= look.third == third
            least = BESIDE + BESIDE_SLOPE * max(0.0, float(shown[third]))
            if self._hidden:
                least = BESIDE_FREE
            if beside.any() and float(difference[beside].mean()) > least:
                return True
        return False

    def _learn(self, look: Look, light: FloatArray, found: Mask | None) -> None:
        free = look.face if found is None else look.face & ~widened(found, 3)
        self._appearance.learn(look, light, free)
        if found is None or not (found & look.around_lips).any():
            self._lips.learn(look.contrast)


class OcclusionGuard:
    """Looks a few frames ahead, so that the source shows before something reaches the mouth.

    Parameters
    ----------
    lip_line_cm
        See :class:`OcclusionWatch`.
    """

    def __init__(self, lip_line_cm: float) -> None:
        self.covered_frames = 0
        """Frames in which something covered the mouth or the skin around it, fades included."""
        self._watch = OcclusionWatch(lip_line_cm)
        self._alpha = np.zeros((SIZE, SIZE), np.float32)
        self._whole = 0.0

    def covers(
        self, seen: Iterable[tuple[Frame, FaceObservation | None]]
    ) -> Iterator[tuple[Frame, FaceObservation | None, Cover | None]]:
        """Find what must stay in each frame of a video.

        Parameters
        ----------
        seen
            Frames as they were filmed, with the face or None. It is read 5 frames ahead.

        Yields
        ------
        tuple
            Each frame, its face, and what of it must stay; None if nothing, or without a face.
        """
        waiting: deque[_Waiting] = deque()
        for frame, face in seen:
            waiting.append(self._look(frame, face, waiting[-1] if waiting else None))
            if len(waiting) > AHEAD:
                yield self._give(waiting)
        while waiting:
            yield self._give(waiting)

    def _look(self, frame: Frame, face: FaceObservation | None, last: _Waiting | None) -> _Waiting:
        if face is None:
            # A hand may hide so much that no face is found: it is still there.
            hidden = last is not None and last.stops
            return _Waiting(frame, None, None, sure=hidden, stops=hidden)
        found = self._watch.find(frame, face)
        now = _Waiting(frame, face, found, sure=False, stops=found.stops)
        if found.alarming and last is not None and (last.sure or last.alarming):
            now.sure = last.sure = True
        return now

    def _give(self, waiting: deque[_Waiting]) -> tuple[Frame, FaceObservation | None, Cover | None]:
        """Take the first frame out, faded by what was found in it and in those after it."""
        alpha, whole = self._alpha - FALL, self._whole - FADE_OUT
        for steps, later in enumerate(waiting):
            if not later.sure:
                continue
            if later.found is not None and later.found.foreign is not None:
                alpha = np.maximum(alpha, later.found.softened - steps * np.float32(RISE))
            if later.stops:
                # What is gone for a few frames only does not let the mouth move in between.
                whole = max(whole, 1.0 - steps * RISE, self._whole)
        self._alpha, self._whole = np.maximum(alpha, np.float32(0.0)), max(0.0, whole)
        now = waiting.popleft()
        if now.found is None or (self._whole == 0.0 and not self._alpha.any()):
            return now.frame, now.face, None
        self.covered_frames += 1
        return now.frame, now.face, Cover(now.found.crop, self._alpha, self._whole)


@dataclass(slots=True)
class _Waiting:
    """A frame that was looked at and not yet given away."""

    frame: Frame
    face: FaceObservation | None
    found: Finding | None
    sure: bool
    """The frame before or after it raised an alarm as well."""
    stops: bool

    @property
    def alarming(self) -> bool:
        return self.found is not None and self.found.alarming


def soft(mask: Mask) -> FloatArray:
    """Widen a mask ``(64, 64)`` by what the mouth moves its edge, and soften it; float32."""
    return np.asarray(cv2.GaussianBlur(widened(mask, 2).astype(np.float32), (5, 5), 1.2))


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


def _share(found: Mask | None, around_lips: Mask) -> float:
    """Part of the lips and their surroundings that is covered."""
    if found is None or not around_lips.any():
        return 0.0
    return float(found[around_lips].mean())


def _mixed(made: ByteArray, source: ByteArray, share: float) -> ByteArray:
    return np.asarray(cv2.addWeighted(made, 1.0 - share, source, share, 0.0), np.uint8)
