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
def test_the_graph_decides_the_same() -> None:
    pytest.importorskip("onnx", reason="onnx is only needed for export")
    pytest.importorskip("onnxslim", reason="onnxslim is only needed for export")
    from export.graph import trace, with_half_weights
    from export.nets.painter import mix
    from export.recipes.base import onnx_runner

    net, layers = wild(spread=0.5), layers_of(1)
    graph = with_half_weights(
        trace(net, {"layers": layers.numpy()}, ("wishes", "tints", "gain"), {})
    )
    made = onnx_runner(graph)({"layers": layers.numpy()})
    with torch.no_grad():
        wanted = mix(layers, *net(layers))
        shown = mix(layers, *(torch.from_numpy(made[n]) for n in ("wishes", "tints", "gain")))
    # Wishes are logarithms of shares: what counts is what is seen of them.
    for right, found in zip(wanted, shown, strict=True):
        assert (right - found).abs().max() < 2e-3


def alone(layers, target, teeth, drawn):  # type: ignore[no-untyped-def]
    """Make a batch in which no sample follows another."""
    from export.train.painter import Batch

    return Batch(layers, target, teeth, drawn, torch.arange(len(layers)))


def test_it_learns_a_tint() -> None:
    """A few steps on one sample bring the painted interior nearer to the target's colour."""
    from export.nets.painter import Painter, mix
    from export.train.painter import looked_at, painting_loss

    torch.manual_seed(0)
    layers = layers_of()
    target = layers[:, :3].clone()
    target[:, :, 30:38, 20:44] = 0.6 * layers[:, 3:6, 30:38, 20:44]
    grown = torch.nn.functional.interpolate(layers, size=(256, 256), mode="nearest")
    wanted = torch.nn.functional.interpolate(target, size=(256, 256), mode="nearest")
    batch = alone(grown, wanted, torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
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


# ------------------------------------------------------------------------------------ steadiness


def pair_of_frames():  # type: ignore[no-untyped-def]
    """Make a mouth and the frame after it, in which it is darker."""
    from export.train.painter import Batch

    layers = open_mouth()[0].repeat(2, 1, 1, 1)
    target = layers[:, :3].clone()
    target[1] *= 0.9
    one = torch.ones(2, 1, 1, 1)
    return Batch(layers, target, one, 0.0 * one, torch.tensor([0, 0]))


def test_what_changes_as_film_does_is_steady_whatever_it_looks_like() -> None:
    from export.train.painter import unsteadiness

    batch = pair_of_frames()
    same_error = batch.target - 0.1
    assert float(unsteadiness(same_error, batch)) == pytest.approx(0.0, abs=1e-6)
    flicker = batch.target.clone()
    flicker[1] += 0.1
    assert float(unsteadiness(flicker, batch)) == pytest.approx(0.1, rel=1e-3)
    assert (
        float(unsteadiness(flicker, alone(batch.layers, batch.target, batch.teeth, batch.drawn)))
        == 0.0
    )


def test_a_frame_is_disturbed_as_the_one_before() -> None:
    from export.train.painter import disturb, looked_at

    batch = pair_of_frames()
    batch.layers[:, 13] = 1.0
    batch.layers[:, 10:13] = 0.4
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        made = disturb(batch, generator)
        assert torch.equal(made.layers[0], made.layers[1])
        assert not torch.equal(made.target[0], made.target[1])
        small = looked_at(made.layers, made.before, generator)
        assert torch.equal(small[0], small[1])


# ------------------------------------------------------------------------------- drawn open mouths


def open_mouth():  # type: ignore[no-untyped-def]
    """Make layers of a wide mouth with upright stripes for teeth, and the mask of its middle."""
    line = torch.arange(256).float()
    layers = torch.zeros(1, 14, 256, 256)
    layers[:, :3] = 0.6
    layers[:, 7, 80:180, 60:196] = 1.0
    layers[:, 6, 100:160, 76:180] = 1.0
    layers[:, 3:6] = 0.5 + 0.3 * torch.sign(torch.sin(line * torch.pi / 8.0))
    middle = torch.zeros(1, 1, 256, 256)
    middle[..., 110:150, 86:170] = 1.0
    return layers, middle


def loss_of(made, batch) -> float:  # type: ignore[no-untyped-def]
    from export.train.painter import painting_loss

    alpha = batch.layers[:, 6:7]
    return float(painting_loss(made, batch, alpha, torch.ones(1, 1, 64, 64)))


@pytest.mark.parametrize("kind", ["own", "film", "drawn"])
def test_a_drawn_mouth_tells_its_light_and_its_rim_but_not_its_teeth(kind: str) -> None:
    layers, middle = open_mouth()
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    told = {"own": (one, zero), "film": (zero, zero), "drawn": (zero, one)}[kind]
    shown = layers[:, :3] + layers[:, 6:7] * (layers[:, 3:6] - layers[:, :3])
    batch = alone(layers, shown, *told)

    def cost(made) -> float:  # type: ignore[no-untyped-def]
        return (loss_of(made, batch) - loss_of(shown, batch)) / float((made - shown).abs().mean())

    others_teeth = cost(shown + middle * (shown.roll(8, dims=3) - shown))
    darker = cost(shown - 0.1 * middle)
    redder = cost(shown + middle * torch.tensor([0.06, 0.0, -0.06])[None, :, None, None])
    rim = torch.zeros_like(middle)
    rim[..., 101:103, 86:170] = 1.0
    at_rim = cost(shown - 0.3 * rim)
    # For the same mean error:
    if kind == "own":
        assert others_teeth > darker > 0.0
        assert at_rim > darker
    elif kind == "film":
        # One man's light is known on the whole, his colours are not.
        assert darker > 0.0
        assert redder < 0.1 * darker
        assert others_teeth < 0.2 * darker
        assert at_rim < 2.0 * darker
    else:
        assert redder > 0.7 * darker > 0.0
        assert others_teeth < 0.2 * darker
        assert at_rim > 1.3 * darker


def test_skin_beside_a_drawn_mouth_hardly_counts() -> None:
    from export.train.painter import weights_of

    layers, _ = open_mouth()
    zero, one = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    film, drawn = (weights_of(alone(layers, layers[:, :3], zero, d)) for d in (zero, one))
    assert (drawn[..., :50, :] < 0.25 * film[..., :50, :]).all()
    assert (drawn[..., 85:95, 70:180] > 1.5).all()


def test_a_reference_tells_the_teeth_of_a_drawn_mouth() -> None:
    from export.train.painter import SEEN, disturb

    layers, _ = open_mouth()
    layers = layers.repeat(40, 1, 1, 1)
    layers[:, 13] = 1.0
    drawn = torch.cat([torch.ones(20, 1, 1, 1), torch.zeros(20, 1, 1, 1)])
    batch = alone(layers, layers[:, :3], torch.zeros(40, 1, 1, 1), drawn)
    made = disturb(batch, torch.Generator().manual_seed(1))
    kept = made.layers[:, 13, 128, 128] > 0.5
    assert 8 < int(kept.sum()) < 36
    for first, worth in ((0, SEEN[1]), (20, SEEN[0])):
        some = slice(first, first + 20)
        wanted = worth * kept[some].float()
        assert torch.allclose(made.teeth[some, 0, 0, 0], wanted)
    assert torch.equal(made.drawn, drawn)


def test_a_batch_has_its_share_of_every_kind(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is only needed for training")
    import argparse

    from edgeavatar.rendering.layers import MouthLayers
    from export.train.mouths import Sample, write
    from export.train.painter import PARTS, SHARES, Trainer, load

    draw = np.random.default_rng(0)

    def sample(name: str, *, held_out: bool, drawn: bool, follows: str = "") -> Sample:
        pictures = [draw.integers(0, 256, (64, 64, 3)).astype(np.uint8) for _ in range(4)]
        masks = [np.zeros((64, 64), np.float32) for _ in range(2)]
        masks[0][24:40, 20:44] = masks[1][16:48, 16:48] = 1.0
        shift = np.zeros((64, 64, 2), np.float32)
        layers = MouthLayers(pictures[0], pictures[1], *masks, shift, pictures[2])
        return Sample(
            name, held_out, layers, pictures[3], not drawn, light_known=drawn, follows=follows
        )

    names = {"london": ("1-ns", "1-sn", "1-n0.45"), "grid": ("a-3",), "rig": ("1-0", "1-6")}
    for part, kinds in names.items():
        found = [
            sample(name, held_out=held, drawn=part == "rig")
            for name in kinds
            for held in (False, True)
        ]
        if part == "grid":
            found = [
                sample(name, held_out=held, drawn=False, follows=follows)
                for held, stem in ((False, "a"), (True, "b"))
                for name, follows in ((f"{stem}-3", ""), (f"{stem}-3+", f"{stem}-3"))
            ]
        write(tmp_path / f"{part}.npz", found)
    assert not list(tmp_path.glob("*.part*"))
    corpora = {name: load(tmp_path / f"{name}.npz", "cpu") for name in PARTS}
    trainer = Trainer(
        corpora, argparse.Namespace(seed=0, width=16, batch=20, steady=2.0, rate=1e-3)
    )
    assert sum(SHARES.values()) == pytest.approx(1.0)
    assert set(trainer.piles) == set(trainer.tests) == set(SHARES)
    for corpus, pile in trainer.piles.values():
        assert not any(corpus.index[i]["held_out"] for i in pile)
    batch = trainer.batch()
    assert len(batch.layers) == sum(trainer.counts.values())
    # Film comes in pairs: half of it is the frame after the other half.
    film = trainer.counts["grid"]
    assert int((batch.before != torch.arange(len(batch.layers))).sum()) == film // 2 > 0
    assert float(batch.drawn.sum()) == trainer.counts["rig"] == round(20 * SHARES["rig"])
    # And it learns from it: a step down its own loss changes every head.
    from export.train.painter import painting_loss

    made, alpha, gain = trainer.paint(trainer.net, batch, trainer.generator)
    painting_loss(made, batch, alpha, gain).backward()
    for head in (trainer.net.wishes, trainer.net.light, trainer.net.shade):
        assert head.weight.grad is not None
    assert float(trainer.net.wishes.weight.grad.abs().sum()) > 0.0
    scores = trainer.scores()
    assert {"rig", "rig+reference"} <= set(scores)
    assert len(scores["grid"]) == 6
    assert len(scores["ns"]) == 4
