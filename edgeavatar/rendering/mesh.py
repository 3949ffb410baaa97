"""The mesh that carries a warp: the face's triangles and rings of skin, hair and neck around it.

The rings let a displacement fade to zero away from the face, so that the picture needs no seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

FACE_OVAL = (
    10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377,
    400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297, 338,
)  # fmt: skip
"""Border of the canonical mesh, counter-clockwise as seen in the picture, from the forehead."""

MOUTH = (
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191,
)  # fmt: skip
"""Inner rim of the lips."""
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
"""Rims of the lids of both eyes."""
RIM_REACH = 0.6

RING_SCALES = (1.07, 1.15, 1.25, 1.38, 1.55, 1.8, 2.15, 2.6)
"""Radii of the rings about the centre of the oval, in radii of the oval."""
MOUTH_REACH = 1.5
"""Ring radius at which the jaw's movement has died away: skin of the throat stretches so far."""
HEAD_RIGID = 1.5
"""Ring radius up to which hair and ears follow the head."""
HEAD_REACH = 2.6
"""Ring radius at which a head's movement has died away."""


@dataclass(frozen=True, slots=True)
class WarpMesh:
    """Triangles over landmarks and rings."""

    triangles: npt.NDArray[np.int32]
    """``(m, 3)``; vertices 0 to 477 are landmarks, then the rings from the inside out."""
    reach: FloatArray
    """``(m,)`` float32, see :func:`~edgeavatar.kernels.warp.rasterise_field`."""
    at_lips: npt.NDArray[np.bool_]
    """``(m,)``: those that reach beyond themselves into the opening of the lips."""
    strips: int
    """How many of the first lie around the face."""

    @staticmethod
    def build(face_triangles: npt.NDArray[np.int32]) -> WarpMesh:
        """Append the rings' triangles to those of the face.

        Parameters
        ----------
        face_triangles
            ``(898, 3)`` int32, canonical face mesh.
        """
        count = len(FACE_OVAL)
        loops = [np.array(FACE_OVAL, np.int32)]
        for k in range(len(RING_SCALES)):
            loops.append(np.arange(478 + k * count, 478 + (k + 1) * count, dtype=np.int32))
        strips = []
        for inner, outer in pairwise(loops):
            a, b = inner, np.roll(inner, -1)
            c, d = outer, np.roll(outer, -1)
            strips += [np.stack([a, b, c], 1), np.stack([b, d, c], 1)]
        # What is drawn later wins. The rings come first: where a strip folds under the moving chin,
        # the face's own triangles are right. Then what lies between lips or lids, which may be
        # squeezed to nothing; then the skin at their rims, reaching half a step beyond itself so
        # that no sliver of what it covers is left; last all skin, exactly.
        opening = _inside(face_triangles, MOUTH) | _inside(face_triangles, EYES[0])
        opening |= _inside(face_triangles, EYES[1])
        skin = face_triangles[~opening]
        rims = skin[np.isin(skin, [*MOUTH, *EYES[0], *EYES[1]]).any(1)]
        parts = [*strips[::-1], face_triangles[opening], rims, skin]
        triangles = np.concatenate(parts).astype(np.int32)
        reach = np.zeros(len(triangles), np.float32)
        reach[-len(skin) - len(rims) : -len(skin)] = RIM_REACH
        at_lips = (reach > 0) & np.isin(triangles, MOUTH).any(1)
        return WarpMesh(triangles, reach, at_lips, sum(map(len, strips)))

    def back_to_front(self, sources: FloatArray, targets: FloatArray) -> npt.NDArray[np.intp]:
        """Give the order in which to draw the triangles, ``(m,)``: what faces away comes first.

        On the far side of a turned head the mesh goes on behind the cheek. What is hidden there
        moves in its own way, and background would come through where it is drawn over the cheek.

        Parameters
        ----------
        sources, targets
            ``(766, 2)`` px.
        """
        drawn = self.triangles[self.strips :]
        own, made = (doubled_areas(points[drawn]) for points in (sources, targets))
        seen = np.sign(np.median(own))
        away = (own * seen <= 0) | (made * seen <= 0)
        rank = np.concatenate([np.ones(self.strips, np.int8), np.where(away, 0, 2)])
        return np.argsort(rank, kind="stable")

    def reach_of_lips(self, steps: float) -> FloatArray:
        """Give :attr:`reach` with at least so many steps at the lips."""
        return np.where(self.at_lips, np.maximum(self.reach, np.float32(steps)), self.reach)


def doubled_areas(corners: FloatArray) -> FloatArray:
    """Give twice the signed areas of ``(t, 3, 2)`` triangles; the sign tells which way they run."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    return np.asarray(
        (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]),
        np.float32,
    )


def _inside(triangles: npt.NDArray[np.int32], rim: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Tell which triangles have all their corners on a rim."""
    return np.asarray(np.isin(triangles, rim).all(1))


def ring_points(landmarks: FloatArray) -> FloatArray:
    """Positions of the rings' vertices around a face.

    Parameters
    ----------
    landmarks
        ``(478, 3)`` float32 pixels.

    Returns
    -------
    FloatArray
        ``(8 * 36, 3)`` float32 pixels; depth is that of the oval (the side of the head).
    """
    oval = landmarks[list(FACE_OVAL)]
    centre = oval.mean(0)
    rings = [centre + (oval - centre) * np.array([k, k, 1.0], np.float32) for k in RING_SCALES]
    return np.concatenate(rings).astype(np.float32)


def warp_points(landmarks: FloatArray) -> FloatArray:
    """Give the vertices that a warp moves: landmarks, then rings.

    Parameters
    ----------
    landmarks
        ``(478, 3)`` float32 pixels.

    Returns
    -------
    FloatArray
        ``(766, 2)`` float32 pixels.
    """
    return np.concatenate([landmarks[:, :2], ring_points(landmarks)[:, :2]])


def fade(reach: float, rigid: float = 1.0) -> FloatArray:
    """Share of the oval's displacement at each ring, ``(8,)``: 1 at ``rigid``, 0 at ``reach``."""
    t = np.clip((np.array(RING_SCALES) - rigid) / (reach - rigid), 0.0, 1.0)
    return np.asarray(1.0 - t * t * (3.0 - 2.0 * t), np.float32)
