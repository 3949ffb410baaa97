"""Teeth, gums, tongue and the lining of the mouth, as triangle meshes in face-local space.

Everything is generated from tables of dental anatomy; no scan and no third-party mesh is involved.
Units are centimetres of the MediaPipe canonical face (:class:`~edgeavatar.types.HeadPose`): x to
the picture's right, y up, z towards the viewer.

Sources of the numbers
----------------------
- Crown sizes: S. J. Nelson, *Wheeler's Dental Anatomy, Physiology and Occlusion*, table 1-1.
- Inclination and angulation of crowns: L. F. Andrews, "The six keys to normal occlusion",
  American Journal of Orthodontics 62(3), 1972.
- Arch widths: S. E. Bishara et al., "Arch width changes from 6 weeks to 45 years of age", American
  Journal of Orthodontics and Dentofacial Orthopedics 111(4), 1997. Arch form: an even polynomial
  of the fourth degree through those widths and the arch depths of the same age.
- Jaw: the turn of the lower teeth of the ICT-FaceKit rig at ``jawOpen`` 1 (25.3° about a hinge
  9.1 cm from the lower incisors, residual 0.02 cm; Bonwill's triangle of 4 inches has that height
  as 8.8 cm). The face basis that moves the lips comes from the same rig, so teeth and lip go down
  together: 3.4 cm.
- Where teeth lie behind the lips: measured on the Face Research Lab London Set (102 people,
  neutral and smiling) with the 478-point face model: the resting lip line lies at y = -4.11
  ± 0.20 cm (n = 102), the upper incisal edge 0.31 ± 0.19 cm below it (n = 37 smiles that show the
  edge), the contact of central and lateral incisor 0.89 cm from the middle (n = 46).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.kernels.cavity import grid_normals

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from edgeavatar.types import FloatArray

Colour = tuple[float, float, float]

# ------------------------------------------------------------------------------------- parameters

JAW_HINGE_YZ = (-1.45, -3.7)
"""Axis about which the jaw turns, in the sagittal plane, cm."""

JAW_OPEN_DEG = 25.3
"""Turn of the jaw at ``jaw_open`` 1, degrees."""

JAW_FORWARD_CM = 0.9
"""Path of the jaw at ``jaw_forward`` 1, cm."""

REST_LIP_Y = -4.11
"""Height of the resting lip line, cm (mean of 102 people)."""

REST_MOUTH_WIDTH = 5.19
"""Distance of the mouth's corners at rest, cm (mean of 102 people, standard deviation 0.30)."""

_INCISAL_Z = 5.25
"""Front of the upper incisal edges, cm: behind the inner rim of the upper lip at 5.45."""

_OCCLUSAL_SLOPE = 0.09
"""Rise of the occlusal plane towards the back: 5°, as in the rig."""


@dataclass(frozen=True, slots=True)
class CrownSize:
    """One row of Wheeler's table 1-1, millimetres."""

    height: float
    """Length of the crown from the cervical line to the edge or cusp."""
    width: float
    """Mesiodistal diameter."""
    cervical_width: float
    """Mesiodistal diameter at the cervix."""
    depth: float
    """Labio- or buccolingual diameter."""
    cervical_depth: float
    """Labio- or buccolingual diameter at the cervix."""


UPPER_CROWNS = (
    CrownSize(10.5, 8.5, 7.0, 7.0, 6.0),
    CrownSize(9.0, 6.5, 5.0, 6.0, 5.0),
    CrownSize(10.0, 7.5, 5.5, 8.0, 7.0),
    CrownSize(8.5, 7.0, 5.0, 9.0, 8.0),
    CrownSize(8.5, 7.0, 5.0, 9.0, 8.0),
    CrownSize(7.5, 10.0, 8.0, 11.0, 10.0),
)
"""Central incisor to first molar of the upper jaw."""

LOWER_CROWNS = (
    CrownSize(9.0, 5.0, 3.5, 6.0, 5.3),
    CrownSize(9.5, 5.5, 4.0, 6.5, 5.8),
    CrownSize(11.0, 7.0, 5.5, 7.5, 7.0),
    CrownSize(8.5, 7.0, 5.0, 7.5, 6.5),
    CrownSize(8.0, 7.0, 5.0, 8.0, 7.0),
    CrownSize(7.5, 11.0, 9.0, 10.5, 9.0),
)
"""Central incisor to first molar of the lower jaw."""


@dataclass(frozen=True, slots=True)
class MouthAnatomy:
    """What differs from person to person. Colours are linear light, see :mod:`.interior`."""

    arch_scale: float = 1.09
    """Size of teeth and arches; 1 is the tables' size. The default puts the contact of central and
    lateral incisor where the London smiles show it (0.89 cm)."""
    rest_lip_y: float = REST_LIP_Y
    """Height of the closed lips, cm of face-local space."""
    upper_tooth_offset: float = 0.31
    """How far the upper incisal edge lies below :attr:`rest_lip_y`, cm."""
    overbite: float = 0.12
    """How far the upper incisors overlap the lower ones at ``jaw_open`` 0, cm; less than the 0.2
    to 0.3 of clenched teeth, as the jaw hangs a little when the lips rest."""
    overjet: float = 0.28
    """How far the upper incisors stand before the lower ones, cm."""
    lip_z: float = 5.45
    """Depth coordinate of the inner rim of the upper lip in the middle, cm."""
    irregularity: float = 1.0
    """Scale of the small turns, shifts and shades that set teeth apart; 0 is a denture."""
    tooth_bgr: Colour = (0.72, 0.79, 0.80)
    """Colour of a fully lit front tooth."""
    gum_bgr: Colour = (0.19, 0.17, 0.40)
    tongue_bgr: Colour = (0.235, 0.22, 0.56)
    lining_bgr: Colour = (0.105, 0.085, 0.24)

    @property
    def upper_edge_y(self) -> float:
        """Height of the upper incisal edge, cm."""
        return self.rest_lip_y - self.upper_tooth_offset


def fit_anatomy(
    rest_lip_y: float, mouth_width: float, base: MouthAnatomy | None = None
) -> MouthAnatomy:
    """Anatomy for a person whose lips were measured at rest.

    Over 37 smiles the incisal edge follows the resting lip line one to one (slope 1.06,
    correlation 0.70), so it is moved with it. Arches vary far less than mouths do, so their size
    follows the mouth's width with the power 0.3.

    Parameters
    ----------
    rest_lip_y
        Height of the closed lip line, cm of face-local space.
    mouth_width
        Distance of the mouth's corners at rest, cm.
    base
        Where all other values come from; the defaults if None.

    Raises
    ------
    ValueError
        If a value is not finite or the width is not positive.
    """
    if not (math.isfinite(rest_lip_y) and math.isfinite(mouth_width) and mouth_width > 0):
        raise ValueError(
            f"expected finite lip height and positive mouth width in cm, found {rest_lip_y} and"
            f" {mouth_width}"
        )
    base = MouthAnatomy() if base is None else base
    shift = min(max(rest_lip_y - REST_LIP_Y, -0.6), 0.6)
    size = min(max(mouth_width / REST_MOUTH_WIDTH, 0.7), 1.4) ** 0.3
    return replace(base, rest_lip_y=REST_LIP_Y + shift, arch_scale=base.arch_scale * size)


def jaw_transform(jaw_open: float, jaw_forward: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Rigid motion of the lower jaw: ``moved = rotation @ point + shift``.

    Parameters
    ----------
    jaw_open
        Weight of ``jawOpen``: 0 closed, 1 wide open.
    jaw_forward
        Weight of ``jawForward``.

    Returns
    -------
    rotation : ndarray
        ``(3, 3)`` float32.
    shift : ndarray
        ``(3,)`` float32, cm.
    """
    angle = math.radians(JAW_OPEN_DEG * jaw_open)
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], dtype=np.float32)
    hinge = np.array([0.0, *JAW_HINGE_YZ], dtype=np.float32)
    slide = np.array([0.0, 0.0, JAW_FORWARD_CM * jaw_forward], dtype=np.float32)
    return rotation, (hinge - rotation @ hinge + slide).astype(np.float32)


# ------------------------------------------------------------------------------------------ meshes


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles with what a shader needs to know at their corners."""

    vertices: FloatArray
    """``(n, 3)`` float32, cm."""
    normals: FloatArray
    """``(n, 3)`` float32, unit length, outwards."""
    albedo: FloatArray
    """``(n, 3)`` float32 BGR in linear light, with creases already darkened."""
    gloss: FloatArray
    """``(n,)`` float32: strength of the wet highlight."""
    triangles: npt.NDArray[np.int32]
    """``(m, 3)`` int32, counter-clockwise seen from outside."""


def join_meshes(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several, in their order."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.albedo for mesh in meshes]),
        np.concatenate([mesh.gloss for mesh in meshes]),
        np.concatenate(
            [mesh.triangles + start for mesh, start in zip(meshes, starts[:-1], strict=True)]
        ).astype(np.int32),
    )


def smooth_normals(vertices: FloatArray, triangles: npt.NDArray[np.int32]) -> FloatArray:
    """Mean of the adjoining faces' normals, weighted by their area; ``(n, 3)`` float32."""
    corners = vertices[triangles].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, triangles[:, corner], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals: FloatArray = (total / np.maximum(length, 1e-12)).astype(np.float32)
    return normals


def _grid_triangles(
    rows: int, columns: int, *, closed: bool = False, flip: bool = False
) -> npt.NDArray[np.int32]:
    """Triangles of a grid whose vertices are stored row by row."""
    row, column = np.mgrid[0 : rows - 1, 0 : columns if closed else columns - 1]
    after = (column + 1) % columns
    a, b = row * columns + column, row * columns + after
    c, d = a + columns, b + columns
    faces = np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    )
    if flip:
        faces = faces[:, ::-1]
    return np.ascontiguousarray(faces, dtype=np.int32)


def _smoothstep(low: float, high: float, x: FloatArray) -> FloatArray:
    t = np.clip((x - low) / (high - low), 0, 1)
    step: FloatArray = t * t * (3 - 2 * t)
    return step


# ------------------------------------------------------------------------------------------- teeth


@dataclass(frozen=True, slots=True)
class _ToothForm:
    """Shape of one kind of crown beyond its size. Lengths in mm, angles in degrees."""

    inclination: float
    """Andrews: positive leans the edge towards the lip."""
    angulation: float
    """Andrews: positive leans the edge towards the middle."""
    mesial_contact: float
    """Height of the widest point, 0 cervix to 1 edge."""
    distal_contact: float
    mesial_corner: float
    """How far the edge recedes at the corner."""
    distal_corner: float
    cusps: int
    """0 an edge, 1 a cusp, 2 two buccal cusps."""
    cusp_height: float
    """Height of cusps above the valleys."""
    rise: float
    """Edge or cusp above (+) the occlusal plane, away from the other jaw."""
    edge_depth: float
    """Thickness of the crown near its edge."""
    warmth: float
    """Shade: 0 as the central incisor, 1 as a canine, which is darker and more yellow."""


_UPPER_FORMS = (
    _ToothForm(7, 4, 0.86, 0.74, 0.35, 0.9, 0, 0, 0.0, 1.7, 0.0),
    _ToothForm(3, 7, 0.78, 0.66, 0.6, 1.2, 0, 0, 0.7, 1.5, 0.12),
    _ToothForm(-5, 8, 0.70, 0.58, 1.6, 2.2, 1, 0.9, 0.0, 2.0, 1.0),
    _ToothForm(-6, 2, 0.66, 0.62, 1.3, 1.3, 1, 0.9, 0.5, 5.0, 0.6),
    _ToothForm(-6, 2, 0.66, 0.62, 1.0, 1.0, 1, 0.7, 0.6, 5.4, 0.6),
    _ToothForm(-8, 4, 0.66, 0.62, 0.8, 0.8, 2, 0.6, 0.8, 7.0, 0.6),
)

_LOWER_FORMS = (
    _ToothForm(-1, 1, 0.86, 0.84, 0.2, 0.25, 0, 0, 0.0, 1.5, 0.15),
    _ToothForm(-1, 1, 0.84, 0.80, 0.25, 0.45, 0, 0, 0.1, 1.5, 0.2),
    _ToothForm(-8, 4, 0.76, 0.66, 1.2, 1.7, 1, 0.8, -0.2, 1.9, 0.8),
    _ToothForm(-14, 2, 0.68, 0.64, 1.2, 1.2, 1, 0.9, 0.2, 4.5, 0.6),
    _ToothForm(-18, 2, 0.68, 0.64, 1.0, 1.0, 1, 0.7, 0.5, 5.0, 0.6),
    _ToothForm(-24, 2, 0.68, 0.64, 0.7, 0.7, 2, 0.6, 0.8, 6.8, 0.6),
)

# Turn (degrees), shift outwards, shift down (mm) and shade (relative) of each tooth, right then
# left, so that no mouth looks like a keyboard. Drawn once by hand; within 1 SD of normal crowding.
_UPPER_QUIRKS = (
    ((1.5, 0.00, 0.00, 0.00), (-4.0, -0.25, -0.10, -0.02), (3.0, 0.10, 0.15, 0.00),
     (-2.0, 0.00, 0.00, -0.03), (1.0, 0.00, 0.10, -0.02), (0.0, 0.00, 0.00, -0.04)),
    ((-2.0, 0.08, 0.08, 0.01), (5.0, -0.10, 0.12, -0.03), (-3.0, 0.15, -0.10, -0.02),
     (2.0, -0.05, 0.05, -0.01), (-1.0, 0.00, 0.00, -0.03), (0.0, 0.00, 0.00, -0.04)),
)  # fmt: skip
_LOWER_QUIRKS = (
    ((4.0, 0.20, 0.15, 0.00), (-7.0, -0.25, -0.10, -0.03), (4.0, 0.15, 0.00, 0.00),
     (0.0, 0.00, 0.10, -0.02), (2.0, 0.00, 0.00, -0.02), (0.0, 0.00, 0.00, -0.04)),
    ((-6.0, -0.15, -0.12, -0.02), (5.0, 0.20, 0.20, 0.00), (-3.0, 0.00, 0.10, -0.02),
     (1.0, 0.00, 0.00, -0.01), (0.0, 0.00, 0.00, -0.03), (0.0, 0.00, 0.00, -0.04)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tooth:
    """A crown in its place."""

    name: str
    """``upper`` or ``lower``, side as seen in the picture, number from the middle: ``upper-r1``."""
    size: CrownSize
    """After :attr:`MouthAnatomy.arch_scale`; still millimetres."""
    centre: tuple[float, float, float]
    """Middle of its edge or buccal cusp, cm, jaw closed."""
    mesh: Mesh


@dataclass(frozen=True, slots=True)
class _Arch:
    """An even polynomial ``depth = a x² + b x⁴`` (cm) with its length from the middle."""

    a: float
    b: float
    x: FloatArray
    length: FloatArray

    def at(self, length: float) -> tuple[float, float, float]:
        """X, depth and slope angle (radians) at an arc length from the middle, x ≥ 0."""
        x = float(np.interp(length, self.length, self.x))
        depth = self.a * x * x + self.b * x**4
        return x, depth, math.atan(2 * self.a * x + 4 * self.b * x**3)


def _arch_through(half_canine: float, canine_depth: float, half_molar: float, molar_depth: float,
                  scale: float) -> _Arch:  # fmt: skip
    """Arch through canine and molar (tables' cm), then scaled."""
    matrix = np.array(
        [[half_canine**2, half_canine**4], [half_molar**2, half_molar**4]], dtype=np.float64
    )
    a, b = np.linalg.solve(matrix, np.array([canine_depth, molar_depth]))
    x = np.linspace(0, 3.2, 641)
    steps = np.hypot(np.diff(x), np.diff(a * x**2 + b * x**4))
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return _Arch(
        float(a) / scale,
        float(b) / scale**3,
        (x * scale).astype(np.float32),
        (length * scale).astype(np.float32),
    )


def _upper_arch(scale: float) -> _Arch:
    # Cusp tips of the canines 3.4 cm apart, buccal cusps of the first molars 5.1 cm.
    return _arch_through(1.70, 0.80, 2.55, 2.95, scale)


def _lower_arch(scale: float) -> _Arch:
    return _arch_through(1.30, 0.55, 2.30, 2.70, scale)


# Heights of a crown's rows of vertices: dense where the edge is rounded.
_ROWS_FINE = np.array([0, 0.13, 0.28, 0.45, 0.62, 0.77, 0.88, 0.955, 1.0])
_ROWS_COARSE = np.array([0, 0.25, 0.5, 0.72, 0.88, 0.965, 1.0])


def _loop_angles(labial: int, lingual: int) -> FloatArray:
    """Angles around a crown from its mesial side over the labial face; more of them in front."""
    front = np.linspace(math.pi, 0, labial)
    back = np.linspace(0, -math.pi, lingual + 2)[1:-1]
    angles: FloatArray = np.concatenate([front, back])
    return angles


def _crown(size: CrownSize, form: _ToothForm, *, fine: bool) -> tuple[FloatArray, FloatArray,
                                                                    FloatArray, int, int]:  # fmt: skip
    """Crown in its own frame, mm: x distal, y towards the root from the edge, z labial.

    Returns the vertices ``(rows, columns, 3)``, the height of each (0 cervix, 1 edge), its place
    across (-1 mesial to 1 distal), and the counts of rows and columns.
    """
    heights = _ROWS_FINE if fine else _ROWS_COARSE
    angles = _loop_angles(11 if fine else 7, 3)
    v, angle = np.meshgrid(heights, angles, indexing="ij")

    def half_width(contact: float) -> FloatArray:
        low, high = size.cervical_width / 2, size.width / 2
        rise = np.sin(np.clip(v / contact, 0, 1) * math.pi / 2)
        beyond = np.clip((v - contact) / (1 - contact), 0, 1)
        width: FloatArray = low + (high - low) * rise - 0.05 * size.width * beyond**2
        return width

    cos, sin = np.cos(angle), np.sin(angle)
    across = np.sign(cos) * np.abs(cos) ** 0.74
    x = across * np.where(across < 0, half_width(form.mesial_contact),
                          half_width(form.distal_contact))  # fmt: skip

    # The labial face bulges; the tongue's side thins towards the edge, which is rounded off.
    face = 0.45 - 1.9 * (v - 0.36) ** 2 * (1.0 if form.cusps else 0.8)
    cervical, edge = size.cervical_depth * 0.86, form.edge_depth
    thin = edge + (cervical - edge) * (1 - v) ** (1.25 if not form.cusps else 0.9)
    rounding = np.sqrt(1 - (np.clip(v - 0.86, 0, 1) / 0.14) ** 2)
    thickness = thin * rounding
    middle = face - thin / 2
    # A convex face: flat enough in the middle to be a tooth, round enough at the sides to shade.
    z = middle + thickness / 2 * np.sign(sin) * np.abs(sin) ** 0.80

    corner = np.where(across < 0, form.mesial_corner, form.distal_corner)
    if form.cusps == 0:
        edge_line = corner * np.abs(across) ** 5 + 0.06 * np.cos(across * 9.4)
    elif form.cusps == 1:
        edge_line = corner * np.abs(across) ** 1.6 + form.cusp_height * 0.25 * np.abs(across) ** 6
    else:
        valley = np.cos(across * math.pi / 2) ** 2 * np.cos(across * math.pi) ** 2
        edge_line = form.cusp_height * valley + corner * np.abs(across) ** 3
    cervix = size.height - (1.6 if form.cusps < 2 else 0.8) * np.abs(across) ** 2
    y = edge_line + (1 - v) * (cervix - edge_line)
    return np.stack([x, y, z], axis=-1), v, across, len(heights), len(angles)


def _tooth_albedo(
    v: FloatArray, across: FloatArray, z: FloatArray, form: _ToothForm, shade: float, base: Colour
) -> FloatArray:
    """Colour over a crown: warmer at the neck, dimmer at the edge, dark where teeth meet."""
    colour = np.ones((*v.shape, 3)) * np.array(base)
    neck = 1 - _smoothstep(0.0, 0.45, v)
    colour *= 1 - neck[..., None] * np.array([0.26, 0.18, 0.08])
    edge = _smoothstep(0.62, 0.97, v) * (1.0 if form.cusps == 0 else 0.5)
    colour *= 1 - edge[..., None] * np.array([0.13, 0.12, 0.03])
    colour *= 1 - form.warmth * np.array([0.17, 0.10, 0.06])
    colour *= 1 + shade
    # Faint lobes of the labial face.
    colour *= (1 + 0.03 * np.cos(across * 7.5) * _smoothstep(0.1, 0.6, v))[..., None]
    # Neighbours shade each other: the deeper on the flank, the darker.
    flank = _smoothstep(0.62, 1.0, np.abs(across)) * (0.35 + 0.65 * _smoothstep(0.6, -1.6, z))
    colour *= 1 - flank[..., None] * np.array([0.46, 0.44, 0.30])
    gum = 1 - _smoothstep(0.0, 0.16, v)
    colour *= 1 - gum[..., None] * np.array([0.30, 0.30, 0.16])
    return colour.astype(np.float32)


def _place_tooth(
    name: str,
    size: CrownSize,
    form: _ToothForm,
    quirk: tuple[float, float, float, float],
    position: tuple[float, float, float],
    slope: float,
    side: int,
    *,
    upper: bool,
    tooth_bgr: Colour,
    fine: bool,
) -> Tooth:
    """Build a crown and put it at its place on the arch (x ≥ 0 side, mirrored for the other)."""
    points, v, across, rows, columns = _crown(size, form, fine=fine)
    turn_deg, outwards, sinking, shade = quirk
    albedo = _tooth_albedo(v, across, points[..., 2], form, shade, tooth_bgr)
    x, y, z = (points[..., axis] / 10 for axis in range(3))

    # Lean about the edge, which stays on the arch; tip about the middle, where neighbours touch.
    lean = math.radians(form.inclination)
    y, z = y * math.cos(lean) + z * math.sin(lean), z * math.cos(lean) - y * math.sin(lean)
    tip, middle = math.radians(form.angulation), size.height / 20
    # Wear keeps the edge itself nearly level, hence only a part of the tip in y.
    x, y = x * math.cos(tip) + (y - middle) * math.sin(tip), y - 0.35 * x * math.sin(tip)

    turn = slope + math.radians(turn_deg)
    z = z + outwards / 10
    along, out = x * math.cos(turn) + z * math.sin(turn), z * math.cos(turn) - x * math.sin(turn)
    up = 1.0 if upper else -1.0
    height = y + (form.rise - sinking) / 10
    vertices = np.stack(
        [side * (position[0] + along), position[1] + up * height, position[2] + out], axis=-1
    )
    vertices = vertices.reshape(-1, 3).astype(np.float32)
    triangles = _grid_triangles(rows, columns, closed=True, flip=side * up < 0)
    mesh = Mesh(
        vertices,
        smooth_normals(vertices, triangles),
        albedo.reshape(-1, 3),
        np.ones(len(vertices), dtype=np.float32),
        triangles,
    )
    edge = (side * position[0], position[1] + up * (form.rise - sinking) / 10, position[2])
    return Tooth(name, size, edge, mesh)


def build_teeth(anatomy: MouthAnatomy, *, upper: bool) -> tuple[Tooth, ...]:
    """Twelve teeth of one jaw in their places, jaw closed, from the middle outwards.

    Parameters
    ----------
    anatomy
        The person.
    upper
        Upper or lower jaw.
    """
    scale = anatomy.arch_scale
    crowns = UPPER_CROWNS if upper else LOWER_CROWNS
    forms = _UPPER_FORMS if upper else _LOWER_FORMS
    quirks = _UPPER_QUIRKS if upper else _LOWER_QUIRKS
    arch = _upper_arch(scale) if upper else _lower_arch(scale)
    edge_y = anatomy.upper_edge_y + (0.0 if upper else anatomy.overbite)
    front_z = _INCISAL_Z - (0.0 if upper else anatomy.overjet)
    teeth = []
    for side, prefix in ((-1, "l"), (1, "r")):
        reached = 0.0
        for number, (crown, form) in enumerate(zip(crowns, forms, strict=True)):
            size = CrownSize(
                crown.height * scale,
                crown.width * scale,
                crown.cervical_width * scale,
                crown.depth * scale,
                crown.cervical_depth * scale,
            )
            x, depth, slope = arch.at(reached + size.width / 20)
            reached += size.width / 10
            quirk = tuple(value * anatomy.irregularity for value in quirks[(side + 1) // 2][number])
            teeth.append(
                _place_tooth(
                    f"{'upper' if upper else 'lower'}-{prefix}{number + 1}",
                    size,
                    form,
                    (quirk[0], quirk[1], quirk[2], quirk[3]),
                    (x, edge_y + _OCCLUSAL_SLOPE * depth, front_z - depth),
                    slope,
                    side,
                    upper=upper,
                    tooth_bgr=anatomy.tooth_bgr,
                    fine=number < 3,
                )
            )
    return tuple(teeth)


# -------------------------------------------------------------------------------- gums and lining


def build_gum(anatomy: MouthAnatomy, *, upper: bool) -> Mesh:
    """Gum of one jaw: scalloped along the necks of the teeth, with papillae between them.

    A ridge along the arch: up the lip's side to the margin, over the roots, down the tongue's side.
    """
    scale = anatomy.arch_scale
    crowns = UPPER_CROWNS if upper else LOWER_CROWNS
    forms = _UPPER_FORMS if upper else _LOWER_FORMS
    arch = _upper_arch(scale) if upper else _lower_arch(scale)
    edge_y = anatomy.upper_edge_y + (0.0 if upper else anatomy.overbite)
    front_z = _INCISAL_Z - (0.0 if upper else anatomy.overjet)
    up = 1.0 if upper else -1.0

    # One side from the middle outwards: arc length, and phase within a tooth (0 at a contact).
    lengths, phases, owners = [], [], []
    reached = 0.0
    for number, crown in enumerate(crowns):
        width = crown.width * scale / 10
        for step in range(6):
            lengths.append(reached + width * step / 6)
            phases.append(step / 6)
            owners.append(number)
        reached += width
    lengths.append(reached)
    phases.append(1.0)
    owners.append(len(crowns) - 1)

    rows = []
    for side in (-1, 1):
        order = range(len(lengths) - 1, 0, -1) if side < 0 else range(len(lengths))
        for i in order:
            x, depth, slope = arch.at(lengths[i])
            crown, form = crowns[owners[i]], forms[owners[i]]
            body = math.sin(math.pi * phases[i]) ** 0.7
            neck = (crown.height + form.rise) * scale / 10
            margin = neck * (0.46 + 0.49 * body)
            lean = math.tan(math.radians(form.inclination))
            out = -0.19 + 0.19 * body - margin * lean
            back = out - crown.cervical_depth * scale / 10 * (0.45 + 0.45 * body)
            profile = (
                (out + 0.10, neck + 1.15),
                (out + 0.16, neck + 0.65),
                (out + 0.13, neck + 0.25),
                (out + 0.06, margin + 0.09),
                (out - 0.02, margin),
                (back + 0.02, margin + 0.02),
                (back - 0.10, margin + 0.12),
                (back - 0.30, neck + 0.35),
                (back - 0.80, neck + 0.80),
            )
            base_y = edge_y + _OCCLUSAL_SLOPE * depth
            rows.append(
                [
                    (
                        side * (x + offset * math.sin(slope)),
                        base_y + up * height,
                        front_z - depth + offset * math.cos(slope),
                    )
                    for offset, height in profile
                ]
            )
    grid = np.array(rows, dtype=np.float32)
    columns = grid.shape[1]
    vertices = grid.reshape(-1, 3)
    triangles = _grid_triangles(len(rows), columns, flip=upper)
    # Thin gum near the margin is paler; the vestibule is redder and darker.
    shade = np.array([0.62, 0.85, 1.0, 1.06, 0.72, 0.6, 0.7, 0.62, 0.45], dtype=np.float32)
    albedo = np.tile(shade[None, :, None], (len(rows), 1, 1)) * np.array(anatomy.gum_bgr)
    return Mesh(
        vertices,
        smooth_normals(vertices, triangles),
        albedo.reshape(-1, 3).astype(np.float32),
        np.full(len(vertices), 0.6, dtype=np.float32),
        triangles,
    )


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
    triangles = _grid_triangles(len(stations), len(angles), closed=True, flip=True)
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


# ------------------------------------------------------------------------------------------ tongue

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
        self._edge_z = _INCISAL_Z - anatomy.overjet
        self._spline, self._slope = _spline_matrices(len(_TONGUE_REST), _TONGUE_ROWS)
        self._bend = (self._spline @ _TONGUE_BEND)[:, None] * self._scale
        # The cleft runs along the back of the tongue and fades towards tip and underside.
        self._cleft = 0.13 * np.minimum(self._bend, 0.55)
        across = np.linspace(-1, 1, _TONGUE_COLUMNS)
        # Even steps in angle keep the rounded sides smooth.
        self._sin = np.sin(across * math.pi / 2)
        self._drop = 1 - np.cos(across * math.pi / 2)
        self._groove = np.exp(-((self._sin / 0.22) ** 2))
        self.triangles = _grid_triangles(_TONGUE_ROWS, _TONGUE_COLUMNS, flip=False)
        along = np.linspace(0, 1, _TONGUE_ROWS)[:, None]
        flank = _smoothstep(0.55, 1.0, np.abs(self._sin))[None]
        shade = 1 - 0.8 * flank - 0.12 * self._groove
        # The upper side is paler and matt, the lower side red and smooth.
        under = _smoothstep(0.78, 0.9, along)
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
