"""From a torch net to a clean ONNX graph that does not change from one run to the next."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxslim
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 17
OPSETS = range(17, 22)
"""What both runtimes read and the tracer writes."""
_SMALLEST_HALVED = 256
"""Tensors of fewer numbers stay as they are: they weigh nothing, and biases are sensitive."""

Array = npt.NDArray[Any]


def trace(
    net: nn.Module,
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
    varying: Mapping[str, Mapping[int, str]],
    opset: int = OPSET,
) -> onnx.ModelProto:
    """Write a net down as a graph, folded, slimmed and checked.

    Parameters
    ----------
    net : torch.nn.Module
        Takes the inputs in their order and gives the outputs in theirs.
    inputs
        Examples by name; their shapes are the graph's, but for what varies.
    outputs
        Names.
    varying
        Axes of inputs and outputs that have any length, and a name for each.
    opset
        Of :data:`OPSETS`.

    Returns
    -------
    onnx.ModelProto
        In single precision.
    """
    import torch

    draft = io.BytesIO()
    net = net.eval().cpu()
    with warnings.catch_warnings():
        # The tracer warns of shapes that become constants, which here they are.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in inputs.values()),
            draft,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in varying.items()},
            opset_version=opset,
            dynamo=False,
        )
    return cleaned(onnx.load_from_string(draft.getvalue()))


def cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, drop what nothing needs, take out paths of the machine; and check."""
    slim = onnxslim.slim(model)
    for node in slim.graph.node:
        node.doc_string = ""
    del slim.metadata_props[:]
    slim.doc_string = ""
    onnx.checker.check_model(slim, full_check=True)
    return slim


def with_half_weights(model: onnx.ModelProto, kept: Sequence[str] = ()) -> onnx.ModelProto:
    """Give a copy that stores large weights in half precision and widens them when it is loaded.

    The file is half as large and computing is as fast and as exact as before, up to the rounding
    of the weights; processors have no faster arithmetic in half precision.

    Parameters
    ----------
    model
        In single precision.
    kept
        Beginnings of names of nodes whose weights stay as they are.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    casts = []
    beginnings = tuple(kept) or ("\0",)
    whole = {n for node in graph.node if node.name.startswith(beginnings) for n in node.input}
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or tensor.name in whole:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _SMALLEST_HALVED:
            continue
        graph.initializer.remove(tensor)
        name = f"{tensor.name}_half"
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    onnx.checker.check_model(half, full_check=True)
    return half


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph, complete or not at all."""
    draft = path.with_suffix(".part")
    draft.write_bytes(model.SerializeToString(deterministic=True))
    draft.replace(path)


def weights_in_order(model: onnx.ModelProto) -> list[Array]:
    """List the float weights of a graph in the order in which its nodes use them.

    Single numbers are left out: where their nodes stand among the others depends on how weights are
    stored.
    """
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]].astype(np.float32)
    found: dict[str, Array] = {}
    for node in model.graph.node:
        for name in node.input:
            value = stored.get(name, np.float32(0.0))
            if node.op_type != "Cast" and value.ndim and value.dtype == np.float32:
                found.setdefault(name, np.asarray(value))
    return list(found.values())


def shipped_tensors(
    net: nn.Module,
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
    varying: Mapping[str, Mapping[int, str]],
    path: Path,
) -> dict[str, Tensor]:
    """Read the weights of a net back from the graph that was traced from it.

    A twin whose weights are all different numbers is traced; where each of them went, the shipped
    one was.

    Parameters
    ----------
    net : torch.nn.Module
        Of the same shape; its weights are changed.
    inputs, outputs, varying
        See :func:`trace`.
    path : pathlib.Path
        The graph.

    Returns
    -------
    dict
        By the names of the net's own state.

    Raises
    ------
    ValueError
        The graph is not one of this net.
    """
    import torch

    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    draw = torch.Generator().manual_seed(0)
    for tensor in state.values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.5)
    net.load_state_dict(state)
    traced = trace(net, inputs, outputs, varying)
    there, here = weights_in_order(cleaned(onnx.load(str(path)))), weights_in_order(traced)
    if [a.shape for a in there] != [a.shape for a in here]:
        raise ValueError(f"{path.name}: expected the graph of {type(net).__name__}, found another")
    for name, tensor in state.items():
        for twin, shipped in zip(here, there, strict=True):
            for turned in (False, True):
                seen = twin.T if turned else twin
                if seen.shape == tuple(tensor.shape) and np.array_equal(seen, tensor.numpy()):
                    value = shipped.T if turned else shipped
                    state[name] = torch.from_numpy(np.array(value))
                    break
            else:
                continue
            break
        else:
            if tensor.is_floating_point():
                raise ValueError(f"{path.name}: expected the tensor {name}, found it nowhere")
    return state
