from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeavatar.errors import IntegrityError
from edgeavatar.installing.archives import LimitedReader, read_first_member, read_members

WANTED = "pkg/net.onnx"
DATA = b"weights" * 100


def _zip(build: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        build(archive)
    return buffer.getvalue()


def _tar(*infos: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for info, data in infos:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def _read(tmp_path: Path, name: str, data: bytes) -> bytes:
    archive = tmp_path / "archive"
    archive.write_bytes(data)
    taken = io.BytesIO()
    read_members(
        archive, name, {WANTED: (len(DATA), lambda stream: taken.write(stream.read()) and None)}
    )
    return taken.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("good.whl", _zip(lambda z: (z.writestr("other", b"x"), z.writestr(WANTED, DATA))[0])),
        ("good.tar.gz", _tar((_member("other"), b"x"), (_member(WANTED), DATA))),
        ("good.tgz", _tar((_member(WANTED), DATA))),
        ("good.tar", _tar((_member("other"), b"x"), (_member(WANTED), DATA), mode="w")),
        (
            "with-unwanted-link.tar.gz",
            _tar((_member("link", tarfile.SYMTYPE, "/etc/passwd"), b""), (_member(WANTED), DATA)),
        ),
    ],
)
def test_a_declared_member_is_read(tmp_path: Path, name: str, data: bytes) -> None:
    assert _read(tmp_path, name, data) == DATA


def _symlink_zip() -> bytes:
    def build(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(WANTED)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, DATA)

    return _zip(build)


def _twice_zip() -> bytes:
    def build(archive: zipfile.ZipFile) -> None:
        archive.writestr(WANTED, DATA)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(WANTED, DATA)

    return _zip(build)


def _encrypted_zip() -> bytes:
    data = bytearray(_zip(lambda z: z.writestr(WANTED, DATA)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at] |= 1
    return bytes(data)


def _lying_zip() -> bytes:
    """Make a member whose headers state the declared size, and whose data is longer."""
    data = bytearray(_zip(lambda z: z.writestr(WANTED, b"\0" * 5_000_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = struct.pack("<I", len(DATA))
    return bytes(data)


def _bomb_tar_gz() -> bytes:
    """Put an unwanted member of 70 MB in front of the wanted one."""
    return _tar((_member("zeros"), b"\0" * 70_000_000), (_member(WANTED), DATA))


def _header_bomb() -> bytes:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type = tarfile.XHDTYPE
    info.size = 2 << 30
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)


HOSTILE: list[tuple[str, Callable[[], bytes], str]] = [
    ("dots.whl", lambda: _zip(lambda z: z.writestr("../x", b"x")), "outside its folder: '../x'"),
    ("inner-dots.whl", lambda: _zip(lambda z: z.writestr("a/../../x", b"x")), "outside"),
    ("absolute.whl", lambda: _zip(lambda z: z.writestr("/etc/x", b"x")), "outside"),
    ("backslash.whl", lambda: _zip(lambda z: z.writestr("..\\x", b"x")), "outside"),
    ("drive.whl", lambda: _zip(lambda z: z.writestr("C:/x", b"x")), "outside"),
    ("link.whl", _symlink_zip, "not a plain file"),
    ("twice.whl", _twice_zip, "holds pkg/net.onnx twice"),
    ("encrypted.whl", _encrypted_zip, "encrypted"),
    ("lying.whl", _lying_zip, "damaged archive|longer than the declared"),
    (
        "long.whl",
        lambda: _zip(lambda z: z.writestr(WANTED, b"\0" * 1_000_000)),
        "expected 700 bytes, found 1000000",
    ),
    ("short.whl", lambda: _zip(lambda z: z.writestr(WANTED, b"x")), "expected 700 bytes, found 1"),
    (
        "missing.whl",
        lambda: _zip(lambda z: z.writestr("a", b"x")),
        "expected pkg/net.onnx, found no such member",
    ),
    ("cut.whl", lambda: _zip(lambda z: z.writestr(WANTED, DATA))[:-30], "damaged archive"),
    ("no.whl", lambda: b"this is no archive", "damaged archive"),
    ("empty.whl", lambda: b"", "damaged archive"),
    ("dots.tar.gz", lambda: _tar((_member("../x"), b"x")), "outside"),
    ("absolute.tar.gz", lambda: _tar((_member("/etc/x"), b"x")), "outside"),
    (
        "symlink.tar.gz",
        lambda: _tar((_member(WANTED, tarfile.SYMTYPE, "/etc/passwd"), b"")),
        "not a plain file",
    ),
    (
        "hardlink.tar.gz",
        lambda: _tar((_member("a"), DATA), (_member(WANTED, tarfile.LNKTYPE, "a"), b"")),
        "not a plain file",
    ),
    ("fifo.tar.gz", lambda: _tar((_member(WANTED, tarfile.FIFOTYPE), b"")), "not a plain file"),
    ("folder.tar.gz", lambda: _tar((_member(WANTED, tarfile.DIRTYPE), b"")), "not a plain file"),
    (
        "twice.tar.gz",
        lambda: _tar((_member(WANTED), DATA), (_member(WANTED), DATA)),
        "holds pkg/net.onnx twice",
    ),
    ("long.tar.gz", lambda: _tar((_member(WANTED), DATA + b"x")), "expected 700 bytes, found 701"),
    ("bomb.tar.gz", _bomb_tar_gz, "expands to more than"),
    ("headers.tar.gz", _header_bomb, "damaged archive"),
    ("cut.tar.gz", lambda: _tar((_member(WANTED), DATA))[:-40], "damaged archive"),
    ("cut.tar", lambda: _tar((_member(WANTED), DATA), mode="w")[:900], "damaged archive"),
    ("no.tar.gz", lambda: b"this is no archive", "damaged archive"),
    ("no.tar", lambda: b"this is no archive", "damaged archive"),
    ("empty.tar.gz", lambda: b"", "damaged archive|found no such member"),
]


@pytest.mark.parametrize(("name", "build", "message"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_a_hostile_archive_is_refused(
    tmp_path: Path, name: str, build: Callable[[], bytes], message: str
) -> None:
    data = build()
    with pytest.raises(IntegrityError, match=message) as caught:
        _read(tmp_path, name, data)
    assert str(caught.value).startswith(name)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_limited_reader_stops_one_byte_past_the_limit() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            self.taken += size
            return b"\0" * size

    endless = Endless()
    reader = LimitedReader(endless, 1000, "too long")
    assert len(reader.read(400)) == 400
    with pytest.raises(IntegrityError, match="too long"):
        reader.readall()
    assert endless.taken == 1001


def test_the_first_member_of_a_tar(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar"
    path.write_bytes(_tar((_member("index"), b"{}"), (_member("x"), b"x"), mode="w"))
    assert read_first_member(path, "index", 10) == b"{}"
    with pytest.raises(IntegrityError, match="expected x as the first member"):
        read_first_member(path, "x", 10)
    with pytest.raises(IntegrityError, match="expected index as the first member"):
        read_first_member(path, "index", 1)
