"""A progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINE_EVERY_S = 5.0
"""Pause between two plain lines of one stage."""
EARLIEST_ETA = 0.05
"""Share done from which on the time left is guessed: the first frame waits for kernels."""


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[str, float | None, int], None]]:
    """Give a function that shows stage, share done and frames written, on stderr.

    Parameters
    ----------
    quiet
        Show nothing.
    """
    if quiet:
        yield lambda *_: None
    elif sys.stderr.isatty():
        with _bar() as tell:
            yield tell
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Callable[[str, float | None, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(),
        TextColumn("{task.fields[frames]} frames"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening", total=None, frames=0)

        def tell(stage: str, share: float | None, frames: int) -> None:
            total = None if share is None else 1.0
            bar.update(task, description=stage, total=total, completed=share or 0.0, frames=frames)

        yield tell


def _lines() -> Callable[[str, float | None, int], None]:
    last_stage, last_time, start = "", 0.0, time.monotonic()

    def tell(stage: str, share: float | None, frames: int) -> None:
        nonlocal last_stage, last_time
        now = time.monotonic()
        if stage == last_stage and now - last_time < LINE_EVERY_S:
            return
        text = stage
        if frames:
            text += f": {frames} frame{'s' if frames > 1 else ''}"
        if share:
            text += f", {share:.0%}"
            if stage == last_stage and EARLIEST_ETA <= share < 1:
                text += f", about {(now - start) / share * (1 - share):.0f} s left"
        click.echo(text, err=True)
        last_stage, last_time = stage, now

    return tell
