"""Names and extra outputs of an ONNX graph, without the ``onnx`` package.

An ONNX file is one ``ModelProto``; the field numbers below are those of the public ``onnx.proto``.
Making a value inside the graph an output means appending one ``ValueInfoProto`` to the list of
graph outputs and correcting one length, so the weights are never parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgeavatar.backends.protobuf import (
    BYTES,
    Field,
    encode_bytes_field,
    encode_varint,
    iter_fields,
)
from edgeavatar.errors import BackendError, IntegrityError

_MODEL_GRAPH: Final = 7
_GRAPH_NODE: Final = 1
_GRAPH_OUTPUT: Final = 12
_GRAPH_VALUE_INFO: Final = 13
_NODE_OUTPUT: Final = 2
_NODE_OPERATOR: Final = 4
_VALUE_INFO_NAME: Final = 1


def check_onnx(model: bytes, *, what: str) -> None:
    """Check that bytes look like a whole ONNX model.

    Parameters
    ----------
    model
        The file's content.
    what
        How the message calls the file.

    Raises
    ------
    IntegrityError
        The bytes are not one complete protocol buffer with a graph that has nodes and outputs.
    """
    numbers = {field.number for field in _fields(_content(_graph_field(model, what), what), what)}
    if not {_GRAPH_NODE, _GRAPH_OUTPUT} <= numbers:
        msg = f"{what}: expected an ONNX graph with nodes and outputs, found neither; install again"
        raise IntegrityError(msg)


def node_output_names(model: bytes, *, what: str = "ONNX model") -> list[str]:
    """List the name of every value that a node of the top-level graph computes, in graph order.

    Raises
    ------
    IntegrityError
        The bytes are not an ONNX model.
    """
    return _strings_of_nodes(model, _NODE_OUTPUT, what)


def operators(model: bytes, *, what: str = "ONNX model") -> set[str]:
    """Collect the names of the operators that the top-level graph uses.

    Raises
    ------
    IntegrityError
        The bytes are not an ONNX model.
    """
    return set(_strings_of_nodes(model, _NODE_OPERATOR, what))


def graph_output_names(model: bytes, *, what: str = "ONNX model") -> list[str]:
    """List the names of the graph's outputs in their order.

    Raises
    ------
    IntegrityError
        The bytes are not an ONNX model.
    """
    return [
        _value_name(_content(field, what), what)
        for field in _fields(_content(_graph_field(model, what), what), what)
        if field.number == _GRAPH_OUTPUT
    ]


def add_graph_outputs(model: bytes, names: Sequence[str], *, what: str = "ONNX model") -> bytes:
    """Make values inside the graph outputs of it.

    Parameters
    ----------
    model
        Content of an ONNX file.
    names
        Values that some node of the top-level graph computes. Those that are outputs already are
        left alone; the others are appended behind the outputs that the graph has, in this order.
    what
        How messages call the model; so in the other functions here.

    Returns
    -------
    bytes
        The edited model. Everything but the list of outputs is unchanged.

    Raises
    ------
    BackendError
        No node computes a value of that name.
    IntegrityError
        The bytes are not an ONNX model.
    """
    known = set(node_output_names(model, what=what))
    unknown = [name for name in names if name not in known]
    if unknown:
        msg = (
            f"{what}: expected a graph that computes {', '.join(unknown)}, found {len(known)} other"
            " values; the model is another export than the one this name comes from"
        )
        raise BackendError(msg)
    present = set(graph_output_names(model, what=what))
    graph = _graph_field(model, what)
    content = _content(graph, what)
    declared = {
        _value_name(_content(field, what), what): bytes(_content(field, what))
        for field in _fields(content, what)
        if field.number == _GRAPH_VALUE_INFO
    }
    appended = b"".join(
        encode_bytes_field(
            _GRAPH_OUTPUT,
            declared.get(name, encode_bytes_field(_VALUE_INFO_NAME, name.encode())),
        )
        for name in dict.fromkeys(names)
        if name not in present
    )
    if not appended:
        return model
    view = memoryview(model)
    return b"".join(
        (
            view[: graph.start],
            encode_varint(_MODEL_GRAPH << 3 | BYTES),
            encode_varint(len(content) + len(appended)),
            content,
            appended,
            view[graph.end :],
        )
    )


def _strings_of_nodes(model: bytes, number: int, what: str) -> list[str]:
    return [
        str(_content(field, what), "utf-8", "replace")
        for node in _fields(_content(_graph_field(model, what), what), what)
        if node.number == _GRAPH_NODE
        for field in _fields(_content(node, what), what)
        if field.number == number
    ]


def _graph_field(model: bytes, what: str) -> Field:
    graphs = [field for field in _fields(model, what) if field.number == _MODEL_GRAPH]
    if len(graphs) != 1 or graphs[0].wire_type != BYTES:
        msg = f"{what}: expected an ONNX model with one graph, found {len(graphs)}; install again"
        raise IntegrityError(msg)
    return graphs[0]


def _fields(message: bytes | memoryview, what: str) -> list[Field]:
    try:
        return list(iter_fields(message))
    except ValueError as error:
        msg = f"{what}: expected an ONNX model, found broken data ({error}); install it again"
        raise IntegrityError(msg) from None


def _content(field: Field, what: str) -> memoryview:
    try:
        return field.payload
    except ValueError as error:
        msg = f"{what}: expected an ONNX model, found broken data ({error}); install it again"
        raise IntegrityError(msg) from None


def _value_name(value_info: memoryview, what: str) -> str:
    for field in _fields(value_info, what):
        if field.number == _VALUE_INFO_NAME:
            return str(_content(field, what), "utf-8", "replace")
    return ""
