"""How much of a filmed mouth is hidden, frame by frame, as a render will see it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.geometry import fit_person
from edgeavatar.rendering.layers import crop_mouth
from edgeavatar.rendering.occlusion import SIZE, OcclusionWatch, look_at

if TYPE_CHECKING:
    from edgeavatar.types import FaceObservation, Frame

LEARNED_FROM: Final = 5
"""Frames that tell where a person's lips are well enough to look around them."""


class MouthWatch:
    """Follows one face; what is before it is told from its colours in earlier frames."""

    def __init__(self) -> None:
        self._seen: list[FaceObservation] = []
        self._watch: OcclusionWatch | None = None
        self._lip_line_cm = 0.0

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
            self._lip_line_cm = fit_person(self._seen, load_basis()).lip_line_cm
            self._watch = OcclusionWatch(self._lip_line_cm)
            self._seen.clear()
        crop = crop_mouth(face.pose, self._lip_line_cm, SIZE)
        look = look_at(frame, face, crop)
        cover = self._watch.follow(crop, look)
        if cover is None or not look.around_lips.any():
            return 0.0
        return float(np.mean(cover.alpha[look.around_lips]))

    def forget(self) -> None:
        """Begin anew, as after a cut."""
        self._watch = None
        self._seen.clear()
