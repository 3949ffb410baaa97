r"""Write trained nets as ONNX, and prove that they compute the same.

    python -m export.to_onnx --checkpoint out/motion/motion.pt -o models
    python -m export.to_onnx --checkpoint out/painter/painter.pt -o models

Weights are stored in half precision and widened when the model is loaded, which halves the file
and costs no time; all computing is in single precision. The traced graph is compared with torch on
noise, that of the motion nets whole and in pieces.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.nets.motion import N_MELS, PHONES, Listener, Mouth
from export.nets.painter import FULL_WIDTH, INPUTS, SIZE, Painter, mix

OPSET = 17
TOLERANCE = 2e-3
"""Largest difference of outputs by rounding the weights to half precision."""
_DECIDED = ("wishes", "tints", "gain")
_SMALLEST_ROUNDED = 256
"""Tensors of fewer numbers stay as they are."""


class _Heard(nn.Module):
    """The listener with probabilities instead of logits: what the mouth is given."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener

    def forward(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        logits, loudness, state = self.listener(rows, state)
        return torch.cat([torch.softmax(logits, dim=2), loudness], dim=2), state


def export_net(net: nn.Module, columns: int, start: Tensor, path: Path) -> float:
    """Write one net; return the largest difference from torch.

    Parameters
    ----------
    net : torch.nn.Module
        Maps ``rows (1, n, columns)`` and ``state`` to ``out (1, n, k)`` and ``next_state``.
    columns : int
        Of ``rows``.
    start : torch.Tensor
        State of a stream that has not begun.
    path : pathlib.Path
        File to write; complete or not at all.

    Returns
    -------
    float
        Over whole streams and pieces of 1 to 40 rows.

    Raises
    ------
    ValueError
        If the outputs differ by more than :data:`TOLERANCE`.
    """
    net = net.eval().cpu()
    draft = path.with_suffix(".part.onnx")
    torch.onnx.export(
        net,
        (torch.zeros(1, 20, columns), start),
        str(draft),
        input_names=["rows", "state"],
        output_names=["out", "next_state"],
        dynamic_axes={"rows": {1: "n"}, "out": {1: "n"}},
        opset_version=OPSET,
        dynamo=False,
    )
    model = _with_half_weights(onnx.load(str(draft)))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(draft))
    difference = compare(net, columns, start, draft)
    if difference > TOLERANCE:
        draft.unlink()
        raise ValueError(f"{path.name}: expected at most {TOLERANCE}, found {difference}")
    draft.replace(path)
    return difference


def _with_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALLEST_ROUNDED:
            continue
        graph.initializer.remove(tensor)
        half = f"{tensor.name}_half"
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    for entry in model.metadata_props:
        model.metadata_props.remove(entry)
    model.doc_string = ""
    return model


@torch.no_grad()
def compare(net: nn.Module, columns: int, start: Tensor, path: Path) -> float:
    """Run torch on the whole and ONNX Runtime in pieces; return the largest difference."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    draw = np.random.default_rng(0)
    rows = draw.uniform(0.0, 1.0, (1, 400, columns)).astype(np.float32)
    whole = net(torch.from_numpy(rows), start)[0].numpy()
    worst = 0.0
    for size in (1, 7, 40, 400):
        state, parts = start.numpy(), []
        for first in range(0, rows.shape[1], size):
            feed = {"rows": rows[:, first : first + size], "state": state}
            out, state = session.run(None, feed)
            parts.append(out)
        worst = max(worst, float(np.abs(np.concatenate(parts, axis=1) - whole).max()))
    return worst


def export_painter(net: Painter, size: int, path: Path) -> float:
    """Write the mouth painter for squares of one size; return the largest difference from torch.

    It is that of the mixed pictures, whose colours lie between 0 and 1.

    Raises
    ------
    ValueError
        If the outputs differ by more than :data:`TOLERANCE`.
    """
    import onnxruntime

    net = net.eval().cpu()
    draft = path.with_suffix(".part.onnx")
    layers = torch.rand(1, INPUTS, size, size, generator=torch.Generator().manual_seed(0))
    torch.onnx.export(
        net,
        (layers,),
        str(draft),
        input_names=["layers"],
        output_names=list(_DECIDED),
        opset_version=OPSET,
        dynamo=False,
    )
    model = _with_half_weights(onnx.load(str(draft)))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(draft))
    session = onnxruntime.InferenceSession(str(draft), providers=["CPUExecutionProvider"])
    made = session.run(None, {"layers": layers.numpy()})
    for name, found in zip(_DECIDED, made, strict=True):
        if found.dtype != np.float32:
            draft.unlink()
            raise ValueError(f"{path.name}: expected {name} as float32, found {found.dtype}")
    with torch.no_grad():
        wanted, shown = mix(layers, *net(layers)), mix(layers, *map(torch.from_numpy, made))
    # Wishes are logarithms of shares: what counts is what is seen of them.
    worst = max(float((a - b).abs().max()) for a, b in zip(wanted, shown, strict=True))
    if worst > TOLERANCE:
        draft.unlink()
        raise ValueError(f"{path.name}: expected at most {TOLERANCE}, found {worst}")
    draft.replace(path)
    return worst


def _tell(path: Path, net: nn.Module, difference: float) -> None:
    size = path.stat().st_size
    weights = sum(p.numel() for p in net.parameters())
    print(json.dumps({"name": path.stem, "weights": weights, "bytes": size, "error": difference}))


def main() -> None:
    """Write the nets of a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    options.output.mkdir(parents=True, exist_ok=True)
    if "listener" not in state:
        width = state["enter.bias"].shape[0]
        painter = Painter(width)
        painter.load_state_dict(state)
        path = options.output / f"mouth_painter{'_small' if width < FULL_WIDTH else ''}.onnx"
        _tell(path, painter, export_painter(painter, SIZE, path))
        return
    listener, mouth = Listener(), Mouth()
    listener.load_state_dict(state["listener"])
    mouth.load_state_dict(state["mouth"])
    for name, net, columns, start in (
        ("motion_listener", _Heard(listener), N_MELS, listener.stack.start()),
        ("motion_mouth", mouth, PHONES + 1, mouth.stack.start()),
    ):
        path = options.output / f"{name}.onnx"
        _tell(path, net, export_net(net, columns, start.detach(), path))


if __name__ == "__main__":
    main()
