"""Frame rates as people and files write them."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from edgeavatar.errors import UsageError

FPS: Final = (1, 120)
"""Lowest and highest frame rate."""
FPS_DENOMINATOR: Final = 1001
"""Of 30000/1001, the finest frame rate of broadcasting; containers count in 32 bits."""

_BROADCAST = tuple(Fraction(frames, FPS_DENOMINATOR) for frames in (24000, 30000, 60000))


def exact_rate(rate: Fraction | float) -> Fraction:
    """Return the frame rate that a rounded one means.

    Parameters
    ----------
    rate : Fraction or float
        Frames per second, finite; 29.97 and 23.976 are 30000/1001 and 24000/1001.

    Returns
    -------
    Fraction
        With a denominator of at most :data:`FPS_DENOMINATOR`.
    """
    # 29.9700001 means what 29.97 does.
    simple = Fraction(rate).limit_denominator(FPS_DENOMINATOR)
    # Broadcast rates are written short and are meant exactly.
    for exact in _BROADCAST:
        if abs(simple - exact) < Fraction(1, 200):
            return exact
    return simple


def parse_rate(text: str) -> Fraction:
    """Read a frame rate written as ``30``, ``29.97`` or ``30000/1001``.

    Raises
    ------
    UsageError
        It is no number. Whether it lies within :data:`FPS` is not looked at.
    """
    try:
        return exact_rate(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"expected a frame rate as 25 or 30000/1001, found {text!r}") from None


def check_rate(rate: Fraction) -> None:
    """Raise UsageError for a frame rate outside :data:`FPS` or of too fine a fraction."""
    if not FPS[0] <= rate <= FPS[1]:
        raise UsageError(f"expected a frame rate from {FPS[0]} to {FPS[1]}, found {float(rate):g}")
    if rate.denominator > FPS_DENOMINATOR:
        raise UsageError(
            f"expected a frame rate with a denominator of at most {FPS_DENOMINATOR}, found "
            f"{rate}; round it"
        )
