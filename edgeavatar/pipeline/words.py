"""The sound half of a render: what is heard, and how mouth and face move with it.

Sound is made while it is asked for. Both the mouth and the file follow it: each piece is handed to
the motion model at once and kept until the picture has come as far.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from edgeavatar.motion.gestures import COLUMNS
from edgeavatar.motion.sampling import sample_rows
from edgeavatar.types import MOTION_RATE, AudioChunk, Expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgeavatar.audio.mel_windows import MelWindows
    from edgeavatar.audio.vad import VoiceActivityDetector
    from edgeavatar.types import FloatArray, MotionTrack, SpeechChunk


class Words(Protocol):
    """Sound and the mouth motion that belongs to it, both asked for in order of time."""

    voice: str | None
    """Name of the voice that speaks; None for a recording."""

    @property
    def sample_rate(self) -> int | None:
        """Of the sound; None if there is none."""
        ...

    @property
    def notes(self) -> list[str]:
        """What to tell of sound and motion, once they have ended."""
        ...

    def lasts_beyond(self, time_s: Fraction) -> bool:
        """Tell whether there is sound after this moment."""
        ...

    def row_at(self, time_s: Fraction) -> FloatArray:
        """Mouth weights of this moment, ``(26,)``; moments must not go back."""
        ...

    def expression_at(self, time_s: Fraction) -> Expression | None:
        """Tell what the words do to brows, lids and head at this moment; moments must not go back.

        None if the words are not followed in this.
        """
        ...

    def mel_at(self, time_s: Fraction) -> FloatArray | None:
        """Give the spectrum of the sound from this moment on, ``(80, 16)``.

        Moments must not go back, nor lie before the last one of :meth:`row_at`. None if nobody is
        to hear the words.
        """
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


def rows_at_rate(words: Words, fps: Fraction) -> Iterator[tuple[Fraction, FloatArray]]:
    """Yield the moments of an even frame rate, and the mouth weights of each, while words last."""
    index = 0
    while words.lasts_beyond(index / fps):
        yield index / fps, words.row_at(index / fps)
        index += 1


class _Stream:
    """Bookkeeping that all kinds of sound share: sound waiting for the picture, and sampling."""

    def __init__(
        self,
        sample_rate: int,
        voice: str | None = None,
        rows_rate: Fraction = MOTION_RATE,
        expressions: Iterator[FloatArray] | None = None,
        spectra: MelWindows | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.voice = voice
        self._rows_rate = rows_rate
        self._waiting: deque[AudioChunk] = deque()
        self._end_sample = 0
        self._moment = Fraction(0)
        self._sampled: Iterator[FloatArray] | None = None
        self._spectra = spectra
        self._expressed = (
            None
            if expressions is None
            else sample_rows(expressions, self._moments(), width=COLUMNS)
        )

    def _pull(self) -> bool:
        """Make one more piece of sound; False at the end."""
        raise AssertionError("subclasses pull")

    def _rows(self) -> Iterator[FloatArray]:
        """Blocks of mouth weights at ``rows_rate``."""
        raise AssertionError("subclasses give rows")

    @property
    def notes(self) -> list[str]:
        """Nothing is odd about motion that is made from the sound itself."""
        return []

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
        if self._spectra is not None:
            self._spectra.forget_before(time_s)
        if self._sampled is None:
            self._sampled = sample_rows(self._rows(), self._moments(), rate=self._rows_rate)
        return next(self._sampled)

    def expression_at(self, time_s: Fraction) -> Expression | None:
        """Tell what the words do to brows, lids and head at this moment."""
        if self._expressed is None:
            return None
        self._moment = time_s
        emphasis, asking, blink = next(self._expressed).tolist()
        return Expression(emphasis, asking, blink)

    def mel_at(self, time_s: Fraction) -> FloatArray | None:
        """Give the spectrum of the sound from this moment on, ``(80, 16)``."""
        if self._spectra is None:
            return None
        while not self._spectra.covers(time_s):
            if not self._pull():
                self._spectra.finish()
        return self._spectra.window_at(time_s)

    def _moments(self) -> Iterator[Fraction]:
        while True:
            yield self._moment

    def _keep(self, chunk: AudioChunk) -> None:
        self._waiting.append(chunk)
        self._end_sample = chunk.start_sample + len(chunk.samples)
        if self._spectra is not None:
            self._spectra.push(chunk.samples)

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
    expressions
        Blocks of :func:`~edgeavatar.motion.expression.speech_expression`, if they are wanted.
    spectra
        At the rate of the voice, if the renderer hears the words.
    """

    def __init__(
        self,
        chunks: Iterable[SpeechChunk],
        move: Callable[[Iterable[SpeechChunk]], Iterator[FloatArray]],
        sample_rate: int,
        length: int,
        voice: str,
        expressions: Iterator[FloatArray] | None = None,
        spectra: MelWindows | None = None,
    ) -> None:
        super().__init__(sample_rate, voice, expressions=expressions, spectra=spectra)
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
    expressions
        Blocks of :func:`~edgeavatar.motion.expression.sound_expression`, if they are wanted.
    spectra
        At the rate of ``chunks``, if the renderer hears the words.
    """

    def __init__(
        self,
        chunks: Iterable[AudioChunk],
        to_hearing_rate: Callable[[Iterable[AudioChunk]], Iterator[AudioChunk]],
        move: Callable[[Iterable[AudioChunk], Iterator[float]], Iterator[FloatArray]],
        detector: VoiceActivityDetector,
        sample_rate: int,
        total_s: Fraction | None,
        expressions: Iterator[FloatArray] | None = None,
        spectra: MelWindows | None = None,
    ) -> None:
        super().__init__(sample_rate, expressions=expressions, spectra=spectra)
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


class TrackedSound(_Stream):
    """Sound of any kind, and a mouth that follows a track instead of it.

    Parameters
    ----------
    chunks
        The sound.
    sample_rate
        Of the sound.
    track
        What the mouth does. Where it ends before the sound does, the mouth rests.
    total_s
        Length of the sound if it is known.
    voice
        Name of the voice that speaks; None for a recording.
    expressions
        As for :class:`SpokenText` or :class:`RecordedSpeech`.
    """

    def __init__(
        self,
        chunks: Iterable[AudioChunk],
        sample_rate: int,
        track: MotionTrack,
        total_s: Fraction | None = None,
        voice: str | None = None,
        expressions: Iterator[FloatArray] | None = None,
    ) -> None:
        super().__init__(sample_rate, voice, track.rate, expressions)
        self._chunks = iter(chunks)
        self._track = track
        self._total_s = total_s
        self._ended = False

    @property
    def share_done(self) -> float | None:
        """Share of the sound that was made, by the length of the track if its own is not known."""
        return float(min(Fraction(1), self.duration_s / (self._total_s or duration_s(self._track))))

    @property
    def notes(self) -> list[str]:
        """That the track lasts longer than the sound by more than one of its rows."""
        track_s = duration_s(self._track)
        if not self._ended or track_s - self.duration_s <= 1 / self._track.rate:
            return []
        return [
            f"the motion track lasts {float(track_s):.2f} s and the sound "
            f"{float(self.duration_s):.2f} s: the rest of the track was not used"
        ]

    def _pull(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            self._ended = True
            return False
        self._keep(chunk)
        return True

    def _rows(self) -> Iterator[FloatArray]:
        yield self._track.rows


class SilentTrack:
    """Mouth motion without any sound.

    Parameters
    ----------
    track
        What the mouth does, and for how long.
    """

    sample_rate: int | None = None
    voice: str | None = None

    def __init__(self, track: MotionTrack) -> None:
        self._stream = TrackedSound((), 1, track)
        self.duration_s = duration_s(track)
        self.share_done: float | None = 1.0
        self.notes: list[str] = []

    def lasts_beyond(self, time_s: Fraction) -> bool:
        """Tell whether the track goes on after this moment."""
        return time_s < self.duration_s

    def row_at(self, time_s: Fraction) -> FloatArray:
        """Mouth weights of this moment, ``(26,)``; moments must not go back."""
        return self._stream.row_at(time_s)

    def expression_at(self, time_s: Fraction) -> Expression | None:  # noqa: ARG002
        """Give None: there are no words."""
        return None

    def mel_at(self, time_s: Fraction) -> FloatArray | None:  # noqa: ARG002
        """Give None: there is no sound."""
        return None

    def sound_until(self, time_s: Fraction | None) -> Iterator[AudioChunk]:  # noqa: ARG002
        """Yield nothing."""
        return iter(())


def duration_s(track: MotionTrack) -> Fraction:
    """Tell how long a track lasts: each row for its share of a second."""
    return len(track.rows) / track.rate


def _drain(values: deque[float]) -> Iterator[float]:
    """Yield what was put in; there must always be something when it is asked for."""
    while True:
        yield values.popleft()
