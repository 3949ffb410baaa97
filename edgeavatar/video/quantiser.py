"""How coarsely a video was quantised, as its decoder knows."""

from __future__ import annotations

import struct
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from edgeavatar.video.decode import Decoder

if TYPE_CHECKING:
    from pathlib import Path

    import av
    from av.sidedata.sidedata import SideDataContainer

MOST_FRAMES: Final = 24
"""Frames that are decoded for it: with a key frame and what follows it."""
_HEADER: Final = struct.Struct("@IQQii")
"""``AVVideoEncParams`` of FFmpeg's ``libavutil/video_enc_params.h``: number of blocks, offset and
size of a block's entry, type, and the frame's own quantiser."""
_BLOCK: Final = struct.Struct("@5i")
"""``AVVideoBlockParams``: place, size, and what is added to the quantiser."""
_H264: Final = 1
_FULL_SCALE: Final = 51


def mean_quantiser(path: Path, frames: int = MOST_FRAMES) -> float | None:
    """Measure the mean quantiser of the first frames of a video.

    Parameters
    ----------
    path
        A video.
    frames
        How many frames at most.

    Returns
    -------
    float or None
        0 to 51, on H.264's scale, on which 6 more double the step. None for codecs whose decoder
        does not tell: all but H.264.

    Raises
    ------
    MediaError
        The file cannot be read.
    """
    with closing(Decoder(path)) as decoder:
        # Threads that decode several frames at once give some with half of this data.
        decoder.stream.thread_type = "NONE"
        decoder.stream.codec_context.options = {"export_side_data": "venc_params"}
        found = [_quantiser_of(picture.frame) for picture in islice(decoder, frames)]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known else None


def _quantiser_of(frame: av.VideoFrame) -> float | None:
    side_data = cast("SideDataContainer", frame.side_data)
    if "VIDEO_ENC_PARAMS" not in side_data:
        return None
    return _mean(bytes(side_data["VIDEO_ENC_PARAMS"]))


def _mean(data: bytes) -> float | None:
    if len(data) < _HEADER.size:
        return None
    blocks, offset, size, kind, quantiser = (int(v) for v in _HEADER.unpack_from(data))
    if kind != _H264 or size < _BLOCK.size or offset + blocks * size > len(data):
        return None
    added = np.ndarray((blocks,), np.int32, data, offset + _BLOCK.size - 4, (size,))
    mean = float(added.mean()) if blocks else 0.0
    return min(float(_FULL_SCALE), max(0.0, quantiser + mean))
