"""The mouth painter: what it may and may not change, whatever its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 64


def wild(seed: int = 0):  # type: ignore[no-untyped-def]
    """Make a painter that paints all over the place."""
    from export.nets.painter import Painter

    torch.manual_seed(seed)
    net = Painter(16)
    with torch.no_grad():
        for head in (net.shares, net.light, net.shade):
            head.weight.normal_(0.0, 2.0)
            head.bias.normal_(0.0, 2.0)
    return net.eval()


def layers_of(seed: int = 0):  # type: ignore[no-untyped-def]
    """Make layers: a mouth in the middle, moved skin below it, a still forehead above."""
    generator = torch.Generator().manual_seed(seed)
    layers = torch.rand(1, 14, SIDE, SIDE, generator=generator)
    layers[:, 6:10] = 0.0
    layers[:, 7, 24:44, 16:48] = 1.0
    layers[:, 6, 30:38, 20:44] = 1.0
    layers[:, 9, 24:] = 0.5
    layers[:, 10:] = 0.0
    return layers


def test_untrained_it_is_the_geometric_renderer() -> None:
    from export.nets.painter import Painter, compose

    layers = layers_of()
    with torch.no_grad():
        colour, alpha, gain = Painter(16).eval()(layers)
        made = compose(layers, colour, alpha, gain)
    wanted = torch.where(layers[:, 6:7] > 0.5, layers[:, 3:6], layers[:, :3])
    assert (gain == 1.0).all()
    assert (made - wanted).abs().max() < 0.02


def test_it_never_touches_still_skin() -> None:
    from export.nets.painter import compose

    layers = layers_of()
    with torch.no_grad():
        colour, alpha, gain = wild()(layers)
        made = compose(layers, colour, alpha, gain)
    assert not alpha[:, :, :24].any()
    assert not alpha[:, :, 44:].any()
    assert torch.equal(made[:, :, :16], layers[:, :3, :16])
    # What it does change, it changes within bounds, and not at the border of the square.
    assert (gain - 1.0).abs().max() > 0.05
    assert gain.max() <= np.exp(0.3) + 1e-6
    assert (gain[:, :, -1] - 1.0).abs().max() < 0.25
    assert colour.min() >= 0.0
    assert colour.max() <= 1.0


def test_a_reference_that_is_not_there_is_not_shown() -> None:
    net = wild(1)
    layers = layers_of(1)
    other = layers.clone()
    other[:, 10:13] = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        without = net(layers)[0]
        known = other.clone()
        known[:, 13] = 1.0
        assert (net(known)[0] - without).abs().max() > 0.05


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_exported_graph_computes_the_same(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from export.to_onnx import export_painter

    path = tmp_path / "painter.onnx"
    assert export_painter(wild(), SIDE, path) < 2e-3
    assert path.exists()
    assert not list(tmp_path.glob("*.part*"))


def test_it_learns_a_tint() -> None:
    """A few steps on one sample bring the painted interior nearer to the target's colour."""
    from export.nets.painter import Painter, compose
    from export.train.painter import Batch, painting_loss

    torch.manual_seed(0)
    layers = layers_of()
    target = layers[:, :3].clone()
    target[:, :, 30:38, 20:44] = 0.6 * layers[:, 3:6, 30:38, 20:44]
    grown = torch.nn.functional.interpolate(layers, size=(256, 256), mode="nearest")
    wanted = torch.nn.functional.interpolate(target, size=(256, 256), mode="nearest")
    batch = Batch(grown, wanted, torch.ones(1, 1, 1, 1))
    net = Painter(16)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        colour, alpha, gain = net(batch.layers)
        loss = painting_loss(compose(batch.layers, colour, alpha, gain), batch, alpha, gain)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
