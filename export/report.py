"""What an export made, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.device import Device
from export.measuring import Result
from export.quantize import Sensitivity

REPORT, TABLE, CHART, CARD = "report.json", "report.md", "report.png", "card.md"


def report_of(
    name: str,
    title: str,
    results: Sequence[Result],
    layers: Mapping[str, Sequence[Sensitivity]],
    device: Device,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    """Gather everything in plain values."""
    return {
        "name": name,
        "title": title,
        **details,
        "device": asdict(device),
        "results": [r.as_json() for r in results],
        "sensitivities": {
            stem: [asdict(s) for s in found] for stem, found in layers.items() if found
        },
    }


def as_markdown(report: Mapping[str, Any]) -> str:
    """Write the report as a page."""
    device = report["device"]
    sets = ", ".join(device["instruction_sets"]) or "none of those that matter here"
    lines = [
        f"# {report['name']}: {report['title']}",
        "",
        f"{device['processor']}, {device['cores']} cores, {sets}; "
        + ", ".join(f"{k} {v}" for k, v in device["versions"].items()),
        "",
        f"Calibrated on {report['calibration']['inputs']} inputs ({report['calibration']['set']}), "
        f"judged on others. Speed is that of fp32 (of ONNX, if there is any) on the same backend "
        "over this, paired.",
        "",
        "| file | backend | ms p50 | p95 | speed | kB | rms error | task | worst | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in report["results"]:
        f, t = r["figures"], r["timing"]
        closed = [g for g in r["gates"] if not g["passed"]]
        verdict = "ships" if r["passed"] else "; ".join(_refusal(g) for g in closed)
        lines.append(
            f"| {r['stem']} {r['format']} {r['precision']} | {r['backend']} "
            f"| {t['p50_ms']:.2f} | {t['p95_ms']:.2f} | {t['speedup']:.2f} "
            f"| {f['size_bytes'] / 1000:.0f} | {f['rms_error']:.1e} "
            f"| {_told(f['task'])} | {f['task']['worst']:.4f} "
            f"| {verdict} |"
        )
    for stem, found in report["sensitivities"].items():
        kept = {k for r in report["results"] if r["stem"] == stem for k in r["kept"]}
        lines += [
            "",
            f"## Layers of {stem}",
            "",
            "Error of the outputs, over their size, when one layer alone is INT8; *float* stays so "
            "in mixed precision.",
            "",
            "| layer | error | |",
            "|---|---|---|",
            *(
                f"| `{s['layer']}` | {s['error']:.4f} | {'float' if s['layer'] in kept else ''} |"
                for s in found[:12]
            ),
        ]
    return "\n".join(lines) + "\n"


def _told(task: Mapping[str, Any]) -> str:
    figures = (task, *task.get("also", ()))
    return ", ".join(f"{f['measure']} {f['value']:.4f}" for f in figures)


def _refusal(gate: Mapping[str, Any]) -> str:
    return f"**{gate['name']} {gate['found']}**, wanted {gate['wanted']}"


def card_of(report: Mapping[str, Any]) -> str:
    """Write a model card's page on the files: which there are, and what each is good for."""
    lines = [
        f"# {report['name']}",
        "",
        f"{report['title'][:1].upper()}{report['title'][1:]}. Made by `python -m export build "
        f"{report['name']}`.",
        "",
        "| | |",
        "|---|---|",
        f"| weights | {report['checkpoint']} |",
        *([] if report["opset"] is None else [f"| opset | {report['opset']} |"]),
        f"| calibrated with | {report['calibration']['inputs']} inputs, "
        f"{report['calibration']['set']} |",
        "",
        "| file | precision | size | task beside fp32 | times fp32, per backend |",
        "|---|---|---|---|---|",
    ]
    for (stem, kind, precision), group in _by_file(report["results"]).items():
        if not any(r["passed"] for r in group):
            continue
        task = group[0]["figures"]["task"]
        speeds = ", ".join(f"{r['backend']} {r['timing']['speedup']:.2f}" for r in group)
        size = group[0]["figures"]["size_bytes"] / 1000
        lines.append(f"| {stem} {kind} | {precision} | {size:.0f} kB | {_told(task)} | {speeds} |")
    refused = [
        f"- {stem} {kind} {precision} on {r['backend']}: "
        + "; ".join(f"{g['name']} {g['found']}" for g in r["gates"] if not g["passed"])
        for (stem, kind, precision), group in _by_file(report["results"]).items()
        for r in group
        if not r["passed"]
    ]
    if refused:
        lines += ["", "Not good enough here:", "", *refused]
    return "\n".join(lines) + "\n"


def _by_file(results: Iterable[dict[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for r in results:
        found.setdefault((r["stem"], r["format"], r["precision"]), []).append(r)
    return found


def draw_chart(report: Mapping[str, Any], path: Path) -> None:
    """Draw time and error of every variant."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    results = report["results"]
    names = [f"{r['stem']} {r['format']} {r['precision']}\n{r['backend']}" for r in results]
    colours = ["#2a7f62" if r["passed"] else "#b5473c" for r in results]
    size = (11.0, 1.2 + 0.36 * len(results))
    figure, (left, right) = pyplot.subplots(1, 2, figsize=size, sharey=True)
    places = range(len(results))
    for axes, values, title in (
        (left, [r["timing"]["p50_ms"] for r in results], "median time, ms"),
        (right, [r["figures"]["rms_error"] for r in results], "rms error over the output's"),
    ):
        axes.barh(places, values, color=colours)
        axes.set_title(title, fontsize=10)
        axes.grid(axis="x", alpha=0.3)
    left.barh(
        places,
        [r["timing"]["p95_ms"] - r["timing"]["p50_ms"] for r in results],
        left=[r["timing"]["p50_ms"] for r in results],
        color=colours,
        alpha=0.3,
    )
    right.set_xscale("symlog", linthresh=1e-5)
    left.set_yticks(places, names, fontsize=7)
    left.invert_yaxis()
    figure.suptitle(f"{report['name']}: green ships, red does not; pale up to p95", fontsize=10)
    figure.tight_layout()
    draft = path.with_name(f"part-{path.name}")
    figure.savefig(draft, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    draft.replace(path)


def write_report(report: Mapping[str, Any], folder: Path) -> None:
    """Write all pages of a report."""
    for name, text in (
        (REPORT, json.dumps(report, indent=1) + "\n"),
        (TABLE, as_markdown(report)),
        (CARD, card_of(report)),
    ):
        draft = folder / f"part-{name}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / name)
    draw_chart(report, folder / CHART)
