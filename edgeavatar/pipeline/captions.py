"""Subtitles of a render: the same words beside the file, in the file and in the picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import tee
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from edgeavatar.audio.wav import whole_file
from edgeavatar.face.topology import LIPS
from edgeavatar.pipeline.transcribing import hear_words, open_ears
from edgeavatar.pipeline.transcript import fast_notes, is_fast
from edgeavatar.subtitles.cues import Cue, Word, clipped, make_cues
from edgeavatar.subtitles.drawing import Caption, Stage, check_showable, draw_caption
from edgeavatar.subtitles.files import escaped, written
from edgeavatar.subtitles.wording import with_punctuation

if TYPE_CHECKING:
    from edgeavatar.pipeline.job import RenderJob
    from edgeavatar.pipeline.picture import Picture
    from edgeavatar.pipeline.words import Words
    from edgeavatar.subtitles.drawing import Box
    from edgeavatar.subtitles.files import Markup, SubtitleFormat
    from edgeavatar.trust.label import Label
    from edgeavatar.types import FaceObservation, Frame, SpeechChunk

_MOUTH_ROOM = 0.3
"""Kept free around the mouth, in its width: it opens and moves while a subtitle stands."""


class TrackWriter(Protocol):
    """What takes a track of subtitles."""

    @property
    def subtitle_markup(self) -> Markup:
        """What its text is read as."""
        ...

    def write_subtitle(self, text: str, start_s: Fraction, end_s: Fraction) -> None:
        """Append one."""
        ...


class SpokenWords:
    """Words of a voice with exact times, given as they are spoken.

    :meth:`hear` is handed each chunk of speech as it is made; who asks for more words than have
    been made has more speech made.
    """

    def __init__(self) -> None:
        self._heard: deque[Word] = deque()

    def hear(self, chunk: SpeechChunk) -> None:
        """Take a chunk of speech."""
        self._heard.extend(_written_words(chunk))

    def follow(self, words: Words) -> Iterator[Word]:
        """Yield all words of what ``words`` speaks."""
        while self._heard or words.lasts_beyond(words.duration_s):
            while self._heard:
                yield self._heard.popleft()


def _written_words(chunk: SpeechChunk) -> list[Word]:
    rate = chunk.audio.sample_rate
    return with_punctuation(
        chunk.text,
        [
            Word(word.text, Fraction(word.start_sample, rate), Fraction(word.end_sample, rate))
            for word in chunk.words
        ],
    )


class Captions:
    """The subtitles of one result.

    Parameters
    ----------
    words
        In order of time.
    files
        Files to write when the result ends, open.
    track
        Whether the result has a track of subtitles.
    stage
        The picture, if they are drawn into it.
    """

    def __init__(
        self,
        words: Iterable[Word],
        files: dict[SubtitleFormat, IO[bytes]],
        *,
        track: bool,
        stage: Stage | None,
    ) -> None:
        read, drawn = tee(words)
        self._cues = make_cues(read)
        self._next = next(self._cues, None) if files or track else None
        self._begun: list[Cue] = []
        self._tracked = 0
        self._files = files
        self._track = track
        self._stage = stage
        self._drawn = None if stage is None else make_cues(drawn, stage.limits)
        self._shown: Cue | None = None
        self._caption: Caption | None = None
        self._mouth: Box | None = None

    def draw(self, frame: Frame, face: FaceObservation | None) -> Frame:
        """Return a frame with what is said in it, if that is asked for.

        Where a subtitle stands is decided when it first shows; it does not jump.
        """
        if self._drawn is None or self._stage is None:
            return frame
        if face is not None:
            self._mouth = mouth_box(face)
        while self._shown is None or self._shown.end_s <= frame.time_s:
            self._caption = None
            self._shown = next(self._drawn, None)
            if self._shown is None:
                return frame
        if frame.time_s < self._shown.start_s:
            return frame
        if self._caption is None:
            self._caption = draw_caption(self._shown.lines, self._stage, self._mouth)
        return self._caption.apply(frame)

    def write_until(self, time_s: Fraction, writer: TrackWriter) -> None:
        """Put what has ended before a moment into the track, and keep what has begun."""
        while self._next is not None and self._next.start_s <= time_s:
            self._begun.append(self._next)
            self._next = next(self._cues, None)
        while (
            self._track
            and self._tracked < len(self._begun)
            and self._begun[self._tracked].end_s <= time_s
        ):
            self._put(self._begun[self._tracked], writer)
            self._tracked += 1

    def finish(self, end_s: Fraction, writer: TrackWriter) -> list[str]:
        """Write the rest, as far as the result lasts, and tell what is to be told."""
        self.write_until(end_s, writer)
        cues = list(clipped(self._begun, end_s))
        for cue in cues[self._tracked :] if self._track else ():
            self._put(cue, writer)
        for kind, file in self._files.items():
            for piece in written(cues, kind):
                file.write(piece.encode("utf-8"))
        return fast_notes(sum(map(is_fast, cues)), len(cues))

    def _put(self, cue: Cue, writer: TrackWriter) -> None:
        markup = writer.subtitle_markup
        text = "\n".join(escaped(line, markup) for line in cue.lines)
        writer.write_subtitle(text, cue.start_s, cue.end_s)


def mouth_box(face: FaceObservation) -> Box:
    """Give left, top, right and bottom of the mouth in pixels, with room for its movement."""
    lips = face.landmarks[list(LIPS), :2]
    (left, top), (right, bottom) = lips.min(axis=0).tolist(), lips.max(axis=0).tolist()
    room = _MOUTH_ROOM * (right - left)
    return left - room, top - room, right + room, bottom + room


def subtitle_files(job: RenderJob) -> dict[SubtitleFormat, Path]:
    """Name the files of subtitles beside the output of a job."""
    formats: tuple[SubtitleFormat, ...] = ("srt", "vtt")
    return {form: job.output.with_suffix(f".{form}") for form in formats if form in job.subtitles}


@contextmanager
def open_captions(
    job: RenderJob, words: Words, spoken: SpokenWords, picture: Picture, label: Label | None
) -> Iterator[Captions | None]:
    """Open the subtitles of a job; None if it has none.

    Raises
    ------
    UsageError
        The text has letters that cannot be drawn, or the picture is too small to draw any.
    ModelNotFound
        The words come from a recording and the recogniser is not installed.
    """
    if not job.subtitles:
        yield None
        return
    with ExitStack() as stack:
        stage = None
        if "burn" in job.subtitles:
            info = picture.info
            floor = info.height if label is None else label.y0
            stage = Stage(info.width, info.height, info.colour, floor)
            check_showable(job.text or "")
        if job.text is not None:
            heard = spoken.follow(words)
        else:
            assert job.audio is not None  # RenderJob.check
            ears = stack.enter_context(open_ears(threads=job.threads))
            heard = (word for part in hear_words(job.audio, ears) for word in part.words)
        files = {
            form: stack.enter_context(whole_file(path))
            for form, path in subtitle_files(job).items()
        }
        yield Captions(heard, files, track="track" in job.subtitles, stage=stage)


def hearer(job: RenderJob, spoken: SpokenWords) -> Callable[[SpeechChunk], None] | None:
    """Give what is to hear the speech of a job: nobody if it has no subtitles."""
    return spoken.hear if job.subtitles else None
