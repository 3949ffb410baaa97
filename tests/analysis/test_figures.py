"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from edgeavatar.analysis.figures import amount, bound, clock, duration, sentence, share, signed
from edgeavatar.report.markup import Markup, element, text


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (412.34, "px", "412 px"),
        (17.04, "dB", "17 dB"),
        (1.234, "s", "1.2 s"),
        (0.187, "share", "19 %"),
        (0.0004, "share", "under 0.1 %"),
        (0.0, "share", "0 %"),
        (0.0312, "share", "3.1 %"),
        (0.0936, "% of the face", "0.09 % of the face"),
        (-1.52, "stops", "\u22121.5 stops"),
        (0.04, "s", "0.04 s"),
        (-19.3, "LUFS", "\u221219 LUFS"),
        (-0.0001, "", "0.00"),
        (22.6, "deg", "23°"),
        (0.258, "deg", "0°"),
        (2.0, "faces", "2 faces"),
        (0.75, "ratio", "0.75"),
        (13400.0, "Hz", "13 000 Hz"),
        (None, "px", "not measured"),
        (math.nan, "px", "not measured"),
        (math.inf, "dB", "not measured"),
    ],
)
def test_amounts_have_units_and_no_more_digits_than_are_true(
    value: float | None, unit: str, written: str
) -> None:
    assert amount(value, unit).replace("\u00a0", " ") == written


def test_bounds_are_written_as_they_were_set() -> None:
    assert bound(0.02, "share").replace("\u00a0", " ") == "2 %"
    assert bound(3400.0, "Hz").replace("\u00a0", " ") == "3400 Hz"
    assert bound(-0.5, "") == "\u22120.5"


def test_almost_all_is_not_all() -> None:
    written = [share(v).replace("\u00a0", " ") for v in (0.0, 0.004, 0.5, 0.996, 1.0)]
    assert written == ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]


def test_times() -> None:
    assert clock(0.04, tenths=True) == "0:00.0"
    assert clock(59.97, tenths=True) == "1:00.0"
    assert clock(61.5) == "1:01"
    assert clock(3725.0) == "1:02:05"
    assert duration(75.2).replace("\u00a0", " ") == "1 min 15 s"
    assert duration(None) == "not measured"


def test_signs() -> None:
    assert signed(3.2, "deg") == "+3°"
    assert signed(-0.2, "deg") == "0°"
    assert signed(-3.2, "deg") == "\u22123°"


def test_sentences() -> None:
    assert sentence("the mouth trembles") == "The mouth trembles."
    assert sentence("Done.") == "Done."
    assert sentence("") == ""


def test_only_markup_is_not_escaped() -> None:
    made = element("p", "<b>", Markup("<i>x</i>"), 1.25, None, ["&", "\x00"], title='"<')
    assert made == '<p title="&quot;&lt;">&lt;b&gt;<i>x</i>1.2&amp;\ufffd</p>'
    assert text("\udc80") == "\ufffd"
    assert element("img", alt="", hidden=True, src=None) == '<img alt="" hidden>'
    assert element("path", d="M0 0") == '<path d="M0 0"/>'
