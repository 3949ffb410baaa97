"""Face detection with the MediaPipe short-range detector, on whole pictures and on tiles of them.

The network is an SSD with 896 anchors on 128 x 128 pixels (Bazarevsky et al. 2019, "BlazeFace"). It
finds faces between roughly a sixth of its input and all of it, so small faces are looked for on
tiles of several sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from edgeavatar.backends import BackendChoice, DeviceChoice, TunedModels, open_session
from edgeavatar.errors import IntegrityError
from edgeavatar.face.region import Region, crop
from edgeavatar.types import FaceBox

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray

INPUT_SIZE: Final = 128
_GRIDS: Final = ((16, 2), (8, 6))
"""Cells per side and anchors per cell: one layer of stride 8, three of stride 16, two anchors each
(MediaPipe face detector graph)."""
_VALUES: Final = 16
_KEYPOINTS: Final = 6
_MERGE_IOU: Final = 0.3
"""Overlap above which detections are one face (MediaPipe face detector graph)."""
_SAME_FACE_COVER: Final = 0.6
"""Share of the smaller box inside the larger above which two tiles saw the same face."""
_SMALLEST_SHARE: Final = 0.16
"""Face height over tile side that is still found: down to 0.14 all are, at 0.12 half
(benchmarks/face.py)."""
_SMALLEST_FACE_PX: Final = 56.0
_SMALLEST_FACE: Final = 0.035
_TILE_SHRINK: Final = 0.5
_TILE_OVERLAP: Final = 0.4
"""Overlap of neighbours over their side: more than the share of the largest face that only this
size of tile shows large enough, ``_SMALLEST_SHARE / _TILE_SHRINK``."""


class FaceDetector:
    """Finds faces in a picture.

    Parameters
    ----------
    path
        ``face_detector.tflite``.
    min_score
        Detections below are dropped.
    backend, device, threads, tuned
        See :func:`edgeavatar.backends.open_session`.
    """

    def __init__(
        self,
        path: Path,
        *,
        min_score: float = 0.5,
        backend: BackendChoice = "auto",
        device: DeviceChoice = "auto",
        threads: int | None = None,
        tuned: TunedModels | None = None,
    ) -> None:
        self.session = open_session(
            path, backend=backend, device=device, threads=threads, tuned=tuned
        )
        self.min_score = min_score
        self._anchors = anchor_centres()
        self._input = self.session.inputs[0].name
        names = [spec.name for spec in self.session.outputs]
        if not {"regressors", "classificators"} <= set(names):
            msg = f"{path.name}: expected the outputs regressors, classificators, found {names}"
            raise IntegrityError(msg)

    def detect(self, bgr: ByteArray, *, min_face_px: float | None = None) -> list[FaceBox]:
        """Find all faces of at least a given height.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        min_face_px
            Height of the smallest face (brows to chin) worth finding; by default the larger of 56
            pixels and 3.5% of the picture's shorter side, which bounds the number of tiles.

        Returns
        -------
        list[FaceBox]
            Faces in pixels of the picture, best score first.
        """
        height, width = bgr.shape[:2]
        if min_face_px is None:
            min_face_px = max(_SMALLEST_FACE_PX, _SMALLEST_FACE * min(height, width))
        found: list[FaceBox] = []
        for region in tiles(width, height, min_face_px):
            found += self.detect_in(bgr, region, whole_only=region.side < max(width, height))
        return _join_tiles(found)

    def detect_large(self, bgr: ByteArray) -> list[FaceBox]:
        """Find faces that take a fifth of the picture or more, in one pass over the whole of it.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.

        Returns
        -------
        list[FaceBox]
            Faces in pixels of the picture, best score first.
        """
        return self.detect_in(bgr, whole_picture(bgr))

    def detect_in(
        self, bgr: ByteArray, region: Region, *, whole_only: bool = False
    ) -> list[FaceBox]:
        """Find the faces in one region, in one pass.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        region
            Where to look; it may be turned.
        whole_only
            Drop faces that the edge of the region cuts where the picture goes on.

        Returns
        -------
        list[FaceBox]
            Faces in pixels of the picture, best score first.
        """
        pixels = crop(bgr, region, INPUT_SIZE)[None, :, :, ::-1]
        answer = self.session.run({self._input: pixels * np.float32(2 / 255) - np.float32(1)})
        logits = answer["classificators"].reshape(-1).astype(np.float64)
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -100.0, 100.0)))
        likely = np.flatnonzero(scores >= self.min_score)
        if not len(likely):
            return []
        values = answer["regressors"].reshape(-1, _VALUES)[likely].astype(np.float64) / INPUT_SIZE
        boxes, merged_scores = weighted_suppression(
            decode(values, self._anchors[likely]), scores[likely]
        )
        faces = []
        for points, score in zip(boxes, merged_scores, strict=True):
            if whole_only and _is_cut(points, region, bgr.shape[1], bgr.shape[0]):
                continue
            faces.append(_to_face(points, float(score), region))
        return faces

    def close(self) -> None:
        """Free the model."""
        self.session.close()


def anchor_centres() -> npt.NDArray[np.float64]:
    """Give the 896 anchor centres, as shares of the input.

    Returns
    -------
    numpy.ndarray
        ``(896, 2)`` float64, x and y, row by row.
    """
    layers = []
    for cells, per_cell in _GRIDS:
        middles = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(layers)


def decode(values: npt.NDArray[Any], anchors: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Turn the network's numbers into points.

    Parameters
    ----------
    values
        ``(n, 16)``: centre, size and six key points, relative to the anchors, as shares of the
        input.
    anchors
        ``(n, 2)`` anchor centres.

    Returns
    -------
    numpy.ndarray
        ``(n, 8, 2)`` float64: top left, bottom right, six key points, as shares of the input.
    """
    centre = values[:, 0:2] + anchors
    half = values[:, 2:4] / 2
    points = np.empty((len(values), 2 + _KEYPOINTS, 2))
    points[:, 0] = centre - half
    points[:, 1] = centre + half
    points[:, 2:] = values[:, 4:].reshape(-1, _KEYPOINTS, 2) + anchors[:, None]
    return points


def weighted_suppression(
    points: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Merge overlapping detections into their mean, weighted by score (BlazeFace, section 5).

    Parameters
    ----------
    points
        ``(n, 8, 2)`` as :func:`decode` gives them.
    scores
        ``(n,)``.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        ``(m, 8, 2)`` points and ``(m,)`` scores, best first; a group has the score of its best
        member.
    """
    left = np.argsort(-scores, kind="stable")
    merged, merged_scores = [], []
    while len(left):
        best = left[0]
        same = intersection_over_union(points[best, :2], points[left, :2]) > _MERGE_IOU
        same[0] = True
        group = left[same]
        weights = scores[group] / scores[group].sum()
        merged.append(np.tensordot(weights, points[group], axes=1))
        merged_scores.append(scores[best])
        left = left[~same]
    return np.array(merged).reshape(-1, 2 + _KEYPOINTS, 2), np.array(merged_scores)


def intersection_over_union(
    box: npt.NDArray[Any], others: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Overlap of one box with others.

    Parameters
    ----------
    box
        ``(2, 2)``: top left and bottom right.
    others
        ``(n, 2, 2)``.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` float64 in [0, 1].
    """
    shared, area, areas = _overlap(box, others)
    total = area + areas - shared
    return np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)


def whole_picture(bgr: ByteArray) -> Region:
    """Give the smallest upright square around a picture."""
    height, width = bgr.shape[:2]
    return Region((width / 2, height / 2), float(max(width, height)))


def tiles(width: int, height: int, smallest_px: float) -> Iterator[Region]:
    """Cover a picture with squares, from the whole down to those that show small faces large.

    Squares of one size overlap so far that each face which only they show large enough lies whole
    in one of them.

    Yields
    ------
    Region
        The square around the whole picture first.
    """
    side = float(max(width, height))
    yield Region((width / 2, height / 2), side)
    smallest_side = smallest_px / _SMALLEST_SHARE
    while side > smallest_side:
        side = max(side * _TILE_SHRINK, smallest_side)
        yield from _tiles_of(width, height, side)


def _tiles_of(width: int, height: int, side: float) -> Iterator[Region]:
    for y in _starts(height, side):
        for x in _starts(width, side):
            yield Region((x + side / 2, y + side / 2), side)


def _starts(length: int, side: float) -> Sequence[float]:
    if length <= side:
        return ((length - side) / 2,)
    count = 1 + math.ceil((length - side) / (side * (1 - _TILE_OVERLAP)))
    return [float(start) for start in np.linspace(0.0, length - side, count)]


def _is_cut(points: npt.NDArray[np.float64], region: Region, width: int, height: int) -> bool:
    margin = 0.01
    half = region.side / 2
    left, top = region.centre[0] - half, region.centre[1] - half
    low, high = points[0], points[1]
    return bool(
        (low[0] < margin and left > 0)
        or (low[1] < margin and top > 0)
        or (high[0] > 1 - margin and left + region.side < width)
        or (high[1] > 1 - margin and top + region.side < height)
    )


def _to_face(points: npt.NDArray[np.float64], score: float, region: Region) -> FaceBox:
    cosine, sine = math.cos(region.angle_rad), math.sin(region.angle_rad)
    turn = np.array([[cosine, sine], [-sine, cosine]]) * region.side
    keypoints = (points[2:] - 0.5) @ turn + np.array(region.centre) - 0.5
    # The box stays upright in the picture: same middle, same size, whatever the region's turn.
    middle = (points[:2].mean(axis=0) - 0.5) @ turn + np.array(region.centre) - 0.5
    half = (points[1] - points[0]) / 2 * region.side
    (left, top), (right, bottom) = middle - half, middle + half
    return FaceBox(
        bbox_xyxy=(float(left), float(top), float(right), float(bottom)),
        score=score,
        keypoints=tuple((float(x), float(y)) for x, y in keypoints),
    )


def _join_tiles(faces: Sequence[FaceBox]) -> list[FaceBox]:
    kept: list[FaceBox] = []
    for face in sorted(faces, key=lambda face: -face.score):
        box = np.array(face.bbox_xyxy).reshape(2, 2)
        others = np.array([other.bbox_xyxy for other in kept]).reshape(-1, 2, 2)
        shared, area, areas = _overlap(box, others)
        smaller = np.minimum(area, areas)
        if not np.any(shared > _SAME_FACE_COVER * smaller) and not np.any(
            intersection_over_union(box, others) > _MERGE_IOU
        ):
            kept.append(face)
    return kept


def _overlap(
    box: npt.NDArray[Any], others: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], float, npt.NDArray[np.float64]]:
    low = np.maximum(box[0], others[:, 0])
    high = np.minimum(box[1], others[:, 1])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=1)
    area = float(np.prod(np.clip(box[1] - box[0], 0.0, None)))
    areas = np.prod(np.clip(others[:, 1] - others[:, 0], 0.0, None), axis=1)
    return shared, area, areas
