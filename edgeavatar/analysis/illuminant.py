"""The colour of the light on a face, after the camera's white balance.

No one knows the colours of an unknown scene, but the whites of eyes are much alike in all people,
and skin varies mostly along one line. Of 51 people whom the constants were not measured on (Face
Research Lab London Set, before a grey wall that tells the light), the whites of the eyes tell the
temperature to 350 K (median; 9 of 10 to 720 K), skin alone to 890 K (1460 K).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SCLERA: Final = (0.205, -0.040)
"""Logarithms of red and of blue over green, of linear light, of eye whites in neutral light; mean
of 51 people of the same set."""
SKIN: Final = (0.558, -0.237)
"""The same of cheeks."""
LEAST_K: Final = 2000.0
MOST_K: Final = 15000.0
"""McCamy's formula holds between."""
_DARK, _BRIGHT = 10.0, 250.0
_TO_XYZ: Final = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""Linear sRGB to CIE XYZ (IEC 61966-2-1)."""


def light_temperature_k(skin_bgr: npt.NDArray[Any], sclera_bgr: npt.NDArray[Any]) -> float | None:
    """Estimate the correlated colour temperature of the light on a face.

    Parameters
    ----------
    skin_bgr, sclera_bgr
        ``(n, 3)`` colours of cheeks and of eye whites, sRGB 0 to 255, of some frames; rows of NaN
        where they were not seen.

    Returns
    -------
    float or None
        Kelvin, 2000 to 15000. 6500 is light in which white looks white; less is a warm cast, more a
        cold one. None if neither is seen well, or the light is far from that of any lamp.
    """
    for colours, reference in ((sclera_bgr, SCLERA), (skin_bgr, SKIN)):
        seen = colours[((colours > _DARK) & (colours < _BRIGHT)).all(axis=1)]
        if len(seen):
            blue, green, red = _linear(np.median(seen, axis=0))
            cast_red = np.log(red / green) - reference[0]
            cast_blue = np.log(blue / green) - reference[1]
            return _mccamy_k(np.array([np.exp(cast_red), 1.0, np.exp(cast_blue)]))
    return None


def _mccamy_k(rgb: npt.NDArray[np.float64]) -> float | None:
    """Correlated colour temperature of linear sRGB (McCamy 1992)."""
    xyz = _TO_XYZ @ rgb
    x, y = xyz[:2] / xyz.sum()
    n = (x - 0.3320) / (y - 0.1858)
    kelvin = -449.0 * n**3 + 3525.0 * n**2 - 6823.3 * n + 5520.33
    return float(kelvin) if LEAST_K <= kelvin <= MOST_K else None


def _linear(colour: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    share = np.asarray(colour, np.float64) / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
