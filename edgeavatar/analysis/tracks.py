"""Which face is which, from frame to frame, and what each did in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeavatar.analysis.blinks import find_blinks
from edgeavatar.analysis.gaze import AT_CAMERA_DEG, off_camera_deg
from edgeavatar.analysis.results import FaceTrack
from edgeavatar.analysis.style import SMILING, articulation_range, expressiveness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Table = Mapping[str, npt.NDArray[Any]]

LEAST_OVERLAP: Final = 0.2
"""Intersection over union from which two boxes are one face: faces that do not touch have 0."""
FORGET_S: Final = 2.0
"""A face that comes back later is a new one."""
LEAST_BLINKING_S: Final = 5.0
COVERED: Final = 0.1
"""Share of the lips' surroundings that is hidden from which a mouth counts as covered, as in a
render."""
_LEAST_ROWS: Final = 3

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(slots=True)
class _Known:
    id: int
    box: Box
    time_s: float


class TrackBook:
    """Gives numbers to faces: the same to those that overlap from one look to the next."""

    def __init__(self) -> None:
        self._known: list[_Known] = []
        self._count = 0

    def number(self, boxes: Sequence[Box], time_s: float) -> list[int]:
        """Give the number of each face of a frame, from 0, in the order of first appearance.

        Boxes that overlap most are matched first; no number is given twice in a frame.
        """
        self._known = [known for known in self._known if time_s - known.time_s <= FORGET_S]
        pairs = sorted(
            (
                (-overlap(box, known.box), place, known)
                for place, box in enumerate(boxes)
                for known in self._known
            ),
            key=lambda pair: pair[:2],
        )
        given: dict[int, _Known] = {}
        taken: set[int] = set()
        for overlapping, place, known in pairs:
            if -overlapping >= LEAST_OVERLAP and place not in given and known.id not in taken:
                given[place] = known
                taken.add(known.id)
        for place, box in enumerate(boxes):
            if place not in given:
                given[place] = _Known(self._count, box, time_s)
                self._known.append(given[place])
                self._count += 1
            given[place].box, given[place].time_s = box, time_s
        return [given[place].id for place in range(len(boxes))]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def split_at_cuts(
    index: npt.NDArray[Any], track: npt.NDArray[Any], cuts: Sequence[int]
) -> npt.NDArray[np.int32]:
    """Give tracks new numbers, so that none goes on over a cut.

    Parameters
    ----------
    index, track
        ``(n,)`` frame and number of each row.
    cuts
        First frames of new shots.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` int32, from 0 in the order of first appearance.
    """
    shot = np.searchsorted(np.asarray(cuts, np.int64), index, side="right")
    numbers: dict[tuple[int, int], int] = {}
    return np.array(
        [
            numbers.setdefault((int(old), int(place)), len(numbers))
            for old, place in zip(track, shot, strict=True)
        ],
        np.int32,
    )


def main_track(faces: Table) -> int | None:
    """Find the track with the largest sum of face heights over time; None without faces."""
    tracks = np.unique(faces["track"])
    if not len(tracks):
        return None
    sums = [float(np.nansum(faces["height_px"][faces["track"] == track])) for track in tracks]
    return int(tracks[int(np.argmax(sums))])


def describe_track(
    number: int, frames: Table, faces: Table, speaking: npt.NDArray[np.bool_] | None
) -> FaceTrack:
    """Sum up one track.

    Parameters
    ----------
    number
        Which.
    frames, faces
        As in :class:`~edgeavatar.analysis.results.Analysis`.
    speaking
        For each row of ``frames``, whether there is speech; None without sound.

    Returns
    -------
    FaceTrack
        Of a photo, what needs time is None.
    """
    rows = {name: column[faces["track"] == number] for name, column in faces.items()}
    index = rows["index"]
    time_s = frames["time_s"][index]
    filmed = len(frames["index"]) > 1
    step = float(np.median(np.diff(index))) if len(index) > 1 else 1.0
    blendshapes = rows["blendshapes"].astype(np.float32)
    blinks_per_min = None
    if filmed and time_s[-1] - time_s[0] >= LEAST_BLINKING_S and step <= 2:
        seen_s = float(np.median(np.diff(time_s))) * len(time_s)
        blinks_per_min = 60.0 * len(find_blinks(time_s, rows["blink"])) / seen_s
    off = off_camera_deg(
        *(rows[name] for name in ("gaze_x", "gaze_y", "yaw_deg", "pitch_deg", "roll_deg"))
    )
    return FaceTrack(
        id=number,
        first_frame=int(index[0]),
        last_frame=int(index[-1]),
        seen_share=min(1.0, len(index) / ((index[-1] - index[0]) / max(step, 1.0) + 1)),
        height_px=float(np.median(rows["height_px"])),
        mesh_quality=float(np.median(rows["score"])),
        yaw_deg=_spread(rows["yaw_deg"]),
        pitch_deg=_spread(rows["pitch_deg"]),
        roll_deg=_spread(rows["roll_deg"]),
        blinks_per_min=blinks_per_min,
        gaze_at_camera_share=_share(off <= AT_CAMERA_DEG, ~np.isnan(off)),
        smile_share=_share(rows["smile"] >= SMILING, ~np.isnan(rows["smile"])),
        mouth_covered_share=_share(
            rows["mouth_covered"] >= COVERED, ~np.isnan(rows["mouth_covered"])
        ),
        articulation_range=(
            None if speaking is None else articulation_range(rows["aperture"], speaking[index])
        ),
        expressiveness=expressiveness(blendshapes) if filmed else None,
    )


def _spread(values: npt.NDArray[Any]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, (5, 50, 95))
    return float(low), float(middle), float(high)


def _share(true: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> float | None:
    return float(true[known].mean()) if known.any() else None
