"""What a variant must reach before it may ship."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from export.recipes.base import TaskFigure

Precision = Literal["fp32", "fp16", "int8", "mixed"]
Format = Literal["onnx", "openvino"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
FORMATS: tuple[Format, ...] = get_args(Format)

LARGEST_ERROR: dict[Precision, float] = {"fp32": 1e-3, "fp16": 2e-2}
"""Of any output, over the largest value of that output: rounding of arithmetic and of weights. What
INT8 makes of single values says little, the task does."""
RMS_ERROR: dict[Precision, float] = {"fp32": 1e-5, "fp16": 1e-3, "int8": 0.15, "mixed": 0.15}
LEAST_SPEEDUP: dict[Precision, float] = {"fp32": 0.9, "fp16": 0.9, "int8": 1.1, "mixed": 1.1}
"""Over fp32 on the same backend. The same arithmetic is never measured to be exactly as fast; less
exact arithmetic must be clearly faster, else there is no reason for it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one variant on one backend."""

    precision: Precision
    largest_error: float
    """Of any output value, over the largest value of that output."""
    rms_error: float
    """Root of the mean square error over that of the output, of the output where it is largest."""
    task: TaskFigure
    speedup: float
    """Over the net in single precision on the same backend."""
    size_bytes: int
    base_bytes: int
    """Size in single precision and the same format."""
    agreement: TaskFigure | None
    """This backend beside the other one on the same file, where both may open it."""
    bounded: bool = True
    """Whether errors of single values are held to a bound."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One bar, and whether it was reached."""

    name: str
    found: str
    wanted: str
    passed: bool


def gates(f: Figures) -> tuple[Gate, ...]:
    """Hold a variant to every bar."""
    found: list[Gate] = []
    if f.bounded:
        found.append(_at_most("rms error", f.rms_error, RMS_ERROR[f.precision]))
    if f.bounded and f.precision in LARGEST_ERROR:
        found.append(_at_most("largest error", f.largest_error, LARGEST_ERROR[f.precision]))
    found += [_task(figure.measure, figure) for figure in f.task.all]
    found.append(_at_least("speed", f.speedup, LEAST_SPEEDUP[f.precision], "x"))
    if f.precision != "fp32":
        smaller = f.size_bytes < f.base_bytes
        sizes = f"{f.size_bytes} bytes", f"less than {f.base_bytes}"
        found.append(Gate("size", *sizes, smaller))
    if f.agreement is not None:
        found.append(_task("backends agree", f.agreement))
    return tuple(found)


def _task(name: str, figure: TaskFigure) -> Gate:
    wanted = f"at {'most' if figure.less_is_better else 'least'} {figure.bound:g}"
    return Gate(name, f"{figure.value:.4f}", wanted, figure.passed)


def _at_most(name: str, found: float, bound: float) -> Gate:
    # Not-a-number is at most nothing.
    return Gate(name, f"{found:.2g}", f"at most {bound:g}", bool(found <= bound))


def _at_least(name: str, found: float, bound: float, unit: str) -> Gate:
    return Gate(name, f"{found:.2f}{unit}", f"at least {bound:g}{unit}", bool(found >= bound))
