"""The values that pass between stages.

All are frozen and slotted. Numpy appears in annotations only, so importing this module is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray: TypeAlias = npt.NDArray[np.float32]
    ByteArray: TypeAlias = npt.NDArray[np.uint8]

ColourMatrix = Literal["bt601", "bt709", "bt2020"]
ColourRange = Literal["limited", "full"]


# ---------------------------------------------------------------------------------------- pictures


@dataclass(frozen=True, slots=True)
class ColourTags:
    """How YUV numbers mean colours; kept from the source to the output."""

    matrix: ColourMatrix = "bt709"
    range: ColourRange = "limited"
    primaries: int = 2
    """ITU-T H.273 code; 2 means unspecified."""
    transfer: int = 2
    """ITU-T H.273 code; 2 means unspecified."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One upright video frame in planar 4:2:0.

    Planes are C-contiguous and owned by whoever holds the frame: a stage that changes pixels copies
    the planes first, so that the decoder's output stays what it was.
    """

    index: int
    """Position in the stream, from 0."""
    time_s: Fraction
    """Presentation time from the first frame, exact."""
    y: ByteArray
    """``(H, W)`` uint8."""
    u: ByteArray
    """``((H + 1) // 2, (W + 1) // 2)`` uint8."""
    v: ByteArray
    """As ``u``."""
    colour: ColourTags
    source_index: int = 0
    """Index of the decoded frame these pixels came from (differs from ``index`` in a loop)."""

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.y.shape[0])


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video before it is decoded; sizes are those of the upright picture."""

    width: int
    height: int
    rate: Fraction
    """Nominal frames per second."""
    duration_s: Fraction
    """Best estimate from the container; 0 if unknown."""
    frame_count: int
    """Best estimate; 0 if unknown."""
    rotation_deg: int
    """Clockwise quarter turns that were applied to make the picture upright: 0, 90, 180, 270."""
    colour: ColourTags
    has_audio: bool
    is_photo: bool = False


# ------------------------------------------------------------------------------------------- sound


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A stretch of mono sound."""

    samples: FloatArray
    """``(n,)`` float32 in [-1, 1]."""
    sample_rate: int
    start_sample: int = 0
    """Position of the first sample in the whole stream."""


@dataclass(frozen=True, slots=True)
class PhonemeTiming:
    """One phoneme and where it sounds, in samples of the whole stream."""

    symbol: str
    """IPA without stress or length marks; ``"_"`` for silence."""
    start_sample: int
    end_sample: int
    stress: int = 0
    """0 none, 1 secondary, 2 primary."""
    word: int = -1
    """Index into the words of the same stream; -1 for silence."""


@dataclass(frozen=True, slots=True)
class WordTiming:
    """One word as written and where it sounds, in samples of the whole stream."""

    text: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """One sentence of synthesised speech. Chunks follow each other without a gap."""

    audio: AudioChunk
    text: str
    phonemes: tuple[PhonemeTiming, ...]
    """Cover the chunk from its first to its last sample without gaps, silences included."""
    words: tuple[WordTiming, ...]


# -------------------------------------------------------------------------------------------- face


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A detected face."""

    bbox_xyxy: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels; may reach outside the picture."""
    score: float
    keypoints: tuple[tuple[float, float], ...] = ()
    """Right eye, left eye, nose tip, mouth, right ear, left ear in pixels (the person's right)."""

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.bbox_xyxy[2] - self.bbox_xyxy[0]

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bbox_xyxy[3] - self.bbox_xyxy[1]


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Where the head is, as a similarity from face-local space to pixels.

    Face-local space: the MediaPipe canonical face (centimetres, x to the picture's right, y up,
    z towards the viewer). ``pixel = scale * (R @ point) * (1, -1, -1) + translation``.
    """

    rotation: FloatArray
    """``(3, 3)`` float32, a rotation."""
    translation_px: FloatArray
    """``(3,)`` float32."""
    scale_px: float
    """Pixels per centimetre."""
    yaw_deg: float
    """Positive: the face turns to the picture's right."""
    pitch_deg: float
    """Positive: the face looks up."""
    roll_deg: float
    """Positive: the head leans clockwise as seen in the picture."""


@dataclass(frozen=True, slots=True)
class FaceObservation:
    """What the face model saw in one frame."""

    landmarks: FloatArray
    """``(478, 3)`` float32: x, y in pixels of the frame, z in the same scale (less is nearer)."""
    score: float
    """Presence, 0 to 1."""
    pose: HeadPose
    blendshapes: FloatArray
    """``(52,)`` float32 in [0, 1], order of :data:`BLENDSHAPE_NAMES`."""


# ------------------------------------------------------------------------------------------ motion


BLENDSHAPE_NAMES: tuple[str, ...] = (
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
)
"""The 52 outputs of the MediaPipe blendshape model, in its order (ARKit names)."""

MOTION_NAMES: tuple[str, ...] = (
    "jawOpen",
    "jawForward",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "cheekPuff",
    "tongueOut",
    "tongueUp",
)
"""Columns of a mouth motion track. ``tongueUp`` is ours: tip of the tongue raised to the teeth."""

MOTION_RATE = Fraction(100)
"""Rows per second of a mouth motion track before it is sampled at the times of video frames."""


@dataclass(frozen=True, slots=True)
class MotionTrack:
    """Blendshape weights over time; row ``i`` holds at ``i / rate`` seconds."""

    rate: Fraction
    names: tuple[str, ...]
    rows: FloatArray
    """``(n, len(names))`` float32, mostly in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What speech does to brows, lids and head, at one moment."""

    emphasis: float = 0.0
    """Stress of what is said, 0 to 1."""
    asking: float = 0.0
    """How much of a question it is, 0 to 1."""
    blink: float = 0.0
    """0 open to 1 shut."""


@dataclass(frozen=True, slots=True)
class IdlePose:
    """Small natural movement of a head that is not filmed, at one moment."""

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    shift_x: float = 0.0
    """In face heights, to the picture's right."""
    shift_y: float = 0.0
    """In face heights, downwards."""
    blink: float = 0.0
    """0 open to 1 shut."""
    brow_up: float = 0.0
    """0 to 1."""
