"""Change of sample rate, in a stream, without delay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeavatar.types import AudioChunk

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

BLOCK_SAMPLES = 16384
"""Longest block that the streams of this package hand out."""


class Resampler:
    """A stream of samples at one rate to the same sound at another (libswresample).

    Sample ``k`` of the output sounds at ``k / target_rate``: the filter's delay is taken out. The
    output ends where the input ends: ``ceil(n * target_rate / source_rate)`` samples for ``n``.

    Parameters
    ----------
    source_rate, target_rate : int
        Hertz.
    channels : int
        1 or more; all channels are treated alike.
    """

    def __init__(self, source_rate: int, target_rate: int, *, channels: int = 1) -> None:
        self._ratio = Fraction(target_rate, source_rate)
        self._source_rate = source_rate
        self._channels = channels
        self._taken = 0
        self._given = 0
        self._swr: Any = None
        if source_rate != target_rate:
            import av

            # Named layouts may be matrixed by libswresample; numbered ones pass channel by channel.
            self._layout = "mono" if channels == 1 else f"{channels}c"
            self._swr = av.AudioResampler(format="fltp", layout=self._layout, rate=target_rate)

    def push(self, samples: FloatArray) -> FloatArray:
        """Take more input and return the output that is ready.

        Parameters
        ----------
        samples : numpy.ndarray
            ``(n,)`` float32, or ``(channels, n)``.

        Returns
        -------
        numpy.ndarray
            Float32 of the same number of dimensions, possibly empty.
        """
        self._taken += samples.shape[-1]
        if self._swr is None:
            self._given += samples.shape[-1]
            return samples
        if samples.shape[-1] == 0:
            return samples
        return self._collect(self._swr.resample(self._frame(samples)), samples.ndim)

    def flush(self, *, ndim: int = 1) -> FloatArray:
        """Return what is left after the last input.

        Parameters
        ----------
        ndim : int
            1 for ``(n,)``, 2 for ``(channels, n)``.

        Returns
        -------
        numpy.ndarray
            Float32, possibly empty.
        """
        shape = (0,) if ndim == 1 else (self._channels, 0)
        if self._swr is None or self._taken == 0:
            return np.zeros(shape, np.float32)
        given = self._given
        rest = self._collect(self._swr.resample(None), ndim)
        wanted = -(-self._taken * self._ratio.numerator // self._ratio.denominator) - given
        if rest.shape[-1] < wanted:
            pad = [(0, 0)] * (ndim - 1) + [(0, wanted - rest.shape[-1])]
            rest = np.pad(rest, pad)
        return rest[..., :wanted]

    def _frame(self, samples: FloatArray) -> Any:
        import av

        planes = np.ascontiguousarray(samples.reshape(self._channels, -1), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=self._layout)
        frame.sample_rate = self._source_rate
        frame.pts = None
        return frame

    def _collect(self, frames: list[Any], ndim: int) -> FloatArray:
        blocks = [frame.to_ndarray() for frame in frames]
        block = (
            np.concatenate(blocks, axis=1) if blocks else np.zeros((self._channels, 0), np.float32)
        )
        self._given += block.shape[1]
        result: FloatArray = block[0] if ndim == 1 else block
        return result


def resample(samples: FloatArray, source_rate: int, target_rate: int) -> FloatArray:
    """Resample a sound that is held in memory.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(n,)`` float32.
    source_rate, target_rate : int
        Hertz.

    Returns
    -------
    numpy.ndarray
        ``(ceil(n * target_rate / source_rate),)`` float32.
    """
    resampler = Resampler(source_rate, target_rate)
    return np.concatenate([resampler.push(samples), resampler.flush()])


def resample_stream(chunks: Iterable[AudioChunk], sample_rate: int) -> Iterator[AudioChunk]:
    """Resample a stream whose chunks follow each other without a gap.

    Parameters
    ----------
    chunks : iterable of AudioChunk
        All of one rate; the first starts at sample 0.
    sample_rate : int
        Hertz of the output.

    Yields
    ------
    AudioChunk
        From sample 0 without a gap.
    """
    resampler: Resampler | None = None
    position = 0
    for chunk in chunks:
        if resampler is None:
            resampler = Resampler(chunk.sample_rate, sample_rate)
        block = resampler.push(chunk.samples)
        if len(block):
            yield AudioChunk(block, sample_rate, position)
            position += len(block)
    if resampler is not None:
        block = resampler.flush()
        if len(block):
            yield AudioChunk(block, sample_rate, position)
