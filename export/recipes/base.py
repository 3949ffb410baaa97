"""What a recipe tells of a net: where its weights go, what it meets, and what its task is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from edgeavatar.backends import BackendName, open_session
from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

Array = npt.NDArray[Any]
Feeds: TypeAlias = Mapping[str, Array]
Runner: TypeAlias = Callable[[Feeds], dict[str, Array]]
"""One run of a net on any backend: named tensors in, named tensors out."""
Axes: TypeAlias = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True, slots=True)
class TaskFigure:
    """How well a net does its task, beside the net in single precision."""

    measure: str
    value: float
    """Mean over what was judged."""
    worst: float
    bound: float
    """``value`` must reach it, or stay below it."""
    less_is_better: bool = False
    also: tuple[TaskFigure, ...] = ()
    """What else the task asks for."""

    @property
    def passed(self) -> bool:
        """Whether the bound is kept, whatever else is asked for."""
        return self.value <= self.bound if self.less_is_better else self.value >= self.bound

    @property
    def all(self) -> tuple[TaskFigure, ...]:
        """What the task asks for, this first."""
        return (self, *self.also)


@dataclass(frozen=True, slots=True)
class Net:
    """One graph to be made."""

    stem: str
    """Of its file names."""
    manifest: tuple[str, str] | None
    """Model and file in ``models/manifest.toml``; None where the weights are not ours to ship."""
    inputs: Feeds
    """Examples, with which it is traced."""
    outputs: tuple[str, ...]
    varying: Axes
    recorded: Callable[[str], Iterable[Feeds]]
    """Gives what it meets, for a set of :data:`export.calibration.SETS`."""
    judge: Callable[[Runner, Runner], TaskFigure]
    """Compares a net with the one in single precision, on what neither was calibrated with."""
    module: nn.Module | None = None
    """The net itself, or None where only a graph is known."""
    graph: Path | onnx.ModelProto | None = None
    """An ONNX or TensorFlow Lite file, or what such a file would hold, where there is no torch
    net."""
    quantized: tuple[str, ...] = ("Conv", "MatMul", "Gemm")
    """Operators that become INT8."""
    kept: tuple[str, ...] = ()
    """Beginnings of names of nodes that never do, nor take weights in half precision, with a reason
    in the recipe."""
    backends: tuple[BackendName, ...] = ("onnxruntime", "openvino")
    """Those that may run it: of inputs whose shape varies from call to call, onnxruntime alone."""
    bounded: bool = True
    """Whether single values of the outputs are held to bounds. Not those of a wave: where a phase
    moves by little, it is another wave with the same sound."""
    rank: Callable[[Runner, Runner], float] | None = None
    """How far a net is from the one in single precision, for the sensitivity of layers; None is the
    root mean square error over the root mean square, on inputs that calibrate."""
    threads: int | None = None
    """As the runtime opens it; None is all processors."""

    def reference(self) -> Runner:
        """Give the net in single precision: torch where there is torch, else the graph as it is."""
        if self.module is not None:
            return torch_runner(self.module, self.outputs)
        if self.through_onnx:
            return onnx_runner(self.onnx())
        assert isinstance(self.graph, Path)  # else it would go through ONNX
        return open_session(self.graph, backend="openvino", threads=1, input_shapes=self.shapes).run

    @property
    def through_onnx(self) -> bool:
        """Whether there are ONNX files of it; OpenVINO reads others by itself."""
        return not isinstance(self.graph, Path) or self.graph.suffix == ".onnx"

    def onnx(self) -> onnx.ModelProto:
        """Give the graph of a net that is known as a graph of ONNX only."""
        assert self.graph is not None  # it would be a net of torch
        return onnx.load(str(self.graph)) if isinstance(self.graph, Path) else self.graph

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shapes of the examples."""
        return {name: tuple(array.shape) for name, array in self.inputs.items()}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What ``build NAME`` makes."""

    name: str
    title: str
    weights: str
    """What ``--checkpoint`` is to hold, and what is taken without it."""
    nets: Callable[[Path | None], list[Net]]
    """Makes the nets from a checkpoint, or from what is installed."""


def torch_runner(module: nn.Module, outputs: Sequence[str]) -> Runner:
    """Run a net of torch."""
    import torch

    module = module.eval().cpu()

    def run(feeds: Feeds) -> dict[str, Array]:
        with torch.no_grad():
            made = module(*(torch.from_numpy(np.array(a)) for a in feeds.values()))
        parts = (made,) if isinstance(made, torch.Tensor) else made
        return {name: part.numpy() for name, part in zip(outputs, parts, strict=True)}

    return run


def onnx_runner(model: onnx.ModelProto, threads: int = 1) -> Runner:
    """Run a graph as it is, without optimisations that depend on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [port.name for port in session.get_outputs()]

    def run(feeds: Feeds) -> dict[str, Array]:
        return dict(zip(names, session.run(None, dict(feeds)), strict=True))

    return run


def wants_no_checkpoint(name: str, checkpoint: Path | None) -> None:
    """Refuse a checkpoint where weights come from the model store."""
    if checkpoint is not None:
        raise UsageError(
            f"{name}: expected no --checkpoint, found {checkpoint.name}; its weights come from "
            "`edgeavatar models install`"
        )
