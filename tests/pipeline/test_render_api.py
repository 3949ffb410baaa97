"""``edgeavatar.render`` from Python."""

from __future__ import annotations

import dataclasses
import inspect
import os
from fractions import Fraction
from pathlib import Path

import pytest
from studio import silence

import edgeavatar
from edgeavatar.errors import AmbiguousFaceError, EdgeAvatarError, UsageError
from edgeavatar.pipeline.job import RenderJob, RenderOptions, make_job


def test_options_are_the_fields_of_a_job() -> None:
    fields = {name: kind for name, kind in RenderJob.__annotations__.items() if "Path" not in kind}
    options = {name: kind.__forward_arg__ for name, kind in RenderOptions.__annotations__.items()}
    assert options == fields
    paths = {"source", "output", "audio", "motion", "renderer_model"}
    assert set(inspect.signature(make_job).parameters) == paths | {"options"}


def test_a_job_and_its_fields_make_the_same_video(photo: Path, tmp_path: Path) -> None:
    sound = silence(tmp_path / "silence.wav", 0.2)
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    job = RenderJob(source=photo, output=one, audio=sound, seed=3)
    first = edgeavatar.render(job)
    second = edgeavatar.render(source=str(photo), output=os.fspath(two), audio=str(sound), seed=3)
    assert one.read_bytes() == two.read_bytes()
    assert (first.output, second.output) == (str(one), str(two))
    assert (first.frames, first.voice, first.warnings) == (5, None, second.warnings)
    assert isinstance(second, edgeavatar.RenderReport)
    assert dataclasses.asdict(second)["width"] == 320


def test_either_a_job_or_its_fields(photo: Path, tmp_path: Path) -> None:
    job = RenderJob(source=photo, output=tmp_path / "out.mp4", text="Hi.")
    with pytest.raises(TypeError, match="found both: text"):
        edgeavatar.render(job, text="Hello.")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="output"):
        edgeavatar.render(source=photo, text="Hello.")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="txet"):
        edgeavatar.render(source=photo, output="o.mp4", txet="Hi.")  # type: ignore[call-overload]


def test_errors_are_those_of_the_tree(photo: Path, tmp_path: Path) -> None:
    assert issubclass(AmbiguousFaceError, EdgeAvatarError)
    with pytest.raises(UsageError, match="found neither"):
        edgeavatar.render(source=photo, output=tmp_path / "out.mp4")
    with pytest.raises(UsageError, match="denominator"):
        edgeavatar.render(
            source=photo, output=tmp_path / "out.mp4", text="Hi.", fps=Fraction(29.97)
        )
    with pytest.raises(UsageError, match="seed"):
        edgeavatar.render(source=photo, output=tmp_path / "out.mp4", text="Hi.", seed=-1)
