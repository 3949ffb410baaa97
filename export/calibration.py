"""What nets really meet: inputs recorded while the runtime works, for calibration and for tests.

No data set is needed: people are synthetic portraits and words are spoken by the installed voices.
What calibrates and what judges never share a person, a voice's sentence or a seed.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.audio.resample import resample_stream
from edgeavatar.backends.base import Session
from edgeavatar.face import FaceTracker, canonical_mesh
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.motion.hearing import Hearing
from edgeavatar.motion.mel import SAMPLE_RATE
from edgeavatar.pipeline.faces import Acquaintance
from edgeavatar.pipeline.job import RenderJob
from edgeavatar.pipeline.opening import open_faces, open_picture, open_words
from edgeavatar.portrait import make_portrait
from edgeavatar.rendering.dentition import fit_anatomy
from edgeavatar.rendering.interior import InteriorModel
from edgeavatar.rendering.neural import NeuralRenderer, open_painter, reference_mouth
from edgeavatar.speech import open_voice
from edgeavatar.types import MOTION_NAMES, FaceObservation, Frame

Array = npt.NDArray[Any]
Feeds = dict[str, Array]
Runner = Callable[[Feeds], dict[str, Array]]

CALIBRATION, HELD_OUT = "calibration", "held-out"
SETS = (CALIBRATION, HELD_OUT)
_PEOPLE = {CALIBRATION: range(100, 112), HELD_OUT: range(200, 206)}
"""Seeds of portraits. Neither those of the tests nor of the transfer sheet."""
_SAID = {
    CALIBRATION: (
        "Beautiful brown pebbles rolled past the window while five people watched.",
        "Whose shoes are those? Put the choice to a vote and we shall see.",
        "She thought the music was far too loud, but the children loved every minute.",
    ),
    HELD_OUT: (
        "Please leave your umbrella by the front door before you come in.",
        "How many evenings did George and Ruth stay above the old bakery?",
    ),
}
_FPS = Fraction(10)
"""Neighbouring frames teach the same: fewer of more people teach more."""
_SIZE_PX = 512
_RATES = {CALIBRATION: (0.8, 1.0, 1.25), HELD_OUT: (0.9, 1.1)}
_NOISE_DB = {CALIBRATION: (None, 20.0, 10.0), HELD_OUT: (None, 15.0)}
"""Level of the speech over white noise, or no noise."""
_PIECES = (1, 7, 14, 20, 40)
"""Rows at once: a live stream and a file come in different pieces."""
_JAW = MOTION_NAMES.index("jawOpen")


class RecordingSession:
    """A session that remembers copies of what it was given.

    Parameters
    ----------
    inner
        Does the work.
    every
        Remember every so many calls only.
    """

    def __init__(self, inner: Session, every: int = 1) -> None:
        self._inner = inner
        self._every = every
        self._calls = 0
        self.taken: list[Feeds] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model, and remember."""
        if self._calls % self._every == 0:
            self.taken.append({name: array.copy() for name, array in feeds.items()})
        self._calls += 1
        return self._inner.run(feeds)


def painter_inputs(which: str) -> Iterator[Feeds]:
    """Yield what the mouth painter is given while people speak.

    Half of each person's frames come without a reference, half with one: the widest mouth of the
    first half.

    Parameters
    ----------
    which
        One of :data:`SETS`.

    Yields
    ------
    dict
        ``layers (1, 14, 128, 128)`` float32.

    Raises
    ------
    ModelNotFound
        The face models, the portrait model or the default voice are not installed.
    """
    inner = open_painter("onnxruntime")
    with tempfile.TemporaryDirectory() as folder, inner:
        for number, seed in enumerate(_PEOPLE[which]):
            path = Path(folder) / f"{seed}.png"
            # Darker, lighter, warmer and colder rooms than the portraits'.
            light = np.random.default_rng(seed).uniform(0.75, 1.15, 3)
            picture = make_portrait(seed, size=_SIZE_PX).image * light
            cv2.imwrite(str(path), np.clip(np.rint(picture), 0, 255).astype(np.uint8))
            words = _SAID[which][number % len(_SAID[which])]
            painter = RecordingSession(inner)
            _speak(
                RenderJob(path, Path(folder) / "none.mp4", text=words, seed=seed, fps=_FPS), painter
            )
            yield from painter.taken


def _speak(job: RenderJob, painter: RecordingSession) -> None:
    with open_picture(job) as picture, open_words(job, head=job.seed) as words:
        words.lasts_beyond(Fraction(0))
        with open_faces(job) as faces:
            known = faces.learn(picture.probe())
            pairs = list(faces.follow(picture.frames(words.lasts_beyond)))
        renderer = _renderer(known, painter, None)
        widest: tuple[float, Frame] | None = None
        for number, (frame, face) in enumerate(pairs):
            if face is None:
                continue
            if number == len(pairs) // 2 and widest is not None:
                renderer = _renderer(known, painter, _seen(widest[1]))
            row = words.row_at(frame.time_s)
            made = renderer.render(frame, face, row, None)
            if widest is None or row[_JAW] > widest[0]:
                widest = (float(row[_JAW]), made)


def _seen(frame: Frame) -> tuple[Frame, FaceObservation] | None:
    with FaceTracker(choice="largest", threads=1) as tracker:
        face = tracker.track(frame_to_bgr(frame))
    return None if face is None else (frame, face)


def _renderer(
    known: Acquaintance,
    painter: RecordingSession,
    shown: tuple[Frame, FaceObservation] | None,
) -> NeuralRenderer:
    person = known.person
    interior = InteriorModel(fit_anatomy(person.lip_line_cm, person.mouth_width_cm))
    triangles = canonical_mesh().triangles
    reference = None if shown is None else reference_mouth(*shown, person.lip_line_cm)
    return NeuralRenderer(person, triangles, interior, known.light, painter, reference)


def people(which: str) -> range:
    """Give the seeds of the portraits of a set."""
    return _PEOPLE[which]


def spoken(which: str) -> Iterator[npt.NDArray[np.float32]]:
    """Yield what the default voice says: fast, slow, with noise, half a second of quiet around it.

    Parameters
    ----------
    which
        One of :data:`SETS`.

    Yields
    ------
    numpy.ndarray
        ``(n,)`` float32 at 16 kHz.

    Raises
    ------
    ModelNotFound
        The default voice is not installed.
    """
    draw = np.random.default_rng(len(which))
    with contextlib.closing(open_voice(None)) as voice:
        for words, rate, noise_db in itertools.product(
            _SAID[which], _RATES[which], _NOISE_DB[which]
        ):
            chunks = (chunk.audio for chunk in voice.synthesize(words, rate=rate))
            parts = [chunk.samples for chunk in resample_stream(chunks, SAMPLE_RATE)]
            quiet = np.zeros(SAMPLE_RATE // 2, np.float32)
            sound = np.concatenate([quiet, *parts, quiet])
            if noise_db is not None:
                level = float(np.sqrt((sound**2).mean())) * 10.0 ** (-noise_db / 20.0)
                sound = sound + draw.normal(0.0, level, len(sound))
            yield sound.astype(np.float32)


def heard_streams(which: str) -> Iterator[npt.NDArray[np.float32]]:
    """Yield what the listener hears of :func:`spoken`.

    Yields
    ------
    numpy.ndarray
        ``(n, 80)`` float32, see :class:`edgeavatar.motion.hearing.Hearing`.
    """
    for sound in spoken(which):
        hearing = Hearing()
        yield np.concatenate([hearing.push(sound), hearing.flush()])


def streamed(net: Runner, streams: Iterable[Array], start: Array) -> Iterator[Feeds]:
    """Yield the pieces that a net with a memory is given of streams, with the memory at each.

    Parameters
    ----------
    net
        With inputs ``rows`` and ``state``, and the output ``next_state``.
    streams
        ``(n, k)`` each.
    start
        Memory of a stream that has not begun.
    """
    for stream in streams:
        state, first = start, 0
        for size in itertools.cycle(_PIECES):
            if first >= len(stream):
                break
            feeds = {"rows": stream[None, first : first + size], "state": state}
            yield feeds
            state = net(feeds)["next_state"]
            first += size
