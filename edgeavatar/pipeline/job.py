"""What a render is asked for, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from edgeavatar.backends.base import BackendChoice, DeviceChoice

Fit = Literal["loop", "freeze", "trim"]
Stage = Literal["opening", "learning the face", "rendering", "finishing"]


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
        if self.fps is not None and not 1 <= self.fps <= 120:
            raise UsageError(f"expected a frame rate from 1 to 120, found {float(self.fps):g}")
        if self.output.resolve() == self.source.resolve():
            raise UsageError(f"{self.output} is the source itself; give another output")
        if self.audio is not None and self.output.resolve() == self.audio.resolve():
            raise UsageError(f"{self.output} is the recording itself; give another output")


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
