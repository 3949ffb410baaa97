"""Sessions on onnxruntime: ``.onnx`` and ``.ort`` files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from edgeavatar.backends.base import Array, DeviceName, Session, TensorSpec, one_line
from edgeavatar.backends.onnx_graph import add_graph_outputs, check_onnx
from edgeavatar.errors import BackendError, IntegrityError

SUFFIXES: Final = (".onnx", ".ort")
_SILENT: Final = 4
_PROVIDERS: Final[Mapping[DeviceName, tuple[str, ...]]] = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider",),
    "gpu": (
        "CUDAExecutionProvider",
        "MIGraphXExecutionProvider",
        "DmlExecutionProvider",
        "CoreMLExecutionProvider",
        "WebGpuExecutionProvider",
    ),
    "npu": ("QNNExecutionProvider", "VitisAIExecutionProvider"),
}
_DTYPES: Final[Mapping[str, str]] = {
    "float": "float32",
    "double": "float64",
    "float16": "float16",
    "bool": "bool",
    "int8": "int8",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "uint8": "uint8",
    "uint16": "uint16",
    "uint32": "uint32",
    "uint64": "uint64",
}


def version() -> str:
    """Version of the installed onnxruntime."""
    return str(ort.__version__)


def devices() -> dict[DeviceName, str]:
    """Devices that this build offers, with the name of the execution provider behind each."""
    built = ort.get_available_providers()
    return {
        device: next(name for name in names if name in built)
        for device, names in _PROVIDERS.items()
        if any(name in built for name in names)
    }


def open_onnxruntime(
    path: Path,
    *,
    device: DeviceName,
    threads: int,
    input_shapes: Mapping[str, Sequence[int]],
    outputs: Sequence[str],
    reason: str,
) -> Session:
    """Open a model with onnxruntime; see :func:`edgeavatar.backends.open_session`."""
    offered = devices()
    if device not in offered:
        here = ", ".join(offered)
        msg = f"expected the device {device} in onnxruntime {version()}, found {here}"
        raise BackendError(msg)
    provider = offered[device]
    options = ort.SessionOptions()
    options.log_severity_level = _SILENT
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads
    content = path.read_bytes()
    if path.suffix == ".onnx":
        check_onnx(content, what=path.name)
    if outputs:
        if path.suffix != ".onnx":
            msg = f"{path.name}: outputs can be added to .onnx files only, found {path.suffix}"
            raise BackendError(msg)
        content = add_graph_outputs(content, outputs)
    try:
        inner = ort.InferenceSession(
            content if outputs else str(path), sess_options=options, providers=[provider]
        )
    except Exception as error:
        text = one_line(error)
        if any(mark in type(error).__name__ for mark in ("InvalidProtobuf", "InvalidGraph")):
            msg = f"{path.name}: expected a sound model, found: {text}; install it again"
            raise IntegrityError(msg) from error
        msg = f"{path.name}: onnxruntime cannot open it on {device}: {text}"
        raise BackendError(msg) from error
    used = inner.get_providers()
    if not used or used[0] != provider:
        msg = (
            f"{path.name}: expected onnxruntime to use {provider}, found {', '.join(used)};"
            " name the device that is there or give none"
        )
        raise BackendError(msg)
    return OnnxRuntimeSession(path, inner, device=device, input_shapes=input_shapes, reason=reason)


class OnnxRuntimeSession(Session):
    """An ``onnxruntime.InferenceSession`` behind the narrow interface."""

    def __init__(
        self,
        path: Path,
        inner: Any,
        *,
        device: DeviceName,
        input_shapes: Mapping[str, Sequence[int]],
        reason: str,
    ) -> None:
        inputs = tuple(
            _with_shape(_spec(port, path), input_shapes, path) for port in inner.get_inputs()
        )
        unknown = sorted(set(input_shapes) - {spec.name for spec in inputs})
        if unknown:
            names = [spec.name for spec in inputs]
            msg = f"{path.name}: expected input names among {names}, found {unknown}"
            raise BackendError(msg)
        super().__init__(
            path,
            inputs=inputs,
            outputs=tuple(_spec(port, path) for port in inner.get_outputs()),
            backend="onnxruntime",
            device=device,
            reason=reason,
        )
        self._inner = inner

    def _run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        try:
            results = self._inner.run(None, feeds)
        except Exception as error:
            msg = f"{self.path.name}: onnxruntime failed: {one_line(error)}"
            raise BackendError(msg) from error
        return {
            spec.name: np.asarray(result)
            for spec, result in zip(self.outputs, results, strict=True)
        }

    def _release(self) -> None:
        del self._inner


def _with_shape(
    spec: TensorSpec, input_shapes: Mapping[str, Sequence[int]], path: Path
) -> TensorSpec:
    shape = input_shapes.get(spec.name)
    if shape is None:
        return spec
    if not spec.admits(tuple(shape)):
        msg = f"{path.name}: the input {spec} does not take the shape {list(shape)}"
        raise BackendError(msg)
    return TensorSpec(spec.name, tuple(shape), spec.dtype)


def _spec(port: Any, path: Path) -> TensorSpec:
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    if kind not in _DTYPES:
        msg = (
            f"{path.name}: the tensor {port.name} has the type {port.type}, which is not supported"
        )
        raise BackendError(msg)
    shape = tuple(dim if isinstance(dim, int) else None for dim in port.shape)
    return TensorSpec(port.name, shape, np.dtype(_DTYPES[kind]))
