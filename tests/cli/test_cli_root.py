from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import click
import pytest

from edgeavatar import __version__, cli, errors

ROOT = Path(__file__).resolve().parents[2]


def _all_errors() -> list[type[errors.EdgeAvatarError]]:
    found = [errors.EdgeAvatarError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


def _command_that(monkeypatch: pytest.MonkeyPatch, function: object) -> None:
    """Make ``edgeavatar act`` call ``function``."""
    module = types.ModuleType("act_for_tests")
    module.act = click.command("act")(function)  # type: ignore[attr-defined, call-overload]
    monkeypatch.setitem(sys.modules, "act_for_tests", module)
    monkeypatch.setitem(cli.COMMANDS, "act", ("act_for_tests:act", ""))


def _raise(error: BaseException) -> object:
    def act() -> None:
        raise error

    return act


# ------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_listed_help_is_the_real_one(name: str) -> None:
    command = cli.root.get_command(click.Context(cli.root), name)
    assert command is not None
    assert command.get_short_help_str(limit=1000) == cli.COMMANDS[name][1]


def test_help_opens_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    told = capsys.readouterr().out
    assert told.index("Examples:") < told.index("Usage:") < told.index("Commands:")
    words = " ".join(told.split())
    for name, (_, short_help) in cli.COMMANDS.items():
        assert f" {name} {short_help} " in words


def test_help_is_instant() -> None:
    program = Path(sys.executable).with_name("edgeavatar")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    took_s = []
    # The fastest run is the one that nothing else on the machine disturbed.
    while min(took_s, default=1.0) >= 0.150 and len(took_s) < 30:
        start = time.perf_counter()
        subprocess.run([program, "--help"], check=True, capture_output=True, env=environment)
        took_s.append(time.perf_counter() - start)
    assert min(took_s) < 0.150


def _told_commands() -> list[str]:
    """Every command line that the help and the pages show."""
    told = [command for _, command in cli.EXAMPLES]
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ").replace("\\|", "|")
        told += re.findall(r"^(?: {4}|\$ )?(edgeavatar .+)$", text, re.MULTILINE)
        told += re.findall(r"`(edgeavatar [^`]+)`", text)
    return told


def test_told_commands_exist() -> None:
    told = _told_commands()
    assert len(told) > 10
    for line in told:
        for part in re.split(r"&&|\|", line):
            words = shlex.split(part.split("  #")[0], comments=False)
            if words[:1] != ["edgeavatar"]:
                continue
            command: click.Command = cli.root
            context = click.Context(cli.root, info_name="edgeavatar")
            rest = words[1:]
            while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
                if not rest[0].islower():
                    break
                inner = command.get_command(context, rest[0])
                assert inner is not None, line
                command, rest = inner, rest[1:]
                context = click.Context(command, parent=context, info_name=command.name)
            options = {name for parameter in command.get_params(context) for name in parameter.opts}
            used = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
            assert used <= options, line


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("kind", _all_errors())
def test_an_error_is_one_line_and_its_code(
    kind: type[errors.EdgeAvatarError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _command_that(monkeypatch, _raise(kind("expected a face, found none; use another picture")))
    assert cli.run(["act"]) == kind.exit_code
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: expected a face, found none; use another picture\n"


def test_every_error_has_its_own_code_and_is_documented() -> None:
    kinds = _all_errors()
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    for kind in kinds[1:]:
        assert re.search(rf"^\| {kind.exit_code} \| `{kind.__name__}` \|", page, re.MULTILINE), kind


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sing"], "no command 'sing'"),
        (["--sing"], "--sing"),
        (["portrait"], "--seed"),
        (["portrait", "--seed", "one", "-o", "face.png"], "'one' is not a valid integer"),
        (["portrait", "--seed", "1", "-o", "face.png", "--size", "9999"], "9999"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert told in err
    assert "--help)" in err
    assert err.count("\n") == 1


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Examples:" in err
    assert "error:" not in err


def test_a_fault_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _command_that(monkeypatch, _raise(ValueError("a\nb")))
    assert cli.run(["act"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: unexpected ValueError: a b (")
    assert err.count("\n") == 1
    assert "EDGEAVATAR_DEBUG=1" in err


def test_debug_shows_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEAVATAR_DEBUG", "1")
    _command_that(monkeypatch, _raise(ValueError("a")))
    assert cli.run(["act"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "in act" in err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"edgeavatar {__version__}\n"


# ---------------------------------------------------------------------------------------- signals

_ACTING = """
import sys, time, types
import click
from pathlib import Path
from edgeavatar import cli

@click.command()
def act():
    half = Path(sys.argv[2])
    half.write_text("half")
    try:
        click.echo("started")
        sys.stdout.flush()
        time.sleep(30)
    finally:
        half.unlink()

module = types.ModuleType("acting")
module.act = act
sys.modules["acting"] = module
cli.COMMANDS["act"] = ("acting:act", "")
cli.main(["act"])
"""


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_with_clean_up(
    number: signal.Signals, exit_code: int, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    with subprocess.Popen(
        [sys.executable, "-c", _ACTING, "act", str(half)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        assert half.exists()
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == exit_code
    assert not half.exists()
    assert "Traceback" not in err


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = "import sys\nfrom edgeavatar import cli\nsys.stdin.readline()\ncli.main(['--help'])"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write("\n")
        process.stdin.close()
        err = process.stderr.read()
        process.wait(timeout=20)
    assert (process.returncode, err) == (141, "")
