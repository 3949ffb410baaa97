"""ONNX graphs of a few hundred bytes, written field by field: the tests need no onnx package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgeavatar.backends.protobuf import encode_bytes_field, encode_varint_field

FLOAT = 1
Shape = Sequence[int | None]


def node(operator: str, inputs: Sequence[str], output: str) -> bytes:
    """Write a node, which is called as its output is."""
    return (
        b"".join(encode_bytes_field(1, name.encode()) for name in inputs)
        + encode_bytes_field(2, output.encode())
        + encode_bytes_field(3, output.encode())
        + encode_bytes_field(4, operator.encode())
    )


def _value(name: str, shape: Shape) -> bytes:
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


def _weights(name: str, values: np.ndarray) -> bytes:
    return (
        b"".join(encode_varint_field(1, size) for size in values.shape)
        + encode_varint_field(2, FLOAT)
        + encode_bytes_field(8, name.encode())
        + encode_bytes_field(9, values.tobytes())
    )


def model(
    name: str,
    nodes: Sequence[bytes],
    weights: Mapping[str, np.ndarray],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
) -> bytes:
    """Write a model of float32 tensors, opset 13."""
    graph = (
        b"".join(encode_bytes_field(1, one) for one in nodes)
        + encode_bytes_field(2, name.encode())
        + b"".join(encode_bytes_field(5, _weights(n, w)) for n, w in weights.items())
        + b"".join(encode_bytes_field(11, _value(n, s)) for n, s in inputs.items())
        + b"".join(encode_bytes_field(12, _value(n, s)) for n, s in outputs.items())
    )
    return (
        encode_varint_field(1, 8)
        + encode_bytes_field(8, encode_varint_field(2, 13))
        + encode_bytes_field(7, graph)
    )
