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


@numba.njit(cache=True)
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
        shine = gloss[i] * (np.float32(0.045) * broad + np.float32(0.16) * sharp)
        for c in range(3):
            out[i, c] = gain[c] * (albedo[i, c] * diffuse + shine)


def shade_cavity(
    visible: npt.NDArray[np.int32],
    spans: npt.NDArray[np.int32],
    vertices: Floats,
    triangles: npt.NDArray[np.int32],
    colours: Floats,
    places: Floats,
    rim: Floats,
    rim_x: tuple[float, float],
    lip: tuple[float, float, float, float, float],
    sky: float,
    backdrop: Floats,
    out: Floats,
) -> None:
    r"""Resolve a visibility buffer to colours, with the light that the lips let in.

    A point lies ``d`` behind the plane of the lips. In the vertical plane it sees the opening
    between the elevations whose tangents are the heights of the upper and lower rim above it over
    ``d``. With light :math:`1 + k \sin\varphi` from elevation :math:`\varphi` and Lambert's cosine
    the share that arrives is

    .. math:: E_v = \tfrac12 \bigl[s + \tfrac k2 s^2\bigr]_{s_\mathrm{low}}^{s_\mathrm{up}},
              \quad s = t / \sqrt{1 + t^2},

    and likewise, with :math:`k = 0`, between the corners. The product lights the point: full at
    the lips, dim below the upper lip, dark towards the throat. Red light dies more slowly, as it
    is what the walls reflect.

    Parameters
    ----------
    visible
        ``(height, width, 8)`` int32 from :func:`~edgeavatar.kernels.raster.rasterise`.
    spans
        ``(height, 2)`` int32 as given to it.
    vertices
        ``(n, 3)`` float32 as given to it.
    triangles
        ``(m, 3)`` int32.
    colours
        ``(n, 3)`` float32 from :func:`light_vertices`.
    places
        ``(n, 3)`` float32 face-local cm of each vertex (in the place it is drawn).
    rim
        ``(k, 2)`` float32: heights (cm) of the upper and lower lip's rim at ``k`` even steps of x.
    rim_x
        First and last x (cm) of ``rim``.
    lip
        ``(z, curve, upper, lower, side)``: the plane of the lips at x is ``z - curve * x²``; the
        others (cm) are how far the lips that shade stand before it, above, below and at the
        corners.
    sky
        The ``k`` above: how much more light comes from above.
    backdrop
        ``(3,)`` float32: colour where no triangle is.
    out
        ``(height, width, 3)`` float32; written inside the spans only.
    """
    if visible.shape[:2] != out.shape[:2] or len(spans) != len(out) or len(rim) < 2:
        raise ValueError(
            f"expected buffers of one size and a rim of 2 points or more, found {visible.shape},"
            f" {out.shape}, {len(spans)} spans and {len(rim)} points"
        )
    _shade_cavity(
        visible,
        spans,
        vertices,
        triangles,
        colours,
        places,
        rim,
        np.float32(rim_x[0]),
        np.float32(rim_x[1]),
        np.array(lip, dtype=np.float32),
        np.float32(sky),
        backdrop,
        SAMPLE_OFFSETS,
        out,
    )


@numba.njit(cache=True, inline="always")
def _open_share(
    low: np.float32,
    low_depth: np.float32,
    high: np.float32,
    high_depth: np.float32,
    sky: np.float32,
) -> np.float32:
    """Light from between two edges, ``low`` and ``high`` cm from the point and so deep before it."""
    top = high / np.sqrt(high * high + high_depth * high_depth)
    bottom = low / np.sqrt(low * low + low_depth * low_depth)
    share = np.float32(0.5) * (top - bottom + np.float32(0.5) * sky * (top * top - bottom * bottom))
    return max(share, np.float32(0))


@numba.njit(cache=True)
def _shade_cavity(
    visible: npt.NDArray[np.int32],
    spans: npt.NDArray[np.int32],
    vertices: Floats,
    triangles: npt.NDArray[np.int32],
    colours: Floats,
    places: Floats,
    rim: Floats,
    rim_first: np.float32,
    rim_last: np.float32,
    lip: Floats,
    sky: np.float32,
    backdrop: Floats,
    offsets: Floats,
    out: Floats,
) -> None:
    width = out.shape[1]
    steps = rim.shape[0]
    per_cm = np.float32(steps - 1) / (rim_last - rim_first)
    middle = np.float32(0.5) * (rim_first + rim_last)
    seen = np.empty(8, dtype=np.int32)
    for y in range(out.shape[0]):
        for x in range(max(spans[y, 0], 0), min(spans[y, 1], width)):
            blue, green, red = np.float32(0), np.float32(0), np.float32(0)
            for k in range(8):
                seen[k] = visible[y, x, k]
            for k in range(8):
                number = seen[k]
                if number == -2:
                    continue
                # Linear attributes: the mean over a triangle's points is the value at their mean.
                count = np.float32(1)
                dx, dy = offsets[k, 0], offsets[k, 1]
                for other in range(k + 1, 8):
                    if seen[other] == number:
                        seen[other] = -2
                        count += np.float32(1)
                        dx += offsets[other, 0]
                        dy += offsets[other, 1]
                if number < 0:
                    blue += count * backdrop[0]
                    green += count * backdrop[1]
                    red += count * backdrop[2]
                    continue
                at_x = np.float32(x) + dx / count
                at_y = np.float32(y) + dy / count
                a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
                ax, ay = vertices[a, 0], vertices[a, 1]
                bx, by = vertices[b, 0] - ax, vertices[b, 1] - ay
                cx, cy = vertices[c, 0] - ax, vertices[c, 1] - ay
                px, py = at_x - ax, at_y - ay
                area = np.float32(1) / (bx * cy - by * cx)
                wb = (px * cy - py * cx) * area
                wc = (bx * py - by * px) * area
                wa = np.float32(1) - wb - wc
                place_x = wa * places[a, 0] + wb * places[b, 0] + wc * places[c, 0]
                place_y = wa * places[a, 1] + wb * places[b, 1] + wc * places[c, 1]
                place_z = wa * places[a, 2] + wb * places[b, 2] + wc * places[c, 2]
                behind = max(lip[0] - lip[1] * place_x * place_x - place_z, np.float32(0))
                # Deep inside, no one column of the opening lights a point but all of it does.
                deep = behind * np.float32(0.6)
                towards = middle + (place_x - middle) / (np.float32(1) + deep * deep)
                step = (towards - rim_first) * per_cm
                step = min(max(step, np.float32(0)), np.float32(steps - 1) - np.float32(1e-3))
                whole = int(step)
                part = step - np.float32(whole)
                upper = rim[whole, 0] + part * (rim[whole + 1, 0] - rim[whole, 0])
                lower = rim[whole, 1] + part * (rim[whole + 1, 1] - rim[whole, 1])
                side = behind + lip[4]
                light = _open_share(
                    lower - place_y, behind + lip[3], upper - place_y, behind + lip[2], sky
                ) * _open_share(rim_first - place_x, side, rim_last - place_x, side, np.float32(0))
                # What has been around the walls is red, and it is what is left in the depth.
                bounced = np.sqrt(light + np.float32(1e-4)) - light
                cold = light + np.float32(0.10) * bounced
                warm = light + np.float32(0.24) * bounced
                blue += count * cold * (
                    wa * colours[a, 0] + wb * colours[b, 0] + wc * colours[c, 0]
                )
                green += count * cold * (
                    wa * colours[a, 1] + wb * colours[b, 1] + wc * colours[c, 1]
                )
                red += count * warm * (
                    wa * colours[a, 2] + wb * colours[b, 2] + wc * colours[c, 2]
                )
            out[y, x, 0] = blue * np.float32(0.125)
            out[y, x, 1] = green * np.float32(0.125)
            out[y, x, 2] = red * np.float32(0.125)


def develop(
    linear: Floats, spans: npt.NDArray[np.int32], blur: float, out: npt.NDArray[np.uint8]
) -> None:
    """Soften linear light and encode it as sRGB.

    Parameters
    ----------
    linear
        ``(height, width, 3)`` float32 BGR. Must hold finite values everywhere.
    spans
        ``(height, 2)`` int32: the pixels to develop; the others of ``out`` are left.
    blur
        Weight of each of the two neighbours in a three-tap filter along x and along y, 0 (none)
        to 1/3; the variance added is ``2 * blur`` px².
    out
        ``(height, width, 3)`` uint8, written.
    """
    if linear.shape != out.shape or len(spans) != len(out) or not 0 <= blur <= 1 / 3:
        raise ValueError(
            f"expected arrays of one size and a blur of 0 to 1/3, found {linear.shape},"
            f" {out.shape}, {len(spans)} spans, blur {blur}"
        )
    _develop(linear, spans, np.float32(blur), _CURVE, out)


@numba.njit(cache=True)
def _develop(
    linear: Floats,
    spans: npt.NDArray[np.int32],
    blur: np.float32,
    curve: Floats,
    out: npt.NDArray[np.uint8],
) -> None:
    height, width = out.shape[0], out.shape[1]
    scale = np.float32((_CURVE_STEPS - 1) / _CURVE_TOP)
    last = np.float32(_CURVE_STEPS - 1)
    centre = np.float32(1) - np.float32(2) * blur
    column = np.empty((width, 3), dtype=np.float32)
    for y in range(height):
        first, end = max(spans[y, 0], 0), min(spans[y, 1], width)
        if first >= end:
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
                step = min(max(value * scale, np.float32(0)), last)
                out[y, x, c] = np.uint8(curve[int(step + np.float32(0.5))] + np.float32(0.5))
