"""Generators of Wav2Lip's layout, whose weights somebody else brings."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from edgeavatar.audio.mel_windows import MelWindows
from edgeavatar.errors import UsageError
from edgeavatar.face import FaceTracker
from edgeavatar.motion.mel import SAMPLE_RATE
from edgeavatar.portrait import make_portrait
from edgeavatar.rendering.wav2lip import as_input, crop_face
from export.calibration import HELD_OUT, people, spoken
from export.measures import ssim
from export.nets.wav2lip import SIZE, folded, load_generator, some_inputs
from export.recipes.base import Array, Feeds, Net, Recipe, Runner, TaskFigure

_SSIM = 0.99
_MOMENTS = 5
"""Of each person and sentence."""
_PORTRAIT_PX = 512


def _nets(checkpoint: Path | None) -> list[Net]:
    if checkpoint is None:
        raise UsageError(
            "wav2lip: expected --checkpoint with a generator's weights, found none; edgeavatar "
            "ships none, and the public ones are for non-commercial use"
        )
    net = folded(load_generator(checkpoint))
    mel, face = (tensor.numpy() for tensor in some_inputs(1))

    @cache
    def recorded(which: str) -> list[Feeds]:
        return list(_faces_and_words(which))

    def judge(reference: Runner, candidate: Runner) -> TaskFigure:
        found = [
            ssim(_luma(reference(feeds)["mouth"]), _luma(candidate(feeds)["mouth"]))
            for feeds in recorded(HELD_OUT)
        ]
        return TaskFigure("mouth-box SSIM", float(np.mean(found)), min(found), _SSIM)

    return [
        Net(
            stem="wav2lip",
            manifest=("wav2lip", "generator"),
            inputs={"mel": mel, "face": face},
            outputs=("mouth",),
            varying={name: {0: "n"} for name in ("mel", "face", "mouth")},
            recorded=recorded,
            judge=judge,
            module=net,
            quantized=("Conv", "ConvTranspose"),
        )
    ]


def _luma(mouth: Array) -> Array:
    """Take the lower half of a face ``(1, 3, 96, 96)``, BGR, which is what gets shown."""
    half = mouth[0, :, SIZE // 2 :].transpose(1, 2, 0)
    return np.rint(255.0 * half @ np.array([0.0722, 0.7152, 0.2126], np.float32)).astype(np.uint8)


def _faces_and_words(which: str) -> Iterator[Feeds]:
    with FaceTracker(choice="largest", threads=1) as tracker:
        for seed, sound in zip(people(which), spoken(which), strict=False):
            picture = make_portrait(seed, size=_PORTRAIT_PX).image
            tracker.reset()
            face = tracker.track(picture)
            if face is None:
                continue
            seen = as_input(crop_face(face).cut(picture))
            windows = MelWindows(SAMPLE_RATE)
            windows.push(sound)
            windows.finish()
            lasts_s = len(sound) / SAMPLE_RATE
            for moment in np.linspace(0.4, lasts_s - 0.6, _MOMENTS):
                heard = windows.window_at(Fraction(float(moment)))
                yield {"mel": heard[None, None], "face": seen}


RECIPES = (
    Recipe(
        "wav2lip",
        "a generator of Wav2Lip's layout, 96 px, for `render --renderer wav2lip`",
        "a checkpoint of the published layout; there is none without it",
        _nets,
    ),
)
