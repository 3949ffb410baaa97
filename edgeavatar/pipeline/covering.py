"""How much of a filmed mouth is hidden, frame by frame, as a render will see it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.geometry import fit_person
from edgeavatar.rendering.occlusion import OcclusionWatch

if TYPE_CHECKING:
    from edgeavatar.types import FaceObservation, Frame

LEARNED_FROM: Final = 5
"""Frames that tell where a person's lips are well enough to look around them."""


class MouthWatch:
    """Follows one face; what is before it is told from how it looked in earlier frames."""

    def __init__(self) -> None:
        self._seen: list[FaceObservation] = []
        self._watch: OcclusionWatch | None = None
        self._before = 0.0

    def push(self, frame: Frame, face: FaceObservation) -> float:
        """Tell what share of the lips and of what is around them is hidden.

        Parameters
        ----------
        frame
            The next one of a video in which the face is seen.
        face
            The face in it.

        Returns
        -------
        float
            0 to 1; NaN as long as too little is known of the person.
        """
        if self._watch is None:
            self._seen.append(face)
            if len(self._seen) < LEARNED_FROM:
                return math.nan
            self._watch = OcclusionWatch(fit_person(self._seen, load_basis()).lip_line_cm)
            self._seen.clear()
        before, self._before = self._before, self._watch.find(frame, face).share
        # As in a render, a look by itself is no alarm.
        return min(before, self._before)

    def forget(self) -> None:
        """Begin anew, as after a cut."""
        self._watch = None
        self._before = 0.0
        self._seen.clear()
