"""Measures by which pictures, movements and sounds of two nets compare."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

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


def log_spectral_distance(a: Floats, b: Floats, window: int = 1024) -> float:
    """Root mean square difference of two sounds' log power spectra in decibel (Gray & Markel 1976).

    Parameters
    ----------
    a, b
        ``(n,)`` in [-1, 1] at one rate; the longer is cut to the shorter.
    window
        Samples of a Hann window; half of it is the step.

    Returns
    -------
    float
        Over windows in which ``a`` is not silent, above a floor 60 dB below the loudest bin.
    """
    count = min(len(a), len(b)) // window * window
    if not count:
        return 0.0
    spectra = []
    for sound in (a, b):
        frames = np.lib.stride_tricks.sliding_window_view(sound[:count], window)[:: window // 2]
        spectra.append(np.abs(np.fft.rfft(frames * np.hanning(window), axis=1)) ** 2)
    floor = 1e-6 * max(float(spectra[0].max()), 1e-12)
    first, second = (10.0 * np.log10(np.maximum(s, floor)) for s in spectra)
    loud = spectra[0].sum(axis=1) > 1e-4 * float(spectra[0].sum(axis=1).max())
    return float(np.sqrt(((first - second)[loud] ** 2).mean(axis=1)).mean())
