"""Piper voices in other precisions: what calibrates them, and what they are held to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeavatar.errors import IntegrityError, ModelNotFound, UsageError

pytest.importorskip("onnx", reason="onnx is only needed for export")
pytest.importorskip("onnxslim", reason="onnxslim is only needed for export")

from edgeavatar.speech import piper
from export.calibration import CALIBRATION, HELD_OUT
from export.recipes import recipe_named
from export.recipes.base import Recipe
from export.recipes.piper import said, same_speech, sound_distance

RATE = 22050
SETTINGS: dict[str, Any] = {
    "espeak": {"voice": "en-us"},
    "num_speakers": 1,
    "audio": {"sample_rate": RATE},
}


class Hearer:
    """Hears a word for each sign of the first sample."""

    def recognize(self, samples: np.ndarray) -> str:
        middle = samples[len(samples) // 4 : len(samples) // 2]
        return "yes yes" if middle.mean() > 0 else "yes no"


def answer(level: float, hops: int = 4) -> dict[str, np.ndarray]:
    wave = np.sin(np.arange(RATE) * 0.2) * level + 0.1 * np.sign(level)
    return {
        "output": wave.astype(np.float32).reshape(1, 1, 1, -1),
        piper.DURATIONS: np.full((1, 1, 3), hops, np.float32),
    }


def judged(made: dict[str, np.ndarray]) -> dict[str, bool]:
    task = same_speech(
        [{"x": np.zeros(1)}],
        RATE,
        Hearer(),  # type: ignore[arg-type]
        lambda _: answer(0.5),
        lambda _: made,
    )
    return {figure.measure: figure.passed for figure in task.all}


def test_speech_is_held_to_spectra_durations_and_words() -> None:
    names = ("log-mel distance dB", "same durations", "words heard otherwise")
    assert judged(answer(0.5)) == dict.fromkeys(names, True)
    assert judged(answer(0.3)) == dict(zip(names, (False, True, True), strict=True))
    assert judged(answer(0.5, hops=5)) == dict(zip(names, (True, False, True), strict=True))
    assert judged(answer(-0.5)) == dict(zip(names, (True, True, False), strict=True))


def test_sounds_of_another_length_are_far() -> None:
    short = {"output": answer(0.5)["output"][..., :-256]}
    assert sound_distance(answer(0.5), short, RATE) > 50.0


def test_voices_are_calibrated_with_noise_and_judged_without(model_store: Any) -> None:
    files = model_store.resolve("voice-joe")
    learned = list(said(files["acoustic"], files["config"], CALIBRATION))
    judged_by = said(files["acoustic"], files["config"], HELD_OUT)
    assert len(learned) >= 8
    # Speaking rates are the second number.
    assert len({float(f["scales"][1]) for f in learned}) == 3
    assert all(f["scales"][0] > 0 < f["scales"][2] for f in learned)
    first = next(judged_by)
    judged_by.close()  # type: ignore[attr-defined]
    assert first["scales"][0] == first["scales"][2] == 0.0
    assert not any(np.array_equal(first["input"], f["input"]) for f in learned)


def build(path: Path) -> None:
    recipe = recipe_named("piper")
    assert isinstance(recipe, Recipe)
    recipe.nets(path)


def test_a_voice_of_ones_own_is_looked_at_first(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    with pytest.raises(ModelNotFound, match=r"mine\.onnx, found no file"):
        build(path)
    path.write_bytes(b"no graph")
    with pytest.raises(ModelNotFound, match=r"mine\.onnx\.json, found no file"):
        build(path)
    config = tmp_path / "mine.onnx.json"
    config.write_text(json.dumps(SETTINGS))
    with pytest.raises(IntegrityError, match=r"mine\.onnx"):
        build(path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"espeak": {"voice": "de"}}, UsageError, "expected an English voice of one speaker"),
        ({"num_speakers": 9}, UsageError, "found 'en-us', 9 speakers"),
        ({"audio": {"sample_rate": 7}}, UsageError, "7 Hz"),
        ({"audio": None}, IntegrityError, "expected the JSON of a Piper voice"),
    ],
)
def test_a_config_that_does_not_fit_is_told(
    change: dict[str, Any], error: type[Exception], message: str, tmp_path: Path, model_store: Any
) -> None:
    path = tmp_path / "mine.onnx"
    path.symlink_to(model_store.resolve("voice-joe")["acoustic"])
    (tmp_path / "mine.onnx.json").write_text(json.dumps(SETTINGS | change))
    with pytest.raises(error, match=message):
        build(path)
