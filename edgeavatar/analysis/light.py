"""Light on a face: how bright, from which side, before what, and how noisy.

Brightness is judged on the face and not on the frame, and darkness by the brightest parts of the
face: dark skin in good light has highlights, skin in bad light has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from edgeavatar.analysis.patch import FacePatch
    from edgeavatar.types import ByteArray, FaceObservation

BLACK: Final = 25
"""Luma up to which a pixel holds no detail."""
WHITE: Final = 247
"""Luma from which a pixel holds no detail."""
_RIGHT_CHEEK: Final = (50, 101, 118, 205)
_LEFT_CHEEK: Final = (280, 330, 347, 425)
"""The person's cheeks, beside the nose and under the eyes, where beards do not reach."""
_SQUARE_SIDE: Final = 0.3
"""Side of the squares of skin over the distance of the eyes, as ISO/IEC 39794-5 takes them."""
_FRONTAL_DEG: Final = 30.0
"""Yaw from which the far cheek is seen too flat to compare."""
_FOREHEAD: Final = 151
_GAMMA: Final = 2.2
_KERNEL: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_TRIMMED: Final = 0.657
"""Mean of the smaller nine tenths of the absolute values of a normal distribution, over its
standard deviation."""
_LEAST_SKIN: Final = 64


@dataclass(frozen=True, slots=True)
class Exposure:
    """Brightness of a whole picture."""

    luma: float
    """Mean, 0 to 1."""
    clipped_low: float
    """Share of the pixels of 5 of 255 or less."""
    clipped_high: float
    """Share of the pixels of 250 or more."""


@dataclass(frozen=True, slots=True)
class FaceLight:
    """Light on one face."""

    luma: float
    """Median of the skin, 0 to 1."""
    highlight: float
    """95th percentile of the luma of the whole face, 0 to 1."""
    clipped_low: float
    """Share of the skin that is too dark to hold detail (25 of 255 or less)."""
    clipped_high: float
    """Share of the skin that is too bright to (247 of 255 or more)."""
    side_light: float
    """Base-2 logarithm of the luma of the cheek to the picture's right over that of the other;
    1 is twice as bright. NaN where the head is turned by more than 30 degrees."""
    backlight: float
    """Stops by which the background is brighter than the skin; NaN if there is none beside it."""
    noise: float
    """Standard deviation of the noise of the skin, in luma levels of 255."""


def measure_exposure(luma: ByteArray) -> Exposure:
    """Measure the brightness of a picture.

    Parameters
    ----------
    luma
        ``(H, W)`` uint8, full range; a few thousand pixels are looked at.
    """
    step = max(1, max(luma.shape) // 160)
    few = luma[::step, ::step]
    return Exposure(
        luma=float(few.mean()) / 255.0,
        clipped_low=float((few <= 5).mean()),
        clipped_high=float((few >= 250).mean()),
    )


def measure_light(bgr: ByteArray, face: FaceObservation, patch: FacePatch) -> FaceLight:
    """Measure the light on a face.

    Parameters
    ----------
    bgr
        ``(H, W, 3)`` uint8, the whole picture.
    face
        A face in it.
    patch
        The same, cut out.

    Returns
    -------
    FaceLight
        All NaN if no skin is seen.
    """
    few = patch.luma[:: patch.step, :: patch.step]
    skin = few[patch.skin]
    if len(skin) < _LEAST_SKIN:
        return FaceLight(*(math.nan,) * 7)
    middle = float(np.median(skin))
    return FaceLight(
        luma=middle / 255.0,
        highlight=float(np.percentile(few, 95)) / 255.0,
        clipped_low=float((skin <= BLACK).mean()),
        clipped_high=float((skin >= WHITE).mean()),
        side_light=_side_light(patch, face.pose.yaw_deg),
        backlight=_backlight(bgr, patch, middle),
        noise=_noise(patch),
    )


def _side_light(patch: FacePatch, yaw_deg: float) -> float:
    if abs(yaw_deg) > _FRONTAL_DEG:
        return math.nan
    sides = []
    for cheek in (_RIGHT_CHEEK, _LEFT_CHEEK):
        # Medians: a strand of hair or a spot of shine does not count.
        values = [float(np.median(square)) for square in _squares(patch, patch.luma, cheek)]
        if not values:
            return math.nan
        sides.append(max(1.0, float(np.mean(values))))
    return math.log2(sides[1] / sides[0])


def _squares(
    patch: FacePatch, values: npt.NDArray[Any], places: tuple[int, ...]
) -> Iterator[npt.NDArray[Any]]:
    """Yield squares of skin around landmarks, as far as they are in the picture."""
    eyes = float(np.linalg.norm(patch.points[33] - patch.points[263]))
    half = max(1.0, _SQUARE_SIDE * eyes / 2.0)
    height, width = values.shape
    for x, y in patch.points[list(places)]:
        x0, x1 = max(0, round(x - half)), min(width, round(x + half) + 1)
        y0, y1 = max(0, round(y - half)), min(height, round(y + half) + 1)
        if x1 > x0 and y1 > y0:
            yield values[y0:y1, x0:x1]


def _backlight(bgr: ByteArray, patch: FacePatch, skin: float) -> float:
    """Compare the skin with what is beside and above the head, above the shoulders."""
    height, width = bgr.shape[:2]
    step = max(1, max(height, width) // 160)
    few = cv2.cvtColor(np.ascontiguousarray(bgr[::step, ::step]), cv2.COLOR_BGR2GRAY)
    rows, columns = np.arange(0, height, step), np.arange(0, width, step)
    x, y = patch.points.mean(0) + patch.origin
    size = patch.height_px
    beside = np.abs(columns - x) > 0.7 * size
    above = rows < y - 1.05 * size
    beyond = beside[None, :] | above[:, None]
    beyond &= (rows < y + 0.5 * size)[:, None]
    if beyond.mean() < 0.02:
        return math.nan
    light = (few[beyond].astype(np.float32) / 255.0) ** _GAMMA
    return math.log2(max(float(light.mean()), 1e-4) / max((skin / 255.0) ** _GAMMA, 1e-4))


def _noise(patch: FacePatch) -> float:
    """Immerkaer's operator, "Fast noise variance estimation" (1996), on cheeks and forehead.

    It answers neither to even nor to sloping brightness. The largest tenth is left out: those are
    edges.
    """
    found = []
    for square in _squares(patch, patch.luma, (*_RIGHT_CHEEK[:1], *_LEFT_CHEEK[:1], _FOREHEAD)):
        if min(square.shape) > 2:
            response = cv2.filter2D(np.ascontiguousarray(square), cv2.CV_32F, _KERNEL)
            found.append(np.abs(response[1:-1, 1:-1]).ravel())
    values = np.sort(np.concatenate(found)) if found else np.empty(0)
    if len(values) < _LEAST_SKIN:
        return math.nan
    return float(values[: int(0.9 * len(values))].mean()) / (6.0 * _TRIMMED)
