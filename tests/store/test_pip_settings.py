from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edgeavatar.errors import InstallError
from edgeavatar.installing import pip_settings
from edgeavatar.installing.pip_settings import PipSettings, read_pip_settings

Environment = dict[str, str]

# When pip is loaded it binds a socket of its own machine to see whether there is IPv6.
pytestmark = [
    pytest.mark.registry,
    # Pip loads setuptools, which minds that another test's library has loaded distutils.
    pytest.mark.filterwarnings("ignore:Setuptools is replacing distutils:UserWarning"),
]


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _user_file(environment: Environment, text: str) -> Path:
    return _write(Path(environment["XDG_CONFIG_HOME"]) / "pip" / "pip.conf", text)


@pytest.fixture
def environment(clean_environment: Environment, tmp_path: Path) -> Environment:
    """Give an environment in which pip reads no file of this machine's own."""
    empty = _write(tmp_path / "empty.conf", "")
    return clean_environment | {
        "XDG_CONFIG_DIRS": str(tmp_path / "etc"),
        "PIP_CONFIG_FILE": str(empty),
    }


@pytest.fixture(autouse=True)
def _only_files_of_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pass over /etc/pip.conf, which pip reads whatever the environment says."""
    original = pip_settings._config_files

    def ours(pip: list[str], environ: Environment) -> list[Path]:
        return [path for path in original(pip, environ) if tmp_path in path.parents]

    monkeypatch.setattr(pip_settings, "_config_files", ours)


def test_environment_variables(clean_environment: Environment, tmp_path: Path) -> None:
    settings = read_pip_settings(
        clean_environment
        | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "https://a.example/simple",
            "PIP_EXTRA_INDEX_URL": "https://b.example/simple\n https://c.example/simple",
            "PIP_FIND_LINKS": "/wheels https://d.example/page.html",
            "PIP_PROXY": "http://proxy.example:3128",
            "PIP_CERT": str(tmp_path / "ca.pem"),
            "PIP_CLIENT_CERT": "~/client.pem",
            "PIP_TRUSTED_HOST": "A.example b.example:8443",
            "PIP_DEFAULT_TIMEOUT": "180",
            "PIP_RETRIES": "7",
        }
    )
    assert settings == PipSettings(
        index_urls=(
            "https://a.example/simple",
            "https://b.example/simple",
            "https://c.example/simple",
        ),
        find_links=("/wheels", "https://d.example/page.html"),
        proxy="http://proxy.example:3128",
        cert=tmp_path / "ca.pem",
        client_cert=Path("~/client.pem").expanduser(),
        trusted_hosts=frozenset({"a.example", "b.example:8443"}),
        timeout_s=180.0,
        retries=7,
    )


def test_files_sections_and_environment_in_pips_order(
    clean_environment: Environment, tmp_path: Path
) -> None:
    _user_file(
        clean_environment,
        "[global]\nindex-url = https://user.example/simple\ntimeout = 20\nretries = 2\n"
        "[install]\nretries = 3\n[download]\nretries = 9\n",
    )
    base = clean_environment | {"XDG_CONFIG_DIRS": str(tmp_path / "etc")}
    settings = read_pip_settings(base)
    assert settings.index_urls[0] == "https://user.example/simple"
    assert (settings.timeout_s, settings.retries) == (20.0, 3)

    named = _write(tmp_path / "named.conf", "[global]\nindex_url = https://named.example/simple\n")
    # A file named by PIP_CONFIG_FILE takes the place of the user's.
    settings = read_pip_settings(base | {"PIP_CONFIG_FILE": str(named)})
    assert settings.index_urls[0] == "https://named.example/simple"

    settings = read_pip_settings(base | {"PIP_INDEX_URL": "https://variable.example/simple"})
    assert settings.index_urls[0] == "https://variable.example/simple"
    assert settings.retries == 3


def test_the_users_file_stands_above_the_machines(
    clean_environment: Environment, tmp_path: Path
) -> None:
    _user_file(clean_environment, "[global]\nindex-url = https://user.example/simple\n")
    _write(
        tmp_path / "etc" / "pip" / "pip.conf",
        "[global]\nindex-url = https://machine.example/simple\nproxy = http://machine.example\n",
    )
    settings = read_pip_settings(clean_environment | {"XDG_CONFIG_DIRS": str(tmp_path / "etc")})
    assert settings.index_urls[0] == "https://user.example/simple"
    assert settings.proxy == "http://machine.example"


def test_lists_of_several_lines(environment: Environment) -> None:
    _write(
        Path(environment["PIP_CONFIG_FILE"]),
        "[global]\nindex-url = https://a.example/simple\n"
        "extra-index-url =\n    https://b.example/simple\n    https://c.example/simple\n"
        "find-links =\n    /one\n    /two\n",
    )
    settings = read_pip_settings(environment)
    assert settings.index_urls[1:] == ("https://b.example/simple", "https://c.example/simple")
    assert settings.find_links == ("/one", "/two")


def test_an_empty_variable_hides_nothing(environment: Environment) -> None:
    _write(Path(environment["PIP_CONFIG_FILE"]), "[global]\nindex-url = https://a.example/simple\n")
    settings = read_pip_settings(environment | {"PIP_INDEX_URL": ""})
    assert settings.index_urls == ("https://a.example/simple",)


def test_no_index(environment: Environment) -> None:
    settings = read_pip_settings(
        environment | {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "https://a.example/simple"}
    )
    assert settings.index_urls == ()


def test_without_settings_pips_own_index_is_asked(environment: Environment) -> None:
    settings = read_pip_settings(environment)
    (index,) = settings.index_urls
    assert index.startswith("https://")
    assert index.endswith("/simple")
    assert settings == PipSettings(index_urls=(index,))
    extra = read_pip_settings(environment | {"PIP_EXTRA_INDEX_URL": "https://b.example/simple"})
    assert extra.index_urls == (index, "https://b.example/simple")


def test_the_bundled_pip_serves_where_none_is_installed(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ensurepip", reason="this Python was built without ensurepip")
    original = pip_settings.importlib.util.find_spec
    monkeypatch.setattr(
        pip_settings.importlib.util,
        "find_spec",
        lambda name: None if name == "pip" else original(name),
    )
    command = pip_settings._pip_command()
    if command is None:
        pytest.skip("this Python's ensurepip carries no wheel")
    assert command[1].endswith(f".whl{os.sep}pip")
    _write(Path(environment["PIP_CONFIG_FILE"]), "[global]\nextra-index-url = https://b.example\n")
    index, extra = read_pip_settings(environment).index_urls
    assert index.startswith("https://")
    assert extra == "https://b.example"


def test_no_pip_at_all(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_settings, "_pip_command", lambda: None)
    with pytest.raises(
        InstallError, match=r"no package index is known: .* PIP_INDEX_URL is not set; add pip with"
    ):
        read_pip_settings(environment)
    settings = read_pip_settings(environment | {"PIP_INDEX_URL": "https://a.example/simple"})
    assert settings.index_urls == ("https://a.example/simple",)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PIP_TIMEOUT", "soon", "pip's option timeout must be a number from 0.001, found 'soon'"),
        ("PIP_TIMEOUT", "nan", "pip's option timeout must be a number"),
        ("PIP_RETRIES", "-1", "pip's option retries must be a number from 0, found '-1'"),
        ("PIP_NO_INDEX", "perhaps", "pip's option no-index must be yes or no, found 'perhaps'"),
    ],
)
def test_values_that_make_no_sense(
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setattr(pip_settings, "_pip_command", lambda: None)
    with pytest.raises(InstallError, match=message):
        read_pip_settings(
            environment | {"PIP_INDEX_URL": "https://a.example/simple", variable: value}
        )


def test_a_configuration_that_pip_refuses(environment: Environment) -> None:
    path = _write(Path(environment["PIP_CONFIG_FILE"]), "index-url = no section\n")
    with pytest.raises(InstallError, match="pip could not be asked for its conf") as caught:
        read_pip_settings(environment)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_pip_that_hangs(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_settings, "_PIP_TIMEOUT_S", 0.2)
    command = [sys.executable, "-c", "import time; time.sleep(20)"]
    monkeypatch.setattr(pip_settings, "_pip_command", lambda: command)
    with pytest.raises(InstallError, match="timed out"):
        read_pip_settings(environment)
