from __future__ import annotations

import base64
import functools
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_world
from small_world import ARCHIVES

from edgeavatar import zoo
from edgeavatar.errors import InstallError
from edgeavatar.installing import PipSettings, install
from edgeavatar.installing.index import Registry
from edgeavatar.installing.transport import Transport, redact

WHEEL = "net_pkg-1.0-py3-none-any.whl"
CERTIFICATE = Path(__file__).resolve().parent.parent / "fixtures" / "localhost.pem"

Serve = Callable[..., small_world.Registry]
Find = Callable[[PipSettings], str]


@pytest.fixture
def archive(manifest: zoo.Manifest) -> zoo.Archive:
    return manifest.archives["net-pkg"]


@pytest.fixture
def find(archive: zoo.Archive) -> Find:
    return lambda settings: Registry(settings).find(archive)


# ------------------------------------------------------------------------------ places without HTTP


def _settings(**options: Any) -> PipSettings:
    return PipSettings(**{"retries": 0, "timeout_s": 5.0, **options})


@pytest.mark.parametrize("form", ["folder", "file-url", "file", "page"])
def test_find_links_on_this_machine(find: Find, tmp_path: Path, form: str) -> None:
    links = tmp_path / "my links"
    links.mkdir()
    (links / WHEEL).write_bytes(ARCHIVES[WHEEL])
    (links / "page.html").write_text(f'<a href="{WHEEL}">x</a>')
    place = {
        "folder": str(links),
        "file-url": links.as_uri(),
        "file": str(links / WHEEL),
        "page": str(links / "page.html"),
    }[form]
    # A configured value has no spaces, for pip splits it there; a path given from elsewhere may.
    assert find(_settings(find_links=(place,))) == (links / WHEEL).as_uri()


def test_find_links_below_the_home_folder(
    find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / WHEEL).write_bytes(b"")
    assert find(_settings(find_links=("~",))) == (tmp_path / WHEEL).as_uri()


@pytest.mark.parametrize("as_url", [True, False])
def test_an_index_in_a_folder(find: Find, tmp_path: Path, as_url: bool) -> None:
    page = tmp_path / "simple" / "net-pkg"
    page.mkdir(parents=True)
    digest = small_world.sha256(ARCHIVES[WHEEL])
    (page / "index.html").write_text(f'<a href="../../files/{WHEEL}#sha256={digest}">{WHEEL}</a>')
    place = tmp_path / "simple"
    url = find(_settings(index_urls=(place.as_uri() if as_url else str(place),)))
    assert url == (tmp_path / "files" / WHEEL).as_uri()


def test_a_place_with_another_file_of_that_name_is_passed_over(find: Find, tmp_path: Path) -> None:
    for name, digest in (("wrong", "0" * 64), ("right", small_world.sha256(ARCHIVES[WHEEL]))):
        page = tmp_path / name / "net-pkg"
        page.mkdir(parents=True)
        (page / "index.html").write_text(f'<a href="{WHEEL}#sha256={digest}">x</a>')
    places = tuple((tmp_path / name).as_uri() for name in ("wrong", "right"))
    assert find(_settings(index_urls=places)) == (tmp_path / "right" / "net-pkg" / WHEEL).as_uri()
    with pytest.raises(InstallError, match=rf"wrong: has it with SHA-256 {'0' * 64}\. Check pip"):
        find(_settings(index_urls=places[:1]))


def test_a_page_may_state_its_base(find: Find, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f'<base href="https://files.example/x/"><A HREF="{WHEEL}">x</A>')
    assert find(_settings(find_links=(str(page),))) == f"https://files.example/x/{WHEEL}"


def test_nothing_configured(find: Find) -> None:
    with pytest.raises(InstallError) as caught:
        find(_settings())
    message = str(caught.value)
    assert "pip is configured with no-index and without find-links" in message
    assert "edgeavatar models install --from BUNDLE.tar" in message


def test_a_file_address_of_another_host(find: Find) -> None:
    with pytest.raises(InstallError, match="of another host cannot be read: file://nas/wheels"):
        find(_settings(find_links=("file://nas/wheels",)))


@pytest.mark.parametrize(
    "place", ["ftp://files.example/simple", "data:text/html,x//", "http://[::1", "gopher://x/y"]
)
def test_addresses_that_are_not_understood(find: Find, place: str) -> None:
    with pytest.raises(InstallError, match="was not found"):
        find(_settings(index_urls=(place,)))


def test_a_socks_proxy_is_refused(find: Find) -> None:
    with pytest.raises(InstallError, match=r"the proxy socks5://\*\*\*\*@proxy\.example of"):
        find(
            _settings(
                index_urls=("https://a.example/simple",), proxy="socks5://me:secret@proxy.example"
            )
        )


def test_a_certificate_that_is_not_there(find: Find, tmp_path: Path) -> None:
    for option in ("cert", "client_cert"):
        settings = _settings(
            index_urls=("https://a.example/simple",), **{option: tmp_path / "no.pem"}
        )
        with pytest.raises(InstallError, match=r"certificates .* cannot be read: .*no\.pem"):
            find(settings)


def test_secrets_are_not_shown() -> None:
    assert redact("https://me:secret@a.example/x?token=1#y") == "https://****@a.example/x"
    assert redact("https://a.example/x") == "https://a.example/x"


# ------------------------------------------------------------------------------------ over the wire


@pytest.mark.registry
def test_each_place_says_why_it_has_not_the_file(find: Find, serve: Serve) -> None:
    missing, empty, refusing = serve(archives={}), serve(), serve(statuses=[403])
    empty.archives = {WHEEL.replace("1.0", "0.9"): b""}
    urls = tuple(f"{r.url}/simple" for r in (missing, refusing))
    with pytest.raises(InstallError) as caught:
        find(_settings(index_urls=urls, find_links=(f"{empty.url}/files/links",)))
    message = str(caught.value)
    assert f"{empty.url}/files/links: answer 404 Not Found" in message
    assert f"{missing.url}/simple: answer 404 Not Found" in message
    assert f"{refusing.url}/simple: answer 403 Forbidden" in message


@pytest.mark.registry
def test_the_first_index_that_has_it_wins(find: Find, serve: Serve) -> None:
    missing, first, second = serve(archives={}), serve(), serve()
    urls = tuple(f"{r.url}/simple/" for r in (missing, first, second))
    assert find(_settings(index_urls=urls)) == f"{first.url}/files/{WHEEL}"
    assert second.requests == []
    assert "application/vnd.pypi.simple.v1+json" in first.requests[0].headers["accept"]


@pytest.mark.registry
def test_nobody_listens(find: Find) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(InstallError, match="Connection refused"):
        find(_settings(index_urls=(f"http://127.0.0.1:{port}/simple",), retries=1))
    assert time.monotonic() - start >= 0.25, "it was to be tried again after a pause"


@pytest.mark.registry
def test_a_server_that_does_not_answer_is_given_up(find: Find) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        with pytest.raises(InstallError, match="timed out"):
            find(_settings(index_urls=(url,), timeout_s=0.2))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.registry
def test_credentials_go_to_their_server_and_no_other(
    serve: Serve, manifest: zoo.Manifest, store: Path
) -> None:
    files = serve()
    index = serve(redirect=files.url)
    url = index.url.replace("http://", "http://me:p%40ss@") + "/simple"
    install(["net"], root=store, manifest=manifest, settings=_settings(index_urls=(url,)))
    assert [r.headers.get("authorization") for r in index.requests] == [_basic("me", "p@ss")] * 2
    assert [r.headers.get("authorization") for r in files.requests] == [None]


@pytest.mark.registry
def test_credentials_from_netrc(
    find: Find, registry: small_world.Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    find(registry.settings())
    assert registry.requests[0].headers["authorization"] == _basic("me", "secret")


@pytest.mark.registry
def test_the_proxy_is_used(
    find: Find, registry: small_world.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test's server answers for any host, as a proxy does.
    index = "http://index.example/simple"
    proxy = registry.url.removeprefix("http://")
    url = find(_settings(index_urls=(index,), proxy=proxy))
    assert url == f"http://index.example/files/{WHEEL}"
    for variable in ("http_proxy", "HTTP_PROXY"):
        with monkeypatch.context() as patch:
            patch.delenv("no_proxy", raising=False)
            patch.delenv("NO_PROXY", raising=False)
            patch.setenv(variable, registry.url)
            assert find(_settings(index_urls=(index,))) == url
    assert {r.headers["host"] for r in registry.requests} == {"index.example"}


@pytest.fixture
def secure(serve: Serve) -> small_world.Registry:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return serve(wrap=functools.partial(context.wrap_socket, server_side=True))


@pytest.mark.registry
def test_an_unknown_certificate_is_refused_at_once(
    find: Find, secure: small_world.Registry
) -> None:
    start = time.monotonic()
    with pytest.raises(InstallError, match="certificate verify failed"):
        find(secure.settings(retries=5))
    assert time.monotonic() - start < 3, "trying again cannot help"


@pytest.mark.registry
def test_a_configured_certificate_is_believed(
    find: Find, secure: small_world.Registry, tmp_path: Path
) -> None:
    assert find(secure.settings(cert=CERTIFICATE)) == f"{secure.url}/files/{WHEEL}"
    host = secure.url.removeprefix("https://")
    for trusted in (host, "127.0.0.1"):
        assert find(secure.settings(trusted_hosts=frozenset({trusted})))
    with pytest.raises(InstallError, match="certificate verify failed"):
        find(secure.settings(trusted_hosts=frozenset({"other.example"})))
    with pytest.raises(InstallError, match="certificate verify failed"):
        find(secure.settings(cert=tmp_path))


@pytest.mark.registry
def test_a_page_that_is_no_page(find: Find, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = serve()
    monkeypatch.setattr(small_world.json, "dumps", lambda _value: '{"files": 3}')
    with pytest.raises(InstallError, match="its answer is not a list of files"):
        find(registry.settings())


@pytest.mark.registry
def test_an_endless_page_is_cut(
    find: Find, registry: small_world.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeavatar.installing.index._PAGE_LIMIT_BYTES", 50)
    with pytest.raises(InstallError, match="its page is longer than 50 bytes"):
        find(registry.settings())


def test_pauses_grow_and_end() -> None:
    pauses: list[float] = []
    transport = Transport(_settings(retries=8), sleep=pauses.append)
    answers = [transport.may_retry(None, failures) for failures in range(1, 10)]
    assert answers == [True] * 8 + [False]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert not transport.may_retry(FileNotFoundError(), 1)


def test_the_archive_is_found_by_its_normalised_name(archive: zoo.Archive, tmp_path: Path) -> None:
    page = tmp_path / "net-pkg"
    page.mkdir()
    (page / "index.html").write_text(f'<a href="{WHEEL}">x</a>')
    for name in ("Net_Pkg", "net.pkg", "NET--PKG"):
        registry = Registry(_settings(index_urls=(str(tmp_path),)))
        assert registry.find(replace(archive, package=name)) == (page / WHEEL).as_uri()
