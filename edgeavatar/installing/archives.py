"""Reads declared members out of wheels, zips and source archives; runs and unpacks nothing else.

Where a member goes is decided by the caller, never by the archive. A member must be a plain file,
be there once, and have the declared size: reading stops one byte past it.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

from edgeavatar.errors import IntegrityError

_BLOCK_BYTES = 1 << 18
_HEADER_LIMIT_BYTES = 1 << 20
"""Long names and attributes of a tar member are read into memory; none is near this size."""
_EXPANSION = 16
_EXPANSION_FLOOR_BYTES = 64 << 20
"""A compressed tar may expand to 16 times its size or 64 MiB, whichever is more."""

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    gzip.BadGzipFile,
    EOFError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
    OverflowError,
)

Consumer = Callable[[IO[bytes]], None]
"""Reads one member; gets a stream that ends after the declared size."""


def read_members(
    archive: Path,
    label: str,
    wanted: Mapping[str, tuple[int, Consumer]],
    *,
    kind: Literal["zip", "tar", "tar.gz"] | None = None,
) -> None:
    """Hand every wanted member of an archive to its consumer.

    Parameters
    ----------
    archive
        The file.
    label
        How messages call the archive.
    wanted
        Member name to its declared size in bytes and its consumer. Consumers run in the order of
        the archive.
    kind
        Form of the archive; by the ending of ``label`` if None, where anything but a tar is a zip.

    Raises
    ------
    IntegrityError
        If the archive is damaged, has a name that leads outside, or a wanted member is missing, is
        there twice, is not a plain file, or has another size.
    OSError
        If the archive cannot be read, or whatever a consumer raises.
    """
    with _damage_of(label):
        if (kind or _kind(label)) == "zip":
            _read_zip(archive, label, wanted)
        else:
            _read_tar(archive, label, wanted, compressed=(kind or _kind(label)) == "tar.gz")


def read_first_member(archive: Path, name: str, limit_bytes: int) -> bytes:
    """Return the first member of an uncompressed tar.

    Raises
    ------
    IntegrityError
        If the archive is damaged, or the member is not a plain file of that name within the limit.
    OSError
        If the archive cannot be read.
    """
    label = archive.name
    with _damage_of(label), _open_tar(archive, label, compressed=False) as reader:
        info = reader.next()
        stream = reader.extractfile(info) if info and info.isreg() else None
        if info is None or stream is None or info.name != name or info.size > limit_bytes:
            raise IntegrityError(f"{label}: expected {name} as the first member; nothing was used")
        with stream:
            return stream.read()


def _kind(label: str) -> Literal["zip", "tar", "tar.gz"]:
    if label.endswith((".tar.gz", ".tgz")):
        return "tar.gz"
    return "tar" if label.endswith(".tar") else "zip"


@contextlib.contextmanager
def _damage_of(label: str) -> Iterator[None]:
    """Turn what the standard library's readers raise on damaged archives into one error."""
    try:
        yield
    except _DAMAGE as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise IntegrityError(
            f"{label} is a damaged archive: {text}; nothing of it was used"
        ) from None


def check_member_name(name: str, label: str) -> None:
    """Raise IntegrityError if a member's name is absolute or leads outside its archive."""
    parts = name.replace("\\", "/").split("/")
    drive = len(parts[0]) > 1 and parts[0][1] == ":"
    if name.startswith(("/", "\\")) or drive or ".." in parts or "\0" in name:
        raise IntegrityError(
            f"{label} holds a member that leads outside its folder: {name!r}; nothing was used"
        )


class LimitedReader(io.RawIOBase):
    """Reads another stream up to a limit and refuses what is longer.

    Parameters
    ----------
    stream
        Where the bytes come from.
    limit_bytes
        How many there may be.
    message
        The text of the error.

    Raises
    ------
    IntegrityError
        On the first read past the limit.
    """

    def __init__(self, stream: IO[bytes], limit_bytes: int, message: str) -> None:
        super().__init__()
        self._stream = stream
        self._left = limit_bytes
        self._message = message

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most as many bytes as the buffer holds."""
        block = self._stream.read(min(len(buffer), self._left + 1))
        self._left -= len(block)
        if self._left < 0:
            raise IntegrityError(self._message)
        buffer[: len(block)] = block
        return len(block)


def _read_zip(archive: Path, label: str, wanted: Mapping[str, tuple[int, Consumer]]) -> None:
    with zipfile.ZipFile(archive) as reader:
        found: set[str] = set()
        for info in reader.infolist():
            check_member_name(info.filename, label)
            if info.filename not in wanted:
                continue
            _once(info.filename, found, label)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind not in (0, stat.S_IFREG):
                raise _not_a_file(info.filename, label)
            if info.flag_bits & 0x1:
                raise IntegrityError(f"{label}: {info.filename} is encrypted; nothing was used")
            size, consume = wanted[info.filename]
            _same_size(info.filename, size, info.file_size, label)
            with reader.open(info) as stream:
                consume(_limited(stream, size, info.filename, label))
        _all_found(wanted, found, label)


def _read_tar(
    archive: Path,
    label: str,
    wanted: Mapping[str, tuple[int, Consumer]],
    *,
    compressed: bool,
) -> None:
    found: set[str] = set()
    with _open_tar(archive, label, compressed=compressed) as reader:
        while (info := reader.next()) is not None:
            # tarfile keeps every header it has seen; a long archive must not fill the memory.
            reader.members = []  # type: ignore[attr-defined]
            check_member_name(info.name, label)
            if info.name not in wanted:
                continue
            _once(info.name, found, label)
            stream = reader.extractfile(info) if info.isreg() and not info.issparse() else None
            if stream is None:
                raise _not_a_file(info.name, label)
            size, consume = wanted[info.name]
            _same_size(info.name, size, info.size, label)
            with stream:
                consume(_limited(stream, size, info.name, label))
    _all_found(wanted, found, label)


@contextlib.contextmanager
def _open_tar(archive: Path, label: str, *, compressed: bool) -> Iterator[tarfile.TarFile]:
    with contextlib.ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(archive.open("rb"))
        if not compressed:
            # Seeking passes over what is not wanted.
            yield stack.enter_context(
                tarfile.open(fileobj=raw, mode="r:", tarinfo=BoundedTarInfo, errorlevel=2)
            )
            return
        limit = max(_EXPANSION * archive.stat().st_size, _EXPANSION_FLOOR_BYTES)
        unpacked: Any = stack.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
        message = f"{label} expands to more than {limit} bytes; nothing of it was used"
        bounded = io.BufferedReader(LimitedReader(unpacked, limit, message), _BLOCK_BYTES)
        yield stack.enter_context(
            tarfile.open(fileobj=bounded, mode="r|", tarinfo=BoundedTarInfo, errorlevel=2)
        )


class BoundedTarInfo(tarfile.TarInfo):
    """A tar header that refuses extension blocks of absurd size, which would be read whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> BoundedTarInfo:
        """Parse a header block.

        Raises
        ------
        tarfile.ReadError
            If it announces an extension block larger than 1 MiB.
        """
        info = super().frombuf(buf, encoding, errors)
        extensions = (
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
        )
        if info.type in extensions and info.size > _HEADER_LIMIT_BYTES:
            raise tarfile.ReadError(f"a header of {info.size} bytes")
        return info


def _limited(stream: IO[bytes], size: int, member: str, label: str) -> IO[bytes]:
    message = f"{label}: {member} is longer than the declared {size} bytes; nothing was used"
    return io.BufferedReader(LimitedReader(stream, size, message), _BLOCK_BYTES)


def _once(member: str, found: set[str], label: str) -> None:
    if member in found:
        raise IntegrityError(f"{label} holds {member} twice; nothing was used")
    found.add(member)


def _same_size(member: str, expected: int, found: int, label: str) -> None:
    if expected != found:
        raise IntegrityError(
            f"{label}: {member}: expected {expected} bytes, found {found}; nothing was used"
        )


def _not_a_file(member: str, label: str) -> IntegrityError:
    return IntegrityError(f"{label}: {member} is not a plain file; nothing was used")


def _all_found(wanted: Mapping[str, object], found: set[str], label: str) -> None:
    missing = sorted(set(wanted) - found)
    if missing:
        raise IntegrityError(f"{label}: expected {', '.join(missing)}, found no such member")
