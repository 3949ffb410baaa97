"""When each known word sounds: the likeliest path of its phones through what a net heard."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Scores = npt.NDArray[np.float64]

ROWS_PER_S = 100
"""Rows of phone probabilities in a second; row ``i`` is centred on ``i / 100`` s."""

_ROWS_OF_A_PHONE = 3
"""Fewest rows that a phone takes: a flap lasts 30 ms. Where that is too long for the time there
is, fewer."""
_LEAST = 1e-4
"""Probability below which all phones are equally wrong: one phone that was misheard, or left out
by the speaker, must not move the words around it."""
_SILENCE_QUANTILE, _SILENCE_ODDS = 0.6, 0.03
"""Three rows of five in a stretch of speech are speech, at odds of silence of at most this. A net
that heard speech in noise as half silent is brought there by one factor; where it heard clearly,
nothing changes. On the 50 GRID clips that it was chosen on, words were off by a median of 85 ms
without it and 25 with; on 50 others by 25."""
_NEVER = -1e9


@dataclass(frozen=True, slots=True)
class WordSpan:
    """Where one word sounds."""

    start_s: Fraction
    end_s: Fraction
    """Multiples of 5 ms, from the first row."""
    confidence: float
    """Geometric mean, over the word's rows, of the probability that the net gave to the phone which
    the word has there: 0 to 1. How well sound and word fit, not how likely the word is right."""


def align_words(
    probability: FloatArray,
    script: Sequence[Sequence[int]],
    speaking: npt.NDArray[np.bool_] | None = None,
) -> list[WordSpan]:
    """Find where each word of a known text sounds.

    Each phone of each word takes at least 30 ms, in order; silence may come before, between and
    after words. The path is the one of highest probability (Viterbi 1967).

    Parameters
    ----------
    probability : numpy.ndarray
        ``(n, phones)`` float32 in [0, 1], 100 rows a second, silence in column 0.
    script : sequence of sequence of int
        Phones of each word, as columns. A word without any gets no time of its own.
    speaking : numpy.ndarray, optional
        ``(n,)`` bool: rows in which somebody speaks, as a detector says, which need not be right at
        the edges. By default all but a little at both ends.

    Returns
    -------
    list of WordSpan
        One per word, in order, not overlapping, within ``n`` rows. If there are more phones than
        rows, the words share the time by their numbers of phones, with confidence 0.
    """
    count = len(probability)
    phones = sum(len(word) for word in script)
    if count < phones or not phones:
        return _shared(count, script)
    states, word_of = _states(script, min(_ROWS_OF_A_PHONE, count // phones))
    score = np.log(np.maximum(_with_less_silence(probability, speaking), _LEAST))
    path = _best_path(score[:, states], optional=word_of < 0)
    rows_of_word = word_of[path]
    log_fit = score[np.arange(count), states[path]]
    spans: list[WordSpan] = []
    end = Fraction(0)
    for word in range(len(script)):
        rows = np.flatnonzero(rows_of_word == word)
        if not len(rows):
            spans.append(WordSpan(end, end, 0.0))
            continue
        start, end = _edge(int(rows[0])), _edge(int(rows[-1]) + 1)
        spans.append(WordSpan(start, end, float(np.exp(log_fit[rows].mean()))))
    return spans


def _with_less_silence(probability: FloatArray, speaking: npt.NDArray[np.bool_] | None) -> Scores:
    """Divide the odds of silence by what brings them to where they are in clear speech."""
    wide = probability.astype(np.float64)
    silence = np.clip(wide[:, 0], 1e-6, 1.0 - 1e-6)
    odds = silence / (1.0 - silence)
    spoken = odds if speaking is None or not speaking.any() else odds[speaking]
    odds *= min(1.0, _SILENCE_ODDS / float(np.quantile(spoken, _SILENCE_QUANTILE)))
    eased = odds / (1.0 + odds)
    wide[:, 1:] *= ((1.0 - eased) / (1.0 - silence))[:, None]
    wide[:, 0] = eased
    return wide


def _states(
    script: Sequence[Sequence[int]], rows: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Columns that the path goes through, and the word of each; -1 for the silences between.

    A phone that takes so many rows at least is so many states.
    """
    columns, words = [0], [-1]
    for index, phones in enumerate(script):
        if not phones:
            continue
        columns += [phone for phone in phones for _ in range(rows)] + [0]
        words += [index] * (len(phones) * rows) + [-1]
    return np.array(columns, np.intp), np.array(words, np.intp)


def _best_path(emitted: Scores, optional: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """State of each row: it stays, goes on by one, or leaves out one that is optional."""
    count, states = emitted.shape
    skips = np.full(states, _NEVER)
    skips[2:][optional[1:-1]] = 0.0
    best = np.full(states, _NEVER)
    best[:2] = emitted[0, :2]
    came = np.zeros((count, states), np.int8)
    choices = np.full((3, states), _NEVER)
    for row in range(1, count):
        choices[0] = best
        choices[1, 1:] = best[:-1]
        choices[2, 2:] = best[:-2] + skips[2:]
        came[row] = choices.argmax(axis=0)
        best = choices.max(axis=0) + emitted[row]
    state = states - 1 if states < 2 or best[-1] >= best[-2] else states - 2
    path = np.zeros(count, np.intp)
    for row in range(count - 1, -1, -1):
        path[row] = state
        state -= int(came[row, state])
    return path


def _edge(row: int) -> Fraction:
    """Moment between a row and the one before it."""
    return Fraction(max(0, 2 * row - 1), 2 * ROWS_PER_S)


def _shared(count: int, script: Sequence[Sequence[int]]) -> list[WordSpan]:
    total = max(1, sum(len(phones) for phones in script))
    spans, done = [], 0
    for phones in script:
        start, done = done, done + len(phones)
        spans.append(
            WordSpan(
                Fraction(count * start, total * ROWS_PER_S),
                Fraction(count * done, total * ROWS_PER_S),
                0.0,
            )
        )
    return spans
