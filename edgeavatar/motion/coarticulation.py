"""Mouth motion from phoneme times: dominance functions on a 100 Hz grid.

Each phoneme's goals (:mod:`edgeavatar.motion.visemes`) claim the articulators around their own
time, and the track is the mean of the goals weighted by these claims (Cohen & Massaro 1993,
"Modeling coarticulation in synthetic visual speech"). Changes to the published form:

- The claim has a plateau over the middle of the phoneme and falls off as ``(1 - x)^3 (1 + 3x)``
  instead of ``exp(-x)``: smooth everywhere, zero after a stated reach, so that a stream can be
  written with bounded look-ahead and equals the whole bit for bit.
- A closure is a constraint, not a wish (plain dominance can leave lips apart in a bilabial, see
  King & Parent 2005): the lip gap is pulled to contact over each bilabial for long enough to fall
  on a video frame.
- Speed is limited by taking the largest track below the wanted one that nowhere moves faster than
  lips and jaws do. What fast speech has no time for is undershot, as by real speakers (Lindblom
  1963), while closures stay whole.
- In silence everything returns to rest within 120 ms.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.dynamics import MARGIN, RATE, SMOOTHING_RADIUS, plateau, settle
from edgeavatar.motion.visemes import (
    ARTICULATORS,
    PRESSED_GAP,
    SILENCE,
    articulators_to_rows,
    visemes_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from edgeavatar.motion.visemes import Channels
    from edgeavatar.types import FloatArray, PhonemeTiming, SpeechChunk

    Times = npt.NDArray[np.float64]

_GAP = ARTICULATORS.index("gap")
_JAW = ARTICULATORS.index("jaw")
_PRESS = ARTICULATORS.index("press")

_GATE_S = 0.12 - SMOOTHING_RADIUS / RATE
"""Time from speech to rest; smoothing adds the rest of 120 ms."""
_SEALING_S = 0.03
"""Time over which lips meet and part; the speed limit makes it longer where they are far apart."""
_VOWEL_CLEARANCE_S = 0.025
"""A closure stays this far from the middle of a vowel, so that the vowel is seen too."""
_HELD_SHARE = 0.8
"""Part of a bilabial's time before its release."""
_GLIDE_SHARE = 0.45
"""Part of a diphthong's time by which each of its vowels reaches into the other: the lips are on
their way for most of it."""
_LOOK_AHEAD_S = 0.6
"""More than any phoneme reaches before its own start: fall-off, speed limit, smoothing, closure."""

_REACH_S = {
    "jaw": (0.075, 0.075),
    "gap": (0.065, 0.070),
    "pucker": (0.140, 0.100),
    "funnel": (0.140, 0.100),
    "spread": (0.100, 0.100),
    "labiodental": (0.060, 0.050),
    "press": (0.050, 0.050),
    "tongue_tip": (0.060, 0.050),
    "tongue_out": (0.050, 0.050),
}
"""How far a claim reaches before and after the phoneme's middle, in seconds. Rounding begins
early (Perkell & Matthies 1992)."""

_REACH = np.array([_REACH_S[name] for name in ARTICULATORS])


@dataclass(frozen=True, slots=True)
class Articulation:
    """How a speaker articulates.

    Raises
    ------
    UsageError
        If a value lies outside its stated range.
    """

    strength: float = 1.0
    """Size of all openings and shapes, 0.2 to 1.6; 1 is the middle of measured speakers."""
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
            ("strength", 0.2, 1.6),
            ("stress_gain", 1.0, 1.5),
            ("unstressed_gain", 0.5, 1.0),
            ("min_closure_s", 0.0, 0.1),
            ("lead_s", -0.05, 0.1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"expected {name} from {low} to {high}, found {value}")


@dataclass(frozen=True, slots=True)
class _Goal:
    """One letter of a phoneme in time."""

    start: float
    end: float
    target: Channels
    dominance: Channels
    glide_in: float = 0.0
    """Reach at least this far back, in seconds: from the first vowel of a diphthong."""
    glide_out: float = 0.0


@dataclass(frozen=True, slots=True)
class _Span:
    """One phoneme in time."""

    start: float
    end: float
    silent: bool
    seals: bool
    vowel: bool


def phoneme_rows(
    chunks: Iterable[SpeechChunk], articulation: Articulation | None = None
) -> Iterator[FloatArray]:
    """Write the mouth motion of a stream of speech.

    Row ``i`` of the concatenated blocks holds at ``i / 100`` s of the stream. Together the blocks
    have ``ceil(100 * duration)`` rows. The rows of a chunk are given as soon as the chunk has
    come, except its last 0.6 s, which wait for the next chunk or the end; the result does not
    depend on how the stream is cut into chunks.

    Parameters
    ----------
    chunks : iterable of SpeechChunk
        In order, each beginning where the one before ends, all of one sample rate.
    articulation : Articulation, optional
        How the speaker articulates.

    Yields
    ------
    numpy.ndarray
        ``(n, 26)`` float32 in [0, 1], order of :data:`~edgeavatar.types.MOTION_NAMES`, n >= 1.

    Raises
    ------
    UsageError
        If chunks do not follow each other, change their sample rate, or hold phonemes that do not
        cover them in order.
    """
    for channels in phoneme_channels(chunks, articulation):
        yield articulators_to_rows(channels)


def phoneme_channels(
    chunks: Iterable[SpeechChunk], articulation: Articulation | None = None
) -> Iterator[Channels]:
    """Write the movement of the articulators; otherwise as :func:`phoneme_rows`.

    Yields
    ------
    numpy.ndarray
        ``(n, 9)`` float64, order of :data:`~edgeavatar.motion.visemes.ARTICULATORS`.
    """
    style = articulation or Articulation()
    track = _Track(style)
    rate = 0
    end_sample = 0
    next_row = 0
    for chunk in chunks:
        rate = _check_chunk(chunk, rate, end_sample)
        end_sample = chunk.audio.start_sample + len(chunk.audio.samples)
        for phoneme in chunk.phonemes:
            track.add(phoneme, rate)
        ready = int(np.floor((end_sample / rate - _LOOK_AHEAD_S) * RATE))
        if ready > next_row:
            yield track.channels(next_row, ready)
            next_row = ready
    if rate:
        count = -(-end_sample * int(RATE) // rate)
        if count > next_row:
            yield track.channels(next_row, count)


def _check_chunk(chunk: SpeechChunk, rate: int, end_sample: int) -> int:
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
    """The part of the score that rows still to be written depend on."""

    def __init__(self, style: Articulation) -> None:
        self._style = style
        self._goals: deque[_Goal] = deque()
        self._spans: deque[_Span] = deque()

    def add(self, phoneme: PhonemeTiming, rate: int) -> None:
        """Append a phoneme that follows the one before."""
        if phoneme.end_sample == phoneme.start_sample:
            return
        lead = self._style.lead_s
        start, end = phoneme.start_sample / rate - lead, phoneme.end_sample / rate - lead
        visemes = visemes_of(phoneme.symbol)
        self._spans.append(
            _Span(
                start,
                end,
                silent=phoneme.symbol == SILENCE or not visemes[0].target.any(),
                seals=any(v.seals for v in visemes),
                vowel=all(v.vowel for v in visemes),
            )
        )
        glide = _GLIDE_SHARE * (end - start) if len(visemes) > 1 and self._spans[-1].vowel else 0.0
        total = sum(v.share for v in visemes)
        cursor = start
        for i, viseme in enumerate(visemes):
            stop = cursor + (end - start) * viseme.share / total
            target = viseme.target * self._style.strength
            if viseme.seals:
                target[_GAP] = PRESSED_GAP
            elif viseme.vowel:
                target[[_JAW, _GAP]] *= self._vowel_gain(phoneme.stress)
            inner = (glide if i > 0 else 0.0, glide if i + 1 < len(visemes) else 0.0)
            self._goals.append(_Goal(cursor, stop, target, viseme.dominance, *inner))
            cursor = stop

    def _vowel_gain(self, stress: int) -> float:
        if stress >= 2:
            return self._style.stress_gain
        return 1.0 if stress == 1 else self._style.unstressed_gain

    def channels(self, first: int, last: int) -> Channels:
        """Write rows ``first`` to ``last`` (not included); never asked for earlier ones later."""
        times = np.arange(first - MARGIN, last + MARGIN) / RATE
        self._forget_before(times[0] - 2.0 * _LOOK_AHEAD_S)
        wanted = self._blend(times)
        self._seal(wanted, times)
        wanted *= self._activity(times)[:, None]
        return settle(wanted)

    def _forget_before(self, time: float) -> None:
        while self._goals and self._goals[0].end < time:
            self._goals.popleft()
        while self._spans and self._spans[0].end < time:
            self._spans.popleft()

    def _blend(self, times: Times) -> Channels:
        total = np.zeros((len(times), len(ARTICULATORS)))
        weight = np.full((len(times), len(ARTICULATORS)), 1e-9)
        longest = float(_REACH.max())
        for goal in self._goals:
            low = int(np.searchsorted(times, goal.start - max(longest, goal.glide_in)))
            high = int(np.searchsorted(times, goal.end + max(longest, goal.glide_out)))
            if low == high:
                continue
            claim = goal.dominance * _claim(times[low:high], goal)
            total[low:high] += claim * goal.target
            weight[low:high] += claim
        return np.asarray(total / weight)

    def _seal(self, wanted: Channels, times: Times) -> None:
        """Pull the lips together over each bilabial."""
        for start, end in self._closures():
            low, high = np.searchsorted(times, (start - _SEALING_S, end + _SEALING_S))
            seal = plateau(times[low:high], start, end, _SEALING_S)
            gap = wanted[low:high, _GAP]
            gap += seal * np.minimum(0.0, PRESSED_GAP - gap)
            press = wanted[low:high, _PRESS]
            press += seal * np.maximum(0.0, self._style.strength - press)

    def _closures(self) -> Iterator[tuple[float, float]]:
        """When the lips are together: the phoneme less its release, and long enough to be seen.

        Bilabials that follow each other make one closure. A short one borrows from its neighbours
        and moves away from short vowels; where there is no room, the closure wins.
        """
        # Smoothing rounds the ends of a plateau off by about half a row on each side.
        shortest = self._style.min_closure_s + 1.0 / RATE
        spans = self._spans
        i = 0
        while i < len(spans):
            first = i
            while i < len(spans) and spans[i].seals:
                i += 1
            if i == first:
                i += 1
                continue
            begin, end = spans[first].start, spans[i - 1].end
            held = end - (1.0 - _HELD_SHARE) * (end - spans[i - 1].start) - begin
            length = max(held, shortest)
            start = begin - (length - held) / 2.0
            earliest = _yields_after(spans[first - 1]) if first > 0 else begin
            latest = _yields_before(spans[i]) if i < len(spans) else end
            if latest - earliest < shortest:
                start, length = (earliest + latest - shortest) / 2.0, shortest
            else:
                length = min(length, latest - earliest)
                start = min(max(start, earliest), latest - length)
            yield start, start + length

    def _activity(self, times: Times) -> Times:
        """0 in silence, 1 in speech, smooth between: 1 - (time since speech)(time to speech)."""
        rest = np.ones(len(times))
        for span in self._spans:
            if not span.silent:
                low, high = np.searchsorted(times, (span.start - _GATE_S, span.end + _GATE_S))
                near = plateau(times[low:high], span.start, span.end, _GATE_S)
                # Within speech the neighbours' product would be the same 0.
                rest[low:high] *= 1.0 - near
        return np.asarray(1.0 - rest)


def _yields_after(span: _Span) -> float:
    """When a closure may begin at the earliest, for the sake of the phoneme before it."""
    if span.vowel:
        return (span.start + span.end) / 2.0 + _VOWEL_CLEARANCE_S
    return span.end - 0.6 * (span.end - span.start)


def _yields_before(span: _Span) -> float:
    """When a closure must end at the latest, for the sake of the phoneme after it."""
    if span.vowel:
        return (span.start + span.end) / 2.0 - _VOWEL_CLEARANCE_S
    return span.start + 0.6 * (span.end - span.start)


def _claim(times: Times, goal: _Goal) -> Channels:
    """Dominance of a goal over time, each articulator with its own reach: ``(n, 9)`` in [0, 1]."""
    # The plateau is the middle; a phoneme gives way towards its neighbours within its own time.
    quarter = 0.25 * (goal.end - goal.start)
    before = np.maximum(_REACH[:, 0], goal.glide_in) + quarter
    after = np.maximum(_REACH[:, 1], goal.glide_out) + quarter
    early = (goal.start + quarter - times)[:, None] / before
    late = (times - goal.end + quarter)[:, None] / after
    x = np.clip(np.maximum(early, late), 0.0, 1.0)
    return np.asarray((1.0 - x) ** 3 * (1.0 + 3.0 * x))
