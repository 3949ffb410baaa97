from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_world import ARCHIVES, NET, PACKAGES, sha256

from edgeavatar import cli, zoo
from edgeavatar.cli import transfer_progress
from edgeavatar.installing import PipSettings, index

Run = Callable[..., tuple[int, str, str]]

NET_WHEEL = "net_pkg-1.0-py3-none-any.whl"


@pytest.fixture
def run(
    manifest: zoo.Manifest,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run ``edgeavatar models`` in the small world; gives exit code, stdout and stderr."""
    links = tmp_path / "links"
    links.mkdir()
    for file in PACKAGES.values():
        (links / file).write_bytes(ARCHIVES[file])
    monkeypatch.setattr(
        index, "read_pip_settings", lambda: PipSettings(find_links=(str(links),), retries=0)
    )
    monkeypatch.setattr(zoo, "load_manifest", lambda: manifest)
    monkeypatch.setattr(zoo, "models_dir", lambda: manifest.path.parent)
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(store))

    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.run(["models", *map(str, arguments)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def _where(manifest: zoo.Manifest, store: Path, name: str) -> Path:
    return zoo.model_dir(manifest.model(name), store)


def test_list(run: Run, store: Path) -> None:
    run("install", "net")
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert out == (
        "MODEL  STATE      SIZE      COMMERCIAL USE  PROFILES       WHAT\n"
        "net    installed  300.0 kB  yes             default small  the net model\n"
        "task   missing    12.0 kB   yes             default        the task model\n"
        "voice  missing    9.0 kB    unclear         -              the voice model\n"
        f"\nstore: {store}\n"
    )


def test_list_json(run: Run, manifest: zoo.Manifest, store: Path) -> None:
    run("install", "net", "task")
    (_where(manifest, store, "task") / "small.tflite").write_bytes(b"x")
    code, out, _ = run("list", "--json")
    assert code == 0
    assert [(entry["name"], entry["state"]) for entry in json.loads(out)] == [
        ("net", "installed"),
        ("task", "damaged"),
        ("voice", "missing"),
    ]
    assert json.loads(out)[0] == {
        "name": "net",
        "title": "the net model",
        "task": "test",
        "version": "1.0",
        "bytes": 300000,
        "commercial_use": "yes",
        "profiles": ["default", "small"],
        "state": "installed",
    }


def test_install_the_default_models(run: Run) -> None:
    size = transfer_progress.size_text(len(ARCHIVES[NET_WHEEL]))
    task = transfer_progress.size_text(len(ARCHIVES["task_pkg-1.0-py3-none-any.whl"]))
    assert run("install") == (
        0,
        "net 1.0 is installed (300.0 kB)\ntask 1.0 is installed (12.0 kB)\n",
        f"fetching {NET_WHEEL} ({size})\nfetching task_pkg-1.0-py3-none-any.whl ({task})\n",
    )
    assert run("install", "--profile", "small") == (
        0,
        "net 1.0 was installed already (300.0 kB)\n",
        "",
    )
    assert run("install", "--quiet", "--force") == (0, "", "")


def test_install_says_when_commercial_use_is_unclear(run: Run) -> None:
    code, out, _ = run("install", "voice")
    assert code == 0
    assert out == "voice 1.0 is installed (9.0 kB)\n  commercial use: unclear. Apache-2.0\n"


def test_install_json(run: Run, manifest: zoo.Manifest, store: Path) -> None:
    code, out, _ = run("install", "net", "--json")
    assert code == 0
    assert json.loads(out) == [
        {
            "name": "net",
            "version": "1.0",
            "path": str(_where(manifest, store, "net")),
            "already": False,
            "commercial_use": "yes",
        }
    ]


def test_a_bundle_and_back(
    run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("install", "net", "voice")
    code, out, err = run("bundle", tmp_path / "out.tar")
    size = transfer_progress.size_text((tmp_path / "out.tar").stat().st_size)
    assert (code, out) == (0, f"{tmp_path / 'out.tar'}: net, voice ({size})\n")
    assert err == "writing out.tar (309.0 kB)\n"
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path / "other"))
    monkeypatch.setattr(index, "read_pip_settings", lambda: pytest.fail("pip was asked"))
    code, out, err = run("install", "--from", tmp_path / "out.tar")
    assert code == 0
    assert out == (
        "net 1.0 is installed (300.0 kB)\n"
        "voice 1.0 is installed (9.0 kB)\n  commercial use: unclear. Apache-2.0\n"
    )
    assert err == "unpacking net (300.0 kB)\nunpacking voice (9.0 kB)\n"
    assert run("bundle", tmp_path / "q.tar", "net", "-q") == (0, "", "")
    assert store != tmp_path / "other"


def test_verify(run: Run, manifest: zoo.Manifest, store: Path) -> None:
    assert run("verify") == (0, f"nothing is installed in {store}\n", "")
    run("install")
    assert run("verify") == (0, "net: ok\ntask: ok\n", "")
    assert run("verify", "net", "--quiet") == (0, "", "")
    for name, file in (("net", "net.onnx"), ("task", "other.tflite")):
        path = _where(manifest, store, name) / file
        path.write_bytes(path.read_bytes()[::-1])
    code, out, err = run("verify")
    assert (code, out) == (4, "")
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0] == (
        f"{_where(manifest, store, 'net')}/net.onnx: expected SHA-256 {sha256(NET)}, "
        f"found {sha256(NET[::-1])}; repair it with: edgeavatar models install net --force"
    )
    assert "other.tflite: expected SHA-256" in lines[1]
    code, out, _ = run("verify", "--json")
    assert code == 4
    assert {name: len(faults) for name, faults in json.loads(out).items()} == {"net": 1, "task": 1}
    code, _, err = run("verify", "voice")
    assert code == 3
    assert "edgeavatar models install voice" in err


def test_verify_the_manifest(run: Run, manifest: zoo.Manifest) -> None:
    assert run("verify", "--manifest") == (0, "manifest: ok\n", "")
    text = manifest.path.read_text()
    manifest.path.write_text(text.replace('title = "the net model"', "title = 3", 1))
    assert run("verify", "--manifest") == (
        4,
        "",
        "manifest.toml: models.net.title: must be a text, found a whole number\n",
    )
    assert run("verify", "--manifest", "net")[0] == 2


def test_licenses(run: Run) -> None:
    code, out, err = run("licenses")
    assert (code, err) == (0, "")
    assert out.startswith(
        "MODEL  COMMERCIAL USE  WEIGHTS     PACKAGE  ATTRIBUTION\n"
        "net    yes             Apache-2.0  MIT      nobody\n"
        "task   yes             Apache-2.0  MIT      nobody\n"
        "voice  unclear         Apache-2.0  MIT      nobody\n"
    )
    assert "piper-tts, which is GPL-3.0-or-later" in " ".join(out.split())
    code, out, _ = run("licenses", "--json")
    assert code == 0
    assert [entry["commercial_use"] for entry in json.loads(out)["models"]] == [
        "yes",
        "yes",
        "unclear",
    ]
    assert "GPL-3.0" in json.loads(out)["software"]["piper-tts"]


def test_path(run: Run, manifest: zoo.Manifest, store: Path) -> None:
    run("install", "voice")
    folder = _where(manifest, store, "voice")
    assert run("path", "voice") == (0, f"{folder}\n", "")
    assert run("path", "voice", "voice:a") == (0, f"{folder}/voices/a.bin\n", "")
    code, out, _ = run("path", "voice", "--json")
    assert json.loads(out) == {
        "acoustic": f"{folder}/voice.onnx",
        "voice:a": f"{folder}/voices/a.bin",
    }
    assert run("path", "voice", "acoustic", "--json") == (0, f'"{folder}/voice.onnx"\n', "")
    assert run("path", "voice", "nose") == (
        3,
        "",
        "error: model voice has no file 'nose'; it has acoustic, voice:a\n",
    )
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("install", "nose"), 3, "error: there is no model 'nose'; the models are net, task"),
        (("install", "net", "--profile", "best"), 2, "error: give names or a profile, not both"),
        (("install", "--profile", "huge"), 2, "'huge' is not one of"),
        (("install", "--from", "no.tar"), 5, "error: no.tar cannot be read: No such file"),
        (("path", "net"), 3, "install it with: edgeavatar models install net"),
        (("bundle", "out.tar"), 5, "error: there is nothing to bundle"),
        (("bundle", "out.tar", "net"), 3, "edgeavatar models install net"),
    ],
)
def test_mistakes_are_one_line(
    run: Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_an_archive_that_is_not_to_be_had(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        index, "read_pip_settings", lambda: PipSettings(find_links=(str(tmp_path),), retries=0)
    )
    code, out, err = run("install", "net")
    assert (code, out) == (5, "")
    assert err.startswith(f"error: {NET_WHEEL} (SHA-256 ")
    assert "does not have it. Check pip's configuration (pip config list)" in err
    assert len(err.splitlines()) == 1


def test_ctrl_c_says_that_it_can_be_continued(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> PipSettings:
        raise KeyboardInterrupt

    monkeypatch.setattr(index, "read_pip_settings", interrupt)
    code, out, err = run("install", "net")
    assert (code, out) == (130, "")
    assert err.splitlines()[0] == "What has arrived is kept; the same command continues it."
    assert run("install", "net", "-q")[2] == "error: interrupted\n"


# ---------------------------------------------------------------------------------------- progress


def test_lines_of_a_slow_transfer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(transfer_progress.time, "monotonic", lambda: now[0])
    with transfer_progress.transfer_reporter(quiet=False) as report:
        report.begin("fetching x.whl", 60_000_000, 5_000_000)
        for second in range(1, 22):
            now[0] = float(second)
            report.advance(5_000_000 + second * 1_000_000)
        report.end()
    assert capsys.readouterr().err == (
        "fetching x.whl (60.0 MB, 5.0 MB of it are here)\n"
        "  15.0 MB of 60.0 MB, 1.0 MB/s, 45 s left\n"
        "  25.0 MB of 60.0 MB, 1.0 MB/s, 35 s left\n"
    )


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with transfer_progress.transfer_reporter(quiet=False) as report:
        report.begin("fetching [x].whl", 60_000_000, 30_000_000)
        report.say("a [line]")
        report.end()
    told = capsys.readouterr().err
    assert "fetching [x].whl" in told
    assert "30.0/60.0 MB" in told
    assert "a [line]\n" in told


def test_sizes() -> None:
    assert [transfer_progress.size_text(size) for size in (0, 999, 1000, 1_500_000, 2 * 10**9)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.5 MB",
        "2.0 GB",
    ]
