"""Sound files of any kind to mono samples at exact times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeavatar.audio.resample import BLOCK_SAMPLES, Resampler
from edgeavatar.errors import MediaError
from edgeavatar.types import AudioChunk

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

_GAP_S = Fraction(1, 50)
"""Timestamps may wander this far from the sample count (containers round them, Matroska to 1 ms)
before a gap is filled with silence or an overlap is dropped."""

_MAX_FAILURES = 1000
"""Broken packets after which the rest of a file is given up."""

_TIMELINE_FROM_ZERO = frozenset({"mov", "mp4", "m4a", "matroska", "webm"})
"""Containers whose presentation starts at 0, so that a later first sample means silence. Others
(MPEG-TS, Ogg) start their clocks anywhere."""

_WEIGHTS = {"FC": 2**0.5, "LFE": 0.0, "LFE2": 0.0, "BL": 0.5, "BR": 0.5, "SL": 0.5, "SR": 0.5}
"""Share of a channel in the mono mix before the shares are made to add up to 1, after the downmix
table of ITU-R BS.775-3 (front left and right 1); the low-frequency channel is left out."""


def decode_audio(
    path: str | Path, sample_rate: int, *, origin_s: Fraction | None = None
) -> Iterator[AudioChunk]:
    """Decode the first sound stream of a file.

    Sample ``k`` of the stream sounds at ``k / sample_rate`` seconds after the origin: encoder
    priming is removed (where the container records it: raw ADTS and MPEG-TS do not), a late start
    of the sound is silence, gaps in the timestamps are silence.

    Parameters
    ----------
    path : str or Path
        Any file PyAV reads: sound alone or a video.
    sample_rate : int
        Hertz of the output.
    origin_s : Fraction, optional
        Time in the file's own clock that becomes sample 0. By default the first frame of the
        picture if the file has one, so that sound and frames share their start; else where the
        file's presentation starts.

    Yields
    ------
    AudioChunk
        Mono float32 blocks of at most 16384 samples that follow each other from sample 0.

    Raises
    ------
    MediaError
        The file is missing, is no media file, has no sound, or its sound cannot be decoded.
    """
    path = Path(path)
    _check_file(path)
    return _blocks(_decoded(path, sample_rate, origin_s), sample_rate)


def sound_duration_s(path: str | Path) -> Fraction:
    """Tell how long the sound of a file lasts, without decoding it.

    Parameters
    ----------
    path : str or Path
        A media file.

    Returns
    -------
    Fraction
        Seconds as the container says; 0 if it does not.

    Raises
    ------
    MediaError
        As :func:`decode_audio`.
    """
    with _sound_in(Path(path)) as (container, stream):
        if stream.duration is not None and stream.time_base is not None:
            return Fraction(stream.duration * stream.time_base)
        return Fraction(container.duration or 0, 1_000_000)


def sound_rate_hz(path: str | Path) -> int:
    """Tell at which sample rate a file holds its sound, without decoding it.

    Parameters
    ----------
    path : str or Path
        A media file.

    Returns
    -------
    int
        Hertz as the container says; 48000 if it does not.

    Raises
    ------
    MediaError
        As :func:`decode_audio`.
    """
    with _sound_in(Path(path)) as (_, stream):
        return int(stream.rate or 48000)


@contextmanager
def _sound_in(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open the sound of a file: container and stream."""
    _check_file(path)
    with path.open("rb") as file, _open(file, path) as container:
        yield container, _sound_stream(container, path)


def _check_file(path: Path) -> None:
    try:
        if path.is_file():
            with path.open("rb"):
                return
        kind = "no such file"
        if path.exists():
            kind = "a folder" if path.is_dir() else "something that is not a file"
    except OSError as error:
        kind = f"one that cannot be read ({(error.strerror or str(error)).lower()})"
    raise MediaError(f"expected a sound file at {path}, found {kind}; check the path")


def _open(file: Any, path: Path) -> Any:
    import av

    if path.stat().st_size == 0:
        raise MediaError(f"expected a sound file, found an empty file: {path}; give another")
    try:
        # Reading through a Python file, with file and data as the only protocols, keeps playlists
        # from opening the network.
        return av.open(file, container_options={"protocol_whitelist": "file,data"})
    except (av.FFmpegError, ValueError, UnicodeDecodeError) as error:
        raise MediaError(
            f"expected a sound file, found something that cannot be read as one: {path} "
            f"({_reason(error)}); give a file that plays"
        ) from error


def _sound_stream(container: Any, path: Path) -> Any:
    for stream in container.streams.audio:
        if stream.codec_context is None:
            continue
        return stream
    found = ", ".join(sorted({s.type for s in container.streams})) or "no stream at all"
    raise MediaError(
        f"expected a file with sound, found {found} in {path}; give a file with an audio track"
    )


def _origin(container: Any, stream: Any) -> Fraction:
    """Where the file's presentation starts, in seconds of its own clock."""
    for video in container.streams.video:
        if not _is_cover(video) and video.start_time is not None:
            return Fraction(video.start_time * video.time_base)
    if _TIMELINE_FROM_ZERO & set(container.format.name.split(",")):
        return Fraction(0)
    if stream.start_time is not None and stream.time_base is not None:
        return Fraction(stream.start_time * stream.time_base)
    return Fraction(0)


def _is_cover(video: Any) -> bool:
    import av

    return bool(video.disposition & av.stream.Disposition.attached_pic)


def _decoded(path: Path, sample_rate: int, origin_s: Fraction | None) -> Iterator[FloatArray]:
    """Yield mono blocks that follow each other from the origin."""
    import av

    with path.open("rb") as file, _open(file, path) as container:
        stream = _sound_stream(container, path)
        origin = _origin(container, stream) if origin_s is None else origin_s
        stream.thread_type = "AUTO"
        clock = _Clock(sample_rate, origin)
        heard = False
        broken = ""
        packets = container.demux(stream)
        failures = 0
        while failures < _MAX_FAILURES:
            # A broken packet is a gap, which the next timestamp fills with silence.
            try:
                packet = next(packets)
            except (StopIteration, av.EOFError):
                break
            except av.FFmpegError as error:
                broken, failures = _reason(error), failures + 1
                packets = container.demux(stream)
                continue
            try:
                frames = packet.decode()
            except av.EOFError:
                break
            except av.FFmpegError as error:
                broken, failures = _reason(error), failures + 1
                continue
            for frame in frames:
                if frame.samples:
                    heard = True
                    yield from clock.place(frame)
        yield from clock.finish()
        if not heard:
            raise MediaError(
                f"expected sound, found an audio track without a sample in {path}"
                + (f" ({broken})" if broken else "")
                + "; give a file that plays"
            )


class _Clock:
    """Puts decoded frames where their timestamps say, as resampled mono."""

    def __init__(self, sample_rate: int, origin: Fraction) -> None:
        self._target = sample_rate
        self._origin = origin
        self._resampler: Resampler | None = None
        self._key: tuple[int, int] = (0, 0)
        self._next_s: Fraction | None = None
        self._given = 0

    def place(self, frame: Any) -> Iterator[FloatArray]:
        rate = int(frame.sample_rate)
        samples = _planes(frame)
        time_s = (
            Fraction(frame.pts * frame.time_base) - self._origin
            if frame.pts is not None and frame.time_base
            else self._next_s
        )
        if time_s is None:
            time_s = Fraction(0)
        expected = self._next_s
        if expected is None or abs(time_s - expected) > _GAP_S:
            yield from self.finish()
            samples, time_s = self._jump(samples, time_s, rate, expected)
            if samples.shape[1] == 0:
                return
            at = self._given
            start = round(time_s * self._target)
            while at < start:
                size = min(BLOCK_SAMPLES, start - at)
                yield np.zeros(size, np.float32)
                at += size
            self._given = at
        else:
            time_s = expected
        self._next_s = time_s + Fraction(samples.shape[1], rate)
        key = (rate, 1)
        if self._resampler is None or key != self._key:
            yield from self._rest()
            self._resampler = Resampler(rate, self._target)
            self._key = key
        block = self._resampler.push(_mono(samples, frame))
        self._given += len(block)
        if len(block):
            yield block

    def _jump(
        self, samples: FloatArray, time_s: Fraction, rate: int, expected: Fraction | None
    ) -> tuple[FloatArray, Fraction]:
        """Drop samples from before the origin, or from before what was already given."""
        floor = Fraction(0) if expected is None else expected
        if time_s < floor:
            skip = min(samples.shape[1], round((floor - time_s) * rate))
            return samples[:, skip:], time_s + Fraction(skip, rate)
        return samples, time_s

    def finish(self) -> Iterator[FloatArray]:
        yield from self._rest()

    def _rest(self) -> Iterator[FloatArray]:
        if self._resampler is not None:
            block = self._resampler.flush()
            self._resampler = None
            self._given += len(block)
            if len(block):
                yield block


def _planes(frame: Any) -> FloatArray:
    """Bring a frame of any sample format to ``(channels, n)`` float32 in [-1, 1]."""
    raw: np.ndarray = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if not frame.format.is_planar:
        raw = raw.reshape(-1, channels).T
    if raw.dtype == np.uint8:
        return (raw.astype(np.float32) - 128.0) / np.float32(128.0)
    if raw.dtype.kind == "i":
        scale = np.float32(2.0 ** (8 * raw.dtype.itemsize - 1))
        return raw.astype(np.float32) / scale
    plain: FloatArray = raw.astype(np.float32, copy=False)
    return plain


def _mono(planes: FloatArray, frame: Any) -> FloatArray:
    shares = np.array([_WEIGHTS.get(c.name, 1.0) for c in frame.layout.channels], np.float32)
    total = float(shares.sum())
    shares = shares / total if total > 0 else np.full_like(shares, 1 / len(shares))
    mixed: FloatArray = shares @ planes
    return mixed


def _blocks(blocks: Iterator[FloatArray], sample_rate: int) -> Iterator[AudioChunk]:
    position = 0
    for block in blocks:
        for start in range(0, len(block), BLOCK_SAMPLES):
            part = block[start : start + BLOCK_SAMPLES]
            yield AudioChunk(part, sample_rate, position)
            position += len(part)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__
