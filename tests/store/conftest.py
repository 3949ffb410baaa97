"""Fixtures of the model store's tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_world import MANIFEST_TEXT, Handler, Registry, Server, Told

from edgeavatar import zoo


@pytest.fixture
def manifest(tmp_path: Path) -> zoo.Manifest:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "manifest.toml").write_text(MANIFEST_TEXT)
    return zoo.load_manifest(folder / "manifest.toml")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def serve() -> Iterator[Callable[..., Registry]]:
    """Start a registry; the test must be marked ``registry``."""
    servers = []

    def start(wrap: Callable[[Any], Any] | None = None, **options: Any) -> Registry:
        registry = Registry(**options)
        handler = type("Handler", (Handler,), {"registry": registry})
        server = Server(("127.0.0.1", 0), handler)
        if wrap is not None:
            server.socket = wrap(server.socket)
        scheme = "https" if wrap else "http"
        registry.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread, registry))
        return registry

    yield start
    for server, thread, registry in servers:
        if registry.hold is not None:
            registry.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def registry(serve: Callable[..., Registry]) -> Registry:
    """Start a registry that has everything."""
    return serve()


@pytest.fixture
def clean_environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment without pip settings, proxies and home."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIP_")
        and name.lower() not in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
        and name not in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "XDG_CONFIG_DIRS")
    }
    return kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}


@pytest.fixture
def told() -> Told:
    return Told()
