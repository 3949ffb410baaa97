"""``edgeavatar models``: install, list and verify models."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeavatar.errors import IntegrityError, ModelNotFound, UsageError

if TYPE_CHECKING:
    from edgeavatar import zoo
    from edgeavatar.installing import Installed, Reporter

PIPER_NOTE = (
    "Piper voices are spoken by piper-tts, which is GPL-3.0-or-later. It is a dependency that is "
    "loaded only when a Piper voice is used; without one, none of its code runs."
)

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


@click.group()
def models() -> None:
    """Install, list and verify models.

    \b
    Examples:
      edgeavatar models install                    the default models
      edgeavatar models install voice-kokoro       one more voice
      edgeavatar models bundle models.tar          all that is installed, for a stick
      edgeavatar models install --from models.tar  on a machine without a network

    Models lie in the folder EDGEAVATAR_MODELS, or in the user's data folder. Only 'models install'
    without --from uses the network: it fetches from the package index that pip is configured for.
    """


@models.command("list")
@_JSON
def list_models(as_json: bool) -> None:
    """List all models and whether they are installed."""
    from edgeavatar import zoo

    entries = [(model, _state(model)) for model in zoo.load_manifest().models.values()]
    if as_json:
        _print_json(
            [
                {
                    "name": model.name,
                    "title": model.title,
                    "task": model.task,
                    "version": model.version,
                    "bytes": model.bytes,
                    "commercial_use": model.commercial_use,
                    "profiles": list(model.profiles),
                    "state": state,
                }
                for model, state in entries
            ]
        )
        return
    rows = [
        (
            model.name,
            state,
            _size(model.bytes),
            model.commercial_use,
            " ".join(model.profiles) or "-",
            model.title,
        )
        for model, state in entries
    ]
    _print_table(("MODEL", "STATE", "SIZE", "COMMERCIAL USE", "PROFILES", "WHAT"), rows)
    click.echo(f"\nstore: {zoo.store_root()}")


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--profile",
    type=click.Choice(["default", "small", "best", "test"]),
    help="All models of a profile; 'default' if no name is given. 'test' is what the tests need.",
)
@click.option(
    "--from",
    "bundle",
    type=click.Path(path_type=Path),
    metavar="BUNDLE.tar",
    help="Take the models from a bundle; nothing is fetched.",
)
@click.option("--force", is_flag=True, help="Install again what is there.")
@_QUIET
@_JSON
def install(
    names: tuple[str, ...],
    profile: str | None,
    bundle: Path | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Install models by name or profile.

    What is there is left alone. An interrupted installation is continued by the same command. Every
    file must have the SHA-256 of the manifest.
    """
    from edgeavatar import installing, zoo

    if names and profile:
        raise UsageError("give names or a profile, not both")
    manifest = zoo.load_manifest()
    if profile or (not names and bundle is None):
        names = tuple(model.name for model in manifest.in_profile(profile or "default"))
    for name in names:
        manifest.model(name)
    try:
        with _reporter(quiet) as report:
            if bundle is not None:
                done = installing.install_bundle(bundle, names or None, force=force, report=report)
            else:
                done = installing.install(names, force=force, report=report)
    except KeyboardInterrupt:
        if not quiet:
            click.echo("What has arrived is kept; the same command continues it.", err=True)
        raise
    _tell_installed(done, quiet=quiet, as_json=as_json)


def _tell_installed(done: Sequence[Installed], *, quiet: bool, as_json: bool) -> None:
    if as_json:
        _print_json(
            [
                {
                    "name": item.model.name,
                    "version": item.model.version,
                    "path": str(item.path),
                    "already": item.already,
                    "commercial_use": item.model.commercial_use,
                }
                for item in done
            ]
        )
        return
    if quiet:
        return
    for item in done:
        model = item.model
        state = "was installed already" if item.already else "is installed"
        click.echo(f"{model.name} {model.version} {state} ({_size(model.bytes)})")
        if model.commercial_use != "yes" and not item.already:
            click.echo(f"  commercial use: {model.commercial_use}. {model.licence_weights}")
            if model.note:
                click.echo(f"  {model.note}")


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--manifest",
    "only_manifest",
    is_flag=True,
    help="Check the manifest and the files beside it instead of the store.",
)
@_QUIET
@_JSON
def verify(names: tuple[str, ...], only_manifest: bool, quiet: bool, as_json: bool) -> None:
    """Hash what is installed; exit with 4 on a fault.

    Without names, everything that is installed is verified.
    """
    from edgeavatar import zoo

    if only_manifest:
        if names:
            raise UsageError("--manifest checks the whole manifest and takes no names")
        results = {"manifest": zoo.check_manifest()}
    else:
        manifest = zoo.load_manifest()
        chosen = names or [m.name for m in manifest.models.values() if zoo.is_installed(m)]
        results = {name: zoo.verify(name) for name in dict.fromkeys(chosen)}
    faults = [fault for found in results.values() for fault in found]
    if as_json:
        _print_json(results)
    else:
        for name, found in results.items():
            for fault in found:
                click.echo(fault, err=True)
            if not quiet and not found:
                click.echo(f"{name}: ok")
        if not quiet and not results:
            click.echo(f"nothing is installed in {zoo.store_root()}")
    if faults:
        raise click.exceptions.Exit(IntegrityError.exit_code)


@models.command()
@_JSON
def licenses(as_json: bool) -> None:
    """List licences, and where commercial use is clear."""
    from edgeavatar import zoo

    entries = [
        {
            "name": model.name,
            "licence_package": model.licence_package,
            "licence_weights": model.licence_weights,
            "commercial_use": model.commercial_use,
            "attribution": model.attribution,
            "note": model.note,
            "installed": zoo.is_installed(model),
        }
        for model in zoo.load_manifest().models.values()
    ]
    if as_json:
        _print_json({"models": entries, "software": {"piper-tts": PIPER_NOTE}})
        return
    rows = [
        (
            str(entry["name"]),
            str(entry["commercial_use"]),
            str(entry["licence_weights"]),
            str(entry["licence_package"]),
            str(entry["attribution"]),
        )
        for entry in entries
    ]
    _print_table(("MODEL", "COMMERCIAL USE", "WEIGHTS", "PACKAGE", "ATTRIBUTION"), rows)
    notes = [f"{entry['name']}: {entry['note']}" for entry in entries if entry["note"]]
    for note in [*notes, PIPER_NOTE]:
        click.echo()
        click.echo(click.wrap_text(note, width=100))


@models.command()
@click.argument("output", type=click.Path(path_type=Path), metavar="OUT.tar")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_QUIET
def bundle(output: Path, names: tuple[str, ...], quiet: bool) -> None:
    """Write installed models into one tar file.

    It is for machines without a network: 'models install --from OUT.tar' installs it there. Without
    names, everything that is installed is written.
    """
    from edgeavatar import installing

    with _reporter(quiet) as report:
        written = installing.write_bundle(output, names or None, report=report)
    if not quiet:
        held = ", ".join(model.name for model in written)
        click.echo(f"{output}: {held} ({_size(output.stat().st_size)})")


@models.command()
@click.argument("name")
@click.argument("key", required=False)
@_JSON
def path(name: str, key: str | None, as_json: bool) -> None:
    """Print where a model is, or one file of it.

    KEY is a file of the model, as 'models path NAME --json' lists them.
    """
    from edgeavatar import zoo

    files = zoo.resolve(name)
    if key is not None:
        if key not in files:
            raise ModelNotFound(f"model {name} has no file {key!r}; it has {', '.join(files)}")
        _print_json(str(files[key])) if as_json else click.echo(files[key])
    elif as_json:
        _print_json({file_key: str(file) for file_key, file in files.items()})
    else:
        click.echo(zoo.model_dir(zoo.load_manifest().model(name)))


def _state(model: zoo.Model) -> str:
    from edgeavatar import zoo

    try:
        zoo.check_installed(model)
    except ModelNotFound:
        return "missing"
    except IntegrityError:
        return "damaged"
    return "built in" if model.is_local else "installed"


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _print_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [heading, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _size(size_bytes: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}"
    return f"{size_bytes} B"


def _reporter(quiet: bool) -> Any:
    """Return a context manager that gives the reporter for where stderr goes."""
    from contextlib import nullcontext

    from edgeavatar.installing import Silent

    if quiet:
        return nullcontext(Silent())
    if sys.stderr.isatty():
        return _Bars()
    return nullcontext(_Lines())


class _Lines:
    """Progress as lines, one every ten seconds within a step."""

    _INTERVAL_S = 10.0

    def __init__(self) -> None:
        self._what = ""
        self._total = 0
        self._told_s = 0.0
        self._told_bytes = 0

    def begin(self, what: str, total_bytes: int, done_bytes: int = 0) -> None:
        """Print what begins."""
        from time import monotonic

        self._what, self._total = what, total_bytes
        self._told_s, self._told_bytes = monotonic(), done_bytes
        kept = f", {_size(done_bytes)} of it are here" if done_bytes else ""
        self.say(f"{what} ({_size(total_bytes)}{kept})")

    def advance(self, done_bytes: int) -> None:
        """Print size, speed and remaining time now and then."""
        from time import monotonic

        elapsed = monotonic() - self._told_s
        if elapsed >= self._INTERVAL_S:
            speed = (done_bytes - self._told_bytes) / elapsed
            left = f", {(self._total - done_bytes) / speed:.0f} s left" if speed > 0 else ""
            self.say(f"  {_size(done_bytes)} of {_size(self._total)}, {_size(int(speed))}/s{left}")
            self._told_s, self._told_bytes = monotonic(), done_bytes

    def end(self) -> None:
        """Print nothing; the next line tells enough."""

    def say(self, line: str) -> None:
        """Print a line."""
        click.echo(line, err=True)


class _Bars:
    """Progress as a bar with size, speed and remaining time; gone when all is done."""

    def __enter__(self) -> Reporter:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def begin(self, what: str, total_bytes: int, done_bytes: int = 0) -> None:
        """Show a new bar."""
        self._task = self._progress.add_task(what, total=total_bytes, completed=done_bytes)

    def advance(self, done_bytes: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done_bytes)

    def end(self) -> None:
        """Remove the bar."""
        self._progress.remove_task(self._task)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False)
