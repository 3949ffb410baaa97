from __future__ import annotations

import errno
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_world import ARCHIVES, NET, PACKAGES, Told, noise

from edgeavatar import zoo
from edgeavatar.errors import InstallError, IntegrityError, ModelNotFound, OutputError
from edgeavatar.installing import PipSettings, install, install_bundle, write_bundle

Entry = tuple[tarfile.TarInfo, bytes]


@pytest.fixture
def full(manifest: zoo.Manifest, store: Path, tmp_path: Path) -> Path:
    """Fill a store from a folder of archives, which needs no socket."""
    links = tmp_path / "links"
    links.mkdir()
    for file in PACKAGES.values():
        (links / file).write_bytes(ARCHIVES[file])
    settings = PipSettings(find_links=(str(links),), retries=0)
    install(["net", "task", "voice"], root=store, manifest=manifest, settings=settings)
    return store


@pytest.fixture
def bundle(manifest: zoo.Manifest, full: Path, tmp_path: Path) -> Path:
    path = tmp_path / "out.tar"
    write_bundle(path, root=full, manifest=manifest)
    return path


def test_a_bundle_installs_elsewhere(
    manifest: zoo.Manifest, full: Path, tmp_path: Path, told: Told
) -> None:
    path = tmp_path / "out.tar"
    written = write_bundle(path, root=full, manifest=manifest, report=told)
    assert [model.name for model in written] == ["net", "task", "voice"]
    total = sum(model.bytes for model in written)
    assert told.steps == [("writing out.tar", total, 0)]
    assert told.done == total
    other = tmp_path / "other"
    done = install_bundle(path, root=other, manifest=manifest, report=told)
    assert [(item.model.name, item.already) for item in done] == [
        ("net", False),
        ("task", False),
        ("voice", False),
    ]
    for model in written:
        there = zoo.check_installed(model, other)
        for key, file in zoo.check_installed(model, full).items():
            assert there[key].read_bytes() == file.read_bytes()
    assert list((other / "staging").iterdir()) == []
    again = install_bundle(path, root=other, manifest=manifest)
    assert all(item.already for item in again)
    forced = install_bundle(path, ["net"], root=other, manifest=manifest, force=True)
    assert [(item.model.name, item.already) for item in forced] == [("net", False)]


def test_some_models_only(manifest: zoo.Manifest, full: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.tar"
    write_bundle(path, ["voice"], root=full, manifest=manifest)
    with tarfile.open(path) as tar:
        assert tar.getnames() == ["bundle.json", "voice/voice.onnx", "voice/voices/a.bin"]
        index = json.load(tar.extractfile("bundle.json"))
    assert index["models"]["voice"]["commercial_use"] == "unclear"
    assert index["models"]["voice"]["licence_weights"] == "Apache-2.0"
    with pytest.raises(InstallError, match=r"holds voice; expected net too"):
        install_bundle(path, ["net"], root=tmp_path / "other", manifest=manifest)
    with pytest.raises(ModelNotFound, match="no model 'nose'"):
        install_bundle(path, ["nose"], root=tmp_path / "other", manifest=manifest)


def test_the_same_models_give_the_same_bytes(
    manifest: zoo.Manifest, full: Path, bundle: Path, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "again.tar", root=full, manifest=manifest)
    assert (tmp_path / "again.tar").read_bytes() == bundle.read_bytes()


def test_nothing_to_bundle(manifest: zoo.Manifest, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="there is nothing to bundle: no such model is inst"):
        write_bundle(tmp_path / "out.tar", root=tmp_path / "none", manifest=manifest)
    with pytest.raises(ModelNotFound, match="edgeavatar models install net"):
        write_bundle(tmp_path / "out.tar", ["net"], root=tmp_path / "none", manifest=manifest)
    assert not (tmp_path / "out.tar").exists()


def test_a_damaged_model_is_not_bundled(manifest: zoo.Manifest, full: Path, tmp_path: Path) -> None:
    path = zoo.check_installed(manifest.model("net"), full)["net"]
    times = path.stat().st_mtime_ns
    path.write_bytes(b"\0" * len(NET))
    os.utime(path, ns=(times, times))
    with pytest.raises(IntegrityError, match="models install net --force"):
        write_bundle(tmp_path / "out.tar", root=full, manifest=manifest)
    assert [p.name for p in tmp_path.iterdir() if "out.tar" in p.name] == []


def test_an_unwritable_place(manifest: zoo.Manifest, full: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no/out\.tar cannot be written: No such file or dir"):
        write_bundle(tmp_path / "no" / "out.tar", root=full, manifest=manifest)


def test_a_full_disk_leaves_the_old_bundle(
    manifest: zoo.Manifest, full: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bundle.read_bytes()

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match="cannot be written: No space left on device; nothing"):
        write_bundle(bundle, root=full, manifest=manifest)
    assert bundle.read_bytes() == before
    assert [p.name for p in bundle.parent.iterdir() if "out.tar" in p.name] == ["out.tar"]


# ---------------------------------------------------------------------------------- broken bundles


def _entries(bundle: Path) -> list[Entry]:
    with tarfile.open(bundle) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]


def _rewrite(bundle: Path, entries: list[Entry]) -> None:
    with tarfile.open(bundle, "w") as tar:
        for info, data in entries:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _changed(entries: list[Entry]) -> list[Entry]:
    return [
        (info, data[:-1] + bytes([data[-1] ^ 1]) if info.name == "net/net.onnx" else data)
        for info, data in entries
    ]


def _link(entries: list[Entry]) -> list[Entry]:
    info = tarfile.TarInfo("net/net.onnx")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return [(info, b"") if entry.name == info.name else (entry, data) for entry, data in entries]


def _with(name: str) -> Callable[[list[Entry]], list[Entry]]:
    return lambda entries: [entries[0], (tarfile.TarInfo(name), b"evil"), *entries[1:]]


def _index(change: Callable[[dict[str, Any]], None]) -> Callable[[list[Entry]], list[Entry]]:
    def build(entries: list[Entry]) -> list[Entry]:
        index = json.loads(entries[0][1])
        change(index)
        return [(entries[0][0], json.dumps(index).encode()), *entries[1:]]

    return build


BROKEN: list[tuple[str, Callable[[list[Entry]], list[Entry]], type[Exception], str]] = [
    ("changed", _changed, IntegrityError, "net.onnx: expected SHA-256 .*, found"),
    (
        "longer",
        lambda e: [(i, d + b"x" if i.name == "net/net.onnx" else d) for i, d in e],
        IntegrityError,
        f"expected {len(NET)} bytes, found {len(NET) + 1}",
    ),
    ("twice", lambda e: [*e, *e[1:]], IntegrityError, "holds net/net.onnx twice"),
    (
        "missing",
        lambda e: [entry for entry in e if entry[0].name != "net/net.onnx"],
        IntegrityError,
        "expected net/net.onnx, found no such member",
    ),
    ("link", _link, IntegrityError, "net/net.onnx is not a plain file"),
    ("dots", _with("../evil"), IntegrityError, "leads outside its folder: '../evil'"),
    ("absolute", _with("/evil"), IntegrityError, "leads outside"),
    ("no-index", lambda e: e[1:], InstallError, "is not a bundle of edgeavatar"),
    ("index-text", lambda e: [(e[0][0], b"{"), *e[1:]], InstallError, "is not a bundle"),
    (
        "index-deep",
        lambda e: [(e[0][0], b"[" * 100_000), *e[1:]],
        InstallError,
        "is not a bundle",
    ),
    ("format", _index(lambda i: i.update(format=9)), InstallError, "is a bundle of format 9"),
    (
        "version",
        _index(lambda i: i["models"]["net"].update(fingerprint="0")),
        InstallError,
        "holds another net than version 1.0",
    ),
    ("empty", _index(lambda i: i["models"].clear()), InstallError, "holds no models; expected"),
]


@pytest.mark.parametrize(
    ("change", "error", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_bundle_is_refused(
    manifest: zoo.Manifest,
    bundle: Path,
    tmp_path: Path,
    change: Callable[[list[Entry]], list[Entry]],
    error: type[Exception],
    message: str,
) -> None:
    _rewrite(bundle, change(_entries(bundle)))
    outside = set(tmp_path.rglob("*"))
    other = tmp_path / "other"
    with pytest.raises(error, match=message):
        install_bundle(bundle, root=other, manifest=manifest)
    assert not (other / "net").exists()
    assert {p for p in tmp_path.rglob("*") if other not in (p, *p.parents)} == outside


def test_a_truncated_bundle_is_refused(
    manifest: zoo.Manifest, bundle: Path, tmp_path: Path
) -> None:
    data = bundle.read_bytes()
    for size in (0, 100, 600, 5_000, len(data) // 2):
        bundle.write_bytes(data[:size])
        with pytest.raises((IntegrityError, InstallError)):
            install_bundle(bundle, root=tmp_path / "other", manifest=manifest)
        assert not (tmp_path / "other" / "net").exists()


def test_no_bundle(manifest: zoo.Manifest, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"no\.tar cannot be read: No such file or directory"):
        install_bundle(tmp_path / "no.tar", root=tmp_path / "other", manifest=manifest)
    with pytest.raises(InstallError, match="cannot be read: Is a directory"):
        install_bundle(tmp_path, root=tmp_path / "other", manifest=manifest)
    (tmp_path / "video.mp4").write_bytes(noise("video", 5_000))
    with pytest.raises(InstallError, match=r"video\.mp4 is not a bundle of edgeavatar"):
        install_bundle(tmp_path / "video.mp4", root=tmp_path / "other", manifest=manifest)


def test_a_model_of_a_newer_edgeavatar_is_passed_over(
    manifest: zoo.Manifest, bundle: Path, tmp_path: Path, told: Told
) -> None:
    change = _index(lambda index: index["models"].update(later={"fingerprint": "1"}))
    _rewrite(bundle, change(_entries(bundle)))
    done = install_bundle(bundle, root=tmp_path / "other", manifest=manifest, report=told)
    assert [item.model.name for item in done] == ["net", "task", "voice"]
    assert told.lines == ["out.tar: later is no model of this edgeavatar; passed over"]


def test_good_models_of_a_broken_bundle_stay(
    manifest: zoo.Manifest, bundle: Path, tmp_path: Path
) -> None:
    entries = _entries(bundle)
    broken = [(i, b"\0" * len(d) if i.name == "voice/voice.onnx" else d) for i, d in entries]
    _rewrite(bundle, broken)
    other = tmp_path / "other"
    with pytest.raises(IntegrityError, match=r"voice\.onnx: expected SHA-256"):
        install_bundle(bundle, root=other, manifest=manifest)
    assert zoo.is_sound(manifest.model("net"), other)
    assert not zoo.is_installed(manifest.model("voice"), other)
