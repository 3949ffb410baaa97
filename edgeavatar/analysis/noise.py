"""How far speech stands above what else is heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.sound_pieces import SPEAKING, Spectra, quiet_windows

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

BAND_HZ: Final = (100.0, 7600.0)
"""What counts. Below it there are rumble and mains, little of speech, and one band of the 80 that
our listener is given; it is given nothing above."""
MOST_DB: Final = 80.0
"""Ratios above this are not told apart: a recording's own rounding lies near."""
_LEAST_QUIET: Final = 16
"""Windows without speech (0.5 s) that are needed to know the noise."""
_BETWEEN: Final = 10.0
_LEAST_SPEECH: Final = 16
_ROUNDING: Final = 1e-10
"""Power of the rounding to 16 bits, 2**-30 / 12, and some more."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How loud it is."""

    snr_db: float
    """At most :data:`MOST_DB`."""
    in_pauses: bool
    """Whether it was heard in pauses; if there are none, others may be talking all the time."""


class NoiseMeter:
    """Powers of the windows of a stream, to tell speech from noise at its end.

    The noise is what is heard while nobody speaks, by the detector, and is taken to go on under the
    speech: SNR = (speech with noise - noise) / noise, of mean powers. Where the detector hears no
    pause, as in a crowd, it is what remains between the syllables: the 10th percentile of the
    powers. That finds noise below 15 dB to 1 dB, tells clean speech to be at 18 dB or better, and a
    crowd as what it is down to 5 dB; one as loud as the speaker seems 5 dB quieter.
    """

    def __init__(self) -> None:
        low, high = (round(edge / Spectra.STEP_HZ) for edge in BAND_HZ)
        self._bins = slice(low, high + 1)
        self._powers: list[FloatArray] = []

    def push(self, spectra: FloatArray) -> None:
        """Take the spectra of some windows.

        Parameters
        ----------
        spectra : numpy.ndarray
            ``(2 n, 257)`` of :class:`Spectra`.
        """
        power = spectra[:, self._bins].sum(axis=1)
        self._powers.append(power.reshape(-1, 2).mean(axis=1).astype(np.float32))

    def finish(self, probability: FloatArray) -> Noise | None:
        """Give the signal-to-noise ratio.

        Parameters
        ----------
        probability : numpy.ndarray
            ``(n,)`` of speech, of all windows that were taken.

        Returns
        -------
        Noise or None
            None with less than 0.5 s of speech.
        """
        powers = np.concatenate([*self._powers, np.zeros(0, np.float32)]).astype(np.float64)
        speaking = powers[probability >= SPEAKING]
        quiet = powers[quiet_windows(probability)]
        if len(speaking) < _LEAST_SPEECH:
            return None
        pauses = len(quiet) >= _LEAST_QUIET
        if pauses:
            noise = float(quiet.mean()) + _ROUNDING
        else:
            noise = float(np.percentile(speaking, _BETWEEN)) + _ROUNDING
        speech = max(float(speaking.mean()) - noise, 0.03 * noise)
        return Noise(min(MOST_DB, float(10.0 * np.log10(speech / noise))), pauses)
