"""Checkpoints, which nobody has to trust: tensors are read, and no code that came with them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from edgeavatar.errors import IntegrityError, ModelNotFound

LARGEST_BYTES = 2 * 1024**3
"""No net that this project exports has a fourth of it."""
_WRAPPERS = ("state_dict", "model", "generator")
"""Keys under which training scripts keep the weights beside optimisers and counters."""
_PARALLEL = "module."
"""What torch's DataParallel puts before each name."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint; names of nested mappings are joined by dots.

    Parameters
    ----------
    path : pathlib.Path
        Written by ``torch.save``: tensors by name, perhaps under ``state_dict``, ``model`` or
        ``generator`` and perhaps with ``module.`` before each name.

    Raises
    ------
    ModelNotFound
        There is no such file.
    IntegrityError
        The file is too large, is no checkpoint, needs code of its own to be read, or holds no
        tensors.
    """
    if not path.is_file():
        raise ModelNotFound(f"expected a checkpoint at {path}, found no file")
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise IntegrityError(
            f"{path.name}: expected at most {LARGEST_BYTES // 1024**2} MiB, found"
            f" {size // 1024**2} MiB; save the weights without the optimiser"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _wants_code(error):
            raise IntegrityError(
                f"{path.name}: expected a checkpoint of torch.save, found another kind of file"
            ) from error
        raise IntegrityError(
            f"{path.name}: expected tensors only, found objects that need code of their own;"
            " save the net's state_dict() and nothing else"
        ) from error
    except (RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise IntegrityError(
            f"{path.name}: expected a checkpoint of torch.save, found: {reason}"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    tensors = dict(_flat(content))
    if not tensors:
        raise IntegrityError(f"{path.name}: expected tensors by name, found none")
    if all(name.startswith(_PARALLEL) for name in tensors):
        tensors = {name.removeprefix(_PARALLEL): tensor for name, tensor in tensors.items()}
    return tensors


def _wants_code(error: pickle.UnpicklingError) -> bool:
    return "GLOBAL" in str(error) or "Unsupported class" in str(error)


def _flat(content: object, prefix: str = "") -> list[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        return [(prefix, content)]
    if not isinstance(content, Mapping):
        return []
    return [
        entry
        for name, value in content.items()
        for entry in _flat(value, f"{prefix}.{name}" if prefix else str(name))
    ]


def load_into(net: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Give a net its weights, all of them and no others.

    Parameters
    ----------
    net : torch.nn.Module
        Changed in place, and only if everything fits.
    tensors
        By the names of the net's own state.
    what
        The checkpoint, for messages.

    Raises
    ------
    IntegrityError
        A tensor is missing, has another shape or type, holds values that are not finite, or is not
        one of the net's; the message names the first.
    """
    own = net.state_dict()
    for name, wanted in own.items():
        found = tensors.get(name)
        if found is None:
            raise IntegrityError(
                f"{what}: expected the tensor {name} {_shape(wanted)}, found none of that name"
                f" among {len(tensors)}; is it a checkpoint of {type(net).__name__}?"
            )
        if found.shape != wanted.shape:
            raise IntegrityError(f"{what}: expected {name} {_shape(wanted)}, found {_shape(found)}")
        if found.is_floating_point() != wanted.is_floating_point():
            raise IntegrityError(f"{what}: expected {name} as {wanted.dtype}, found {found.dtype}")
        if found.is_floating_point() and not bool(torch.isfinite(found).all()):
            raise IntegrityError(f"{what}: expected finite numbers in {name}, found others")
    for name in tensors:
        if name not in own:
            raise IntegrityError(
                f"{what}: expected no tensor {name}, found {_shape(tensors[name])};"
                f" it is not of {type(net).__name__}"
            )
    net.load_state_dict(dict(tensors))


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
