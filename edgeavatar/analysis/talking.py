"""How somebody talks: how fast, with which pauses, with how many um and uh."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeavatar.analysis.results import TimedWord

PAUSE_S: Final = 0.2
"""Shorter gaps are closures of stops; 0.2 to 0.25 s is where studies of pauses begin to count
(Goldman-Eisler 1968: 0.25; Campione and Veronis 2002: 0.2)."""
FILLERS: Final = frozenset({"ah", "eh", "er", "erm", "hm", "hmm", "mm", "mhm", "uh", "uhm", "um"})
"""As recognisers write them."""


@dataclass(frozen=True, slots=True)
class Talking:
    """What the times of words tell."""

    words: int
    words_per_min: float | None
    """Over the time from first to last word, pauses left out."""
    pauses: int
    pause_median_s: float | None
    fillers: int


def talking_of(words: Sequence[TimedWord]) -> Talking:
    """Count words, pauses and fillers.

    Parameters
    ----------
    words : sequence of TimedWord
        In order.

    Returns
    -------
    Talking
        Without a rate for less than 3 words.
    """
    gaps = [b.start_s - a.end_s for a, b in itertools.pairwise(words)]
    pauses = [gap for gap in gaps if gap >= PAUSE_S]
    fillers = sum("".join(filter(str.isalpha, w.text)).casefold() in FILLERS for w in words)
    rate = None
    if len(words) >= 3:
        spoken_s = words[-1].end_s - words[0].start_s - sum(pauses)
        rate = 60.0 * len(words) / spoken_s if spoken_s > 0.0 else None
    return Talking(
        len(words), rate, len(pauses), statistics.median(pauses) if pauses else None, fillers
    )
