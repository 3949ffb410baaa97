"""Open mouths of strangers for the mouth painter: the ICT rig's inside in a warped photograph.

A person who was photographed with closed lips, or smiling, is given a random expression by the
runtime's own warp. What the lips bare is drawn twice: the modelled inside, as the runtime would,
is the layer that the painter is given; the rig's, fitted to the person and in the light of the
photograph, lies in the target. Their teeth differ in form and place as those of people do. Some
targets take their skin from the person's other photograph, so that rims never fit quite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr, planes_to_bgr
from edgeavatar.kernels.warp import polygon_alpha
from edgeavatar.rendering.dentition import MouthAnatomy, fit_anatomy
from edgeavatar.rendering.geometric import GeometricRenderer, even_box, lip_rim
from edgeavatar.rendering.geometry import (
    Person,
    face_height_px,
    fit_person,
    head_displacement,
    mouth_displacement,
    sway_pose,
)
from edgeavatar.rendering.interior import InteriorLight, MouthInside
from edgeavatar.rendering.layers import CAVITY_EDGE, SIDE_CM, crop_mouth
from edgeavatar.rendering.lip_rows import LOWER_INNER_LIP, UPPER_INNER_LIP
from edgeavatar.rendering.softness import camera_softness
from edgeavatar.types import MOTION_NAMES, FaceObservation, Frame, IdlePose
from export.train.mouths import (
    LONDON_SIZE,
    Look,
    Painter,
    Sample,
    in_picture_of,
    is_london_held_out,
    light_on,
    look_at,
)
from export.train.rig_render import RigInterior, RigMouth, read_rig_mouth

if TYPE_CHECKING:
    from edgeavatar.face import FaceTracker
    from edgeavatar.rendering.basis import FaceBasis
    from edgeavatar.types import ByteArray, FloatArray, HeadPose

SAMPLES = 7
"""Of each person."""
REFERENCED = 0.5
"""How many of them come with another moment of the same mouth."""
SMILING = 0.25
"""How many start from the smiling photograph, if its lips are closed: else teeth of the smile would
be left over beside the drawn ones."""
OTHER_SKIN = 0.4
"""How many targets of the others show the skin of that photograph."""
CLOSED_CM = 0.1
"""Mean gap of closed lips."""
TURNED = 0.4
"""How many heads are turned."""
FITTED = 0.5
"""How many are drawn over modelled teeth that stand where the rig's do, as those do that were
fitted to a person (:mod:`edgeavatar.rendering.dentition_fit`)."""
LEAST_GAP_CM, REFERENCE_GAP_CM = 0.2, 0.5
"""Mean gap of the lips under which an expression is drawn anew; and that of a reference, which the
runtime chooses among wide ones."""
REFERENCE_JAW = 0.2
"""``jawOpen`` of a reference: the runtime takes none that clenches its teeth, which would be
stretched over an open mouth."""
ANY_REFERENCE = 0.2
"""How many references are no wider than other mouths, as some videos have none."""

Range = tuple[float, float]
EXPRESSIONS: dict[str, dict[str, Range]] = {
    "ah": {"jawOpen": (0.35, 0.8), "mouthLowerDown": (0, 0.4), "mouthUpperUp": (0, 0.3),
           "mouthSmile": (0, 0.25)},
    "eh": {"jawOpen": (0.15, 0.4), "mouthStretch": (0.1, 0.5), "mouthLowerDown": (0.1, 0.6),
           "mouthUpperUp": (0.05, 0.45)},
    "ee": {"jawOpen": (0.03, 0.16), "mouthStretch": (0, 0.5), "mouthSmile": (0.1, 0.5),
           "mouthLowerDown": (0.3, 0.8), "mouthUpperUp": (0.15, 0.5)},
    "oh": {"jawOpen": (0.25, 0.6), "mouthFunnel": (0.2, 0.7), "mouthPucker": (0, 0.3)},
    "oo": {"jawOpen": (0.1, 0.3), "mouthFunnel": (0.3, 0.8), "mouthPucker": (0.1, 0.4)},
    "laugh": {"jawOpen": (0.15, 0.55), "mouthSmile": (0.4, 0.9), "mouthUpperUp": (0.1, 0.5),
              "mouthDimple": (0, 0.3)},
    "el": {"jawOpen": (0.18, 0.4), "tongueUp": (0.5, 1.0), "mouthLowerDown": (0.1, 0.5),
           "mouthUpperUp": (0, 0.3)},
    "th": {"jawOpen": (0.12, 0.25), "tongueOut": (0.25, 0.4), "mouthLowerDown": (0.2, 0.5),
           "mouthUpperUp": (0.05, 0.3)},
}  # fmt: skip
"""Ranges of weights by what they sound like; the first three come twice as often."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """The mouth that is made up for a person: what a camera would see of it."""

    anatomy: MouthAnatomy
    """Where its rows lie and what colours it has."""
    light: InteriorLight
    interior: RigInterior


def expression(draw: np.random.Generator) -> FloatArray:
    """Draw a row ``(26,)`` of mouth weights that parts the lips."""
    names = list(EXPRESSIONS)
    often = np.array([2.0] * 3 + [1.0] * (len(names) - 3))
    ranges = EXPRESSIONS[names[int(draw.choice(len(names), p=often / often.sum()))]]
    row = np.zeros(len(MOTION_NAMES), np.float32)
    for name, (low, high) in ranges.items():
        weight = draw.uniform(low, high)
        for place, known in enumerate(MOTION_NAMES):
            if known in (name, f"{name}Left", f"{name}Right"):
                # Nobody's mouth is the same on both sides.
                row[place] = weight * (1.0 if known == name else draw.uniform(0.85, 1.15))
    return np.clip(row, 0.0, 1.0)


def stranger(
    person: Person, rig: RigMouth, light: InteriorLight, draw: np.random.Generator
) -> Stranger:
    """Make up a mouth for a person in the light of a photograph.

    Heights, size, colours and light differ from what the face tells by as much as they do in people
    (:mod:`edgeavatar.rendering.dentition_fit`; teeth of the London smiles: 20 % in luminance).
    """
    usual = fit_anatomy(person.lip_line_cm, person.mouth_width_cm)
    level = np.exp(0.12 * draw.standard_normal())
    hue = 1.0 + np.array([0.05, 0.015, 0.015]) * draw.standard_normal(3)
    blue, green, red = (float(c) for c in np.minimum(level * hue * usual.tooth_bgr, 0.95))
    flesh = float(np.exp(0.15 * draw.standard_normal()))
    anatomy = replace(
        usual,
        upper_tooth_offset=usual.upper_tooth_offset
        + float(np.clip(0.1 * draw.normal(), -0.25, 0.25)),
        overbite=usual.overbite + float(np.clip(0.07 * draw.normal(), -0.15, 0.15)),
        arch_scale=usual.arch_scale * float(np.exp(0.04 * draw.normal())),
        tooth_bgr=(blue, green, red),
        gum_bgr=_scaled(usual.gum_bgr, flesh),
        tongue_bgr=_scaled(usual.tongue_bgr, flesh * float(draw.uniform(0.85, 1.2))),
        lining_bgr=_scaled(usual.lining_bgr, float(draw.uniform(0.7, 1.2))),
    )
    bright = float(np.exp(0.12 * draw.standard_normal()))
    turned = np.array(light.direction) + np.array([0.2, 0.15, 0.0]) * draw.standard_normal(3)
    lit = InteriorLight(
        _scaled(light.gain_bgr, bright),
        (float(turned[0]), float(turned[1]), float(turned[2])),
        float(np.clip(light.ambient + 0.1 * draw.standard_normal(), 0.25, 0.7)),
        float(np.clip(light.sky + 0.15 * draw.standard_normal(), 0.2, 0.9)),
    )
    # Some lips hang over more than others: the kernel takes that from the width of the mouth.
    shaded = replace(anatomy, mouth_width=anatomy.mouth_width * float(draw.uniform(0.95, 1.03)))
    identity = rig.identity_of(person.neutral_cm)
    seed = int(draw.integers(1 << 30))
    return Stranger(anatomy, lit, RigInterior(rig, identity, shaded, seed))


def _scaled(colour: tuple[float, float, float], by: float) -> tuple[float, float, float]:
    return (colour[0] * by, colour[1] * by, colour[2] * by)


def as_fitted(mouth: Stranger, light: InteriorLight) -> tuple[MouthAnatomy, InteriorLight]:
    """Modelled teeth as the fit would leave them: heights and size found, half of the light."""
    ratio = np.array(mouth.light.gain_bgr) / np.array(light.gain_bgr)
    share = float(np.sqrt(ratio.mean()))
    model = MouthAnatomy()
    anatomy = replace(
        mouth.anatomy,
        tooth_bgr=_scaled(mouth.anatomy.tooth_bgr, share),
        gum_bgr=model.gum_bgr,
        tongue_bgr=model.tongue_bgr,
        lining_bgr=model.lining_bgr,
    )
    return anatomy, replace(light, gain_bgr=_scaled(light.gain_bgr, share))


class Camera(GeometricRenderer):
    """Photographs a person with the rig's mouth: soft rims, and lips that shade themselves there.

    Parameters
    ----------
    person, triangles
        As for :class:`~edgeavatar.rendering.geometric.GeometricRenderer`.
    mouth
        What is between the lips.
    rim
        Softness of the lips' rim over that of the runtime, and how much darker lips are at it.
    """

    def __init__(
        self,
        person: Person,
        triangles: npt.NDArray[np.int32],
        mouth: Stranger,
        rim: tuple[float, float],
    ) -> None:
        super().__init__(person, triangles, mouth.interior, mouth.light)
        self._rim = rim

    def _fill_mouth(
        self,
        warped: Frame,
        source: Frame,
        face: FaceObservation,
        pose: HeadPose,
        targets: FloatArray,
        inside: MouthInside,
    ) -> Frame:
        soft, dark = self._rim
        softness = camera_softness(source, face)
        edge_px = CAVITY_EDGE * SIDE_CM * pose.scale_px
        edge = max(0.8, soft * edge_px, 0.7 * softness)
        reach = 0.012 * face_height_px(face)
        rim = lip_rim(targets)
        box = even_box(rim, 4.0 + 2.0 * reach, warped)
        if box is None:
            return warped
        cover = polygon_alpha(rim, box, edge)[..., None]
        if not cover.any():
            return warped
        # Lips turn inwards at their rim, away from the light, and most of all at the corners.
        near = polygon_alpha(rim, box, 2.0 * reach, reach)[..., None]
        first, last = rim[0], rim[len(rim) // 2]
        along = (last - first) / max(float(((last - first) ** 2).sum()), 1.0)
        x, y = np.meshgrid(np.arange(box[0], box[2]), np.arange(box[1], box[3]))
        place = 2.0 * ((x - first[0]) * along[0] + (y - first[1]) * along[1]) - 1.0
        corner = np.clip(np.abs(place), 0.0, 1.0)[..., None] ** 4
        shade = (dark + (0.7 - dark) * corner) * near**2
        lips = planes_to_bgr(warped, *box) * (1.0 - shade)
        drawn = self._draw_inside(pose, inside, rim, box, softness)
        made = np.rint(lips + cover * (drawn - lips)).clip(0, 255).astype(np.uint8)
        whole = (near[..., 0] > 0).astype(np.float32)
        return blend_frame(warped, bgr_to_planes(made, source.colour), whole, *box[:2])


def expressed(look: Look, person: Person, row: FloatArray, turn: IdlePose) -> FaceObservation:
    """Move the landmarks of a face to a row of weights and turn its head."""
    face = look.face
    pose = sway_pose(face, turn)
    moved = mouth_displacement(face, person, row) + head_displacement(
        face.landmarks, face.pose, pose
    )
    landmarks = face.landmarks.copy()
    landmarks[:, :2] += moved
    return replace(face, landmarks=landmarks, pose=pose)


def photograph(
    camera: Camera, look: Look, target: FaceObservation, inside: MouthInside
) -> ByteArray:
    """Take the picture ``(h, w, 3)`` BGR of a look that was moved to landmarks."""
    frame = camera.reenact(look.frame, look.face, target.landmarks[:, :2], target.pose, inside)
    return frame_to_bgr(frame)


def _gap_cm(face: FaceObservation) -> float:
    y = face.landmarks[:, 1]
    gaps = y[list(LOWER_INNER_LIP)] - y[list(UPPER_INNER_LIP)]
    return float(gaps.mean()) / face.pose.scale_px


def _open_row(
    look: Look,
    person: Person,
    draw: np.random.Generator,
    gap_cm: float = LEAST_GAP_CM,
    jaw_open: float = 0.0,
) -> FloatArray:
    """Draw a row that opens lips and jaw so wide; an ``ah`` does it for anybody."""
    while True:
        row = expression(draw)
        gap = _gap_cm(expressed(look, person, row, IdlePose()))
        if gap > gap_cm and row[MOTION_NAMES.index("jawOpen")] >= jaw_open:
            return row


def person_samples(
    name: str,
    looks: tuple[Look, Look],
    tracker: FaceTracker,
    basis: FaceBasis,
    rig: RigMouth,
    draw: np.random.Generator,
) -> Iterator[Sample]:
    """Yield the samples of one person, photographed at rest and smiling."""
    person = fit_person([looks[0].face], basis)
    triangles = tracker.canonical.triangles
    closed = _gap_cm(looks[1].face) < CLOSED_CM
    for k in range(SAMPLES):
        source, skin = looks[0], looks[0]
        if closed and draw.random() < SMILING:
            source, skin = looks[1], looks[1]
        elif closed and draw.random() < OTHER_SKIN:
            skin = looks[1]
        light = light_on(source)
        mouth = stranger(person, rig, light, draw)
        rim = (float(draw.uniform(0.6, 1.4)), float(draw.uniform(0.1, 0.45)))
        camera = Camera(person, triangles, mouth, rim)
        row = _open_row(source, person, draw)
        turn = IdlePose()
        if draw.random() < TURNED:
            turn = IdlePose(*(float(v) for v in draw.normal(0.0, 1.0, 3) * [6.0, 4.0, 3.0]))
        target = expressed(source, person, row, turn)
        inside = MouthInside.of_row(row)
        fitted = as_fitted(mouth, light) if draw.random() < FITTED else None
        painter = Painter(person, light, triangles, fitted)
        reference = None
        if draw.random() < REFERENCED:
            reference = _referred(source, person, camera, painter, target, tracker, draw)
        _, layers = painter.layers(source, target, LONDON_SIZE, reference, inside)
        seen = target
        if skin is not source:
            seen, _ = in_picture_of(replace(source, face=target), skin)
        # How far a jaw is open is read off lips and chin, and not quite right.
        jaw_open = inside.jaw_open * float(draw.uniform(0.95, 1.05))
        truth = photograph(camera, skin, seen, replace(inside, jaw_open=jaw_open))
        crop = crop_mouth(seen.pose, person.lip_line_cm, LONDON_SIZE)
        yield Sample(
            f"{name}-{k}",
            is_london_held_out(name),
            layers,
            crop.cut(truth),
            teeth_known=False,
            light_known=True,
            fitted=painter.fitted,
        )


def _referred(
    source: Look,
    person: Person,
    camera: Camera,
    painter: Painter,
    target: FaceObservation,
    tracker: FaceTracker,
    draw: np.random.Generator,
) -> ByteArray | None:
    """Another moment of the same mouth, moved to the target as the runtime would."""
    if draw.random() < ANY_REFERENCE:
        row = _open_row(source, person, draw)
    else:
        row = _open_row(source, person, draw, REFERENCE_GAP_CM, REFERENCE_JAW)
    face = expressed(source, person, row, IdlePose())
    picture = photograph(camera, source, face, MouthInside.of_row(row))
    # The runtime knows a reference by what the face model sees in it.
    seen = look_at(picture, tracker)
    if seen is None:
        return None
    there, _ = in_picture_of(replace(source, face=target), seen)
    crop = crop_mouth(there.pose, person.lip_line_cm, LONDON_SIZE)
    return painter.warped(seen, there, crop)[0]


def rig_samples(
    people: Iterable[tuple[str, Look, Look]], path: Path, tracker: FaceTracker, basis: FaceBasis
) -> Iterator[Sample]:
    """Yield the samples of every photographed person.

    Parameters
    ----------
    people
        From :func:`~export.train.mouths.london_looks`.
    path
        The rig, ``ict_facekit.npz``.
    tracker, basis
        Of the face.
    """
    rig = read_rig_mouth(path, basis)
    for name, neutral, smiling in people:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        draw = np.random.default_rng(seed)
        yield from person_samples(name, (neutral, smiling), tracker, basis, rig, draw)
