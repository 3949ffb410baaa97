"""Which triangle is seen at each of four points of every pixel.

The result is a visibility buffer: triangle numbers, no colours. A shader then works once for each
triangle that a pixel shows instead of once for each point (multisampling), so an edge is smooth in
steps of a quarter of a pixel while the cost stays near one shade per pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

SAMPLE_COUNT = 4
SAMPLE_OFFSETS = (np.array([[-2, -6], [6, -2], [-6, 2], [2, 6]]) / 16).astype(np.float32)
"""``(4, 2)`` x and y of the points from the pixel's centre, in pixels: the rotated grid, the
standard four-sample pattern of Direct3D 11.1. No two points share a row or a column, so a nearly
upright or level edge crosses them one at a time. Eight points cost 1.4 times as much for the whole
picture and lower the largest step of a pixel, when the mouth moves by 0.1 px, only from 21 to 17 of
255."""

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
        Optional memory to write to, ``(height, 4, width)`` int32 and float32 C-contiguous. Outside
        the spans it is left as it was.

    Returns
    -------
    ndarray
        ``(height, 4, width)`` int32: the number of the triangle seen at each of
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
    shape = (height, SAMPLE_COUNT, width)
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


@numba.njit(cache=True, nogil=True)
def _rasterise(
    vertices: npt.NDArray[np.float32],
    triangles: npt.NDArray[np.int32],
    spans: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.float32],
    visible: npt.NDArray[np.int32],
    depth: npt.NDArray[np.float32],
) -> None:
    height = visible.shape[0]
    left, end = visible.shape[2], 0
    top, bottom = height, 0
    for y in range(height):
        if spans[y, 0] < spans[y, 1]:
            left = min(left, spans[y, 0])
            end = max(end, spans[y, 1])
            top = min(top, y)
            bottom = y + 1
            visible[y, :, spans[y, 0] : spans[y, 1]] = -1
            depth[y, :, spans[y, 0] : spans[y, 1]] = np.float32(np.inf)
    half = np.float32(0.5)
    zero = np.float32(0)
    for number in range(triangles.shape[0]):
        a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        bx, by, bz = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        cx, cy, cz = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        # Twice the area, positive when seen from the front; NaN compares as false.
        area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
        if not (area > _SMALLEST_AREA_PX):
            continue
        first_x, last_x = min(ax, bx, cx), max(ax, bx, cx)
        first_y, last_y = min(ay, by, cy), max(ay, by, cy)
        if last_x < left - half or first_x > end or last_y < top - half or first_y > bottom:
            continue
        if not np.isfinite(az + bz + cz + area):
            continue
        depth_x = ((bz - az) * (ay - cy) + (cz - az) * (by - ay)) / area
        depth_y = ((bz - az) * (cx - ax) + (cz - az) * (ax - bx)) / area
        y_first = int(np.ceil(max(first_y - half, np.float32(top))))
        y_last = int(np.floor(min(last_y + half, np.float32(bottom - 1))))
        # From the highest corner to the lowest runs one long edge; on the other side of the
        # triangle are two short ones.
        top_x, top_y, mid_x, mid_y, low_x, low_y = ax, ay, bx, by, cx, cy
        if mid_y < top_y:
            top_x, top_y, mid_x, mid_y = mid_x, mid_y, top_x, top_y
        if low_y < mid_y:
            mid_x, mid_y, low_x, low_y = low_x, low_y, mid_x, mid_y
            if mid_y < top_y:
                top_x, top_y, mid_x, mid_y = mid_x, mid_y, top_x, top_y
        long_slope = (low_x - top_x) / (low_y - top_y)
        upper_slope = (mid_x - top_x) / (mid_y - top_y) if mid_y > top_y else zero
        lower_slope = (low_x - mid_x) / (low_y - mid_y) if low_y > mid_y else zero
        long_left = top_x + (mid_y - top_y) * long_slope < mid_x
        for y in range(y_first, y_last + 1):
            row_first, row_last = np.float32(spans[y, 0]), np.float32(spans[y, 1] - 1)
            if last_x < row_first - half or first_x > row_last + half:
                continue
            for k in range(offsets.shape[0]):
                at_y = np.float32(y) + offsets[k, 1]
                if at_y < top_y or at_y > low_y:
                    continue
                to_x = top_x + (at_y - top_y) * long_slope
                if at_y < mid_y:
                    from_x = top_x + (at_y - top_y) * upper_slope
                else:
                    from_x = mid_x + (at_y - mid_y) * lower_slope
                if long_left:
                    from_x, to_x = to_x, from_x
                from_x = max(from_x - offsets[k, 0], row_first)
                to_x = min(to_x - offsets[k, 0], row_last)
                line = az + depth_y * (at_y - ay) + depth_x * (offsets[k, 0] - ax)
                first, last = int(np.ceil(from_x)), int(np.floor(to_x))
                if first > last:
                    continue
                depth_line = depth[y, k, first : last + 1]
                visible_line = visible[y, k, first : last + 1]
                for x in range(depth_line.shape[0]):
                    here = line + depth_x * np.float32(first + x)
                    if here < depth_line[x]:
                        depth_line[x] = here
                        visible_line[x] = number
