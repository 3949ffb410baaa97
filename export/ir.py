"""OpenVINO's own files (IR: .xml and .bin), with weights in single, half or 8 bit."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
import openvino as ov

from export.recipes.base import Feeds

_QUANTIZED = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul")


def read(model: onnx.ModelProto | Path) -> ov.Model:
    """Read a graph of ONNX, or a file that OpenVINO reads by itself (.tflite, .xml)."""
    if isinstance(model, Path):
        return ov.Core().read_model(model)
    return ov.Core().read_model(model.SerializeToString(), ov.Tensor(ov.Type.u8, ov.Shape([0])))


def quantized(
    model: ov.Model,
    feeds: Iterable[Feeds],
    kept: Sequence[str] = (),
    *,
    norms_in_float: bool = False,
) -> ov.Model:
    """Make a model INT8 after training (NNCF), with real inputs.

    Parameters
    ----------
    model
        In single precision.
    feeds
        One run each; all are used.
    kept
        Names of nodes that stay in float.
    norms_in_float
        Leave normalisations in float, which are made of additions and products and bear little
        rounding: NNCF's scheme for transformers.
    """
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    runs = [dict(f) for f in feeds]
    ignored = nncf.IgnoredScope(names=_named(model, kept)) if kept else None
    return nncf.quantize(
        model,
        nncf.Dataset(runs),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(runs),
        model_type=nncf.ModelType.TRANSFORMER if norms_in_float else None,
        ignored_scope=ignored,
    )


def _named(model: ov.Model, nodes: Sequence[str]) -> list[str]:
    """Find what OpenVINO made of nodes of ONNX: a convolution loses its bias, and gets a suffix."""
    beginnings = tuple(f"{node}/" for node in nodes)
    return [
        op.get_friendly_name()
        for op in model.get_ordered_ops()
        if op.get_type_name() in _QUANTIZED
        and (op.get_friendly_name() in nodes or op.get_friendly_name().startswith(beginnings))
    ]


def name_in_order(model: ov.Model) -> None:
    """Give numbers to the nodes that have no name of their own.

    They are counted through the process, and files would differ from run to run. Some carry the
    kind of a node whose place they took.
    """
    nodes = model.get_ordered_ops()
    kinds = "|".join({op.get_type_name() for op in nodes})
    for number, op in enumerate(nodes):
        if re.fullmatch(rf"(?:{kinds})_\d+", op.get_friendly_name()):
            op.set_friendly_name(f"{op.get_type_name()}_{number}")


def widened(model: ov.Model) -> ov.Model:
    """Give a copy that stores in single precision what a file stores in half.

    It is not to be quantized: OpenVINO 2026.4 gets transpositions of plain constants wrong then.
    """
    wide_one = model.clone()
    for op in wide_one.get_ordered_ops():
        if op.get_type_name() == "Convert" and op.get_element_type() == ov.Type.f32:
            stored = op.input_value(0).get_node()
            if stored.get_type_name() != "Constant" or stored.get_element_type() != ov.Type.f16:
                continue
            wide = ov.op.Constant(stored.data.astype(np.float32))
            op.output(0).replace(wide.output(0))
    return wide_one


def save(model: ov.Model, path: Path, *, half: bool) -> tuple[Path, Path]:
    """Write a model as .xml and .bin, both complete or not at all.

    Parameters
    ----------
    model
        Of OpenVINO.
    path
        Ends with .xml.
    half
        Store weights in half precision.
    """
    name_in_order(model)
    weights = path.with_suffix(".bin")
    draft = path.with_name(f"part-{path.name}")
    ov.save_model(model, draft, compress_to_fp16=half)
    # The weights first: a description without weights would look complete.
    draft.with_suffix(".bin").replace(weights)
    draft.replace(path)
    return path, weights
