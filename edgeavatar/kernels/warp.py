"""Backward warps: a displacement field from moved mesh vertices, and planes sampled through it.

The field lives on a coarse grid, is piecewise linear over the mesh and is read bilinearly (but
never across a tear, where lips or lids close over what the source shows between them), so its
cost follows the number of triangles and not of pixels. Planes are sampled with a cubic (Keys 1981),
which keeps the source's sharpness where bilinear sampling blurs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FloatArray

TEAR = 1.5
"""Change of displacement over one step of the field, in steps, from which on two nodes are read as
two sides of a tear and not as ends of a slope. An opening mouth reaches 1; lips and lids that close
over what the source shows have no bound, and what they hide must not be read."""
STILL_PX = 1.0 / 64.0
"""Displacements below this in both axes leave the pixel bit-exact."""


def rasterise_field(
    points: FloatArray,
    values: FloatArray,
    triangles: npt.NDArray[np.int32],
    reach: FloatArray,
    origin_xy: tuple[float, float],
    step_px: float,
    shape: tuple[int, int],
) -> FloatArray:
    """Interpolate values at mesh vertices onto a grid.

    Parameters
    ----------
    points
        ``(n, 2)`` float32 vertex positions in pixels.
    values
        ``(n, 2)`` float32 values at the vertices.
    triangles
        ``(m, 3)`` int32 vertex indices, either winding. Later triangles win where they overlap;
        triangles thinner than 1e-6 px² are skipped.
    origin_xy, step_px, shape
        Node ``(i, j)`` of the ``(rows, columns)`` grid lies at
        ``(origin_x + j * step, origin_y + i * step)``.

    Returns
    -------
    FloatArray
        ``(rows, columns, 2)`` float32; 0 where no triangle covers the node.
    """
    field = np.zeros((*shape, 2), np.float32)
    _rasterise_field(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(values, np.float32),
        np.ascontiguousarray(triangles, np.int32),
        np.ascontiguousarray(reach, np.float32),
        np.float32(origin_xy[0]),
        np.float32(origin_xy[1]),
        np.float32(step_px),
        field,
    )
    return field


@numba.njit(cache=True, nogil=True)
def _nearest_weights(ax, ay, bx, by, cx, cy, x, y):  # type: ignore[no-untyped-def]
    """Give the barycentric weights of the place on a triangle's border nearest to a point."""
    best, first, second = np.inf, 0, 0.0
    for edge in range(3):
        if edge == 0:
            px, py, qx, qy = ax, ay, bx, by
        elif edge == 1:
            px, py, qx, qy = bx, by, cx, cy
        else:
            px, py, qx, qy = cx, cy, ax, ay
        dx, dy = qx - px, qy - py
        along = ((x - px) * dx + (y - py) * dy) / max(dx * dx + dy * dy, 1e-12)
        along = min(max(along, 0.0), 1.0)
        away = np.hypot(px + along * dx - x, py + along * dy - y)
        if away < best:
            best, first, second = away, edge, along
    if first == 0:
        return 1.0 - second, second, 0.0
    if first == 1:
        return 0.0, 1.0 - second, second
    return second, 0.0, 1.0 - second


@numba.njit(cache=True, nogil=True)
def _rasterise_field(points, values, triangles, reach, ox, oy, step, field):  # type: ignore[no-untyped-def]
    rows, columns = field.shape[0], field.shape[1]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = (points[a, 0] - ox) / step, (points[a, 1] - oy) / step
        bx, by = (points[b, 0] - ox) / step, (points[b, 1] - oy) / step
        cx, cy = (points[c, 0] - ox) / step, (points[c, 1] - oy) / step
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) * step * step < 1e-6:
            continue
        r = reach[t] + 1e-4
        # A barycentric weight is the distance to an edge over the altitude on it.
        spread = r / abs(area)
        ra = spread * np.hypot(cx - bx, cy - by)
        rb = spread * np.hypot(ax - cx, ay - cy)
        rc = spread * np.hypot(bx - ax, by - ay)
        j0 = max(0, int(np.ceil(min(ax, bx, cx) - r)))
        j1 = min(columns - 1, int(np.floor(max(ax, bx, cx) + r)))
        i0 = max(0, int(np.ceil(min(ay, by, cy) - r)))
        i1 = min(rows - 1, int(np.floor(max(ay, by, cy) + r)))
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                wb = ((j - ax) * (cy - ay) - (cx - ax) * (i - ay)) / area
                wc = ((bx - ax) * (i - ay) - (j - ax) * (by - ay)) / area
                wa = 1.0 - wb - wc
                if wa >= -ra and wb >= -rb and wc >= -rc:
                    if wa < 0.0 or wb < 0.0 or wc < 0.0:
                        # Outside, the value of the nearest place of the triangle: slopes of a
                        # sliver would run away, and so would its weights, cut off at 0.
                        wa, wb, wc = _nearest_weights(ax, ay, bx, by, cx, cy, float(j), float(i))
                    field[i, j, 0] = wa * values[a, 0] + wb * values[b, 0] + wc * values[c, 0]
                    field[i, j, 1] = wa * values[a, 1] + wb * values[b, 1] + wc * values[c, 1]


def warp_plane(
    source: ByteArray,
    field: FloatArray,
    origin_xy: tuple[float, float],
    step_px: float,
    box: tuple[int, int, int, int],
    *,
    subsampled: bool,
    out: ByteArray,
) -> None:
    """Sample a plane through a displacement field into ``out``, inside a box.

    Parameters
    ----------
    source
        ``(h, w)`` uint8 plane to read; pixels outside it repeat its border.
    field
        ``(rows, columns, 2)`` float32 displacement in luma pixels: output pixel ``p`` shows source
        pixel ``p + field(p)``.
    origin_xy, step_px
        Where the field's nodes lie, in luma pixels; nodes must cover the box.
    box
        Left, top, right, bottom (exclusive) in pixels of this plane.
    subsampled
        True for a 4:2:0 chroma plane, whose samples sit in the middle of 2x2 blocks of luma.
    out
        ``(h, w)`` uint8 plane that is written inside the box. Where the displacement is under
        1/64 px in both axes it receives the source's pixel unchanged.
    """
    x0, y0, x1, y1 = box
    if source.shape != out.shape or not (0 <= x0 <= x1 <= source.shape[1]):
        raise ValueError(f"box {box} does not fit planes of {source.shape} and {out.shape}")
    if not 0 <= y0 <= y1 <= source.shape[0]:
        raise ValueError(f"box {box} does not fit a plane of {source.shape}")
    map_x = np.empty((y1 - y0, x1 - x0), np.float32)
    map_y = np.empty_like(map_x)
    _source_map(
        np.ascontiguousarray(field, np.float32),
        np.float32(origin_xy[0]),
        np.float32(origin_xy[1]),
        np.float32(step_px),
        x0,
        y0,
        np.float32(2.0 if subsampled else 1.0),
        np.float32(0.5 if subsampled else 0.0),
        map_x,
        map_y,
    )
    # OpenCV's vectorised sampling took half the time of a numba loop that did the same.
    out[y0:y1, x0:x1] = cv2.remap(
        source, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


@numba.njit(cache=True, nogil=True)
def _source_map(field, ox, oy, step, x0, y0, scale, shift, map_x, map_y):  # type: ignore[no-untyped-def]
    height, width = map_x.shape
    rows, columns = field.shape[0], field.shape[1]
    zero, one = np.float32(0), np.float32(1)
    still = np.float32(STILL_PX)
    tear = np.float32(TEAR) * step
    shrink = one / scale
    # Which nodes a column of pixels lies between is the same in every row.
    node = np.empty(width, np.int32)
    share = np.empty(width, np.float32)
    for c in range(width):
        gx = (np.float32(x0 + c) * scale + shift - ox) / step
        gx = min(max(gx, zero), np.float32(columns) - np.float32(1.001))
        node[c] = int(gx)
        share[c] = gx - np.float32(node[c])
    start = np.empty((columns, 2), np.float32)
    slope = np.zeros((columns, 2), np.float32)
    torn = np.zeros(columns, np.bool_)
    for r in range(height):
        y = np.float32(y0 + r)
        gy = min(max((y * scale + shift - oy) / step, zero), np.float32(rows) - np.float32(1.001))
        i = int(gy)
        fy = gy - np.float32(i)
        any_torn = False
        for j in range(columns):
            jump_x = field[i + 1, j, 0] - field[i, j, 0]
            jump_y = field[i + 1, j, 1] - field[i, j, 1]
            part = fy
            if max(abs(jump_x), abs(jump_y)) > tear:
                part = np.float32(round(fy))
            start[j, 0] = field[i, j, 0] + part * jump_x
            start[j, 1] = field[i, j, 1] + part * jump_y
        for j in range(columns - 1):
            slope[j, 0] = start[j + 1, 0] - start[j, 0]
            slope[j, 1] = start[j + 1, 1] - start[j, 1]
            torn[j] = max(abs(slope[j, 0]), abs(slope[j, 1])) > tear
            any_torn |= torn[j]
        for c in range(width):
            j = node[c]
            dx = start[j, 0] + share[c] * slope[j, 0]
            dy = start[j, 1] + share[c] * slope[j, 1]
            moving = np.float32(abs(dx) >= still or abs(dy) >= still)
            map_x[r, c] = np.float32(x0 + c) + moving * dx * shrink
            map_y[r, c] = y + moving * dy * shrink
        if any_torn:
            for c in range(width):
                j = node[c]
                if torn[j]:
                    part = np.float32(round(share[c]))
                    map_x[r, c] = np.float32(x0 + c) + (start[j, 0] + part * slope[j, 0]) * shrink
                    map_y[r, c] = y + (start[j, 1] + part * slope[j, 1]) * shrink


def polygon_alpha(
    polygon: FloatArray,
    box: tuple[int, int, int, int],
    softness_px: float,
    grow_px: float = 0.0,
) -> FloatArray:
    """Soft coverage of a polygon.

    Parameters
    ----------
    polygon
        ``(n, 2)`` float32 vertices in pixels, closed implicitly.
    box
        Left, top, right, bottom (exclusive) in pixels: the pixels to fill.
    softness_px
        Distance over which alpha falls from 1 to 0 at the edge. Without ``grow_px`` nothing outside
        the polygon is covered.
    grow_px
        Distance by which the edge lies outside the polygon.

    Returns
    -------
    FloatArray
        ``(bottom - top, right - left)`` float32 in [0, 1].
    """
    x0, y0, x1, y1 = box
    out = np.zeros((max(0, y1 - y0), max(0, x1 - x0)), np.float32)
    if out.size and len(polygon) >= 3:
        local = np.asarray(polygon, np.float32) - np.array([x0, y0], np.float32)
        _polygon_alpha(
            np.ascontiguousarray(local), np.float32(softness_px), np.float32(grow_px), out
        )
    return out


@numba.njit(cache=True, nogil=True)
def _polygon_alpha(polygon, softness, grow, out):  # type: ignore[no-untyped-def]
    n = polygon.shape[0]
    height, width = out.shape
    # Distance to the border, known only in the band in which it decides.
    band = max(softness, grow)
    near = np.full((height, width), band * band, np.float32)
    for k in range(n):
        ax, ay = polygon[k - 1, 0], polygon[k - 1, 1]
        bx, by = polygon[k, 0], polygon[k, 1]
        ex, ey = bx - ax, by - ay
        length2 = ex * ex + ey * ey
        r0 = max(0, int(np.floor(min(ay, by) - band)))
        r1 = min(height - 1, int(np.ceil(max(ay, by) + band)))
        c0 = max(0, int(np.floor(min(ax, bx) - band)))
        c1 = min(width - 1, int(np.ceil(max(ax, bx) + band)))
        for r in range(r0, r1 + 1):
            for c in range(c0, c1 + 1):
                wx, wy = np.float32(c) - ax, np.float32(r) - ay
                t = np.float32(0.0)
                if length2 > 0:
                    t = min(max((wx * ex + wy * ey) / length2, np.float32(0.0)), np.float32(1.0))
                dx, dy = wx - t * ex, wy - t * ey
                near[r, c] = min(near[r, c], dx * dx + dy * dy)
    crossings = np.empty(n, np.float32)
    inside = np.zeros(width, np.bool_)
    for r in range(height):
        py = np.float32(r)
        count = 0
        for k in range(n):
            ax, ay = polygon[k - 1, 0], polygon[k - 1, 1]
            bx, by = polygon[k, 0], polygon[k, 1]
            if (ay > py) != (by > py):
                crossings[count] = (bx - ax) * (py - ay) / (by - ay) + ax
                count += 1
        ordered = np.sort(crossings[:count])
        inside[:] = False
        for pair in range(count // 2):
            c0 = max(0, int(np.ceil(ordered[2 * pair])))
            c1 = min(width - 1, int(np.floor(ordered[2 * pair + 1])))
            for c in range(c0, c1 + 1):
                inside[c] = True
        for c in range(width):
            signed = np.sqrt(near[r, c])
            if not inside[c]:
                signed = -signed
            t = min(max((signed + grow) / softness, np.float32(0.0)), np.float32(1.0))
            out[r, c] = t * t * (3 - 2 * t)
