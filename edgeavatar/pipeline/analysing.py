"""Everything that can be told of a file: picture and sound at once, then what they mean."""

from __future__ import annotations

import stat
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeavatar.analysis.columns import write_columns
from edgeavatar.analysis.factors import picture_factors
from edgeavatar.analysis.results import Analysis, Preflight, SourceFacts
from edgeavatar.analysis.sound_factors import sound_factors
from edgeavatar.audio.decode import sound_duration_s
from edgeavatar.audio.wav import whole_file
from edgeavatar.errors import MediaError, ModelNotFound, OutputError, UsageError
from edgeavatar.face.choice import DOMINANT
from edgeavatar.pipeline.analysis_files import subtitles_of, summary_json
from edgeavatar.pipeline.clear_frames import ClearFrames
from edgeavatar.pipeline.job import same_place
from edgeavatar.pipeline.picture_analysis import look_at_photo, look_at_video
from edgeavatar.pipeline.picture_findings import sum_up
from edgeavatar.pipeline.report_preview import PreviewFilm
from edgeavatar.pipeline.reporting import write_report
from edgeavatar.pipeline.sound_analysis import analyse_sound
from edgeavatar.speech.transcription import MODELS, RecognizerSize
from edgeavatar.types import Frame
from edgeavatar.video.quantiser import mean_quantiser
from edgeavatar.video.source import open_source

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from edgeavatar.analysis.sound_findings import SoundFindings
    from edgeavatar.pipeline.picture_analysis import FramesOf, Keep, Seen
    from edgeavatar.video.reader import VideoReader

    Tell = Callable[[str, float | None, int], None]


@dataclass(frozen=True, slots=True)
class AnalysisJob:
    """One file, and where to write what is found."""

    source: Path
    """A video, a photo, or sound."""
    json: Path | None = None
    columns: Path | None = None
    html: Path | None = None
    srt: Path | None = None
    model: RecognizerSize = "tiny"
    """Of the recogniser of speech."""
    threads: int | None = None
    """Of each model; None is 1, because several work at the same time."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Files that are asked for."""
        return tuple(path for path in (self.json, self.columns, self.html, self.srt) if path)

    def check(self) -> None:
        """Raise UsageError for values that contradict each other."""
        if self.model not in MODELS:
            raise UsageError(
                f"expected a model among {', '.join(MODELS)}, found {self.model!r}; choose one"
            )
        for place, path in enumerate(self.outputs):
            if same_place(path, self.source):
                raise UsageError(f"{path} is the source itself; give another output")
            if any(same_place(path, other) for other in self.outputs[:place]):
                raise UsageError(f"{path} is asked for twice; give every output its own name")
            if not path.parent.is_dir():
                raise OutputError(
                    f"expected a folder to write {path.name} in, found none at {path.parent}; make "
                    "it"
                )


@dataclass(slots=True)
class _Heard:
    findings: SoundFindings | None = None
    error: BaseException | None = None
    notes: list[str] = field(default_factory=list)


class _StoppedError(Exception):
    """The picture failed, so that nobody waits for the sound."""


def run_analysis(job: AnalysisJob, tell: Tell | None = None) -> Analysis:
    """Analyse a file and write what is asked for.

    Each output appears under its name when it is complete.

    Parameters
    ----------
    job
        See there.
    tell
        Called with the stage, the share done (None if unknown) and the frames read.

    Raises
    ------
    EdgeAvatarError
        One of its kinds, see :mod:`edgeavatar.errors`.
    """
    job.check()
    if job.srt is not None:
        _check_sound(job.source)
    with ExitStack() as stack:
        film = kept = None
        if job.html is not None:
            kept = ClearFrames()
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeavatar-report-"))
            film = stack.enter_context(closing(PreviewFilm(job.source, Path(folder) / "film.mp4")))
        analysis = analyse(
            job.source,
            model=job.model,
            threads=job.threads,
            tell=tell,
            frames_of=None if film is None else film.beside,
            keep=None if kept is None else kept.add,
        )
        _write(job, analysis, film, kept, tell)
    return analysis


def _write(
    job: AnalysisJob,
    analysis: Analysis,
    film: PreviewFilm | None,
    kept: ClearFrames | None,
    tell: Tell | None,
) -> None:
    if job.json is not None:
        with whole_file(job.json) as file:
            file.write(summary_json(analysis).encode("utf-8"))
    if job.columns is not None:
        with whole_file(job.columns) as file:
            write_columns(analysis, file)
    if job.srt is not None:
        with whole_file(job.srt) as file:
            for piece in subtitles_of(analysis):
                file.write(piece.encode("utf-8"))
    if job.html is not None:
        if tell is not None:
            tell("writing the report", None, 0)
        write_report(analysis, job.source, job.html, recogniser=job.model, film=film, kept=kept)


def analyse(
    path: Path,
    *,
    model: RecognizerSize = "tiny",
    threads: int | None = None,
    tell: Tell | None = None,
    frames_of: FramesOf | None = None,
    keep: Keep | None = None,
) -> Analysis:
    """Find out what is in a file.

    Picture and sound are read at the same time, each once. Memory does not grow with the length but
    for what is returned, some 300 bytes a frame and face.

    Parameters
    ----------
    path
        A video, a photo, or sound; told apart by content.
    model
        Of the recogniser of speech.
    threads
        Of the models.
    tell
        Called with the stage, the share done (None if unknown) and the frames read.
    frames_of, keep
        See :func:`~edgeavatar.pipeline.picture_analysis.look_at_video`.

    Returns
    -------
    Analysis
        What could not be measured is None, and ``notes`` say why.

    Raises
    ------
    MediaError
        The file cannot be read, or holds neither picture nor sound.
    ModelNotFound
        The face model is not installed.
    """
    tell = tell or (lambda *_: None)
    tell("opening", None, 0)
    source = _open(path)
    if source is None:
        return _of_sound(path, model, threads, tell)
    if isinstance(source, Frame):
        tell("looking", 0.0, 0)
        seen = look_at_photo(source, threads=threads)
        return _put_together(path, seen, None, [], None)
    with source:
        look = partial(look_at_video, source, tell, threads=threads, frames_of=frames_of, keep=keep)
        hear = partial(_hear, path, model, threads) if source.info.has_audio else None
        seen, heard, quantiser = _look_and_listen(look, hear, partial(mean_quantiser, path), tell)
    if isinstance(heard.error, MediaError):
        # A sound track that does not decode is no reason to tell nothing of the picture.
        heard.notes.append(f"nothing is told of the sound: {heard.error}")
    elif heard.error is not None:
        raise heard.error
    return _put_together(path, seen, heard.findings, heard.notes, quantiser)


def _check_sound(path: Path) -> None:
    """Refuse subtitles of a file without sound before it is read."""
    try:
        sound_duration_s(path)
    except MediaError as error:
        if _open(path) is None:
            raise
        raise UsageError(f"{path} has no sound to make subtitles of; leave --srt out") from error


def _open(path: Path) -> VideoReader | Frame | None:
    """Open a picture; None if there is only sound."""
    try:
        return open_source(path)
    except MediaError as no_picture:
        try:
            sound_duration_s(path)
        except MediaError:
            raise (_no_source(path) or no_picture) from None
        return None


def _no_source(path: Path) -> MediaError | None:
    """Say what is accepted where there is no file at all; None if there is one."""
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return MediaError(
            f"expected a video, a photo or sound at {path}, found no such file; check the path"
        )
    except OSError:
        return None
    if stat.S_ISREG(kind):
        return None
    return MediaError(
        f"expected a video, a photo or sound, found {path}, which is not a file; name a file"
    )


def _look_and_listen(
    look: Callable[[], Seen],
    hear: Callable[[Tell, list[str]], SoundFindings] | None,
    measure: Callable[[], float | None],
    tell: Tell,
) -> tuple[Seen, _Heard, float | None]:
    """Look while another thread listens, if there is sound, and then measures.

    The sound is done long before the picture is; were they measured at once, the memory of both
    would be held.
    """
    heard = _Heard()
    stopped = threading.Event()

    def check(*_: object) -> None:
        if stopped.is_set():
            raise _StoppedError

    def listen() -> None:
        if hear is None:
            return
        try:
            heard.findings = hear(check, heard.notes)
        except BaseException as error:
            heard.error = error

    with ThreadPoolExecutor(1, "edgeavatar-listening") as beside:
        beside.submit(listen)
        measured = beside.submit(measure)
        try:
            seen = look()
            if hear is not None:
                tell("listening", None, 0)
        except BaseException:
            stopped.set()
            measured.cancel()
            raise
    return seen, heard, measured.result()


def _hear(
    path: Path, model: RecognizerSize, threads: int | None, tell: Tell, notes: list[str]
) -> SoundFindings:
    try:
        return analyse_sound(path, model=model, threads=threads, tell=tell)
    except ModelNotFound as error:
        findings = analyse_sound(path, words=False, threads=threads, tell=tell)
        notes.append(f"words were not listened for: {error}")
        return findings


def _of_sound(path: Path, model: RecognizerSize, threads: int | None, tell: Tell) -> Analysis:
    notes: list[str] = []
    found = _hear(path, model, threads, tell, notes)
    return Analysis(
        source=SourceFacts(path, "sound", found.duration_s, has_audio=True),
        speech=found.speech,
        words=found.words,
        preflight=Preflight(sound_factors(found)),
        sound=found.columns,
        notes=tuple(notes),
    )


def _put_together(
    path: Path,
    seen: Seen,
    heard: SoundFindings | None,
    notes: list[str],
    quantiser: float | None,
) -> Analysis:
    found = sum_up(seen, None if heard is None else _speaking(seen, heard))
    filmed = seen.duration_s is not None
    facts = SourceFacts(
        path,
        "video" if filmed else "photo",
        seen.duration_s,
        seen.width,
        seen.height,
        seen.frame_rate,
        len(seen.frames["index"]),
        has_audio=seen.has_audio,
    )
    factors = picture_factors(
        facts,
        seen.frames,
        seen.faces,
        dominant=DOMINANT,
        quantiser=quantiser,
    )
    if heard is not None:
        factors += sound_factors(heard)
    return Analysis(
        source=facts,
        faces=found.faces,
        main_face=found.main_face,
        movement=found.movement,
        speech=None if heard is None else heard.speech,
        style=found.style,
        words=() if heard is None else heard.words,
        preflight=Preflight(factors),
        frames=seen.frames,
        faces_by_frame=seen.faces,
        sound={} if heard is None else heard.columns,
        notes=(*seen.notes, *notes),
    )


def _speaking(seen: Seen, heard: SoundFindings) -> npt.NDArray[np.bool_]:
    """Whether there is speech in each frame."""
    time_s: Any = seen.frames["time_s"]
    spans = np.array(heard.speech_spans_s, np.float64).reshape(-1, 2)
    place = np.searchsorted(spans[:, 0], time_s, side="right") - 1
    inside = place >= 0
    inside[inside] = time_s[inside] < spans[place[inside], 1]
    return np.asarray(inside, bool)
