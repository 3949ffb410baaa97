"""Judges what was measured of a picture: each quality factor by its bounds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeavatar.analysis import bounds
from edgeavatar.analysis.results import Factor
from edgeavatar.analysis.sharpness import excess_blur
from edgeavatar.analysis.tracks import COVERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from edgeavatar.analysis.bounds import Rule
    from edgeavatar.analysis.results import SourceFacts, Verdict

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Table = Mapping[str, npt.NDArray[Any]]

_BAD_SHARE = 0.05
"""Share of bad frames from which a source that is good otherwise is told of."""
_OPEN_GAP = 0.08
"""Gap between the lips, in face heights, from which a mouth counts as open. Smiles that show teeth
reach 0.07, and lips of such sources were measured to close as well as those of others."""
_GONE, _LIPS_SEEN = 0.35, 0.8
"""Part of the usual distance of lips and skin, and such a distance, below which lips are hidden:
behind a hand at most 0.23 of the usual were left, of clips without one at least 0.65."""
_DARK_FACE = 0.25
"""Highlight of a face, 0 to 1, below which light from behind is what makes it dark."""
_NOBODY = "no face is found at all: a render stops"
_ANEW_S = 0.5
"""Frames further apart are not one stretch."""


def picture_factors(
    source: SourceFacts,
    frames: Table,
    faces: Table,
    *,
    main_face: int | None = None,
    dominant: float | None = None,
    quantiser: float | None = None,
) -> tuple[Factor, ...]:
    """Judge a picture.

    Parameters
    ----------
    source
        What kind of file it is.
    frames
        One row per frame that was looked at, all or some: the columns of ``Analysis.frames``, and
        ``repeated`` where consecutive frames were compared.
    faces
        One row per frame and face: the columns of ``Analysis.faces_by_frame``. NaN where a row was
        not measured.
    main_face
        Track of the face that counts; None takes the largest face of each frame, since tracks end
        at cuts.
    dominant
        Area over that of another face below which a render asks which is meant; None if that was
        said.
    quantiser
        Mean quantiser of the video, on H.264's scale; None if the file does not tell.

    Returns
    -------
    tuple of Factor
        Always the same names in the same order; those that cannot be told are unknown, and those
        that only a video has are left out for a photo.
    """
    view = _View(source, frames, faces, main_face)
    column = view.column
    found = [
        view.judged(bounds.FACE_SIZE, column("height_px")),
        _missing(view),
        _faces(view, dominant),
        view.judged(bounds.YAW, np.abs(column("yaw_deg"))),
        view.judged(bounds.PITCH, np.abs(column("pitch_deg"))),
        view.judged(bounds.ROLL, np.abs(column("roll_deg"))),
        view.judged(bounds.INSIDE, 1.0 - column("inside")),
        view.share(bounds.COVERED, _covered(view), COVERED),
        view.judged(bounds.LIPS, column("lips")),
        view.judged(bounds.GLARE, column("glare")),
        *_blurs(view),
        view.share(bounds.MOUTH_OPEN, column("aperture"), _OPEN_GAP),
        view.judged(bounds.DARK, 255.0 * column("highlight")),
        view.judged(bounds.BRIGHT, column("clipped_high")),
        view.judged(bounds.SIDE_LIGHT, np.exp2(-np.abs(column("side_light")))),
        view.judged(bounds.BACKLIGHT, _backlight(column("backlight"), column("highlight"))),
        view.judged(bounds.NOISE, column("noise")),
        view.judged(bounds.BLOCKS, view.of_frames("blockiness"), of_frames=True),
    ]
    if source.kind == "video":
        found += [
            *_times(view),
            view.share(bounds.REPEATED, view.of_frames("repeated"), 0.5, of_frames=True),
            view.one(bounds.QUANTISER, quantiser),
        ]
    return tuple(found)


class _View:
    """The main face's rows, and the frames that were looked at."""

    def __init__(
        self, source: SourceFacts, frames: Table, faces: Table, main_face: int | None
    ) -> None:
        self.source = source
        self.faces = faces
        self._frames = frames
        self.index = np.asarray(frames["index"], np.int64)
        self.time_s = np.asarray(frames["time_s"], np.float64)
        if main_face is None:
            self._rows = _largest(faces)
        else:
            self._rows = np.flatnonzero(np.asarray(faces["track"]) == main_face)
        self.seen = np.isin(self.index, self.numbers)

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """Frames in which the main face was seen, one for each of its rows."""
        if not len(self._rows):
            return np.empty(0, np.int64)
        return np.asarray(self.faces["index"], np.int64)[self._rows]

    def column(self, name: str) -> Floats:
        """One value for each row of the main face; NaN if it is not there."""
        if name not in self.faces:
            return np.full(len(self._rows), np.nan)
        return np.asarray(self.faces[name], np.float64)[self._rows]

    def of_frames(self, name: str) -> Floats:
        """One value for each frame."""
        if name not in self._frames:
            return np.full(len(self.index), np.nan)
        return np.asarray(self._frames[name], np.float64)

    def judged(self, rule: Rule, values: Floats, *, of_frames: bool = False) -> Factor:
        """Judge a value that each frame has."""
        numbers = self.index if of_frames else self.numbers
        known = ~np.isnan(values)
        values, numbers = values[known], numbers[known]
        if not len(values):
            return _factor(rule, "unknown", None)
        percentile = 100.0 - rule.percentile if rule.less_is_worse else rule.percentile
        value = float(np.percentile(values, percentile))
        verdict = _verdict(rule, value)
        if verdict == "good" and _beyond(rule, values, rule.bad_at).mean() >= _BAD_SHARE:
            verdict = "warn"
            value = float(np.percentile(values, 2.0 if rule.less_is_worse else 98.0))
        flagged = _beyond(rule, values, rule.warn_at)
        return self.told(rule, verdict, value, numbers, flagged)

    def share(
        self, rule: Rule, values: Floats, from_where: float, *, of_frames: bool = False
    ) -> Factor:
        """Judge the share of the frames in which a value is beyond a bound."""
        numbers = self.index if of_frames else self.numbers
        known = ~np.isnan(values)
        if not known.any():
            return _factor(rule, "unknown", None)
        flagged = values[known] >= from_where
        value = float(flagged.mean())
        return self.told(rule, _verdict(rule, value), value, numbers[known], flagged)

    def one(self, rule: Rule, value: float | None) -> Factor:
        """Judge a value of the whole."""
        verdict: Verdict = "unknown" if value is None else _verdict(rule, value)
        return _factor(rule, verdict, value)

    def told(
        self,
        rule: Rule,
        verdict: Verdict,
        value: float,
        numbers: npt.NDArray[np.int64],
        flagged: Flags,
    ) -> Factor:
        """Say where, unless it is everywhere or nothing is wrong."""
        if verdict == "good" or flagged.all() or self.source.kind == "photo":
            return _factor(rule, verdict, value)
        return _factor(rule, verdict, value, *self.stretches(numbers, flagged))

    def stretches(
        self, numbers: npt.NDArray[np.int64], flagged: Flags
    ) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[float, float], ...]]:
        """First and last frames of stretches of flagged frames, and their times.

        Parameters
        ----------
        numbers
            Rising numbers of frames that were looked at.
        flagged
            Those concerned.
        """
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flagged.astype(np.int8), [0]])))
        ranges = [
            (int(numbers[first]), int(numbers[end - 1]))
            for first, end in zip(edges[::2], edges[1::2], strict=True)
        ]
        joined: list[tuple[int, int]] = []
        for first, last in ranges:
            if joined and self.time_of(first) - self.time_of(joined[-1][1]) < _ANEW_S:
                joined[-1] = (joined[-1][0], last)
            else:
                joined.append((first, last))
        times = tuple((self.time_of(first), self.time_of(last)) for first, last in joined)
        return tuple(joined), times

    def time_of(self, number: int) -> float:
        """When a frame that was looked at appears, in seconds."""
        place = min(int(np.searchsorted(self.index, number)), len(self.index) - 1)
        return round(float(self.time_s[place]), 3)


def _missing(view: _View) -> Factor:
    share = float(1.0 - view.seen.mean()) if len(view.seen) else 1.0
    verdict = _verdict(bounds.FACE_FOUND, share)
    if not view.seen.any():
        return _factor(replace(bounds.FACE_FOUND, effect_bad=_NOBODY), verdict, share)
    return view.told(bounds.FACE_FOUND, verdict, share, view.index, ~view.seen)


def _largest(faces: Table) -> npt.NDArray[np.intp]:
    """Rows of the largest face of each frame."""
    if "index" not in faces:
        return np.empty(0, np.intp)
    index = np.asarray(faces["index"], np.int64)
    order = np.lexsort((-np.asarray(faces["height_px"], np.float64), index))
    first = np.concatenate([[True], np.diff(index[order]) > 0]) if len(order) else order > 0
    return np.asarray(order[first], np.intp)


def _faces(view: _View, dominant: float | None) -> Factor:
    """Count the faces of frames in which others were looked for."""
    if not len(view.numbers):
        return _factor(bounds.FACES, "unknown", None)
    numbers = np.asarray(view.faces["index"], np.int64)
    heights = np.asarray(view.faces["height_px"], np.float64)
    shown, counts = np.unique(numbers, return_counts=True)
    # A face that is found once in a while may be a picture on the wall.
    several = float(np.percentile(counts, 98.0).round())
    verdict = _verdict(bounds.FACES, several)
    if verdict == "warn" and dominant is not None:
        crowded = heights[numbers == shown[counts >= 2][0]]
        second, first = np.sort(crowded)[-2:]
        if first * first < dominant * second * second:
            verdict = "bad"
    return view.told(bounds.FACES, verdict, several, shown, counts >= 2)


def _blurs(view: _View) -> tuple[Factor, Factor]:
    pairs = zip(view.column("sharpness"), view.column("height_px"), strict=True)
    blur = 100.0 * np.array([excess_blur(float(d), float(h)) for d, h in pairs], np.float64)
    focus = view.judged(bounds.BLUR, blur)
    if view.source.kind == "photo":
        return focus, _factor(bounds.MOTION_BLUR, "unknown", None)
    known = blur[~np.isnan(blur)]
    sharp = float(np.percentile(known, 25.0)) if len(known) else math.nan
    limit = max(2.0 * sharp, bounds.BLUR.warn_at or 0.0)
    return focus, view.share(bounds.MOTION_BLUR, blur, limit)


def _covered(view: _View) -> Floats:
    """Give how much of the mouth is hidden: by what a render sees, or by lips that are not there.

    A render learns a face from its first frames and takes what is before it in these for a part of
    it. Lips that are told from skin in other frames and not in these have something before them.
    """
    covered, lips = view.column("mouth_covered"), view.column("lips")
    known = ~np.isnan(lips)
    if view.source.kind == "photo" or not known.any():
        return covered
    usual = float(np.percentile(lips[known], 75.0))
    hidden = lips < min(_GONE * usual, _LIPS_SEEN)
    # Lips are looked at every few frames: until the next look, the last one holds.
    last = np.maximum.accumulate(np.where(known, np.arange(len(lips)), 0))
    gone = np.where(known[last], hidden[last].astype(np.float64), np.nan)
    return np.fmax(covered, gone)


def _backlight(stops: Floats, highlight: Floats) -> Floats:
    """Give stops where the face is dark, and none where it is not; NaN where nothing is known."""
    return np.where(highlight < _DARK_FACE, stops, np.minimum(stops, 0.0))


def _times(view: _View) -> tuple[Factor, Factor]:
    rate = view.one(bounds.FRAME_RATE, view.source.frame_rate)
    steps = np.diff(view.time_s)
    if not len(steps) or (np.diff(view.index) != 1).any():
        return rate, _factor(bounds.GAPS, "unknown", None)
    longest = float(steps.max())
    verdict = _verdict(bounds.GAPS, longest)
    # The last frame's end is not known.
    late = np.append(_beyond(bounds.GAPS, steps, bounds.GAPS.warn_at), False)
    return rate, view.told(bounds.GAPS, verdict, longest, view.index, late)


def _beyond(rule: Rule, values: Floats, bound: float | None) -> Flags:
    if bound is None:
        return np.zeros(len(values), bool)
    return np.asarray(values < bound if rule.less_is_worse else values >= bound)


def _verdict(rule: Rule, value: float) -> Verdict:
    one = np.array([value])
    if _beyond(rule, one, rule.bad_at)[0]:
        return "bad"
    return "warn" if _beyond(rule, one, rule.warn_at)[0] else "good"


def _factor(
    rule: Rule,
    verdict: Verdict,
    value: float | None,
    frames: tuple[tuple[int, int], ...] = (),
    times_s: tuple[tuple[float, float], ...] = (),
) -> Factor:
    troubled = verdict in ("warn", "bad")
    return Factor(
        name=rule.name,
        title=rule.title,
        group=rule.group,
        verdict=verdict,
        value=None if value is None else round(value, 4),
        unit=rule.unit,
        warn_at=rule.warn_at,
        bad_at=rule.bad_at,
        why=rule.why,
        effect={"warn": rule.effect_warn, "bad": rule.effect_bad}.get(verdict, ""),
        advice=rule.advice if troubled else "",
        frames=frames,
        times_s=times_s,
    )
