"""A generator of the wav2lip renderer in a few hundred bytes, written field by field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeavatar.backends.protobuf import encode_bytes_field, encode_varint_field

FLOAT = 1


def _value(name: str, shape: Sequence[int | None]) -> bytes:
    dims = b"".join(
        encode_bytes_field(
            1, encode_bytes_field(2, b"n") if size is None else encode_varint_field(1, size)
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
        + encode_bytes_field(4, operator.encode())
    )


def write_generator(path: Path, size: int = 96) -> Path:
    """Write ``mouth = sigmoid(mean of mel + colours of face, mixed at random)``."""
    weights = np.random.default_rng(3).normal(0, 2, (3, 6, 1, 1)).astype(np.float32)
    mixer = (
        b"".join(encode_varint_field(1, count) for count in weights.shape)
        + encode_varint_field(2, FLOAT)
        + encode_bytes_field(8, b"mixer")
        + encode_bytes_field(9, weights.tobytes())
    )
    nodes = [
        _node("Conv", ["face", "mixer"], "mixed"),
        _node("ReduceMean", ["mel"], "level"),
        _node("Add", ["mixed", "level"], "sum"),
        _node("Sigmoid", ["sum"], "mouth"),
    ]
    graph = (
        b"".join(encode_bytes_field(1, node) for node in nodes)
        + encode_bytes_field(2, b"generator")
        + encode_bytes_field(5, mixer)
        + encode_bytes_field(11, _value("mel", (None, 1, 80, 16)))
        + encode_bytes_field(11, _value("face", (None, 6, size, size)))
        + encode_bytes_field(12, _value("mouth", (None, 3, size, size)))
    )
    path.write_bytes(
        encode_varint_field(1, 8)
        + encode_bytes_field(8, encode_varint_field(2, 13))
        + encode_bytes_field(7, graph)
    )
    return path
