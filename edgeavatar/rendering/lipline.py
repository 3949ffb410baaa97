"""Where closed lips really meet, and where open ones really end.

The face model places the inner rims of closed lips a few pixels beside the dark line between them.
A warp that opens the mouth there would tear a strip off one lip and hang it on the other, so the
line is looked up in the picture: a dark valley that runs from corner to corner.

The rims of open lips it places a few pixels inside the opening. A warp would take what lies there,
a fringe of teeth, along with the lip; so the edge is looked up too: where the colours of the lip
give way to those between the lips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.rendering.geometry import (
    down_axis,
    face_height_px,
    lip_displacement,
    smoothstep,
)
from edgeavatar.rendering.lip_rows import (
    CORNERS,
    INNER_CORNERS,
    LOWER_INNER_LIP,
    LOWER_LIP_ROWS,
    UPPER_INNER_LIP,
    UPPER_LIP_ROWS,
)
from edgeavatar.rendering.unfolding import unfolded

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame

REACH = 0.04
"""How far from the model's line the valley is sought, in face heights: less than half a lip."""
COLUMNS = 49
"""Columns across the mouth in which it is sought."""
DARK = 40.0
"""Levels of luma beyond which a valley counts as no deeper: a shadow is no better than a line."""
STRAYING = 12.0
"""Levels that a place at the end of the reach has to be darker than one on the model's line."""
STEP_COST, STEP_MOST = 4.0, 4
"""Levels that a step of one row costs from column to column, growing as its square, and the most
rows of a step. On the 89 people of the London Set that nets learn from, steps at 1.5 to 10 and
twice the straying find the hand-placed line as well to 4 %."""
SMOOTH = np.exp(-0.5 * (np.arange(-6, 7) / 1.5) ** 2)
SMOOTH /= SMOOTH.sum()
"""Weights of a column's neighbours; a line of rows is no smoother than their height."""
CLOSED_PX, CLOSED_GAP = 2.0, (0.004, 0.008)
"""Gap between the rims up to which lips count as closed: 2 px, within bounds in face heights. The
model sees gaps of .0005 to .0026 between lips that touch in 90 % of the photographs of the London
Set, and of .0069 to .012 in five synthetic portraits whose lips are just apart."""
OPEN_OVER_CLOSED = 2.25
"""Gap over that one at which they are clearly open. The model sees no line between open lips, so
the correction fades between the two."""

EDGE_OUT, EDGE_IN = 0.022, 0.010
"""How far from the model's rim, in face heights, the edge of an open lip is sought: towards the
lip and towards the opening. In the London smiles teeth show up to 0.012 beyond the model's rim."""
EDGE_MOST = 0.002
"""Most that a rim is moved where the model sees no gap; three tenths of a gap come on top."""
CHROMA_WEIGHT = 3.0
"""Weight of chroma against luma where lips are told from teeth: teeth in the shade are as dark as
lips, but never as red."""


def lip_line_offsets(frame: Frame, face: FaceObservation) -> FloatArray | None:
    """Distance from the model's inner lip line to the dark line between closed lips.

    The line is one path through the picture, from corner to corner: the darkest that neither
    strays from the model's nor jumps (dynamic programming over columns across the mouth). Hair that
    hangs over a lip and folds within one are as dark, but not all along.

    Parameters
    ----------
    frame
        The picture.
    face
        The face in it.

    Returns
    -------
    FloatArray or None
        ``(11,)`` float32 in face heights, positive towards the chin: at the corner on the person's
        right, at each pair of :data:`~edgeavatar.rendering.geometry.UPPER_INNER_LIP`, at the other
        corner. None when the lips are apart.
    """
    height = face_height_px(face)
    if closedness(face) < 0.5 or height < 48:
        return None
    down, along = _mouth_axes(face)
    line = _lip_line(face.landmarks)
    place = np.concatenate([[0.0], np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum()])
    columns = np.linspace(0.0, place[-1], COLUMNS)
    middle = np.stack([np.interp(columns, place, line[:, axis]) for axis in (0, 1)], 1)
    reach = np.linspace(-REACH, REACH, 65, dtype=np.float32)
    across = np.linspace(-0.006, 0.006, 3, dtype=np.float32)
    where = (
        middle[:, None, None, :]
        + height * reach[None, :, None, None] * down
        + height * across[None, None, :, None] * along
    )
    profile = _luma_at(frame, where.reshape(-1, 2)).reshape(where.shape[:3]).mean(2)
    depth = np.maximum(_valley(profile, reach), -DARK)
    path = _cheapest_path(depth + STRAYING * (reach / REACH)[None, :] ** 2)
    if not (-depth[np.arange(COLUMNS), path]).clip(0.0).sum() > COLUMNS / 9.0:
        return None
    offset = np.convolve(np.pad(reach[path], len(SMOOTH) // 2, mode="edge"), SMOOTH, "valid")
    return np.asarray(np.interp(place, columns, offset), np.float32)


def _lip_line(landmarks: FloatArray) -> FloatArray:
    """Line of the model between the rims, corner to corner, ``(11, 2)`` px."""
    where = landmarks[:, :2]
    middle = 0.5 * (where[list(UPPER_INNER_LIP)] + where[list(LOWER_INNER_LIP)])
    first, last = INNER_CORNERS
    return np.concatenate([where[[first]], middle, where[[last]]])


def _cheapest_path(cost: FloatArray) -> npt.NDArray[np.intp]:
    """Row of each column on the cheapest way through ``(columns, rows)`` costs."""
    columns, rows = cost.shape
    steps = np.arange(-STEP_MOST, STEP_MOST + 1)
    turning = (STEP_COST * steps**2)[:, None]
    best, came = cost[0].astype(np.float64), np.zeros((columns, rows), np.intp)
    for column in range(1, columns):
        padded = np.pad(best, STEP_MOST, constant_values=np.inf)
        reached = np.stack([padded[k : k + rows] for k in range(len(steps))]) + turning
        came[column] = np.arange(rows) + steps[reached.argmin(0)]
        best = reached.min(0) + cost[column]
    path = np.empty(columns, np.intp)
    path[-1] = best.argmin()
    for column in range(columns - 1, 0, -1):
        path[column - 1] = came[column, path[column]]
    return path


def lip_edge_offsets(frame: Frame, face: FaceObservation) -> FloatArray:
    """Distance from the model's inner rims to the edges of open lips in the picture.

    Along nine lines across each rim the pixels are compared with the colours of the lip and with
    those between the lips; the edge is the place that parts the two best.

    Parameters
    ----------
    frame
        The picture.
    face
        The face in it.

    Returns
    -------
    FloatArray
        ``(2, 9)`` float32 in face heights, of the upper and the lower lip, positive away from the
        opening. Zero for closed lips and small faces, fading in as lips part.
    """
    height = face_height_px(face)
    apart = 1.0 - closedness(face)
    if apart <= 0 or height < 48:
        return np.zeros((2, 9), np.float32)
    where = face.landmarks[:, :2]
    upper, lower = where[list(UPPER_INNER_LIP)], where[list(LOWER_INNER_LIP)]
    down, _ = _mouth_axes(face)
    gap = np.linalg.norm(lower - upper, axis=1) / height
    inside = _colours_at(frame, _between(upper, lower, 0.25, 0.75, 11))
    found = []
    for rim, outer, away in (
        (upper, where[list(UPPER_LIP_ROWS[-1])], -down),
        (lower, where[list(LOWER_LIP_ROWS[-1])], down),
    ):
        lip = _colours_at(frame, _between(rim, outer, 0.35, 0.8, 7))
        places = np.linspace(-EDGE_IN, EDGE_OUT, 33, dtype=np.float32)
        looked = _colours_at(frame, rim[:, None] + height * places[None, :, None] * away)
        # Towards the corners lip and opening run out, and so does what a line may tell.
        most = np.minimum(0.5 * np.linalg.norm(outer - rim, axis=1) / height, EDGE_MOST + 0.3 * gap)
        found.append(_smooth_edge(_likely_edge(looked, lip, inside, places), most))
    return np.float32(apart) * np.stack(found)


def move_lip_edges(face: FaceObservation, offsets: FloatArray) -> FloatArray:
    """Landmarks with the inner rims on the edges that the picture shows.

    Parameters
    ----------
    face
        As seen by the model.
    offsets
        ``(2, 9)`` float32 from :func:`lip_edge_offsets`.

    Returns
    -------
    FloatArray
        ``(478, 3)`` float32 pixels, a copy.
    """
    landmarks = face.landmarks.copy()
    shift = offsets[:, :, None] * np.float32(face_height_px(face)) * down_axis(face.pose)
    landmarks[:, :2] += lip_displacement(landmarks[:, :2], -shift[0], shift[1])
    return landmarks


def closedness(face: FaceObservation) -> float:
    """1 when the lips touch, 0 when they are clearly apart."""
    least, most = CLOSED_GAP
    closed = min(max(CLOSED_PX / max(face_height_px(face), 1e-6), least), most)
    return 1.0 - smoothstep(closed, OPEN_OVER_CLOSED * closed, lip_gap(face))


def lip_gap(face: FaceObservation) -> float:
    """Distance between the inner rims of the lips in face heights."""
    upper = face.landmarks[list(UPPER_INNER_LIP), :2].mean(0)
    lower = face.landmarks[list(LOWER_INNER_LIP), :2].mean(0)
    return float(np.linalg.norm(lower - upper)) / max(face_height_px(face), 1e-6)


def move_lip_line(face: FaceObservation, offsets: FloatArray) -> FloatArray:
    """Landmarks with both inner rims and their corners on the line that the picture shows.

    Parameters
    ----------
    face
        As seen by the model.
    offsets
        ``(11,)`` float32 from :func:`lip_line_offsets`.

    Returns
    -------
    FloatArray
        ``(478, 3)`` float32 pixels, a copy.
    """
    landmarks = face.landmarks.copy()
    weight = closedness(face)
    if weight <= 0:
        return landmarks
    down, _ = _mouth_axes(face)
    upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    shift = offsets[:, None] * np.float32(face_height_px(face)) * down[None, :]
    line = _lip_line(landmarks) + shift
    seen = landmarks[:, :2].copy()
    # The rims alone: the rows beside them are seen well (moved along, lips went wrong on GRID), and
    # only give way where the rims would pass them.
    for rim in (upper, lower):
        landmarks[rim, :2] += np.float32(weight) * (line[1:-1] - landmarks[rim, :2])
    for corner, share in zip(CORNERS[:3], (1.0, 2.0 / 3.0, 1.0 / 3.0), strict=True):
        landmarks[list(corner), :2] += np.float32(weight * share) * shift[[0, -1]]
    landmarks[:, :2] = unfolded(seen, landmarks[:, :2])
    return landmarks


def _mouth_axes(face: FaceObservation) -> tuple[FloatArray, FloatArray]:
    """Give unit vectors to the chin and, along the mouth, to the picture's right."""
    down = down_axis(face.pose)
    return down, np.array([down[1], -down[0]], np.float32)


def _valley(profile: FloatArray, reach: FloatArray) -> FloatArray:
    """How much darker each place is than the lips on both sides of it (negative: darker)."""
    step = float(reach[1] - reach[0])
    width = max(1, round(0.012 / step))
    padded = np.pad(profile, ((0, 0), (width, width)), mode="edge")
    sides = np.minimum(padded[:, : -2 * width], padded[:, 2 * width :])
    return np.asarray(profile - sides, np.float32)


def _luma_at(frame: Frame, points: FloatArray) -> FloatArray:
    """Bilinear luma at ``(n, 2)`` pixels, border repeated."""
    return _plane_at(frame.y, points)


def _plane_at(p: ByteArray, points: FloatArray) -> FloatArray:
    """Bilinear values at ``(n, 2)`` pixels of a plane, border repeated."""
    x = np.clip(points[:, 0], 0, p.shape[1] - 1.001)
    y = np.clip(points[:, 1], 0, p.shape[0] - 1.001)
    j, i = x.astype(int), y.astype(int)
    fx, fy = x - j, y - i
    top = p[i, j] * (1 - fx) + p[i, j + 1] * fx
    bottom = p[i + 1, j] * (1 - fx) + p[i + 1, j + 1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy, np.float32)


def _between(a: FloatArray, b: FloatArray, first: float, last: float, count: int) -> FloatArray:
    """Points on the way from each of ``(n, 2)`` points to another, ``(n, count, 2)``."""
    share = np.linspace(first, last, count, dtype=np.float32)[None, :, None]
    return np.asarray(a[:, None] + share * (b - a)[:, None], np.float32)


def _colours_at(frame: Frame, points: FloatArray) -> FloatArray:
    """Luma and weighted chroma at ``(n, m, 2)`` pixels, ``(n, m, 3)``."""
    flat = points.reshape(-1, 2)
    # A chroma sample sits in the middle of two by two pixels.
    halved = 0.5 * (flat - 0.5)
    planes = (
        _plane_at(frame.y, flat),
        CHROMA_WEIGHT * _plane_at(frame.u, halved),
        CHROMA_WEIGHT * _plane_at(frame.v, halved),
    )
    return np.stack(planes, 1).reshape(*points.shape[:2], 3)


def _likely_edge(
    looked: FloatArray, lip: FloatArray, inside: FloatArray, places: FloatArray
) -> FloatArray:
    """Find the place that best parts what is inside from the lip on each of nine lines, ``(9,)``.

    ``looked`` is ``(9, n, 3)`` from the inside out, ``lip`` and ``inside`` are samples of either
    side, ``(9, m, 3)`` each.
    """
    from_lip = np.linalg.norm(looked - _median_of_neighbours(lip)[:, None], axis=2)
    # Between the lips are teeth, their gaps, gums and the dark: no one colour stands for them.
    from_inside = np.linalg.norm(looked[:, :, None] - _with_neighbours(inside)[:, None], axis=3)
    nearest = from_inside.min(2)
    # Colours closer to each other than a compressed video's own noise tell nothing.
    inner = (from_lip - nearest) / (from_lip + nearest + 8.0)
    before = np.concatenate([np.zeros((len(inner), 1)), inner.cumsum(1)], 1)
    gain = (2.0 * before - before[:, -1:])[:, : len(places)]
    best = (gain - 3.0 * (places / EDGE_OUT) ** 2).argmax(1)
    return np.asarray(places[best], np.float32)


def _with_neighbours(samples: FloatArray) -> FloatArray:
    """Join the samples of each line and the two beside it, ``(9, 3 m, 3)`` of ``(9, m, 3)``."""
    padded = np.pad(samples, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return np.concatenate([padded[:-2], padded[1:-1], padded[2:]], 1)


def _median_of_neighbours(samples: FloatArray) -> FloatArray:
    return np.asarray(np.median(_with_neighbours(samples), axis=1), np.float32)


def _smooth_edge(offset: FloatArray, most: FloatArray) -> FloatArray:
    """Edges of lips are smooth: the median of three places, then their weighted mean."""
    padded = np.pad(np.minimum(offset, most), 1, mode="edge")
    steady = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    padded = np.pad(steady, 1, mode="edge")
    return np.asarray(0.25 * (padded[:-2] + 2.0 * padded[1:-1] + padded[2:]), np.float32)
