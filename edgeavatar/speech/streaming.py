"""The frame that all engines share: text in, chunks out, one sentence at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgeavatar.errors import SpeechError, UsageError
from edgeavatar.speech.base import MAX_RATE, MIN_RATE, Utterance, VoiceInfo
from edgeavatar.speech.text import (
    PAUSE_CLAUSE_S,
    Sentence,
    check_script,
    split_in_two,
    split_sentences,
)
from edgeavatar.speech.timing import LEAD_S, Lateness, place
from edgeavatar.types import SpeechChunk

Speak = Callable[[str, float], Utterance | None]
"""Takes a sentence and a rate; gives None when the sentence is too long for the model."""

Advice = Callable[[str], str]
"""Takes a script's Unicode name and says what to do with a text in it."""


def stream(
    text: str, speak: Speak, info: VoiceInfo, *, rate: float, lateness: Lateness, advice: Advice
) -> Iterator[SpeechChunk]:
    """Speak a text with one engine.

    Parameters
    ----------
    text : str
        Any text.
    speak : callable
        The engine: sentence and rate to :class:`Utterance`, or None if it is too long.
    info : VoiceInfo
        The voice.
    rate : float
        Speaking rate.
    lateness : Lateness
        How late the engine's boundaries come.
    advice : callable
        What to tell whose text the voice cannot read.

    Yields
    ------
    SpeechChunk

    Raises
    ------
    SpeechError
        The text cannot be spoken by this voice.
    UsageError
        The rate is out of range.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UsageError(
            f"expected a rate from {MIN_RATE} to {MAX_RATE}, found {rate:g}; choose one in range"
        )
    language = info.languages[0]
    check_script(text, language=language, voice=info.name, advice=advice)
    position = word_count = 0
    for sentence in split_sentences(text, language=language):
        for part, utterance in _speak_parts(sentence, speak, rate):
            chunk = place(
                utterance,
                info.sample_rate,
                lateness=lateness,
                start_sample=position,
                first_word=word_count,
                pause_s=max(0.0, part.pause_s / rate - LEAD_S),
                text=part.text,
            )
            if not chunk.words:
                continue
            position += len(chunk.audio.samples)
            word_count += len(chunk.words)
            yield chunk
    if position == 0:
        raise SpeechError(
            f"voice {info.name!r} found nothing to pronounce in the text; give words of a language "
            f"it speaks ({', '.join(info.languages)})"
        )


def _speak_parts(
    sentence: Sentence, speak: Speak, rate: float
) -> Iterator[tuple[Sentence, Utterance]]:
    utterance = speak(sentence.text, rate)
    if utterance is not None:
        yield sentence, utterance
        return
    parts = split_in_two(sentence.text)
    if parts is None:
        raise SpeechError(f"cannot split {sentence.text[:40]!r} to fit the model; shorten it")
    yield from _speak_parts(Sentence(parts[0], PAUSE_CLAUSE_S), speak, rate)
    yield from _speak_parts(Sentence(parts[1], sentence.pause_s), speak, rate)
