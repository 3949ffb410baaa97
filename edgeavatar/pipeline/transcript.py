"""A recording becomes a transcript or a file of subtitles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import edgeavatar
from edgeavatar import zoo
from edgeavatar.audio.vad import SAMPLE_RATE
from edgeavatar.audio.wav import whole_file
from edgeavatar.errors import UsageError
from edgeavatar.pipeline.job import same_place
from edgeavatar.pipeline.transcribing import (
    Progress,
    Stretch,
    hear_words,
    open_ears,
    recording_s,
)
from edgeavatar.speech.transcription import LANGUAGE, MODELS, RecognizerSize
from edgeavatar.subtitles.cues import Cue, Limits, make_cues
from edgeavatar.subtitles.files import written

if TYPE_CHECKING:
    from edgeavatar.subtitles.cues import Word

TranscriptFormat = Literal["txt", "srt", "vtt", "json"]

WORD_TIMES: Final = {
    "clear_median_ms": 8,
    "clear_p90_ms": 33,
    "noisy_film_median_ms": 25,
    "noisy_film_p90_ms": 85,
}
"""How far starts and ends of words are off, of six voices and of GRID; measured by
``benchmarks/transcription.py``, see ``docs/transcription.md``."""

DOUBTFUL: Final = 0.2
"""Fit of words and sound below which many words are wrong: of clear voices .22 to .73, under white
noise at 10 dB .19 to .53, at 0 dB, where few words are right, .07 to .2."""

CONFIDENCE: Final = (
    "how well words and sound fit, 0 to 1: the geometric mean of the probabilities that a net "
    "which hears phones gives to those of the words, of the word and of its stretch; not the "
    "probability that the word is right"
)


@dataclass(frozen=True, slots=True)
class TranscriptJob:
    """One recording, one transcript."""

    source: Path
    """Anything with sound: a recording or a video."""
    output: Path | None = None
    """File to write; None gives the pieces of text to the caller alone."""
    format: TranscriptFormat = "txt"
    model: RecognizerSize = "tiny"
    threads: int | None = None
    """Of the recogniser; None is 1."""

    def check(self) -> None:
        """Raise UsageError for values that contradict each other."""
        if self.model not in MODELS:
            raise UsageError(
                f"expected a model among {', '.join(MODELS)}, found {self.model!r}; choose one"
            )
        if self.output is not None and same_place(self.output, self.source):
            raise UsageError(f"{self.output} is the recording itself; give another output")


@dataclass(frozen=True, slots=True)
class TranscriptReport:
    """What was heard."""

    output: str | None
    format: TranscriptFormat
    model: str
    language: str
    duration_s: float
    """Of the sound."""
    speech_s: float
    """Of this, with words."""
    unclear_s: float
    """Speech that was left out because no words fit it."""
    confidence: float | None
    """Mean of the stretches' confidences, weighted by their lengths; None without words."""
    words: int
    cues: int
    """Subtitles written; 0 for txt and json."""
    fast_cues: int
    """Of these, those that must be read faster than the guide asks for."""
    word_time_error: dict[str, int] = field(default_factory=lambda: dict(WORD_TIMES))
    """Milliseconds that a word's start and end are off: median and 90th percentile, of clear speech
    and of noisy film, as measured once and for all."""
    warnings: list[str] = field(default_factory=list)


def write_transcript(
    job: TranscriptJob,
    tell: Callable[[str, float | None, int], None] | None = None,
    take: Callable[[str], None] | None = None,
) -> TranscriptReport:
    """Transcribe a recording.

    The file appears under its name when it is complete. Without an output, each piece is given to
    ``take`` as it is known. Memory does not grow with the length of the recording.

    Parameters
    ----------
    job : TranscriptJob
        See there.
    tell : callable, optional
        Called with the stage, the share done (None if unknown) and 0.
    take : callable, optional
        Called with each piece of text.

    Raises
    ------
    EdgeAvatarError
        One of its kinds, see :mod:`edgeavatar.errors`.
    """
    job.check()
    tell = tell or (lambda *_: None)
    tell("opening", None, 0)
    total_s = recording_s(job.source)
    counts = _Counts()
    heard = Progress()
    with open_ears(job.model, threads=job.threads) as ears, _target(job.output, take) as put:

        def stretches() -> Iterator[Stretch]:
            for stretch in hear_words(job.source, ears, heard):
                counts.add(stretch)
                done = (
                    None if not total_s else min(1.0, heard.samples / SAMPLE_RATE / float(total_s))
                )
                tell("listening", done, 0)
                yield stretch

        tell("listening", 0.0, 0)
        for piece in _pieces(job, stretches(), counts, heard):
            put(piece)
    return TranscriptReport(
        output=None if job.output is None else str(job.output),
        format=job.format,
        model=_model(job),
        language=LANGUAGE,
        duration_s=round(heard.samples / SAMPLE_RATE, 3),
        speech_s=round(float(counts.speech_s), 3),
        unclear_s=round(float(heard.unclear_s), 3),
        confidence=counts.confidence,
        words=counts.words,
        cues=counts.cues,
        fast_cues=counts.fast_cues,
        warnings=counts.notes(heard.unclear_s),
    )


class _Counts:
    def __init__(self) -> None:
        self.words = self.cues = self.fast_cues = 0
        self.speech_s = Fraction(0)
        self._fit_s = 0.0

    def add(self, stretch: Stretch) -> None:
        self.words += len(stretch.words)
        self.speech_s += stretch.end_s - stretch.start_s
        self._fit_s += stretch.fit * float(stretch.end_s - stretch.start_s)

    @property
    def confidence(self) -> float | None:
        return round(self._fit_s / float(self.speech_s), 3) if self.speech_s else None

    def counted(self, cues: Iterable[Cue]) -> Iterator[Cue]:
        for cue in cues:
            self.cues += 1
            self.fast_cues += is_fast(cue)
            yield cue

    def notes(self, unclear_s: Fraction) -> list[str]:
        notes = []
        if unclear_s:
            notes.append(
                f"{float(unclear_s):.1f} s of speech were left out, because no English words fit "
                "them"
            )
        if not self.words:
            return [*notes, "no words were heard: the transcript is empty"]
        if self.confidence is not None and self.confidence < DOUBTFUL:
            notes.append(
                f"words and sound fit badly ({self.confidence:.2f}; clear speech has .25 or more): "
                "expect wrong words; less noise helps, and --model base"
            )
        return notes + fast_notes(self.fast_cues, self.cues)


def is_fast(cue: Cue) -> bool:
    """Tell whether a cue must be read faster than the guide asks for, by what shows."""
    return round(cue.characters_per_s, 1) > Limits().characters_per_s


def fast_notes(fast: int, cues: int) -> list[str]:
    """Say that some subtitles are faster than the guide asks for, if any are."""
    if not fast:
        return []
    return [
        f"{fast} of {cues} subtitles must be read faster than {Limits().characters_per_s} "
        "characters a second, because the words are spoken as fast"
    ]


@contextmanager
def _target(
    output: Path | None, take: Callable[[str], None] | None
) -> Iterator[Callable[[str], None]]:
    if output is None:
        yield take or (lambda _: None)
        return
    with whole_file(output) as file:

        def put(piece: str) -> None:
            file.write(piece.encode("utf-8"))
            if take is not None:
                take(piece)

        yield put


def _pieces(
    job: TranscriptJob, stretches: Iterator[Stretch], counts: _Counts, heard: Progress
) -> Iterator[str]:
    if job.format == "txt":
        for stretch in stretches:
            yield f"{stretch.text}\n"
    elif job.format == "json":
        yield from _as_json(job, stretches, heard)
    else:
        words = (word for stretch in stretches for word in stretch.words)
        yield from written(counts.counted(make_cues(words)), job.format)


def _as_json(job: TranscriptJob, stretches: Iterator[Stretch], heard: Progress) -> Iterator[str]:
    """One object, a line for each stretch, so that it can be written as it comes."""
    head = {
        "format": "edgeavatar-transcript",
        "version": 1,
        "provenance": {
            "program": f"edgeavatar {edgeavatar.__version__}",
            "file": job.source.name,
            "sha256": zoo.file_sha256(job.source),
            "model": _model(job),
            "alignment": "motion-nets " + zoo.load_manifest().model("motion-nets").version,
        },
        "language": LANGUAGE,
        "word_time_error": WORD_TIMES,
        "confidence": CONFIDENCE,
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "stretches": ['
    for i, stretch in enumerate(stretches):
        yield (",\n" if i else "\n") + json.dumps(_fields(stretch), ensure_ascii=False)
    yield f'\n], "duration_s": {round(heard.samples / SAMPLE_RATE, 3)}}}\n'


def _fields(stretch: Stretch) -> dict[str, Any]:
    return {
        "text": stretch.text,
        "start_s": _seconds(stretch.start_s),
        "end_s": _seconds(stretch.end_s),
        "confidence": stretch.fit,
        "words": [_word_fields(word) for word in stretch.words],
    }


def _word_fields(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "start_s": _seconds(word.start_s),
        "end_s": _seconds(word.end_s),
        "confidence": word.confidence,
    }


def _seconds(time_s: Fraction) -> float:
    return round(float(time_s), 3)


def _model(job: TranscriptJob) -> str:
    name = MODELS[job.model]
    return f"{name} {zoo.load_manifest().model(name).version}"
