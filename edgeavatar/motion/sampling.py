"""Motion rows at the exact times of video frames."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.types import MOTION_NAMES, MOTION_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgeavatar.types import FloatArray


def sample_rows(
    blocks: Iterable[FloatArray],
    times: Iterable[Fraction],
    *,
    rate: Fraction = MOTION_RATE,
    width: int = len(MOTION_NAMES),
) -> Iterator[FloatArray]:
    """Read a motion track at given times.

    Rows between two of the track are interpolated linearly. The track is not averaged over a
    frame's exposure: tracks are band-limited below 20 Hz, so there is nothing to blur but the
    closures, which are barely longer than a frame at 25 fps.

    One time is taken for each row given, and no block is taken before a time needs it. Rows
    earlier than the last time asked for are dropped, so memory does not grow.

    Parameters
    ----------
    blocks : iterable of numpy.ndarray
        ``(n, width)`` float32 each; together a track of which row ``i`` holds at ``i / rate`` s.
    times : iterable of Fraction
        Seconds, >= 0, never falling; any frame rate, even or not.
    rate : Fraction
        Rows per second of the track.
    width : int
        Columns of the track.

    Yields
    ------
    numpy.ndarray
        ``(width,)`` float32. Past the end of the track everything is at rest: zeros, reached
        linearly within one row after the last.

    Raises
    ------
    UsageError
        If a time is negative or earlier than the one before, or a block has another width.
    """
    source = iter(blocks)
    held = np.zeros((0, width), np.float32)
    held_from = 0
    ended = False
    previous = Fraction(0)
    for time in times:
        if time < previous:
            raise UsageError(
                f"expected frame times that never fall, found {float(time):.4f} s "
                f"after {float(previous):.4f} s"
            )
        previous = time
        position = time * rate
        first = position.numerator // position.denominator
        share = np.float32(position - first)
        while not ended and held_from + len(held) < first + 2:
            block = next(source, None)
            if block is None:
                ended = True
                break
            if block.ndim != 2 or block.shape[1] != width:
                raise UsageError(f"expected motion rows of {width} weights, found {block.shape}")
            passed = min(len(held), max(0, first - held_from))
            held_from += passed
            held = np.concatenate([held[passed:], block])
        here, after = _row(held, first - held_from), _row(held, first + 1 - held_from)
        yield here + share * (after - here)


def _row(held: FloatArray, index: int) -> FloatArray:
    row: FloatArray = held[index] if index < len(held) else np.zeros(held.shape[1], np.float32)
    return row
