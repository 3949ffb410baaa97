"""``edgeavatar voices``: list the voices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgeavatar.backends import TunedModels
    from edgeavatar.speech import VoiceInfo


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--measure", is_flag=True, help="Measure the speed again.")
@click.option("--installed", "only_installed", is_flag=True, help="Only voices that can be used.")
def voices(as_json: bool, measure: bool, only_installed: bool) -> None:
    """List the voices: language, licence, speed here, and how to install.

    Speed is seconds of work for one second of speech on this machine, measured the first time;
    with what `edgeavatar tune` found, if it did.

    \b
    Examples:
      edgeavatar voices
      edgeavatar voices --installed --measure
      edgeavatar speak --voice af_heart --text "Good morning." -o hello.wav
    """
    from edgeavatar.speech import DEFAULT_VOICE, is_installed, list_voices
    from edgeavatar.tuning import load_tuning

    tuning = load_tuning()
    for note in tuning.notes:
        click.echo(f"note: {note}", err=True)
    speeds: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for info in list_voices():
        installed = is_installed(info)
        usable = installed and not info.unavailable
        if only_installed and not usable:
            continue
        if usable and info.model not in speeds:
            speeds[info.model] = _speed(info, tuning.models, again=measure)
        rows.append(
            {
                "name": info.name,
                "default": info.name == DEFAULT_VOICE,
                "engine": info.engine,
                "languages": list(info.languages),
                "gender": info.gender,
                "description": info.description,
                "sample_rate": info.sample_rate,
                "licence": info.licence,
                "commercial_use": info.commercial_use,
                "model": info.model,
                "installed": installed,
                "install": f"edgeavatar models install {info.model}",
                "unavailable": info.unavailable,
                "real_time_factor": speeds[info.model] if usable else None,
            }
        )
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    _print_table(rows)


def _speed(info: VoiceInfo, tuned: TunedModels, *, again: bool) -> float:
    from edgeavatar.speech import known_speed, measure_speed

    known = None if again else known_speed(info, tuned)
    if known is not None:
        return known
    click.echo(f"measuring the speed of {info.model} ...", err=True)
    return round(measure_speed(info, tuned), 4)


def _print_table(rows: list[dict[str, Any]]) -> None:
    header = ("VOICE", "LANGUAGE", "GENDER", "ENGINE", "COMMERCIAL USE", "SPEED HERE", "STATE")
    lines = [
        (
            row["name"] + (" (default)" if row["default"] else ""),
            ", ".join(row["languages"]),
            row["gender"],
            row["engine"],
            row["commercial_use"],
            "-" if row["real_time_factor"] is None else f"{row['real_time_factor']:.3f}",
            _state(row),
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    for line in [header, *lines]:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
    licences = {row["model"]: row["licence"] for row in rows}
    missing = {row["install"] for row in rows if not row["installed"]}
    click.echo()
    for model, licence in licences.items():
        click.echo(f"{model}: {licence}")
    for command in sorted(missing):
        click.echo(f"more voices: {command}")


def _state(row: dict[str, Any]) -> str:
    if row["unavailable"]:
        return "cannot speak"
    return "ready" if row["installed"] else "not installed"
