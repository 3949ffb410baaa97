"""The command line: ``edgeavatar COMMAND``.

A command's module is imported when the command is called, so that ``--help`` is instant. What goes
wrong becomes one line on stderr and an exit code here, and only here.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from edgeavatar import __version__
from edgeavatar.errors import EdgeAvatarError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

COMMANDS: dict[str, tuple[str, str]] = {
    "render": ("edgeavatar.cli.render:render", "Make a video of a face saying words."),
    "speak": ("edgeavatar.cli.speak:speak", "Turn text into speech with exact timings."),
    "motion": ("edgeavatar.cli.motion:motion", "Write the mouth motion of words, frame by frame."),
    "transcribe": (
        "edgeavatar.cli.transcribe:transcribe",
        "Write down what is said in a recording or a video.",
    ),
    "analyze": (
        "edgeavatar.cli.analyze:analyze",
        "Tell what is in a video, a photo or a recording.",
    ),
    "preflight": (
        "edgeavatar.cli.preflight:preflight",
        "Tell what a source will do to the result, before it is made.",
    ),
    "voices": (
        "edgeavatar.cli.voices:voices",
        "List the voices: language, licence, speed here, and how to install.",
    ),
    "portrait": ("edgeavatar.cli.portrait:portrait", "Paint a person who does not exist."),
    "models": ("edgeavatar.cli.models:models", "Install, list and verify models."),
    "tune": ("edgeavatar.cli.tune:tune", "Measure what runs best on this machine."),
    "doctor": ("edgeavatar.cli.doctor:doctor", "Tell whether this machine is ready."),
}
"""Name of each command -> where it lives, and the first line of its help."""

EXAMPLES: tuple[tuple[str, str], ...] = (
    (
        "A photo says a sentence:",
        'edgeavatar render --source face.jpg --text "Good morning." -o hello.mp4',
    ),
    (
        "A video gets new words, from a recording:",
        "edgeavatar render --source clip.mp4 --audio speech.wav -o dubbed.mp4",
    ),
    (
        "No face at hand? Make one that belongs to nobody:",
        "edgeavatar portrait --seed 90 -o face.png",
    ),
    (
        "Before the first use, and when something is wrong:",
        "edgeavatar models install && edgeavatar doctor",
    ),
)

EXIT_INTERRUPTED = 130
VERDICTS = frozenset({"preflight"})
"""Commands that end with a verdict: 0 good, 1 usable, 2 not usable."""
EXIT_BESIDE_VERDICTS = {1: 70, 2: 64}
"""Codes of errors that would be taken for a verdict, and those that such a command gives instead:
EX_SOFTWARE and EX_USAGE of BSD's sysexits.h."""
EXIT_BROKEN_PIPE = 141
DEBUG_VARIABLE = "EDGEAVATAR_DEBUG"
COMPLETION_VARIABLE = "_EDGEAVATAR_COMPLETE"
"""Set by a shell that completes a command line (click's protocol)."""


class LazyGroup(click.Group):
    """A group whose help is written without importing its commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order in which they are told."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module_name), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of ``args``, or say which ones there are."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}; the commands are {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples first, then usage, commands and options."""
        formatter.write_text(self.help or "")
        with formatter.section("Examples"):
            for i, (purpose, command) in enumerate(EXAMPLES):
                if i:
                    formatter.write_paragraph()
                formatter.write(f"{'':>{formatter.current_indent}}{purpose}\n")
                formatter.write(f"{'':>{formatter.current_indent + 2}}{command}\n")
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in COMMANDS.items()])
        click.Command.format_options(self, ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(
            "Nothing but 'models install' uses the network. 'edgeavatar COMMAND --help' tells "
            f"more; {DEBUG_VARIABLE}=1 shows the traceback of an error."
        )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A face and words go in, a video of that face saying those words comes out.",
)
@click.version_option(__version__, "-V", "--version", message="edgeavatar %(version)s")
def root() -> None:
    """All commands."""


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    The exit code is 0, the ``exit_code`` of the error's class, 130 after Ctrl-C, 143 after SIGTERM,
    129 after SIGHUP, 141 when the reader of the output has gone, 1 for a fault. Of ``preflight``,
    whose verdicts are 0, 1 and 2, a wrong option is 64 and a fault 70.

    Parameters
    ----------
    args
        Arguments without the program's name; None takes the process's own.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _exit_by_signal)
    exit_code = run(args)
    # All is told and cleaned up: another Ctrl-C would only disturb the interpreter's own end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(exit_code)


def run(args: Sequence[str] | None) -> int:
    """Run the command line and return its exit code; see :func:`main`."""
    if COMPLETION_VARIABLE in os.environ:
        root.main(prog_name="edgeavatar")
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        # Not root.main(): it would turn a broken pipe into an exit code of its own.
        with root.make_context("edgeavatar", list(arguments)) as ctx:
            root.invoke(ctx)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except (Exception, KeyboardInterrupt, _SignalExit) as error:
        code = _told(error)
        if VERDICTS.intersection(arguments[:1]):
            return EXIT_BESIDE_VERDICTS.get(code, code)
        return code


def _told(error: BaseException) -> int:
    """Say on stderr what went wrong; return the exit code."""
    if isinstance(error, EdgeAvatarError):
        return _fail(str(error), error.exit_code)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    if isinstance(error, click.UsageError):
        program = error.ctx.command_path if error.ctx else "edgeavatar"
        return _fail(f"{error.format_message()} (see {program} --help)", error.exit_code)
    if isinstance(error, click.ClickException):
        return _fail(error.format_message(), error.exit_code)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return _fail("interrupted", EXIT_INTERRUPTED)
    if isinstance(error, _SignalExit):
        with contextlib.suppress(OSError):  # after SIGHUP, the terminal may be gone
            _fail(f"ended by {error.signal.name}", error.exit_code)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # The interpreter flushes stdout once more on its way out; it must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = f" at {error.filename}" if error.filename else ""
        return _fail(f"the disk is full{place}; make room and run again", OutputError.exit_code)
    said = " ".join(str(error).split())
    return _fail(
        f"unexpected {type(error).__name__}{': ' if said else ''}{said} "
        f"(a fault of edgeavatar; {DEBUG_VARIABLE}=1 shows where)",
        1,
    )


def _fail(message: str, exit_code: int) -> int:
    if os.environ.get(DEBUG_VARIABLE, "") not in ("", "0"):
        import traceback

        traceback.print_exc()
    click.echo(f"error: {_on_one_line(message)}", err=True)
    return exit_code


def _on_one_line(message: str) -> str:
    # File names may hold line breaks and control codes of terminals.
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in message
    )


class _SignalExit(SystemExit):
    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        self.exit_code = 128 + number
        super().__init__(self.exit_code)


def _exit_by_signal(number: int, frame: FrameType | None) -> Any:  # noqa: ARG001
    raise _SignalExit(number)
