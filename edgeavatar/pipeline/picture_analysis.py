"""One pass over a video, or a look at a photo: everything that is seen, as columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.analysis.columns import FACE_COLUMNS, FRAME_COLUMNS, Columns
from edgeavatar.analysis.compression import is_repeated
from edgeavatar.analysis.movement import HEIGHT, BackgroundWatch
from edgeavatar.analysis.quality import measure_face, measure_frame
from edgeavatar.analysis.shots import CutFinder
from edgeavatar.analysis.tracks import TrackBook, split_at_cuts
from edgeavatar.face import FaceTracker
from edgeavatar.face.others import OtherFaces
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pipeline.covering import MouthWatch
from edgeavatar.pipeline.face_reading import box_of, face_row
from edgeavatar.types import Frame
from edgeavatar.video.prefetch import prefetch

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FaceObservation
    from edgeavatar.video.reader import VideoReader

    Tell = Callable[[str, float | None, int], None]
    Table = dict[str, npt.NDArray[np.generic]]

OTHERS_EVERY: Final = 5
"""Frames between two looks at the faces beside the main one."""
SEARCH_EVERY: Final = 15
"""Frames between two searches for more large faces; a search costs as much as a frame does."""
SMALL_SEARCH_EVERY: Final = 300
"""Frames between two searches for small ones too."""
QUALITY_EVERY: Final = 5
"""Frames between two measures of the whole picture and of the face's light and sharpness."""
LEAST_LOOKS: Final = 3
"""Looks in which a face must be seen to count: what is seen less often is a pattern of a shirt."""
_AHEAD: Final = 3
"""Frames that are decoded ahead; each takes 12 MB in 1080p."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was seen, row by row."""

    width: int
    height: int
    duration_s: float | None
    """None for a photo."""
    frame_rate: float | None
    has_audio: bool
    colour_temperature_k: float | None
    frames: Table
    faces: Table
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """A frame in all sizes that are looked at."""

    frame: Frame
    bgr: ByteArray
    small: ByteArray
    """Luma, about 216 high."""
    factor: float
    """Pixels of the frame in one of ``small``."""


def look_at_video(
    reader: VideoReader, tell: Tell, *, threads: int | None = None, choice: str = "largest"
) -> Seen:
    """Read a video once, and note what is seen in every frame.

    Memory does not grow with the length but for what is returned, 300 bytes a frame.

    Parameters
    ----------
    reader
        The video.
    tell
        Called with the stage, the share done (None if unknown) and the frames read.
    threads
        Of the face models; default: all processors.
    choice
        Which face is the main one, see :func:`edgeavatar.face.select_face`.

    Raises
    ------
    ModelNotFound
        The face model is not installed.
    MediaError
        The file can no longer be read.
    """
    total = reader.info.frame_count
    with FaceTracker(choice=choice, threads=threads) as tracker:
        passing = _Pass(tracker, float(reader.info.rate))
        for look in prefetch(lambda: map(_look, reader.frames()), _AHEAD):
            passing.push(look)
            done = look.frame.index + 1
            tell("looking", min(1.0, done / total) if total else None, done)
        passing.finish()
    end_s = float(reader.end_time_s)
    count = passing.frames.rows
    return Seen(
        width=reader.info.width,
        height=reader.info.height,
        duration_s=end_s,
        frame_rate=count / end_s if end_s > 0 else float(reader.info.rate),
        has_audio=reader.info.has_audio,
        colour_temperature_k=None,
        frames=passing.frames.table(),
        faces=passing.face_table(),
        notes=tuple(reader.warnings),
    )


def look_at_photo(photo: Frame, *, threads: int | None = None, choice: str = "largest") -> Seen:
    """Note what is seen in a photo: one row, and one for each face."""
    with FaceTracker(choice=choice, threads=threads) as tracker:
        passing = _Pass(tracker, 25.0)
        passing.push(_look(photo))
        passing.finish()
    return Seen(
        photo.width,
        photo.height,
        None,
        None,
        has_audio=False,
        colour_temperature_k=None,
        frames=passing.frames.table(),
        faces=passing.face_table(),
        notes=(),
    )


def _look(frame: Frame) -> _Look:
    factor = max(1.0, frame.height / HEIGHT)
    size = max(1, round(frame.width / factor)), max(1, round(frame.height / factor))
    small: Any = cv2.resize(frame.y, size, interpolation=cv2.INTER_AREA)
    return _Look(frame, frame_to_bgr(frame), np.asarray(small, np.uint8), factor)


def without_glimpses(faces: Table, frames: int) -> Table:
    """Leave out the tracks of fewer rows than :data:`LEAST_LOOKS`, if there were as many looks."""
    if frames <= LEAST_LOOKS * OTHERS_EVERY:
        return faces
    numbers, rows = np.unique(faces["track"], return_counts=True)
    kept = np.isin(faces["track"], numbers[rows >= LEAST_LOOKS])
    return {name: column[kept] for name, column in faces.items()}


class _Pass:
    """State of one pass over the frames of a video."""

    def __init__(self, tracker: FaceTracker, frame_rate: float) -> None:
        self.frames = Columns(FRAME_COLUMNS)
        self._faces = Columns(FACE_COLUMNS)
        self._tracker = tracker
        self._others = OtherFaces(tracker)
        self._book = TrackBook()
        self._background = BackgroundWatch(frame_rate)
        self._shots = CutFinder()
        self._cuts: list[int] = []
        self._boxes: list[tuple[float, float, float, float]] = []
        self._mouth = MouthWatch()
        self._before: ByteArray | None = None

    def push(self, look: _Look) -> None:
        """Note what is seen in the next frame."""
        frame, index = look.frame, self.frames.rows
        time_s = float(frame.time_s)
        cut = self._shots.push(look.small, frame.u, frame.v)
        if cut is not None:
            self._cut_at(cut)
        self._note_faces(look, index, time_s)
        scaled = [tuple(side / look.factor for side in box) for box in self._boxes]
        shift = self._background.push(look.small, scaled)  # type: ignore[arg-type]
        quality: dict[str, Any] = {}
        if index % QUALITY_EVERY == 0:
            quality = dataclasses.asdict(measure_frame(frame.y))
        self.frames.add(
            index=index,
            time_s=time_s,
            contrast=float(look.small.std()) / 255.0,
            camera_dx=shift.dx,
            camera_dy=shift.dy,
            camera_px_per_s=shift.px_per_s,
            still=shift.still,
            body=-1,
            repeated=self._before is not None and is_repeated(self._before, frame.y),
            **quality,
        )
        self._before = frame.y

    def finish(self) -> None:
        """Note what only the end tells."""
        for cut in self._shots.finish():
            self._cut_at(cut)

    def face_table(self) -> Table:
        """Rows of faces, tracks parted at cuts."""
        table = without_glimpses(self._faces.table(), self.frames.rows)
        table["track"] = split_at_cuts(table["index"], table["track"], self._cuts)
        return table

    def _cut_at(self, index: int) -> None:
        self._cuts.append(index)
        self.frames.mark("cut", index, True)
        self._tracker.reset()
        self._others.forget()
        self._background.cut()
        self._mouth.forget()

    def _note_faces(self, look: _Look, index: int, time_s: float) -> None:
        main = self._tracker.track(look.bgr)
        seen = [] if main is None else [main]
        if index % SEARCH_EVERY == 0:
            self._others.search(look.bgr, main, small_too=index % SMALL_SEARCH_EVERY == 0)
        if index % OTHERS_EVERY == 0:
            seen += self._others.read(look.bgr, main)
        rows = [self._row(look, index, face) for face in seen]
        if main is not None:
            rows[0]["mouth_covered"] = self._mouth.push(look.frame, main)
        boxes = [box_of(row) for row in rows]
        for row, track in zip(rows, self._book.number(boxes, time_s), strict=True):
            self._faces.add(index=index, track=track, **row)
        if index % OTHERS_EVERY == 0:
            self._boxes = boxes
        else:
            self._boxes = boxes + self._boxes[1:]

    def _row(self, look: _Look, index: int, face: FaceObservation) -> dict[str, Any]:
        row = face_row(face)
        if index % QUALITY_EVERY == 0:
            row |= dataclasses.asdict(measure_face(look.bgr, face))
        return row
