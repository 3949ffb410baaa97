"""Sessions on OpenVINO: ``.tflite``, ``.xml`` and ``.onnx`` files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino as ov

from edgeavatar.backends.base import Array, DeviceName, Session, TensorSpec, one_line
from edgeavatar.backends.cache import cache_key, discard_entry, read_entry, write_entry
from edgeavatar.backends.onnx_graph import (
    add_graph_outputs,
    check_onnx,
    graph_output_names,
    operators,
)
from edgeavatar.errors import BackendError, IntegrityError

SUFFIXES: Final = (".tflite", ".xml", ".onnx")
_DEVICES: Final[Mapping[DeviceName, str]] = {"cpu": "CPU", "gpu": "GPU", "npu": "NPU"}
_log = logging.getLogger(__name__)


def version() -> str:
    """Version of the installed OpenVINO, without the number of its build."""
    return str(ov.get_version()).partition("-")[0]


def devices() -> dict[DeviceName, str]:
    """Devices that this build can use here, with their full names."""
    core = ov.Core()
    found = {name.split(".")[0]: name for name in reversed(core.available_devices)}
    return {
        name: str(core.get_property(found[target], "FULL_DEVICE_NAME"))
        for name, target in _DEVICES.items()
        if target in found
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
    """Open a model with OpenVINO; see :func:`edgeavatar.backends.open_session`."""
    core = ov.Core()
    target = _DEVICES.get(device)
    available = {name.split(".")[0] for name in core.available_devices}
    if target is None or target not in available:
        here = ", ".join(sorted(name.lower() for name in available))
        msg = f"expected the device {device} in OpenVINO {version()}, found {here}"
        raise BackendError(msg)
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if target == "CPU":
        # The default is bfloat16 where the processor has it: 8 bits of mantissa move landmarks by
        # pixels and make results differ between machines.
        settings["INFERENCE_PRECISION_HINT"] = "f32"
        settings["INFERENCE_NUM_THREADS"] = threads
        # By default each model holds its thread to a processor, and models that work at the same
        # time hold theirs to the same one, while others are idle.
        settings["ENABLE_CPU_PINNING"] = False
    content = _content(path, outputs)
    if content is not None and "DynamicQuantizeLinear" in operators(content, what=path.name):
        # OpenVINO 2026.4 compiles such graphs to wrong numbers in about one process of ten, unless
        # it leaves out this optimisation.
        settings["SNIPPETS_MODE"] = "DISABLE"
    shapes = {name: tuple(shape) for name, shape in input_shapes.items()}
    key = cache_key(
        path,
        "openvino",
        ov.get_version(),
        str(core.get_property(target, "FULL_DEVICE_NAME")),
        sorted(settings.items()),
        sorted(shapes.items()),
        tuple(outputs),
        _weights_beside(path),
    )
    compiled = _from_cache(core, key, target, settings)
    if compiled is None:
        model = _read(core, path, content)
        _reshape(model, path, shapes)
        try:
            compiled = core.compile_model(model, target, settings)
        except RuntimeError as error:
            msg = f"{path.name}: OpenVINO cannot compile it for {device}: {one_line(error)}"
            raise BackendError(msg) from error
        _to_cache(compiled, key)
    used = sorted({str(name).split(".")[0] for name in compiled.get_property("EXECUTION_DEVICES")})
    if used != [target]:
        msg = (
            f"{path.name}: expected OpenVINO to use {target}, found {', '.join(used)};"
            " name the device that is there or give none"
        )
        raise BackendError(msg)
    # A tensor may go by several names here; the one of the ONNX graph is the one callers know.
    names = (
        [None] * len(compiled.outputs)
        if content is None
        else graph_output_names(content, what=path.name)
    )
    return OpenVinoSession(path, compiled, output_names=names, device=device, reason=reason)


class OpenVinoSession(Session):
    """A compiled OpenVINO model with one inference request."""

    def __init__(
        self,
        path: Path,
        compiled: Any,
        *,
        output_names: Sequence[str | None],
        device: DeviceName,
        reason: str,
    ) -> None:
        super().__init__(
            path,
            inputs=tuple(_spec(port) for port in compiled.inputs),
            outputs=tuple(
                _spec(port, name) for port, name in zip(compiled.outputs, output_names, strict=True)
            ),
            backend="openvino",
            device=device,
            reason=reason,
        )
        self._request = compiled.create_infer_request()

    def _run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        # What nobody may write to cannot be shared. They are held until they were read.
        arrays = [feeds[spec.name] for spec in self.inputs]
        arrays = [array if array.flags.writeable else array.copy() for array in arrays]
        try:
            for index, array in enumerate(arrays):
                self._request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
            # Were they given here, it would look at all of them twice more.
            self._request.infer(share_outputs=True)
        except RuntimeError as error:
            msg = f"{self.path.name}: OpenVINO failed: {one_line(error)}"
            raise BackendError(msg) from error
        return {
            spec.name: np.array(self._request.get_output_tensor(index).data)
            for index, spec in enumerate(self.outputs)
        }

    def _release(self) -> None:
        del self._request


def _weights_beside(path: Path) -> tuple[int, int] | None:
    try:
        status = path.with_suffix(".bin").stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _content(path: Path, outputs: Sequence[str]) -> bytes | None:
    if path.suffix != ".onnx":
        if outputs:
            msg = f"{path.name}: outputs can be added to .onnx files only, found {path.suffix}"
            raise BackendError(msg)
        return None
    content = path.read_bytes()
    check_onnx(content, what=path.name)
    return add_graph_outputs(content, outputs, what=path.name)


def _read(core: Any, path: Path, content: bytes | None) -> Any:
    if path.suffix == ".tflite":
        _check_tflite(path)
    try:
        if content is not None:
            return core.read_model(content, ov.Tensor(ov.Type.u8, ov.Shape([0])))
        return core.read_model(path)
    except (RuntimeError, UnicodeDecodeError) as error:
        reason = one_line(error)
        if "OpConversionFailure" in str(error):
            msg = f"{path.name}: OpenVINO {version()} lacks an operation of this model: {reason}"
            raise BackendError(msg) from error
        if isinstance(error, UnicodeDecodeError):
            reason = "names that are no text"
        msg = f"{path.name}: expected a model that OpenVINO reads, found: {reason}; install again"
        raise IntegrityError(msg) from error


def _check_tflite(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:] != b"TFL3":
        msg = f"{path.name}: expected a TensorFlow Lite model (mark TFL3), found {head[4:]!r};"
        raise IntegrityError(f"{msg} install the model again")


def _reshape(model: Any, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if not shapes:
        return
    names = {name for port in model.inputs for name in port.get_names()}
    unknown = sorted(set(shapes) - names)
    if unknown:
        msg = f"{path.name}: expected input names among {sorted(names)}, found {unknown}"
        raise BackendError(msg)
    try:
        model.reshape({name: list(shape) for name, shape in shapes.items()})
    except RuntimeError as error:
        msg = f"{path.name}: the model does not take the shapes {dict(shapes)}: {one_line(error)}"
        raise BackendError(msg) from error


def _from_cache(core: Any, key: str, target: str, settings: Mapping[str, Any]) -> Any:
    blob = read_entry(key)
    if blob is None:
        return None
    try:
        return core.import_model(blob, target, dict(settings))
    except RuntimeError as error:
        _log.info("dropping the cache entry %s: %s", key, one_line(error))
        discard_entry(key)
        return None


def _to_cache(compiled: Any, key: str) -> None:
    try:
        blob = compiled.export_model().getvalue()
    except RuntimeError as error:
        _log.info("this device keeps no compiled models: %s", one_line(error))
        return
    write_entry(key, blob)


def _spec(port: Any, name: str | None = None) -> TensorSpec:
    if name is None:
        names = sorted(port.get_names())
        name = names[0] if names else str(port.get_node().get_friendly_name())
    partial = port.get_partial_shape()
    shape = (
        None
        if partial.rank.is_dynamic
        else tuple(dim.get_length() if dim.is_static else None for dim in partial)
    )
    return TensorSpec(name, shape, np.dtype(port.get_element_type().to_dtype()))
