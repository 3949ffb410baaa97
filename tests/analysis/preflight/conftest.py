"""A person who does not exist, and what the face model sees in the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks._degradations import Bytes
from edgeavatar.face import FaceTracker
from edgeavatar.types import FaceObservation

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Portrait:
    """A picture and its face, 327 pixels high."""

    bgr: Bytes
    face: FaceObservation


@pytest.fixture(scope="session")
def tracker(model_store: Any) -> Iterator[FaceTracker]:
    with FaceTracker(model_store.resolve("face"), choice="largest", threads=1) as opened:
        yield opened


@pytest.fixture(scope="session")
def portrait(tracker: FaceTracker) -> Portrait:
    picture = cv2.imread(str(ROOT / "examples" / "portrait.jpg"))
    assert picture is not None
    small = np.asarray(cv2.resize(picture, (512, 512), interpolation=cv2.INTER_AREA), np.uint8)
    tracker.reset()
    face = tracker.track(small)
    assert face is not None
    return Portrait(small, face)
