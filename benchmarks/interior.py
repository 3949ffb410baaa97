"""Drawing the inside of a mouth: time per frame by size of the mouth and by step.

Run ``python benchmarks/interior.py``. One thread, wall time in milliseconds, the best and the
median of several rounds after warm-up; on a busy machine only the best means something. The mouth
is open (jawOpen 0.15 to 0.6), the head a little turned. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Callable

import numba
import numpy as np

from edgeavatar.kernels.cavity import develop, lip_spans, shade_cavity
from edgeavatar.kernels.raster import rasterise
from edgeavatar.rendering.dentition import jaw_transform
from edgeavatar.rendering.interior import InteriorLight, InteriorModel
from edgeavatar.types import HeadPose

SIZES = ((48, 32), (96, 60), (160, 100), (256, 160), (400, 250))
"""Width and height of the drawn region; the mouth is nine tenths as wide."""
JAWS = (0.15, 0.3, 0.6)
PROFILED = (256, 160)
TARGET_MS = 1.5
"""For 256 x 160."""


def scene(size: tuple[int, int], jaw_open: float) -> tuple[HeadPose, np.ndarray]:
    """Pose and lips that put an open mouth into a region of ``size`` at (0, 0)."""
    width, height = size
    scale = 0.9 * width / 4.3
    yaw, pitch = math.radians(6), math.radians(-4)
    turn = np.array(
        [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    )
    nod = np.array(
        [[1, 0, 0], [0, math.cos(pitch), math.sin(pitch)], [0, -math.sin(pitch), math.cos(pitch)]]
    )
    rotation = (turn @ nod).astype(np.float32)
    jaw_rotation, jaw_shift = jaw_transform(jaw_open)
    bottom = (jaw_rotation @ np.array([0, -4.17, 5.3]) + jaw_shift)[1]
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    x = 2.15 * np.cos(angle)
    rise = np.where(np.sin(angle) > 0, 0.35, -4.3 - bottom)
    y = -4.3 + rise * np.sin(angle)
    flip = scale * np.array([1, -1, -1])
    lips = np.column_stack([x, y, 5.45 - 0.25 * x**2]) @ rotation.T * flip
    middle = (lips.min(0) + lips.max(0)) / 2
    shift = np.array([width / 2 - middle[0], height / 2 - middle[1], 0.0])
    pose = HeadPose(rotation, shift.astype(np.float32), scale, 6.0, -4.0, 0.0)
    return pose, (lips + shift)[:, :2]


def times_ms(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Best and median of ``rounds`` calls."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1e3 * min(taken), 1e3 * float(np.median(taken))


def measure_steps(rounds: int) -> dict[str, float]:
    """Best time of each kernel on its own, on the largest common size."""
    rng = np.random.default_rng(0)
    width, height = PROFILED
    pose, lips = scene(PROFILED, 0.3)
    model = InteriorModel()
    arguments = {
        "jaw_open": 0.3,
        "region_xyxy": (0.0, 0.0, float(width), float(height)),
        "size": PROFILED,
        "light": InteriorLight(),
        "lip_polygon": lips,
    }
    model.render(pose, **arguments)
    screen = model._project(pose, np.zeros(2), np.ones(2))
    spans = lip_spans(lips, width, height, 6.0)
    visible, depth = model._visible, model._depth
    corners = np.concatenate([screen[:, :2], model._open, model._colours], axis=1)
    backdrop = np.zeros(3, dtype=np.float32)
    linear = rng.random((height, width, 3)).astype(np.float32)
    out = np.empty((height, width, 3), dtype=np.uint8)
    triangles = model._triangles

    def visibility() -> None:
        rasterise(screen, triangles, spans, width, visible=visible, depth=depth)

    steps = {
        "visibility": visibility,
        "shading": lambda: shade_cavity(
            visible, spans, triangles, corners, (0.4, 0.2), 0.5, backdrop, linear
        ),
        "development": lambda: develop(linear, spans, backdrop, 0.2, out),
    }
    return {name: times_ms(work, rounds)[0] for name, work in steps.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    model = InteriorModel()
    print(f"{len(model._places)} vertices, {len(model._triangles)} triangles; ms per frame")
    print(f"{'region':>10} {'jawOpen':>8} {'mouth px':>10} {'best':>8} {'median':>8}")
    rows = []
    for size in SIZES:
        for jaw_open in JAWS:
            pose, lips = scene(size, jaw_open)

            def work(
                pose: HeadPose = pose,
                lips: np.ndarray = lips,
                size: tuple[int, int] = size,
                jaw_open: float = jaw_open,
            ) -> None:
                model.render(
                    pose,
                    jaw_open=jaw_open,
                    region_xyxy=(0.0, 0.0, float(size[0]), float(size[1])),
                    size=size,
                    light=InteriorLight(),
                    lip_polygon=lips,
                )

            best, median = times_ms(work, rounds)
            mouth = [round(v) for v in np.ptp(lips, axis=0)]
            rows.append(
                {
                    "size": list(size),
                    "jaw_open": jaw_open,
                    "mouth_px": mouth,
                    "best_ms": round(best, 3),
                    "median_ms": round(median, 3),
                }
            )
            region, extent = f"{size[0]}x{size[1]}", f"{mouth[0]}x{mouth[1]}"
            print(f"{region:>10} {jaw_open:>8} {extent:>10} {best:>8.2f} {median:>8.2f}")
    steps = measure_steps(rounds)
    for name, best in steps.items():
        print(f"{name:>20}: {best:.3f} ms of {PROFILED[0]}x{PROFILED[1]} at jawOpen 0.3")
    print(
        json.dumps(
            {
                "benchmark": "interior",
                "rows": rows,
                "steps_ms": {name: round(value, 3) for name, value in steps.items()},
                "target_ms": {"256x160": TARGET_MS},
                "machine": platform.processor() or platform.machine(),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "numba": numba.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
