"""How well a mouth speaks: measures on lip gaps, from a track or measured in a rendered video.

Gaps are in face heights (or any one unit: all results but speeds are ratios or counts), one for
each time; times need not be even. Nothing here knows where the gaps come from, so that a
benchmark can hold a rendered video to the same measures as the track it was rendered from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.visemes import SILENCE, is_bilabial, is_open_vowel

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray, PhonemeTiming

    Floats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

CLOSED_SHARE = 0.15
"""Lips count as closed when their gap is below this share of the clip's 90th percentile."""
CLOSURE_WINDOW_S = 0.06
"""A closure counts when it falls within this time of the bilabial's middle."""
SETTLE_S = 0.12
"""Time after and before speech in which the mouth may still, or already, move."""
_FACE_HEIGHT_PX = 256.0


@dataclass(frozen=True, slots=True)
class ClosureScore:
    """Lips closed where they should be, and where they should not."""

    bilabials: int
    """Instances of /p b m/."""
    closed_bilabials: int
    open_vowels: int
    """Instances of open, unrounded vowels."""
    closed_vowels: int

    @property
    def hit_share(self) -> float:
        """Closed bilabials ÷ bilabials; nan without any."""
        return self.closed_bilabials / self.bilabials if self.bilabials else float("nan")

    @property
    def false_share(self) -> float:
        """Open vowels wrongly closed ÷ open vowels; nan without any."""
        return self.closed_vowels / self.open_vowels if self.open_vowels else float("nan")


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's r at the best lag."""

    r: float
    lag: int
    """Entries by which the measured curve is late."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far and how often a mouth opens."""

    range: float
    """95th less 5th percentile of the gap."""
    frequency_hz: float
    """Centroid of the gap's power spectrum between 0.5 and 10 Hz."""


def closure(
    gaps: Floats,
    times_s: Floats,
    phonemes: Sequence[PhonemeTiming],
    sample_rate: int,
) -> ClosureScore:
    """Count bilabials with the lips closed, and open vowels with the lips wrongly closed.

    A bilabial is closed when the smallest gap within 60 ms of its middle is below 15% of the 90th
    percentile of all gaps. An open vowel is wrongly closed when the gap at its middle is.

    Parameters
    ----------
    gaps : numpy.ndarray
        ``(n,)`` lip gaps >= 0.
    times_s : numpy.ndarray
        ``(n,)`` rising times in seconds, on the clock of the phonemes.
    phonemes : sequence of PhonemeTiming
        What was said.
    sample_rate : int
        Of the phoneme times.

    Returns
    -------
    ClosureScore

    Raises
    ------
    UsageError
        If gaps and times differ in length or there are none.
    """
    gaps, times_s = _checked(gaps, times_s)
    limit = CLOSED_SHARE * float(np.percentile(gaps, 90))
    counts = [0, 0, 0, 0]
    for phoneme in phonemes:
        middle = _middle_s(phoneme, sample_rate)
        if not times_s[0] - CLOSURE_WINDOW_S <= middle <= times_s[-1] + CLOSURE_WINDOW_S:
            continue
        if is_bilabial(phoneme.symbol):
            counts[0] += 1
            near = gaps[np.abs(times_s - middle) <= CLOSURE_WINDOW_S]
            counts[1] += bool(near.size and near.min() < limit)
        elif is_open_vowel(phoneme.symbol):
            counts[2] += 1
            counts[3] += bool(np.interp(middle, times_s, gaps) < limit)
    return ClosureScore(*counts)


def closure_contrast(
    gaps: Floats,
    times_s: Floats,
    phonemes: Sequence[PhonemeTiming],
    sample_rate: int,
    *,
    floor: float = 0.001,
) -> float:
    """Mean gap at the middle of open vowels ÷ mean gap at the middle of /p b m/.

    Parameters
    ----------
    gaps, times_s, phonemes, sample_rate
        As for :func:`closure`.
    floor : float
        Smallest divisor: what a face model can tell from contact, in the unit of the gaps.

    Returns
    -------
    float
        nan if either kind is missing.

    Raises
    ------
    UsageError
        If gaps and times differ in length or there are none.
    """
    gaps, times_s = _checked(gaps, times_s)
    opened, closed = (
        [
            float(np.interp(_middle_s(p, sample_rate), times_s, gaps))
            for p in phonemes
            if kind(p.symbol)
        ]
        for kind in (is_open_vowel, is_bilabial)
    )
    if not opened or not closed:
        return float("nan")
    return float(np.mean(opened)) / max(floor, float(np.mean(closed)))


def silence_leakage(
    gaps: Floats,
    times_s: Floats,
    phonemes: Sequence[PhonemeTiming],
    sample_rate: int,
) -> float:
    """Share of silent moments in which the mouth is open or moves.

    Moments count as silent when they lie in a silence, 120 ms or more from its ends (an end of the
    whole speech does not count as one). The mouth is open when its gap is more than 15% of the
    90th percentile above the 5th, and moves when it changes between moments by more than a third
    of that.

    Parameters
    ----------
    gaps, times_s, phonemes, sample_rate
        As for :func:`closure`.

    Returns
    -------
    float
        0 to 1; nan without silent moments.

    Raises
    ------
    UsageError
        If gaps and times differ in length or there are none.
    """
    gaps, times_s = _checked(gaps, times_s)
    silent = np.ones(len(times_s), bool)
    for phoneme in phonemes:
        if phoneme.symbol != SILENCE:
            start = phoneme.start_sample / sample_rate - SETTLE_S
            end = phoneme.end_sample / sample_rate + SETTLE_S
            silent &= (times_s < start) | (times_s > end)
    if not silent.any():
        return float("nan")
    limit = CLOSED_SHARE * float(np.percentile(gaps, 90))
    leaks = gaps - np.percentile(gaps, 5) > limit
    moves = np.zeros(len(gaps), bool)
    moves[1:] = (np.abs(np.diff(gaps)) > limit / 3.0) & silent[:-1]
    return float((leaks | moves)[silent].mean())


def correlation(measured: Floats, reference: Floats, *, max_lag: int = 2) -> Correlation:
    """Correlate two even curves at the best lag.

    For the aperture correlation, both are lip gaps; for the audio-visual offset, the reference is
    what the sound asks for (the gap of the phoneme times, or loudness) and ``max_lag`` is large.

    Parameters
    ----------
    measured, reference : numpy.ndarray
        ``(n,)`` of the same rate, and of the same length up to a few entries at the end.
    max_lag : int
        Lags from ``-max_lag`` to ``max_lag`` are tried.

    Returns
    -------
    Correlation
        ``r`` is nan if a curve does not vary; of equal lags the one nearest to 0.

    Raises
    ------
    UsageError
        If fewer than ``2 * max_lag + 3`` entries are common.
    """
    count = min(len(measured), len(reference))
    if count < 2 * max_lag + 3:
        raise UsageError(
            f"expected at least {2 * max_lag + 3} entries for lags up to {max_lag}, found {count}"
        )
    a, b = np.asarray(measured[:count], np.float64), np.asarray(reference[:count], np.float64)
    best = Correlation(float("nan"), 0)
    for lag in sorted(range(-max_lag, max_lag + 1), key=abs):
        x = a[max(0, lag) : count + min(0, lag)]
        y = b[max(0, -lag) : count - max(0, lag)]
        x, y = x - x.mean(), y - y.mean()
        energy = float(np.sqrt((x @ x) * (y @ y)))
        if energy > 0.0:
            r = float(x @ y) / energy
            if not r <= best.r:
                best = Correlation(r, lag)
    return best


def extent(gaps: Floats, rate_hz: float) -> Extent:
    """Measure how far and how often a mouth opens in a stretch of speech.

    Parameters
    ----------
    gaps : numpy.ndarray
        ``(n,)`` of an even rate.
    rate_hz : float
        Gaps per second, above 20.

    Returns
    -------
    Extent

    Raises
    ------
    UsageError
        If the stretch is shorter than a second or the rate too low for the band.
    """
    if rate_hz <= 20.0 or len(gaps) < rate_hz:
        raise UsageError(
            f"expected at least one second of gaps at more than 20 a second, "
            f"found {len(gaps)} at {rate_hz:g}"
        )
    values = np.asarray(gaps, np.float64)
    low, high = np.percentile(values, [5.0, 95.0])
    power = np.abs(np.fft.rfft((values - values.mean()) * np.hanning(len(values)))) ** 2
    frequencies = np.fft.rfftfreq(len(values), 1.0 / rate_hz)
    band = (frequencies >= 0.5) & (frequencies <= 10.0)
    total = float(power[band].sum())
    centroid = float((power * frequencies)[band].sum()) / total if total > 0.0 else 0.0
    return Extent(float(high - low), centroid)


def articulation_ratio(measured: Extent, real: Extent) -> tuple[float, float]:
    """Range and frequency of a mouth's opening relative to a real one.

    Parameters
    ----------
    measured, real : Extent
        Of the same words.

    Returns
    -------
    range_ratio, frequency_ratio : float
        1 is lifelike; nan where the real one does not move.
    """
    nan = float("nan")
    return (
        measured.range / real.range if real.range > 0.0 else nan,
        measured.frequency_hz / real.frequency_hz if real.frequency_hz > 0.0 else nan,
    )


def lip_jitter(landmarks: FloatArray, face_height_px: float) -> float:
    """Trembling of lip landmarks in a stretch where nothing should move.

    Parameters
    ----------
    landmarks : numpy.ndarray
        ``(n, k, 2)`` pixels in consecutive frames, n >= 3.
    face_height_px : float
        Height of the face in the same pixels.

    Returns
    -------
    float
        Root mean square of the second difference over time, in pixels at a face height of 256.

    Raises
    ------
    UsageError
        If there are fewer than three frames or the face has no height.
    """
    if landmarks.ndim != 3 or len(landmarks) < 3 or face_height_px <= 0.0:
        raise UsageError(
            "expected (n >= 3, k, 2) landmarks and a face height above 0, "
            f"found shape {landmarks.shape} and {face_height_px:g}"
        )
    second = np.diff(np.asarray(landmarks, np.float64), n=2, axis=0)
    return float(np.sqrt((second**2).sum(axis=-1).mean())) * _FACE_HEIGHT_PX / face_height_px


def _checked(
    gaps: Floats, times_s: Floats
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if len(gaps) != len(times_s) or len(gaps) == 0:
        raise UsageError(
            f"expected as many gaps as times and at least one, found {len(gaps)} and {len(times_s)}"
        )
    return np.asarray(gaps, np.float64), np.asarray(times_s, np.float64)


def _middle_s(phoneme: PhonemeTiming, sample_rate: int) -> float:
    return (phoneme.start_sample + phoneme.end_sample) / (2.0 * sample_rate)
