"""What is drawn into a picture can be read, and is where it should be."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.subtitles.drawing import Stage, check_showable, draw_caption
from edgeavatar.types import ColourTags, Frame

TAGS = ColourTags()
TWO = ("It was the best of times, gypsy", "it was the worst of times.")


def grey(level: int, width: int = 640, height: int = 360) -> Frame:
    return Frame(
        0,
        Fraction(0),
        np.full((height, width), level, np.uint8),
        np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8),
        np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8),
        TAGS,
    )


def stage(width: int = 640, height: int = 360, floor: int | None = None) -> Stage:
    return Stage(width, height, TAGS, height if floor is None else floor)


def luminance(level: float) -> float:
    """Relative luminance of WCAG 2.2 of a limited-range grey."""
    share = (level - 16) / 219
    return float(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("level", [16, 80, 128, 200, 235])
def test_letters_stand_out_on_any_background(level: int) -> None:
    caption = draw_caption(TWO, stage())
    made = caption.apply(grey(level))
    left, top, right, bottom = (int(edge) for edge in caption.box)
    patch = made.y[top:bottom, left:right]
    bright, dark = luminance(np.percentile(patch, 99)), luminance(np.median(patch))
    assert (bright + 0.05) / (dark + 0.05) >= 6.9


def test_nothing_else_changes() -> None:
    caption = draw_caption(TWO, stage())
    frame = grey(128)
    made = caption.apply(frame)
    changed = made.y != frame.y
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    left, top, right, bottom = caption.box
    assert top <= rows[0] <= rows[-1] < bottom
    assert left <= columns[0] <= columns[-1] < right
    assert (frame.y == 128).all()


@pytest.mark.parametrize(("width", "height"), [(640, 360), (360, 640), (1920, 1080), (401, 303)])
def test_it_lies_within_the_safe_area(width: int, height: int) -> None:
    place = stage(width, height)
    lines = tuple("m" * place.limits.line_characters for _ in range(2))
    left, top, right, bottom = draw_caption(lines, place).box
    assert left >= 0.05 * width - 2
    assert right <= 0.95 * width + 2
    assert bottom <= 0.95 * height + 1
    assert top >= height / 2


def test_the_label_stays_free() -> None:
    *_, bottom = draw_caption(TWO, stage(floor=330)).box
    assert 310 < bottom < 330


def test_it_moves_up_from_the_mouth() -> None:
    def top(mouth: tuple[float, float, float, float] | None) -> float:
        return draw_caption(TWO, stage(), mouth).box[1]

    assert top(None) > 250
    assert top((280, 100, 360, 200)) > 250
    assert top((280, 270, 360, 320)) < 40
    # One line would be clear of this mouth, two would not; both stand at the same place.
    high = (280.0, 250.0, 360.0, 300.0)
    assert draw_caption(("Short.",), stage(), high).box[1] < 40
    assert top(high) < 40
    # A mouth as large as the picture is covered anyway.
    assert top((0, 0, 640, 360)) > 250


def test_accents_are_drawn_whole() -> None:
    def rows_of_ink(text: str) -> int:
        caption = draw_caption((text,), stage(1920, 1080))
        # The plate alone is darker than the edge of any letter.
        return int((caption.alpha > 0.8).any(axis=1).sum())

    assert rows_of_ink("É") > rows_of_ink("E")
    assert rows_of_ink("Ç") > rows_of_ink("C")
    wide = draw_caption(("ÅÉÖ",), stage(1920, 1080)).alpha > 0.8
    assert not wide[[0, -1]].any()


def test_decomposed_letters_are_composed() -> None:
    one, other = (draw_caption((text,), stage()).alpha for text in ("caf\u00e9", "cafe\u0301"))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "text", ["Ąžuolas, Ærø & Škoda – “1½ €”…", "Привет", "Ελλάδα", "日本語", "e\u0301?"]
)
def test_letters_that_can_be_drawn(text: str) -> None:
    check_showable(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Say שלום", "right to left"),
        ("مرحبا", "right to left"),
        ("नमस्ते", "does not have"),
        ("fine 😀", "does not have"),
    ],
)
def test_letters_that_cannot_be_drawn_are_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        check_showable(text)
    assert "--subtitles srt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_picture_may_be_too_small() -> None:
    with pytest.raises(UsageError, match="96 x 96"):
        _ = stage(96, 96).limits
    assert stage(1080, 1920).limits.line_characters < 42
    assert stage(1920, 1080).limits.line_characters == 42
