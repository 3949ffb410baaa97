"""Measures by which pictures, movements and sounds of two nets compare."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.audio.resample import resample
from edgeavatar.motion.mel import SAMPLE_RATE, log_mel

Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]


def ssim(a: Bytes, b: Bytes) -> float:
    """Structural similarity of two pictures ``(h, w)`` (Wang et al. 2004), h and w over 10.

    Gaussian window of 11 px and sigma 1.5, K1 = 0.01, K2 = 0.03; the mean over all places at which
    the window lies inside.
    """
    x, y = a.astype(np.float64), b.astype(np.float64)

    def mean(v: Doubles) -> Doubles:
        return np.asarray(cv2.GaussianBlur(v, (11, 11), 1.5)[5:-5, 5:-5], np.float64)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(found.mean())


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's r of two tracks ``(n,)``; 1 if both stand still, 0 if one does."""
    x, y = (np.asarray(v, np.float64) - float(np.mean(v)) for v in (a, b))
    power = float(np.sqrt((x * x).sum() * (y * y).sum()))
    if power < 1e-12:
        return float(np.allclose(x, y, atol=1e-6))
    return float((x * y).sum() / power)


def log_mel_distance(a: Floats, b: Floats, rate: int) -> float:
    """Root mean square difference of two sounds' log-mel spectra in decibel.

    Parameters
    ----------
    a, b
        ``(n,)`` in [-1, 1], the right one first; the longer is cut to the shorter.
    rate
        Hertz, of both.

    Returns
    -------
    float
        Mean over rows (10 ms) in which ``a`` is at most 40 dB quieter than its loudest, of bands at
        most 60 dB below that.
    """
    first, second = (
        (10.0 / np.log(10.0)) * log_mel(resample(np.asarray(s, np.float32), rate, SAMPLE_RATE))
        for s in (a, b)
    )
    count = min(len(first), len(second))
    if not count:
        return 0.0
    first, second = first[:count], second[:count]
    top = float(first.max())
    loud = first.max(axis=1) > top - 40.0
    away = np.maximum(first, top - 60.0) - np.maximum(second, top - 60.0)
    return float(np.sqrt((away[loud] ** 2).mean(axis=1)).mean())
