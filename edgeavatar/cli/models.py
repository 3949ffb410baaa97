"""``edgeavatar models``: install, list and verify models."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeavatar.cli.transfer_progress import size_text, transfer_reporter
from edgeavatar.errors import IntegrityError, ModelNotFound, UsageError

if TYPE_CHECKING:
    from edgeavatar import zoo
    from edgeavatar.installing import Installed

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
            size_text(model.bytes),
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
        with transfer_reporter(quiet=quiet) as report:
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
        click.echo(f"{model.name} {model.version} {state} ({size_text(model.bytes)})")
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

    with transfer_reporter(quiet=quiet) as report:
        written = installing.write_bundle(output, names or None, report=report)
    if not quiet:
        held = ", ".join(model.name for model in written)
        click.echo(f"{output}: {held} ({size_text(output.stat().st_size)})")


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
