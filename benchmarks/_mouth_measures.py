"""How two pictures of one mouth compare: the measures of ``benchmarks/renderer.py``.

Pictures are cut to the mouth box and brought to a face height of 256 px first, so that figures of
small and large faces compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.face.topology import LIPS, OUTER_LIPS

Bytes: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

FACE_HEIGHT = 256.0
BOX_SHARE = 0.6
"""Side of the mouth box over the width of the face at the mouth: broad smiles take up half."""
JAW_ANGLES = (58, 288)
"""Landmarks of the face's outline at the height of the mouth."""
DETAIL_SIGMA = 1.0
"""What a Gaussian of so many pixels takes away counts as detail: waves shorter than about 8 px,
which are edges of lips and teeth, folds, stubble."""
RIM_STEP = 1.5
"""How far on either side of the lips' rim the seam is read, px at face height 256."""
OPEN_AREA = 60.0
"""Area of the opening, px at face height 256, below which there is nothing inside to judge."""


@dataclass(frozen=True, slots=True)
class MouthBox:
    """The square around a mouth."""

    left: int
    top: int
    side: int
    size: int
    """Pixels along a side once the face is 256 px high."""

    def cut(self, picture: Bytes) -> Bytes:
        """Cut the square out of a picture ``(h, w)`` or ``(h, w, 3)`` and resize it."""
        part = picture[self.top : self.top + self.side, self.left : self.left + self.side]
        how = cv2.INTER_AREA if self.size < self.side else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, (self.size, self.size), interpolation=how), np.uint8)

    def points(self, picture: Floats) -> Floats:
        """Take points ``(n, 2)`` of the picture to the resized square."""
        corner = np.array([self.left, self.top], np.float32) - 0.5
        return np.asarray((picture - corner) * np.float32(self.size / self.side) - 0.5, np.float32)


def mouth_box(landmarks: Floats, face_height: float, shape: tuple[int, ...]) -> MouthBox:
    """Place the square by the landmarks of the mouth to be made, inside a picture of a shape."""
    width = float(np.linalg.norm(landmarks[JAW_ANGLES[0]] - landmarks[JAW_ANGLES[1]]))
    side = max(8, min(round(BOX_SHARE * width), *shape[:2]))
    lips = landmarks[list(LIPS)]
    middle = 0.5 * (lips.min(0) + lips.max(0))
    left, top = (
        int(np.clip(round(float(m) - side / 2), 0, length - side))
        for m, length in zip(middle, (shape[1], shape[0]), strict=True)
    )
    return MouthBox(left, top, side, max(16, round(side * FACE_HEIGHT / face_height)))


def psnr(a: Bytes, b: Bytes) -> float:
    """Peak signal-to-noise ratio over all channels, dB; infinite for equal pictures."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def detail_energy(luma: Bytes) -> float:
    """Mean square of what a Gaussian of :data:`DETAIL_SIGMA` takes away."""
    values = luma.astype(np.float64)
    return float(np.mean((values - cv2.GaussianBlur(values, (0, 0), DETAIL_SIGMA)) ** 2))


def landmark_distance(found: Floats, wanted: Floats, face_height: float) -> float:
    """Mean distance of the landmarks of the lips, px at face height 256."""
    lips = list(LIPS)
    away = np.linalg.norm(found[lips, :2] - wanted[lips, :2], axis=1)
    return float(away.mean() * FACE_HEIGHT / face_height)


def polygon_area(polygon: Floats) -> float:
    """Area of a simple polygon ``(n, 2)``, square px."""
    x, y = polygon[:, 0].astype(np.float64), polygon[:, 1].astype(np.float64)
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def polygon_mask(
    polygon: Floats, shape: tuple[int, ...], grow_px: float = 0.0
) -> npt.NDArray[np.bool_]:
    """Pixels of a picture of a shape inside a polygon that is grown by so many pixels."""
    mask = np.zeros(shape[:2], np.uint8)
    corners = np.rint(polygon * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1, shift=4)
    if grow_px > 0:
        reach = 2 * int(np.ceil(grow_px)) + 1
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray(mask > 0)


def cavity_error(made: Bytes, real: Bytes, rim: Floats) -> float:
    """Mean absolute difference of luma inside the lips' rim; nan if the mouth is not open."""
    inside = polygon_mask(rim, real.shape)
    if polygon_area(rim) < OPEN_AREA or not inside.any():
        return float("nan")
    return float(np.abs(made[inside].astype(np.float64) - real[inside]).mean())


def seam_energy(luma: Bytes, rim: Floats) -> float:
    """Mean absolute step of luma across the lips' rim; nan if the mouth is not open."""
    if polygon_area(rim) < OPEN_AREA:
        return float("nan")
    along = np.roll(rim, -1, 0) - np.roll(rim, 1, 0)
    length = np.linalg.norm(along, axis=1, keepdims=True)
    normal = np.stack([along[:, 1], -along[:, 0]], 1) / np.maximum(length, 1e-6) * RIM_STEP
    sides = [
        cv2.remap(
            luma.astype(np.float32),
            np.ascontiguousarray(where[:, 0:1], np.float32),
            np.ascontiguousarray(where[:, 1:2], np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for where in (rim + normal, rim - normal)
    ]
    return float(np.abs(np.asarray(sides[0], np.float64) - sides[1]).mean())


def moved_mask(
    before: Floats,
    after: Floats,
    triangles: npt.NDArray[np.int32],
    shape: tuple[int, ...],
    margin_px: int,
) -> npt.NDArray[np.bool_]:
    """Pixels that a mesh can move: its triangles with a moving corner, before and after.

    Parameters
    ----------
    before, after
        ``(n, 2)`` vertices in pixels.
    triangles
        ``(m, 3)`` vertices.
    shape
        Of the picture.
    margin_px
        By which the pixels found are grown: the field of displacement is read between its nodes.
    """
    moving = np.abs(after - before).max(axis=1) > 0
    mask = np.zeros(shape[:2], np.uint8)
    for corners in triangles[moving[triangles].any(axis=1)]:
        for points in (before, after):
            cv2.fillConvexPoly(mask, np.rint(points[corners] * 16).astype(np.int32), 1, shift=4)
    reach = 2 * margin_px + 1
    return np.asarray(cv2.dilate(mask, np.ones((reach, reach), np.uint8)) > 0)


def changed_share(a: Sequence[Bytes], b: Sequence[Bytes], keep: npt.NDArray[np.bool_]) -> float:
    """Share of bytes that differ between the y, u, v planes of two frames where ``keep`` holds.

    A chroma byte counts where ``keep`` holds for all of its four pixels. nan if it holds nowhere.
    """
    height, width = (n // 2 * 2 for n in keep.shape)
    small = keep[:height, :width].reshape(height // 2, 2, width // 2, 2).all(axis=(1, 3))
    changed = total = 0
    for p, q, mask in zip(a, b, (keep, small, small), strict=True):
        rows, columns = mask.shape
        changed += int(((p != q)[:rows, :columns] & mask).sum())
        total += int(mask.sum())
    return changed / total if total else float("nan")


def spread_targets(gaps: Doubles, quantiles: Sequence[float]) -> list[int]:
    """Choose different frames whose lip gaps lie nearest to the quantiles of all gaps."""
    chosen: list[int] = []
    for wanted in np.quantile(gaps, quantiles):
        order = np.argsort(np.abs(gaps - wanted), kind="stable")
        chosen.append(next(int(k) for k in order if int(k) not in chosen))
    return chosen


def most_similar(lips: Doubles, wanted: Doubles, allowed: npt.NDArray[np.bool_]) -> int | None:
    """Find the frame whose lips ``(frames, n, 2)`` lie nearest to the wanted, among the allowed."""
    if not allowed.any():
        return None
    away = np.linalg.norm(lips - wanted, axis=2).mean(axis=1)
    return int(np.argmin(np.where(allowed, away, np.inf)))


def ellipse_around_lips(landmarks: Floats, count: int = 48) -> Floats:
    """Draw an ellipse that holds the lips and a little skin, ``(count, 2)``."""
    lips = landmarks[list(OUTER_LIPS)]
    low, high = lips.min(0), lips.max(0)
    width, height = (float(v) for v in high - low)
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radii = np.array([0.68 * width, 0.5 * height + 0.24 * width])
    ring = 0.5 * (low + high) + radii * np.stack([np.cos(angle), np.sin(angle)], 1)
    return np.asarray(ring, np.float32)


def mean_of(values: Sequence[float], how: Callable[[Doubles], float] | None = None) -> float:
    """Mean of those values that are known; nan if none is."""
    known = np.array([v for v in values if np.isfinite(v)], np.float64)
    if not len(known):
        return float("nan")
    return float(known.mean()) if how is None else how(known)


def geometric_mean(values: Doubles) -> float:
    """Mean of ratios: halving and doubling cancel."""
    return float(np.exp(np.log(np.maximum(values, 1e-6)).mean()))
