"""English words to phonemes, through the grapheme-to-phoneme rules of the hibari package."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

_EDGE = "¿¡\"'“”‘’«»()[]{}<>.,;:!?…—–-*_~`"


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter of a phoneme string and the word it belongs to."""

    char: str
    word: int
    """Index into the written words; -1 for punctuation and for spaces between words."""


@lru_cache(maxsize=2)
def _rules(british: bool) -> Any:
    from hibari.g2p import G2P

    return G2P(british=british)


def phonemize(sentence: str, *, british: bool = False) -> tuple[tuple[str, ...], list[Letter]]:
    """Turn one sentence into the misaki phonemes that hibari and Kokoro were trained on.

    Parameters
    ----------
    sentence : str
        English text of any kind; numbers, dates, money and abbreviations are read out.
    british : bool
        Use British spelling-to-sound rules.

    Returns
    -------
    words : tuple of str
        Words as written, without the punctuation around them. Where the reading has more or fewer
        words than the writing (``7:30 pm``), the written words of that stretch are one entry.
    letters : list of Letter
        The phoneme string letter by letter, with the word of each.
    """
    from hibari.g2p.normalize import normalize

    rules = _rules(british)
    tokens = rules.phonemize_tokens(rules.tokenize(normalize(_expand(sentence))))
    spoken: list[tuple[str, list[tuple[str, bool]]]] = []
    fresh = True
    for token in tokens:
        phonemes = token.phonemes or ""
        is_word = any(c.isalpha() for c in phonemes)
        if fresh:
            spoken.append(("", []))
        text, pieces = spoken[-1]
        pieces.append((phonemes, is_word))
        spoken[-1] = (text + token.text, pieces)
        fresh = bool(token.whitespace)
    words, index = written_words(sentence.split(), [text for text, _ in spoken])
    letters: list[Letter] = []
    for i, (_, pieces) in enumerate(spoken):
        if letters and letters[-1].char != " " and any(p for p, _ in pieces):
            letters.append(Letter(" ", -1))
        for phonemes, is_word in pieces:
            letters.extend(Letter(c, index[i] if is_word else -1) for c in phonemes)
    return words, letters


def written_words(written: list[str], spoken: list[str]) -> tuple[tuple[str, ...], list[int]]:
    """Find which written word each spoken word comes from.

    Returns the written words (stretches that read differently joined into one) and, for each
    spoken word, an index into them.
    """
    a = [w.strip(_EDGE).casefold() for w in written]
    b = [w.strip(_EDGE).casefold() for w in spoken]
    words: list[str] = []
    index = [-1] * len(spoken)
    for tag, i0, i1, j0, j1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal" or (tag == "replace" and i1 - i0 == j1 - j0):
            for i, j in zip(range(i0, i1), range(j0, j1), strict=True):
                index[j] = len(words)
                words.append(_trim(written[i]))
        elif j1 > j0 and i1 > i0:
            index[j0:j1] = [len(words)] * (j1 - j0)
            words.append(_trim(" ".join(written[i0:i1])))
        elif j1 > j0:
            index[j0:j1] = [max(len(words) - 1, 0)] * (j1 - j0)
            if not words:
                words.append(_trim(" ".join(spoken[j0:j1])))
    return tuple(words), index


def _trim(word: str) -> str:
    return word.strip(_EDGE) or word


_MONEY = re.compile(r"([$£€])(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{2}))?(?![\d.]*\d)")
_YEAR = re.compile(
    r"(?:(?<=\bin )|(?<=\bsince )|(?<=\bof )|(?<=\bby )|(?<=\bfrom )|(?<=\buntil )"
    r"|(?<=(?:st|nd|rd|th), ))(?:1[1-9]|20)\d\d\b(?![,.]\d)"
)
_UNITS = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}


def spell_out(sentence: str) -> str:
    """Write out dates, times, money, units and abbreviations, for engines that read only words.

    Parameters
    ----------
    sentence : str
        English text.

    Returns
    -------
    str
        The same with words in place of most symbols; plain numbers stay.
    """
    from hibari.g2p.normalize import normalize
    from hibari.g2p.numbers import year

    normalized: str = normalize(_expand(_MONEY.sub(_money, sentence)))
    return _YEAR.sub(lambda m: str(year(int(m.group()))), normalized)


def _money(match: re.Match[str]) -> str:
    major, minor = _UNITS[match.group(1)]
    whole = int(match.group(2).replace(",", ""))
    cents = int(match.group(3) or 0)
    words = f"{whole} {major}{'' if whole == 1 else 's'}"
    if not cents:
        return words
    plural = minor if cents == 1 else {"penny": "pence"}.get(minor, minor + "s")
    return f"{words} and {cents} {plural}"


_URL = re.compile(r"\b(?:(?:https?|ftp)://|www\.)[^\s<>\"”’]*[^\s<>\"”’.,;:!?)\]]", re.I)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_OHM = re.compile(r"(?<=\d)\s?([kM]?)Ω")
_GREEK_ALONE = re.compile(r"(?<![\u0370-\u03ff])[\u0391-\u03c9](?![\u0370-\u03ff])")
_LATIN = {"e.g.": "for example", "i.e.": "that is", "cf.": "compare", "viz.": "namely"}
_LATIN_WORD = re.compile(r"(?<![\w.])(?:e\.\s?g\.|i\.\s?e\.|cf\.|viz\.)(?!\w)", re.I)
_MULTIPLES = {"": "", "k": "kil", "M": "meg"}
_SPELLED = {
    ".": "dot",
    "/": "slash",
    "@": "at",
    "-": "dash",
    "_": "underscore",
    "+": "plus",
    ":": "colon",
    "=": "equals",
    "&": "and",
    "~": "tilde",
    "%": "percent",
}


def _expand(sentence: str) -> str:
    """Write out what the rules of the hibari package do not: addresses, Greek letters, e.g."""
    sentence = _EMAIL.sub(lambda m: _spell_address(m.group()), sentence)
    sentence = _URL.sub(lambda m: _spell_address(m.group()), sentence)
    sentence = _LATIN_WORD.sub(lambda m: _LATIN[re.sub(r"\s", "", m.group().lower())], sentence)
    sentence = _OHM.sub(lambda m: f" {_MULTIPLES[m.group(1)]}ohms", sentence)
    return _GREEK_ALONE.sub(lambda m: f" {_greek_name(m.group())} ", sentence)


def _spell_address(address: str) -> str:
    """``https://www.a.org/b?c`` to ``a dot org slash b``."""
    address = re.sub(r"^(?:https?|ftp)://", "", address, flags=re.I)
    address = re.sub(r"^www\.", "", address, flags=re.I)
    address = re.sub(r"[?#].*$", "", address).rstrip("/")
    pieces = re.split(r"([^\w]|_)", address)
    return " ".join(_SPELLED.get(p, p) for p in pieces if p.strip())


def _greek_name(letter: str) -> str:
    return unicodedata.name(letter).split()[-1].lower()
