"""How lively arms move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

LONGEST_S: Final = 0.6
"""Two looks further apart do not tell a speed."""
NARROWEST: Final = 1.2
"""Least shoulder width in face heights: of someone who stands sideways, shoulders seem close
together (biacromial breadth 39 cm over 18.7 cm from hairline to chin is 2.1)."""


class GestureWatch:
    """Tells the speed of arms from one look to the next."""

    def __init__(self) -> None:
        self._last: FloatArray | None = None
        self._last_s = 0.0

    def push(self, points: FloatArray | None, face_px: float, time_s: float) -> float:
        """Take the arms of the next look.

        Parameters
        ----------
        points
            ``(6, 2)``: left and right shoulder, elbow, wrist in pixels, NaN where not seen; None
            without a body.
        face_px
            Height of the face.
        time_s
            Of the look.

        Returns
        -------
        float
            Mean speed of the elbows and wrists that both looks show, relative to the shoulders, in
            shoulder widths per second; NaN if there is none.
        """
        last, passed_s = self._last, time_s - self._last_s
        self._last, self._last_s = points, time_s
        if points is None or last is None or not 0 < passed_s <= LONGEST_S:
            return float("nan")
        width = max(float(np.linalg.norm(points[0] - points[1])), NARROWEST * face_px)
        moved = (points[2:] - points[:2].mean(axis=0)) - (last[2:] - last[:2].mean(axis=0))
        paths = np.linalg.norm(moved, axis=1)
        paths = paths[~np.isnan(paths)]
        return float(paths.mean()) / width / passed_s if len(paths) else float("nan")

    def cut(self) -> None:
        """Forget the last look, as at a cut."""
        self._last = None
