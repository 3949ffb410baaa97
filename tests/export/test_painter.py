"""The mouth painter: what it may and may not change, whatever its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 64


def wild(seed: int = 0, spread: float = 2.0):  # type: ignore[no-untyped-def]
    """Make a painter that paints all over the place."""
    from export.nets.painter import Painter

    torch.manual_seed(seed)
    net = Painter(16)
    with torch.no_grad():
        for head in (net.wishes, net.light, net.shade):
            head.weight.normal_(0.0, spread)
            head.bias.normal_(0.0, spread)
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
    from export.nets.painter import Painter, mix

    layers = layers_of()
    with torch.no_grad():
        _, _, gain = decided = Painter(16).eval()(layers)
        made, _ = mix(layers, *decided)
    wanted = torch.where(layers[:, 6:7] > 0.5, layers[:, 3:6], layers[:, :3])
    assert (gain == 1.0).all()
    assert (made - wanted).abs().max() < 0.02


def test_it_never_touches_still_skin() -> None:
    from export.nets.painter import mix

    layers = layers_of()
    with torch.no_grad():
        _, tints, gain = decided = wild()(layers)
        made, alpha = mix(layers, *decided)
    assert not alpha[:, :, :24].any()
    assert not alpha[:, :, 44:].any()
    assert torch.equal(made[:, :, :16], layers[:, :3, :16])
    # What it does change, it changes within bounds, and not at the border of the square.
    assert (gain - 1.0).abs().max() > 0.05
    assert gain.max() <= np.exp(0.3) + 1e-6
    assert (gain[:, :, -1] - 1.0).abs().max() < 0.25
    assert tints.max() <= np.exp(0.9 + 0.12) + 1e-6
    assert made.min() >= 0.0
    assert made.max() <= 1.0


def test_the_runtime_mixes_as_was_learned() -> None:
    """The torch function and the runtime's kernel, at twice the size of the wishes."""
    from edgeavatar.kernels.mixing import mix_layers
    from export.nets.painter import mix

    generator = torch.Generator().manual_seed(2)
    large = torch.randint(0, 256, (1, 14, 2 * SIDE, 2 * SIDE), generator=generator) / 255.0
    large[:, 7] = (large[:, 7] > 0.3).float()
    large[:, 13] = 1.0
    with torch.no_grad():
        wishes, tints, gain = wild(3)(torch.nn.functional.avg_pool2d(large, 2))
        wanted, alpha = mix(large, wishes, tints, torch.ones_like(gain))

    def picture(first: int) -> np.ndarray:
        values = large[0, first : first + 3].permute(1, 2, 0).numpy()
        return np.ascontiguousarray(np.rint(255.0 * values).astype(np.uint8))

    colour, found = mix_layers(
        picture(3),
        picture(10),
        large[0, 6].numpy(),
        large[0, 7].numpy(),
        wishes[0].numpy(),
        tints[0].numpy(),
        np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]]),
    )
    assert np.abs(found - alpha[0, 0].numpy()).max() < 1e-5
    skin = large[0, :3].permute(1, 2, 0).numpy()
    made = skin + found[..., None] * (colour / 255.0 - skin)
    # The kernel's colours are bytes.
    assert np.abs(made - wanted[0].permute(1, 2, 0).numpy()).max() < 0.502 / 255.0


def test_a_reference_that_is_not_there_is_not_shown() -> None:
    from export.nets.painter import mix

    net = wild(1)
    layers = layers_of(1)
    other = layers.clone()
    other[:, 10:13] = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    known = other.clone()
    known[:, 13] = 1.0
    with torch.no_grad():
        decided = net(layers)
        without = mix(layers, *decided)[0]
        assert torch.equal(mix(other, *decided)[0], without)
        assert (mix(known, *decided)[0] - without).abs().max() > 0.05


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_exported_graph_computes_the_same(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from export.to_onnx import export_painter

    path = tmp_path / "painter.onnx"
    assert export_painter(wild(spread=0.5), SIDE, path) < 2e-3
    assert path.exists()
    assert not list(tmp_path.glob("*.part*"))


def test_it_learns_a_tint() -> None:
    """A few steps on one sample bring the painted interior nearer to the target's colour."""
    from export.nets.painter import Painter, mix
    from export.train.painter import Batch, looked_at, painting_loss

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
        _, _, gain = decided = net(looked_at(batch.layers))
        made, alpha = mix(batch.layers, *decided)
        loss = painting_loss(made, batch, alpha, gain)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
