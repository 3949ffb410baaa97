"""All measures of a sound side by side, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.bandwidth import BandwidthMeter
from edgeavatar.analysis.levels import ClippingMeter
from edgeavatar.analysis.music import NoteMeter
from edgeavatar.analysis.noise import NoiseMeter
from edgeavatar.analysis.pitch import HOP, PitchTracker, pitch_range, without_strays
from edgeavatar.analysis.results import Speech, TimedWord
from edgeavatar.analysis.reverberation import DecayMeter
from edgeavatar.analysis.sound_findings import SoundFindings
from edgeavatar.analysis.sound_pieces import (
    RATE_HZ,
    SPEAKING,
    WINDOW_S,
    Piece,
    Spectra,
    quiet_windows,
    spans_of,
)
from edgeavatar.analysis.talking import talking_of
from edgeavatar.audio.loudness import LoudnessMeter
from edgeavatar.audio.vad import segments_of
from edgeavatar.speech.transcription import LANGUAGE

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.pipeline.transcribing import Stretch
    from edgeavatar.types import FloatArray

ROW_S: Final = 0.05
"""Seconds between rows of the columns."""
_MOMENTARY_S: Final = 0.1
_SILENT_LUFS: Final = -70.0
_FITS: Final = 0.2
"""Fit of words and sound from which the words are English, as
:data:`edgeavatar.pipeline.transcript.DOUBTFUL`: what the recogniser makes of other languages fits
at .05 or less."""
_MISFITS: Final = 0.3
"""Share of the speech that no words fit, from which it is not English."""
_JOIN_S: Final = 0.2
_LEAST_QUIET_S: Final = 2.0


class SoundMeasures:
    """Measures of a stream of pieces.

    Parameters
    ----------
    sample_rate : int
        Of the file, hertz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._loudness = LoudnessMeter(sample_rate, detailed=True)
        self._momentary: list[float] = []
        self._spectra = Spectra()
        self._noise = NoiseMeter()
        self._clipping = ClippingMeter()
        self._bandwidth = BandwidthMeter(sample_rate)
        self._decays = DecayMeter()
        self._notes = NoteMeter()
        self._tracker = PitchTracker()
        self._pitch: list[FloatArray] = []
        self._probability: list[FloatArray] = []

    def push(self, piece: Piece) -> None:
        """Take the next windows."""
        self._loudness.push(piece.full)
        self._momentary += self._loudness.take_momentary()
        spectra = self._spectra.push(piece.heard)
        self._noise.push(spectra)
        self._decays.push(spectra)
        self._clipping.push(piece)
        self._bandwidth.push(piece)
        self._notes.push(piece.heard)
        self._pitch.append(self._tracker.push(piece.heard))
        self._probability.append(piece.probability)

    def finish(
        self,
        duration_s: float,
        stretches: Sequence[Stretch] | None = None,
        unclear_s: float = 0.0,
    ) -> SoundFindings:
        """Add up.

        Parameters
        ----------
        duration_s : float
            Of the sound, whose last window may have been filled up.
        stretches : sequence of Stretch, optional
            What was heard; None if nobody listened for words.
        unclear_s : float
            Speech that no words fitted.

        Returns
        -------
        SoundFindings
        """
        lufs = self._loudness.finish()
        self._momentary += self._loudness.take_momentary()
        probability = np.concatenate([*self._probability, np.zeros(0, np.float32)])
        pitch = np.concatenate([*self._pitch, self._tracker.flush()])
        centres_s = np.arange(len(pitch)) * HOP / RATE_HZ
        pitch = np.where(_at(probability, centres_s, WINDOW_S) >= SPEAKING, pitch, np.nan)
        pitch = without_strays(pitch.astype(np.float32))
        clipping = self._clipping.finish()
        noise = self._noise.finish(probability)
        quiet = quiet_windows(probability)
        notes = self._notes.finish(len(probability)) & quiet
        spoken = tuple(
            (s.start_s, min(s.end_s, duration_s)) for s in segments_of(probability.tolist())
        )
        speech_s = sum(end - start for start, end in spoken)
        said = pitch_range(pitch)
        words = _timed(stretches or ())
        talking = None if stretches is None else talking_of(words)
        speech = Speech(
            speech_share=speech_s / duration_s if duration_s else 0.0,
            language=_language(stretches or (), unclear_s),
            words=None if talking is None else talking.words,
            words_per_min=None if talking is None else talking.words_per_min,
            pauses=None if talking is None else talking.pauses,
            pause_median_s=None if talking is None else talking.pause_median_s,
            fillers=None if talking is None else talking.fillers,
            pitch_median_hz=said and said[0],
            pitch_range_semitones=said and said[1],
            loudness_lufs=lufs if lufs > _SILENT_LUFS else None,
            loudness_range_lu=self._loudness.range_lu,
            true_peak_dbtp=self._loudness.true_peak_dbtp,
            snr_db=None if noise is None else noise.snr_db,
            clipped_share=clipping.share if speech_s else None,
            bandwidth_hz=self._bandwidth.finish(),
            reverberation_s=self._decays.finish() if speech_s else None,
            speakers=None,
        )
        return SoundFindings(
            duration_s=duration_s,
            speech=speech,
            speech_spans_s=spoken,
            pauses=noise is None or noise.in_pauses,
            clipped_spans_s=spans_of(clipping.windows, WINDOW_S, join_s=_JOIN_S),
            music_share=float(notes.sum() / quiet.sum())
            if quiet.sum() * WINDOW_S >= _LEAST_QUIET_S
            else None,
            music_spans_s=spans_of(notes, WINDOW_S, join_s=1.0),
            words=words,
            unclear_s=unclear_s,
            columns=_columns(duration_s, probability, pitch, self._momentary),
        )


def _timed(stretches: Sequence[Stretch]) -> tuple[TimedWord, ...]:
    return tuple(
        TimedWord(word.text, float(word.start_s), float(word.end_s), word.confidence or 0.0)
        for stretch in stretches
        for word in stretch.words
    )


def _language(stretches: Sequence[Stretch], unclear_s: float) -> str | None:
    """Say English if the words fit, None if an English recogniser cannot tell."""
    lengths = np.array([float(s.end_s - s.start_s) for s in stretches])
    if lengths.sum() <= 0.0 or unclear_s > _MISFITS * (unclear_s + float(lengths.sum())):
        return None
    fit = float(lengths @ [s.fit for s in stretches]) / float(lengths.sum())
    return LANGUAGE if fit >= _FITS else None


def _at(
    values: npt.NDArray[np.floating], times_s: npt.NDArray[np.floating], step_s: float
) -> npt.NDArray[np.float64]:
    """Give the value of the step in which each time lies; NaN without any."""
    if not len(values):
        return np.full(len(times_s), np.nan)
    index = np.clip((times_s / step_s).astype(np.intp), 0, len(values) - 1)
    return np.asarray(values[index], np.float64)


def _columns(
    duration_s: float,
    probability: FloatArray,
    pitch: npt.NDArray[np.floating],
    momentary: Sequence[float],
) -> dict[str, npt.NDArray[np.generic]]:
    count = int(np.ceil(round(duration_s / ROW_S, 6)))
    times = np.arange(count) * ROW_S
    each = round(ROW_S * RATE_HZ / HOP)
    rows = np.full(count * each, np.nan)
    rows[: len(pitch)] = pitch[: len(rows)]
    rows = np.sort(rows.reshape(count, each), axis=1)  # NaN last
    voiced = np.isfinite(rows).sum(axis=1)
    middle = np.take_along_axis(rows, np.maximum(voiced - 1, 0)[:, None] // 2, 1)[:, 0]
    return {
        "time_s": times,
        "loudness_lufs": _at(np.array(momentary), times, _MOMENTARY_S).astype(np.float32),
        "speech": _at(probability, times + ROW_S / 2.0, WINDOW_S).astype(np.float32),
        "pitch_hz": np.where(2 * voiced >= each, middle, np.nan).astype(np.float32),
    }
