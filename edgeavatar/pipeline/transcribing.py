"""Recorded sound to words with times: detector, recogniser, and the net that hears phones.

The recogniser says which words, the listener of :mod:`edgeavatar.motion.nets` when: its phone
probabilities, 100 a second, are aligned with the phones of the words
(:mod:`edgeavatar.speech.alignment`). All three read the same stream; what none of them needs any
more is let go.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.audio.decode import decode_audio, sound_duration_s
from edgeavatar.audio.vad import (
    HOP_LENGTH,
    SAMPLE_RATE,
    Segmenter,
    SpeechSegment,
    VoiceActivityDetector,
    open_vad,
)
from edgeavatar.motion.hearing import Hearing
from edgeavatar.motion.nets import StreamedNet, open_listener
from edgeavatar.motion.phones import PHONES, phones_of
from edgeavatar.speech.alignment import ROWS_PER_S, WordSpan, align_words
from edgeavatar.speech.english import phonemize
from edgeavatar.speech.phonemes import misaki_to_ipa
from edgeavatar.speech.stretches import Joiner, Parter
from edgeavatar.speech.transcription import (
    Recognizer,
    RecognizerSize,
    Segment,
    open_recognizer,
    transcribe,
)
from edgeavatar.subtitles.cues import Word
from edgeavatar.subtitles.wording import with_punctuation

if TYPE_CHECKING:
    from edgeavatar.types import AudioChunk, FloatArray

LEAST_FIT: Final = 0.06
"""Stretches whose words fit the sound less are left out as invented. Six voices fit at .22 or
better, under white noise or music at 10 dB at .19 or better, GRID's noisy film as it is heard at
.07. What the recogniser invents for noise and clicks, when the detector is left out, fits at .045
or less (for a siren at .09), and what it makes of Spanish, French and Italian at .05 or less."""

_NOTICED: Final = SAMPLE_RATE // 2
"""Samples by which a stretch may have begun before it was noticed, and that are kept in silence."""
_AROUND_S = 0.1
"""Rows given to the alignment before and after a stretch."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words spoken without a long pause."""

    text: str
    start_s: Fraction
    end_s: Fraction
    words: tuple[Word, ...]
    """The confidence of each is the geometric mean of how well it fits the sound and how well the
    whole stretch does: of 1572 words, clear and under white noise at 10 and 3 dB, that tells right
    from wrong better (AUC .81) than the word alone (.77)."""
    fit: float
    """How well the words fit the sound, 0 to 1; see :func:`fit_of`."""


@dataclass(slots=True)
class Progress:
    """How far a recording was heard."""

    samples: int = 0
    """Read so far, at 16 kHz."""
    unclear_s: Fraction = Fraction(0)
    """Speech that was left out because no words fit it."""


@dataclass(frozen=True, slots=True)
class Ears:
    """All that is needed to hear words, opened."""

    detector: VoiceActivityDetector
    recognizer: Recognizer
    listener: StreamedNet


@contextmanager
def open_ears(size: RecognizerSize = "tiny", *, threads: int | None = None) -> Iterator[Ears]:
    """Open detector, recogniser and listener, for one recording.

    Raises
    ------
    ModelNotFound
        One of them is not installed.
    """
    with ExitStack() as stack:
        recognizer = open_recognizer(size, threads=threads or 1)
        detector = open_vad()
        stack.callback(detector.close)
        yield Ears(detector, recognizer, stack.enter_context(open_listener()))


def recording_s(path: Path) -> Fraction | None:
    """Length of a recording as its file says, None if it does not."""
    return sound_duration_s(path) or None


def hear_words(path: Path, ears: Ears, progress: Progress | None = None) -> Iterator[Stretch]:
    """Transcribe the sound of a file.

    Memory does not grow with the length: at most 20 s of sound are held, and 15 s of phones.

    Parameters
    ----------
    path : Path
        Anything with sound.
    ears : Ears
        Used for nothing else.
    progress : Progress, optional
        Is kept up to date.

    Yields
    ------
    Stretch
        In order. Times are from the first frame of the picture if there is one, else from the start
        of the sound.

    Raises
    ------
    MediaError
        The file cannot be read or has no sound.
    """
    yield from words_of(decode_audio(path, SAMPLE_RATE), ears, progress)


def words_of(
    chunks: Iterable[AudioChunk], ears: Ears, progress: Progress | None = None
) -> Iterator[Stretch]:
    """Transcribe mono sound at 16 kHz; see :func:`hear_words`."""
    progress = progress or Progress()
    for_detector, for_recognizer, for_listener = _shared(chunks, 3)
    sound = _Skipping(for_recognizer)
    phones = _PhoneTape(for_listener, ears.listener)
    spoken: deque[tuple[int, int]] = deque()

    def let_go(position: int) -> None:
        sound.skip(position)
        phones.skip(position * ROWS_PER_S // SAMPLE_RATE)

    spans = _spans(for_detector, ears.detector, progress, spoken, let_go)
    for segment in transcribe(sound, spans, ears.recognizer):
        stretch = _timed(segment, phones, spoken)
        if stretch.words and stretch.fit >= LEAST_FIT:
            yield stretch
        else:
            progress.unclear_s += Fraction(segment.end_s - segment.start_s)


def _spans(
    chunks: Iterable[AudioChunk],
    detector: VoiceActivityDetector,
    progress: Progress,
    spoken: deque[tuple[int, int]],
    let_go: Callable[[int], None],
) -> Iterator[tuple[int, int]]:
    """Give stretches to recognise, in samples; note the speech in them, let go of silence."""
    detector.reset()
    parter, segmenter = Parter(HOP_LENGTH / SAMPLE_RATE), Segmenter()
    joiner = Joiner(SAMPLE_RATE)
    total = 0

    def joined(segment: SpeechSegment | None) -> tuple[int, int] | None:
        if segment is None:
            return None
        end = min(segment.end_sample, total)
        spoken.append((segment.start_sample, end))
        return joiner.push(segment.start_sample, end)

    def spans() -> Iterator[tuple[int, int] | None]:
        nonlocal total
        for chunk in chunks:
            total += len(chunk.samples)
            progress.samples = total
            for probability in detector.push(chunk.samples).tolist():
                for settled in parter.push(probability):
                    yield joined(segmenter.push(settled))
            if not segmenter.speaking:
                quiet = segmenter.position - _NOTICED
                yield joiner.quiet_at(quiet)
                if not joiner.waiting:
                    let_go(quiet)
        rest = [settled for p in detector.flush().tolist() for settled in parter.push(p)]
        for settled in (*rest, *parter.flush()):
            yield joined(segmenter.push(settled))
        yield joined(segmenter.flush())
        yield joiner.flush()

    for span in spans():
        if span is not None:
            let_go(span[0] - _NOTICED)
            yield span


def _shared(chunks: Iterable[AudioChunk], count: int) -> list[Iterator[AudioChunk]]:
    """Give a stream to several readers; what all have read is let go.

    ``itertools.tee`` keeps 57 chunks at a time.
    """
    source = iter(chunks)
    queues: list[deque[AudioChunk]] = [deque() for _ in range(count)]

    def read(own: deque[AudioChunk]) -> Iterator[AudioChunk]:
        while True:
            if not own:
                chunk = next(source, None)
                if chunk is None:
                    return
                for queue in queues:
                    queue.append(chunk)
                del chunk
            yield own.popleft()

    return [read(queue) for queue in queues]


class _Skipping:
    """Chunks of a stream, of which some are never looked at."""

    def __init__(self, chunks: Iterator[AudioChunk]) -> None:
        self._chunks = chunks
        self._next: AudioChunk | None = None

    def __iter__(self) -> Iterator[AudioChunk]:
        return self

    def __next__(self) -> AudioChunk:
        chunk, self._next = self._next, None
        return next(self._chunks) if chunk is None else chunk

    def skip(self, position: int) -> None:
        """Let go of chunks that end before a sample; at least so much was read elsewhere."""
        while True:
            chunk = next(self, None)
            if chunk is None:
                return
            if chunk.start_sample + len(chunk.samples) > position:
                self._next = chunk
                return


def _timed(segment: Segment, phones: _PhoneTape, spoken: deque[tuple[int, int]]) -> Stretch:
    start = max(0, round((segment.start_s - _AROUND_S) * ROWS_PER_S))
    rows = phones.read(start, round((segment.end_s + _AROUND_S) * ROWS_PER_S))
    speaking = np.zeros(len(rows), bool)
    while spoken and spoken[0][1] <= segment.start_s * SAMPLE_RATE:
        spoken.popleft()
    for first, last in spoken:
        low, high = (max(0, at * ROWS_PER_S // SAMPLE_RATE - start) for at in (first, last))
        speaking[low:high] = True
    names, script = spoken_phones(segment.text)
    origin = Fraction(start, ROWS_PER_S)
    spans = align_words(rows, script, speaking)
    fit = fit_of(spans)
    plain = [
        Word(
            name,
            origin + span.start_s,
            origin + span.end_s,
            round(math.sqrt(span.confidence * fit), 3),
        )
        for name, span in zip(names, spans, strict=True)
    ]
    words = tuple(with_punctuation(segment.text, plain))
    if not words:
        return Stretch(segment.text, origin, origin, (), 0.0)
    return Stretch(segment.text, words[0].start_s, words[-1].end_s, words, round(fit, 3))


def fit_of(spans: Sequence[WordSpan]) -> float:
    """Tell how well words fit the sound: the mean of their confidences, as logarithms, over time.

    0 if they take no time.
    """
    lengths = np.array([float(span.end_s - span.start_s) for span in spans])
    if lengths.sum() <= 0.0:
        return 0.0
    logs = np.log([max(span.confidence, 1e-3) for span in spans])
    return float(np.exp((lengths * logs).sum() / lengths.sum()))


def spoken_phones(text: str) -> tuple[tuple[str, ...], list[list[int]]]:
    """Give the words of an English text, without punctuation, and the phones of each.

    Phones are indices into :data:`edgeavatar.motion.phones.PHONES`.
    """
    words, letters = phonemize(text)
    script: list[list[int]] = [[] for _ in words]
    for letter in letters:
        symbol = misaki_to_ipa(letter.char)
        if letter.word >= 0 and symbol not in ("", "_"):
            script[letter.word] += [phone for phone, _ in phones_of(symbol)]
    return words, script


class _PhoneTape:
    """Phone probabilities of a stream, the part that is still needed."""

    def __init__(self, chunks: Iterable[AudioChunk], listener: StreamedNet) -> None:
        self._blocks = self._heard(iter(chunks), listener)
        self._rows: FloatArray = np.zeros((0, len(PHONES)), np.float32)
        self._start = 0

    def read(self, start: int, stop: int) -> FloatArray:
        """Give rows from ``start`` to before ``stop`` or the end; earlier ones are let go."""
        self.skip(start)
        parts = [self._rows]
        end = self._start + len(self._rows)
        while end < stop:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(block)
            end += len(block)
        self._rows = np.concatenate(parts)
        self.skip(start)
        return self._rows[: max(0, stop - self._start)]

    def skip(self, start: int) -> None:
        """Let go of the rows before one."""
        while self._start + len(self._rows) < start:
            block = next(self._blocks, None)
            if block is None:
                return
            self._start += len(self._rows)
            self._rows = block
        drop = max(0, start - self._start)
        self._rows = self._rows[drop:].copy()
        self._start += drop

    @staticmethod
    def _heard(chunks: Iterator[AudioChunk], listener: StreamedNet) -> Iterator[FloatArray]:
        hearing = Hearing()
        for chunk in chunks:
            yield listener.push(hearing.push(chunk.samples))[:, : len(PHONES)]
        yield listener.push(hearing.flush())[:, : len(PHONES)]
        yield listener.flush()[:, : len(PHONES)]
