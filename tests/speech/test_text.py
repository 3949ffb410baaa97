from __future__ import annotations

import itertools
import time

import pytest

from edgeavatar.errors import SpeechError
from edgeavatar.speech.text import (
    MAX_CHARS,
    PAUSE_LAST_S,
    PAUSE_PARAGRAPH_S,
    PAUSE_QUESTION_S,
    PAUSE_SENTENCE_S,
    check_script,
    clean,
    split_in_two,
    split_sentences,
)


def texts(text: str, language: str = "en") -> list[str]:
    return [s.text for s in split_sentences(text, language=language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met Mrs. Jones. They left.", ["Dr. Smith met Mrs. Jones.", "They left."]),
        ("J. K. Rowling wrote. I read.", ["J. K. Rowling wrote.", "I read."]),
        ("He came at 5 p.m. He left.", ["He came at 5 p.m.", "He left."]),
        ("The U.S. Army marched on.", ["The U.S. Army marched on."]),
        ("See e.g. Paris, i.e. France.", ["See e.g. Paris, i.e. France."]),
        ("It costs 3.50 now. Buy!", ["It costs 3.50 now.", "Buy!"]),
        ("No. 5 is out. No. It is in.", ["No. 5 is out.", "No.", "It is in."]),
        ('"Yes!" she said. "Go."', ['"Yes!" she said.', '"Go."']),
        ("Wait... what? Oh", ["Wait... what?", "Oh"]),
        ("Well… maybe… Yes.", ["Well… maybe…", "Yes."]),
        ("Visit www.example.com/a.b today.", ["Visit www.example.com/a.b today."]),
        ("He lives on James St. The house is red.", ["He lives on James St.", "The house is red."]),
        ("A line\nthat wraps. Next", ["A line that wraps.", "Next"]),
        ("Title\n\nText", ["Title", "Text"]),
        ("Take vitamin C. It helps.", ["Take vitamin C.", "It helps."]),
        ("- one\n- two\n\n1) three", ["one", "two", "three"]),
        ("你好。再见！", ["你好。", "再见!"]),
        ("नमस्ते। आप कैसे हैं?", ["नमस्ते।", "आप कैसे हैं?"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_pauses_follow_the_punctuation() -> None:
    found = [s.pause_s for s in split_sentences("One. Two? Three.\n\nFour.")]
    assert found == [PAUSE_SENTENCE_S, PAUSE_QUESTION_S, PAUSE_PARAGRAPH_S, PAUSE_LAST_S]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello 😀 world 👩‍👩‍👧!", "Hello world !"),
        ("a\u00adb\u200bc\ufeff d", "abc d"),
        ("**bold** and `code` and _it_", "bold and code and it"),
        ("see [the page](http://a.b/c d)", "see the page"),
        ("# Heading", "Heading"),
        ("ﬁne ２０ ½", "fine 20 1/2"),
        ("x² №3", "x squared No. 3"),
        ("tab\tand\r\nline", "tab and line"),
        ("\x00\x07bell", "bell"),
        ("snake_case stays", "snake_case stays"),
        ("2 * 3 = 6", "2 * 3 = 6"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_nothing_to_say_yields_nothing() -> None:
    for text in ("", "  \n ", "😀 🎉", "... !?", "---", "###"):
        assert texts(text) == []


def test_long_sentences_are_split_where_it_hurts_least() -> None:
    clause = "this is a clause of some length that goes on for a while"
    parts = texts(", ".join([clause] * 12) + ".")
    assert all(len(p) <= MAX_CHARS for p in parts)
    assert all(p.endswith((",", ".")) for p in parts)
    assert "".join(parts).count("clause") == 12
    words = texts("word " * 500)
    assert all(len(p) <= MAX_CHARS for p in words)
    assert " ".join(words) == " ".join(["word"] * 500)
    assert "".join(texts("x" * 1000)) == "x" * 1000


def test_split_in_two() -> None:
    assert split_in_two("one two") == ("one", "two")
    assert split_in_two("ab") == ("a", "b")
    assert split_in_two("a") is None
    assert split_in_two("aaaa bbbb, cccc dddd") == ("aaaa bbbb,", "cccc dddd")


def test_a_long_text_begins_at_once() -> None:
    text = "This sentence is here many times, to make a long text. " * 2000
    start = time.perf_counter()
    first = list(itertools.islice(split_sentences(text), 3))
    assert time.perf_counter() - start < 0.05
    assert len(first) == 3
    assert sum(1 for _ in split_sentences(text)) == 2000


def advice(script: str) -> str:
    return f"advice on {script}"


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("", "en-US", "empty"),
        (" \n ", "en-US", "empty"),
        ("😀 !", "en-US", "emoji"),
        ("Say Привет now", "en-US", "Cyrillic letters ('Привет'); advice on CYRILLIC"),
        ("你好世界", "en-US", "Chinese characters"),
        ("こんにちは", "en-GB", "Japanese (Hiragana)"),
        ("안녕", "en-US", "Korean (Hangul)"),
        ("नमस्ते", "es-ES", "Devanagari letters"),
        ("Ελλάδα", "en-US", "Greek letters"),
        ("שלום", "fr-FR", "Hebrew letters"),
    ],
)
def test_what_a_voice_cannot_read_is_refused(text: str, language: str, words: str) -> None:
    with pytest.raises(SpeechError) as caught:
        check_script(text, language=language, voice="v", advice=advice)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Café Zürich Łódź naïve", "en-US"),
        ("π is 3.14 and 5 Ω", "en-US"),
        ("नमस्ते and hello", "hi-IN"),
        ("1ª vez", "pt-BR"),
        ("42", "en-US"),
        ("ﬁne ２", "en-US"),
    ],
)
def test_what_a_voice_can_read_passes(text: str, language: str) -> None:
    check_script(text, language=language, voice="v", advice=advice)
