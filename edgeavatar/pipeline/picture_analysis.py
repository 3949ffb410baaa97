"""One pass over a video, or a look at a photo: everything that is seen, as columns.

Four stages work at the same time, each in a thread of its own: frames are decoded and prepared,
faces are found, their expression is read, and everything else is measured and noted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.analysis.columns import FACE_COLUMNS, FRAME_COLUMNS, Columns
from edgeavatar.analysis.compression import is_repeated
from edgeavatar.analysis.movement import BackgroundWatch
from edgeavatar.analysis.quality import measure_frame
from edgeavatar.analysis.shots import CutFinder
from edgeavatar.analysis.tracks import TrackBook, split_at_cuts
from edgeavatar.errors import ModelNotFound
from edgeavatar.face import FaceTracker
from edgeavatar.face.body import BodyModel
from edgeavatar.pipeline.face_looks import OTHERS_EVERY, expressions_in, faces_in
from edgeavatar.pipeline.face_notes import FaceNotes
from edgeavatar.pipeline.face_reading import box_of
from edgeavatar.pipeline.looks import looks_at
from edgeavatar.types import Frame
from edgeavatar.video.prefetch import prefetch

if TYPE_CHECKING:
    from edgeavatar.pipeline.face_looks import Faces
    from edgeavatar.types import ByteArray
    from edgeavatar.video.reader import VideoReader

    Tell = Callable[[str, float | None, int], None]
    FramesOf = Callable[[VideoReader], Iterator[Frame]]
    Keep = Callable[[Frame, dict[str, Any]], None]
    Table = dict[str, npt.NDArray[np.generic]]
    Box = tuple[float, float, float, float]

FRAME_QUALITY_EVERY: Final = 10
"""Frames between two measures of the light, sharpness and compression of the whole picture."""
LEAST_LOOKS: Final = 3
"""Looks in which a face must be seen to count: what is seen less often is a pattern of a shirt."""
NO_BODY: Final = (
    "nothing is told of arms: the model body-pose is not installed; run `edgeavatar models install "
    "body-pose`"
)
_AHEAD: Final = 2
"""Frames that each stage is ahead of the next; each takes 3 to 9 MB in 1080p."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen, row by row."""

    width: int
    height: int
    duration_s: float | None
    """None for a photo."""
    frame_rate: float | None
    has_audio: bool
    frames: Table
    faces: Table
    notes: tuple[str, ...]


def look_at_video(
    reader: VideoReader,
    tell: Tell,
    *,
    threads: int | None = None,
    choice: str = "largest",
    frames_of: FramesOf | None = None,
    keep: Keep | None = None,
) -> Seen:
    """Read a video once, and note what is seen in every frame.

    Memory does not grow with the length but for what is returned, 350 bytes a frame and face.

    Parameters
    ----------
    reader
        The video.
    tell
        Called with the stage, the share done (None if unknown) and the frames read.
    threads
        Of each model; default: 1, because three of them work at the same time.
    choice
        Which face is the main one, see :func:`edgeavatar.face.select_face`.
    frames_of
        Gives all frames of the reader, for whoever wants to see them too; default: the reader.
    keep
        Called with each frame in which the main face is seen and what was noted of it, by column.

    Raises
    ------
    ModelNotFound
        The face model is not installed.
    MediaError
        The file can no longer be read.
    """
    total = reader.info.frame_count
    cuts = CutFinder()
    frames = partial(frames_of, reader) if frames_of else partial(reader.frames, shared=True)
    with _one_thread_a_picture(), _opened(choice, threads) as (tracker, body):
        notes = _Notes(float(reader.info.rate), body, keep)
        with (
            closing(prefetch(lambda: looks_at(frames(), cuts), _AHEAD)) as looks,
            closing(prefetch(lambda: faces_in(looks, tracker), _AHEAD)) as found,
            closing(prefetch(lambda: expressions_in(found, tracker), _AHEAD)) as seen,
        ):
            for faces in seen:
                notes.add(faces)
                done = notes.frames.rows
                tell("looking", min(1.0, done / total) if total else None, done)
    for cut in cuts.finish():
        notes.cut(cut)
    end_s = float(reader.end_time_s)
    count = notes.frames.rows
    return Seen(
        width=reader.info.width,
        height=reader.info.height,
        duration_s=end_s,
        frame_rate=count / end_s if end_s > 0 else float(reader.info.rate),
        has_audio=reader.info.has_audio,
        frames=notes.frames.table(),
        faces=notes.face_table(),
        notes=(*reader.warnings, *(() if body is not None else (NO_BODY,))),
    )


def look_at_photo(photo: Frame, *, threads: int | None = None, choice: str = "largest") -> Seen:
    """Note what is seen in a photo: one row, and one for each face."""
    notes = _Notes(1.0)
    with FaceTracker(choice=choice, threads=threads) as tracker:
        found = faces_in(looks_at([photo], CutFinder()), tracker)
        for faces in expressions_in(found, tracker):
            notes.add(faces)
    return Seen(
        photo.width,
        photo.height,
        None,
        None,
        has_audio=False,
        frames=notes.frames.table(),
        faces=notes.face_table(),
        notes=(),
    )


@contextmanager
def _one_thread_a_picture() -> Iterator[None]:
    """Keep OpenCV from sharing out small pictures to processors that are at work on others."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def _opened(choice: str, threads: int | None) -> Iterator[tuple[FaceTracker, BodyModel | None]]:
    """Open the models; that of bodies is one that people may do without."""
    with ExitStack() as stack:
        tracker = stack.enter_context(FaceTracker(choice=choice, threads=threads or 1))
        body = None
        with suppress(ModelNotFound):
            body = stack.enter_context(BodyModel(threads=threads or 1))
        yield tracker, body


def without_glimpses(faces: Table, frames: int) -> Table:
    """Leave out the tracks of fewer rows than :data:`LEAST_LOOKS`, if there were as many looks."""
    if frames <= LEAST_LOOKS * OTHERS_EVERY:
        return faces
    numbers, rows = np.unique(faces["track"], return_counts=True)
    kept = np.isin(faces["track"], numbers[rows >= LEAST_LOOKS])
    return {name: column[kept] for name, column in faces.items()}


class _Notes:
    """The rows of a video, and what is measured of a frame beside its faces."""

    def __init__(
        self, frame_rate: float, body: BodyModel | None = None, keep: Keep | None = None
    ) -> None:
        self.frames = Columns(FRAME_COLUMNS)
        self._faces = Columns(FACE_COLUMNS)
        self._face_notes = FaceNotes(body)
        self._keep = keep
        self._book = TrackBook()
        self._background = BackgroundWatch(frame_rate)
        self._cuts: list[int] = []
        self._beside: list[Box] = []
        self._before: ByteArray | None = None

    def add(self, faces: Faces) -> None:
        """Note the next frame."""
        look, index = faces.look, self.frames.rows
        frame = look.frame
        time_s = float(frame.time_s)
        if look.fresh:
            self._background.cut()
            self._face_notes.cut()
        if look.cut is not None:
            self.cut(look.cut)
        rows = self._face_notes.rows(faces, index)
        boxes = [box_of(row) for row in rows]
        for row, track in zip(rows, self._book.number(boxes, time_s), strict=True):
            self._faces.add(index=index, track=track, **row)
        if self._keep is not None and faces.main is not None:
            self._keep(frame, rows[0])
        mine = 0 if faces.main is None else 1
        if faces.others is not None:
            self._beside = boxes[mine:]
        people = _scaled(boxes[:mine] + self._beside, look.factor)
        shift = self._background.push(look.small, people)
        quality: dict[str, Any] = {}
        if index % FRAME_QUALITY_EVERY == 0:
            quality = dataclasses.asdict(measure_frame(frame.y))
        self.frames.add(
            index=index,
            time_s=time_s,
            contrast=float(cv2.meanStdDev(look.small)[1].item()) / 255.0,
            camera_dx=shift.dx,
            camera_dy=shift.dy,
            camera_px_per_s=shift.px_per_s,
            still=shift.still,
            repeated=self._before is not None and is_repeated(self._before, frame.y),
            **self._face_notes.arms(faces, index, time_s),
            **quality,
        )
        self._before = frame.y

    def cut(self, index: int) -> None:
        """Note that a shot began with a frame that was added before."""
        self._cuts.append(index)
        self.frames.mark("cut", index, True)

    def face_table(self) -> Table:
        """Rows of faces, tracks parted at cuts."""
        table = without_glimpses(self._faces.table(), self.frames.rows)
        table["track"] = split_at_cuts(table["index"], table["track"], self._cuts)
        return table


def _scaled(boxes: Iterable[Box], factor: float) -> list[Box]:
    return [
        (left / factor, top / factor, right / factor, bottom / factor)
        for left, top, right, bottom in boxes
    ]
