"""Options that several commands share, and what stands behind them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")


def _all(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


text_options = _all(
    click.option("--text", "-t", help="What to say."),
    click.option(
        "--text-file",
        type=click.Path(path_type=Path, allow_dash=True),
        help="What to say; - is stdin.",
    ),
)
"""``--text`` and ``--text-file``; see :func:`read_text`."""

model_options = _all(
    click.option(
        "--backend",
        type=click.Choice(["auto", "onnxruntime", "openvino"]),
        default="auto",
        show_default=True,
        help="What runs the models.",
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "gpu", "npu", "cuda", "tensorrt"]),
        default="auto",
        show_default=True,
        help="Where the models run.",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Threads of the models. Default: as tuned, else all.",
    ),
    click.option(
        "--profile",
        default="auto",
        metavar="FILE|none",
        help="What `edgeavatar tune` measured, if not in its usual place; none: go without. "
        "--backend goes without too.",
    ),
)
"""``--backend``, ``--device``, ``--threads`` and ``--profile``."""

style_options = _all(
    click.option(
        "--style",
        type=click.Choice(["neutral", "lively", "calm"]),
        default="neutral",
        show_default=True,
        help="Size of all movements of the face.",
    ),
    click.option(
        "--articulation",
        type=float,
        default=1.0,
        show_default=True,
        help="Size of the mouth's movements, 0 to 1.5; 0 keeps it at rest.",
    ),
)
"""``--style`` and ``--articulation``."""


def read_text(text: str | None, text_file: Path | None) -> str | None:
    """Return the words of ``--text`` or ``--text-file``; None if neither is given.

    Raises
    ------
    UsageError
        Both are given.
    MediaError
        The file cannot be read or is not text in UTF-8.
    """
    from edgeavatar.errors import MediaError, UsageError

    if text_file is None:
        return text
    if text is not None:
        raise UsageError("--text and --text-file both say what to say; leave one out")
    name = "standard input" if str(text_file) == "-" else str(text_file)
    try:
        data = sys.stdin.buffer.read() if str(text_file) == "-" else text_file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MediaError(f"expected a text file at {name}, found none to read: {reason}") from None
    except UnicodeDecodeError as error:
        raise MediaError(
            f"expected {name} to be text in UTF-8, found other bytes at {error.start}; "
            "save it as UTF-8"
        ) from None
