"""The torch side of the motion nets; needs torch, which only training does."""

from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.motion.hearing import Hearing, Loudness
from edgeavatar.motion.mel import mel_filters

torch = pytest.importorskip("torch", reason="torch is only needed for training")


def speech_like(seconds: float) -> np.ndarray:
    draw = np.random.default_rng(0)
    n = round(16000 * seconds)
    return (draw.standard_normal(n) * 0.1 * np.abs(np.sin(np.arange(n) / 9000))).astype(np.float32)


def test_training_hears_what_the_runtime_hears() -> None:
    from export.train.hearing import levelled, log_mel, loudness_rows

    sound = speech_like(4.0)
    batch = torch.from_numpy(sound)[None]
    filters = torch.from_numpy(mel_filters().copy())
    ear = Hearing()
    heard = np.concatenate([ear.push(sound), ear.flush()])
    np.testing.assert_allclose(levelled(log_mel(batch, filters))[0].numpy(), heard, atol=1e-4)
    meter = Loudness(16000)
    loud = np.concatenate([meter.push(sound), meter.flush()])
    np.testing.assert_allclose(loudness_rows(batch)[0].numpy(), loud, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("size", [1, 7, 40, 400])
def test_the_graph_of_a_net_computes_the_same_in_pieces_of_any_size(size: int) -> None:
    pytest.importorskip("onnx", reason="onnx is only needed for export")
    pytest.importorskip("onnxslim", reason="onnxslim is only needed for export")
    from export.graph import trace, with_half_weights
    from export.nets.motion import PHONES, Mouth
    from export.recipes.base import onnx_runner

    torch.manual_seed(0)
    mouth = Mouth(width=16)
    start = mouth.stack.start().detach().numpy()
    example = {"rows": np.zeros((1, 20, PHONES + 1), np.float32), "state": start}
    varying = {"rows": {1: "n"}, "out": {1: "n"}}
    graph = with_half_weights(trace(mouth, example, ("out", "next_state"), varying))
    run = onnx_runner(graph)
    rows = np.random.default_rng(0).uniform(0.0, 1.0, (1, 400, PHONES + 1)).astype(np.float32)
    with torch.no_grad():
        whole = mouth(torch.from_numpy(rows), torch.from_numpy(start))[0].numpy()
    state, parts = start, []
    for first in range(0, 400, size):
        made = run({"rows": rows[:, first : first + size], "state": state})
        state = made["next_state"]
        parts.append(made["out"])
    assert 0.0 < np.abs(np.concatenate(parts, axis=1) - whole).max() < 2e-3
