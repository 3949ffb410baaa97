"""What is said, in stretches between pauses, each word with its time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from edgeavatar.report.markup import Markup, element, join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeavatar.analysis.results import Analysis, TimedWord
    from edgeavatar.report.times import Clock

UNSURE: Final = 0.2
"""Confidence below which a word is marked; see ``docs/transcription.md`` for what it means."""
_PAUSE_S: Final = 0.7
_MOST_WORDS: Final = 24
_SENTENCE_END: Final = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_LEAST_WORDS: Final = 3
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def stretches(words: Sequence[TimedWord]) -> Iterator[list[TimedWord]]:
    """Divide words into lines: at pauses, at the ends of sentences, and before they grow long."""
    line: list[TimedWord] = []
    for word in words:
        if line and (
            word.start_s - line[-1].end_s >= _PAUSE_S
            or len(line) >= _MOST_WORDS
            or (len(line) >= _LEAST_WORDS and _SENTENCE_END.search(line[-1].text))
        ):
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def transcript(analysis: Analysis, clock: Clock) -> Markup:
    """Write the transcript, or why there is none."""
    words = analysis.words
    if not words:
        return element("p", _why_none(analysis), class_="soft")
    unsure = any(word.confidence < UNSURE for word in words)
    language = analysis.speech.language if analysis.speech else None
    return join(
        element(
            "p",
            "Click a time or a word to play from there. ",
            class_="small soft seeking",
        )
        if clock.until_s is not None
        else None,
        element(
            "p",
            element("span", "Dotted", class_="unsure"),
            " words are uncertain.",
            class_="small soft",
        )
        if unsure
        else None,
        element(
            "ol",
            (_line(line, clock) for line in stretches(words)),
            class_="words",
            lang=language if language and _LANGUAGE.fullmatch(language) else None,
        ),
    )


def _line(words: list[TimedWord], clock: Clock) -> Markup:
    spaced = Markup(" ").join(_word(word, clock) for word in words)
    return element("li", clock.link(words[0].start_s), element("span", Markup(spaced), dir="auto"))


def _word(word: TimedWord, clock: Clock) -> Markup:
    unsure = word.confidence < UNSURE
    note = element("span", " (uncertain)", class_="hidden", lang="en") if unsure else None
    time = f"{max(0.0, word.start_s):.2f}" if clock.reaches(word.start_s) else None
    return element("span", word.text, note, data_t=time, class_="unsure" if unsure else None)


def _why_none(analysis: Analysis) -> str:
    if analysis.source.kind == "photo":
        return "A photo says nothing."
    if analysis.speech is None:
        return "There is no sound, or it was not looked at."
    if analysis.speech.speech_share == 0:
        return "No speech was heard."
    return "No words were written down."
