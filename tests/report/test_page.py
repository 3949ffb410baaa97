"""The page: whole, without a request, safe with any text, and readable by everybody."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import fields, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import findings
import numpy as np
import pytest

from edgeavatar.analysis.results import (
    Analysis,
    Factor,
    Preflight,
    SourceFacts,
    Speech,
    Style,
    TimedWord,
)
from edgeavatar.report.columns import main_rows
from edgeavatar.report.page import render_page
from edgeavatar.report.pictures import MadeWith, ReportPictures
from edgeavatar.report.script import SCRIPT
from edgeavatar.report.style import DARK, GRAPHIC_PAIRS, LIGHT, TEXT_PAIRS, style_sheet

KINDS = {"video": findings.filmed, "photo": findings.photo, "sound": findings.heard}
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'&lt; \u202egpj\x00\x1b"


@pytest.fixture(params=KINDS)
def page(request: pytest.FixtureRequest, read_page: Any) -> Any:
    found = KINDS[request.param]()
    return read_page(render_page(found, findings.pictures(), findings.MADE_WITH))


def test_every_element_is_closed_in_order(page: Any) -> None:
    assert page.faults == []
    assert page.html.startswith("<!DOCTYPE html>\n<html lang=")


def test_nothing_outside_is_named(page: Any) -> None:
    rest = re.sub(r"data:[a-z/0-9-]+;base64,[A-Za-z0-9+/=]*", "data:", page.html)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", rest)
    for attributes in page.all("a", "img", "link", "video", "audio", "track", "script"):
        for name in ("href", "src"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))


def test_policy_allows_only_what_is_in_the_page(page: Any) -> None:
    policy = next(tag["content"] or "" for tag in page.all("meta") if tag.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:;")
    assert "unsafe" not in policy
    for kind, texts in (("style", page.styles), ("script", [SCRIPT])):
        digest = b64encode(sha256("".join(texts).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "".join(page.scripts) == SCRIPT
    assert not any(name.startswith("on") or name == "style" for _, a in page.tags for name in a)


def test_headings_go_down_one_step_at_a_time(page: Any) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(text for _, text in page.headings)


def test_landmarks_and_names(page: Any) -> None:
    for landmark in ("main", "header", "nav", "footer"):
        assert len(page.all(landmark)) == 1
    identifiers = [a["id"] for _, a in page.tags if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for section in page.all("section"):
        assert section["aria-labelledby"] in identifiers
    for link in page.all("a"):
        assert (link["href"] or "").removeprefix("#") in identifiers


def test_pictures_have_words(page: Any) -> None:
    assert page.all("img")
    assert all(picture["alt"] for picture in page.all("img"))
    for drawing in page.all("svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.get("role") == "img"
    named = sum(drawing.get("role") == "img" for drawing in page.all("svg"))
    # One in the head of the page.
    assert len(page.all("title")) == named + 1


def test_headers_of_tables_say_what_they_head(page: Any) -> None:
    assert page.all("th")
    assert all(head["scope"] in ("col", "row", "rowgroup") for head in page.all("th"))
    assert page.all("caption")


@pytest.mark.parametrize("kind", ["video", "photo", "sound"])
def test_a_file_of_which_nothing_is_known_has_a_report(kind: Any, read_page: Any) -> None:
    page = read_page(render_page(Analysis(SourceFacts(Path("x"), kind, None)), ReportPictures()))
    assert page.faults == []
    assert "Not judged" in page.text
    assert page.scripts == []


def _emptied(value: Any) -> Any:
    """Give a value with None wherever the contract has it."""
    optional = {f.name: None for f in fields(value) if "None" in str(f.type)}
    return replace(value, **optional)


@pytest.mark.parametrize("kind", KINDS)
def test_values_that_were_not_measured_are_called_so(kind: str, read_page: Any) -> None:
    found = KINDS[kind]()
    preflight = found.preflight
    assert preflight is not None
    found = replace(
        found,
        source=replace(_emptied(found.source)),
        faces=tuple(map(_emptied, found.faces)),
        movement=found.movement and _emptied(found.movement),
        speech=found.speech and _emptied(found.speech),
        style=found.style and _emptied(found.style),
        preflight=Preflight(
            tuple(replace(_emptied(f), verdict="unknown") for f in preflight.factors)
        ),
        frames={},
        faces_by_frame={},
        sound={},
    )
    page = read_page(render_page(found, ReportPictures()))
    assert page.faults == []
    assert "Could not be judged" in page.text
    assert "None" not in page.text
    assert "nan" not in page.text


def test_columns_of_nan_are_gaps(read_page: Any) -> None:
    found = findings.filmed()
    blank = {
        name: np.full(len(values), np.nan) if values.dtype.kind == "f" else values
        for name, values in found.faces_by_frame.items()
    }
    sound = {"time_s": found.sound["time_s"], "loudness_lufs": np.full(240, -np.inf)}
    page = read_page(
        render_page(replace(found, faces_by_frame=blank, sound=sound), findings.pictures())
    )
    assert page.faults == []
    assert "nan" not in re.sub('base64,[^"]*', "", page.html)
    assert len(page.all("polyline")) == 0


def test_text_of_the_file_stays_text(read_page: Any) -> None:
    base = findings.filmed()
    speech = base.speech
    assert speech is not None
    factor = Factor(NASTY, NASTY, "sound", "bad", 1.0, NASTY, 2.0, 3.0, NASTY, NASTY, NASTY)
    found = replace(
        base,
        source=replace(base.source, path=Path(f"\udcff{NASTY.replace('/', '')}")),
        speech=replace(speech, language=NASTY),
        style=Style(NASTY, *(None,) * 6),
        words=(TimedWord(NASTY, 0.5, 1.0, 0.9),),
        preflight=Preflight((factor,)),
        notes=(NASTY,),
    )
    shown = tuple(replace(t, caption=NASTY, alt=NASTY) for t in findings.pictures().thumbnails)
    pictures = replace(findings.pictures(), thumbnails=shown, notes=(NASTY,))
    page = read_page(render_page(found, pictures, MadeWith(NASTY, ((NASTY, NASTY),), NASTY)))
    assert page.faults == []
    assert "".join(page.scripts) == SCRIPT
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == len(shown)
    assert not any("onerror" in a for _, a in page.tags)
    assert "</script><script>alert(1)</script><img src=x onerror=alert(2)>" in page.text
    assert not re.search("[\x00\x1b\ud800-\udfff]", page.html)
    page.html.encode()


def test_verdict_names_the_worst_first_with_its_value_and_advice(read_page: Any) -> None:
    page = read_page(render_page(findings.filmed(), findings.pictures()))
    text = page.text
    assert "Not usable as it is" in text
    first = text.index("Something before the mouth: 18\u00a0%".replace("\u00a0", " "))
    assert first < text.index("Light from one side: 0.9 stops")
    assert "Keep hands and microphone off the mouth." in text
    assert (
        "2 of 6 factors are good, 2 cost quality, 1 makes it unusable, 1 could not be judged"
        in text
    )
    assert "17 dB (costs quality below 20 dB; not usable below 10 dB)" in text
    assert "18 % (costs quality above 2 %; not usable above 10 %)" in text


def test_times_within_the_preview_seek_it(read_page: Any) -> None:
    short = replace(findings.PREVIEW, duration_s=5.0, is_whole=False)
    pictures = replace(findings.pictures(), preview=short)
    page = read_page(render_page(findings.filmed(), pictures))
    times = [float(a["data-t"] or "") for _, a in page.tags if "data-t" in a]
    assert times
    assert max(times) < 5.0
    assert "Only the first 5.0 s of 12.0 s" in page.text
    chart = next(a for a in page.all("svg") if "data-end" in a)
    assert float(chart["data-end"] or "") == pytest.approx(12.0, abs=0.1)
    assert float(chart["data-until"] or "") == 5.0


def test_time_line_marks_cuts_and_factors_at_their_times(read_page: Any) -> None:
    page = read_page(render_page(findings.filmed(), ReportPictures()))
    bars = [a for a in page.all("rect") if a.get("class") == "mark-bad"]
    left, right = 64.0, 936.0

    def time_s(x: float) -> float:
        return (x - left) / (right - left) * 12.0

    start = float(bars[0]["x"] or "")
    assert time_s(start) == pytest.approx(8.0, abs=0.02)
    assert time_s(start + float(bars[0]["width"] or "")) == pytest.approx(9.6, abs=0.02)
    cut = next(a for a in page.all("line") if a.get("class") == "cut")
    assert time_s(float(cut["x1"] or "")) == pytest.approx(5.4, abs=0.02)
    seen = [a for a in page.all("rect") if a.get("class") == "seen"]
    assert len(seen) == 2
    assert "The face is seen in 95 % of the frames." in page.text


def test_light_is_drawn_from_the_side_it_comes_from(read_page: Any) -> None:
    lamps = {}
    for side in (-0.9, 0.0, 0.9):
        base = findings.filmed()
        count = len(base.faces_by_frame["index"])
        table = {**base.faces_by_frame, "side_light": np.full(count, side)}
        page = read_page(render_page(replace(base, faces_by_frame=table), ReportPictures()))
        lamp = next(a for a in page.all("circle") if a.get("class") == "bar")
        lamps[side] = float(lamp["cx"] or "")
        if side > 0:
            assert "from the picture\u2019s right: that cheek is 1.9 times as bright" in page.text
    assert lamps[-0.9] < 120 < lamps[0.0] == 240 < 360 < lamps[0.9]


def test_uncertain_words_are_marked_for_eyes_and_ears(read_page: Any) -> None:
    page = read_page(render_page(findings.filmed(), findings.pictures()))
    assert page.text.count("(uncertain)") == 1
    assert "a (uncertain)" in page.text


def test_privacy_note_names_what_is_inside(read_page: Any) -> None:
    page = read_page(render_page(findings.filmed(), findings.pictures(), findings.MADE_WITH))
    assert "pictures of the person, a preview of the recording and a transcript" in page.text
    assert "Measured by edgeavatar 1.2.3 on 2025-01-31, with these models: Face mesh" in page.text
    assert "No picture, no sound and no word left it" in page.text
    bare = read_page(render_page(Analysis(SourceFacts(Path("x"), "video", 1.0)), ReportPictures()))
    assert "holds measured values only" in bare.text


def test_a_long_recording_stays_small() -> None:
    found = findings.filmed(3600.0)
    found = replace(found, words=findings.words(3600.0, findings.SAID * 250))
    assert len(found.words) > 8000
    assert len(render_page(found, ReportPictures()).encode()) < 700_000


def test_preview_comes_whole_with_captions(read_page: Any) -> None:
    base = findings.pictures()
    vtt = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n&lt;b&gt; 100%\n\n"
    preview = replace(findings.PREVIEW, captions=vtt)
    page = read_page(render_page(findings.filmed(), replace(base, preview=preview)))
    video = page.all("video")[0]
    assert b64decode((video["src"] or "").partition(",")[2]) == findings.PREVIEW.data
    track = page.all("track")[0]
    assert (track["src"] or "").startswith("data:text/vtt;charset=utf-8,WEBVTT%0A%0A")
    assert "100%25" in (track["src"] or "")


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_told_apart(colours: dict[str, str]) -> None:
    assert LIGHT.keys() == DARK.keys()
    for text, ground in TEXT_PAIRS:
        assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for mark, ground in GRAPHIC_PAIRS:
        assert _contrast(colours[mark], colours[ground]) >= 3.0, (mark, ground)


def test_sheet_names_colours_only_in_its_palette() -> None:
    sheet = style_sheet()
    rules = sheet[sheet.index("\n*,*::before") :]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)|rgb|hsl", rules)
    used = set(re.findall(r"var\(--([a-z]+)\)", rules))
    assert used - set(LIGHT) == {"tone"}
    assert "prefers-reduced-motion" in sheet
    assert "@media print" in sheet
    assert ":focus-visible" in sheet


def test_a_photo_has_no_time_line(read_page: Any) -> None:
    page = read_page(render_page(findings.photo(), replace(findings.pictures(), preview=None)))
    titles = [text for _, text in page.headings]
    assert "Over time" not in titles
    assert "Preview and words" not in titles
    assert "Light and framing" in titles


def test_sound_has_a_player_without_a_picture(read_page: Any) -> None:
    pictures = ReportPictures(preview=replace(findings.PREVIEW, width=None, height=None))
    page = read_page(render_page(findings.heard(), pictures))
    assert len(page.all("audio")) == 1
    assert not page.all("video")
    titles = [text for _, text in page.headings]
    assert "Frames" not in titles
    assert "Light and framing" not in titles
    assert "Over time" in titles


def test_silence_says_so(read_page: Any) -> None:
    silent = Speech(0.0, *(None,) * 16)
    found = replace(findings.heard(), speech=silent, words=())
    page = read_page(render_page(found, ReportPictures()))
    assert "No speech was heard." in page.text


def test_after_a_cut_the_face_that_is_there_is_drawn(read_page: Any) -> None:
    """Tracks end at cuts; of several faces in a frame, the main one is drawn, or the largest."""
    base = findings.filmed()
    table: dict[str, Any] = dict(base.faces_by_frame)
    late = table["index"] >= 150
    other = {name: values.copy() for name, values in table.items()}
    other["track"] = np.full(len(other["index"]), 2)
    both = {name: np.concatenate([values[~late], other[name]]) for name, values in table.items()}
    heights = np.concatenate([np.full((~late).sum(), 100.0), np.full(len(late), 300.0)])
    found = replace(base, faces_by_frame={**both, "height_px": heights})
    page = read_page(render_page(found, ReportPictures()))
    assert "The face is seen in 95 % of the frames." in page.text
    rows: dict[str, Any] = dict(main_rows(found))
    assert len(rows["index"]) == len(set(rows["index"].tolist()))
    assert set(rows["track"][rows["index"] < 135].tolist()) == {0}
    assert set(rows["track"][rows["index"] >= 150].tolist()) == {2}


def test_what_is_measured_now_and_then_is_one_stretch(read_page: Any) -> None:
    base = findings.filmed()
    covered: Any = base.faces_by_frame["mouth_covered"].copy()
    covered[np.asarray(base.faces_by_frame["index"], int) % 3 > 0] = np.nan
    table = {**base.faces_by_frame, "mouth_covered": covered}
    page = read_page(
        render_page(replace(base, preflight=None, faces_by_frame=table), ReportPictures())
    )
    bars = [a for a in page.all("rect") if a.get("class") == "mark-bad"]
    assert len(bars) == 1
    assert float(bars[0]["width"] or "") == pytest.approx(872 * 1.6 / 12, abs=872 * 0.2 / 12)
