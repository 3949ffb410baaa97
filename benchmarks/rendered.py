"""What a viewer gets: renders clips and measures the mouths in the finished videos.

Each source says the same paragraph. The video is then opened like any other, the face model is run
on every frame, and the lip gaps it sees are held against the phoneme times of the voice. Measures
are those of ``edgeavatar.motion.measures``. The default faces were looked at while the
renderer was made; ``--source`` with others is the stricter test.

    python benchmarks/rendered.py [--source FACE ...] [--voice V]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar import zoo
from edgeavatar.errors import ModelNotFound
from edgeavatar.face import FaceTracker
from edgeavatar.face.measures import inner_lip_gap, jitter
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.motion.aperture import lip_aperture
from edgeavatar.motion.coarticulation import phoneme_rows
from edgeavatar.motion.measures import (
    SETTLE_S,
    closure,
    closure_contrast,
    correlation,
    silence_leakage,
)
from edgeavatar.pipeline import RenderJob, render
from edgeavatar.speech import open_voice
from edgeavatar.types import MOTION_RATE, PhonemeTiming
from edgeavatar.video.reader import open_video

if TYPE_CHECKING:
    import numpy.typing as npt

TEXT = (
    "The boat came back to the pier before the storm. Bob and Pam jumped out, tied up the rope, "
    "and ran for the old wooden cabin above the beach. \n\nNobody had lived there for a hundred "
    "years. A map on the wall, a broken lamp, a box of empty bottles: that was all they found. "
    "Perhaps, Pam said, we should have stayed at home by the warm fire."
)
"""34 words with /p b m/, open vowels, a paragraph pause."""


@dataclass(frozen=True)
class Figures:
    """Measures of one rendered clip."""

    source: str
    seconds: float
    bilabials: int
    closed_share: float
    false_share: float
    contrast: float
    leakage: float
    aperture_r: float
    offset_start_frames: int
    offset_end_frames: int
    silence_jitter_px: float
    wall_over_duration: float


def spoken(voice_name: str | None) -> tuple[list[PhonemeTiming], int, npt.NDArray[np.float32]]:
    """Phonemes of the paragraph, their sample rate, and the track that they ask for."""
    voice = open_voice(voice_name)
    chunks = list(voice.synthesize(TEXT))
    rows = np.concatenate(list(phoneme_rows(iter(chunks))))
    voice.close()
    phonemes = [p for chunk in chunks for p in chunk.phonemes]
    return phonemes, voice.info.sample_rate, lip_aperture(rows)


def watch(path: Path) -> tuple[list[float], list[float], list[npt.NDArray[np.float32]]]:
    """Return times, lip gaps and landmarks of all frames of a video."""
    times, gaps, meshes = [], [], []
    with open_video(path) as reader, FaceTracker() as tracker:
        for frame in reader.frames():
            face = tracker.track(frame_to_bgr(frame))
            if face is not None:
                times.append(float(frame.time_s))
                gaps.append(inner_lip_gap(face.landmarks))
                meshes.append(face.landmarks)
    return times, gaps, meshes


def silent_stretches(
    times: list[float], phonemes: list[PhonemeTiming], rate: int
) -> list[tuple[int, int]]:
    """Frame ranges of at least five frames in which nothing is said."""
    talks = np.zeros(len(times), bool)
    for p in phonemes:
        if p.symbol != "_":
            start, end = p.start_sample / rate - SETTLE_S, p.end_sample / rate + SETTLE_S
            talks |= (np.array(times) >= start) & (np.array(times) <= end)
    edges = np.flatnonzero(np.diff(np.concatenate([[1], talks.astype(int), [1]])))
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= 5]


def measure(source: Path, voice: str | None, folder: Path, *, still: bool) -> Figures:
    """Render one clip and measure it."""
    output = folder / f"{source.stem}.mp4"
    report = render(RenderJob(source=source, output=output, text=TEXT, voice=voice, still=still))
    phonemes, rate, wanted = spoken(voice)
    times, gaps, meshes = watch(output)
    t, g = np.array(times), np.maximum(np.array(gaps), 0.0)
    score = closure(g, t, phonemes, rate)
    fps = report.fps
    grid = np.arange(0, t[-1], 1 / fps)
    seen = np.interp(grid, t, g)
    asked = np.interp(grid, np.arange(len(wanted)) / float(MOTION_RATE), wanted)
    part = len(grid) // 3
    moves = [jitter(np.stack(meshes[a:b])) for a, b in silent_stretches(times, phonemes, rate)]
    return Figures(
        source=source.name,
        seconds=round(report.duration_s, 2),
        bilabials=score.bilabials,
        closed_share=round(score.hit_share, 3),
        false_share=round(score.false_share, 3),
        contrast=round(closure_contrast(g, t, phonemes, rate), 2),
        leakage=round(silence_leakage(g, t, phonemes, rate), 4),
        aperture_r=round(correlation(seen, asked, max_lag=3).r, 3),
        offset_start_frames=correlation(seen[:part], asked[:part], max_lag=5).lag,
        offset_end_frames=correlation(seen[-part:], asked[-part:], max_lag=5).lag,
        silence_jitter_px=round(float(np.mean(moves)), 3) if moves else float("nan"),
        wall_over_duration=round(report.real_time_factor, 2),
    )


def default_sources() -> list[Path]:
    """Name the demo's portrait and, where they are installed, two filmed people."""
    sources = [Path(__file__).parent.parent / "examples" / "portrait.jpg"]
    try:
        sources += [zoo.resolve("fixture-vitallens")[f"video_{n}"] for n in (1, 2)]
    except ModelNotFound as error:
        print(f"without filmed people: {error}")
    return sources


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, nargs="+", help="faces; default: the demo's and two")
    parser.add_argument("--voice", help="default: the default voice")
    parser.add_argument("--keep", type=Path, help="folder to keep the videos in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        figures = [
            measure(source, options.voice, folder, still=True)
            for source in options.source or default_sources()
        ]
    names = list(asdict(figures[0]))
    width = max(len(name) for name in names)
    for name in names:
        values = (str(asdict(figure)[name]) for figure in figures)
        print(f"{name:<{width}}  " + "  ".join(f"{value:>20}" for value in values))
    print(json.dumps({"benchmark": "rendered", "clips": [asdict(f) for f in figures]}))


if __name__ == "__main__":
    main()
