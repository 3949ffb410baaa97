"""Findings as an analysis makes them, of a clip that does not exist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edgeavatar.analysis.results import (
    Analysis,
    FaceTrack,
    Factor,
    Movement,
    Preflight,
    SourceFacts,
    Speech,
    Style,
    TimedWord,
)
from edgeavatar.report.pictures import MadeWith, Preview, ReportPictures, Thumbnail

RATE = 25
JPEG = cv2.imencode(".jpg", np.full((360, 480, 3), 150, np.uint8))[1].tobytes()

SAID = (
    "Good morning. This is a short test of what a report can show. It looks at the light, the face "
    "and the sound, and it tells you what to mend first. Nothing of this leaves the machine."
)


def words(seconds: float = 12.0, said: str = SAID) -> tuple[TimedWord, ...]:
    pieces = said.split()
    step = (seconds - 1.0) / len(pieces)
    found, time_s = [], 0.4
    for place, piece in enumerate(pieces):
        found.append(TimedWord(piece, time_s, time_s + step * 0.8, 0.15 if place == 9 else 0.7))
        time_s += step
    return tuple(found)


def factors() -> tuple[Factor, ...]:
    return (
        Factor(
            "face-size", "Size of the face", "resolution", "good", 412.0, "px", 160.0, 96.0,
            "Below 160 px the painted mouth loses sharpness; measured on downscaled clips.", "", "",
        ),
        Factor(
            "side-light", "Light from one side", "lighting", "warn", 0.9, "stops", 0.7, 1.5,
            "ISO/IEC 39794-5 asks for even light on both cheeks.",
            "The painted mouth is lit from the front and stands out.",
            "Turn towards the window, or put a lamp on the other side.",
            frames=((100, 180),), times_s=((4.0, 7.2),),
        ),
        Factor(
            "mouth-covered", "Something before the mouth", "visibility", "bad", 0.18, "share",
            0.02, 0.1, "Measured: from a tenth of the frames on, the covered mouth is noticed.",
            "A hand or a microphone is painted over.", "Keep hands and microphone off the mouth.",
            frames=((200, 240),), times_s=((8.0, 9.6),),
        ),
        Factor(
            "blockiness", "Compression damage", "damage", "good", 0.04, "", 0.2, 0.4,
            "Measured by encoding a good clip at falling rates.", "", "",
        ),
        Factor(
            "noise", "Noise beside the speech", "sound", "warn", 17.0, "dB", 20.0, 10.0,
            "Word errors double below 20 dB (measured).", "Some words will be misheard.",
            "Move the microphone nearer.",
        ),
        Factor(
            "reverberation", "Reverberation", "sound", "unknown", None, "s", 0.6, 1.2,
            "ISO 3382-2.", "", "",
        ),
    )  # fmt: skip


def filmed(seconds: float = 12.0, name: str = "talk.mp4") -> Analysis:
    count = round(seconds * RATE)
    index = np.arange(count)
    time_s = index / RATE
    seen = (index < count * 0.45) | (index > count * 0.5)
    own = index[seen]
    wave = np.sin(own / RATE * 2.2)
    rows = len(own)
    ticks = np.arange(round(seconds / 0.05)) * 0.05
    talking = (np.sin(ticks * 1.7) > -0.7).astype(np.float32)
    return Analysis(
        source=SourceFacts(Path(name), "video", seconds, 1280, 720, float(RATE), count, True),
        faces=(
            FaceTrack(
                0, 0, count - 1, float(seen.mean()), 412.3, 0.97, (-14.2, 1.4, 16.8),
                (-6.0, -1.0, 4.0), (-2.0, 0.3, 2.6), 14.0, 0.81, 0.12, 0.18, 0.062, 0.34,
            ),
        ),
        main_face=0,
        movement=Movement((seconds * 0.45,), "steady", 1.4, 6.1, 0.9, 0.21, 0.97),
        speech=Speech(
            0.72, "en", 36, 152.0, 7, 0.41, 0, 118.0, 7.4, -19.3, 5.1, -2.2, 17.0, 0.0004,
            7600.0, None, None,
        ),
        style=Style("close-up", 0.11, 0.03, 0.02, 5230.0, 0.19, 0.46),
        words=words(seconds),
        preflight=Preflight(factors()),
        frames={"index": index, "time_s": time_s, "luma": np.full(count, 0.4)},
        faces_by_frame={
            "index": own,
            "track": np.zeros(rows, np.int32),
            "left": np.full(rows, 480.0) + 20 * wave,
            "top": np.full(rows, 120.0),
            "right": np.full(rows, 850.0) + 20 * wave,
            "bottom": np.full(rows, 540.0),
            "yaw_deg": 14 * wave,
            "pitch_deg": 5 * np.cos(own / RATE),
            "aperture": np.abs(np.sin(own / RATE * 9)) * 0.07,
            "mouth_covered": ((own >= 200) & (own <= 240)).astype(np.float32),
            "blink": np.zeros(rows),
            "sharpness": np.ones(rows),
            "luma": np.full(rows, 0.55),
            "side_light": np.full(rows, 0.9),
        },
        sound={
            "time_s": ticks,
            "loudness_lufs": -24 + 8 * np.sin(ticks * 1.7) - 30 * (1 - talking),
            "speech": talking,
            "pitch_hz": np.full(len(ticks), np.nan),
        },
    )  # fmt: skip


def photo() -> Analysis:
    whole = filmed()
    one = {name: values[:1] for name, values in whole.faces_by_frame.items()}
    face = replace(
        whole.faces[0], blinks_per_min=None, articulation_range=None, expressiveness=None
    )
    kept = tuple(f for f in factors() if f.group in ("resolution", "lighting"))
    kept = tuple(replace(f, frames=(), times_s=()) for f in kept)
    return Analysis(
        source=SourceFacts(Path("face.jpg"), "photo", None, 1024, 1024),
        faces=(face,),
        main_face=0,
        style=whole.style,
        preflight=Preflight(kept),
        frames={name: values[:1] for name, values in whole.frames.items()},
        faces_by_frame=one,
    )


def heard() -> Analysis:
    whole = filmed()
    return Analysis(
        source=SourceFacts(Path("talk.wav"), "sound", 12.0, has_audio=True),
        speech=whole.speech,
        words=whole.words,
        preflight=Preflight(tuple(f for f in factors() if f.group == "sound")),
        sound=whole.sound,
    )


PREVIEW = Preview(b"\x00\x00\x00\x18ftypmp42", "video/mp4", 12.0, True, 320, 240)


def pictures() -> ReportPictures:
    shown = (
        Thumbnail(JPEG, 480, 360, "worst", 8.8, "Something before the mouth.", "At 8.8 s: a face."),
        Thumbnail(JPEG, 480, 360, "best", 2.0, "Frontal and clear.", "At 2.0 s: a face."),
    )
    return ReportPictures(shown, PREVIEW)


MADE_WITH = MadeWith("1.2.3", (("Face mesh", "float16/1"),), "2025-01-31")
