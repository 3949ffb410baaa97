"""Looks at a video here and there: much of what it shows, for little of what decoding it costs."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from edgeavatar.video.decode import SEEK_MARGINS_S, Decoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeavatar.video.decode import Picture

MOST_DECODED_PX: Final = 400_000_000
MOST_DECODED_BYTES: Final = 12_000_000
"""Pixels, and bytes of the file, that are decoded for all looks at a video: 200 frames of 1080p, at
most a second on two cores. Counted and not timed, so that the same video is always looked at in the
same places."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Looks at frames that are decoded one after the other; times in ticks."""

    start: int | None
    """Time of the key frame to go to; None is the beginning of the video."""
    end: float
    """Where the next run begins."""
    step: float
    """Between two looks."""
    looks: int


def spread_pictures(path: Path, count: int) -> Iterator[Picture]:
    """Yield pictures that are spread over a video.

    A short video is decoded as a whole. In a longer one only the frames that follow some of its key
    frames are, because any other frame costs all those since its key frame.

    Parameters
    ----------
    path
        A file; where its key frames cannot be sought, as in MPEG-TS, only its beginning is looked
        at.
    count
        How many pictures at most.
    """
    with closing(Decoder(path)) as decoder:
        for run in _runs(decoder, count):
            yield from _pictures_of(decoder, run)


def key_pictures(path: Path, count: int) -> Iterator[Picture]:
    """Yield key frames that are spread over a video: nothing else is decoded.

    Parameters
    ----------
    path
        A file; where its key frames cannot be sought, only its first picture is looked at.
    count
        How many pictures at most.
    """
    with closing(Decoder(path)) as decoder:
        keys: list[int | None] = [*_key_times(decoder, count)]
        for key in keys or [None]:
            yield from _pictures_of(decoder, _Run(key, math.inf, 0.0, 1))


def picture_at(path: Path, ticks: int) -> Picture | None:
    """Decode the picture of a known time, or give None if the file has none there.

    Parameters
    ----------
    path
        A file.
    ticks
        :attr:`~edgeavatar.video.decode.Picture.pts` of a picture that was seen before.
    """
    with closing(Decoder(path)) as decoder:
        decoder.needed_from = ticks
        for margin_s in SEEK_MARGINS_S:
            if not decoder.seek(ticks - round(margin_s / decoder.time_base)):
                return None
            picture = next((picture for picture in decoder if picture.pts >= ticks), None)
            if picture is not None and picture.pts == ticks:
                return picture
    return None


def _runs(decoder: Decoder, count: int) -> list[_Run]:
    tick = decoder.nominal_ticks
    frames = decoder.stream.frames or math.ceil(decoder.duration_s * decoder.rate)
    context = decoder.stream.codec_context
    by_pixels = MOST_DECODED_PX // max(1, context.width * context.height)
    by_bytes = MOST_DECODED_BYTES * frames // max(1, decoder.size_bytes) if frames else by_pixels
    most_frames = max(count, min(by_pixels, by_bytes))
    if 0 < frames <= most_frames:
        return [_Run(None, math.inf, tick * frames / count, count)]
    keys = _key_times(decoder, count)
    if not keys:
        return [_Run(None, math.inf, tick * most_frames / count, count)]
    looks = math.ceil(count / len(keys))
    step = tick * max(1.0, most_frames / (len(keys) * looks))
    ends = [*keys[1:], math.inf]
    return [_Run(key, end, step, looks) for key, end in zip(keys, ends, strict=True)]


def _key_times(decoder: Decoder, count: int) -> list[int]:
    """Give the times of at most ``count`` key frames, evenly spread; nothing is decoded."""
    step = decoder.duration_s / count / decoder.time_base
    start = decoder.stream.start_time or 0
    found: set[int] = set()
    for place in range(count):
        time = decoder.key_time(start + round((place + Fraction(1, 2)) * step))
        if time is None:
            return []
        found.add(time)
    return sorted(found)


def _pictures_of(decoder: Decoder, run: _Run) -> Iterator[Picture]:
    if run.start is not None and not decoder.seek(run.start):
        return
    wanted = None if run.start is None else float(run.start)
    decoder.needed_from = run.start
    given = 0
    for picture in decoder:
        if picture.pts >= run.end or given == run.looks:
            return
        if wanted is None:
            # In the middle of the stretch that a look stands for.
            wanted = picture.pts + run.step / 2
        if picture.pts >= wanted:
            yield picture
            given += 1
            wanted += run.step
        decoder.needed_from = math.floor(wanted)
