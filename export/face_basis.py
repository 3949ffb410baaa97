"""Derive ``models/face_basis.npz``: how each landmark moves with each blendshape weight.

Every landmark is tied to one vertex of the ICT rig. The vertex is chosen by consensus: the face
model is run on plain drawings of the rig under many expressions, turns and identities, and the
vertex whose projections stay nearest to the landmark in all of them wins. One neutral drawing would
not do: closed lips touch, and only an open mouth tells which lip a landmark belongs to.

    python -m export.face_basis --rig ict_facekit.npz -o models/face_basis.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar import zoo
from edgeavatar.face.geometry import canonical_mesh
from edgeavatar.face.mesh import MeshModel
from edgeavatar.face.region import EXPANSION, Region
from edgeavatar.types import BLENDSHAPE_NAMES
from export.rig import Rig, draw, project, read_rig

if TYPE_CHECKING:
    import numpy.typing as npt

    from export.rig import Floats

SIZE = 768
SCALE_PX = 26.0
FIRST_REGION = Region((SIZE / 2, 0.547 * SIZE), 0.78 * SIZE)
"""Where the neutral head's face lies in a drawing."""
WORST_PX2 = 400.0
"""Bound on one squared distance, so that a drawing the model misreads has one vote, not all."""
IDENTITIES = 3
TURNS_RAD = (-0.3, 0.3)


def both(name: str, weight: float) -> dict[str, float]:
    """Weights of a name on both sides."""
    return {f"{name}Left": weight, f"{name}Right": weight}


EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.3},
    {"jawOpen": 0.6},
    {"jawOpen": 0.9},
    {"mouthFunnel": 0.8},
    {"mouthPucker": 0.8},
    both("mouthSmile", 0.8),
    both("mouthStretch", 0.8),
    both("mouthLowerDown", 0.8),
    both("mouthUpperUp", 0.8),
    {"jawOpen": 0.5, "mouthClose": 0.45},
    {"jawOpen": 0.4, **both("mouthSmile", 0.6)},
    {"jawOpen": 0.5, **both("mouthLowerDown", 0.5), **both("mouthUpperUp", 0.5)},
    both("browInnerUp", 0.8),
    both("eyeBlink", 1.0),
    {"jawOpen": 0.35, "mouthFunnel": 0.5},
)


def views(rig: Rig) -> list[tuple[Floats, float]]:
    """Heads to look at: vertices and turn."""
    rng = np.random.default_rng(0)
    heads = [(rig.posed(weights), 0.0) for weights in EXPRESSIONS]
    heads += [(rig.posed(weights), turn) for weights in EXPRESSIONS for turn in TURNS_RAD]
    for _ in range(IDENTITIES):
        identity = rng.normal(0.0, 0.7, 30)
        heads += [(rig.posed(weights, identity), 0.0) for weights in EXPRESSIONS]
    return heads


def correspondences(rig: Rig, mesh: MeshModel) -> tuple[npt.NDArray[np.int64], Floats]:
    """Vertex of each landmark, and its root mean square distance in pixels over all views."""
    cost = np.zeros((478, len(rig.skin)))
    heads = views(rig)
    for vertices, turn in heads:
        picture = draw(rig, vertices, SIZE, SCALE_PX, turn)
        region = FIRST_REGION
        for _ in range(3):
            reading = mesh.read(picture, region)
            region = _around(reading.landmarks)
        where = project(vertices, SIZE, SCALE_PX, turn)[rig.skin, :2]
        apart = reading.landmarks[:, None, :2].astype(np.float64) - where[None]
        cost += np.minimum((apart**2).sum(-1), WORST_PX2)
    cost /= len(heads)
    best = cost.argmin(1)
    return rig.skin[best], np.sqrt(cost[np.arange(478), best])


def _around(landmarks: npt.NDArray[np.float32]) -> Region:
    """Place the region of an upright face, whose size its pose is not yet known to tell."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    x, y = ((low + high) / 2.0 + 0.5).tolist()
    return Region((x, y), EXPANSION * float((high - low).max()))


def similarity(source: Floats, target: Floats) -> tuple[float, Floats]:
    """Scale and rotation that bring points nearest to others (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    left, singular, right = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return float((singular * signs).sum() / (a**2).sum()), (left * signs) @ right


def mirrored(names: list[str], table: Floats, vertices: Floats) -> Floats:
    """Mirror the table: left for right, landmark for landmark."""
    swap = np.array([((vertices - p * [-1, 1, 1]) ** 2).sum(1).argmin() for p in vertices])
    out = np.zeros_like(table)
    for row, name in enumerate(names):
        other = name.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")
        out[row, :468] = table[names.index(other), swap] * [-1, 1, 1]
    return out


def build(rig: Rig, mesh: MeshModel) -> tuple[list[str], Floats, Floats]:
    """Names, ``(n, 478, 3)`` displacements in the canonical face's centimetres, and distances."""
    canonical = canonical_mesh().vertices.astype(np.float64)
    vertex, distance_px = correspondences(rig, mesh)
    scale, rotation = similarity(rig.neutral[vertex[:468]], canonical)
    names, rows = [], []
    for name in BLENDSHAPE_NAMES:
        sides = [s for s in (name, f"{name}Left", f"{name}Right") if s in rig.expressions]
        if not sides:
            continue
        delta = sum(rig.expressions[side] for side in sides)
        row = np.zeros((478, 3))
        # The irises (468 to 477) ride on the eyeballs and are left alone.
        row[:468] = scale * delta[vertex[:468]] @ rotation.T
        names.append(name)
        rows.append(row)
    table = np.stack(rows)
    return names, 0.5 * (table + mirrored(names, table, canonical)), distance_px


def main() -> None:
    """Build the table and say how well it fits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rig", type=Path, required=True, help="ict_facekit.npz")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    mesh = MeshModel(zoo.resolve("face")["mesh"])
    names, table, distance_px = build(read_rig(options.rig), mesh)
    np.savez_compressed(options.output, names=np.array(names), basis=table.astype(np.float16))
    jaw = table[names.index("jawOpen")]
    print(
        f"{len(names)} blendshapes; landmarks to vertices: median {np.median(distance_px):.2f} px,"
        f" 95th percentile {np.percentile(distance_px, 95):.2f} px of {SCALE_PX:.0f} px per cm"
    )
    print(f"jawOpen parts the lips by {jaw[13, 1] - jaw[14, 1]:.2f} cm at full weight")


if __name__ == "__main__":
    main()
