"""Blinks in a row of how far the lids are shut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

RISE: Final = 0.15
"""Least of what a blink rises above the lids before it, and above those after it. Blinks of two
people in real video rise by .18 to .7, but one half-shut one by .13."""
WITHIN_S: Final = 0.3
"""Time within which it has risen, and has fallen again: lids shut in .1 s and open in .2 s, and
longer than twice this they stay shut in no blink (Stern, Walrath & Goldstein 1984: .1 to .4 s)."""


def find_blinks(time_s: npt.NDArray[Any], blink: npt.NDArray[Any]) -> list[tuple[float, float]]:
    """Find blinks.

    Lids follow the gaze: who looks down has half-shut eyes for seconds, and often blinks on the way
    there and back. So what counts is not how far they are shut but a rise and a fall.

    Parameters
    ----------
    time_s
        ``(n,)`` ascending.
    blink
        ``(n,)`` 0 open to 1 shut: mean of both eyes' weights.

    Returns
    -------
    list of tuple
        Begin and end in seconds of the time in which the lids are shut.
    """
    if len(time_s) < 3:
        return []
    before = np.searchsorted(time_s, time_s - WITHIN_S)
    after = np.searchsorted(time_s, time_s + WITHIN_S, side="right")
    places = range(len(time_s))
    lowest_before = np.array([blink[before[i] : i + 1].min() for i in places])
    lowest_after = np.array([blink[i : after[i]].min() for i in places])
    shut = blink - np.maximum(lowest_before, lowest_after) >= RISE
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(np.int8), [0]])))
    last = len(time_s) - 1
    return [
        (float(time_s[begin]), float(time_s[min(end, last)]))
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]
