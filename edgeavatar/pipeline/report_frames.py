"""Which frames of a source a report shows, and how the mesh is drawn on them."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

import cv2
import numpy as np

from edgeavatar.analysis.figures import sentence
from edgeavatar.analysis.tracks import COVERED
from edgeavatar.face import FaceTracker
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pipeline.clear_frames import APART_S, FRONTAL_DEG, by_sharpness, clearness
from edgeavatar.report.columns import main_rows
from edgeavatar.report.pictures import Thumbnail
from edgeavatar.types import Frame
from edgeavatar.video.prefetch import prefetch
from edgeavatar.video.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeavatar.analysis.results import Analysis, Factor
    from edgeavatar.pipeline.clear_frames import ClearFrames
    from edgeavatar.report.columns import Table
    from edgeavatar.types import ByteArray
    from edgeavatar.video.reader import VideoReader

_WORST: Final = 4
_BEST: Final = 2
_WIDTH_PX: Final = 480
_HEIGHT_PX: Final = 360
_AROUND: Final = 2.0
"""Height of what is shown around a face, in heights of its box."""
_QUALITY: Final = 76
_NOTICED_DEG: Final = 10.0
_LIKELY: Final = 0.3
_MESH_BGR: Final = (255, 214, 90)
_MESH_ALPHA: Final = 0.75
_FINER: Final = 3
"""How many times as fine as the thumbnail the lines of the mesh are drawn."""

_SEEN_BY: Final = {
    "face-size": ("height_px", -1),
    "yaw": ("yaw_deg", 1),
    "pitch": ("pitch_deg", 1),
    "roll": ("roll_deg", 1),
    "cut-off": ("inside", -1),
    "mouth-covered": ("mouth_covered", 1),
    "mouth-open": ("aperture", 1),
    "glare": ("glare", 1),
    "dark": ("highlight", -1),
    "bright": ("clipped_high", 1),
    "side-light": ("side_light", 1),
    "backlight": ("backlight", 1),
    "picture-noise": ("noise", 1),
}
"""Column of a face in which a factor shows most, and whether much or little of it is the worse."""

_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame that is worth showing."""

    index: int
    time_s: float
    kind: Literal["worst", "best"]
    caption: str
    box: _Box | None
    """Of the main face; None where it is not seen."""


def choose_moments(analysis: Analysis) -> list[Moment]:
    """Choose the frames that show best where a source falls short, and its best ones.

    Of each factor that concerns stretches, the frame of the longest one in which it shows most, or
    the middle one; where none does, the frame in which the face is least clear. The best frames are
    frontal, sharp, and have the mouth free.
    """
    index, times = analysis.frames.get("index"), analysis.frames.get("time_s")
    if index is None or times is None or not len(index):
        return []
    rows = main_rows(analysis)
    chosen: list[Moment] = []

    def add(frame: int, kind: Literal["worst", "best"], caption: str) -> None:
        place = min(int(np.searchsorted(index, frame)), len(index) - 1)
        time_s = float(times[place])
        if all(abs(time_s - other.time_s) >= APART_S for other in chosen) or not chosen:
            box = _box_at(rows, int(index[place]))
            chosen.append(Moment(int(index[place]), time_s, kind, caption, box))

    for factor in _with_frames(analysis):
        if len(chosen) < _WORST:
            add(_clearest(factor, rows), "worst", _caption(factor))
    gap = _longest_gap(np.asarray(index), rows)
    if gap is not None and len(chosen) < _WORST:
        add(gap, "worst", "The face is not seen here.")
    order = _best_first(rows)
    if not chosen and len(order) > 1:
        add(int(order[-1]), "worst", _what_is_wrong(rows, int(order[-1])))
    count = len(chosen)
    for frame in order:
        if len(chosen) - count >= _BEST:
            break
        add(int(frame), "best", _what_is_good(rows, int(frame)))
    return chosen


def draw_thumbnails(
    analysis: Analysis,
    source_path: Path,
    tracker: FaceTracker | None = None,
    kept: ClearFrames | None = None,
) -> tuple[Thumbnail, ...]:
    """Draw the chosen frames, small, with the mesh of the main face.

    Parameters
    ----------
    analysis
        Of the source.
    source_path
        Photo, video or sound; of a sound there is nothing to draw.
    tracker
        Draws the mesh; default: one is opened.
    kept
        Frames of the source that need not be decoded again.

    Raises
    ------
    MediaError
        The source can no longer be read.
    """
    if analysis.source.kind == "sound":
        return ()
    source = open_source(source_path)
    with ExitStack() as stack:
        if isinstance(source, Frame):
            moments = [_photo_moment(analysis)]
            frames: Iterator[tuple[Moment, Frame]] = iter([(moments[0], source)])
        else:
            stack.enter_context(source)
            moments = choose_moments(analysis)
            # Frames are sought while the models are opened.
            frames = stack.enter_context(
                closing(prefetch(lambda: _frames_of(source, moments, kept), 1))
            )
        if tracker is None and any(moment.box for moment in moments):
            tracker = stack.enter_context(FaceTracker())
        drawn = {moment: _drawn(frame, moment, tracker) for moment, frame in frames}
    is_photo = isinstance(source, Frame)
    return tuple(
        _thumbnail(drawn[moment], moment, is_photo) for moment in moments if moment in drawn
    )


def _with_frames(analysis: Analysis) -> list[Factor]:
    factors = analysis.preflight.factors if analysis.preflight else ()
    return [f for f in factors if f.verdict == "bad" and f.frames] + [
        f for f in factors if f.verdict == "warn" and f.frames
    ]


def _clearest(factor: Factor, rows: Table) -> int:
    """Give the frame of its longest stretch in which a factor is seen best."""
    first, last = max(factor.frames, key=lambda span: span[1] - span[0])
    name, sign = _SEEN_BY.get(factor.name, ("", 1))
    if name in rows:
        index = rows["index"].astype(np.int64)
        inside = np.flatnonzero((index >= first) & (index <= last))
        values = sign * np.abs(rows[name][inside].astype(float))
        if np.isfinite(values).any():
            return int(index[inside[int(np.nanargmax(values))]])
    return (first + last) // 2


def _frames_of(
    reader: VideoReader, moments: list[Moment], kept: ClearFrames | None
) -> Iterator[tuple[Moment, Frame]]:
    """Give the frame of each moment; what cannot be sought is read for from the start."""
    missing = []
    for moment in moments:
        frame = None if kept is None else kept.find(moment.index)
        if frame is None:
            ticks = round(Fraction(moment.time_s) / reader.time_base)
            frame = reader.glimpse(ticks * reader.time_base)
        if frame is None:
            missing.append(moment)
        else:
            yield moment, frame
    if not missing:
        return
    wanted = {moment.index: moment for moment in missing}
    for frame in reader.frames():
        moment_here = wanted.pop(frame.index, None)
        if moment_here is not None:
            yield moment_here, frame
        if not wanted:
            return


def _box_at(rows: Table, frame: int) -> _Box | None:
    if not all(name in rows for name in ("index", "left", "top", "right", "bottom")):
        return None
    here = np.flatnonzero(rows["index"] == frame)
    if not len(here):
        return None
    left, top, right, bottom = (
        float(rows[name][here[0]]) for name in ("left", "top", "right", "bottom")
    )
    return (left, top, right, bottom) if right > left and bottom > top else None


def _best_first(rows: Table) -> np.ndarray:
    """Order the frames of a face from the best one on."""
    if not rows or not len(rows["index"]):
        return np.zeros(0, np.int64)
    worth = clearness(rows)
    if "sharpness" in rows:
        sharp = np.nan_to_num(rows["sharpness"].astype(float))
        worth *= by_sharpness(sharp, float(np.max(sharp)))
    return np.asarray(rows["index"][np.argsort(-worth, kind="stable")])


def _longest_gap(index: np.ndarray, rows: Table) -> int | None:
    """Give the middle frame of the longest stretch without the main face."""
    missing = ~np.isin(index, rows["index"]) if rows else np.ones(len(index), bool)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(int)))
    if not len(edges):
        return None
    first, last = max(edges.reshape(-1, 2), key=lambda span: span[1] - span[0])
    return int(index[(first + last) // 2])


def _what_is_wrong(rows: Table, frame: int) -> str:
    """Say why a frame is the worst of a face that nothing is said against."""
    if _value(rows, "mouth_covered", frame) > COVERED:
        return "Something is before the mouth."
    if _turned_deg(rows, frame) > _NOTICED_DEG:
        return "The head is turned most here."
    if _value(rows, "blink", frame) > _LIKELY:
        return "The eyes are closed."
    return "The face is least clear here."


def _what_is_good(rows: Table, frame: int) -> str:
    if _turned_deg(rows, frame) > FRONTAL_DEG / 2:
        return "The best frame there is, though the head is turned."
    return "The face is seen from the front, and clearly."


def _turned_deg(rows: Table, frame: int) -> float:
    return max(abs(_value(rows, name, frame)) for name in ("yaw_deg", "pitch_deg"))


def _value(rows: Table, name: str, frame: int) -> float:
    """Give what a column says of a frame; 0 where it was not measured."""
    if name not in rows:
        return 0.0
    here = int(np.flatnonzero(rows["index"] == frame)[0])
    return float(np.nan_to_num(float(rows[name][here])))


def _photo_moment(analysis: Analysis) -> Moment:
    rows = main_rows(analysis)
    box = _box_at(rows, int(rows["index"][0])) if rows and len(rows["index"]) else None
    caption = "The photo, with the mesh." if box else "The photo. No face was found in it."
    return Moment(0, 0.0, "best", caption, box)


def _drawn(frame: Frame, moment: Moment, tracker: FaceTracker | None) -> ByteArray:
    bgr = frame_to_bgr(frame)
    landmarks = None
    if tracker is not None and moment.box is not None:
        seen = tracker.read_box(bgr, moment.box)
        landmarks = None if seen is None else seen.landmarks
    x0, y0, x1, y1 = _around(moment.box, bgr.shape[1], bgr.shape[0])
    scale = min(_WIDTH_PX / (x1 - x0), _HEIGHT_PX / (y1 - y0))
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(bgr[y0:y1, x0:x1], size, interpolation=way), np.uint8)
    if landmarks is not None and tracker is not None:
        points = (landmarks[:, :2] + 0.5 - (x0, y0)) * scale - 0.5
        _draw_mesh(picture, points, tracker.canonical.triangles)
    return picture


def _draw_mesh(picture: ByteArray, points: np.ndarray, triangles: np.ndarray) -> None:
    """Draw the edges of a mesh in place, finer than a pixel, so that the face stays seen."""
    pairs = np.sort(np.concatenate([triangles[:, p] for p in ((0, 1), (1, 2), (2, 0))]), axis=1)
    edges = points[np.unique(pairs, axis=0)]
    height, width = picture.shape[:2]
    lines = np.zeros((height * _FINER, width * _FINER), np.uint8)
    ends = np.rint((edges + 0.5) * _FINER * 16 - 8).astype(np.int32)
    cv2.polylines(lines, [end.reshape(-1, 1, 2) for end in ends], False, 255, 2, cv2.LINE_AA, 4)
    alpha = cv2.resize(lines, (width, height), interpolation=cv2.INTER_AREA)
    alpha = alpha.astype(np.float32)[:, :, None] * (_MESH_ALPHA / 255.0)
    colour = np.array(_MESH_BGR, np.float32)
    picture[:] = np.rint(picture * (1.0 - alpha) + colour * alpha).astype(np.uint8)


def _around(box: _Box | None, width: int, height: int) -> tuple[int, int, int, int]:
    """Give a rectangle around a face, inside the picture, in the shape of a thumbnail."""
    if box is None:
        return 0, 0, width, height
    side_y = min(float(height), _AROUND * (box[3] - box[1]))
    side_x = min(float(width), side_y * _WIDTH_PX / _HEIGHT_PX)
    x0 = min(max((box[0] + box[2] - side_x) / 2, 0.0), width - side_x)
    y0 = min(max((box[1] + box[3] - side_y) / 2, 0.0), height - side_y)
    x0, y0 = int(x0), int(y0)
    return x0, y0, min(width, x0 + max(2, round(side_x))), min(height, y0 + max(2, round(side_y)))


def _thumbnail(picture: ByteArray, moment: Moment, is_photo: bool) -> Thumbnail:
    encoded, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert encoded
    where = "The photo" if is_photo else f"The frame at {moment.time_s:.1f} s"
    seen = "the face with its mesh" if moment.box else "no face found"
    return Thumbnail(
        jpeg=jpeg.tobytes(),
        width=picture.shape[1],
        height=picture.shape[0],
        kind=moment.kind,
        time_s=None if is_photo else moment.time_s,
        caption=moment.caption,
        alt=f"{where}: {seen}.",
    )


def _caption(factor: Factor) -> str:
    effect, _, _ = factor.effect.partition(". ")
    return sentence(f"{factor.title}: {effect}" if effect else factor.title)
