"""What it costs to make one layer of OpenVINO's graph INT8."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import openvino as ov

from export.quantize import Sensitivity
from export.recipes.base import Feeds, Runner

_LAYERS = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul"})
_ROUNDS = "FakeQuantize"
_FINE = 2**20
"""Steps of what rounds as good as not."""


def sensitivities(
    quantized: ov.Model, error_of: Callable[[ov.Model], float]
) -> Iterator[Sensitivity]:
    """Yield for each layer the error that rounding what it is given makes, the others in float.

    Weights stay rounded in all of them: with a scale for each channel that costs little, and the
    little is taken off, as the errors of things that have nothing to do with each other add as
    squares do.

    Parameters
    ----------
    quantized
        All layers in INT8, from :func:`export.ir.quantized`.
    error_of
        How far a graph's outputs are from the right ones.
    """
    floor = error_of(_with_rounding(quantized, frozenset()))
    for op in quantized.get_ordered_ops():
        if op.get_type_name() in _LAYERS:
            own = frozenset(_rounding_before(op))
            error = error_of(_with_rounding(quantized, own)) if own else floor
            alone = max(0.0, error**2 - floor**2) ** 0.5
            yield Sensitivity(str(op.get_friendly_name()), alone)


def runner(model: ov.Model, outputs: Sequence[str]) -> Runner:
    """Run a graph on the processor."""
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(feeds: Feeds) -> dict[str, Any]:
        request.infer(dict(feeds))
        return {name: request.get_tensor(name).data.copy() for name in outputs}

    return run


def _rounding_before(layer: Any) -> Iterator[str]:
    """Walk up from what a layer is given to where it is rounded."""
    waiting = [layer.input_value(0).get_node()]
    seen = set()
    while waiting:
        op = waiting.pop()
        if op.get_friendly_name() in seen or op.get_type_name() in _LAYERS:
            continue
        seen.add(op.get_friendly_name())
        if op.get_type_name() == _ROUNDS:
            yield str(op.get_friendly_name())
        else:
            waiting += [value.get_node() for value in op.input_values()]


def _with_rounding(quantized: ov.Model, names: frozenset[str]) -> ov.Model:
    copy = quantized.clone()
    for op in copy.get_ordered_ops():
        if op.get_type_name() == _ROUNDS and op.get_friendly_name() not in names:
            op.set_attribute("levels", _FINE)
    return copy
