"""Rows that grow while a video is read, and the file they go to."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeavatar.analysis.results import Analysis

    Table = Mapping[str, npt.NDArray[np.generic]]

BLENDSHAPES: Final = 52
_FLOAT: Final = "f4"

FRAME_COLUMNS: Final[dict[str, tuple[str, tuple[int, ...]]]] = {
    "index": ("i4", ()),
    "time_s": ("f8", ()),
    **dict.fromkeys(
        (
            *("luma", "contrast", "clipped_low", "clipped_high", "sharpness", "blockiness"),
            *("camera_dx", "camera_dy", "camera_px_per_s", "still", "gesture"),
        ),
        (_FLOAT, ()),
    ),
    "body": ("i1", ()),
    "cut": ("?", ()),
    "repeated": ("?", ()),
}
"""Type and shape of one row of each column of :attr:`Analysis.frames`."""

FACE_COLUMNS: Final[dict[str, tuple[str, tuple[int, ...]]]] = {
    "index": ("i4", ()),
    "track": ("i4", ()),
    **dict.fromkeys(
        (
            *("score", "left", "top", "right", "bottom", "yaw_deg", "pitch_deg", "roll_deg"),
            *("height_px", "eyes_x", "eyes_y", "crown_y", "aperture", "smile", "blink"),
            *("gaze_x", "gaze_y", "mouth_covered", "sharpness", "luma", "side_light"),
            *("inside", "highlight", "clipped_low", "clipped_high", "backlight", "noise"),
            *("glare", "lips"),
        ),
        (_FLOAT, ()),
    ),
    "skin": (_FLOAT, (3,)),
    "sclera": (_FLOAT, (3,)),
    "blendshapes": ("f2", (BLENDSHAPES,)),
}
"""Type and shape of one row of each column of :attr:`Analysis.faces_by_frame`."""


class Columns:
    """A table that grows by rows; memory is that of its rows.

    Parameters
    ----------
    kinds
        Type and shape of one row, by the name of the column.
    """

    def __init__(self, kinds: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
        self.rows = 0
        self._kinds = dict(kinds)
        self._held = {name: _absent(256, *kind) for name, kind in kinds.items()}

    def add(self, **values: object) -> None:
        """Append a row; what is not given is NaN in columns of floats, and 0 in others.

        Raises
        ------
        KeyError
            There is no such column.
        """
        if self.rows == len(self._held["index"]):
            self._grow()
        unknown = set(values) - set(self._held)
        if unknown:
            raise KeyError(f"no columns {sorted(unknown)}")
        for name, value in values.items():
            self._held[name][self.rows] = value
        self.rows += 1

    def mark(self, name: str, row: int, value: object) -> None:
        """Change one value of a row that was added before."""
        self._held[name][row] = value

    def table(self) -> dict[str, npt.NDArray[np.generic]]:
        """Give copies of all columns, ``(rows, ...)`` each."""
        return {name: column[: self.rows].copy() for name, column in self._held.items()}

    def _grow(self) -> None:
        for name, column in self._held.items():
            more = _absent(len(column), column.dtype, column.shape[1:])
            self._held[name] = np.concatenate([column, more])


def _absent(rows: int, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Give rows of which nothing is known."""
    kind = np.dtype(dtype)
    return np.full((rows, *shape), np.nan if kind.kind == "f" else 0, kind)


def write_columns(analysis: Analysis, file: IO[bytes]) -> None:
    """Write the rows of an analysis as a compressed ``.npz``.

    Names are ``frames/time_s``, ``faces/yaw_deg``, ``sound/pitch_hz``, and so on.
    """
    tables = {
        "frames": analysis.frames,
        "faces": analysis.faces_by_frame,
        "sound": analysis.sound,
    }
    np.savez_compressed(
        file,
        allow_pickle=False,
        **{
            f"{room}/{name}": column
            for room, table in tables.items()
            for name, column in table.items()
        },
    )
