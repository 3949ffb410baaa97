"""The only module that imports piper-tts, which is GPL-3.0 like the espeak-ng inside it.

It is imported when a Piper voice, or a Kokoro voice of a language other than English, is opened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeavatar.errors import SpeechError
from edgeavatar.speech.english import written_words

if TYPE_CHECKING:
    from edgeavatar.backends import Session
    from edgeavatar.types import FloatArray

_MEAN_HOPS = 1.45
"""Duration of an id before it is rounded up, fitted to joe at scales from 0.5 to 2."""
_MIN_LENGTH_SCALE = 0.25

_COMBINING = frozenset("̧̪̯̩̃")


class Phonemizer:
    """espeak-ng for one language.

    Parameters
    ----------
    language : str
        espeak-ng's name of it, such as ``es`` or ``pt-br``.

    Raises
    ------
    SpeechError
        piper-tts is missing or does not have the language.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        try:
            from piper.phonemize_espeak import EspeakPhonemizer
        except ImportError as error:
            raise SpeechError(
                f"expected piper-tts for the language {language!r}, found it cannot be imported "
                f"({error}); install piper-tts"
            ) from error
        self._espeak = EspeakPhonemizer()
        try:
            self.phonemes("a")
        except RuntimeError as error:
            raise SpeechError(
                f"expected espeak-ng to know the language {language!r}, found {error}; "
                "choose another voice"
            ) from error

    def phonemes(self, text: str) -> list[str]:
        """Phonemes of a text, one code point each, with punctuation, spaces and stress marks."""
        sentences = self._espeak.phonemize(self._language, text)
        joined: list[str] = []
        for sentence in sentences:
            if joined and joined[-1] != " ":
                joined.append(" ")
            joined.extend(sentence)
        return joined


class PiperModel:
    """A Piper voice: piper-tts runs it, on a session of ours.

    Parameters
    ----------
    session : Session
        The voice's graph, with its durations as the second output.
    config : Path
        The voice's JSON file.
    """

    def __init__(self, session: Session, config: Path) -> None:
        from piper.config import PiperConfig
        from piper.voice import PiperVoice

        settings = json.loads(config.read_text(encoding="utf-8"))
        self._voice = PiperVoice(_Adapter(session), PiperConfig.from_dict(settings))
        self.language = str(settings["espeak"]["voice"])

    def phonemes(self, text: str) -> list[str]:
        """Phonemes of a text as the voice was trained on them, one code point each."""
        joined: list[str] = []
        for sentence in self._voice.phonemize(text):
            if joined and joined[-1] != " ":
                joined.append(" ")
            joined.extend(sentence)
        known = self._voice.config.phoneme_id_map
        return [p for p in joined if p in known]

    def speak(self, phonemes: list[str], rate: float) -> tuple[FloatArray, list[int]]:
        """Synthesise phonemes.

        Parameters
        ----------
        phonemes : list of str
            As :meth:`phonemes` gives them.
        rate : float
            Speaking rate.

        Returns
        -------
        samples : numpy.ndarray
            ``(n,)`` float32.
        durations : list of int
            Samples of the start mark, of each phoneme with the blank after it, and of the end mark;
            they add up to ``n``.
        """
        from piper.config import SynthesisConfig

        config = self._voice.config
        ids = self._voice.phonemes_to_ids(phonemes)
        settings = SynthesisConfig(length_scale=config.length_scale * _length_scale(rate))
        samples, per_id = self._voice.phoneme_ids_to_audio(ids, settings, include_alignments=True)
        if per_id is None or len(per_id) != len(ids) or int(per_id.sum()) != len(samples):
            raise SpeechError(
                f"expected durations that add up to {len(samples)} samples, found others; the "
                "voice is not a Piper voice of the kind that edgeavatar knows"
            )
        durations, at = [], 0
        for phoneme in ["^", *phonemes, "$"]:
            width = len(config.phoneme_id_map[phoneme]) + (phoneme != "$")
            durations.append(int(per_id[at : at + width].sum()))
            at += width
        return samples.astype(np.float32, copy=False), durations


def _length_scale(rate: float) -> float:
    """Scale of the durations that makes the sound ``1 / rate`` as long.

    Each of them is rounded up to whole hops, so that a sound lasts ``scale * mean + 1/2`` hops.
    """
    mean = _MEAN_HOPS
    return max(_MIN_LENGTH_SCALE, ((mean + 0.5) / rate - 0.5) / mean)


class _Adapter:
    """Looks like an onnxruntime session to piper-tts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, _: None, feeds: Mapping[str, Any]) -> list[Any]:
        return list(self._session.run(feeds).values())


def assign_words(
    text: str, phonemes: list[str], phonemizer: Phonemizer | PiperModel, *, spoken: str
) -> tuple[tuple[str, ...], list[int]]:
    """Say which written word each phoneme belongs to.

    espeak-ng runs words together (``of the``) and reads numbers as several; so the groups of
    phonemes between spaces are matched with the phonemes of each word alone.

    Parameters
    ----------
    text : str
        The sentence as written.
    phonemes : list of str
        The sentence's phonemes.
    phonemizer : Phonemizer or PiperModel
        What made them.
    spoken : str
        The text that was given to it (``text`` with numbers and the like spelled out).

    Returns
    -------
    words : tuple of str
        Words as written.
    index : list of int
        For each phoneme its word; -1 for spaces and punctuation.
    """
    words, of_spoken = written_words(text.split(), spoken.split())
    group_of: list[int] = []
    groups: list[str] = []
    inside = False
    for phoneme in phonemes:
        sounds = phoneme.isalpha() or phoneme in _COMBINING or phoneme in "ˈˌːˑ˞"
        if not sounds:
            inside = False
            group_of.append(-1)
            continue
        if not inside:
            groups.append("")
            inside = True
        groups[-1] += phoneme
        group_of.append(len(groups) - 1)
    alone = ["".join(p for p in phonemizer.phonemes(w) if p.isalpha()) for w in spoken.split()]
    plain = ["".join(p for p in g if p.isalpha()) for g in groups]
    of_group = _match(plain, alone)
    index = [-1 if g < 0 else of_spoken[of_group[g]] for g in group_of]
    return words, index


def _match(groups: list[str], words: list[str]) -> list[int]:
    """First word of each group, by the cheapest monotonic pairing of runs of letters."""
    if not words:
        return [0] * len(groups)
    reach = 6
    rows, columns = len(groups), len(words)
    cost = np.full((rows + 1, columns + 1), np.inf)
    cost[0, 0] = 0.0
    back: dict[tuple[int, int], tuple[int, int]] = {}
    steps = [(1, k) for k in range(reach + 1)] + [(k, 1) for k in range(2, reach + 1)] + [(0, 1)]
    for i in range(rows + 1):
        for j in range(columns + 1):
            for di, dj in steps:
                a, b = i - di, j - dj
                if a < 0 or b < 0 or not np.isfinite(cost[a, b]):
                    continue
                price = cost[a, b] + _distance("".join(groups[a:i]), "".join(words[b:j]))
                if price < cost[i, j]:
                    cost[i, j] = price
                    back[i, j] = (a, b)
    result = [0] * rows
    i, j = rows, columns
    while (i, j) in back:
        a, b = back[i, j]
        for g in range(a, i):
            result[g] = min(b, columns - 1)
        i, j = a, b
    return result


def _distance(a: str, b: str) -> int:
    """Edits between two short strings (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]
