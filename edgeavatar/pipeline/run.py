"""A face and words become a talking video: the only place where the stages meet."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, overload

from edgeavatar.motion.idle import idle_pose
from edgeavatar.motion.style import style_named
from edgeavatar.pipeline.captions import SpokenWords, hearer, open_captions, subtitle_files
from edgeavatar.pipeline.job import UNPAINTED, RenderJob, RenderReport, make_job
from edgeavatar.pipeline.opening import (
    open_faces,
    open_label,
    open_picture,
    open_renderer,
    open_result,
    open_words,
)
from edgeavatar.rendering.occlusion import OcclusionGuard, keep_source
from edgeavatar.tuning import load_tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from os import PathLike
    from typing import TypeAlias, Unpack

    from edgeavatar.pipeline.job import RenderOptions, Stage
    from edgeavatar.types import FaceObservation, Frame

    Progress: TypeAlias = Callable[[Stage, float | None, int], None]


@overload
def render(job: RenderJob, progress: Progress | None = None) -> RenderReport: ...


@overload
def render(
    job: None = None,
    progress: Progress | None = None,
    *,
    source: str | PathLike[str],
    output: str | PathLike[str],
    audio: str | PathLike[str] | None = None,
    motion: str | PathLike[str] | None = None,
    renderer_model: str | PathLike[str] | None = None,
    **options: Unpack[RenderOptions],
) -> RenderReport: ...


def render(
    job: RenderJob | None = None, progress: Progress | None = None, **options: Any
) -> RenderReport:
    """Make a talking video.

    The result appears at ``job.output`` when it is complete; on any error nothing is left there
    and what was there before is kept.

    Parameters
    ----------
    job
        See :class:`~edgeavatar.pipeline.job.RenderJob`.
    progress
        Called with the stage, the share done (None if unknown) and the number of frames written.
    **options
        Fields of a job instead of a job, paths also as strings:
        ``render(source="face.jpg", text="Hello.", output="hello.mp4")``.

    Raises
    ------
    TypeError
        If there is neither a job nor its fields, or both.
    EdgeAvatarError
        One of its kinds, see :mod:`edgeavatar.errors`.
    """
    if job is None:
        job = make_job(**options)
    elif options:
        raise TypeError(f"expected a job or its fields, found both: {', '.join(options)}")
    job.check()
    tell = progress or (lambda *_: None)
    clock = Clock()
    with ExitStack() as stack:
        tell("opening", None, 0)
        with clock.of("opening"):
            tuning = load_tuning(job.profile, backend=job.backend, device=job.device)
            picture = stack.enter_context(open_picture(job))
            head = job.seed if picture.sways else None
            heard = job.renderer == "wav2lip"
            spoken = SpokenWords()
            words = stack.enter_context(
                open_words(job, hearer(job, spoken), head=head, heard=heard, tuned=tuning.models)
            )
            faces = stack.enter_context(open_faces(job, tuning.models))
            words.lasts_beyond(Fraction(0))  # what cannot be said fails before work is done
            label = open_label(job, picture)
            captions = stack.enter_context(open_captions(job, words, spoken, picture, label))
            writer = stack.enter_context(open_result(job, picture, words))
        tell("learning the face", None, 0)
        with clock.of("learning the face"):
            known = faces.learn(picture.probe())
            if picture.film is not None and job.renderer not in UNPAINTED:
                known = faces.look_around(known, picture.film)
            renderer, painter = stack.enter_context(open_renderer(job, known, words, tuning.models))
        # Nothing comes before a photo.
        filmed = not picture.info.is_photo
        guard = OcclusionGuard(known.person.lip_line_cm) if filmed else None
        style = style_named(job.style, job.articulation)
        written = faceless = 0
        end_s = Fraction(0)
        with clock.of("rendering"):
            seen = faces.follow(picture.frames(words.lasts_beyond))
            for frame, face, cover in guard.covers(seen) if guard else _uncovered(seen):
                row = words.row_at(frame.time_s)
                idle = None
                if picture.sways:
                    expression = words.expression_at(frame.time_s)
                    idle = idle_pose(float(frame.time_s), job.seed, expression, style)
                if face is None:
                    faceless += 1
                    made = frame
                else:
                    made = renderer.render(frame, face, row, idle)
                    if cover is not None:
                        made = keep_source(frame, made, cover)
                for chunk in words.sound_until(frame.time_s):
                    writer.write_audio(chunk)
                if captions is not None:
                    captions.write_until(frame.time_s, writer)
                    made = captions.draw(made, face)
                writer.write_frame(made if label is None else label.apply(made))
                written += 1
                tell("rendering", _share(words.share_done, words.duration_s, frame), written)
        tell("finishing", 1.0, written)
        with clock.of("finishing"):
            end_s = picture.end_s(words.duration_s)
            for chunk in words.sound_until(end_s if job.fit == "trim" else None):
                writer.write_audio(chunk)
            told = [] if captions is None else captions.finish(end_s, writer)
            writer.finish(end_s)
        total = clock.total_s
        return RenderReport(
            output=str(job.output),
            frames=written,
            frames_without_face=faceless,
            frames_covered=0 if guard is None else guard.covered_frames,
            duration_s=float(end_s),
            width=writer.width,
            height=writer.height,
            fps=float(picture.info.rate),
            voice=words.voice,
            renderer=_painted_by(job, painter),
            backends=faces.backends | painter,
            seconds=clock.seconds,
            real_time_factor=total / float(end_s),
            subtitles=[
                *map(str, subtitle_files(job).values()),
                *(kind for kind in ("track", "burn") if kind in job.subtitles),
            ],
            warnings=[*tuning.notes, *picture.warnings, *faces.notes, *words.notes, *told],
        )


def _uncovered(
    seen: Iterable[tuple[Frame, FaceObservation | None]],
) -> Iterator[tuple[Frame, FaceObservation | None, None]]:
    for frame, face in seen:
        yield frame, face, None


def _painted_by(job: RenderJob, painter: dict[str, str]) -> str:
    """Name the renderer that was used."""
    if not painter:
        return "geometric"
    return "neural" if job.renderer == "auto" else job.renderer


def _share(made: float | None, made_s: Fraction, frame: Frame) -> float | None:
    """Share of the picture that is done, from the share of the words that is made."""
    if not made or not made_s:
        return None
    return min(1.0, made * float(frame.time_s / made_s))


class Clock:
    """Wall time of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Time a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = round(time.perf_counter() - start, 3)

    @property
    def total_s(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._start
