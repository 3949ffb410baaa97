"""The displacement field, sampling through it, and polygon coverage, against plain numpy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeavatar.kernels.warp import STILL_PX, TEAR, polygon_alpha, rasterise_field, warp_plane

SQUARE = np.array([[0, 0], [40, 0], [40, 30], [0, 30]], np.float32)
TWO = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
EXACT = np.zeros(2, np.float32)


def picture(shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, shape).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


def test_field_is_linear_inside_triangles_and_zero_outside() -> None:
    values = np.stack([2 * SQUARE[:, 0] - SQUARE[:, 1], 3 + 0.5 * SQUARE[:, 1]], 1)
    field = rasterise_field(SQUARE, values, TWO, EXACT, (-4.0, -4.0), 2.0, (20, 26))
    for i in range(20):
        for j in range(26):
            x, y = -4 + 2 * j, -4 + 2 * i
            inside = 0 <= x <= 40 and 0 <= y <= 30
            expected = (2 * x - y, 3 + 0.5 * y) if inside else (0, 0)
            assert field[i, j] == pytest.approx(expected, abs=1e-4)


def test_reach_repeats_the_edge_that_far_and_no_farther() -> None:
    values = SQUARE + 10
    reach = np.full(2, 1.5, np.float32)
    field = rasterise_field(SQUARE, values, TWO, reach, (-4.0, 10.0), 1.0, (1, 12))
    field[0, :3, 0] = np.where(field[0, :3, 0] == 0, 9, -1)
    assert field[0, :, 0] == pytest.approx([9, 9, 9, 10, 10, 11, 12, 13, 14, 15, 16, 17], abs=1e-4)


def test_beside_a_sliver_is_what_its_nearest_place_is() -> None:
    # Weights cut off at 0 would say 27 where 10 is nearest: as far along as the sliver is thin.
    points = np.array([[0, 10], [40, 10], [20, 10.02]], np.float32)
    values = np.stack([points[:, 0], points[:, 1]], 1)
    one = np.array([[0, 1, 2]], np.int32)
    field = rasterise_field(points, values, one, np.ones(1, np.float32), (0, 9.5), 10.0, (1, 5))
    assert field[0, :, 0] == pytest.approx([0, 10, 20, 30, 40], abs=0.1)


def test_later_triangles_win_and_degenerate_ones_are_skipped() -> None:
    points = np.concatenate([SQUARE, SQUARE[:1], SQUARE[:1]])
    triangles = np.array([[0, 1, 2], [0, 1, 2], [0, 4, 5]], np.int32)
    values = np.ones((6, 2), np.float32)
    first = rasterise_field(points, values, triangles, np.zeros(3), (0, 0), 1.0, (30, 40))
    assert np.isfinite(first).all()
    assert first.max() == pytest.approx(1.0, abs=1e-5)


def test_winding_does_not_matter() -> None:
    values = SQUARE * 0.1
    one = rasterise_field(SQUARE, values, TWO, EXACT, (0, 0), 1.0, (30, 40))
    other = rasterise_field(SQUARE, values, TWO[:, ::-1].copy(), EXACT, (0, 0), 1.0, (30, 40))
    assert one == pytest.approx(other, abs=1e-5)


def test_no_displacement_leaves_every_bit() -> None:
    source = picture()
    out = np.zeros_like(source)
    field = np.full((40, 50, 2), 0.9 * STILL_PX, np.float32)
    warp_plane(source, field, (0, 0), 2.0, (0, 0, 80, 60), subsampled=False, out=out)
    assert np.array_equal(out, source)


def test_whole_pixels_are_moved_exactly_and_nothing_outside_the_box() -> None:
    source = picture()
    out = source.copy()
    field = np.broadcast_to(np.array([3.0, -2.0], np.float32), (40, 50, 2))
    warp_plane(source, field, (0, 0), 2.0, (10, 10, 50, 40), subsampled=False, out=out)
    assert np.array_equal(out[10:40, 10:50], source[8:38, 13:53])
    changed = np.zeros(source.shape, bool)
    changed[10:40, 10:50] = True
    assert np.array_equal(out[~changed], source[~changed])


def test_chroma_moves_half_as_far() -> None:
    source = picture()
    out = source.copy()
    field = np.broadcast_to(np.array([4.0, 2.0], np.float32), (80, 90, 2))
    warp_plane(source, field, (0, 0), 2.0, (0, 0, 70, 50), subsampled=True, out=out)
    assert np.array_equal(out[:50, :70], source[1:51, 2:72])


def reference_map(
    field: np.ndarray, origin: tuple[float, float], step: float, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sample positions the slow way, for fields without tears."""
    map_x, map_y = np.empty((2, height, width), np.float32)
    for y in range(height):
        for x in range(width):
            gx = np.clip((x - origin[0]) / step, 0, field.shape[1] - 1.001)
            gy = np.clip((y - origin[1]) / step, 0, field.shape[0] - 1.001)
            j, i = int(gx), int(gy)
            fx, fy = gx - j, gy - i
            top = (1 - fx) * field[i, j] + fx * field[i, j + 1]
            bottom = (1 - fx) * field[i + 1, j] + fx * field[i + 1, j + 1]
            dx, dy = (1 - fy) * top + fy * bottom
            map_x[y, x], map_y[y, x] = x + dx, y + dy
    return map_x, map_y


def test_smooth_fields_match_plain_numpy() -> None:
    rng = np.random.default_rng(5)
    field = cv2.GaussianBlur(rng.normal(0, 6, (20, 24, 2)).astype(np.float32), (0, 0), 3)
    field += 0.3
    source = picture()
    out = np.zeros_like(source)
    warp_plane(source, field, (-2.0, -1.5), 4.0, (0, 0, 80, 60), subsampled=False, out=out)
    map_x, map_y = reference_map(field, (-2.0, -1.5), 4.0, 80, 60)
    expected = cv2.remap(source, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    apart = np.abs(out.astype(int) - expected.astype(int))
    # A 32nd of a pixel, OpenCV's own grain, may fall to either side.
    assert apart.max() <= 3
    assert apart.mean() < 0.05


def test_nothing_between_two_sides_of_a_tear_is_read() -> None:
    # Dark above row 20, white between 20 and 40, dark grey below: teeth between lips.
    source = np.full((60, 40), 30, np.uint8)
    source[20:40] = 255
    source[40:] = 60
    field = np.zeros((30, 20, 2), np.float32)
    step = 2.0
    # The lower part is pulled up by 24 px over the white: rows from 18 on show rows from 42 on.
    field[9:, :, 1] = 24.0
    assert TEAR * step < 24.0
    out = np.zeros_like(source)
    warp_plane(source, field, (0, 0), step, (0, 0, 40, 34), subsampled=False, out=out)
    assert set(np.unique(out[:34])) <= {30, 60}


def test_a_box_outside_the_plane_is_refused() -> None:
    source = picture()
    field = np.zeros((4, 4, 2), np.float32)
    with pytest.raises(ValueError, match="does not fit"):
        warp_plane(source, field, (0, 0), 30, (0, 0, 81, 60), subsampled=False, out=source)


def reference_alpha(
    polygon: np.ndarray, box: tuple[int, int, int, int], softness: float, grow: float
) -> np.ndarray:
    """Signed distance the slow way."""
    x0, y0, x1, y1 = box
    out = np.zeros((y1 - y0, x1 - x0))
    contour = np.asarray(polygon, np.float32).reshape(-1, 1, 2)
    for r in range(y1 - y0):
        for c in range(x1 - x0):
            signed = cv2.pointPolygonTest(contour, (float(c + x0), float(r + y0)), True)
            t = np.clip((signed + grow) / softness, 0, 1)
            out[r, c] = t * t * (3 - 2 * t)
    return out


@pytest.mark.parametrize(("softness", "grow"), [(1.0, 0.0), (3.0, 0.0), (2.0, 2.0), (1.0, 3.5)])
def test_coverage_matches_signed_distance(softness: float, grow: float) -> None:
    angle = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    lips = np.stack([40 + 22.3 * np.cos(angle), 31 + 7.1 * np.sin(angle) ** 3], 1)
    box = (10, 15, 72, 50)
    found = polygon_alpha(lips.astype(np.float32), box, softness, grow)
    assert found == pytest.approx(reference_alpha(lips, box, softness, grow), abs=2e-3)


def test_closed_lips_cover_nothing() -> None:
    line = np.stack([np.linspace(5, 40, 20), np.full(20, 10.5)], 1).astype(np.float32)
    closed = np.concatenate([line, line[::-1]])
    assert not polygon_alpha(closed, (0, 0, 50, 20), 1.0).any()
