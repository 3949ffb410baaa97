"""What a render is asked for, and what it reports."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypedDict

from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Unpack

    from edgeavatar.backends.base import BackendChoice, DeviceChoice

Fit = Literal["loop", "freeze", "trim"]
Stage = Literal["opening", "learning the face", "rendering", "finishing"]

VOLUME_LUFS: Final = (-60.0, -5.0)
"""Loudness that a sound can be brought to: from hardly audible to next to full scale."""
FPS: Final = (1, 120)
FPS_DENOMINATOR: Final = 1001
"""Of 30000/1001, the finest frame rate of broadcasting; containers count in 32 bits."""


@dataclass(frozen=True, slots=True)
class RenderJob:
    """One face, some words, one result."""

    source: Path
    """Photo or video with a face."""
    output: Path
    """Video to write; its extension decides the container."""
    text: str | None = None
    """What to say; exactly one of ``text`` and ``audio`` is given."""
    audio: Path | None = None
    """Recorded speech to follow: any file with sound."""
    voice: str | None = None
    """Name of the voice for ``text``; None is the default voice."""
    rate: float = 1.0
    """Speaking rate, 0.5 to 2."""
    volume_lufs: float | None = None
    """Loudness to bring the sound to; None is the default for text, and leaves audio as it is."""
    fit: Fit = "loop"
    """What to do when the source video is shorter than the sound."""
    face: str | None = None
    """``largest``, ``left``, ``right``, an index or ``x0,y0,x1,y1``; None is the only face."""
    still: bool = False
    """Keep the head of a photo still and its eyes open."""
    seed: int = 0
    """Of the head movement and blinks of a photo."""
    fps: Fraction | None = None
    """Frame rate of a video made from a photo; None is 25."""
    backend: BackendChoice = "auto"
    device: DeviceChoice = "auto"
    threads: int | None = None
    crf: int | None = None
    preset: str | None = None
    encoder: str | None = None
    label: str | None = "AI-generated"
    """Visible label; None leaves it out. The container tags are always written."""

    def check(self) -> None:
        """Raise UsageError for values that contradict each other or are out of range."""
        if (self.text is None) == (self.audio is None):
            raise UsageError(
                "expected either text or audio, found "
                f"{'neither' if self.text is None else 'both'}; "
                "give one of --text, --text-file and --audio"
            )
        if self.audio is not None and self.voice is not None:
            raise UsageError("--voice speaks text, and the words come from --audio; leave one out")
        if self.audio is not None and self.rate != 1.0:
            raise UsageError("--rate changes how text is spoken, and the words come from --audio")
        if self.fps is not None and not FPS[0] <= self.fps <= FPS[1]:
            raise UsageError(
                f"expected a frame rate from {FPS[0]} to {FPS[1]}, found {float(self.fps):g}"
            )
        if self.fps is not None and self.fps.denominator > FPS_DENOMINATOR:
            raise UsageError(
                f"expected a frame rate with a denominator of at most {FPS_DENOMINATOR}, found "
                f"{self.fps}; round it"
            )
        low, high = VOLUME_LUFS
        if self.volume_lufs is not None and not low <= self.volume_lufs <= high:
            raise UsageError(
                f"expected a volume from {low:g} to {high:g} LUFS, found {self.volume_lufs:g}"
            )
        if self.seed < 0:
            raise UsageError(f"expected a seed of 0 or more, found {self.seed}")
        if _same_place(self.output, self.source):
            raise UsageError(f"{self.output} is the source itself; give another output")
        if self.audio is not None and _same_place(self.output, self.audio):
            raise UsageError(f"{self.output} is the recording itself; give another output")


class RenderOptions(TypedDict, total=False):
    """The optional fields of :class:`RenderJob` that are no paths, as keyword arguments."""

    text: str | None
    voice: str | None
    rate: float
    volume_lufs: float | None
    fit: Fit
    face: str | None
    still: bool
    seed: int
    fps: Fraction | None
    backend: BackendChoice
    device: DeviceChoice
    threads: int | None
    crf: int | None
    preset: str | None
    encoder: str | None
    label: str | None


def make_job(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    audio: str | os.PathLike[str] | None = None,
    **options: Unpack[RenderOptions],
) -> RenderJob:
    """Make a job; paths may be strings."""
    recording = None if audio is None else Path(audio)
    return RenderJob(Path(source), Path(output), audio=recording, **options)


def _same_place(one: Path, other: Path) -> bool:
    # Not Path.resolve, which fails on a link to itself.
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except OSError:  # relative names in a folder that was removed: reading or writing says more
        return False


@dataclass(frozen=True, slots=True)
class RenderReport:
    """What a render did."""

    output: str
    frames: int
    frames_without_face: int
    """Frames that passed through untouched because no face was to be trusted there."""
    duration_s: float
    width: int
    height: int
    fps: float
    voice: str | None
    renderer: str
    backends: dict[str, str]
    """What each model runs on, and why."""
    seconds: dict[str, float]
    """Wall time of each stage."""
    real_time_factor: float
    """Wall time divided by the length of the result."""
    warnings: list[str] = field(default_factory=list)
