"""How fast, how steady and how exact the face stage is.

Times are the best and the median of repeated calls in one process. Jitter is the second difference
of the lip landmarks in pixels at face height 256: on still pictures that went through H.264, and on
people who sit in silence, as measured, with the region that MediaPipe takes instead of ours, and
after either filter. With the data sets beside the project (or in $EDGEAVATAR_DATA), landmarks are
held against 189 hand-placed points of 102 people, and the filters against a talking person.

    python benchmarks/face.py [--threads N] [--people N]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

from edgeavatar import zoo
from edgeavatar.backends import available_backends
from edgeavatar.backends.base import usable_cores
from edgeavatar.face import FaceDetector, FaceTracker, topology
from edgeavatar.face.detector import tiles
from edgeavatar.face.geometry import solve_pose
from edgeavatar.face.measures import face_height, inner_lip_gap, jitter
from edgeavatar.face.region import EXPANSION, Region, crop, region_of_box
from edgeavatar.face.smoothing import CausalSmoother, smooth_offline

if TYPE_CHECKING:
    from edgeavatar.face.mesh import MeshReading
    from edgeavatar.types import ByteArray, FaceObservation, FloatArray

Faces = Sequence["FaceObservation"]
SHARES = (0.10, 0.12, 0.14, 0.16, 0.20, 0.30, 0.50, 0.90)


class LandmarkBoxTracker(FaceTracker):
    """The tracker with the region of MediaPipe: the box of this frame's landmarks."""

    def track(self, bgr: ByteArray) -> FaceObservation | None:
        region = self._box_region if hasattr(self, "_box_region") else None
        reading: MeshReading | None = None if region is None else self.mesh.read(bgr, region)
        if reading is None or reading.presence < self.min_presence:
            found = super().track(bgr)
            if found is None:
                return None
            reading = self.mesh.read(bgr, _box_region(found.landmarks))
        self._box_region = _box_region(reading.landmarks)
        return self._observe(reading)

    def reset(self) -> None:
        super().reset()
        if hasattr(self, "_box_region"):
            del self._box_region


def _box_region(landmarks: FloatArray) -> Region:
    points = landmarks[:, :2].astype(np.float64)
    across = points[topology.LEFT_EYE_OUTER] - points[topology.RIGHT_EYE_OUTER]
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2 + 0.5
    side = EXPANSION * float((high - low).max())
    return Region((float(middle[0]), float(middle[1])), side, math.atan2(across[1], across[0]))


def read_frames(path: Path, count: int | None = None) -> Iterator[ByteArray]:
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if count is not None and index >= count:
                return
            yield frame.to_ndarray(format="bgr24")


def still_video(picture: ByteArray, path: Path, count: int = 40) -> Path:
    height, width = (size // 2 * 2 for size in picture.shape[:2])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = np.ascontiguousarray(picture[:height, :width])
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def resized(picture: ByteArray, factor: float) -> ByteArray:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    result: Any = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=method)
    return np.asarray(result, np.uint8)


# ------------------------------------------------------------------------------------------ speed


def timed(call: Callable[[], object], seconds: float = 1.0) -> tuple[float, float]:
    """Give the best and the median time of a call in milliseconds."""
    call()
    times = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return min(times), float(np.median(times))


def measure_speed(tracker: FaceTracker, picture: ByteArray) -> dict[str, tuple[float, float]]:
    tracker.reset()
    face = tracker.track(picture)
    if face is None:
        msg = "the fixture video shows no face"
        raise RuntimeError(msg)
    (box,) = tracker.detector.detect_large(picture)
    region = region_of_box(box)
    wide, huge = (np.asarray(cv2.resize(picture, size)) for size in ((1920, 1080), (3840, 2160)))
    detector = tracker.detector
    return {
        "crop 256 px": timed(lambda: crop(picture, region, 256)),
        "mesh (with its crop)": timed(lambda: tracker.mesh.read(picture, region)),
        "blendshapes": timed(lambda: tracker.blendshapes.read(face.landmarks)),
        "pose": timed(lambda: solve_pose(face.landmarks, tracker.canonical)),
        "track, one frame of 640 x 480": timed(lambda: tracker.track(picture)),
        "detect, whole picture": timed(lambda: detector.detect_large(picture)),
        f"detect, 640 x 480 in {_tiles(picture)} tiles": timed(lambda: detector.detect(picture)),
        f"detect, 1920 x 1080 in {_tiles(wide)} tiles": timed(lambda: detector.detect(wide)),
        f"detect, 3840 x 2160 in {_tiles(huge)} tiles": timed(lambda: detector.detect(huge)),
    }


def _tiles(picture: ByteArray) -> int:
    height, width = picture.shape[:2]
    return len(list(tiles(width, height, max(56.0, 0.035 * min(height, width)))))


def measure_recall(detector: FaceDetector, pictures: Sequence[ByteArray]) -> dict[float, float]:
    """Give the share of faces found on a tile, by face height over tile side."""
    generator = np.random.default_rng(0)
    hits: dict[float, list[bool]] = {share: [] for share in SHARES}
    for picture in pictures:
        for truth in detector.detect_large(picture)[:1]:
            region = region_of_box(truth)
            for share, found in hits.items():
                side = truth.height / share
                room = max(0.0, 0.5 * (1 - 1.1 * share)) * side
                for _ in range(6):
                    shift = generator.uniform(-room, room, 2)
                    where = Region((region.centre[0] + shift[0], region.centre[1] + shift[1]), side)
                    boxes = [region_of_box(box) for box in detector.detect_in(picture, where)]
                    near = (math.dist(box.centre, region.centre) for box in boxes)
                    found.append(any(away < 0.25 * truth.height for away in near))
    return {share: float(np.mean(found)) for share, found in hits.items()}


# ------------------------------------------------------------------------------------- steadiness


def observe(tracker: FaceTracker, frames: Iterator[ByteArray]) -> list[FaceObservation]:
    tracker.reset()
    return [face for frame in frames if (face := tracker.track(frame)) is not None]


def causally(faces: Faces) -> list[FaceObservation]:
    smoother = CausalSmoother(25.0)
    return [face for seen in faces if (face := smoother.update(seen)) is not None]


def offline(faces: Faces) -> list[FaceObservation]:
    return [face for face in smooth_offline(faces) if face is not None]


def lip_jitter(faces: Faces) -> float:
    return jitter([face.landmarks for face in faces])


def measure_jitter(
    tracker: FaceTracker, boxed: FaceTracker, stills: Sequence[Path], clips: dict[str, Path]
) -> dict[str, dict[str, float]]:
    sources: dict[str, tuple[Path, int | None]] = {
        **{path.stem: (path, None) for path in stills},
        **{name: (path, 90) for name, path in clips.items()},
    }
    table = {}
    for name, (path, count) in sources.items():
        faces = observe(tracker, read_frames(path, count))
        table[name] = {
            "measured": lip_jitter(faces),
            "landmark box": lip_jitter(observe(boxed, read_frames(path, count))),
            "offline filter": lip_jitter(offline(faces)),
            "causal filter": lip_jitter(causally(faces)),
        }
    return table


def measure_filters(tracker: FaceTracker, clips: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Tell what the filters leave of the lip gap of a talking person."""
    rows: dict[str, list[tuple[float, ...]]] = {"offline filter": [], "causal filter": []}
    for path in clips:
        faces = observe(tracker, read_frames(path))
        before = gaps(faces)
        for name, smooth in (("offline filter", offline), ("causal filter", causally)):
            after = gaps(smooth(faces))
            inner = np.arange(1, len(before) - 1)
            lows = inner[(before[1:-1] <= before[:-2]) & (before[1:-1] < before[2:])]
            highs = inner[(before[1:-1] >= before[:-2]) & (before[1:-1] > before[2:])]
            highs = highs[before[highs] > np.percentile(before, 60)]
            rows[name].append(
                (
                    float(np.std(after) / np.std(before)),
                    lag_frames(before, after),
                    float(np.mean(after[lows] - before[lows]) / np.percentile(before, 90)),
                    float(np.mean(after[highs] / before[highs])),
                )
            )
    names = ("range kept", "lag in frames", "closures lifted, of p90", "openings kept")
    return {
        name: dict(zip(names, np.mean(values, axis=0).tolist(), strict=True))
        for name, values in rows.items()
    }


def gaps(faces: Faces) -> np.ndarray:
    return np.array([inner_lip_gap(face.landmarks) for face in faces])


def lag_frames(before: np.ndarray, after: np.ndarray, steps: int = 20) -> float:
    """Give the lag of the best correlation, in frames, to a twentieth."""
    grid = np.arange(0, len(before) - 1, 1 / steps)
    first = np.interp(grid, np.arange(len(before)), before)
    second = np.interp(grid, np.arange(len(after)), after)
    cut = slice(3 * steps, -3 * steps)
    best = max(
        range(-2 * steps, 2 * steps + 1),
        key=lambda lag: float(np.corrcoef(first[cut], np.roll(second, -lag)[cut])[0, 1]),
    )
    return best / steps


# --------------------------------------------------------------------------------------- accuracy

_POINTS = {"pupils": ((0, 468), (1, 473)), "mouth corners": ((87, 61), (93, 291))}
_CURVES = {
    "eyelids": ((19, 20, 21, 28, 29, 30), topology.RIGHT_EYE),
    "outer lips": ((88, 89, 90, 91, 92, 104, 105, 106, 107, 108), topology.OUTER_LIPS),
    "inner lips": (tuple(range(94, 104)), topology.INNER_LIPS),
}


def measure_accuracy(tracker: FaceTracker, folder: Path, people: int) -> dict[str, float]:
    """Give the mean distance from hand-placed points, in percent of the pupils' distance."""
    placed = json.loads((folder / "neutral_points.json").read_text())
    away: dict[str, list[float]] = {name: [] for name in (*_POINTS, *_CURVES)}
    for person in list(placed)[:people]:
        points = np.array(placed[person])
        tracker.reset()
        face = tracker.track(np.asarray(cv2.imread(str(folder / f"{person}_neutral.jpg"))))
        if face is None:
            continue
        found = face.landmarks[:, :2].astype(np.float64)
        unit = float(np.linalg.norm(points[0] - points[1])) / 100
        for name, pairs in _POINTS.items():
            away[name] += [float(np.linalg.norm(points[i] - found[j])) / unit for i, j in pairs]
        for name, (chosen, ring) in _CURVES.items():
            away[name] += [_to_ring(points[i], found[list(ring)]) / unit for i in chosen]
    return {name: float(np.mean(values)) for name, values in away.items()}


def _to_ring(point: np.ndarray, ring: np.ndarray) -> float:
    step = np.roll(ring, -1, axis=0) - ring
    along = np.clip(np.sum((point - ring) * step, axis=1) / np.sum(step**2, axis=1), 0, 1)
    return float(np.linalg.norm(ring + along[:, None] * step - point, axis=1).min())


# ------------------------------------------------------------------------------------------- main


def data_folder() -> Path | None:
    chosen = os.environ.get("EDGEAVATAR_DATA")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(chosen) if chosen else beside
    return folder if folder.is_dir() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=None, help="of one inference")
    parser.add_argument("--people", type=int, default=102, help="photographs for the accuracy")
    chosen = parser.parse_args()
    videos = zoo.resolve("fixture-vitallens")
    data = data_folder()
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "versions": available_backends(),
        "threads": chosen.threads or usable_cores(),
    }
    with (
        FaceTracker(threads=chosen.threads) as tracker,
        LandmarkBoxTracker(threads=chosen.threads) as boxed,
        tempfile.TemporaryDirectory() as scratch,
    ):
        men = [next(read_frames(videos[key], 1)) for key in ("video_1", "video_2")]

        print(f"{'time per call, ms':42}{'best':>9}{'median':>9}")
        report["ms"] = measure_speed(tracker, men[0])
        for name, (best, median) in report["ms"].items():
            print(f"{name:42}{best:9.2f}{median:9.2f}")

        report["recall"] = measure_recall(tracker.detector, men)
        print("\nface height over tile side, and share of faces found")
        print("  ".join(f"{share:.2f}: {found:.2f}" for share, found in report["recall"].items()))

        tracker.reset()
        height = face_height(_seen(tracker, men[0]).landmarks)
        stills = [
            still_video(resized(men[0], size / height), Path(scratch) / f"still, {size} px.mp4")
            for size in (128, 256, 700)
        ]
        clips = {"sitting man 1": videos["video_1"], "sitting man 2": videos["video_2"]}
        report["jitter"] = measure_jitter(tracker, boxed, stills, clips)
        _print_table("lip jitter, px at face height 256", report["jitter"], 3)

        if data is not None:
            talking = sorted((data / "grid_s1").glob("*.mp4"))[5::200]
            report["filters"] = measure_filters(tracker, talking)
            _print_table("a talking person through the filters", report["filters"], 3)
            report["accuracy"] = measure_accuracy(tracker, data / "london", chosen.people)
            print("\nmean distance from hand-placed points, % of the pupils' distance")
            print("  ".join(f"{name} {value:.2f}" for name, value in report["accuracy"].items()))
    print(json.dumps(report))


def _seen(tracker: FaceTracker, picture: ByteArray) -> FaceObservation:
    face = tracker.track(picture)
    if face is None:
        msg = "the fixture video shows no face"
        raise RuntimeError(msg)
    return face


def _print_table(title: str, rows: dict[str, dict[str, float]], digits: int) -> None:
    columns = list(next(iter(rows.values())))
    print(f"\n{title:34}" + "".join(f"{column:>25}" for column in columns))
    for name, row in rows.items():
        print(f"{name:34}" + "".join(f"{row[column]:25.{digits}f}" for column in columns))


if __name__ == "__main__":
    main()
