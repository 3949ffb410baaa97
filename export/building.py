"""From a checkpoint to judged files and their report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from edgeavatar.errors import IntegrityError, UsageError
from edgeavatar.zoo import file_sha256
from export.calibration import CALIBRATION, HELD_OUT
from export.device import describe_device
from export.gates import Format, Precision
from export.graph import OPSET
from export.measuring import Result, measure
from export.publishing import entries_of, results_of
from export.recipes.base import Net, Recipe, onnx_runner
from export.report import REPORT, report_of, write_report
from export.variants import Variant, file_of, make_variants, recorded

ENTRIES = "manifest.toml"
CALIBRATED_WITH, HELD_OUT_INPUTS = 100, 40
"""Recorded inputs; of more, so many from all over are taken."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a build is to make."""

    formats: tuple[Format, ...] = ("onnx", "openvino")
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8", "mixed")
    calibration: str = CALIBRATION
    opset: int = OPSET
    threads: int | None = None
    rounds: int = 60


def build(
    recipe: Recipe, checkpoint: Path | None, folder: Path, wanted: Wanted, tell: Tell
) -> dict[str, Any]:
    """Make, measure and judge the files of a recipe, and write the report beside them.

    Files that no gate let through are measured, reported and taken away again; single precision
    always stays, since others are compared with it.

    Parameters
    ----------
    recipe
        What to make.
    checkpoint
        Weights; None takes those that are installed.
    folder
        To write to; made if it is not there.
    wanted
        Formats, precisions, and how to measure.
    tell
        Called with what is being done.

    Returns
    -------
    dict
        The report, as written to ``report.json``.

    Raises
    ------
    EdgeAvatarError
        The checkpoint does not fit, or models are missing.
    """
    tell(f"{recipe.name}: reading the weights")
    nets = recipe.nets(checkpoint)
    if any(net.module is not None for net in nets):
        import torch

        # More threads sum in another order, and two builds would differ.
        torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    layers, parts = {}, []
    inputs = 0
    for net in nets:

        def note(text: str, stem: str = net.stem) -> None:
            tell(f"{stem}: {text}")

        note("recording what it meets")
        calibrates = {"int8", "mixed"} & set(wanted.precisions)
        calibration = recorded(net, wanted.calibration, CALIBRATED_WITH) if calibrates else []
        inputs += len(calibration)
        made = make_variants(
            net, wanted.formats, wanted.precisions, calibration, folder, wanted.opset, note
        )
        variants = list(made.variants)
        layers[net.stem] = made.sensitivities
        found = measure(
            net,
            variants,
            net.reference(),
            recorded(net, HELD_OUT, HELD_OUT_INPUTS),
            wanted.threads,
            wanted.rounds,
            note,
        )
        results += found
        parts.append(_part(net, variants))
    report = report_of(
        recipe.name,
        recipe.title,
        results,
        layers,
        describe_device(),
        {
            "checkpoint": "installed weights" if checkpoint is None else checkpoint.name,
            "opset": _opset(nets[0], wanted),
            "calibration": {"set": wanted.calibration, "inputs": inputs},
            "nets": parts,
            "sha256": _hashes(folder, parts),
        },
    )
    entries = entries_of(report, folder)
    (folder / ENTRIES).write_text("\n".join(entries.values()), encoding="utf-8")
    _take_away(folder, report)
    write_report(report, folder)
    return report


def _opset(net: Net, wanted: Wanted) -> int | None:
    """Give the opset of what was traced, or that a graph came with; None where it is no ONNX."""
    if net.module is not None:
        return wanted.opset
    if not net.through_onnx:
        return None
    return next(int(o.version) for o in net.onnx().opset_import if o.domain in ("", "ai.onnx"))


def _part(net: Net, variants: Sequence[Variant]) -> dict[str, Any]:
    return {
        "stem": net.stem,
        "manifest": None if net.manifest is None else list(net.manifest),
        "variants": [
            {
                "format": v.format,
                "precision": v.precision,
                "files": [path.name for path in v.files],
                "kept": list(v.kept),
            }
            for v in variants
        ],
    }


def _hashes(folder: Path, parts: Sequence[dict[str, Any]]) -> dict[str, str]:
    names = [n for part in parts for v in part["variants"] for n in v["files"]]
    return {n: file_sha256(folder / n) for n in names}


def _take_away(folder: Path, report: dict[str, Any]) -> None:
    """Remove the files that passed nowhere: what lies about gets used."""
    for part in report["nets"]:
        for variant in part["variants"]:
            passed = any(r["passed"] for r in results_of(report, part, variant))
            if not passed and variant["precision"] != "fp32":
                for name in variant["files"]:
                    (folder / name).unlink()


def read_report(folder: Path) -> dict[str, Any]:
    """Read the report of a build.

    Raises
    ------
    UsageError
        There is none.
    IntegrityError
        It is not one.
    """
    path = folder / REPORT
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"expected {REPORT} in {folder}, found none; run `python -m export build` first"
        ) from error
    except ValueError as error:
        raise IntegrityError(f"{path}: expected JSON, found: {error}; build again") from error
    if isinstance(report, dict) and "checks" in report:
        raise UsageError(
            f"expected a net in {folder}, found the pack {report.get('name')}; its report is all "
            "there is to it"
        )
    if not isinstance(report, dict) or not {"name", "nets", "results"} <= report.keys():
        raise IntegrityError(f"{path}: expected the report of a build, found something else")
    return report


def compare(recipe: Recipe, folder: Path, wanted: Wanted, tell: Tell) -> list[Result]:
    """Measure the files of a build again, here, beside its ONNX file in single precision.

    Where there is none, the truth is the graph that the files were made of.

    Raises
    ------
    IntegrityError
        A file is not the one that was built.
    """
    report = read_report(folder)
    results: list[Result] = []
    for net in recipe.nets(None):
        part = next((p for p in report["nets"] if p["stem"] == net.stem), None)
        if part is None:
            continue
        variants = [
            Variant(v["format"], v["precision"], tuple(folder / n for n in v["files"]))
            for v in part["variants"]
            if all((folder / n).is_file() for n in v["files"])
        ]
        for path in (p for v in variants for p in v.files):
            if file_sha256(path) != report["sha256"][path.name]:
                raise IntegrityError(f"{path}: expected the file that was built; build again")
        truth = file_of(net.stem, "onnx", "fp32", folder)
        if net.through_onnx and not truth.is_file():
            raise IntegrityError(f"expected {truth}, found none; build again")
        results += measure(
            net,
            variants,
            onnx_runner(onnx.load(str(truth))) if net.through_onnx else net.reference(),
            recorded(net, HELD_OUT, HELD_OUT_INPUTS),
            wanted.threads,
            wanted.rounds,
            tell,
        )
    return results
