"""Progress of a transfer of known size: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from edgeavatar.installing import Reporter

LINE_EVERY_S = 10.0
"""Pause between two plain lines of one step."""


def transfer_reporter(*, quiet: bool) -> AbstractContextManager[Reporter]:
    """Give what shows the steps of an installation on stderr.

    Parameters
    ----------
    quiet
        Show nothing.
    """
    from edgeavatar.installing import Silent

    if quiet:
        return nullcontext(Silent())
    return _Bars() if sys.stderr.isatty() else nullcontext(_Lines())


def size_text(size_bytes: int) -> str:
    """Return a size as people read it, in decimal units."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}"
    return f"{size_bytes} B"


class _Lines:
    """Progress as lines, one every ten seconds within a step."""

    def __init__(self) -> None:
        self._what = ""
        self._total = 0
        self._told_s = 0.0
        self._told_bytes = 0

    def begin(self, what: str, total_bytes: int, done_bytes: int = 0) -> None:
        """Print what begins."""
        self._what, self._total = what, total_bytes
        self._told_s, self._told_bytes = time.monotonic(), done_bytes
        kept = f", {size_text(done_bytes)} of it are here" if done_bytes else ""
        self.say(f"{what} ({size_text(total_bytes)}{kept})")

    def advance(self, done_bytes: int) -> None:
        """Print size, speed and remaining time now and then."""
        elapsed = time.monotonic() - self._told_s
        if elapsed >= LINE_EVERY_S:
            speed = (done_bytes - self._told_bytes) / elapsed
            left = f", {(self._total - done_bytes) / speed:.0f} s left" if speed > 0 else ""
            share = f"{size_text(done_bytes)} of {size_text(self._total)}"
            self.say(f"  {share}, {size_text(int(speed))}/s{left}")
            self._told_s, self._told_bytes = time.monotonic(), done_bytes

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
