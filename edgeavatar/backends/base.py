"""What every backend gives: named tensors in, named tensors out."""

from __future__ import annotations

import hashlib
import os
import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from edgeavatar.errors import BackendError

BackendName: TypeAlias = Literal["onnxruntime", "openvino"]
BackendChoice: TypeAlias = Literal["auto", "onnxruntime", "openvino"]
DeviceName: TypeAlias = Literal["cpu", "gpu", "npu", "cuda", "tensorrt"]
DeviceChoice: TypeAlias = Literal["auto", "cpu", "gpu", "npu", "cuda", "tensorrt"]
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """How a model is opened because it was measured to run best so on this machine."""

    path: Path
    """The file, which may be a variant of the one that is asked for."""
    backend: BackendName
    threads: int
    reason: str
    """What was measured, in one line."""


TunedModels: TypeAlias = Mapping[Path, Setting]
"""Setting of each model that was measured, by the path of the file that is asked for."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a model says of one input or output."""

    name: str
    shape: tuple[int | None, ...] | None
    """``None`` for a dimension that varies, ``None`` altogether where even their count varies."""
    dtype: np.dtype[Any]

    @property
    def is_static(self) -> bool:
        """Whether every dimension is known."""
        return self.shape is not None and None not in self.shape

    def admits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape fits."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            expected in (None, found) for expected, found in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        """Give name, type and shape as messages show them."""
        dims = (
            "?"
            if self.shape is None
            else ", ".join("?" if dim is None else str(dim) for dim in self.shape)
        )
        return f"{self.name} {self.dtype} [{dims}]"


class Session(ABC):
    """A model that is open on one backend and one device.

    A session holds one set of working buffers: it is called from one thread at a time.

    Parameters
    ----------
    path
        The model's file, for messages.
    inputs, outputs
        Declared tensors.
    backend, device
        What is really used, as the backend reports it after opening.
    reason
        Why these were chosen, in one sentence.
    """

    def __init__(
        self,
        path: Path,
        *,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        backend: BackendName,
        device: DeviceName,
        reason: str,
    ) -> None:
        self.path = path
        self.inputs = inputs
        self.outputs = outputs
        self.backend: BackendName = backend
        self.device: DeviceName = device
        self.reason = reason
        self._closed = False

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once.

        Parameters
        ----------
        feeds
            One array for each of :attr:`inputs`, of its dtype and shape; any memory layout.

        Returns
        -------
        dict[str, numpy.ndarray]
            One array for each of :attr:`outputs`. The arrays belong to the caller: the next call
            does not change them.

        Raises
        ------
        BackendError
            A feed is missing, unknown, or of another dtype or shape; the session is closed; or the
            backend failed.
        """
        if self._closed:
            msg = f"{self.path.name}: expected an open session, found a closed one; open it again"
            raise BackendError(msg)
        arrays = {spec.name: self._checked(spec, feeds) for spec in self.inputs}
        if len(feeds) != len(arrays):
            unknown = ", ".join(sorted(set(feeds) - set(arrays)))
            expected = ", ".join(arrays)
            msg = f"{self.path.name}: expected the inputs {expected}, found also {unknown}"
            raise BackendError(msg)
        return self._run(arrays)

    def close(self) -> None:
        """Free the model; calling it again does nothing."""
        if not self._closed:
            self._closed = True
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Give file, backend and device."""
        return f"<{type(self).__name__} {self.path.name} on {self.backend}/{self.device}>"

    def _checked(self, spec: TensorSpec, feeds: Mapping[str, Array]) -> Array:
        try:
            array = feeds[spec.name]
        except KeyError:
            given = ", ".join(feeds) or "nothing"
            msg = f"{self.path.name}: expected the input {spec.name}, found {given}"
            raise BackendError(msg) from None
        if array.dtype != spec.dtype or not spec.admits(array.shape):
            found = TensorSpec(spec.name, array.shape, array.dtype)
            msg = f"{self.path.name}: expected the input {spec}, found {found}"
            raise BackendError(msg)
        return np.ascontiguousarray(array).reshape(array.shape)

    @abstractmethod
    def _run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Run on checked, contiguous arrays."""

    @abstractmethod
    def _release(self) -> None:
        """Drop what the backend holds."""


def usable_cores() -> int:
    """Count the processors that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@cache
def processor() -> str:
    """Name the processor with its instruction sets, for keys of compiled code."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    telling = ("model name", "flags", "Features", "CPU part")
    found = sorted({line for line in lines if line.startswith(telling)})
    digest = hashlib.sha256("\n".join(found).encode()).hexdigest()
    return f"{platform.machine()} {digest[:16]}"


def processor_name() -> str:
    """Name the processor as people do; the architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def one_line(error: BaseException) -> str:
    """Give the part of a backend's message that a person can use, as one line."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [
        line
        for line in lines
        if line and not line.startswith(("Exception from", "Check '", "Exception: "))
    ]
    text = " ".join(telling or lines) or type(error).__name__
    text = text.removeprefix("FrontEnd API failed with GeneralFailure:").strip()
    return text if len(text) <= 300 else text[:297] + "..."
