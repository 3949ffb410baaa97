"""Tiny nets and manifests of them."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

MODEL = """
[models.tiny]
title = "tiny"
task = "test"
version = "1"
licence_package = "MIT"
licence_weights = "MIT"
commercial_use = "yes"
attribution = "nobody"
preprocessing = "none"
"""


def _builder() -> ModuleType:
    """Load what the tests of the backends build nets with."""
    path = Path(__file__).parents[1] / "backends" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tiny_nets", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


nets = _builder()


def write_manifest(folder: Path, files: dict[str, tuple[str, dict[str, Any]]]) -> Path:
    """Declare files that lie in a folder: key -> name, further fields."""
    lines = ["schema = 1", "[archives]", MODEL]
    for key, (name, fields) in files.items():
        content = (folder / name).read_bytes()
        lines += [
            f"[models.tiny.files.{key}]",
            f'local = "{name}"',
            f"bytes = {len(content)}",
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
            *(f"{field} = {value!r}" for field, value in fields.items()),
        ]
    path = folder / "manifest.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def x_of(rows: int = 1) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((rows, 8)).astype(np.float32)
