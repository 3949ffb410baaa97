"""Backward warps: a displacement field from moved mesh vertices, and planes sampled through it.

The field lives on a coarse grid, is piecewise linear over the mesh and is read bilinearly, so its
cost follows the number of triangles and not of pixels. Planes are sampled with the Catmull-Rom
cubic (Keys 1981, a = -1/2), which keeps the source's sharpness where bilinear sampling blurs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FloatArray

STILL_PX = 1.0 / 64.0
"""Displacements below this in both axes leave the pixel bit-exact."""


def rasterise_field(
    points: FloatArray,
    values: FloatArray,
    triangles: npt.NDArray[np.int32],
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
        np.float32(origin_xy[0]),
        np.float32(origin_xy[1]),
        np.float32(step_px),
        field,
    )
    return field


@numba.njit(cache=True)
def _rasterise_field(points, values, triangles, ox, oy, step, field):  # type: ignore[no-untyped-def]
    rows, columns = field.shape[0], field.shape[1]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = (points[a, 0] - ox) / step, (points[a, 1] - oy) / step
        bx, by = (points[b, 0] - ox) / step, (points[b, 1] - oy) / step
        cx, cy = (points[c, 0] - ox) / step, (points[c, 1] - oy) / step
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) * step * step < 1e-6:
            continue
        j0 = max(0, int(np.ceil(min(ax, bx, cx) - 1e-4)))
        j1 = min(columns - 1, int(np.floor(max(ax, bx, cx) + 1e-4)))
        i0 = max(0, int(np.ceil(min(ay, by, cy) - 1e-4)))
        i1 = min(rows - 1, int(np.floor(max(ay, by, cy) + 1e-4)))
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                wb = ((j - ax) * (cy - ay) - (cx - ax) * (i - ay)) / area
                wc = ((bx - ax) * (i - ay) - (j - ax) * (by - ay)) / area
                wa = 1.0 - wb - wc
                if wa >= -1e-4 and wb >= -1e-4 and wc >= -1e-4:
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
        True for a 4:2:0 chroma plane. Its samples sit at the left of each 2x2 block of luma
        (MPEG-2 siting): chroma ``(i, j)`` is at luma ``(2 j, 2 i + 0.5)``.
    out
        ``(h, w)`` uint8 plane that is written inside the box. Where the displacement is under
        1/64 px in both axes it receives the source's pixel unchanged.
    """
    x0, y0, x1, y1 = box
    if source.shape != out.shape or not (0 <= x0 <= x1 <= source.shape[1]):
        raise ValueError(f"box {box} does not fit planes of {source.shape} and {out.shape}")
    if not 0 <= y0 <= y1 <= source.shape[0]:
        raise ValueError(f"box {box} does not fit a plane of {source.shape}")
    scale = 2.0 if subsampled else 1.0
    _warp_plane(
        source,
        field,
        np.float32(origin_xy[0]),
        np.float32(origin_xy[1]),
        np.float32(step_px),
        x0,
        y0,
        x1,
        y1,
        np.float32(scale),
        np.float32(0.5 if subsampled else 0.0),
        out,
    )


@numba.njit(cache=True, parallel=True)
def _warp_plane(source, field, ox, oy, step, x0, y0, x1, y1, scale, shift, out):  # type: ignore[no-untyped-def]
    height, width = source.shape
    rows, columns = field.shape[0], field.shape[1]
    still = np.float32(STILL_PX)
    one, half = np.float32(1.0), np.float32(0.5)
    for y in numba.prange(y0, y1):
        gy = (np.float32(y) * scale + shift - oy) / step
        gy = min(max(gy, np.float32(0.0)), np.float32(rows - 1.001))
        i = int(gy)
        fy = gy - np.float32(i)
        for x in range(x0, x1):
            gx = (np.float32(x) * scale - ox) / step
            gx = min(max(gx, np.float32(0.0)), np.float32(columns - 1.001))
            j = int(gx)
            fx = gx - np.float32(j)
            w00 = (one - fx) * (one - fy)
            w01 = fx * (one - fy)
            w10 = (one - fx) * fy
            w11 = fx * fy
            dx = (
                w00 * field[i, j, 0]
                + w01 * field[i, j + 1, 0]
                + w10 * field[i + 1, j, 0]
                + w11 * field[i + 1, j + 1, 0]
            )
            dy = (
                w00 * field[i, j, 1]
                + w01 * field[i, j + 1, 1]
                + w10 * field[i + 1, j, 1]
                + w11 * field[i + 1, j + 1, 1]
            )
            if abs(dx) < still and abs(dy) < still:
                out[y, x] = source[y, x]
                continue
            sx = np.float32(x) + dx / scale
            sy = np.float32(y) + dy / scale
            bx = int(np.floor(sx))
            by = int(np.floor(sy))
            t = sx - np.float32(bx)
            s = sy - np.float32(by)
            t2, t3 = t * t, t * t * t
            s2, s3 = s * s, s * s * s
            wx0 = half * (-t + 2 * t2 - t3)
            wx1 = half * (2 - 5 * t2 + 3 * t3)
            wx2 = half * (t + 4 * t2 - 3 * t3)
            wx3 = half * (t3 - t2)
            wy0 = half * (-s + 2 * s2 - s3)
            wy1 = half * (2 - 5 * s2 + 3 * s3)
            wy2 = half * (s + 4 * s2 - 3 * s3)
            wy3 = half * (s3 - s2)
            total = np.float32(0.0)
            xa = min(max(bx - 1, 0), width - 1)
            xb = min(max(bx, 0), width - 1)
            xc = min(max(bx + 1, 0), width - 1)
            xd = min(max(bx + 2, 0), width - 1)
            for k in range(4):
                row = min(max(by - 1 + k, 0), height - 1)
                line = (
                    wx0 * np.float32(source[row, xa])
                    + wx1 * np.float32(source[row, xb])
                    + wx2 * np.float32(source[row, xc])
                    + wx3 * np.float32(source[row, xd])
                )
                wy = wy0 if k == 0 else (wy1 if k == 1 else (wy2 if k == 2 else wy3))
                total += wy * line
            total = min(max(total + half, np.float32(0.0)), np.float32(255.0))
            out[y, x] = np.uint8(total)


def polygon_alpha(
    polygon: FloatArray, box: tuple[int, int, int, int], softness_px: float
) -> FloatArray:
    """Soft coverage of a polygon.

    Parameters
    ----------
    polygon
        ``(n, 2)`` float32 vertices in pixels, closed implicitly.
    box
        Left, top, right, bottom (exclusive) in pixels: the pixels to fill.
    softness_px
        Distance over which alpha falls from 1 inside to 0 at the edge, so that nothing outside the
        polygon is covered.

    Returns
    -------
    FloatArray
        ``(bottom - top, right - left)`` float32 in [0, 1].
    """
    x0, y0, x1, y1 = box
    out = np.zeros((max(0, y1 - y0), max(0, x1 - x0)), np.float32)
    if out.size and len(polygon) >= 3:
        _polygon_alpha(
            np.ascontiguousarray(polygon, np.float32), x0, y0, np.float32(softness_px), out
        )
    return out


@numba.njit(cache=True)
def _polygon_alpha(polygon, x0, y0, softness, out):  # type: ignore[no-untyped-def]
    n = polygon.shape[0]
    height, width = out.shape
    # Squared distance to the border, known only within the soft band; 1 elsewhere after scaling.
    near = np.full((height, width), softness * softness, np.float32)
    for k in range(n):
        ax, ay = polygon[k - 1, 0] - x0, polygon[k - 1, 1] - y0
        bx, by = polygon[k, 0] - x0, polygon[k, 1] - y0
        ex, ey = bx - ax, by - ay
        length2 = ex * ex + ey * ey
        r0 = max(0, int(np.floor(min(ay, by) - softness)))
        r1 = min(height - 1, int(np.ceil(max(ay, by) + softness)))
        c0 = max(0, int(np.floor(min(ax, bx) - softness)))
        c1 = min(width - 1, int(np.ceil(max(ax, bx) + softness)))
        for r in range(r0, r1 + 1):
            for c in range(c0, c1 + 1):
                wx, wy = np.float32(c) - ax, np.float32(r) - ay
                t = np.float32(0.0)
                if length2 > 0:
                    t = min(max((wx * ex + wy * ey) / length2, np.float32(0.0)), np.float32(1.0))
                dx, dy = wx - t * ex, wy - t * ey
                near[r, c] = min(near[r, c], dx * dx + dy * dy)
    crossings = np.empty(n, np.float32)
    for r in range(height):
        py = np.float32(r)
        count = 0
        for k in range(n):
            ax, ay = polygon[k - 1, 0] - x0, polygon[k - 1, 1] - y0
            bx, by = polygon[k, 0] - x0, polygon[k, 1] - y0
            if (ay > py) != (by > py):
                crossings[count] = (bx - ax) * (py - ay) / (by - ay) + ax
                count += 1
        ordered = np.sort(crossings[:count])
        for pair in range(count // 2):
            c0 = max(0, int(np.ceil(ordered[2 * pair])))
            c1 = min(width - 1, int(np.floor(ordered[2 * pair + 1])))
            for c in range(c0, c1 + 1):
                t = np.sqrt(near[r, c]) / softness
                out[r, c] = t * t * (3 - 2 * t)
