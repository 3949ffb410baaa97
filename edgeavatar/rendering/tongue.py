"""The soft parts behind the teeth: the tongue, and the walls of the mouth.

Own shapes in the space and units of :mod:`edgeavatar.rendering.dentition`; sizes are chosen so that
they fit its arches.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.kernels.cavity import grid_normals
from edgeavatar.rendering.dentition import INCISAL_Z
from edgeavatar.rendering.shapes import Mesh, grid_triangles, ramp, smooth_normals

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.rendering.dentition import MouthAnatomy
    from edgeavatar.types import FloatArray


def build_lining(anatomy: MouthAnatomy) -> tuple[Mesh, FloatArray]:
    """Walls of the mouth, a bag open to the front: cheeks, palate, floor, throat.

    Returns
    -------
    mesh : Mesh
        Its triangles face inwards.
    jaw_weight : ndarray
        ``(n,)`` float32: how far each vertex goes with the jaw, 0 palate to 1 floor.
    """
    stations = np.array(
        [
            # z, half width, top above and bottom below the upper edge
            (5.3, 3.9, 2.4, 2.8),
            (3.6, 3.5, 2.2, 2.6),
            (2.2, 3.0, 2.0, 2.3),
            (0.8, 2.8, 1.8, 2.0),
            (-0.8, 2.3, 1.4, 1.8),
            (-2.4, 1.5, 0.8, 1.4),
            (-3.2, 0.6, 0.2, 0.9),
            (-3.4, 0.0, -0.3, 0.3),
        ]
    )
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    z, half_width, top, bottom = (stations[:, i, None] for i in range(4))
    cos, sin = np.cos(angles)[None], np.sin(angles)[None]
    middle, half = (top - bottom) / 2, (top + bottom) / 2
    x = half_width * np.sign(cos) * np.abs(cos) ** 0.8 * anatomy.arch_scale
    y = anatomy.upper_edge_y + middle + half * np.sign(sin) * np.abs(sin) ** 0.8
    vertices = np.stack([x, y, z + 0 * x - 0.16 * x**2], axis=-1).reshape(-1, 3).astype(np.float32)
    triangles = grid_triangles(len(stations), len(angles), closed=True, flip=True)
    albedo = np.tile(np.array(anatomy.lining_bgr, np.float32), (len(vertices), 1))
    jaw_weight = np.clip(0.5 - 0.9 * sin + 0 * x, 0, 1).reshape(-1).astype(np.float32)
    mesh = Mesh(
        vertices,
        smooth_normals(vertices, triangles),
        albedo,
        np.full(len(vertices), 0.25, dtype=np.float32),
        triangles,
    )
    return mesh, jaw_weight


# Middle line of the tongue from the root over its back to the tip and under it, relative to the
# lower incisal edge (cm: z, y, half width). Rest: the tip lies behind the lower incisors.
_TONGUE_REST = np.array(
    [
        (-6.9, -2.2, 1.50),
        (-6.3, -0.9, 1.80),
        (-5.3, -0.1, 2.00),
        (-4.1, 0.15, 2.00),
        (-2.9, 0.05, 1.85),
        (-1.9, -0.12, 1.55),
        (-1.15, -0.30, 1.20),
        (-0.72, -0.52, 0.80),
        (-0.70, -0.85, 0.70),
        (-1.10, -1.20, 0.80),
    ]
)
# Tip to the ridge behind the upper incisors (t, d, n, l); the front half rises and spreads.
_TONGUE_UP = np.array(
    [
        (0.0, 0.0, 0.0),
        (0.1, 0.1, 0.0),
        (0.2, 0.2, 0.0),
        (0.3, 0.30, 0.0),
        (0.35, 0.50, -0.10),
        (0.35, 0.80, -0.10),
        (0.38, 1.15, 0.00),
        (0.28, 1.32, -0.05),
        (-0.05, 1.05, 0.45),
        (-0.30, 0.55, 0.60),
    ]
)
# Tip between the teeth (th, about 0.4) and, with weight 1, over the lower lip.
_TONGUE_OUT = np.array(
    [
        (0.4, 0.0, 0.0),
        (0.6, 0.1, 0.0),
        (0.8, 0.2, 0.0),
        (0.9, 0.30, -0.05),
        (1.1, 0.5, -0.15),
        (1.4, 0.75, -0.20),
        (1.7, 0.95, 0.0),
        (1.9, 1.05, 0.25),
        (1.75, 1.05, 0.35),
        (1.5, 1.15, 0.25),
    ]
)
# Back of the tongue raised and forward as for i and e; lowered for open vowels by its negative.
_TONGUE_FRONT = np.array(
    [
        (0.2, 0.1, 0.0),
        (0.3, 0.2, 0.0),
        (0.4, 0.35, 0.0),
        (0.5, 0.55, 0.0),
        (0.5, 0.50, 0.0),
        (0.4, 0.35, 0.0),
        (0.2, 0.15, 0.0),
        (0.05, 0.05, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
    ]
)

# How far the sides bend down from the middle line, cm: the blade is thin, the body thick.
_TONGUE_BEND = np.array([0.8, 0.8, 0.85, 0.85, 0.75, 0.55, 0.35, 0.2, 0.15, 0.2])

_TONGUE_ROWS = 30
_TONGUE_COLUMNS = 17


def _spline_matrices(
    knots: int, rows: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Catmull-Rom weights and those of the slope, ``(rows, knots)``, uniform in the knots."""
    places, slopes = np.zeros((rows, knots)), np.zeros((rows, knots))
    for row, at in enumerate(np.linspace(0, knots - 1, rows)):
        i = min(int(at), knots - 2)
        t = at - i
        weights = (
            (-0.5 * t + t * t - 0.5 * t**3, -0.5 + 2 * t - 1.5 * t * t),
            (1 - 2.5 * t * t + 1.5 * t**3, -5 * t + 4.5 * t * t),
            (0.5 * t + 2 * t * t - 1.5 * t**3, 0.5 + 4 * t - 4.5 * t * t),
            (-0.5 * t * t + 0.5 * t**3, -t + 1.5 * t * t),
        )
        for k, (place, slope) in enumerate(weights):
            knot = min(max(i - 1 + k, 0), knots - 1)
            places[row, knot] += place
            slopes[row, knot] += slope
    return places, slopes


class Tongue:
    """A bent sheet over the middle line; goes with the jaw.

    Parameters
    ----------
    anatomy
        The person.
    """

    def __init__(self, anatomy: MouthAnatomy) -> None:
        self._scale = anatomy.arch_scale
        self._edge_y = anatomy.upper_edge_y + anatomy.overbite
        self._edge_z = INCISAL_Z - anatomy.overjet
        self._spline, self._slope = _spline_matrices(len(_TONGUE_REST), _TONGUE_ROWS)
        self._bend = (self._spline @ _TONGUE_BEND)[:, None] * self._scale
        # The cleft runs along the back of the tongue and fades towards tip and underside.
        self._cleft = 0.13 * np.minimum(self._bend, 0.55)
        across = np.linspace(-1, 1, _TONGUE_COLUMNS)
        # Even steps in angle keep the rounded sides smooth.
        self._sin = np.sin(across * math.pi / 2)
        self._drop = 1 - np.cos(across * math.pi / 2)
        self._groove = np.exp(-((self._sin / 0.22) ** 2))
        self.triangles = grid_triangles(_TONGUE_ROWS, _TONGUE_COLUMNS, flip=False)
        along = np.linspace(0, 1, _TONGUE_ROWS)[:, None]
        flank = ramp(0.55, 1.0, np.abs(self._sin))[None]
        shade = 1 - 0.8 * flank - 0.12 * self._groove
        # The upper side is paler and matt, the lower side red and smooth.
        under = ramp(0.78, 0.9, along)
        colour = np.array(anatomy.tongue_bgr) * shade[..., None] * np.ones_like(along)[..., None]
        colour = colour * (1 - under[..., None] * np.array([0.45, 0.5, 0.2]))
        # Papillae: a fine grain of height and colour, and a wet film that they break up.
        grain = np.random.default_rng(1993).random((_TONGUE_ROWS, _TONGUE_COLUMNS))
        self._bumps = 0.035 * (grain - 0.5)
        colour = colour * (0.9 + 0.2 * grain[..., None])
        self.albedo: FloatArray = colour.reshape(-1, 3).astype(np.float32)
        wet = (0.2 + 1.6 * grain**2).reshape(-1)
        self.gloss: FloatArray = wet.astype(np.float32)

    def shape(
        self, tongue_up: float = 0.0, tongue_out: float = 0.0, tongue_front: float = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        """Vertices and normals, jaw closed.

        Parameters
        ----------
        tongue_up
            0 rest to 1 tip at the ridge behind the upper incisors.
        tongue_out
            0 rest to 1 over the lower lip.
        tongue_front
            -1 low back vowel to 1 high front vowel.

        Returns
        -------
        vertices : ndarray
            ``(n, 3)`` float32, cm.
        normals : ndarray
            ``(n, 3)`` float32.
        """
        # It has to rise over the lower teeth before it can come out.
        over = tongue_out * (2 - tongue_out)
        knots = (
            _TONGUE_REST
            + tongue_up * _TONGUE_UP
            + np.array([tongue_out, over, tongue_out]) * _TONGUE_OUT
            + tongue_front * _TONGUE_FRONT
        )
        line = (self._spline @ knots) * self._scale
        z, y, half_width = line[:, 0], line[:, 1], line[:, 2]
        slope = self._slope @ knots[:, :2]
        dz, dy = slope[:, 0], slope[:, 1]
        length = np.maximum(np.hypot(dz, dy), 1e-6)
        # Inwards across the middle line, away from the side that is seen.
        inward_z, inward_y = dy / length, -dz / length
        sink = self._drop[None] * self._bend + self._groove[None] * self._cleft + self._bumps
        grid = np.empty((_TONGUE_ROWS, _TONGUE_COLUMNS, 3), dtype=np.float32)
        grid[..., 0] = half_width[:, None] * self._sin
        grid[..., 1] = (self._edge_y + y)[:, None] + inward_y[:, None] * sink
        grid[..., 2] = (self._edge_z + z)[:, None] + inward_z[:, None] * sink
        return grid.reshape(-1, 3), grid_normals(grid).reshape(-1, 3)
