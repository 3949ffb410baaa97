"""The faces of a video, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edgeavatar.face.others import OtherFaces

if TYPE_CHECKING:
    from edgeavatar.face import FaceTracker
    from edgeavatar.pipeline.looks import Look
    from edgeavatar.types import FaceObservation

OTHERS_EVERY: Final = 5
"""Frames between two looks at the faces beside the main one."""
SEARCH_EVERY: Final = 50
"""Frames between two searches for more large faces; a search costs as much as two frames do."""
SMALL_SEARCH_EVERY: Final = 500
"""Frames between two searches for small ones too, which cost as much as 15 frames."""


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of one frame."""

    look: Look
    main: FaceObservation | None
    others: list[FaceObservation] | None
    """None in frames in which they were not looked at."""


def faces_in(looks: Iterable[Look], tracker: FaceTracker) -> Iterator[Faces]:
    """Find the faces of the frames of a video, without their expression.

    Parameters
    ----------
    looks
        Of consecutive frames.
    tracker
        Follows the main face; closed by whoever made it.
    """
    others = OtherFaces(tracker)
    for index, look in enumerate(looks):
        if look.fresh:
            tracker.reset()
            others.forget()
        main = tracker.track(look.frame, expression=False)
        if index % SEARCH_EVERY == 0 or look.fresh:
            small_too = index % SMALL_SEARCH_EVERY == 0 or look.fresh
            others.search(look.bgr, main, small_too=small_too)
        beside = others.read(look.bgr, main) if index % OTHERS_EVERY == 0 else None
        yield Faces(look, main, beside)


def expressions_in(seen: Iterable[Faces], tracker: FaceTracker) -> Iterator[Faces]:
    """Read the expression of faces that :func:`faces_in` found, with the same tracker.

    Nothing hangs on it when the next frame is looked at, so another thread may do it.
    """
    for faces in seen:
        main = None if faces.main is None else tracker.express(faces.main)
        others = None if faces.others is None else [tracker.express(face) for face in faces.others]
        yield replace(faces, main=main, others=others)
