"""Layers of a mouth laid over each other, held to a plain numpy twin."""

from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.kernels.mixing import mix_layers

SIZE, GRID = (37, 50), (16, 20)
ONTO = np.array([[0.42, 0.03, -1.0], [-0.02, 0.44, -0.7]])


def inputs(seed: int = 0):  # type: ignore[no-untyped-def]
    draw = np.random.default_rng(seed)
    interior, reference = draw.integers(0, 256, (2, *SIZE, 3), np.uint8)
    cavity, lips = draw.random((2, *SIZE), np.float32)
    lips[lips < 0.3] = 0.0
    wishes = draw.normal(0.0, 1.5, (3, *GRID)).astype(np.float32)
    tints = np.exp(draw.normal(0.0, 0.3, 6)).astype(np.float32)
    return interior, reference, cavity, lips, wishes, tints


def read(grid: np.ndarray) -> np.ndarray:
    """Read a grid bilinearly at every pixel."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    gx = np.clip(ONTO[0, 0] * x + ONTO[0, 1] * y + ONTO[0, 2], 0, GRID[1] - 1)
    gy = np.clip(ONTO[1, 0] * x + ONTO[1, 1] * y + ONTO[1, 2], 0, GRID[0] - 1)
    j, i = np.minimum(gx.astype(int), GRID[1] - 2), np.minimum(gy.astype(int), GRID[0] - 2)
    fx, fy = gx - j, gy - i
    above = (1 - fx) * grid[i, j] + fx * grid[i, j + 1]
    below = (1 - fx) * grid[i + 1, j] + fx * grid[i + 1, j + 1]
    return (1 - fy) * above + fy * below


@pytest.mark.parametrize("known", [False, True])
def test_it_is_its_numpy_twin(known: bool) -> None:
    interior, reference, cavity, lips, wishes, tints = inputs()
    colour, alpha = mix_layers(
        interior, reference if known else None, cavity, lips, wishes, tints, ONTO
    )
    skin, modelled, other = (np.exp(read(w)) for w in wishes)
    skin = skin * np.exp(6.0 - 12.0 * cavity)
    other = other * np.exp(-4.0) * known
    shown = modelled + other
    assert alpha == pytest.approx(shown / (skin + shown) * lips, abs=1e-5)
    mixed = modelled[..., None] * tints[:3] * interior + other[..., None] * tints[3:] * reference
    wanted = np.minimum(mixed / shown[..., None], 255.0)
    there = lips > 0
    assert np.abs(colour[there] - wanted[there]).max() <= 0.51
    assert not colour[~there].any()
    assert not alpha[~there].any()


def test_without_wishes_the_interior_shows_where_the_mouth_is_open() -> None:
    interior, _, _, _, wishes, tints = inputs(1)
    cavity = np.zeros(SIZE, np.float32)
    cavity[:, 25:] = 1.0
    colour, alpha = mix_layers(
        interior, None, cavity, np.ones(SIZE, np.float32), 0 * wishes, 0 * tints + 1, ONTO
    )
    assert np.array_equal(colour, interior)
    assert alpha[:, 25:].min() > 0.997
    assert alpha[:, :25].max() < 0.003
