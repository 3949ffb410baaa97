"""Putting a patch back into a frame, and colours there and back: our kernels against plain ways.

Run ``python benchmarks/compositing.py``. Times are the best of several rounds in one process, in
milliseconds of wall time; read them as ratios, all ways run in turn on the same machine. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from fractions import Fraction

import cv2
import numba
import numpy as np

from edgeavatar.kernels.blend import blend_frame, blend_plane
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.types import ColourTags, Frame

FRAME_SIZE = (1920, 1080)
PATCH_SIZE = (1000, 1000)
PLACE = (460, 40)


def noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(0, 256, shape).astype(np.uint8)


def make_planes(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    width, height = size
    half = ((height + 1) // 2, (width + 1) // 2)
    return noise(rng, height, width), noise(rng, *half), noise(rng, *half)


def soft_alpha(size: tuple[int, int]) -> np.ndarray:
    width, height = size
    yy, xx = np.mgrid[:height, :width]
    distance = np.hypot((xx - width / 2) / width, (yy - height / 2) / height)
    return (np.clip((0.5 - distance) * 10, 0, 1) * 255).astype(np.uint8)


def best_ms(ways: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, float]:
    """Time all ways in turn, so that another program's load falls on each of them."""
    best = dict.fromkeys(ways, float("inf"))
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            for _ in range(repeats):
                way()
            best[name] = min(best[name], (time.perf_counter() - start) / repeats * 1000)
    return best


def numpy_blend(plane: np.ndarray, patch: np.ndarray, alpha: np.ndarray, x: int, y: int) -> None:
    region = plane[y : y + patch.shape[0], x : x + patch.shape[1]]
    weight = alpha.astype(np.float32) / 255
    region[:] = np.rint(weight * patch + (1 - weight) * region)


def opencv_blend(plane: np.ndarray, patch: np.ndarray, alpha: np.ndarray, x: int, y: int) -> None:
    region = plane[y : y + patch.shape[0], x : x + patch.shape[1]]
    weight = cv2.multiply(alpha, 1 / 255, dtype=cv2.CV_32F)
    difference = cv2.subtract(patch, region, dtype=cv2.CV_32F)
    region[:] = cv2.add(region, cv2.multiply(difference, weight), dtype=cv2.CV_8U)


def measure(rounds: int, repeats: int) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(0)
    frame = Frame(0, Fraction(0), *make_planes(rng, FRAME_SIZE), ColourTags())
    patch = make_planes(rng, PATCH_SIZE)
    alpha = soft_alpha(PATCH_SIZE)
    half_size = (PATCH_SIZE[0] // 2, PATCH_SIZE[1] // 2)
    half_alpha = cv2.resize(alpha, half_size, interpolation=cv2.INTER_AREA)
    x, y = PLACE
    work = [frame.y.copy(), frame.u.copy(), frame.v.copy()]
    bgr = frame_to_bgr(frame)
    i420 = np.concatenate([p.ravel() for p in (frame.y, frame.u, frame.v)]).reshape(-1, 1920)

    def three(blend: Callable[..., None]) -> Callable[[], None]:
        def run() -> None:
            blend(work[0], patch[0], alpha, x, y)
            blend(work[1], patch[1], half_alpha, x // 2, y // 2)
            blend(work[2], patch[2], half_alpha, x // 2, y // 2)

        return run

    return {
        "put back a 1000 x 1000 patch (three planes, in place)": best_ms(
            {
                "edgeavatar": three(blend_plane),
                "opencv": three(opencv_blend),
                "numpy": three(numpy_blend),
            },
            rounds,
            repeats,
        ),
        "the same into a copy of a 1080p frame, chroma alpha included": best_ms(
            {"edgeavatar": lambda: blend_frame(frame, patch, alpha, x, y)}, rounds, repeats
        ),
        "1080p planes to BGR": best_ms(
            {
                "edgeavatar": lambda: frame_to_bgr(frame),
                "opencv (601 limited only)": lambda: cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420),
            },
            rounds,
            repeats,
        ),
        "1080p BGR to planes": best_ms(
            {
                "edgeavatar": lambda: bgr_to_planes(bgr, frame.colour),
                "opencv (601 limited only)": lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420),
            },
            rounds,
            repeats,
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=8)
    arguments = parser.parse_args()
    results = measure(arguments.rounds, arguments.repeats)
    for task, ways in results.items():
        print(task)
        for name, milliseconds in ways.items():
            ratio = milliseconds / ways["edgeavatar"]
            print(f"  {name:<28}{milliseconds:9.3f} ms {ratio:9.2f} x")
    versions = {"numpy": np.__version__, "numba": numba.__version__, "opencv": cv2.__version__}
    machine = f"{platform.machine()}, {cv2.getNumberOfCPUs()} cores"
    print(json.dumps({"benchmark": "compositing", "machine": machine, **versions, "ms": results}))


if __name__ == "__main__":
    main()
