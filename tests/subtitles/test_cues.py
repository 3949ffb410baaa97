"""Cues keep to the guide, whatever the words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.subtitles.cues import (
    Cue,
    Limits,
    Word,
    break_cost,
    broken,
    clipped,
    make_cues,
    text_of,
)

LIMITS = Limits()


def spoken(text: str, *, start_s: float = 0.0, letter_s: float = 0.06) -> list[Word]:
    """Say a text evenly, with a short pause at commas and a longer one at ends."""
    words, time = [], Fraction(start_s).limit_denominator(1000)
    for part in text.split():
        end = time + Fraction(letter_s).limit_denominator(1000) * len(part)
        words.append(Word(part, time, end))
        time = end + Fraction({",": 15, ".": 40, "?": 40}.get(part[-1], 1), 100)
    return words


def shown(cues: Iterator[Cue]) -> list[str]:
    return [" | ".join(cue.lines) for cue in cues]


LONG = (
    "In short, the period was so far like the present period, that some of its noisiest "
    "authorities insisted on its being received, for good or for evil, in the superlative degree "
    "of comparison only. There were a king with a large jaw and a queen with a plain face, on the "
    "throne of England; there were a king with a large jaw and a queen with a fair face, on the "
    "throne of France. Yes. In both countries it was clearer than crystal to the lords of the "
    "State preserves of loaves and fishes, that things in general were settled for ever."
)


@pytest.mark.parametrize("letter_s", [0.02, 0.05, 0.07, 0.15])
def test_the_limits_hold(letter_s: float) -> None:
    words = spoken(LONG, letter_s=letter_s)
    cues = list(make_cues(words))
    assert " ".join(" ".join(cue.lines) for cue in cues) == LONG
    for cue in cues:
        assert 1 <= len(cue.lines) <= 2
        assert all(len(line) <= 42 for line in cue.lines)
        assert cue.end_s - cue.start_s <= 7
    for one, other in itertools.pairwise(cues):
        assert other.start_s - one.end_s >= LIMITS.gap_s
    starts = {word.start_s for word in words}
    assert all(cue.start_s in starts for cue in cues)


def test_readable_speech_is_read_at_the_guide_s_speed() -> None:
    cues = list(make_cues(spoken(LONG, letter_s=0.075)))
    assert all(cue.characters_per_s <= 17.0001 for cue in cues)
    assert all(cue.end_s - cue.start_s >= 1 for cue in cues)


def test_random_words_keep_to_the_limits() -> None:
    draw = np.random.default_rng(5)
    for _ in range(60):
        words, time = [], Fraction(0)
        for _ in range(int(draw.integers(1, 90))):
            text = "x" * int(draw.integers(1, 14)) + draw.choice(["", "", ",", "."])
            end = time + Fraction(int(draw.integers(2, 90)), 100)
            words.append(Word(text, time, end, spaced=bool(draw.random() < 0.95)))
            time = end + Fraction(int(draw.choice([0, 0, 5, 30, 90, 300])), 100)
        cues = list(make_cues(words))
        joined = "".join(line for cue in cues for line in cue.lines).replace(" ", "")
        assert joined == "".join(word.text for word in words)
        for cue in cues:
            assert len(cue.lines) <= 2
            assert all(0 < len(line) <= 42 for line in cue.lines)
            assert 0 < cue.end_s - cue.start_s <= 7
        for one, other in itertools.pairwise(cues):
            assert one.end_s <= other.start_s


def test_breaks_come_where_the_sense_does() -> None:
    cues = shown(make_cues(spoken(LONG, letter_s=0.07)))
    assert cues[0] == "In short, the period was so far | like the present period,"
    for line in itertools.chain(*(cue.split(" | ") for cue in cues)):
        assert line.split()[-1].lower() not in {"the", "a", "of", "and", "with", "in"}, line


def test_a_break_costs_by_what_it_parts() -> None:
    def cost(pair: str) -> float:
        one, other = spoken(pair)
        return break_cost(one, other)

    order = ["end. Next", "clause, next", "people who", "brown fox", "the fox"]
    costs = [cost(pair) for pair in order]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)


def test_what_fits_is_one_line() -> None:
    assert broken(spoken("Good morning, everybody."), LIMITS) == ("Good morning, everybody.",)
    assert broken(spoken("x" * 42), LIMITS) == ("x" * 42,)
    assert broken(spoken("many " * 20), LIMITS) is None
    two = broken(spoken("if you come back tomorrow, I will certainly help you"), LIMITS)
    assert two == ("if you come back tomorrow,", "I will certainly help you")


def test_a_pause_ends_a_cue() -> None:
    words = [*spoken("Wait for it"), *spoken("now", start_s=5.0)]
    first, second = make_cues(words)
    assert (first.lines, second.lines) == (("Wait for it",), ("now",))
    assert first.start_s == 0
    assert first.end_s == 1  # a second at least
    assert second.start_s == 5


def test_a_small_gap_is_closed_to_two_frames() -> None:
    one = "This is the first sentence of the two that are said."
    words = spoken(one)
    words += spoken("And the second follows shortly, as it does.", start_s=3.0)
    assert Fraction(2, 25) < words[-8].start_s - words[-9].end_s < 1
    first, second = make_cues(words)
    assert second.start_s - first.end_s == Fraction(2, 25)


def test_a_cue_does_not_wait_for_the_end_of_the_words() -> None:
    taken = 0

    def endless() -> Iterator[Word]:
        nonlocal taken
        for taken in itertools.count():
            start = Fraction(taken, 3)
            yield Word("word" if taken % 9 else "End.", start, start + Fraction(3, 10))

    next(make_cues(endless()))
    assert taken <= 61


def test_a_word_longer_than_a_line_is_cut() -> None:
    address = "https://example.org/" + "a" * 90
    cues = list(make_cues([Word(address, Fraction(0), Fraction(6))]))
    assert "".join(line for cue in cues for line in cue.lines) == address
    assert all(len(line) <= 42 for cue in cues for line in cue.lines)


def test_lines_can_be_shorter() -> None:
    for cue in make_cues(spoken(LONG), Limits(line_characters=20)):
        assert all(len(line) <= 20 for line in cue.lines)


def test_words_that_are_not_parted_by_spaces() -> None:
    words = [
        Word("一", Fraction(0), Fraction(1)),
        Word("二", Fraction(1), Fraction(2), spaced=False),
    ]
    assert text_of(words) == "一二"


def test_cues_end_with_the_result() -> None:
    cues = [Cue(("a",), Fraction(0), Fraction(2)), Cue(("b",), Fraction(3), Fraction(5))]
    assert [cue.end_s for cue in clipped(cues, Fraction(4))] == [2, 4]
    assert [cue.lines for cue in clipped(cues, Fraction(3))] == [("a",)]


def test_no_words_no_cues() -> None:
    assert list(make_cues([])) == []
