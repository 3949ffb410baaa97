"""The faces of a video, frame by frame, as rows of the table of faces."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from edgeavatar.analysis.quality import measure_face
from edgeavatar.face.others import OtherFaces
from edgeavatar.pipeline.covering import MouthWatch
from edgeavatar.pipeline.face_reading import box_of, face_row
from edgeavatar.rendering.interior import face_colours

if TYPE_CHECKING:
    from edgeavatar.face import FaceTracker
    from edgeavatar.face.body import BodyModel
    from edgeavatar.pipeline.looks import Look
    from edgeavatar.types import FaceObservation, FloatArray

    Box = tuple[float, float, float, float]

OTHERS_EVERY: Final = 5
"""Frames between two looks at the faces beside the main one."""
SEARCH_EVERY: Final = 25
"""Frames between two searches for more large faces; a search costs as much as two frames do."""
SMALL_SEARCH_EVERY: Final = 300
"""Frames between two searches for small ones too."""
BODY_EVERY: Final = 5
"""Frames between two looks at the body."""
QUALITY_EVERY: Final = 5
"""Frames between two measures of light, sharpness and colours of a face."""


@dataclass(frozen=True, slots=True)
class Faces:
    """What is seen of faces in one frame."""

    look: Look
    rows: list[dict[str, Any]]
    """Columns of each face, without ``index`` and ``track``; the main face first, if it is seen."""
    boxes: list[Box]
    """Around all faces that are known, also those that were not read in this frame."""
    body: FloatArray | None = None
    """``(6, 2)`` joints of the main face's arms; see :class:`~edgeavatar.face.body.BodyReading`."""
    body_sought: bool = False
    """Whether a body was looked for."""


def faces_in(
    looks: Iterable[Look], tracker: FaceTracker, body: BodyModel | None = None
) -> Iterator[Faces]:
    """Read the faces of the frames of a video.

    Parameters
    ----------
    looks
        Of consecutive frames.
    tracker
        Follows the main face; closed by whoever made it.
    body
        Reads the arms of the main face, if it is installed.
    """
    others, mouth = OtherFaces(tracker), MouthWatch()
    beside: list[Box] = []
    for index, look in enumerate(looks):
        if look.cut is not None:
            tracker.reset()
            others.forget()
            mouth.forget()
        main = tracker.track(look.bgr)
        rows = []
        if main is not None:
            covered = mouth.push(look.frame, main)
            rows = [_row(look, main, index) | {"mouth_covered": covered}]
        boxes = [box_of(row) for row in rows]
        if index % SEARCH_EVERY == 0 or look.cut is not None:
            small_too = index % SMALL_SEARCH_EVERY == 0 or look.cut is not None
            others.search(look.bgr, main, small_too=small_too)
        if index % OTHERS_EVERY == 0:
            found = [_row(look, face, index) for face in others.read(look.bgr, main)]
            beside = [box_of(row) for row in found]
            rows += found
        seeking = body is not None and main is not None and index % BODY_EVERY == 0
        arms = body.read(look.bgr, main) if seeking and body and main else None
        yield Faces(
            look, rows, boxes + beside, None if arms is None else arms.points, body_sought=seeking
        )


def _row(look: Look, face: FaceObservation, index: int) -> dict[str, Any]:
    row = face_row(face)
    if index % QUALITY_EVERY == 0:
        row |= dataclasses.asdict(measure_face(look.bgr, face))
        with contextlib.suppress(ValueError):  # of a face whose cheeks are outside the picture
            row["skin"], sclera = face_colours(look.bgr, face.landmarks, face.pose.scale_px)
            if sclera is not None:
                row["sclera"] = sclera
    return row
