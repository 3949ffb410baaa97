"""The motion nets: sound to phones, and phones to the movement of a mouth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgeavatar import zoo
from edgeavatar.motion.visemes import ARTICULATORS
from export.calibration import HELD_OUT, heard_streams, streamed
from export.checkpoints import load_into, read_tensors
from export.graph import shipped_tensors
from export.measures import correlation
from export.nets.motion import N_MELS, PHONES, Listener, Mouth
from export.recipes.base import Array, Feeds, Net, Recipe, Runner, TaskFigure, torch_runner

_OUTPUTS = ("out", "next_state")
_VARYING = {"rows": {1: "n"}, "out": {1: "n"}}
_CORRELATION = 0.995
_ROWS_AT_ONCE = 20
_STILL = 1e-3
"""An articulator that moves less has no shape to compare."""


class Heard(nn.Module):
    """The listener with probabilities instead of logits: what the mouth is given."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener

    def forward(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(1, n, 80)`` and memory to ``(1, n, 38)`` and memory."""
        logits, loudness, state = self.listener(rows, state)
        return torch.cat([torch.softmax(logits, dim=2), loudness], dim=2), state


def pushed(net: Runner, rows: Array, start: Array) -> Array:
    """Push rows ``(n, k)`` through a net with a memory, piece by piece; gives ``(n, m)``."""
    state, parts = start, []
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        made = net({"rows": rows[None, first : first + _ROWS_AT_ONCE], "state": state})
        state = made["next_state"]
        parts.append(made["out"][0])
    return np.concatenate(parts)


def track_correlation(tracks: list[tuple[Array, Array]]) -> TaskFigure:
    """Compare movements ``(n, 9)`` of articulators; each that moves counts once a sentence."""
    found = [
        correlation(one[:, k], other[:, k])
        for one, other in tracks
        for k in range(len(ARTICULATORS))
        if one[:, k].std() > _STILL
    ]
    return TaskFigure("track correlation", float(np.mean(found)), min(found), _CORRELATION)


def _nets(checkpoint: Path | None) -> list[Net]:
    listener, mouth = Listener(), Mouth()
    heard = Heard(listener)
    starts = {k: n.stack.start().detach().numpy() for k, n in (("l", listener), ("m", mouth))}
    examples = {
        "l": {"rows": np.zeros((1, 20, N_MELS), np.float32), "state": starts["l"]},
        "m": {"rows": np.zeros((1, 20, PHONES + 1), np.float32), "state": starts["m"]},
    }
    if checkpoint is None:
        for net, key, stem in ((heard, "l", "motion_listener"), (mouth, "m", "motion_mouth")):
            own = zoo.own_file(f"{stem}.onnx")
            load_into(net, shipped_tensors(net, examples[key], _OUTPUTS, _VARYING, own), own.name)
    else:
        tensors = read_tensors(checkpoint)
        load_into(listener, _part(tensors, "listener."), f"{checkpoint.name}, listener")
        load_into(mouth, _part(tensors, "mouth."), f"{checkpoint.name}, mouth")
    hears, moves = torch_runner(heard, _OUTPUTS), torch_runner(mouth, _OUTPUTS)

    @cache
    def streams(which: str) -> list[Array]:
        return list(heard_streams(which))

    def listened(which: str) -> Iterator[Feeds]:
        return streamed(hears, streams(which), starts["l"])

    def moved(which: str) -> Iterator[Feeds]:
        phones = (pushed(hears, rows, starts["l"]) for rows in streams(which))
        return streamed(moves, phones, starts["m"])

    def judge_listener(reference: Runner, candidate: Runner) -> TaskFigure:
        tracks = []
        for rows in streams(HELD_OUT):
            one, other = (
                pushed(moves, pushed(net, rows, starts["l"]), starts["m"])
                for net in (reference, candidate)
            )
            tracks.append((one, other))
        return track_correlation(tracks)

    def judge_mouth(reference: Runner, candidate: Runner) -> TaskFigure:
        phones = (pushed(hears, rows, starts["l"]) for rows in streams(HELD_OUT))
        return track_correlation(
            [(pushed(reference, p, starts["m"]), pushed(candidate, p, starts["m"])) for p in phones]
        )

    common = {"outputs": _OUTPUTS, "varying": _VARYING, "threads": 1}
    return [
        Net(
            stem="motion_listener",
            manifest=("motion-nets", "listener"),
            inputs=examples["l"],
            recorded=listened,
            judge=judge_listener,
            module=heard,
            **common,  # type: ignore[arg-type]
        ),
        Net(
            stem="motion_mouth",
            manifest=("motion-nets", "mouth"),
            inputs=examples["m"],
            recorded=moved,
            judge=judge_mouth,
            module=mouth,
            **common,  # type: ignore[arg-type]
        ),
    ]


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


RECIPES = (
    Recipe(
        "motion-nets",
        "what hears phones, and what moves the mouth by them",
        "export/train/motion.py's motion.pt; without it, the weights that ship",
        _nets,
    ),
)
