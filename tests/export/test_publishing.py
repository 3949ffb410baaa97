"""What passed goes into the manifest, and nothing else changes there."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edgeavatar.errors import IntegrityError, UsageError
from export.publishing import entries_of, merged, publish

MANIFEST = """# kept
[models.a]
title = "a"

[models.a.files.net]
local = "net.onnx"
bytes = 1
sha256 = "00"
inputs = [{ name = "x" }]

[models.b]
title = "b"

[models.b.files.other]
local = "other.onnx"
"""


def report(folder: Path, *, passed: bool = True) -> dict[str, Any]:
    names = {"fp32": "net_fp32.onnx", "fp16": "net.onnx", "int8": "net_int8.onnx"}
    for precision, name in names.items():
        (folder / name).write_bytes(precision.encode())
    return {
        "nets": [
            {
                "stem": "net",
                "manifest": ["a", "net"],
                "variants": [
                    {"format": "onnx", "precision": p, "files": [n]} for p, n in names.items()
                ],
            }
        ],
        "results": [
            {
                "stem": "net",
                "format": "onnx",
                "precision": p,
                "passed": passed or p != "int8",
                "figures": {"rms_error": 0.05},
            }
            for p in names
        ],
        "sha256": {
            n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names.values()
        },
    }


def test_a_file_that_passed_becomes_a_variant_and_the_base_keeps_its_other_fields(
    tmp_path: Path,
) -> None:
    text = merged(MANIFEST, entries_of(report(tmp_path), tmp_path))
    files = tomllib.loads(text)["models"]["a"]["files"]
    assert files["net"]["bytes"] == 4
    assert files["net"]["precision"] == "fp16"
    assert files["net"]["inputs"] == [{"name": "x"}]
    assert files["net_int8"]["variant_of"] == "net"
    assert files["net_int8"]["tolerance"] == pytest.approx(0.1)
    assert files["net_int8"]["sha256"] == hashlib.sha256(b"int8").hexdigest()
    assert "net_fp32" not in files
    assert tomllib.loads(text)["models"]["b"] == tomllib.loads(MANIFEST)["models"]["b"]
    assert text.startswith("# kept\n")


def test_publishing_twice_changes_nothing(tmp_path: Path) -> None:
    tables = entries_of(report(tmp_path), tmp_path)
    once = merged(MANIFEST, tables)
    assert merged(once, tables) == once


def test_what_did_not_pass_is_not_entered(tmp_path: Path) -> None:
    tables = entries_of(report(tmp_path, passed=False), tmp_path)
    assert list(tables) == ["[models.a.files.net]"]


def test_a_model_that_the_manifest_does_not_know(tmp_path: Path) -> None:
    tables = {"[models.c.files.x]": '[models.c.files.x]\nlocal = "x"\n'}
    with pytest.raises(UsageError, match="expected c in the manifest"):
        merged(MANIFEST, tables)
    assert tmp_path.exists()


def test_a_file_that_was_changed_after_it_was_measured_is_refused(tmp_path: Path) -> None:
    built, models = tmp_path / "built", tmp_path / "models"
    built.mkdir()
    models.mkdir()
    (models / "manifest.toml").write_text(MANIFEST)
    good = report(built)
    (built / "net_int8.onnx").write_bytes(b"something else")
    with pytest.raises(IntegrityError, match=r"net_int8\.onnx"):
        publish(good, built, models)
    assert [p.name for p in models.iterdir()] == ["manifest.toml"]
    assert (models / "manifest.toml").read_text() == MANIFEST


def test_files_and_manifest_arrive_together(tmp_path: Path) -> None:
    built, models = tmp_path / "built", tmp_path / "models"
    built.mkdir()
    models.mkdir()
    (models / "manifest.toml").write_text(MANIFEST)
    assert publish(report(built), built, models, ("int8",)) == ["net_int8.onnx"]
    assert (models / "net_int8.onnx").read_bytes() == b"int8"
    assert not (models / "net.onnx").exists()
    assert "net_int8" in (models / "manifest.toml").read_text()
