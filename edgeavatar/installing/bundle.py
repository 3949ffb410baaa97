"""Models carried on a stick: one tar file, written here and installed there.

A bundle is a plain tar. Its first member, ``bundle.json``, lists the models; the others are
``NAME/PATH``. Nothing in a bundle is believed: which files there may be, their sizes and their
SHA-256 come from the manifest of the machine that installs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from edgeavatar import zoo
from edgeavatar.errors import InstallError, IntegrityError, OutputError
from edgeavatar.installing.archives import Consumer, read_first_member, read_members
from edgeavatar.installing.progress import Reporter, Silent
from edgeavatar.installing.staging import (
    Installed,
    commit,
    copy_verified,
    locked,
    require_space,
    staged,
    writing_to,
)

_INDEX = "bundle.json"
_FORMAT = 1
_INDEX_LIMIT_BYTES = 4 << 20


def write_bundle(
    output: Path,
    names: Sequence[str] | None = None,
    *,
    root: Path | None = None,
    manifest: zoo.Manifest | None = None,
    report: Reporter | None = None,
) -> list[zoo.Model]:
    """Write installed models into one tar file.

    Every file is hashed while it is written. The tar gets its name when it is complete. The same
    models give the same bytes.

    Parameters
    ----------
    output
        The tar to write; replaced if it exists.
    names
        Installed models; all that are installed if None.
    root, manifest, report
        As for :func:`edgeavatar.installing.install`.

    Raises
    ------
    ModelNotFound
        If a named model is not installed.
    InstallError
        If there is nothing to bundle.
    IntegrityError
        If an installed file is not the declared one.
    OutputError
        If the tar cannot be written.
    """
    manifest = zoo.load_manifest() if manifest is None else manifest
    root = zoo.store_root() if root is None else root
    report = Silent() if report is None else report
    if names is None:
        models = [model for model in manifest.models.values() if zoo.is_installed(model, root)]
    else:
        models = [manifest.model(name) for name in dict.fromkeys(names)]
    # What comes with edgeavatar itself is there on the other machine too.
    models = [model for model in models if not model.is_local]
    for model in models:
        zoo.check_installed(model, root)
    if not models:
        raise InstallError(
            f"there is nothing to bundle: no such model is installed in {root}; "
            "install some with: edgeavatar models install"
        )
    try:
        with (
            _atomic(output) as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            index = (json.dumps(_index(models), indent=1) + "\n").encode()
            tar.addfile(_header(_INDEX, len(index)), io.BytesIO(index))
            report.begin(f"writing {output.name}", sum(model.bytes for model in models))
            try:
                _add_files(tar, models, root, report)
            finally:
                report.end()
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{output} cannot be written: {reason}; nothing is left there") from None
    return models


def _index(models: Sequence[zoo.Model]) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "models": {
            model.name: {
                "title": model.title,
                "version": model.version,
                "fingerprint": model.fingerprint,
                "licence_package": model.licence_package,
                "licence_weights": model.licence_weights,
                "commercial_use": model.commercial_use,
                "attribution": model.attribution,
                "files": {
                    file.path: {"bytes": file.bytes, "sha256": file.sha256}
                    for file in model.files.values()
                },
            }
            for model in models
        },
    }


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info


class _HashingReader(io.RawIOBase):
    """Reads another stream and digests what it gave."""

    def __init__(self, stream: IO[bytes], advance: Callable[[int], None]) -> None:
        super().__init__()
        self._stream = stream
        self._advance = advance
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        self._advance(len(block))
        return block


def _add_files(
    tar: tarfile.TarFile, models: Sequence[zoo.Model], root: Path, report: Reporter
) -> None:
    advance = _counter(report)
    for model in models:
        folder = zoo.model_dir(model, root)
        for file in model.files.values():
            with (folder / file.path).open("rb") as source:
                reader = _HashingReader(source, advance)
                tar.addfile(_header(_member(model, file), file.bytes), reader)
            if reader.digest.hexdigest() != file.sha256:
                raise IntegrityError(
                    f"{folder / file.path}: expected SHA-256 {file.sha256}, "
                    f"found {reader.digest.hexdigest()}; repair it with: "
                    f"edgeavatar models install {model.name} --force"
                )


def _member(model: zoo.Model, file: zoo.ModelFile) -> str:
    return f"{model.name}/{file.path}"


def _counter(report: Reporter) -> Callable[[int], None]:
    done = 0

    def advance(more_bytes: int) -> None:
        nonlocal done
        done += more_bytes
        report.advance(done)

    return advance


@contextlib.contextmanager
def _atomic(output: Path) -> Iterator[IO[bytes]]:
    """Write a temporary file beside ``output`` and rename it when nothing went wrong."""
    descriptor, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        temporary.chmod(0o644)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)


def install_bundle(
    bundle: Path,
    names: Sequence[str] | None = None,
    *,
    force: bool = False,
    root: Path | None = None,
    manifest: zoo.Manifest | None = None,
    report: Reporter | None = None,
) -> list[Installed]:
    """Install models from a bundle that :func:`write_bundle` wrote, here or elsewhere.

    Parameters
    ----------
    bundle
        The tar file.
    names
        Which of its models; all of them if None.
    force, root, manifest, report
        As for :func:`edgeavatar.installing.install`.

    Returns
    -------
    list of Installed
        One for each model, in the order of the names or of the bundle.

    Raises
    ------
    ModelNotFound
        If a name is not in the manifest.
    InstallError
        If the bundle cannot be read, is no bundle, or does not hold what was asked for.
    IntegrityError
        If a file in it is not the one that the manifest declares; that model is not installed.
    """
    manifest = zoo.load_manifest() if manifest is None else manifest
    root = zoo.store_root() if root is None else root
    report = Silent() if report is None else report
    try:
        offered = _read_index(bundle)
        if names is None:
            for name in offered.keys() - manifest.models.keys():
                report.say(f"{bundle.name}: {name} is no model of this edgeavatar; passed over")
            names = [name for name in offered if name in manifest.models]
        models = [manifest.model(name) for name in dict.fromkeys(names)]
        _check_offer(bundle, models, offered)
        return [_unpack(model, bundle, root, report, force=force) for model in models]
    except OSError as error:
        raise InstallError(f"{bundle} cannot be read: {error.strerror or error}") from None


def _read_index(bundle: Path) -> dict[str, str]:
    """Return the fingerprint of each model that a bundle claims to hold."""
    wrong = f"{bundle} is not a bundle of edgeavatar (edgeavatar models bundle writes one)"
    try:
        index = json.loads(read_first_member(bundle, _INDEX, _INDEX_LIMIT_BYTES))
        if index["format"] != _FORMAT:
            raise InstallError(
                f"{bundle} is a bundle of format {index['format']!r}, this edgeavatar reads "
                f"{_FORMAT}; write it with the same version of edgeavatar"
            )
        return {str(name): str(entry["fingerprint"]) for name, entry in index["models"].items()}
    except (IntegrityError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InstallError(wrong) from None


def _check_offer(bundle: Path, models: Sequence[zoo.Model], offered: Mapping[str, str]) -> None:
    missing = [model.name for model in models if model.name not in offered]
    if missing or not models:
        raise InstallError(
            f"{bundle} holds {', '.join(sorted(offered)) or 'no models'}; "
            f"expected {', '.join(missing) or 'a model of this edgeavatar'} too"
        )
    for model in models:
        if offered[model.name] != model.fingerprint:
            raise InstallError(
                f"{bundle} holds another {model.name} than version {model.version} of this "
                "edgeavatar; write the bundle with the same version of edgeavatar"
            )


def _unpack(
    model: zoo.Model, bundle: Path, root: Path, report: Reporter, *, force: bool
) -> Installed:
    target = zoo.model_dir(model, root)

    def waiting() -> None:
        report.say(f"{model.name}: another installation of it is running; waiting for it")

    if not force and zoo.is_sound(model, root):
        return Installed(model, target, already=True)
    with locked(root, model.name, waiting):
        if not force and zoo.is_sound(model, root):
            return Installed(model, target, already=True)
        with staged(model, root) as folder:
            require_space(root, model.bytes, f"model {model.name}")
            report.begin(f"unpacking {model.name}", model.bytes)
            advance = _counter(report)
            wanted = {
                _member(model, file): (file.bytes, _taker(file, folder, bundle.name, root, advance))
                for file in model.files.values()
            }
            try:
                read_members(bundle, bundle.name, wanted, kind="tar")
            finally:
                report.end()
            with writing_to(root):
                commit(model, folder, root)
    return Installed(model, target, already=False)


def _taker(
    file: zoo.ModelFile, folder: Path, label: str, root: Path, advance: Callable[[int], None]
) -> Consumer:
    def take(stream: IO[bytes]) -> None:
        target = folder / file.path
        with writing_to(root):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as output:
                copy_verified(stream, output, label=f"{label}: {file.path}", sha256=file.sha256)
        advance(file.bytes)

    return take
