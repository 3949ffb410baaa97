"""Where somebody speaks: the Silero detector, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edgeavatar.backends import Session, TunedModels
    from edgeavatar.types import AudioChunk, FloatArray

SAMPLE_RATE = 16000
"""Hertz that the detector expects."""
HOP_LENGTH = 512
"""Samples that one probability speaks of (32 ms)."""
_CONTEXT = 64
"""Samples of the window before that the net is shown again."""
WINDOW_LENGTH = HOP_LENGTH + _CONTEXT
"""Samples that the net is given at once."""
STATE_SHAPE = (2, 1, 128)
"""Of what the net remembers."""

THRESHOLD = 0.5
RELEASE = 0.35
MIN_SPEECH_S = 0.25
MIN_SILENCE_S = 0.1
PAD_S = 0.03
"""Speech begins at :data:`THRESHOLD` and ends below :data:`RELEASE` for :data:`MIN_SILENCE_S`;
shorter bursts than :data:`MIN_SPEECH_S` are dropped and segments widened by :data:`PAD_S`: the
defaults of the Silero authors."""


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """A stretch in which somebody speaks."""

    start_sample: int
    end_sample: int
    """At 16 kHz."""

    @property
    def start_s(self) -> float:
        """Start in seconds."""
        return self.start_sample / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        """End in seconds."""
        return self.end_sample / SAMPLE_RATE


class VoiceActivityDetector:
    """Speech probabilities of a stream at 16 kHz.

    Parameters
    ----------
    session : Session
        The Silero model (``vad-silero``), opened; see :func:`open_vad`.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget all sound, as at the start of another recording."""
        self._state: Any = np.zeros(STATE_SHAPE, np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        """Take more sound and return the probabilities that are ready.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32 at 16 kHz.

        Returns
        -------
        numpy.ndarray
            ``(k,)`` float32 in [0, 1], one per 512 samples.
        """
        sound = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        count = len(sound) // HOP_LENGTH
        self._rest = sound[count * HOP_LENGTH :]
        windows = sound[: count * HOP_LENGTH].reshape(count, HOP_LENGTH)
        return np.array([self._probability(w) for w in windows], np.float32)

    def flush(self) -> FloatArray:
        """Return the probability of the last, incomplete window, if there is one.

        Returns
        -------
        numpy.ndarray
            ``(0,)`` or ``(1,)`` float32.
        """
        if not len(self._rest):
            return np.zeros(0, np.float32)
        return self.push(np.zeros(HOP_LENGTH - len(self._rest), np.float32))

    def close(self) -> None:
        """Release the model."""
        self._session.close()

    def _probability(self, window: FloatArray) -> float:
        feed = np.concatenate([self._context, window])[None]
        out = self._session.run({"input": feed, "state": self._state, "sr": self._rate})
        self._context = feed[0, -_CONTEXT:]
        self._state = out["stateN"]
        return float(out["output"].ravel()[0])


def open_vad(tuned: TunedModels | None = None) -> VoiceActivityDetector:
    """Open the installed detector.

    Parameters
    ----------
    tuned
        See :func:`edgeavatar.backends.open_session`.

    Returns
    -------
    VoiceActivityDetector

    Raises
    ------
    ModelNotFound
        ``vad-silero`` is not installed.
    """
    from edgeavatar import zoo
    from edgeavatar.backends import open_session

    path = zoo.resolve("vad-silero")["vad"]
    if tuned is not None and path in tuned:
        return VoiceActivityDetector(open_session(path, tuned=tuned))
    return VoiceActivityDetector(open_session(path, backend="onnxruntime", threads=1))


def detect_speech(
    chunks: Iterable[AudioChunk], detector: VoiceActivityDetector
) -> Iterator[SpeechSegment]:
    """Find the stretches in which somebody speaks, as the sound comes in.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Mono at 16 kHz, from sample 0 without a gap.
    detector : VoiceActivityDetector
        Is reset first.

    Yields
    ------
    SpeechSegment
        In order, not overlapping, within the sound.
    """
    detector.reset()
    total = 0

    def probabilities() -> Iterator[float]:
        nonlocal total
        for chunk in chunks:
            total += len(chunk.samples)
            yield from detector.push(chunk.samples).tolist()
        yield from detector.flush().tolist()

    for segment in segments_of(probabilities()):
        yield SpeechSegment(segment.start_sample, min(segment.end_sample, total))


def segments_of(probabilities: Iterable[float]) -> Iterator[SpeechSegment]:
    """Turn probabilities into segments, with hysteresis.

    Parameters
    ----------
    probabilities : iterable of float
        One per 512 samples.

    Yields
    ------
    SpeechSegment
        In order, not overlapping; the last may reach up to 30 ms beyond the last window.
    """
    segmenter = Segmenter()
    for probability in probabilities:
        segment = segmenter.push(probability)
        if segment is not None:
            yield segment
    segment = segmenter.flush()
    if segment is not None:
        yield segment


class Segmenter:
    """Segments of a stream of probabilities, as they end."""

    _PAD = round(PAD_S * SAMPLE_RATE)
    _SHORTEST = round(MIN_SPEECH_S * SAMPLE_RATE)
    _PATIENCE = round(MIN_SILENCE_S * SAMPLE_RATE)

    def __init__(self) -> None:
        self._start = self._quiet = -1
        self._floor = 0
        self._position = 0

    @property
    def position(self) -> int:
        """Samples that the probabilities so far speak of."""
        return self._position

    @property
    def speaking(self) -> bool:
        """Whether a segment has begun and not ended."""
        return self._start >= 0

    def push(self, probability: float) -> SpeechSegment | None:
        """Take the probability of the next 512 samples; give the segment that ends there."""
        segment = None
        if self._start < 0:
            if probability >= THRESHOLD:
                self._start, self._quiet = self._position, -1
        elif probability >= THRESHOLD:
            self._quiet = -1
        elif probability < RELEASE:
            if self._quiet < 0:
                self._quiet = self._position
            if self._position + HOP_LENGTH - self._quiet >= self._PATIENCE:
                segment = self._segment(self._quiet)
        self._position += HOP_LENGTH
        return segment

    def flush(self) -> SpeechSegment | None:
        """Give the segment that ends with the stream, if there is one."""
        if self._start < 0:
            return None
        return self._segment(self._position if self._quiet < 0 else self._quiet)

    def _segment(self, end: int) -> SpeechSegment | None:
        start = self._start
        self._start = self._quiet = -1
        if end - start < self._SHORTEST:
            return None
        segment = SpeechSegment(max(self._floor, start - self._PAD), end + self._PAD)
        self._floor = segment.end_sample
        return segment
