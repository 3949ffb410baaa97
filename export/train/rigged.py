"""An actor's mouth as rig weights: the FACEGOOD recordings, in our articulators.

The published weights (MIT) come without names, but the names lie beside them in the authors' own
repository (``shirley_1119_bs_name.npy``), one column early: left and right columns hold equal
numbers only when the names are moved on by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FPS = 30
SAMPLE_RATE = 16000
COLUMNS = 116
NAMED = {
    "jaw_drop": 74,
    "oh": 63,
    "oo": 64,
    "funnel_lower": 42,
    "funnel_upper": 44,
    "pucker": 68,
    "lower_lip_depress": 59,
    "upper_lip_raise": 79,
    "corner_pull": 53,
    "stretch": 57,
    "press": 66,
    "suck_lower": 75,
}
"""Column of each weight that speech uses; those with a left and a right half by their left half."""


@dataclass(frozen=True, slots=True)
class RiggedTake:
    """One recording."""

    name: str
    samples: npt.NDArray[np.float32]
    """``(n,)`` at 16 kHz."""
    channels: dict[str, Floats]
    """Articulators at 30 fps, in the units of :data:`edgeavatar.motion.visemes.ARTICULATORS`."""


def rigged_takes(folder: Path) -> Iterator[RiggedTake]:
    """Read every recording of the folder."""
    for path in sorted(folder.glob("*.npy")):
        weights = np.load(path).astype(np.float64)
        if weights.shape[1] != COLUMNS:
            raise ValueError(f"{path}: expected {COLUMNS} weights a row, found {weights.shape[1]}")
        with av.open(str(path.with_suffix(".flac"))) as container:
            parts = [f.to_ndarray().mean(axis=0) for f in container.decode(audio=0)]
        samples = np.concatenate(parts).astype(np.float32)
        if np.abs(samples).max() > 1.5:
            samples /= 32768.0
        yield RiggedTake(path.stem, samples, articulators_of(weights))


def articulators_of(weights: Floats) -> dict[str, Floats]:
    """Read articulators off rig weights ``(n, 116)``.

    What each shape does to the lips is taken from the like-named shapes of our own rig
    (:data:`edgeavatar.motion.aperture.GAP_PER_WEIGHT`).
    """
    w = {name: weights[:, column] for name, column in NAMED.items()}
    gap = 0.18 * w["jaw_drop"] + 0.05 * w["oh"] + 0.035 * (w["funnel_lower"] + w["funnel_upper"])
    gap = gap + 0.038 * (w["lower_lip_depress"] + w["upper_lip_raise"])
    # Sucked and pressed lips are lips that meet over an open jaw.
    closing = np.maximum(0.0, 1.0 - 1.5 * np.maximum(w["press"], w["suck_lower"]))
    return {
        "gap": 0.8 * gap * closing,
        "jaw": w["jaw_drop"] + 0.3 * w["oh"],
        "pucker": np.minimum(1.0, 0.8 * w["pucker"] + 0.6 * w["oo"] + 0.3 * w["oh"]),
        "funnel": 0.5 * (w["funnel_lower"] + w["funnel_upper"]) + 0.3 * w["oh"],
    }
