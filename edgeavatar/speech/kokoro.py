"""Kokoro-82M: many voices of several languages (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import IntegrityError
from edgeavatar.speech.base import Utterance, VoiceInfo
from edgeavatar.speech.english import Letter, phonemize
from edgeavatar.speech.phonemes import espeak_to_misaki, letter_units
from edgeavatar.speech.streaming import Advice, stream
from edgeavatar.speech.timing import STYLETTS2
from edgeavatar.types import SpeechChunk

if TYPE_CHECKING:
    from edgeavatar.backends import Session

DURATIONS = "/encoder/Clip_output_0"
"""Tensor of the graph that holds the rounded durations, one per input letter."""

SAMPLES_PER_UNIT = 600

MAX_LETTERS = 510
"""Rows of a style table; row ``n - 1`` is the style of ``n`` letters."""
_STYLE = 256

ESPEAK_LANGUAGES = {"es-ES": "es", "fr-FR": "fr", "hi-IN": "hi", "it-IT": "it", "pt-BR": "pt-br"}
"""Languages that espeak-ng turns to phonemes, with its names for them."""


class KokoroVoice:
    """One voice of Kokoro.

    Parameters
    ----------
    info : VoiceInfo
        Description.
    session : Session
        The graph with :data:`DURATIONS` as an extra output.
    style : Path
        The voice's style table: ``(510, 256)`` little-endian float32.
    vocabulary : Mapping
        Letter to id.
    advice : callable
        What to tell whose text the voice cannot read.

    Raises
    ------
    IntegrityError
        The style table has another size.
    SpeechError
        espeak-ng is needed and missing.
    """

    def __init__(
        self,
        info: VoiceInfo,
        session: Session,
        style: Path,
        vocabulary: Mapping[str, int],
        advice: Advice,
    ) -> None:
        table = np.fromfile(style, "<f4")
        if table.size != MAX_LETTERS * _STYLE:
            raise IntegrityError(
                f"expected {MAX_LETTERS} x {_STYLE} numbers in {style}, found {table.size}; "
                "run edgeavatar models verify"
            )
        self._info = info
        self._session = session
        self._styles = table.reshape(MAX_LETTERS, _STYLE)
        self._vocabulary = vocabulary
        self._advice = advice
        self._phonemizer = None
        language = info.languages[0]
        if language in ESPEAK_LANGUAGES:
            from edgeavatar.speech.espeak import Phonemizer

            self._phonemizer = Phonemizer(ESPEAK_LANGUAGES[language])
        self._british = language == "en-GB"

    @property
    def info(self) -> VoiceInfo:
        """Description of the voice."""
        return self._info

    def synthesize(self, text: str, *, rate: float = 1.0) -> Iterator[SpeechChunk]:
        """Speak a text; see :class:`edgeavatar.speech.base.Voice`."""
        return stream(
            text, self._speak, self._info, rate=rate, lateness=STYLETTS2, advice=self._advice
        )

    def close(self) -> None:
        """Release the model."""
        self._session.close()

    def _speak(self, sentence: str, rate: float) -> Utterance | None:
        words, letters = self._letters(sentence)
        letters = [x for x in letters if x.char in self._vocabulary]
        if len(letters) > MAX_LETTERS:
            return None
        if not letters:
            return Utterance(np.zeros(0, np.float32), (), ())
        ids = [0, *(self._vocabulary[x.char] for x in letters), 0]
        out = self._session.run(
            {
                "tokens": np.array([ids], np.int64),
                "style": self._styles[len(letters) - 1][None],
                "speed": np.array([rate], np.float32),
            }
        )
        durations = [round(float(d)) * SAMPLES_PER_UNIT for d in out[DURATIONS].ravel()]
        return Utterance(out["audio"], letter_units(letters, durations), words)

    def _letters(self, sentence: str) -> tuple[tuple[str, ...], list[Letter]]:
        if self._phonemizer is None:
            return phonemize(sentence, british=self._british)
        from edgeavatar.speech.espeak import assign_words

        phonemes = self._phonemizer.phonemes(sentence)
        words, index = assign_words(sentence, phonemes, self._phonemizer, spoken=sentence)
        pairs = espeak_to_misaki(phonemes, index)
        return words, [Letter(char, word) for char, word in pairs]
