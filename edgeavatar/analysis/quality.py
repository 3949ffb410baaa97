"""All measures of one picture and of one face in it, as the columns of an analysis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeavatar.analysis.compression import blockiness
from edgeavatar.analysis.light import measure_exposure, measure_light
from edgeavatar.analysis.patch import cut_face, face_height
from edgeavatar.analysis.sharpness import frame_sharpness, measure_sharpness
from edgeavatar.analysis.visibility import measure_glare, measure_lips

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FaceObservation


@dataclass(frozen=True, slots=True)
class FrameQuality:
    """Columns of ``Analysis.frames``, by their names."""

    luma: float
    """Mean, 0 to 1."""
    clipped_low: float
    """Share of the pixels."""
    clipped_high: float
    sharpness: float
    """See :func:`~edgeavatar.analysis.sharpness.frame_sharpness`."""
    blockiness: float
    """See :func:`~edgeavatar.analysis.compression.blockiness`."""


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Columns of ``Analysis.faces_by_frame``, by their names; NaN where it cannot be told."""

    height_px: float
    """From hairline to chin."""
    inside: float
    """Share of the face that lies in the picture."""
    luma: float
    """These seven: see :class:`~edgeavatar.analysis.light.FaceLight`."""
    highlight: float
    clipped_low: float
    clipped_high: float
    side_light: float
    backlight: float
    noise: float
    sharpness: float
    """``detail_px`` of :class:`~edgeavatar.analysis.sharpness.Sharpness`."""
    glare: float
    """See :func:`~edgeavatar.analysis.visibility.measure_glare`."""
    lips: float
    """See :func:`~edgeavatar.analysis.visibility.measure_lips`."""


def measure_frame(luma: ByteArray) -> FrameQuality:
    """Measure a whole picture; about 3 ms for 1080p.

    Parameters
    ----------
    luma
        ``(H, W)`` uint8, as it was decoded.
    """
    light = measure_exposure(luma)
    return FrameQuality(
        luma=light.luma,
        clipped_low=light.clipped_low,
        clipped_high=light.clipped_high,
        sharpness=frame_sharpness(luma),
        blockiness=blockiness(luma),
    )


def measure_face(bgr: ByteArray, face: FaceObservation) -> FaceQuality:
    """Measure a face in a picture.

    Parameters
    ----------
    bgr
        ``(H, W, 3)`` uint8, the whole picture.
    face
        What was seen in it.
    """
    patch = cut_face(bgr, face)
    if patch is None:
        return FaceQuality(face_height(face), 0.0, *(math.nan,) * 10)
    light = measure_light(bgr, face, patch)
    edges = measure_sharpness(patch)
    return FaceQuality(
        height_px=patch.height_px,
        inside=patch.inside,
        luma=light.luma,
        highlight=light.highlight,
        clipped_low=light.clipped_low,
        clipped_high=light.clipped_high,
        side_light=light.side_light,
        backlight=light.backlight,
        noise=light.noise,
        sharpness=edges.detail_px,
        glare=measure_glare(patch),
        lips=measure_lips(patch),
    )
