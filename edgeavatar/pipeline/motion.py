"""Words become a mouth-motion track: the sound half of a render, without a picture."""

from __future__ import annotations

import hashlib
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import edgeavatar
from edgeavatar import zoo
from edgeavatar.audio.wav import whole_file
from edgeavatar.errors import MediaError, UsageError
from edgeavatar.motion.style import check_style
from edgeavatar.motion.track_file import TrackWriter
from edgeavatar.pipeline.job import check_words, same_place
from edgeavatar.pipeline.opening import open_words
from edgeavatar.pipeline.words import rows_at_rate
from edgeavatar.plotting import PLOT_SUFFIXES, PLOTTED_S, Plot, draw_plot, require_matplotlib
from edgeavatar.rates import check_rate
from edgeavatar.tuning import load_tuning

if TYPE_CHECKING:
    from edgeavatar.backends.base import BackendChoice, DeviceChoice
    from edgeavatar.motion.style import StyleName
    from edgeavatar.types import AudioChunk, FloatArray, PhonemeTiming, SpeechChunk, WordTiming

MODEL = "motion-nets"
"""What moves the mouth, by phonemes and by sound."""
_TITLE_LETTERS = 70


@dataclass(frozen=True, slots=True)
class MotionJob:
    """Some words, one track."""

    output: Path
    """Track to write: .json."""
    text: str | None = None
    """What to say; exactly one of ``text`` and ``audio`` is given."""
    audio: Path | None = None
    """Recorded speech to follow: any file with sound."""
    voice: str | None = None
    """Name of the voice for ``text``; None is the default voice."""
    rate: float = 1.0
    """Speaking rate, 0.5 to 2."""
    volume_lufs: float | None = None
    """As :attr:`~edgeavatar.pipeline.job.RenderJob.volume_lufs` of the render that is meant."""
    articulation: float = 1.0
    """Size of the mouth's movements, 0 (at rest) to 1.5, where 1 is usual in the style."""
    style: StyleName = "neutral"
    """As :attr:`~edgeavatar.pipeline.job.RenderJob.style`; here of the mouth alone."""
    fps: Fraction = Fraction(25)
    """Rows per second, 1 to 120."""
    plot: Path | None = None
    """Picture of the track to draw: .png, .svg or .pdf."""
    backend: BackendChoice = "auto"
    device: DeviceChoice = "auto"
    threads: int | None = None
    profile: str = "auto"
    """As :attr:`~edgeavatar.pipeline.job.RenderJob.profile`."""

    @property
    def motion(self) -> Path | None:
        """Tracks are made here, not followed."""
        return None

    def check(self) -> None:
        """Raise UsageError for values that contradict each other or are out of range."""
        check_words(self, audio="AUDIO")
        check_style(self.style, self.articulation)
        check_rate(self.fps)
        if self.output.suffix.lower() != ".json":
            raise UsageError(
                f"expected an output that ends in .json, found {self.output.name}; rename it"
            )
        if self.audio is not None and same_place(self.output, self.audio):
            raise UsageError(f"{self.output} is the recording itself; give another output")
        if self.plot is None:
            return
        if self.plot.suffix.lower() not in PLOT_SUFFIXES:
            raise UsageError(
                f"expected a --plot that ends in {', '.join(PLOT_SUFFIXES)}, found "
                f"{self.plot.name}; rename it"
            )
        if self.audio is not None and same_place(self.plot, self.audio):
            raise UsageError(f"{self.plot} is the recording itself; give another --plot")


@dataclass(frozen=True, slots=True)
class MotionReport:
    """What was written."""

    output: str
    plot: str | None
    rows: int
    fps: float
    duration_s: float
    """Of the sound."""
    voice: str | None
    rate: float
    model: str
    """What made the motion."""
    words: int
    phonemes: int
    warnings: list[str] = field(default_factory=list)


def write_motion(job: MotionJob) -> MotionReport:
    """Write the mouth motion that a render of the same words shows, frame by frame.

    Row ``i`` is what :func:`~edgeavatar.pipeline.run.render` gives the renderer at ``i / fps``
    seconds, rounded. Track and plot appear under their names when both are complete; on any error
    nothing is left there and what was there before is kept. Memory does not grow with the length.

    Raises
    ------
    EdgeAvatarError
        One of its kinds, see :mod:`edgeavatar.errors`.
    """
    job.check()
    if job.plot is not None:
        require_matplotlib()
    heard: deque[SpeechChunk] = deque()
    tuning = load_tuning(job.profile, backend=job.backend, device=job.device)
    with ExitStack() as stack:
        words = stack.enter_context(open_words(job, heard.append, tuned=tuning.models))
        if not words.lasts_beyond(Fraction(0)):
            raise MediaError(f"expected sound in {job.audio or 'the text'}, found none")
        beginning = None if job.plot is None else _Beginning()
        drawing = None if job.plot is None else stack.enter_context(whole_file(job.plot))
        file = stack.enter_context(whole_file(job.output))
        model = f"{MODEL} {zoo.load_manifest().model(MODEL).version}"
        provenance = _provenance(job, words.voice, model)
        track = stack.enter_context(TrackWriter(file, job.fps, provenance))

        def take(time_s: Fraction | None) -> None:
            """Let go of what has passed, so that it does not pile up."""
            while heard:
                chunk = heard.popleft()
                track.write_speech(chunk)
                if beginning is not None:
                    beginning.keep_speech(chunk)
            for piece in words.sound_until(time_s):
                if beginning is not None:
                    beginning.keep_sound(piece)

        for time_s, row in rows_at_rate(words, job.fps):
            track.write_row(row)
            take(time_s)
            if beginning is not None and time_s <= PLOTTED_S:
                beginning.rows.append(row)
        take(None)
        track.finish()
        if beginning is not None and drawing is not None and job.plot is not None:
            plot = beginning.plot(_title(job, words.voice), job.fps, float(words.duration_s))
            draw_plot(plot, drawing, job.plot.suffix.lower())
        return MotionReport(
            output=str(job.output),
            plot=None if job.plot is None else str(job.plot),
            rows=track.rows,
            fps=float(job.fps),
            duration_s=round(float(words.duration_s), 4),
            voice=words.voice,
            rate=job.rate,
            model=model,
            words=track.words,
            phonemes=track.phonemes,
            warnings=list(tuning.notes),
        )


def _provenance(job: MotionJob, voice: str | None, model: str) -> dict[str, Any]:
    """Tell what was asked for, so that a track can be told from others and be made again."""
    source: dict[str, Any]
    if job.text is not None:
        digest = hashlib.sha256(job.text.encode("utf-8", "surrogatepass")).hexdigest()
        source = {"words_from": "text", "sha256": digest, "voice": voice, "rate": job.rate}
    else:
        assert job.audio is not None  # MotionJob.check
        digest = zoo.file_sha256(job.audio)
        source = {"words_from": "audio", "file": job.audio.name, "sha256": digest}
    return {
        "program": f"edgeavatar {edgeavatar.__version__}",
        **source,
        "style": job.style,
        "articulation": job.articulation,
        "model": model,
    }


def _title(job: MotionJob, voice: str | None) -> str:
    if job.text is None:
        assert job.audio is not None  # MotionJob.check
        name = job.audio.name.encode("utf-8", "replace").decode()  # file names may be any bytes
        return f"Mouth motion of {name}"
    text = " ".join(job.text.split())
    if len(text) > _TITLE_LETTERS:
        text = f"{text[:_TITLE_LETTERS].rsplit(maxsplit=1)[0]} …"
    return f"“{text}” · voice {voice}"


class _Beginning:
    """As much of words and motion as is drawn."""

    def __init__(self) -> None:
        self.rows: list[FloatArray] = []
        self._sound: list[AudioChunk] = []
        self._phonemes: list[PhonemeTiming] = []
        self._words: list[WordTiming] = []

    def keep_sound(self, chunk: AudioChunk) -> None:
        if chunk.start_sample < PLOTTED_S * chunk.sample_rate:
            self._sound.append(chunk)

    def keep_speech(self, chunk: SpeechChunk) -> None:
        if chunk.audio.start_sample < PLOTTED_S * chunk.audio.sample_rate:
            self._phonemes += chunk.phonemes
            self._words += chunk.words

    def plot(self, title: str, fps: Fraction, duration_s: float) -> Plot:
        return Plot(
            title=title,
            sound=np.concatenate([chunk.samples for chunk in self._sound]),
            sample_rate=self._sound[0].sample_rate,
            rows=np.stack(self.rows),
            fps=fps,
            phonemes=tuple(self._phonemes),
            words=tuple(self._words),
            duration_s=duration_s,
        )
