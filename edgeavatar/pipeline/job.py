"""What a render is asked for, and what it reports."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypedDict, get_args

from edgeavatar.errors import UsageError
from edgeavatar.motion.style import check_style
from edgeavatar.rates import check_rate

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Unpack

    from edgeavatar.backends.base import BackendChoice, DeviceChoice
    from edgeavatar.motion.style import StyleName

Fit = Literal["loop", "freeze", "trim"]
RendererChoice = Literal["auto", "neural", "neural-small", "geometric", "wav2lip"]
SubtitleKind = Literal["srt", "vtt", "track", "burn"]
Stage = Literal["opening", "learning the face", "rendering", "finishing"]

UNPAINTED: Final[frozenset[RendererChoice]] = frozenset({"geometric", "wav2lip"})
"""Renderers that need no other moment of the source, since no net mixes its layers."""

VOLUME_LUFS: Final = (-60.0, -5.0)
"""Loudness that a sound can be brought to: from hardly audible to next to full scale."""


class WordsJob(Protocol):
    """What a job says of the words: enough to open them."""

    @property
    def text(self) -> str | None:
        """What to say."""
        ...

    @property
    def audio(self) -> Path | None:
        """Recorded speech to follow."""
        ...

    @property
    def motion(self) -> Path | None:
        """Mouth-motion track to follow instead of the words."""
        ...

    @property
    def voice(self) -> str | None:
        """Name of the voice."""
        ...

    @property
    def rate(self) -> float:
        """Speaking rate."""
        ...

    @property
    def volume_lufs(self) -> float | None:
        """Loudness to bring the sound to."""
        ...

    @property
    def articulation(self) -> float:
        """Size of the mouth's movements."""
        ...

    @property
    def style(self) -> StyleName:
        """Manner of speaking."""
        ...

    @property
    def backend(self) -> BackendChoice:
        """What runs the models."""
        ...

    @property
    def device(self) -> DeviceChoice:
        """Where the models run."""
        ...

    @property
    def threads(self) -> int | None:
        """Threads of the models."""
        ...

    @property
    def profile(self) -> str:
        """What was measured on this machine."""
        ...


@dataclass(frozen=True, slots=True)
class RenderJob:
    """One face, some words, one result."""

    source: Path
    """Photo or video with a face."""
    output: Path
    """Video to write; its extension decides the container."""
    text: str | None = None
    """What to say; exactly one of ``text`` and ``audio`` is given, or neither with ``motion``."""
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
    """Of the head movement, brows and blinks of a photo."""
    articulation: float = 1.0
    """Size of the mouth's movements, 0 (at rest) to 1.5, where 1 is usual in the style."""
    style: StyleName = "neutral"
    """Size of all movements of the face, ``neutral``, ``lively`` or ``calm``; head, brows and lids
    are moved in photos only."""
    fps: Fraction | None = None
    """Frame rate of a video made from a photo; None is 25."""
    motion: Path | None = None
    """Mouth-motion track to follow instead of the words; ``edgeavatar motion`` writes them. Without
    words, the video is silent and lasts as long as the track."""
    renderer: RendererChoice = "auto"
    """What paints the mouth; ``auto`` is ``neural`` where the source shows the inside of the
    mouth, and ``geometric`` elsewhere; ``neural-small`` has a net of half the size; ``wav2lip``
    has :attr:`renderer_model` paint it."""
    renderer_model: Path | None = None
    """Generator of the renderer ``wav2lip``, which is the only one that takes a file."""
    backend: BackendChoice = "auto"
    device: DeviceChoice = "auto"
    threads: int | None = None
    profile: str = "auto"
    """What was measured on this machine: a file that ``edgeavatar tune`` wrote, ``none``, or
    ``auto`` for the one in its usual place. It does not count where a backend is asked for."""
    crf: int | None = None
    preset: str | None = None
    encoder: str | None = None
    label: str | None = "AI-generated"
    """Visible label; None leaves it out. The container tags are always written."""
    subtitles: tuple[SubtitleKind, ...] = ()
    """Where the words are written: ``srt`` and ``vtt`` are files beside the output, with its name;
    ``track`` can be switched on in a player, ``burn`` is in the picture."""

    def check(self) -> None:
        """Raise UsageError for values that contradict each other or are out of range."""
        if self.renderer not in get_args(RendererChoice):
            raise UsageError(
                f"expected the renderer to be one of {', '.join(get_args(RendererChoice))}, found "
                f"{self.renderer!r}"
            )
        self._check_model()
        silent = self.text is None and self.audio is None and self.motion is not None
        if not silent:
            check_words(self, audio="--audio")
        elif self.voice is not None or self.rate != 1.0 or self.volume_lufs is not None:
            raise UsageError(
                "--voice, --rate and --volume are for sound, and --motion alone has none; add "
                "--text or --audio"
            )
        if self.fps is not None:
            check_rate(self.fps)
        low, high = VOLUME_LUFS
        if self.volume_lufs is not None and not low <= self.volume_lufs <= high:
            raise UsageError(
                f"expected a volume from {low:g} to {high:g} LUFS, found {self.volume_lufs:g}"
            )
        check_style(self.style, self.articulation)
        if self.motion is not None and self.articulation != 1.0:
            raise UsageError(
                "--articulation is for motion that is made from words, and --motion brings its "
                "own; leave one out"
            )
        self._check_subtitles()
        if self.seed < 0:
            raise UsageError(f"expected a seed of 0 or more, found {self.seed}")
        if same_place(self.output, self.source):
            raise UsageError(f"{self.output} is the source itself; give another output")
        if self.audio is not None and same_place(self.output, self.audio):
            raise UsageError(f"{self.output} is the recording itself; give another output")
        if self.motion is not None and same_place(self.output, self.motion):
            raise UsageError(f"{self.output} is the motion track itself; give another output")
        if self.renderer_model is not None and same_place(self.output, self.renderer_model):
            raise UsageError(f"{self.output} is the model itself; give another output")

    def _check_subtitles(self) -> None:
        for kind in self.subtitles:
            if kind not in get_args(SubtitleKind):
                raise UsageError(
                    f"expected subtitles among {', '.join(get_args(SubtitleKind))}, found {kind!r}"
                )
            if kind in ("srt", "vtt"):
                beside = self.output.with_suffix(f".{kind}")
                for given in (self.source, self.audio, self.motion, self.renderer_model):
                    if given is not None and same_place(beside, given):
                        raise UsageError(
                            f"the subtitles would be written over {given}; give another output"
                        )
        if self.subtitles and self.text is None and self.audio is None:
            raise UsageError(
                "--subtitles are words, and --motion alone has none; add --text or --audio"
            )

    def _check_model(self) -> None:
        if self.renderer != "wav2lip":
            if self.renderer_model is not None:
                raise UsageError(
                    "--renderer-model is the net of --renderer wav2lip, and the renderer is "
                    f"{self.renderer}; leave it out"
                )
            return
        if self.renderer_model is None:
            raise UsageError(
                "expected --renderer-model FILE.onnx with --renderer wav2lip, found none; weights "
                "are not shipped: convert a checkpoint of yours by python -m export build wav2lip "
                "--checkpoint FILE -o DIR"
            )
        if self.motion is not None:
            raise UsageError(
                "--renderer wav2lip follows the sound, and --motion is a track; choose another "
                "renderer or leave the track out"
            )
        if self.articulation != 1.0:
            raise UsageError(
                "--renderer wav2lip opens the mouth as its net has learned to, and --articulation "
                "is for the other renderers; leave it out"
            )


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
    articulation: float
    style: StyleName
    fps: Fraction | None
    renderer: RendererChoice
    backend: BackendChoice
    device: DeviceChoice
    threads: int | None
    profile: str
    crf: int | None
    preset: str | None
    encoder: str | None
    label: str | None
    subtitles: tuple[SubtitleKind, ...]


def make_job(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    audio: str | os.PathLike[str] | None = None,
    motion: str | os.PathLike[str] | None = None,
    renderer_model: str | os.PathLike[str] | None = None,
    **options: Unpack[RenderOptions],
) -> RenderJob:
    """Make a job; paths may be strings."""
    recording = None if audio is None else Path(audio)
    track = None if motion is None else Path(motion)
    model = None if renderer_model is None else Path(renderer_model)
    return RenderJob(
        Path(source),
        Path(output),
        audio=recording,
        motion=track,
        renderer_model=model,
        **options,
    )


def check_words(job: WordsJob, *, audio: str) -> None:
    """Raise UsageError if a job has no words or two kinds, or options of the kind it has not.

    Parameters
    ----------
    job
        Whose words.
    audio
        What its command calls the recording.
    """
    if (job.text is None) == (job.audio is None):
        raise UsageError(
            f"expected either text or audio, found {'neither' if job.text is None else 'both'}; "
            f"give one of --text, --text-file and {audio}"
        )
    if job.audio is not None and job.voice is not None:
        raise UsageError(f"--voice speaks text, and the words come from {audio}; leave one out")
    if job.audio is not None and job.rate != 1.0:
        raise UsageError(f"--rate changes how text is spoken, and the words come from {audio}")


def same_place(one: Path, other: Path) -> bool:
    """Tell whether two paths name one file."""
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
    frames_covered: int
    """Frames in which something was before the lower face: there it is as the source has it."""
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
    subtitles: list[str] = field(default_factory=list)
    """Files of subtitles that were written, and ``track`` or ``burn``."""
    warnings: list[str] = field(default_factory=list)
