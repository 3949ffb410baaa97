"""Triangle meshes with what a shader needs to know at their corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles and their corners."""

    vertices: FloatArray
    """``(n, 3)`` float32, cm."""
    normals: FloatArray
    """``(n, 3)`` float32, unit length, outwards."""
    albedo: FloatArray
    """``(n, 3)`` float32 BGR in linear light, with creases already darkened."""
    gloss: FloatArray
    """``(n,)`` float32: strength of the wet highlight."""
    triangles: npt.NDArray[np.int32]
    """``(m, 3)`` int32, counter-clockwise seen from outside."""


def join_meshes(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several, in their order."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.albedo for mesh in meshes]),
        np.concatenate([mesh.gloss for mesh in meshes]),
        np.concatenate(
            [mesh.triangles + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
        ).astype(np.int32),
    )


def smooth_normals(vertices: FloatArray, triangles: npt.NDArray[np.int32]) -> FloatArray:
    """Mean of the adjoining faces' normals, weighted by their area; ``(n, 3)`` float32."""
    corners = vertices[triangles].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, triangles[:, corner], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals: FloatArray = (total / np.maximum(length, 1e-12)).astype(np.float32)
    return normals


def grid_triangles(
    rows: int, columns: int, *, closed: bool = False, flip: bool = False
) -> npt.NDArray[np.int32]:
    """Triangles of a sheet whose vertices are stored row by row.

    Parameters
    ----------
    rows, columns
        Size of the sheet.
    closed
        Join the last column to the first.
    flip
        Turn the fronts to the other side; else a front shows where rows go down and columns right.

    Returns
    -------
    ndarray
        ``(m, 3)`` int32.
    """
    row, column = np.mgrid[0 : rows - 1, 0 : columns if closed else columns - 1]
    after = (column + 1) % columns
    a, b = row * columns + column, row * columns + after
    c, d = a + columns, b + columns
    faces = np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    )
    if flip:
        faces = faces[:, ::-1]
    return np.ascontiguousarray(faces, dtype=np.int32)


def ramp(low: float, high: float, x: Floats) -> Floats:
    """Hermite step from 0 at ``low`` to 1 at ``high`` (which may be the lesser), elementwise."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
