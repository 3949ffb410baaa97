"""The mouth painter: layers of a mouth in, how to mix them out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from edgeavatar import zoo
from export.calibration import HELD_OUT, painter_inputs
from export.checkpoints import load_into, read_tensors
from export.graph import shipped_tensors
from export.measures import ssim
from export.nets.painter import FULL_WIDTH, INPUTS, SIZE, SMALL_WIDTH, Painter, mix
from export.recipes.base import Array, Feeds, Net, Recipe, Runner, TaskFigure

_OUTPUTS = ("wishes", "tints", "gain")
_SSIM = 0.99
_EVERY = 3
"""Of the held-out frames, so many are skipped: neighbours tell the same."""
_BOX = (20, 108, 24, 104)
"""Top, bottom, left and right of the mouth in the square: 0.6 of the width of a face."""


def mouth_ssim(met: Sequence[Feeds], reference: Runner, candidate: Runner) -> TaskFigure:
    """Compare the mouths that two painters mix of what they are given."""
    found = []
    for feeds in met:
        one, other = (_mouth(feeds["layers"], net(feeds)) for net in (reference, candidate))
        found.append(ssim(one, other))
    return TaskFigure("mouth-box SSIM", float(np.mean(found)), min(found), _SSIM)


def _mouth(layers: Array, decided: dict[str, Array]) -> Array:
    given = (torch.from_numpy(np.asarray(decided[name], np.float32)) for name in _OUTPUTS)
    made, _ = mix(torch.from_numpy(layers), *given)
    top, bottom, left, right = _BOX
    luma = made[0].numpy().transpose(1, 2, 0) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return np.rint(255.0 * luma[top:bottom, left:right]).astype(np.uint8)


def _nets(checkpoint: Path | None, *, small: bool) -> list[Net]:
    stem = "mouth_painter_small" if small else "mouth_painter"
    painter = Painter(SMALL_WIDTH if small else FULL_WIDTH)
    draw = np.random.default_rng(0)
    example = {"layers": draw.random((1, INPUTS, SIZE, SIZE), np.float32)}
    if checkpoint is None:
        own = zoo.own_file(f"{stem}.onnx")
        load_into(painter, shipped_tensors(painter, example, _OUTPUTS, {}, own), own.name)
    else:
        load_into(painter, read_tensors(checkpoint), checkpoint.name)
    recorded = cache(_recorded)

    def judge(reference: Runner, candidate: Runner) -> TaskFigure:
        return mouth_ssim(recorded(HELD_OUT)[::_EVERY], reference, candidate)

    return [
        Net(
            stem=stem,
            manifest=("mouth-painter", "small" if small else "painter"),
            inputs=example,
            outputs=_OUTPUTS,
            varying={},
            recorded=recorded,
            judge=judge,
            module=painter,
        )
    ]


def _recorded(which: str) -> list[Feeds]:
    return list(painter_inputs(which))


_WEIGHTS = "export/train/painter.py's painter.pt; without it, the weights that ship"
RECIPES = (
    Recipe("mouth-painter", "mouth painter, 24 channels", _WEIGHTS, partial(_nets, small=False)),
    Recipe(
        "mouth-painter-small", "mouth painter, 16 channels", _WEIGHTS, partial(_nets, small=True)
    ),
)
