"""What a render costs beside decoding and encoding the same video and doing nothing to it.

A clip of a steady face is brought to 1080p (``--size``) and 10 s; ``render`` gives it words, and
``copy`` decodes it and encodes it again with the same writer, settings and sound. They take turns
in one process; the figure is the median, over rounds, of render's time over copy's, by the clock
and by the processor, which other programs disturb less. A render's time holds everything: opening
models, learning the face, hearing the words. ``ms a frame`` is processor time beyond copy's.

    python benchmarks/cost.py [--rounds 3] [--size 1920x1080] [--profile auto] [--json FILE]

Bar: 1.5 or less at 1080p on 2 cores. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import cv2

from edgeavatar import zoo
from edgeavatar.audio.decode import decode_audio
from edgeavatar.backends.base import usable_cores
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.pipeline import RenderJob, RenderReport, render
from edgeavatar.types import Frame
from edgeavatar.video.reader import open_video
from edgeavatar.video.writer import AUDIO_RATE_HZ, VideoWriter

TEXT = (
    "Every frame of this video is decoded, changed where the mouth is, and encoded again. "
    "How long does that take, beside decoding and encoding alone? We shall see in a moment."
)
SECONDS = 10
WAYS = ("geometric", "neural", "neural-small")


def enlarged(source: Path, path: Path, size: tuple[int, int]) -> None:
    """Write the first seconds of a clip in another size, cut to its aspect."""
    with open_video(source) as video:
        rate = video.info.rate
        with VideoWriter(path, *size, rate=rate, colour=video.info.colour, crf=18) as writer:
            count = int(SECONDS * rate)
            for number, frame in enumerate(islice(video.frames(), count)):
                bgr = frame_to_bgr(frame)
                height = round(bgr.shape[1] * size[1] / size[0])
                top = max(0, (bgr.shape[0] - height) // 3)
                bgr = cv2.resize(bgr[top : top + height], size, interpolation=cv2.INTER_CUBIC)
                planes = bgr_to_planes(bgr, frame.colour)
                writer.write_frame(Frame(number, number / rate, *planes, frame.colour))
            writer.finish(Fraction(count) / rate)


def copied(source: Path, sound: Path, path: Path) -> None:
    """Decode and encode, with sound."""
    with open_video(source) as video:
        info = video.info
        with VideoWriter(
            path,
            info.width,
            info.height,
            rate=info.rate,
            time_base=video.time_base,
            colour=info.colour,
            audio_rate=AUDIO_RATE_HZ,
        ) as writer:
            sounds = decode_audio(sound, AUDIO_RATE_HZ)
            end_s = Fraction(0)
            for frame in video.frames():
                chunk = next(sounds, None)
                if chunk is not None:
                    writer.write_audio(chunk)
                writer.write_frame(frame)
                end_s = frame.time_s + 1 / info.rate
            for chunk in sounds:
                writer.write_audio(chunk)
            writer.finish(end_s)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Do something; returns seconds by the clock and of all processors."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--profile", default="auto", help="of `edgeavatar tune`, or none")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    width, height = (int(n) for n in options.size.split("x"))
    fixture = zoo.resolve("fixture-vitallens")["video_2"]
    took: dict[str, list[tuple[float, float]]] = {way: [] for way in ("copy", *WAYS)}
    reports: dict[str, RenderReport] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, spoken, made = (folder / n for n in ("source.mp4", "spoken.mp4", "made.mp4"))
        enlarged(fixture, source, (width, height))
        # The same sound for all: speech is made once, by a render that also warms everything up.
        render(RenderJob(source, spoken, text=TEXT, fit="trim", profile=options.profile))

        def work(way: str) -> None:
            if way == "copy":
                copied(source, spoken, made)
                return
            job = RenderJob(source, made, audio=spoken, fit="trim", profile=options.profile)
            reports[way] = render(replace(job, renderer=way))  # type: ignore[arg-type]

        for number in range(options.rounds):
            for way in took if number % 2 == 0 else reversed(took):
                took[way].append(timed(partial(work, way)))
    frames = reports["neural"].frames
    rows = {}
    print(f"{'':14}{'wall s':>8}{'of copy':>9}{'cpu s':>8}{'of copy':>9}{'ms a frame':>12}")
    for way, pairs in took.items():
        wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratios = [
            statistics.median(
                mine[k] / base[k] for mine, base in zip(pairs, took["copy"], strict=True)
            )
            for k in (0, 1)
        ]
        beyond = 1000.0 * (cpu - rows["copy"]["cpu_s"]) / frames if rows else 0.0
        rows[way] = {
            "wall_s": wall,
            "wall_ratio": ratios[0],
            "cpu_s": cpu,
            "cpu_ratio": ratios[1],
            "ms_per_frame": beyond,
        }
        print(f"{way:14}{wall:8.2f}{ratios[0]:9.2f}{cpu:8.2f}{ratios[1]:9.2f}{beyond:12.1f}")
    result = {
        "benchmark": "cost",
        "size": options.size,
        "frames": frames,
        "cores": usable_cores(),
        "machine": platform.machine(),
        "stages": {way: report.seconds for way, report in reports.items()},
        "backends": reports["neural"].backends,
        "renderers": rows,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
