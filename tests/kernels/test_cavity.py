from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.kernels.cavity import (
    develop,
    grid_normals,
    light_vertices,
    lip_spans,
    open_vertices,
    rim_heights,
    shade_cavity,
)
from edgeavatar.kernels.raster import SAMPLE_OFFSETS, full_spans, rasterise

LENS = np.array([[2.0, 8.0], [10.5, 3.2], [20.0, 7.5], [11.0, 14.6]])


def _unit(rng, count):
    vectors = rng.normal(size=(count, 3))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _reference_light(normals, albedo, gloss, light, view, ambient, gain):
    half = (light + view) / np.linalg.norm(light + view)
    key = np.maximum(normals @ light, 0)
    facing = np.maximum(normals @ view, 0)
    diffuse = ambient * (0.35 + 0.65 * facing) + (1 - ambient) * key
    mirror = np.maximum(normals @ half, 0)
    shine = gloss * (0.05 * mirror**16 + 0.18 * mirror**64 + 0.06 * (1 - facing) ** 2)
    return gain * (albedo * diffuse[:, None] + shine[:, None])


def test_light_vertices_equals_its_twin():
    rng = np.random.default_rng(0)
    normals, (light, view) = _unit(rng, 200), _unit(rng, 2)
    albedo = rng.random((200, 3)).astype(np.float32)
    gloss = rng.random(200).astype(np.float32)
    gain = np.array([0.7, 1.0, 1.3], dtype=np.float32)
    out = np.empty((200, 3), dtype=np.float32)
    light_vertices(normals, albedo, gloss, light, view, 0.4, gain, out)
    twin = _reference_light(normals, albedo, gloss, light, view, 0.4, gain)
    np.testing.assert_allclose(out, twin, rtol=2e-5, atol=1e-6)
    with pytest.raises(ValueError, match="one length"):
        light_vertices(normals, albedo[:9], gloss, light, view, 0.4, gain, out)


def _reference_open(places, rim, rim_x, lip):
    x, y, z = places.astype(np.float64).T
    behind = np.maximum(lip[0] - lip[1] * x**2 - z, 0)
    middle = (rim_x[0] + rim_x[1]) / 2
    towards = middle + (x - middle) / (1 + (0.6 * behind) ** 2)
    steps = np.linspace(*rim_x, len(rim))
    upper, lower = (np.interp(towards, steps, rim[:, i]) for i in range(2))
    right, left, depth = rim_x[1] - x, rim_x[0] - x, behind + lip[2]
    sides = 0.5 * (right / np.hypot(right, depth) - left / np.hypot(left, depth))
    return np.stack([upper - y, lower - y, behind, sides], 1)


def test_open_vertices_equals_its_twin():
    rng = np.random.default_rng(1)
    places = rng.uniform((-4, -7, -3), (4, -2, 6), (300, 3)).astype(np.float32)
    rim = np.sort(rng.uniform(-5, -3.5, (17, 2)), axis=1)[:, ::-1].astype(np.float32)
    out = np.empty((300, 4), dtype=np.float32)
    open_vertices(places, rim, (-2.0, 2.3), (5.4, 0.25, 0.5), out)
    np.testing.assert_allclose(
        out, _reference_open(places, rim, (-2.0, 2.3), (5.4, 0.25, 0.5)), rtol=1e-4, atol=1e-4
    )
    with pytest.raises(ValueError, match="rim"):
        open_vertices(places, rim[:1], (-2.0, 2.3), (5.4, 0.25, 0.5), out)
    with pytest.raises(ValueError, match="rim"):
        open_vertices(places, rim, (2.0, 2.0), (5.4, 0.25, 0.5), out)


def _reference_shade(visible, triangles, corners, overhang, sky, backdrop):
    """Each sample on its own colour, lit at the mean point of its triangle in the pixel."""
    height, _, width = visible.shape
    out = np.zeros((height, width, 3))
    corners = corners.astype(np.float64)
    for y in range(height):
        for x in range(width):
            for number in np.unique(visible[y, :, x]):
                mine = visible[y, :, x] == number
                if number < 0:
                    out[y, x] += mine.mean() * backdrop
                    continue
                point = np.array([x, y]) + SAMPLE_OFFSETS[mine].mean(0)
                three = corners[triangles[number]]
                system = np.vstack([three[:, :2].T, np.ones(3)])
                high, low, behind, sides, *colour = (
                    np.linalg.solve(system, [*point, 1.0]) @ three[:, 2:]
                )
                top = high / np.hypot(high, behind + overhang[0])
                bottom = low / np.hypot(low, behind + overhang[1])
                light = 0.5 * ((top - bottom) + sky / 2 * (top**2 - bottom**2))
                light = max(light * sides, 0)
                bounced = np.sqrt(light + 1e-4) - light
                cold, warm = light + 0.06 * bounced, light + 0.32 * bounced
                out[y, x] += mine.mean() * np.array(colour) * (cold, cold, warm)
    return out


def test_shade_cavity_equals_its_twin():
    rng = np.random.default_rng(2)
    corners = np.empty((90, 9), dtype=np.float32)
    corners[:, :2] = (rng.uniform(0, 20, (30, 1, 2)) + rng.normal(0, 5, (30, 3, 2))).reshape(90, 2)
    corners[:, 2] = rng.uniform(-1, 2, 90)
    corners[:, 3] = rng.uniform(-2, 1, 90)
    corners[:, 4:6] = rng.uniform(0, 1, (90, 2))
    corners[:, 6:] = rng.random((90, 3))
    triangles = np.arange(90, dtype=np.int32).reshape(30, 3)
    screen = np.column_stack([corners[:, :2], rng.random(90)]).astype(np.float32)
    spans = full_spans(18, 22)
    spans[4] = (3, 9)
    spans[5] = (7, 7)
    visible = rasterise(screen, triangles, spans, 22)
    backdrop = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    out = np.full((18, 22, 3), np.nan, dtype=np.float32)
    shade_cavity(visible, spans, triangles, corners, (0.3, 0.1), 0.6, backdrop, out)
    twin = _reference_shade(visible, triangles, corners, (0.3, 0.1), 0.6, backdrop)
    np.testing.assert_allclose(out, twin, rtol=2e-3, atol=2e-4)
    assert (out[5] == backdrop).all()
    with pytest.raises(ValueError, match="overhangs"):
        shade_cavity(visible, spans, triangles, corners, (0.0, 0.1), 0.6, backdrop, out)


def test_less_light_the_deeper_and_the_nearer_to_the_upper_lip():
    def light_at(high, low, behind):
        corners = np.zeros((3, 9), dtype=np.float32)
        corners[:, :2] = [[-9, -9], [-9, 60], [60, -9]]
        corners[:, 2:] = (high, low, behind, 1, 1, 1, 1)
        triangles = np.array([[0, 1, 2]], dtype=np.int32)
        screen = np.column_stack([corners[:, :2], np.zeros(3)]).astype(np.float32)
        visible = rasterise(screen, triangles, full_spans(3, 3), 3)
        out = np.empty((3, 3, 3), dtype=np.float32)
        shade_cavity(
            visible, full_spans(3, 3), triangles, corners, (0.2, 0.1), 0.6, np.zeros(3, "f4"), out
        )
        return float(out[1, 1, 1])

    assert 0.9 < light_at(9, -9, 0) <= 1
    depths = [light_at(0.6, -0.6, depth) for depth in (0.1, 0.4, 1, 3, 6)]
    assert depths == sorted(depths, reverse=True)
    assert depths[-1] < 0.25 * depths[0]
    heights = [light_at(high, high - 1.2, 0.3) for high in (0.0, 0.1, 0.3, 0.6)]
    assert heights == sorted(heights)
    assert light_at(0.1, -1.1, 0.3) < light_at(1.1, -0.1, 0.3)


def _reference_develop(linear, spans, backdrop, blur):
    kernel = np.array([blur, 1 - 2 * blur, blur])
    padded = np.pad(linear.astype(np.float64), ((1, 1), (0, 0), (0, 0)), mode="edge")
    rows = sum(kernel[i] * padded[i : i + len(linear)] for i in range(3))
    padded = np.pad(rows, ((0, 0), (1, 1), (0, 0)), mode="edge")
    soft = sum(kernel[i] * padded[:, i : i + linear.shape[1]] for i in range(3))
    for y, (first, end) in enumerate(spans):
        soft[y, : max(first, 0)] = backdrop
        soft[y, max(end, first, 0) :] = backdrop
    over = np.clip((soft - 0.7) / 0.8, 0, 1)
    soft = np.where(soft > 0.7, 0.7 + 0.3 * (1 - (1 - over) ** (8 / 3)), soft)
    return 255 * np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * soft ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("blur", [0.0, 0.15, 1 / 3])
def test_develop_equals_its_twin(blur):
    rng = np.random.default_rng(5)
    linear = (rng.random((12, 17, 3)) ** 3 * 2).astype(np.float32)
    spans = full_spans(12, 17)
    spans[3] = (5, 11)
    spans[4] = (8, 2)
    backdrop = np.array([0.01, 0.02, 0.05], dtype=np.float32)
    out = np.zeros((12, 17, 3), dtype=np.uint8)
    develop(linear, spans, backdrop, blur, out)
    # Half a level of rounding, and up to 0.6 where the curve, a table, is steepest.
    assert np.abs(out - _reference_develop(linear, spans, backdrop, blur)).max() <= 1.15
    with pytest.raises(ValueError, match="blur"):
        develop(linear, spans, backdrop, 0.4, out)


def test_lip_spans_hold_the_outline_and_its_margin():
    spans = lip_spans(LENS, 30, 20, 2.0)
    after = np.roll(LENS, -1, axis=0)
    along = np.linspace(0, 1, 400)[:, None, None]
    points = (LENS + along * (after - LENS)).reshape(-1, 2)
    for shift in ((0, 0), (1.9, 0), (-1.9, 0), (0, 1.4), (0, -1.4)):
        for x, y in points + shift:
            row = round(y)
            assert spans[row, 0] <= x <= spans[row, 1]
    rows = np.arange(20)
    far = (rows < LENS[:, 1].min() - 2) | (rows > LENS[:, 1].max() + 2)
    assert far.any()
    assert (spans[far] == 0).all()
    assert spans[~far].min() >= np.floor(LENS[:, 0].min() - 2)
    assert spans.max() <= np.ceil(LENS[:, 0].max() + 2) + 1


def test_lip_spans_of_nothing_in_the_picture():
    assert (lip_spans(LENS + 500, 30, 20, 3.0) == 0).all()
    assert (lip_spans(LENS - 500, 30, 20, 3.0) == 0).all()
    line = np.full((5, 2), 7.0)
    assert (lip_spans(line, 30, 20, 1.0)[6:9] == (6, 9)).all()


def test_rim_heights_equal_a_dense_search():
    after = np.roll(LENS, -1, axis=0)
    t = np.linspace(0, 1, 20001)[:, None, None]
    points = (LENS + t * (after - LENS)).reshape(-1, 2)
    heights = rim_heights(LENS, 2.0, 20.0, 19)
    for i, x in enumerate(np.linspace(2, 20, 19)):
        near = points[np.abs(points[:, 0] - x) < 2e-3]
        np.testing.assert_allclose(heights[i], [near[:, 1].max(), near[:, 1].min()], atol=0.02)
    assert np.isfinite(rim_heights(np.full((4, 2), 3.0), 3.0, 3.001, 8)).all()
    assert np.isfinite(rim_heights(LENS, -90.0, 90.0, 8)).all()


def test_grid_normals_equal_numpy_gradients():
    rng = np.random.default_rng(4)
    grid = rng.normal(size=(7, 9, 3)).astype(np.float32)
    row, column = np.gradient(grid.astype(np.float64), axis=(0, 1))
    twin = np.cross(row, column)
    twin /= np.linalg.norm(twin, axis=-1, keepdims=True)
    np.testing.assert_allclose(grid_normals(grid), twin, atol=2e-5)
    assert (grid_normals(np.zeros((3, 3, 3), dtype=np.float32)) == 0).all()
