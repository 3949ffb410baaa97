"""A frame as a BGR picture of which only what is looked at is converted."""

from fractions import Fraction

import numpy as np

from edgeavatar.kernels.canvas import Canvas
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.types import ColourTags, Frame


def _frame() -> Frame:
    made = np.random.default_rng(2)
    y, u, v = (made.integers(16, 235, size, np.uint8) for size in ((50, 70), (25, 35), (25, 35)))
    return Frame(0, Fraction(0), y, u, v, ColourTags())


def test_every_rectangle_is_right_whatever_was_looked_at_before() -> None:
    frame = _frame()
    canvas, whole = Canvas(frame), frame_to_bgr(frame)
    for x0, y0, x1, y1 in ((10, 10, 30, 30), (12, 12, 20, 20), (25, 5, 60, 28), (9, 9, 31, 31)):
        here = np.s_[y0:y1, x0:x1]
        np.testing.assert_array_equal(canvas.around(x0, y0, x1, y1)[here], whole[here])
    np.testing.assert_array_equal(canvas.whole(), whole)


def test_what_lies_outside_the_frame_is_left_out() -> None:
    frame = _frame()
    seen = Canvas(frame).around(-20, -20, 15, 15)
    assert seen.shape == Canvas(frame).shape == (50, 70, 3)
    np.testing.assert_array_equal(seen[:15, :15], frame_to_bgr(frame)[:15, :15])
    assert Canvas(frame).around(80, 80, 90, 90).shape == (50, 70, 3)
