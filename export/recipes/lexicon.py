"""A list of English words with their phonemes, for engines that look words up.

sherpa-onnx, from 2.0 on, has no rules for reading: what is not in its list is not spoken. The words
are those of the dictionary of the hibari package (misaki's, Apache-2.0), and regular forms of them.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from edgeavatar.speech.english import phonemize

Reading = Callable[[str], Iterable[str]]
"""Phonemes of one word, each as the voice's token table has it."""

_DICTIONARY = "lexicon_us_gold.json.gz"
"""Of the two, the one that people went through; the other adds names that few have."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_WITH_FORMS = re.compile(r"[a-z]{3,}")
_DOUBLED = re.compile(r"(?:^|[^aeiou])[aeiou]([bdgklmnprt])")
_SHORT = 3
"""Words of so many letters sound otherwise alone than among others: a, to, for."""


def english_words() -> list[str]:
    """List words in small letters, without what can only be a name's beginning or a number.

    Returns
    -------
    list of str
        Sorted; about 300 thousand.
    """
    packed = files("hibari").joinpath("assets", _DICTIONARY).read_bytes()
    written = list(json.loads(gzip.decompress(packed)))
    found = {word.lower() for word in written if _WORD.fullmatch(word.lower())}
    for word in written:
        if _WITH_FORMS.fullmatch(word):
            found |= set(regular_forms(word))
    return sorted(found)


def regular_forms(word: str) -> Iterator[str]:
    """Yield the plural, the third person, the past and the -ing form of an English word.

    Whether the word has such a form is not known here; reading decides.
    """
    ends_y = word.endswith("y") and word[-2] not in "aeiou"
    stem = word[:-1]
    if ends_y:
        yield from (f"{stem}ies", f"{stem}ied", f"{word}ing")
    elif word.endswith("e"):
        yield from (f"{word}s", f"{word}d", f"{stem}ing")
    else:
        yield word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")
        doubled = _DOUBLED.fullmatch(word[-3:])
        longer = f"{word}{doubled.group(1)}" if doubled else word
        yield from (f"{longer}ed", f"{longer}ing")
    yield f"{word}'s"


def misaki_reading(word: str) -> list[str]:
    """Read a word as Kokoro was trained to hear it; nothing where the dictionary does not help."""
    if len(word) <= _SHORT:
        return [letter.char for letter in phonemize(word)[1] if letter.char != " "]
    rules, context = _rules()
    sounds, _ = rules.lexicon.get_word(word, "NN", None, context)
    return list(sounds or "")


@cache
def _rules() -> tuple[Any, Any]:
    from hibari.g2p import G2P, Context

    return G2P(), Context()


def espeak_reading(phonemes: Callable[[str], list[str]]) -> Reading:
    """Make a reading of espeak-ng's, which is asked for short words in the middle of others."""

    def read(word: str) -> list[str]:
        if len(word) <= _SHORT:
            groups = "".join(phonemes(f"so {word} so")).split(" ")
            # Some words are run together.
            if len(groups) == 3:
                return list(groups[1])
        return [sound for sound in phonemes(word) if sound != " "]

    return read


def lexicon(words: Iterable[str], reading: Reading, known: Iterable[str]) -> str:
    """Write the list: a word and its phonemes a line, with spaces between.

    Parameters
    ----------
    words
        In small letters, as sherpa-onnx looks them up.
    reading
        Gives phonemes.
    known
        Phonemes of the voice; others are left out, and words that have none.
    """
    have = frozenset(known)
    lines = []
    for word in words:
        sounds = [sound for sound in reading(word) if sound in have]
        if any(sound.isalpha() for sound in sounds):
            lines.append(f"{word} {' '.join(sounds)}\n")
    return "".join(lines)
