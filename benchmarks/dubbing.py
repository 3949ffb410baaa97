"""How a mouth behaves from frame to frame when its source talks, and says something else.

A film whose speaker talks is given other words, or none; every frame's own mouth has to be undone.
What a single frame hides is seen here: teeth that jump when the source shuts its lips, a mouth held
shut that trembles.

- ``dubbed``: the first 20 frames of speech of a held-out GRID clip are given the landmarks of the
  last 20, and the other way round. Person, teeth, light and the reference are those of the source's
  half of the clip, so nothing of the target but its landmarks reaches a renderer.
- ``hushed``: the first 20 frames of speech are given a row of zeros, as ``render`` gives them where
  nothing is said.
- ``still``: the same of the silence before the first word, 10 to 20 frames.

Systems are those of ``benchmarks/renderer.py`` (``referenced`` is what ``render`` takes for a film)
and faces are steadied as ``render`` does. Measures, at a face height of 256 px: ssim, cavity and
jitter as there; flicker, mean absolute change from one frame to the next of the error of luma
between the lips, which does not count an error that stays, over frames whose mouth is open; over
film, jitter above that of the real frames, laid over the source as the made ones are (dubbed), or
of the film's own silence (hushed and still): at most .1 is asked for.

    python benchmarks/dubbing.py [--clips N] [--only dubbed hushed] [--cases PNG] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

import edgeavatar
from benchmarks._mouth_measures import (
    OPEN_AREA,
    Bytes,
    Floats,
    cavity_error,
    mean_of,
    mouth_box,
    polygon_area,
    polygon_mask,
)
from benchmarks.renderer import (
    JITTER_CLIPS,
    LEAST_RUN,
    RENDERERS,
    ROOT,
    RUN,
    Case,
    Look,
    Observer,
    Subject,
    clip_pictures,
    common_line,
    laid_over,
    look_of,
    may_be_written,
    model_digest,
    plain,
    print_table,
    silence_of,
    spoken_frames,
    spread,
    subject_of,
    titled,
)
from edgeavatar.face import FaceTracker
from edgeavatar.face.measures import inner_lip_gap, jitter
from edgeavatar.face.smoothing import smooth_offline
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.rendering.basis import FaceBasis, load_basis
from edgeavatar.rendering.geometric import GeometricRenderer, lip_rim
from edgeavatar.rendering.neural import NeuralRenderer, reference_mouth
from edgeavatar.types import MOTION_NAMES, FaceObservation, Frame
from export.measures import ssim
from export.train.filmed import is_held_out
from export.train.mouths import as_frame

MATERIALS = ("dubbed", "hushed", "still")
CELL = 200
"""Pixels along a side of a cell of the picture."""


@dataclass(frozen=True, eq=False, slots=True)
class Film:
    """A clip as ``render`` sees it."""

    path: Path
    looks: dict[int, Look]
    """By number of the frame; landmarks are steadied, ``seen`` are those of the face model."""

    def speech(self, second: bool) -> list[int]:
        """Numbers of the first frames of what is said, or of the last."""
        first, last = spoken_frames(self.path)
        return self._run(range(last - RUN, last) if second else range(first, first + RUN))

    @property
    def silence(self) -> list[int]:
        """Numbers of the frames before the first word."""
        return self._run(silence_of(self.path, len(self.looks)))

    def half(self, second: bool) -> list[Look]:
        """Frames of one half."""
        middle = len(self.looks) // 2
        return [look for k, look in self.looks.items() if (k >= middle) == second]

    def _run(self, numbers: range) -> list[int]:
        whole = len(numbers) >= LEAST_RUN and all(k in self.looks for k in numbers)
        return list(numbers) if whole else []


def film_of(path: Path, observer: Observer) -> Film:
    """See a clip."""
    pictures = clip_pictures(path)
    seen = observer.watch(f"grid/{path.stem}", pictures)
    steady = list(smooth_offline(seen))
    known = [k for k, face in enumerate(steady) if face is not None and seen[k] is not None]
    frames = {k: as_frame(pictures[k]) for k in known}
    faces: dict[int, FaceObservation] = {k: f for k in known if (f := steady[k]) is not None}
    line = common_line(list(frames.values()), list(faces.values()))
    looks = {}
    for k in known:
        raw = seen[k]
        assert raw is not None
        look = look_of(frames[k], faces[k], line)
        looks[k] = Look(look.frame, look.face, raw.landmarks[:, :2])
    return Film(path, looks)


@dataclass(frozen=True, slots=True)
class Figures:
    """Measures of a run of frames of one system, or their means."""

    ssim: float
    cavity: float
    flicker: float
    jitter: float
    over_film: float


def renderers(subject: Subject, looks: Sequence[Look]) -> dict[str, GeometricRenderer]:
    """Open all renderers of a person; the last has the widest mouth of these frames to show."""
    found = {name: open_one(subject) for name, open_one in RENDERERS.items()}
    referenced = RENDERERS["neural"](subject)
    assert isinstance(referenced, NeuralRenderer)
    widest = max(looks, key=lambda look: inner_lip_gap(look.seen))
    referenced.reference = reference_mouth(widest.frame, widest.face, subject.person.lip_line_cm)
    return {**found, "referenced": referenced}


def flicker(made: Sequence[Frame], cases: Sequence[Case]) -> float:
    """Mean change of the error between the lips, levels; nan if the mouth is never open."""
    errors, masks = [], []
    size = mouth_box(cases[0].target.seen, cases[0].height, made[0].y.shape).size
    for frame, case in zip(made, cases, strict=True):
        box = replace(mouth_box(case.target.seen, case.height, frame.y.shape), size=size)
        real = case.target.frame.y
        errors.append(box.cut(frame.y).astype(np.float64) - box.cut(real))
        rim = box.points(lip_rim(case.target.face.landmarks[:, :2]))
        mask = polygon_mask(rim, errors[-1].shape)
        masks.append(mask & (polygon_area(rim) >= OPEN_AREA))
    total = count = 0.0
    for (a, b), (one, two) in zip(pairwise(errors), pairwise(masks), strict=True):
        both = one & two
        total += float(np.abs(a - b)[both].sum())
        count += int(both.sum())
    return total / count if count else math.nan


def read(frame: Frame, case: Case, observer: Observer) -> Floats:
    """Landmarks that the face model finds in a result."""
    return observer.read(frame_to_bgr(frame), case.target.face.pose)


def dubbed(
    film: Film, observer: Observer, basis: FaceBasis, *, second: bool
) -> tuple[dict[str, Figures], list[Bytes]]:
    """Give one half of a clip the mouth of the other; returns figures and a strip of each."""
    own, other = film.speech(second), film.speech(not second)
    if not own or not other:
        return {}, []
    looks = film.half(second)
    subject = subject_of(looks, basis)
    cases = [
        Case("", (), subject, film.looks[k], laid_over(film.looks[j], film.looks[k]), None, None)
        for k, j in zip(own, other, strict=True)
    ]
    films: dict[str, list[Frame]] = {"target": [case.target.frame for case in cases]}
    for name, renderer in renderers(subject, looks).items():
        films[name] = [
            renderer.reenact(
                case.source.frame,
                case.source.face,
                case.target.face.landmarks[:, :2],
                case.target.face.pose,
                case.inside,
            )
            for case in cases
        ]
    shaken = {
        name: jitter(
            np.stack([read(f, case, observer) for f, case in zip(frames, cases, strict=True)])
        )
        for name, frames in films.items()
    }
    found, strips = {}, []
    for name, frames in films.items():
        similar, wrong = [], []
        for frame, case in zip(frames, cases, strict=True):
            box = mouth_box(case.target.seen, case.height, frame.y.shape)
            luma, real = box.cut(frame.y), box.cut(case.target.frame.y)
            similar.append(ssim(luma, real))
            rim = box.points(lip_rim(case.target.face.landmarks[:, :2]))
            wrong.append(cavity_error(luma, real, rim))
        found[name] = Figures(
            mean_of(similar),
            mean_of(wrong),
            flicker(frames, cases),
            shaken[name],
            shaken[name] - shaken["target"],
        )
        strips.append(titled(strip(frames, [case.target.seen for case in cases]), name))
    strips.insert(0, titled(strip([c.source.frame for c in cases], [c.target.seen for c in cases]),
                            "source"))  # fmt: skip
    return found, strips


def shut(
    film: Film, numbers: Sequence[int], observer: Observer, basis: FaceBasis
) -> dict[str, Figures]:
    """Have frames say nothing, and hold them against the film's own silence."""
    silence = film.silence
    if not numbers or not silence:
        return {}
    looks = list(film.looks.values())
    subject = subject_of(looks, basis)
    row = np.zeros(len(MOTION_NAMES), np.float32)
    bar = jitter(np.stack([film.looks[k].seen for k in silence]))
    found = {}
    for name, renderer in renderers(subject, looks).items():
        meshes = []
        for k in numbers:
            look = film.looks[k]
            made = renderer.render(look.frame, look.face, row, None)
            meshes.append(observer.read(frame_to_bgr(made), look.face.pose))
        shaken = jitter(np.stack(meshes))
        found[name] = Figures(math.nan, math.nan, math.nan, shaken, shaken - bar)
    return found


def strip(frames: Sequence[Frame], seen: Sequence[Floats], every: int = 2) -> Bytes:
    """Draw the mouths of every other frame beside each other."""
    cells = []
    for frame, points in list(zip(frames, seen, strict=True))[::every]:
        box = mouth_box(points, float(np.ptp(points[:, 1])), frame.y.shape)
        cells.append(replace(box, size=CELL).cut(frame_to_bgr(frame)))
    return np.concatenate(cells, axis=1)


def summary(rows: Sequence[Mapping[str, Figures]]) -> dict[str, Figures]:
    """Average each system over runs."""
    names = dict.fromkeys(name for row in rows for name in row)
    table = {}
    for name in names:
        values = [asdict(row[name]) for row in rows if name in row]
        table[name] = Figures(**{key: mean_of([v[key] for v in values]) for key in values[0]})
    return table


def main() -> None:
    """Print a table for each material and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=MATERIALS, default=MATERIALS)
    parser.add_argument("--clips", type=int, default=JITTER_CLIPS)
    parser.add_argument("--cases", type=Path, help="PNG to draw some runs to, under out/")
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "cache" / "renderer")
    parser.add_argument("--data", type=Path, help="folder of the data sets; $EDGEAVATAR_DATA")
    parser.add_argument("--json", type=Path, help="file to write the JSON line to as well")
    options = parser.parse_args()
    if options.cases is not None and not may_be_written(options.cases):
        parser.error(f"{options.cases}: pictures of these people may be written to out/ only")
    data = options.data or Path(
        os.environ.get("EDGEAVATAR_DATA") or ROOT.parent / "shared" / "data"
    )
    if not (data / "grid_s1").is_dir():
        print("skipped, the data set grid_s1 is not there (--data)")
        return
    basis = load_basis()
    clips = [p for p in sorted((data / "grid_s1").glob("*.mp4")) if is_held_out(p.stem)]
    rows: dict[str, list[dict[str, Figures]]] = {material: [] for material in options.only}
    drawn: list[Bytes] = []
    with FaceTracker(choice="largest", threads=1) as tracker:
        observer = Observer(tracker, options.cache / model_digest())
        for path in spread(clips, options.clips):
            film = film_of(path, observer)
            if "dubbed" in rows:
                for second in (False, True):
                    found, strips = dubbed(film, observer, basis, second=second)
                    rows["dubbed"].append(found)
                    if len(drawn) < 3 and strips:
                        drawn.append(np.concatenate(strips))
            if "hushed" in rows:
                rows["hushed"].append(shut(film, film.speech(False), observer, basis))
            if "still" in rows:
                rows["still"].append(shut(film, film.silence, observer, basis))
    tables = {material: summary([r for r in found if r]) for material, found in rows.items()}
    for material, table in tables.items():
        count = sum(1 for r in rows[material] if r)
        print_table(f"{material}: {count} runs of up to {RUN} frames", table)
    if options.cases is not None and drawn:
        options.cases.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(options.cases), np.concatenate(drawn))
    line = json.dumps(
        {
            "benchmark": "dubbing",
            "version": edgeavatar.__version__,
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            **{material: plain(table) for material, table in tables.items()},
        }
    )
    print(f"\n{line}")
    if options.json:
        options.json.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
