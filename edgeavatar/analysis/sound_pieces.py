"""Sound as the measures are given it: whole windows of the speech detector, with what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

RATE_HZ: Final = 16000
"""Of the sound that is heard for speech, pitch, noise and room."""
WINDOW: Final = 512
"""Samples at :data:`RATE_HZ` of one window: what one probability speaks of."""
WINDOW_S: Final = WINDOW / RATE_HZ
SPEAKING: Final = 0.5
"""Probability from which a window counts as speech: the detector's own threshold."""
QUIET: Final = 0.15
"""Probability below which a window may count as free of speech."""
_AFTER, _BEFORE = 6, 2
"""Windows after and before speech that are not taken for quiet: its tail in a room, its breath."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some windows of a sound, of about a second."""

    start_window: int
    full: FloatArray
    """``(m,)`` float32 at the rate of the file."""
    edges: npt.NDArray[np.intp]
    """``(n,)`` where in ``full`` each window begins; none is empty."""
    heard: FloatArray
    """``(n * 512,)`` float32, the same at 16 kHz."""
    probability: FloatArray
    """``(n,)`` of speech in each window."""

    @property
    def windows(self) -> int:
        """How many there are."""
        return len(self.probability)


def quiet_windows(probability: FloatArray) -> npt.NDArray[np.bool_]:
    """Tell which windows of a whole sound are free of speech and of its tail in the room.

    Parameters
    ----------
    probability : numpy.ndarray
        ``(n,)`` of speech.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` bool: below :data:`QUIET`, 0.2 s after speech and 0.06 s before.
    """
    if not len(probability):
        return np.zeros(0, bool)
    reach = np.concatenate([np.zeros(_AFTER, bool), probability >= QUIET, np.zeros(_BEFORE, bool)])
    near = np.lib.stride_tricks.sliding_window_view(reach, _AFTER + 1 + _BEFORE).any(axis=1)
    return np.asarray(~near)


def spans_of(
    flags: npt.NDArray[np.bool_], step_s: float, *, join_s: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """Give the stretches of set flags in seconds.

    Parameters
    ----------
    flags : numpy.ndarray
        ``(n,)`` bool, one for each ``step_s``.
    step_s : float
        Seconds of one.
    join_s : float
        Stretches that are nearer are made one.

    Returns
    -------
    tuple of (float, float)
        Start and end of each.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    spans: list[tuple[float, float]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if spans and start * step_s - spans[-1][1] <= join_s:
            spans[-1] = (spans[-1][0], round(end * step_s, 3))
        else:
            spans.append((round(start * step_s, 3), round(end * step_s, 3)))
    return tuple(spans)


class Spectra:
    """Power spectra of a stream at 16 kHz: Hann windows of 32 ms, 62.5 a second.

    Row ``j`` is of the samples ``256 j - 256`` to ``256 j + 256``, so that rows ``2k`` and
    ``2k + 1`` belong to window ``k``. A full-scale sine has a sum of 0.5 over its row.
    """

    HOP: Final = WINDOW // 2
    STEP_HZ: Final = RATE_HZ / WINDOW

    def __init__(self) -> None:
        self._rest = np.zeros(self.HOP, np.float32)
        self._window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
        self._scale = 2.0 / (WINDOW * float((self._window**2).sum()))

    def push(self, heard: FloatArray) -> FloatArray:
        """Take whole windows and give two rows for each.

        Parameters
        ----------
        heard : numpy.ndarray
            ``(512 n,)`` float32.

        Returns
        -------
        numpy.ndarray
            ``(2 n, 257)`` float32, power in each bin of 31.25 Hz.
        """
        sound = np.concatenate([self._rest, heard])
        self._rest = sound[len(sound) - self.HOP :]
        rows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[:: self.HOP]
        power: FloatArray = (
            np.abs(np.fft.rfft(rows[: len(heard) // self.HOP] * self._window)) ** 2 * self._scale
        ).astype(np.float32)
        return power
