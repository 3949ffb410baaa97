"""Light inside a mouth: shading of vertices, light through the opening of the lips, development.

All colours are BGR in linear light until :func:`develop`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from edgeavatar.kernels.raster import SAMPLE_OFFSETS

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_DONE = -2
_CURVE_STEPS = 4096
_CURVE_TOP = 1.5


def _display_curve() -> npt.NDArray[np.float32]:
    """SRGB (IEC 61966-2-1) after a shoulder that bends 0.7 to 1.5 into 0.7 to 1."""
    x = np.linspace(0, _CURVE_TOP, _CURVE_STEPS)
    over = np.clip((x - 0.7) / (_CURVE_TOP - 0.7), 0, 1)
    # Slope 1 where it starts, 0 where it ends.
    x = np.where(x > 0.7, 0.7 + 0.3 * (1 - (1 - over) ** (0.8 / 0.3)), x)
    encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return (encoded * 255).astype(np.float32)


_CURVE = _display_curve()


def light_vertices(
    normals: Floats,
    albedo: Floats,
    gloss: Floats,
    light: Floats,
    view: Floats,
    ambient: float,
    gain: Floats,
    out: Floats,
) -> None:
    """Colour of each vertex as if nothing stood before it.

    A distant light with an ambient part plus a wet highlight (Blinn-Phong, two lobes: a broad
    sheen and a small glint).

    Parameters
    ----------
    normals
        ``(n, 3)`` float32, unit length.
    albedo
        ``(n, 3)`` float32 BGR, linear.
    gloss
        ``(n,)`` float32, strength of the highlight.
    light, view
        ``(3,)`` float32 unit vectors towards the light and the viewer, in the space of the
        normals.
    ambient
        Share of the light that comes from everywhere in front, 0 to 1.
    gain
        ``(3,)`` float32 BGR: colour and strength of the light.
    out
        ``(n, 3)`` float32, written.
    """
    if not (len(normals) == len(albedo) == len(gloss) == len(out)):
        raise ValueError(
            f"expected arrays of one length, found {len(normals)}, {len(albedo)}, {len(gloss)} and"
            f" {len(out)}"
        )
    _light_vertices(normals, albedo, gloss, light, view, np.float32(ambient), gain, out)


@numba.njit(cache=True, nogil=True)
def _light_vertices(
    normals: Floats,
    albedo: Floats,
    gloss: Floats,
    light: Floats,
    view: Floats,
    ambient: np.float32,
    gain: Floats,
    out: Floats,
) -> None:
    hx, hy, hz = light[0] + view[0], light[1] + view[1], light[2] + view[2]
    scale = np.float32(1) / max(np.sqrt(hx * hx + hy * hy + hz * hz), np.float32(1e-6))
    hx, hy, hz = hx * scale, hy * scale, hz * scale
    for i in range(normals.shape[0]):
        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        key = max(nx * light[0] + ny * light[1] + nz * light[2], np.float32(0))
        facing = max(nx * view[0] + ny * view[1] + nz * view[2], np.float32(0))
        around = np.float32(0.35) + np.float32(0.65) * facing
        diffuse = ambient * around + (1 - ambient) * key
        half = max(nx * hx + ny * hy + nz * hz, np.float32(0))
        broad = half * half
        broad = broad * broad
        broad = broad * broad
        broad = broad * broad
        sharp = broad * broad
        sharp = sharp * sharp
        # What is seen at a slant mirrors the bright opening.
        slant = np.float32(1) - facing
        shine = gloss[i] * (
            np.float32(0.05) * broad + np.float32(0.18) * sharp + np.float32(0.06) * slant * slant
        )
        for c in range(3):
            out[i, c] = gain[c] * (albedo[i, c] * diffuse + shine)


def open_vertices(
    places: Floats,
    rim: Floats,
    rim_x: tuple[float, float],
    lip: tuple[float, float, float],
    out: Floats,
) -> None:
    """How each vertex sees the opening of the lips.

    Parameters
    ----------
    places
        ``(n, 3)`` float32 C-contiguous: face-local cm.
    rim
        ``(k, 2)`` float32: heights (cm) of the upper and lower lip's rim at ``k`` even steps of x.
    rim_x
        First and last x (cm) of ``rim``.
    lip
        ``(z, curve, side)``: the plane of the lips at x is ``z - curve * x²``; ``side`` (cm) is
        how far the corners' flesh stands before it.
    out
        ``(n, 4)`` float32, written: height of the upper rim above the vertex, height of the lower
        rim above it (mostly negative), depth behind the plane of the lips (0 or more), all cm, and
        the share of light (0 to 1) that the corners let in from the sides.
    """
    if len(rim) < 2 or not rim_x[0] < rim_x[1] or out.shape != (len(places), 4):
        raise ValueError(
            f"expected a rim of 2 steps or more and out ({len(places)}, 4), found {len(rim)} steps"
            f" over {rim_x} and {out.shape}"
        )
    first, last = np.float32(rim_x[0]), np.float32(rim_x[1])
    _open_vertices(places, rim, first, last, np.array(lip, dtype=np.float32), out)


@numba.njit(cache=True, nogil=True)
def _open_vertices(
    places: Floats, rim: Floats, first: np.float32, last: np.float32, lip: Floats, out: Floats
) -> None:
    one = np.float32(1)
    last_step = np.float32(rim.shape[0] - 1)
    per_cm = last_step / (last - first)
    middle = np.float32(0.5) * (first + last)
    for i in range(places.shape[0]):
        x, y, z = places[i, 0], places[i, 1], places[i, 2]
        behind = max(lip[0] - lip[1] * x * x - z, np.float32(0))
        # Deep inside, no one column of the opening lights a point but all of it does.
        deep = behind * np.float32(0.6)
        towards = middle + (x - middle) / (one + deep * deep)
        step = min(max((towards - first) * per_cm, np.float32(0)), last_step)
        whole = min(int(step), rim.shape[0] - 2)
        part = step - np.float32(whole)
        depth = behind + lip[2]
        right, left = last - x, first - x
        out[i, 0] = rim[whole, 0] + part * (rim[whole + 1, 0] - rim[whole, 0]) - y
        out[i, 1] = rim[whole, 1] + part * (rim[whole + 1, 1] - rim[whole, 1]) - y
        out[i, 2] = behind
        out[i, 3] = np.float32(0.5) * (
            right / np.sqrt(right * right + depth * depth)
            - left / np.sqrt(left * left + depth * depth)
        )


def shade_cavity(
    visible: npt.NDArray[np.int32],
    spans: npt.NDArray[np.int32],
    triangles: npt.NDArray[np.int32],
    corners: Floats,
    overhang: tuple[float, float],
    sky: float,
    backdrop: Floats,
    out: Floats,
) -> None:
    r"""Resolve a visibility buffer to colours, with the light that the lips let in.

    In the vertical plane a point sees the opening between the elevations whose tangents are the
    heights of the lower and upper rim above it over their distance before it. With light
    :math:`1 + k \sin\varphi` from elevation :math:`\varphi` and Lambert's cosine the share that
    arrives is

    .. math:: E = \tfrac12 \bigl[s + \tfrac k2 s^2\bigr]_{s_\mathrm{low}}^{s_\mathrm{high}},
              \quad s = t / \sqrt{1 + t^2}.

    Times the share from the sides it lights the point: full at the lips, dim below the upper lip,
    dark towards the throat. What the walls have thrown back is red, and it is what is left there.

    Parameters
    ----------
    visible
        ``(height, 4, width)`` int32 from :func:`~edgeavatar.kernels.raster.rasterise`.
    spans
        ``(height, 2)`` int32 as given to it.
    triangles
        ``(m, 3)`` int32 as given to it.
    corners
        ``(n, 9)`` float32 C-contiguous, for each vertex: x and y as given to it, the four values
        of :func:`open_vertices`, and the colour of :func:`light_vertices`.
    overhang
        How far the upper and the lower lip stand before their plane where they shade, cm, above 0.
    sky
        The :math:`k` above: how much more light comes from above.
    backdrop
        ``(3,)`` float32: colour where no triangle is, and outside the spans.
    out
        ``(height, width, 3)`` float32 C-contiguous, written.
    """
    if visible.shape[::2] != out.shape[:2] or len(spans) != len(out) or min(overhang) <= 0:
        raise ValueError(
            f"expected buffers of one size and overhangs above 0, found {visible.shape},"
            f" {out.shape}, {len(spans)} spans and {overhang}"
        )
    _shade_cavity(
        visible,
        spans,
        triangles,
        corners,
        np.float32(overhang[0]),
        np.float32(overhang[1]),
        np.float32(sky),
        backdrop,
        SAMPLE_OFFSETS,
        out,
    )


@numba.njit(cache=True, nogil=True)
def _fill(
    line: npt.NDArray[np.generic], first: int, end: int, colour: npt.NDArray[np.generic]
) -> None:
    for x in range(first, end):
        line[x, 0], line[x, 1], line[x, 2] = colour[0], colour[1], colour[2]


@numba.njit(cache=True, nogil=True)
def _shade_cavity(
    visible: npt.NDArray[np.int32],
    spans: npt.NDArray[np.int32],
    triangles: npt.NDArray[np.int32],
    corners: Floats,
    overhang_up: np.float32,
    overhang_low: np.float32,
    sky: np.float32,
    backdrop: Floats,
    offsets: Floats,
    out: Floats,
) -> None:
    samples = offsets.shape[0]
    one, half, each = np.float32(1), np.float32(0.5), np.float32(1 / samples)
    tilt = half * sky
    width = out.shape[1]
    seen = np.empty(offsets.shape[0], dtype=np.int32)
    a, b, c, known = 0, 0, 0, -1
    ax, ay, bx, by, cx, cy, per_area = one, one, one, one, one, one, one
    for y in range(out.shape[0]):
        first, end = max(spans[y, 0], 0), min(spans[y, 1], width)
        first, end = (first, end) if first < end else (0, 0)
        _fill(out[y], 0, first, backdrop)
        _fill(out[y], end, width, backdrop)
        for x in range(first, end):
            blue, green, red = np.float32(0), np.float32(0), np.float32(0)
            same = True
            for k in range(samples):
                seen[k] = visible[y, k, x]
                same = same and seen[k] == seen[0]
            for k in range(samples):
                number = seen[k]
                if number == _DONE:
                    continue
                # Linear attributes: the mean over a triangle's points is the value at their mean.
                count = one
                dx, dy = offsets[k, 0], offsets[k, 1]
                if same:
                    count = np.float32(samples)
                    dx, dy = np.float32(0), np.float32(0)
                else:
                    for other in range(k + 1, samples):
                        if seen[other] == number:
                            seen[other] = _DONE
                            count += one
                            dx += offsets[other, 0]
                            dy += offsets[other, 1]
                share = count * each
                if number < 0:
                    blue += share * backdrop[0]
                    green += share * backdrop[1]
                    red += share * backdrop[2]
                else:
                    if number != known:
                        known = number
                        a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
                        ax, ay = corners[a, 0], corners[a, 1]
                        bx, by = corners[b, 0] - ax, corners[b, 1] - ay
                        cx, cy = corners[c, 0] - ax, corners[c, 1] - ay
                        per_area = one / (bx * cy - by * cx)
                    px = np.float32(x) + dx / count - ax
                    py = np.float32(y) + dy / count - ay
                    wb = (px * cy - py * cx) * per_area
                    wc = (bx * py - by * px) * per_area
                    wa = one - wb - wc
                    high = wa * corners[a, 2] + wb * corners[b, 2] + wc * corners[c, 2]
                    low = wa * corners[a, 3] + wb * corners[b, 3] + wc * corners[c, 3]
                    behind = wa * corners[a, 4] + wb * corners[b, 4] + wc * corners[c, 4]
                    sides = wa * corners[a, 5] + wb * corners[b, 5] + wc * corners[c, 5]
                    far_up, far_low = behind + overhang_up, behind + overhang_low
                    high /= np.sqrt(high * high + far_up * far_up)
                    low /= np.sqrt(low * low + far_low * far_low)
                    light = half * (high - low + tilt * (high * high - low * low))
                    light = max(light * sides, np.float32(0))
                    bounced = np.sqrt(light + np.float32(1e-4)) - light
                    cold = share * (light + np.float32(0.06) * bounced)
                    warm = share * (light + np.float32(0.32) * bounced)
                    blue += cold * (wa * corners[a, 6] + wb * corners[b, 6] + wc * corners[c, 6])
                    green += cold * (wa * corners[a, 7] + wb * corners[b, 7] + wc * corners[c, 7])
                    red += warm * (wa * corners[a, 8] + wb * corners[b, 8] + wc * corners[c, 8])
                if same:
                    break
            out[y, x, 0] = blue
            out[y, x, 1] = green
            out[y, x, 2] = red


def develop(
    linear: Floats,
    spans: npt.NDArray[np.int32],
    backdrop: Floats,
    blur: float,
    out: npt.NDArray[np.uint8],
) -> None:
    """Soften linear light and encode it as sRGB.

    Parameters
    ----------
    linear
        ``(height, width, 3)`` float32 BGR C-contiguous, finite.
    spans
        ``(height, 2)`` int32: the pixels to develop.
    backdrop
        ``(3,)`` float32 BGR: what the others are taken for.
    blur
        Weight of each of the two neighbours in a three-tap filter along x and along y, 0 (none)
        to 1/3; the variance added is ``2 * blur`` px².
    out
        ``(height, width, 3)`` uint8 C-contiguous, written.
    """
    if linear.shape != out.shape or len(spans) != len(out) or not 0 <= blur <= 1 / 3:
        raise ValueError(
            f"expected arrays of one size and a blur of 0 to 1/3, found {linear.shape},"
            f" {out.shape}, {len(spans)} spans, blur {blur}"
        )
    _develop(linear, spans, backdrop, np.float32(blur), _CURVE, out)


@numba.njit(cache=True, nogil=True)
def _encode(value: np.float32, curve: Floats) -> np.uint8:
    step = value * np.float32((_CURVE_STEPS - 1) / _CURVE_TOP)
    step = min(max(step, np.float32(0)), np.float32(_CURVE_STEPS - 1))
    return np.uint8(curve[int(step + np.float32(0.5))] + np.float32(0.5))


@numba.njit(cache=True, nogil=True)
def _develop(
    linear: Floats,
    spans: npt.NDArray[np.int32],
    backdrop: Floats,
    blur: np.float32,
    curve: Floats,
    out: npt.NDArray[np.uint8],
) -> None:
    height, width = out.shape[0], out.shape[1]
    centre = np.float32(1) - np.float32(2) * blur
    column = np.empty((width, 3), dtype=np.float32)
    plain = np.empty(3, dtype=np.uint8)
    for c in range(3):
        plain[c] = _encode(backdrop[c], curve)
    for y in range(height):
        first, end = max(spans[y, 0], 0), min(spans[y, 1], width)
        first, end = (first, end) if first < end else (0, 0)
        _fill(out[y], 0, first, plain)
        _fill(out[y], end, width, plain)
        if first == end:
            continue
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(max(first - 1, 0), min(end + 1, width)):
            for c in range(3):
                column[x, c] = centre * linear[y, x, c] + blur * (
                    linear[above, x, c] + linear[below, x, c]
                )
        for x in range(first, end):
            before, after = max(x - 1, 0), min(x + 1, width - 1)
            for c in range(3):
                value = centre * column[x, c] + blur * (column[before, c] + column[after, c])
                out[y, x, c] = _encode(value, curve)


def lip_spans(
    outline: npt.NDArray[np.float64], width: int, height: int, margin: float
) -> npt.NDArray[np.int32]:
    """Pixels of each row from the leftmost to the rightmost within a margin of an outline.

    The margin is a square's: ``margin`` px along x and along y.

    Parameters
    ----------
    outline
        ``(n, 2)`` float64 px, a closed polygon, pixel centres at whole numbers.
    width, height
        Size of the picture, px.
    margin
        Px, 0 or more.

    Returns
    -------
    ndarray
        ``(height, 2)`` int32, first pixel and the one after the last; empty rows are (0, 0).
    """
    spans = np.zeros((height, 2), dtype=np.int32)
    _lip_spans(np.ascontiguousarray(outline, dtype=np.float64), width, margin, spans)
    return spans


@numba.njit(cache=True, nogil=True)
def _lip_spans(
    outline: npt.NDArray[np.float64], width: int, margin: float, spans: npt.NDArray[np.int32]
) -> None:
    count = outline.shape[0]
    for y in range(spans.shape[0]):
        low, high = np.inf, -np.inf
        for i in range(count):
            ax, ay = outline[i - 1, 0], outline[i - 1, 1]
            bx, by = outline[i, 0], outline[i, 1]
            if max(ay, by) < y - margin or min(ay, by) > y + margin:
                continue
            # The part of the edge inside the band of rows; a level edge is inside whole.
            first, last = 0.0, 1.0
            if ay != by:
                one, two = (y - margin - ay) / (by - ay), (y + margin - ay) / (by - ay)
                first, last = max(min(one, two), 0.0), min(max(one, two), 1.0)
            low = min(low, ax + first * (bx - ax), ax + last * (bx - ax))
            high = max(high, ax + first * (bx - ax), ax + last * (bx - ax))
        if low <= high:
            begin = int(min(max(np.floor(low - margin), 0.0), float(width)))
            end = int(min(max(np.ceil(high + margin) + 1, 0.0), float(width)))
            if begin < end:
                spans[y, 0], spans[y, 1] = begin, end


def rim_heights(outline: npt.NDArray[np.float64], first: float, last: float, steps: int) -> Floats:
    """Highest and lowest point of a closed outline at even steps of x.

    Parameters
    ----------
    outline
        ``(n, 2)`` float64: x and y, y up.
    first, last
        Ends of x; where no edge is met, the heights are those of the nearest corner in x.
    steps
        Count of steps, ends included.

    Returns
    -------
    ndarray
        ``(steps, 2)`` float32: highest and lowest.
    """
    heights = np.empty((steps, 2), dtype=np.float32)
    _rim_heights(np.ascontiguousarray(outline, dtype=np.float64), first, last, heights)
    return heights


@numba.njit(cache=True, nogil=True)
def _rim_heights(
    outline: npt.NDArray[np.float64], first: float, last: float, heights: Floats
) -> None:
    count, steps = outline.shape[0], heights.shape[0]
    for i in range(steps):
        x = first + (last - first) * i / (steps - 1)
        low, high = np.inf, -np.inf
        nearest, fallback = np.inf, 0.0
        for j in range(count):
            ax, ay = outline[j - 1, 0], outline[j - 1, 1]
            bx, by = outline[j, 0], outline[j, 1]
            if abs(bx - x) < nearest:
                nearest, fallback = abs(bx - x), by
            if min(ax, bx) <= x <= max(ax, bx):
                if ax == bx:
                    low, high = min(low, ay, by), max(high, ay, by)
                else:
                    at = ay + (x - ax) / (bx - ax) * (by - ay)
                    low, high = min(low, at), max(high, at)
        if low > high:
            low, high = fallback, fallback
        heights[i, 0], heights[i, 1] = high, low


def grid_normals(grid: Floats) -> Floats:
    """Find the normals of a sheet of vertices by central differences (one-sided at its borders).

    Parameters
    ----------
    grid
        ``(rows, columns, 3)`` float32, 2 × 2 or more.

    Returns
    -------
    ndarray
        ``(rows, columns, 3)`` float32, unit length: along (next row − row) × (next column −
        column); zero where the sheet has no area.
    """
    normals = np.empty(grid.shape, dtype=np.float32)
    _grid_normals(np.ascontiguousarray(grid, dtype=np.float32), normals)
    return normals


@numba.njit(cache=True, nogil=True)
def _grid_normals(grid: Floats, normals: Floats) -> None:
    rows, columns = grid.shape[0], grid.shape[1]
    for i in range(rows):
        up, down = max(i - 1, 0), min(i + 1, rows - 1)
        for j in range(columns):
            left, right = max(j - 1, 0), min(j + 1, columns - 1)
            ax, ay, az = (
                grid[down, j, 0] - grid[up, j, 0],
                grid[down, j, 1] - grid[up, j, 1],
                grid[down, j, 2] - grid[up, j, 2],
            )
            bx, by, bz = (
                grid[i, right, 0] - grid[i, left, 0],
                grid[i, right, 1] - grid[i, left, 1],
                grid[i, right, 2] - grid[i, left, 2],
            )
            nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            length = np.sqrt(nx * nx + ny * ny + nz * nz)
            scale = np.float32(1) / length if length > 0 else np.float32(0)
            normals[i, j, 0] = nx * scale
            normals[i, j, 1] = ny * scale
            normals[i, j, 2] = nz * scale
