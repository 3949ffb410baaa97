"""Gaze, blinks, tracks, light and framing of faces, against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from edgeavatar.analysis.blinks import find_blinks
from edgeavatar.analysis.columns import FACE_COLUMNS, FRAME_COLUMNS, Columns
from edgeavatar.analysis.framing import frame_face
from edgeavatar.analysis.gaze import ABOVE_DEG, EyePoints, gaze_in_head, off_camera_deg
from edgeavatar.analysis.gestures import GestureWatch
from edgeavatar.analysis.illuminant import SCLERA, SKIN, light_temperature_k
from edgeavatar.analysis.style import articulation_range, expressiveness
from edgeavatar.analysis.tracks import (
    Box,
    TrackBook,
    describe_track,
    main_track,
    overlap,
    split_at_cuts,
)
from edgeavatar.motion.idle import idle_pose
from edgeavatar.types import BLENDSHAPE_NAMES

Floats = npt.NDArray[np.float64]


# ------------------------------------------------------------------------------------------- gaze


def _eye(right: float, up: float, opening: float = 0.3) -> EyePoints:
    """Make an eye 3 cm wide whose iris is moved by so many centimetres."""
    corners = np.array([[-1.5, 0, 0], [1.5, 0, 0], [right, up, 0.5]], np.float32)
    return EyePoints(corners[0], corners[1], corners[2], opening)


def test_gaze_turns_as_the_iris_moves_on_its_ball() -> None:
    radius = 0.36 * 3.0
    aside = radius * math.sin(math.radians(20))
    right, up = gaze_in_head((_eye(aside, 0.0), _eye(aside, 0.0)))
    assert right == pytest.approx(20.0, abs=0.01)
    assert up == pytest.approx(-ABOVE_DEG)


def test_a_shut_eye_does_not_count() -> None:
    both = gaze_in_head((_eye(0.0, 0.2), _eye(0.5, 0.2, opening=0.05)))
    assert both[0] == pytest.approx(0.0)
    assert all(math.isnan(angle) for angle in gaze_in_head((_eye(0, 0, 0.0), _eye(0, 0, 0.0))))


def test_eyes_that_turn_against_the_head_look_at_the_camera() -> None:
    zero = np.zeros(4)
    gaze_x = np.array([0.0, -20.0, 20.0, np.nan])
    yaw = np.array([20.0, 20.0, 20.0, 0.0])
    off = off_camera_deg(gaze_x, zero, yaw, zero, zero)
    assert off[:3] == pytest.approx([20.0, 0.0, 40.0], abs=0.01)
    assert np.isnan(off[3])
    up = off_camera_deg(np.zeros(1), np.array([10.0]), np.zeros(1), np.array([-10.0]), np.zeros(1))
    # A cosine of single precision knows small angles to .02 degrees.
    assert up[0] == pytest.approx(0.0, abs=0.03)


# ----------------------------------------------------------------------------------------- blinks


def _lids(rate: float, seconds: float, seed: int) -> tuple[Floats, Floats]:
    time_s = np.arange(round(rate * seconds)) / rate
    return time_s, np.array([idle_pose(float(t), seed).blink for t in time_s])


@pytest.mark.parametrize("rate", [15.0, 25.0, 60.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_known_blinks_are_counted(rate: float, seed: int) -> None:
    time_s, lids = _lids(rate, 40.0, seed)
    truth = np.flatnonzero(np.diff((lids > 0.5).astype(int)) == 1)
    noise = np.random.default_rng(seed).normal(0.0, 0.01, len(lids))
    assert len(find_blinks(time_s, 0.1 + 0.4 * lids + noise)) == len(truth)


def test_a_long_look_down_is_no_blink() -> None:
    time_s = np.arange(250) / 25.0
    lids = np.where((time_s > 4.0) & (time_s < 6.0), 0.5, 0.1)
    assert find_blinks(time_s, lids) == []


def test_a_blink_of_someone_who_looks_down_counts() -> None:
    time_s = np.arange(250) / 25.0
    lids = np.full(250, 0.4)
    lids[100:104] = 0.8
    ((begin, end),) = find_blinks(time_s, lids)
    assert (begin, end) == pytest.approx((4.0, 4.16))


def test_blinks_on_the_way_down_and_back_count() -> None:
    time_s = np.arange(250) / 25.0
    lids = np.where((time_s >= 4.0) & (time_s < 6.0), 0.55, 0.1)
    lids[100:104] = lids[146:150] = 0.8
    assert [round(begin, 2) for begin, _ in find_blinks(time_s, lids)] == [4.0, 5.84]


def test_a_gap_between_rows_ends_a_blink() -> None:
    time_s = np.concatenate([np.arange(50), np.arange(100, 150)]) / 25.0
    lids = np.full(100, 0.1)
    lids[49] = lids[50] = 0.8
    assert len(find_blinks(time_s, lids)) <= 1


# ----------------------------------------------------------------------------------------- tracks


def test_faces_keep_their_numbers_while_they_overlap() -> None:
    book = TrackBook()
    left, right = (0.0, 0.0, 100.0, 100.0), (300.0, 0.0, 400.0, 100.0)

    def moved(box: Box, by: float) -> Box:
        return box[0] + by, box[1], box[2] + by, box[3]

    assert book.number([left, right], 0.0) == [0, 1]
    assert book.number([moved(right, 20), moved(left, 30)], 0.2) == [1, 0]
    assert book.number([moved(left, 40)], 0.4) == [0]
    assert book.number([moved(right, 10)], 1.5) == [1], "comes back in time"
    assert book.number([moved(right, 10)], 9.0) == [2], "is forgotten"
    assert overlap(left, left) == 1.0
    assert overlap(left, right) == 0.0


def test_no_track_goes_on_over_a_cut() -> None:
    index = np.array([0, 0, 5, 9, 10, 11, 20])
    track = np.array([0, 1, 0, 0, 0, 0, 1])
    assert split_at_cuts(index, track, [10]).tolist() == [0, 1, 0, 0, 2, 2, 3]


def _tables(frames: int, **columns: object) -> tuple[dict[str, Floats], dict[str, Floats]]:
    of_frames, of_faces = Columns(FRAME_COLUMNS), Columns(FACE_COLUMNS)
    for i in range(frames):
        of_frames.add(index=i, time_s=i / 25.0)
        values = {name: np.asarray(column)[i] for name, column in columns.items()}
        of_faces.add(index=i, **({"height_px": 200.0, "score": 0.9} | values))
    return of_frames.table(), of_faces.table()  # type: ignore[return-value]


def test_a_track_is_summed_up() -> None:
    smile = np.where(np.arange(250) < 100, 0.8, 0.1)
    yaw = np.linspace(-10.0, 10.0, 250)
    covered = np.where(np.arange(250) % 2, np.nan, np.where(np.arange(250) < 50, 0.5, 0.0))
    zero = np.zeros(250)
    frames, faces = _tables(
        250,
        smile=smile,
        yaw_deg=yaw,
        pitch_deg=zero,
        roll_deg=zero,
        gaze_x=np.where(np.arange(250) < 200, -yaw, 40.0),
        gaze_y=zero,
        blink=np.where((np.arange(250) + 60) % 80 < 5, 0.7, 0.1),
        mouth_covered=covered,
        aperture=np.tile([0.0, 0.1], 125),
    )
    speaking = np.arange(250) >= 100
    track = describe_track(0, frames, faces, speaking)
    assert (track.first_frame, track.last_frame, track.seen_share) == (0, 249, 1.0)
    assert track.smile_share == pytest.approx(0.4)
    assert track.mouth_covered_share == pytest.approx(0.2)
    assert track.gaze_at_camera_share == pytest.approx(0.8)
    assert track.yaw_deg == pytest.approx((-9.0, 0.0, 9.0), abs=0.05)
    assert track.blinks_per_min == pytest.approx(3 * 60 / 10)
    assert track.articulation_range == pytest.approx(0.1)
    assert main_track(faces) == 0
    assert describe_track(0, frames, faces, None).articulation_range is None


def test_what_is_not_known_is_none() -> None:
    frames, faces = _tables(1, yaw_deg=[0], pitch_deg=[0], roll_deg=[0])
    track = describe_track(0, frames, faces, None)
    assert track.blinks_per_min is None
    assert track.expressiveness is None
    assert track.smile_share is None
    assert track.gaze_at_camera_share is None
    assert main_track(Columns(FACE_COLUMNS).table()) is None


# ------------------------------------------------------------------------------------------ style


def test_speech_is_no_expression_and_a_brow_is() -> None:
    rng = np.random.default_rng(0)
    rows = np.zeros((200, 52), np.float32)
    rows[:, BLENDSHAPE_NAMES.index("jawOpen")] = rng.random(200)
    assert expressiveness(rows) == 0.0
    rows[:, BLENDSHAPE_NAMES.index("browInnerUp")] = np.linspace(0, 1, 200)
    assert expressiveness(rows) == pytest.approx(0.9 / math.sqrt(17), rel=0.01)
    assert expressiveness(rows[:10]) is None


def test_articulation_counts_speech_alone() -> None:
    aperture = np.concatenate([np.linspace(0, 0.1, 100), np.full(100, 0.5)])
    speaking = np.arange(200) < 100
    assert articulation_range(aperture, speaking) == pytest.approx(0.08, abs=0.001)
    assert articulation_range(aperture, np.zeros(200, bool)) is None


def _srgb(linear: Floats) -> Floats:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255


def _seen(reference: tuple[float, float], light: Floats, level: float = 0.3) -> Floats:
    red, blue = np.exp(reference)
    return _srgb(level * light * np.array([blue, 1.0, red]))[None]


@pytest.mark.parametrize(
    ("light_bgr", "kelvin"),
    [((1.0, 1.0, 1.0), 6504), ((0.4056, 0.8920, 1.5640), 3500), ((1.3138, 1.0107, 0.8577), 9000)],
)
def test_the_colour_of_a_known_light(light_bgr: tuple[float, ...], kelvin: float) -> None:
    """Linear sRGB of D65, of a black body and of daylight (CIE 015)."""
    light = np.array(light_bgr)
    nothing = np.full((1, 3), np.nan)
    for skin, sclera in ((nothing, _seen(SCLERA, light)), (_seen(SKIN, light), nothing)):
        found = light_temperature_k(skin, sclera)
        assert found == pytest.approx(kelvin, rel=0.04)


def test_whites_of_eyes_count_before_skin() -> None:
    warm, cold = np.array([0.5, 0.85, 1.2]), np.ones(3)
    assert light_temperature_k(_seen(SKIN, warm), _seen(SCLERA, cold)) == pytest.approx(
        6504, rel=0.01
    )


def test_clipped_colours_tell_nothing() -> None:
    white, black = np.full((3, 3), 255.0), np.full((3, 3), 2.0)
    assert light_temperature_k(black, white) is None
    assert light_temperature_k(np.full((0, 3), 0.0), np.full((2, 3), np.nan)) is None


@pytest.mark.parametrize(
    ("face_px", "shot"),
    [
        (900, "extreme close-up"),
        (550, "close-up"),
        (360, "medium close-up"),
        (240, "medium"),
        (100, "long"),
    ],
)
def test_shots_by_the_size_of_the_face(face_px: float, shot: str) -> None:
    assert frame_face(1920, 1080, face_px, 100, 960, 360).shot == shot


def test_framing_has_the_signs_it_says() -> None:
    framing = frame_face(1000, 900, 300, 90, 600, 210)
    assert framing.headroom == pytest.approx(0.1)
    assert framing.off_centre == pytest.approx(0.1)
    assert framing.thirds_distance == pytest.approx(0.1)


# --------------------------------------------------------------------------------------- gestures


def _arms(right_wrist: tuple[float, float], shift: float = 0.0) -> npt.NDArray[np.float32]:
    points = np.array([(300, 300), (100, 300), (320, 450), (80, 450), (330, 580), right_wrist])
    return np.asarray(points + np.array([shift, 0.0]), np.float32)


def test_the_speed_of_one_wrist() -> None:
    watch = GestureWatch()
    assert math.isnan(watch.push(_arms((70, 580)), 90.0, 0.0))
    # One of four joints goes 80 pixels, .4 shoulder widths, in .2 s.
    assert watch.push(_arms((70, 500)), 90.0, 0.2) == pytest.approx(0.4 / 0.2 / 4)
    assert watch.push(_arms((70, 500), shift=50.0), 90.0, 0.4) == 0.0, "the whole body moves"
    assert math.isnan(watch.push(None, 90.0, 0.6))
    assert math.isnan(watch.push(_arms((70, 580)), 90.0, 0.8))
    assert math.isnan(watch.push(_arms((70, 580)), 90.0, 3.0)), "too long ago"


def test_shoulders_seen_from_the_side_do_not_make_arms_fast() -> None:
    watch = GestureWatch()
    arms = _arms((70, 580))
    arms[0] = (110, 300)
    watch.push(arms, 90.0, 0.0)
    moved = arms.copy()
    moved[5, 1] -= 80
    assert watch.push(moved, 90.0, 0.2) == pytest.approx(80 / (1.2 * 90.0) / 0.2 / 4)


# ---------------------------------------------------------------------------------------- columns


def test_columns_grow_and_tell_what_is_not_known() -> None:
    table = Columns(FRAME_COLUMNS)
    for i in range(1000):
        table.add(index=i, time_s=i / 25)
    table.mark("cut", 700, True)
    got = table.table()
    assert got["index"].tolist() == list(range(1000))
    assert np.flatnonzero(got["cut"]).tolist() == [700]
    assert np.isnan(got["luma"].astype(float)).all()
    with pytest.raises(KeyError, match="colour"):
        table.add(index=0, colour=1)
