"""How a face's landmarks move when a blendshape weight changes.

The table is derived from the ICT-FaceKit rig (MIT, USC Institute for Creative Technologies) by
``export/face_basis.py``: each of the face model's landmarks is tied to the rig vertex that explains
it best over many rendered expressions, and the rig's deltas at those vertices are brought into the
canonical face's space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar import zoo
from edgeavatar.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeavatar.types import FloatArray


@dataclass(frozen=True, slots=True)
class FaceBasis:
    """Linear displacement of the 478 landmarks per unit weight."""

    names: tuple[str, ...]
    displacements_cm: FloatArray
    """``(len(names), 478, 3)`` float32 in the canonical face's space (x right, y up, z near)."""

    def select(self, names: Sequence[str]) -> FloatArray:
        """Displacements of the given weights, zeros for names that move no landmark.

        Returns
        -------
        FloatArray
            ``(len(names), 478, 3)`` float32, centimetres.
        """
        out = np.zeros((len(names), *self.displacements_cm.shape[1:]), np.float32)
        for row, name in enumerate(names):
            if name in self.names:
                out[row] = self.displacements_cm[self.names.index(name)]
        return out


def load_basis(path: Path | None = None) -> FaceBasis:
    """Read the table that ships with edgeavatar.

    Raises
    ------
    IntegrityError
        If the file is not a table of 478 landmarks.
    """
    path = zoo.own_file("face_basis.npz") if path is None else path
    try:
        with np.load(path, allow_pickle=False) as data:
            names = tuple(str(name) for name in data["names"])
            table = data["basis"].astype(np.float32)
    except (OSError, KeyError, ValueError) as error:
        raise IntegrityError(
            f"{path}: expected a face basis, found something else ({error}); reinstall edgeavatar"
        ) from None
    if table.shape != (len(names), 478, 3):
        raise IntegrityError(
            f"{path}: expected ({len(names)}, 478, 3) displacements, found {table.shape}; "
            "reinstall edgeavatar"
        )
    return FaceBasis(names, table)
