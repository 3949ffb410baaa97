"""What models exist, which are installed, and where their files are. Never touches the network.

The manifest (``models/manifest.toml``) says what is wanted; the store says what is there. The store
is a folder, ``$EDGEAVATAR_MODELS`` or the user's data folder, laid out as::

    STORE/
      face/float16-1-0c1d2e3f/      one folder per model, version and content
        installed.json              the stamp: size, modification time and SHA-256 of every file
        face_detector.tflite ...
      downloads/                    unfinished archives (written by edgeavatar.installing alone)
      locks/, staging/              likewise

A model is installed when its folder has a stamp: the folder is filled elsewhere and renamed into
place. :func:`resolve` compares sizes and times with the stamp, which is fast; a file that was
touched is hashed again before it is believed. :func:`verify` hashes everything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from edgeavatar.errors import IntegrityError, ModelNotFound
from edgeavatar.manifest import (
    PROFILES,
    STAMP_NAME,
    Archive,
    Container,
    Manifest,
    Model,
    ModelFile,
    Part,
    TensorDeclaration,
    read_manifest,
)

__all__ = [
    "PROFILES",
    "STAMP_NAME",
    "Archive",
    "Container",
    "Manifest",
    "Model",
    "ModelFile",
    "Part",
    "TensorDeclaration",
    "check_installed",
    "check_manifest",
    "file_of",
    "file_sha256",
    "is_installed",
    "is_sound",
    "load_manifest",
    "model_dir",
    "models_dir",
    "own_file",
    "resolve",
    "store_root",
    "verify",
    "write_stamp",
]

_WEIGHT_SUFFIXES = frozenset({".npz", ".npy", ".onnx", ".ort", ".xml", ".bin", ".tflite"})


def models_dir() -> Path:
    """Return the folder of the manifest and of the weights that this project trained.

    An installed package carries it inside (``edgeavatar/_models``); in a checkout it is ``models/``
    beside the package.
    """
    package = Path(__file__).resolve().parent
    packaged = package / "_models"
    return packaged if packaged.is_dir() else package.parent / "models"


def load_manifest(path: Path | None = None) -> Manifest:
    """Read and check the manifest, once per path and process.

    Parameters
    ----------
    path
        Another manifest than the one of this package.

    Raises
    ------
    IntegrityError
        If it cannot be read or an entry is wrong; one line per fault, each naming entry and field.
    """
    return _load_manifest(models_dir() / "manifest.toml" if path is None else path)


@cache
def _load_manifest(path: Path) -> Manifest:
    faults: list[str] = []
    manifest = read_manifest(path, faults)
    if faults:
        raise IntegrityError("\n".join(faults))
    return manifest


def check_manifest(path: Path | None = None) -> list[str]:
    """Return what is wrong with a manifest and the local files beside it, one line per fault.

    Beyond what :func:`load_manifest` demands, local files must exist with the declared size and
    SHA-256, and every weight file beside the manifest must be declared.
    """
    path = models_dir() / "manifest.toml" if path is None else path
    faults: list[str] = []
    manifest = read_manifest(path, faults)
    declared: set[str] = set()
    for model in manifest.models.values():
        for file in model.files.values():
            if file.is_local:
                declared.add(file.path)
                fault = _file_fault(path.parent / file.path, file)
                if fault:
                    faults.append(f"{path.name}: models.{model.name}.files.{file.key}: {fault}")
    for weights in sorted(path.parent.glob("*")):
        if weights.suffix in _WEIGHT_SUFFIXES and weights.name not in declared:
            faults.append(f"{path.name}: {weights.name} lies beside it and no model declares it")
    return faults


def store_root() -> Path:
    """Return the folder of the installed models; it need not exist.

    ``$EDGEAVATAR_MODELS`` if it is set, else ``models`` in the user's data folder of edgeavatar.
    """
    chosen = os.environ.get("EDGEAVATAR_MODELS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_data_path("edgeavatar", appauthor=False) / "models"


def model_dir(model: Model, root: Path | None = None) -> Path:
    """Return the folder in which the files of ``model`` are or would be."""
    if model.is_local:
        return model.origin
    return (store_root() if root is None else root) / model.folder


def is_installed(model: Model, root: Path | None = None) -> bool:
    """Return whether ``model`` is there, in exactly this version; its files are not looked at."""
    return model.is_local or (model_dir(model, root) / STAMP_NAME).is_file()


def resolve(name: str, *, root: Path | None = None) -> Mapping[str, Path]:
    """Return the files of an installed model by key.

    Sizes and modification times are compared with the stamp that the installation wrote; a file
    that differs is hashed again and, if its SHA-256 is still the declared one, accepted.

    Parameters
    ----------
    name
        A model of the manifest.
    root
        Another store than :func:`store_root`.

    Raises
    ------
    ModelNotFound
        If there is no such model or it is not installed; the message says which command does it.
    IntegrityError
        If a file is missing or is not the declared one.
    """
    return check_installed(load_manifest().model(name), root)


def check_installed(model: Model, root: Path | None = None) -> Mapping[str, Path]:
    """Do as :func:`resolve` for an entry of any manifest.

    Raises
    ------
    ModelNotFound
        If it is not installed; the message says which command does it.
    IntegrityError
        If a file is missing or is not the declared one.
    """
    folder = model_dir(model, root)
    stamp = {} if model.is_local else _read_stamp(model, folder, root)
    touched = False
    for file in model.files.values():
        path = folder / file.path
        if model.is_local or not _matches_stamp(path, file, stamp.get(file.path)):
            fault = _file_fault(path, file)
            if fault:
                raise IntegrityError(f"{path}: {fault}; {_remedy(model)}")
            touched = True
    if touched and not model.is_local:
        # Copying a store changes times; a new stamp makes the next start fast again. On a read-only
        # store the hashes are computed each time.
        with contextlib.suppress(OSError):
            write_stamp(model, folder)
    return {file.key: folder / file.path for file in model.files.values()}


def file_of(name: str, key: str, *, root: Path | None = None) -> Path:
    """Return one file of an installed model.

    Of a model that comes with the project, no more is hashed than this file and its weights.

    Parameters
    ----------
    name, key
        A model of the manifest and one of its files.
    root
        Another store than :func:`store_root`.

    Raises
    ------
    ModelNotFound
        If there is no such model or file, or it is not installed.
    IntegrityError
        If the file is missing or is not the declared one.
    """
    model = load_manifest().model(name)
    if key not in model.files:
        known = ", ".join(model.files)
        raise ModelNotFound(f"model {name} has no file {key!r}; its files are {known}")
    if not model.is_local:
        return check_installed(model, root)[key]
    for part in (key, model.files[key].weights):
        if part is None:
            continue
        file = model.files[part]
        fault = _file_fault(model.origin / file.path, file)
        if fault:
            raise IntegrityError(f"{model.origin / file.path}: {fault}; {_remedy(model)}")
    return model.origin / model.files[key].path


def is_sound(model: Model, root: Path | None = None) -> bool:
    """Return whether ``model`` is installed and passes :func:`check_installed`."""
    try:
        check_installed(model, root)
    except (ModelNotFound, IntegrityError):
        return False
    return True


def verify(name: str, *, root: Path | None = None) -> list[str]:
    """Hash every file of an installed model and return what is wrong, one line per bad file.

    Raises
    ------
    ModelNotFound
        If there is no such model or it is not installed.
    """
    model = load_manifest().model(name)
    folder = model_dir(model, root)
    if not is_installed(model, root):
        raise _not_installed(model, root)
    faults = []
    for file in model.files.values():
        fault = _file_fault(folder / file.path, file)
        if fault:
            faults.append(f"{folder / file.path}: {fault}; {_remedy(model)}")
    return faults


def own_file(name: str) -> Path:
    """Return a file that comes with the project, trained or derived by it.

    Parameters
    ----------
    name
        File name inside :func:`models_dir`, for example ``"face_basis.npz"``.

    Raises
    ------
    ModelNotFound
        If there is no such file.
    IntegrityError
        If the manifest declares the file and its size or SHA-256 differs.
    """
    path = models_dir() / name
    if not path.is_file():
        raise ModelNotFound(f"{path} comes with edgeavatar and is missing; reinstall edgeavatar")
    for model in load_manifest().models.values():
        for file in model.files.values():
            if file.is_local and file.path == name:
                fault = _file_fault(path, file)
                if fault:
                    raise IntegrityError(f"{path}: {fault}; {_remedy(model)}")
    return path


def write_stamp(model: Model, folder: Path) -> None:
    """Write the stamp of ``model`` into ``folder``, whose files must have been verified just now.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    files = {}
    for file in model.files.values():
        status = (folder / file.path).stat()
        files[file.path] = {
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": file.sha256,
        }
    stamp = {
        "name": model.name,
        "version": model.version,
        "fingerprint": model.fingerprint,
        "files": files,
    }
    temporary = folder / f".{STAMP_NAME}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
        temporary.replace(folder / STAMP_NAME)
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hex.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_stamp(model: Model, folder: Path, root: Path | None) -> dict[str, Any]:
    try:
        stamp = json.loads((folder / STAMP_NAME).read_text(encoding="utf-8"))
        files = stamp["files"] if stamp["fingerprint"] == model.fingerprint else {}
    except (FileNotFoundError, NotADirectoryError):
        raise _not_installed(model, root) from None
    except OSError as error:
        raise IntegrityError(
            f"{folder / STAMP_NAME} cannot be read ({error.strerror}); {_remedy(model)}"
        ) from None
    except (ValueError, KeyError, TypeError):
        return {}
    return files if isinstance(files, dict) else {}


def _matches_stamp(path: Path, file: ModelFile, entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    return (
        entry.get("sha256") == file.sha256
        and status.st_size == file.bytes == entry.get("bytes")
        and status.st_mtime_ns == entry.get("mtime_ns")
    )


def _file_fault(path: Path, file: ModelFile) -> str | None:
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"expected {file.bytes} bytes, found {size}"
        found = file_sha256(path)
    except FileNotFoundError:
        return "expected a file, found none"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if found == file.sha256 else f"expected SHA-256 {file.sha256}, found {found}"


def _remedy(model: Model) -> str:
    if model.is_local:
        return "reinstall edgeavatar"
    return f"repair it with: edgeavatar models install {model.name} --force"


def _not_installed(model: Model, root: Path | None) -> ModelNotFound:
    where = store_root() if root is None else root
    older = ""
    try:
        if any((folder / STAMP_NAME).is_file() for folder in (where / model.name).iterdir()):
            older = f" in version {model.version} (another version is there)"
    except OSError:
        pass
    return ModelNotFound(
        f"model {model.name} is not installed{older} in {where}; "
        f"install it with: edgeavatar models install {model.name}"
    )
