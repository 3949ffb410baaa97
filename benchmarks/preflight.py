"""What spoils a render, from where on, and whether preflight names it.

``--effect`` spoils pictures of faces step by step, renders the same mouths from the spoiled and
from the clean ones, and tells how far the lips are misplaced and how alike the mouths are. The
bounds of ``edgeavatar/analysis/bounds.py`` were set by it, on synthetic portraits of seeds 1 to 8
and eight people of the London set.

``--detect`` has preflight judge clean and spoiled sources that no bound was set by: portraits of
seeds 21 to 32, twelve other people of the London set, and clips.

    python benchmarks/preflight.py [--effect] [--detect] [--quick] [--json FILE] [--sheet PNG]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks._degradations import (
    DEGRADATIONS,
    Bytes,
    Degradation,
    covered,
    smaller,
    smeared,
)
from benchmarks._mouth_measures import landmark_distance, mouth_box
from edgeavatar import zoo
from edgeavatar.analysis.factors import picture_factors
from edgeavatar.analysis.quality import FaceQuality, measure_face, measure_frame
from edgeavatar.analysis.results import Factor, SourceFacts
from edgeavatar.face import FaceTracker, canonical_mesh
from edgeavatar.face.measures import face_height
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.pipeline.face_reading import face_row
from edgeavatar.pipeline.preflighting import preflight
from edgeavatar.portrait import make_portrait
from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.dentition import fit_anatomy
from edgeavatar.rendering.geometric import GeometricRenderer
from edgeavatar.rendering.geometry import fit_person, mouth_strength
from edgeavatar.rendering.interior import InteriorModel, face_colours, light_from_skin
from edgeavatar.types import MOTION_NAMES, ColourTags, FaceObservation, Frame
from edgeavatar.video.quantiser import mean_quantiser
from edgeavatar.video.reader import open_video
from edgeavatar.video.writer import VideoWriter
from export.measures import ssim

ROOT = Path(__file__).resolve().parent.parent
LEARN_SEEDS, TEST_SEEDS = range(1, 9), range(21, 33)
TAGS = ColourTags("bt709", "full")
SHAPES: tuple[dict[str, float], ...] = (
    {"jawOpen": 0.5, "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3},
    {"jawOpen": 0.22, "mouthFunnel": 0.5, "mouthPucker": 0.5},
)


@dataclass(frozen=True, slots=True)
class Source:
    """A clean picture."""

    name: str
    bgr: Bytes
    face: FaceObservation


@dataclass(frozen=True, slots=True)
class Effect:
    """What one step did to one source."""

    lips_px: float
    """How far the lips are misplaced, px at face height 256; NaN if no face was found."""
    ssim: float
    """Likeness of the rendered mouths, brightness and contrast of the whole made equal."""
    strength: float
    """How far the mouth was moved, 0 to 1."""
    quality: FaceQuality | None
    blockiness: float


def portraits(seeds: Sequence[int], size: int = 512) -> Iterator[tuple[str, Bytes]]:
    """People who do not exist."""
    for seed in seeds:
        yield f"seed {seed}", make_portrait(seed, size=size).image


def londoners(data: Path | None, first: int, count: int) -> Iterator[tuple[str, Bytes]]:
    """People of the London set with a neutral face, spread over it."""
    if data is None:
        return
    paths = sorted((data / "london").glob("*_neutral.jpg"))
    for path in paths[first :: max(1, len(paths) // count)][:count]:
        picture = cv2.imread(str(path))
        if picture is not None:
            yield path.stem, np.asarray(picture, np.uint8)


def as_frame(bgr: Bytes) -> Frame:
    """Make a picture a frame with even sides."""
    height, width = (side & ~1 for side in bgr.shape[:2])
    planes = bgr_to_planes(np.ascontiguousarray(bgr[:height, :width]), TAGS)
    return Frame(0, Fraction(0), *planes, TAGS)


def found(tracker: FaceTracker, bgr: Bytes) -> FaceObservation | None:
    """Find the face of a picture by itself."""
    tracker.reset()
    return tracker.track(bgr)


def rendered(bgr: Bytes, face: FaceObservation) -> list[Bytes]:
    """Give a picture the mouths of :data:`SHAPES`."""
    person = fit_person([face], load_basis())
    light = light_from_skin(*face_colours(bgr, face.landmarks, face.pose.scale_px))
    interior = InteriorModel(fit_anatomy(person.lip_line_cm, person.mouth_width_cm))
    renderer = GeometricRenderer(person, canonical_mesh().triangles, interior, light)
    frame = as_frame(bgr)
    rows = [np.array([s.get(name, 0.0) for name in MOTION_NAMES], np.float32) for s in SHAPES]
    return [frame_to_bgr(renderer.render(frame, face, row, None)) for row in rows]


def luma_of(bgr: Bytes) -> Bytes:
    """Give the luma of a picture."""
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)


def as_bright(luma: Bytes, wanted: Bytes) -> Bytes:
    """Give a picture the mean and the contrast of another: what is lost is not brought back."""
    values, other = luma.astype(np.float64), wanted.astype(np.float64)
    gain = other.std() / max(1e-3, values.std())
    values = (values - values.mean()) * gain + other.mean()
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def effect(
    tracker: FaceTracker, source: Source, clean: list[Bytes], step: Degradation, level: float
) -> Effect:
    """Spoil a source and compare."""
    draw = np.random.default_rng(0)
    spoiled = step.spoil(source.bgr, source.face, level, draw)
    face = found(tracker, spoiled)
    block = measure_frame(luma_of(spoiled)).blockiness
    if face is None:
        return Effect(float("nan"), 0.0, 0.0, None, block)
    quality = measure_face(spoiled, face)
    scale = source.bgr.shape[1] / spoiled.shape[1] if step.spoil is smaller else 1.0
    seen = (face.landmarks[:, :2] + 0.5) * scale - 0.5
    wanted = source.face.landmarks[:, :2]
    height = face_height(source.face.landmarks)
    if step.name in ("leaning", "cut off"):
        return Effect(float("nan"), float("nan"), mouth_strength(face), quality, block)
    likeness = []
    for made, good in zip(rendered(spoiled, face), clean, strict=True):
        shown = made
        if scale != 1.0:
            size = good.shape[1::-1]
            shown = np.asarray(cv2.resize(made, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        box = mouth_box(wanted, height, good.shape)
        pair = luma_of(box.cut(shown)), luma_of(box.cut(good))
        likeness.append(ssim(as_bright(*pair), pair[1]))
    return Effect(
        landmark_distance(np.asarray(seen, np.float32), wanted, height),
        float(np.mean(likeness)),
        mouth_strength(face),
        quality,
        block,
    )


MEASURED: dict[str, str] = {
    "face-size": "height_px",
    "dark": "highlight",
    "bright": "clipped_high",
    "side-light": "side_light",
    "backlight": "backlight",
    "picture-noise": "noise",
    "blur": "sharpness",
    "cut-off": "inside",
    "glare": "glare",
}


def effects(
    sources: Sequence[Source], tracker: FaceTracker, ways: Sequence[Degradation]
) -> list[dict[str, object]]:
    """Spoil all sources in all ways; one row per step, medians over sources and the worst."""
    clean = {source.name: rendered(source.bgr, source.face) for source in sources}
    rows: list[dict[str, object]] = []
    for step in ways:
        for level in step.levels:
            told = [effect(tracker, s, clean[s.name], step, level) for s in sources]
            seen = [e for e in told if e.quality is not None]
            lips = [e.lips_px for e in seen]
            column = MEASURED.get(step.factor)
            measured = [getattr(e.quality, column) for e in seen] if column else []
            if step.factor == "blocks":
                measured = [e.blockiness for e in told]
            rows.append(
                {
                    "way": step.name,
                    "level": level,
                    "unit": step.unit,
                    "found": len(seen) / len(told),
                    "lips_px": _median(lips),
                    "lips_px_worst": max(lips, default=float("nan")),
                    "ssim": _median([e.ssim for e in told]),
                    "ssim_worst": min(e.ssim for e in told),
                    "strength": _median([e.strength for e in told]),
                    "measured": _median(measured),
                    "measured_least": min(measured, default=float("nan")),
                    "measured_most": max(measured, default=float("nan")),
                }
            )
            print(_line(rows[-1]), flush=True)
    return rows


CRFS = (18, 28, 33, 38, 43, 48)


def coded_effects(sources: Sequence[Source], tracker: FaceTracker) -> list[dict[str, object]]:
    """Code slowly drifting pictures as H.264, more and more coarsely."""
    rows: list[dict[str, object]] = []
    drift = [np.array([[1, 0, 0.6 * k], [0, 1, 0.4 * k]]) for k in range(12)]
    for crf in CRFS:
        told: list[Effect] = []
        quantisers: list[float] = []
        for source in sources:
            size = source.bgr.shape[1::-1]
            shown = [
                np.asarray(cv2.warpAffine(source.bgr, m, size, flags=cv2.INTER_CUBIC), np.uint8)
                for m in drift
            ]
            face = found(tracker, shown[-1])
            if face is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = write_clip(Path(folder) / "clip.mp4", shown, Fraction(25), crf)
                quantisers.append(mean_quantiser(path) or 0.0)
                coded = clip_frames(path, len(shown))[0][-1]
            clean = Source(source.name, shown[-1], face)
            step = Degradation("H.264", "quantiser", lambda *_, picture=coded: picture, "CRF", ())
            told.append(effect(tracker, clean, rendered(clean.bgr, face), step, crf))
        lips = [e.lips_px for e in told if e.quality is not None]
        rows.append(
            {
                "way": "H.264",
                "level": crf,
                "unit": "CRF",
                "found": len(lips) / len(told),
                "lips_px": _median(lips),
                "lips_px_worst": max(lips, default=float("nan")),
                "ssim": _median([e.ssim for e in told]),
                "ssim_worst": min(e.ssim for e in told),
                "strength": _median([e.strength for e in told]),
                "measured": _median(quantisers),
                "measured_least": min(quantisers),
                "measured_most": max(quantisers),
            }
        )
        print(_line(rows[-1]), flush=True)
    return rows


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else float("nan")


def _line(row: dict[str, object]) -> str:
    numbers = " ".join(f"{value:>8.3g}" for value in row.values() if isinstance(value, float))
    return f"{row['way']!s:<12}{row['level']!s:>6} {row['unit']!s:<12}{numbers}"


def data_folder() -> Path | None:
    """Folder of the large data sets, where it is."""
    folder = ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def test_clips(data: Path | None) -> list[Path]:
    """Clips that no bound was set by."""
    clips = [zoo.resolve("fixture-vitallens")[name] for name in ("video_1", "video_2")]
    return clips + (sorted((data / "grid_s1").glob("*.mp4"))[::200] if data else [])


def sources_of(tracker: FaceTracker, pictures: Iterator[tuple[str, Bytes]]) -> Iterator[Source]:
    """Find the faces of clean pictures."""
    for name, bgr in pictures:
        face = found(tracker, bgr)
        if face is not None:
            yield Source(name, bgr, face)


LEVELS: dict[str, tuple[float, float, float]] = {
    "downscaled": (200, 96, 56),
    "darkened": (2, 5, 6),
    "overexposed": (1, 2.25, 3),
    "side-lit": (0.7, 0.35, 0.1),
    "backlit": (2, 5, 6),
    "noisy": (4, 14, 32),
    "blurred": (0.25, 1.25, 3),
    "smeared": (1.5, 6, 10),
    "JPEG": (40, 10, 5),
    "leaning": (30, 75, 90),
    "cut off": (0.01, 0.1, 0.3),
    "glare": (0.1, 0.3, 0.4),
    "covered": (0.0, 0.8, 1.0),
}
"""Steps that are harmless, cost something, and are useless, by the effect on the people who set
the bounds: preflight must name the last two."""


def judged(tracker: FaceTracker, bgr: Bytes) -> tuple[Factor, ...]:
    """Judge a picture as ``edgeavatar preflight`` judges a photo, without a file."""
    frame = as_frame(bgr)
    picture = frame_to_bgr(frame)
    face = found(tracker, picture)
    row = {"index": 0, "time_s": 0.0} | dataclasses.asdict(measure_frame(frame.y))
    frames = {name: np.array([value]) for name, value in row.items()}
    faces = {}
    if face is not None:
        seen = {"index": 0, "track": 0} | face_row(face)
        seen |= dataclasses.asdict(measure_face(picture, face))
        faces = {name: np.array([value]) for name, value in seen.items()}
    facts = SourceFacts(Path("-"), "photo", None, frame.width, frame.height, frames=1)
    return picture_factors(facts, frames, faces)


def named(factors: Sequence[Factor]) -> dict[str, str]:
    """Factors that are not good, and how they were judged."""
    return {f.name: f.verdict for f in factors if f.verdict in ("warn", "bad")}


def detections(sources: Sequence[Source], tracker: FaceTracker) -> list[dict[str, object]]:
    """Have clean and spoiled pictures judged; one row per step."""
    clean = [named(judged(tracker, source.bgr)) for source in sources]
    told = [("clean", "", 0.0, clean)]
    for source, wrong in zip(sources, clean, strict=True):
        if wrong:
            print(f"clean {source.name}: {wrong}")
    hand = Degradation("covered", "lips", covered, "share", ())
    for step in (*DEGRADATIONS, hand):
        for level in LEVELS[step.name]:
            draw = np.random.default_rng(1)
            pictures = [step.spoil(s.bgr, s.face, level, draw) for s in sources]
            told.append(
                (step.name, step.factor, level, [named(judged(tracker, p)) for p in pictures])
            )
    rows: list[dict[str, object]] = []
    for way, factor, level, found_names in told:
        # A face that is no longer found is named by what is missing.
        hits = [factor in n or "face-missing" in n for n in found_names]
        others: dict[str, int] = {}
        for before, now in zip(clean, found_names, strict=True):
            for name in now.keys() - before.keys() - {factor}:
                others[name] = others.get(name, 0) + 1
        rows.append(
            {
                "way": way,
                "level": level,
                "factor": factor,
                "sources": len(found_names),
                "named": sum(hits),
                "bad": sum(n.get(factor) == "bad" or "face-missing" in n for n in found_names),
                "passed": sum(not n for n in found_names),
                "also": others,
            }
        )
        print(rows[-1], flush=True)
    return rows


def clip_frames(path: Path, count: int) -> tuple[list[Bytes], Fraction]:
    """First frames of a clip."""
    with open_video(path) as reader:
        frames = list(islice(reader.frames(), count))
        return [frame_to_bgr(frame) for frame in frames], reader.info.rate


def write_clip(
    path: Path, pictures: Sequence[Bytes], rate: Fraction, crf: int = 18, every: int = 1
) -> Path:
    """Write a clip of every so many pictures, at the time of each."""
    height, width = (side & ~1 for side in pictures[0].shape[:2])
    writer = VideoWriter(
        path, width, height, rate=rate / every, time_base=1 / rate, colour=TAGS, crf=crf
    )
    with writer:
        for place in range(0, len(pictures), every):
            frame = as_frame(pictures[place])
            writer.write_frame(dataclasses.replace(frame, index=place, time_s=place / rate))
        writer.finish(len(pictures) / rate)
    return path


def clip_detections(clips: Sequence[Path], tracker: FaceTracker) -> list[dict[str, object]]:
    """Have clips judged that were spoiled as only clips can be."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            pictures, rate = clip_frames(clip, 60)
            tracker.reset()
            faces = [tracker.track(picture) for picture in pictures]
            draw = np.random.default_rng(2)
            hand = [
                covered(p, f, 1.0, draw) if f is not None and 25 <= k < 50 else p
                for k, (p, f) in enumerate(zip(pictures, faces, strict=True))
            ]
            jolts = [
                smeared(p, f, 6.0, draw) if f is not None and k % 4 == 0 else p
                for k, (p, f) in enumerate(zip(pictures, faces, strict=True))
            ]
            gone = [np.full_like(p, 90) if k >= 40 else p for k, p in enumerate(pictures)]
            slow = [pictures[k - k % 4] for k in range(len(pictures))]
            ways = {
                "clean": (None, pictures, 18, 1),
                "H.264 at CRF 48": ("quantiser", pictures, 48, 1),
                "8 fps": ("frame-rate", pictures, 18, 4),
                "8 fps shown as 30": ("repeated", slow, 18, 1),
                "hand for .8 s": ("mouth-covered", hand, 18, 1),
                "every fourth frame smeared": ("motion-blur", jolts, 18, 1),
                "face leaves": ("face-missing", gone, 18, 1),
            }
            for way, (factor, shown, crf, every) in ways.items():
                path = write_clip(Path(folder) / "clip.mp4", shown, rate, crf, every)
                names = named(preflight(path, threads=1).factors)
                rows.append(
                    {
                        "way": way,
                        "clip": clip.stem,
                        "factor": factor,
                        "told": names,
                        "named": factor in names if factor else not names,
                    }
                )
                print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--effect", action="store_true")
    parser.add_argument("--detect", action="store_true")
    parser.add_argument("--quick", action="store_true", help="half of the sources")
    parser.add_argument("--only", nargs="*", help="ways to spoil, by name")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    data = data_folder()
    every = 2 if args.quick else 1
    told: dict[str, object] = {}
    with FaceTracker(choice="largest", threads=1) as tracker:
        if args.effect:
            pictures = [*portraits(LEARN_SEEDS), *londoners(data, 0, 8)][::every]
            sources = list(sources_of(tracker, iter(pictures)))
            chosen = [d for d in DEGRADATIONS if not args.only or d.name in args.only]
            told["effect"] = effects(sources, tracker, chosen)
            if not args.only or "H.264" in args.only:
                told["coded"] = coded_effects(sources[::2], tracker)
        if args.detect:
            clips = test_clips(data)
            stills = [(path.stem, clip_frames(path, 1)[0][0]) for path in clips]
            pictures = [*portraits(TEST_SEEDS), *londoners(data, 3, 12), *stills][::every]
            told["detect"] = detections(list(sources_of(tracker, iter(pictures))), tracker)
            told["clips"] = clip_detections(clips[:3], tracker)
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
