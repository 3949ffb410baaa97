"""How articulators move and what weights they make, as it was with the regression.

What a weight does to the lips (``GAP_PER_WEIGHT``) is a property of the rig and is read from the
package, so that gaps of all systems are measured alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.aperture import GAP_PER_WEIGHT
from edgeavatar.types import MOTION_NAMES, MOTION_RATE

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Channels = npt.NDArray[np.float64]

ARTICULATORS: tuple[str, ...] = (
    "jaw",
    "gap",
    "pucker",
    "funnel",
    "spread",
    "labiodental",
    "press",
    "tongue_tip",
    "tongue_out",
)
"""Channels of articulator space.

``jaw`` is the weight jawOpen; ``gap`` the distance of the inner lips beyond rest in face heights,
negative where the lips press; all others are 0 (rest) to 1 (fully used).
"""

PRESSED_GAP = -0.004
"""Gap asked of sealed lips: a little beyond contact (face heights)."""

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

_SPEED_PER_ROW = np.array([SPEED[name] for name in ARTICULATORS]) / RATE


def settle(wanted: Channels) -> Channels:
    """Make wanted channels into a movement that a face can make.

    The speed limit takes the largest track below the wanted one that nowhere moves faster than
    :data:`SPEED` (the lower Lipschitz envelope): peaks that there is no time for are undershot,
    while closures, being minima, stay whole. Then the track is smoothed.

    Parameters
    ----------
    wanted : numpy.ndarray
        ``(n, 9)`` float64 on the 100 Hz grid, order of :data:`ARTICULATORS`,
        n >= 2 * :data:`MARGIN`.

    Returns
    -------
    numpy.ndarray
        ``(n - 2 * MARGIN, 9)`` float64: the rows but for the margins. Each value depends on no
        rows further than :data:`MARGIN` away.
    """
    limited = wanted.copy()
    for k in range(1, _SPEED_REACH + 1):
        rise = k * _SPEED_PER_ROW
        np.minimum(limited[k:], wanted[:-k] + rise, out=limited[k:])
        np.minimum(limited[:-k], wanted[k:] + rise, out=limited[:-k])
    count = len(wanted) - 2 * MARGIN
    smooth = np.zeros((count, wanted.shape[1]))
    for k, tap in enumerate(SMOOTHING):
        first = MARGIN - SMOOTHING_RADIUS + k
        smooth += tap * limited[first : first + count]
    return smooth


_SOFTNESS = 0.010
"""Face heights over which lips change from parted by their own muscles to held together over an
open jaw; a sharp change would show as a corner in the track."""


def articulators_to_rows(channels: Channels) -> FloatArray:
    """Turn articulators into weights of the rig.

    The jaw, rounding and the like part the lips by themselves; what is missing to the asked gap is
    made up by the lips (upper lip raised, lower lip lowered), what is too much is taken back by
    mouthClose. :func:`~edgeavatar.motion.aperture.signed_aperture` of the result is the asked gap
    wherever no weight reaches its bounds.

    Parameters
    ----------
    channels : numpy.ndarray
        ``(n, 9)`` float64, order of :data:`ARTICULATORS`.

    Returns
    -------
    numpy.ndarray
        ``(n, 26)`` float32 in [0, 1], order of :data:`~edgeavatar.types.MOTION_NAMES`.

    Raises
    ------
    UsageError
        If the array does not have one column for each articulator.
    """
    if channels.ndim != 2 or channels.shape[1] != len(ARTICULATORS):
        raise UsageError(
            f"expected (n, {len(ARTICULATORS)}) articulators, found shape {channels.shape}"
        )
    jaw, gap, pucker, funnel, spread, labiodental, press, tip, out = channels.T
    weights = dict.fromkeys(MOTION_NAMES, np.zeros(len(channels)))
    weights["jawOpen"] = jaw
    weights["mouthPucker"] = pucker
    weights["mouthFunnel"] = funnel
    weights["mouthRollLower"] = 0.55 * labiodental + 0.12 * press
    weights["mouthRollUpper"] = 0.10 * press
    weights["mouthShrugLower"] = 0.08 * press
    weights["mouthPressLeft"] = weights["mouthPressRight"] = 0.30 * press
    weights["mouthSmileLeft"] = weights["mouthSmileRight"] = 0.10 * spread
    weights["mouthStretchLeft"] = weights["mouthStretchRight"] = 0.14 * spread
    weights["tongueUp"] = tip
    weights["tongueOut"] = out

    missing = gap - sum(GAP_PER_WEIGHT.get(name, 0.0) * w for name, w in weights.items())
    # Fades with the movement itself, so that a face at rest gets exactly zero.
    amount = np.sqrt(gap**2 + (0.2 * jaw) ** 2)
    softness = _SOFTNESS * amount / (amount + 0.01)
    reach = np.sqrt(missing**2 + softness**2)
    part, close = (reach + missing) / 2.0, (reach - missing) / 2.0
    weights["mouthClose"] = close / -GAP_PER_WEIGHT["mouthClose"]
    lower = 0.6 * part / (2.0 * GAP_PER_WEIGHT["mouthLowerDownLeft"])
    upper = 0.4 * part / (2.0 * GAP_PER_WEIGHT["mouthUpperUpLeft"])
    weights["mouthLowerDownLeft"] = weights["mouthLowerDownRight"] = lower
    weights["mouthUpperUpLeft"] = weights["mouthUpperUpRight"] = upper
    rows = np.stack([weights[name] for name in MOTION_NAMES], axis=1)
    return np.clip(rows, 0.0, 1.0).astype(np.float32)
