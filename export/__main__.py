"""``python -m export``: trained nets to files that are proven equal enough, and faster."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeavatar.errors import EdgeAvatarError, UsageError

if TYPE_CHECKING:
    from export.converting import Conversion

MODELS = Path(__file__).resolve().parent.parent / "models"
_PRECISIONS = ("fp32", "fp16", "int8", "mixed")
_FORMATS = ("onnx", "openvino")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Turn trained nets into ONNX and OpenVINO files, proven equal enough and faster.

    \b
    python -m export list
    python -m export build mouth-painter -o out/painter
    python -m export build mouth-painter --checkpoint painter.pt -o out/painter
    python -m export compare out/painter
    python -m export publish out/painter
    """  # noqa: D301 - click reads \b


@main.command("list")
def list_() -> None:
    """Show what can be built, and what weights each takes."""
    from export.recipes import recipe_named, recipe_names

    for recipe in map(recipe_named, recipe_names()):
        click.echo(f"{recipe.name:22} {recipe.title}\n{'':22} weights: {recipe.weights}")


@main.command()
@click.argument("name")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Weights of torch; by default those that are installed.",
)
@click.option("--format", "formats", default=",".join(_FORMATS), help="onnx, openvino; commas.")
@click.option(
    "--precision", "precisions", default=",".join(_PRECISIONS), help="fp32, fp16, int8, mixed."
)
@click.option("--calibration", default="calibration", help="Set of recorded inputs.")
@click.option("--opset", type=int, default=17, show_default=True, help="Of the ONNX files.")
@click.option("--threads", type=click.IntRange(1), help="Of one inference, when it is timed.")
@click.option("--device-report", is_flag=True, help="Print what this machine is.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder.")
def build(
    name: str,
    checkpoint: Path | None,
    formats: str,
    precisions: str,
    calibration: str,
    opset: int,
    threads: int | None,
    device_report: bool,
    output: Path,
) -> None:
    """Build NAME: trace, quantize, measure, judge, report; or pack and check a model of others."""
    from export.building import Wanted
    from export.building import build as run
    from export.calibration import SETS
    from export.converting import Conversion
    from export.graph import OPSETS
    from export.recipes import recipe_named
    from export.recipes.base import wants_no_checkpoint
    from export.report import as_markdown

    recipe = recipe_named(name)
    if isinstance(recipe, Conversion):
        wants_no_checkpoint(name, checkpoint)
        _pack(recipe, output)
        return
    if calibration not in SETS:
        raise UsageError(f"expected a calibration set of {', '.join(SETS)}, found {calibration}")
    if opset not in OPSETS:
        raise UsageError(f"expected an opset from {OPSETS[0]} to {OPSETS[-1]}, found {opset}")
    wanted = Wanted(
        formats=_among(formats, _FORMATS, "formats"),  # type: ignore[arg-type]
        precisions=_among(precisions, _PRECISIONS, "precisions"),  # type: ignore[arg-type]
        calibration=calibration,
        opset=opset,
        threads=threads,
    )
    report = run(recipe, checkpoint, output, wanted, _tell)
    if device_report:
        click.echo(json.dumps(report["device"], indent=1))
    click.echo(as_markdown(report))
    click.echo(str(output / "report.md"))


def _pack(conversion: Conversion, output: Path) -> None:
    from export.converting import as_markdown, convert

    report = convert(conversion, output, _tell)
    click.echo(as_markdown(report))
    click.echo(str(output / "report.md"))
    if not report["passed"]:
        sys.exit(1)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--threads", type=click.IntRange(1), help="Of one inference, when it is timed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(folder: Path, threads: int | None, as_json: bool) -> None:
    """Measure the files in FOLDER again, on this machine; exit 1 if none but fp32 passes."""
    from export.building import Wanted, read_report
    from export.building import compare as run
    from export.converting import Conversion
    from export.device import describe_device
    from export.recipes import recipe_named
    from export.report import as_markdown, report_of

    before = read_report(folder)
    recipe = recipe_named(before["name"])
    if isinstance(recipe, Conversion):  # read_report takes no report of one
        raise UsageError(f"expected a net in {folder}, found the pack {recipe.name}")
    results = run(recipe, folder, Wanted(threads=threads), _tell)
    details = {key: before[key] for key in ("checkpoint", "opset", "calibration", "nets", "sha256")}
    report = report_of(before["name"], before["title"], results, {}, describe_device(), details)
    click.echo(json.dumps([asdict(r) for r in results]) if as_json else as_markdown(report))
    if not any(r.passed for r in results if r.precision != "fp32"):
        sys.exit(1)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def card(folder: Path) -> None:
    """Print the model card of a build."""
    from export.building import read_report
    from export.report import card_of

    click.echo(card_of(read_report(folder)), nl=False)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--precision", "precisions", default="", help="Only these; by default all.")
@click.option("--format", "formats", default="", help="Only these; by default all.")
@click.option(
    "--models", type=click.Path(path_type=Path), default=MODELS, help="Folder of the manifest."
)
def publish(folder: Path, precisions: str, formats: str, models: Path) -> None:
    """Copy the files in FOLDER that passed to the weights that ship, and enter them."""
    from export.building import read_report
    from export.publishing import publish as run

    only = (
        _among(precisions or ",".join(_PRECISIONS), _PRECISIONS, "precisions"),
        _among(formats or ",".join(_FORMATS), _FORMATS, "formats"),
    )
    for name in run(read_report(folder), folder, models, *only):
        click.echo(str(models / name))


def _among(given: str, known: Sequence[str], what: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    unknown = [part for part in found if part not in known]
    if unknown or not found:
        raise UsageError(
            f"expected {what} of {', '.join(known)}, found {', '.join(unknown) or 'none'}"
        )
    return found


def _tell(text: str) -> None:
    click.echo(text, err=True)


def run() -> None:
    """Run a command; a user's mistake is one line and an exit code."""
    try:
        main(standalone_mode=False)
    except EdgeAvatarError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except ModuleNotFoundError as error:
        click.echo(
            f"error: expected the package {error.name}, found it not; install what export needs: "
            "pip install -e '.[export]'",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    run()
