"""What is measured: each net as the runtime opens and feeds it.

What is fed has the shapes of real use and plausible values: smooth pictures, framed sentences. A
time hardly depends on more, and a variant that computes something else shows it on them too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar import zoo
from edgeavatar.audio import vad
from edgeavatar.face.detector import INPUT_SIZE
from edgeavatar.face.mesh import MESH_SIZE
from edgeavatar.face.topology import BLENDSHAPE_LANDMARKS
from edgeavatar.motion.hearing import INPUT_BOUNDS
from edgeavatar.motion.mel import N_MELS
from edgeavatar.motion.nets import HEARD
from edgeavatar.rendering.neural import INPUTS, SIZE
from edgeavatar.speech import hibari, kokoro, piper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeavatar.backends.base import Array, TensorSpec
    from edgeavatar.manifest import Manifest
    from edgeavatar.types import FloatArray

Feeds = dict[str, "Array"]

ROWS: Final = 100
"""Rows given to a motion net at once: sound comes in pieces of up to a second."""
LETTERS: Final = 24
"""Of a short sentence, so that the largest voice says it in about a second."""


@dataclass(frozen=True, slots=True)
class Given:
    """What inputs are made from."""

    files: Mapping[str, Path]
    """Of the model, by key."""
    inputs: Sequence[TensorSpec]
    """Of the open base file."""

    def zeros(self, name: str) -> Array:
        """Return zeros for the input ``name``."""
        spec = next(spec for spec in self.inputs if spec.name == name)
        return np.zeros([size or 1 for size in spec.shape or ()], spec.dtype)


@dataclass(frozen=True, slots=True)
class Subject:
    """One net of an installed model."""

    model: str
    file: str
    """Key of the base file."""
    feeds: Callable[[Given], Feeds]
    """Makes the inputs of a call."""
    input_shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    """Values inside the graph that the runtime asks for as well."""
    varying: bool = False
    """Whether shapes differ from call to call, which only onnxruntime takes without compiling."""
    threads: int | None = None
    """What the runtime takes without a profile; None is all."""

    @property
    def name(self) -> str:
        """Model and file, as people are told."""
        return f"{self.model}/{self.file}"


def installed_subjects(manifest: Manifest) -> Iterator[Subject]:
    """Yield what can be measured of a manifest's installed models, in the manifest's order."""
    for model in manifest.models.values():
        if zoo.is_installed(model):
            for subject in _SUBJECTS:
                if subject.model == model.name and subject.file in model.files:
                    yield subject


def _points(_given: Given) -> Feeds:
    points = np.random.default_rng(0).normal(0.0, 60.0, (1, len(BLENDSHAPE_LANDMARKS), 2))
    return {"serving_default_input_points:0": points.astype(np.float32)}


def _layers(_given: Given) -> Feeds:
    """Give colours, an open mouth of two masks, a shift and a reference that is there."""
    layers = np.empty((1, INPUTS, SIZE, SIZE), np.float32)
    layers[0, 0:6] = _smooth((SIZE, SIZE, 6), 0.1, 0.8).transpose(2, 0, 1)
    y, x = (np.mgrid[:SIZE, :SIZE].astype(np.float32) + 0.5) / SIZE - 0.5
    away = np.hypot(x / 0.25, y / 0.12)
    layers[0, 6] = np.clip(8.0 * (1.0 - away), 0.0, 1.0)
    layers[0, 7] = np.clip(8.0 * (1.5 - away), 0.0, 1.0)
    layers[0, 8:10] = _smooth((SIZE, SIZE, 2), -0.5, 0.5).transpose(2, 0, 1)
    layers[0, 10:13] = _smooth((SIZE, SIZE, 3), 0.1, 0.8).transpose(2, 0, 1)
    layers[0, 13] = 1.0
    return {"layers": layers}


def _sound_rows(given: Given) -> Feeds:
    rows = _smooth((ROWS, N_MELS, 1), *INPUT_BOUNDS)[None, ..., 0]
    return {"rows": rows, "state": given.zeros("state")}


def _phone_rows(given: Given) -> Feeds:
    rows = np.zeros((1, ROWS, HEARD), np.float32)
    said = np.random.default_rng(0).integers(0, HEARD - 1, ROWS // 8 + 1).repeat(8)[:ROWS]
    rows[0, np.arange(ROWS), said] = 1.0
    rows[0, :, -1] = _smooth((ROWS, 1, 1), 0.0, 1.0)[:, 0, 0]
    return {"rows": rows, "state": given.zeros("state")}


def _window(_given: Given) -> Feeds:
    return {
        "input": _smooth((1, vad.WINDOW_LENGTH, 1), -0.3, 0.3)[..., 0],
        "state": np.zeros(vad.STATE_SHAPE, np.float32),
        "sr": np.array(vad.SAMPLE_RATE, np.int64),
    }


def _hibari_sentence(given: Given) -> Feeds:
    return {"ids": _letters(given.files["vocab"]), "speed": np.ones(1, np.float32)}


def _kokoro_sentence(given: Given) -> Feeds:
    voices = [path for key, path in given.files.items() if key.startswith("voice:")]
    table = np.fromfile(voices[0], "<f4").reshape(kokoro.MAX_LETTERS, -1)
    return {
        "tokens": _letters(given.files["vocab"]),
        "style": table[LETTERS - 1][None],
        "speed": np.ones(1, np.float32),
    }


def _piper_sentence(given: Given) -> Feeds:
    settings = json.loads(given.files["config"].read_text(encoding="utf-8"))
    known = settings["phoneme_id_map"]
    ids = [*known["^"]]
    for letter in _SENTENCE:
        ids += [*known["_"], *known.get(letter, [])]
    ids += [*known["_"], *known["$"]]
    # No noise: what is said is to be the same each time.
    return {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array([0.0, 1.0, 0.0], np.float32),
    }


_SENTENCE: Final = "ðə kwˈɪk bɹˈaʊn fˈɑks.  "[:LETTERS]


def _letters(vocabulary: Path) -> Array:
    known = json.loads(vocabulary.read_text(encoding="utf-8"))
    return np.array([[0, *(known[letter] for letter in _SENTENCE if letter in known), 0]], np.int64)


def _smooth(shape: tuple[int, int, int], low: float, high: float) -> FloatArray:
    """Give ``(h, w, c)`` float32 clouds between two values."""
    clouds = np.random.default_rng(0).random((9, 9, shape[2]), np.float32)
    large = cv2.resize(clouds, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    values = np.float32(low) + np.float32(high - low) * large.reshape(shape)
    return np.ascontiguousarray(values, np.float32)


def _picture(name: str, side: int, low: float) -> Callable[[Given], Feeds]:
    return lambda _given: {name: _smooth((side, side, 3), low, 1.0)[None]}


_SUBJECTS: Final = (
    Subject("face", "detector", _picture("input", INPUT_SIZE, -1.0)),
    Subject(
        "face",
        "mesh",
        _picture("input_12", MESH_SIZE, 0.0),
        input_shapes={"input_12": (1, MESH_SIZE, MESH_SIZE, 3)},
    ),
    Subject("face", "blendshapes", _points),
    Subject(
        "voice-hibari",
        "acoustic",
        _hibari_sentence,
        outputs=(hibari.DURATIONS,),
        varying=True,
        threads=1,
    ),
    Subject(
        "voice-kokoro", "acoustic", _kokoro_sentence, outputs=(kokoro.DURATIONS,), varying=True
    ),
    Subject("voice-joe", "acoustic", _piper_sentence, outputs=(piper.DURATIONS,), varying=True),
    Subject("vad-silero", "vad", _window, varying=True, threads=1),
    Subject("motion-nets", "listener", _sound_rows, varying=True, threads=1),
    Subject("motion-nets", "mouth", _phone_rows, varying=True, threads=1),
    Subject("mouth-painter", "painter", _layers),
    Subject("mouth-painter", "small", _layers),
)
