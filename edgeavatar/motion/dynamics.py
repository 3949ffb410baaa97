"""How fast articulators move: speed limits and smoothing of channels on the 100 Hz grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.motion.visemes import ARTICULATORS
from edgeavatar.types import MOTION_RATE

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.motion.visemes import Channels

    Times = npt.NDArray[np.float64]

RATE = float(MOTION_RATE)

SPEED = {
    "jaw": 6.2,
    "gap": 1.8,
    "pucker": 7.5,
    "funnel": 7.5,
    "spread": 9.0,
    "labiodental": 12.0,
    "press": 14.0,
    "tongue_tip": 14.0,
    "tongue_out": 10.0,
}
"""Fastest change per second. Jaw and gap are the 99th to 99.9th percentiles of 260 GRID clips
(jawOpen 6.2 to 7.8, gap 1.6 to 2.1 face heights) and, at 17.7 cm a face, 32 cm/s between the lips
and 17 cm/s at the chin: the upper end of what Löfqvist & Gracco (1997) and Ostry & Flanagan (1989)
report. The others move at the tempo of the lips: their whole range in 70 to 130 ms."""

SMOOTHING = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
"""Binomial, ±20 ms, -3 dB near 18 Hz: above any movement of speech, which ends at 6 to 8 Hz."""
SMOOTHING_RADIUS = len(SMOOTHING) // 2
_SPEED_REACH = 15
"""Rows over which the speed limit looks; range of an articulator ÷ its speed is less than this."""
MARGIN = _SPEED_REACH + SMOOTHING_RADIUS
"""Rows that :func:`settle` needs, and cuts off, on both sides."""

SPEED_PER_ROW = np.array([SPEED[name] for name in ARTICULATORS]) / RATE


def settle(wanted: Channels) -> Channels:
    """Make wanted channels into a movement that a face can make.

    The speed limit takes the largest track below the wanted one that nowhere moves faster than
    :data:`SPEED` (the lower Lipschitz envelope): peaks that there is no time for are undershot,
    while closures, being minima, stay whole. Then the track is smoothed.

    Parameters
    ----------
    wanted : numpy.ndarray
        ``(n, 9)`` float64 on the 100 Hz grid, order of
        :data:`~edgeavatar.motion.visemes.ARTICULATORS`, n >= 2 * :data:`MARGIN`.

    Returns
    -------
    numpy.ndarray
        ``(n - 2 * MARGIN, 9)`` float64: the rows but for the margins. Each value depends on no
        rows further than :data:`MARGIN` away.
    """
    limited = wanted.copy()
    for k in range(1, _SPEED_REACH + 1):
        rise = k * SPEED_PER_ROW
        np.minimum(limited[k:], wanted[:-k] + rise, out=limited[k:])
        np.minimum(limited[:-k], wanted[k:] + rise, out=limited[:-k])
    count = len(wanted) - 2 * MARGIN
    smooth = np.zeros((count, wanted.shape[1]))
    for k, tap in enumerate(SMOOTHING):
        first = MARGIN - SMOOTHING_RADIUS + k
        smooth += tap * limited[first : first + count]
    return smooth


def plateau(times: Times, start: float, end: float, ramp: float) -> Times:
    """1 from start to end, falling smoothly to 0 over the time ``ramp`` on both sides.

    Parameters
    ----------
    times : numpy.ndarray
        ``(n,)`` float64 seconds.
    start, end, ramp : float
        Seconds, ``start <= end``, ``ramp > 0``.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` float64 in [0, 1], continuous with its first derivative.
    """
    x = np.clip(np.maximum(start - times, times - end) / ramp, 0.0, 1.0)
    return np.asarray(1.0 - x * x * (3.0 - 2.0 * x))
