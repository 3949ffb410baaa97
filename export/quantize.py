"""Static INT8 for ONNX Runtime: which layers bear it, and which are better left in float.

Weights are signed 8 bit with a scale for each channel, activations unsigned 8 bit with one scale
for each tensor, both written as pairs of QuantizeLinear and DequantizeLinear (QDQ), which
ONNX Runtime and OpenVINO fuse into integer arithmetic (Jacob et al. 2018, "Quantization and
Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference").
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import (
    CalibrationDataReader,
    TensorsData,
    create_calibrator,
)
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.recipes.base import Feeds

_FOLLOWERS = ("Add", "Relu", "Resize")
"""Operators that take 8 bit as they are: in float between two layers in INT8, each costs a
widening and a rounding."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A graph ready for quantization, and the ranges of its tensors."""

    model: onnx.ModelProto
    ranges: TensorsData
    operators: tuple[str, ...]
    kept: tuple[str, ...]
    """Beginnings of names of nodes that stay in float."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the nodes that can become INT8."""
        return tuple(
            node.name
            for node in self.model.graph.node
            if node.op_type in self.operators and not node.name.startswith(self.kept or ("\0",))
        )

    def followers(self, layers: Sequence[str]) -> tuple[str, ...]:
        """Name the nodes of :data:`_FOLLOWERS` that are given nothing but what layers in INT8 made.

        Sums with constants stay in float, where libraries make them a part of the layer before.
        """
        made, found = set(), []
        for node in self.model.graph.node:
            # Of a resizing only the first is a picture; the others say how large.
            given = node.input[:1] if node.op_type == "Resize" else node.input
            if node.name in layers:
                made.update(node.output)
            elif node.op_type in _FOLLOWERS and all(name in made for name in given):
                made.update(node.output)
                found.append(node.name)
        return tuple(found)


def calibrate(
    model: onnx.ModelProto,
    feeds: Iterable[Feeds],
    operators: Sequence[str],
    kept: Sequence[str] = (),
) -> Calibrated:
    """Run a graph on what it really meets and note the smallest and largest value of each tensor.

    Parameters
    ----------
    model
        In single precision.
    feeds
        One run each; taken one by one.
    operators
        Types of nodes that are to become INT8.
    kept
        Beginnings of names of nodes that are not.
    """
    # Graphs that draw noise draw the same in every build.
    onnxruntime.set_seed(0)
    with tempfile.TemporaryDirectory() as name, _quietly():
        folder = Path(name)
        plain, ready = folder / "plain.onnx", folder / "ready.onnx"
        onnx.save(model, str(plain))
        quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True, skip_optimization=True)
        # Ranges are wanted of whatever a chosen node reads or writes.
        calibrator = create_calibrator(
            str(ready),
            [*operators, *_FOLLOWERS],
            augmented_model_path=str(folder / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
            providers=["CPUExecutionProvider"],
        )
        calibrator.collect_data(_Reader(feeds))
        ranges = calibrator.compute_data()
        # Its session holds the folder's files open.
        del calibrator
        return Calibrated(onnx.load(str(ready)), ranges, tuple(operators), tuple(kept))


def quantized(calibrated: Calibrated, layers: Sequence[str]) -> onnx.ModelProto:
    """Make some layers INT8, and what lies between them; leave the others as they are."""
    model = onnx.ModelProto()
    model.CopyFrom(calibrated.model)
    if not layers:
        # To the library, no names mean all.
        return model
    # Biases follow their layer.
    with _quietly():
        quantizer = QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=calibrated.ranges,
            nodes_to_quantize=[*layers, *calibrated.followers(layers)],
            nodes_to_exclude=[],
            op_types_to_quantize=[*calibrated.operators, *_FOLLOWERS],
            extra_options={},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    made: onnx.ModelProto = quantizer.model.model
    onnx.checker.check_model(made)
    return made


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What it costs to make one layer alone INT8."""

    layer: str
    error: float
    """Of the outputs, see the function that measured it."""


def sensitivities(
    calibrated: Calibrated, error_of: Callable[[onnx.ModelProto], float]
) -> Iterator[Sensitivity]:
    """Yield for each layer the error that it alone makes."""
    for layer in calibrated.layers:
        yield Sensitivity(layer, error_of(quantized(calibrated, [layer])))


def worst_first(found: Iterable[Sensitivity]) -> list[Sensitivity]:
    """Sort layers by the error that they make; those that make the same, by name."""
    return sorted(found, key=lambda s: (-s.error, s.layer))


def kept_in_float(found: Sequence[Sensitivity], share: float = 0.5) -> tuple[str, ...]:
    """Choose the fewest layers that make so large a share of the squared error.

    Errors of layers that have nothing to do with each other add as squares do.
    """
    total = sum(s.error**2 for s in found)
    chosen: list[str] = []
    left = total
    for one in worst_first(found):
        if left <= (1.0 - share) * total:
            break
        chosen.append(one.layer)
        left -= one.error**2
    return tuple(chosen)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Iterable[Feeds]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Any:
        feeds = next(self._feeds, None)
        return None if feeds is None else dict(feeds)


class _quietly:  # noqa: N801 - reads as what it does
    """The library logs to the root logger, also what is no fault."""

    def __enter__(self) -> None:
        self._before = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *_: object) -> None:
        logging.disable(self._before)
