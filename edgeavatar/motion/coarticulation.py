"""Mouth motion from phonemes whose times are known, as when a voice of ours speaks.

The same net moves the mouth that moves it by phones heard in sound
(:mod:`edgeavatar.motion.acoustics`), so text and recording of a sentence look alike. What known
times make certain is held after the net (:mod:`edgeavatar.motion.score`): lips that meet on every
bilabial, rest in every silence.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.dynamics import MARGIN, RATE, plateau, settle
from edgeavatar.motion.hearing import Loudness
from edgeavatar.motion.nets import HEARD, StreamedNet, open_mouth
from edgeavatar.motion.phones import phone_rows
from edgeavatar.motion.score import Score
from edgeavatar.motion.visemes import ARTICULATORS, articulators_to_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from edgeavatar.backends import TunedModels
    from edgeavatar.motion.visemes import Channels
    from edgeavatar.types import FloatArray, SpeechChunk

    Times = npt.NDArray[np.float64]

_OPENING = [ARTICULATORS.index("jaw"), ARTICULATORS.index("gap")]
_LOOK_AHEAD_S = 0.6
"""More than any phoneme reaches before its own start: net, speed limit, smoothing, closure."""
_TAUGHT_LEAD_S = 0.015
"""How far the mouths that the net learned from are ahead of their sound."""
_STRESS_RAMP_S = 0.06


@dataclass(frozen=True, slots=True)
class Articulation:
    """How a speaker articulates.

    Raises
    ------
    UsageError
        If a value lies outside its stated range.
    """

    strength: float = 1.0
    """Size of all openings and shapes, 0 to 1.7; 1 is the middle of measured speakers. At 0 the
    mouth stays at rest, at all others the lips meet in bilabials."""
    stress_gain: float = 1.08
    """Opening of a vowel with primary stress relative to secondary stress, 1 to 1.5."""
    unstressed_gain: float = 0.88
    """Opening of a vowel without stress relative to secondary stress, 0.5 to 1."""
    min_closure_s: float = 0.05
    """Shortest time that lips stay together in a bilabial, 0 to 0.1; 40 ms is one frame at 25 fps,
    so that no closure falls between two frames."""
    lead_s: float = 0.015
    """How far the mouth is ahead of the sound, -0.05 to 0.1."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("strength", 0.0, 1.7),
            ("stress_gain", 1.0, 1.5),
            ("unstressed_gain", 0.5, 1.0),
            ("min_closure_s", 0.0, 0.1),
            ("lead_s", -0.05, 0.1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"expected {name} from {low} to {high}, found {value}")


def phoneme_rows(
    chunks: Iterable[SpeechChunk],
    articulation: Articulation | None = None,
    tuned: TunedModels | None = None,
) -> Iterator[FloatArray]:
    """Write the mouth motion of a stream of speech.

    Row ``i`` of the concatenated blocks holds at ``i / 100`` s of the stream. Together the blocks
    have ``ceil(100 * duration)`` rows. The rows of a chunk are given as soon as the chunk has
    come, except its last 0.6 s, which wait for the next chunk or the end; the result does not
    depend on how the stream is cut into chunks, up to rounding.

    Parameters
    ----------
    chunks : iterable of SpeechChunk
        In order, each beginning where the one before ends, all of one sample rate. Of the sound
        only its loudness matters.
    articulation : Articulation, optional
        How the speaker articulates.
    tuned : mapping, optional
        See :func:`edgeavatar.backends.open_session`.

    Yields
    ------
    numpy.ndarray
        ``(n, 26)`` float32 in [0, 1], order of :data:`~edgeavatar.types.MOTION_NAMES`, n >= 1.

    Raises
    ------
    UsageError
        If chunks do not follow each other, change their sample rate, or hold phonemes that do not
        cover them in order.
    ModelNotFound, IntegrityError
        If the net is missing or damaged.
    """
    track: _Track | None = None
    end_sample = next_row = 0
    with ExitStack() as stack:
        for chunk in chunks:
            rate = check_chunk(chunk, track.sample_rate if track else 0, end_sample)
            if track is None:
                mouth = stack.enter_context(open_mouth(tuned))
                track = _Track(articulation or Articulation(), mouth, rate)
            end_sample = chunk.audio.start_sample + len(chunk.audio.samples)
            track.add(chunk)
            ready = int(np.floor((end_sample / rate - _LOOK_AHEAD_S) * RATE))
            if ready > next_row:
                yield articulators_to_rows(track.channels(next_row, ready))
                next_row = ready
        if track is not None:
            count = -(-end_sample * int(RATE) // track.sample_rate)
            track.finish(count)
            if count > next_row:
                yield articulators_to_rows(track.channels(next_row, count))


def check_chunk(chunk: SpeechChunk, rate: int, end_sample: int) -> int:
    """Give the sample rate of a chunk that follows on; UsageError if it does not.

    Parameters
    ----------
    chunk : SpeechChunk
        Is to begin at ``end_sample`` and to be covered by its phonemes in order.
    rate : int
        Sample rate of the chunks before; 0 at the start.
    end_sample : int
        Where the chunk before ends.
    """
    audio = chunk.audio
    if audio.sample_rate <= 0 or (rate and audio.sample_rate != rate):
        raise UsageError(
            f"expected speech of {rate or 'a positive number of'} samples per second, "
            f"found {audio.sample_rate}"
        )
    if audio.start_sample != end_sample:
        raise UsageError(
            f"expected the next speech chunk at sample {end_sample}, found {audio.start_sample}"
        )
    position = end_sample
    for phoneme in chunk.phonemes:
        if phoneme.start_sample != position or phoneme.end_sample < position:
            raise UsageError(
                f"expected a phoneme from sample {position} on, found {phoneme.symbol!r} "
                f"from {phoneme.start_sample} to {phoneme.end_sample}"
            )
        position = phoneme.end_sample
    if position != end_sample + len(audio.samples):
        raise UsageError(
            f"expected phonemes up to sample {end_sample + len(audio.samples)}, "
            f"found the last to end at {position}"
        )
    return audio.sample_rate


class _Track:
    """What rows still to be written depend on."""

    def __init__(self, style: Articulation, mouth: StreamedNet, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._style = style
        self._mouth = mouth
        self._score = Score()
        self._early = style.lead_s - _TAUGHT_LEAD_S
        self._loudness = Loudness(sample_rate, self._early)
        # Phonemes and loudness of the rows that the net has not been given yet.
        self._said: list[tuple[float, float, str]] = []
        self._loud = np.zeros(0, np.float32)
        self._given = 0
        # Movement from the net; before the stream begins there is rest.
        self._moved: Channels = np.zeros((MARGIN, len(ARTICULATORS)))
        self._first = -MARGIN

    def add(self, chunk: SpeechChunk) -> None:
        """Append a chunk that follows the one before."""
        rate, lead = self.sample_rate, self._style.lead_s
        for phoneme in chunk.phonemes:
            if phoneme.end_sample > phoneme.start_sample:
                start, end = phoneme.start_sample / rate, phoneme.end_sample / rate
                self._score.add(phoneme.symbol, start - lead, end - lead, phoneme.stress)
                self._said.append((start - self._early, end - self._early, phoneme.symbol))
        self._loud = np.concatenate([self._loud, self._loudness.push(chunk.audio.samples)])
        if self._said:
            # A row is half a row wide on each side.
            self._give(int(np.floor(self._said[-1][1] * RATE - 0.5)))

    def finish(self, count: int) -> None:
        """Silence follows; so many rows are asked for altogether."""
        self._loud = np.concatenate([self._loud, self._loudness.flush()])
        self._loud = np.pad(self._loud, (0, max(0, count - self._given - len(self._loud))))
        self._give(count)
        self._keep(self._mouth.flush())
        self._moved = np.pad(self._moved, ((0, 2 * MARGIN), (0, 0)))

    def _give(self, end: int) -> None:
        """Give the net the rows before ``end``, as far as their loudness is known."""
        count = min(end - self._given, len(self._loud))
        if count <= 0:
            return
        times = np.arange(self._given, self._given + count) / RATE
        rows = np.empty((count, HEARD), np.float32)
        rows[:, :-1] = phone_rows(self._said, times)
        rows[:, -1] = self._loud[:count]
        self._loud = self._loud[count:]
        self._given += count
        self._said = [said for said in self._said if said[1] > times[-1] - 1.0 / RATE]
        self._keep(self._mouth.push(rows))

    def _keep(self, moved: FloatArray) -> None:
        self._moved = np.concatenate([self._moved, moved.astype(np.float64)])

    def channels(self, first: int, last: int) -> Channels:
        """Write rows ``first`` to ``last`` (not included); never asked for earlier ones later."""
        low, high = first - MARGIN, last + MARGIN
        times = np.arange(low, high) / RATE
        self._score.forget_before(times[0] - 2.0 * _LOOK_AHEAD_S)
        self._moved = self._moved[low - self._first :]
        self._first = low
        wanted = self._moved[: high - low] * self._style.strength
        wanted[:, _OPENING] *= self._stress(times)[:, None]
        if self._style.strength > 0.0:
            self._score.hold(wanted, times, self._style.strength, self._style.min_closure_s)
        return settle(wanted)

    def _stress(self, times: Times) -> Times:
        """How much wider than usual the mouth opens for the stress of its vowels."""
        gain = np.ones(len(times))
        for span in self._score.spans:
            if span.vowel and span.stress != 1:
                wider = self._style.stress_gain if span.stress else self._style.unstressed_gain
                low, high = np.searchsorted(
                    times, (span.start - _STRESS_RAMP_S, span.end + _STRESS_RAMP_S)
                )
                near = plateau(times[low:high], span.start, span.end, _STRESS_RAMP_S)
                gain[low:high] += (wider - 1.0) * near
        return np.maximum(gain, 0.0)
