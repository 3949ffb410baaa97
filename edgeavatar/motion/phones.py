"""The phones that the motion nets know: one class for each letter of English, and silence.

Both nets meet here: one hears phones in sound, the other moves the mouth by phones, whether they
were heard or are known from text. Letters of other languages go to the class whose lips and jaw
are nearest.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.motion.visemes import SILENCE, known_letters, visemes_of

if TYPE_CHECKING:
    import numpy.typing as npt

CONSONANTS: tuple[str, ...] = tuple("pbmfvθðtdnszlɹʃʒkgŋhwj")
VOWELS: tuple[str, ...] = tuple("iɪeɛæaɑɔoʌəɜuʊ")
PHONES: tuple[str, ...] = (SILENCE, *CONSONANTS, *VOWELS)
"""Columns of phone probabilities, silence first."""

_INDEX = {phone: i for i, phone in enumerate(PHONES)}
_SPELLED = {"ɡ": "g", "ɾ": "d", "ɐ": "ə", "ɒ": "ɔ", "r": "ɹ", "ɻ": "ɹ", "ɫ": "l", "x": "k"}
_SPELLED |= {"y": "u", "ʏ": "ʊ", "ø": "o", "œ": "ɔ", "ɥ": "w"}


@lru_cache(maxsize=512)
def phones_of(symbol: str) -> tuple[tuple[int, float], ...]:
    """Give the phones of a phoneme in order.

    Parameters
    ----------
    symbol : str
        IPA, as for :func:`~edgeavatar.motion.visemes.visemes_of`.

    Returns
    -------
    tuple of (int, float)
        Index into :data:`PHONES` and share of the phoneme's time; shares add up to 1.
    """
    letters = [char for char in known_letters(symbol) if _is_letter(char)]
    if not letters:
        return ((0, 1.0),)
    shares = [viseme.share for viseme in visemes_of(symbol)]
    total = sum(shares)
    return tuple(
        (_nearest(letter), share / total) for letter, share in zip(letters, shares, strict=True)
    )


def _is_letter(char: str) -> bool:
    return bool(visemes_of(char)[0].target.any())


@lru_cache(maxsize=256)
def _nearest(letter: str) -> int:
    letter = _SPELLED.get(letter, letter)
    if letter in _INDEX:
        return _INDEX[letter]
    goal = visemes_of(letter)[0]
    pool = VOWELS if goal.vowel else CONSONANTS
    distance = [float(np.abs(visemes_of(p)[0].target - goal.target).sum()) for p in pool]
    return _INDEX[pool[int(np.argmin(distance))]]


def phone_rows(
    spans: list[tuple[float, float, str]], times: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Write known phonemes as phone probabilities: 0 or 1, with edges a row wide.

    Parameters
    ----------
    spans : list of (float, float, str)
        Start and end in seconds and IPA symbol, in order; what they do not cover is silence.
    times : numpy.ndarray
        ``(n,)`` float64 seconds, even.

    Returns
    -------
    numpy.ndarray
        ``(n, len(PHONES))`` float32, each row adds up to 1: the share of the row's own time that
        each phone takes.
    """
    rows = np.zeros((len(times), len(PHONES)), np.float32)
    half = 0.5 * (times[1] - times[0]) if len(times) > 1 else 0.005
    for start, end, symbol in spans:
        length = end - start
        for phone, share in phones_of(symbol):
            stop = start + length * share
            low = int(np.searchsorted(times, start - half))
            high = int(np.searchsorted(times, stop + half))
            covered = np.minimum(times[low:high] + half, stop) - np.maximum(
                times[low:high] - half, start
            )
            rows[low:high, phone] += np.maximum(covered, 0.0).astype(np.float32) / (2.0 * half)
            start = stop
    rows[:, 0] += np.maximum(0.0, 1.0 - rows.sum(axis=1))
    return rows
