"""Brows, nods and blinks that follow stress and pauses of speech.

Raises of the brows go with the accents that carry a phrase, not with every stressed syllable (Cavé
et al. 1996; Flecha-García 2010), and they hold through the end of a question (Srinivasan & Massaro
2003). Eyes blink where speech pauses (Bentivoglio et al. 1997; Nakano & Kitazawa 2010). Known words
say where that is (:func:`speech_expression`); in sound it is heard (:func:`sound_expression`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeavatar.errors import UsageError
from edgeavatar.motion.gestures import EARLY_S, Gestures
from edgeavatar.motion.mel import SAMPLE_RATE
from edgeavatar.motion.prominence import Listener
from edgeavatar.motion.visemes import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgeavatar.motion.style import SpeakingStyle
    from edgeavatar.types import AudioChunk, FloatArray, PhonemeTiming, SpeechChunk

_PAUSE_S = 0.12
"""A silence this long ends a phrase. Closures of stops are shorter (Byrd 1993: 52 to 69 ms)."""
_LONG_PAUSE_S = 0.5
_LONGEST_PHRASE_S = 3.0
"""A phrase is taken to end with the word that makes it longer: breath groups last 2 to 4 s."""
_REPEAT_S = 0.5
"""In a longer pause a blink is in place again and again."""

_ENDS = frozenset(",;:—–!?…()[]،؛؟、。，；：？！।")
"""Marks that end a phrase wherever they are. A full stop in the middle of a chunk is an
abbreviation's; at its end there is silence."""
_ASKS = frozenset("?？؟")
_PRIMARY = 2

_AT_PAUSE, _AFTER_ACCENT, _IN_PAUSE, _AT_PHRASE_END, _BETWEEN_WORDS = 1.0, 0.8, 0.7, 0.6, 0.25
"""How much a blink is in place."""
_LID_DELAY_S = 0.05
"""Lids close when the speech has ended rather than with its last sound."""


def speech_expression(
    chunks: Iterable[SpeechChunk], seed: int, style: SpeakingStyle
) -> Iterator[FloatArray]:
    """Write what a face does besides speaking, from phonemes whose times are known.

    Row ``i`` of the concatenated blocks holds at ``i / 100`` s of the stream; together the blocks
    have ``ceil(100 * duration)`` rows. The result does not depend on how the stream is cut into
    chunks. Rows need what is said up to 2 s after them, and the end of the phrase, which is taken
    to come within 3 s and a word; memory holds no more than that.

    Parameters
    ----------
    chunks : iterable of SpeechChunk
        In order, each beginning where the one before ends, all of one sample rate.
    seed : int
        Which head, >= 0.
    style : SpeakingStyle
        How many accents are shown, and how often it blinks.

    Yields
    ------
    numpy.ndarray
        ``(n, 3)`` float32 in [0, 1], n >= 1: emphasis, asking and lid as in
        :class:`~edgeavatar.types.Expression`.
    """
    gestures = Gestures(seed, style)
    reader: _Reader | None = None
    end_s = 0.0
    for chunk in chunks:
        reader = reader or _Reader(gestures, chunk.audio.sample_rate)
        reader.read(chunk)
        end_s = (chunk.audio.start_sample + len(chunk.audio.samples)) / chunk.audio.sample_rate
        yield from _some(gestures.rows(reader.known))
    if reader is not None:
        reader.finish()
        yield from _some(gestures.finish(end_s))


def sound_expression(
    chunks: Iterable[AudioChunk], seed: int, style: SpeakingStyle
) -> Iterator[FloatArray]:
    """Write what a face does besides speaking, from the sound alone.

    As :func:`speech_expression`, but no question is heard. Rows need 3 s of sound after them.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Mono sound at 16 kHz, each chunk beginning where the one before ends.
    seed, style
        As for :func:`speech_expression`.

    Yields
    ------
    numpy.ndarray
        ``(n, 3)`` float32 in [0, 1], n >= 1.

    Raises
    ------
    UsageError
        If the sound is not at 16 kHz.
    """
    gestures = Gestures(seed, style)
    listener = Listener(gestures)
    count = 0
    for chunk in chunks:
        if chunk.sample_rate != SAMPLE_RATE:
            raise UsageError(
                f"expected sound at {SAMPLE_RATE} samples per second, found {chunk.sample_rate}"
            )
        count += len(chunk.samples)
        # A long chunk is heard piece by piece, so that memory does not grow with it.
        for first in range(0, len(chunk.samples), SAMPLE_RATE):
            listener.push(chunk.samples[first : first + SAMPLE_RATE])
            yield from _some(gestures.rows(listener.known))
    listener.finish()
    yield from _some(gestures.finish(count / SAMPLE_RATE))


def _some(rows: FloatArray) -> Iterator[FloatArray]:
    if len(rows):
        yield rows


@dataclass(slots=True)
class _Word:
    index: int
    start: float
    end: float
    mark: str
    stress: int = -1
    vowel: tuple[float, float] = (0.0, 0.0)
    """Of the phoneme with the most stress, the longest among equals."""


class _Reader:
    """Tells of the accents and pauses of a stream of known phonemes, phrase by phrase."""

    def __init__(self, gestures: Gestures, sample_rate: int) -> None:
        self._gestures = gestures
        self._rate = sample_rate
        self._phrase: list[_Word] = []
        self._words = 0
        self._end = 0.0
        self._quiet_from = 0.0
        self._quiet = True
        # Before the stream begins there is silence.
        self._pause_before = _LONG_PAUSE_S
        self._next_blink = _REPEAT_S

    @property
    def known(self) -> float:
        """Moment in seconds up to which accents and pauses have been told."""
        return (self._phrase[0].start if self._phrase else self._end) - EARLY_S

    def read(self, chunk: SpeechChunk) -> None:
        marks = _marks(chunk)
        for phoneme in chunk.phonemes:
            if phoneme.end_sample <= phoneme.start_sample:
                continue
            if phoneme.symbol == SILENCE:
                self._pause(phoneme.start_sample / self._rate, phoneme.end_sample / self._rate)
            else:
                index = phoneme.word - self._words
                self._sound(phoneme, marks[index] if 0 <= index < len(marks) else "")
            self._end = phoneme.end_sample / self._rate
        self._words += len(chunk.words)

    def finish(self) -> None:
        if self._phrase:
            self._close()

    def _pause(self, start: float, end: float) -> None:
        if not self._quiet:
            self._quiet, self._quiet_from = True, start
            self._next_blink = start + _LID_DELAY_S + _REPEAT_S
        if self._phrase and end - self._quiet_from >= _PAUSE_S:
            self._close()
            self._gestures.welcome_blink(self._quiet_from + _LID_DELAY_S, _AT_PAUSE)
        while self._next_blink < end:
            self._gestures.welcome_blink(self._next_blink, _IN_PAUSE)
            self._next_blink += _REPEAT_S

    def _sound(self, phoneme: PhonemeTiming, mark: str) -> None:
        start, end = phoneme.start_sample / self._rate, phoneme.end_sample / self._rate
        if not self._phrase or self._phrase[-1].index != phoneme.word:
            if self._phrase and self._phrase_ends():
                place = self._phrase[-1].end
                self._close()
                self._gestures.welcome_blink(place, _AT_PHRASE_END)
            if not self._phrase:
                # A phrase that follows without a break has no pause before it.
                self._pause_before += start - self._quiet_from if self._quiet else 0.0
            else:
                self._gestures.welcome_blink(start, _BETWEEN_WORDS)
            self._phrase.append(_Word(phoneme.word, start, end, mark))
        self._quiet = False
        word = self._phrase[-1]
        word.end = end
        longest = end - start > word.vowel[1] - word.vowel[0]
        if phoneme.stress > word.stress or (phoneme.stress == word.stress and longest):
            word.stress, word.vowel = phoneme.stress, (start, end)

    def _phrase_ends(self) -> bool:
        """Tell whether the last word is the last of its phrase, though no pause follows."""
        last = self._phrase[-1]
        return _ends_phrase(last.mark) or last.end - self._phrase[0].start > _LONGEST_PHRASE_S

    def _close(self) -> None:
        """Tell of a whole phrase."""
        words, self._phrase = self._phrase, []
        after_pause, self._pause_before = self._pause_before >= _LONG_PAUSE_S, 0.0
        stressed = [word for word in words if word.stress >= _PRIMARY] or words
        # The last content word carries the phrase in English (Chomsky & Halle 1968) and in most
        # languages that have such an accent.
        main = stressed[-1]
        if after_pause and len(words) >= 5 and stressed[0] is not main:
            self._accent(stressed[0], weight=0.7, chance=0.5)
        if _ASKS & set(words[-1].mark):
            self._gestures.ask(main.vowel[0], words[-1].end)
        else:
            self._accent(main)

    def _accent(self, word: _Word, *, weight: float = 1.0, chance: float = 1.0) -> None:
        if self._gestures.emphasise(*word.vowel, weight=weight, chance=chance):
            self._gestures.welcome_blink(word.end, _AFTER_ACCENT)


def _marks(chunk: SpeechChunk) -> list[str]:
    """Tell what is written between each word of a chunk and the next."""
    spans: list[tuple[int, int]] = []
    position = 0
    for word in chunk.words:
        start = chunk.text.find(word.text, position)
        if start < 0:
            # Not as it is written; nothing is known of the marks beside it.
            spans.append((-1, -1))
            continue
        position = start + len(word.text)
        spans.append((start, position))
    marks = []
    for i, (_, end) in enumerate(spans):
        after = spans[i + 1][0] if i + 1 < len(spans) else len(chunk.text)
        marks.append(chunk.text[end:after] if 0 <= end <= after else "")
    return marks


def _ends_phrase(mark: str) -> bool:
    return bool(_ENDS & set(mark)) or " - " in mark
