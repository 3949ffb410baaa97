"""Mouth motion from sound alone.

The listener net hears which phones are said (:mod:`edgeavatar.motion.nets`), the mouth net moves
lips, jaw and tongue by them, just as it does where the phones are known from text
(:mod:`edgeavatar.motion.coarticulation`), and what a mouth must not do is taken out
(:mod:`edgeavatar.motion.restraint`). A row needs :data:`LOOK_AHEAD_S` of sound after its own time
and no more, so a mouth can follow a voice live.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.coarticulation import Articulation
from edgeavatar.motion.hearing import Hearing
from edgeavatar.motion.mel import HOP_LENGTH, SAMPLE_RATE, WINDOW_LENGTH
from edgeavatar.motion.nets import (
    LISTENER_DELAY,
    MOUTH_DELAY,
    StreamedNet,
    open_listener,
    open_mouth,
)
from edgeavatar.motion.restraint import LOOK_AHEAD, Restraint, widened
from edgeavatar.motion.visemes import articulators_to_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from edgeavatar.backends import TunedModels
    from edgeavatar.types import AudioChunk, FloatArray

    Flags = npt.NDArray[np.bool_]

PROBABILITY_HOP = 512
"""Samples at 16 kHz that one speech probability speaks of."""
LOOK_AHEAD_S = (
    LISTENER_DELAY + MOUTH_DELAY + LOOK_AHEAD
) * HOP_LENGTH / SAMPLE_RATE + WINDOW_LENGTH / 2 / SAMPLE_RATE
"""Sound needed after a moment to know the mouth at it: 152.5 ms."""

_VOICED, _STILL_VOICED = 0.5, 0.35
"""Probability at which somebody begins to speak, and down to which they go on: the detector's own
two thresholds."""
_DETECTOR_ROWS = 3
"""The detector sees edges of speech up to this late."""


def audio_rows(
    chunks: Iterable[AudioChunk],
    speech_probability: Iterator[float] | None = None,
    articulation: Articulation | None = None,
    tuned: TunedModels | None = None,
) -> Iterator[FloatArray]:
    """Write the mouth motion of recorded speech.

    Row ``i`` of the concatenated blocks holds at ``i / 100`` s of the stream. Together the blocks
    have ``ceil(100 * duration)`` rows. A row is given when :data:`LOOK_AHEAD_S` of sound beyond it
    have come, or the end; memory does not grow with the stream.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Mono sound at 16 kHz, each chunk beginning where the one before ends.
    speech_probability : iterator of float, optional
        Probability of speech, 0 to 1, for each 512 samples. One value is taken for each 512
        samples that have come, and one for a shorter rest at the end. Without it, the listener
        alone decides where somebody speaks.
    articulation : Articulation, optional
        How the speaker articulates; only its strength matters here.
    tuned : mapping, optional
        See :func:`edgeavatar.backends.open_session`.

    Yields
    ------
    numpy.ndarray
        ``(n, 26)`` float32 in [0, 1], order of :data:`~edgeavatar.types.MOTION_NAMES`, n >= 1.

    Raises
    ------
    UsageError
        If chunks do not follow each other or are not at 16 kHz, or the probabilities end early.
    ModelNotFound, IntegrityError
        If a net is missing or damaged.
    """
    strength = (articulation or Articulation()).strength
    with ExitStack() as stack:
        listener = stack.enter_context(open_listener(tuned))
        mouth = stack.enter_context(open_mouth(tuned))
        ear = _Ear(listener, mouth, Restraint(strength), speech_probability)
        end_sample = 0
        for chunk in chunks:
            if chunk.sample_rate != SAMPLE_RATE:
                raise UsageError(
                    f"expected sound at {SAMPLE_RATE} samples per second, found {chunk.sample_rate}"
                )
            if chunk.start_sample != end_sample:
                raise UsageError(
                    f"expected the next sound at sample {end_sample}, found {chunk.start_sample}"
                )
            end_sample += len(chunk.samples)
            # A long chunk is heard piece by piece, so that memory does not grow with it either.
            for first in range(0, len(chunk.samples), SAMPLE_RATE):
                yield from ear.push(chunk.samples[first : first + SAMPLE_RATE])
        yield from ear.finish()


class _Ear:
    """From sound to rows."""

    def __init__(
        self,
        listener: StreamedNet,
        mouth: StreamedNet,
        restraint: Restraint,
        probabilities: Iterator[float] | None,
    ) -> None:
        self._hearing = Hearing()
        self._listener = listener
        self._mouth = mouth
        self._restraint = restraint
        self._detector = None if probabilities is None else _Detector(probabilities)
        self._samples = 0

    def push(self, samples: FloatArray) -> Iterator[FloatArray]:
        self._samples += len(samples)
        heard = self._listener.push(self._hearing.push(samples))
        moved = self._mouth.push(heard)
        voiced = self._voiced(len(heard))
        yield from _rows(self._restraint.push(moved.astype(np.float64), heard, voiced))

    def finish(self) -> Iterator[FloatArray]:
        heard = np.concatenate([self._listener.push(self._hearing.flush()), self._listener.flush()])
        moved = np.concatenate([self._mouth.push(heard), self._mouth.flush()])
        voiced = (
            np.ones(len(heard), bool)
            if self._detector is None
            else self._detector.finish(self._samples)
        )
        yield from _rows(self._restraint.push(moved.astype(np.float64), heard, voiced))
        yield from _rows(self._restraint.flush())

    def _voiced(self, rows: int) -> Flags:
        if self._detector is None:
            return np.ones(rows, bool)
        return self._detector.push(self._samples)


class _Detector:
    """Speech probabilities as flags of rows."""

    def __init__(self, probabilities: Iterator[float]) -> None:
        self._probabilities = probabilities
        self._windows = 0
        self._speaking = False
        self._flags = np.zeros(_DETECTOR_ROWS, bool)
        self._rows = 0

    def push(self, samples: int) -> Flags:
        """Give the flags of rows that are known when so many samples have come."""
        return self._take(samples // PROBABILITY_HOP)

    def finish(self, samples: int) -> Flags:
        """Give the remaining flags: as many as there are rows, or a few more."""
        known = self._take(-(-samples // PROBABILITY_HOP))
        silence = np.zeros(_DETECTOR_ROWS, bool)
        self._flags = np.concatenate([self._flags, silence])
        return np.concatenate([known, self._widened()])

    def _take(self, windows: int) -> Flags:
        chances = []
        while self._windows < windows:
            chance = next(self._probabilities, None)
            if chance is None:
                raise UsageError(
                    f"expected {windows} speech probabilities, one for each {PROBABILITY_HOP} "
                    f"samples, found {self._windows}"
                )
            self._speaking = chance >= (_STILL_VOICED if self._speaking else _VOICED)
            chances.append(self._speaking)
            self._windows += 1
        if not chances:
            return np.zeros(0, bool)
        # Rows whose moment lies in the windows that have come.
        end = -(-self._windows * PROBABILITY_HOP // HOP_LENGTH)
        moments = np.arange(self._rows, end) * HOP_LENGTH
        first = self._windows - len(chances)
        self._rows = end
        flags = np.array(chances)[moments // PROBABILITY_HOP - first]
        self._flags = np.concatenate([self._flags, flags])
        return self._widened()

    def _widened(self) -> Flags:
        reach = _DETECTOR_ROWS
        ready = len(self._flags) - 2 * reach
        if ready <= 0:
            return np.zeros(0, bool)
        flags = widened(self._flags, reach)[reach : reach + ready]
        self._flags = self._flags[ready:]
        return flags


def _rows(settled: npt.NDArray[np.float64]) -> Iterator[FloatArray]:
    if len(settled):
        yield articulators_to_rows(settled)
