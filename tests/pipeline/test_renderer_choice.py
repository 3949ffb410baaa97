"""Which renderer paints, and what the report says of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from studio import Made, Said

import edgeavatar
from edgeavatar.errors import IntegrityError
from edgeavatar.pipeline.job import RenderJob
from edgeavatar.rendering.geometric import GeometricRenderer

TEXT = "Mama, papa."


def test_the_neural_one_from_words_to_video(photo: Path, tmp_path: Path, made: Made) -> None:
    output = tmp_path / "neural.mp4"
    report = edgeavatar.render(
        source=photo, output=output, text=TEXT, renderer="neural", still=True, threads=2
    )
    assert report.renderer == "neural"
    assert report.frames_without_face == 0
    backend, _, reason = report.backends["painter"].partition(" on cpu: ")
    assert backend in ("openvino", "onnxruntime")
    assert reason
    with av.open(os.fspath(output)) as video:
        assert video.streams.video[0].frames == report.frames == len(made.frames)
        assert video.streams.audio
    # It speaks: frames differ around the mouth, and the rest of the face stays.
    pictures = np.stack([frame.y for frame in made.frames]).astype(int)
    spread = pictures.max(0) - pictures.min(0)
    height = spread.shape[0]
    assert spread[height // 2 :].max() > 40
    assert not spread[: height // 4].any()


def test_the_geometric_one_opens_no_net(
    photo: Path, tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("expected no net to be opened")

    monkeypatch.setattr("edgeavatar.pipeline.opening.open_painter", refuse)
    output = tmp_path / "geometric.mp4"
    report = edgeavatar.render(
        source=photo, output=output, text="Mama.", renderer="geometric", still=True, threads=2
    )
    assert report.renderer == "geometric"
    assert "painter" not in report.backends
    assert output.exists()
    assert made.frames


def test_both_move_the_same_face_and_paint_another_mouth(
    photo: Path, tmp_path: Path, made: Made
) -> None:
    frames = {}
    for choice in ("geometric", "neural"):
        made.frames.clear()
        job = RenderJob(
            source=photo,
            output=tmp_path / f"{choice}.mp4",
            text="Ah.",
            renderer=choice,
            still=True,
            threads=2,
            label=None,
        )
        edgeavatar.render(job)
        frames[choice] = [frame.y.astype(int) for frame in made.frames]
    assert len(frames["neural"]) == len(frames["geometric"])
    gaps = np.stack([np.abs(a - b) for a, b in zip(*frames.values(), strict=True)]).max(0)
    assert gaps.any()
    assert not gaps[: gaps.shape[0] // 4].any()


def test_the_same_words_give_the_same_bytes(photo: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for path in paths:
        edgeavatar.render(
            source=photo, output=path, text="Ma.", renderer="neural", backend="openvino", threads=1
        )
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_smaller_net_can_be_asked_for(photo: Path, tmp_path: Path, made: Made) -> None:
    frames = {}
    for choice in ("neural", "neural-small"):
        made.frames.clear()
        report = edgeavatar.render(
            source=photo, output=tmp_path / f"{choice}.mp4", text="Ah.", renderer=choice, still=True
        )
        assert report.renderer == choice
        frames[choice] = [frame.y.astype(int) for frame in made.frames]
    gaps = np.stack([np.abs(a - b) for a, b in zip(*frames.values(), strict=True)])
    assert gaps.max() > 0
    assert gaps.mean() < 1.0


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_the_net_runs_on_the_backend_that_was_asked_for(
    backend: str, photo: Path, tmp_path: Path, render_command: Callable[..., Said]
) -> None:
    output = tmp_path / "out.mp4"
    arguments = ["-s", photo, "-t", "Hi.", "-o", output, "--renderer", "neural", "--json"]
    said = render_command(*arguments, "--backend", backend, "--threads", 2)
    assert said.code == 0, said.err
    assert f'"painter": "{backend} on cpu: {backend} was asked for"' in said.out


def test_odd_values_are_refused(
    photo: Path, tmp_path: Path, render_command: Callable[..., Said]
) -> None:
    output = tmp_path / "out.mp4"
    said = render_command("-s", photo, "-t", "Hi.", "-o", output, "--renderer", "diffusion")
    assert said.code == 2
    assert said.out == ""
    assert "'diffusion' is not one of" in said.err
    assert not output.exists()


def test_a_damaged_net_stops_the_render_and_leaves_nothing(
    photo: Path,
    tmp_path: Path,
    render_command: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(*_: object, **__: object) -> None:
        raise IntegrityError("mouth_painter.onnx: expected a sound model; reinstall it")

    monkeypatch.setattr("edgeavatar.pipeline.opening.open_painter", damaged)
    output = tmp_path / "out.mp4"
    said = render_command("-s", photo, "-t", "Hi.", "-o", output, "--renderer", "neural", "-q")
    assert said.code == IntegrityError.exit_code
    assert said.err.startswith("error: mouth_painter.onnx: ")
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_geometric_one_is_what_the_neural_one_extends() -> None:
    from edgeavatar.rendering.neural import NeuralRenderer

    assert issubclass(NeuralRenderer, GeometricRenderer)
