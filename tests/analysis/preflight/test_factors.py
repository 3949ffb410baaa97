"""Verdicts from columns: all of them or a few, with holes, and where what is wrong was seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeavatar.analysis.factors import picture_factors
from edgeavatar.analysis.results import Factor, Preflight, SourceFacts

FRAMES = 100
VIDEO = SourceFacts(Path("v.mp4"), "video", 4.0, 640, 480, frame_rate=25.0, frames=FRAMES)
PHOTO = SourceFacts(Path("p.jpg"), "photo", None, 640, 480, frames=1)
GOOD = {
    "height_px": 300.0,
    "inside": 1.0,
    "yaw_deg": 3.0,
    "pitch_deg": -4.0,
    "roll_deg": 1.0,
    "mouth_covered": 0.0,
    "glare": 0.0,
    "lips": 2.0,
    "sharpness": 280.0,
    "aperture": 0.0,
    "highlight": 0.7,
    "clipped_high": 0.0,
    "side_light": 0.1,
    "backlight": 0.5,
    "noise": 1.5,
}


def _tables(count: int = FRAMES, **changed: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    index = np.arange(count)
    frames = {
        "index": index,
        "time_s": index / 25.0,
        "blockiness": np.full(count, 1.2),
        "repeated": np.zeros(count, bool),
    }
    faces = {name: np.full(count, value) for name, value in GOOD.items()}
    faces |= {"index": index, "track": np.zeros(count, int)}
    for name, value in changed.items():
        (frames if name in frames else faces)[name] = np.broadcast_to(value, count).copy()
    return frames, faces


def _judged(source: SourceFacts = VIDEO, **changed: Any) -> dict[str, Factor]:
    frames, faces = _tables(**changed)
    return {f.name: f for f in picture_factors(source, frames, faces, quantiser=20.0)}


def test_a_good_video_is_good_in_everything() -> None:
    factors = _judged()
    assert {f.verdict for f in factors.values()} == {"good"}
    assert all(not f.effect and not f.advice and not f.frames for f in factors.values())
    assert all(f.why and f.title for f in factors.values())
    assert Preflight(tuple(factors.values())).exit_code == 0


@pytest.mark.parametrize(
    ("name", "column", "warned", "bad"),
    [
        ("face-size", "height_px", 90.0, 40.0),
        ("yaw", "yaw_deg", -40.0, 55.0),
        ("pitch", "pitch_deg", 30.0, -45.0),
        ("roll", "roll_deg", 70.0, None),
        ("cut-off", "inside", 0.9, 0.6),
        ("glare", "glare", 0.2, None),
        ("lips", "lips", 0.25, 0.1),
        ("blur", "sharpness", 60.0, 25.0),
        ("dark", "highlight", 0.2, 0.08),
        ("bright", "clipped_high", 0.6, 0.95),
        ("side-light", "side_light", -1.8, 3.5),
        ("picture-noise", "noise", 9.0, 30.0),
        ("blocks", "blockiness", 3.6, 7.0),
        ("mouth-open", "aperture", 0.1, None),
        ("mouth-covered", "mouth_covered", None, 0.5),
    ],
)
def test_each_factor_is_named_alone(
    name: str, column: str, warned: float | None, bad: float | None
) -> None:
    for value, verdict in ((warned, "warn"), (bad, "bad")):
        if value is None:
            continue
        factors = _judged(**{column: value})
        wrong = {f.name: f.verdict for f in factors.values() if f.verdict != "good"}
        assert wrong == {name: verdict}
        assert factors[name].effect
        assert factors[name].advice
        assert factors[name].frames == ()  # it is the whole


def test_who_talks_is_not_told_that_the_mouth_is_open() -> None:
    talking = np.tile([0.0, 0.1, 0.12, 0.1, 0.04], FRAMES // 5)
    assert _judged(aperture=talking)["mouth-open"].verdict == "good"
    assert _judged(aperture=0.09 + talking)["mouth-open"].verdict == "warn"


def test_a_file_without_a_face_is_told_that_a_render_stops() -> None:
    frames, faces = _tables()
    nobody = {name: column[:0] for name, column in faces.items()}
    missing = {f.name: f for f in picture_factors(VIDEO, frames, nobody)}["face-missing"]
    assert (missing.verdict, missing.value) == ("bad", 1.0)
    assert "a render stops" in missing.effect
    half = {name: column[: FRAMES // 2] for name, column in faces.items()}
    missing = {f.name: f for f in picture_factors(VIDEO, frames, half)}["face-missing"]
    assert missing.verdict == "bad"
    assert "most of the result" in missing.effect


def test_frames_concerned_are_told() -> None:
    yaw = np.zeros(FRAMES)
    yaw[40:60] = 60.0
    yaw[62:70] = 60.0
    yaw[90:] = 60.0
    factor = _judged(yaw_deg=yaw)["yaw"]
    assert factor.verdict == "bad"
    assert factor.frames == ((40, 69), (90, 99))
    assert factor.times_s == ((1.6, 2.76), (3.6, 3.96))


def test_a_short_bad_stretch_is_a_warning() -> None:
    yaw = np.zeros(FRAMES)
    yaw[:7] = 60.0
    assert _judged(yaw_deg=yaw)["yaw"].verdict == "warn"
    yaw[2:] = 0.0
    assert _judged(yaw_deg=yaw)["yaw"].verdict == "good"


def test_some_frames_give_the_verdicts_of_all() -> None:
    frames, faces = _tables(noise=9.0, yaw_deg=np.linspace(0, 60, FRAMES))
    every = [{k: v[::12] for k, v in table.items()} for table in (frames, faces)]
    all_told = picture_factors(VIDEO, frames, faces)
    some_told = picture_factors(VIDEO, *every)
    assert {f.name: f.verdict for f in some_told if f.name != "gaps"} == {
        f.name: f.verdict for f in all_told if f.name != "gaps"
    }
    # Between frames that are not neighbours no gap can be told.
    assert {f.name: f.verdict for f in some_told}["gaps"] == "unknown"


def test_what_was_not_measured_is_unknown_and_holes_do_not_count() -> None:
    frames, faces = _tables()
    del faces["noise"]
    faces["glare"][:] = np.nan
    faces["sharpness"][::2] = np.nan
    told = {f.name: f for f in picture_factors(VIDEO, frames, faces)}
    assert told["picture-noise"].verdict == told["glare"].verdict == "unknown"
    assert told["picture-noise"].value is None
    assert told["blur"].verdict == "good"
    assert told["quantiser"].verdict == "unknown"


def test_no_face_is_not_usable() -> None:
    frames, _ = _tables()
    told = {f.name: f for f in picture_factors(VIDEO, frames, {})}
    assert told["face-missing"].verdict == "bad"
    assert told["face-missing"].value == 1.0
    assert told["face-size"].verdict == "unknown"


def test_missing_frames_are_told() -> None:
    frames, faces = _tables()
    seen = np.r_[0:50, 60:FRAMES]
    told = picture_factors(VIDEO, frames, {k: v[seen] for k, v in faces.items()})
    factor = next(f for f in told if f.name == "face-missing")
    assert (factor.verdict, factor.value) == ("warn", 0.1)
    assert factor.frames == ((50, 59),)


def test_two_faces() -> None:
    frames, faces = _tables()
    for height, expected in ((120.0, "warn"), (280.0, "bad")):
        both = {k: np.concatenate([v, v]) for k, v in faces.items()}
        both["track"][FRAMES:] = 1
        both["height_px"][FRAMES:] = height
        for dominant, verdict in ((2.5, expected), (None, "warn")):
            told = picture_factors(VIDEO, frames, both, dominant=dominant)
            by_name = {f.name: f for f in told}
            assert by_name["faces"].verdict == verdict
            assert by_name["faces"].value == 2.0
            assert by_name["face-size"].value == 300.0  # the largest counts


def test_a_cut_does_not_lose_the_face() -> None:
    frames, faces = _tables()
    faces["track"][50:] = 7
    told = {f.name: f for f in picture_factors(VIDEO, frames, faces)}
    assert told["face-missing"].verdict == "good"


def test_slow_stopped_and_repeated_videos() -> None:
    frames, faces = _tables()
    slow = SourceFacts(Path("v.mp4"), "video", 4.0, 640, 480, frame_rate=10.0)
    assert {f.name: f for f in picture_factors(slow, frames, faces)}["frame-rate"].verdict == "bad"
    frames["time_s"][30:] += 0.5
    frames["repeated"][::2] = True
    told = {f.name: f for f in picture_factors(VIDEO, frames, faces)}
    assert told["gaps"].verdict == "warn"
    assert told["gaps"].frames == ((29, 29),)
    assert (told["repeated"].verdict, told["repeated"].value) == ("warn", 0.5)


def test_dark_skin_before_a_white_wall_is_no_backlight() -> None:
    told = _judged(backlight=4.0, highlight=0.6)
    assert told["backlight"].verdict == told["dark"].verdict == "good"
    told = _judged(backlight=6.0, highlight=0.2)
    assert told["backlight"].verdict != "good"


def test_lips_that_go_away_are_covered() -> None:
    lips = np.full(FRAMES, np.nan)
    lips[::5] = 2.0
    lips[30:50:5] = 0.4
    factor = _judged(lips=lips, mouth_covered=np.nan)["mouth-covered"]
    assert (factor.verdict, factor.value) == ("warn", 0.2)
    assert factor.frames == ((30, 49),)
    lips[::5] = 0.7  # pale lips throughout are no hand
    assert _judged(lips=lips)["mouth-covered"].verdict == "good"


def test_a_photo_has_no_factors_of_time() -> None:
    frames, faces = _tables(1)
    names = {f.name for f in picture_factors(PHOTO, frames, faces)}
    assert names.isdisjoint({"frame-rate", "gaps", "repeated", "quantiser"})
    assert {"face-size", "lips", "blocks"} <= names
