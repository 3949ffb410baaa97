"""The hibari voice: small, fast English (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.speech.base import Utterance, VoiceInfo
from edgeavatar.speech.english import phonemize
from edgeavatar.speech.phonemes import letter_units
from edgeavatar.speech.streaming import Advice, stream
from edgeavatar.speech.timing import STYLETTS2
from edgeavatar.types import SpeechChunk

if TYPE_CHECKING:
    from edgeavatar.backends import Session
    from edgeavatar.types import FloatArray

SAMPLES_PER_UNIT = 600

DURATIONS = "/Clip_output_0"
"""Tensor of the graph that holds the rounded durations, one per input letter."""


MAX_LETTERS = 400


class HibariVoice:
    """The hibari voice.

    Parameters
    ----------
    info : VoiceInfo
        Description.
    session : Session
        Acoustic model with the durations as an extra output.
    vocabulary : Mapping
        Letter to id.
    advice : callable
        What to tell whose text the voice cannot read.
    """

    def __init__(
        self,
        info: VoiceInfo,
        session: Session,
        vocabulary: Mapping[str, int],
        advice: Advice,
    ) -> None:
        self._info = info
        self._session = session
        self._vocabulary = vocabulary
        self._advice = advice

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
        words, letters = phonemize(sentence)
        letters = [x for x in letters if x.char in self._vocabulary]
        if len(letters) > MAX_LETTERS:
            return None
        if not letters:
            return Utterance(np.zeros(0, np.float32), (), ())
        ids = [0, *(self._vocabulary[x.char] for x in letters), 0]
        out = self._session.run(
            {"ids": np.array([ids], np.int64), "speed": np.array([rate], np.float32)}
        )
        durations = [round(float(d)) * SAMPLES_PER_UNIT for d in out[DURATIONS].ravel()]
        samples = _sound(out)
        return Utterance(samples, letter_units(letters, durations), words)


def _sound(out: Mapping[str, FloatArray]) -> FloatArray:
    from hibari import dsp

    spectrum = [out[name][0] for name in ("lh", "theta", "ln", "lr", "phi", "f0")]
    # A fixed seed makes the same words sound the same each time.
    samples: FloatArray = dsp.synth(*spectrum, np.random.default_rng(0))
    return samples
