"""Phoneme alphabets of the engines, brought to one plain IPA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeavatar.speech.base import Unit

if TYPE_CHECKING:
    from edgeavatar.speech.english import Letter

SILENCE = "_"

STRESS_MARKS = {"ˈ": 2, "ˌ": 1}

_MISAKI = {
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "Q": "əʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
    "ʣ": "dz",
    "ʥ": "dʑ",
    "ʦ": "ts",
    "ʨ": "tɕ",
    "ꭧ": "tʂ",
    "ᵊ": "ə",
    "ᵻ": "ɪ",
    "T": "ɾ",
    "g": "ɡ",
}
"""Letters of the misaki alphabet (which Kokoro and hibari were trained on) that are not IPA."""

TRAILING_MARKS = frozenset("ːˑʰʲᵝ˞̧̪̯̩̃")
"""Length, aspiration, nasality and the like: their time belongs to the phoneme before them."""

PUNCTUATION = frozenset(";:,.!?—–…\"“”()¿¡-«»'")


def misaki_to_ipa(letter: str) -> str:
    """Give the IPA of one letter of the misaki alphabet.

    Parameters
    ----------
    letter : str
        One character of a Kokoro or hibari phoneme string.

    Returns
    -------
    str
        One phoneme (a diphthong or affricate is two characters), :data:`SILENCE` for punctuation,
        ``""`` for marks of stress, length and the like and for the space between words.
    """
    if letter in PUNCTUATION:
        return SILENCE
    if letter in _MISAKI:
        return _MISAKI[letter]
    if letter.isalpha() and letter not in TRAILING_MARKS and letter not in STRESS_MARKS:
        return letter
    return ""


def letter_units(letters: Sequence[Letter], durations: Sequence[int]) -> tuple[Unit, ...]:
    """Pair misaki letters with their durations.

    Parameters
    ----------
    letters : sequence of Letter
        Letters the model was given, without the padding at both ends.
    durations : sequence of int
        Samples, padding included: two more than there are letters.

    Returns
    -------
    tuple of Unit
    """
    units = [Unit(SILENCE, durations[0])]
    stress = 0
    for letter, duration in zip(letters, durations[1:-1], strict=True):
        symbol = misaki_to_ipa(letter.char)
        if letter.char in STRESS_MARKS:
            stress = STRESS_MARKS[letter.char]
            units.append(Unit("", duration, stress, letter.word))
        elif letter.char in TRAILING_MARKS and units[-1].symbol not in ("", SILENCE):
            last = units[-1]
            units[-1] = Unit(last.symbol, last.duration + duration, last.stress, last.word)
        elif symbol in ("", SILENCE):
            units.append(Unit(symbol, duration))
        else:
            units.append(Unit(symbol, duration, stress, letter.word))
            stress = 0
    units.append(Unit(SILENCE, durations[-1]))
    return tuple(units)


_JOINED = frozenset({"aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ", "əʊ", "tʃ", "dʒ"})
"""Two code points of espeak-ng that are one phoneme."""

_TO_MISAKI = {
    "aɪ": "I",
    "aʊ": "W",
    "eɪ": "A",
    "oʊ": "O",
    "ɔɪ": "Y",
    "əʊ": "Q",
    "tʃ": "ʧ",
    "dʒ": "ʤ",
    "ts": "ʦ",
    "dz": "ʣ",
}


def espeak_to_misaki(phonemes: Sequence[str], index: Sequence[int]) -> list[tuple[str, int]]:
    """Write espeak-ng's phonemes in the alphabet that Kokoro was trained on.

    Parameters
    ----------
    phonemes : sequence of str
        One code point each.
    index : sequence of int
        The word of each.

    Returns
    -------
    list of tuple
        Letter and word; diphthongs and affricates have become one letter.
    """
    result: list[tuple[str, int]] = []
    for phoneme, word in zip(phonemes, index, strict=True):
        if result and result[-1][1] == word and result[-1][0] + phoneme in _TO_MISAKI:
            result[-1] = (_TO_MISAKI[result[-1][0] + phoneme], word)
        else:
            result.append(("ɡ" if phoneme == "g" else phoneme, word))
    return result


def espeak_units(
    phonemes: Sequence[str], index: Sequence[int], durations: Sequence[int]
) -> tuple[Unit, ...]:
    """Pair espeak-ng's phonemes with their durations.

    Parameters
    ----------
    phonemes : sequence of str
        One code point each.
    index : sequence of int
        The word of each; -1 for punctuation and spaces.
    durations : sequence of int
        Samples, with those of the start and end marks: two more than there are phonemes.

    Returns
    -------
    tuple of Unit
    """
    units = [Unit(SILENCE, durations[0])]
    stress = 0
    for phoneme, word, duration in zip(phonemes, index, durations[1:-1], strict=True):
        last = units[-1]
        if phoneme in STRESS_MARKS:
            stress = STRESS_MARKS[phoneme]
            units.append(Unit("", duration, stress, word))
        elif phoneme in PUNCTUATION:
            units.append(Unit(SILENCE, duration))
        elif phoneme == " ":
            units.append(Unit("", duration))
        elif last.word == word and last.symbol + phoneme in _JOINED:
            units[-1] = Unit(last.symbol + phoneme, last.duration + duration, last.stress, word)
        elif phoneme in TRAILING_MARKS or not phoneme.isalpha():
            units[-1] = Unit(last.symbol, last.duration + duration, last.stress, last.word)
        else:
            units.append(Unit("ɡ" if phoneme == "g" else phoneme, duration, stress, word))
            stress = 0
    units.append(Unit(SILENCE, durations[-1]))
    return tuple(units)
