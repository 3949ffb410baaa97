"""The face models of MediaPipe, from .tflite to OpenVINO's files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar import RenderJob, render, zoo
from edgeavatar.face import FaceTracker
from edgeavatar.face.detector import (
    INPUT_SIZE,
    anchor_centres,
    decode,
    intersection_over_union,
    weighted_suppression,
)
from edgeavatar.face.measures import face_height
from edgeavatar.face.mesh import MESH_SIZE
from edgeavatar.face.topology import BLENDSHAPE_LANDMARKS, LANDMARK_COUNT
from edgeavatar.portrait import make_portrait, write_portrait
from export.calibration import CALIBRATION, HELD_OUT, RecordingSession, people
from export.recipes.base import Array, Feeds, Net, Recipe, Runner, TaskFigure, wants_no_checkpoint

Picture = npt.NDArray[np.uint8]

_SIZES = (224, 320, 480, 640)
"""Widths of portraits in pixels; a face takes half of one."""
_TURN_DEG = 25.0
_TRUNCATION = 0.8
"""More faces that do not smile than people who sit for portraits have."""
_WORDS = {
    CALIBRATION: "Beautiful brown pebbles rolled past. Whose shoes are those? We shall see.",
    HELD_OUT: "Please leave your umbrella by the front door. How many evenings?",
}
_FPS = Fraction(8)
_TALKERS = {CALIBRATION: 3, HELD_OUT: 2}
"""People who are also seen talking: expressions of portraits are much alike."""
_HEIGHT_PX = 256.0
_POINTS_PX = 0.5
"""At face height 256: a small part of what lips move, and more than rounding should cost."""
_WEIGHT = 0.05
"""Of a blendshape, of 1: a change that is hardly seen."""
_SCORE = 0.5
_BOUND = 0.95


@dataclass(frozen=True, slots=True)
class Met:
    """What the three nets were given."""

    detector: tuple[Feeds, ...]
    mesh: tuple[Feeds, ...]
    blendshapes: tuple[Feeds, ...]


def looked_at(pictures: Iterable[Iterable[Picture]]) -> Met:
    """Record what the nets are given while a tracker looks at pictures.

    Parameters
    ----------
    pictures
        ``(h, w, 3)`` uint8, BGR; those of one person, who may move, together.

    Raises
    ------
    ModelNotFound
        The face models are not installed.
    """
    with FaceTracker(choice="largest", backend="openvino") as tracker:
        models: tuple[Any, ...] = (tracker.detector, tracker.mesh, tracker.blendshapes)
        sessions = tuple(RecordingSession(model.session) for model in models)
        for model, session in zip(models, sessions, strict=True):
            model.session = session
        for person in pictures:
            tracker.reset()
            for picture in person:
                tracker.track(picture)
    return Met(*(tuple(session.taken) for session in sessions))


def portraits(seeds: Iterable[int]) -> Iterator[list[Picture]]:
    """Yield people who do not exist: small and large, upright and leaning, in every light."""
    for number, seed in enumerate(seeds):
        draw = np.random.default_rng(seed)
        size = _SIZES[number % len(_SIZES)]
        image = make_portrait(seed, size=size, truncation=_TRUNCATION).image
        for most in (0.0, _TURN_DEG):
            turn = cv2.getRotationMatrix2D((size / 2, size / 2), draw.uniform(-most, most), 1.0)
            turned = cv2.warpAffine(image, turn, (size, size), borderMode=cv2.BORDER_REPLICATE)
            light = draw.uniform(0.4, 1.2, 3) if most else draw.uniform(0.75, 1.15)
            # By itself: a face that jumps is looked for anew.
            yield [np.clip(np.rint(turned * light), 0, 255).astype(np.uint8)]


def talkers(seeds: Iterable[int], words: str) -> Iterator[Iterator[Picture]]:
    """Yield people who do not exist and talk.

    Raises
    ------
    ModelNotFound
        The portrait model or the default voice are not installed.
    """
    with tempfile.TemporaryDirectory() as name:
        for seed in seeds:
            photo, film = Path(name) / f"{seed}.png", Path(name) / f"{seed}.mp4"
            write_portrait(make_portrait(seed, size=_SIZES[-2]), photo)
            # Nothing here changes when another painter is trained.
            render(RenderJob(photo, film, text=words, seed=seed, fps=_FPS, renderer="geometric"))
            yield _frames(film)


def _frames(film: Path) -> Iterator[Picture]:
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


@cache
def _met(which: str) -> Met:
    seeds = people(which)
    still = looked_at(portraits(seeds))
    talking = looked_at(talkers(seeds[: _TALKERS[which]], _WORDS[which]))
    return Met(
        still.detector + talking.detector,
        # Of a still picture the mesh is read several times; a talker is read once a frame.
        _mixed(still.mesh, talking.mesh),
        _mixed(still.blendshapes, talking.blendshapes),
    )


def _mixed(one: Sequence[Feeds], other: Sequence[Feeds]) -> tuple[Feeds, ...]:
    """Give as many of each, from all over, in turn: what is taken from all over has both."""
    count = min(len(one), len(other))
    chosen = [
        [all_of[i] for i in np.linspace(0, len(all_of) - 1, count).round().astype(int)]
        for all_of in (one, other)
    ]
    return tuple(feeds for pair in zip(*chosen, strict=True) for feeds in pair)


def same_points(met: Sequence[Feeds], reference: Runner, candidate: Runner) -> TaskFigure:
    """Compare meshes: landmarks whose places are half a pixel apart or less at face height 256.

    A face that one of both does not see has none.
    """
    found = []
    for feeds in met:
        right, made = reference(feeds), candidate(feeds)
        seen, still_seen = (float(r["Identity_1"].reshape(-1)[0]) > 0.0 for r in (right, made))
        if not seen:
            continue
        points, others = (r["Identity"].reshape(LANDMARK_COUNT, 3)[:, :2] for r in (right, made))
        away = np.linalg.norm(points - others, axis=1) * _HEIGHT_PX / face_height(points)
        found.append(float((away <= _POINTS_PX).mean()) if still_seen else 0.0)
    return TaskFigure("landmarks within 0.5 px", float(np.mean(found)), min(found), _BOUND)


def same_faces(met: Sequence[Feeds], reference: Runner, candidate: Runner) -> TaskFigure:
    """Compare detections: overlap of the boxes of a face, less by the difference of the scores.

    A face that one of both does not find counts as 0, and so does one too many. Places where
    neither finds anything say nothing.
    """
    found: list[float] = []
    for feeds in met:
        one, other = (_detections(net(feeds)) for net in (reference, candidate))
        count = max(len(one[1]), len(other[1]))
        if count:
            found.append(sum(_agreements(one, other)) / count)
    return TaskFigure("same faces", float(np.mean(found)), min(found), _BOUND)


Detections = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def _detections(answer: Mapping[str, Array]) -> Detections:
    logits = answer["classificators"].reshape(-1).astype(np.float64)
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -100.0, 100.0)))
    likely = np.flatnonzero(scores >= _SCORE)
    values = answer["regressors"].reshape(len(logits), -1)[likely] / INPUT_SIZE
    return weighted_suppression(decode(values, anchor_centres()[likely]), scores[likely])


def _agreements(one: Detections, other: Detections) -> Iterator[float]:
    left = list(range(len(other[1])))
    for box, score in zip(*one, strict=True):
        if not left:
            return
        overlaps = intersection_over_union(box[:2], other[0][left, :2])
        best = int(np.argmax(overlaps))
        yield float(overlaps[best]) * (1.0 - abs(float(score) - float(other[1][left[best]])))
        del left[best]


def same_weights(met: Sequence[Feeds], reference: Runner, candidate: Runner) -> TaskFigure:
    """Compare expressions: blendshapes whose weights are 0.05 apart or less."""
    found = []
    for feeds in met:
        (right,), (made,) = reference(feeds).values(), candidate(feeds).values()
        found.append(float((np.abs(right - made) <= _WEIGHT).mean()))
    return TaskFigure("blendshapes within 0.05", float(np.mean(found)), min(found), _BOUND)


Judge = Callable[[Sequence[Feeds], Runner, Runner], TaskFigure]
_NETS: dict[str, tuple[str, tuple[int, ...], tuple[str, ...], Judge]] = {
    "detector": (
        "input",
        (1, INPUT_SIZE, INPUT_SIZE, 3),
        ("regressors", "classificators"),
        same_faces,
    ),
    "mesh": (
        "input_12",
        (1, MESH_SIZE, MESH_SIZE, 3),
        ("Identity", "Identity_1", "Identity_2"),
        same_points,
    ),
    "blendshapes": (
        "serving_default_input_points:0",
        (1, len(BLENDSHAPE_LANDMARKS), 2),
        ("StatefulPartitionedCall:0",),
        same_weights,
    ),
}


def face_net(key: str, met: Callable[[str], Met] = _met) -> Net:
    """Describe one of the nets.

    Parameters
    ----------
    key
        ``detector``, ``mesh`` or ``blendshapes``.
    met
        Gives what they are given, for a set of :data:`export.calibration.SETS`.
    """
    name, shape, outputs, judge = _NETS[key]

    def recorded(which: str) -> Sequence[Feeds]:
        given: Sequence[Feeds] = getattr(met(which), key)
        return given

    return Net(
        stem=f"face_{key}",
        manifest=None,
        inputs={name: np.zeros(shape, np.float32)},
        outputs=outputs,
        varying={},
        recorded=recorded,
        judge=lambda reference, candidate: judge(recorded(HELD_OUT), reference, candidate),
        graph=zoo.file_of("face", key),
    )


def _recipe(key: str, title: str) -> Recipe:
    name = f"face-{key}"

    def nets(checkpoint: Path | None) -> list[Net]:
        wants_no_checkpoint(name, checkpoint)
        return [face_net(key)]

    return Recipe(name, title, "the installed model face", nets)


RECIPES = (
    _recipe("detector", "face detector of MediaPipe, for OpenVINO"),
    _recipe("mesh", "478-point face mesh of MediaPipe, for OpenVINO"),
    _recipe("blendshapes", "52 blendshapes of MediaPipe, for OpenVINO"),
)
