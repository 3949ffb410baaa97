"""Columns of an analysis, thinned to what a drawing can show."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.analysis.results import Analysis

    Floats = npt.NDArray[np.float64]
    Table = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Values over time, one for each of equal stretches of it."""

    values: Floats
    """``(bins,)``; NaN where nothing was measured."""

    @property
    def known(self) -> Floats:
        """Those that were measured."""
        return self.values[np.isfinite(self.values)]


def column(table: Table, name: str) -> Floats | None:
    """Give a column as float64, None if it is missing or empty."""
    values = table.get(name)
    return None if values is None or len(values) == 0 else values.astype(np.float64)


def main_rows(analysis: Analysis) -> Table:
    """Give one row per frame with a face: the main face's, or the largest one's where it is not.

    Tracks end at cuts, and a render goes on with the face that is there.

    Returns
    -------
    dict
        Columns as in ``faces_by_frame``, in the order of the frames, with ``time_s``; empty if no
        face was seen.
    """
    table = analysis.faces_by_frame
    index, tracks = table.get("index"), table.get("track")
    if index is None or tracks is None or len(index) == 0:
        return {}
    sizes = column(table, "height_px")
    sizes = np.zeros(len(index)) if sizes is None else np.nan_to_num(sizes)
    order = np.lexsort((-sizes, tracks != analysis.main_face, index))
    _, first = np.unique(index[order], return_index=True)
    rows = order[first]
    kept = {name: values[rows] for name, values in table.items() if len(values) == len(index)}
    times = column(analysis.frames, "time_s")
    frames = analysis.frames.get("index")
    if times is not None and frames is not None and len(frames) == len(times):
        places = np.searchsorted(frames, kept["index"])
        kept["time_s"] = times[np.minimum(places, len(times) - 1)]
    return kept


def thinned(
    times: Floats, values: Floats, end_s: float, bins: int, how: Literal["mean", "most"]
) -> Curve:
    """Divide time into equal stretches and give the mean or the largest value of each.

    Stretches between two values that are close in time get the earlier one, so that a slow row of
    values has no holes.

    Parameters
    ----------
    times, values
        ``(n,)``, times in seconds in order; NaN values are left out.
    end_s
        Where the last stretch ends.
    bins
        How many stretches at most; no more than there are values.
    how
        What is kept of several values.
    """
    good = np.isfinite(values) & np.isfinite(times)
    times, values = times[good], values[good]
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    if step > 0:
        bins = max(2, min(bins, round(end_s / step)))
    out = np.full(bins, np.nan)
    if not len(times) or end_s <= 0:
        return Curve(out)
    place = np.clip((times / end_s * bins).astype(int), 0, bins - 1)
    if how == "most":
        np.fmax.at(out, place, values)
    else:
        number = np.bincount(place, minlength=bins)
        total = np.bincount(place, values, minlength=bins)
        np.divide(total, number, out=out, where=number > 0)
    reach = int(np.ceil(1.5 * step / end_s * bins))
    return Curve(_held(out, reach))


def _held(values: Floats, reach: int) -> Floats:
    """Fill each hole with the value before it, where the next is not further than ``reach``."""
    known = np.flatnonzero(np.isfinite(values))
    filled = values.copy()
    for before, after in pairwise(known):
        if 1 < after - before <= reach:
            filled[before + 1 : after] = values[before]
    if len(known) and len(values) - known[-1] <= reach:
        filled[known[-1] :] = values[known[-1]]
    return filled
