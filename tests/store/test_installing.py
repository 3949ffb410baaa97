from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from small_world import ARCHIVES, NET, VOICE, Registry, Told, noise, sha256, zip_of

from edgeavatar import installing, zoo
from edgeavatar.errors import InstallError, IntegrityError, ModelNotFound
from edgeavatar.installing import download, staging

pytestmark = pytest.mark.registry

WHEEL = "net_pkg-1.0-py3-none-any.whl"


def _install(
    registry: Registry, manifest: zoo.Manifest, store: Path, *names: str, **options: Any
) -> list[installing.Installed]:
    settings = options.pop("settings", None) or registry.settings()
    return installing.install(names, root=store, manifest=manifest, settings=settings, **options)


def _nothing_half_done(store: Path) -> bool:
    return not list((store / "staging").iterdir()) if (store / "staging").exists() else True


@pytest.mark.parametrize("html", [True, False], ids=["html", "json"])
@pytest.mark.parametrize("hashes", [True, False], ids=["hashes", "no-hashes"])
def test_models_are_installed_whole(
    serve: Callable[..., Registry],
    manifest: zoo.Manifest,
    store: Path,
    told: Told,
    html: bool,
    hashes: bool,
) -> None:
    registry = serve(html=html, hashes=hashes)
    done = _install(registry, manifest, store, "net", "task", "voice", report=told)
    assert [(item.model.name, item.already) for item in done] == [
        ("net", False),
        ("task", False),
        ("voice", False),
    ]
    assert (done[0].path / "net.onnx").read_bytes() == NET
    assert (done[1].path / "small.tflite").read_bytes() == noise("small", 5_000)
    assert (done[2].path / "voice.onnx").read_bytes() == noise("part 1", 4_000) + noise(
        "part 2", 3_000
    )
    assert (done[2].path / "voices" / "a.bin").read_bytes() == VOICE
    for item in done:
        found = {p.relative_to(item.path).as_posix() for p in item.path.rglob("*") if p.is_file()}
        assert found == {f.path for f in item.model.files.values()} | {zoo.STAMP_NAME}
    assert list((store / "downloads").iterdir()) == []
    assert _nothing_half_done(store)
    assert told.steps[0] == (f"fetching {WHEEL}", len(ARCHIVES[WHEEL]), 0)
    assert told.ended == len(told.steps) == 5


def test_a_second_installation_asks_nobody(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    _install(registry, manifest, store, "net")
    registry.requests.clear()
    (again,) = _install(registry, manifest, store, "net")
    assert again.already
    assert registry.requests == []


def test_force_installs_again(registry: Registry, manifest: zoo.Manifest, store: Path) -> None:
    _install(registry, manifest, store, "net")
    (again,) = _install(registry, manifest, store, "net", force=True)
    assert not again.already
    assert registry.fetched == [WHEEL, WHEEL]


def test_a_damaged_model_is_repaired(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    (done,) = _install(registry, manifest, store, "net")
    (done.path / "net.onnx").write_bytes(b"damage")
    (again,) = _install(registry, manifest, store, "net")
    assert not again.already
    assert (again.path / "net.onnx").read_bytes() == NET


def test_an_older_version_is_replaced(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    older = store / "net" / "0.9-00000000"
    older.mkdir(parents=True)
    (older / zoo.STAMP_NAME).write_text("{}")
    with pytest.raises(ModelNotFound, match=r"in version 1\.0 \(another version is there\)"):
        zoo.check_installed(manifest.model("net"), store)
    (done,) = _install(registry, manifest, store, "net")
    assert list((store / "net").iterdir()) == [done.path]


def test_an_unknown_name_installs_nothing(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    with pytest.raises(ModelNotFound, match="no model 'nose'; the models are net, task, voice"):
        _install(registry, manifest, store, "net", "nose")
    assert registry.requests == []
    assert not store.exists()


def test_a_source_archive_is_not_built(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    # Its setup.py would end the process.
    (done,) = _install(registry, manifest, store, "voice")
    assert not list(done.path.rglob("setup.py"))


# ------------------------------------------------------------------------------- wrong content


def test_a_wrong_hash_is_refused(
    serve: Callable[..., Registry], manifest: zoo.Manifest, store: Path
) -> None:
    registry = serve(hashes=False)
    right = registry.archives[WHEEL]
    wrong = right[:-1] + bytes([right[-1] ^ 1])
    registry.archives[WHEEL] = wrong
    with pytest.raises(IntegrityError) as caught:
        _install(registry, manifest, store, "net")
    message = str(caught.value)
    assert WHEEL in message
    assert f"expected SHA-256 {sha256(right)}, found {sha256(wrong)}" in message
    assert "edgeavatar models install --from BUNDLE.tar" in message
    assert not (store / "net").exists()
    assert list((store / "downloads").iterdir()) == []


@pytest.mark.parametrize("change", [-10, 10])
def test_a_wrong_size_is_refused_at_once(
    serve: Callable[..., Registry], manifest: zoo.Manifest, store: Path, change: int
) -> None:
    registry = serve(hashes=False)
    right = registry.archives[WHEEL]
    registry.archives[WHEEL] = right[:change] if change < 0 else right + b"x" * change
    expected = f"expected {len(right)} bytes, found {len(right) + change}"
    with pytest.raises(IntegrityError, match=expected):
        _install(registry, manifest, store, "net")
    assert registry.fetched == [WHEEL]


def test_a_wrong_member_is_refused(
    registry: Registry, manifest: zoo.Manifest, store: Path, tmp_path: Path
) -> None:
    # The archive is the pinned one, and a member is not: the manifest contradicts itself.
    text = (manifest.path).read_text().replace(sha256(NET), "0" * 64)
    path = tmp_path / "other" / "manifest.toml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(
        IntegrityError,
        match=rf"{WHEEL}: net_pkg/net.onnx: expected SHA-256 0{{64}}, found {sha256(NET)}",
    ):
        _install(registry, zoo.load_manifest(path), store, "net")
    assert not (store / "net").exists()
    assert _nothing_half_done(store)


def test_a_hostile_archive_leaves_nothing(
    serve: Callable[..., Registry], manifest: zoo.Manifest, store: Path, tmp_path: Path
) -> None:
    hostile = zip_of({"net_pkg/net.onnx": NET, "../../../evil": b"x"})
    registry = serve()
    text = manifest.path.read_text()
    right = registry.archives[WHEEL]
    text = text.replace(sha256(right), sha256(hostile))
    text = text.replace(f"bytes = {len(right)}\n", f"bytes = {len(hostile)}\n")
    manifest.path.with_name("hostile.toml").write_text(text)
    registry.archives[WHEEL] = hostile
    before = {path for path in tmp_path.rglob("*") if store not in path.parents}
    with pytest.raises(IntegrityError, match=r"leads outside its folder: '../../../evil'"):
        _install(registry, zoo.load_manifest(manifest.path.with_name("hostile.toml")), store, "net")
    after = {path for path in tmp_path.rglob("*") if store not in path.parents}
    assert after - before == {store}
    assert not (store / "net").exists()


# ------------------------------------------------------------------------------- interruptions


def test_a_broken_connection_is_continued(
    registry: Registry, manifest: zoo.Manifest, store: Path, told: Told
) -> None:
    registry.cut = [100_000]
    _install(registry, manifest, store, "net", report=told)
    assert registry.fetched == [WHEEL, WHEEL]
    ranges = [r.headers.get("range") for r in registry.requests if "files" in r.path]
    assert ranges == [None, "bytes=100000-"]
    assert told.done == len(ARCHIVES[WHEEL])


def test_what_arrived_is_kept_for_the_next_call(
    registry: Registry, manifest: zoo.Manifest, store: Path, told: Told
) -> None:
    registry.cut = [100_000, 50_000]
    with pytest.raises(
        InstallError, match=r"the connection closed early \(150000 of \d+ bytes are here"
    ):
        _install(registry, manifest, store, "net")
    assert not (store / "net").exists()
    _install(registry, manifest, store, "net", report=told)
    assert told.steps == [(f"fetching {WHEEL}", len(ARCHIVES[WHEEL]), 150_000)]
    assert registry.requests[-1].headers["range"] == "bytes=150000-"


def test_a_server_without_ranges_starts_over(
    serve: Callable[..., Registry], manifest: zoo.Manifest, store: Path
) -> None:
    registry = serve(ranges=False)
    registry.cut = [100_000]
    (done,) = _install(registry, manifest, store, "net")
    assert (done.path / "net.onnx").read_bytes() == NET


@pytest.mark.parametrize("size", [1000, len(ARCHIVES[WHEEL]), len(ARCHIVES[WHEEL]) + 5])
def test_a_beginning_of_another_file_is_thrown_away(
    registry: Registry, manifest: zoo.Manifest, store: Path, told: Told, size: int
) -> None:
    (store / "downloads").mkdir(parents=True)
    (store / "downloads" / f"{WHEEL}.part").write_bytes(b"\0" * size)
    (done,) = _install(registry, manifest, store, "net", report=told)
    assert (done.path / "net.onnx").read_bytes() == NET
    if size <= len(ARCHIVES[WHEEL]):
        assert told.lines == [f"{WHEEL}: the resumed download does not fit; starting over"]


def test_a_wrong_finished_archive_is_fetched_again(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    (store / "downloads").mkdir(parents=True)
    (store / "downloads" / WHEEL).write_bytes(b"\0" * len(ARCHIVES[WHEEL]))
    (done,) = _install(registry, manifest, store, "net")
    assert (done.path / "net.onnx").read_bytes() == NET


def test_a_tired_server_is_asked_again(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    registry.statuses = [503, 0, 502, 0]
    _install(registry, manifest, store, "net")
    assert len(registry.requests) == 4


def test_a_refusal_is_final(registry: Registry, manifest: zoo.Manifest, store: Path) -> None:
    registry.statuses = [0, 403]
    with pytest.raises(InstallError, match=r"could not be fetched from .*: answer 403 Forbidden"):
        _install(registry, manifest, store, "net")
    assert len(registry.requests) == 2


_CHILD = """
import sys
from pathlib import Path
from edgeavatar import installing, zoo
manifest, store, url, *names = sys.argv[1:]
settings = installing.PipSettings(index_urls=(f"{url}/simple",), timeout_s=30, retries=0)
done = installing.install(
    names, root=Path(store), manifest=zoo.load_manifest(Path(manifest)), settings=settings
)
print(*(f"{item.model.name}={'already' if item.already else 'new'}" for item in done))
"""


def _child(
    registry: Registry, manifest: zoo.Manifest, store: Path, *names: str
) -> subprocess.Popen[str]:
    arguments = [str(manifest.path), str(store), registry.url, *names]
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, "it did not happen within 20 s"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_installation_is_continued(
    serve: Callable[..., Registry],
    manifest: zoo.Manifest,
    store: Path,
    told: Told,
    number: signal.Signals,
) -> None:
    registry = serve(hold=threading.Event())
    half = len(ARCHIVES[WHEEL]) // 2
    part = store / "downloads" / f"{WHEEL}.part"
    with _child(registry, manifest, store, "net") as child:
        _wait_until(lambda: part.exists() and part.stat().st_size > half - 70_000)
        child.send_signal(number)
        child.communicate(timeout=20)
    assert child.returncode != 0
    assert not zoo.is_installed(manifest.model("net"), store)
    arrived = part.stat().st_size
    assert registry.hold is not None
    registry.hold.set()
    registry.hold = None
    _install(registry, manifest, store, "net", report=told)
    assert told.steps == [(f"fetching {WHEEL}", len(ARCHIVES[WHEEL]), arrived)]
    assert registry.requests[-1].headers["range"] == f"bytes={arrived}-"
    assert zoo.check_installed(manifest.model("net"), store)["net"].read_bytes() == NET
    assert _nothing_half_done(store)


def test_two_installations_at_once_fetch_once(
    serve: Callable[..., Registry], manifest: zoo.Manifest, store: Path
) -> None:
    registry = serve(hold=threading.Event())
    names = ("net", "task", "voice")
    with (
        _child(registry, manifest, store, *names) as first,
        _child(registry, manifest, store, *names) as second,
    ):
        _wait_until(lambda: bool(registry.fetched))
        time.sleep(0.3)
        assert registry.hold is not None
        registry.hold.set()
        outputs = [process.communicate(timeout=30) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert sorted(registry.fetched) == sorted(ARCHIVES)
    words = " ".join(output for output, _ in outputs).split()
    assert sorted(words) == sorted(
        f"{name}={state}" for name in names for state in ("new", "already")
    )
    for name in names:
        assert zoo.check_installed(manifest.model(name), store)
    assert list((store / "downloads").iterdir()) == []
    assert _nothing_half_done(store)


def test_one_who_waits_says_so(
    registry: Registry, manifest: zoo.Manifest, store: Path, told: Told
) -> None:
    with staging.locked(store, "net"):
        thread = threading.Thread(
            target=_install, args=(registry, manifest, store, "net"), kwargs={"report": told}
        )
        thread.start()
        _wait_until(lambda: bool(told.lines))
        assert not (store / "net").exists()
    thread.join()
    assert told.lines == ["net: another installation of it is running; waiting for it"]
    assert zoo.is_installed(manifest.model("net"), store)


def test_leftovers_of_a_killed_installation_go(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    leftover = store / "staging" / "net.abc"
    leftover.mkdir(parents=True)
    (leftover / "net.onnx").write_bytes(b"half")
    _install(registry, manifest, store, "net")
    assert _nothing_half_done(store)


# ----------------------------------------------------------------------------- the store's disk


class _FullDisk:
    """Opens files that take so many bytes and no more."""

    def __init__(self, stream: IO[bytes], room: int) -> None:
        self._stream, self._room = stream, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> _FullDisk:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stream.close()

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._stream.write(data)


@pytest.mark.parametrize("suffix", [".part", ".onnx"], ids=["while-fetching", "while-unpacking"])
def test_a_full_disk_is_told_and_leaves_the_store_usable(
    registry: Registry,
    manifest: zoo.Manifest,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    original = Path.open

    def full(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        stream = original(path, mode, *arguments, **options)
        writing = path.suffix == suffix and ("w" in mode or "+" in mode)
        return _FullDisk(stream, 200_000) if writing else stream

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(
            InstallError,
            match=rf"the model store {store} cannot be written: No space left on device; free",
        ):
            _install(registry, manifest, store, "net")
    assert not zoo.is_installed(manifest.model("net"), store)
    assert _nothing_half_done(store)
    _install(registry, manifest, store, "net")
    assert zoo.check_installed(manifest.model("net"), store)


def test_too_little_space_is_seen_before_the_download(
    registry: Registry, manifest: zoo.Manifest, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=400_000))
    needed = len(ARCHIVES[WHEEL]) + len(NET)
    with pytest.raises(InstallError, match=f"model net needs {needed} bytes .* 400000 are free"):
        _install(registry, manifest, store, "net")
    assert registry.requests == []


def test_a_store_that_cannot_be_written(
    registry: Registry, manifest: zoo.Manifest, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InstallError, match="cannot be written: Not a directory; free space or rights there"
    ):
        _install(registry, manifest, tmp_path / "file" / "store", "net")


def test_a_read_only_store_that_has_the_model_is_enough(
    registry: Registry, manifest: zoo.Manifest, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (done,) = _install(registry, manifest, store, "net")
    os.utime(done.path / "net.onnx", ns=(1, 1))

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(os, "open", refuse)
    (again,) = _install(registry, manifest, store, "net")
    assert again.already
    with pytest.raises(InstallError, match="cannot be written: Read-only file system"):
        _install(registry, manifest, store, "task")


def test_a_failed_rename_keeps_what_was_there(
    registry: Registry, manifest: zoo.Manifest, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (done,) = _install(registry, manifest, store, "net")
    original = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if target == done.path and not path.name.endswith(".replaced"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return original(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(InstallError, match="Input/output error"):
        _install(registry, manifest, store, "net", force=True)
    assert zoo.check_installed(manifest.model("net"), store)["net"].read_bytes() == NET


def test_archives_stay_after_a_failure_and_go_after_success(
    registry: Registry, manifest: zoo.Manifest, store: Path
) -> None:
    speech = registry.archives.pop("speech-1.0.tar.gz")
    with pytest.raises(InstallError, match=r"speech-1\.0\.tar\.gz .* was not found"):
        _install(registry, manifest, store, "voice")
    kept = sorted(path.name for path in (store / "downloads").iterdir())
    assert kept == ["part_1-1.0-py3-none-any.whl", "part_2-1.0-py3-none-any.whl"]
    registry.archives["speech-1.0.tar.gz"] = speech
    registry.requests.clear()
    _install(registry, manifest, store, "voice")
    assert registry.fetched == ["speech-1.0.tar.gz"]
    assert list((store / "downloads").iterdir()) == []


def test_progress_of_a_small_block_size(
    registry: Registry,
    manifest: zoo.Manifest,
    store: Path,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "_BLOCK_BYTES", 1000)
    seen: list[int] = []
    monkeypatch.setattr(told, "advance", seen.append)
    _install(registry, manifest, store, "net", report=told)
    assert seen == sorted(seen)
    assert len(seen) == -(-len(ARCHIVES[WHEEL]) // 1000)
    assert seen[-1] == len(ARCHIVES[WHEEL])
