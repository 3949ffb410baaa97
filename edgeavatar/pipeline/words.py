"""The sound half of a render: what is heard, and how the mouth moves with it.

Sound is made while it is asked for. Both the mouth and the file follow it: each piece is handed to
the motion model at once and kept until the picture has come as far.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from edgeavatar.motion.sampling import sample_rows
from edgeavatar.types import AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgeavatar.audio.vad import VoiceActivityDetector
    from edgeavatar.types import FloatArray, SpeechChunk


class Words(Protocol):
    """Sound and the mouth motion that belongs to it, both asked for in order of time."""

    sample_rate: int
    voice: str | None
    """Name of the voice that speaks; None for a recording."""

    def lasts_beyond(self, time_s: Fraction) -> bool:
        """Tell whether there is sound after this moment."""
        ...

    def row_at(self, time_s: Fraction) -> FloatArray:
        """Mouth weights of this moment, ``(26,)``; moments must not go back."""
        ...

    def sound_until(self, time_s: Fraction | None) -> Iterator[AudioChunk]:
        """Take out the sound before this moment that was not taken yet; None takes all."""
        ...

    @property
    def duration_s(self) -> Fraction:
        """Length of the sound so far, of all of it once :meth:`lasts_beyond` said no."""
        ...

    @property
    def share_done(self) -> float | None:
        """Share of the words that was made so far, 0 to 1; None if that is not known."""
        ...


class _Stream:
    """Bookkeeping that both kinds of words share: sound waiting for the picture, and sampling."""

    def __init__(self, sample_rate: int, voice: str | None = None) -> None:
        self.sample_rate = sample_rate
        self.voice = voice
        self._waiting: deque[AudioChunk] = deque()
        self._end_sample = 0
        self._moment = Fraction(0)
        self._sampled: Iterator[FloatArray] | None = None

    def _pull(self) -> bool:
        """Make one more piece of sound; False at the end."""
        raise AssertionError("subclasses pull")

    def _rows(self) -> Iterator[FloatArray]:
        """Blocks of mouth weights at :data:`~edgeavatar.types.MOTION_RATE`."""
        raise AssertionError("subclasses give rows")

    @property
    def duration_s(self) -> Fraction:
        """Length of the sound made so far."""
        return Fraction(self._end_sample, self.sample_rate)

    def lasts_beyond(self, time_s: Fraction) -> bool:
        """Make sound until there is some after this moment; False if there is none."""
        while self.duration_s <= time_s:
            if not self._pull():
                return False
        return True

    def row_at(self, time_s: Fraction) -> FloatArray:
        """Mouth weights of this moment, ``(26,)``; moments must not go back."""
        self._moment = time_s
        if self._sampled is None:
            self._sampled = sample_rows(self._rows(), self._moments())
        return next(self._sampled)

    def _moments(self) -> Iterator[Fraction]:
        while True:
            yield self._moment

    def _keep(self, chunk: AudioChunk) -> None:
        self._waiting.append(chunk)
        self._end_sample = chunk.start_sample + len(chunk.samples)

    def sound_until(self, time_s: Fraction | None) -> Iterator[AudioChunk]:
        """Take out the sound before this moment that was not taken yet; None takes all."""
        limit = None if time_s is None else int(time_s * self.sample_rate)
        while self._waiting and (limit is None or self._waiting[0].start_sample < limit):
            chunk = self._waiting.popleft()
            if limit is not None and chunk.start_sample + len(chunk.samples) > limit:
                cut = limit - chunk.start_sample
                rest = AudioChunk(chunk.samples[cut:], chunk.sample_rate, limit)
                self._waiting.appendleft(rest)
                chunk = AudioChunk(chunk.samples[:cut], chunk.sample_rate, chunk.start_sample)
            yield chunk


class SpokenText(_Stream):
    """Words that a voice speaks: phoneme times are exact, so motion follows the phonemes.

    Parameters
    ----------
    chunks
        Speech of one voice, sentence by sentence.
    move
        From speech to blocks of mouth weights.
    sample_rate
        Of the voice.
    length
        Characters of the whole text, for :attr:`share_done`.
    voice
        Its name.
    """

    def __init__(
        self,
        chunks: Iterable[SpeechChunk],
        move: Callable[[Iterable[SpeechChunk]], Iterator[FloatArray]],
        sample_rate: int,
        length: int,
        voice: str,
    ) -> None:
        super().__init__(sample_rate, voice)
        self._chunks = iter(chunks)
        self._move = move
        self._unheard: deque[SpeechChunk] = deque()
        self._length = max(1, length)
        self._spoken = 0

    @property
    def share_done(self) -> float | None:
        """Share of the text that was spoken."""
        return min(1.0, self._spoken / self._length)

    def _pull(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            self._spoken = self._length
            return False
        self._spoken += len(chunk.text) + 1
        self._keep(chunk.audio)
        self._unheard.append(chunk)
        return True

    def _rows(self) -> Iterator[FloatArray]:
        return self._move(self._hear())

    def _hear(self) -> Iterator[SpeechChunk]:
        while self._unheard or self._pull():
            yield self._unheard.popleft()


class RecordedSpeech(_Stream):
    """Words from a recording: the mouth follows what is heard in it.

    Parameters
    ----------
    chunks
        The recording at the rate it is written with.
    to_hearing_rate
        Resampler of a stream to 16 kHz.
    move
        From 16 kHz sound and its speech probability (one per 512 samples) to mouth weights.
    detector
        Voice activity detector; closed by the caller.
    sample_rate
        Of ``chunks``.
    total_s
        Length of the recording if it is known.
    """

    def __init__(
        self,
        chunks: Iterable[AudioChunk],
        to_hearing_rate: Callable[[Iterable[AudioChunk]], Iterator[AudioChunk]],
        move: Callable[[Iterable[AudioChunk], Iterator[float]], Iterator[FloatArray]],
        detector: VoiceActivityDetector,
        sample_rate: int,
        total_s: Fraction | None,
    ) -> None:
        super().__init__(sample_rate)
        self._chunks = iter(chunks)
        self._resample = to_hearing_rate
        self._move = move
        self._detector = detector
        self._unheard: deque[AudioChunk] = deque()
        self._total_s = total_s

    @property
    def share_done(self) -> float | None:
        """Share of the recording that was read; None if its length is not known."""
        if not self._total_s:
            return None
        return float(min(Fraction(1), self.duration_s / self._total_s))

    def _pull(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._keep(chunk)
        self._unheard.append(chunk)
        return True

    def _hear(self) -> Iterator[AudioChunk]:
        while self._unheard or self._pull():
            yield self._unheard.popleft()

    def _rows(self) -> Iterator[FloatArray]:
        probabilities: deque[float] = deque()
        return self._move(self._listen(probabilities), _drain(probabilities))

    def _listen(self, probabilities: deque[float]) -> Iterator[AudioChunk]:
        """Pass 16 kHz sound on, with its speech probabilities put in place beforehand."""
        for chunk in self._resample(self._hear()):
            probabilities.extend(float(p) for p in self._detector.push(chunk.samples))
            yield chunk
        probabilities.extend(float(p) for p in self._detector.flush())


def _drain(values: deque[float]) -> Iterator[float]:
    """Yield what was put in; there must always be something when it is asked for."""
    while True:
        yield values.popleft()
