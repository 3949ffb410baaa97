"""From where on a picture costs something: bounds, where they come from, and what to do.

Where a bound was measured, ``benchmarks/preflight.py`` spoiled good pictures step by step and held
the mouths that were rendered of them against those of the clean ones. A factor warns where these
mouths are less than 0.90 alike (SSIM, brightness and contrast made equal) or lips are more than
0.75 px of a face of 256 beside their place, half a millimetre; it is bad at 0.75 and 1.5 px. Both
by the median of 16 people; ``docs/preflight.md`` has the curves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Group = Literal["resolution", "lighting", "visibility", "damage"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is told of one factor."""

    name: str
    title: str
    group: Group
    unit: str
    warn_at: float | None
    bad_at: float | None
    why: str
    effect_warn: str
    effect_bad: str
    advice: str
    less_is_worse: bool = False
    percentile: float = 50.0
    """Of the frames, towards the worse: 90 is the value that nine of ten frames do not exceed."""


FACE_SIZE: Final = Rule(
    "face-size",
    "Size of the face",
    "resolution",
    "px",
    warn_at=128.0,
    bad_at=64.0,
    why="hairline to chin, in pixels of the frame; measured: mouths are .86 alike at 128, .76 at "
    "64",
    effect_warn="lips and teeth are drawn with few pixels and look soft",
    effect_bad="too few pixels for lips: the mouth trembles and smears",
    advice="film closer, zoom in, or record at a higher resolution; enlarging the file does not "
    "help",
    less_is_worse=True,
)
FACE_FOUND: Final = Rule(
    "face-missing",
    "Frames without a face",
    "visibility",
    "share",
    warn_at=0.02,
    bad_at=0.5,
    why="a frame without a face is passed through as it is; half of them is no talking face",
    effect_warn="the mouth stands still in those frames while the voice goes on",
    effect_bad="most of the result is the source as it was",
    advice="keep the face in the picture, upright, and turned to the camera, or cut those parts "
    "out",
)
FACES: Final = Rule(
    "faces",
    "Number of faces",
    "visibility",
    "faces",
    warn_at=2.0,
    bad_at=None,
    why="ISO/IEC 29794-5: a single face; with several of comparable size a render asks which",
    effect_warn="another person is in the picture; only one face speaks",
    effect_bad="faces of comparable size: a render stops and asks which one is meant",
    advice="film one person alone, or choose with --face",
)
YAW: Final = Rule(
    "yaw",
    "Head turned aside",
    "visibility",
    "deg",
    warn_at=35.0,
    bad_at=50.0,
    why="from 35 degrees on the mouth is moved less and less, and from 50 not at all, since its "
    "far half is not seen; a passport allows 5 (ISO/IEC 39794-5)",
    effect_warn="the mouth moves too little",
    effect_bad="the mouth does not move",
    advice="have the person look towards the camera",
    percentile=90.0,
)
PITCH: Final = Rule(
    "pitch",
    "Head raised or lowered",
    "visibility",
    "deg",
    warn_at=28.0,
    bad_at=42.0,
    why="from 28 degrees on the mouth is moved less and less, and from 42 not at all; a passport "
    "allows 5 (ISO/IEC 39794-5)",
    effect_warn="the mouth moves too little",
    effect_bad="the mouth does not move",
    advice="put the camera at the height of the eyes",
    percentile=90.0,
)
ROLL: Final = Rule(
    "roll",
    "Head leaning",
    "visibility",
    "deg",
    warn_at=60.0,
    bad_at=None,
    why="measured: of faces that lean by 75 degrees all are found, by 90 degrees 7 of 8",
    effect_warn="the face may be lost in some frames",
    effect_bad="",
    advice="hold the camera upright, or turn the file",
    percentile=90.0,
)
INSIDE: Final = Rule(
    "cut-off",
    "Face cut off by the frame",
    "visibility",
    "share",
    warn_at=0.03,
    bad_at=0.25,
    why="the chin moves with the jaw and needs room; a quarter takes the mouth along",
    effect_warn="the jaw stops at the edge of the picture",
    effect_bad="the mouth is not in the picture",
    advice="leave room around the head",
    percentile=90.0,
)
COVERED: Final = Rule(
    "mouth-covered",
    "Mouth covered",
    "visibility",
    "share",
    warn_at=0.02,
    bad_at=0.4,
    why="of the frames; a covered mouth is shown as it was filmed",
    effect_warn="the mouth stops while something is before it",
    effect_bad="the mouth stops for most of the time",
    advice="keep hands, microphones, cups and masks away from the mouth",
)
LIPS: Final = Rule(
    "lips",
    "Lips told from the skin",
    "visibility",
    "",
    warn_at=0.33,
    bad_at=0.15,
    why="distance of the colours of lips and of the skin around them over their spread; the least "
    "of 168 clean faces had 0.34, half of 92 behind a drawn hand 0.13 or less",
    effect_warn="something is before the mouth, or the lips are hardly seen: they are placed by "
    "guess",
    effect_bad="a mouth is painted on whatever is before it",
    advice="take a picture in which nothing is before the mouth, in better light",
    less_is_worse=True,
)
GLARE: Final = Rule(
    "glare",
    "Reflections on glasses",
    "visibility",
    "share",
    warn_at=0.1,
    bad_at=None,
    why="of a lens; ICAO Doc 9303: eyes clearly seen, no reflections on glasses; measured: the "
    "mouth does not suffer",
    effect_warn="an eye is hidden, and does not blink",
    effect_bad="",
    advice="raise the lamps, lower the glasses a little, or take them off",
    percentile=75.0,
)
BLUR: Final = Rule(
    "blur",
    "Blur",
    "visibility",
    "% of the face",
    warn_at=0.75,
    bad_at=1.45,
    why="standard deviation of the blur on strong edges, over the face's height, less that of "
    "pixels; measured: mouths are .9 alike at 0.75, lips are 1 mm beside their place at 1.45",
    effect_warn="lips are soft, and drawn teeth look sharper than the face",
    effect_bad="lips cannot be told from skin, and are placed by guess",
    advice="focus on the eyes, clean the lens, use more light or a shorter exposure",
)
MOTION_BLUR: Final = Rule(
    "motion-blur",
    "Frames blurred by movement",
    "visibility",
    "share",
    warn_at=0.1,
    bad_at=0.5,
    why="frames twice as blurred as the sharp ones",
    effect_warn="the mouth swims where the head moves fast",
    effect_bad="the mouth swims for most of the time",
    advice="use more light, so that the exposure is shorter, and hold the camera still",
)
MOUTH_OPEN: Final = Rule(
    "mouth-open",
    "Mouth open throughout",
    "visibility",
    "share",
    warn_at=0.9,
    bad_at=None,
    why="of the frames, lips further apart than in a smile that shows teeth, up to which lips were "
    "measured to close as well as from rest; who talks closes them again and again, which the new "
    "words replace",
    effect_warn="the mouth at rest stays open, and jaw and cheeks keep the shape of what the "
    "source says",
    effect_bad="",
    advice="film the person listening, with the mouth closed for a moment",
)
DARK: Final = Rule(
    "dark",
    "Face too dark",
    "lighting",
    "of 255",
    warn_at=56.0,
    bad_at=41.0,
    why="95th percentile of the luma of the face, which dark skin reaches in good light too; "
    "measured: mouths are .9 alike at 56, .75 at 41, brightened for comparison",
    effect_warn="colours are dull, and noise and blocks show",
    effect_bad="lips cannot be told from skin",
    advice="light the face from the front, or open the aperture; brightening the file does not "
    "bring detail back",
    less_is_worse=True,
    percentile=75.0,
)
BRIGHT: Final = Rule(
    "bright",
    "Skin too bright",
    "lighting",
    "share",
    warn_at=0.5,
    bad_at=0.9,
    why="of the skin at 247 of 255 or more, the range of ISO/IEC 29794-5; measured: mouths are .9 "
    "alike with half of the skin white, .75 with nine tenths",
    effect_warn="cheeks are white spots without detail",
    effect_bad="there is no skin to warp: lips float on white",
    advice="less light or a shorter exposure; avoid direct sun",
    percentile=75.0,
)
SIDE_LIGHT: Final = Rule(
    "side-light",
    "Darker cheek over the brighter",
    "lighting",
    "ratio",
    warn_at=0.5,
    bad_at=0.1,
    why="luma of the cheeks; ISO/IEC 39794-5: the darkest part of a face at least half as bright "
    "as the brightest; measured: mouths are .9 alike at 0.4, and .8 at 0.15 still",
    effect_warn="teeth and lips are lit evenly, the face is not",
    effect_bad="half of the mouth is in the dark",
    advice="turn towards the window or lamp, or put a white wall or a second lamp on the dark side",
    less_is_worse=True,
    percentile=75.0,
)
BACKLIGHT: Final = Rule(
    "backlight",
    "Light behind the head",
    "lighting",
    "stops",
    warn_at=3.0,
    bad_at=None,
    why="background over face; counted only where the face is about too dark, of which it is the "
    "reason: dark skin before a white wall is no backlight",
    effect_warn="the face is a shadow before its background",
    effect_bad="",
    advice="do not stand before a window; light the face",
    percentile=75.0,
)
NOISE: Final = Rule(
    "picture-noise",
    "Noise of the picture",
    "lighting",
    "of 255",
    warn_at=7.0,
    bad_at=12.5,
    why="standard deviation on the skin (Immerkaer 1996); measured: mouths are .9 alike at 7, .75 "
    "at 12.5",
    effect_warn="the mouth is calmer than the skin around it",
    effect_bad="landmarks tremble, and the mouth with them",
    advice="more light, so that the camera amplifies less",
)
FRAME_RATE: Final = Rule(
    "frame-rate",
    "Frame rate",
    "damage",
    "fps",
    warn_at=20.0,
    bad_at=12.0,
    why="lips are read worse at fewer frames a second (Vitkovitch and Barber 1996); of closures of "
    "60 ms, 20 frames a second show each at least once, 12 miss a quarter",
    effect_warn="closures of p, b and m are missed now and then",
    effect_bad="the mouth jumps from shape to shape",
    advice="record at 25 or 30 frames a second",
    less_is_worse=True,
)
GAPS: Final = Rule(
    "gaps",
    "Longest time without a new frame",
    "damage",
    "s",
    warn_at=0.2,
    bad_at=2.0,
    why="a syllable lasts 0.2 s",
    effect_warn="the picture stands still there",
    effect_bad="the picture stands still for words",
    advice="record to a faster disk or card, or at a constant frame rate",
)
REPEATED: Final = Rule(
    "repeated",
    "Repeated frames",
    "damage",
    "share",
    warn_at=0.15,
    bad_at=0.6,
    why="a repeated frame is no new one: the bound is that of the frame rate, at 25",
    effect_warn="the head stutters while the mouth moves on",
    effect_bad="the picture is a slide show",
    advice="record at the rate of the camera; do not convert to a higher one",
)
BLOCKS: Final = Rule(
    "blocks",
    "Blocks of compression",
    "damage",
    "ratio",
    warn_at=3.0,
    bad_at=6.5,
    why="steps across the borders of 8 x 8 blocks over steps elsewhere (Wang, Sheikh and Bovik "
    "2002); measured: mouths are .9 alike at 3, and .77 at 6",
    effect_warn="the skin has blocks that the mouth has not",
    effect_bad="blocks are as large as lips",
    advice="use the original file, not the one from a messenger; record with more bits",
)
QUANTISER: Final = Rule(
    "quantiser",
    "Quantiser of the video",
    "damage",
    "QP",
    warn_at=42.5,
    bad_at=47.0,
    why="mean over blocks, which H.264 files tell, 0 to 51; measured: lips are half a millimetre "
    "beside their place at 42.5, 1 mm at 47",
    effect_warn="skin is smeared, and lips change shape at key frames",
    effect_bad="lips cannot be told from skin",
    advice="record with more bits: a CRF of 23 or less, 4 Mbit/s or more for 1080p",
)
