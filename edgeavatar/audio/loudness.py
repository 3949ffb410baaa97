"""Loudness of speech: measured by ITU-R BS.1770, brought to a target by one constant gain."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeavatar.types import AudioChunk, SpeechChunk

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

DEFAULT_LUFS = -18.0
"""Target for speech: louder than broadcast (-23, EBU R 128), as AES TD1008 advises for speech on
the internet, and quiet enough that the limiter has next to nothing to do."""

PEAK_DBTP = -1.0
"""Highest true peak after the limiter (EBU R 128, AES TD1008)."""

_SILENT_LUFS = -70.0
"""Absolute gate of BS.1770: below it there is nothing to measure."""

_SHORTEST_RANGE_S = 10

_LOOK_AHEAD_S = 3.0
"""Speech that is heard before the gain is fixed: EBU Tech 3341's short-term window."""

_MAX_GAIN_DB = 24.0

_LIMITER_S = 0.005
_PEAK_TAPS = 12
_OVERSAMPLING = 4
"""BS.1770-4 annex 2 asks for 4-fold oversampling to find true peaks."""


class LoudnessMeter:
    """Integrated loudness of a stream, with K-weighting and gating (FFmpeg's ebur128).

    Parameters
    ----------
    sample_rate : int
        Hertz.
    detailed : bool
        Whether true peak, loudness range and momentary loudness are wanted too.
    """

    range_lu: float | None = None
    """Loudness range (EBU Tech 3342) after :meth:`finish`; None for less than 10 s, which has too
    few of its windows of 3 s, and for silence."""
    true_peak_dbtp: float | None = None
    """Highest true peak (BS.1770 annex 2) so far; None for silence."""

    def __init__(self, sample_rate: int, *, detailed: bool = False) -> None:
        import av.filter

        self._rate = sample_rate
        self._taken = 0
        self._lufs = _SILENT_LUFS
        self._momentary: list[float] | None = [] if detailed else None
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono")
        meter = self._graph.add("ebur128", "metadata=1" + (":peak=true" if detailed else ""))
        sink = self._graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        self._graph.configure()

    def push(self, samples: FloatArray) -> None:
        """Take more sound.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32.
        """
        import av

        for start in range(0, len(samples), self._rate):
            part = np.ascontiguousarray(samples[None, start : start + self._rate], np.float32)
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
            frame.sample_rate = self._rate
            frame.pts = self._taken
            self._taken += part.shape[1]
            self._graph.push(frame)
            self._drain()

    def finish(self) -> float:
        """End the stream and return its loudness.

        Returns
        -------
        float
            LUFS; -70 for silence. A sound shorter than the 0.4 s of a measuring block is measured
            with silence behind it.
        """
        short = round(0.4 * self._rate) - self._taken
        if 0 < short < round(0.4 * self._rate):
            self.push(np.zeros(short, np.float32))
        self._graph.push(None)
        self._drain()
        return self._lufs

    def take_momentary(self) -> list[float]:
        """Give, once, the momentary loudness of the last 0.4 s, for each 0.1 s that was heard.

        Returns
        -------
        list of float
            LUFS, at least -70; empty if it is not detailed.
        """
        taken = list(self._momentary or ())
        if self._momentary is not None:
            self._momentary.clear()
        return taken

    def _drain(self) -> None:
        import av

        while True:
            try:
                frame: Any = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            value = frame.metadata.get("lavfi.r128.I")
            if value is not None:  # the last frame, if shorter than the others, has none
                self._lufs = float(value)
                if self._momentary is not None:
                    self._note(self._momentary, frame.metadata)

    def _note(self, momentary: list[float], found: Any) -> None:
        momentary.append(max(_SILENT_LUFS, float(found["lavfi.r128.M"])))
        peak = float(found["lavfi.r128.true_peak"])
        if peak > 0.0:
            self.true_peak_dbtp = 20.0 * float(np.log10(peak))
        if self._taken >= _SHORTEST_RANGE_S * self._rate and self._lufs > _SILENT_LUFS:
            self.range_lu = float(found["lavfi.r128.LRA"])


def measure_lufs(samples: FloatArray, sample_rate: int) -> float:
    """Measure the integrated loudness of a mono sound.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(n,)`` float32.
    sample_rate : int
        Hertz.

    Returns
    -------
    float
        LUFS (ITU-R BS.1770, one channel); -70 for silence.
    """
    meter = LoudnessMeter(sample_rate)
    meter.push(samples)
    return meter.finish()


def measure_stream_lufs(chunks: Iterable[AudioChunk]) -> float:
    """Measure the integrated loudness of a stream, piece by piece.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Of one sample rate.

    Returns
    -------
    float
        LUFS; -70 for silence, and for no sound at all.
    """
    meter: LoudnessMeter | None = None
    for chunk in chunks:
        meter = meter or LoudnessMeter(chunk.sample_rate)
        meter.push(chunk.samples)
    return _SILENT_LUFS if meter is None else meter.finish()


def amplify(chunks: Iterable[AudioChunk], gain: float) -> Iterator[AudioChunk]:
    """Multiply a stream by one gain; peaks are limited as by :func:`limit_peaks` on all of it.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        Follow each other without a gap.
    gain : float
        Linear, for example from :func:`gain_to`.

    Yields
    ------
    AudioChunk
        All samples, up to one chunk later and not in the same pieces.
    """
    buffer = np.zeros(0, np.float32)
    start = given = 0
    rate = 0
    for chunk in chunks:
        rate = chunk.sample_rate
        if not len(buffer):
            start = given = chunk.start_sample
        buffer = np.concatenate([buffer, chunk.samples * np.float32(gain)])
        # A sample's gain depends on peaks within two half windows, and those on a few samples more.
        reach = 2 * _limiter_half(rate) + _PEAK_TAPS + 1
        ready = start + len(buffer) - reach
        if ready > given:
            limited = limit_peaks(buffer, rate)
            yield AudioChunk(limited[given - start : ready - start], rate, given)
            given = ready
            kept = max(start, given - reach)
            buffer, start = buffer[kept - start :], kept
    if given < start + len(buffer):
        yield AudioChunk(limit_peaks(buffer, rate)[given - start :], rate, given)


def level_speech(
    chunks: Iterable[SpeechChunk], target_lufs: float = DEFAULT_LUFS
) -> Iterator[SpeechChunk]:
    """Bring speech to a loudness with one gain for the whole stream.

    The first sentences, up to 3 seconds of sound, are held back to be measured; the gain that
    follows never changes, so nothing pumps. Only peaks that would pass -1 dBTP are turned down,
    for 5 ms around them.

    Parameters
    ----------
    chunks : iterable of SpeechChunk
        Speech, as a voice gives it.
    target_lufs : float
        Integrated loudness to reach.

    Yields
    ------
    SpeechChunk
        The same chunks with levelled sound; times are untouched.
    """
    held: list[SpeechChunk] = []
    gain: float | None = None
    meter: LoudnessMeter | None = None
    duration_s = 0.0
    for chunk in chunks:
        if gain is not None:
            yield _levelled(chunk, gain)
            continue
        meter = meter or LoudnessMeter(chunk.audio.sample_rate)
        held.append(chunk)
        meter.push(chunk.audio.samples)
        duration_s += len(chunk.audio.samples) / chunk.audio.sample_rate
        if duration_s >= _LOOK_AHEAD_S:
            gain = gain_to(target_lufs, meter.finish())
            yield from (_levelled(c, gain) for c in held)
            held.clear()
    if held and meter is not None:
        gain = gain_to(target_lufs, meter.finish())
        yield from (_levelled(c, gain) for c in held)


def gain_to(target_lufs: float, measured_lufs: float) -> float:
    """Factor that brings a measured loudness to a target.

    Parameters
    ----------
    target_lufs, measured_lufs : float
        LUFS.

    Returns
    -------
    float
        Linear gain: 1 for silence, at most 24 dB.
    """
    if measured_lufs <= _SILENT_LUFS:
        return 1.0
    return float(10.0 ** (min(target_lufs - measured_lufs, _MAX_GAIN_DB) / 20.0))


def limit_peaks(
    samples: FloatArray, sample_rate: int, *, ceiling_dbtp: float = PEAK_DBTP
) -> FloatArray:
    """Turn down peaks, between the samples too, that pass a ceiling.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(n,)`` float32; treated as silent beyond both ends.
    sample_rate : int
        Hertz.
    ceiling_dbtp : float
        Highest true peak in dB of full scale.

    Returns
    -------
    numpy.ndarray
        ``(n,)`` float32; the input itself where no peak passes the ceiling.
    """
    ceiling = 10.0 ** (ceiling_dbtp / 20.0)
    if len(samples) == 0 or float(np.abs(samples).max()) < 0.5 * ceiling:
        return samples
    peaks = _true_peaks(samples)
    if float(peaks.max()) <= ceiling:
        return samples
    needed = np.minimum(1.0, ceiling / np.maximum(peaks, 1e-9))
    half = _limiter_half(sample_rate)
    held = np.lib.stride_tricks.sliding_window_view(
        np.pad(needed, half, constant_values=1.0), 2 * half + 1
    ).min(axis=1)
    # The mean of minima over a window that holds the peak is never above what the peak needs.
    kernel = np.hanning(2 * half + 3)[1:-1]
    gain = np.convolve(np.pad(held, half, mode="edge"), kernel / kernel.sum(), "valid")
    limited: FloatArray = (samples * gain).astype(np.float32)
    return limited


def _limiter_half(sample_rate: int) -> int:
    return max(1, round(_LIMITER_S * sample_rate))


def _true_peaks(samples: FloatArray) -> np.ndarray:
    """Largest magnitude near each sample, found at four times the rate."""
    taps = _PEAK_TAPS
    n = np.arange(-taps, taps + 1)
    peaks = np.abs(samples).astype(np.float64)
    for phase in range(1, _OVERSAMPLING):
        shift = phase / _OVERSAMPLING
        x = n - shift
        kernel = np.sinc(x) * (0.5 + 0.5 * np.cos(np.pi * x / (taps + 1)))
        between = np.abs(np.convolve(samples, kernel[::-1], "same"))
        peaks = np.maximum(peaks, between)
        peaks[1:] = np.maximum(peaks[1:], between[:-1])
    return peaks


def _levelled(chunk: SpeechChunk, gain: float) -> SpeechChunk:
    audio = chunk.audio
    samples = limit_peaks((audio.samples * np.float32(gain)), audio.sample_rate)
    return dataclasses.replace(
        chunk, audio=AudioChunk(samples, audio.sample_rate, audio.start_sample)
    )
