from __future__ import annotations

from fractions import Fraction

import pytest

from edgeavatar.subtitles.cues import Word, text_of
from edgeavatar.subtitles.wording import with_punctuation


def marked(text: str, *words: str) -> list[Word]:
    plain = [Word(word, Fraction(i), Fraction(i + 1)) for i, word in enumerate(words)]
    found = with_punctuation(text, plain)
    assert [(w.start_s, w.end_s) for w in found] == [(w.start_s, w.end_s) for w in plain]
    return found


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("Yes, she did.", ["Yes", "she", "did"], ["Yes,", "she", "did."]),
        ('He said: "Go on!"', ["He", "said", "Go", "on"], ["He", "said:", '"Go', 'on!"']),
        (
            "Well (of course) not",
            ["Well", "of", "course", "not"],
            ["Well", "(of", "course)", "not"],
        ),
        ("One — two", ["One", "two"], ["One —", "two"]),
        ("at 7:30 pm.", ["at", "7:30 pm"], ["at", "7:30 pm."]),
        ("that that is", ["that", "that", "is"], ["that", "that", "is"]),
        ("  two\nlines ", ["two", "lines"], ["two", "lines"]),
    ],
)
def test_marks_go_to_their_words(text: str, words: list[str], expected: list[str]) -> None:
    found = marked(text, *words)
    assert [word.text for word in found] == expected
    assert text_of(found) == " ".join(text.split())


def test_what_is_written_together_stays_together() -> None:
    found = marked("well-known 你好。", "well", "known", "你", "好")
    assert text_of(found) == "well-known 你好。"
    assert [word.spaced for word in found] == [True, False, True, False]


def test_a_word_that_is_not_in_the_text_stays() -> None:
    found = marked("one two, three", "one", "zwei", "three")
    assert [word.text for word in found] == ["one two,", "zwei", "three"]
    assert [word.text for word in marked("", "one")] == ["one"]
    assert marked("nothing") == []
