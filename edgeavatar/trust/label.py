"""The visible label and the container tags that say a video was generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import bgr_to_planes

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, ColourTags, FloatArray, Frame

DEFAULT_TEXT = "AI-generated"
TEXT_HEIGHT = 0.026
"""Size of the letters, in the picture's shorter side: 28 px at 1080p, legible on a phone."""
SMALLEST_PX = 11
MARGIN = 0.022
"""Distance to the picture's border, in its shorter side."""
PLATE_ALPHA = 0.45
"""Opacity of the dark plate behind the letters, so that they are legible on any picture."""
LONGEST_TEXT = 60


@dataclass(frozen=True, slots=True)
class Label:
    """A label that is drawn once and laid over every frame."""

    planes: tuple[ByteArray, ByteArray, ByteArray]
    alpha: FloatArray
    """``(h, w)`` float32 in [0, 1]."""
    x0: int
    y0: int

    def apply(self, frame: Frame) -> Frame:
        """Return the frame with the label in its lower left corner."""
        return blend_frame(frame, self.planes, self.alpha, self.x0, self.y0)


def draw_label(text: str, width: int, height: int, colour: ColourTags) -> Label:
    """Prepare a label for frames of one size.

    Parameters
    ----------
    text
        At most 60 characters, one line.
    width, height
        Of the frames in pixels.
    colour
        Of the frames.

    Raises
    ------
    UsageError
        If the text is empty, has more than one line or does not fit the picture.
    """
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_TEXT:
        raise UsageError(
            f"expected a label of 1 to {LONGEST_TEXT} printable characters, found {text!r}; "
            "use --no-label to leave it out"
        )
    side = min(width, height)
    size = max(SMALLEST_PX, round(TEXT_HEIGHT * side))
    pad = max(2, round(0.45 * size))
    face = cv2.FontFace("sans")
    left, top, text_width, text_height = _text_box(text, face, size)
    plate_width = (text_width + 2 * pad + 1) & ~1
    plate_height = (text_height + 2 * pad + 1) & ~1
    margin = round(MARGIN * side)
    x0, y0 = margin & ~1, (height - margin - plate_height) & ~1
    if x0 + plate_width > width or y0 < 0:
        raise UsageError(
            f"the label {text!r} needs {plate_width}x{plate_height} pixels and the picture has "
            f"{width}x{height}; use a shorter --label or --no-label"
        )
    letters = np.zeros((plate_height, plate_width, 3), np.uint8)
    cv2.putText(letters, text, (pad - left, pad - top), (255, 255, 255), face, size)
    ink = letters[..., 0].astype(np.float32) / 255.0
    plate = _rounded_plate(plate_width, plate_height, pad)
    alpha = np.maximum(ink, PLATE_ALPHA * plate)
    # White letters over a black plate: the colour that gives both through one alpha.
    grey = np.divide(255.0 * ink, alpha, out=np.zeros_like(alpha), where=alpha > 0)
    picture = np.repeat(np.clip(grey + 0.5, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return Label(bgr_to_planes(picture, colour), alpha.astype(np.float32), x0, y0)


def container_tags(version: str, label: str | None) -> dict[str, str]:
    """Tags for the container, which stay where a visible label is cropped away.

    Only keys that ordinary players show. The address is the IPTC's term for media that a trained
    algorithm made from captured ones.
    """
    return {
        "comment": f"{label or DEFAULT_TEXT}: the face in this video was animated by edgeavatar "
        f"{version}",
        "description": "http://cv.iptc.org/newscodes/digitalsourcetype/"
        "compositeWithTrainedAlgorithmicMedia",
    }


def _text_box(text: str, face: cv2.FontFace, size: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of the ink of a text whose origin is (0, 0)."""
    left, top, width, height = cv2.getTextSize((0, 0), text, (0, 0), face, size)
    return int(left), int(top), int(width), int(height)


def _rounded_plate(width: int, height: int, radius: int) -> FloatArray:
    """Coverage of a rectangle with round corners, ``(height, width)`` float32."""
    x = np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - radius)
    distance = np.hypot(np.maximum(x, 0)[None, :], np.maximum(y, 0)[:, None]) - radius
    return np.asarray(np.clip(0.5 - distance, 0.0, 1.0), np.float32)
