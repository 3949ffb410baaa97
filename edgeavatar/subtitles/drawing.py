"""Subtitles in the picture: white letters on a dark plate, in the frame's own planes."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import bgr_to_planes
from edgeavatar.subtitles.cues import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeavatar.types import ByteArray, ColourTags, FloatArray, Frame

    Box = tuple[float, float, float, float]

LETTER_SIZE: Final = 0.05
"""Size of the letters in the picture's shorter side: 54 px at 1080p."""
SMALLEST_PX: Final = 11
MARGIN: Final = 0.05
"""Kept free on each side, of width and height: the safe title area of SMPTE ST 2046-1 is 90 %."""
PLATE_ALPHA: Final = 0.65
"""White letters on this plate over a white picture have a contrast of 7 to 1, which is what WCAG
2.2 asks of text at level AAA."""
_WEIGHT: Final = 500
"""A little more than regular: light letters on dark look thinner than they are."""
_LEADING: Final = 1.25
"""Distance of base lines, in letter sizes."""
_PAD: Final = 0.35
_MEAN_WIDTH: Final = 0.54
"""Of a letter of English text in this font, in letter sizes, with some room."""
_FEWEST_CHARACTERS: Final = 16
_UNKNOWN: Final = "\U0010ffff"
"""Is no character, so that it shows what the font shows for those it does not have."""
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI"})


@dataclass(frozen=True, slots=True)
class Stage:
    """The picture as far as subtitles are concerned."""

    width: int
    height: int
    colour: ColourTags
    floor: int
    """Row above which subtitles stay: the top of the label, or the height."""

    @property
    def size(self) -> int:
        """Size of the letters in pixels."""
        return max(SMALLEST_PX, round(LETTER_SIZE * min(self.width, self.height)))

    @property
    def limits(self) -> Limits:
        """What can be read, with as many characters a line as the width takes.

        Raises
        ------
        UsageError
            If the picture is too small for any.
        """
        usable = (1.0 - 2.0 * MARGIN) * self.width - 2.0 * _PAD * self.size
        fits = int(usable / (_MEAN_WIDTH * self.size))
        if fits < _FEWEST_CHARACTERS:
            raise UsageError(
                f"expected a picture in which {_FEWEST_CHARACTERS} letters of {self.size} pixels "
                f"fit side by side, found one of {self.width} x {self.height}; use --subtitles srt "
                "or vtt"
            )
        return Limits(line_characters=min(Limits().line_characters, fits))


@dataclass(frozen=True, slots=True)
class Caption:
    """One subtitle, drawn once and laid over every frame in which it shows."""

    planes: tuple[ByteArray, ByteArray, ByteArray]
    alpha: FloatArray
    """``(h, w)`` float32 in [0, 1]."""
    x0: int
    y0: int

    @property
    def box(self) -> Box:
        """Left, top, right, bottom in pixels."""
        height, width = self.alpha.shape
        return self.x0, self.y0, self.x0 + width, self.y0 + height

    def apply(self, frame: Frame) -> Frame:
        """Return the frame with the subtitle in it."""
        return blend_frame(frame, self.planes, self.alpha, self.x0, self.y0)


def check_showable(text: str) -> None:
    """Raise UsageError if a text has characters that cannot be drawn here.

    Drawing is letter by letter from left to right, in the fonts that come with OpenCV: Latin with
    all its accents, Greek, Cyrillic, Chinese, Japanese and Korean.
    """
    for char in sorted(set(unicodedata.normalize("NFC", text))):
        if char.isspace():
            continue
        reason = ""
        if unicodedata.bidirectional(char) in _RIGHT_TO_LEFT:
            reason = "which is written from right to left"
        elif not _has_glyph(char):
            reason = "which the font does not have"
        if reason:
            name = unicodedata.name(char, f"U+{ord(char):04X}")
            raise UsageError(
                f"expected letters that can be drawn into the picture, found {char} ({name}), "
                f"{reason}; use --subtitles srt, vtt or track"
            )


def draw_caption(lines: Sequence[str], stage: Stage, mouth: Box | None = None) -> Caption:
    """Draw a subtitle where it belongs: at the bottom, or at the top if the mouth is there.

    Parameters
    ----------
    lines : sequence of str
        Checked by :func:`check_showable`.
    stage : Stage
        The picture.
    mouth : tuple of float, optional
        Left, top, right, bottom of what must stay visible, in pixels. The bottom is left if two
        lines would reach it there, so that long and short subtitles stand at the same place; if it
        is in the way at the top as well, the place where less of it is covered is taken.

    Returns
    -------
    Caption
        Within the safe area, above ``stage.floor``.
    """
    lines = [unicodedata.normalize("NFC", line) for line in lines]
    letters = _letters(lines, stage)
    plate_height, plate_width = letters.shape
    margin = round(MARGIN * stage.height)
    x0 = max(0, (stage.width - plate_width) // 2) & ~1
    gap = max(2, stage.size // 4)
    floor = stage.height - margin
    if stage.floor < stage.height:
        floor = min(floor, stage.floor - gap)
    bottom = max(0, floor - plate_height) & ~1
    top = min(margin, bottom) & ~1
    y0 = bottom
    if mouth is not None:
        right = x0 + plate_width
        tallest = max(plate_height, round((2 * _LEADING + _PAD) * stage.size))
        low = _overlap((x0, floor - tallest, right, floor), mouth)
        high = _overlap((x0, margin, right, margin + tallest), mouth)
        y0 = bottom if low <= high else top
    plate = np.full(letters.shape, PLATE_ALPHA, np.float32)
    alpha = np.maximum(letters, plate)
    # White letters over a black plate: the colour that gives both through one alpha.
    grey = np.clip(255.0 * letters / alpha + 0.5, 0, 255).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, axis=2)
    return Caption(bgr_to_planes(picture, stage.colour), alpha, x0, y0)


def _letters(lines: Sequence[str], stage: Stage) -> FloatArray:
    """Coverage of the letters, centred, on a plate with even sides."""
    face = cv2.FontFace("sans")
    usable = (1.0 - 2.0 * MARGIN) * stage.width
    size = stage.size
    widths = [_ink(line, face, size)[1] for line in lines]
    widest = max(widths) + 2 * round(_PAD * size)
    if widest > usable:
        # Wide letters: the limits speak of the mean of English text.
        size = max(6, int(size * usable / widest))
        widths = [_ink(line, face, size)[1] for line in lines]
    pad, step = round(_PAD * size), round(_LEADING * size)
    width = min(stage.width & ~1, (max(widths) + 2 * pad + 1) & ~1)
    height = (step * len(lines) + 2 * (pad // 2) + 1) & ~1
    plate = np.zeros((height, width, 3), np.uint8)
    for i, (line, extent) in enumerate(zip(lines, widths, strict=True)):
        left = _ink(line, face, size)[0]
        # Letters without and with tails: the base line a quarter above the lower edge of the step.
        at = ((width - extent) // 2 - left, pad // 2 + step * i + round(0.76 * step))
        cv2.putText(plate, line, at, (255, 255, 255), face, size, _WEIGHT)
    ink: FloatArray = plate[..., 0].astype(np.float32) / np.float32(255.0)
    return ink


def _ink(text: str, face: cv2.FontFace, size: int) -> tuple[int, int]:
    """Left and width of the ink of a text whose origin is at 0."""
    left, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), face, size, _WEIGHT)
    return int(left), int(width)


def _overlap(one: Box, other: Box) -> float:
    """Area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _has_glyph(char: str) -> bool:
    return char == "?" or _glyph(char) != _glyph(_UNKNOWN)


@lru_cache(maxsize=512)
def _glyph(char: str) -> bytes:
    cell = np.zeros((48, 64, 3), np.uint8)
    cv2.putText(cell, char, (8, 36), (255, 255, 255), cv2.FontFace("sans"), 28, _WEIGHT)
    return cell[..., 0].tobytes()
