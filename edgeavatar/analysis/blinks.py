"""Blinks in a row of how far the lids are shut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SHUT: Final = 0.22
"""Rise of the blink weight over the open eye from which it is a blink."""
OPEN: Final = 0.12
"""Rise below which the eye is open again."""
LONGEST_S: Final = 0.6
"""Blinks last .1 to .4 s (Stern, Walrath & Goldstein 1984); what takes longer is a look downwards
or sleep."""
AROUND_S: Final = 3.0
"""Stretch from whose median the open eye is known."""
LONGEST_GAP_S: Final = 0.2


def find_blinks(time_s: npt.NDArray[Any], blink: npt.NDArray[Any]) -> list[tuple[float, float]]:
    """Find blinks.

    Lids follow the gaze: who looks down has half-shut eyes for seconds. So what counts is how far
    the weight rises above its median of the 3 s around it, with one bound to begin and a lower one
    to end.

    Parameters
    ----------
    time_s
        ``(n,)`` ascending.
    blink
        ``(n,)`` 0 open to 1 shut: mean of both eyes' weights.

    Returns
    -------
    list of tuple
        Begin and end in seconds.
    """
    if len(time_s) < 3:
        return []
    rise = blink - _open_level(time_s, blink)
    found: list[tuple[float, float]] = []
    begun: int | None = None
    for i in range(len(rise)):
        torn = i > 0 and time_s[i] - time_s[i - 1] > LONGEST_GAP_S
        if begun is not None and (torn or rise[i] < OPEN):
            if not torn and time_s[i] - time_s[begun] <= LONGEST_S:
                found.append((float(time_s[begun]), float(time_s[i])))
            begun = None
        if begun is None and rise[i] >= SHUT:
            begun = i
    return found


def _open_level(time_s: npt.NDArray[Any], blink: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    low = np.searchsorted(time_s, time_s - AROUND_S / 2)
    high = np.searchsorted(time_s, time_s + AROUND_S / 2, side="right")
    return np.array([np.median(blink[a:b]) for a, b in zip(low, high, strict=True)])
