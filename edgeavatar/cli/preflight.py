"""``edgeavatar preflight``: tell what a source will do to the result, before it is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeavatar.analysis.results import Factor, Preflight

_PATH = click.Path(path_type=Path)
_SIGNS = {"good": "ok", "warn": "WARN", "bad": "BAD", "unknown": "-"}
_VERDICTS = {
    "good": "good: nothing to do",
    "warn": "usable, with what is marked WARN",
    "bad": "not usable: see what is marked BAD",
    "unknown": "nothing could be measured",
}
_MOST_STRETCHES = 4


@click.command()
@click.option("--source", "-s", type=_PATH, required=True, help="Photo or video with a face.")
@click.option("--audio", "-a", type=_PATH, help="Recorded speech that the mouth is to follow.")
@click.option(
    "--face", metavar="WHICH", help="largest, left, right, an index from 0, or x0,y0,x1,y1."
)
@click.option("--json", "json_file", type=_PATH, metavar="FILE", help="Write everything as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; the exit code tells.")
@click.pass_context
def preflight(
    ctx: click.Context,
    source: Path,
    audio: Path | None,
    face: str | None,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Tell what a source will do to the result, before it is made.

    Size of the face, light, sharpness, pose, what covers the mouth, damage of the file and, with
    --audio, the sound: each with what was measured, from where on it costs something, what it does
    to the result and how to get rid of it.

    The exit code is 0 when all is good, 1 when there is something to be warned of, 2 when the
    source is not usable.

    \b
    Examples:
      edgeavatar preflight -s face.jpg
      edgeavatar preflight -s clip.mp4 --audio speech.wav --json found.json
    """
    from edgeavatar.cli.progress import progress_bar
    from edgeavatar.pipeline.preflighting import preflight as run

    with progress_bar(quiet=quiet) as tell:
        found = run(source, audio, face=face, tell=tell)
    if json_file is not None:
        from edgeavatar.pipeline.preflighting import write_preflight

        write_preflight(found, source, audio, json_file)
    if not quiet:
        for line in _report(found):
            click.echo(line)
    ctx.exit(found.exit_code)


def _report(found: Preflight) -> Iterator[str]:
    from edgeavatar.analysis.figures import amount, plain

    values = [plain(amount(factor.value, factor.unit)) for factor in found.factors]
    widths = (
        max((len(factor.title) for factor in found.factors), default=0),
        max((len(value) for value in values), default=0),
    )
    group = ""
    for factor, value in zip(found.factors, values, strict=True):
        if factor.group != group:
            group = factor.group
            yield f"{group}"
        row = f"  {_SIGNS[factor.verdict]:<5}{factor.title:<{widths[0]}}  {value:<{widths[1]}}  "
        yield f"{row}{_bounds(factor)}".rstrip()
    troubled = [factor for factor in found.factors if factor.verdict in ("warn", "bad")]
    for factor in troubled:
        yield ""
        yield f"{_SIGNS[factor.verdict]:<6}{factor.title}: {factor.effect}"
        if factor.times_s:
            yield f"      where: {_stretches(factor)}"
        yield f"      do:    {factor.advice}"
        yield f"      why:   {factor.why}"
    yield ""
    yield _VERDICTS[found.verdict]


def _bounds(factor: Factor) -> str:
    from edgeavatar.analysis.figures import bound, plain, worse

    bounds = (("warn", factor.warn_at), ("bad", factor.bad_at))
    return ", ".join(
        f"{name} {worse(factor)} {plain(bound(value, factor.unit))}"
        for name, value in bounds
        if value is not None
    )


def _stretches(factor: Factor) -> str:
    told = [f"{first:.1f} to {last:.1f} s" for first, last in factor.times_s[:_MOST_STRETCHES]]
    more = len(factor.times_s) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")
