"""A generator of the wav2lip renderer in a few hundred bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from small_graphs import model, node


def write_generator(path: Path, size: int = 96) -> Path:
    """Write ``mouth = sigmoid(mean of mel + colours of face, mixed at random)``."""
    mixer = np.random.default_rng(3).normal(0, 2, (3, 6, 1, 1)).astype(np.float32)
    nodes = [
        node("Conv", ["face", "mixer"], "mixed"),
        node("ReduceMean", ["mel"], "level"),
        node("Add", ["mixed", "level"], "sum"),
        node("Sigmoid", ["sum"], "mouth"),
    ]
    inputs = {"mel": (None, 1, 80, 16), "face": (None, 6, size, size)}
    outputs = {"mouth": (None, 3, size, size)}
    path.write_bytes(model("generator", nodes, {"mixer": mixer}, inputs, outputs))
    return path
