"""A small ONNX model, written byte by byte, and a cache of its own for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_graphs import model, node


def tiny_weights() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((8, 4)).astype(np.float32)


def tiny_model(rows: int | None = 1, weights: np.ndarray | None = None, output: str = "y") -> bytes:
    """Build ``y = relu(x @ w)`` with ``x`` of ``(rows, 8)``."""
    weights = tiny_weights() if weights is None else weights
    nodes = [node("MatMul", ["x", "w"], "/hidden"), node("Relu", ["/hidden"], output)]
    return model("tiny", nodes, {"w": weights}, {"x": (rows, 8)}, {output: (rows, 4)})


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache"
    monkeypatch.setenv("EDGEAVATAR_CACHE", str(home))
    return home


@pytest.fixture
def weights() -> np.ndarray:
    return tiny_weights()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_model())
    return path


@pytest.fixture
def make_tiny(tmp_path: Path) -> Callable[[int | None], Path]:
    def make(rows: int | None) -> Path:
        path = tmp_path / f"tiny_{rows}.onnx"
        path.write_bytes(tiny_model(rows))
        return path

    return make
