"""How a face is framed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHOTS: Final[tuple[tuple[float, str], ...]] = (
    (0.76, "extreme close-up"),
    (0.42, "close-up"),
    (0.30, "medium close-up"),
    (0.18, "medium"),
    (0.0, "long"),
)
"""Least face height over frame height of each shot. A close-up ends at the shoulders (1.4 head
heights from the crown), a medium close-up at the chest (2), a medium shot at the waist (3), a long
shot shows all of a person (7.5, canon of figure drawing), each with a tenth of headroom; the bounds
are the geometric means between them, times .8: from hairline to chin it is 18.7 cm, from crown to
chin 23 cm (ANSUR II, mean of men and women)."""
CROWN_ABOVE: Final = 0.23
"""From hairline to crown, in face heights, along the face."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Where a face is in its frame."""

    shot: str
    headroom: float
    off_centre: float
    thirds_distance: float


def frame_face(
    width: int, height: int, face_px: float, crown_y: float, eyes_x: float, eyes_y: float
) -> Framing:
    """Tell the framing of one face.

    Parameters
    ----------
    width, height
        Of the frame, in pixels.
    face_px
        Hairline to chin.
    crown_y
        Of the highest point of the head; below 0 it is cut off.
    eyes_x, eyes_y
        Middle between the eyes.

    Returns
    -------
    Framing
        See :class:`edgeavatar.analysis.results.Style` for the meaning of each.
    """
    share = face_px / height
    return Framing(
        shot=next(name for least, name in SHOTS if share >= least),
        headroom=crown_y / height,
        off_centre=eyes_x / width - 0.5,
        thirds_distance=1 / 3 - eyes_y / height,
    )
