"""Piper voices in half precision and INT8: as fast, as long and as well understood as before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.speech import SENTENCES, pronounced, word_errors
from edgeavatar import zoo
from edgeavatar.audio.resample import resample
from edgeavatar.backends import open_session
from edgeavatar.backends.onnx_graph import check_onnx
from edgeavatar.errors import IntegrityError, ModelNotFound, UsageError
from edgeavatar.speech import piper
from edgeavatar.speech.catalogue import find_voice
from edgeavatar.speech.transcription import SAMPLE_RATE, Recognizer, open_recognizer
from export.calibration import CALIBRATION, RecordingSession
from export.measures import log_mel_distance
from export.recipes.base import Array, Feeds, Net, Recipe, Runner, TaskFigure
from export.recipes.voices import with_durations

_SOUND = "output"
_CALIBRATION = (
    "The jewel was hidden in a plain box of beechwood.",
    "Why not? she asked, but nobody gave her a proper answer.",
    "Wireless signals grow weaker as they pass through brick walls.",
    "Whose shoes are those? Put the choice to a vote and we shall see.",
    "Snow was forecast for the hills, so the shepherds moved their flocks.",
    "The robot moved one arm, paused, and moved the other.",
    "You cannot miss it: the whole front is painted purple!",
    "Beautiful brown pebbles rolled past the window while five people watched.",
)
_HELD_OUT = SENTENCES[::2]
"""Other sentences than those above: with names, numbers and times."""
_RATES = (0.85, 1.0, 1.2)
_KEPT = ("/enc_p", "/dp", "/MatMul")
"""Text encoder, duration predictor and what lays their answers out in time: durations are rounded
up to whole hops, and a rounding that moves one across a border makes another sentence."""
_DISTANCE_DB = 1.0
"""Mean spectral distortion of a speech coder that is not heard (Paliwal & Atal 1993)."""
_WORDS = 0.01
"""Of all words: what counts as equally good where voices are compared (benchmarks/speech.py)."""
_RANKED = 2
"""Sentences on which layers are ranked; each of 63 runs on all of them."""
_LARGEST_BYTES = 512 * 1024**2
"""Of somebody's own voice; the largest published ones have a fourth."""


def _files(checkpoint: Path | None) -> tuple[Path, Path]:
    if checkpoint is None:
        files = zoo.resolve("voice-joe")
        return files["acoustic"], files["config"]
    config = checkpoint.with_name(f"{checkpoint.name}.json")
    for path in (checkpoint, config):
        if not path.is_file():
            raise ModelNotFound(f"expected a Piper voice as {path}, found no file")
    if checkpoint.suffix != ".onnx":
        raise UsageError(f"expected a Piper voice as .onnx, found {checkpoint.name}")
    size = checkpoint.stat().st_size
    if size > _LARGEST_BYTES:
        limit = _LARGEST_BYTES // 1024**2
        raise IntegrityError(
            f"{checkpoint.name}: expected at most {limit} MiB, found {size // 1024**2} MiB"
        )
    check_onnx(checkpoint.read_bytes(), what=checkpoint.name)
    return checkpoint, config


def _settings(config: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
        language, speakers = str(settings["espeak"]["voice"]), int(settings["num_speakers"])
        rate = int(settings["audio"]["sample_rate"])
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{config.name}: expected the JSON of a Piper voice with espeak.voice, num_speakers "
            f"and audio.sample_rate, found: {error!r}"
        ) from error
    if not language.startswith("en") or speakers != 1 or not 8000 <= rate <= 48000:
        raise UsageError(
            f"{config.name}: expected an English voice of one speaker, which the recogniser "
            f"understands, found {language!r}, {speakers} speakers, {rate} Hz"
        )
    return settings


def quiet(feeds: Feeds) -> dict[str, Array]:
    """Take the noise out of what a Piper graph is given, which draws another each time."""
    return {**feeds, "scales": feeds["scales"] * np.array([0.0, 1.0, 0.0], np.float32)}


def said(graph: Path, config: Path, which: str) -> Iterator[dict[str, Array]]:
    """Yield what a Piper graph is given for sentences: with noise to calibrate, without to judge.

    Parameters
    ----------
    graph, config
        Of the voice.
    which
        One of :data:`export.calibration.SETS`.
    """
    inner = open_session(graph, backend="onnxruntime", threads=1, outputs=[piper.DURATIONS])
    session = RecordingSession(inner)
    info = replace(find_voice("joe"), sample_rate=int(_settings(config)["audio"]["sample_rate"]))
    voice = piper.PiperVoice(info, session, config, lambda script: f"{script} is not read here")  # type: ignore[arg-type]
    for number, sentence in enumerate(_CALIBRATION if which == CALIBRATION else _HELD_OUT):
        session.taken.clear()
        rate = _RATES[number % len(_RATES)] if which == CALIBRATION else 1.0
        for _ in voice.synthesize(sentence, rate=rate):
            pass
        if which == CALIBRATION:
            yield from session.taken
        else:
            yield from map(quiet, session.taken)
    voice.close()


def sound_distance(right: Mapping[str, Array], made: Mapping[str, Array], rate: int) -> float:
    """Measure how far a sound is from the right one in decibel; far, if it is of another length."""
    one, other = (answer[_SOUND].reshape(-1) for answer in (right, made))
    if len(one) != len(other):
        return 100.0
    return log_mel_distance(one, other, rate)


def same_speech(
    met: list[dict[str, Array]],
    rate: int,
    recognizer: Recognizer,
    reference: Runner,
    candidate: Runner,
) -> TaskFigure:
    """Compare what two graphs say: spectra, durations, and words that a recogniser mishears.

    What the recogniser makes of the right one is what was said: the words are told by it, and not
    by the text, whose numbers may be written in several ways.
    """
    distances, durations = [], []
    wrong = words = 0
    for feeds in met:
        right, made = reference(feeds), candidate(feeds)
        distances.append(sound_distance(right, made, rate))
        durations.append(float(np.array_equal(right[piper.DURATIONS], made[piper.DURATIONS])))
        said, heard = (
            pronounced(
                recognizer.recognize(resample(answer[_SOUND].reshape(-1), rate, SAMPLE_RATE))
            )
            for answer in (right, made)
        )
        wrong += word_errors(said, heard)
        words += len(said)
    error = wrong / max(words, 1)
    return TaskFigure(
        "log-mel distance dB",
        float(np.mean(distances)),
        max(distances),
        _DISTANCE_DB,
        less_is_better=True,
        also=(
            TaskFigure("same durations", float(np.mean(durations)), min(durations), 1.0),
            TaskFigure("words heard otherwise", error, error, _WORDS, less_is_better=True),
        ),
    )


def _nets(checkpoint: Path | None) -> list[Net]:
    graph, config = _files(checkpoint)
    rate = int(_settings(config)["audio"]["sample_rate"])
    model: onnx.ModelProto = with_durations(graph, piper.DURATIONS, ("batch_size", 1, "phonemes"))

    @cache
    def recorded(which: str) -> list[dict[str, Array]]:
        return list(said(graph, config, which))

    def judge(reference: Runner, candidate: Runner) -> TaskFigure:
        met = recorded("held-out")
        return same_speech(met, rate, open_recognizer(), reference, candidate)

    def rank(reference: Runner, candidate: Runner) -> float:
        met = [quiet(feeds) for feeds in recorded(CALIBRATION)[:_RANKED]]
        return float(np.mean([sound_distance(reference(f), candidate(f), rate) for f in met]))

    return [
        Net(
            stem=graph.stem,
            manifest=None,
            inputs=recorded(CALIBRATION)[0],
            outputs=(_SOUND, piper.DURATIONS),
            varying={"input": {1: "phonemes"}},
            recorded=recorded,
            judge=judge,
            graph=model,
            quantized=("Conv", "ConvTranspose", "MatMul"),
            kept=_KEPT,
            backends=("onnxruntime",),
            bounded=False,
            rank=rank,
        )
    ]


RECIPES = (
    Recipe(
        "piper",
        "an English Piper voice with durations, in half precision and INT8",
        "NAME.onnx with NAME.onnx.json beside it; without it, the installed voice joe",
        _nets,
    ),
)
