"""The torch side of the motion nets; needs torch, which only training does."""

from __future__ import annotations

from pathlib import Path

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
def test_a_net_is_exported_only_if_it_computes_the_same(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is only needed for export")
    from export import to_onnx
    from export.nets.motion import PHONES, Mouth

    torch.manual_seed(0)
    mouth = Mouth(width=16)
    path = tmp_path / "mouth.onnx"
    start = mouth.stack.start().detach()
    assert to_onnx.export_net(mouth, PHONES + 1, start, path) < to_onnx.TOLERANCE
    with torch.no_grad():
        mouth.stack.last.bias += 0.1
    assert to_onnx.compare(mouth, PHONES + 1, start, path) > 0.05
