"""``edgeavatar tune``: measure what runs best on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeavatar.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgeavatar.tuning.profile import Profile
    from edgeavatar.tuning.subjects import Subject

HEADER = ("MODEL", "FILE", "BACKEND", "PRECISION", "THREADS", "P50 MS", "P95 MS", "VERDICT")


@click.command()
@click.option(
    "--models", metavar="NAMES", help="Only these, with commas between; others keep what was found."
)
@click.option("--quick", is_flag=True, help="Measure less, for a first look.")
@click.option(
    "--threads",
    metavar="NUMBERS",
    help="Threads to try, as 1,2. Default: powers of two up to the cores that may be used.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Profile to write. Default: where other commands look for it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the profile instead of a table.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def tune(
    models: str | None,
    quick: bool,
    threads: str | None,
    output: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure what runs best on this machine.

    Every installed model is run in each way that it can be: its files (fp32, int8 ...), backends
    and numbers of threads. What computes the same and is fastest is written to a profile, which
    `render`, `speak` and `motion` go by from then on. Let nothing else run meanwhile; it takes
    about half a minute. The profile counts for this processor, its usable cores and the installed
    versions of the backends.

    \b
    Examples:
      edgeavatar tune
      edgeavatar tune --models mouth-painter,face --threads 1
      edgeavatar tune -o board.json && edgeavatar render --profile board.json ...
    """
    from edgeavatar.tuning.profile import (
        PROFILE_ENV,
        profile_path,
        profile_text,
        read_profile,
        write_profile,
    )
    from edgeavatar.tuning.run import TuneJob
    from edgeavatar.tuning.run import tune as run

    job = TuneJob(tuple(_names(models)), tuple(_numbers(threads)), quick)
    job.check()
    place = output or profile_path()
    if place is None:
        raise UsageError(f"{PROFILE_ENV}=none says that there is no profile; give one with -o")
    try:
        before = read_profile(place)
    except (FileNotFoundError, IntegrityError):
        before = None
    profile = run(job, before, None if quiet or as_json else _teller())
    write_profile(profile, place)
    if as_json:
        click.echo(profile_text(profile), nl=False)
    elif not quiet:
        for line in _table(profile):
            click.echo(line)
        click.echo(f"\nprofile: {place}")
        for note in profile.notes:
            click.echo(f"note: {note}")


def _names(told: str | None) -> Iterator[str]:
    for name in (told or "").split(","):
        if name.strip():
            yield name.strip()


def _numbers(told: str | None) -> Iterator[int]:
    for number in _names(told):
        # Not str.isdigit, to which superscripts are digits.
        if not (number.isascii() and number.isdecimal() and len(number) < 6):
            raise UsageError(f"expected --threads as whole numbers like 1,2, found {number!r}")
        yield int(number)


def _teller() -> Callable[[Subject, int, int], None]:
    def tell(subject: Subject, number: int, total: int) -> None:
        click.echo(f"measuring {subject.name} ({number + 1} of {total})", err=True)

    return tell


def _table(profile: Profile) -> Iterator[str]:
    from edgeavatar.tuning.choice import verdict

    rows = [HEADER]
    for tuned in profile.files:
        for m in tuned.measurements:
            c = m.candidate
            rows.append(
                (
                    tuned.model,
                    c.file,
                    c.backend,
                    c.precision,
                    str(c.threads),
                    _ms(m.p50_ms),
                    _ms(m.p95_ms),
                    verdict(m, tuned.chosen),
                )
            )
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    for row in rows:
        cells = [
            cell.rjust(width) if 4 <= i <= 6 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
