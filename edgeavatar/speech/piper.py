"""Piper voices, through piper-tts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgeavatar.speech.base import Unit, Utterance, VoiceInfo
from edgeavatar.speech.english import spell_out
from edgeavatar.speech.phonemes import espeak_units
from edgeavatar.speech.streaming import Advice, stream
from edgeavatar.speech.timing import VITS
from edgeavatar.types import SpeechChunk

if TYPE_CHECKING:
    from edgeavatar.backends import Session

DURATIONS = "/Ceil_output_0"
"""Tensor of Piper's graphs that holds the duration of each input id, in hops of 256 samples."""


class PiperVoice:
    """A Piper voice.

    Parameters
    ----------
    info : VoiceInfo
        Description.
    session : Session
        The graph with :data:`DURATIONS` as an extra output.
    config : Path
        The voice's JSON file.
    advice : callable
        What to tell whose text the voice cannot read.
    """

    def __init__(self, info: VoiceInfo, session: Session, config: Path, advice: Advice) -> None:
        from edgeavatar.speech.espeak import PiperModel

        self._info = info
        self._session = session
        self._model = PiperModel(session, config)
        self._advice = advice

    @property
    def info(self) -> VoiceInfo:
        """Description of the voice."""
        return self._info

    def synthesize(self, text: str, *, rate: float = 1.0) -> Iterator[SpeechChunk]:
        """Speak a text; see :class:`edgeavatar.speech.base.Voice`."""
        return stream(text, self._speak, self._info, rate=rate, lateness=VITS, advice=self._advice)

    def close(self) -> None:
        """Release the model."""
        self._session.close()

    def _speak(self, sentence: str, rate: float) -> Utterance:
        from edgeavatar.speech.espeak import assign_words

        spoken = spell_out(sentence)
        phonemes = self._model.phonemes(spoken)
        samples, durations = self._model.speak(phonemes, rate)
        words, index = assign_words(sentence, phonemes, self._model, spoken=spoken)
        units: tuple[Unit, ...] = espeak_units(phonemes, index, durations)
        return Utterance(samples, units, words)
