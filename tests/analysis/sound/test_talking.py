from __future__ import annotations

import pytest

from edgeavatar.analysis.results import TimedWord
from edgeavatar.analysis.talking import talking_of


def word(text: str, start_s: float, end_s: float) -> TimedWord:
    return TimedWord(text, start_s, end_s, 0.5)


def test_rate_leaves_pauses_out() -> None:
    words = [word("one", 0.0, 0.5), word("two", 0.5, 1.0), word("three", 3.0, 3.5)]
    found = talking_of([*words, word("four.", 3.6, 4.0)])
    assert found.words == 4
    assert found.pauses == 1
    assert found.pause_median_s == pytest.approx(2.0)
    assert found.words_per_min == pytest.approx(4 / 2.0 * 60)


def test_fillers_are_counted_as_they_are_written() -> None:
    words = [word(t, i, i + 0.5) for i, t in enumerate(["Um,", "well,", "uh", "umbrella", "Er…"])]
    assert talking_of(words).fillers == 3


def test_too_few_words_have_no_rate() -> None:
    assert talking_of([]).words_per_min is None
    assert talking_of([]).pause_median_s is None
    assert talking_of([word("hello", 0, 1)]).words_per_min is None
