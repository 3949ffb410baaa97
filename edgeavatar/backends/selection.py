"""Which backend opens which file, and why."""

from __future__ import annotations

import importlib
import importlib.util
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, cast, get_args

import numpy as np

from edgeavatar.backends.base import (
    Array,
    BackendChoice,
    BackendName,
    DeviceChoice,
    DeviceName,
    Session,
    TunedModels,
    usable_cores,
)
from edgeavatar.backends.cache import cache_key, read_entry, write_entry
from edgeavatar.errors import BackendError, ModelNotFound, UsageError

READERS: Final[Mapping[str, tuple[BackendName, ...]]] = {
    ".tflite": ("openvino",),
    ".xml": ("openvino",),
    ".ort": ("onnxruntime",),
    ".onnx": ("onnxruntime", "openvino"),
}
"""Which backends read which files; the first one needs no reason to be taken."""

_MEASURE_S: Final = 0.25
_CLEARLY_FASTER: Final = 0.9
_AGREE: Final = 0.01
"""Difference over the largest value up to which the backends compute the same."""


def open_session(
    path: Path,
    *,
    backend: BackendChoice = "auto",
    device: DeviceChoice = "auto",
    threads: int | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | None = None,
    tuned: TunedModels | None = None,
) -> Session:
    """Open a model and check that it runs where it was asked to run.

    A second opening with the same settings is served from the cache of compiled models where the
    backend gains from one.

    Parameters
    ----------
    path
        ``.tflite`` and ``.xml`` (OpenVINO), ``.ort`` (onnxruntime) or ``.onnx`` (both).
    backend
        ``"auto"`` takes the only backend that reads the file. For ``.onnx`` files it takes
        onnxruntime where an input's shape varies (OpenVINO compiles anew for each new shape) and
        otherwise the one that is measured to be faster here, once for each machine and version, if
        both compute the same.
    device
        ``"auto"`` is the CPU: the networks of this project are so small that moving frames to
        another device costs more than it saves. Any other device is used or refused.
    threads
        Threads of one inference; the number of processors this process may use if ``None``.
    input_shapes
        Shapes to fix, by input name; needed where a model leaves dimensions open that the caller
        knows.
    outputs
        Values inside an ONNX graph that become outputs behind those the graph declares.
    tuned
        What was measured on this machine. Where ``path`` is in it, its file, backend and threads
        are taken, unless a backend or another device than the CPU is asked for; threads that are
        asked for are kept.

    Raises
    ------
    ModelNotFound
        There is no such file.
    IntegrityError
        The file is damaged.
    BackendError
        The backend is missing, cannot read or run the model, lacks the device, or uses another
        one than asked for.
    UsageError
        An unknown backend or device, or ``threads`` below 1.
    """
    _check_options(backend, device, threads)
    setting = None if tuned is None else tuned.get(path)
    why = ""
    if setting is not None and backend == "auto" and _concrete(device) == "cpu":
        path, backend, why = setting.path, setting.backend, setting.reason
        threads = threads or setting.threads
    if not path.is_file():
        msg = f"expected a model file at {path}, found none; run `edgeavatar models install`"
        raise ModelNotFound(msg)
    readers = READERS.get(path.suffix)
    if readers is None:
        msg = f"{path.name}: expected a file {', '.join(READERS)}, found {path.suffix or 'no type'}"
        raise BackendError(msg)
    opener = _Opener(path, threads or usable_cores(), input_shapes or {}, tuple(outputs or ()))
    if backend != "auto":
        if backend not in readers:
            msg = f"{path.name}: {backend} does not read {path.suffix}; use {' or '.join(readers)}"
            raise BackendError(msg)
        return opener.open(backend, _concrete(device), why or f"{backend} was asked for")
    if len(readers) == 1:
        reason = f"{readers[0]} is the only backend that reads {path.suffix}"
        return opener.open(readers[0], _concrete(device), reason)
    return _open_either(opener, _concrete(device))


def available_backends() -> dict[BackendName, str]:
    """Backends that are installed, with their versions."""
    return {name: _module(name).version() for name in get_args(BackendName) if _is_installed(name)}


def available_devices() -> dict[BackendName, dict[DeviceName, str]]:
    """Devices that each installed backend can use here, with the backend's own name for each."""
    return {name: _module(name).devices() for name in get_args(BackendName) if _is_installed(name)}


class _Backend(Protocol):
    """What the module of a backend offers."""

    def version(self) -> str: ...

    def devices(self) -> dict[DeviceName, str]: ...

    def open_model(
        self,
        path: Path,
        *,
        device: DeviceName,
        threads: int,
        input_shapes: Mapping[str, Sequence[int]],
        outputs: Sequence[str],
        reason: str,
    ) -> Session: ...


class _Opener:
    """What the choice of a backend does not change."""

    def __init__(
        self,
        path: Path,
        threads: int,
        input_shapes: Mapping[str, Sequence[int]],
        outputs: tuple[str, ...],
    ) -> None:
        self.path = path
        self.threads = threads
        self.input_shapes = {name: tuple(shape) for name, shape in input_shapes.items()}
        self.outputs = outputs

    def open(self, backend: BackendName, device: DeviceName, reason: str) -> Session:
        if not _is_installed(backend):
            msg = f"expected {backend} for {self.path.name}, found it not installed; install it"
            raise BackendError(msg)
        return _module(backend).open_model(
            self.path,
            device=device,
            threads=self.threads,
            input_shapes=self.input_shapes,
            outputs=self.outputs,
            reason=reason,
        )

    def decision_key(self, device: DeviceName) -> str:
        return cache_key(
            self.path,
            "choice",
            sorted(available_backends().items()),
            sorted(available_devices().items()),
            device,
            self.threads,
            sorted(self.input_shapes.items()),
            self.outputs,
        )


def _open_either(opener: _Opener, device: DeviceName) -> Session:
    if not _has_device("onnxruntime", device):
        if not _has_device("openvino", device):
            names: tuple[BackendName, ...] = ("onnxruntime", "openvino")
            here = "; ".join(f"{name}: {_describe(name)}" for name in names)
            msg = f"{opener.path.name}: expected the device {device}, found {here}"
            raise BackendError(msg)
        return opener.open("openvino", device, f"onnxruntime is not here or lacks {device}")
    first = opener.open("onnxruntime", device, "")
    if not all(spec.is_static for spec in first.inputs):
        first.reason = "onnxruntime takes inputs of varying shape without compiling anew"
        return first
    if not _has_device("openvino", device):
        first.reason = f"openvino is not here or lacks {device}"
        return first
    key = opener.decision_key(device)
    remembered = read_entry(key)
    if remembered is not None:
        decision = json.loads(remembered)
        if decision["backend"] == "onnxruntime":
            first.reason = decision["reason"]
            return first
        first.close()
        return opener.open("openvino", device, decision["reason"])
    try:
        second = opener.open("openvino", device, "")
    except BackendError as error:
        first.reason = f"OpenVINO cannot run this model ({error})"
        chosen = first
    else:
        chosen, other = _compare(first, second)
        other.close()
    write_entry(key, json.dumps({"backend": chosen.backend, "reason": chosen.reason}).encode())
    return chosen


def _compare(first: Session, second: Session) -> tuple[Session, Session]:
    feeds = _probe(first)
    difference = _difference(first.run(feeds), second.run(feeds))
    if difference > _AGREE:
        first.reason = f"openvino differs from onnxruntime by {difference:.1%} on this model"
        return first, second
    first_ms, second_ms = _milliseconds(first, feeds), _milliseconds(second, feeds)
    chosen, other = (second, first) if second_ms < _CLEARLY_FASTER * first_ms else (first, second)
    chosen.reason = f"measured here: openvino {second_ms:.2f} ms, onnxruntime {first_ms:.2f} ms"
    return chosen, other


def _probe(session: Session) -> dict[str, Array]:
    generator = np.random.default_rng(0)
    return {
        spec.name: generator.standard_normal(shape).astype(spec.dtype)
        if spec.dtype.kind == "f"
        else np.ones(shape, spec.dtype)
        for spec in session.inputs
        for shape in [[dim or 1 for dim in spec.shape or ()]]
    }


def _difference(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    """Give the largest difference over the largest value, of the output where it is largest."""
    worst = 0.0
    for name, expected in first.items():
        found = second.get(name)
        if found is None or found.shape != expected.shape:
            return float("inf")
        if expected.size:
            size = float(np.abs(expected).max()) or 1.0
            away = np.abs(expected.astype(np.float64) - found.astype(np.float64)).max()
            worst = max(worst, float(away) / size)
    return worst


def _milliseconds(session: Session, feeds: Mapping[str, Array]) -> float:
    best = float("inf")
    until = time.perf_counter() + _MEASURE_S
    while True:
        start = time.perf_counter()
        session.run(feeds)
        end = time.perf_counter()
        best = min(best, end - start)
        if end > until:
            return best * 1000.0


def _check_options(backend: str, device: str, threads: int | None) -> None:
    if backend not in get_args(BackendChoice):
        msg = f"expected a backend among {', '.join(get_args(BackendChoice))}, found {backend}"
        raise UsageError(msg)
    if device not in get_args(DeviceChoice):
        msg = f"expected a device among {', '.join(get_args(DeviceChoice))}, found {device}"
        raise UsageError(msg)
    if threads is not None and threads < 1:
        msg = f"expected at least 1 thread, found {threads}"
        raise UsageError(msg)


def _concrete(device: DeviceChoice) -> DeviceName:
    return "cpu" if device == "auto" else device


def _has_device(backend: BackendName, device: DeviceName) -> bool:
    return _is_installed(backend) and device in _module(backend).devices()


def _describe(backend: BackendName) -> str:
    return ", ".join(_module(backend).devices()) if _is_installed(backend) else "not installed"


def _is_installed(backend: BackendName) -> bool:
    return importlib.util.find_spec(backend) is not None


def _module(backend: BackendName) -> _Backend:
    try:
        return cast("_Backend", importlib.import_module(f"edgeavatar.backends.{backend}"))
    except ImportError as error:
        msg = f"expected a working {backend}, found: {error}; install it again"
        raise BackendError(msg) from error
