"""``edgeavatar analyze``: tell what is in a video, a photo or a recording."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", type=_PATH)
@click.option("--json", "-o", "json", type=_PATH, help="Write the summary as JSON.")
@click.option(
    "--columns", type=_PATH, help="Write what was measured in each frame, as columns (.npz)."
)
@click.option("--html", type=_PATH, help="Write a report with pictures, in one file.")
@click.option("--srt", type=_PATH, help="Write what is said as subtitles.")
@click.option(
    "--model",
    type=click.Choice(["tiny", "base"]),
    default="tiny",
    show_default=True,
    help="Of the recogniser; base makes fewer errors and takes four times the time.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Of each model. Default: 1, because several work at the same time.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def analyze(source: Path, quiet: bool, **options: Any) -> None:
    """Tell what is in a video, a photo or a recording.

    Faces, where they look and what they express, how camera and body move, what is said and how,
    in what light and frame, and whether it is good enough to render from. What could not be
    measured is left out. Nothing leaves this machine.

    \b
    Examples:
      edgeavatar analyze clip.mp4
      edgeavatar analyze clip.mp4 --html report.html
      edgeavatar analyze clip.mp4 --json clip.json --columns clip.npz --srt clip.srt
      edgeavatar analyze portrait.jpg
    """
    # Read when numpy is loaded, below. Products this small are over before a second thread has
    # begun; what it does is to wait, at full speed, for the next one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from edgeavatar.cli.analysis_table import print_analysis
    from edgeavatar.cli.progress import progress_bar
    from edgeavatar.pipeline.analysing import AnalysisJob, run_analysis

    job = AnalysisJob(source, **options)
    with progress_bar(quiet=quiet) as tell:
        analysis = run_analysis(job, tell)
    if quiet:
        return
    print_analysis(analysis)
    for path in job.outputs:
        click.echo(f"wrote {path}")
