"""What an analysis found, as values that go to JSON as they are.

A value that could not be measured is None, never 0. Times are seconds from the first frame of the
picture, or from the start of the sound if there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Verdict = Literal["good", "warn", "bad", "unknown"]
"""Of one factor: good, usable with a visible cost, not usable, or it could not be measured."""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What kind of file it is."""

    path: Path
    kind: Literal["video", "photo", "sound"]
    duration_s: float | None
    """None for a photo."""
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    """Of what is shown: the frames that were decoded over the time they take."""
    frames: int | None = None
    has_audio: bool = False


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face, as long as it could be followed."""

    id: int
    """From 0, in the order in which they appear."""
    first_frame: int
    last_frame: int
    """The last frame in which it was seen."""
    seen_share: float
    """Of the frames from first to last."""
    height_px: float
    """Median height of the face, chin to hairline, in pixels of the frame."""
    mesh_quality: float
    """Median presence of the mesh, 0 to 1."""
    yaw_deg: tuple[float, float, float]
    """5 %, median, 95 %; as in :class:`edgeavatar.types.HeadPose`."""
    pitch_deg: tuple[float, float, float]
    roll_deg: tuple[float, float, float]
    blinks_per_min: float | None
    """None for a photo, and for less than 5 s."""
    gaze_at_camera_share: float | None
    smile_share: float | None
    mouth_covered_share: float | None
    articulation_range: float | None
    """90th less 10th percentile of inner-lip gap over face height, while there is speech."""
    expressiveness: float | None
    """How much the face moves apart from speech; see ``docs/analysis.md``."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What moves in a video."""

    cuts_s: tuple[float, ...]
    """First times of new shots."""
    camera: Literal["steady", "handheld", "moving"] | None
    """None if the background shows nothing that could be followed."""
    camera_px_per_s: float | None
    """Median speed of the background, in pixels of a frame that is 1080 high."""
    head_deg_per_s: float | None
    """Median angular speed of the main face."""
    body_found_share: float | None
    """Of the frames in which a body was looked for."""
    gesture_energy: float | None
    """Median speed of wrists and elbows, in shoulder widths per second."""
    background_steadiness: float | None
    """0 to 1; 1 is a still background."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What is heard."""

    speech_share: float
    """Of the duration, by the voice activity detector."""
    language: str | None
    words: int | None
    words_per_min: float | None
    """Words over the time of speech, pauses of .2 s and more left out."""
    pauses: int | None
    """Of .2 s and more, between words."""
    pause_median_s: float | None
    fillers: int | None
    pitch_median_hz: float | None
    pitch_range_semitones: float | None
    """Between the 5 % and the 95 % percentile of voiced frames."""
    loudness_lufs: float | None
    """Integrated, EBU R128."""
    loudness_range_lu: float | None
    true_peak_dbtp: float | None
    snr_db: float | None
    clipped_share: float | None
    """Of the samples of speech."""
    bandwidth_hz: float | None
    """Up to which there is speech above the noise."""
    reverberation_s: float | None
    """Estimate of RT60; None where there are too few free decays."""
    speakers: int | None
    """None where no model can tell."""


@dataclass(frozen=True, slots=True)
class Style:
    """How it is filmed."""

    shot: str | None
    """Extreme close-up, close-up, medium close-up, medium, long; of the main face."""
    headroom: float | None
    """Space above the head over the height of the frame."""
    off_centre: float | None
    """Of the eyes from the middle, in frame widths, to the picture's right."""
    thirds_distance: float | None
    """Of the eyes from the upper third line, in frame heights; positive is above."""
    colour_temperature_k: float | None
    contrast: float | None
    """RMS contrast of the picture's luma, 0 to 1."""
    brightness: float | None
    """Mean luma, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word that was heard."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing on which the quality of a result hangs, and what it is here."""

    name: str
    """Stable, for programs: ``face-size``, ``noise``."""
    title: str
    """For people: "Size of the face"."""
    group: Literal["resolution", "lighting", "visibility", "damage", "sound"]
    verdict: Verdict
    value: float | None
    unit: str
    warn_at: float | None
    """From here on it costs something that one sees or hears."""
    bad_at: float | None
    """From here on it is not usable."""
    why: str
    """Where the bounds come from."""
    effect: str
    """What it will do to the result; empty if good."""
    advice: str
    """How to get rid of it; empty if good."""
    frames: tuple[tuple[int, int], ...] = ()
    """First and last frames concerned, or none if it is the whole."""
    times_s: tuple[tuple[float, float], ...] = ()
    """The same in seconds; for sound the only one."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """All factors of one source, and what follows."""

    factors: tuple[Factor, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst that is known; unknown if nothing is."""
        found = {factor.verdict for factor in self.factors}
        return next((v for v in ("bad", "warn", "good") if v in found), "unknown")

    @property
    def exit_code(self) -> int:
        """0 good, 1 usable with warnings, 2 not usable."""
        return {"good": 0, "warn": 1, "bad": 2, "unknown": 1}[self.verdict]


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that was found in one file."""

    source: SourceFacts
    faces: tuple[FaceTrack, ...] = ()
    main_face: int | None = None
    """Id of the face that a render would take."""
    movement: Movement | None = None
    speech: Speech | None = None
    style: Style | None = None
    words: tuple[TimedWord, ...] = ()
    preflight: Preflight | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the values should know, one line each."""
    frames: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    """One row per frame: ``index``, ``time_s``, ``luma``, ``contrast``, ``clipped_low``,
    ``clipped_high``, ``sharpness``, ``blockiness``, ``camera_dx``, ``camera_dy``,
    ``camera_px_per_s``, ``still``, ``gesture``, ``body`` (1 found, 0 not, -1 not looked for),
    ``cut``, ``repeated``. NaN where nothing was measured: light and sharpness are in every tenth
    frame."""
    faces_by_frame: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    """One row per frame and face: ``index``, ``track``, ``score``, ``left``, ``top``, ``right``,
    ``bottom``, ``yaw_deg``, ``pitch_deg``, ``roll_deg``, ``height_px``, ``aperture`` (inner-lip gap
    over face height), ``smile``, ``blink``, ``gaze_x``, ``gaze_y``, ``mouth_covered``,
    ``sharpness``, ``luma``, ``side_light``, and ``blendshapes`` ``(n, 52)`` float16; ``eyes_x``,
    ``eyes_y`` (their middle), ``crown_y`` (top of the head) in pixels; and what
    :class:`edgeavatar.analysis.quality.FaceQuality` measures, NaN but in every fifth frame. Gaze is
    in degrees from straight ahead of the head, to the picture's right and up."""
    sound: dict[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    """One row every 50 ms: ``time_s``, ``loudness_lufs`` (momentary), ``speech`` (probability),
    ``pitch_hz`` (NaN where unvoiced)."""
