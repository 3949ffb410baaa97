"""Face, speech, movement and style, as lists of facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeavatar.analysis.figures import UNKNOWN, amount, clock, count, duration, share, signed
from edgeavatar.report.markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgeavatar.analysis.results import Analysis, FaceTrack, Movement, Speech, Style

    Fact = tuple[str, str | None] | tuple[str, str | None, str]
    """What it is, its value (None leaves it out: it does not apply), and how to read it."""

_MOST_FACES: Final = 12


def facts_section(analysis: Analysis) -> Markup | None:
    """Give all lists, or None if there is nothing in any."""
    cards = []
    main = main_face(analysis)
    if main is not None:
        cards.append(_card("Face", _face_facts(main, analysis)))
    if analysis.speech is not None:
        cards.append(_card("Speech", _speech_facts(analysis.speech)))
    if analysis.movement is not None:
        cards.append(_card("Movement", _movement_facts(analysis.movement)))
    if analysis.style is not None:
        cards.append(_card("Picture", _style_facts(analysis.style)))
    others = _faces_table(analysis) if len(analysis.faces) > 1 else None
    if not cards:
        return None
    return element(
        "section",
        element("h2", "In figures", id="facts-title"),
        element("div", cards, class_="facts"),
        others,
        id="facts",
        aria_labelledby="facts-title",
    )


def main_face(analysis: Analysis) -> FaceTrack | None:
    """Give the face that a render would take."""
    for face in analysis.faces:
        if face.id == analysis.main_face:
            return face
    return analysis.faces[0] if len(analysis.faces) == 1 else None


def source_facts(analysis: Analysis) -> list[str]:
    """Say what kind of file it is."""
    source = analysis.source
    told = [{"video": "Video", "photo": "Photo", "sound": "Sound recording"}[source.kind]]
    if source.duration_s is not None:
        told.append(duration(source.duration_s))
    if source.width and source.height:
        told.append(f"{source.width} \u00d7 {source.height} pixels")
    if source.frame_rate is not None:
        told.append(amount(source.frame_rate, "fps", 0 if source.frame_rate % 1 < 0.005 else 2))
    if source.kind == "video":
        told.append("with sound" if source.has_audio else "without sound")
    if source.kind != "sound":
        told.append("no face found" if not analysis.faces else count(len(analysis.faces), "face"))
    if analysis.words:
        told.append(count(len(analysis.words), "word"))
    return told


def _card(title: str, facts: Iterable[Fact]) -> Markup:
    applying = [(name, value, *note) for name, value, *note in facts if value is not None]
    missing = [name for name, value, *_ in applying if value == UNKNOWN]
    return element(
        "div",
        element("h3", title),
        element("dl", (_entry(*fact) for fact in applying if fact[1] != UNKNOWN)),
        element("p", f"Not measured: {', '.join(missing)}.", class_="small soft unmeasured")
        if missing
        else None,
    )


def _entry(name: str, value: str, note: str = "") -> Markup:
    return element(
        "div",
        element("dt", name),
        element(
            "dd",
            element("span", value, class_="num"),
            element("span", note, class_="small soft") if note else None,
        ),
    )


def _face_facts(face: FaceTrack, analysis: Analysis) -> list[Fact]:
    is_photo = analysis.source.kind == "photo"
    return [
        ("Height, chin to hairline", amount(face.height_px, "px", 0)),
        ("Seen", None if is_photo else share(face.seen_share), "of its frames"),
        ("Mesh", amount(face.mesh_quality, "", 2), "median presence, 0 to 1"),
        (
            "Turned sideways",
            _spread(face.yaw_deg, is_photo),
            "positive: to the picture\u2019s right",
        ),
        ("Up or down", _spread(face.pitch_deg, is_photo), "positive: looks up"),
        ("Leaning", _spread(face.roll_deg, is_photo), "positive: clockwise"),
        ("Looks at the camera", share(face.gaze_at_camera_share)),
        ("Smiles", share(face.smile_share)),
        ("Mouth covered", share(face.mouth_covered_share)),
        ("Blinks", None if is_photo else _rate(face.blinks_per_min)),
        (
            "Articulation",
            None if is_photo else amount(face.articulation_range, "share", 1),
            "range of the lip gap in speech, of the face\u2019s height",
        ),
        (
            "Expressiveness",
            None if is_photo else amount(face.expressiveness, "", 2),
            "movement of the face apart from speech",
        ),
    ]


def _speech_facts(speech: Speech) -> list[Fact]:
    pauses = None if speech.pauses is None else str(speech.pauses)
    if pauses is not None and speech.pause_median_s is not None:
        pauses += f", median {amount(speech.pause_median_s, 's', 1)}"
    return [
        ("Speech", share(speech.speech_share), "of the time"),
        ("Language", _language(speech.language)),
        ("Words", _whole(speech.words)),
        (
            "Speaking rate",
            amount(speech.words_per_min, "words/min", 0),
            "pauses of 0.2 s and more left out",
        ),
        ("Pauses", pauses or UNKNOWN),
        ("Fillers", _whole(speech.fillers)),
        ("Pitch, median", amount(speech.pitch_median_hz, "Hz", 0)),
        ("Pitch, range", amount(speech.pitch_range_semitones, "semitones", 0)),
        ("Loudness", amount(speech.loudness_lufs, "LUFS", 1), "integrated, EBU R 128"),
        ("Loudness range", amount(speech.loudness_range_lu, "LU", 0)),
        ("True peak", amount(speech.true_peak_dbtp, "dBTP", 1)),
        ("Speech over noise", amount(speech.snr_db, "dB", 0)),
        ("Clipped", amount(speech.clipped_share, "share"), "of the samples of speech"),
        ("Bandwidth", _kilohertz(speech.bandwidth_hz)),
        ("Reverberation", amount(speech.reverberation_s, "s", 1), "estimate of RT60"),
        ("Speakers", _whole(speech.speakers)),
    ]


def _movement_facts(movement: Movement) -> list[Fact]:
    return [
        ("Cuts", str(len(movement.cuts_s)), _cuts(movement.cuts_s)),
        (
            "Camera",
            movement.camera or UNKNOWN,
            ""
            if movement.camera_px_per_s is None
            else f"{amount(movement.camera_px_per_s, 'px/s', 0)} in a frame 1080 high",
        ),
        ("Head", amount(movement.head_deg_per_s, "\u00b0/s", 0), "median angular speed"),
        ("Body found", share(movement.body_found_share), "of the frames looked at"),
        (
            "Gestures",
            amount(movement.gesture_energy, "shoulder widths/s", 2),
            "median speed of wrists and elbows",
        ),
        (
            "Background",
            amount(movement.background_steadiness, "", 2),
            "1 is a still background",
        ),
    ]


def _style_facts(style: Style) -> list[Fact]:
    return [
        ("Shot", style.shot or UNKNOWN),
        ("Headroom", amount(style.headroom, "share", 0), "of the height"),
        (
            "Eyes beside the middle",
            _signed_share(style.off_centre),
            "of the width; positive: to the picture\u2019s right",
        ),
        (
            "Eyes above the upper third",
            _signed_share(style.thirds_distance),
            "of the height",
        ),
        ("Colour temperature", _kelvin(style.colour_temperature_k)),
        ("Contrast", amount(style.contrast, "", 2), "RMS of the luma, 0 to 1"),
        ("Brightness", amount(style.brightness, "", 2), "mean luma, 0 to 1"),
    ]


def _faces_table(analysis: Analysis) -> Markup:
    heads = ("Face", "Height", "Seen", "Mesh", "Frames")
    return element(
        "table",
        element("caption", f"{len(analysis.faces)} faces were followed."),
        element("thead", element("tr", (element("th", head, scope="col") for head in heads))),
        element(
            "tbody",
            (
                element(
                    "tr",
                    element(
                        "th",
                        f"{face.id}{' (main)' if face.id == analysis.main_face else ''}",
                        scope="row",
                    ),
                    element("td", amount(face.height_px, "px", 0)),
                    element("td", share(face.seen_share)),
                    element("td", amount(face.mesh_quality, "", 2)),
                    element("td", f"{face.first_frame}\u2013{face.last_frame}"),
                )
                for face in analysis.faces[:_MOST_FACES]
            ),
        ),
    )


def _spread(values: tuple[float, float, float], is_single: bool) -> str:
    low, middle, high = values
    if is_single:
        return signed(middle, "deg")
    return f"{signed(middle, 'deg')} ({signed(low, 'deg')} to {signed(high, 'deg')})"


def _language(code: str | None) -> str:
    if code is None:
        return "the model cannot tell"
    return f"English ({code})" if code == "en" else code


def _rate(per_min: float | None) -> str:
    return amount(per_min, "per min", 0)


def _whole(value: int | None) -> str:
    return amount(value, "", 0)


def _kilohertz(value: float | None) -> str:
    return amount(None if value is None else value / 1000, "kHz", 1)


def _kelvin(value: float | None) -> str:
    return amount(None if value is None else round(value, -2), "K", 0)


def _signed_share(value: float | None) -> str:
    return UNKNOWN if value is None else signed(value * 100, "%")


def _cuts(times: tuple[float, ...]) -> str:
    shown = ", ".join(clock(time_s, tenths=True) for time_s in times[:8])
    return f"at {shown}{' and later' if len(times) > 8 else ''}" if times else ""
