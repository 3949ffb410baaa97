r"""Train the mouth painter on samples of :mod:`export.train.mouths`. Needs torch, numpy and Pillow.

    python -m export.train.painter --pack out/mouths -o out/painter --minutes 8

A run that finds a checkpoint in its folder goes on from it.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from export.nets.painter import FULL_WIDTH, SHIFT_PX, Painter, mix
from export.nets.painter import SIZE as NET_SIZE

SIZE = 256
"""Of samples; the net is given them at half of that."""
SHARES = {"ns": 0.27, "sn": 0.11, "n0": 0.16, "grid": 0.31, "rig": 0.15}
"""Of a batch, by what a sample is: to a smile, from a smile, to half a smile, speech, an open mouth
of a stranger."""
PARTS = ("london", "grid", "rig")
"""Files of a pack."""
LIGHT_DOUBT, LIGHT_SURE = 0.1, 0.2
"""Deviation of the logarithm by which the interior's light is changed alone: where the target tells
only of its own light, and where it tells what the light of an open mouth is beside its skin."""
SEEN = (0.5, 0.8)
"""How much a cavity counts pixel by pixel where its teeth may not be learned, but a reference shows
them: those of film, and those of a drawn mouth, of which nothing but the lips has moved."""
RIM_PX = 4
"""Band inside the rim in which a drawn mouth counts pixel by pixel all the same."""
DRAWN_SKIN = 0.15
"""How much skin away from the lips counts beside a drawn mouth: it is but warped."""
DRAWN_LIGHT = 0.5
"""How much the blurred colours of a drawn mouth count."""
TOOTH_PX = 16
"""Over so much, 7 mm, colours are blurred where teeth stand elsewhere: about a tooth."""
REFERENCE_KEPT = 0.6
LAID = 0.3
"""How often, where no reference is shown, what the source shows between its lips is the interior
already, as the renderer makes it of parted lips."""
BLURRED = 0.25
LEARNING_RATE = 1.5e-3
STEADY = 2.0
"""How much it counts that what is made changes from one frame to the next as film does."""
GRAIN_PX = 2
"""Over so much film is averaged first: its grain changes, and no net should."""
AVERAGED = 0.999
"""Of the weights that are kept, how much stays a step: a mean over the last thousand."""


@dataclass
class Corpus:
    """Samples of one size; pictures ``(n, s, s, 3)`` uint8 RGB."""

    pictures: dict[str, Tensor]
    cavity: Tensor
    lips: Tensor
    shift: Tensor
    """``(n, 64, 64, 2)`` int16, eighths of a px of the square."""
    index: list[dict[str, object]]

    @property
    def size(self) -> int:
        """Pixels along a side."""
        return int(self.cavity.shape[1])


def load(path: Path, device: str) -> Corpus:
    """Read one part."""
    with np.load(path) as part:
        arrays = {key: part[key] for key in part.files}
    pictures = {}
    for key in ("warped", "interior", "target", "reference"):
        ends = np.cumsum(arrays[f"{key}_bytes"])
        codes = np.split(arrays[key], ends[:-1])
        decoded = [np.asarray(Image.open(io.BytesIO(c.tobytes())).convert("RGB")) for c in codes]
        pictures[key] = torch.from_numpy(np.stack(decoded)).to(device)
    rest = (torch.from_numpy(arrays[key]).to(device) for key in ("cavity", "lips", "shift"))
    return Corpus(pictures, *rest, json.loads(str(arrays["index"])))


@dataclass
class Batch:
    """What a net is given, and what it should make of it."""

    layers: Tensor
    """``(b, 14, 256, 256)``."""
    target: Tensor
    """``(b, 3, 256, 256)``."""
    teeth: Tensor
    """``(b, 1, 1, 1)``: how much the target's cavity counts."""
    drawn: Tensor
    """``(b, 1, 1, 1)``: 1 where the target's cavity is drawn: its teeth are nobody's, but its rim,
    its colours on the whole, and what a reference shows of it, are right."""
    before: Tensor
    """``(b,)`` int64: the sample whose target is the frame before; itself if there is none."""


def gather(corpus: Corpus, chosen: list[int]) -> Batch:
    """Give samples as they are."""
    at = torch.tensor(chosen, device=corpus.cavity.device)

    def picture(key: str) -> Tensor:
        return corpus.pictures[key][at].permute(0, 3, 1, 2).float() / 255.0

    def grown(x: Tensor, how: str = "bilinear") -> Tensor:
        if x.shape[-1] == SIZE:
            return x
        return functional.interpolate(x, size=(SIZE, SIZE), mode=how, align_corners=False)

    shift = corpus.shift[at].permute(0, 3, 1, 2).float() / 8.0
    shift = shift * (NET_SIZE / corpus.size) / SHIFT_PX
    known = torch.tensor([bool(corpus.index[i]["reference"]) for i in chosen], device=at.device)
    known = known.float()[:, None, None, None].expand(-1, 1, SIZE, SIZE)
    masks = [grown(m[at][:, None].float() / 255.0) for m in (corpus.cavity, corpus.lips)]
    colours = [grown(picture(key), "bicubic").clamp(0, 1) for key in ("warped", "interior")]
    reference = grown(picture("reference"), "bicubic").clamp(0, 1) * known
    target = grown(picture("target"), "bicubic").clamp(0, 1)
    layers = torch.cat([*colours, *masks, grown(shift), reference, known], dim=1)

    def told(key: str) -> Tensor:
        values = [float(bool(corpus.index[i].get(key, False))) for i in chosen]
        return torch.tensor(values, device=at.device)[:, None, None, None]

    names = {str(corpus.index[i]["name"]): k for k, i in enumerate(chosen)}
    before = [names.get(str(corpus.index[i].get("follows", "")), k) for k, i in enumerate(chosen)]
    before = torch.tensor(before, device=at.device)
    return Batch(layers, target, told("teeth_known"), told("light_known"), before)


def together(parts: list[Batch]) -> Batch:
    """Put batches behind each other."""
    starts = np.cumsum([0, *(len(part.target) for part in parts)])
    return Batch(
        torch.cat([part.layers for part in parts]),
        torch.cat([part.target for part in parts]),
        torch.cat([part.teeth for part in parts]),
        torch.cat([part.drawn for part in parts]),
        torch.cat([part.before + int(k) for part, k in zip(parts, starts, strict=False)]),
    )


def disturb(batch: Batch, generator: torch.Generator) -> Batch:
    """Change light, colour and side, the same in all pictures; the model's light a little more.

    A frame and the one before it are changed alike.
    """
    layers, target = batch.layers, batch.target
    b, device = len(target), target.device

    def normal(channels: int, spread: float) -> Tensor:
        drawn = torch.randn(b, channels, 1, 1, generator=generator, device=device)
        return spread * drawn[batch.before]

    def chosen(share: float) -> Tensor:
        drawn = torch.rand(b, 1, 1, 1, generator=generator, device=device)
        return (drawn[batch.before] < share).float()

    line = torch.linspace(-1.0, 1.0, SIZE, device=device)
    slope = normal(1, 0.25) * line[None, None, None] + normal(1, 0.12) * line[None, None, :, None]
    light = torch.exp(normal(1, 0.3) + normal(3, 0.08))
    gamma = torch.exp(normal(1, 0.15))

    def lit(x: Tensor, more: Tensor | float = 1.0) -> Tensor:
        return torch.clamp(light * more * (x + 1e-4) ** gamma, 0.0, 1.0)

    bend = torch.exp(slope)
    doubt = LIGHT_DOUBT + (LIGHT_SURE - LIGHT_DOUBT) * batch.drawn
    modelled = torch.exp(normal(1, 1.0) * doubt + normal(3, 0.04))
    kept = layers[:, 13:] * chosen(REFERENCE_KEPT)
    warped, interior = lit(layers[:, :3], bend), lit(layers[:, 3:6], modelled)
    laid = layers[:, 6:7] * (1.0 - kept) * chosen(LAID)
    layers = torch.cat(
        [
            warped + laid * (interior - warped),
            interior,
            layers[:, 6:10],
            lit(layers[:, 10:13], bend) * kept,
            kept,
        ],
        dim=1,
    )
    target = lit(target, bend)
    # Where neither the teeth may be learned nor the same mouth was seen, the cavity is free.
    seen = SEEN[0] + (SEEN[1] - SEEN[0]) * batch.drawn
    teeth = torch.maximum(batch.teeth, seen * kept[:, :, :1, :1])
    sides = chosen(0.5)
    mirrored = layers.flip(3)
    mirrored = torch.cat([mirrored[:, :8], -mirrored[:, 8:9], mirrored[:, 9:]], dim=1)
    layers = layers + sides * (mirrored - layers)
    target = target + sides * (target.flip(3) - target)
    layers, target = moved(layers, target, batch.before, generator)
    return Batch(layers, target, teeth, batch.drawn, batch.before)


def moved(
    layers: Tensor, target: Tensor, before: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turn, scale and push whole samples a little: there are few people to learn from."""
    b, device = len(target), target.device
    u = torch.rand(4, b, generator=generator, device=device)[:, before] * 2.0 - 1.0
    turn, size = 0.12 * u[0], torch.exp(0.1 * u[1])
    cos, sin = size * torch.cos(turn), size * torch.sin(turn)
    theta = torch.stack([cos, -sin, 0.06 * u[2], sin, cos, 0.06 * u[3]], dim=1).view(b, 2, 3)
    grid = functional.affine_grid(theta, [b, 1, SIZE, SIZE], align_corners=False)
    both = torch.cat([layers, target], dim=1)
    both = functional.grid_sample(both, grid, padding_mode="border", align_corners=False)
    # The map goes from the new place to the old one; a shift goes the other way.
    inverse = torch.linalg.inv(theta[:, :, :2])
    shift = torch.einsum("bij,bjhw->bihw", inverse, both[:, 8:10])
    return torch.cat([both[:, :8], shift, both[:, 10:14]], dim=1), both[:, 14:]


def weights_of(batch: Batch) -> Tensor:
    """How much each pixel counts, ``(b, 1, 256, 256)``."""
    line = torch.linspace(-1.0, 1.0, SIZE, device=batch.target.device)
    away = line[None, :] ** 2 + (line[:, None] + 0.15) ** 2
    near = torch.exp(-away / 0.4)[None, None]
    cavity, lips = batch.layers[:, 6:7], batch.layers[:, 7:8]
    wide = functional.max_pool2d(lips, 25, 1, 12)
    skin = 1.0 - (1.0 - DRAWN_SKIN) * batch.drawn
    return (skin * (0.05 + near) + 2.0 * wide + 2.0 * lips + 4.0 * cavity * batch.teeth) * (
        1.0 - free_of(batch)
    )


def free_of(batch: Batch) -> Tensor:
    """Where the target does not tell pixel by pixel what the cavity shows, ``(b, 1, 256, 256)``."""
    cavity = batch.layers[:, 6:7]
    core = 1.0 - functional.max_pool2d(1.0 - cavity, 2 * RIM_PX + 1, 1, RIM_PX)
    return (cavity + batch.drawn * (core - cavity)) * (1.0 - batch.teeth)


def looked_at(
    layers: Tensor, before: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Make layers as small as the net is given them.

    With a generator, some are blurred first: a small face has fewer pixels than that.
    """
    small = functional.avg_pool2d(layers, SIZE // NET_SIZE)
    if generator is None or before is None:
        return small
    coarse = functional.avg_pool2d(small, 2)
    coarse = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    u = torch.rand(len(layers), 1, 1, 1, generator=generator, device=layers.device)[before]
    return torch.where(u < BLURRED, coarse, small)


def painting_loss(made: Tensor, batch: Batch, alpha: Tensor, gain: Tensor) -> Tensor:
    """Distance of colours, of edges and of colours from afar; and restraint.

    Where teeth may not be learned, the interior must be shown, and as dark or bright as the target
    is on the whole; that much even one speaker can tell. A drawn mouth tells its colours, too, once
    they are blurred until it does not matter where teeth stand.
    """
    weight = weights_of(batch)
    error = made - batch.target
    cavity, lips = batch.layers[:, 6:7], batch.layers[:, 7:8]
    free = free_of(batch)

    def mean(x: Tensor, w: Tensor) -> Tensor:
        return (x * w).sum() / (w.sum() * x.shape[1] + 1e-6)

    place = mean(error.abs(), weight)
    across = mean((error[..., 1:] - error[..., :-1]).abs(), weight[..., 1:])
    down = mean((error[..., 1:, :] - error[..., :-1, :]).abs(), weight[..., 1:, :])
    pooled = functional.avg_pool2d(error * weight, 4).abs().mean() / (weight.mean() + 1e-6)
    grey = error.mean(dim=1, keepdim=True)
    afar = functional.avg_pool2d(grey * free, 16).abs().sum() / (
        functional.avg_pool2d(free, 16).sum() + 1e-3
    )
    told = free * batch.drawn
    blurred = functional.avg_pool2d(error * told, TOOTH_PX, TOOTH_PX // 2).abs().sum() / (
        3.0 * functional.avg_pool2d(told, TOOTH_PX, TOOTH_PX // 2).sum() + 1e-2
    )
    prior = mean((alpha - cavity).abs(), lips * 0.1 + free)
    bend = torch.log(gain)
    rough = (bend[..., 1:] - bend[..., :-1]).abs().mean()
    rough = rough + (bend[..., 1:, :] - bend[..., :-1, :]).abs().mean()
    restraint = 0.2 * prior + 0.3 * rough + 0.1 * bend.abs().mean()
    return (
        place
        + 0.7 * (across + down)
        + 0.5 * pooled
        + 0.05 * afar
        + DRAWN_LIGHT * told.sum() / (free.sum() + 1.0) * blurred
        + restraint
    )


def unsteadiness(made: Tensor, batch: Batch) -> Tensor:
    """Tell how differently from film what is made changes from frame to frame.

    Errors that stay the same from frame to frame do not count here: they are not seen to move.
    """
    later = torch.nonzero(batch.before != torch.arange(len(made), device=made.device))[:, 0]
    if not len(later):
        return made.sum() * 0.0
    earlier = batch.before[later]
    error = functional.avg_pool2d(made - batch.target, GRAIN_PX)
    weight = functional.avg_pool2d(weights_of(batch), GRAIN_PX)
    both = torch.minimum(weight[later], weight[earlier])
    return ((error[later] - error[earlier]).abs() * both).sum() / (3.0 * both.sum() + 1e-6)


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity of grey pictures ``(b, 1, h, w)``, per pixel (Wang et al. 2004)."""
    x = torch.arange(11, device=a.device).float() - 5.0
    g = torch.exp(-(x**2) / (2 * 1.5**2))
    g = g / g.sum()
    kernel = (g[:, None] * g[None, :])[None, None]

    def mean(t: Tensor) -> Tensor:
        return functional.conv2d(t, kernel, padding=5)

    ma, mb = mean(a), mean(b)
    va, vb, vab = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * ma * mb + c1) * (2 * vab + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))


class Trainer:
    """The net and all that training it needs."""

    def __init__(self, corpora: dict[str, Corpus], options: argparse.Namespace) -> None:
        self.corpora = corpora
        self.device = str(next(iter(corpora.values())).cavity.device)
        torch.manual_seed(options.seed)
        self.net = Painter(options.width).to(self.device)
        self.kept = Painter(options.width).to(self.device)
        self.steady, self.rate = options.steady, options.rate
        self.draw = np.random.default_rng(options.seed)
        self.generator = torch.Generator(device=self.device).manual_seed(options.seed + 1)
        self.piles: dict[str, tuple[Corpus, list[int]]] = {}
        self.tests: dict[str, tuple[Corpus, list[int]]] = {}
        for name, corpus in corpora.items():
            for i, entry in enumerate(corpus.index):
                key = str(entry["name"]).split("-")[1][:2] if name == "london" else name
                pile = self.tests if entry["held_out"] else self.piles
                pile.setdefault(key, (corpus, []))[1].append(i)
        self.counts = {k: max(1, round(options.batch * s)) for k, s in SHARES.items()}
        self.after = {name: _following(corpus) for name, corpus in corpora.items()}

    def batch(self) -> Batch:
        """Draw a batch; half of the film, if it has them, are the frames after the other half."""
        parts = []
        for key, count in self.counts.items():
            if key in self.piles:
                corpus, pile = self.piles[key]
                after = self.after.get(key, {})
                first = [i for i in pile if i in after] if after else pile
                chosen = self.draw.choice(first, (count + 1) // 2 if after else count).tolist()
                parts.append(gather(corpus, chosen + [after[i] for i in chosen if after]))
        return disturb(together(parts), self.generator)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state)

    def paint(
        self, net: Painter, batch: Batch, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the net; returns the picture, alpha and gain."""
        layers = batch.layers
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device != "cpu"):
            wishes, tints, gain = net(looked_at(layers, batch.before, generator))
        gain = gain.float()
        made, alpha = mix(layers, wishes.float(), tints.float(), gain)
        return made, alpha, gain

    def run(self, minutes: float, log: list[str]) -> None:
        """Train for some time."""
        optimizer = torch.optim.AdamW(self.net.parameters(), lr=self.rate, weight_decay=0.02)
        self.kept.load_state_dict(self.net.state_dict())
        began, step, shown = time.time(), 0, 0.0
        while (passed := (time.time() - began) / (60.0 * minutes)) < 1.0:
            warm = min(1.0, (step + 1) / 200.0)
            for group in optimizer.param_groups:
                group["lr"] = self.rate * warm * (0.02 + 0.49 * (1 + math.cos(math.pi * passed)))
            batch = self.batch()
            made, alpha, gain = self.paint(self.net, batch, self.generator)
            loss = painting_loss(made, batch, alpha, gain)
            loss = loss + self.steady * unsteadiness(made, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            optimizer.step()
            step += 1
            with torch.no_grad():
                share = 1.0 - min(AVERAGED, step / (step + 10.0))
                for mean, value in zip(self.kept.parameters(), self.net.parameters(), strict=True):
                    mean.lerp_(value, share)
            if passed >= shown:
                shown += 0.1
                _tell(
                    log, f"{step} {passed:.2f} loss {loss.item():.4f} {json.dumps(self.scores())}"
                )
        _tell(log, f"{step} steps; {json.dumps(self.scores())}")

    @torch.no_grad()
    def scores(self) -> dict[str, list[float]]:
        """SSIM around the lips and error in the cavity on what is held out: untrained, trained.

        And how unsteady film is, in levels: untrained, trained.
        """
        found: dict[str, list[float]] = {}
        for key, (corpus, pile) in self.tests.items():
            for seen in (False, True):
                sums = np.zeros(8)
                for first in range(0, len(pile), 16):
                    batch = gather(corpus, pile[first : first + 16])
                    if seen and not batch.layers[:, 13].any():
                        continue
                    if not seen:
                        batch.layers[:, 10:] = 0.0
                    sums += self._sums(batch)
                if sums[0]:
                    name = f"{key}+reference" if seen else key
                    found[name] = [round(float(v), 4) for v in sums[1:5] / sums[0]]
                    if sums[5]:
                        found[name] += [round(255.0 * float(v), 3) for v in sums[6:] / sums[5]]
        return found

    def _sums(self, batch: Batch) -> np.ndarray:
        layers, target = batch.layers, batch.target
        made = self.paint(self.kept, batch)[0]
        cavity = layers[:, 6:7]
        before = layers[:, :3] + cavity * (layers[:, 3:6] - layers[:, :3])
        box = functional.max_pool2d(layers[:, 7:8], 49, 1, 24)
        weight = torch.tensor([0.299, 0.587, 0.114], device=target.device)[None, :, None, None]
        grey = [(x * weight).sum(1, keepdim=True) for x in (before, made, target)]
        values = [float(len(target))]
        for x in grey[:2]:
            similar = (ssim(x, grey[2]) * box).sum((1, 2, 3)) / box.sum((1, 2, 3))
            values.append(float(similar.sum()))
        for x in grey[:2]:
            wrong = ((x - grey[2]).abs() * cavity).sum((1, 2, 3)) / (cavity.sum((1, 2, 3)) + 50.0)
            values.append(float(wrong.sum()))
        pairs = int((batch.before != torch.arange(len(target), device=target.device)).sum())
        return np.array(
            [*values, pairs, *(pairs * float(unsteadiness(x, batch)) for x in (before, made))]
        )

    @torch.no_grad()
    def sheet(self, path: Path, rows: int = 10) -> None:
        """Draw held-out samples: untrained, trained, trained with a reference, target."""
        lines = []
        for corpus, pile in self.tests.values():
            for i in pile[:: max(1, len(pile) // rows)][:rows]:
                batch, blind = gather(corpus, [i]), gather(corpus, [i])
                layers = blind.layers
                layers[:, 10:] = 0.0
                before = layers[:, :3] + layers[:, 6:7] * (layers[:, 3:6] - layers[:, :3])
                made = [self.paint(self.kept, x)[0] for x in (blind, batch)]
                views = [before, *made, batch.target]
                lines.append(torch.cat(views, dim=3)[0])
        picture = torch.cat(lines, dim=1).permute(1, 2, 0).clamp(0, 1) * 255.0
        Image.fromarray(picture.byte().cpu().numpy()).save(path, quality=90)

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        draft = path.with_suffix(".part")
        torch.save(self.kept.state_dict(), draft)
        draft.replace(path)


def _following(corpus: Corpus) -> dict[int, int]:
    """Give, for each sample that has one, the sample of the frame after."""
    names = {str(entry["name"]): i for i, entry in enumerate(corpus.index)}
    follows = [(str(entry.get("follows", "")), i) for i, entry in enumerate(corpus.index)]
    return {names[name]: i for name, i in follows if name in names}


def _tell(log: list[str], line: str) -> None:
    print(line, flush=True)
    log.append(line)


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=int, default=FULL_WIDTH)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--steady", type=float, default=STEADY)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    paths = [options.pack / f"{name}.npz" for name in PARTS]
    corpora = {path.stem: load(path, device) for path in paths if path.exists()}
    if not corpora:
        parser.error(f"{options.pack}: expected {', '.join(p.name for p in paths)}, found none")
    trainer = Trainer(corpora, options)
    checkpoint = options.output / "painter.pt"
    if checkpoint.exists():
        trainer.restore(checkpoint)
    log: list[str] = []
    trainer.run(options.minutes, log)
    trainer.save(checkpoint)
    trainer.sheet(options.output / "sheet.jpg")
    (options.output / "log.txt").write_text("\n".join(log) + "\n")


if __name__ == "__main__":
    main()
