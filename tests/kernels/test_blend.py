from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.kernels.blend import blend_frame, blend_plane
from edgeavatar.types import ColourTags, Frame


def noise(seed, *shape) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def random_frame(width, height, seed=0) -> Frame:
    half = ((height + 1) // 2, (width + 1) // 2)
    planes = (noise(seed, height, width), noise(seed + 1, *half), noise(seed + 2, *half))
    return Frame(7, Fraction(7, 25), *planes, ColourTags(), source_index=3)


def mixed_alpha(height, width) -> np.ndarray:
    """Make an alpha with all values, and plenty of 0 and 255."""
    alpha = noise(9, height, width)
    alpha[noise(10, height, width) < 100] = 0
    alpha[noise(11, height, width) < 40] = 255
    return alpha


def reference_blend(plane, patch, alpha, x0, y0) -> np.ndarray:
    out = plane.copy()
    region = (slice(y0, y0 + patch.shape[0]), slice(x0, x0 + patch.shape[1]))
    a = alpha.astype(np.int64)
    mixed = a * patch + (255 - a) * plane[region].astype(np.int64)
    # Round half up; 255 is odd, so a half never occurs.
    out[region] = (2 * mixed + 255) // 510
    return out


def reference_chroma_alpha(alpha, frame, x0, y0) -> np.ndarray:
    """Mean over the pixels of each block that lie in the frame."""
    canvas = np.zeros((frame.height + frame.height % 2, frame.width + frame.width % 2), np.int64)
    inside = np.zeros_like(canvas)
    inside[: frame.height, : frame.width] = 1
    canvas[y0 : y0 + alpha.shape[0], x0 : x0 + alpha.shape[1]] = alpha

    def sums(p):
        return p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]

    count = sums(inside)
    mean = (2 * sums(canvas) + count) // (2 * count)
    height, width = alpha.shape
    return mean[y0 // 2 : y0 // 2 + (height + 1) // 2, x0 // 2 : x0 // 2 + (width + 1) // 2]


@pytest.mark.parametrize(
    ("size", "patch_size", "place"),
    [
        ((40, 30), (40, 30), (0, 0)),
        ((40, 30), (16, 9), (3, 5)),
        ((41, 31), (1, 1), (40, 30)),
        ((200, 100), (101, 67), (99, 33)),
    ],
)
def test_plane_equals_its_twin(size, patch_size, place) -> None:
    plane = noise(0, size[1], size[0])
    patch = noise(1, patch_size[1], patch_size[0])
    alpha = mixed_alpha(patch_size[1], patch_size[0])
    expected = reference_blend(plane, patch, alpha, *place)
    before = plane.copy()
    blend_plane(plane, patch, alpha, *place)
    assert np.array_equal(plane, expected)
    outside = np.ones(plane.shape, bool)
    outside[place[1] : place[1] + patch_size[1], place[0] : place[0] + patch_size[0]] = False
    assert np.array_equal(plane[outside], before[outside])


def test_every_pair_of_values_at_every_alpha_is_exact() -> None:
    values = np.arange(256, dtype=np.uint8)
    patch = np.repeat(values[:, np.newaxis], 256, axis=1)
    plane = np.repeat(values[np.newaxis], 256, axis=0)
    for a in range(256):
        got = plane.copy()
        alpha = np.full(plane.shape, a, np.uint8)
        blend_plane(got, patch, alpha, 0, 0)
        exact = (a * patch.astype(float) + (255 - a) * plane.astype(float)) / 255
        assert np.abs(got - exact).max() <= 0.5
        if a == 0:
            assert np.array_equal(got, plane)
        if a == 255:
            assert np.array_equal(got, patch)


def test_floats_are_rounded_and_clipped_first() -> None:
    plane = noise(0, 20, 30)
    patch = np.linspace(-20, 280, 600, dtype=np.float32).reshape(20, 30)
    alpha = np.linspace(-0.1, 1.1, 600, dtype=np.float32).reshape(20, 30)[::-1].copy()
    patch[0, 0] = alpha[1, 1] = np.nan
    whole_patch = np.clip(np.floor(np.nan_to_num(patch) + 0.5), 0, 255).astype(np.uint8)
    whole_alpha = np.clip(
        np.floor(np.nan_to_num(alpha) * np.float32(255) + np.float32(0.5)), 0, 255
    ).astype(np.uint8)
    expected = reference_blend(plane, whole_patch, whole_alpha, 0, 0)
    blend_plane(plane, patch, alpha, 0, 0)
    assert np.array_equal(plane, expected)


@pytest.mark.parametrize(
    ("size", "patch_size", "place"),
    [
        ((40, 30), (40, 30), (0, 0)),
        ((41, 31), (41, 31), (0, 0)),
        ((41, 31), (17, 11), (24, 20)),
        ((41, 31), (15, 11), (24, 18)),
        ((40, 30), (15, 11), (4, 6)),
        ((40, 30), (16, 11), (4, 6)),
        ((40, 30), (15, 12), (4, 6)),
        ((41, 30), (1, 1), (40, 28)),
        ((1, 1), (1, 1), (0, 0)),
    ],
)
def test_frame_equals_its_twin(size, patch_size, place) -> None:
    frame = random_frame(*size)
    kept = tuple(p.copy() for p in (frame.y, frame.u, frame.v))
    other = random_frame(*patch_size, seed=20)
    alpha = mixed_alpha(patch_size[1], patch_size[0])
    out = blend_frame(frame, (other.y, other.u, other.v), alpha, *place)
    half_alpha = reference_chroma_alpha(alpha, frame, *place)
    x, y = place[0] // 2, place[1] // 2
    assert np.array_equal(out.y, reference_blend(frame.y, other.y, alpha, *place))
    assert np.array_equal(out.u, reference_blend(frame.u, other.u, half_alpha, x, y))
    assert np.array_equal(out.v, reference_blend(frame.v, other.v, half_alpha, x, y))
    assert (out.index, out.time_s, out.source_index) == (7, Fraction(7, 25), 3)
    for plane, before in zip((frame.y, frame.u, frame.v), kept, strict=True):
        assert np.array_equal(plane, before)
    for plane, source in zip((out.y, out.u, out.v), (frame.y, frame.u, frame.v), strict=True):
        assert not np.shares_memory(plane, source)


def test_what_has_no_alpha_is_untouched_to_the_bit() -> None:
    frame = random_frame(99, 77)
    other = random_frame(60, 50, seed=20)
    yy, xx = np.mgrid[:50, :60]
    alpha = np.clip(20 - np.hypot(xx - 30, yy - 25), 0, 1).astype(np.float32)
    out = blend_frame(frame, (other.y, other.u, other.v), alpha, 10, 12)
    canvas = np.zeros(frame.y.shape, np.float32)
    canvas[12:62, 10:70] = alpha
    assert np.array_equal(out.y[canvas == 0], frame.y[canvas == 0])
    assert np.array_equal(out.y[canvas == 1], np.pad(other.y, ((12, 15), (10, 29)))[canvas == 1])
    blocks = np.pad(canvas, ((0, 1), (0, 1))).reshape(39, 2, 50, 2).max(axis=(1, 3))
    assert np.array_equal(out.u[blocks == 0], frame.u[blocks == 0])
    assert np.array_equal(out.v[blocks == 0], frame.v[blocks == 0])
    assert not np.array_equal(out.u, frame.u)


@pytest.mark.parametrize(
    ("place", "alpha_shape", "words"),
    [
        ((-2, 0), (10, 12), "reaches outside"),
        ((30, 0), (10, 12), "reaches outside"),
        ((0, 22), (10, 12), "reaches outside"),
        ((1, 0), (10, 12), "even place"),
        ((0, 0), (12, 10), "expected alpha of shape"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(place, alpha_shape, words) -> None:
    frame, patch = random_frame(40, 30), random_frame(12, 10)
    with pytest.raises(ValueError, match=words):
        blend_frame(frame, (patch.y, patch.u, patch.v), np.zeros(alpha_shape, np.uint8), *place)


def test_other_types_are_refused() -> None:
    plane, patch = noise(0, 10, 10), noise(1, 4, 4)
    with pytest.raises(ValueError, match="uint8 or float32"):
        blend_plane(plane, patch, np.zeros((4, 4)), 0, 0)
    with pytest.raises(ValueError, match="uint8 plane"):
        blend_plane(plane.astype(np.float32), patch, patch, 0, 0)
    with pytest.raises(ValueError, match="alpha of shape"):
        blend_plane(plane, patch, noise(1, 4, 5), 0, 0)
