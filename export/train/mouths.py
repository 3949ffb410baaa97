r"""Gather what the mouth painter learns from: pairs of pictures of one person, and the layers.

python -m export.train.mouths --data DATA -o out/mouths

Each sample is a source that the runtime's own warp has brought to the landmarks of a target, the
modelled inside of the mouth in the target's shape, and the target itself, all in the square that
the renderer sees (:mod:`edgeavatar.rendering.layers`).

- London: neutral to smiling and back; and neutral to smiles that are half closed, made by moving
  the lips of the smiling photo over its own teeth, which stay with the skull.
- GRID: from a frame of a clip to two others, with one more as the reference; each target with the
  frame after it, so that steadiness can be learned. The source is the most closed frame, or for
  three of four second targets an open one, as sources are that talk.
- Rig: the photographed people with open mouths, made up by :mod:`export.train.rig_mouths`.

Some are drawn over modelled teeth that were fitted to the person's own, as the runtime has them
where a source shows teeth: they are fitted on the smile itself, or on other frames of the clip.

People and clips that are held out get a part of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.face import FaceTracker
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.rendering.basis import FaceBasis, load_basis
from edgeavatar.rendering.dentition import MouthAnatomy, fit_anatomy
from edgeavatar.rendering.dentition_fit import ShownTeeth, fit_dentition, view_teeth
from edgeavatar.rendering.geometric import GeometricRenderer, lip_rim
from edgeavatar.rendering.geometry import STEADY, Person, fit_person, source_speech
from edgeavatar.rendering.interior import (
    InteriorLight,
    InteriorModel,
    MouthInside,
    face_colours,
    light_from_skin,
)
from edgeavatar.rendering.layers import (
    MouthCrop,
    MouthLayers,
    crop_mouth,
    draw_interior,
    draw_layers,
    moved_pose,
    similarity,
)
from edgeavatar.rendering.lipline import closedness, lip_line_offsets, move_lip_line
from edgeavatar.rendering.mesh import warp_points
from edgeavatar.rendering.softness import camera_softness
from edgeavatar.types import ColourTags, FaceObservation, Frame
from export.train.filmed import is_held_out

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

LONDON_SIZE, GRID_SIZE = 256, 128
PARTS = ("grid", "rig", "london")
"""Files of a pack, the one that takes longest first."""
PARTIAL_SMILES = (0.45, 0.75)
HELD_OUT_SHARE = 40
"""Of 256: people whose hash is below are never learned from."""
LONDON_FITTED, GRID_FITTED = 128, 192
"""Of 256: people and clips whose modelled teeth are fitted to the person's own, if these show."""
_STUDIO = ColourTags(matrix="bt709", range="full")


@dataclass(frozen=True, slots=True)
class Sample:
    """One source, brought to one target."""

    name: str
    held_out: bool
    layers: MouthLayers
    target: Bytes
    """``(s, s, 3)`` BGR."""
    teeth_known: bool
    """The target's own teeth may be learned from."""
    light_known: bool = False
    """The light on what is between its lips may be learned from, and the rim; not its teeth."""
    fitted: bool = False
    """The modelled teeth are fitted to the person's own."""
    follows: str = ""
    """Name of the sample whose target is the frame before, all else being the same."""


@dataclass(frozen=True, slots=True)
class Look:
    """A picture and the face in it."""

    bgr: Bytes
    frame: Frame
    face: FaceObservation


def is_london_held_out(person: str) -> bool:
    """Tell whether a person of the London Set, by number, is never learned from."""
    return hashlib.sha256(person.encode()).digest()[0] < HELD_OUT_SHARE


class _Layered(GeometricRenderer):
    """Keeps what the renderer would have been given instead of painting."""

    taken: tuple[Frame, Floats] | None = None

    def _fill_mouth(self, warped: Frame, *others: object) -> Frame:  # type: ignore[override]
        self.taken = (warped, others[3])  # type: ignore[assignment]
        return warped


class Painter:
    """Draws layers of one person.

    Parameters
    ----------
    person
        Who.
    light
        On the face.
    triangles
        Of the face mesh.
    fitted
        Anatomy and light that were found on the person's own teeth, if they were.
    """

    def __init__(
        self,
        person: Person,
        light: InteriorLight,
        triangles: npt.NDArray[np.int32],
        fitted: tuple[MouthAnatomy, InteriorLight] | None = None,
    ) -> None:
        self.person, self.triangles = person, triangles
        self.fitted = fitted is not None
        if fitted is None:
            fitted = fit_anatomy(person.lip_line_cm, person.mouth_width_cm), light
        anatomy, self.light = fitted
        self.interior = InteriorModel(anatomy)
        self.renderer = GeometricRenderer(person, triangles, self.interior, self.light)
        self._layered = _Layered(person, triangles, self.interior, self.light)

    def warped(
        self, source: Look, target: FaceObservation, crop: MouthCrop
    ) -> tuple[Bytes, Floats]:
        """Bring a source to landmarks in its own picture; returns the cut and all landmarks."""
        self._layered.taken = None
        face = source.face
        self._layered.reenact(
            source.frame, face, target.landmarks[:, :2], target.pose, MouthInside()
        )
        if self._layered.taken is None:
            raise ValueError("nothing moves")
        frame, targets = self._layered.taken
        return crop.cut(frame_to_bgr(frame)), targets

    def layers(
        self,
        source: Look,
        target: FaceObservation,
        size: int,
        reference: Bytes | None,
        inside: MouthInside | None = None,
    ) -> tuple[MouthCrop, MouthLayers]:
        """Draw all layers; ``target`` is in the source's picture.

        How jaw and tongue stand is read off the target where it is not known.
        """
        crop = crop_mouth(target.pose, self.person.lip_line_cm, size)
        warped, targets = self.warped(source, target, crop)
        rim = lip_rim(targets)
        if inside is None:
            weights, _ = source_speech(target, self.person)
            inside = MouthInside.of_row(np.clip(weights, 0.0, 1.0))
        softness = camera_softness(source.frame, source.face)
        interior = draw_interior(
            self.interior, crop, target.pose, inside, self.light, rim, softness
        )
        mesh = self.renderer.mesh
        points = warp_points(source.face.landmarks)
        layers = draw_layers(
            crop, warped, (points, targets), (mesh.triangles, mesh.reach), interior, rim, reference
        )
        if reference is not None:
            return crop, layers
        # As the renderer does: what a source shows between its own lips is no skin.
        apart = (1.0 - closedness(source.face)) * layers.cavity[..., None]
        mixed = warped + apart * (interior.astype(np.float32) - warped)
        return crop, replace(layers, warped=np.rint(mixed).astype(np.uint8))


def as_frame(bgr: Bytes) -> Frame:
    """Make a picture a frame; sides are cut to even numbers."""
    height, width = (side & ~1 for side in bgr.shape[:2])
    planes = bgr_to_planes(np.ascontiguousarray(bgr[:height, :width]), _STUDIO)
    return Frame(0, Fraction(0), *planes, _STUDIO)


def look_at(bgr: Bytes, tracker: FaceTracker) -> Look | None:
    """Find the face in the next picture."""
    face = tracker.track(bgr)
    if face is None:
        return None
    frame = as_frame(bgr)
    offsets = lip_line_offsets(frame, face)
    if offsets is not None:
        face = replace(face, landmarks=move_lip_line(face, offsets))
    return Look(bgr, frame, face)


def in_picture_of(other: Look, here: Look) -> tuple[FaceObservation, npt.NDArray[np.float64]]:
    """Lay a face over another by what speech does not move; returns it and the similarity."""
    steady = list(STEADY)
    matrix = similarity(other.face.landmarks[steady, :2], here.face.landmarks[steady, :2])
    scale = float(np.hypot(*matrix[:, 0]))
    points = other.face.landmarks.astype(np.float64)
    flat = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    landmarks = np.concatenate([flat, scale * points[:, 2:]], axis=1).astype(np.float32)
    pose = moved_pose(other.face.pose, matrix)
    return replace(other.face, landmarks=landmarks, pose=pose), matrix


def cut_from(picture: Bytes, matrix: npt.NDArray[np.float64], crop: MouthCrop) -> Bytes:
    """Cut the square out of a picture that is first laid over another."""
    both = np.vstack([crop.matrix, [0, 0, 1]]) @ np.vstack([matrix, [0, 0, 1]])
    return replace(crop, matrix=both[:2]).cut(picture)


def skin_matched(target: Bytes, source: Bytes, keep: npt.NDArray[np.bool_]) -> Bytes:
    """Scale a picture's colours so that its skin has the source's mean."""
    gain = source[keep].mean(axis=0) / np.maximum(target[keep].mean(axis=0), 1.0)
    return np.clip(np.rint(target * np.clip(gain, 0.7, 1.4)), 0, 255).astype(np.uint8)


def sample_of(
    name: str,
    painter: Painter,
    source: Look,
    target: Look,
    *,
    held_out: bool,
    size: int,
    teeth_known: bool,
    reference: Look | None = None,
    follows: str = "",
) -> Sample:
    """Draw one sample."""
    face, matrix = in_picture_of(target, source)
    other = None
    if reference is not None:
        there, _ = in_picture_of(target, reference)
        place = crop_mouth(there.pose, painter.person.lip_line_cm, size)
        other, _ = painter.warped(reference, there, place)
    crop, layers = painter.layers(source, face, size, other)
    truth = cut_from(target.bgr, matrix, crop)
    still = (layers.lips < 0.01) & (layers.warped.min(axis=2) > 8)
    still[size * 3 // 4 :] = False
    return Sample(
        name,
        held_out,
        layers,
        skin_matched(truth, layers.warped, still),
        teeth_known,
        fitted=painter.fitted,
        follows=follows,
    )


def london_looks(folder: Path, tracker: FaceTracker) -> Iterator[tuple[str, Look, Look]]:
    """Yield every photographed person: number, at rest, smiling."""
    for path in sorted(folder.glob("*_neutral.jpg")):
        name = path.stem.split("_")[0]
        tracker.reset()
        pictures = (cv2.imread(str(folder / f"{name}_{m}.jpg")) for m in ("neutral", "smiling"))
        neutral, smiling = (look_at(p.astype(np.uint8), tracker) for p in pictures if p is not None)
        if neutral is not None and smiling is not None:
            yield name, neutral, smiling


def fitted_teeth(
    looks: Sequence[Look], person: Person, light: InteriorLight
) -> tuple[MouthAnatomy, InteriorLight] | None:
    """Fit modelled teeth to the look that shows most teeth, as the runtime does; None if none does.

    One look is enough, and takes less than a second.
    """
    shown = []
    for look in looks:
        view = view_teeth(look.frame, look.face, light)
        if view is not None:
            shown.append(ShownTeeth.of(view, look.face, person))
    if not shown:
        return None
    most = max(shown, key=lambda s: s.view.teeth_cm2)
    usual = fit_anatomy(person.lip_line_cm, person.mouth_width_cm)
    return fit_dentition([most], usual, light)


def is_fitted(name: str, share: int) -> bool:
    """Tell, by its name, whether what is modelled is fitted; ``share`` is out of 256."""
    return hashlib.sha256(name.encode()).digest()[1] < share


def london_samples(
    people: Iterable[tuple[str, Look, Look]], tracker: FaceTracker, basis: FaceBasis
) -> Iterator[Sample]:
    """Yield the samples of every photographed person, see :func:`london_looks`."""
    triangles = tracker.canonical.triangles
    for name, neutral, smiling in people:
        person = fit_person([neutral.face], basis)
        held_out = is_london_held_out(name)
        # Those by whom runs are compared are all drawn over the same teeth.
        found = None
        if not held_out and is_fitted(name, LONDON_FITTED):
            found = fitted_teeth([smiling], person, light_on(smiling))
        rest = Painter(person, light_on(neutral), triangles, found)
        smile = Painter(person, light_on(smiling), triangles, found)
        args = {"held_out": held_out, "size": LONDON_SIZE, "teeth_known": True}
        yield sample_of(f"{name}-ns", rest, neutral, smiling, **args)  # type: ignore[arg-type]
        yield sample_of(f"{name}-sn", smile, smiling, neutral, **args)  # type: ignore[arg-type]
        calm, _ = in_picture_of(neutral, smiling)
        for share in PARTIAL_SMILES:
            mixed = calm.landmarks + share * (smiling.face.landmarks - calm.landmarks)
            made = smile.renderer.reenact(
                smiling.frame, smiling.face, mixed[:, :2], smiling.face.pose, MouthInside()
            )
            half = Look(frame_to_bgr(made), made, replace(smiling.face, landmarks=mixed))
            yield sample_of(f"{name}-n{share}", rest, neutral, half, **args)  # type: ignore[arg-type]


def grid_samples(
    folder: Path, tracker: FaceTracker, basis: FaceBasis, seed: int = 5
) -> Iterator[Sample]:
    """Yield two pairs of every other clip: its widest mouth, any, and the frame after each.

    Three of four second pairs are from an open mouth.
    """
    draw = np.random.default_rng(seed)
    for path in sorted(folder.glob("*.mp4"))[::2]:
        tracker.reset()
        with av.open(str(path)) as container:
            pictures = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
        seen, after = [], []
        for now, then in zip(pictures[::3], pictures[1::3], strict=False):
            pair = look_at(now, tracker), look_at(then, tracker)
            if pair[0] is not None:
                seen.append(pair[0])
                after.append(pair[1])
        if len(seen) < 12:
            continue
        gaps = np.array([_gap(look.face) for look in seen])
        order = np.argsort(gaps)
        closed = seen[order[0]]
        person = fit_person([look.face for look in seen], basis)
        light, held_out = light_on(closed), is_held_out(path.stem)
        targets = (int(order[-1]), int(draw.choice(order[len(order) // 3 : -1])))
        found = None
        if not held_out and is_fitted(path.stem, GRID_FITTED):
            others = [int(i) for i in order[::-1] if min(abs(int(i) - k) for k in targets) >= 3]
            found = fitted_teeth([seen[i] for i in others[:3]], person, light)
        painter = Painter(person, light, tracker.canonical.triangles, found)
        talks = bool(hashlib.sha256(path.stem.encode()).digest()[2] & 3)
        for number, k in enumerate(targets):
            source = closed
            if number == 1 and talks:
                wide = [int(i) for i in order[-6:] if abs(int(i) - k) >= 3]
                source = seen[wide[int(draw.integers(0, len(wide)))]] if wide else closed
            far = [i for i in order[::-1] if abs(int(i) - k) >= 3 and seen[i] is not source]
            reference = seen[far[int(draw.integers(0, 3))]]
            name = f"{path.stem}-{k}"
            for target, own, follows in ((seen[k], name, ""), (after[k], f"{name}+", name)):
                if target is not None:
                    yield sample_of(
                        own,
                        painter,
                        source,
                        target,
                        held_out=held_out,
                        size=GRID_SIZE,
                        teeth_known=False,
                        reference=reference,
                        follows=follows,
                    )


def _gap(face: FaceObservation) -> float:
    return float(face.landmarks[14, 1] - face.landmarks[13, 1])


def light_on(look: Look) -> InteriorLight:
    """Estimate the light on a face."""
    skin, white = face_colours(look.bgr, look.face.landmarks, look.face.pose.scale_px)
    return light_from_skin(skin, white)


# ------------------------------------------------------------------------------------------ files


def write(path: Path, samples: list[Sample]) -> None:
    """Write samples of one size: pictures as JPEG, shifts as eighths of a pixel."""
    coded: dict[str, list[Bytes]] = {"warped": [], "interior": [], "target": [], "reference": []}
    for s in samples:
        blank = np.zeros_like(s.target)
        for key, picture in (
            ("warped", s.layers.warped),
            ("interior", s.layers.interior),
            ("target", s.target),
            ("reference", blank if s.layers.reference is None else s.layers.reference),
        ):
            how = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
            _, data = cv2.imencode(".jpg", picture, how)
            coded[key].append(data.ravel())
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for key, codes in coded.items():
        arrays[key] = np.concatenate(codes)
        arrays[f"{key}_bytes"] = np.array([len(c) for c in codes])
    index = [
        {
            "name": s.name,
            "held_out": s.held_out,
            "teeth_known": s.teeth_known,
            "light_known": s.light_known,
            "fitted": s.fitted,
            "reference": s.layers.reference is not None,
            "follows": s.follows,
        }
        for s in samples
    ]
    shifts = [np.clip(np.rint(8.0 * s.layers.shift), -32768, 32767) for s in samples]
    draft = path.with_suffix(".part.npz")
    np.savez_compressed(
        draft,
        index=json.dumps(index),
        cavity=np.stack([np.rint(255 * s.layers.cavity) for s in samples]).astype(np.uint8),
        lips=np.stack([np.rint(255 * s.layers.lips) for s in samples]).astype(np.uint8),
        shift=np.stack(shifts).astype(np.int16),
        **arrays,
    )
    draft.replace(path)


def make(part: str, data: Path, output: Path) -> str:
    """Write one part and tell about it.

    Parameters
    ----------
    part
        One of :data:`PARTS`.
    data
        Folder of the data sets.
    output
        Folder to write to.
    """
    # It draws its samples with what is in here.
    from export.train.rig_mouths import rig_samples

    basis = load_basis()
    with FaceTracker(choice="largest", threads=1) as tracker:
        if part == "grid":
            found = list(grid_samples(data / "grid_s1", tracker, basis))
        else:
            people = list(london_looks(data / "london", tracker))
            if part == "london":
                found = list(london_samples(people, tracker, basis))
            else:
                found = list(rig_samples(people, data / "ict_facekit.npz", tracker, basis))
    path = output / f"{part}.npz"
    write(path, found)
    held, fitted = sum(s.held_out for s in found), sum(s.fitted for s in found)
    return (
        f"{path}: {len(found)} samples, {held} held out, {fitted} over fitted teeth,"
        f" {path.stat().st_size} bytes"
    )


def main() -> None:
    """Write all parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="all if not given")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(make, part, options.data, options.output) for part in options.parts]
        for job in as_completed(jobs):
            print(job.result(), flush=True)


if __name__ == "__main__":
    main()
