from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.kernels.raster import (
    NOTHING,
    SAMPLE_COUNT,
    SAMPLE_OFFSETS,
    full_spans,
    rasterise,
)

AMBIGUOUS = -7


def _reference_rasterise(vertices, triangles, spans, width):
    """Every point against the edge functions of every triangle, in float64.

    A point so near to an edge, or two triangles so near in depth, that rounding decides, is
    marked AMBIGUOUS.
    """
    height = len(spans)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    offsets = SAMPLE_OFFSETS.astype(np.float64)
    x = columns[:, None, :] + offsets[None, :, 0, None]
    y = rows[:, None, :] + offsets[None, :, 1, None]
    seen = np.full(x.shape, NOTHING)
    nearest = np.full(x.shape, np.inf)
    doubtful = np.zeros(x.shape, dtype=bool)
    for number, corners in enumerate(triangles):
        a, b, c = vertices[corners].astype(np.float64)
        area = (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1])
        if not np.isfinite([*a, *b, *c]).all() or area < 1e-7:
            continue
        weights = []
        near_edge = np.zeros(x.shape, dtype=bool)
        for p, q in ((b, c), (c, a), (a, b)):
            inside = (q[1] - p[1]) * (x - p[0]) - (q[0] - p[0]) * (y - p[1])
            near_edge |= np.abs(inside) < 2e-4 * max(np.hypot(*(q - p)[:2]), 1e-3)
            weights.append(inside / area)
        depth = weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2]
        inside = np.all([w >= 0 for w in weights], axis=0)
        reached = np.all([w >= -1e-2 for w in weights], axis=0)
        doubtful |= near_edge & reached & (depth < nearest + 1e-2)
        doubtful |= inside & (np.abs(depth - nearest) < 1e-3)
        better = inside & (depth < nearest)
        seen[better] = number
        nearest[better] = depth[better]
    for row in range(height):
        first, end = spans[row]
        outside = np.ones(width, dtype=bool)
        outside[max(first, 0) : max(end, 0)] = False
        seen[row][:, outside] = NOTHING
        doubtful[row][:, outside] = False
    return np.where(doubtful, AMBIGUOUS, seen)


def _random_scene(seed, count, size, spread):
    rng = np.random.default_rng(seed)
    centre = rng.uniform(-5, size + 5, (count, 1, 3))
    corners = centre + rng.normal(0, spread, (count, 3, 3))
    vertices = corners.reshape(-1, 3).astype(np.float32)
    return vertices, np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


@pytest.mark.parametrize(("spread", "count"), [(0.5, 1200), (3.0, 150), (20.0, 60)])
def test_equals_the_numpy_twin(spread, count):
    vertices, triangles = _random_scene(7, count, 28, spread)
    spans = full_spans(24, 31)
    spans[5] = (4, 20)
    spans[6] = (9, 9)
    spans[7] = (-3, 12)
    spans[8] = (25, 99)
    result = rasterise(vertices, triangles, spans, 31)
    twin = _reference_rasterise(vertices, triangles, spans, 31)
    sure = twin != AMBIGUOUS
    assert sure.mean() > 0.97
    assert (result != NOTHING).mean() > 0.05
    np.testing.assert_array_equal(result[sure], twin[sure])


def test_neighbours_leave_no_crack():
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[-1:13, -1:17].astype(np.float32)
    x = columns * 2.3 + rng.normal(0, 0.35, rows.shape)
    y = rows * 2.1 + rng.normal(0, 0.35, rows.shape)
    vertices = np.stack([x, y, rng.normal(0, 5, rows.shape)], -1).reshape(-1, 3)
    row, column = np.mgrid[0:13, 0:17]
    a = (row * 18 + column).ravel()
    faces = np.concatenate(
        [np.stack([a, a + 18, a + 1], 1), np.stack([a + 1, a + 18, a + 19], 1)]
    ).astype(np.int32)
    result = rasterise(vertices.astype(np.float32), faces, full_spans(20, 30), 30)
    assert (result != NOTHING).all()


def test_only_fronts_are_seen():
    vertices = np.array([[2, 2, 0], [2, 18, 0], [18, 2, 0]], dtype=np.float32)
    front = np.array([[0, 1, 2]], dtype=np.int32)
    assert (rasterise(vertices, front, full_spans(20, 20), 20) == 0).any()
    assert (rasterise(vertices, front[:, ::-1].copy(), full_spans(20, 20), 20) == NOTHING).all()


def test_area_is_counted_to_a_quarter_of_a_pixel():
    for shift in np.linspace(0, 1, 17):
        corners = [[4 + shift, 3, 0], [4 + shift, 13, 0], [14 + shift, 13, 0], [14 + shift, 3, 0]]
        vertices = np.array(corners, dtype=np.float32)
        square = np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)
        seen = rasterise(vertices, square, full_spans(20, 24), 24) != NOTHING
        assert seen.sum() / SAMPLE_COUNT == pytest.approx(100, abs=10 * 0.26)


def test_degenerate_and_broken_triangles_are_left_out():
    vertices = np.array(
        [
            [5, 5, 0],
            [5, 5, 0],
            [9, 9, 0],
            [np.nan, 2, 0],
            [np.inf, 4, 0],
            [3, 3, np.nan],
            [1e30, -1e30, 0],
            [-1e30, 1e30, 0],
        ],
        dtype=np.float32,
    )
    triangles = np.array(
        [[0, 1, 2], [0, 2, 2], [0, 3, 2], [0, 4, 2], [5, 2, 0], [2, 5, 0], [6, 3, 7]],
        dtype=np.int32,
    )
    result = rasterise(vertices, triangles, full_spans(12, 12), 12)
    assert (result == NOTHING).all()


def test_huge_and_distant_triangles_are_clipped():
    vertices = np.array(
        [[-1e6, -1e6, 1], [-1e6, 3e6, 1], [3e6, -1e6, 1], [90, 90, 0], [90, 99, 0], [99, 90, 0]],
        dtype=np.float32,
    )
    result = rasterise(
        vertices, np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32), full_spans(9, 11), 11
    )
    assert (result == 0).all()


def test_memory_is_reused_and_kept_outside_the_spans():
    vertices, triangles = _random_scene(1, 60, 20, 4.0)
    spans = full_spans(16, 20)
    spans[:, 0], spans[:, 1] = 3, 11
    visible = np.full((16, SAMPLE_COUNT, 20), 1234, dtype=np.int32)
    depth = np.zeros((16, SAMPLE_COUNT, 20), dtype=np.float32)
    result = rasterise(vertices, triangles, spans, 20, visible=visible, depth=depth)
    assert result is visible
    fresh = rasterise(vertices, triangles, spans, 20)
    np.testing.assert_array_equal(result[:, :, 3:11], fresh[:, :, 3:11])
    assert (result[:, :, :3] == 1234).all()
    assert (result[:, :, 11:] == 1234).all()


def test_wrong_shapes_are_refused():
    vertices = np.zeros((3, 3), dtype=np.float32)
    triangles = np.array([[0, 1, 2]], dtype=np.int32)
    with pytest.raises(ValueError, match="vertices"):
        rasterise(vertices[:, :2], triangles, full_spans(4, 4), 4)
    with pytest.raises(ValueError, match="triangles"):
        rasterise(vertices, triangles[:, :2], full_spans(4, 4), 4)
    with pytest.raises(ValueError, match="outside"):
        rasterise(vertices, triangles + 1, full_spans(4, 4), 4)
    with pytest.raises(ValueError, match="buffers"):
        rasterise(
            vertices, triangles, full_spans(4, 4), 4, visible=np.zeros((4, 4, 9), dtype=np.int32)
        )
