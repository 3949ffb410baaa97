"""The manifest: what models there are, where their files come from, under which licence.

A fault of a manifest is a line that names entry and field; all faults of a file are told at once.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from edgeavatar.errors import ModelNotFound, UsageError

CommercialUse = Literal["yes", "no", "unclear"]
Precision = Literal["fp32", "fp16", "int8", "mixed"]

STAMP_NAME = "installed.json"
"""Name of the stamp in the folder of an installed model; no file of a model may have it."""

COMMERCIAL_USES = ("yes", "no", "unclear")
PRECISIONS = ("fp32", "fp16", "int8", "mixed")
"""What the weights of a file are kept in; mixed is int8 with some layers in float."""
NET_SUFFIXES = (".onnx", ".ort", ".xml", ".tflite")
"""Files that a backend opens."""
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


@dataclass(frozen=True, slots=True)
class TensorDeclaration:
    """An input or output that a model file must have."""

    name: str
    dtype: str
    """A numpy name, as ``"float32"``."""
    shape: tuple[int | None, ...]
    """None stands for a dimension that is free (-1 in the manifest)."""


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
    precision: Precision = "fp32"
    variant_of: str | None = None
    """Key of the file of the same model that computes the same and is used where nothing else was
    measured to be better here; None for a file that stands for itself."""
    weights: str | None = None
    """Key of the ``.bin`` file that an ``.xml`` file reads, beside it under the same name."""
    tolerance: float | None = None
    """How far the outputs of a variant may be from those of its base: the root of the mean square
    of their difference over that of the base's output, of the output where it is largest."""

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

    def variants(self, key: str) -> tuple[ModelFile, ...]:
        """Return the files that may be opened in place of the file ``key``, in their order."""
        return tuple(file for file in self.files.values() if file.variant_of == key)

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

    def share(self, field: str) -> float | None:
        if field not in self.table:
            return None
        value = self.table.pop(field)
        if type(value) not in (int, float) or not 0.0 < value < 1.0:
            self.fault(field, f"must be a number above 0 and below 1, found {value!r}")
            return None
        return float(value)

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


def read_manifest(path: Path, faults: list[str]) -> Manifest:
    """Read a manifest as far as it can be read.

    Parameters
    ----------
    path
        The TOML file.
    faults
        One line for each fault is added here; the manifest is good only if there is none.
    """
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
    for key, file in files.items():
        for field, text in _pairing_faults(file, files):
            entry.fault(f"files.{key}.{field}", text)
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
    variant_of = entry.text("variant_of", required=False) or None
    # What a variant is good for, its precision says; only a base may leave it out.
    precision = entry.text("precision", choices=PRECISIONS, required=variant_of is not None)
    file = ModelFile(
        key=key,
        path=path,
        bytes=size,
        sha256=sha256,
        parts=parts,
        inputs=_read_tensors(entry, "inputs"),
        outputs=_read_tensors(entry, "outputs"),
        precision=cast(Precision, precision or "fp32"),
        variant_of=variant_of,
        weights=entry.text("weights", required=False) or None,
        tolerance=entry.share("tolerance"),
    )
    entry.done()
    return file


def _pairing_faults(file: ModelFile, files: Mapping[str, ModelFile]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a file that do not fit the other files of its model, and why."""
    suffix = PurePosixPath(file.path).suffix
    if file.weights is not None:
        weights = files.get(file.weights)
        beside = PurePosixPath(file.path).with_suffix(".bin")
        if suffix != ".xml":
            yield "weights", f"is for .xml files, found {file.path}"
        elif weights is None:
            yield "weights", f"there is no file {file.weights!r} in this model"
        elif PurePosixPath(weights.path) != beside:
            yield "weights", f"must lie at {beside}, found {weights.path}"
    if file.variant_of is None:
        if file.tolerance is not None:
            yield "tolerance", "is for variants, and this file has no variant_of"
        return
    base = files.get(file.variant_of)
    if base is None:
        yield "variant_of", f"there is no file {file.variant_of!r} in this model"
        return
    if base.variant_of is not None:
        yield "variant_of", f"{base.key} is a variant itself; name the base, {base.variant_of}"
    if suffix not in NET_SUFFIXES:
        yield "variant_of", f"must be a file {', '.join(NET_SUFFIXES)}, found {file.path}"
    if suffix == ".xml" and file.weights is None:
        yield "weights", "is missing, must be the key of the .bin file"
    for field in ("inputs", "outputs"):
        own, wanted = getattr(file, field), getattr(base, field)
        if own and wanted and own != wanted:
            yield field, f"must be those of {base.key}"


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
        sizes = tuple(None if size == -1 else size for size in shape)
        tensors.append(TensorDeclaration(name, dtype, sizes))
    return tuple(tensors)
