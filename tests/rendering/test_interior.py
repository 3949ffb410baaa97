from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgeavatar.rendering.dentition import MouthAnatomy, jaw_transform
from edgeavatar.rendering.interior import (
    InteriorLight,
    InteriorModel,
    face_colours,
    light_from_skin,
)
from edgeavatar.types import HeadPose

SCALE = 40.0
SIZE = (208, 144)
LONDON_SKIN = (121.4, 135.6, 172.5)
"""The mean cheek of the London people, sRGB BGR."""


def _pose(yaw=0.0, pitch=0.0, scale=SCALE, shift=(0.0, 0.0)):
    y, p = math.radians(yaw), math.radians(pitch)
    turn = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    nod = np.array([[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]])
    # The middle of the lips (0, -4.6, 5.3) cm lands in the middle of the picture.
    rotation = (turn @ nod).astype(np.float32)
    middle = scale * (rotation @ np.array([0, -4.6, 5.3])) * (1, -1, -1)
    at = np.array([SIZE[0] / 2 - middle[0] + shift[0], SIZE[1] / 2 - middle[1] + shift[1], 0])
    return HeadPose(rotation, at.astype(np.float32), scale, yaw, pitch, 0.0)


def _project(points, pose):
    turned = np.asarray(points, dtype=np.float64) @ pose.rotation.T.astype(np.float64)
    return turned * (pose.scale_px * np.array([1, -1, -1])) + pose.translation_px


def _lips(pose, top=-3.8, bottom=-5.3, half_width=2.1):
    angle = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    middle = -4.2
    height = np.where(np.sin(angle) > 0, top - middle, middle - bottom)
    x = half_width * np.cos(angle)
    y = middle + height * np.sin(angle)
    return _project(np.column_stack([x, y, 5.45 - 0.25 * x**2]), pose)[:, :2]


def _draw(model, pose=None, lips=None, jaw_open=0.3, **more):
    pose = _pose() if pose is None else pose
    arguments = {
        "region_xyxy": (0, 0, *SIZE),
        "size": SIZE,
        "light": InteriorLight(),
        "lip_polygon": _lips(pose) if lips is None else lips,
    }
    return model.render(pose, jaw_open=jaw_open, **(arguments | more))


@pytest.fixture(scope="module")
def model():
    return InteriorModel()


def _inside(lips, margin=0):
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    inside = np.zeros(rows.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(lips, np.roll(lips, -1, axis=0), strict=True):
        if ay != by:
            crosses = (ay > rows) != (by > rows)
            inside ^= crosses & (columns < (bx - ax) * (rows - ay) / (by - ay) + ax)
    for _ in range(margin):
        inside[1:-1, 1:-1] &= (
            inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
        )
    return inside


def _luminance(picture):
    return picture @ np.array([0.0722, 0.7152, 0.2126])


def test_the_picture_is_a_mouth(model):
    picture = _draw(model)
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert picture.dtype == np.uint8
    pose = _pose()
    edge = model.anatomy.upper_edge_y
    tooth = _project([[0.4, edge + 0.3, 5.2]], pose)[0]
    throat = _project([[0.0, edge - 0.25, 5.2]], pose)[0]
    teeth = picture[round(tooth[1]), round(tooth[0])].astype(int)
    dark = picture[round(throat[1]), round(throat[0])].astype(int)
    # Ivory, not white; the cavity nearly black and red.
    assert 120 < teeth[1] < 225
    assert teeth[2] >= teeth[1] >= teeth[0] > 0.85 * teeth[1]
    assert dark.max() < 60
    assert dark[2] > dark[1]
    outside = picture[2, 2]
    assert outside.max() < 30


def test_same_arguments_same_picture(model):
    first = _draw(model)
    _draw(model, _pose(20, 5), jaw_open=0.5, tongue_up=1.0)
    np.testing.assert_array_equal(_draw(model), first)
    np.testing.assert_array_equal(_draw(InteriorModel()), first)


def test_upper_teeth_stay_when_the_jaw_moves_and_lower_teeth_go(model):
    pose = _pose(pitch=-18)
    lips = _lips(pose, bottom=-6.3)
    little, more = (_draw(model, pose, lips, jaw_open=jaw).astype(int) for jaw in (0.3, 0.5))
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    edge = _project([[0, model.anatomy.upper_edge_y, 5.2]], pose)[0, 1]
    # The faces of the central incisors, clear of the gaps that show what is behind.
    across = np.abs(columns - SIZE[0] / 2) / SCALE
    faces = (across > 0.15) & (across < 0.75)
    upper = (rows < edge - 4) & faces & (_luminance(little) > 110)
    assert upper.sum() > 500
    assert np.abs(more - little)[upper].max() == 0

    def lower_edge(picture):
        # First row, going down from the upper teeth, that is as bright as a tooth.
        column = _luminance(picture)[:, SIZE[0] // 2 - 12 : SIZE[0] // 2 - 6].mean(1)
        below = np.flatnonzero(column[round(edge) + 8 :] > 70)
        return round(edge) + 8 + below[0]

    anatomy = model.anatomy
    tip = np.array([0.0, anatomy.upper_edge_y + anatomy.overbite, 4.9])
    expected = []
    for jaw in (0.3, 0.5):
        rotation, shift = jaw_transform(jaw)
        expected.append(_project([rotation @ tip + shift], pose)[0, 1])
    moved = lower_edge(more) - lower_edge(little)
    assert expected[1] - expected[0] > 15
    assert moved == pytest.approx(expected[1] - expected[0], abs=2.5)


def test_tongue_shows_when_raised_or_out(model):
    rest = _draw(model, jaw_open=0.25).astype(int)
    inside = _inside(_lips(_pose()), 2)
    redness = rest[..., 2] - rest[..., 1]
    for weights in ({"tongue_up": 1.0}, {"tongue_out": 0.8}, {"tongue_front": 1.0}):
        moved = _draw(model, jaw_open=0.25, **weights).astype(int)
        assert (moved[..., 2] - moved[..., 1])[inside].mean() > redness[inside].mean() + 2


def test_a_small_shift_changes_the_picture_a_little(model):
    """Flicker: a tenth of a pixel may change no pixel by more than a tenth of the contrast."""
    pictures, worst = [], []
    for step in range(11):
        pose = _pose(6, -4, shift=(0.1 * step, 0.037 * step))
        lips = _lips(pose)
        pictures.append(np.where(_inside(lips, 0)[..., None], _draw(model, pose, lips), 0))
    still = _inside(_lips(_pose(6, -4)), 3) & _inside(_lips(_pose(6, -4, shift=(1, 0.37))), 3)
    frames = np.array(pictures).astype(int)[:, still]
    steps = np.abs(np.diff(frames, axis=0))
    worst = steps.max()
    contrast = frames[0].max() - frames[0].min()
    assert worst <= 0.13 * contrast
    assert steps.mean() < 0.35
    # Nor does it stand still and then jump: ten steps add up to the whole.
    whole = np.abs(frames[-1] - frames[0])
    assert steps.sum(0).mean() < 1.6 * whole.mean() + 0.5


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("pitch", [-20.0, 0.0, 20.0])
@pytest.mark.parametrize("scale", [8.0, 40.0])
def test_every_pose_gives_a_picture(model, yaw, pitch, scale):
    pose = _pose(yaw, pitch, scale)
    lips = _lips(pose)
    inside = _inside(lips)
    picture = _draw(model, pose, lips, jaw_open=0.4)
    assert inside.sum() > 50
    # Teeth, and something dark: neither a white nor an empty mouth.
    light = _luminance(picture)[inside]
    assert light.max() > 90
    assert np.quantile(light, 0.2) < 70


def test_hidden_degenerate_and_distant_mouths(model):
    pose = _pose()
    backdrop = _draw(model, lips=np.array([[-500.0, -500], [-400, -500], [-450, -480]]))
    assert (backdrop == backdrop[0, 0]).all()
    for lips in (
        np.full((5, 2), 70.0),
        np.array([[20.0, 70], [180, 70], [100, 70]]),
        np.array([[100.0, 20], [100, 110], [100, 60]]),
        _lips(pose, top=-4.2, bottom=-4.2),
        _lips(pose)[::-1],
        _lips(pose) * 30 - 2000,
    ):
        assert _draw(model, pose, lips).shape == (SIZE[1], SIZE[0], 3)
    closed = _draw(model, pose, _lips(pose, top=-4.19, bottom=-4.21), jaw_open=0.0)
    # No light comes in between closed lips.
    assert closed.max() < 150
    tiny = _draw(model, pose, _lips(pose), region_xyxy=(90.5, 60.2, 91.5, 61.0), size=(1, 1))
    assert tiny.shape == (1, 1, 3)
    upside = replace(pose, rotation=np.diag([1, -1, -1]).astype(np.float32))
    assert _draw(model, upside).shape == (SIZE[1], SIZE[0], 3)
    np.testing.assert_array_equal(_draw(model, lips=_lips(pose)[::-1]), _draw(model))


def test_region_and_size_agree(model):
    """The same region at twice the size, and a cut-out, show the same mouth in the same place."""
    whole = _draw(model, blur=0.0).astype(float)
    double = _draw(model, size=(2 * SIZE[0], 2 * SIZE[1]), blur=0.0).astype(float)
    halved = (double[::2, ::2] + double[1::2, ::2] + double[::2, 1::2] + double[1::2, 1::2]) / 4
    inside = _inside(_lips(_pose()), 2)
    assert np.abs(halved - whole)[inside].mean() < 1.5
    shifted = np.roll(halved, 1, axis=1)
    assert np.abs(shifted - whole)[inside].mean() > 2 * np.abs(halved - whole)[inside].mean()
    part = _draw(model, region_xyxy=(60, 40, 150, 110), size=(90, 70), blur=0.0).astype(float)
    assert np.abs(part - whole[40:110, 60:150])[inside[40:110, 60:150]].max() <= 2


def test_pushed_lips_make_shade_and_light_makes_light(model):
    plain = _luminance(_draw(model)).mean()
    assert _luminance(_draw(model, lip_forward_cm=0.8)).mean() < 0.9 * plain
    dim = InteriorLight(gain_bgr=(0.4, 0.4, 0.4))
    warm = InteriorLight(gain_bgr=(0.6, 0.9, 1.2))
    assert _luminance(_draw(model, light=dim)).mean() < 0.8 * plain
    picture = _draw(model, light=warm).astype(float)
    teeth = _luminance(picture) > 120
    assert picture[teeth][:, 2].mean() > 1.2 * picture[teeth][:, 0].mean()


def test_lips_drawn_back_in_a_smile_shade_teeth_less_than_pursed_ones(model):
    pose = _pose()
    x, y = _project([[0.4, model.anatomy.upper_edge_y + 0.3, 5.2]], pose)[0, :2].round().astype(int)
    smile, rest, pursed = (
        _luminance(_draw(model, pose, _lips(pose, half_width=half)))[y, x]
        for half in (2.75, 2.35, 1.6)
    )
    assert smile > rest + 5 > pursed + 10
    wide = InteriorModel(replace(model.anatomy, mouth_width=1.15 * model.anatomy.mouth_width))
    assert _luminance(_draw(wide, pose, _lips(pose, half_width=2.75)))[y, x] < smile - 4


def test_anatomy_shows():
    teeth = _draw(InteriorModel(MouthAnatomy(tooth_bgr=(0.2, 0.5, 0.7))))
    plain = _draw(InteriorModel())
    bright = _luminance(plain) > 130
    assert teeth[bright][:, 0].mean() < plain[bright][:, 0].mean() - 30
    longer = _draw(InteriorModel(MouthAnatomy(upper_tooth_offset=0.6)))
    assert (_luminance(longer) > 110).sum() > 1.2 * (_luminance(plain) > 110).sum()


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 5)},
        {"region_xyxy": (5, 5, 5, 9)},
        {"region_xyxy": (0, 0, math.nan, 9)},
        {"tongue_up": math.inf},
        {"lip_polygon": np.zeros((2, 2))},
        {"lip_polygon": np.zeros((4, 3))},
        {"lip_polygon": np.full((4, 2), np.nan)},
        {"blur": 0.5},
    ],
)
def test_wrong_arguments_are_refused(model, wrong):
    with pytest.raises(ValueError, match="expected"):
        _draw(model, **wrong)


def test_wrong_pose_is_refused(model):
    lips = _lips(_pose())
    with pytest.raises(ValueError, match="scale"):
        _draw(model, replace(_pose(), scale_px=0.0), lips)
    with pytest.raises(ValueError, match="pose"):
        _draw(model, replace(_pose(), rotation=np.full((3, 3), np.nan, np.float32)), lips)
    with pytest.raises(ValueError, match="pose"):
        _draw(model, replace(_pose(), translation_px=np.full(3, np.nan, np.float32)), lips)


# ------------------------------------------------------------------------------------------- light


def _gain(*colours):
    return np.array(light_from_skin(*colours).gain_bgr)


def _expose(colour, factor):
    x = np.array(colour) / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) * factor
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(255 * encoded)


def test_mean_skin_means_studio_light():
    np.testing.assert_allclose(_gain(LONDON_SKIN), 1, atol=0.05)


def test_gain_follows_the_light_but_not_one_to_one():
    gains = [_gain(_expose(LONDON_SKIN, f))[1] for f in (0.1, 0.3, 1, 2)]
    assert gains == sorted(gains)
    # A darker cheek is half a darker light and half a darker skin.
    assert 0.3 < gains[1] / gains[2] < 0.9
    warm = _gain((90, 135, 200))
    assert warm[2] > warm[1] > warm[0]


def test_eye_whites_tell_dark_skin_from_dim_light():
    white = (155, 157, 167)
    skin = _expose(LONDON_SKIN, 0.25)
    alone = _gain(skin)[1]
    dark_skin = _gain(skin, white)[1]
    dim_light = _gain(skin, _expose(white, 0.25))[1]
    assert dim_light < alone < dark_skin
    assert dark_skin > 0.7
    assert dim_light < 0.45


def test_a_cast_is_followed_where_no_skin_has_the_hue():
    # Cheeks and eye whites of the GRID speaker, and a ruddy cheek under white light.
    blue, green, red = light_from_skin((111, 161, 216), (120, 160, 170)).gain_bgr
    assert blue < 0.7 * green
    assert red > green
    ruddy = light_from_skin((112, 130, 190), (150, 152, 165)).gain_bgr
    assert max(ruddy) < 1.12 * min(ruddy)


def test_light_keeps_the_rest_of_its_base():
    base = InteriorLight(direction=(1, 0, 0), ambient=0.1, sky=0.2)
    light = light_from_skin(LONDON_SKIN, base=base)
    assert (light.direction, light.ambient, light.sky) == ((1, 0, 0), 0.1, 0.2)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (300, -5, 100)])
def test_extreme_skin_gives_finite_light(colour):
    gain = _gain(colour)
    assert np.isfinite(gain).all()
    assert (gain > 0.05).all()
    assert (gain < 3).all()


def test_wrong_colours_are_refused():
    for colours in (((1, 2),), ((1, 2, math.nan),), (LONDON_SKIN, (1, 2, math.inf))):
        with pytest.raises(ValueError, match="three finite numbers"):
            light_from_skin(*colours)


def _painted_face():
    """Grey picture with cheeks of one colour and two almond eyes with dark irises."""
    picture = np.full((200, 240, 3), 90, dtype=np.uint8)
    landmarks = np.zeros((478, 3), dtype=np.float32)
    landmarks[[50, 205], :2] = (60, 130)
    landmarks[[280, 425], :2] = (180, 130)
    picture[105:155, 30:90] = picture[105:155, 150:210] = (100, 120, 180)
    eyes = (
        (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
        (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
    )
    for x, eye, iris in ((70, eyes[0], 468), (170, eyes[1], 473)):
        angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        outline = np.column_stack([x + 22 * np.cos(angle), 70 + 9 * np.sin(angle)])
        landmarks[list(eye), :2] = outline
        rows, columns = np.mgrid[0:200, 0:240]
        white = ((columns - x) / 23) ** 2 + ((rows - 70) / 10) ** 2 < 1
        picture[white] = (200, 205, 210)
        picture[np.hypot(columns - x, rows - 70) < 8] = (30, 40, 50)
        landmarks[iris, :2] = (x, 70)
        landmarks[iris + 1 : iris + 5, :2] = [(x + 8, 70), (x, 62), (x - 8, 70), (x, 78)]
    return picture, landmarks


def test_face_colours_measures_cheeks_and_eye_whites():
    picture, landmarks = _painted_face()
    skin, sclera = face_colours(picture, landmarks, 20.0)
    np.testing.assert_allclose(skin, (100, 120, 180), atol=0.5)
    np.testing.assert_allclose(sclera, (200, 205, 210), atol=0.5)
    small, none = face_colours(picture, landmarks * 0.05, 1.0)
    assert none is None
    assert len(small) == 3
    with pytest.raises(ValueError, match="outside"):
        face_colours(picture, landmarks + np.float32(1000), 20.0)
