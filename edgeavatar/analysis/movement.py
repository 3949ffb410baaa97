"""How the camera moves, and how still the background is, from small pictures of luma."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FloatArray

HEIGHT: Final = 216
"""About the height of the pictures that are compared."""
REFERENCE_HEIGHT: Final = 1080
"""Shifts are told in pixels of a frame that is so high."""
POINTS: Final = 80
LEAST_POINTS: Final = 8
"""Points of the background below which nothing is said of the camera."""
ANCHOR_FRAMES: Final = 12
"""Frames that are compared with one and the same, so that errors do not add up."""
RANSAC_PX: Final = 0.7
STILL_LEVELS: Final = 6.0
"""Change of luma, averaged over 5 x 5 pixels of 1080p, that noise alone does not make."""
STILL_AFTER_S: Final = 0.2
STEADY_PX_PER_S: Final = 8.0
"""Below: a camera that stands; what noise alone makes of one is below 3."""
MOVING_PER_S: Final = 0.05
"""Frame heights by which the picture wanders in a second from which the camera is led."""
_SIDE: Final = 1.1
"""Room left and right of a face that its body takes, in face heights (shoulders are 1.9 face
heights apart: biacromial breadth 39 cm and deltoids, over 18.7 cm from hairline to chin)."""
_ABOVE: Final = 0.6
_LEAST_FRAMES: Final = 5


@dataclass(frozen=True, slots=True)
class BackgroundShift:
    """What the background did since the frame before; NaN where nothing can be told."""

    dx: float
    """Of the middle of the picture, to the right, in pixels of a frame that is 1080 high."""
    dy: float
    """Downwards."""
    px_per_s: float
    """Root mean square speed over the whole frame, which turning and zooming move too, in the last
    .2 s: the error of a single frame, half a pixel, would count for too much."""
    still: float
    """Share of the background that looks as it did .2 s ago."""


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
_UNKNOWN: Final = BackgroundShift(float("nan"), float("nan"), float("nan"), float("nan"))


class BackgroundWatch:
    """Follows the background of a video.

    Points of the background are followed from an anchor frame by the flow of Lucas and Kanade
    (Bouguet 2000), and the similarity that most of them agree on is found by RANSAC.

    Parameters
    ----------
    frame_rate
        Frames per second.
    """

    def __init__(self, frame_rate: float) -> None:
        self._lag = max(1, round(STILL_AFTER_S * frame_rate))
        self._lag_s = self._lag / frame_rate
        self._past: deque[ByteArray] = deque(maxlen=self._lag)
        self._last: ByteArray | None = None
        self._anchor: ByteArray | None = None
        self._points: FloatArray = np.zeros((0, 1, 2), np.float32)
        self._moved: FloatArray = self._points
        self._from_anchor = np.eye(3)
        self._path: deque[npt.NDArray[np.float64]] = deque(maxlen=self._lag + 1)
        self._age = 0

    def push(self, luma: ByteArray, people: Sequence[Box]) -> BackgroundShift:
        """Take the next frame.

        Parameters
        ----------
        luma
            ``(h, w)`` uint8, all of the frame, small.
        people
            Boxes around faces, chin to hairline, in pixels of ``luma``; what is below them is not
            background either.
        """
        free = _background(luma.shape, people)
        found = _UNKNOWN
        if self._last is not None and self._last.shape == luma.shape:
            found = self._compare(luma, free)
        self._last = luma
        self._past.append(luma)
        self._age += 1
        if self._anchor is None or self._age >= ANCHOR_FRAMES or np.isnan(found.dx):
            self._lay_anchor(luma, free)
        return found

    def cut(self) -> None:
        """Forget everything, as at a cut."""
        self._last = self._anchor = None
        self._path.clear()
        self._past.clear()

    def _lay_anchor(self, luma: ByteArray, free: ByteArray) -> None:
        found: Any = cv2.goodFeaturesToTrack(luma, POINTS, 0.01, 7.0, mask=free, blockSize=5)
        self._points = np.zeros((0, 1, 2), np.float32) if found is None else found
        self._moved = self._points.copy()
        self._anchor, self._age, self._from_anchor = luma, 0, np.eye(3)

    def _compare(self, luma: ByteArray, free: ByteArray) -> BackgroundShift:
        still = float("nan")
        if len(self._past) == self._lag:
            everywhere = cv2.countNonZero(free)
            if everywhere:
                alike = cv2.absdiff(luma, self._past[0]) <= STILL_LEVELS
                still = cv2.countNonZero(alike.view(np.uint8) & free) / everywhere
        now = self._similarity(luma)
        if now is None:
            self._path.clear()
            return BackgroundShift(*(float("nan"),) * 3, still)
        step = now @ np.linalg.inv(self._from_anchor)
        self._from_anchor = now
        self._path.append(step @ (self._path[-1] if self._path else np.eye(3)))
        dx, dy = _moved(step, luma.shape)[:, -1]
        speed = float("nan")
        if len(self._path) > self._lag:
            away = _moved(self._path[-1] @ np.linalg.inv(self._path[0]), luma.shape)
            speed = float(np.sqrt((away**2).sum(axis=0).mean())) / self._lag_s
        return BackgroundShift(float(dx), float(dy), speed, still)

    def _similarity(self, luma: ByteArray) -> npt.NDArray[np.float64] | None:
        if len(self._points) < LEAST_POINTS or self._anchor is None:
            return None
        moved, seen, _ = cv2.calcOpticalFlowPyrLK(
            self._anchor,
            luma,
            self._points,
            self._moved.copy(),
            winSize=(15, 15),
            maxLevel=3,
            criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.01),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        kept = seen.ravel() > 0
        if kept.sum() < LEAST_POINTS:
            return None
        matrix, agreeing = cv2.estimateAffinePartial2D(
            self._points[kept], moved[kept], ransacReprojThreshold=RANSAC_PX, maxIters=200
        )
        if matrix is None or agreeing.sum() < max(LEAST_POINTS, 0.5 * kept.sum()):
            return None
        self._moved = np.asarray(moved, np.float32)
        return np.vstack([matrix, [0.0, 0.0, 1.0]])


def _moved(step: npt.NDArray[np.float64], shape: Sequence[int]) -> npt.NDArray[np.float64]:
    """Shift of the corners and the middle of a picture, ``(2, 5)``, at the reference height."""
    height, width = shape[:2]
    across = np.array([[0, width, 0, width, width / 2], [0, 0, height, height, height / 2]])
    places = np.vstack([across, np.ones(5)])
    moved: npt.NDArray[np.float64] = ((step @ places)[:2] - across) * (REFERENCE_HEIGHT / height)
    return moved


def _background(shape: Sequence[int], people: Sequence[Box]) -> ByteArray:
    """255 where there are no people, 0 elsewhere."""
    height, width = shape[:2]
    free = np.full((height, width), 255, np.uint8)
    for left, top, right, bottom in people:
        tall, middle = bottom - top, (left + right) / 2
        x0, x1 = int(middle - _SIDE * tall), int(middle + _SIDE * tall) + 1
        y0 = int(top - _ABOVE * tall)
        free[max(0, y0) :, max(0, x0) : max(0, x1)] = 0
    return free


def camera_kind(
    time_s: npt.NDArray[Any],
    dx: npt.NDArray[Any],
    dy: npt.NDArray[Any],
    px_per_s: npt.NDArray[Any],
) -> tuple[Literal["steady", "handheld", "moving"] | None, float | None]:
    """Tell how a camera is held.

    Parameters
    ----------
    time_s
        ``(n,)`` of each frame.
    dx, dy, px_per_s
        ``(n,)`` of :class:`BackgroundShift`, NaN where not known.

    Returns
    -------
    kind
        ``"moving"`` if in half of the time the picture wanders by 5% of its height in a second or
        more, ``"handheld"`` if it moves otherwise; None where nothing is known.
    px_per_s
        Median speed of the background, in pixels of a frame that is 1080 high.
    """
    if np.count_nonzero(~np.isnan(px_per_s)) < _LEAST_FRAMES:
        return None, None
    speed = float(np.nanmedian(px_per_s))
    x, y = np.nancumsum(dx), np.nancumsum(dy)
    back = np.searchsorted(time_s, time_s - 1.0)
    whole = time_s - time_s[0] >= 1.0
    wander = np.hypot(x - x[back], y - y[back])[whole]
    if len(wander) and np.median(wander) >= MOVING_PER_S * REFERENCE_HEIGHT:
        return "moving", speed
    return ("steady" if speed < STEADY_PX_PER_S else "handheld"), speed


def angular_speed(
    time_s: npt.NDArray[Any],
    yaw_deg: npt.NDArray[Any],
    pitch_deg: npt.NDArray[Any],
    roll_deg: npt.NDArray[Any],
) -> float | None:
    """Median speed of a head, in degrees per second.

    Measured over .2 s, so that the jitter of a mesh, .2 degrees a frame, counts little. None for
    less than a second.
    """
    ahead = np.searchsorted(time_s, time_s + 0.2 - 1e-6)
    pairs = np.flatnonzero(ahead < len(time_s))
    later = ahead[pairs]
    span = time_s[later] - time_s[pairs]
    near = span < 0.4
    if not len(time_s) or time_s[-1] - time_s[0] < 1.0 or not near.any():
        return None
    pairs, later, span = pairs[near], later[near], span[near]
    angles = np.stack([yaw_deg, pitch_deg, roll_deg], axis=1)
    turned = np.linalg.norm(angles[later] - angles[pairs], axis=1)
    return float(np.median(turned / span))
