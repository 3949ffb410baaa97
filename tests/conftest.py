"""What every test runs under: no network, real models, and data only where it is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgeavatar import zoo
from edgeavatar.errors import ModelNotFound

ROOT = Path(__file__).resolve().parent.parent
GUARD = Path(__file__).resolve().parent / "network_guard"


def _load_guard() -> object:
    # Loaded here for this process and by the interpreter itself for every process it starts.
    import importlib.util

    spec = importlib.util.spec_from_file_location("network_guard", GUARD / "sitecustomize.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_guard = _load_guard()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "registry: talks to a server on this machine that the test itself starts"
    )
    # What was measured on a developer's machine is not what is tested.
    os.environ["EDGEAVATAR_PROFILE"] = "none"
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{GUARD}{os.pathsep}{inherited}" if inherited else str(GUARD)


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow loopback sockets in tests marked ``registry``, and no internet socket elsewhere."""
    marked = request.node.get_closest_marker("registry") is not None
    monkeypatch.setattr(_guard, "allow_loopback", marked)
    monkeypatch.setenv("EDGEAVATAR_TEST_LOOPBACK", "1" if marked else "0")


class ModelStore:
    """The installed models that a test uses; a missing one fails the test."""

    @property
    def root(self) -> Path:
        return zoo.store_root()

    def resolve(self, name: str) -> Mapping[str, Path]:
        try:
            return zoo.resolve(name)
        except ModelNotFound as error:
            pytest.fail(
                f"{error} (all that the tests need: edgeavatar models install --profile test)",
                pytrace=False,
            )

    __call__ = resolve


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    """Give the models of the profile ``test``; ``model_store.resolve(name)`` as ``zoo.resolve``."""
    return ModelStore()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of large data sets, which not every machine has."""
    chosen = os.environ.get("EDGEAVATAR_DATA")
    folder = Path(chosen) if chosen else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the data sets are not in {folder}; set EDGEAVATAR_DATA to where they are")
    return folder
