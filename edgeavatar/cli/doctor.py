"""``edgeavatar doctor``: tell whether this machine is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgeavatar.diagnosis import Diagnosis, ModelStatus, TuningStatus


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Tell whether this machine is ready.

    Looks at processor, packages, backends, devices, models and encoders, runs one small model, and
    says what to do about what is missing. Uses no network. The exit code is 0 when a video can be
    made, else 1.

    \b
    Examples:
      edgeavatar doctor
      edgeavatar doctor --json | python3 -m json.tool
    """
    from edgeavatar.diagnosis import diagnose

    diagnosis = diagnose()
    if as_json:
        import json

        click.echo(json.dumps(diagnosis.as_json(), indent=2))
    else:
        for line in _report(diagnosis):
            click.echo(line)
    if not diagnosis.ready:
        ctx.exit(1)


def _report(found: Diagnosis) -> Iterator[str]:
    machine = found.machine
    memory = f", {machine.memory_bytes / 2**30:.0f} GiB memory" if machine.memory_bytes else ""
    yield _row("edgeavatar", found.version)
    yield _row("machine", f"{machine.processor}, {machine.cores} cores{memory}")
    if machine.usable_cores < machine.cores:
        yield _row("", f"this process may use {machine.usable_cores} of them")
    yield _row("instructions", ", ".join(machine.instruction_sets) or "none that matter")
    yield _row("system", machine.system)
    yield _row("python", f"{machine.python}  {machine.executable}")
    yield from _rows(
        "packages", [f"{name} {version or 'MISSING'}" for name, version in found.packages.items()]
    )
    yield from _rows("backends", [_backend_row(found, name) for name in found.backends])
    yield _row("trial run", f"face detector: {found.face_detector}")
    yield _row("encoders", ", ".join(found.encoders) or "none")
    yield from _rows("models", [_model_row(model) for model in found.models])
    yield _row("store", found.store)
    yield _row("cache", found.cache)
    yield from _rows("profile", list(_tuning_rows(found.tuning)))
    yield ""
    if found.ready:
        yield "ready"
        return
    yield "not ready:"
    for problem in found.problems:
        yield f"  - {problem}"


def _backend_row(found: Diagnosis, name: str) -> str:
    devices = found.devices.get(name, {})
    told = ", ".join(f"{device} ({title})" for device, title in devices.items())
    return f"{name} {found.backends[name]}: {told or 'no device'}"


def _tuning_rows(tuning: TuningStatus) -> Iterator[str]:
    if tuning.state == "none":
        told = f"none at {tuning.path}" if tuning.path else "none, as EDGEAVATAR_PROFILE says"
        yield f"{told}; `edgeavatar tune` measures what runs best here"
    elif tuning.measured:
        fits = "fits" if tuning.state == "fits" else "does not fit"
        yield (
            f"{tuning.path}, measured {tuning.measured} ({_age(tuning.age_days)}), {fits} this "
            f"machine, used for {tuning.models} model file{'s' if tuning.models != 1 else ''}"
        )
    if tuning.told:
        yield tuning.told


def _age(days: float) -> str:
    if days < 1:
        return "today" if days >= 0 else "in the future"
    return f"{days:.0f} day{'s' if round(days) != 1 else ''} ago"


def _model_row(model: ModelStatus) -> str:
    state = model.state
    if state == "missing":
        state_text = "missing" if model.required else "not installed (optional)"
    else:
        state_text = state
    row = f"{model.name:<20} {state_text:<25} {model.bytes / 1e6:6.1f} MB"
    if model.commercial_use != "yes":
        row += f"  commercial use: {model.commercial_use}"
    return row


def _rows(title: str, texts: Sequence[str]) -> Iterator[str]:
    for i, text in enumerate(texts or ["none"]):
        yield _row("" if i else title, text)


def _row(title: str, text: str) -> str:
    return f"{title:<14}{text}"
