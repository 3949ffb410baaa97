"""A part of a frame as a smaller BGR picture, held to the two steps that it stands for."""

from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.kernels.averaged_colour import averaged_bgr
from edgeavatar.kernels.averaging import block_means
from edgeavatar.kernels.colour import planes_to_bgr
from edgeavatar.types import ColourTags, Frame


def _frame(colour: ColourTags | None = None) -> Frame:
    made = np.random.default_rng(4)
    y, u, v = (made.integers(0, 256, size, np.uint8) for size in ((101, 143), (51, 72), (51, 72)))
    return Frame(0, Fraction(0), y, u, v, colour or ColourTags())


@pytest.mark.parametrize("colour", [ColourTags("bt709", "limited"), ColourTags("bt601", "full")])
@pytest.mark.parametrize("factor", [2, 3, 4, 7, 16])
@pytest.mark.parametrize("corner", [(0, 0), (1, 2), (5, 3)])
def test_it_is_conversion_and_averaging_in_one(
    colour: ColourTags, factor: int, corner: tuple[int, int]
) -> None:
    frame, (left, top) = _frame(colour), corner
    columns, rows = (143 - left) // factor, (101 - top) // factor
    part = planes_to_bgr(frame, left, top, left + columns * factor, top + rows * factor)
    found = averaged_bgr(frame, left, top, (columns, rows), factor)
    np.testing.assert_array_equal(found, block_means(part, factor))


@pytest.mark.parametrize(
    ("left", "top", "size", "factor"),
    [(0, 0, (10, 10), 1), (0, 0, (1, 1), 17), (-1, 0, (5, 5), 3), (0, 0, (48, 5), 3)],
)
def test_what_cannot_be_averaged_is_refused(
    left: int, top: int, size: tuple[int, int], factor: int
) -> None:
    with pytest.raises(ValueError, match="expected blocks of 2 to 16 inside a 143 x 101 frame"):
        averaged_bgr(_frame(), left, top, size, factor)
