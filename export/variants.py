"""The files of a net: one for each format and precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from export import ir, ir_layers
from export.calibration import CALIBRATION
from export.differences import errors, remembered
from export.gates import Format, Precision
from export.graph import OPSET, cleaned, save, trace, with_half_weights
from export.quantize import (
    Calibrated,
    Sensitivity,
    calibrate,
    kept_in_float,
    quantized,
    sensitivities,
    worst_first,
)
from export.recipes.base import Feeds, Net, Runner, onnx_runner

Tell = Callable[[str], None]
SUFFIX = {"onnx": ".onnx", "openvino": ".xml"}
_JUDGED = 12
"""Recorded inputs on which the layers' sensitivity is measured; every layer runs on all of them."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A net in one format and precision."""

    format: Format
    precision: Precision
    files: tuple[Path, ...]
    """What is opened, then what lies beside it."""
    kept: tuple[str, ...] = ()
    """Layers that stay in float."""

    @property
    def path(self) -> Path:
        """What is opened."""
        return self.files[0]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(path.stat().st_size for path in self.files)


@dataclass(frozen=True, slots=True)
class Made:
    """All files of a net, and what was learned on the way."""

    variants: tuple[Variant, ...]
    sensitivities: tuple[Sensitivity, ...]
    """Of each layer, largest first; empty where no mixed precision was asked for."""


def file_of(stem: str, kind: Format, precision: Precision, folder: Path) -> Path:
    """Name the file of a variant; the plain name is that of half precision, which ships."""
    middle = "" if precision == "fp16" else f"_{precision}"
    return folder / f"{stem}{middle}{SUFFIX[kind]}"


def make_variants(
    net: Net,
    formats: Sequence[Format],
    precisions: Sequence[Precision],
    calibration: Sequence[Feeds],
    folder: Path,
    opset: int = OPSET,
    tell: Tell = lambda _: None,
) -> Made:
    """Write a net in every format and precision asked for; single precision is always there.

    Parameters
    ----------
    net
        From a recipe.
    formats, precisions
        What to write.
    calibration
        What the net really meets.
    folder
        To write to.
    opset
        Of the ONNX files.
    tell
        Called with what is being done.
    """
    wanted: list[Precision] = [p for p in precisions if p != "fp32"]
    if not net.through_onnx:
        return _without_onnx(net, wanted, calibration, folder, tell)
    tell("tracing")
    plain = _plain(net, opset)
    calibrated: Calibrated | None = None
    found: list[Sensitivity] = []
    kept: tuple[str, ...] = ()
    plain_first: tuple[Precision, ...] = ("fp32", *wanted)
    if "int8" in wanted or "mixed" in wanted:
        tell(f"calibrating with {len(calibration)} inputs")
        calibrated = calibrate(plain, calibration, net.quantized, net.kept)
    if calibrated is not None and "mixed" in wanted:
        tell(f"measuring the sensitivity of {len(calibrated.layers)} layers")
        error_of = error_function(plain, _some(calibration, _JUDGED), net.rank)
        found = worst_first(sensitivities(calibrated, error_of))
        kept = kept_in_float(found)
    made = []
    for kind in formats:
        if kind == "openvino" and "openvino" not in net.backends:
            tell("no files of openvino, which is not to run it")
            continue
        for precision in plain_first:
            tell(f"writing {kind} {precision}")
            path = file_of(net.stem, kind, precision, folder)
            stays = kept if precision == "mixed" else ()
            if kind == "onnx":
                half = net.kept if precision == "fp16" else stays
                files = _write_onnx(plain, calibrated, precision, half, path)
            else:
                files = _write_ir(plain, calibrated, calibration, precision, stays, path)
            made.append(Variant(kind, precision, files, stays))
    return Made(tuple(made), tuple(found))


def _without_onnx(
    net: Net,
    wanted: Sequence[Precision],
    calibration: Sequence[Feeds],
    folder: Path,
    tell: Tell,
) -> Made:
    """Write what OpenVINO makes of a graph that it reads by itself."""
    assert isinstance(net.graph, Path)  # else it would go through ONNX
    plain = ir.read(net.graph)
    plain.reshape({name: list(shape) for name, shape in net.shapes.items()})
    ir.name_in_order(plain)
    found: list[Sensitivity] = []
    models = {"fp32": ir.widened(plain), "fp16": plain}
    if "int8" in wanted or "mixed" in wanted:
        tell(f"quantizing with {len(calibration)} inputs")
        models["int8"] = ir.quantized(plain, calibration, net.kept, norms_in_float=True)
    kept: tuple[str, ...] = ()
    if "mixed" in wanted:
        tell("measuring the sensitivity of layers")
        judged = _some(calibration, _JUDGED)
        run = ir_layers.runner(plain, net.outputs)
        right = [run(feeds) for feeds in judged]
        found = worst_first(
            ir_layers.sensitivities(
                models["int8"],
                lambda model: errors(ir_layers.runner(model, net.outputs), judged, right)[1],
            )
        )
        kept = kept_in_float(found)
        models["mixed"] = ir.quantized(plain, calibration, [*net.kept, *kept], norms_in_float=True)
    made = []
    for precision in ("fp32", *wanted):
        tell(f"writing openvino {precision}")
        path = file_of(net.stem, "openvino", precision, folder)
        files = ir.save(models[precision], path, half=precision != "fp32")
        made.append(Variant("openvino", precision, files, kept if precision == "mixed" else ()))
    return Made(tuple(made), tuple(found))


def _plain(net: Net, opset: int) -> onnx.ModelProto:
    if net.module is not None:
        return trace(net.module, net.inputs, net.outputs, net.varying, opset)
    return cleaned(net.onnx())


def _write_onnx(
    plain: onnx.ModelProto,
    calibrated: Calibrated | None,
    precision: Precision,
    kept: Sequence[str],
    path: Path,
) -> tuple[Path, ...]:
    if calibrated is None or precision in ("fp32", "fp16"):
        model = plain if precision == "fp32" else with_half_weights(plain, kept)
    else:
        model = quantized(calibrated, [name for name in calibrated.layers if name not in kept])
    save(model, path)
    return (path,)


def _write_ir(
    plain: onnx.ModelProto,
    calibrated: Calibrated | None,
    calibration: Sequence[Feeds],
    precision: Precision,
    kept: Sequence[str],
    path: Path,
) -> tuple[Path, ...]:
    model = ir.read(plain)
    if calibrated is not None and precision in ("int8", "mixed"):
        never = [
            node.name
            for node in plain.graph.node
            if node.op_type in calibrated.operators and node.name not in calibrated.layers
        ]
        model = ir.quantized(model, calibration, [*kept, *never])
    return ir.save(model, path, half=precision != "fp32")


def error_function(
    plain: onnx.ModelProto,
    feeds: Sequence[Feeds],
    rank: Callable[[Runner, Runner], float] | None = None,
) -> Callable[[onnx.ModelProto], float]:
    """Give a function that measures how far a graph's outputs are from the plain one's.

    Unless the net has a measure of its own, it is the root mean square of the difference over that
    of the output, and the largest over all outputs.
    """
    truth = remembered(onnx_runner(plain))
    if rank is not None:
        return lambda model: rank(truth, onnx_runner(model))
    wanted = [truth(f) for f in feeds]
    return lambda model: errors(onnx_runner(model), feeds, wanted)[1]


def recorded(net: Net, which: str = CALIBRATION, most: int | None = None) -> list[Feeds]:
    """Gather what a net meets; at most so many, from all over."""
    found = list(net.recorded(which))
    return found if most is None else _some(found, most)


def _some(found: Sequence[Feeds], most: int) -> list[Feeds]:
    places = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int))
    return [found[i] for i in places]
