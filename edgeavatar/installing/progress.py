"""What an installation tells while it runs."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives the steps of an installation; the command line draws them."""

    def begin(self, what: str, total_bytes: int, done_bytes: int = 0) -> None:
        """Begin a step of known size, perhaps with some of it done before."""

    def advance(self, done_bytes: int) -> None:
        """Tell how much of the running step is done in all."""

    def end(self) -> None:
        """End the running step, done or not."""

    def say(self, line: str) -> None:
        """Tell something that is worth a line."""


class Silent:
    """A reporter that keeps everything to itself."""

    def begin(self, what: str, total_bytes: int, done_bytes: int = 0) -> None:
        """Do nothing."""

    def advance(self, done_bytes: int) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Do nothing."""
