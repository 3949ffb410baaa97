"""Writes ``docs/cli.md`` from the help of every command.

``python docs/cli_reference.py`` writes the page, ``--check`` exits with 1 if it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from edgeavatar.cli import root

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 92
HEAD = """# Command line

Written by `make docs` from `--help`; what the exit codes mean is in [exit-codes.md](exit-codes.md).
"""


def _commands(command: click.Command, ctx: click.Context) -> Iterator[click.Context]:
    yield ctx
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            if not inner.hidden:
                yield from _commands(inner, _context(inner, name, ctx))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        **command.context_settings,
    )


def _page() -> str:
    parts = [HEAD]
    for ctx in _commands(root, _context(root, "edgeavatar", None)):
        level = "#" * (2 + ctx.command_path.count(" "))
        text = "\n".join(line.rstrip() for line in ctx.get_help().rstrip().splitlines())
        parts.append(f"{level} {ctx.command_path}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write or check the page."""
    page = _page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    print(f"error: {PAGE.name} is not what --help says; run: make docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
