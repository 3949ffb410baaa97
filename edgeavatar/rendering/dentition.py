"""Teeth and gums as triangle meshes in face-local space, and how the lower jaw moves.

Everything is generated from tables of dental anatomy; no scan and no third-party mesh is involved.
Units are centimetres of the MediaPipe canonical face (:class:`~edgeavatar.types.HeadPose`): x to
the picture's right, y up, z towards the viewer.

Sources of the numbers
----------------------
- Crown sizes: S. J. Nelson, *Wheeler's Dental Anatomy, Physiology and Occlusion*, table 1-1.
- Inclination and angulation of crowns: after L. F. Andrews, "The six keys to normal occlusion",
  American Journal of Orthodontics 62(3), 1972.
- Arch form: an even polynomial of the fourth degree through canine and first molar. The upper
  canines' cusps are 34 mm apart, near the adult mean (33.7 mm) of S. E. Bishara et al., "Arch width
  changes from 6 weeks to 45 years of age", American Journal of Orthodontics and Dentofacial
  Orthopedics 111(4), 1997; the other widths and depths are ordinary ones that let the teeth of the
  table stand side by side and the upper arch go around the lower one.
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

from edgeavatar.rendering.shapes import Mesh, grid_triangles, ramp, smooth_normals

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Floats = npt.NDArray[np.floating]

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

INCISAL_Z = 5.25
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
    cervical_depth: float
    """Labio- or buccolingual diameter at the cervix."""

    def scaled(self, scale: float) -> CrownSize:
        """All lengths times ``scale``."""
        return CrownSize(
            self.height * scale,
            self.width * scale,
            self.cervical_width * scale,
            self.cervical_depth * scale,
        )


UPPER_CROWNS = (
    CrownSize(10.5, 8.5, 7.0, 6.0),
    CrownSize(9.0, 6.5, 5.0, 5.0),
    CrownSize(10.0, 7.5, 5.5, 7.0),
    CrownSize(8.5, 7.0, 5.0, 8.0),
    CrownSize(8.5, 7.0, 5.0, 8.0),
    CrownSize(7.5, 10.0, 8.0, 10.0),
)
"""Central incisor to first molar of the upper jaw."""

LOWER_CROWNS = (
    CrownSize(9.0, 5.0, 3.5, 5.3),
    CrownSize(9.5, 5.5, 4.0, 5.8),
    CrownSize(11.0, 7.0, 5.5, 7.0),
    CrownSize(8.5, 7.0, 5.0, 6.5),
    CrownSize(8.0, 7.0, 5.0, 7.0),
    CrownSize(7.5, 11.0, 9.0, 9.0),
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
    mouth_width: float = REST_MOUTH_WIDTH
    """Distance of the mouth's corners at rest, cm; tells relaxed lips from smiling ones."""
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
    size = min(max(mouth_width / REST_MOUTH_WIDTH, 0.7), 1.4)
    return replace(
        base,
        arch_scale=base.arch_scale * size**0.3,
        rest_lip_y=REST_LIP_Y + shift,
        mouth_width=REST_MOUTH_WIDTH * size,
    )


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

# Turn (degrees), shift outwards, shift towards the other jaw (mm) and shade (relative) of each
# tooth, the picture's left side, then its right, so that no mouth looks like a keyboard.
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


_LOWER_BACK_SHADE = 0.6
"""Cheeks and tongue leave the lower back teeth in the dark; the light model knows lips only."""


@dataclass(frozen=True, slots=True)
class Tooth:
    """A crown in its place."""

    name: str
    """``upper`` or ``lower``, side as seen in the picture, number from the middle: ``upper-r1``."""
    size: CrownSize
    """After :attr:`MouthAnatomy.arch_scale`; still millimetres."""
    centre: FloatArray
    """``(3,)`` float32: middle of its edge or buccal cusp, cm, jaw closed."""
    mesh: Mesh


@dataclass(frozen=True, slots=True)
class _Arch:
    """An even polynomial ``depth = a x² + b x⁴`` (cm) with its length from the middle."""

    a: float
    b: float
    x: Floats
    length: Floats

    def at(self, length: float) -> tuple[float, float, float]:
        """X, depth and slope angle (radians) at an arc length from the middle, x ≥ 0."""
        x = float(np.interp(length, self.length, self.x))
        depth = self.a * x * x + self.b * x**4
        return x, depth, math.atan(2 * self.a * x + 4 * self.b * x**3)


def _arch_through(canine: tuple[float, float], molar: tuple[float, float]) -> _Arch:
    """Arch through the cusps of canine and first molar: half width and depth, cm."""
    (half_canine, canine_depth), (half_molar, molar_depth) = canine, molar
    matrix = np.array(
        [[half_canine**2, half_canine**4], [half_molar**2, half_molar**4]], dtype=np.float64
    )
    a, b = np.linalg.solve(matrix, np.array([canine_depth, molar_depth]))
    x: Floats = np.linspace(0, 3.2, 641)
    steps = np.hypot(np.diff(x), np.diff(a * x**2 + b * x**4))
    length = np.concatenate([[0.0], np.cumsum(steps)])
    return _Arch(float(a), float(b), x, length)


_UPPER_ARCH = _arch_through((1.70, 0.80), (2.55, 2.95))
_LOWER_ARCH = _arch_through((1.30, 0.55), (2.30, 2.70))


# Heights of a crown's rows of vertices: dense where the edge is rounded.
_ROWS_FINE = np.array([0, 0.13, 0.28, 0.45, 0.62, 0.77, 0.88, 0.955, 1.0])
_ROWS_COARSE = np.array([0, 0.25, 0.5, 0.72, 0.88, 0.965, 1.0])


def _loop_angles(labial: int, lingual: int) -> Floats:
    """Angles around a crown from its mesial side over the labial face; more of them in front."""
    front = np.linspace(math.pi, 0, labial)
    back = np.linspace(0, -math.pi, lingual + 2)[1:-1]
    return np.concatenate([front, back])


def _crown(
    size: CrownSize, form: _ToothForm, *, fine: bool
) -> tuple[Floats, Floats, Floats, int, int]:
    """Crown in its own frame, mm: x distal, y towards the root from the edge, z labial.

    Returns the vertices ``(rows, columns, 3)``, the height of each (0 cervix, 1 edge), its place
    across (-1 mesial to 1 distal), and the counts of rows and columns.
    """
    heights = _ROWS_FINE if fine else _ROWS_COARSE
    angles = _loop_angles(11 if fine else 7, 3)
    v, angle = np.meshgrid(heights, angles, indexing="ij")

    def half_width(contact: float) -> Floats:
        low, high = size.cervical_width / 2, size.width / 2
        rise = np.sin(np.clip(v / contact, 0, 1) * math.pi / 2)
        beyond = np.clip((v - contact) / (1 - contact), 0, 1)
        return np.asarray(low + (high - low) * rise - 0.05 * size.width * beyond**2)

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
    v: Floats, across: Floats, z: Floats, form: _ToothForm, shade: float, base: Colour
) -> FloatArray:
    """Colour over a crown: warmer at the neck, dimmer at the edge, dark where teeth meet."""
    colour = np.ones((*v.shape, 3)) * np.array(base)
    neck = 1 - ramp(0.0, 0.45, v)
    colour *= 1 - neck[..., None] * np.array([0.26, 0.18, 0.08])
    edge = ramp(0.62, 0.97, v) * (1.0 if form.cusps == 0 else 0.5)
    colour *= 1 - edge[..., None] * np.array([0.13, 0.12, 0.03])
    colour *= 1 - form.warmth * np.array([0.17, 0.10, 0.06])
    colour *= 1 + shade
    # Faint lobes of the labial face.
    colour *= (1 + 0.03 * np.cos(across * 7.5) * ramp(0.1, 0.6, v))[..., None]
    # Neighbours shade each other: the deeper on the flank, the darker.
    flank = ramp(0.62, 1.0, np.abs(across)) * (0.35 + 0.65 * ramp(0.6, -1.6, z))
    colour *= 1 - flank[..., None] * np.array([0.46, 0.44, 0.30])
    gum = 1 - ramp(0.0, 0.16, v)
    colour *= 1 - gum[..., None] * np.array([0.30, 0.30, 0.16])
    return np.asarray(colour, np.float32)


def _place_tooth(
    size: CrownSize,
    form: _ToothForm,
    quirk: tuple[float, float, float, float],
    position: tuple[float, float, float],
    slope: float,
    side: int,
    *,
    up: float,
    tooth_bgr: Colour,
    fine: bool,
) -> tuple[Mesh, FloatArray]:
    """Build a crown at its place on the arch (x ≥ 0 side, mirrored for the other), table's size."""
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
    height = y + (form.rise - sinking) / 10
    grid = np.stack(
        [side * (position[0] + along), position[1] + up * height, position[2] + out], axis=-1
    )
    vertices = grid.reshape(-1, 3).astype(np.float32)
    triangles = grid_triangles(rows, columns, closed=True, flip=side * up < 0)
    mesh = Mesh(
        vertices,
        smooth_normals(vertices, triangles),
        albedo.reshape(-1, 3),
        np.ones(len(vertices), dtype=np.float32),
        triangles,
    )
    rise = up * (form.rise - sinking) / 10
    centre = np.array([side * position[0], position[1] + rise, position[2]], dtype=np.float32)
    return mesh, centre


@dataclass(frozen=True, slots=True)
class _Row:
    """One jaw's teeth before a person's scale: lengths in cm from the front of its edges."""

    crowns: tuple[CrownSize, ...]
    forms: tuple[_ToothForm, ...]
    arch: _Arch
    origin: FloatArray
    """Where the front of the edges lies, cm of face-local space."""
    up: float
    """Direction of the roots: 1 or -1."""


def _row(anatomy: MouthAnatomy, *, upper: bool) -> _Row:
    edge_y = anatomy.upper_edge_y + (0.0 if upper else anatomy.overbite)
    front_z = INCISAL_Z - (0.0 if upper else anatomy.overjet)
    return _Row(
        UPPER_CROWNS if upper else LOWER_CROWNS,
        _UPPER_FORMS if upper else _LOWER_FORMS,
        _UPPER_ARCH if upper else _LOWER_ARCH,
        np.array([0.0, edge_y, front_z], dtype=np.float32),
        1.0 if upper else -1.0,
    )


def build_teeth(anatomy: MouthAnatomy, *, upper: bool) -> tuple[Tooth, ...]:
    """Twelve teeth of one jaw in their places, jaw closed: six from the middle to each side.

    Parameters
    ----------
    anatomy
        The person.
    upper
        Upper or lower jaw.
    """
    row = _row(anatomy, upper=upper)
    quirks = _UPPER_QUIRKS if upper else _LOWER_QUIRKS
    blue, green, red = anatomy.tooth_bgr
    teeth = []
    for side, prefix in ((-1, "l"), (1, "r")):
        reached = 0.0
        for number, (crown, form) in enumerate(zip(row.crowns, row.forms, strict=True)):
            x, depth, slope = row.arch.at(reached + crown.width / 20)
            reached += crown.width / 10
            shade = _LOWER_BACK_SHADE if number > 2 and not upper else 1.0
            quirk = tuple(value * anatomy.irregularity for value in quirks[(side + 1) // 2][number])
            mesh, centre = _place_tooth(
                crown,
                form,
                (quirk[0], quirk[1], quirk[2], quirk[3]),
                (x, _OCCLUSAL_SLOPE * depth, -depth),
                slope,
                side,
                up=row.up,
                tooth_bgr=(shade * blue, shade * green, shade * red),
                fine=number < 3,
            )
            teeth.append(
                Tooth(
                    f"{'upper' if upper else 'lower'}-{prefix}{number + 1}",
                    crown.scaled(anatomy.arch_scale),
                    row.origin + anatomy.arch_scale * centre,
                    replace(mesh, vertices=row.origin + anatomy.arch_scale * mesh.vertices),
                )
            )
    return tuple(teeth)


# -------------------------------------------------------------------------------- gums and lining


def build_gum(anatomy: MouthAnatomy, *, upper: bool) -> Mesh:
    """Gum of one jaw: scalloped along the necks of the teeth, with papillae between them.

    A ridge along the arch: up the lip's side to the margin, over the roots, down the tongue's side.
    """
    row = _row(anatomy, upper=upper)

    # One side from the middle outwards: arc length, and phase within a tooth (0 at a contact).
    lengths, phases, owners = [], [], []
    reached = 0.0
    for number, crown in enumerate(row.crowns):
        width = crown.width / 10
        for step in range(6):
            lengths.append(reached + width * step / 6)
            phases.append(step / 6)
            owners.append(number)
        reached += width
    lengths.append(reached)
    phases.append(1.0)
    owners.append(len(row.crowns) - 1)

    profiles = []
    for side in (-1, 1):
        order = range(len(lengths) - 1, 0, -1) if side < 0 else range(len(lengths))
        for i in order:
            x, depth, slope = row.arch.at(lengths[i])
            crown, form = row.crowns[owners[i]], row.forms[owners[i]]
            body = math.sin(math.pi * phases[i]) ** 0.7
            neck = (crown.height + form.rise) / 10
            margin = neck * (0.46 + 0.49 * body)
            lean = math.tan(math.radians(form.inclination))
            out = -0.19 + 0.19 * body - margin * lean
            back = out - crown.cervical_depth / 10 * (0.45 + 0.45 * body)
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
            profiles.append(
                [
                    (
                        side * (x + offset * math.sin(slope)),
                        _OCCLUSAL_SLOPE * depth + row.up * height,
                        offset * math.cos(slope) - depth,
                    )
                    for offset, height in profile
                ]
            )
    grid = np.array(profiles, dtype=np.float32)
    vertices = row.origin + anatomy.arch_scale * grid.reshape(-1, 3)
    triangles = grid_triangles(*grid.shape[:2], flip=upper)
    # Thin gum near the margin is paler; the vestibule is redder and darker.
    shade = np.array([0.62, 0.85, 1.0, 1.06, 0.72, 0.6, 0.7, 0.62, 0.45], dtype=np.float32)
    albedo = np.tile(shade[None, :, None], (len(profiles), 1, 1)) * np.array(anatomy.gum_bgr)
    return Mesh(
        vertices,
        smooth_normals(vertices, triangles),
        albedo.reshape(-1, 3).astype(np.float32),
        np.full(len(vertices), 0.6, dtype=np.float32),
        triangles,
    )
