r"""Train the two motion nets: first the listener, then the mouth, then both together.

The listener learns phones from synthetic speech, whose times are exact; then the words of the
filmed clips are aligned with it, and it learns from those as well. The mouth learns articulators
from phones: from exact ones, and from those that the listener hears, of the rules' motion for
synthetic speech, of the measured lips for filmed speech and of an actor's rig. Needs torch and
numpy alone.

    python -m export.train.motion --pack out/pack -o out/motion --minutes 9

A run that finds a checkpoint in its folder goes on from it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgeavatar.motion.mel import HOP_LENGTH as HOP
from edgeavatar.motion.mel import mel_filters
from export.nets.motion import (
    LISTENER_DELAY,
    MOUTH_DELAY,
    PHONES,
    Listener,
    Mouth,
)
from export.train.alignment import align
from export.train.hearing import Disturber, levelled, log_mel, loudness_rows, strangers

SPOKEN, FILMED, RIGGED = range(3)
SHARES = {SPOKEN: 0.56, FILMED: 0.30, RIGGED: 0.14}
ROWS = 512
WARM_UP = 60
"""Rows at the start of each window that count for nothing: no past yet."""
SPREAD = (0.10, 0.030, 0.20, 0.10, 0.30, 0.30, 0.40, 0.35, 0.04)
"""Standard deviation of each articulator in speech: errors are counted in these."""
WEIGHT = (1.0, 2.0, 0.6, 0.5, 0.4, 0.5, 0.7, 0.4, 0.2)
GAP = 1
PACE = 0.2
SHARE_OF_NOISE_ALONE = 0.06
PAUSE_WEIGHT = 4.0
SILENT = 0.02
"""Clean loudness below which there is a pause."""
REST_ROWS = 10
"""Rows that a mouth takes to come to rest."""
RATES = {"listen": 3e-3, "hear": 2e-3, "move": 2e-3, "both": 1.5e-3}
"""Largest learning rate of each phase; the listener's is 0.6 of it."""


@dataclass
class Corpus:
    """All recordings end to end, 160 samples to a row."""

    sound: Tensor
    """``(rows * 160,)`` uint8, mu-law."""
    phones: Tensor
    """``(rows,)`` int64, -1 where not known."""
    targets: Tensor
    """``(rows, 9)`` float32, nan where not known."""
    index: list[dict[str, Any]]
    """With ``first_row`` and ``rows`` of each recording."""
    filters: Tensor


def load(folder: Path, device: str) -> Corpus:
    """Read every part of a pack; what is learned from stands first, kind by kind."""
    found = []
    for path in sorted(folder.glob("part*.npz")):
        with np.load(path) as part:
            sound, phones, targets = part["sound"], part["phones"], part["targets"]
            sample = row = 0
            for entry in json.loads(str(part["index"])):
                rows = min(entry["rows"], entry["samples"] // HOP)
                found.append(
                    (
                        entry | {"rows": rows},
                        sound[sample : sample + rows * HOP],
                        phones[row : row + rows],
                        targets[row : row + rows],
                    )
                )
                sample += entry["samples"]
                row += entry["rows"]
    found.sort(key=lambda f: (f[0]["held_out"], f[0]["kind"], f[0]["name"]))
    first_row = 0
    for entry, *_ in found:
        entry["first_row"] = first_row
        first_row += entry["rows"]
    return Corpus(
        torch.from_numpy(np.concatenate([f[1] for f in found])).to(device),
        torch.from_numpy(np.concatenate([f[2] for f in found]).astype(np.int64)).to(device),
        torch.from_numpy(np.concatenate([f[3] for f in found]).astype(np.float32)).to(device),
        [f[0] for f in found],
        torch.from_numpy(mel_filters().copy()).to(device),
    )


def from_mu_law(levels: Tensor) -> Tensor:
    """Undo :func:`export.train.pack.to_mu_law`."""
    y = levels.float() / 127.5 - 1.0
    return torch.sign(y) * (torch.exp(torch.abs(y) * math.log(256.0)) - 1.0) / 255.0


class Sampler:
    """Draws windows of recordings of each kind, at varied speed.

    Played faster or slower, a voice changes its pitch, its formants and its tempo at once: the
    cheapest stranger there is.
    """

    def __init__(self, corpus: Corpus, kinds: tuple[int, ...], batch: int, seed: int) -> None:
        self._corpus = corpus
        self._draw = np.random.default_rng(seed)
        total = sum(SHARES[k] for k in kinds)
        self._counts = {k: int(batch * SHARES[k] / total) for k in kinds}
        self._counts[kinds[0]] += batch - sum(self._counts.values())
        self._ranges = {k: self._range(k) for k in kinds}

    def _range(self, kind: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        chosen = [e for e in self._corpus.index if e["kind"] == kind and not e["held_out"]]
        first = np.array([e["first_row"] for e in chosen])
        rows = np.array([e["rows"] for e in chosen])
        # One voice has as much sound as all others together.
        hibari = np.array([e["name"].startswith("hibari") for e in chosen])
        weight = rows * np.where(hibari, 0.25, 1.0)
        return first, rows, weight / weight.sum()

    def __call__(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give sound ``(b, rows * 160)``, phones, targets and kinds of a batch."""
        device = self._corpus.sound.device
        starts, kinds = [], []
        for kind, count in self._counts.items():
            first, rows, weight = self._ranges[kind]
            which = self._draw.choice(len(first), count, p=weight)
            # Windows run on into the next recording of their kind, which is one more voice.
            start = first[which] + self._draw.uniform(-0.3, 0.9, count) * rows[which]
            last = first[-1] + rows[-1] - int(ROWS * 1.26) - 2
            starts.append(np.clip(start, first[0], last))
            kinds += [kind] * count
        speed = np.exp(self._draw.uniform(-0.22, 0.22, len(kinds)))
        at = torch.from_numpy(np.concatenate(starts)).to(device)[:, None]
        pace = torch.from_numpy(speed).to(device)[:, None]
        position = at * HOP + torch.arange(ROWS * HOP, device=device)[None] * pace
        low = position.long()
        one = from_mu_law(self._corpus.sound[low])
        share = (position - low).float()
        sound = one + share * (from_mu_law(self._corpus.sound[low + 1]) - one)
        row = at + torch.arange(ROWS, device=device)[None] * pace
        below = row.long()
        part = (row - below).float()[..., None]
        targets = self._corpus.targets
        mixed = targets[below] + part * (targets[below + 1] - targets[below])
        phones = self._corpus.phones[torch.round(row).long()]
        return sound, phones, mixed, torch.tensor(kinds, device=device)


def heard_phones(logits: Tensor, loudness: Tensor) -> Tensor:
    """Give what the mouth is given of what the listener heard: ``(b, n, 38)``."""
    return torch.cat([torch.softmax(logits, dim=2), loudness], dim=2)


def known_phones(phones: Tensor, loudness: Tensor) -> Tensor:
    """Give what the mouth is given of phones that are known: ``(b, n, 38)``."""
    exact = functional.one_hot(torch.clamp(phones, min=0), PHONES).float()
    return torch.cat([exact, loudness[..., None]], dim=2)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / (mask.sum() + 1e-6)


def motion_loss(said: Tensor, wanted: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    """Distance of two movements ``(b, n, 9)``: place, speed, and shape of the gap's curve."""
    known = ~torch.isnan(wanted)
    error = torch.where(known, (said - wanted) / scale, torch.zeros_like(said))
    place = _mean(
        functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none") * weight, known
    )
    both = known[:, 1:] & known[:, :-1]
    speed = _mean((error[:, 1:] - error[:, :-1]) ** 2 * weight, both.float())
    mask = known[..., GAP].float()
    a, b = said[..., GAP], torch.where(known[..., GAP], wanted[..., GAP], torch.zeros(()).to(said))
    count = mask.sum(dim=1, keepdim=True) + 1e-6
    a = (a - (a * mask).sum(dim=1, keepdim=True) / count) * mask
    b = (b - (b * mask).sum(dim=1, keepdim=True) / count) * mask
    spread_a, spread_b = a.norm(dim=1), b.norm(dim=1)
    enough = (mask.sum(dim=1) > 80) & (spread_b > 0.02)
    r = (a * b).sum(dim=1) / (spread_a * spread_b + 1e-6)
    shape = _mean(1.0 - r, enough.float())
    size = _mean(torch.abs(spread_a / (spread_b + 1e-6) - 1.0).clamp(max=1.0), enough.float())
    # Squared errors are least for mouths that move too little and too slowly; these two ask for
    # the size and the pace of the real movement.
    fast_a, fast_b = (
        ((x[:, 1:] - x[:, :-1]) * mask[:, 1:] * mask[:, :-1]).norm(dim=1) for x in (a, b)
    )
    pace = _mean(torch.abs(fast_a / (fast_b + 1e-6) - 1.0).clamp(max=1.0), enough.float())
    return place + 3.0 * speed + 0.7 * shape + 0.15 * size + PACE * pace


class Trainer:
    """Both nets and all that training them needs."""

    def __init__(self, corpus: Corpus, kinds: tuple[int, ...], options: argparse.Namespace) -> None:
        self.device = str(corpus.sound.device)
        self.corpus = corpus
        torch.manual_seed(options.seed)
        self.listener = Listener().to(self.device)
        self.mouth = Mouth().to(self.device)
        self.kinds = kinds
        self.sample = Sampler(corpus, kinds, options.batch, options.seed)
        self.disturb = Disturber(ROWS * HOP, self.device, options.seed, options.pieces)
        self.generator = torch.Generator(device=self.device).manual_seed(options.seed + 1)
        self.hear, self.act = self.listener, self.mouth
        if self.device != "cpu":
            self.hear, self.act = torch.compile(self.listener), torch.compile(self.mouth)
        self.scale = torch.tensor(SPREAD, device=self.device)
        self.weight = torch.tensor(WEIGHT, device=self.device)

    def batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Give mel rows, phones, targets, clean loudness and kinds."""
        sound, phones, targets, kinds = self.sample()
        sound, phones, targets = self.with_pauses(sound, phones, targets)
        loudness = loudness_rows(sound)
        level = torch.sqrt((sound**2).mean(dim=1, keepdim=True)) * 1.3
        alone = torch.rand(len(sound), 1, device=self.device) < SHARE_OF_NOISE_ALONE
        sound = torch.where(alone, torch.zeros_like(sound), sound)
        phones = torch.where(alone, torch.zeros_like(phones), phones)
        targets = torch.where(alone[..., None], torch.zeros_like(targets), targets)
        loudness = torch.where(alone, torch.zeros_like(loudness), loudness)
        heard = self.disturb(sound, level + 1e-3)
        rows = strangers(levelled(log_mel(heard, self.corpus.filters)), self.generator)
        return rows, phones, targets, loudness, kinds

    def with_pauses(
        self, sound: Tensor, phones: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Silence a stretch of most windows: voices read on, people pause."""
        b, n = phones.shape
        u = torch.rand(4, b, 1, generator=self.generator, device=self.device)
        length = (25 + 120 * u[0]).long() * (u[1] < 0.6)
        first = (u[2] * n).long()
        row = torch.arange(n, device=self.device)[None]
        silent = (row >= first) & (row < first + length)
        # On its way to rest and back nothing is known of the mouth.
        margin = (row >= first - REST_ROWS) & (row < first + length + REST_ROWS) & (length > 0)
        inner = (row >= first + REST_ROWS) & (row < first + length - REST_ROWS)
        targets = torch.where(margin[..., None], torch.full_like(targets, math.nan), targets)
        targets = torch.where(inner[..., None], torch.zeros_like(targets), targets)
        phones = torch.where(silent, torch.zeros_like(phones), phones)
        quiet = silent.repeat_interleave(HOP, dim=1)
        return torch.where(quiet, torch.zeros_like(sound), sound), phones, targets

    def listening_loss(
        self, logits: Tensor, said: Tensor, phones: Tensor, loudness: Tensor
    ) -> Tensor:
        """Cross entropy of phones and error of loudness, both late."""
        d = LISTENER_DELAY
        wanted = phones[:, WARM_UP:-d].reshape(-1)
        guess = logits[:, WARM_UP + d :].reshape(-1, PHONES)
        entropy = functional.cross_entropy(guess, wanted, ignore_index=-1, label_smoothing=0.02)
        clean = loudness[:, WARM_UP:-d]
        error = functional.smooth_l1_loss(
            said[:, WARM_UP + d :, 0], clean, beta=0.1, reduction="none"
        )
        # A pause that is heard as one keeps the mouth still, whatever plays on in it.
        loud = _mean(error, torch.where(clean < SILENT, PAUSE_WEIGHT, 1.0))
        return entropy + 3.0 * loud

    def moving_loss(
        self, heard: Tensor, phones: Tensor, targets: Tensor, loudness: Tensor
    ) -> Tensor:
        """Error of the mouth on what is heard, and on what is known where it is."""
        w, e = WARM_UP, MOUTH_DELAY
        loss = self._heard_loss(heard, targets)
        fully = (phones >= 0).all(dim=1)
        if fully.any():
            start = self.mouth.stack.start(len(heard))
            exact, _ = self.mouth(known_phones(phones[fully], loudness[fully]), start[fully])
            wanted = targets[fully][:, w:-e]
            loss = loss + motion_loss(exact[:, w + e :], wanted, self.scale, self.weight)
        return loss

    def hearing_loss(
        self, heard: Tensor, phones: Tensor, targets: Tensor, loudness: Tensor, kinds: Tensor
    ) -> Tensor:
        """Error of the mouth on what is heard.

        Of synthetic speech what it does on known phones is right.
        """
        with torch.no_grad():
            start = self.mouth.stack.start(len(heard))
            exact, _ = self.act(known_phones(phones, loudness), start)
            exact = functional.pad(exact[:, MOUTH_DELAY:], (0, 0, 0, MOUTH_DELAY), value=math.nan)
            known = (kinds == SPOKEN)[:, None, None] & ~torch.isnan(targets)
            targets = torch.where(known, exact, targets)
        return self._heard_loss(heard, targets)

    def _heard_loss(self, heard: Tensor, targets: Tensor) -> Tensor:
        d, e = LISTENER_DELAY, MOUTH_DELAY
        said, _ = self.act(heard[:, d:], self.mouth.stack.start(len(heard)))
        wanted = targets[:, WARM_UP : -d - e]
        return motion_loss(said[:, WARM_UP + e :], wanted, self.scale, self.weight)

    # -------------------------------------------------------------------------------- phases

    def run(self, phase: str, seconds: float, rate: float, log: list[str]) -> None:
        """Train for some time.

        Phases are ``listen`` (the listener hears phones), ``move`` (the mouth), ``both``, and
        ``hear``: the listener learns to drive a mouth that stays what it is, to move as it does
        by known phones and as filmed lips do, so that a movement which was found good for text is
        not lost to another voice's habits.
        """
        nets = {"listen": [self.listener], "hear": [self.listener], "move": [self.mouth]}.get(
            phase, [self.listener, self.mouth]
        )
        groups = [
            {"params": n.parameters(), "lr": rate * (0.6 if n is self.listener else 1.0)}
            for n in nets
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=0.03)
        peaks = [g["lr"] for g in optimizer.param_groups]
        began, step, shown = time.time(), 0, 0.0
        while (passed := (time.time() - began) / seconds) < 1.0:
            warm = min(1.0, (step + 1) / 200.0)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * passed)))
            mel, phones, targets, loudness, kinds = self.batch()
            with torch.autocast("cuda", torch.bfloat16, enabled=self.device != "cpu"):
                with torch.set_grad_enabled(phase != "move"):
                    logits, said, _ = self.hear(mel, self.listener.stack.start(len(mel)))
                logits, said = logits.float(), said.float()
            loss = torch.zeros((), device=self.device)
            if phase != "move":
                loss = loss + self.listening_loss(logits, said, phones, loudness)
            if phase != "listen":
                heard = heard_phones(logits, said)
                known = (heard, phones, targets, loudness)
                hears = phase == "hear"
                loss = loss + (
                    self.hearing_loss(*known, kinds) if hears else self.moving_loss(*known)
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for net in nets:
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            step += 1
            if passed >= shown:
                shown += 0.1
                _tell(log, f"{phase} {step} {passed:.2f} loss {loss.item():.4f}")
        _tell(log, f"{phase}: {step} steps; {json.dumps(self.scores())}")

    def align_filmed(self) -> None:
        """Find the phones of the filmed clips, so that they can be learned from."""
        for entry in self.corpus.index:
            if entry["kind"] != FILMED:
                continue
            rows = slice(entry["first_row"], entry["first_row"] + entry["rows"])
            logits, _ = self.listen(entry)
            log_p = torch.log_softmax(logits[0], dim=1).cpu().numpy()
            path = align(log_p, entry["script"], entry["words"])
            self.corpus.phones[rows] = torch.from_numpy(path.astype(np.int64)).to(self.device)

    # -------------------------------------------------------------------------------- scores

    @torch.no_grad()
    def listen(self, entry: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Hear a recording as it is: logits and loudness of its rows, in time."""
        first, rows = entry["first_row"], entry["rows"]
        sound = from_mu_law(self.corpus.sound[first * HOP : (first + rows) * HOP])[None]
        late = functional.pad(sound, (0, LISTENER_DELAY * HOP))
        mel = levelled(log_mel(late, self.corpus.filters))
        logits, said, _ = self.listener(mel, self.listener.stack.start())
        return logits[:, LISTENER_DELAY:], said[:, LISTENER_DELAY:]

    @torch.no_grad()
    def move(self, phones: Tensor) -> Tensor:
        """Move the mouth by phones ``(1, n, 38)``: articulators in time."""
        late = functional.pad(phones, (0, 0, 0, MOUTH_DELAY))
        return self.mouth(late, self.mouth.stack.start())[0][:, MOUTH_DELAY:]

    def scores(self) -> dict[str, float]:
        """Score on what is held out: correlation of the gap, share of phones heard right."""
        found: dict[str, list[float]] = {}

        def add(name: str, value: float) -> None:
            if not math.isnan(value):
                found.setdefault(name, []).append(value)

        for entry in self.corpus.index:
            if not entry["held_out"]:
                continue
            kind = ("spoken", "filmed", "rigged")[entry["kind"]]
            first, rows = entry["first_row"], entry["rows"]
            logits, said = self.listen(entry)
            phones = self.corpus.phones[first : first + rows]
            known = phones >= 0
            if known.any():
                right = logits[0].argmax(dim=1)[known] == phones[known]
                add(f"{kind}_phones", right.float().mean().item())
            targets = self.corpus.targets[first : first + rows, GAP].cpu().numpy()
            heard = self.move(heard_phones(logits, said))[0, :, GAP].cpu().numpy()
            exact = None
            if known.all():
                first_sample = first * HOP
                sound = self.corpus.sound[first_sample : first_sample + rows * HOP]
                loudness = loudness_rows(from_mu_law(sound)[None])
                exact = self.move(known_phones(phones[None], loudness))[0, :, GAP].cpu().numpy()
            size = 1000
            for begin in range(0, max(1, rows - size // 2), size):
                span = slice(begin, begin + size)
                ok = ~np.isnan(targets[span])
                if ok.sum() < 80:
                    continue
                add(f"{kind}_audio", _r(heard[span], targets[span], ok))
                add(f"{kind}_range", np.std(heard[span][ok]) / np.std(targets[span][ok]))
                if exact is not None:
                    add(f"{kind}_text", _r(exact[span], targets[span], ok))
                    add(f"{kind}_both", _r(exact[span], heard[span], ok))
        return {name: round(float(np.mean(values)), 4) for name, values in found.items()}

    def save(self, path: Path, done: list[str]) -> None:
        """Write a checkpoint."""
        state = {
            "listener": self.listener.state_dict(),
            "mouth": self.mouth.state_dict(),
            "phones": self.corpus.phones.to(torch.int8).cpu(),
            "done": done,
        }
        draft = path.with_suffix(".part")
        torch.save(state, draft)
        draft.replace(path)

    def restore(self, path: Path) -> list[str]:
        """Read a checkpoint; tells which phases it has behind it."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.listener.load_state_dict(state["listener"])
        self.mouth.load_state_dict(state["mouth"])
        if len(state["phones"]) == len(self.corpus.phones):
            self.corpus.phones.copy_(state["phones"].long())
        return list(state["done"])


def _r(said: np.ndarray, wanted: np.ndarray, ok: np.ndarray) -> float:
    """Correlation at the best lag within 80 ms."""
    best = -1.0
    for lag in range(-8, 9):
        shifted = np.roll(said, lag)
        use = ok.copy()
        use[: max(0, lag)] = False
        use[len(use) + min(0, lag) :] = False
        if np.std(shifted[use]) > 1e-6 and np.std(wanted[use]) > 1e-6:
            best = max(best, float(np.corrcoef(shifted[use], wanted[use])[0, 1]))
    return best


def _tell(log: list[str], line: str) -> None:
    print(line, flush=True)
    log.append(line)


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--pieces", type=int, default=160, help="pieces of music to draw from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default="012", help="0 spoken, 1 filmed, 2 rigged")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates")
    parser.add_argument("--mouth", type=Path, help="checkpoint whose mouth to begin with")
    parser.add_argument("--phases", default="listen:0.45,move:0.2,both:0.35")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    log: list[str] = []
    corpus = load(options.pack, device)
    trainer = Trainer(corpus, tuple(int(k) for k in options.kinds), options)
    checkpoint = options.output / "motion.pt"
    if options.mouth:
        state = torch.load(options.mouth, map_location=device, weights_only=True)
        trainer.mouth.load_state_dict(state["mouth"])
    done = trainer.restore(checkpoint) if checkpoint.exists() else []
    for text in options.phases.split(","):
        phase, share = text.split(":")
        seconds = 60.0 * options.minutes * float(share)
        if phase != "listen":
            # The better the listener, the better the phones that it is taught next.
            trainer.align_filmed()
        trainer.run(phase, seconds, options.rate * RATES[phase], log)
        done.append(phase)
        trainer.save(checkpoint, done)
        (options.output / "log.txt").write_text("\n".join(log) + "\n")


if __name__ == "__main__":
    main()
