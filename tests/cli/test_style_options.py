"""``--style`` and ``--articulation`` of the commands that have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeavatar import cli

COMMANDS = {
    "render": ["-s", "face.png", "-t", "Hi.", "-o", "out.mp4"],
    "motion": ["-t", "Hi.", "-o", "out.json"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("given", ["-0.1", "1.6", "nan"])
def test_articulation_has_bounds(
    command: str,
    given: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run([command, *COMMANDS[command], "--articulation", given]) == 2
    out, err = capfd.readouterr()
    assert err == f"error: expected an articulation from 0 to 1.5, found {given}\n"
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("option", "told"), [("--style", "neutral"), ("--articulation", "'angry'")]
)
def test_what_is_no_style_and_no_number(
    command: str, option: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([command, *COMMANDS[command], option, "angry"]) == 2
    err = capfd.readouterr().err
    assert option in err
    assert told in err


def test_a_track_is_not_articulated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [*COMMANDS["render"], "--motion", "track.json", "--articulation", "0.5"]
    assert cli.run(["render", *arguments]) == 2
    assert "--motion brings its own; leave one out" in capfd.readouterr().err
