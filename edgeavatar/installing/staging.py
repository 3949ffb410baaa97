"""Puts verified files into the store: locks, a place to fill, and one rename at the end."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgeavatar import zoo
from edgeavatar.errors import InstallError, IntegrityError

_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Installed:
    """What became of a model that was to be installed."""

    model: zoo.Model
    path: Path
    already: bool
    """It was there before and was left alone."""


@contextlib.contextmanager
def locked(root: Path, name: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the store's lock called ``name``; the system frees it if the process dies.

    Parameters
    ----------
    waiting
        Called once if another process holds the lock.

    Raises
    ------
    InstallError
        If the store cannot be written.
    """
    with _lock_file(root, name) as descriptor:
        if not _try_lock(root, descriptor):
            if waiting is not None:
                waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def try_locked(root: Path, name: str) -> Iterator[bool]:
    """Hold the lock called ``name`` if it is free; yields whether it is held.

    Raises
    ------
    InstallError
        If the store cannot be written.
    """
    with _lock_file(root, name) as descriptor:
        yield _try_lock(root, descriptor)


@contextlib.contextmanager
def _lock_file(root: Path, name: str) -> Iterator[int]:
    with writing_to(root):
        (root / "locks").mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root / "locks" / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(root: Path, descriptor: int) -> bool:
    with writing_to(root):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextlib.contextmanager
def writing_to(root: Path) -> Iterator[None]:
    """Turn an OSError of the store into an InstallError that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InstallError(
            f"the model store {root} cannot be written: {reason}; "
            "free space or rights there, or choose another folder with EDGEAVATAR_MODELS"
        ) from None


def require_space(root: Path, needed_bytes: int, what: str) -> None:
    """Fail before a long download rather than after it.

    Raises
    ------
    InstallError
        If the store's disk has less free space than ``what`` needs.
    """
    free = shutil.disk_usage(root).free
    if free < needed_bytes:
        raise InstallError(
            f"{what} needs {needed_bytes} bytes in the store {root}, {free} are free; "
            "free some space, or choose another folder with EDGEAVATAR_MODELS"
        )


@contextlib.contextmanager
def staged(model: zoo.Model, root: Path) -> Iterator[Path]:
    """Yield an empty folder for the files of ``model``; it is gone afterwards, come what may.

    The caller holds the model's lock, so leftovers of a killed installation are removed as well.
    """
    staging = root / "staging"
    with writing_to(root):
        staging.mkdir(parents=True, exist_ok=True)
        for leftover in staging.glob(f"{model.name}.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{model.name}.", dir=staging))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_verified(source: IO[bytes], target: IO[bytes], *, label: str, sha256: str) -> None:
    """Append ``source`` to ``target``.

    Raises
    ------
    IntegrityError
        If the SHA-256 of what was copied is another one.
    """
    digest = hashlib.sha256()
    while block := source.read(_BLOCK_BYTES):
        target.write(block)
        digest.update(block)
    if digest.hexdigest() != sha256:
        raise IntegrityError(
            f"{label}: expected SHA-256 {sha256}, found {digest.hexdigest()}; nothing was used. "
            "The source gives another file than the pinned one: try another index or bundle"
        )


def commit(model: zoo.Model, folder: Path, root: Path) -> Path:
    """Move a filled folder into the store and return where it is.

    Everything is on the disk before the rename, so that a power cut leaves the old state or the new
    one. Other versions of the model are removed afterwards.

    Raises
    ------
    OSError
        If the store cannot be written.
    """
    zoo.write_stamp(model, folder)
    folder.chmod(0o755)
    for path in (*folder.rglob("*"), folder):
        _sync(path)
    target = zoo.model_dir(model, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    replaced = folder.parent / f"{folder.name}.replaced"
    if target.exists():
        target.rename(replaced)
    try:
        folder.rename(target)
    except BaseException:
        if replaced.exists():
            replaced.rename(target)
        raise
    _sync(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)
    for other in target.parent.iterdir():
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    return target


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
