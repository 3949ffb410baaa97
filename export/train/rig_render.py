"""The mouth of the ICT rig, fitted to a person and drawn in the light of a photograph.

Teeth, gums, tongue and the walls of the mouth are the rig's; the light through the opening of the
lips is that of :mod:`edgeavatar.kernels.cavity`, which was measured on photographs. The rig's teeth
look unlike the modelled ones in form, in how they stand and in how they shade each other, and are
therefore what the painter has to expect of a stranger.

Where the rig's rows lie is not left to the rig: they are put where a
:class:`~edgeavatar.rendering.dentition.MouthAnatomy` says, the one that is given. So whoever draws
targets decides how far a person's teeth are from the modelled ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.face.geometry import canonical_mesh
from edgeavatar.kernels.raster import SAMPLE_COUNT, full_spans, rasterise
from edgeavatar.rendering.dentition import INCISAL_Z, MouthAnatomy, jaw_transform
from edgeavatar.rendering.interior import InteriorModel
from edgeavatar.rendering.shapes import Mesh, join_meshes, ramp, smooth_normals
from edgeavatar.rendering.tongue import build_lining

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.rendering.basis import FaceBasis
    from edgeavatar.types import FloatArray

    Doubles = npt.NDArray[np.float64]
    Numbers = npt.NDArray[np.int64]

IDENTITIES = 40
"""Coefficients that are fitted; the rest are finer than landmarks tell."""
IDENTITY_PULL = 0.3
"""Standard deviation, cm, of a landmark's place on the rig: how much a coefficient costs."""
OWN_ARCH_SCALE = 1.09
"""Size of the rig's teeth in :attr:`MouthAnatomy.arch_scale`: central and lateral incisor meet
0.89 cm from the middle, where the default anatomy has them too."""

_SKIN, _TEETH, _SOFT = "M_Face", "M_Teeth", "M_GumsTongue"
_DIRECTIONS = 160
_CREVICE = 0.38
"""What is left of the light where a tooth is wholly hidden behind its neighbours."""
_NECK_BGR = np.array([0.26, 0.18, 0.08])
_EDGE_BGR = np.array([0.12, 0.13, 0.10])
_CANINE_BGR = np.array([0.16, 0.09, 0.05])
_CROWN_CM = (0.98, 0.90)
"""Height of an incisor's crown above the gum, upper and lower, cm of the rig."""
_ENAMEL = 1.08
"""So that over 357 drawn mouths the brightest twentieth is as bright as that of modelled ones in
the same openings, which was measured on smiles."""
_BACK_SHADE = (0.8, 0.55)
"""Of upper and lower ones: cheeks leave the back teeth in the dark, which the light through the
opening does not know."""


@dataclass(frozen=True, slots=True)
class RigMouth:
    """The inside of the rig's mouth and the skin that landmarks lie on, in the canonical space."""

    places: FloatArray
    """``(n, 3)`` float32: vertices of the inside, neutral, cm."""
    identities: FloatArray
    """``(40, n, 3)`` float32: displacement of those per standard deviation."""
    jaw_weight: FloatArray
    """``(n,)`` float32: how far each goes with the jaw, 0 to 1."""
    light: FloatArray
    """``(n,)`` float32: light that its own row leaves to each, 0 to 1."""
    tooth: npt.NDArray[np.int32]
    """``(n,)``: number of the tooth from the middle, 0 to 7; -1 for what is soft."""
    upper: npt.NDArray[np.int32]
    """Triangles of upper teeth and gum, ``(m, 3)``."""
    lower: npt.NDArray[np.int32]
    tongue: npt.NDArray[np.int32]
    walls: npt.NDArray[np.int32]
    """Palate, throat and the folds at the side."""
    skin: FloatArray
    """``(468, 3)`` float32: the vertex of each landmark, neutral, cm."""
    skin_identities: FloatArray
    """``(40, 468, 3)``."""

    def identity_of(self, neutral_cm: FloatArray) -> FloatArray:
        """Fit identity to a resting face.

        Parameters
        ----------
        neutral_cm
            ``(478, 3)`` landmarks in the canonical space.

        Returns
        -------
        FloatArray
            ``(40,)`` coefficients: the most probable ones if a landmark is off by
            :data:`IDENTITY_PULL`.
        """
        matrix = self.skin_identities.reshape(len(self.skin_identities), -1).T.astype(np.float64)
        away = (neutral_cm[:468] - self.skin).astype(np.float64)
        # The resting pose was found with other weights than the rig's: the mean is no identity.
        away -= away.mean(0)
        matrix = matrix - np.tile(matrix.reshape(468, 3, -1).mean(0), (468, 1))
        ridge = IDENTITY_PULL**2 * np.eye(matrix.shape[1])
        found = np.linalg.solve(matrix.T @ matrix + ridge, matrix.T @ away.ravel())
        return np.asarray(np.clip(found, -2.5, 2.5), np.float32)


def read_rig_mouth(path: Path, basis: FaceBasis) -> RigMouth:
    """Read the inside of the mouth of ``ict_facekit.npz``.

    Parameters
    ----------
    path
        The rig.
    basis
        From the same rig; tells which vertex each landmark lies on.
    """
    with np.load(path, allow_pickle=False) as data:
        materials = [str(name) for name in data["material_names"]]
        names = [str(name) for name in data["expression_names"]]
        quads, of_quad, quads_uv = data["quads"], data["material_of_quad"], data["quads_uv"]
        neutral = data["neutral"].astype(np.float64)
        deltas = data["expression_deltas"]
        identities = data["identity_deltas"][:IDENTITIES]

    def made_of(material: str) -> npt.NDArray[np.bool_]:
        return np.asarray(of_quad == materials.index(material))

    skin = np.unique(quads[made_of(_SKIN)])
    table = np.stack([_both_sides(deltas, names, name, skin) for name in basis.names], axis=1)
    tied, (scale, turn, shift) = _tie(neutral[skin], table, basis)
    on_skin = skin[tied]

    inside = np.unique(quads[made_of(_TEETH) | made_of(_SOFT)])
    number = np.full(len(neutral), -1)
    number[inside] = np.arange(len(inside))

    def moved(x: Doubles) -> Doubles:
        return np.asarray(scale * x @ turn.T)

    places = moved(neutral[inside]) + shift
    jaw = moved(deltas[names.index("jawOpen")][inside].astype(np.float64))
    rotation, slide = jaw_transform(1.0)
    rigid = places @ rotation.T + slide - places
    weight = np.clip((jaw * rigid).sum(1) / (rigid**2).sum(1), 0.0, 1.0)

    tooth_quads = number[quads[made_of(_TEETH)]]
    soft_quads = number[quads[made_of(_SOFT)]]
    tooth_of = _teeth_from_middle(tooth_quads, places, weight)
    weight[tooth_of >= 0] = np.round(weight[tooth_of >= 0])
    island = _islands(quads_uv[made_of(_SOFT)])
    part = np.array(["walls"] * len(soft_quads), dtype=object)
    for label in np.unique(island):
        mine = island == label
        corners = np.unique(soft_quads[mine])
        x, z, w = np.abs(places[corners, 0]).max(), places[corners, 2], weight[corners]
        if w.min() > 0.4 and x < 2.1:
            part[mine] = "tongue"
        elif w.max() < 0.05 and z.max() > 4.0:
            part[mine] = "upper"
        elif w.min() > 0.4:
            part[mine] = "lower"
    of_tooth = np.where(weight[tooth_quads].mean(1) < 0.5, "upper", "lower")
    both = np.concatenate([tooth_quads, soft_quads])
    parts = np.concatenate([of_tooth.astype(object), part])
    triangles = {
        name: np.concatenate([chosen[:, [0, 1, 2]], chosen[:, [0, 2, 3]]]).astype(np.int32)
        for name in ("upper", "lower", "tongue", "walls")
        for chosen in (both[parts == name],)
    }
    light = np.ones(len(places))
    for rows in (("upper",), ("lower", "tongue")):
        faces = np.concatenate([triangles[name] for name in rows])
        seen = np.unique(faces)
        light[seen] = _open_sky(places, faces)[seen]

    def table_of(vertices: Numbers) -> FloatArray:
        return np.asarray(scale * identities[:, vertices].astype(np.float64) @ turn.T, np.float32)

    return RigMouth(
        places=places.astype(np.float32),
        identities=table_of(inside),
        jaw_weight=weight.astype(np.float32),
        light=light.astype(np.float32),
        tooth=tooth_of.astype(np.int32),
        **triangles,
        skin=(moved(neutral[on_skin]) + shift).astype(np.float32),
        skin_identities=table_of(on_skin),
    )


def _both_sides(
    deltas: npt.NDArray[np.float16], names: list[str], arkit: str, vertices: Numbers
) -> Doubles:
    """Displacement by an expression's both sides, ``(n, 3)``."""
    sides = [k for k, name in enumerate(names) if name.split("_")[0] == arkit]
    return np.asarray(deltas[sides][:, vertices].astype(np.float64).sum(0))


def _tie(
    skin: Doubles, table: Doubles, basis: FaceBasis
) -> tuple[Numbers, tuple[float, Doubles, Doubles]]:
    """Find the vertex of each landmark: it lies there and moves as the basis says.

    Place and scale of the rig in the canonical space are found along with it.
    """
    canonical = canonical_mesh().vertices.astype(np.float64)
    wanted = basis.displacements_cm[:, :468].transpose(1, 0, 2).reshape(468, -1).astype(np.float64)
    scale, turn, shift = 1.0, np.eye(3), np.array([0.0, -0.7, -5.5])
    for step in range(8):
        places = scale * skin @ turn.T + shift
        moves = (scale * table @ turn.T).reshape(len(skin), -1)
        apart = (wanted**2).sum(1)[:, None] + (moves**2).sum(1)[None] - 2.0 * wanted @ moves.T
        where = ((canonical[:, None] - places[None]) ** 2).sum(-1)
        tied = (apart + (0.05 if step < 3 else 0.3) * where).argmin(1)
        a, b = skin[tied] - skin[tied].mean(0), canonical - canonical.mean(0)
        left, singular, right = np.linalg.svd(b.T @ a)
        signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
        scale, turn = float((singular * signs).sum() / (a**2).sum()), (left * signs) @ right
        shift = canonical.mean(0) - scale * turn @ skin[tied].mean(0)
    return tied, (scale, turn, shift)


def _islands(quads: npt.NDArray[np.integer]) -> Numbers:
    """Label quads that hang together by their corners, ``(m,)``."""
    label = np.arange(int(quads.max()) + 1)
    while True:
        least = label[quads].min(1)
        after = label.copy()
        np.minimum.at(after, quads.ravel(), np.repeat(least, 4))
        after = after[after]
        if np.array_equal(after, label):
            return np.asarray(label[quads[:, 0]])
        label = after


def _teeth_from_middle(
    quads: npt.NDArray[np.integer], places: Doubles, jaw_weight: Doubles
) -> Numbers:
    """Count teeth from the middle of their row outwards, for each vertex; -1 if it is of none."""
    island = _islands(quads)
    out = np.full(len(places), -1)
    middles = []
    for label in np.unique(island):
        corners = np.unique(quads[island == label])
        middles.append((corners, places[corners].mean(0), jaw_weight[corners].mean() > 0.5))
    for corners, middle, low in middles:
        # Teeth of the same side and row that stand further in front.
        before = [m for _, m, other in middles if other == low and m[0] * middle[0] > 0]
        out[corners] = sum(m[2] > middle[2] for m in before)
    return out


def _open_sky(places: Doubles, triangles: npt.NDArray[np.int32]) -> Doubles:
    """Share of Lambert's light that reaches each vertex past the mesh itself, 0 to 1.

    Depth is drawn from many directions, and a vertex is lit from where it is the nearest.
    """
    normals = smooth_normals(places.astype(np.float32), triangles).astype(np.float64)
    k = np.arange(_DIRECTIONS) + 0.5
    height, around = 1.0 - 2.0 * k / _DIRECTIONS, np.pi * (1.0 + 5.0**0.5) * k
    level = np.sqrt(1.0 - height**2)
    towards = np.stack([level * np.cos(around), level * np.sin(around), height], axis=1)
    size, per_cm = 320, 36.0
    middle = places[np.unique(triangles)].mean(0)
    lit, whole = np.zeros(len(places)), np.full(len(places), 1e-9)
    depth = np.empty((size, SAMPLE_COUNT, size), np.float32)
    visible = np.empty((size, SAMPLE_COUNT, size), np.int32)
    for view in towards:
        side = np.cross([0.0, 1.0, 0.1], view)
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(view, side), view])
        seen = (places - middle) @ axes.T * per_cm
        screen = np.stack([size / 2 + seen[:, 0], size / 2 - seen[:, 1], -seen[:, 2]], axis=1)
        rasterise(
            screen.astype(np.float32),
            triangles,
            full_spans(size, size),
            size,
            visible=visible,
            depth=depth,
        )
        x, y = (np.clip(np.rint(screen[:, a]).astype(int), 0, size - 1) for a in (0, 1))
        share = np.maximum(normals @ view, 0.0)
        # Two pixels of slack along the view, or a slanted face would shade itself.
        nearest = depth[y, :, x].max(axis=1)
        lit += share * (screen[:, 2] <= nearest + 0.08 * per_cm)
        whole += share
    return lit / whole


class _RigTongue:
    """The rig's tongue, whose front half is bent up or pushed out.

    At rest it lies high and close to the teeth in the rig; people's lie lower, each by another bit.
    """

    def __init__(
        self, places: FloatArray, triangles: npt.NDArray[np.int32], lowered_cm: float
    ) -> None:
        self._places, self.triangles = places.copy(), triangles
        # The cleft of the rig's would be seen as a heart.
        middle = np.exp(-((places[:, 0] / 0.5) ** 2))
        above = ramp(-1.2, -0.4, places[:, 1] - places[:, 1].max())
        self._places[:, 1] -= above * (lowered_cm - 0.1 * middle)
        self._places[:, 2] -= 0.25 * lowered_cm
        back, front = np.quantile(places[:, 2], [0.2, 1.0])
        self._forward = np.clip((places[:, 2] - back) / (front - back), 0.0, 1.0)

    def shape(
        self, tongue_up: float = 0.0, tongue_out: float = 0.0, tongue_front: float = 0.0
    ) -> tuple[FloatArray, FloatArray]:
        """Vertices and normals, jaw closed."""
        t = self._forward
        moved = self._places.copy()
        over = tongue_out * (2.0 - tongue_out)
        moved[:, 1] += (1.15 * tongue_up + 0.75 * over) * t**2 + 0.3 * tongue_front * t * (1.0 - t)
        moved[:, 2] += (0.25 * tongue_up + 1.7 * tongue_out) * t
        return moved, smooth_normals(moved, self.triangles)


class RigInterior(InteriorModel):
    """Draws the rig's mouth in place of the modelled one.

    Parameters
    ----------
    rig
        Its mouth.
    identity
        From :meth:`RigMouth.identity_of`.
    anatomy
        Where the rows lie, their size and colours.
    seed
        Of the small differences between the teeth of one mouth.
    """

    def __init__(
        self, rig: RigMouth, identity: FloatArray, anatomy: MouthAnatomy, seed: int
    ) -> None:
        # Nothing of the modelled mouth is kept, which would take most of the time to build.
        self.anatomy = anatomy
        places = _placed(rig, identity, anatomy)
        draw = np.random.default_rng(seed)
        albedo, gloss = _colours(rig, places, anatomy, draw)

        def part(triangles: npt.NDArray[np.int32]) -> tuple[Mesh, Numbers]:
            mine, faces = np.unique(triangles, return_inverse=True)
            faces = faces.reshape(-1, 3).astype(np.int32)
            where = places[mine]
            return (
                Mesh(where, smooth_normals(where, faces), albedo[mine], gloss[mine], faces),
                mine,
            )

        self._upper, self._lower = part(rig.upper)[0], part(rig.lower)[0]
        tongue, _ = part(rig.tongue)
        walls, mine = part(rig.walls)
        bag, bag_weight = build_lining(anatomy)
        self._lining = join_meshes([walls, bag])
        self._lining_weight = np.concatenate([rig.jaw_weight[mine], bag_weight])
        lowered_cm = float(draw.uniform(0.2, 0.8))
        self._tongue = _RigTongue(  # type: ignore[assignment]
            tongue.vertices, tongue.triangles, lowered_cm
        )
        meshes = [self._upper, self._lower, tongue, self._lining]
        ends = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        self._parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        whole = join_meshes(meshes)
        self._triangles = np.ascontiguousarray(whole.triangles, np.int32)
        self._places, self._normals = whole.vertices.copy(), whole.normals.copy()
        self._albedo, self._gloss = whole.albedo, whole.gloss
        self._colours = np.empty_like(self._places)
        self._open = np.empty((len(self._places), 4), dtype=np.float32)
        self._linear = np.empty((0, 0, 3), dtype=np.float32)


def _patches(places: FloatArray, draw: np.random.Generator) -> Doubles:
    """Give smooth noise over places, a deviation of about one."""
    waves = draw.normal(0.0, 4.0, (12, 3))
    return np.asarray(np.cos(places @ waves.T + draw.uniform(0, 6.3, 12)).sum(1) / 2.5)


def _placed(rig: RigMouth, identity: FloatArray, anatomy: MouthAnatomy) -> FloatArray:
    """Vertices of a person, jaw closed, their rows where the anatomy has them."""
    places = rig.places + np.tensordot(identity, rig.identities, 1)
    incisors, low = rig.tooth == 0, rig.jaw_weight > 0.5
    size = anatomy.arch_scale / OWN_ARCH_SCALE
    edges = []
    for row, way in ((incisors & ~low, -1.0), (incisors & low, 1.0)):
        y, z = places[row, 1], places[row, 2]
        edges.append((float(way * np.quantile(way * y, 0.97)), float(np.quantile(z, 0.97))))
    (upper_y, front), (lower_y, _) = edges
    places = (places - np.array([0.0, upper_y, front], np.float32)) * np.float32(size)
    # What lies between the jaws goes part of the way with each.
    apart = anatomy.overbite - size * (lower_y - upper_y)
    places[:, 1] += anatomy.upper_edge_y + rig.jaw_weight * np.float32(apart)
    places[:, 2] += INCISAL_Z
    return np.asarray(places, np.float32)


def _colours(
    rig: RigMouth, places: FloatArray, anatomy: MouthAnatomy, draw: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Linear BGR and gloss of each vertex."""
    count = len(places)
    albedo, gloss = np.zeros((count, 3)), np.full(count, 0.6)
    soft = rig.tooth < 0
    tongue, walls = np.zeros(count, bool), np.zeros(count, bool)
    tongue[np.unique(rig.tongue)] = True
    walls[np.unique(rig.walls)] = True
    albedo[soft] = anatomy.gum_bgr
    # Pale along the necks, redder and darker towards the fold of the lip.
    low = rig.jaw_weight > 0.5
    for row, way in ((soft & ~low, 1.0), (soft & low, -1.0)):
        edge = anatomy.upper_edge_y + (anatomy.overbite if way < 0 else 0.0)
        up = way * (places[row, 1] - edge)
        albedo[row] *= (0.85 + 0.2 * ramp(0.6, 1.3, up) - 0.45 * ramp(1.4, 2.3, up))[:, None]
    # Coated and rough: patches of every size, the sides redder and darker than the back.
    patches = (
        1.0 + 0.06 * _patches(places[tongue], draw) + 0.05 * draw.standard_normal(tongue.sum())
    )
    side = ramp(0.8, 1.7, np.abs(places[tongue, 0]))
    albedo[tongue] = np.array(anatomy.tongue_bgr) * (patches * (1.0 - 0.35 * side))[:, None]
    gloss[tongue] = 0.2 + 0.9 * draw.random(int(tongue.sum())) ** 2
    only = walls & soft & ~tongue
    albedo[only] = anatomy.lining_bgr
    gloss[only] = 0.25
    for row in (~soft & ~low, ~soft & low):
        way = -1.0 if low[row][0] else 1.0
        crown = _CROWN_CM[int(way < 0)] * anatomy.arch_scale / OWN_ARCH_SCALE
        for k in range(8):
            for side in (-1.0, 1.0):
                tooth = row & (rig.tooth == k) & (side * places[:, 0] > 0)
                if not tooth.any():
                    continue
                height = way * places[tooth, 1]
                v = np.clip(1.0 - (height - height.min()) / crown, 0.0, 1.0)[:, None]
                colour = np.ones((int(tooth.sum()), 3)) * np.array(anatomy.tooth_bgr) * _ENAMEL
                colour *= 1.0 - (1.0 - ramp(0.0, 0.5, v)) * _NECK_BGR
                colour *= 1.0 - ramp(0.68, 1.0, v) * (1.0 if k < 2 else 0.4) * _EDGE_BGR
                warm = 1.0 if k == 2 else 0.5 if k > 2 else 0.1 * k
                colour *= 1.0 - warm * _CANINE_BGR
                shade = _BACK_SHADE[int(way < 0)] * 0.88 ** (k - 3) if k > 2 else 1.0
                colour *= shade * (1.0 + 0.03 * draw.standard_normal())
                albedo[tooth] = colour
    gloss[~soft] = 1.0
    # Light that comes through enamel and off the neighbour keeps crevices from being black.
    hidden = 1.0 - np.clip(rig.light / 0.9, 0.0, 1.0)
    warm = np.array([1.0, 0.97, 0.82])
    albedo *= 1.0 - (1.0 - _CREVICE) * hidden[:, None] * warm
    return albedo.astype(np.float32), gloss.astype(np.float32)
