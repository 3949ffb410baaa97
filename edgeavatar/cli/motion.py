"""``edgeavatar motion``: write the mouth motion of words as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeavatar.cli.options import model_options, read_text, style_options, text_options

if TYPE_CHECKING:
    from edgeavatar.pipeline.motion import MotionReport

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("audio", type=_PATH, required=False)
@text_options
@click.option("--output", "-o", type=_PATH, required=True, help="Track to write: .json.")
@click.option("--voice", help="Who says the text; see `edgeavatar voices`.")
@click.option("--rate", type=float, default=1.0, show_default=True, help="Speaking rate, 0.5 to 2.")
@style_options
@click.option(
    "--fps",
    default="25",
    show_default=True,
    help="Rows per second, as 30, 29.97 or 30000/1001.",
)
@click.option(
    "--plot",
    type=_PATH,
    help="Picture to draw of the first 30 s: .png, .svg or .pdf. Needs the extra `plot`.",
)
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def motion(
    text: str | None,
    text_file: Path | None,
    fps: str,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Write the mouth motion of words, frame by frame.

    The words come from AUDIO, any file with sound, or from text. The track is JSON: one row of
    weights (ARKit names) for each frame, the same that `edgeavatar render` shows, and for text the
    times of phonemes and words. `edgeavatar render --motion` follows a track, also of other tools;
    docs/motion.md describes the format.

    \b
    Examples:
      edgeavatar motion speech.wav -o track.json
      edgeavatar motion --text "Good morning." -o track.json --plot track.png
      edgeavatar render -s face.jpg --audio speech.wav --motion track.json -o talk.mp4
    """
    from edgeavatar.pipeline.motion import MotionJob, write_motion
    from edgeavatar.rates import parse_rate

    job = MotionJob(text=read_text(text, text_file), fps=parse_rate(fps), **options)
    report = write_motion(job)
    if as_json:
        import dataclasses
        import json

        click.echo(json.dumps(dataclasses.asdict(report), ensure_ascii=False))
    elif not quiet:
        click.echo(_summary(report))
        for warning in report.warnings:
            click.echo(f"note: {warning}")


def _summary(report: MotionReport) -> str:
    told = [
        report.output,
        f"{report.duration_s:.2f} s",
        f"{report.rows} row{'s' if report.rows != 1 else ''} at {report.fps:.5g} fps",
    ]
    if report.voice is not None:
        told.append(f"voice {report.voice}")
    if report.plot is not None:
        told.append(f"plot {report.plot}")
    return "  ".join(told)
