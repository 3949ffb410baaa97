from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation

from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr, planes_to_bgr
from edgeavatar.types import ColourTags, Frame

MATRICES = ["bt601", "bt709", "bt2020"]
RANGES = ["limited", "full"]
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
SIZES = [(64, 48), (51, 35), (1, 1), (2, 3), (17, 2), (5, 1)]
SHIFT = 16


def random_frame(size, colour, seed=0) -> Frame:
    rng = np.random.default_rng(seed)
    width, height = size
    half = ((height + 1) // 2, (width + 1) // 2)
    planes = (rng.integers(0, 256, s).astype(np.uint8) for s in ((height, width), half, half))
    return Frame(0, Fraction(0), *planes, colour)


def fixed(value) -> int:
    return round(value * (1 << SHIFT))


def reference_bgr(frame) -> np.ndarray:
    """Convert in integers, as the module's docstring says."""
    kr, kb = WEIGHTS[frame.colour.matrix]
    kg = 1 - kr - kb
    limited = frame.colour.range == "limited"
    offset, gain, chroma = (16, 255 / 219, 255 / 224) if limited else (0, 1, 1)
    height, width = frame.y.shape
    u, v = (
        p.astype(np.int64).repeat(2, axis=0).repeat(2, axis=1)[:height, :width] - 128
        for p in (frame.u, frame.v)
    )
    y = fixed(gain) * (frame.y.astype(np.int64) - offset)
    b = y + fixed(chroma * 2 * (1 - kb)) * u
    g = (
        y
        + fixed(-chroma * 2 * (1 - kb) * kb / kg) * u
        + fixed(-chroma * 2 * (1 - kr) * kr / kg) * v
    )
    r = y + fixed(chroma * 2 * (1 - kr)) * v
    rounded = (np.stack([b, g, r], axis=-1) + (1 << (SHIFT - 1))) >> SHIFT
    return np.clip(rounded, 0, 255).astype(np.uint8)


def reference_planes(bgr, colour):
    kr, kb = WEIGHTS[colour.matrix]
    limited = colour.range == "limited"
    offset, gain, chroma = (16, 219 / 255, 224 / 255) if limited else (0, 1, 1)
    b, g, r = (bgr[..., i].astype(np.int64) for i in range(3))
    yr, yb = fixed(gain * kr), fixed(gain * kb)
    y = yr * r + (fixed(gain) - yr - yb) * g + yb * b
    y = (y + (offset << SHIFT) + (1 << (SHIFT - 1))) >> SHIFT
    height, width = b.shape
    pad = ((0, height % 2), (0, width % 2))

    def block_sum(plane):
        p = np.pad(plane, pad, mode="edge")
        return p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]

    b, g, r = block_sum(b), block_sum(g), block_sum(r)
    ur, ub = fixed(-chroma * kr / (2 * (1 - kb))), fixed(chroma / 2)
    vr, vb = fixed(chroma / 2), fixed(-chroma * kb / (2 * (1 - kr)))
    shift = SHIFT + 2
    base = (128 << shift) + (1 << (shift - 1))
    u = (ur * r + (-ur - ub) * g + ub * b + base) >> shift
    v = (vr * r + (-vr - vb) * g + vb * b + base) >> shift
    return tuple(np.clip(p, 0, 255).astype(np.uint8) for p in (y, u, v))


def exact_bgr(frame) -> np.ndarray:
    """Convert in real numbers, straight from the recommendations."""
    kr, kb = WEIGHTS[frame.colour.matrix]
    limited = frame.colour.range == "limited"
    height, width = frame.y.shape
    y = (frame.y - 16.0) / 219 if limited else frame.y / 255.0
    span = 224 if limited else 255
    cb, cr = (
        ((p - 128.0) / span).repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
        for p in (frame.u, frame.v)
    )
    r = y + 2 * (1 - kr) * cr
    b = y + 2 * (1 - kb) * cb
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return np.clip(np.stack([b, g, r], axis=-1) * 255, 0, 255)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_equal_to_the_twins(matrix, range_, size) -> None:
    colour = ColourTags(matrix, range_)
    frame = random_frame(size, colour)
    bgr = frame_to_bgr(frame)
    assert bgr.flags.c_contiguous
    assert np.array_equal(bgr, reference_bgr(frame))
    noise = np.random.default_rng(1).integers(0, 256, bgr.shape).astype(np.uint8)
    for got, expected in zip(
        bgr_to_planes(noise, colour), reference_planes(noise, colour), strict=True
    ):
        assert got.flags.c_contiguous
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_within_a_level_of_the_recommendations(matrix, range_) -> None:
    frame = random_frame((200, 200), ColourTags(matrix, range_))
    assert np.abs(frame_to_bgr(frame) - exact_bgr(frame)).max() < 0.51


@pytest.mark.parametrize("box", [(0, 0, 51, 35), (1, 1, 2, 2), (3, 5, 40, 34), (50, 34, 51, 35)])
def test_a_rectangle_is_that_part_of_the_whole(box) -> None:
    frame = random_frame((51, 35), ColourTags())
    x0, y0, x1, y1 = box
    assert np.array_equal(planes_to_bgr(frame, *box), frame_to_bgr(frame)[y0:y1, x0:x1])


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 52, 5), (0, 0, 5, 36), (5, 5, 5, 9)])
def test_a_rectangle_outside_is_refused(box) -> None:
    with pytest.raises(ValueError, match="not inside a 51 x 35 frame"):
        planes_to_bgr(random_frame((51, 35), ColourTags()), *box)


def test_strided_pictures_are_taken() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (20, 60, 3)).astype(np.uint8)
    part = noise[3:17, 5:40]
    for got, expected in zip(
        bgr_to_planes(part, ColourTags()), bgr_to_planes(part.copy(), ColourTags()), strict=True
    ):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), "u1")]
)
def test_other_pictures_are_refused(bad) -> None:
    with pytest.raises(ValueError, match="expected"):
        bgr_to_planes(bad, ColourTags())


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_grey_stays_grey(matrix, range_) -> None:
    colour = ColourTags(matrix, range_)
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 6).reshape(1, -1, 3).repeat(2, axis=0)
    y, u, v = bgr_to_planes(np.ascontiguousarray(ramp), colour)
    assert np.all(u == 128)
    assert np.all(v == 128)
    back = frame_to_bgr(Frame(0, Fraction(0), y, u, v, colour))
    assert np.all(back == back[..., :1])
    assert np.abs(back.astype(int) - ramp).max() <= 1


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", MATRICES)
def test_there_and_back_moves_no_level_by_more_than_one(matrix, range_) -> None:
    colour = ColourTags(matrix, range_)
    # Colours well inside the cube: what is clipped cannot come back.
    rng = np.random.default_rng(2)
    half = rng.integers(90, 166, (20, 30, 3)).astype(np.uint8)
    y, u, v = bgr_to_planes(half.repeat(2, axis=0).repeat(2, axis=1), colour)
    bgr = frame_to_bgr(Frame(0, Fraction(0), y, u, v, colour))
    for got, expected in zip(bgr_to_planes(bgr, colour), (y, u, v), strict=True):
        assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("range_", RANGES)
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_within_two_levels_of_swscale(matrix, range_) -> None:
    colour = ColourTags(matrix, range_)
    frame = random_frame((64, 48), colour)
    # Even chroma, so that the way of enlarging it does not matter.
    u, v = np.full_like(frame.u, 90), np.full_like(frame.v, 170)
    picture = av.VideoFrame(64, 48, "yuv420p")
    for plane, values in zip(picture.planes, (frame.y, u, v), strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[: values.shape[0], : values.shape[1]] = values
    rgb = picture.reformat(
        format="bgr24",
        src_colorspace=1 if matrix == "bt709" else 5,
        src_color_range=2 if range_ == "full" else 1,
        dst_color_range=2,
        # Its quick way is three levels off.
        interpolation=Interpolation.BILINEAR
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT,
    ).to_ndarray()
    ours = frame_to_bgr(Frame(0, Fraction(0), frame.y, u, v, colour))
    assert np.abs(ours.astype(int) - rgb).max() <= 2
