from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_world import MANIFEST_TEXT, NET, noise, sha256

from edgeavatar import zoo
from edgeavatar.errors import IntegrityError, ModelNotFound, UsageError

# ------------------------------------------------------------------------------ the real manifest


def test_the_manifest_of_the_project_is_right() -> None:
    assert zoo.check_manifest() == []


def test_the_profiles_that_users_get_are_free_for_commercial_use() -> None:
    manifest = zoo.load_manifest()
    for profile in ("default", "small", "best"):
        models = manifest.in_profile(profile)
        assert models
        assert {model.commercial_use for model in models} == {"yes"}
    assert {model.name for model in manifest.in_profile("small")} <= {
        model.name for model in manifest.in_profile("default")
    }
    unclear = {m.name for m in manifest.models.values() if m.commercial_use == "unclear"}
    assert {"voice-joe", "portrait"} <= unclear


def test_the_files_that_other_rooms_ask_for_are_declared() -> None:
    models = zoo.load_manifest().models
    assert set(models["face"].files) == {"detector", "mesh", "blendshapes", "geometry"}
    assert {"acoustic", "vocab", "voice:af_heart"} <= set(models["voice-kokoro"].files)
    assert sum(key.startswith("voice:") for key in models["voice-kokoro"].files) == 54
    assert {"acoustic", "config"} <= set(models["voice-joe"].files)
    assert "acoustic" in models["voice-hibari"].files
    assert set(models["asr-moonshine-tiny"].files) == {"encoder", "decoder", "tokenizer"}
    assert set(models["vad-silero"].files) == {"vad"}
    assert set(models["fixture-vitallens"].files) == {"video_1", "video_2"}
    assert set(models["fixture-speech"].files) == {"two_cities", "beckett"}


def test_openvino_pairs_lie_side_by_side() -> None:
    files = zoo.load_manifest().models["portrait"].files
    for part in ("mapping", "synthesis"):
        xml, weights = files[f"{part}_xml"].path, files[f"{part}_bin"].path
        assert Path(xml).with_suffix(".bin").as_posix() == weights


def test_importing_the_zoo_is_light() -> None:
    code = "import sys, edgeavatar.zoo; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # The guard of the tests itself imports socket.
    heavy = {"numpy", "ssl", "http.client", "urllib.request", "onnxruntime", "cv2", "rich"}
    assert heavy.isdisjoint(done.stdout.split())


# ------------------------------------------------------------------------- faults of a manifest


def _check(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    return zoo.check_manifest(path)


def _replaced(old: str, new: str) -> Callable[[], str]:
    def build() -> str:
        assert old in MANIFEST_TEXT
        return MANIFEST_TEXT.replace(old, new, 1)

    return build


_LOCAL = """
[models.own]
title = "own"
task = "test"
version = "1"
licence_package = "MIT"
licence_weights = "MIT"
commercial_use = "yes"
attribution = "us"
preprocessing = "none"
[models.own.files.w]
bytes = 3
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""


def _variants(**files: str) -> Callable[[], str]:
    """Build a manifest whose model ``own`` has more files: key -> fields, on lines."""

    def build() -> str:
        text = MANIFEST_TEXT + _LOCAL + 'local = "w.onnx"\n'
        for key, fields in files.items():
            text += f"[models.own.files.{key}]\nbytes = 3\nsha256 = {sha256(b'abc')!r}\n{fields}\n"
        return text

    return build


_X = 'inputs = [{ name = "x", dtype = "float32", shape = [1, 8] }]'
_INT8 = 'variant_of = "w"\nprecision = "int8"'

FAULTS: list[tuple[str, Callable[[], str], str]] = [
    ("no-toml", lambda: "a = ", "manifest.toml: is not TOML: Invalid value (at end of document)"),
    ("schema", lambda: "schema = 2", "manifest.toml: schema: must be 1, found 2"),
    ("unknown-top", _replaced("schema = 1", "schema = 1\nx = 1"), "x: is not a known field"),
    (
        "unknown-field",
        _replaced('task = "test"', 'task = "test"\ncolour = "red"'),
        "models.net.colour: is not a known field",
    ),
    (
        "missing",
        _replaced('title = "the net model"\n', ""),
        "models.net.title: is missing, must be a text",
    ),
    ("empty", _replaced('"the net model"', '""'), "models.net.title: must not be empty"),
    (
        "type",
        _replaced('title = "the net model"', "title = 3"),
        "models.net.title: must be a text, found a whole number",
    ),
    (
        "size-type",
        _replaced(f"bytes = {len(NET)}", 'bytes = "many"'),
        "models.net.files.net.bytes: must be a whole number, found a text",
    ),
    (
        "size-zero",
        _replaced(f"bytes = {len(NET)}", "bytes = 0"),
        "models.net.files.net.bytes: must be above 0, found 0",
    ),
    (
        "hash",
        _replaced(sha256(NET), "ABC"),
        "models.net.files.net.sha256: must be 64 lower-case hex digits, found 'ABC'",
    ),
    (
        "commercial",
        _replaced('commercial_use = "yes"', 'commercial_use = "maybe"'),
        "models.net.commercial_use: must be one of yes, no, unclear, found 'maybe'",
    ),
    (
        "unclear-default",
        _replaced('commercial_use = "yes"', 'commercial_use = "unclear"'),
        "models.net.profiles: default takes only commercial_use = yes, found 'unclear'",
    ),
    (
        "profile",
        _replaced('"default", "small"', '"largest"'),
        "models.net.profiles: must be among default, small, best, test, found 'largest'",
    ),
    (
        "path-dots",
        _replaced('path = "net.onnx"', 'path = "../net.onnx"'),
        "models.net.files.net.path: must be a plain relative path, found '../net.onnx'",
    ),
    (
        "path-absolute",
        _replaced('path = "net.onnx"', 'path = "/net.onnx"'),
        "models.net.files.net.path: must be a plain relative path, found '/net.onnx'",
    ),
    (
        "path-stamp",
        _replaced('path = "net.onnx"', 'path = "installed.json"'),
        "models.net.files.net.path: installed.json is the name of the stamp",
    ),
    (
        "path-twice",
        _replaced('path = "other.tflite"', 'path = "small.tflite"'),
        "models.task.files: two files have the path 'small.tflite'",
    ),
    (
        "source-twice",
        _replaced('inner = "other.tflite"', 'inner = "small.tflite"'),
        "models.task.files: two files have the source ('task-pkg', 'task_pkg/all.task', "
        "'small.tflite')",
    ),
    (
        "archive",
        _replaced('archive = "net-pkg"', 'archive = "nut-pkg"'),
        "models.net.files.net.source[0].archive: there is no archives.nut-pkg",
    ),
    (
        "archive-file",
        _replaced('file = "net_pkg-1.0-py3-none-any.whl"', 'file = "../x.whl"'),
        "archives.net-pkg.file: must be the name of a wheel, zip or tar, found '../x.whl'",
    ),
    (
        "container",
        _replaced("containers = [{ member = ", "containers = [{ member = 'not' } , { member = "),
        "archives.task-pkg.containers[0].bytes: is missing, must be a whole number",
    ),
    (
        "inner",
        _replaced('member = "task_pkg/all.task", inner', 'member = "task_pkg/no.task", inner'),
        "source[0].inner: task_pkg/no.task is not among the containers of archives.task-pkg",
    ),
    (
        "name",
        _replaced("[models.net]", "[models.Net]\n[models.net]"),
        "models: name must be lower case with dashes, found 'Net'",
    ),
    (
        "version",
        _replaced('version = "1.0"\nlicence', 'version = "../1"\nlicence'),
        "models.net.version: must be a version, found '../1'",
    ),
    (
        "shape",
        _replaced(
            f'sha256 = "{sha256(NET)}"',
            f'sha256 = "{sha256(NET)}"\n'
            'inputs = [{ name = "x", dtype = "float32", shape = [1, 0] }]',
        ),
        "models.net.files.net.inputs[0].shape: must be sizes above 0, or -1 for a free one, "
        "found [1, 0]",
    ),
    (
        "dtype",
        _replaced(
            f'sha256 = "{sha256(NET)}"',
            f'sha256 = "{sha256(NET)}"\noutputs = [{{ name = "x", dtype = "real", shape = [] }}]',
        ),
        "models.net.files.net.outputs[0].dtype: must be one of",
    ),
    (
        "no-source",
        lambda: MANIFEST_TEXT + _LOCAL,
        "models.own.files.w.source: either source or local is needed, and not both",
    ),
    (
        "local-missing",
        lambda: MANIFEST_TEXT + _LOCAL + 'local = "w.npz"\n',
        "models.own.files.w: expected a file, found none",
    ),
    (
        "local-path",
        lambda: MANIFEST_TEXT + _LOCAL + 'local = "../w.npz"\n',
        "models.own.files.w.local: must be a plain relative path, found '../w.npz'",
    ),
    (
        "variant-of-nothing",
        _variants(v='local = "v.onnx"\nvariant_of = "u"\nprecision = "int8"'),
        "models.own.files.v.variant_of: there is no file 'u' in this model",
    ),
    (
        "variant-of-variant",
        _variants(
            v=f'local = "v.onnx"\n{_INT8}',
            u='local = "u.onnx"\nvariant_of = "v"\nprecision = "int8"',
        ),
        "models.own.files.u.variant_of: v is a variant itself; name the base, w",
    ),
    (
        "variant-of-itself",
        _variants(v='local = "v.onnx"\nvariant_of = "v"\nprecision = "int8"'),
        "models.own.files.v.variant_of: v is a variant itself; name the base, v",
    ),
    (
        "variant-of-no-kind",
        _variants(v=f'local = "v.npz"\n{_INT8}'),
        "models.own.files.v.variant_of: must be a file .onnx, .ort, .xml, .tflite, found v.npz",
    ),
    (
        "variant-precision",
        _variants(v='local = "v.onnx"\nvariant_of = "w"'),
        "models.own.files.v.precision: is missing, must be a text",
    ),
    (
        "precision",
        _variants(v='local = "v.onnx"\nprecision = "int4"'),
        "models.own.files.v.precision: must be one of fp32, fp16, int8, mixed, found 'int4'",
    ),
    (
        "variant-inputs",
        lambda: _variants(v=f'local = "v.onnx"\n{_INT8}\n{_X}')().replace(
            'local = "w.onnx"', 'local = "w.onnx"\n' + _X.replace("8", "9")
        ),
        "models.own.files.v.inputs: must be those of w",
    ),
    (
        "tolerance-of-base",
        _variants(v='local = "v.onnx"\ntolerance = 0.1'),
        "models.own.files.v.tolerance: is for variants, and this file has no variant_of",
    ),
    (
        "tolerance-range",
        _variants(v=f'local = "v.onnx"\n{_INT8}\ntolerance = 1.5'),
        "models.own.files.v.tolerance: must be a number above 0 and below 1, found 1.5",
    ),
    (
        "tolerance-type",
        _variants(v=f'local = "v.onnx"\n{_INT8}\ntolerance = true'),
        "models.own.files.v.tolerance: must be a number above 0 and below 1, found True",
    ),
    (
        "weights-missing",
        _variants(v=f'local = "v.xml"\n{_INT8}'),
        "models.own.files.v.weights: is missing, must be the key of the .bin file",
    ),
    (
        "weights-unknown",
        _variants(v=f'local = "v.xml"\n{_INT8}\nweights = "b"'),
        "models.own.files.v.weights: there is no file 'b' in this model",
    ),
    (
        "weights-elsewhere",
        _variants(v=f'local = "v.xml"\n{_INT8}\nweights = "b"', b='local = "u.bin"'),
        "models.own.files.v.weights: must lie at v.bin, found u.bin",
    ),
    (
        "weights-of-onnx",
        _variants(v=f'local = "v.onnx"\n{_INT8}\nweights = "b"', b='local = "v.bin"'),
        "models.own.files.v.weights: is for .xml files, found v.onnx",
    ),
]


@pytest.mark.parametrize(
    ("build", "expected"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_a_fault_names_entry_and_field(
    tmp_path: Path, build: Callable[[], str], expected: str
) -> None:
    faults = _check(tmp_path, build())
    assert any(expected in fault for fault in faults), faults
    assert all(fault.startswith("manifest.toml: ") for fault in faults)


def test_parts_must_sum_up(tmp_path: Path) -> None:
    faults = _check(tmp_path, MANIFEST_TEXT.replace("bytes = 4000, ", "bytes = 4001, "))
    assert faults == [
        "manifest.toml: models.voice.files.acoustic.bytes: must be the sum of its parts, 7001, "
        "found 7000"
    ]


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = MANIFEST_TEXT.replace('title = "the net model"\n', "").replace(sha256(NET), "x")
    assert len(_check(tmp_path, text)) == 2
    with pytest.raises(IntegrityError) as caught:
        zoo.load_manifest(tmp_path / "manifest.toml")
    assert len(str(caught.value).splitlines()) == 2


def test_an_archive_that_nothing_uses_is_a_fault(tmp_path: Path) -> None:
    entry = MANIFEST_TEXT[MANIFEST_TEXT.index("[archives.speech]") :].split("[models")[0]
    faults = _check(tmp_path, MANIFEST_TEXT + entry.replace("archives.speech", "archives.more"))
    assert faults == ["manifest.toml: archives.more: no model uses it"]


def test_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    assert zoo.check_manifest(path) == [f"{path} is missing; reinstall edgeavatar"]


def test_local_files_are_checked(tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(b"abc")
    text = MANIFEST_TEXT + _LOCAL + 'local = "w.npz"\n'
    assert _check(tmp_path, text) == []
    model = zoo.load_manifest(tmp_path / "manifest.toml").model("own")
    assert model.is_local
    assert zoo.is_installed(model)
    assert zoo.check_installed(model) == {"w": tmp_path / "w.npz"}
    (tmp_path / "w.npz").write_bytes(b"abd")
    (tmp_path / "stray.onnx").write_bytes(b"x")
    faults = zoo.check_manifest(tmp_path / "manifest.toml")
    assert len(faults) == 2
    assert f"expected SHA-256 {sha256(b'abc')}, found {sha256(b'abd')}" in faults[0]
    assert faults[1] == "manifest.toml: stray.onnx lies beside it and no model declares it"
    with pytest.raises(IntegrityError, match="reinstall edgeavatar"):
        zoo.check_installed(model)


def test_variants_are_known_and_a_single_file_is_checked(tmp_path: Path) -> None:
    for name in ("w.onnx", "v.xml", "v.bin", "u.onnx"):
        (tmp_path / name).write_bytes(b"abc")
    build = _variants(
        v=f'local = "v.xml"\n{_INT8}\nweights = "b"\ntolerance = 0.05\n{_X}',
        b='local = "v.bin"',
        u='local = "u.onnx"\nvariant_of = "w"\nprecision = "mixed"',
    )
    assert _check(tmp_path, build()) == []
    model = zoo.load_manifest(tmp_path / "manifest.toml").model("own")
    assert [file.key for file in model.variants("w")] == ["v", "u"]
    assert model.variants("v") == ()
    base, variant = model.files["w"], model.files["v"]
    assert (base.precision, base.variant_of, base.tolerance) == ("fp32", None, None)
    assert (variant.precision, variant.weights, variant.tolerance) == ("int8", "b", 0.05)


def test_one_file_of_our_own_is_checked_with_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[str]
) -> None:
    for name in ("w.onnx", "v.xml", "v.bin"):
        (tmp_path / name).write_bytes(b"abc")
    build = _variants(v=f'local = "v.xml"\n{_INT8}\nweights = "b"', b='local = "v.bin"')
    (tmp_path / "manifest.toml").write_text(build())
    monkeypatch.setattr(zoo, "models_dir", lambda: tmp_path)
    assert zoo.file_of("own", "v") == tmp_path / "v.xml"
    assert hashed == ["v.xml", "v.bin"]
    assert zoo.file_of("own", "w") == tmp_path / "w.onnx" == zoo.own_file("w.onnx")
    (tmp_path / "v.bin").write_bytes(b"abd")
    with pytest.raises(IntegrityError, match=r"v\.bin: expected SHA-256 .*reinstall edgeavatar"):
        zoo.file_of("own", "v")
    with pytest.raises(ModelNotFound, match="model own has no file 'x'; its files are w, v, b"):
        zoo.file_of("own", "x")


def test_an_unknown_profile(manifest: zoo.Manifest) -> None:
    with pytest.raises(UsageError, match="no profile 'huge'; it is one of default, small, best"):
        manifest.in_profile("huge")


# --------------------------------------------------------------------------------------- the store


@pytest.fixture
def installed(manifest: zoo.Manifest, store: Path) -> Path:
    """Lay out the model ``task`` as an installation leaves it."""
    model = manifest.model("task")
    folder = zoo.model_dir(model, store)
    folder.mkdir(parents=True)
    for key, size in (("small", 5_000), ("other", 7_000)):
        (folder / f"{key}.tflite").write_bytes(noise(key, size))
    zoo.write_stamp(model, folder)
    return folder


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the names of the files that are hashed."""
    names: list[str] = []
    original = zoo.file_sha256

    def spy(path: Path) -> str:
        names.append(path.name)
        return original(path)

    monkeypatch.setattr(zoo, "file_sha256", spy)
    return names


def test_what_is_installed_is_found_without_hashing(
    manifest: zoo.Manifest, store: Path, installed: Path, hashed: list[str]
) -> None:
    files = zoo.check_installed(manifest.model("task"), store)
    assert files == {
        "small": installed / "small.tflite",
        "other": installed / "other.tflite",
    }
    assert hashed == []


def test_a_touched_file_is_hashed_once_and_believed(
    manifest: zoo.Manifest, store: Path, installed: Path, hashed: list[str]
) -> None:
    os.utime(installed / "small.tflite", ns=(1, 1))
    for _ in range(3):
        zoo.check_installed(manifest.model("task"), store)
    assert hashed == ["small.tflite"]
    assert [path.name for path in installed.iterdir() if path.name.startswith(".")] == []


def test_a_copied_store_works(
    manifest: zoo.Manifest, store: Path, installed: Path, tmp_path: Path
) -> None:
    assert installed.is_dir()
    shutil.copytree(store, tmp_path / "copy", copy_function=shutil.copy)
    assert zoo.is_sound(manifest.model("task"), tmp_path / "copy")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_flip, r"expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}"),
        (lambda path: path.write_bytes(b"x"), "expected 5000 bytes, found 1"),
        (lambda path: path.write_bytes(b""), "expected 5000 bytes, found 0"),
        (lambda path: path.unlink(), "expected a file, found none"),
    ],
    ids=["flipped", "cut", "empty", "gone"],
)
def test_a_damaged_file_is_an_error_that_says_what_to_do(
    manifest: zoo.Manifest,
    store: Path,
    installed: Path,
    damage: Callable[[Path], Any],
    message: str,
) -> None:
    damage(installed / "small.tflite")
    with pytest.raises(
        IntegrityError,
        match=rf"{re.escape(str(installed))}/small\.tflite: {message}; "
        r"repair it with: edgeavatar models install task --force",
    ):
        zoo.check_installed(manifest.model("task"), store)


def test_damage_that_keeps_size_and_time_is_found_by_verify(
    manifest: zoo.Manifest, store: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = installed / "small.tflite"
    before = path.stat().st_mtime_ns
    _flip(path)
    os.utime(path, ns=(before, before))
    assert zoo.is_sound(manifest.model("task"), store)
    monkeypatch.setattr(zoo, "load_manifest", lambda: manifest)
    (fault,) = zoo.verify("task", root=store)
    assert "small.tflite: expected SHA-256" in fault


@pytest.mark.parametrize("stamp", ["", "{", "[]", '{"files": 3}', '{"fingerprint": "x"}'])
def test_a_broken_stamp_only_costs_time(
    manifest: zoo.Manifest, store: Path, installed: Path, hashed: list[str], stamp: str
) -> None:
    (installed / zoo.STAMP_NAME).write_text(stamp)
    for _ in range(2):
        assert zoo.is_sound(manifest.model("task"), store)
    assert hashed == ["small.tflite", "other.tflite"]
    assert json.loads((installed / zoo.STAMP_NAME).read_text())["name"] == "task"


def test_a_read_only_store_is_readable(
    manifest: zoo.Manifest, store: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(installed / "small.tflite", ns=(1, 1))

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_text", refuse)
    for _ in range(2):
        assert zoo.is_sound(manifest.model("task"), store)


def test_a_missing_model_says_which_command_installs_it(
    manifest: zoo.Manifest, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "load_manifest", lambda: manifest)
    expected = (
        f"model net is not installed in {store}; install it with: edgeavatar models install net"
    )
    for call in (zoo.resolve, zoo.verify):
        with pytest.raises(ModelNotFound) as caught:
            call("net", root=store)
        assert str(caught.value) == expected
    with pytest.raises(ModelNotFound, match="there is no model 'nose'; the models are net, task"):
        zoo.resolve("nose", root=store)


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path / "here"))
    assert zoo.store_root() == tmp_path / "here"
    monkeypatch.setenv("EDGEAVATAR_MODELS", "~/models")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert zoo.store_root() == tmp_path / "models"
    monkeypatch.delenv("EDGEAVATAR_MODELS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform == "linux":
        assert zoo.store_root() == tmp_path / "data" / "edgeavatar" / "models"


# ------------------------------------------------------------------------------------ our own files


def test_own_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text(MANIFEST_TEXT + _LOCAL + 'local = "w.npz"\n')
    monkeypatch.setattr(zoo, "models_dir", lambda: tmp_path)
    with pytest.raises(ModelNotFound, match=r"w\.npz comes with edgeavatar and is missing; rein"):
        zoo.own_file("w.npz")
    (tmp_path / "w.npz").write_bytes(b"abc")
    assert zoo.own_file("w.npz") == tmp_path / "w.npz"
    (tmp_path / "w.npz").write_bytes(b"abcd")
    with pytest.raises(IntegrityError, match="expected 3 bytes, found 4; reinstall edgeavatar"):
        zoo.own_file("w.npz")


def test_an_installed_package_carries_its_models(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "site-packages" / "edgeavatar"
    package.mkdir(parents=True)
    monkeypatch.setattr(zoo, "__file__", str(package / "zoo.py"))
    assert zoo.models_dir() == package.parent / "models"
    (package / "_models").mkdir()
    assert zoo.models_dir() == package / "_models"


# ---------------------------------------------------------------------------------- the real store


def test_every_model_that_the_tests_need_is_there_and_whole(model_store: Any) -> None:
    for model in zoo.load_manifest().in_profile("test"):
        files = model_store.resolve(model.name)
        assert set(files) == set(model.files)
        for key, path in files.items():
            assert path.stat().st_size == model.files[key].bytes


def _files_with_tensors() -> list[tuple[str, str]]:
    return [
        (model.name, file.key)
        for model in zoo.load_manifest().in_profile("test")
        for file in model.files.values()
        if file.inputs
    ]


@pytest.mark.parametrize(("name", "key"), _files_with_tensors())
def test_the_declared_tensors_are_the_real_ones(model_store: Any, name: str, key: str) -> None:
    from edgeavatar.backends import open_session

    path = model_store.resolve(name)[key]
    declared = zoo.load_manifest().model(name).files[key]
    backend = "onnxruntime" if path.suffix in (".onnx", ".ort") else "openvino"
    with open_session(path, backend=backend, threads=1) as session:
        for real, wanted in (
            (session.inputs, declared.inputs),
            (session.outputs, declared.outputs),
        ):
            assert [(t.name, str(t.dtype), tuple(t.shape)) for t in real] == [
                (t.name, t.dtype, t.shape) for t in wanted
            ]
