"""What is heard in a file: read once, piece by piece."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.sound_findings import SoundFindings
from edgeavatar.analysis.sound_pieces import RATE_HZ, WINDOW, Piece
from edgeavatar.audio.decode import decode_audio, sound_rate_hz
from edgeavatar.audio.resample import Resampler
from edgeavatar.audio.vad import VoiceActivityDetector, open_vad
from edgeavatar.motion.nets import open_listener
from edgeavatar.pipeline.sound_measures import SoundMeasures
from edgeavatar.pipeline.transcribing import Ears, Progress, recording_s, words_of
from edgeavatar.speech.transcription import Recognizer, RecognizerSize, open_recognizer
from edgeavatar.types import AudioChunk

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

    Tell = Callable[[str, float | None, int], None]

_WINDOWS: Final = 32
"""In a piece: a second."""
_HIGHEST_RATE_HZ: Final = 96000


def analyse_sound(
    path: Path,
    *,
    words: bool = True,
    model: RecognizerSize = "tiny",
    threads: int | None = None,
    until_s: float | None = None,
    tell: Tell | None = None,
) -> SoundFindings:
    """Find what is heard in a file.

    Memory grows with the length only by what is returned and by 1 kB for each second.

    Parameters
    ----------
    path : Path
        Anything with sound.
    words : bool
        Whether to listen for words; without them, what hangs on words is None. They cost most of
        the time.
    model : str
        Recogniser.
    threads : int, optional
        Of the recogniser; None is 1.
    until_s : float, optional
        Only so much of the beginning is read.
    tell : callable, optional
        Called with the stage, the share done (None if unknown) and 0.

    Returns
    -------
    SoundFindings
        Times are from the first frame of the picture if there is one, else from the start of the
        sound. Channels are mixed to one first, as a render does.

    Raises
    ------
    MediaError
        The file cannot be read or has no sound.
    ModelNotFound
        A model is not installed.
    """
    rate = min(_HIGHEST_RATE_HZ, sound_rate_hz(path))
    total_s = recording_s(path)
    if until_s is not None:
        total_s = min(total_s or Fraction(until_s), Fraction(until_s))
    chunks: Iterable[AudioChunk] = decode_audio(path, rate)
    if until_s is not None:
        end = until_s * rate
        chunks = takewhile(lambda chunk: chunk.start_sample < end, chunks)

    def told(stream: Iterable[AudioChunk]) -> Iterator[AudioChunk]:
        for chunk in stream:
            yield chunk
            if tell is not None:
                done = (chunk.start_sample + len(chunk.samples)) / rate
                tell("listening", min(1.0, done / float(total_s)) if total_s else None, 0)

    recognizer = open_recognizer(model, threads=threads or 1) if words else None
    with closing(open_vad()) as detector:
        return findings_of(told(chunks), rate, detector, recognizer)


def findings_of(
    chunks: Iterable[AudioChunk],
    sample_rate: int,
    detector: VoiceActivityDetector,
    recognizer: Recognizer | None = None,
) -> SoundFindings:
    """Find what is heard in a stream.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Mono, from sample 0 without a gap.
    sample_rate : int
        Of the chunks, hertz.
    detector : VoiceActivityDetector
        Is reset first.
    recognizer : Recognizer, optional
        Without it, nobody listens for words.

    Returns
    -------
    SoundFindings
        See :func:`analyse_sound`.
    """
    samples = 0

    def counted() -> Iterator[AudioChunk]:
        nonlocal samples
        for chunk in chunks:
            samples += len(chunk.samples)
            yield chunk

    measures = SoundMeasures(sample_rate)
    pieces = _pieces(counted(), sample_rate, detector)
    if recognizer is None:
        for piece in pieces:
            measures.push(piece)
        return measures.finish(samples / sample_rate)
    heard, progress = _Repeated(), Progress()
    with open_listener() as listener:
        ears = Ears(heard, recognizer, listener)
        stretches = list(words_of(_measured(pieces, measures, heard), ears, progress))
    return measures.finish(samples / sample_rate, stretches, float(progress.unclear_s))


class _Repeated(VoiceActivityDetector):
    """What a detector said, for a second listener to the same sound."""

    def __init__(self) -> None:
        self.said: deque[float] = deque()

    def reset(self) -> None:
        """Nothing was heard here."""

    def push(self, samples: FloatArray) -> FloatArray:  # noqa: ARG002
        """Give what was said of the sound that came last."""
        said = np.array(self.said, np.float32)
        self.said.clear()
        return said

    def flush(self) -> FloatArray:
        """Give nothing: it was said with the last sound."""
        return np.zeros(0, np.float32)

    def close(self) -> None:
        """Nothing is open."""


def _measured(
    pieces: Iterable[Piece], measures: SoundMeasures, heard: _Repeated
) -> Iterator[AudioChunk]:
    for piece in pieces:
        measures.push(piece)
        heard.said.extend(piece.probability.tolist())
        yield AudioChunk(piece.heard, RATE_HZ, piece.start_window * WINDOW)


def _pieces(
    chunks: Iterable[AudioChunk], rate: int, detector: VoiceActivityDetector
) -> Iterator[Piece]:
    """Cut a stream into pieces of whole windows; the last window is filled up with silence."""
    detector.reset()
    resampler = Resampler(rate, RATE_HZ)
    full: list[FloatArray] = []
    heard: list[FloatArray] = []
    taken = given = 0
    window = rate * WINDOW / RATE_HZ

    def ready(windows: int) -> Piece:
        nonlocal full, heard, taken, given
        sounds = np.concatenate(heard)
        now, heard = sounds[: windows * WINDOW], [sounds[windows * WINDOW :]]
        edges = np.round(np.arange(given, given + windows + 1) * window).astype(np.intp) - taken
        whole = np.concatenate(full)
        piece = Piece(given, whole[: edges[-1]], edges[:-1], now, detector.push(now))
        full = [whole[edges[-1] :]]
        taken += int(edges[-1])
        given += windows
        return piece

    for chunk in chunks:
        full.append(chunk.samples)
        heard.append(resampler.push(chunk.samples))
        # The resampler lags behind; a second and a half of samples hold a second of windows.
        while (
            sum(map(len, heard)) >= _WINDOWS * WINDOW
            and sum(map(len, full)) >= (_WINDOWS + 1) * window
        ):
            yield ready(_WINDOWS)
    heard.append(resampler.flush())
    rest = max(sum(map(len, heard)) / WINDOW, sum(map(len, full)) / window)
    if rest > 0:
        windows = int(np.ceil(rest))
        heard.append(np.zeros(windows * WINDOW - sum(map(len, heard)), np.float32))
        short = int(np.ceil((given + windows) * window)) - taken - sum(map(len, full))
        full.append(np.zeros(max(0, short), np.float32))
        yield ready(windows)
