"""From words with times to cues that can be read: how long, how fast, and broken where.

Limits and places of breaks are those of the Netflix Timed Text Style Guides (general requirements;
English template): 42 characters a line, two lines, 17 characters a second, at most 7 s, two frames
between cues, smaller gaps closed; breaks after punctuation, before conjunctions and prepositions,
and not between an article and its noun. A cue is never shown before it is spoken, nor are words
left out; where somebody speaks faster than can be read, the cue is as fast as the speech.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is to be read, with the punctuation around it."""

    text: str
    start_s: Fraction
    end_s: Fraction
    confidence: float | None = None
    """0 to 1; None where the time is exact."""
    spaced: bool = True
    """Whether a space comes before it, if anything does."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What can be read."""

    line_characters: int = 42
    lines: int = 2
    characters_per_s: int = 17
    shortest_s: Fraction = Fraction(1)
    longest_s: Fraction = Fraction(7)
    gap_s: Fraction = Fraction(2, 25)
    """Least time between cues: two frames."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at once."""

    lines: tuple[str, ...]
    start_s: Fraction
    end_s: Fraction

    @property
    def characters_per_s(self) -> float:
        """How fast it has to be read; a line break counts as the space that it stands for."""
        return len(" ".join(self.lines)) / float(self.end_s - self.start_s)


_CHAINED_S: Final = Fraction(1, 2)
"""A shorter gap between cues flickers: the first is shown until the second, less two frames."""
_PAUSE_S: Final = Fraction(7, 10)
"""A longer pause ends a cue in any case."""
_MOST_WORDS: Final = 60
"""Words looked at together; without a pause among them, the last cue of them waits for more."""

_SENTENCE_END: Final = re.compile(r"[.!?…。！？]['\"”’»)\]]*$")
_CLAUSE_END: Final = re.compile(r"[,;:–—、，；：]['\"”’»)\]]*$")
_OPENERS: Final = frozenset(
    {
        *("and", "but", "or", "nor", "so", "yet", "because", "that", "which", "who", "whom"),
        *("whose", "when", "where", "while", "if", "unless", "although", "though", "since", "as"),
        *("than", "to", "of", "in", "on", "at", "by", "for", "from", "with", "without", "into"),
        *("onto", "over", "under", "about", "after", "before", "between", "through", "during"),
        *("against", "until"),
    }
)
"""Conjunctions and prepositions: a line may well begin with one, and should not end with one."""
_HOLDERS: Final = frozenset(
    {
        *("a", "an", "the", "my", "your", "his", "her", "its", "our", "their", "this", "these"),
        *("those", "no", "every", "i", "you", "he", "she", "it", "we", "they", "is", "are"),
        *("was", "were", "be", "been", "am", "has", "have", "had", "do", "does", "did", "will"),
        *("would", "can", "could", "shall", "should", "may", "might", "must", "not", "very"),
        *("mr", "mrs", "ms", "dr"),
    }
)
"""Articles, pronouns, auxiliaries and titles: nothing is parted from what it follows."""

_WORST_BREAK: Final = 5.0
_MILD_PAUSE_S: Final = Fraction(1, 5)


def make_cues(words: Iterable[Word], limits: Limits | None = None) -> Iterator[Cue]:
    """Divide words into cues.

    A cue is given when the words up to the next pause are known, or 60 of them.

    Parameters
    ----------
    words : iterable of Word
        In order of time.
    limits : Limits, optional
        Default: those of the guide.

    Yields
    ------
    Cue
        In order, at least ``limits.gap_s`` apart where the words leave room for it. Lines and their
        number are within the limits always, and the length of a cue too, unless one word lasts
        longer; speed and shortest length where the speech leaves time for them.
    """
    limits = limits or Limits()
    waiting: _Draft | None = None
    for draft in _drafts(_fitting(words, limits), limits):
        if waiting is not None:
            yield _timed(waiting, draft.words[0].start_s, limits)
        waiting = draft
    if waiting is not None:
        yield _timed(waiting, None, limits)


def text_of(words: Sequence[Word]) -> str:
    """Join words as they are written."""
    return "".join(
        f" {word.text}" if word.spaced and i else word.text for i, word in enumerate(words)
    )


def broken(words: Sequence[Word], limits: Limits) -> tuple[str, ...] | None:
    """Break words into lines at the best place, or give None if they do not fit.

    One line where that is enough; two lines are even as far as the sense allows.
    """
    whole = text_of(words)
    if len(whole) <= limits.line_characters:
        return (whole,)
    if limits.lines < 2 or len(whole) > 2 * limits.line_characters + 1:
        return None
    best: tuple[float, tuple[str, str]] | None = None
    for i in range(1, len(words)):
        pair = text_of(words[:i]), text_of(words[i:])
        if max(map(len, pair)) <= limits.line_characters:
            uneven = abs(len(pair[0]) - len(pair[1])) / limits.line_characters
            cost = break_cost(words[i - 1], words[i]) + 2.0 * uneven
            if best is None or cost < best[0]:
                best = cost, pair
    return None if best is None else best[1]


def break_cost(before: Word, after: Word) -> float:
    """Tell how bad a break between two words is, 0 (the end of a sentence) to 5."""
    if _SENTENCE_END.search(before.text):
        return 0.0
    if _CLAUSE_END.search(before.text):
        return 0.7
    last, first = _bare(before.text), _bare(after.text)
    if last in _HOLDERS or (last in _OPENERS and first not in _OPENERS):
        return _WORST_BREAK
    cost = 1.5 if first in _OPENERS else 3.0
    return cost - 1.0 if after.start_s - before.end_s >= _MILD_PAUSE_S else cost


def _bare(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c == "'").casefold()


@dataclass(frozen=True, slots=True)
class _Draft:
    words: tuple[Word, ...]
    lines: tuple[str, ...]


def _fitting(words: Iterable[Word], limits: Limits) -> Iterator[Word]:
    """Cut what is longer than a line, as an address may be, into parts that share its time."""
    for word in words:
        size = limits.line_characters
        if len(word.text) <= size:
            yield word
            continue
        count = -(-len(word.text) // size)
        size = -(-len(word.text) // count)
        length = word.end_s - word.start_s
        for i in range(count):
            yield replace(
                word,
                text=word.text[i * size : (i + 1) * size],
                start_s=word.start_s + length * i / count,
                end_s=word.start_s + length * (i + 1) / count,
                spaced=word.spaced and i == 0,
            )


def _drafts(words: Iterable[Word], limits: Limits) -> Iterator[_Draft]:
    run: list[Word] = []
    for word in words:
        if run and word.start_s - run[-1].end_s >= _PAUSE_S:
            yield from _divided(run, word.start_s, limits)
            run = []
        run.append(word)
        if len(run) > _MOST_WORDS:
            drafts = _divided(run, None, limits)
            yield from drafts[:-1]
            run = list(drafts[-1].words)
    if run:
        yield from _divided(run, None, limits)


def _divided(run: Sequence[Word], following_s: Fraction | None, limits: Limits) -> list[_Draft]:
    """Divide words at the places that cost least in all."""
    best: list[float] = [0.0]
    came: list[int] = [0]
    lines: list[tuple[str, ...]] = [()]
    for end in range(1, len(run) + 1):
        best.append(float("inf"))
        came.append(end - 1)
        lines.append(())
        next_s = run[end].start_s if end < len(run) else following_s
        edge = break_cost(run[end - 1], run[end]) if end < len(run) else 0.0
        for start in range(end - 1, -1, -1):
            part = run[start:end]
            shown = broken(part, limits)
            too_long = part[-1].end_s - part[0].start_s > limits.longest_s
            if (shown is None or too_long) and len(part) > 1:
                break
            cost = best[start] + edge + _strain(part, shown or (), next_s, limits)
            if cost < best[end]:
                best[end], came[end], lines[end] = cost, start, shown or (text_of(part),)
    drafts: list[_Draft] = []
    end = len(run)
    while end:
        drafts.append(_Draft(tuple(run[came[end] : end]), lines[end]))
        end = came[end]
    return drafts[::-1]


def _strain(
    words: Sequence[Word], lines: tuple[str, ...], next_s: Fraction | None, limits: Limits
) -> float:
    """Tell what a cue costs beside the break after it: being there, short, fast, badly broken."""
    start = words[0].start_s
    room = limits.longest_s if next_s is None else next_s - limits.gap_s - start
    room = min(room, limits.longest_s)
    needed = Fraction(len(" ".join(lines)), limits.characters_per_s)
    short = max(Fraction(0), limits.shortest_s - room) / limits.shortest_s
    fast = max(Fraction(0), needed - room) / max(needed, Fraction(1, 100))
    cost = 0.8 + 6.0 * float(short) + 8.0 * float(fast)
    split = 0
    if len(lines) == 2:
        split = next(i for i in range(1, len(words)) if text_of(words[:i]) == lines[0])
        cost += 0.2 + 0.3 * break_cost(words[split - 1], words[split])
    # A sentence that ends within a line is read over.
    for i, (before, after) in enumerate(itertools.pairwise(words), 1):
        if i != split and break_cost(before, after) == 0.0:
            cost += 1.0
    return cost


def _timed(draft: _Draft, next_s: Fraction | None, limits: Limits) -> Cue:
    """Show a cue from its first word on, as long as it takes to read."""
    start = draft.words[0].start_s
    needed = Fraction(len(" ".join(draft.lines)), limits.characters_per_s)
    end = max(draft.words[-1].end_s, start + max(needed, limits.shortest_s))
    if next_s is not None:
        latest = next_s - limits.gap_s
        if latest - end < _CHAINED_S:
            chained = min(latest, start + limits.longest_s)
            end = max(min(latest, end), chained)
        # Words that follow at once leave no room for the gap.
        if end <= start:
            end = max(next_s, start + Fraction(1, 1000))
    return Cue(draft.lines, start, end)


def clipped(cues: Iterable[Cue], end_s: Fraction) -> Iterator[Cue]:
    """Leave out what begins at ``end_s`` or later, and end there what goes on."""
    for cue in itertools.takewhile(lambda cue: cue.start_s < end_s, cues):
        yield replace(cue, end_s=min(cue.end_s, end_s))
