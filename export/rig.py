"""The ICT-FaceKit head: reading it, posing it, and drawing it plainly.

ICT-FaceKit light, MIT licence, © 2020 USC Institute for Creative Technologies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.kernels.raster import NOTHING, full_spans, rasterise

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SKIN = "M_Face"
_HIDDEN = ("M_EyeBlend", "M_EyeLashes", "M_EyeOcclusion", "M_LacrimalFluid")
"""Sheets over the eyes that are meant to be transparent."""
_COLOURS_BGR = {
    "M_BackHead": (90, 110, 150),
    "M_Face": (130, 160, 205),
    "M_GumsTongue": (90, 80, 160),
    "M_IrisLeft": (40, 60, 80),
    "M_IrisRight": (40, 60, 80),
    "M_ScleraLeft": (225, 230, 235),
    "M_ScleraRight": (225, 230, 235),
    "M_Teeth": (210, 225, 230),
}
_BACKGROUND_BGR = (110, 105, 100)
_LIGHT = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])


@dataclass(frozen=True, slots=True)
class Rig:
    """A morphable head in centimetres, x to its left, y up, z forward."""

    neutral: Floats
    """``(n, 3)``."""
    triangles: npt.NDArray[np.int32]
    """``(m, 3)``, drawable ones, counter-clockwise from outside."""
    colours: Floats
    """``(m, 3)`` BGR of each triangle."""
    skin: npt.NDArray[np.int64]
    """Vertices of the skin of face and throat."""
    expressions: dict[str, Floats]
    """``(n, 3)`` displacement at full weight, by ARKit name (``mouthSmileLeft``)."""
    identities: Floats
    """``(100, n, 3)`` displacement per standard deviation."""

    def posed(self, weights: Mapping[str, float], identity: Floats | None = None) -> Floats:
        """Vertices under expression weights and, if given, the first identity coefficients."""
        vertices = self.neutral.copy()
        for name, weight in weights.items():
            vertices += weight * self.expressions[name]
        if identity is not None:
            vertices += np.tensordot(identity, self.identities[: len(identity)], 1)
        return vertices


def read_rig(path: Path) -> Rig:
    """Read ``ict_facekit.npz``."""
    with np.load(path, allow_pickle=False) as data:
        materials = [str(name) for name in data["material_names"]]
        drawn = ~np.isin(data["material_of_quad"], [materials.index(name) for name in _HIDDEN])
        quads = data["quads"][drawn]
        of_quad = data["material_of_quad"][drawn]
        neutral = data["neutral"].astype(np.float64)
        expressions = {
            _arkit_name(str(name)): delta.astype(np.float64)
            for name, delta in zip(data["expression_names"], data["expression_deltas"], strict=True)
        }
        identities = data["identity_deltas"].astype(np.float64)
    skin = np.unique(quads[of_quad == materials.index(SKIN)])
    colours = np.array([_COLOURS_BGR.get(name, (128, 128, 128)) for name in materials], float)
    return Rig(
        neutral=neutral,
        triangles=np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32),
        colours=np.tile(colours[of_quad], (2, 1)),
        # The back of the head and the chest carry no landmark.
        skin=skin[(neutral[skin, 2] > -2.0) & (neutral[skin, 1] > -14.0)],
        expressions=expressions,
        identities=identities,
    )


def _arkit_name(name: str) -> str:
    """``mouthSmile_L`` as ARKit spells it; left is the person's own in both."""
    for short, long in (("_L", "Left"), ("_R", "Right")):
        if name.endswith(short):
            return name.removesuffix(short) + long
    return name


def project(vertices: Floats, size: int, scale_px: float, yaw_rad: float = 0.0) -> Floats:
    """Project onto a square picture, ``(n, 3)``: pixels and depth, less is nearer."""
    turn = np.array(
        [
            [math.cos(yaw_rad), 0.0, math.sin(yaw_rad)],
            [0.0, 1.0, 0.0],
            [-math.sin(yaw_rad), 0.0, math.cos(yaw_rad)],
        ]
    )
    turned = vertices @ turn.T * scale_px
    return np.stack([size / 2 + turned[:, 0], size / 2 - turned[:, 1], -turned[:, 2]], axis=1)


def draw(
    rig: Rig, vertices: Floats, size: int, scale_px: float, yaw_rad: float = 0.0
) -> npt.NDArray[np.uint8]:
    """Draw the head under one distant light, ``(size, size, 3)`` BGR."""
    on_screen = project(vertices, size, scale_px, yaw_rad)
    visible = rasterise(on_screen.astype(np.float32), rig.triangles, full_spans(size, size), size)
    normals = _vertex_normals(vertices, rig.triangles)[rig.triangles].mean(1)
    cosine, sine = math.cos(yaw_rad), math.sin(yaw_rad)
    turned = normals @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    shade = 0.45 + 0.6 * np.clip(turned @ _LIGHT, 0.0, 1.0)
    palette = np.concatenate([rig.colours * shade[:, None], [_BACKGROUND_BGR]])
    picked = palette[np.where(visible == NOTHING, len(palette) - 1, visible)]
    return np.clip(picked.mean(axis=1) + 0.5, 0, 255).astype(np.uint8)


def _vertex_normals(vertices: Floats, triangles: npt.NDArray[np.int32]) -> Floats:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, triangles[:, k], faces)
    return np.asarray(normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9))
