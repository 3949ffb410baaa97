"""Frames of a video in all the sizes that an analysis looks at, and where shots begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgeavatar.analysis.movement import HEIGHT
from edgeavatar.analysis.shots import CutFinder
from edgeavatar.kernels.averaging import MOST, block_means
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pipeline.face_looks import OTHERS_EVERY

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, Frame


@dataclass(frozen=True)
class Look:
    """One frame, prepared."""

    frame: Frame
    small: ByteArray
    """Luma, about 216 high."""
    factor: float
    """Pixels of the frame in one of ``small``."""
    fresh: bool
    """May be the first of a shot: what was followed so far may be gone."""
    cut: int | None
    """Index of an earlier frame that is now known to be the first of a shot."""

    @cached_property
    def bgr(self) -> ByteArray:
        """``(H, W, 3)`` uint8: all of it, converted where somebody asks first."""
        return frame_to_bgr(self.frame)


def _shrunk(plane: ByteArray, width: int, height: int) -> ByteArray:
    block = plane.shape[0] // height
    if 2 < block <= MOST and plane.shape == (height * block, width * block):
        return block_means(plane, block)
    small: Any = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def looks_at(frames: Iterable[Frame], cuts: CutFinder) -> Iterator[Look]:
    """Prepare the frames of a video, one by one."""
    for index, frame in enumerate(frames):
        factor = max(1.0, frame.height / HEIGHT)
        size = max(1, round(frame.width / factor)), max(1, round(frame.height / factor))
        small = _shrunk(frame.y, *size)
        cut = cuts.push(small, frame.u, frame.v)
        look = Look(frame, small, factor, cuts.suspects, cut)
        if index % OTHERS_EVERY == 0:
            # All of it is looked at, by threads that have more to do than this one.
            _ = look.bgr
        yield look
