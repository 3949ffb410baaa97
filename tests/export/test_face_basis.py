"""The table that ships can be derived again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeavatar import zoo
from edgeavatar.face.mesh import MeshModel
from edgeavatar.rendering.basis import load_basis


def test_the_rig_and_the_face_model_give_the_table_that_ships(shared_data: Path) -> None:
    from export.face_basis import SCALE_PX, build
    from export.rig import read_rig

    mesh = MeshModel(zoo.resolve("face")["mesh"])
    names, table, distance_px = build(read_rig(shared_data / "ict_facekit.npz"), mesh)
    # Two millimetres: half a lip's height.
    assert np.median(distance_px) < 0.2 * SCALE_PX
    jaw = table[names.index("jawOpen")]
    assert jaw[13, 1] - jaw[14, 1] > 1.0
    shipped = load_basis()
    rows = np.stack([table[names.index(name)] for name in shipped.names])
    assert np.corrcoef(rows.ravel(), shipped.displacements_cm.ravel())[0, 1] > 0.99
