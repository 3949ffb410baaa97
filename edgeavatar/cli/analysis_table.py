"""What an analysis found, as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeavatar.analysis.results import (
        Analysis,
        FaceTrack,
        Movement,
        Preflight,
        SourceFacts,
        Speech,
        Style,
    )

_MOST_FACES = 6
_SIGNS = {"warn": "WARN", "bad": "BAD"}
_VERDICTS = {
    "good": "good",
    "warn": "usable, with what is marked WARN",
    "bad": "not usable: see what is marked BAD",
    "unknown": "nothing could be judged",
}


def print_analysis(analysis: Analysis) -> None:
    """Print a summary, one title and its lines after the other; what is not known is left out."""
    for title, texts in _parts(analysis):
        for place, text in enumerate(texts):
            click.echo(f"{'' if place else title:<14}{text}")


def _parts(analysis: Analysis) -> Iterator[tuple[str, list[str]]]:
    yield "source", [_source(analysis.source)]
    if analysis.source.kind != "sound":
        yield "faces", list(_faces(analysis))
    if analysis.style is not None:
        yield "framing", _joined(_framing(analysis.style))
        yield "picture", _joined(_picture(analysis.style))
    if analysis.movement is not None:
        yield "movement", list(_movement(analysis.movement))
    if analysis.speech is not None:
        yield "speech", list(_speech(analysis.speech))
        yield "sound", _joined(_sound(analysis.speech))
    if analysis.preflight is not None:
        yield "preflight", list(_preflight(analysis.preflight))
    yield "notes", list(analysis.notes)


def _source(source: SourceFacts) -> str:
    told: list[str] = [source.kind]
    if source.width is not None:
        told.append(f"{source.width} x {source.height} px")
    if source.duration_s is not None:
        told.append(f"{source.duration_s:.1f} s")
    if source.frame_rate is not None:
        told.append(f"{source.frame_rate:.2f} frames a second")
    if source.kind == "video" and not source.has_audio:
        told.append("no sound")
    return ", ".join(told)


def _faces(analysis: Analysis) -> Iterator[str]:
    if not analysis.faces:
        yield "none"
        return
    photo = analysis.source.kind == "photo"
    ordered = sorted(analysis.faces, key=lambda face: face.id != analysis.main_face)
    for face in ordered[:_MOST_FACES]:
        main = " (main)" if face.id == analysis.main_face and len(ordered) > 1 else ""
        yield from _face(face, f"{face.id}{main}: ", photo=photo)
    if len(ordered) > _MOST_FACES:
        yield f"and {len(ordered) - _MOST_FACES} more, see --json"


def _face(face: FaceTrack, head: str, *, photo: bool) -> Iterator[str]:
    angles = zip(
        ("yaw", "pitch", "roll"), (face.yaw_deg, face.pitch_deg, face.roll_deg), strict=True
    )
    turned = ", ".join(f"{name} {middle:+.0f}°" for name, (_, middle, _) in angles)
    if photo:
        seen = ""
    else:
        seen = (
            f", frames {face.first_frame} to {face.last_frame}, seen in {_share(face.seen_share)}"
        )
    yield f"{head}{face.height_px:.0f} px high{seen}, mesh {face.mesh_quality:.2f}; {turned}"
    told = []
    if face.gaze_at_camera_share is not None:
        told.append(f"looks at the camera {_share(face.gaze_at_camera_share)}")
    if face.smile_share is not None:
        told.append(f"smiles {_share(face.smile_share)}")
    if face.blinks_per_min is not None:
        told.append(f"{face.blinks_per_min:.0f} blinks a minute")
    if face.mouth_covered_share:
        told.append(f"mouth covered {_share(face.mouth_covered_share)}")
    if face.articulation_range is not None:
        told.append(f"articulation {face.articulation_range:.3f}")
    if face.expressiveness is not None:
        told.append(f"expressiveness {face.expressiveness:.2f}")
    if told:
        yield f"{'':{len(head)}}{', '.join(told)}"


def _framing(style: Style) -> Iterator[str]:
    if style.shot is not None:
        yield style.shot
    if style.headroom is not None:
        yield f"headroom {_share(style.headroom)}"
    if style.off_centre is not None:
        side = "right" if style.off_centre > 0 else "left"
        yield f"eyes {_share(abs(style.off_centre))} {side} of the middle"
    if style.thirds_distance is not None:
        side = "above" if style.thirds_distance > 0 else "below"
        yield f"{_share(abs(style.thirds_distance))} {side} the upper third"


def _picture(style: Style) -> Iterator[str]:
    if style.colour_temperature_k is not None:
        yield f"light about {round(style.colour_temperature_k, -2):.0f} K"
    if style.brightness is not None:
        yield f"brightness {style.brightness:.2f}"
    if style.contrast is not None:
        yield f"contrast {style.contrast:.2f}"


def _movement(movement: Movement) -> Iterator[str]:
    told = []
    if movement.camera is not None and movement.camera_px_per_s is not None:
        told.append(f"camera {movement.camera} ({movement.camera_px_per_s:.0f} px/s)")
    if movement.background_steadiness is not None:
        told.append(f"background {_share(movement.background_steadiness)} still")
    told.append(f"{len(movement.cuts_s)} cut{'' if len(movement.cuts_s) == 1 else 's'}")
    yield ", ".join(told)
    told = []
    if movement.head_deg_per_s is not None:
        told.append(f"head {movement.head_deg_per_s:.0f}°/s")
    if movement.body_found_share is not None:
        told.append(f"body found in {_share(movement.body_found_share)}")
    if movement.gesture_energy is not None:
        told.append(f"arms {movement.gesture_energy:.2f} shoulder widths a second")
    if told:
        yield ", ".join(told)


def _speech(speech: Speech) -> Iterator[str]:
    told = [f"{_share(speech.speech_share)} of the time"]
    if speech.language is not None:
        told.append(f"language {speech.language}")
    if speech.words is not None:
        told.append(f"{speech.words} words")
    if speech.words_per_min is not None:
        told.append(f"{speech.words_per_min:.0f} words a minute")
    if speech.pauses is not None:
        median = "" if speech.pause_median_s is None else f" of {speech.pause_median_s:.2f} s"
        told.append(f"{speech.pauses} pauses{median}")
    if speech.fillers is not None:
        told.append(f"{speech.fillers} fillers")
    yield ", ".join(told)
    if speech.pitch_median_hz is not None:
        reach = speech.pitch_range_semitones
        told = [f"pitch {speech.pitch_median_hz:.0f} Hz"]
        if reach is not None:
            told.append(f"range {reach:.0f} semitones")
        yield ", ".join(told)


def _sound(speech: Speech) -> Iterator[str]:
    if speech.loudness_lufs is not None:
        yield f"{speech.loudness_lufs:.1f} LUFS"
    if speech.true_peak_dbtp is not None:
        yield f"peak {speech.true_peak_dbtp:.1f} dBTP"
    if speech.snr_db is not None:
        yield f"SNR {speech.snr_db:.0f} dB"
    if speech.clipped_share:
        yield f"clipped {_share(speech.clipped_share)}"
    if speech.bandwidth_hz is not None:
        yield f"bandwidth {speech.bandwidth_hz / 1000:.1f} kHz"
    if speech.reverberation_s is not None:
        yield f"RT60 {speech.reverberation_s:.2f} s"


def _preflight(preflight: Preflight) -> Iterator[str]:
    yield _VERDICTS[preflight.verdict]
    for factor in preflight.factors:
        if factor.verdict in ("warn", "bad"):
            yield f"{_SIGNS[factor.verdict]:<5}{factor.title}: {factor.effect}"
            yield f"     do: {factor.advice}"


def _joined(told: Iterator[str]) -> list[str]:
    text = ", ".join(told)
    return [text] if text else []


def _share(value: float) -> str:
    from edgeavatar.analysis.figures import plain, share

    return plain(share(value))
