"""Mouth motion from sound alone: band energies around a moment through a small regression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.previous.bands import BANDS, HOP_LENGTH, SAMPLE_RATE, Heard, Listener
from benchmarks.previous.movement import (
    ARTICULATORS,
    MARGIN,
    PRESSED_GAP,
    articulators_to_rows,
    settle,
)
from edgeavatar.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from benchmarks.previous.bands import Floats
    from benchmarks.previous.movement import Channels
    from edgeavatar.types import AudioChunk, FloatArray

    Flags = npt.NDArray[np.bool_]

WEIGHTS = Path(__file__).with_name("mouth_acoustics.npz")
OUTPUTS: tuple[str, ...] = (
    "jaw",
    "gap",
    "pucker",
    "funnel",
    "spread",
    "labiodental",
    "tongue_tip",
    "seal",
)
"""What the regression gives: articulators, and how much it sounds like lips held together."""

CONTEXT: tuple[tuple[int, int], ...] = (
    (-16, -10),
    (-9, -5),
    (-4, -2),
    (-1, 1),
    (2, 4),
    (5, 9),
    (10, 16),
)
"""Stretches of rows, relative to the row asked for, over which bands are averaged."""
_CONTEXT_ROWS = 16

PROBABILITY_HOP = 512
"""Samples at 16 kHz that one speech probability speaks of."""
_SPEAKING = 0.4
"""Probability from which somebody speaks; the detector's own two thresholds are 0.5 and 0.35."""
_MIN_OVER_NOISE_DB = 6.0
_MIN_OVER_LEVEL_DB = -36.0
_BRIDGED_ROWS = 8
"""Silences up to twice as long are closures of stops, not pauses."""
_SHORTEST_ROWS = 2
"""Sounds no longer than twice this are clicks, not speech."""
_DETECTOR_ROWS = 4
"""The detector sees edges of speech up to this late."""
_WIDENED_ROWS = 3
_FADE_ROWS = 6
"""Speech is widened by 30 ms and faded over ±60 ms: with smoothing, the mouth rests 110 ms after
the last sound."""
_REACH_ROWS = _CONTEXT_ROWS + 2 * _BRIDGED_ROWS + 2 * _SHORTEST_ROWS + 12 + _FADE_ROWS
_BLOCK_ROWS = 50

_SEAL_FROM, _SEAL_FULL = 0.22, 0.38
"""Scores of the seal output between which lips are drawn together."""


@dataclass(frozen=True, slots=True)
class AcousticModel:
    """A regression with one hidden layer: ``tanh(x @ hidden + hidden_bias) @ out + out_bias``."""

    hidden: Floats
    """``(BANDS * len(CONTEXT), h)``."""
    hidden_bias: Floats
    """``(h,)``."""
    out: Floats
    """``(h, len(OUTPUTS))``."""
    out_bias: Floats
    """``(len(OUTPUTS),)``."""

    def __call__(self, features: Floats) -> Floats:
        """Give the outputs of ``(n, BANDS * len(CONTEXT))`` features as ``(n, len(OUTPUTS))``."""
        hidden = np.tanh(features @ self.hidden + self.hidden_bias)
        return np.asarray(hidden @ self.out + self.out_bias)


def read_model(path: Path) -> AcousticModel:
    """Read a fitted regression.

    Parameters
    ----------
    path : pathlib.Path
        An ``.npz`` with the four arrays of :class:`AcousticModel`, any float type.

    Returns
    -------
    AcousticModel

    Raises
    ------
    IntegrityError
        If arrays are missing or their shapes do not fit :data:`CONTEXT` and :data:`OUTPUTS`.
    """
    names = ("hidden", "hidden_bias", "out", "out_bias")
    with np.load(path) as stored:
        missing = [name for name in names if name not in stored]
        if missing:
            raise IntegrityError(f"{path}: expected arrays {', '.join(names)}, missing {missing}")
        arrays = [np.asarray(stored[name], np.float64) for name in names]
    width = arrays[1].size
    expected = [(BANDS * len(CONTEXT), width), (width,), (width, len(OUTPUTS)), (len(OUTPUTS),)]
    found = [array.shape for array in arrays]
    if found != expected:
        raise IntegrityError(f"{path}: expected shapes {expected}, found {found}")
    return AcousticModel(*arrays)


@cache
def _own_model() -> AcousticModel:
    return read_model(WEIGHTS)


def features_of(bands: Floats) -> Floats:
    """Average the bands over each stretch of :data:`CONTEXT`.

    Parameters
    ----------
    bands : numpy.ndarray
        ``(n + 32, BANDS)`` float64; the first and the last 16 rows are context only.

    Returns
    -------
    numpy.ndarray
        ``(n, BANDS * len(CONTEXT))`` float64.
    """
    count = len(bands) - 2 * _CONTEXT_ROWS
    total = np.cumsum(np.concatenate([np.zeros((1, bands.shape[1])), bands]), axis=0)
    parts = []
    for low, high in CONTEXT:
        first, end = _CONTEXT_ROWS + low, _CONTEXT_ROWS + high + 1
        parts.append((total[end : end + count] - total[first : first + count]) / (end - first))
    return np.concatenate(parts, axis=1)


def audio_rows(
    chunks: Iterable[AudioChunk],
    speech_probability: Iterator[float] | None = None,
    *,
    model: AcousticModel | None = None,
) -> Iterator[FloatArray]:
    """Write the mouth motion of recorded speech.

    Row ``i`` of the concatenated blocks holds at ``i / 100`` s of the stream. Together the blocks
    have ``ceil(100 * duration)`` rows. A row is given when 2.5 s of sound beyond it have come, or
    the end; memory does not grow with the stream.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Mono sound at 16 kHz, each chunk beginning where the one before ends.
    speech_probability : iterator of float, optional
        Probability of speech, 0 to 1, for each 512 samples. One value is taken for each 512
        samples that have come, and one for a shorter rest at the end. Without it, speech is
        whatever rises above the steady noise.
    model : AcousticModel, optional
        Another regression than the one that comes with the package.

    Yields
    ------
    numpy.ndarray
        ``(n, 26)`` float32 in [0, 1], order of :data:`~edgeavatar.types.MOTION_NAMES`, n >= 1.

    Raises
    ------
    UsageError
        If chunks do not follow each other or are not at 16 kHz, or the probabilities end early.
    """
    mouth = _Mouth(model or _own_model(), speech_probability)
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
            yield from mouth.push(chunk.samples[first : first + SAMPLE_RATE])
    yield from mouth.finish()


class _Mouth:
    """What was heard and is still needed; rows are counted from the start of the stream."""

    def __init__(self, model: AcousticModel, probabilities: Iterator[float] | None) -> None:
        self._model = model
        self._probabilities = probabilities
        self._listener = Listener()
        self._samples = 0
        self._chances: list[float] = []
        self._first_chance = 0
        # Before the stream begins there is silence.
        reach = _REACH_ROWS + MARGIN
        self._bands = np.zeros((reach, BANDS))
        self._loud = np.zeros(reach, bool)
        self._first_row = -reach
        self._next_row = 0

    def push(self, samples: FloatArray) -> Iterator[FloatArray]:
        self._samples += len(samples)
        self._ask(self._samples // PROBABILITY_HOP)
        self._keep(self._listener.push(samples))
        ready = self._first_row + len(self._loud) - _REACH_ROWS - MARGIN
        if ready - self._next_row >= _BLOCK_ROWS:
            yield self._rows(ready)

    def finish(self) -> Iterator[FloatArray]:
        self._ask(-(-self._samples // PROBABILITY_HOP))
        self._keep(self._listener.finish())
        end = self._first_row + len(self._loud)
        reach = _REACH_ROWS + MARGIN
        self._bands = np.concatenate([self._bands, np.zeros((reach, BANDS))])
        self._loud = np.concatenate([self._loud, np.zeros(reach, bool)])
        if end > self._next_row:
            yield self._rows(end)

    def _ask(self, windows: int) -> None:
        if self._probabilities is None:
            return
        while self._first_chance + len(self._chances) < windows:
            chance = next(self._probabilities, None)
            if chance is None:
                raise UsageError(
                    f"expected {windows} speech probabilities, one for each {PROBABILITY_HOP} "
                    f"samples, found {self._first_chance + len(self._chances)}"
                )
            self._chances.append(chance)

    def _keep(self, heard: Heard) -> None:
        loud = (heard.over_noise_db > _MIN_OVER_NOISE_DB) & (
            heard.over_level_db > _MIN_OVER_LEVEL_DB
        )
        self._bands = np.concatenate([self._bands, heard.bands])
        self._loud = np.concatenate([self._loud, loud])

    def _rows(self, last: int) -> FloatArray:
        first = self._next_row
        low = first - MARGIN - self._first_row
        high = last + MARGIN - self._first_row
        bands = self._bands[low - _CONTEXT_ROWS : high + _CONTEXT_ROWS]
        wanted = _articulate(self._model(features_of(bands)))
        reach = _REACH_ROWS
        loud = self._loud[low - reach : high + reach]
        speaking = self._speaking(np.arange(low - reach, high + reach) + self._first_row)
        activity = _activity(loud, speaking)
        wanted *= activity[reach : len(activity) - reach, None]
        self._next_row = last
        self._forget()
        return articulators_to_rows(settle(wanted))

    def _speaking(self, rows: npt.NDArray[np.int64]) -> Flags:
        if self._probabilities is None:
            return np.ones(len(rows), bool)
        if not self._chances:
            return np.zeros(len(rows), bool)
        middles = (self._first_chance + np.arange(len(self._chances)) + 0.5) * PROBABILITY_HOP
        chance = np.interp(rows * HOP_LENGTH, middles, self._chances)
        return np.asarray(chance >= _SPEAKING)

    def _forget(self) -> None:
        drop = self._next_row - _REACH_ROWS - MARGIN - self._first_row
        if drop > 0:
            self._bands = self._bands[drop:]
            self._loud = self._loud[drop:]
            self._first_row += drop
        oldest = max(0, self._first_row * HOP_LENGTH // PROBABILITY_HOP - 1)
        if oldest > self._first_chance:
            del self._chances[: oldest - self._first_chance]
            self._first_chance = oldest


def _articulate(outputs: Floats) -> Channels:
    """Articulators from the regression's outputs, lips drawn together where it hears a closure."""
    channels = np.zeros((len(outputs), len(ARTICULATORS)))
    for column, name in enumerate(OUTPUTS[:-1]):
        channels[:, ARTICULATORS.index(name)] = np.maximum(outputs[:, column], 0.0)
    x = np.clip((outputs[:, -1] - _SEAL_FROM) / (_SEAL_FULL - _SEAL_FROM), 0.0, 1.0)
    seal = x * x * (3.0 - 2.0 * x)
    gap = channels[:, ARTICULATORS.index("gap")]
    gap += seal * (PRESSED_GAP - gap)
    channels[:, ARTICULATORS.index("press")] = seal
    return channels


def _activity(loud: Flags, speaking: Flags) -> Floats:
    """0 where nobody speaks, 1 where somebody does, smooth between; edges lack neighbours."""
    bridged = ~_widened(~_widened(loud, _BRIDGED_ROWS), _BRIDGED_ROWS)
    bridged &= _widened(speaking, _DETECTOR_ROWS)
    lasting = _widened(~_widened(~bridged, _SHORTEST_ROWS), _SHORTEST_ROWS)
    kernel = np.hanning(2 * _FADE_ROWS + 3)[1:-1]
    active = _widened(lasting, _WIDENED_ROWS).astype(np.float64)
    return np.convolve(active, kernel / kernel.sum(), mode="same")


def _widened(flags: Flags, rows: int) -> Flags:
    """Set every flag that has a set one within so many rows."""
    wide = flags.copy()
    for k in range(1, rows + 1):
        wide[k:] |= flags[:-k]
        wide[:-k] |= flags[k:]
    return wide
