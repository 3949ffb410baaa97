"""Lips are told from the skin beside them by colour; where they no longer are, they are hidden.

A hand, a mask or a cup has no lips, whatever its colour. How far a person's lips are from the skin,
and in which direction, is learned for each third of the mouth, so that half a mouth can be missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FloatArray

    Mask = npt.NDArray[np.bool_]

THIRDS = 3
LEAST_PX = 4
"""Pixels of a third of the lips, or of the skin beside it, that are enough to tell its colour."""
NEEDED = 12
"""Frames in which a third was seen before it can be missed."""
RATE = 0.05
"""Least weight of a new frame among those before."""
TOLD = 0.8
"""Distance of lips and skin, over what means nothing, below which they are not told apart."""


def lip_contrast(colours: FloatArray, lips: Mask, beside: Mask, third: ByteArray) -> FloatArray:
    """Tell how the lips differ from the skin beside them.

    Parameters
    ----------
    colours
        ``(h, w, c)`` float32.
    lips, beside
        ``(h, w)``: the red of the lips, and skin around it.
    third
        ``(h, w)``: in which third of the mouth's width a place lies, 0 to 2.

    Returns
    -------
    FloatArray
        ``(3, c)`` float32, of each third; NaN where too little of it is in the picture.
    """
    found = np.full((THIRDS, colours.shape[-1]), np.nan, np.float32)
    for index in range(THIRDS):
        here = third == index
        red, skin = colours[lips & here], colours[beside & here]
        if len(red) >= LEAST_PX and len(skin) >= LEAST_PX:
            found[index] = middle_of(red) - middle_of(skin)
    return found


def middle_of(values: FloatArray) -> FloatArray:
    """Give the median of each column of ``(n, c)`` float32 without NaN, as ``(c,)`` float32.

    The same as ``numpy.median(values, axis=0)``, bit for bit, in half of the time.
    """
    columns = values.T.copy()
    middle, odd = divmod(columns.shape[-1], 2)
    if odd:
        columns.partition(middle)
        return np.asarray(columns[..., middle])
    columns.partition((middle - 1, middle))
    return np.asarray((columns[..., middle - 1] + columns[..., middle]) / np.float32(2.0))


class LipColours:
    """How a person's lips differ from the skin; constant in size.

    Parameters
    ----------
    floor
        ``(c,)``: differences of colours that mean nothing.
    """

    def __init__(self, floor: tuple[float, ...]) -> None:
        self._noise = np.square(np.array(floor, np.float32))
        self._mean = np.zeros((THIRDS, len(floor)), np.float32)
        self._seen = np.zeros(THIRDS, np.float32)

    def shown(self, contrast: FloatArray) -> FloatArray:
        """Tell how much of what is usual sets the lips apart.

        Parameters
        ----------
        contrast
            From :func:`lip_contrast`.

        Returns
        -------
        FloatArray
            ``(3,)`` float32: about 1 for lips, 0 for anything of one colour, below for what is
            told from its surroundings in another way; NaN where lips were not told from skin
            before, or are not in the picture.
        """
        usual = (self._mean * self._mean / self._noise).sum(-1)
        told = (self._seen >= NEEDED) & (usual > TOLD * TOLD)
        along = (contrast * self._mean / self._noise).sum(-1)
        return np.where(told, along / np.maximum(usual, 1e-6), np.nan).astype(np.float32)

    def learn(self, contrast: FloatArray) -> None:
        """Take a frame in which nothing hides the lips in."""
        known = np.asarray(~np.isnan(contrast).any(-1))
        weight = np.where(known, np.maximum(np.float32(RATE), 1 / (self._seen + 1)), 0)[:, None]
        self._mean += weight * (np.where(known[:, None], contrast, 0) - self._mean)
        self._seen += known
