"""Speech to words: Moonshine, run by sherpa-onnx."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from edgeavatar.errors import IntegrityError

if TYPE_CHECKING:
    from edgeavatar.types import AudioChunk, FloatArray

SAMPLE_RATE = 16000
"""Hertz that the recogniser expects."""

RecognizerSize = Literal["tiny", "base"]

MODEL: Final = "asr-moonshine-tiny"
MODELS: Final[dict[RecognizerSize, str]] = {
    "tiny": MODEL,
    "base": "asr-moonshine-base",
}
"""Names in the model store. ``base`` makes fewer errors (in noise 6 % instead of 10) and takes four
times the time."""
LANGUAGE = "en"
"""What both were trained on; other languages become English words that sound alike."""

MAX_SEGMENT_S = 20.0
"""Longer stretches are cut where they are quietest: the recogniser was trained on up to 30 s."""

_MIN_SEGMENT_S = 0.1
_MARGIN_S = 0.1
"""Sound kept around a segment, as far as it is there: first and last consonants are soft."""

_MAX_WORDS_PER_S = 7.0
"""Nobody speaks faster for long (read English averages 2.5 words a second); more is a loop."""
_MAX_REPEATS = 3

_DOUBLED = re.compile(r"([,;:])\1+")
_LOOP = re.compile(r"(?P<unit>\b\w.{0,60}?)(?:[\s,.!?;-]+(?P=unit)\b){3,}", re.I | re.S)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech and its words."""

    text: str
    start_s: float
    end_s: float


class Recognizer:
    """Moonshine, English.

    Parameters
    ----------
    encoder, decoder : Path
        The two graphs (``.ort``).
    tokenizer : Path
        Moonshine's ``tokenizer.bin``.
    cache : Path
        Folder for the token list that sherpa-onnx reads; made if missing.
    threads : int
        Threads of one recognition.

    Raises
    ------
    IntegrityError
        The tokenizer is not one.
    """

    def __init__(
        self, encoder: Path, decoder: Path, tokenizer: Path, *, cache: Path, threads: int = 1
    ) -> None:
        import sherpa_onnx

        tokens = _token_list(tokenizer, cache)
        self._recognizer: Any = sherpa_onnx.OfflineRecognizer.from_moonshine_v2(
            encoder=str(encoder), decoder=str(decoder), tokens=str(tokens), num_threads=threads
        )

    def recognize(self, samples: FloatArray) -> str:
        """Give the words of one stretch of speech.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32 at 16 kHz, at most about 30 s.

        Returns
        -------
        str
            Words with punctuation; empty if there are none, or notes of music in their place. What
            the decoder repeats without end is cut after its first time.
        """
        if len(samples) < _MIN_SEGMENT_S * SAMPLE_RATE:
            return ""
        stream = self._recognizer.create_stream()
        stream.accept_waveform(SAMPLE_RATE, samples)
        self._recognizer.decode_stream(stream)
        text = _DOUBLED.sub(r"\1", str(stream.result.text).strip())
        if not any(c.isalnum() for c in text):
            return ""
        return without_loops(text, len(samples) / SAMPLE_RATE)


def open_recognizer(size: RecognizerSize = "tiny", *, threads: int = 1) -> Recognizer:
    """Open an installed recogniser.

    Parameters
    ----------
    size : str
        One of :data:`MODELS`.
    threads : int
        Threads of one recognition.

    Returns
    -------
    Recognizer

    Raises
    ------
    ModelNotFound
        It is not installed.
    """
    from edgeavatar import zoo
    from edgeavatar.backends.cache import cache_folder

    files = zoo.resolve(MODELS[size])
    return Recognizer(
        files["encoder"],
        files["decoder"],
        files["tokenizer"],
        cache=cache_folder().parent / "tokens",
        threads=threads,
    )


def transcribe(
    chunks: Iterable[AudioChunk],
    speech: Iterable[tuple[int, int]],
    recognizer: Recognizer,
) -> Iterator[Segment]:
    """Transcribe the stretches of a stream in which somebody speaks.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Mono at 16 kHz, from sample 0; silence between stretches may be left out.
    speech : iterable of (int, int)
        First and last sample of each stretch, in order, not overlapping; may be a generator that
        reads the same sound, as :func:`edgeavatar.audio.detect_speech` does over a copy of
        ``chunks`` (``itertools.tee``). Sound outside is never shown to the recogniser, which
        invents words for it.
    recognizer : Recognizer
        Opened.

    Yields
    ------
    Segment
        In order; stretches without words are left out.
    """
    sound = _Tape(iter(chunks))
    margin = round(_MARGIN_S * SAMPLE_RATE)
    floor = 0
    for start, end in speech:
        begin = max(floor, start - margin)
        for low, high in _cuts(sound.read(begin, end + margin), begin):
            samples = sound.read(low, high)
            text = recognizer.recognize(samples)
            if text:
                yield Segment(text, max(low, start) / SAMPLE_RATE, min(high, end) / SAMPLE_RATE)
        floor = end
        sound.forget(end)


def without_loops(text: str, duration_s: float) -> str:
    """Cut what a decoder repeats without end.

    Parameters
    ----------
    text : str
        What was recognised.
    duration_s : float
        Length of the sound.

    Returns
    -------
    str
        Repetitions of a word or phrase beyond three in a row are cut to the first; if there are
        still more words than anybody says in that time, the text ends where time does.
    """
    text = _LOOP.sub(lambda m: m.group("unit"), text)
    words = text.split()
    most = max(_MAX_REPEATS, int(duration_s * _MAX_WORDS_PER_S) + 1)
    return " ".join(words[:most])


class _Tape:
    """The part of a stream that is still needed."""

    def __init__(self, chunks: Iterator[AudioChunk]) -> None:
        self._chunks = chunks
        self._blocks: list[FloatArray] = []
        self._start = 0
        self._end = 0

    def read(self, start: int, end: int) -> FloatArray:
        while self._end < end:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            if chunk.start_sample > self._end:
                self._blocks = []
                self._start = self._end = chunk.start_sample
            self._blocks.append(chunk.samples)
            self._end += len(chunk.samples)
        if not self._blocks:
            return np.zeros(0, np.float32)
        self._blocks = [np.concatenate(self._blocks)]
        return self._blocks[0][max(0, start - self._start) : max(0, end - self._start)]

    def forget(self, position: int) -> None:
        if self._blocks:
            whole = np.concatenate(self._blocks)
            keep = max(0, position - round(_MARGIN_S * SAMPLE_RATE) - self._start)
            self._blocks = [whole[keep:]]
            self._start += min(keep, len(whole))


def _cuts(samples: FloatArray, offset: int) -> list[tuple[int, int]]:
    """Cut a stretch into parts the recogniser can take, at the quietest places."""
    longest = round(MAX_SEGMENT_S * SAMPLE_RATE)
    if len(samples) <= longest:
        return [(offset, offset + len(samples))]
    window = SAMPLE_RATE // 10
    low, high = longest // 2, longest
    power = np.convolve(samples[low:high] ** 2, np.ones(window), "same")
    at = low + int(np.argmin(power))
    return [(offset, offset + at), *_cuts(samples[at:], offset + at)]


def _token_list(tokenizer: Path, cache: Path) -> Path:
    """Write the tokens as sherpa-onnx reads them: base64 and id, one a line."""
    stat = tokenizer.stat()
    target = cache / f"{tokenizer.parent.name}-{stat.st_size}-{stat.st_mtime_ns}.txt"
    if not target.is_file():
        lines = [
            f"{base64.b64encode(token).decode('ascii')} {i}\n"
            for i, token in enumerate(read_tokens(tokenizer.read_bytes(), tokenizer))
        ]
        cache.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{id(lines):x}.part")
        temporary.write_text("".join(lines), encoding="ascii")
        temporary.replace(target)
    return target


def read_tokens(data: bytes, path: Path) -> list[bytes]:
    """Read Moonshine's token file.

    Each token is its length, in one byte or from 128 on in two, and its bytes.

    Parameters
    ----------
    data : bytes
        The file's content.
    path : Path
        For the message.

    Returns
    -------
    list of bytes
        Tokens by id.

    Raises
    ------
    IntegrityError
        The data end within a token.
    """
    tokens: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128 and at < len(data):
            length += data[at] * 128 - 128
            at += 1
        if at + length > len(data):
            raise IntegrityError(
                f"expected whole tokens in {path}, found {len(data) - at} bytes for one of "
                f"{length}; run edgeavatar models verify"
            )
        tokens.append(data[at : at + length])
        at += length
    return tokens
