"""What an analysis of a minute of 1080p costs, report included.

The clip is made here, once, as ``out/analysis/long1080.mp4``: a fixture of a steady face, played to
and fro so that it has no cut, is brought to 1080p at 25 frames a second, and read to by the two
fixtures of speech, one after the other, for a minute; H.264, about 11 Mbit/s. ``edgeavatar
analyze`` is then run on it as anybody runs it, in a process of its own, with a report and a summary
to write: its time by the clock and by the processor, start and imports included, and the most
memory that it held. The first run, which fills caches, does not count.

    python benchmarks/analysis.py [--rounds 3] [--clip FILE] [--json FILE]

Bar: 30 s by the clock on 2 cores that do nothing else. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar import zoo
from edgeavatar.audio.decode import decode_audio
from edgeavatar.backends.base import usable_cores
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.types import AudioChunk, ColourTags, Frame
from edgeavatar.video.reader import open_video
from edgeavatar.video.writer import AUDIO_RATE_HZ, VideoWriter

CLIP = Path(__file__).resolve().parent.parent / "out" / "analysis" / "long1080.mp4"
SECONDS = 60
SIZE = (1920, 1080)
RATE = Fraction(25)
CRF, PRESET = 17, "ultrafast"
"""That makes about 11 Mbit/s of this clip, without CABAC and B frames. A clip of that rate with
both, as `veryfast` at 12 makes it, takes twice the time to decode, 7 s more of a processor."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    report_kb: float


def to_and_fro(source: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """Give the pictures of a clip, BGR, cut to 16:9: forwards, backwards, forwards, for ever."""
    pictures = []
    with open_video(source) as video:
        for frame in video.frames():
            bgr = frame_to_bgr(frame)
            high = round(frame.width * SIZE[1] / SIZE[0])
            top = max(0, (frame.height - high) // 3)
            pictures.append(bgr[top : top + high].copy())
    while True:
        yield from pictures[:-1]
        yield from pictures[:0:-1]


def speech() -> Iterator[AudioChunk]:
    """Give both readings, one after the other and again, for a time."""
    start, end = 0, SECONDS * AUDIO_RATE_HZ
    while True:
        for path in zoo.resolve("fixture-speech").values():
            for chunk in decode_audio(path, AUDIO_RATE_HZ):
                samples = chunk.samples[: end - start]
                yield AudioChunk(samples, AUDIO_RATE_HZ, start)
                start += len(samples)
                if start >= end:
                    return


def make_clip(path: Path) -> Path:
    """Write the clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = ColourTags("bt709", "limited")
    pictures = to_and_fro(zoo.resolve("fixture-vitallens")["video_2"])
    sound = speech()
    # One thread: those of the encoder decide what it writes.
    with VideoWriter(
        path,
        *SIZE,
        rate=RATE,
        colour=colour,
        audio_rate=AUDIO_RATE_HZ,
        crf=CRF,
        preset=PRESET,
        threads=1,
    ) as writer:
        heard = 0
        for number in range(int(SECONDS * RATE)):
            while heard <= number * AUDIO_RATE_HZ / RATE:
                chunk = next(sound, None)
                if chunk is None:
                    break
                writer.write_audio(chunk)
                heard = chunk.start_sample + len(chunk.samples)
            large = cv2.resize(next(pictures), SIZE, interpolation=cv2.INTER_CUBIC)
            planes = bgr_to_planes(np.asarray(large, np.uint8), colour)
            writer.write_frame(Frame(number, number / RATE, *planes, colour))
        writer.finish(Fraction(SECONDS))
    return path


def analysed(clip: Path, folder: Path) -> Cost:
    """Run the command once."""
    report = folder / "report.html"
    words = ["analyze", str(clip), "--html", str(report), "--json", str(folder / "summary.json")]
    began = time.perf_counter()
    with (folder / "told.txt").open("wb") as told:
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "edgeavatar", *words],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, told.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, told.fileno(), 2),
            ],
        )
        _, status, used = os.wait4(child, 0)
    wall_s = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit((folder / "told.txt").read_text())
    unit = 1 if platform.system() == "Darwin" else 1024
    return Cost(
        wall_s,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * unit / 1e6,
        report.stat().st_size / 1e3,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clip", type=Path, help="another one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    clip = options.clip or CLIP
    if not clip.exists() and options.clip is None:
        make_clip(clip)
    with open_video(clip) as video:
        info = video.info
    costs = []
    print(f"{'run':8}{'wall s':>8}{'cpu s':>8}{'memory MB':>11}{'report kB':>11}")
    with tempfile.TemporaryDirectory() as name:
        for number in range(options.rounds + 1):
            cost = analysed(clip, Path(name))
            print(
                f"{number or 'first':<8}{cost.wall_s:8.2f}{cost.cpu_s:8.2f}"
                f"{cost.memory_mb:11.0f}{cost.report_kb:11.0f}",
                flush=True,
            )
            if number:
                costs.append(cost)
    result = {
        "benchmark": "analysis",
        "size": f"{info.width}x{info.height}",
        "frames": info.frame_count,
        "mbit_per_s": clip.stat().st_size * 8e-6 / float(info.duration_s),
        "cores": usable_cores(),
        "machine": platform.machine(),
        "median": {
            name: statistics.median(getattr(cost, name) for cost in costs)
            for name in Cost.__dataclass_fields__
        },
        "runs": [asdict(cost) for cost in costs],
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
