"""How clearly a face is seen in each frame, and the frames that a report may show for it.

A frame that a report shows is known when the whole video was read. To decode it again costs all
frames since its key frame, so the few that are likely to be chosen are kept while they pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy.typing as npt

    from edgeavatar.types import Frame

FRONTAL_DEG: Final = 30.0
APART_S: Final = 1.0
"""Seconds between two frames that are shown."""
_MOST: Final = 4
"""Clear frames that are kept: two are shown, unless others are shown from the same second."""


def clearness(rows: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Tell how well a face is seen, but for its sharpness: frontal, mouth free, eyes open.

    Parameters
    ----------
    rows
        Columns of one face, as in ``faces_by_frame``, or one row of it; some may be missing.

    Returns
    -------
    numpy.ndarray
        As many values as there are rows, 0 to about 1.1.
    """
    worth = np.ones(np.shape(rows["index"]))
    for name in ("yaw_deg", "pitch_deg"):
        if name in rows:
            turned = np.nan_to_num(np.abs(_floats(rows[name])), nan=FRONTAL_DEG)
            worth *= np.clip(1.0 - turned / FRONTAL_DEG, 0.05, 1.0)
    for name in ("mouth_covered", "blink"):
        if name in rows:
            worth *= 1.05 - np.clip(np.nan_to_num(_floats(rows[name])), 0.0, 1.0)
    return worth


def by_sharpness(sharpness: Any, sharpest: float) -> npt.NDArray[np.float64]:
    """Give the factor of :func:`clearness` for faces of a sharpness; NaN was not measured."""
    sharp = np.nan_to_num(_floats(sharpness))
    return 0.05 + np.clip(sharp / max(sharpest, 1e-9), 0.0, 1.0)


def _floats(values: Any) -> npt.NDArray[np.float64]:
    return np.asarray(values, np.float64)


class ClearFrames:
    """Keeps the frames in which a face is seen best, and the one in which it is seen worst.

    What is sharp is known at the end alone, so a frame that is wanted may not be among them.
    """

    def __init__(self) -> None:
        self._best: list[tuple[float, Frame]] = []
        self._worst: tuple[float, Frame] | None = None
        self._sharpest = 0.0

    def add(self, frame: Frame, row: Mapping[str, Any]) -> None:
        """Take the next frame of a video, with the row of its main face."""
        # What was not measured in this frame has a row in the table all the same.
        row = {"index": frame.index, "mouth_covered": np.nan, "sharpness": np.nan, **row}
        self._sharpest = max(self._sharpest, float(np.nan_to_num(row["sharpness"])))
        worth = float(clearness(row) * by_sharpness(row["sharpness"], self._sharpest))
        if self._worst is None or worth <= self._worst[0]:
            self._worst = worth, frame
        near = [kept for kept in self._best if frame.time_s - kept[1].time_s < APART_S]
        if any(kept[0] >= worth for kept in near):
            return
        others = [kept for kept in self._best if kept not in near]
        self._best = sorted([*others, (worth, frame)], key=lambda kept: -kept[0])[:_MOST]

    def find(self, index: int) -> Frame | None:
        """Give the frame of a number, if it is among those that are kept."""
        kept = [*self._best, *([] if self._worst is None else [self._worst])]
        return next((frame for _, frame in kept if frame.index == index), None)
