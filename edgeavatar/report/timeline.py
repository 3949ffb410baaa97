"""What happens when: face, pose, mouth, loudness, cuts, and where the factors fall short."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.figures import amount, clock, count, number, share
from edgeavatar.report.columns import Curve, column, main_rows, thinned
from edgeavatar.report.markup import Markup, element, join, short
from edgeavatar.report.times import Clock, duration_of, spans_of

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Analysis

WIDTH: Final = 960
LEFT: Final = 64
RIGHT: Final = 936
_BINS: Final = 640
_TICKS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_TICKS: Final = 12
_GAP: Final = 14
_TITLE: Final = 18
_LEAST_POSE_DEG: Final = 30.0
_LEAST_APERTURE: Final = 0.1
"""Scales do not go closer: what hardly moves is to look like it."""
_LOUDNESS_LUFS: Final = (-60.0, 0.0)
_SPEECH: Final = 0.5
_COVERED: Final = 0.1
"""Share of the lips' surroundings from which a render keeps off the mouth."""
_MOST: Final = 0.5
_MOST_ROWS: Final = 8
"""Factors with a row of their own; the table has all of them."""


@dataclass
class _Drawing:
    """Lanes one below the other, on one axis of time."""

    end_s: float
    height: float = 4.0
    pieces: list[Markup] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What the lanes show, in words."""

    def x(self, time_s: float) -> float:
        """Give the place of a time."""
        return LEFT + min(max(time_s / self.end_s, 0.0), 1.0) * (RIGHT - LEFT)

    def lane(self, title: Markup | str, height: float) -> float:
        """Begin a lane; returns its upper edge."""
        self.pieces.append(element("text", title, x=LEFT, y=self.height + 13))
        top = self.height + _TITLE
        self.height = top + height + _GAP
        return top

    def bar(self, start_s: float, end_s: float, top: float, height: float, class_: str) -> None:
        """Draw a stretch of time."""
        x, end = self.x(start_s), self.x(end_s)
        self.pieces.append(
            element("rect", x=x, y=top, width=max(end - x, 2.0), height=height, class_=class_)
        )

    def rule(self, y: float, label: str) -> None:
        """Draw a line of the scale."""
        self.pieces.append(element("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="rule"))
        self.pieces.append(
            element("text", label, x=LEFT - 6, y=y + 4, text_anchor="end", class_="small soft")
        )


def timeline_section(analysis: Analysis, clock_: Clock) -> Markup | None:
    """Draw the time-line, or give None where there is no time or nothing to draw."""
    end_s = duration_of(analysis)
    if end_s is None:
        return None
    drawing = _Drawing(end_s)
    for lane in (_factors, _visibility, _pose, _aperture, _loudness):
        lane(drawing, analysis)
    if not drawing.pieces:
        return None
    _axis(drawing, analysis)
    return element(
        "section",
        element("h2", "Over time", id="timeline-title"),
        element(
            "figure",
            element(
                "div",
                _svg(drawing, clock_),
                class_="scroll",
                tabindex="0",
                role="region",
                aria_label="Time-line, scrolls sideways",
            ),
            element("figcaption", " ".join(drawing.told)),
        ),
        class_="timeline",
        id="timeline",
        aria_labelledby="timeline-title",
    )


def _svg(drawing: _Drawing, clock_: Clock) -> Markup:
    reach = clock_.until_s
    return element(
        "svg",
        element("title", "Time-line", id="timeline-name"),
        element("desc", " ".join(drawing.told), id="timeline-words"),
        drawing.pieces,
        element(
            "line",
            x1=LEFT,
            x2=LEFT,
            y1=0,
            y2=drawing.height - 20,
            class_="head",
            id="needle",
            visibility="hidden",
        )
        if reach is not None
        else None,
        viewBox=f"0 0 {WIDTH} {short(drawing.height)}",
        width=WIDTH,
        height=drawing.height,
        role="img",
        aria_labelledby="timeline-name timeline-words",
        data_end=None if reach is None else f"{drawing.end_s:.3f}",
        data_until=None if reach is None else f"{reach:.3f}",
        data_from=None if reach is None else str(LEFT),
        data_to=None if reach is None else str(RIGHT),
    )


def _factors(drawing: _Drawing, analysis: Analysis) -> None:
    factors = analysis.preflight.factors if analysis.preflight else ()
    faulty = [f for f in factors if f.verdict == "bad"] + [
        f for f in factors if f.verdict == "warn"
    ]
    for factor in faulty[:_MOST_ROWS]:
        spans = spans_of(factor, analysis)
        word = "not usable" if factor.verdict == "bad" else "costs quality"
        where = "" if spans else ", all the time"
        top = drawing.lane(
            join(factor.title, element("tspan", f" \u2013 {word}{where}", class_="soft")), 10
        )
        for start, end in _merged(spans or ((0.0, drawing.end_s),), drawing.end_s):
            drawing.bar(start, end, top, 10, f"mark-{factor.verdict}")
    if len(faulty) > _MOST_ROWS:
        drawing.told.append(f"{len(faulty) - _MOST_ROWS} more factors are in the table only.")
    if faulty:
        drawing.told.append(
            "Filled bars are stretches that are not usable, outlined ones those that cost quality."
        )


def _visibility(drawing: _Drawing, analysis: Analysis) -> None:
    frames = column(analysis.frames, "index")
    times = column(analysis.frames, "time_s")
    if frames is None or times is None:
        return
    rows = main_rows(analysis)
    seen = np.isin(frames, rows["index"]).astype(float) if rows else np.zeros(len(frames))
    top = drawing.lane("Face is seen", 12)
    for start, end in _stretches(drawing, times, seen, _MOST):
        drawing.bar(start, end, top, 12, "seen")
    drawing.told.append(f"The face is seen in {share(float(seen.mean()))} of the frames.")
    covered = column(rows, "mouth_covered")
    if (
        covered is not None
        and (covered >= _COVERED).any()
        and not _tells(analysis, "mouth-covered")
    ):
        top = drawing.lane("Mouth is covered", 12)
        own = column(rows, "time_s")
        for start, end in _stretches(drawing, times if own is None else own, covered, _COVERED):
            drawing.bar(start, end, top, 12, "mark-bad")


def _tells(analysis: Analysis, name: str) -> bool:
    """Tell whether a factor has a row of its own."""
    factors = analysis.preflight.factors if analysis.preflight else ()
    return any(f.name == name and f.verdict in ("warn", "bad") for f in factors)


def _pose(drawing: _Drawing, analysis: Analysis) -> None:
    rows = main_rows(analysis)
    times, yaw, pitch = (column(rows, name) for name in ("time_s", "yaw_deg", "pitch_deg"))
    if times is None or yaw is None or pitch is None:
        return
    curves = [thinned(times, v, drawing.end_s, _BINS, "mean") for v in (yaw, pitch)]
    known = np.concatenate([curve.known for curve in curves])
    if not len(known):
        return
    limit = max(_LEAST_POSE_DEG, math.ceil(float(np.abs(known).max()) / 15) * 15)
    title = join(
        "Head: ",
        element("tspan", "turned sideways \u2014", class_="key-one"),
        " and ",
        element("tspan", "up or down - -", class_="key-two"),
    )
    top = drawing.lane(title, 72)
    for value in (limit, 0, -limit):
        drawing.rule(_level(value, -limit, limit, top, 72), amount(value, "deg", 0))
    for curve, style in zip(curves, ("curve", "curve two"), strict=True):
        drawing.pieces += _lines(curve, lambda v: _level(v, -limit, limit, top, 72), style)
    drawing.told.append(
        f"The head turns sideways from {_low_high(yaw, 'deg')} (positive is to the picture\u2019s "
        f"right) and up or down from {_low_high(pitch, 'deg')} (positive is up)."
    )


def _aperture(drawing: _Drawing, analysis: Analysis) -> None:
    rows = main_rows(analysis)
    times, gap = column(rows, "time_s"), column(rows, "aperture")
    if times is None or gap is None:
        return
    curve = thinned(times, np.maximum(gap, 0.0), drawing.end_s, _BINS, "most")
    if not len(curve.known):
        return
    limit = max(_LEAST_APERTURE, math.ceil(float(curve.known.max()) * 20) / 20)
    top = drawing.lane("Mouth opening, as a share of the face\u2019s height", 44)
    for value in (limit, 0.0):
        drawing.rule(_level(value, 0, limit, top, 44), amount(value, "share", 0))
    drawing.pieces += _areas(curve, lambda v: _level(v, 0, limit, top, 44), top + 44)
    drawing.told.append(
        f"The mouth opens up to {amount(float(curve.known.max()), 'share', 0)} of the face\u2019s "
        "height."
    )


def _loudness(drawing: _Drawing, analysis: Analysis) -> None:
    times, loud = column(analysis.sound, "time_s"), column(analysis.sound, "loudness_lufs")
    if times is None or loud is None:
        return
    low, high = _LOUDNESS_LUFS
    curve = thinned(times, np.clip(loud, low, high), drawing.end_s, _BINS, "most")
    if not len(curve.known):
        return
    top = drawing.lane("Loudness; grey behind it is speech", 60)
    speech = column(analysis.sound, "speech")
    if speech is not None:
        for start, end in _stretches(drawing, times, speech, _SPEECH):
            drawing.bar(start, end, top, 60, "shade")
    for value in (high, low / 2, low):
        label = f"{number(value, 0)} LUFS" if value == high else number(value, 0)
        drawing.rule(_level(value, low, high, top, 60), label)
    drawing.pieces += _areas(curve, lambda v: _level(v, low, high, top, 60), top + 60)
    told = f"Momentary loudness reaches {amount(float(curve.known.max()), 'LUFS', 0)}"
    if speech is not None:
        told += f"; there is speech in {share(float((speech >= _SPEECH).mean()))} of the time"
    drawing.told.append(f"{told}.")


def _axis(drawing: _Drawing, analysis: Analysis) -> None:
    bottom = drawing.height
    cuts = [t for t in (analysis.movement.cuts_s if analysis.movement else ()) if t > 0]
    for time_s in cuts:
        x = drawing.x(time_s)
        drawing.pieces.append(element("line", x1=x, x2=x, y1=0, y2=bottom, class_="cut"))
    if cuts:
        drawing.told.append(f"Dotted lines are cuts: {count(len(cuts), 'cut')}.")
    step = next((s for s in _TICKS_S if drawing.end_s / s <= _MOST_TICKS), _TICKS_S[-1])
    drawing.pieces.append(element("line", x1=LEFT, x2=RIGHT, y1=bottom, y2=bottom, class_="rule"))
    for place in range(int(drawing.end_s / step + 1e-9) + 1):
        x = drawing.x(place * step)
        drawing.pieces.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="rule"))
        drawing.pieces.append(
            element(
                "text",
                clock(place * step, tenths=step < 1),
                x=x,
                y=bottom + 18,
                text_anchor="middle",
                class_="small soft",
            )
        )
    drawing.height = bottom + 24


def _stretches(
    drawing: _Drawing, times: np.ndarray, values: np.ndarray, bound: float
) -> list[tuple[float, float]]:
    """Give the stretches of time in which most values are above a bound, to a pixel."""
    known = np.isfinite(values)
    curve = thinned(
        times[known], (values[known] >= bound).astype(float), drawing.end_s, _BINS, "mean"
    ).values
    on = np.nan_to_num(curve) >= _MOST
    edges = np.flatnonzero(np.diff(np.concatenate(([False], on, [False])).astype(int)))
    step = drawing.end_s / len(curve)
    return [(float(a) * step, float(b) * step) for a, b in edges.reshape(-1, 2)]


def _merged(spans: tuple[tuple[float, float], ...], end_s: float) -> list[tuple[float, float]]:
    """Join stretches that lie closer than a drawing can part."""
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < end_s / _BINS:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _level(value: float, low: float, high: float, top: float, height: float) -> float:
    return top + height * (1 - (value - low) / (high - low))


def _lines(curve: Curve, level: Callable[[float], float], class_: str) -> list[Markup]:
    return [
        element("polyline", points=" ".join(points), class_=class_)
        for points in _runs(curve, level)
    ]


def _areas(curve: Curve, level: Callable[[float], float], base: float) -> list[Markup]:
    return [
        element(
            "polygon",
            points=" ".join(
                (
                    f"{points[0].partition(',')[0]},{short(base)}",
                    *points,
                    f"{points[-1].partition(',')[0]},{short(base)}",
                )
            ),
            class_="area",
        )
        for points in _runs(curve, level)
    ]


def _runs(curve: Curve, level: Callable[[float], float]) -> list[list[str]]:
    """Give the points of each stretch without a hole."""
    known = np.flatnonzero(np.isfinite(curve.values))
    step = (RIGHT - LEFT) / len(curve.values)
    runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if len(known) else []
    return [
        [
            f"{short(LEFT + (int(i) + side) * step)},{short(level(float(curve.values[i])))}"
            for i in run
            for side in ((0.5,) if len(run) > 1 else (0.0, 1.0))
        ]
        for run in runs
    ]


def _low_high(values: np.ndarray, unit: str) -> str:
    low, high = np.nanmin(values), np.nanmax(values)
    return f"{amount(float(low), unit, 0)} to {amount(float(high), unit, 0)}"
