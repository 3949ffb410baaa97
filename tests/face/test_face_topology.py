from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.face import topology
from edgeavatar.face.geometry import CanonicalMesh


def _pairs(mesh: CanonicalMesh) -> np.ndarray:
    corners = mesh.triangles
    return np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])


def _edges(mesh: CanonicalMesh) -> set[tuple[int, int]]:
    return {(min(a, b), max(a, b)) for a, b in _pairs(mesh).tolist()}


def _steps(path: tuple[int, ...], *, closed: bool) -> list[tuple[int, int]]:
    following = path[1:] + path[:1] if closed else path[1:]
    return [(min(a, b), max(a, b)) for a, b in zip(path, following, strict=False)]


@pytest.mark.parametrize("name", ["OUTER_LIPS", "INNER_LIPS", "LEFT_EYE", "RIGHT_EYE", "FACE_OVAL"])
def test_rings_run_along_edges_of_the_mesh(canonical: CanonicalMesh, name: str) -> None:
    ring = getattr(topology, name)
    assert len(set(ring)) == len(ring)
    assert set(_steps(ring, closed=True)) <= _edges(canonical)


@pytest.mark.parametrize(
    "name",
    [
        "RIGHT_BROW_UPPER",
        "RIGHT_BROW_LOWER",
        "LEFT_BROW_UPPER",
        "LEFT_BROW_LOWER",
        "INNER_LIP_UPPER",
        "OUTER_LIP_LOWER",
    ],
)
def test_paths_run_along_edges_of_the_mesh(canonical: CanonicalMesh, name: str) -> None:
    assert set(_steps(getattr(topology, name), closed=False)) <= _edges(canonical)


def test_the_rings_of_the_lips_lie_in_each_other(canonical: CanonicalMesh) -> None:
    edges = _edges(canonical)
    assert len(topology.LIPS) == 80
    for ring in topology.LIP_RINGS:
        assert set(_steps(ring, closed=True)) <= edges
    for outer, inner in zip(topology.LIP_RINGS, topology.LIP_RINGS[1:], strict=False):
        assert {(min(a, b), max(a, b)) for a, b in zip(outer, inner, strict=True)} <= edges


def test_left_is_the_persons_left(canonical: CanonicalMesh) -> None:
    x = canonical.vertices[:, 0]
    for left, right in (
        (topology.LEFT_EYE, topology.RIGHT_EYE),
        (topology.LEFT_BROW_UPPER, topology.RIGHT_BROW_UPPER),
        ((topology.LEFT_MOUTH_CORNER,), (topology.RIGHT_MOUTH_CORNER,)),
    ):
        # The canonical face looks at the viewer, so its left is the picture's right.
        assert x[list(left)].min() > 0 > x[list(right)].max()
        mirrored = canonical.vertices[list(right)] * (-1, 1, 1)
        np.testing.assert_allclose(canonical.vertices[list(left)], mirrored, atol=0.1)


def test_blendshape_landmarks() -> None:
    chosen = topology.BLENDSHAPE_LANDMARKS
    assert len(chosen) == 146
    assert list(chosen) == sorted(set(chosen))
    assert set(range(468, 478)) < set(chosen)
    assert max(chosen) < topology.LANDMARK_COUNT


def test_the_mesh_ends_at_the_oval_and_has_no_holes(canonical: CanonicalMesh) -> None:
    pairs = np.sort(_pairs(canonical), axis=1)
    edges, counts = np.unique(pairs, axis=0, return_counts=True)
    assert {int(index) for index in edges[counts == 1].ravel()} == set(topology.FACE_OVAL)
    for ring in (topology.INNER_LIPS, topology.LEFT_EYE, topology.RIGHT_EYE):
        filling = np.isin(canonical.triangles, ring).all(axis=1)
        assert np.count_nonzero(filling) == len(ring) - 2
