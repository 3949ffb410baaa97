"""Written text to sentences that can be spoken, one at a time.

How English numbers, dates, addresses and the like are read is the business of
:mod:`edgeavatar.speech.english`; here is what comes before: clean-up of Unicode and mark-up,
sentence borders, and the refusal of scripts that a voice cannot read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgeavatar.errors import SpeechError

PAUSE_SENTENCE_S = 0.35
PAUSE_QUESTION_S = 0.4
PAUSE_CLAUSE_S = 0.22
PAUSE_PARAGRAPH_S = 0.7
PAUSE_LAST_S = 0.35
"""Silence between the last sound of a sentence and the first of the next: what Campione and Véronis
(2002) call medium pauses in read speech, 0.2 to 1 s."""

MAX_CHARS = 280
"""Longer sentences are split at a clause: some 20 s of speech, well within the models' limits."""

_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*|\n(?=[ \t]*(?:[-*•‣–]|\d{1,3}[.)])[ \t]+\S)|[\u2029\f]+")
_END = re.compile(r"""(?:[.!?…]+|[。！？।॥]+)["'”’»)\]]*(?=\s|$)|[。！？]+[」』”’）]*""")
_BULLET = re.compile(r"^\s*(?:[-*•‣–]|#{1,6}|>|\d{1,3}\))\s+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(
    r"[*`~|]{1,3}(?=\S)|(?<=\S)[*`~|]{1,3}|(?<=\S)_{1,3}(?!\w)|(?<!\w)_{1,3}(?=\S)|<[^<>]{1,60}>"
)
_CLAUSE = re.compile(r"[;:,—–][\"”’)\]]*\s+|\s[—–]\s|[；：，、]")
_SPACE = re.compile(r"\s+")
_BARE = re.compile(r"[\W_]+")

# fmt: off
_NO_END = frozenset({
    "mr", "mrs", "ms", "dr", "prof", "st", "mt", "ft", "gen", "gov", "sen", "rep", "capt", "lt",
    "col", "sgt", "cmdr", "rev", "hon", "pres", "supt", "cpl", "maj", "adm", "fr", "msgr",
    "messrs", "mme", "mlle", "vs", "viz", "e.g", "i.e", "eg", "ie", "cf", "ca", "approx", "no",
    "nos", "fig", "figs", "vol", "ch", "pp", "p", "sec", "art", "al", "ed", "eds", "jan", "feb",
    "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "sr", "sra", "srta",
    "dott", "sig",
})
# fmt: on
"""Abbreviations whose full stop does not end a sentence."""

# fmt: off
_STARTERS = frozenset({
    "the", "a", "an", "this", "that", "these", "those", "he", "she", "it", "we", "they", "you",
    "i", "but", "and", "so", "in", "on", "at", "there", "here", "what", "when", "where", "who",
    "why", "how", "if", "as", "his", "her", "its", "our", "their", "my", "your", "no", "yes",
    "then",
})
# fmt: on
"""Words that open a sentence; they decide whether ``U.S.`` or ``p.m.`` ended one."""

_ENGLISH_SYMBOLS = {"²": " squared", "³": " cubed", "№": "No. "}
_SYMBOLS = {
    "™": "",
    "®": "",
    "©": "",
    "℃": "°C",
    "℉": "°F",
    "\u00ad": "",
    "\u200b": "",
    "\u2060": "",
    "\ufeff": "",
    "\u2011": "-",
    "\u2212": "-",
    "\u2028": "\n",
}

_SCRIPT_OF_LANGUAGE = {
    "en": ("LATIN",),
    "es": ("LATIN",),
    "fr": ("LATIN",),
    "it": ("LATIN",),
    "pt": ("LATIN",),
    "hi": ("DEVANAGARI", "LATIN"),
    "ja": ("HIRAGANA", "KATAKANA", "CJK", "LATIN"),
    "zh": ("CJK", "LATIN"),
}
_SCRIPT_NAMES = {
    "CJK": "Chinese characters",
    "HIRAGANA": "Japanese (Hiragana) letters",
    "KATAKANA": "Japanese (Katakana) letters",
    "HANGUL": "Korean (Hangul) letters",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch of text that a model speaks at once."""

    text: str
    pause_s: float
    """Silence that follows it."""


def split_sentences(text: str, *, language: str = "en") -> Iterator[Sentence]:
    """Split a text into clean sentences, lazily.

    Parameters
    ----------
    text : str
        Any text; line breaks inside a paragraph are spaces, an empty line or a list item begins a
        new paragraph.
    language : str
        BCP-47 tag.

    Yields
    ------
    Sentence
        Never empty. Sentences longer than :data:`MAX_CHARS` are split at clauses, or between words.
    """
    held: Sentence | None = None
    for paragraph in _paragraphs(text):
        pieces = _sentences(paragraph)
        last: Sentence | None = None
        for raw in pieces:
            cleaned = clean(raw, language=language)
            if not any(c.isalnum() for c in cleaned):
                continue
            for part in _clauses(cleaned):
                if last is not None:
                    if held is not None:
                        yield held
                    held = last
                last = Sentence(part, _pause_after(part))
        if last is not None:
            if held is not None:
                yield held
            held = Sentence(last.text, PAUSE_PARAGRAPH_S)
    if held is not None:
        yield Sentence(held.text, PAUSE_LAST_S)


def clean(text: str, *, language: str = "en") -> str:
    """Bring a sentence to plain characters.

    Parameters
    ----------
    text : str
        One sentence.
    language : str
        BCP-47 tag.

    Returns
    -------
    str
        NFKC text without emoji, control characters and mark-up, single-spaced.
    """
    text = _BULLET.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _MARKUP.sub("", text)
    symbols = _SYMBOLS | (_ENGLISH_SYMBOLS if language.startswith("en") else {})
    text = "".join(symbols.get(c, c) for c in text)
    text = unicodedata.normalize("NFKC", text.replace("…", "\ue000")).replace("\ue000", "…")
    text = text.replace("⁄", "/")
    joiners = "\u200d\u200c" if language.startswith("hi") else ""
    text = "".join(c if _is_speakable(c) or c in joiners else " " for c in text)
    return _SPACE.sub(" ", text).strip()


def check_script(text: str, *, language: str, voice: str, advice: Callable[[str], str]) -> None:
    """Refuse a text in a script that the voice's language is not written in.

    Parameters
    ----------
    text : str
        The whole text.
    language : str
        BCP-47 tag of the voice.
    voice : str
        Name of the voice, for the message.
    advice : callable
        Takes the script's Unicode name and says what to do instead, for the message.

    Raises
    ------
    SpeechError
        The text has no letter or digit at all, or letters of another script.
    """
    if not text.strip():
        raise SpeechError("expected words to speak, found an empty text; give some words")
    characters = set(unicodedata.normalize("NFKC", text))
    if not any(c.isalnum() for c in characters):
        raise SpeechError(
            "expected words to speak, found only symbols, emoji or punctuation; give some words"
        )
    allowed = _SCRIPT_OF_LANGUAGE[language.split("-")[0]]
    foreign = {c for c in characters if c.isalpha() and not _in_scripts(c, allowed)}
    if language.startswith("en"):
        foreign -= {c for c in foreign if "\u0391" <= c <= "\u03c9" and not _is_run(c, text)}
    if not foreign:
        return
    example = next(
        word
        for word in (w.strip(".,;:!?\"'“”«»()") for w in _SPACE.split(text))
        if foreign & set(unicodedata.normalize("NFKC", word))
    )
    script = _script(min(foreign & set(unicodedata.normalize("NFKC", example))))
    raise SpeechError(
        f"voice {voice!r} speaks {language} and cannot read "
        f"{_SCRIPT_NAMES.get(script, script.capitalize() + ' letters')} "
        f"({example[:24]!r}); {advice(script)}"
    )


def split_in_two(text: str) -> tuple[str, str] | None:
    """Split a text near its middle, at a clause if there is one, else at a space, else anywhere.

    Parameters
    ----------
    text : str
        A sentence too long for a model.

    Returns
    -------
    tuple of str, or None
        Two parts that are not empty; None for a single character.
    """
    if len(text) < 2:
        return None
    middle = len(text) / 2
    cuts = [m.end() for m in _CLAUSE.finditer(text)]
    cuts = [c for c in cuts if len(text) // 5 <= c <= len(text) * 4 // 5]
    if not cuts:
        cuts = [m.end() for m in _SPACE.finditer(text) if m.start() > 0 and m.end() < len(text)]
    cut = min(cuts, key=lambda c: abs(c - middle)) if cuts else int(middle)
    first, second = text[:cut].strip(), text[cut:].strip()
    return (first, second) if first and second else None


def _paragraphs(text: str) -> Iterator[str]:
    start = 0
    for match in _PARAGRAPH.finditer(text):
        if text[start : match.start()].strip():
            yield text[start : match.start()]
        start = match.end()
    if text[start:].strip():
        yield text[start:]


def _sentences(paragraph: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(paragraph):
        if _ends_here(paragraph, match):
            yield paragraph[start : match.end()]
            start = match.end()
    if paragraph[start:].strip():
        yield paragraph[start:]


def _ends_here(paragraph: str, match: re.Match[str]) -> bool:
    following = paragraph[match.end() : match.end() + 40].lstrip()
    if not following:
        return True
    if match.group()[0] != ".":
        return not following[0].islower()
    if following[0].islower():
        return False
    before = paragraph[max(0, match.start() - 40) : match.start()].split()
    word = before[-1].lstrip("(\"'“‘«[").lower() if before else ""
    opening = re.match(r"[\"'“‘(]*([A-Za-z']+)", following)
    starter = opening is not None and opening.group(1).lower() in _STARTERS
    if word in _NO_END:
        return starter or (word in ("no", "al", "p", "art") and not following[0].isdigit())
    if len(word) == 1 and word.isalpha():
        return starter or word == "i"
    letters = _BARE.sub("", word)
    if "." in word and letters.isalpha() and len(letters) <= 4:
        return starter
    return True


def _clauses(sentence: str) -> Iterator[str]:
    if len(sentence) <= MAX_CHARS:
        yield sentence
        return
    parts = split_in_two(sentence)
    if parts is None:
        yield sentence
        return
    for part in parts:
        yield from _clauses(part)


def _pause_after(sentence: str) -> float:
    end = sentence.rstrip("\"'”’»)]」』）")[-1:]
    if end in "?!？！…":
        return PAUSE_QUESTION_S
    if end in ".。।॥":
        return PAUSE_SENTENCE_S
    if end in ",;:—–，；：、":
        return PAUSE_CLAUSE_S
    return PAUSE_CLAUSE_S if end.isalnum() else PAUSE_SENTENCE_S


def _is_speakable(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LMNPZ" or category in ("Sc", "Sm") or char in "°^`´\n\t"


def _script(char: str) -> str:
    return unicodedata.name(char, "UNKNOWN").split()[0].split("-")[0]


def _in_scripts(char: str, scripts: tuple[str, ...]) -> bool:
    script = _script(char)
    return script in scripts or script in ("MODIFIER", "FEMININE", "MASCULINE", "DOUBLE")


def _is_run(char: str, text: str) -> bool:
    return re.search(f"[\u0370-\u03ff]{char}|{char}[\u0370-\u03ff]", text) is not None
