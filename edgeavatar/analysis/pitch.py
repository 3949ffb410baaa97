"""Fundamental frequency of a voice: YIN, and the smoothest way through its candidates.

Difference function and its normalisation after A. de Cheveigné and H. Kawahara, "YIN, a fundamental
frequency estimator for speech and music", JASA 111 (2002), steps 1 to 5. As in pYIN (M. Mauch and
S. Dixon, ICASSP 2014), each moment keeps several candidates, and dynamic programming chooses among
them, so that single octave errors go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.sound_pieces import RATE_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Floats = npt.NDArray[np.float64]

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
"""Creaky men to children."""
HOP: Final = 200
"""Samples between estimates: 12.5 ms, four for each row of 50 ms."""
_HELD: Final = 512
"""Samples over which differences are summed: 32 ms, two periods of the lowest voice."""
_LONGEST: Final = int(RATE_HZ / LOWEST_HZ)
_SHORTEST: Final = int(RATE_HZ / HIGHEST_HZ)
_SPAN: Final = _HELD + _LONGEST + 1
_TRANSFORM: Final = 1024
_CANDIDATES: Final = 5
_APERIODIC: Final = 0.35
"""Normalised difference from which a moment is rather unvoiced. YIN's authors take 0.1 to 0.15
without a choice among candidates; pYIN's prior reaches to 0.4."""
_PASSED_HZ: Final = 1500.0
_TAPS: Final = 63
"""Above, there is more breath and noise than voice: YIN's authors filter as low as 1 kHz."""
_JUMP: Final = 0.5
"""Cost of a jump by an octave between estimates."""
_SWITCH: Final = 0.08
"""Cost of a change between voiced and unvoiced."""
_STEP_SEMITONES: Final = 3.0
_LEAST_RUN: Final = 4
_LEAST_POWER: Final = 1e-9
"""Of samples in [-1, 1]: -90 dB of full scale."""


class PitchTracker:
    """Pitch of a stream at 16 kHz, 80 times a second.

    Estimate ``i`` is of the samples around ``200 i``. The way through the candidates is chosen over
    what is pushed at once.
    """

    def __init__(self) -> None:
        at = np.arange(_TAPS) - _TAPS // 2
        taps = np.sinc(2.0 * _PASSED_HZ / RATE_HZ * at) * np.hanning(_TAPS + 2)[1:-1]
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._unfiltered = np.zeros(_TAPS // 2, np.float32)
        self._rest = np.zeros(_SPAN // 2, np.float32)

    def push(self, heard: FloatArray) -> FloatArray:
        """Take more sound and give the estimates that are ready.

        Parameters
        ----------
        heard : numpy.ndarray
            ``(n,)`` float32 at 16 kHz.

        Returns
        -------
        numpy.ndarray
            ``(k,)`` float32, hertz; NaN where it is not voiced.
        """
        unfiltered = np.concatenate([self._unfiltered, heard])
        self._unfiltered = unfiltered[max(0, len(unfiltered) - _TAPS + 1) :]
        filtered = (
            np.convolve(unfiltered, self._taps, "valid")
            if len(unfiltered) >= _TAPS
            else np.zeros(0, np.float32)
        )
        sound = np.concatenate([self._rest, filtered.astype(np.float32)])
        count = max(0, (len(sound) - _SPAN) // HOP + 1)
        self._rest = sound[count * HOP :]
        if count == 0:
            return np.zeros(0, np.float32)
        rows = np.lib.stride_tricks.sliding_window_view(sound, _SPAN)[::HOP][:count]
        return _chosen(*_candidates(normalised_difference(rows)))

    def flush(self) -> FloatArray:
        """Give the estimates that reach beyond the last sample."""
        return self.push(np.zeros(_SPAN - _SPAN // 2 - 1 + _TAPS // 2, np.float32))


def normalised_difference(rows: FloatArray) -> Floats:
    """Compute YIN's cumulative mean normalised difference function (its equation 8).

    Parameters
    ----------
    rows : numpy.ndarray
        ``(n, 779)`` samples.

    Returns
    -------
    numpy.ndarray
        ``(n, 267)`` for lags 0 to 266; 1 at lag 0, near 0 at a period, 1 where there is no sound.
    """
    rows = rows.astype(np.float64)
    rows = rows - rows.mean(axis=1, keepdims=True)
    head = np.fft.rfft(rows[:, :_HELD], _TRANSFORM)
    whole = np.fft.rfft(rows, _TRANSFORM)
    correlation = np.fft.irfft(np.conj(head) * whole, _TRANSFORM)[:, : _LONGEST + 1]
    energy = np.cumsum(np.pad(rows**2, ((0, 0), (1, 0))), axis=1)
    powers = energy[:, _HELD : _HELD + _LONGEST + 1] - energy[:, : _LONGEST + 1]
    difference = np.maximum(powers[:, :1] + powers - 2.0 * correlation, 0.0)
    sums = np.cumsum(difference[:, 1:], axis=1)
    lags = np.arange(1, _LONGEST + 1)
    normal = np.ones_like(difference)
    loud = powers[:, 0] > _LEAST_POWER * _HELD
    normal[loud, 1:] = difference[loud, 1:] * lags / np.maximum(sums[loud], 1e-20)
    return normal


def _candidates(normal: Floats) -> tuple[Floats, Floats]:
    """Frequencies and costs, ``(n, 5)`` each, of the deepest dips; infinite cost where none."""
    middle = normal[:, _SHORTEST:_LONGEST]
    left, right = normal[:, _SHORTEST - 1 : _LONGEST - 1], normal[:, _SHORTEST + 1 : _LONGEST + 1]
    curve = left + right - 2.0 * middle
    dip = (middle <= left) & (middle < right) & (curve > 0.0)
    shift = np.where(dip, 0.5 * (left - right) / np.where(dip, curve, 1.0), 0.0)
    depth = np.where(dip, middle - 0.125 * (left - right) ** 2 / np.where(dip, curve, 1.0), np.inf)
    lags = np.arange(_SHORTEST, _LONGEST) + shift
    # Of a period and its multiples, which dip as deep, the shortest is meant.
    cost = np.maximum(depth, 0.0) + 0.02 * np.log2(lags / _SHORTEST)
    best = np.argpartition(cost, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    return np.take_along_axis(RATE_HZ / lags, best, 1), np.take_along_axis(cost, best, 1)


def _chosen(frequencies: Floats, costs: Floats) -> FloatArray:
    """Cheapest way through candidates, the last of which is to be unvoiced."""
    count = len(costs)
    octaves = np.log2(frequencies)
    local = np.concatenate([costs, np.full((count, 1), _APERIODIC)], axis=1)
    came = np.zeros((count, _CANDIDATES + 1), np.intp)
    total = local[0]
    for i in range(1, count):
        moves = np.full((_CANDIDATES + 1, _CANDIDATES + 1), _SWITCH)
        moves[:-1, :-1] = _JUMP * np.abs(octaves[i - 1][:, None] - octaves[i][None])
        moves[-1, -1] = 0.0
        sums = total[:, None] + moves
        came[i] = sums.argmin(axis=0)
        total = sums.min(axis=0) + local[i]
    way = np.zeros(count, np.intp)
    way[-1] = int(np.argmin(total))
    for i in range(count - 1, 0, -1):
        way[i - 1] = came[i, way[i]]
    padded = np.concatenate([frequencies, np.full((count, 1), np.nan)], axis=1)
    pitch: FloatArray = np.take_along_axis(padded, way[:, None], 1)[:, 0].astype(np.float32)
    return pitch


def without_strays(pitch_hz: FloatArray) -> FloatArray:
    """Leave out voices that last less than 50 ms: breath and friction that happen to repeat.

    Parameters
    ----------
    pitch_hz : numpy.ndarray
        ``(n,)`` estimates every 12.5 ms; NaN where it is not voiced.

    Returns
    -------
    numpy.ndarray
        ``(n,)``; NaN in runs of less than 4 estimates without a step of three semitones.
    """
    if not len(pitch_hz):
        return pitch_hz
    with np.errstate(invalid="ignore"):
        steps = np.abs(12.0 * np.log2(pitch_hz[1:] / pitch_hz[:-1]))
    edges = np.concatenate([[0], np.flatnonzero(~(steps < _STEP_SEMITONES)) + 1, [len(pitch_hz)]])
    lengths = np.diff(edges)
    kept: FloatArray = np.where(np.repeat(lengths, lengths) >= _LEAST_RUN, pitch_hz, np.nan)
    return kept.astype(np.float32)


def pitch_range(pitch_hz: FloatArray) -> tuple[float, float] | None:
    """Give the median of a voice in hertz, and its range from the 5 % to the 95 % in semitones.

    Parameters
    ----------
    pitch_hz : numpy.ndarray
        ``(n,)``; NaN where it is not voiced.

    Returns
    -------
    (float, float) or None
        None with less than 40 voiced estimates (half a second).
    """
    voiced = pitch_hz[np.isfinite(pitch_hz)]
    if len(voiced) < 40:
        return None
    low, middle, high = np.percentile(voiced, [5.0, 50.0, 95.0])
    return float(middle), float(12.0 * np.log2(high / low))
