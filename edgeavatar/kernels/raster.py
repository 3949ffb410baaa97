"""Which triangle is seen at each of eight points of every pixel.

The result is a visibility buffer: triangle numbers, no colours. A shader then works once for each
triangle that a pixel shows instead of once for each point (multisampling), so an edge is smooth in
steps of an eighth of a pixel while the cost stays near one shade per pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SAMPLE_COUNT = 8
SAMPLE_OFFSETS = (
    np.array(
        [[1, -3], [-1, 3], [5, 1], [-3, -5], [-5, 5], [-7, -1], [3, 7], [7, -7]], dtype=np.float32
    )
    / 16
)
"""``(8, 2)`` x and y of the points from the pixel's centre, in pixels: eight rooks on a chess
board, the standard eight-sample pattern of Direct3D 11.1. No two points share a row or a column,
so a nearly upright or level edge crosses them one at a time."""

NOTHING = -1
"""Triangle number of a point where nothing is."""

_SMALLEST_AREA_PX = 1e-7


def full_spans(height: int, width: int) -> npt.NDArray[np.int32]:
    """Spans that cover a whole picture, ``(height, 2)`` int32 for :func:`rasterise`."""
    spans = np.empty((height, 2), dtype=np.int32)
    spans[:, 0] = 0
    spans[:, 1] = width
    return spans


def rasterise(
    vertices: npt.NDArray[np.float32],
    triangles: npt.NDArray[np.int32],
    spans: npt.NDArray[np.int32],
    width: int,
    *,
    visible: npt.NDArray[np.int32] | None = None,
    depth: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.int32]:
    """Find the nearest triangle at every sample point inside the spans.

    A triangle is seen from its front only, where its corners follow each other counter-clockwise
    on the screen. Degenerate triangles and triangles with a corner that is not finite
    are left out. Of two triangles at the same depth the first in the list wins, so the picture
    depends on nothing but the arguments.

    Parameters
    ----------
    vertices
        ``(n, 3)`` float32 C-contiguous: x and y in pixels of the picture, where whole numbers are
        pixel centres, and depth, where less is nearer.
    triangles
        ``(m, 3)`` int32 C-contiguous, rows of ``vertices``.
    spans
        ``(height, 2)`` int32: in row ``i`` only pixels ``spans[i, 0] <= x < spans[i, 1]`` are
        worked on.
    width
        Width of the picture in pixels.
    visible, depth
        Optional memory to write to, ``(height, width, 8)`` int32 and float32 C-contiguous. Outside
        the spans it is left as it was.

    Returns
    -------
    ndarray
        ``(height, width, 8)`` int32: the number of the triangle seen at each of
        :data:`SAMPLE_OFFSETS`, or :data:`NOTHING`. Outside the spans: :data:`NOTHING` in memory
        made here, else whatever was there.

    Raises
    ------
    ValueError
        If a shape does not fit or a triangle names a vertex that does not exist.
    """
    height = spans.shape[0]
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ValueError(f"expected vertices (n, 3), found {vertices.shape}")
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(f"expected triangles (m, 3), found {triangles.shape}")
    if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(vertices)):
        raise ValueError(f"a triangle names a vertex outside 0..{len(vertices) - 1}")
    shape = (height, width, SAMPLE_COUNT)
    if visible is None:
        visible = np.full(shape, NOTHING, dtype=np.int32)
    if depth is None:
        depth = np.empty(shape, dtype=np.float32)
    if visible.shape != shape or depth.shape != shape:
        raise ValueError(f"expected buffers {shape}, found {visible.shape} and {depth.shape}")
    clipped = np.clip(spans, 0, width).astype(np.int32)
    _rasterise(
        np.ascontiguousarray(vertices, dtype=np.float32),
        np.ascontiguousarray(triangles, dtype=np.int32),
        clipped,
        SAMPLE_OFFSETS,
        visible,
        depth,
    )
    return visible


@numba.njit(cache=True)
def _rasterise(
    vertices: npt.NDArray[np.float32],
    triangles: npt.NDArray[np.int32],
    spans: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.float32],
    visible: npt.NDArray[np.int32],
    depth: npt.NDArray[np.float32],
) -> None:
    height = visible.shape[0]
    left, right = visible.shape[1], 0
    top, bottom = height, 0
    for y in range(height):
        if spans[y, 0] < spans[y, 1]:
            left = min(left, spans[y, 0])
            right = max(right, spans[y, 1])
            top = min(top, y)
            bottom = y + 1
            visible[y, spans[y, 0] : spans[y, 1]] = -1
            depth[y, spans[y, 0] : spans[y, 1]] = np.float32(np.inf)
    offset_x = offsets[:, 0].copy()
    offset_y = offsets[:, 1].copy()
    half = np.float32(0.5)
    for number in range(triangles.shape[0]):
        a, b, c = triangles[number, 0], triangles[number, 2], triangles[number, 1]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        bx, by, bz = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        cx, cy, cz = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        # With b and c swapped and y down, a front has a positive area; NaN compares as false.
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not (area > _SMALLEST_AREA_PX) or not np.isfinite(az + bz + cz + area):
            continue
        low_x, high_x = min(ax, bx, cx), max(ax, bx, cx)
        low_y, high_y = min(ay, by, cy), max(ay, by, cy)
        if high_x < left - 1 or low_x > right or high_y < top - 1 or low_y > bottom:
            continue
        x_first = int(np.ceil(max(low_x - half, left)))
        x_last = min(right, int(np.floor(min(high_x + half, right))) + 1)
        y_first = int(np.ceil(max(low_y - half, top)))
        y_last = min(bottom, int(np.floor(min(high_y + half, bottom))) + 1)
        if x_first >= x_last or y_first >= y_last:
            continue
        # Edge functions, each positive inside, as value at the corner's own origin plus slopes.
        ab_x, ab_y = ay - by, bx - ax
        bc_x, bc_y = by - cy, cx - bx
        ca_x, ca_y = cy - ay, ax - cx
        depth_x = (bc_x * az + ca_x * bz + ab_x * cz) / area
        depth_y = (bc_y * az + ca_y * bz + ab_y * cz) / area
        reach_ab = half * (abs(ab_x) + abs(ab_y))
        reach_bc = half * (abs(bc_x) + abs(bc_y))
        reach_ca = half * (abs(ca_x) + abs(ca_y))
        for y in range(y_first, y_last):
            row_first = max(x_first, spans[y, 0])
            row_last = min(x_last, spans[y, 1])
            for x in range(row_first, row_last):
                at_ab = ab_x * (x - ax) + ab_y * (y - ay)
                at_bc = bc_x * (x - bx) + bc_y * (y - by)
                at_ca = ca_x * (x - cx) + ca_y * (y - cy)
                if at_ab < -reach_ab or at_bc < -reach_bc or at_ca < -reach_ca:
                    continue
                at_depth = az + depth_x * (x - ax) + depth_y * (y - ay)
                for k in range(8):
                    dx, dy = offset_x[k], offset_y[k]
                    if (
                        at_ab + ab_x * dx + ab_y * dy >= 0
                        and at_bc + bc_x * dx + bc_y * dy >= 0
                        and at_ca + ca_x * dx + ca_y * dy >= 0
                    ):
                        here = at_depth + depth_x * dx + depth_y * dy
                        if here < depth[y, x, k]:
                            depth[y, x, k] = here
                            visible[y, x, k] = number
