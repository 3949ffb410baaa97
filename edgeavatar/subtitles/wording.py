"""Words as they are read: with the punctuation that stands around them in the text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeavatar.subtitles.cues import Word


def with_punctuation(text: str, words: Sequence[Word]) -> list[Word]:
    """Give words the marks that stand before and after them in a text.

    What stands between two words goes to the first as far as the last space in it, and to the
    second from there on: ``Yes, "she`` is ``Yes,`` and ``"she``.

    Parameters
    ----------
    text : str
        In which the words are found in their order; white space of any kind is one space.
    words : sequence of Word
        Without the punctuation around them. One that is not in the text stays as it is.
    """
    text = " ".join(text.split())
    found: list[tuple[int, int] | None] = []
    at = 0
    for word in words:
        start = text.find(word.text, at)
        if start < 0:
            found.append(None)
            continue
        at = start + len(word.text)
        found.append((start, at))
    places = [place for place in found if place is not None]
    edges = [0, *_divisions(text, places), len(text)]
    marked: list[Word] = []
    index = 0
    for word, place in zip(words, found, strict=True):
        if place is None:
            marked.append(word)
            continue
        piece = text[edges[index] : edges[index + 1]]
        index += 1
        spaced = index == 1 or piece.startswith(" ")
        marked.append(replace(word, text=piece.strip(), spaced=spaced))
    return marked


def _divisions(text: str, places: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Where the text of each word but the first begins."""
    for (_, end), (start, _) in itertools.pairwise(places):
        space = text.rfind(" ", end, start)
        yield start if space < 0 else space
