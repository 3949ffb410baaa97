"""Small videos with known truth, made of the portrait in ``examples`` and of coloured clouds."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

PORTRAIT = Path(__file__).resolve().parents[3] / "examples" / "portrait.jpg"
Picture = npt.NDArray[np.uint8]


@lru_cache
def portrait(side: int) -> Picture:
    """Give a person who does not exist, ``(side, side, 3)`` BGR."""
    whole: Any = cv2.imread(str(PORTRAIT))
    return np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache
def clouds(width: int, height: int, seed: int = 0) -> Picture:
    """Give something with texture everywhere, and no face."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for cell, weight in ((80, 0.6), (24, 0.3), (9, 0.2)):
        size = (width // cell + 2, height // cell + 2)
        coarse = rng.random((size[1], size[0], 3)).astype(np.float32)
        total += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(total * 200.0, 0, 255), np.uint8)


def before(background: Picture, person: Picture, left: int, top: int) -> Picture:
    """Paste a square picture of a person."""
    whole = background.copy()
    side = len(person)
    whole[top : top + side, left : left + side] = person
    return whole


def noisy(picture: Picture, seed: int, sigma: float = 2.0) -> Picture:
    """Add noise of a camera."""
    noise = np.random.default_rng(seed).normal(0.0, sigma, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def planes(picture: Picture) -> tuple[Picture, Picture, Picture]:
    """Give small luma, and both chroma."""
    yuv: Any = cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb)
    luma: Any = cv2.resize(yuv[..., 0], (384, 216), interpolation=cv2.INTER_AREA)
    return luma, yuv[::2, ::2, 2], yuv[::2, ::2, 1]


def write(path: Path, frames: list[Picture], rate: int = 25) -> Path:
    """Write a video of high quality."""
    height, width = frames[0].shape[:2]
    options = {"crf": "14", "preset": "ultrafast", "threads": "1"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
