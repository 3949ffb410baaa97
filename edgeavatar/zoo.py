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
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from edgeavatar.errors import IntegrityError, ModelNotFound, UsageError

CommercialUse = Literal["yes", "no", "unclear"]

STAMP_NAME = "installed.json"
"""Name of the stamp in the folder of an installed model."""

COMMERCIAL_USES = ("yes", "no", "unclear")
PROFILES = ("default", "small", "best", "test")
CLEAR_PROFILES = ("default", "small", "best")
"""Profiles whose models must all be free for commercial use."""

_SCHEMA = 1
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_KEY = re.compile(r"[A-Za-z0-9_]+(?::[A-Za-z0-9_]+)?\Z")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_ARCHIVE_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.(?:whl|zip|tar\.gz|tgz|tar)\Z")
_PATH_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_DTYPES = frozenset(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)) | {
    "float16",
    "float32",
    "float64",
    "bool",
    "string",
}


# ---------------------------------------------------------------------------------------- manifest


@dataclass(frozen=True, slots=True)
class TensorDeclaration:
    """An input or output that a model file must have."""

    name: str
    dtype: str
    """A numpy name, as ``"float32"``."""
    shape: tuple[int, ...]
    """-1 stands for a dimension that is free."""


@dataclass(frozen=True, slots=True)
class Container:
    """A member of an archive that is an archive itself."""

    member: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of a Python package registry, pinned."""

    key: str
    package: str
    version: str
    file: str
    """Name of the file on the registry."""
    bytes: int
    sha256: str
    containers: Mapping[str, Container]
    """By member name."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where a stretch of a model file comes from."""

    archive: str
    """Key of an :class:`Archive`."""
    member: str
    inner: str | None
    """Member of the container ``member``, or None when ``member`` itself is meant."""
    bytes: int
    sha256: str

    @property
    def label(self) -> str:
        """The member as messages write it."""
        return self.member if self.inner is None else f"{self.member} > {self.inner}"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model."""

    key: str
    path: str
    """Relative to the installed model, with ``/``; for a local file relative to the manifest."""
    bytes: int
    sha256: str
    parts: tuple[Part, ...]
    """Joined in this order; empty for a local file."""
    inputs: tuple[TensorDeclaration, ...]
    """Empty if the file has no tensors or they are not declared."""
    outputs: tuple[TensorDeclaration, ...]

    @property
    def is_local(self) -> bool:
        """Whether the file lies beside the manifest instead of in the store."""
        return not self.parts


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the manifest."""

    name: str
    title: str
    task: str
    version: str
    licence_package: str
    licence_weights: str
    commercial_use: CommercialUse
    attribution: str
    note: str
    """What a user of this model must know; often empty."""
    preprocessing: str
    profiles: tuple[str, ...]
    origin: Path
    """Folder of the manifest, where local files are."""
    files: Mapping[str, ModelFile]
    """By key."""

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files.values())

    @property
    def is_local(self) -> bool:
        """Whether all files come with the project, so that nothing is to be installed."""
        return all(file.is_local for file in self.files.values())

    @property
    def archives(self) -> tuple[str, ...]:
        """Keys of the archives that the files come from, each once, in order of first use."""
        parts = (part for file in self.files.values() for part in file.parts)
        return tuple(dict.fromkeys(part.archive for part in parts))

    @property
    def fingerprint(self) -> str:
        """Hex digest of the names and contents of all files: equal only if the models are equal."""
        digest = hashlib.sha256()
        for file in sorted(self.files.values(), key=lambda file: file.path):
            digest.update(f"{file.key}\0{file.path}\0{file.bytes}\0{file.sha256}\n".encode())
        return digest.hexdigest()

    @property
    def folder(self) -> PurePosixPath:
        """Where the model lies in a store, relative to the store."""
        return PurePosixPath(self.name) / f"{self.version}-{self.fingerprint[:8]}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """All models that can be used."""

    path: Path
    archives: Mapping[str, Archive]
    models: Mapping[str, Model]

    def model(self, name: str) -> Model:
        """Return the entry called ``name``.

        Raises
        ------
        ModelNotFound
            If there is none; the message lists the names that exist.
        """
        try:
            return self.models[name]
        except KeyError:
            known = ", ".join(sorted(self.models))
            raise ModelNotFound(f"there is no model {name!r}; the models are {known}") from None

    def in_profile(self, profile: str) -> tuple[Model, ...]:
        """Return the models of a profile in the order of the manifest.

        Raises
        ------
        UsageError
            If there is no such profile.
        """
        if profile not in PROFILES:
            raise UsageError(f"there is no profile {profile!r}; it is one of {', '.join(PROFILES)}")
        return tuple(model for model in self.models.values() if profile in model.profiles)


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
    manifest = _read_manifest(path, faults)
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
    manifest = _read_manifest(path, faults)
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


_WEIGHT_SUFFIXES = frozenset({".npz", ".npy", ".onnx", ".ort", ".xml", ".bin", ".tflite"})


class _Entry:
    """A table of the manifest while it is read: typed access, faults collected with their place."""

    def __init__(self, where: str, table: object, faults: list[str]) -> None:
        self.where = where
        self.faults = faults
        self.table: dict[str, Any] = {}
        if isinstance(table, dict):
            self.table = dict(table)
        else:
            self.fault("", f"must be a table, found {_kind(table)}")

    def fault(self, field: str, text: str) -> None:
        place = f"{self.where}.{field}" if field else self.where
        self.faults.append(f"{place}: {text}")

    def _take(self, field: str, kind: type, default: Any, required: bool) -> Any:
        if field not in self.table:
            if required:
                self.fault(field, f"is missing, must be {_kind(default)}")
            return default
        value = self.table.pop(field)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fault(field, f"must be {_kind(default)}, found {_kind(value)}")
            return default
        return value

    def text(
        self,
        field: str,
        *,
        pattern: re.Pattern[str] | None = None,
        form: str = "",
        choices: Iterable[str] = (),
        required: bool = True,
    ) -> str:
        sound = isinstance(self.table.get(field), str)
        value = cast(str, self._take(field, str, "", required))
        if not sound:
            return value
        allowed = tuple(choices)
        if allowed and value not in allowed:
            self.fault(field, f"must be one of {', '.join(allowed)}, found {value!r}")
        elif pattern is not None and not pattern.match(value):
            self.fault(field, f"must be {form}, found {value!r}")
        elif required and not value.strip():
            self.fault(field, "must not be empty")
        return value

    def sha256(self, field: str = "sha256") -> str:
        return self.text(field, pattern=_SHA256, form="64 lower-case hex digits")

    def size(self, field: str = "bytes") -> int:
        sound = type(self.table.get(field)) is int
        value = cast(int, self._take(field, int, 0, True))
        if sound and value <= 0:
            self.fault(field, f"must be above 0, found {value}")
        return value

    def items(self, field: str) -> list[Any]:
        return cast(list[Any], self._take(field, list, [], False))

    def tables(self, field: str, pattern: re.Pattern[str], form: str) -> Iterator[tuple[str, Any]]:
        for key, value in cast(dict[str, Any], self._take(field, dict, {}, True)).items():
            if not pattern.match(key):
                self.fault(field, f"name must be {form}, found {key!r}")
            yield key, value

    def relative_path(self, field: str, *, required: bool = True) -> str:
        value = self.text(field, required=required)
        if value and not all(_PATH_PART.match(part) for part in value.split("/")):
            self.fault(field, f"must be a plain relative path, found {value!r}")
        return value

    def done(self) -> None:
        """Report every field that nothing has read."""
        for field in self.table:
            self.fault(field, "is not a known field")


def _kind(value: object) -> str:
    names = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}
    return names.get(type(value), type(value).__name__)


def _read_manifest(path: Path, faults: list[str]) -> Manifest:
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except FileNotFoundError:
        faults.append(f"{path} is missing; reinstall edgeavatar")
        return Manifest(path, {}, {})
    except OSError as error:
        faults.append(f"{path} cannot be read: {error.strerror}")
        return Manifest(path, {}, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{path.name}: is not TOML: {error}")
        return Manifest(path, {}, {})
    root = _Entry(path.name, table, faults)
    root.where = f"{path.name}: "
    schema = root.table.pop("schema", None)
    if schema != _SCHEMA:
        faults.append(f"{path.name}: schema: must be {_SCHEMA}, found {schema!r}")
        return Manifest(path, {}, {})
    where = f"{path.name}: "
    archives = {
        key: _read_archive(key, _Entry(f"{where}archives.{key}", value, faults))
        for key, value in root.tables("archives", _NAME, "lower case with dashes")
    }
    models = {
        name: _read_model(
            name, _Entry(f"{where}models.{name}", value, faults), archives, path.parent
        )
        for name, value in root.tables("models", _NAME, "lower case with dashes")
    }
    root.where = path.name
    for field in root.table:
        faults.append(f"{path.name}: {field}: is not a known field")
    used = {archive for model in models.values() for archive in model.archives}
    for key in archives:
        if key not in used:
            faults.append(f"{where}archives.{key}: no model uses it")
    return Manifest(path, archives, models)


def _read_archive(key: str, entry: _Entry) -> Archive:
    containers: dict[str, Container] = {}
    for index, value in enumerate(entry.items("containers")):
        item = _Entry(f"{entry.where}.containers[{index}]", value, entry.faults)
        container = Container(item.text("member"), item.size(), item.sha256())
        item.done()
        containers[container.member] = container
    archive = Archive(
        key=key,
        package=entry.text("package"),
        version=entry.text("version", pattern=_VERSION, form="a version"),
        file=entry.text("file", pattern=_ARCHIVE_FILE, form="the name of a wheel, zip or tar"),
        bytes=entry.size(),
        sha256=entry.sha256(),
        containers=containers,
    )
    entry.done()
    return archive


def _read_model(name: str, entry: _Entry, archives: Mapping[str, Archive], origin: Path) -> Model:
    use = entry.text("commercial_use", choices=COMMERCIAL_USES)
    profiles = []
    for profile in entry.items("profiles"):
        if profile not in PROFILES:
            entry.fault("profiles", f"must be among {', '.join(PROFILES)}, found {profile!r}")
            continue
        if profile in CLEAR_PROFILES and use != "yes":
            entry.fault("profiles", f"{profile} takes only commercial_use = yes, found {use!r}")
        profiles.append(profile)
    files: dict[str, ModelFile] = {}
    for key, value in entry.tables("files", _KEY, "letters and digits, with at most one colon"):
        item = _Entry(f"{entry.where}.files.{key}", value, entry.faults)
        files[key] = _read_file(key, item, archives)
    if not files:
        entry.fault("files", "must have at least one file")
    paths = [file.path for file in files.values()]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        entry.fault("files", f"two files have the path {path!r}")
    sources = [
        (part.archive, part.member, part.inner) for file in files.values() for part in file.parts
    ]
    for source in sorted({str(source) for source in sources if sources.count(source) > 1}):
        entry.fault("files", f"two files have the source {source}")
    if len({file.is_local for file in files.values()}) > 1:
        entry.fault("files", "must be all local or all from archives")
    model = Model(
        name=name,
        title=entry.text("title"),
        task=entry.text("task"),
        version=entry.text("version", pattern=_VERSION, form="a version"),
        licence_package=entry.text("licence_package"),
        licence_weights=entry.text("licence_weights"),
        commercial_use=cast(CommercialUse, use),
        attribution=entry.text("attribution"),
        note=entry.text("note", required=False),
        preprocessing=entry.text("preprocessing"),
        profiles=tuple(profiles),
        origin=origin,
        files=files,
    )
    entry.done()
    return model


def _read_file(key: str, entry: _Entry, archives: Mapping[str, Archive]) -> ModelFile:
    size = entry.size()
    sha256 = entry.sha256()
    local = entry.relative_path("local", required=False)
    sources = entry.items("source")
    if bool(local) == bool(sources):
        entry.fault("source", "either source or local is needed, and not both")
    parts = tuple(
        _read_part(
            _Entry(f"{entry.where}.source[{index}]", value, entry.faults),
            archives,
            whole=(size, sha256) if len(sources) == 1 else None,
        )
        for index, value in enumerate(sources)
    )
    if len(parts) > 1 and sum(part.bytes for part in parts) != size:
        total = sum(part.bytes for part in parts)
        entry.fault("bytes", f"must be the sum of its parts, {total}, found {size}")
    path = local or entry.relative_path("path")
    if path == STAMP_NAME:
        entry.fault("path", f"{STAMP_NAME} is the name of the stamp")
    file = ModelFile(
        key=key,
        path=path,
        bytes=size,
        sha256=sha256,
        parts=parts,
        inputs=_read_tensors(entry, "inputs"),
        outputs=_read_tensors(entry, "outputs"),
    )
    entry.done()
    return file


def _read_part(
    entry: _Entry, archives: Mapping[str, Archive], *, whole: tuple[int, str] | None
) -> Part:
    archive = entry.text("archive")
    member = entry.text("member")
    inner = entry.text("inner", required=False) or None
    if archive and archive not in archives:
        entry.fault("archive", f"there is no archives.{archive}")
    elif archive and inner is not None and member not in archives[archive].containers:
        entry.fault("inner", f"{member} is not among the containers of archives.{archive}")
    size, sha256 = (entry.size(), entry.sha256()) if whole is None else whole
    entry.done()
    return Part(archive=archive, member=member, inner=inner, bytes=size, sha256=sha256)


def _read_tensors(entry: _Entry, field: str) -> tuple[TensorDeclaration, ...]:
    tensors = []
    for index, value in enumerate(entry.items(field)):
        item = _Entry(f"{entry.where}.{field}[{index}]", value, entry.faults)
        name = item.text("name")
        dtype = item.text("dtype", choices=sorted(_DTYPES))
        shape = item.items("shape")
        if not all(type(size) is int and size >= -1 and size != 0 for size in shape):
            item.fault("shape", f"must be sizes above 0, or -1 for a free one, found {shape}")
            shape = []
        item.done()
        tensors.append(TensorDeclaration(name, dtype, tuple(shape)))
    return tuple(tensors)


# ------------------------------------------------------------------------------------------- store


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
