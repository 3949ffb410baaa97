"""What a measurement holds for: one processor, its usable cores, the versions of the backends."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import get_args

from edgeavatar.backends import BackendName, available_backends
from edgeavatar.backends.base import processor, processor_name, usable_cores


@dataclass(frozen=True, slots=True)
class Machine:
    """All that a time depends on and that does not change from minute to minute."""

    processor: str
    """Its name, for people."""
    processor_id: str
    """Architecture and a digest of name and instruction sets."""
    usable_cores: int
    """Processors that the process may run on."""
    backends: dict[str, str]
    """Name -> version."""


def this_machine() -> Machine:
    """Describe the machine that this process runs on."""
    return Machine(
        processor=processor_name(),
        processor_id=processor(),
        usable_cores=usable_cores(),
        backends=_versions(),
    )


def _versions() -> dict[str, str]:
    # Asking a backend itself loads it, which takes a start longer than a voice needs.
    try:
        return {name: metadata.version(name) for name in sorted(get_args(BackendName))}
    except metadata.PackageNotFoundError:
        # One is missing, or is there under the name of a build for other devices.
        return {str(name): version for name, version in sorted(available_backends().items())}


def what_changed(measured: Machine, here: Machine) -> str | None:
    """Say in a few words why times of one machine do not hold for another; None if they do."""
    if measured.processor_id != here.processor_id:
        if measured.processor != here.processor:
            return f"it was measured on {measured.processor}, this is {here.processor}"
        return "the instruction sets of the processor have changed"
    if measured.usable_cores != here.usable_cores:
        return (
            f"it was measured with {_cores(measured.usable_cores)}, this process may use "
            f"{here.usable_cores}"
        )
    for name in sorted(measured.backends | here.backends):
        before, now = measured.backends.get(name), here.backends.get(name)
        if before != now:
            found = f"this is {now}" if now else "it is not here"
            return f"it was measured with {name} {before or 'missing'}, {found}"
    return None


def _cores(count: int) -> str:
    return f"{count} core{'s' if count != 1 else ''}"
