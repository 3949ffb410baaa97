"""Hard cuts between shots, from one small picture after the other.

A cut makes a picture unlike the one before it, while those after it stay alike (Hanjalic 2002). So
the unlikeness of two frames must be large, larger than that of their neighbours - a fast pan is
unlike all along - and must last: a flash or a hand that goes past is over after some frames.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray

THUMB: Final = (48, 27)
"""Width and height of what is compared."""
SURE: Final = 0.35
"""Unlikeness of pictures that have hardly anything in common."""
LIKELY: Final = 0.035
"""Unlikeness from which it may be a cut: people before the same wall have .039 and more, frames of
one shot in which the camera stands below .02."""
SURE_STANDS_OUT: Final = 2.0
STANDS_OUT: Final = 3.0
"""Times the largest unlikeness of the neighbours that a cut must have, with and without such. Cuts
have 4 and more; fast pans, a shaken camera and a hand before the lens 1.65 at most."""
AROUND: Final = 5
"""Frames before and after it that are neighbours; a cut is known so much later."""
_NOISE: Final = 16.0
"""Variance of luma, in levels squared, below which a picture has no shape to compare."""


class CutFinder:
    """Finds first frames of new shots in a stream, with a delay of five frames.

    Attributes
    ----------
    suspects : bool
        Whether the last frame may be the first of a shot, by those before it alone. All first
        frames are suspected, and so are flashes.
    """

    def __init__(self) -> None:
        self.suspects = False
        self._thumbs: deque[npt.NDArray[np.float32]] = deque(maxlen=2 * AROUND + 2)
        self._unlike: deque[float] = deque(maxlen=2 * AROUND + 1)
        self._frames = 0
        self._last_cut = -AROUND

    def push(self, luma: ByteArray, blue: ByteArray, red: ByteArray) -> int | None:
        """Take the next frame.

        Parameters
        ----------
        luma, blue, red
            Planes of a small picture, uint8; each of any size.

        Returns
        -------
        int or None
            Index of a frame that is now known to be the first of a shot.
        """
        thumb = np.stack(
            [
                cv2.resize(_thinned(plane), THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)
                for plane in (luma, blue, red)
            ]
        )
        self._unlike.append(unlikeness(self._thumbs[-1], thumb) if self._thumbs else 0.0)
        self._thumbs.append(thumb)
        self._frames += 1
        *past, value = self._unlike
        near = max(past[-AROUND:], default=0.0)
        self.suspects = value >= LIKELY and value >= _times(value) * near
        return self._judge(AROUND)

    def finish(self) -> list[int]:
        """Give the cuts among the last frames."""
        found = [self._judge(later) for later in range(AROUND - 1, -1, -1)]
        return [index for index in found if index is not None]

    def _judge(self, later: int) -> int | None:
        """Judge the frame that so many came after."""
        place = len(self._unlike) - 1 - later
        index = self._frames - 1 - later
        if place < 0 or index <= 0:
            return None
        value = self._unlike[place]
        if value < LIKELY or index - self._last_cut < AROUND:
            return None
        near = [
            self._unlike[i]
            for i in range(max(0, place - AROUND), min(len(self._unlike), place + AROUND + 1))
            if i != place
        ]
        if value < _times(value) * max(near, default=0.0):
            return None
        before = self._thumbs[len(self._thumbs) - 2 - later]
        after = list(self._thumbs)[len(self._thumbs) - 1 - later :]
        if any(unlikeness(before, thumb) < 0.5 * value for thumb in after[1:]):
            return None
        self._last_cut = index
        return index


def _times(value: float) -> float:
    return SURE_STANDS_OUT if value >= SURE else STANDS_OUT


def _thinned(plane: ByteArray) -> ByteArray:
    """Leave out rows and columns that an average does not need; they cost the most."""
    step = max(1, plane.shape[1] // (4 * THUMB[0]))
    return np.ascontiguousarray(plane[::step, ::step])


def unlikeness(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Tell how unlike two small pictures are, from 0 to 2, whatever their exposure.

    One less the correlation of luma, and the mean change of both chroma as a share of a quarter of
    their range, whichever is more.

    Parameters
    ----------
    one, other
        ``(3, h, w)`` float32: luma and chroma from 0 to 255.
    """
    a, b = one[0] - one[0].mean(), other[0] - other[0].mean()
    shared = float((a * b).mean()) + _NOISE
    shape = 1.0 - shared / float(np.sqrt(((a * a).mean() + _NOISE) * ((b * b).mean() + _NOISE)))
    colour = float(np.abs(one[1:] - other[1:]).mean()) / 64.0
    return max(shape, colour)
