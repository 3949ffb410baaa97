"""The names that others build on."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest

import edgeavatar

PUBLIC = {
    "EdgeAvatarError",
    "RenderJob",
    "RenderReport",
    "__version__",
    "list_voices",
    "make_portrait",
    "open_voice",
    "render",
    "write_portrait",
}


def test_public_names() -> None:
    assert set(edgeavatar.__all__) == PUBLIC
    assert set(dir(edgeavatar)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_public_names_load_and_are_documented(name: str) -> None:
    value = getattr(edgeavatar, name)
    assert value.__name__ == name
    assert value.__doc__


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sing'"):
        edgeavatar.sing  # noqa: B018


@pytest.mark.parametrize(
    "before",
    ["", "import edgeavatar.rendering.geometry", "from edgeavatar.pipeline import render"],
)
def test_render_is_the_function_whatever_was_imported_before(before: str) -> None:
    program = (
        f"{before}\nimport edgeavatar\n"
        "assert callable(edgeavatar.render), edgeavatar.render\n"
        "from edgeavatar.rendering.geometry import fit_person\n"
        "assert callable(edgeavatar.render), edgeavatar.render\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr


def test_render_takes_a_job_or_its_fields_and_a_listener() -> None:
    parameters = list(inspect.signature(edgeavatar.render).parameters)
    assert parameters == ["job", "progress", "options"]
    fields = {field.name for field in dataclasses.fields(edgeavatar.RenderJob)}
    assert {"source", "output", "text", "audio", "voice"} <= fields
