"""``edgeavatar transcribe``: write down what is said, with times, or as subtitles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from edgeavatar.pipeline.transcript import TranscriptReport

_PATH = click.Path(path_type=Path)
_FORMATS = ("txt", "srt", "vtt", "json")


@click.command()
@click.argument("source", type=_PATH)
@click.option(
    "--output", "-o", type=_PATH, help="File to write. Default: the text goes to standard output."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="txt: words; srt, vtt: subtitles; json: words with times and confidence. Default: as the "
    "output ends, else txt.",
)
@click.option(
    "--model",
    type=click.Choice(["tiny", "base"]),
    default="tiny",
    show_default=True,
    help="base makes fewer errors and takes four times the time.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Of the recogniser. Default: 1.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but the text and errors.")
def transcribe(
    source: Path, output: Path | None, form: Any, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Write down what is said in a recording or a video.

    English only: words of other languages come out as English ones that sound alike. Silence, noise
    and music give no words; of a recording without words, the transcript is empty.

    Subtitles have at most 2 lines of 42 characters and, where the speech leaves time, at most 17
    characters a second. Words of clear speech are timed to 8 ms (median; 9 of 10 to 33 ms).

    \b
    Examples:
      edgeavatar transcribe talk.mp4
      edgeavatar transcribe talk.mp4 -o talk.srt
      edgeavatar transcribe interview.wav --model base --format json -o interview.json
    """
    from edgeavatar.cli.progress import progress_bar
    from edgeavatar.pipeline.transcript import TranscriptJob, write_transcript

    if as_json and output is None:
        raise UsageError(
            "--json prints a report on standard output, where the text would go; add --output"
        )
    job = TranscriptJob(source, output, form or _by_ending(output), **options)
    with progress_bar(quiet=quiet or as_json) as tell:
        report = write_transcript(job, tell, _print if output is None else None)
    if as_json:
        import dataclasses
        import json

        click.echo(json.dumps(dataclasses.asdict(report)))
    elif not quiet:
        if output is not None:
            click.echo(_summary(report))
        for warning in report.warnings:
            # The text alone is on standard output.
            click.echo(f"note: {warning}", err=output is None)


def _by_ending(output: Path | None) -> Any:
    ending = "" if output is None else output.suffix.lower().lstrip(".")
    return ending if ending in _FORMATS else "txt"


def _print(piece: str) -> None:
    click.echo(piece, nl=False)


def _summary(report: TranscriptReport) -> str:
    told = [f"{report.output}", f"{report.duration_s:.1f} s", f"{report.words} words"]
    if report.format in ("srt", "vtt"):
        told.append(f"{report.cues} subtitles")
    return "  ".join(told)
