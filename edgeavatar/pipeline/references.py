"""The moment of a source whose mouth a painter is shown: looked for all over a video."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from edgeavatar.pipeline import reference_cache
from edgeavatar.rendering.reference import LEAST_WORTH, MouthView, shows_mouth, view_mouth, worths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from fractions import Fraction

    from edgeavatar.pipeline.picture import Glimpses
    from edgeavatar.types import FaceObservation, Frame, HeadPose

    Glance = Callable[[Frame], FaceObservation | None]

LOOKS: Final = 40
"""Frames of a video in which a reference is looked for."""


@dataclass(frozen=True, slots=True)
class FoundMoment:
    """The best moment of a video."""

    time_s: Fraction
    worth: float
    """See :func:`~edgeavatar.rendering.reference.worths`."""


def best_moment(
    frames: Iterable[Frame], glance: Glance, lip_line_cm: float, usual: HeadPose
) -> FoundMoment | None:
    """Choose the frame that shows the inside of the mouth best; of each only numbers are kept.

    Parameters
    ----------
    frames
        From all over a video.
    glance
        Sees the face in a frame.
    lip_line_cm
        See :attr:`~edgeavatar.rendering.geometry.Person.lip_line_cm`.
    usual
        How the head is mostly held.

    Returns
    -------
    FoundMoment or None
        None where no moment is worth to be shown.
    """
    times: list[Fraction] = []
    views: list[MouthView] = []
    for frame in frames:
        face = glance(frame)
        view = None if face is None else view_mouth(frame, face, lip_line_cm)
        if view is not None:
            times.append(frame.time_s)
            views.append(view)
    rated = zip(times, worths(views, usual).tolist(), strict=True)
    time_s, worth = max(rated, key=itemgetter(1), default=(None, 0.0))
    return None if time_s is None or worth < LEAST_WORTH else FoundMoment(time_s, worth)


def find_reference(
    source: Glimpses, glance: Glance, lip_line_cm: float, usual: HeadPose, face: str | None
) -> tuple[Frame, FaceObservation] | None:
    """Look for the reference of a video, or where an earlier render found it.

    Parameters
    ----------
    source
        The video.
    glance, lip_line_cm, usual
        See :func:`best_moment`.
    face
        Which face of the video it is, as the job says.

    Returns
    -------
    tuple or None
        The frame and the face in it; None if the video has no moment that is worth it.
    """
    key = reference_cache.entry_key(source.path, face)
    known = None if key is None else reference_cache.read_entry(key)
    if known is not None:
        if known.time_s is None:
            return None
        shown = _look_again(source, glance, known.time_s)
        if shown is not None:
            return shown
    found = best_moment(source.glimpses(LOOKS), glance, lip_line_cm, usual)
    if key is not None:
        note = reference_cache.Note(None if found is None else found.time_s)
        reference_cache.write_entry(key, note)
    return None if found is None else _look_again(source, glance, found.time_s)


def _look_again(
    source: Glimpses, glance: Glance, time_s: Fraction
) -> tuple[Frame, FaceObservation] | None:
    frame = source.glimpse(time_s)
    face = None if frame is None else glance(frame)
    # A file that was replaced by another one may be closed-mouthed at that time.
    return (frame, face) if frame is not None and face is not None and shows_mouth(face) else None
