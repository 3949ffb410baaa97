"""How well a mouth renderer shows a mouth that was really seen: self-reenactment.

A target frame is made again from another frame of the same person. The target's landmarks are
brought into the source's picture by the similarity that fits best the landmarks which speech does
not move (bridge of the nose, corners of the eyes, forehead); the target's picture is warped by the
same similarity, so both are compared in the source's picture. Nothing of the target but its
landmarks reaches a renderer.

Materials:

- ``grid``: held-out clips of the GRID speaker, as they are (face height about 135 px). Four targets
  a clip, by the quantiles of its lip gap; the source is the frame with the most closed lips in the
  other half of the clip, and person, teeth and light are learned from that half.
- ``open``: the same, from the frame with the widest mouth: what a talking source gives, dubbed.
- ``london``: held-out people of the London Set, neutral to smiling and back; person, teeth and
  light are learned from the source alone. The target's colours are scaled so that its cheeks are
  those of the source. Skin is grouped by the measured luma of the cheeks, since the set says
  nothing.
- ``sheet``: strangers under a fixed set of shapes through ``render``; a picture to judge by eye
  (``--sheet``), and the share of bytes that changed outside the triangles that move.
  ``--faces`` draws the same of portraits of nobody, with beards, glasses, make-up and turned heads,
  and of two filmed people, ``--hard`` one of each of some that are hard; neither needs a data set.
- ``jitter``: 20 consecutive frames of a GRID clip, made from one frame outside of the run.
- ``rest``: the same of the silence before the first word, 10 to 20 frames.

Systems: ``target`` (the real frame: what the measures give at best), ``source`` (left as it is),
``paste`` (the lips of that other frame of the clip whose lips are most similar, more than 5 frames
from the target, in a soft ellipse), ``warp`` (the geometric renderer without what is inside),
``geometric``; where its net is there, ``neural`` and ``referenced`` (the same, shown the widest
mouth of the clip that is more than 5 frames from the target).

Measures, in a square around the target's mouth with 0.6 of the width of the face (between the
angles of the jaw), at a face height of 256 px: ssim on luma (Wang et al. 2004); psnr on BGR; lmd,
the mean distance of the 80 landmarks of the lips that the face model finds in the result from the
target's, px; sharpness, mean square of luma less its Gaussian of sigma 1 px, over that of the
source; seam, mean step of luma across the target's inner lip rim (3 px apart) over the target's
own; cavity, mean absolute error of luma inside that rim (seam and cavity where the opening has over
60 px); outside, share of bytes changed where no triangle of the mesh moves (must be 0); strayed,
share of bytes that differ from the bare warp more than 0.03 face heights outside the lips (0 for
one that only fills mouths, more for one that relights skin); ahead, share of cases with a higher
ssim than ``geometric``. Ratios are averaged geometrically, of shares the largest is shown.

Jitter is the root mean square of the second difference of the lips' landmarks found in the result,
px, mean over clips: beside that of the real frames, and above that of the same frames laid over the
source (``target``), whose alignment adds its own; mean and worst clip.

    python benchmarks/renderer.py [--quick] [--only grid london] [--sheet PNG] [--json FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import av
import cv2
import numpy as np
import numpy.typing as npt

import edgeavatar
from benchmarks._degradations import brighter, darker, side_lit, smaller
from benchmarks._mouth_measures import (
    Bytes,
    Doubles,
    Floats,
    MouthBox,
    cavity_error,
    changed_share,
    detail_energy,
    ellipse_around_lips,
    geometric_mean,
    landmark_distance,
    mean_of,
    most_similar,
    mouth_box,
    moved_mask,
    polygon_mask,
    psnr,
    seam_energy,
    spread_targets,
)
from edgeavatar import zoo
from edgeavatar.backends.base import Session
from edgeavatar.errors import EdgeAvatarError
from edgeavatar.face import FaceTracker, canonical_mesh
from edgeavatar.face.measures import face_height, inner_lip_gap, jitter
from edgeavatar.face.region import region_of_pose
from edgeavatar.face.topology import LIPS, OUTER_LIPS
from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.kernels.warp import polygon_alpha
from edgeavatar.portrait import make_portrait
from edgeavatar.rendering.basis import FaceBasis, load_basis
from edgeavatar.rendering.dentition import MouthAnatomy, fit_anatomy
from edgeavatar.rendering.dentition_fit import ShownTeeth, fit_dentition, view_teeth
from edgeavatar.rendering.geometric import GeometricRenderer, lip_rim
from edgeavatar.rendering.geometry import (
    STEADY,
    Person,
    fit_person,
    mouth_displacement,
    source_speech,
)
from edgeavatar.rendering.interior import (
    InteriorLight,
    InteriorModel,
    MouthInside,
    face_colours,
    light_from_skin,
)
from edgeavatar.rendering.layers import moved_pose, similarity
from edgeavatar.rendering.lipline import lip_line_offsets, move_lip_line
from edgeavatar.rendering.mesh import (
    FACE_OVAL,
    HEAD_REACH,
    HEAD_RIGID,
    MOUTH_REACH,
    WarpMesh,
    fade,
    warp_points,
)
from edgeavatar.rendering.neural import NeuralRenderer, open_painter, reference_mouth
from edgeavatar.types import MOTION_NAMES, FaceObservation, Frame, HeadPose
from edgeavatar.video.reader import open_video
from export.measures import ssim
from export.train.filmed import is_held_out
from export.train.mouths import as_frame, is_london_held_out

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).resolve().parent.parent
MATERIALS = ("grid", "open", "london", "sheet", "jitter", "rest")

CLIPS, JITTER_CLIPS, RUN, LEAST_RUN = 24, 18, 20, 10
GRID_RATE, SILENT_MARGIN = 25, 2
"""Frames a second, and frames before a word in which the mouth may already move."""
QUANTILES = (1.0, 0.8, 0.6, 0.3)
"""Of a clip's lip gaps: about a third of its frames have their lips closed."""
APART = 5
"""Frames nearer to the target than this show the same moment."""
STRAY_MARGIN = 0.03
"""How far outside the lips, in face heights, a renderer may still paint."""

STRANGERS = (
    "042_neutral", "086_neutral", "092_neutral", "105_neutral", "122_neutral", "135_neutral",
    "097_smiling", "f_african_composite",
)  # fmt: skip
"""People no net has learned from, with beard, stubble and make-up; one smiles with open lips."""


PORTRAITS = (2010, 3010, 3068, 3082, 2042, 3050, 3084, 3032)
TRUNCATION = 0.85
"""Seeds of portraits of nobody: two full beards, stubble on a turned head, glasses, a moustache,
lipstick, a hard shadow, a child; light and dark skins."""


HARD: dict[str, tuple[int, float, Callable[..., Bytes] | None, float, str]] = {
    "overexposed": (90, 0.6, brighter, 2.0, "open"),
    "dim and noisy": (90, 0.6, darker, 4.5, "open"),
    "lit from one side": (90, 0.6, side_lit, 0.35, "open"),
    "70 px high": (90, 0.6, smaller, 70.0, "open"),
    "smiling": (3001, TRUNCATION, None, 0.0, "open"),
    "turned by 32 degrees": (2012, TRUNCATION, None, 0.0, "open"),
    "slit under a moustache": (3010, TRUNCATION, None, 0.0, "wide"),
    "nods, smiles widely": (3032, TRUNCATION, None, 0.0, "smile"),
}
"""By name: seed and truncation of a portrait of nobody, what is done to it and how much of it, and
the shape."""


def _both(**weights: float) -> dict[str, float]:
    return {f"{name}{side}": w for name, w in weights.items() for side in ("Left", "Right")}


SHAPES: dict[str, dict[str, float]] = {
    "rest": {},
    "open": {"jawOpen": 0.5, **_both(mouthLowerDown=0.3, mouthUpperUp=0.2)},
    "wide": {
        "jawOpen": 0.12,
        **_both(mouthStretch=0.4, mouthSmile=0.3, mouthLowerDown=0.4, mouthUpperUp=0.3),
    },
    "round": {"jawOpen": 0.22, "mouthFunnel": 0.5, "mouthPucker": 0.5},
    "closed": {"mouthRollLower": 0.2, "mouthRollUpper": 0.1, **_both(mouthPress=0.4)},
    "smile": _both(mouthSmile=0.75, mouthUpperUp=0.35, mouthLowerDown=0.15, mouthDimple=0.2),
}
"""Mouth weights by name of the shape."""


# --------------------------------------------------------------------------------------- materials


@dataclass(frozen=True, slots=True)
class Look:
    """A picture and the face in it."""

    frame: Frame
    face: FaceObservation
    """With the lip line of the picture, as a renderer gets it."""
    seen: Floats
    """``(478, 2)``: the landmarks as the face model gave them, to compare with others of its."""

    @property
    def bgr(self) -> Bytes:
        """The picture, ``(h, w, 3)``."""
        return frame_to_bgr(self.frame)


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """What a renderer knows of a person."""

    person: Person
    light: InteriorLight
    anatomy: MouthAnatomy
    """Teeth as they were seen, where they were; usual ones elsewhere."""
    teeth_seen: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One frame to be made again; everything but the reference lies in the source's picture."""

    name: str
    groups: tuple[str, ...]
    subject: Subject
    source: Look
    target: Look
    reference: Look | None
    """Another moment of the same person in a picture of its own; never the target."""
    similar: Look | None
    """The moment whose lips are most like the target's; never the target."""

    @property
    def height(self) -> float:
        """Face height of the target in pixels."""
        return face_height(self.target.seen)

    @property
    def inside(self) -> MouthInside:
        """What the target's landmarks tell of jaw and tongue."""
        weights, _ = source_speech(self.target.face, self.subject.person)
        return MouthInside.of_row(np.clip(weights, 0.0, 1.0))


class Observer:
    """The face model, and what it saw in earlier runs.

    Parameters
    ----------
    tracker
        Open; used for material that was not seen before.
    cache
        Folder for what was seen, or None.
    """

    def __init__(self, tracker: FaceTracker, cache: Path | None) -> None:
        self._tracker = tracker
        self._cache = cache

    def watch(self, name: str, pictures: Sequence[Bytes]) -> list[FaceObservation | None]:
        """See the face in consecutive pictures; ``name`` stands for exactly these."""
        stored = None if self._cache is None else self._cache / f"{name}.npz"
        if stored is not None and stored.exists():
            with np.load(stored) as arrays:
                return _unpacked(arrays["rows"])
        self._tracker.reset()
        rows = _packed([self._tracker.track(picture) for picture in pictures])
        if stored is not None:
            stored.parent.mkdir(parents=True, exist_ok=True)
            draft = stored.with_suffix(".part.npz")
            np.savez(draft, rows=rows)
            draft.replace(stored)
        # Rounded as they are in the cache, so that the first run gives what others give.
        return _unpacked(rows)

    def read(self, bgr: Bytes, pose: HeadPose) -> Floats:
        """Landmarks ``(478, 2)`` of a face whose pose is known."""
        region = region_of_pose(pose, self._tracker.canonical)
        return self._tracker.mesh.read(bgr, region).landmarks[:, :2]


def model_digest() -> str:
    """Tell one face model from another: what was seen by a former one is seen again."""
    return hashlib.sha256(zoo.resolve("face")["mesh"].read_bytes()).hexdigest()[:10]


_PARTS = (478 * 3, 1, 9, 3, 4, 52)


def _packed(faces: Sequence[FaceObservation | None]) -> Floats:
    rows = np.full((len(faces), sum(_PARTS)), np.nan, np.float32)
    for row, face in zip(rows, faces, strict=True):
        if face is not None:
            pose = face.pose
            angles = [pose.scale_px, pose.yaw_deg, pose.pitch_deg, pose.roll_deg]
            places = (face.landmarks.ravel(), [face.score], pose.rotation.ravel())
            row[:] = np.concatenate([*places, pose.translation_px, angles, face.blendshapes])
    return rows


def _unpacked(rows: Floats) -> list[FaceObservation | None]:
    faces: list[FaceObservation | None] = []
    for row in rows.astype(np.float32):
        if np.isnan(row[0]):
            faces.append(None)
            continue
        places, score, turn, shift, angles, weights = np.split(row, np.cumsum(_PARTS)[:-1])
        pose = HeadPose(turn.reshape(3, 3), shift, *(float(v) for v in angles))
        faces.append(FaceObservation(places.reshape(478, 3), float(score[0]), pose, weights))
    return faces


def look_of(frame: Frame, face: FaceObservation, line: Floats | None) -> Look:
    """Put a face on its picture's lip line, where one is known."""
    steadied = face if line is None else replace(face, landmarks=move_lip_line(face, line))
    return Look(frame, steadied, face.landmarks[:, :2])


def common_line(frames: Sequence[Frame], faces: Sequence[FaceObservation]) -> Floats | None:
    """Lip line of a person over several frames, as the pipeline learns it."""
    lines = [lip_line_offsets(f, o) for f, o in zip(frames, faces, strict=True)]
    known = [line for line in lines if line is not None]
    return np.median(known, axis=0).astype(np.float32) if known else None


def subject_of(looks: Sequence[Look], basis: FaceBasis) -> Subject:
    """Learn person, light and teeth from some looks, as the pipeline does."""
    colours = [face_colours(o.bgr, o.face.landmarks, o.face.pose.scale_px) for o in looks]
    skin = np.median([skin for skin, _ in colours], axis=0)
    whites = [white for _, white in colours if white is not None]
    light = light_from_skin(skin, np.median(whites, axis=0) if whites else None)
    person = fit_person([o.face for o in looks], basis)
    anatomy = fit_anatomy(person.lip_line_cm, person.mouth_width_cm)
    views = [(view_teeth(o.frame, o.face, light), o.face) for o in looks]
    teeth = [ShownTeeth.of(view, face, person) for view, face in views if view is not None]
    anatomy, light = fit_dentition(teeth, anatomy, light)
    return Subject(person, light, anatomy, bool(teeth))


def laid_over(other: Look, here: Look, *, match_skin: bool = False) -> Look:
    """Bring a look into the picture of another by what speech does not move."""
    steady = list(STEADY)
    matrix = similarity(other.seen[steady], here.seen[steady])
    picture = other.bgr
    if match_skin:
        picture = skin_matched(picture, skin_of(other), skin_of(here))
    size = (here.frame.width, here.frame.height)
    edge = cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=edge)
    return Look(
        as_frame(np.asarray(warped, np.uint8)),
        face_moved(other.face, matrix),
        moved(other.seen, matrix),
    )


def moved(points: Floats, matrix: Doubles) -> Floats:
    """Take points ``(n, 2)`` along with a similarity ``(2, 3)``."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def face_moved(face: FaceObservation, matrix: Doubles) -> FaceObservation:
    """Take a face along with a similarity of its picture."""
    scale = float(np.hypot(*matrix[:, 0]))
    flat = moved(face.landmarks[:, :2], matrix)
    landmarks = np.concatenate([flat, scale * face.landmarks[:, 2:]], 1).astype(np.float32)
    return replace(face, landmarks=landmarks, pose=moved_pose(face.pose, matrix))


def skin_of(look: Look) -> Doubles:
    """Colour of the cheeks, BGR."""
    skin, _ = face_colours(look.bgr, look.face.landmarks, look.face.pose.scale_px)
    return np.array(skin, np.float64)


def skin_matched(picture: Bytes, skin: Doubles, wanted: Doubles) -> Bytes:
    """Scale a picture's channels so that its skin gets the wanted colour."""
    gain = wanted / np.maximum(skin, 1.0)
    return np.clip(np.rint(picture * gain), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Half:
    """One half of a clip."""

    looks: dict[int, Look]
    """By number of the frame in the clip."""
    subject: Subject

    @property
    def by_gap(self) -> list[Look]:
        """The frames, by how far the lips are apart."""
        return sorted(self.looks.values(), key=lambda look: inner_lip_gap(look.seen))


def clip_pictures(path: Path) -> list[Bytes]:
    """Decode a clip, ``(h, w, 3)`` BGR each."""
    with av.open(str(path)) as container:
        decoded = container.decode(video=0)
        return [np.asarray(f.to_ndarray(format="bgr24"), np.uint8) for f in decoded]


def clip_halves(path: Path, observer: Observer, basis: FaceBasis) -> tuple[Half, Half]:
    """See a clip and learn its speaker twice, from either half."""
    pictures = clip_pictures(path)
    faces = observer.watch(f"grid/{path.stem}", pictures)
    known = [k for k, face in enumerate(faces) if face is not None]

    def half(numbers: list[int]) -> Half:
        frames = [as_frame(pictures[k]) for k in numbers]
        seen = [face for k in numbers if (face := faces[k]) is not None]
        line = common_line(frames, seen)
        looks = {
            k: look_of(frame, face, line)
            for k, frame, face in zip(numbers, frames, seen, strict=True)
        }
        return Half(looks, subject_of(list(looks.values()), basis))

    middle = len(pictures) // 2
    return half([k for k in known if k < middle]), half([k for k in known if k >= middle])


def grid_cases(
    path: Path, observer: Observer, basis: FaceBasis, *, talking: bool = False
) -> list[Case]:
    """Choose targets of a clip, and for each the source, a reference and the most similar frame.

    A talking source has its mouth open as wide as it goes.
    """
    halves = clip_halves(path, observer, basis)
    looks = {k: look for half in halves for k, look in half.looks.items()}
    numbers = np.array(list(looks))
    gaps = np.array([inner_lip_gap(look.seen) for look in looks.values()])
    steady, lips = list(STEADY), list(LIPS)
    cases = []
    for place in spread_targets(gaps, QUANTILES):
        number = int(numbers[place])
        other = halves[1] if number in halves[0].looks else halves[0]
        source = other.by_gap[-1 if talking else 0]
        laid = np.stack(
            [
                moved(look.seen[lips], similarity(look.seen[steady], source.seen[steady]))
                for look in looks.values()
            ]
        ).astype(np.float64)
        allowed = np.abs(numbers - number) > APART
        nearest = most_similar(laid, laid[place], allowed)
        widest = int(np.argmax(np.where(allowed, gaps, -np.inf)))
        cases.append(
            Case(
                name=f"{path.stem}-{number}",
                groups=(),
                subject=other.subject,
                source=source,
                target=laid_over(looks[number], source),
                reference=looks[int(numbers[widest])],
                similar=None
                if nearest is None
                else laid_over(looks[int(numbers[nearest])], source),
            )
        )
    return cases


def photo(path: Path, observer: Observer) -> Look | None:
    """See a photo of the London Set."""
    picture = cv2.imread(str(path))
    if picture is None:
        return None
    bgr = np.asarray(picture, np.uint8)
    (face,) = observer.watch(f"london/{path.stem}", [bgr])
    if face is None:
        return None
    frame = as_frame(bgr)
    return look_of(frame, face, lip_line_offsets(frame, face))


def held_out_people(folder: Path) -> list[str]:
    """Name the people of the London Set from whom nothing is learned."""
    people = (path.stem.split("_")[0] for path in sorted(folder.glob("*_neutral.jpg")))
    return [person for person in people if is_london_held_out(person)]


def london_cases(
    folder: Path, people: Sequence[str], observer: Observer, basis: FaceBasis
) -> Iterator[Case]:
    """Yield both directions of each person."""
    pairs = {
        person: (photo(folder / f"{person}_neutral.jpg", observer),
                 photo(folder / f"{person}_smiling.jpg", observer))
        for person in people
    }  # fmt: skip
    lumas = {p: skin_of(look) @ [0.114, 0.587, 0.299] for p, (look, _) in pairs.items() if look}
    middle = float(np.median(list(lumas.values())))
    for person, (neutral, smiling) in pairs.items():
        if neutral is None or smiling is None:
            continue
        skin = "darker skin" if lumas[person] < middle else "lighter skin"
        for way, source, target in (
            ("to smile", neutral, smiling),
            ("to neutral", smiling, neutral),
        ):
            yield Case(
                name=f"{person} {way}",
                groups=(way, skin),
                subject=subject_of([source], basis),
                source=source,
                target=laid_over(target, source, match_skin=True),
                reference=None,
                similar=None,
            )


# ----------------------------------------------------------------------------------------- systems


Opener: TypeAlias = Callable[[Subject], GeometricRenderer]
System: TypeAlias = Callable[[Case], Frame | None]
Systems: TypeAlias = Mapping[str, System]


class WarpOnly(GeometricRenderer):
    """The geometric renderer with nothing inside the mouth."""

    def _fill_mouth(self, warped: Frame, *_: object) -> Frame:
        return warped


@cache
def painter() -> Session:
    """Open the net of the neural renderer, once."""
    return open_painter(threads=1)


def neural(
    person: Person,
    triangles: npt.NDArray[np.int32],
    interior: InteriorModel,
    light: InteriorLight,
    *,
    teeth_seen: bool = True,
) -> NeuralRenderer:
    """Make the neural renderer of one person, without a reference."""
    return NeuralRenderer(person, triangles, interior, light, painter(), teeth_seen=teeth_seen)


def opener_of(kind: Callable[..., GeometricRenderer]) -> Opener:
    """Make an opener of renderers that are made as the geometric one is."""

    def open_one(subject: Subject) -> GeometricRenderer:
        interior = InteriorModel(subject.anatomy)
        triangles, seen = canonical_mesh().triangles, subject.teeth_seen
        return kind(subject.person, triangles, interior, subject.light, teeth_seen=seen)

    return open_one


def reenacting(open_one: Opener, *, with_reference: bool = False) -> System:
    """Make a system of a renderer; it is opened once for each subject.

    With a reference, cases that have none are left out.
    """
    last: tuple[Subject, GeometricRenderer] | None = None

    def make(case: Case) -> Frame | None:
        nonlocal last
        if with_reference and case.reference is None:
            return None
        if last is None or last[0] is not case.subject:
            last = case.subject, open_one(case.subject)
        renderer, target = last[1], case.target.face
        if case.reference is not None and with_reference and isinstance(renderer, NeuralRenderer):
            frame, face = case.reference.frame, case.reference.face
            renderer.reference = reference_mouth(frame, face, case.subject.person.lip_line_cm)
        source, landmarks = case.source, target.landmarks[:, :2]
        return renderer.reenact(source.frame, source.face, landmarks, target.pose, case.inside)

    return make


def pasted(case: Case) -> Frame | None:
    """Lay the lips of the most similar moment over the source."""
    if case.similar is None:
        return None
    frame = case.source.frame
    ellipse = ellipse_around_lips(case.target.seen)
    box = (0, 0, frame.width, frame.height)
    soft = 0.15 * float(np.ptp(ellipse[:, 0]))
    other = case.similar.frame
    return blend_frame(frame, (other.y, other.u, other.v), polygon_alpha(ellipse, box, soft), 0, 0)


RENDERERS: dict[str, Opener] = {
    "warp": opener_of(WarpOnly),
    "geometric": opener_of(GeometricRenderer),
    "neural": opener_of(neural),
}
SYSTEMS: dict[str, System] = {
    "target": lambda case: case.target.frame,
    "source": lambda case: case.source.frame,
    "paste": pasted,
    **{name: reenacting(open_one) for name, open_one in RENDERERS.items()},
    "referenced": reenacting(RENDERERS["neural"], with_reference=True),
}
NEED_NET = ("neural", "referenced")


def available_systems() -> dict[str, System]:
    """Give those systems whose weights are there."""
    try:
        painter()
    except EdgeAvatarError as error:
        print(f"without {' and '.join(NEED_NET)}: {error}")
        return {name: make for name, make in SYSTEMS.items() if name not in NEED_NET}
    return SYSTEMS


# ---------------------------------------------------------------------------------------- measures


@dataclass(frozen=True, slots=True)
class Figures:
    """Measures of one result, or their means."""

    ssim: float
    psnr: float
    lmd: float
    sharpness: float
    seam: float
    cavity: float
    outside: float
    strayed: float
    ahead: float = math.nan


RATIOS = ("sharpness", "seam")
NONE_MAY = ("outside", "strayed")
"""The largest counts, not the mean."""


def planes(frame: Frame) -> tuple[Bytes, Bytes, Bytes]:
    """Give y, u, v."""
    return frame.y, frame.u, frame.v


def reenacted_points(case: Case) -> tuple[Floats, Floats]:
    """Landmarks and rings of the source, and where :meth:`GeometricRenderer.reenact` takes them."""
    before = case.source.face.landmarks
    shift = case.target.face.landmarks[:, :2] - before[:, :2]
    rings = np.concatenate(
        [share * shift[list(FACE_OVAL)] for share in fade(HEAD_REACH, HEAD_RIGID)]
    )
    points = warp_points(before)
    return points, points + np.concatenate([shift, rings])


def outside_share(
    before: Frame, after: Frame, points: tuple[Floats, Floats], height_px: float
) -> float:
    """Share of bytes that changed where no triangle moves."""
    mesh = WarpMesh.build(canonical_mesh().triangles)
    margin = 2 + math.ceil(height_px / 240)
    still = ~moved_mask(*points, mesh.triangles, before.y.shape, margin)
    return changed_share(planes(before), planes(after), still)


def measure(case: Case, made: Frame, bare: Frame, observer: Observer) -> Figures:
    """Compare a result with the target; ``bare`` is the bare warp."""
    seen, height = case.target.seen, case.height
    box = mouth_box(seen, height, made.y.shape)
    luma, real, before = (box.cut(f.y) for f in (made, case.target.frame, case.source.frame))
    rim = box.points(lip_rim(case.target.face.landmarks[:, :2]))
    bgr = frame_to_bgr(made)
    found = observer.read(bgr, case.target.face.pose)
    own_seam = seam_energy(real, rim)
    margin = STRAY_MARGIN * height
    away = ~polygon_mask(case.target.face.landmarks[list(OUTER_LIPS), :2], made.y.shape, margin)
    return Figures(
        ssim=ssim(luma, real),
        psnr=psnr(box.cut(bgr), box.cut(case.target.bgr)),
        lmd=landmark_distance(found, seen, height),
        sharpness=detail_energy(luma) / max(detail_energy(before), 1e-6),
        seam=seam_energy(luma, rim) / max(own_seam, 1e-6) if own_seam > 0 else math.nan,
        cavity=cavity_error(luma, real, rim),
        outside=outside_share(case.source.frame, made, reenacted_points(case), height),
        strayed=changed_share(planes(made), planes(bare), away),
    )


@dataclass(frozen=True, slots=True)
class Result:
    """What one system made of one case."""

    case: str
    groups: tuple[str, ...]
    system: str
    figures: Figures


def results_of(case: Case, systems: Systems, observer: Observer) -> list[Result]:
    """Run all systems on a case."""
    made = {name: frame for name, make in systems.items() if (frame := make(case)) is not None}
    found = {name: measure(case, frame, made["warp"], observer) for name, frame in made.items()}
    bar = found["geometric"].ssim
    results = []
    for name, figures in found.items():
        # Neither is a mesh that moves the source.
        if name in ("target", "source", "paste"):
            figures = replace(figures, outside=math.nan, strayed=math.nan)
        if name != "geometric":
            figures = replace(figures, ahead=float(figures.ssim > bar))
        results.append(Result(case.name, case.groups, name, figures))
    return results


def summary(rows: Sequence[Figures]) -> Figures:
    """Average figures over cases."""
    means = {}
    for field in fields(Figures):
        values = [float(getattr(row, field.name)) for row in rows]
        if field.name in NONE_MAY:
            means[field.name] = mean_of(values, lambda known: float(known.max()))
        else:
            means[field.name] = mean_of(values, geometric_mean if field.name in RATIOS else None)
    return Figures(**means)


def summaries(results: Sequence[Result], group: str | None = None) -> dict[str, Figures]:
    """Average the figures of each system, over all cases or those of a group."""
    chosen = [r for r in results if group is None or group in r.groups]
    names = dict.fromkeys(r.system for r in chosen)
    return {name: summary([r.figures for r in chosen if r.system == name]) for name in names}


# ------------------------------------------------------------------------------------------ jitter


def middle_of(_: Path, frames: int) -> range:
    """Frames in the middle of a clip."""
    return range(frames // 2 - RUN // 2, frames // 2 + RUN // 2)


def spoken_frames(path: Path) -> tuple[int, int]:
    """First frame of a clip in which something is said, and the one after the last."""
    words = json.loads((path.parent.parent / "grid_s1_words.json").read_text("utf-8"))
    times = [(start, end) for start, end, word in words.get(path.stem, ()) if word != "sil"]
    if not times:
        return 0, 0
    return int(GRID_RATE * times[0][0]), int(GRID_RATE * times[-1][1])


def silence_of(path: Path, frames: int) -> range:
    """Frames before the first word of a clip."""
    return range(min(RUN, frames, spoken_frames(path)[0] - SILENT_MARGIN))


def jitter_of(
    path: Path,
    systems: Systems,
    observer: Observer,
    basis: FaceBasis,
    run_of: Callable[[Path, int], range],
) -> dict[str, tuple[float, float]] | None:
    """Jitter of what each system makes of a run of a clip, and of the real frames."""
    halves = clip_halves(path, observer, basis)
    looks = {k: look for half in halves for k, look in half.looks.items()}
    run = run_of(path, len(looks))
    near = range(run.start - APART, run.stop + APART)
    outside = [look for k, look in looks.items() if k not in run]
    far = [look for k, look in looks.items() if k not in near] or outside
    if not outside or len(run) < LEAST_RUN or any(k not in looks for k in run):
        return None
    source = min(outside, key=lambda look: inner_lip_gap(look.seen))
    widest = max(far, key=lambda look: inner_lip_gap(look.seen))
    real = jitter(np.stack([looks[k].seen for k in run]))
    cases = [
        Case(f"{path.stem}-{k}", (), halves[0].subject, source, laid_over(looks[k], source),
             widest, None)
        for k in run
    ]  # fmt: skip
    found = {}
    for name, make in systems.items():
        frames = [frame for case in cases if (frame := make(case)) is not None]
        if name == "source" or len(frames) < len(run):
            continue
        meshes = [
            observer.read(frame_to_bgr(frame), case.target.face.pose)
            for case, frame in zip(cases, frames, strict=True)
        ]
        found[name] = jitter(np.stack(meshes)), real
    return found


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Jitter over all clips, px at face height 256."""

    jitter: float
    real: float
    over_target: float
    worst: float


def steadiness(found: Sequence[dict[str, tuple[float, float]]]) -> dict[str, Steadiness]:
    """Average the jitter of each system over clips."""
    names = dict.fromkeys(name for row in found for name in row)
    table = {}
    for name in names:
        made, real = np.array([row[name] for row in found]).T
        over = made - np.array([row["target"][0] for row in found])
        table[name] = Steadiness(
            float(made.mean()), float(real.mean()), float(over.mean()), float(over.max())
        )
    return table


# ------------------------------------------------------------------------------------------- sheet


def row_of(weights: dict[str, float]) -> Floats:
    """Make a row of mouth weights of a named shape."""
    return np.array([weights.get(name, 0.0) for name in MOTION_NAMES], np.float32)


def rendered_points(look: Look, person: Person, row: Floats) -> tuple[Floats, Floats]:
    """Landmarks and rings, and where :meth:`GeometricRenderer.render` takes them."""
    shift = mouth_displacement(look.face, person, row)
    rings = np.concatenate([share * shift[list(FACE_OVAL)] for share in fade(MOUTH_REACH)])
    marks = look.face.landmarks
    points = warp_points(marks)
    return points, points + np.concatenate([shift, rings])


CELL = 360
"""Width of a cell of the sheet: the lower face above, the mouth at four times its size below."""
MOUTH_CELL = round(CELL * 0.9)
"""Height of its lower part."""


def cell_of(bgr: Bytes, landmarks: Floats) -> Bytes:
    """Draw lower face and mouth; the places are those of the source and the same for all shapes."""
    height = face_height(landmarks)
    x, y = (float(v) for v in landmarks[list(LIPS)].mean(0))
    # 4 times a face height of 256 px; the face itself is shown at about 1.5 times.
    mouth = CELL / (4 * 256) * height
    parts = []
    for width, ratio, up in ((CELL / (1.6 * 256) * height, 0.85, 0.42), (mouth, 0.9, 0.36)):
        size = (CELL, round(CELL * ratio))
        scale = CELL / width
        corner = (x - width / 2, y - up * ratio * width)
        matrix = np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]])
        picture = cv2.warpAffine(
            bgr, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        parts.append(np.asarray(picture, np.uint8))
    return np.concatenate(parts)


def titled(picture: Bytes, title: str) -> Bytes:
    """Write a title on a picture."""
    out = picture.copy()
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(out, title, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thick, cv2.LINE_AA)
    return out


def draw_sheet(
    looks: Iterable[tuple[str, Look]], system: str, basis: FaceBasis
) -> tuple[Bytes, float]:
    """Draw all shapes of some faces; returns the sheet and the largest share changed outside."""
    rows, shares = [], []
    for name, look in looks:
        subject = subject_of([look], basis)
        renderer = RENDERERS[system](subject)
        cells = []
        for shape, weights in SHAPES.items():
            row = row_of(weights)
            made = renderer.render(look.frame, look.face, row, None)
            points = rendered_points(look, subject.person, row)
            shares.append(outside_share(look.frame, made, points, face_height(look.seen)))
            cells.append(titled(cell_of(frame_to_bgr(made), look.seen), f"{name} {shape}"))
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows), mean_of(shares, lambda known: float(known.max()))


def strangers_of(
    folder: Path, strangers: Sequence[str], observer: Observer
) -> Iterator[tuple[str, Look]]:
    """See photos of people no net has learned from."""
    for stranger in strangers:
        look = photo(folder / f"{stranger}.jpg", observer)
        if look is None:
            print(f"sheet: {stranger} is not there")
        else:
            yield stranger, look


def varied_faces(observer: Observer) -> Iterator[tuple[str, Look]]:
    """See portraits of nobody, and the first frame of each filmed person."""
    pictures = {f"{k}": make_portrait(k, truncation=TRUNCATION).image for k in PORTRAITS}
    for name, path in zoo.resolve("fixture-vitallens").items():
        with open_video(path) as video:
            pictures[name] = frame_to_bgr(next(iter(video.frames())))
    for name, picture in pictures.items():
        (face,) = observer.watch(f"faces/{name}", [picture])
        if face is not None:
            frame = as_frame(picture)
            yield name, look_of(frame, face, lip_line_offsets(frame, face))


def hard_faces(observer: Observer) -> Iterator[tuple[str, Look, str]]:
    """See portraits of nobody that are hard to give a mouth, each with the shape that shows it."""
    draw = np.random.default_rng(7)
    for name, (seed, truncation, change, amount, shape) in HARD.items():
        picture = make_portrait(seed, truncation=truncation).image
        (face,) = observer.watch(f"hard/{seed}", [picture])
        if change is not None and face is not None:
            picture = change(picture, face, amount, draw)
            (face,) = observer.watch(f"hard/{name}", [picture])
        if face is not None:
            frame = as_frame(picture)
            yield name, look_of(frame, face, lip_line_offsets(frame, face)), shape


def draw_hard(observer: Observer, system: str, basis: FaceBasis) -> Bytes:
    """Draw one shape of each hard face, four in a row, the mouth alone."""
    cells = []
    for name, look, shape in hard_faces(observer):
        renderer = RENDERERS[system](subject_of([look], basis))
        made = renderer.render(look.frame, look.face, row_of(SHAPES[shape]), None)
        cells.append(titled(cell_of(frame_to_bgr(made), look.seen)[-MOUTH_CELL:], name))
    rows = [np.concatenate(cells[k : k + 4], axis=1) for k in range(0, len(cells) // 4 * 4, 4)]
    return np.concatenate(rows)


def draw_case(case: Case, systems: Systems) -> Bytes:
    """Draw the mouth box of a case under all systems, the target first, three times enlarged."""
    box = mouth_box(case.target.seen, case.height, case.source.frame.y.shape)
    wide = MouthBox(box.left, box.top, box.side, 270)
    cells = []
    for name, make in systems.items():
        frame = make(case)
        cut = np.zeros((270, 270, 3), np.uint8) if frame is None else wide.cut(frame_to_bgr(frame))
        cells.append(titled(cut, f"{case.name} {name}"))
    return np.concatenate(cells, axis=1)


def may_be_written(path: Path) -> bool:
    """Tell whether a picture of real people may lie there: not among what is published."""
    place = path.resolve()
    return not place.is_relative_to(ROOT) or place.is_relative_to(ROOT / "out")


# -------------------------------------------------------------------------------------------- main


def print_table(title: str, rows: Mapping[str, DataclassInstance]) -> None:
    """Print a row for each system."""
    print(f"\n{title}")
    if not rows:
        print("nothing was found to measure")
        return
    columns = [field.name for field in fields(next(iter(rows.values())))]
    width = max(len(name) for name in rows)
    print(" " * width + "".join(f"{column.replace('_', ' '):>15}" for column in columns))
    for name, row in rows.items():
        values = [float(getattr(row, column)) for column in columns]
        shown = "".join(f"{'-' if math.isnan(v) else format(v, '.3f'):>15}" for v in values)
        print(f"{name:<{width}}{shown}")


def plain(rows: Mapping[str, DataclassInstance]) -> dict[str, dict[str, float | None]]:
    """Make rows fit for JSON."""
    table: dict[str, dict[str, float | None]] = {}
    for name, row in rows.items():
        values = {field.name: float(getattr(row, field.name)) for field in fields(row)}
        table[name] = {k: round(v, 5) if math.isfinite(v) else None for k, v in values.items()}
    return table


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Choose so many evenly from a sorted list."""
    if len(paths) <= count:
        return list(paths)
    return [paths[k * len(paths) // count] for k in range(count)]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=MATERIALS, default=MATERIALS)
    parser.add_argument("--quick", action="store_true", help="fewer clips and people")
    parser.add_argument("--sheet", type=Path, help="PNG to draw the strangers to, under out/")
    parser.add_argument("--faces", type=Path, help="PNG to draw varied faces to, under out/")
    parser.add_argument("--hard", type=Path, help="picture to draw hard faces of nobody to")
    parser.add_argument("--system", choices=RENDERERS, default="geometric", help="that draws it")
    parser.add_argument("--cases", type=Path, help="PNG to draw some cases to, under out/")
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "cache" / "renderer")
    parser.add_argument("--data", type=Path, help="folder of the data sets; $EDGEAVATAR_DATA")
    parser.add_argument("--json", type=Path, help="file to write the JSON line to as well")
    options = parser.parse_args()
    for path in (options.sheet, options.faces, options.cases):
        if path is not None and not may_be_written(path):
            parser.error(f"{path}: pictures of these people may be written to out/ only")
    return options


def main() -> None:
    """Print a table for each material and one line of JSON."""
    options = arguments()
    data = options.data or Path(
        os.environ.get("EDGEAVATAR_DATA") or ROOT.parent / "shared" / "data"
    )
    basis = load_basis()
    systems = available_systems()
    results: dict[str, object] = {}
    drawn: list[Bytes] = []

    def report(material: str, title: str, rows: Mapping[str, Figures | Steadiness]) -> None:
        print_table(f"{material}: {title}", rows)
        results[material] = {"of": title, **plain(rows)}

    def there(material: str, folder: str) -> bool:
        if material not in options.only:
            return False
        if not (data / folder).is_dir():
            print(f"\n{material}: skipped, the data set {folder} is not there (--data)")
            return False
        return True

    with FaceTracker(choice="largest", threads=1) as tracker:
        observer = Observer(tracker, options.cache / model_digest())
        clips = [p for p in sorted((data / "grid_s1").glob("*.mp4")) if is_held_out(p.stem)]
        for material in ("grid", "open"):
            if there(material, "grid_s1"):
                chosen = spread(clips, 2 if options.quick else CLIPS)
                found: list[Result] = []
                for path in chosen:
                    cases = grid_cases(path, observer, basis, talking=material == "open")
                    for case in cases:
                        found += results_of(case, systems, observer)
                    drawn += [draw_case(case, systems) for case in cases[:3] if len(drawn) < 12]
                report(material, f"{len(chosen)} clips of {len(clips)} held out", summaries(found))
        if there("london", "london"):
            people = held_out_people(data / "london")
            chosen_people = people[:3] if options.quick else people
            found = []
            for case in london_cases(data / "london", chosen_people, observer, basis):
                found += results_of(case, systems, observer)
                drawn.append(draw_case(case, systems))
            title = f"{len(chosen_people)} people of {len(people)} held out"
            report("london", title, summaries(found))
            for group in sorted({g for r in found for g in r.groups}):
                report(f"london {group}", "of these", summaries(found, group))
        if there("sheet", "london"):
            strangers = STRANGERS[:2] if options.quick else STRANGERS
            looks = strangers_of(data / "london", strangers, observer)
            sheet, share = draw_sheet(looks, options.system, basis)
            print(f"\nsheet: {options.system}, {len(strangers)} strangers, {len(SHAPES)} shapes; "
                  f"largest share of bytes changed outside: {share}")  # fmt: skip
            results["sheet"] = {"system": options.system, "outside": share}
            if options.sheet:
                options.sheet.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(options.sheet), sheet)
        if options.hard:
            options.hard.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(options.hard), draw_hard(observer, options.system, basis))
        if options.faces:
            sheet, _ = draw_sheet(varied_faces(observer), options.system, basis)
            options.faces.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(options.faces), sheet)
        for material, run_of in (("jitter", middle_of), ("rest", silence_of)):
            if there(material, "grid_s1"):
                runs = [
                    run
                    for path in spread(clips, 1 if options.quick else JITTER_CLIPS)
                    if (run := jitter_of(path, systems, observer, basis, run_of)) is not None
                ]
                report(material, f"{len(runs)} runs of up to {RUN} frames", steadiness(runs))
    if options.cases and drawn:
        options.cases.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(options.cases), np.concatenate(drawn))
    line = json.dumps(
        {
            "benchmark": "renderer",
            "version": edgeavatar.__version__,
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "quick": options.quick,
            **results,
        }
    )
    print(f"\n{line}")
    if options.json:
        options.json.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
