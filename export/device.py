"""What machine a figure was measured on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgeavatar.backends.base import usable_cores

_SETS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm")
"""Instruction sets that decide how fast small nets run; of x86-64 and of aarch64."""
_PACKAGES = ("torch", "onnx", "onnxruntime", "openvino", "nncf", "numpy")


@dataclass(frozen=True, slots=True)
class Device:
    """A machine, without anything that names its owner."""

    processor: str
    architecture: str
    cores: int
    """That this process may use."""
    instruction_sets: tuple[str, ...]
    system: str
    versions: dict[str, str]


def describe_device() -> Device:
    """Look at the machine that this runs on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    said: dict[str, str] = {}
    for line in reversed(lines):
        key, _, value = line.partition(":")
        said[key.strip()] = value.strip()
    flags = (said.get("flags") or said.get("Features") or "").split()
    return Device(
        processor=said.get("model name") or platform.processor() or "unknown",
        architecture=platform.machine(),
        cores=usable_cores(),
        instruction_sets=tuple(name for name in _SETS if name in flags),
        system=platform.system(),
        versions={name: found for name in _PACKAGES if (found := _version(name))},
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
