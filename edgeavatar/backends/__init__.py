"""Model files opened on onnxruntime or OpenVINO: named tensors in, named tensors out.

Neither library is imported before a session is opened or the devices are listed.
"""

from __future__ import annotations

from edgeavatar.backends.base import (
    BackendChoice,
    BackendName,
    DeviceChoice,
    DeviceName,
    Session,
    Setting,
    TensorSpec,
    TunedModels,
)
from edgeavatar.backends.selection import available_backends, available_devices, open_session

__all__ = [
    "BackendChoice",
    "BackendName",
    "DeviceChoice",
    "DeviceName",
    "Session",
    "Setting",
    "TensorSpec",
    "TunedModels",
    "available_backends",
    "available_devices",
    "open_session",
]
