"""What known phonemes demand of a mouth, whatever a net or a rule wants: closures and rest.

- A closure is a constraint, not a wish: the lip gap is pulled to contact over each bilabial, for
  long enough to fall on a video frame (blending goals alone can leave lips apart in a bilabial, see
  King & Parent 2005).
- Open vowels are seen to be open, where speed allows.
- In silence everything returns to rest within 120 ms.
- Speed is limited (:func:`~edgeavatar.motion.dynamics.settle`). What fast speech has no time for is
  undershot, as by real speakers (Lindblom 1963), while closures stay whole.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.motion.dynamics import RATE, SMOOTHING_RADIUS, plateau
from edgeavatar.motion.visemes import ARTICULATORS, PRESSED_GAP, SILENCE, is_open_vowel, visemes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from edgeavatar.motion.visemes import Channels

    Times = npt.NDArray[np.float64]

_GAP = ARTICULATORS.index("gap")
_PRESS = ARTICULATORS.index("press")

_GATE_S = 0.12 - SMOOTHING_RADIUS / RATE
"""Time from speech to rest; smoothing adds the rest of 120 ms."""
_SEALING_S = 0.03
"""Time over which lips meet and part; the speed limit makes it longer where they are far apart."""
_VOWEL_CLEARANCE_S = 0.025
"""A closure stays this far from the middle of a vowel, so that the vowel is seen too."""
_OPEN_GAP, _OPENING_S = 0.022, 0.015
"""Gap that an open vowel has at least (face heights), where there is time for it: a quarter of a
long one's."""
_HELD_SHARE = 0.8
"""Part of a bilabial's time before its release."""


@dataclass(frozen=True, slots=True)
class Span:
    """One phoneme in time."""

    start: float
    end: float
    silent: bool
    seals: bool
    vowel: bool
    open: bool = False
    """An open, unrounded vowel."""
    stress: int = 0
    """0 none, 1 secondary, 2 primary."""


class Score:
    """The phonemes around the rows that are still to be written, on the mouth's own clock."""

    def __init__(self) -> None:
        self.spans: deque[Span] = deque()

    def add(self, symbol: str, start: float, end: float, stress: int = 0) -> None:
        """Append a phoneme; times in seconds, each beginning where the one before ends."""
        visemes = visemes_of(symbol)
        self.spans.append(
            Span(
                start,
                end,
                silent=symbol == SILENCE or not visemes[0].target.any(),
                seals=any(v.seals for v in visemes),
                vowel=all(v.vowel for v in visemes),
                open=is_open_vowel(symbol),
                stress=stress,
            )
        )

    def forget_before(self, time: float) -> None:
        """Drop what ended before."""
        while self.spans and self.spans[0].end < time:
            self.spans.popleft()

    def hold(self, wanted: Channels, times: Times, strength: float, min_closure_s: float) -> None:
        """Change the wanted movement in place: closures closed, silence at rest.

        Parameters
        ----------
        wanted : numpy.ndarray
            ``(n, 9)`` float64.
        times : numpy.ndarray
            ``(n,)`` seconds.
        strength : float
            How firmly lips press; they meet at any strength.
        min_closure_s : float
            Shortest time that lips stay together.
        """
        for span in self.spans:
            if span.open:
                # A net may smooth a short vowel away between two closures.
                low, high = np.searchsorted(times, (span.start - _OPENING_S, span.end + _OPENING_S))
                near = plateau(times[low:high], span.start, span.end, _OPENING_S)
                gap = wanted[low:high, _GAP]
                gap += np.maximum(0.0, min(1.0, strength) * _OPEN_GAP * near - gap)
        for start, end in self._closures(min_closure_s):
            low, high = np.searchsorted(times, (start - _SEALING_S, end + _SEALING_S))
            seal = plateau(times[low:high], start, end, _SEALING_S)
            gap = wanted[low:high, _GAP]
            gap += seal * np.minimum(0.0, PRESSED_GAP - gap)
            press = wanted[low:high, _PRESS]
            press += seal * np.maximum(0.0, min(1.0, strength) - press)
        wanted *= self._activity(times)[:, None]

    def _closures(self, min_closure_s: float) -> Iterator[tuple[float, float]]:
        """When the lips are together: the phoneme less its release, and long enough to be seen.

        Bilabials that follow each other make one closure. A short one borrows from its neighbours
        and moves away from short vowels; where there is no room, the closure wins.
        """
        # Smoothing rounds the ends of a plateau off by about half a row on each side.
        shortest = min_closure_s + 1.0 / RATE
        spans = self.spans
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
        for span in self.spans:
            if not span.silent:
                low, high = np.searchsorted(times, (span.start - _GATE_S, span.end + _GATE_S))
                near = plateau(times[low:high], span.start, span.end, _GATE_S)
                # Within speech the neighbours' product would be the same 0.
                rest[low:high] *= 1.0 - near
        return np.asarray(1.0 - rest)


def _yields_after(span: Span) -> float:
    """When a closure may begin at the earliest, for the sake of the phoneme before it."""
    if span.vowel:
        return (span.start + span.end) / 2.0 + _VOWEL_CLEARANCE_S
    return span.end - 0.6 * (span.end - span.start)


def _yields_before(span: Span) -> float:
    """When a closure must end at the latest, for the sake of the phoneme after it."""
    if span.vowel:
        return (span.start + span.end) / 2.0 - _VOWEL_CLEARANCE_S
    return span.start + 0.6 * (span.end - span.start)
