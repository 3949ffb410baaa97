"""From the faces of a frame to rows of the table of faces, and to what arms do."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeavatar.analysis.gestures import GestureWatch
from edgeavatar.analysis.quality import measure_face
from edgeavatar.face.measures import face_height
from edgeavatar.pipeline.covering import MouthWatch
from edgeavatar.pipeline.face_reading import face_row
from edgeavatar.rendering.interior import face_colours

if TYPE_CHECKING:
    from edgeavatar.face.body import BodyModel
    from edgeavatar.pipeline.face_looks import Faces
    from edgeavatar.types import FaceObservation

QUALITY_EVERY: Final = 5
"""Frames between two measures of light, sharpness and colours of a face."""
COVER_EVERY: Final = 2
"""Frames between two looks at what is before the mouth."""
BODY_EVERY: Final = 5
"""Frames between two looks at the body."""
RARELY: Final = 5
"""Looks of which one is taken while no arm is seen, as in a close-up."""
_ARMLESS: Final = 5
"""Looks without an arm after which that begins."""


class FaceNotes:
    """Measures the faces of consecutive frames.

    Parameters
    ----------
    body
        Reads the arms of the main face; None if it is not installed.
    """

    def __init__(self, body: BodyModel | None) -> None:
        self._body = body
        self._gestures = GestureWatch()
        self._mouth = MouthWatch()
        self._armless = 0

    def rows(self, faces: Faces, index: int) -> list[dict[str, Any]]:
        """Give the columns of each face but ``index`` and ``track``; the main face first."""
        rows = []
        if faces.main is not None:
            rows.append(self._row(faces, faces.main, index))
            if index % COVER_EVERY == 0:
                rows[0]["mouth_covered"] = self._mouth.push(faces.look.frame, faces.main)
        return rows + [self._row(faces, face, index) for face in faces.others or ()]

    def arms(self, faces: Faces, index: int, time_s: float) -> dict[str, Any]:
        """Give the columns ``body`` and ``gesture`` of a frame."""
        nothing = {"body": -1, "gesture": math.nan}
        if self._body is None or faces.main is None or index % BODY_EVERY:
            return nothing
        if self._armless >= _ARMLESS and index % (BODY_EVERY * RARELY):
            return nothing
        reading = self._body.read(faces.look.bgr, faces.main)
        points = None if reading is None else reading.points
        armed = points is not None and not np.isnan(points[2:]).all()
        self._armless = 0 if armed else self._armless + 1
        speed = self._gestures.push(points, face_height(faces.main.landmarks), time_s)
        return {"body": int(points is not None), "gesture": speed}

    def cut(self) -> None:
        """Begin anew, as at a cut."""
        self._mouth.forget()
        self._gestures.cut()
        self._armless = 0

    @staticmethod
    def _row(faces: Faces, face: FaceObservation, index: int) -> dict[str, Any]:
        row = face_row(face)
        if index % QUALITY_EVERY == 0:
            bgr = faces.look.bgr
            row |= dataclasses.asdict(measure_face(bgr, face))
            with contextlib.suppress(ValueError):  # of a face whose cheeks are outside the picture
                row["skin"], sclera = face_colours(bgr, face.landmarks, face.pose.scale_px)
                if sclera is not None:
                    row["sclera"] = sclera
        return row
