"""Small photos, clips and sounds of the portrait in ``examples``, and records of renders."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from edgeavatar.types import Frame

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@dataclass
class Made:
    """What a render made before it was encoded."""

    frames: list[Frame] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    """Mouth weights of each frame, as the words gave them."""


@lru_cache
def _portrait() -> np.ndarray:
    return cv2.imread(str(PORTRAIT))


def face(side: int = 320) -> np.ndarray:
    """Give the portrait as ``(side, side, 3)`` BGR."""
    return cv2.resize(_portrait(), (side, side), interpolation=cv2.INTER_AREA)


def nobody(side: int = 320) -> np.ndarray:
    """Give coloured clouds."""
    seeds = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    return cv2.resize(seeds, (side, side), interpolation=cv2.INTER_CUBIC)


def moving(count: int, side: int = 320) -> list[np.ndarray]:
    """Give frames in which the portrait wanders to the right, a pixel each."""
    picture = face(side)
    return [np.roll(picture, i, axis=1) for i in range(count)]


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    rate: Fraction = Fraction(25),
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    rotation_deg: int = 0,
    **muxer: str,
) -> Path:
    time_base = time_base or 1 / rate
    height, width = frames[0].shape[:2]
    options: dict[str, Any] = {"crf": "16", "preset": "ultrafast", "threads": "1"}
    with av.open(str(path), "w", container_options=dict(muxer)) as out:
        stream = out.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = time_base
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = (pts[index] if pts else index), time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def silence(path: Path, seconds: float) -> Path:
    return write_wav(path, np.zeros(round(16000 * seconds)))
