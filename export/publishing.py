"""What passed every gate goes to the weights that ship, and into the manifest."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeavatar.errors import IntegrityError, UsageError
from edgeavatar.zoo import file_sha256

MANIFEST = "manifest.toml"
_WRITTEN = ("local", "bytes", "sha256", "precision", "variant_of", "tolerance", "weights")
"""Fields of a file's table that are written anew; all others stay."""
_SLACK = 2.0
"""A variant may be so many times further from its base on another machine, which rounds otherwise,
before ``edgeavatar tune`` refuses it."""


def results_of(
    report: Mapping[str, Any], part: Mapping[str, Any], variant: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Pick what was measured of one variant of one net, on every backend."""
    wanted = part["stem"], variant["format"], variant["precision"]
    return [r for r in report["results"] if (r["stem"], r["format"], r["precision"]) == wanted]


def entries_of(
    report: Mapping[str, Any],
    folder: Path,
    precisions: Sequence[str] = ("fp16", "int8", "mixed"),
    formats: Sequence[str] = ("onnx", "openvino"),
) -> dict[str, str]:
    """Write the manifest's tables for all files that passed on some backend, by their headings.

    Parameters
    ----------
    report
        Of a build.
    folder
        Where its files are.
    precisions, formats
        Only these.
    """
    tables: dict[str, str] = {}
    for part in report["nets"]:
        if part["manifest"] is None:
            continue
        model, base = part["manifest"]
        for variant in part["variants"]:
            results = results_of(report, part, variant)
            if variant["precision"] not in precisions or variant["format"] not in formats:
                continue
            # Shipped files are those of half precision, and what beats them.
            if variant["precision"] == "fp32" or not any(r["passed"] for r in results):
                continue
            if variant["format"] == "openvino" and variant["precision"] == "fp16":
                continue
            key = base
            lines = [f'precision = "{variant["precision"]}"']
            if variant["precision"] != "fp16":
                key = f"{base}_{variant['precision']}"
                if variant["format"] == "openvino":
                    key += "_ir"
                away = _SLACK * max(r["figures"]["rms_error"] for r in results)
                lines += [f'variant_of = "{base}"', f"tolerance = {away:.2g}"]
            files = [folder / name for name in variant["files"]]
            if len(files) > 1:
                lines.append(f'weights = "{key}_bin"')
                tables |= _table(model, f"{key}_bin", files[1], [])
            tables |= _table(model, key, files[0], lines)
    return tables


def _table(model: str, key: str, path: Path, lines: Sequence[str]) -> dict[str, str]:
    heading = f"[models.{model}.files.{key}]"
    body = [
        heading,
        f'local = "{path.name}"',
        f"bytes = {path.stat().st_size}",
        f'sha256 = "{file_sha256(path)}"',
        *lines,
    ]
    return {heading: "\n".join(body) + "\n"}


def merged(manifest: str, tables: Mapping[str, str]) -> str:
    """Put tables into the text of a manifest: over those of the same heading, or behind a sibling.

    Raises
    ------
    UsageError
        A table belongs to a model that the manifest does not have.
    """
    for heading, table in tables.items():
        start = manifest.find(heading + "\n")
        if start >= 0:
            end = _end_of_table(manifest, start)
            kept = [
                line
                for line in manifest[start:end].splitlines()[1:]
                if line and line.partition(" ")[0] not in _WRITTEN
            ]
            body = table + "".join(f"{line}\n" for line in kept)
            manifest = manifest[:start] + body + manifest[end:]
            continue
        siblings = heading.partition(".files.")[0] + ".files."
        last = manifest.rfind(siblings)
        if last < 0:
            model = siblings.removeprefix("[models.").removesuffix(".files.")
            raise UsageError(f"expected {model} in the manifest, found it not; enter it first")
        end = _end_of_table(manifest, last)
        manifest = manifest[:end].rstrip("\n") + "\n\n" + table + manifest[end:]
    return manifest


def _end_of_table(manifest: str, start: int) -> int:
    """Find the line break before the next heading."""
    end = manifest.find("\n[", start)
    return len(manifest) if end < 0 else end


def publish(
    report: Mapping[str, Any],
    folder: Path,
    models: Path,
    precisions: Sequence[str] = ("fp16", "int8", "mixed"),
    formats: Sequence[str] = ("onnx", "openvino"),
) -> list[str]:
    """Copy files that passed, and enter them.

    Parameters
    ----------
    report
        Of a build.
    folder
        Where its files are.
    models
        Folder of the weights that ship, with the manifest.
    precisions, formats
        Only these.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    IntegrityError
        A file is not the one that was measured.
    UsageError
        Nothing passed, or the manifest does not know the model.
    """
    tables = entries_of(report, folder, precisions, formats)
    if not tables:
        raise UsageError("expected files that passed every gate, found none; see report.md")
    names = [re.findall(r'local = "([^"]+)"', table)[0] for table in tables.values()]
    for name in names:
        if file_sha256(folder / name) != report["sha256"].get(name):
            raise IntegrityError(f"{name}: expected the file that was measured; build again")
    path = models / MANIFEST
    text = merged(path.read_text(encoding="utf-8"), tables)
    for name in names:
        draft = models / f"part-{name}"
        shutil.copyfile(folder / name, draft)
        draft.replace(models / name)
    draft = models / f"part-{MANIFEST}"
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return names
