"""What a report shows beside numbers, as bytes that go into the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One frame, small, with the mesh drawn."""

    jpeg: bytes
    width: int
    height: int
    kind: Literal["worst", "best"]
    time_s: float | None
    """None for a photo."""
    caption: str
    """Why it is shown, in plain words."""
    alt: str
    """What is seen, for people who do not see it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of the source, or all of it, small enough to travel in a page."""

    data: bytes
    media_type: str
    """``video/mp4``, also where only sound is in it."""
    duration_s: float
    is_whole: bool
    """Whether it lasts as long as the source."""
    width: int | None = None
    """None if there is nothing to see."""
    height: int | None = None
    has_sound: bool = True
    captions: str | None = None
    """WebVTT."""


@dataclass(frozen=True, slots=True)
class ReportPictures:
    """All pictures, and the preview."""

    thumbnails: tuple[Thumbnail, ...] = ()
    preview: Preview | None = None
    notes: tuple[str, ...] = ()
    """Why one of them is missing."""


@dataclass(frozen=True, slots=True)
class MadeWith:
    """What measured, and when."""

    version: str
    """Of edgeavatar."""
    models: tuple[tuple[str, str], ...] = ()
    """Title and version of each."""
    made_on: str | None = None
    """Day, as in 2025-01-31."""
