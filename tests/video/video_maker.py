"""Small real videos made with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


def pattern(index: int, width: int, height: int) -> Planes:
    """Make a picture that tells its index, its corners and its left from its right."""
    yy, xx = np.mgrid[:height, :width]
    y = 40 + (xx * 2 + yy * 3 + index * 5) % 160
    y[: height // 4, : width // 4] = 230
    y[-(height // 4) :, : width // 4] = 20
    ch, cw = (height + 1) // 2, (width + 1) // 2
    cy, cx = np.mgrid[:ch, :cw]
    u = 90 + (cx * 3 + index) % 70
    v = 100 + (cy * 3 + 2 * index) % 60
    return tuple(p.astype(np.uint8) for p in (y, u, v))


@dataclass
class VideoSpec:
    """What :func:`make_video_file` makes; the default is lossless H.264."""

    size: tuple[int, int] = (64, 48)
    rate: Fraction = Fraction(25)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(
        default_factory=lambda: {"qp": "0", "preset": "ultrafast", "threads": "1"}
    )
    format: str | None = None
    time_base: Fraction | None = None
    pts: Sequence[int] | None = None
    rotation_deg: float = 0
    hflip: bool = False
    matrix: int = 2
    range_: int = 0
    primaries: int = 2
    transfer: int = 2
    aspect: Fraction | None = None
    audio: bool = False
    interlaced: bool = False


def make_video_file(path: Path, pictures: Sequence[Any] | int = 10, **changes: Any) -> Path:
    """Encode planes, or av frames, as ``changes`` to :class:`VideoSpec` say."""
    spec = VideoSpec(**changes)
    width, height = spec.size
    if isinstance(pictures, int):
        pictures = [pattern(i, width, height) for i in range(pictures)]
    time_base = spec.time_base or 1 / spec.rate
    with av.open(str(path), "w", format=spec.format) as out:
        stream = out.add_stream(spec.codec, rate=spec.rate, options=dict(spec.options))
        stream.width, stream.height, stream.pix_fmt = width, height, spec.pix_fmt
        stream.time_base = time_base
        context = stream.codec_context
        context.time_base = time_base
        context.color_range, context.colorspace = spec.range_, spec.matrix
        context.color_primaries, context.color_trc = spec.primaries, spec.transfer
        if spec.aspect:
            context.sample_aspect_ratio = spec.aspect
        if spec.rotation_deg or spec.hflip:
            stream.set_display_rotation(spec.rotation_deg, hflip=spec.hflip)
        sound = out.add_stream("aac", rate=48000, layout="mono") if spec.audio else None
        for index, picture in enumerate(pictures):
            frame = picture if isinstance(picture, av.VideoFrame) else to_av(picture, spec)
            frame.pts = spec.pts[index] if spec.pts else index
            frame.time_base = time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            block = av.AudioFrame.from_ndarray(
                np.zeros((1, 48000), np.float32), format="fltp", layout="mono"
            )
            block.sample_rate, block.pts = 48000, 0
            block.time_base = Fraction(1, 48000)
            out.mux(sound.encode(block))
            out.mux(sound.encode(None))
    return path


def to_av(planes: Planes, spec: VideoSpec) -> av.VideoFrame:
    """Make a 4:2:0 frame; nv12 from the same planes."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, spec.pix_fmt)
    values = list(planes)
    if spec.pix_fmt == "nv12":
        values = [planes[0], np.stack(planes[1:], axis=-1).reshape(planes[1].shape[0], -1)]
    for plane, array in zip(frame.planes, values, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.line_size * array.shape[0]]
        rows.reshape(array.shape[0], plane.line_size)[:, : array.shape[1]] = array
    frame.color_range, frame.colorspace = spec.range_, spec.matrix
    frame.color_primaries, frame.color_trc = spec.primaries, spec.transfer
    return frame
