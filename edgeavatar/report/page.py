"""The report as one page: nothing is fetched, and it reads without scripts and on paper."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from edgeavatar import __version__
from edgeavatar.analysis.figures import clock, count, duration, sentence
from edgeavatar.report.diagrams import framing_section
from edgeavatar.report.facts import facts_section, source_facts
from edgeavatar.report.markup import Markup, element, join
from edgeavatar.report.pictures import MadeWith
from edgeavatar.report.script import SCRIPT
from edgeavatar.report.style import style_sheet
from edgeavatar.report.timeline import timeline_section
from edgeavatar.report.times import Clock
from edgeavatar.report.transcript import transcript
from edgeavatar.report.verdict import factors_section, verdict_section

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Analysis
    from edgeavatar.report.pictures import Preview, ReportPictures, Thumbnail

_NAMES: Final = {
    "verdict": "Verdict",
    "factors": "What was judged",
    "frames": "Frames",
    "timeline": "Over time",
    "words": "Preview and words",
    "framing": "Light and framing",
    "facts": "In figures",
    "notes": "Notes",
    "about": "About this report",
}


def render_page(
    analysis: Analysis, pictures: ReportPictures, made_with: MadeWith | None = None
) -> str:
    """Draw the report of an analysis.

    Parameters
    ----------
    analysis : Analysis
        Anything in it may be None or empty.
    pictures : ReportPictures
        What is shown of the source.
    made_with : MadeWith, optional
        Default: this version, no models named.

    Returns
    -------
    str
        A whole HTML document. It asks for nothing outside itself, and its content security policy
        allows nothing but the style and the script that are in it and the pictures in its text.
        Text of the file (its name, its words) is escaped.
    """
    clock_ = Clock.of(pictures.preview)
    sections = {
        "verdict": verdict_section(analysis),
        "factors": factors_section(analysis, clock_),
        "frames": _frames(pictures, clock_),
        "words": _watch(analysis, pictures.preview, clock_),
        "timeline": timeline_section(analysis, clock_),
        "framing": framing_section(analysis),
        "facts": facts_section(analysis),
        "notes": _notes(analysis, pictures),
        "about": _about(analysis, pictures, made_with or MadeWith(__version__)),
    }
    present = {name: section for name, section in sections.items() if section}
    head = _head(f"{analysis.source.path.name} \u2013 edgeavatar report")
    body = element(
        "body",
        element("a", "Skip to the verdict", href="#verdict", class_="skip"),
        element("div", _header(analysis, pictures), _contents(list(present)), class_="wrap"),
        element("main", present.values(), class_="wrap"),
        element(
            "footer",
            f"edgeavatar {(made_with or MadeWith(__version__)).version}. "
            "Made on this device; nothing was sent anywhere.",
            class_="wrap",
        ),
        element("script", Markup(SCRIPT)) if pictures.preview else None,
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _head(title: str) -> Markup:
    style = style_sheet()
    policy = (
        "default-src 'none'; img-src data:; media-src data:; "
        f"style-src '{_digest(style)}'; script-src '{_digest(SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    )


def _header(analysis: Analysis, pictures: ReportPictures) -> Markup:
    held = _held(analysis, pictures)
    return element(
        "header",
        element("p", "edgeavatar report", class_="kicker"),
        element("h1", element("bdi", analysis.source.path.name)),
        element("ul", (element("li", fact) for fact in source_facts(analysis)), class_="strip"),
        element(
            "p",
            f"This file holds {held}. Handle it like the recording itself. "
            if held
            else "This file holds measured values only. ",
            "It was made on this device, and it loads nothing from anywhere. ",
            element("a", "What that means", href="#about"),
            class_="privacy",
        ),
    )


def _held(analysis: Analysis, pictures: ReportPictures) -> str:
    preview = pictures.preview
    held = ["pictures of the person"] if pictures.thumbnails else []
    if preview is not None:
        has_picture = preview.width is not None
        held.append("a preview of the recording" if has_picture else "sound of the recording")
    if analysis.words:
        held.append("a transcript")
    return f"{', '.join(held[:-1])} and {held[-1]}" if len(held) > 1 else "".join(held)


def _contents(names: list[str]) -> Markup:
    return element(
        "nav",
        element(
            "ul",
            (element("li", element("a", _NAMES[name], href=f"#{name}")) for name in names),
        ),
        aria_label="Sections",
    )


def _section(name: str, *body: Markup | None) -> Markup:
    title = f"{name}-title"
    return element(
        "section",
        element("h2", _NAMES[name], id=title),
        body,
        id=name,
        aria_labelledby=title,
    )


def _frames(pictures: ReportPictures, clock_: Clock) -> Markup | None:
    if not pictures.thumbnails:
        return None
    return _section(
        "frames",
        element(
            "ul",
            (_thumbnail(shown, clock_) for shown in pictures.thumbnails),
            class_="frames",
        ),
    )


def _thumbnail(shown: Thumbnail, clock_: Clock) -> Markup:
    return element(
        "li",
        element(
            "figure",
            element(
                "img",
                src=_data("image/jpeg", shown.jpeg),
                width=str(shown.width),
                height=str(shown.height),
                alt=shown.alt,
            ),
            element(
                "figcaption",
                element("strong", "At its best" if shown.kind == "best" else "Where it falls short")
                if shown.time_s is not None
                else None,
                None if shown.time_s is None else join(clock_.link(shown.time_s), " \u2013 "),
                shown.caption,
            ),
        ),
    )


def _watch(analysis: Analysis, preview: Preview | None, clock_: Clock) -> Markup | None:
    if preview is None and not analysis.words and analysis.source.kind == "photo":
        return None
    said = element("div", transcript(analysis, clock_))
    if preview is None:
        return _section("words", said)
    return _section("words", element("div", _player(preview, analysis), said, class_="watch"))


def _player(preview: Preview, analysis: Analysis) -> Markup:
    has_picture = preview.width is not None
    told = [
        "Preview, small and compressed" if has_picture else "The sound, compressed",
        "" if preview.has_sound else ", without sound",
        ". ",
        ""
        if preview.is_whole
        else f"Only the first {duration(preview.duration_s)} of "
        f"{duration(analysis.source.duration_s)} are in this file, to keep it small.",
    ]
    player = element(
        "video" if has_picture else "audio",
        _captions(preview, analysis),
        id="preview",
        controls=True,
        playsinline=has_picture,
        preload="auto",
        src=_data(preview.media_type, preview.data),
        width=None if preview.width is None else str(preview.width),
        height=None if preview.height is None else str(preview.height),
        aria_label="Preview of the recording",
    )
    return element(
        "figure", player, element("figcaption", told), class_="player", id="preview-place"
    )


def _captions(preview: Preview, analysis: Analysis) -> Markup | None:
    if not preview.captions or preview.width is None:
        return None
    language = analysis.speech.language if analysis.speech else None
    return element(
        "track",
        kind="captions",
        label="Transcript",
        srclang=language or "en",
        src=f"data:text/vtt;charset=utf-8,{quote(preview.captions)}",
    )


def _notes(analysis: Analysis, pictures: ReportPictures) -> Markup | None:
    notes = (*analysis.notes, *pictures.notes)
    if not notes:
        return None
    return _section("notes", element("ul", (element("li", sentence(note)) for note in notes)))


def _about(analysis: Analysis, pictures: ReportPictures, made_with: MadeWith) -> Markup:
    held = _held(analysis, pictures)
    shown = count(len(pictures.thumbnails), "picture")
    holds = (
        f"This page holds {held} ({shown}, {count(len(analysis.words), 'word')}). They are "
        "personal data: share it, keep it and delete it as you would the recording."
        if held
        else "This page holds no picture and no word of the recording."
    )
    return _section(
        "about",
        element("p", holds),
        element(
            "p",
            "All measuring was done on this device. No picture, no sound and no word left it, and "
            "this page cannot load or send anything: its content security policy forbids it.",
        ),
        element(
            "p",
            f"Measured by edgeavatar {made_with.version}"
            + (f" on {made_with.made_on}" if made_with.made_on else "")
            + (", with these models:" if made_with.models else "."),
        ),
        element("ul", (element("li", f"{name}, version {v}") for name, v in made_with.models))
        if made_with.models
        else None,
        element(
            "p",
            "A value that could not be measured is called so, and is never 0. Times count from "
            f"{clock(0)}, the first frame of the picture, or the start of the sound if there is no "
            "picture.",
        ),
    )


def _data(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode('ascii')}"


def _digest(content: str) -> str:
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode('ascii')}"
