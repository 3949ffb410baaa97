from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeavatar.backends import open_session
from edgeavatar.backends.onnx_graph import (
    add_graph_outputs,
    check_onnx,
    graph_output_names,
    node_output_names,
    operators,
)
from edgeavatar.errors import BackendError, IntegrityError


def test_names_of_a_graph(tiny: Path) -> None:
    model = tiny.read_bytes()
    assert graph_output_names(model) == ["y"]
    assert node_output_names(model) == ["/hidden", "y"]
    assert operators(model) == {"MatMul", "Relu"}


def test_an_added_output_follows_the_declared_ones(tiny: Path) -> None:
    model = tiny.read_bytes()
    edited = add_graph_outputs(model, ["/hidden", "y", "/hidden"])
    assert graph_output_names(edited) == ["y", "/hidden"]
    assert node_output_names(edited) == node_output_names(model)
    assert add_graph_outputs(model, ["y"]) is model


def test_an_unknown_value_is_refused(tiny: Path) -> None:
    with pytest.raises(BackendError, match="computes /Clip_output_0, found 2 other"):
        add_graph_outputs(tiny.read_bytes(), ["/Clip_output_0"])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_refused(tiny: Path, share: float) -> None:
    model = tiny.read_bytes()
    with pytest.raises(IntegrityError, match=r"tiny\.onnx: expected an ONNX model"):
        check_onnx(model[: int(share * len(model))], what="tiny.onnx")


def test_no_damage_escapes_as_another_error(tiny: Path) -> None:
    model = tiny.read_bytes()
    refused = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        damaged = bytearray(model)
        for place in generator.integers(0, len(model), 3):
            damaged[place] ^= int(generator.integers(1, 256))
        try:
            add_graph_outputs(bytes(damaged), ["/hidden"])
        except (IntegrityError, BackendError):
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_values_inside_are_those_numpy_computes(
    tiny: Path, weights: np.ndarray, backend: str
) -> None:
    x = np.random.default_rng(0).standard_normal((1, 8)).astype(np.float32)
    with open_session(tiny, backend=backend, outputs=["/hidden"]) as session:  # type: ignore[arg-type]
        assert [spec.name for spec in session.outputs] == ["y", "/hidden"]
        answer = session.run({"x": x})
    np.testing.assert_allclose(answer["/hidden"], x @ weights, atol=1e-5)
    np.testing.assert_allclose(answer["y"], np.maximum(x @ weights, 0), atol=1e-5)


def test_durations_of_a_real_voice_add_up_to_its_sound(model_store) -> None:  # type: ignore[no-untyped-def]
    path = model_store.resolve("voice-hibari")["acoustic"]
    tokens = np.array([[0, *range(43, 60), 0]], np.int64)
    with open_session(path, outputs=["/Clip_output_0"]) as session:
        answer = session.run({"ids": tokens, "speed": np.ones(1, np.float32)})
    durations = answer["/Clip_output_0"]
    assert durations.shape == (tokens.shape[1],)
    assert durations.min() >= 1
    # A duration unit is 600 samples, two frames of 300.
    assert answer["f0"].shape[-1] == 2 * durations.sum()
