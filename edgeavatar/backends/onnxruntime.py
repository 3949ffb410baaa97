"""Sessions on onnxruntime: ``.onnx`` and ``.ort`` files."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from edgeavatar.backends.base import Array, DeviceName, Session, TensorSpec, one_line, processor
from edgeavatar.backends.cache import cache_key, discard_entry, read_entry, write_entry
from edgeavatar.backends.onnx_graph import add_graph_outputs, check_onnx
from edgeavatar.errors import BackendError, IntegrityError

SUFFIXES: Final = (".onnx", ".ort")
_SILENT: Final = 4
_CACHE_BYTES: Final = 32 * 1024**2
"""Larger models would start 0.3 s faster from an optimised copy, which is not worth its space."""
_log = logging.getLogger(__name__)
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


def open_model(
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
    content = path.read_bytes()
    if path.suffix == ".onnx":
        check_onnx(content, what=path.name)
        content = add_graph_outputs(content, outputs, what=path.name)
    elif outputs:
        msg = f"{path.name}: outputs can be added to .onnx files only, found {path.suffix}"
        raise BackendError(msg)
    try:
        inner = _open(path, content, provider, threads, outputs)
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


def _open(path: Path, content: bytes, provider: str, threads: int, outputs: Sequence[str]) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _SILENT
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads
    # Threads that wait for the next frame by turning in circles take the processor from the
    # encoder: five times the work for a painter that runs every 20 ms on two cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    gains = path.suffix == ".onnx" and provider == "CPUExecutionProvider"
    if not gains or len(content) > _CACHE_BYTES:
        return ort.InferenceSession(content, options, providers=[provider])
    key = cache_key(path, "onnxruntime", version(), processor(), tuple(outputs))
    optimised = read_entry(key)
    if optimised is not None:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            return ort.InferenceSession(optimised, options, providers=[provider])
        except Exception as error:
            _log.info("dropping the cache entry %s: %s", key, one_line(error))
            discard_entry(key)
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    try:
        folder = tempfile.TemporaryDirectory(prefix="edgeavatar-")
    except OSError:
        return ort.InferenceSession(content, options, providers=[provider])
    with folder as name:
        written = Path(name) / "optimised.onnx"
        options.optimized_model_filepath = str(written)
        try:
            inner = ort.InferenceSession(content, options, providers=[provider])
            write_entry(key, written.read_bytes())
        except (OSError, RuntimeError) as error:
            _log.info("no optimised copy of %s: %s", path.name, one_line(error))
            options.optimized_model_filepath = ""
            inner = ort.InferenceSession(content, options, providers=[provider])
    return inner


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
