"""What is fed to the real nets is what they take, and what they are opened with at run time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeavatar import zoo
from edgeavatar.backends import open_session
from edgeavatar.tuning.measuring import STRICT, candidates, difference
from edgeavatar.tuning.subjects import Given, Subject, installed_subjects

Store = Callable[[str], object]


def _subjects() -> list[Subject]:
    return list(installed_subjects(zoo.load_manifest()))


def test_every_net_that_the_runtime_opens_itself_is_measured(model_store: Store) -> None:
    for name in ("face", "voice-hibari", "voice-kokoro", "voice-joe", "vad-silero"):
        model_store(name)
    assert {subject.name for subject in _subjects()} == {
        *("face/detector", "face/mesh", "face/blendshapes", "vad-silero/vad"),
        *("voice-hibari/acoustic", "voice-kokoro/acoustic", "voice-joe/acoustic"),
        *("motion-nets/listener", "motion-nets/mouth"),
        *("mouth-painter/painter", "mouth-painter/small"),
    }


def test_what_is_not_installed_is_not_measured(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path))
    assert {subject.model for subject in _subjects()} == {"motion-nets", "mouth-painter"}


@pytest.mark.parametrize(
    "name",
    [
        "face/detector",
        "face/mesh",
        "face/blendshapes",
        "voice-hibari/acoustic",
        "voice-joe/acoustic",
        "vad-silero/vad",
        "motion-nets/listener",
        "motion-nets/mouth",
        "mouth-painter/painter",
        "mouth-painter/small",
    ],
)
def test_the_net_takes_it_and_says_the_same_again(name: str, model_store: Store) -> None:
    subject = next(subject for subject in _subjects() if subject.name == name)
    model_store(subject.model)
    files = zoo.resolve(subject.model)
    way = next(candidates(subject, zoo.load_manifest().model(subject.model), (1,)))
    with open_session(
        files[subject.file],
        backend=way.backend,
        threads=1,
        input_shapes=subject.input_shapes,
        outputs=subject.outputs,
    ) as session:
        feeds = subject.feeds(Given(files, session.inputs))
        answer = session.run(feeds)
        assert difference(answer, session.run(feeds)) <= STRICT
        assert set(subject.outputs) <= set(answer)
        assert all(np.isfinite(value).all() for value in answer.values())
        assert all(value.any() for value in answer.values())


def test_a_painter_is_shown_a_mouth() -> None:
    subject = next(subject for subject in _subjects() if subject.name == "mouth-painter/painter")
    layers = subject.feeds(Given({}, ()))["layers"]
    assert layers.shape == (1, 14, 128, 128)
    assert layers[0, 6].max() == layers[0, 7].max() == layers[0, 13].min() == 1.0
    assert 0.02 < layers[0, 6].mean() < layers[0, 7].mean() < 0.5
    assert 0.0 <= layers[0, :6].min() < layers[0, :6].max() <= 1.0
