"""A small ONNX model, written byte by byte, and a cache of its own for every test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeavatar.backends.protobuf import encode_bytes_field, encode_varint_field

FLOAT = 1


def _value(name: str, shape: Sequence[int | None]) -> bytes:
    dims = b"".join(
        encode_bytes_field(
            1,
            encode_bytes_field(2, b"n") if size is None else encode_varint_field(1, size),
        )
        for size in shape
    )
    tensor = encode_varint_field(1, FLOAT) + encode_bytes_field(2, dims)
    return encode_bytes_field(1, name.encode()) + encode_bytes_field(
        2, encode_bytes_field(1, tensor)
    )


def _node(operator: str, inputs: Sequence[str], output: str) -> bytes:
    return (
        b"".join(encode_bytes_field(1, name.encode()) for name in inputs)
        + encode_bytes_field(2, output.encode())
        + encode_bytes_field(3, output.encode())
        + encode_bytes_field(4, operator.encode())
    )


def tiny_weights() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((8, 4)).astype(np.float32)


def tiny_model(rows: int | None = 1, weights: np.ndarray | None = None, output: str = "y") -> bytes:
    """Build ``y = relu(x @ w)`` with ``x`` of ``(rows, 8)``."""
    weights = tiny_weights() if weights is None else weights
    initializer = (
        b"".join(encode_varint_field(1, size) for size in weights.shape)
        + encode_varint_field(2, FLOAT)
        + encode_bytes_field(8, b"w")
        + encode_bytes_field(9, weights.tobytes())
    )
    graph = (
        encode_bytes_field(1, _node("MatMul", ["x", "w"], "/hidden"))
        + encode_bytes_field(1, _node("Relu", ["/hidden"], output))
        + encode_bytes_field(2, b"tiny")
        + encode_bytes_field(5, initializer)
        + encode_bytes_field(11, _value("x", (rows, 8)))
        + encode_bytes_field(12, _value(output, (rows, 4)))
    )
    return (
        encode_varint_field(1, 8)
        + encode_bytes_field(8, encode_varint_field(2, 13))
        + encode_bytes_field(7, graph)
    )


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
