"""Times on the page: links into the preview where it reaches that far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.analysis.figures import clock
from edgeavatar.report.markup import Markup, element, join

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Analysis, Factor
    from edgeavatar.report.pictures import Preview

_LISTED = 4
"""Ranges that are written out; more are only counted, and drawn in the time-line."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How far the preview reaches."""

    until_s: float | None
    """None if there is none."""

    @classmethod
    def of(cls, preview: Preview | None) -> Clock:
        """Make it for a preview."""
        return cls(None if preview is None else preview.duration_s)

    def reaches(self, time_s: float) -> bool:
        """Tell whether a time is in the preview."""
        return self.until_s is not None and 0 <= time_s < self.until_s

    def link(self, time_s: float, label: str | None = None) -> Markup:
        """Write a time; without a script the link leads to the preview."""
        written = label or clock(time_s, tenths=True)
        if not self.reaches(time_s):
            return element("span", written, class_="num")
        return element(
            "a", written, class_="num", href="#preview-place", data_t=f"{max(0.0, time_s):.2f}"
        )

    def ranges(self, spans: tuple[tuple[float, float], ...]) -> Markup:
        """Write stretches of time."""
        shown = [self.link(start, _stretch(start, end)) for start, end in spans[:_LISTED]]
        more = len(spans) - _LISTED
        rest = f" and {more} more" if more > 0 else None
        return join(_separated(shown), rest)


def spans_of(factor: Factor, analysis: Analysis) -> tuple[tuple[float, float], ...]:
    """Give the stretches of time that a factor concerns, in order, joined where they touch."""
    spans = factor.times_s or _of_frames(factor.frames, analysis)
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def duration_of(analysis: Analysis) -> float | None:
    """Tell how long the source lasts; None for a photo, or if nothing tells."""
    if analysis.source.kind == "photo":
        return None
    known = [analysis.source.duration_s or 0.0]
    known += [
        float(t[-1])
        for t in (analysis.frames.get("time_s"), analysis.sound.get("time_s"))
        if t is not None and len(t)
    ]
    return max(known) or None


def _of_frames(
    frames: tuple[tuple[int, int], ...], analysis: Analysis
) -> list[tuple[float, float]]:
    index, time_s = analysis.frames.get("index"), analysis.frames.get("time_s")
    if index is None or time_s is None or len(index) == 0:
        return []
    places = np.searchsorted(index, np.array(frames).reshape(-1, 2))
    last = len(time_s) - 1
    step = float(time_s[-1] - time_s[0]) / last if last else 0.0
    return [
        (float(time_s[min(first, last)]), float(time_s[min(end, last)]) + step)
        for first, end in places
    ]


def _stretch(start_s: float, end_s: float) -> str:
    start, end = clock(start_s, tenths=True), clock(end_s, tenths=True)
    return start if start == end else f"{start}\u2013{end}"


def _separated(pieces: list[Markup]) -> Markup:
    return Markup(", ".join(pieces))
