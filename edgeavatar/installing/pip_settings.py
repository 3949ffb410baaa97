"""The user's own pip configuration: indexes, mirrors, proxy, certificates.

pip lists its configuration files (``pip config debug``, since pip 19.3); they are ini files and the
environment variables ``PIP_*`` stand above them, as pip's manual says. Only the address of pip's
default index is asked of pip's insides.
"""

from __future__ import annotations

import configparser
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeavatar.errors import InstallError

_SECTIONS = ("global", "install")
"""Sections that hold for ``pip install``; the later one stands above the earlier one."""

_FILE_ORDER = ("global", "user", "site", "env")
"""Kinds of configuration file; the later one stands above the earlier one."""

_CONFIG_FILE = re.compile(r"  (?P<path>\S.*), exists: (?:True|False)\s*\Z")
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})
_PIP_TIMEOUT_S = 60.0
"""How long pip may take to tell its configuration, on a slow board."""


@dataclass(frozen=True, slots=True)
class PipSettings:
    """What of pip's configuration matters for fetching a file. Defaults are pip's own."""

    index_urls: tuple[str, ...] = ()
    """``index-url`` first, then the extra ones; empty with ``no-index``."""
    find_links: tuple[str, ...] = ()
    """Folders, files and pages that are looked at before the indexes."""
    proxy: str | None = None
    cert: Path | None = None
    """A file of certificates or a folder of them."""
    client_cert: Path | None = None
    trusted_hosts: frozenset[str] = field(default_factory=frozenset)
    """``host`` or ``host:port`` whose certificate is not checked."""
    timeout_s: float = 15.0
    retries: int = 5


def read_pip_settings(environ: Mapping[str, str] | None = None) -> PipSettings:
    """Ask pip for its configuration files, read them and the environment.

    Parameters
    ----------
    environ
        The environment to read instead of the process's own.

    Raises
    ------
    InstallError
        If a configuration file or a value cannot be understood, or if no index is configured and
        pip is not there to name its default.
    """
    environ = os.environ if environ is None else environ
    pip = _pip_command()
    options: dict[str, str] = {}
    files = _config_files(pip, environ) if pip else []
    # pip's own way to say: no configuration file at all.
    layers = [] if environ.get("PIP_CONFIG_FILE") == os.devnull else _read_files(files)
    for section in _SECTIONS:
        for layer in layers:
            options.update(layer.get(section, {}))
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value:
            options[variable[4:].lower().replace("_", "-")] = value
    return _settings(options, pip, environ)


def _pip_command() -> list[str] | None:
    """Return how to run pip, or None where this Python has none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    # An environment made without pip still has the wheel that ensurepip would install; pip runs
    # from it without being installed.
    spec = importlib.util.find_spec("ensurepip")
    if spec is not None and spec.origin is not None:
        wheels = sorted((Path(spec.origin).parent / "_bundled").glob("pip-*.whl"))
        if wheels:
            return [sys.executable, str(wheels[-1] / "pip")]
    return None


def _run(command: list[str], environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PIP_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"pip could not be asked for its configuration: {error}") from None
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "no message"
        if "Traceback" in said:
            said = said.splitlines()[-1]
        raise InstallError(
            f"pip could not be asked for its configuration: {' '.join(said.split())}; "
            f"see what is wrong with: {' '.join(command)}"
        )
    return done.stdout


def _config_files(pip: list[str], environ: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files, the one that stands above all others last."""
    kinds: dict[str, list[Path]] = {kind: [] for kind in _FILE_ORDER}
    current: list[Path] | None = None
    for line in _run([*pip, "config", "debug"], environ).splitlines():
        heading = line.rstrip().removesuffix(":")
        if line and not line[0].isspace():
            current = kinds.get(heading)
        elif current is not None and (match := _CONFIG_FILE.match(line)):
            current.append(Path(match["path"]))
    return [path for kind in _FILE_ORDER for path in kinds[kind]]


def _read_files(paths: list[Path]) -> list[dict[str, dict[str, str]]]:
    layers = []
    for path in paths:
        parser = configparser.RawConfigParser()
        try:
            with path.open(encoding="utf-8") as stream:
                parser.read_file(stream)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            text = " ".join(str(error).split())
            raise InstallError(f"pip's configuration file {path} cannot be read: {text}") from None
        layers.append(
            {
                section: {_option(name): value for name, value in parser.items(section) if value}
                for section in parser.sections()
            }
        )
    return layers


def _option(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _settings(
    options: Mapping[str, str], pip: list[str] | None, environ: Mapping[str, str]
) -> PipSettings:
    def words(*names: str) -> tuple[str, ...]:
        return tuple(word for name in names for word in options.get(name, "").split())

    def path(name: str) -> Path | None:
        return Path(options[name].strip()).expanduser() if options.get(name) else None

    indexes: tuple[str, ...] = ()
    if not _truth("no-index", options.get("no-index", "no")):
        main = words("index-url") or words("pypi-url") or (_default_index(pip, environ),)
        indexes = (*main, *words("extra-index-url"))
    cert = path("cert")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if cert is None and environ.get(variable):
            cert = Path(environ[variable])
    return PipSettings(
        index_urls=tuple(dict.fromkeys(indexes)),
        find_links=tuple(dict.fromkeys(words("find-links"))),
        proxy=options.get("proxy", "").strip() or None,
        cert=cert,
        client_cert=path("client-cert"),
        trusted_hosts=frozenset(host.lower() for host in words("trusted-host")),
        timeout_s=_number(
            "timeout", options.get("timeout") or options.get("default-timeout") or "15", least=0.001
        ),
        retries=int(_number("retries", options.get("retries", "5"), least=0)),
    )


def _truth(name: str, value: str) -> bool:
    word = value.strip().lower()
    if word not in _TRUE | _FALSE:
        raise InstallError(f"pip's option {name} must be yes or no, found {value!r}")
    return word in _TRUE


def _number(name: str, value: str, *, least: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = least - 1
    if not number >= least:
        raise InstallError(f"pip's option {name} must be a number from {least:g}, found {value!r}")
    return number


_PRINT_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


def _default_index(pip: list[str] | None, environ: Mapping[str, str]) -> str:
    if pip is None:
        raise InstallError(
            "no package index is known: this Python has no pip and PIP_INDEX_URL is not set; "
            f"add pip with: {sys.executable} -m ensurepip"
        )
    path = str(Path(pip[1]).parent) if len(pip) == 2 else None
    prefix = f"import sys; sys.path.insert(0, {path!r}); " if path else ""
    return _run([sys.executable, "-c", prefix + _PRINT_DEFAULT], environ).strip()
