"""What a filmed mouth does: GRID clips, seen by the face model, beside their own sound."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from edgeavatar.face import FaceTracker
from edgeavatar.types import BLENDSHAPE_NAMES

Floats = npt.NDArray[np.float32]

FPS = 25
SAMPLE_RATE = 16000
AAC_PRIMING = 1024
"""Samples before the sound of each GRID clip; its edit list does not name them. Left in, the sound
is 64 ms late."""
LANDMARKS = 478


@dataclass(frozen=True, slots=True)
class FilmedClip:
    """One clip: sound and what the face model saw in each frame; nan where it saw no face."""

    name: str
    samples: Floats
    """``(n,)`` at 16 kHz in [-1, 1], from the moment of the first frame."""
    landmarks: Floats
    """``(frames, 478, 2)`` in pixels."""
    blendshapes: Floats
    """``(frames, 52)`` in the order of BLENDSHAPE_NAMES."""


def is_held_out(name: str) -> bool:
    """Tell whether a clip, named without its suffix, is never learned from: about 10% of all."""
    return hashlib.sha256(name.encode()).digest()[0] < 26


def measured_clips(folder: Path, cache: Path) -> Iterator[FilmedClip]:
    """Measure every clip of a folder, or read what was measured before, in order of name."""
    cache.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.mp4")):
        stored = cache / f"{path.stem}.npz"
        if not stored.exists():
            _store(stored, _measure(path))
        with np.load(stored) as arrays:
            yield FilmedClip(
                path.stem,
                arrays["samples"].astype(np.float32) / 32768.0,
                arrays["landmarks"].astype(np.float32),
                arrays["blendshapes"].astype(np.float32),
            )


def _store(path: Path, clip: FilmedClip) -> None:
    draft = path.with_suffix(".part.npz")
    np.savez(
        draft,
        samples=np.clip(np.rint(clip.samples * 32768.0), -32768, 32767).astype(np.int16),
        landmarks=clip.landmarks.astype(np.float16),
        blendshapes=clip.blendshapes.astype(np.float16),
    )
    draft.replace(path)


def _measure(path: Path) -> FilmedClip:
    with av.open(str(path)) as container:
        decoded = container.decode(container.streams.audio[0])
        samples = np.concatenate([f.to_ndarray().mean(axis=0) for f in decoded])[AAC_PRIMING:]
    with av.open(str(path)) as container:
        pictures = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    landmarks = np.full((len(pictures), LANDMARKS, 2), np.nan, np.float32)
    blendshapes = np.full((len(pictures), len(BLENDSHAPE_NAMES)), np.nan, np.float32)
    with FaceTracker(choice="largest", threads=1) as tracker:
        for i, picture in enumerate(pictures):
            seen = tracker.track(picture)
            if seen is not None:
                landmarks[i] = seen.landmarks[:, :2]
                blendshapes[i] = seen.blendshapes
    return FilmedClip(path.stem, samples.astype(np.float32), landmarks, blendshapes)


# The clip's own rest: lips in GRID are never further together than this between words.
_REST_PERCENTILE = 5.0
_GAP_PAIRS = ((13, 14), (82, 87), (312, 317))
_FACE_TOP, _CHIN = 10, 152
_CORNERS = (61, 291)
_WIDTH_UNIT = 0.055
"""Change of the distance of the lip corners, in face heights, that counts as fully rounded or
fully spread: the 1st and 99th percentile of the clips lie 0.05 to 0.06 from their median."""


def articulators_of(clip: FilmedClip) -> dict[str, npt.NDArray[np.float64]]:
    """Read articulators off the mesh, at 25 fps; nan where there was no face.

    Gap is the opening of the inner lips along the face's own axis over the face height, above the
    clip's rest; jaw is the face model's jawOpen; rounding and spread are the distance of the lip
    corners, less or more than the clip's median.
    """
    points = clip.landmarks.astype(np.float64)
    down = points[:, _CHIN] - points[:, _FACE_TOP]
    height = np.linalg.norm(down, axis=1)
    axis = down / height[:, None]
    gaps = [((points[:, b] - points[:, a]) * axis).sum(axis=1) for a, b in _GAP_PAIRS]
    gap = np.mean(gaps, axis=0) / height
    width = np.linalg.norm(points[:, _CORNERS[0]] - points[:, _CORNERS[1]], axis=1) / height
    known = ~np.isnan(gap)
    rest = np.percentile(gap[known], _REST_PERCENTILE) if known.any() else 0.0
    wider = (width - (np.median(width[known]) if known.any() else 0.0)) / _WIDTH_UNIT
    return {
        "gap": gap - rest,
        "jaw": clip.blendshapes[:, BLENDSHAPE_NAMES.index("jawOpen")].astype(np.float64),
        "pucker": 0.6 * np.clip(-wider, 0.0, 1.0),
        "spread": np.clip(wider, 0.0, 1.0),
    }
