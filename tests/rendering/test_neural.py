"""The neural renderer on a real portrait: what holds whatever the weights of its net are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edgeavatar import zoo
from edgeavatar.errors import EdgeAvatarError, IntegrityError
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr
from edgeavatar.rendering import neural
from edgeavatar.rendering.geometric import GeometricRenderer, lip_rim
from edgeavatar.rendering.geometry import face_height_px, mouth_displacement, sway_pose
from edgeavatar.rendering.interior import InteriorModel, MouthInside, light_from_skin
from edgeavatar.rendering.layers import (
    SIDE_CM,
    MouthCrop,
    cavity_mask,
    crop_mouth,
    moved_pose,
)
from edgeavatar.rendering.mesh import warp_points
from edgeavatar.rendering.neural import (
    GAIN_STEP,
    PAINTERS,
    SIZE,
    NeuralRenderer,
    ReferenceMouth,
    open_painter,
    reference_mouth,
)
from edgeavatar.types import MOTION_NAMES, FaceObservation, Frame, IdlePose

if TYPE_CHECKING:
    from edgeavatar.backends.base import Session
    from edgeavatar.rendering.geometry import Person
    from edgeavatar.rendering.neural import PainterSize

PAINTER = PAINTERS["full"]
LIGHT = light_from_skin((130.0, 150.0, 200.0))
PLANES = ("y", "u", "v")


def row(**weights: float) -> np.ndarray:
    out = np.zeros(len(MOTION_NAMES), np.float32)
    for name, weight in weights.items():
        out[MOTION_NAMES.index(name)] = weight
    return out


OPEN = row(jawOpen=0.4)
PRESSED = row(jawOpen=0.1, mouthPressLeft=0.4, mouthPressRight=0.4)


class _Bare(GeometricRenderer):
    """Moves a mesh and paints nothing."""

    def _fill_mouth(self, warped: Frame, *_: object) -> Frame:
        return warped


class _FakePainter:
    """Covers all skin or none, whatever it is given, and remembers that."""

    def __init__(self, *, covers: bool, gain: float) -> None:
        self.skin, self.gain = np.float32(-80.0 if covers else 80.0), np.float32(gain)
        self.given: list[np.ndarray] = []

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        layers = feeds["layers"]
        assert layers.shape == (1, neural.INPUTS, SIZE, SIZE)
        assert np.isfinite(layers).all()
        self.given.append(layers[0].copy())
        small = SIZE // GAIN_STEP
        gain = np.ones((1, 1, small, small), np.float32)
        # At the border of the square the graph itself holds the gain at 1.
        gain[:, :, 1:-1, 1:-1] = self.gain
        wishes = np.zeros((1, 3, SIZE, SIZE), np.float32)
        wishes[:, 0] = self.skin
        return {"wishes": wishes, "tints": np.ones((1, 6), np.float32), "gain": gain}


def renderer_with(person: Person, painter: Any, **more: Any) -> NeuralRenderer:
    from edgeavatar.face import canonical_mesh

    return NeuralRenderer(
        person, canonical_mesh().triangles, InteriorModel(), LIGHT, painter, **more
    )


@pytest.fixture(scope="module")
def painter() -> Iterator[Session]:
    session = open_painter(threads=2)
    yield session
    session.close()


@pytest.fixture(scope="module")
def renderer(person: Person, painter: Session) -> NeuralRenderer:
    return renderer_with(person, painter)


@pytest.fixture(scope="module")
def bare(person: Person) -> _Bare:
    from edgeavatar.face import canonical_mesh

    return _Bare(person, canonical_mesh().triangles, InteriorModel(), LIGHT)


@pytest.fixture(scope="module")
def opened(renderer: NeuralRenderer, portrait: Frame, face: FaceObservation) -> Frame:
    return renderer.render(portrait, face, OPEN, None)


def square_of(face: FaceObservation, person: Person) -> MouthCrop:
    return crop_mouth(face.pose, person.lip_line_cm, SIZE)


def targets_of(face: FaceObservation, person: Person, weights: np.ndarray) -> np.ndarray:
    return face.landmarks[:, :2] + mouth_displacement(face, person, weights)


def on_picture(mask: np.ndarray, crop: MouthCrop, frame: Frame) -> np.ndarray:
    """Draw a mask over the square into the picture; whole pixels that it touches count."""
    back = cv2.invertAffineTransform(crop.matrix)
    drawn = cv2.warpAffine(mask.astype(np.float32), back, (frame.width, frame.height))
    return cv2.dilate((drawn > 0).astype(np.uint8), np.ones((3, 3))) > 0


def same_outside(a: Frame, b: Frame, touched: np.ndarray) -> bool:
    """Tell whether all bytes are equal outside of a mask over luma."""
    height, width = (side & ~1 for side in touched.shape)
    blocks = touched[:height, :width].reshape(height // 2, 2, width // 2, 2).any((1, 3))
    rest = {"y": ~touched, "u": ~blocks, "v": ~blocks}
    return all(
        np.array_equal(getattr(a, p)[: m.shape[0], : m.shape[1]][m],
                       getattr(b, p)[: m.shape[0], : m.shape[1]][m])
        for p, m in rest.items()
    )  # fmt: skip


def laid(
    frame: Frame, face: FaceObservation, matrix: np.ndarray, size: tuple[int, int]
) -> tuple[Frame, FaceObservation]:
    """Bring a picture and its face to a place in a picture of ``size``, by a similarity."""
    how = cv2.INTER_AREA if np.hypot(*matrix[:, 0]) < 1 else cv2.INTER_CUBIC
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 1:  # warpAffine does not average
        bgr = cv2.GaussianBlur(frame_to_bgr(frame), (0, 0), 0.4 / scale)
    else:
        bgr = frame_to_bgr(frame)
    bgr = cv2.warpAffine(bgr, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    flat = face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    landmarks = np.concatenate([flat, scale * face.landmarks[:, 2:]], 1).astype(np.float32)
    planes = bgr_to_planes(np.asarray(bgr, np.uint8), frame.colour)
    seen = replace(face, landmarks=landmarks, pose=moved_pose(face.pose, matrix))
    return Frame(0, frame.time_s, *planes, frame.colour), seen


# ---------------------------------------------------------------------------------- what stays


def test_rest_gives_the_very_frame(
    renderer: NeuralRenderer, portrait: Frame, face: FaceObservation
) -> None:
    assert renderer.render(portrait, face, row(), None) is portrait


def test_the_source_is_not_written_to(
    renderer: NeuralRenderer, portrait: Frame, face: FaceObservation
) -> None:
    before = {p: getattr(portrait, p).copy() for p in PLANES}
    made = renderer.render(portrait, face, OPEN, IdlePose(yaw_deg=1.0, blink=1.0))
    for p in PLANES:
        assert not np.shares_memory(getattr(made, p), getattr(portrait, p))
        assert np.array_equal(getattr(portrait, p), before[p])


@pytest.mark.parametrize("idle", [None, IdlePose(yaw_deg=1.2, roll_deg=1.0, blink=0.6)])
def test_outside_the_square_nothing_is_painted(
    idle: IdlePose | None,
    renderer: NeuralRenderer,
    person: Person,
    bare: _Bare,
    portrait: Frame,
    face: FaceObservation,
) -> None:
    pose = face.pose if idle is None else sway_pose(face, idle)
    crop = crop_mouth(pose, person.lip_line_cm, SIZE)
    square = on_picture(np.ones((SIZE, SIZE)), crop, portrait)
    assert 0.02 < square.mean() < 0.6
    warped = bare.render(portrait, face, OPEN, idle)
    # Whatever a net answers, it is not let out of the square.
    greedy = renderer_with(person, _FakePainter(covers=True, gain=1.3))
    for painting in (renderer, greedy):
        made = painting.render(portrait, face, OPEN, idle)
        assert not same_outside(made, warped, np.zeros_like(square))
        assert same_outside(made, warped, square)


def test_a_net_that_paints_nothing_leaves_the_warp(
    person: Person, bare: _Bare, portrait: Frame, face: FaceObservation
) -> None:
    idle = IdlePose(yaw_deg=1.0)
    made = renderer_with(person, _FakePainter(covers=False, gain=1.0)).render(
        portrait, face, OPEN, idle
    )
    warped = bare.render(portrait, face, OPEN, idle)
    assert same_outside(made, warped, np.zeros(portrait.y.shape, bool))


@pytest.mark.parametrize("roll_deg", [0.0, 30.0])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_what_is_painted_comes_where_the_net_has_it(
    scale: float,
    roll_deg: float,
    person: Person,
    bare: _Bare,
    portrait: Frame,
    face: FaceObservation,
) -> None:
    centre = tuple(face.landmarks[[13, 14], :2].mean(0).tolist())
    matrix = cv2.getRotationMatrix2D(centre, roll_deg, scale)
    frame, seen = laid(portrait, face, matrix, (portrait.width, portrait.height))
    crop = square_of(seen, person)
    lips = crop.points(targets_of(seen, person, OPEN)[[13, 14]])
    column, line = (round(float(v)) for v in lips.mean(0))

    class Brush(_FakePainter):
        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            made = super().run(feeds)
            made["wishes"][0, 0, line - 2 : line + 3, column - 2 : column + 3] = -80.0
            made["wishes"][0, 2] = 12.0
            return made

    white = ReferenceMouth(
        np.full((SIZE, SIZE, 3), 255, np.uint8), crop.points(warp_points(seen.landmarks))
    )
    painting = renderer_with(person, Brush(covers=False, gain=1.0), reference=white)
    made = painting.render(frame, seen, OPEN, None)
    warped = bare.render(frame, seen, OPEN, None)
    touched = made.y.astype(int) - warped.y > 20
    assert touched.any()
    places = np.argwhere(touched)[:, ::-1]
    found = crop.points(places.mean(0, keepdims=True).astype(np.float32))[0]
    assert found == pytest.approx([column, line], abs=0.6)
    assert np.ptp(crop.points(places.astype(np.float32)), axis=0) == pytest.approx(5.0, abs=1.5)


def test_light_comes_where_the_net_has_it(
    person: Person, bare: _Bare, portrait: Frame, face: FaceObservation
) -> None:
    column, line = 10, 22

    class Lamp(_FakePainter):
        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            made = super().run(feeds)
            made["gain"][0, 0, line, column] = 1.3
            return made

    made = renderer_with(person, Lamp(covers=False, gain=1.0)).render(portrait, face, OPEN, None)
    warped = bare.render(portrait, face, OPEN, None)
    lit = made.y.astype(np.float64) - warped.y
    assert lit.min() >= 0.0
    share = lit / np.maximum(warped.y.astype(np.float64) - 16.0, 1.0)
    assert share.max() == pytest.approx(0.3, abs=0.02)
    y, x = (share * places for places in np.indices(share.shape))
    middle = np.array([[x.sum(), y.sum()]]) / share.sum()
    found = square_of(face, person).points(middle.astype(np.float32))[0]
    # A cell of four pixels has its middle between the second and the third.
    assert found == pytest.approx([4 * column + 1.5, 4 * line + 1.5], abs=0.3)


@pytest.mark.parametrize("asked", ["half a smile", "lips apart", "pressed"])
def test_skin_that_hardly_moves_keeps_the_bits_of_the_warp(
    asked: str,
    renderer: NeuralRenderer,
    bare: _Bare,
    portrait: Frame,
    face: FaceObservation,
    person: Person,
) -> None:
    weights = {
        "half a smile": row(mouthSmileLeft=0.8),
        "lips apart": row(mouthUpperUpLeft=0.2, mouthLowerDownLeft=0.2),
        "pressed": row(mouthPressLeft=0.3, mouthPressRight=0.3),
    }[asked]
    listener = _FakePainter(covers=False, gain=1.0)
    renderer_with(person, listener).render(portrait, face, weights, None)
    shift, lips = listener.given[0][8:10] * neural.SHIFT_PX, listener.given[0][7]
    # The gain is one for 4 x 4 pixels; between their middles it is mixed, 2 px further at most.
    step = GAIN_STEP
    moving = (np.hypot(*shift) > 0.245).reshape(SIZE // step, step, SIZE // step, step)
    cells = np.kron(moving.any((1, 3)), np.ones((step, step))).astype(np.uint8)
    touched = cv2.dilate(cells, np.ones((7, 7))) > 0
    touched |= lips > 0
    assert 0.02 < touched.mean() < 0.9
    crop = square_of(face, person)
    square = on_picture(np.ones((SIZE, SIZE)), crop, portrait)
    touched_there = on_picture(touched, crop, portrait)
    assert (square & ~touched_there).sum() > 3000
    made = renderer.render(portrait, face, weights, None)
    warped = bare.render(portrait, face, weights, None)
    assert same_outside(made, warped, touched_there)
    # Where nothing moved at all these are the bits of the source.
    assert (made.y == portrait.y)[square & ~touched_there].mean() > 0.05


def test_two_renders_are_identical(
    renderer: NeuralRenderer, portrait: Frame, face: FaceObservation, opened: Frame
) -> None:
    # Something else in between: nothing of it may be left in the buffers.
    renderer.render(portrait, face, row(jawOpen=0.7, mouthFunnel=0.5), IdlePose(roll_deg=2.0))
    again = renderer.render(portrait, face, OPEN, None)
    for p in PLANES:
        assert np.array_equal(getattr(again, p), getattr(opened, p))


# --------------------------------------------------------------------------------- what is shown


def test_an_opened_mouth_shows_its_inside(
    opened: Frame, bare: _Bare, portrait: Frame, face: FaceObservation, person: Person
) -> None:
    crop = square_of(face, person)
    inside = cavity_mask(crop, lip_rim(targets_of(face, person, OPEN))) > 0.99
    assert inside.sum() > 120
    made = crop.cut(frame_to_bgr(opened)).astype(int)
    skin = crop.cut(frame_to_bgr(bare.render(portrait, face, OPEN, None))).astype(int)
    assert np.abs(made - skin)[inside].mean() > 15.0
    # Teeth and the dark behind them, where the warp alone shows a smear of lips.
    assert made[inside].std() > 15.0


def test_a_row_that_presses_closes_the_lips(
    renderer: NeuralRenderer, portrait: Frame, face: FaceObservation
) -> None:
    from edgeavatar.face import FaceTracker
    from edgeavatar.face.measures import inner_lip_gap

    made = renderer.render(portrait, face, PRESSED, None)
    assert not np.array_equal(made.y, portrait.y)
    with FaceTracker(threads=2) as tracker:
        found = tracker.track(frame_to_bgr(made))
    assert found is not None
    assert inner_lip_gap(found.landmarks) < 0.006


def test_a_source_with_parted_lips_keeps_its_teeth_and_closes(
    renderer: NeuralRenderer, person: Person, face: FaceObservation, opened: Frame
) -> None:
    """A frame of the renderer itself is the source, with its mouth as the reference."""
    landmarks = face.landmarks.copy()
    landmarks[:, :2] = targets_of(face, person, OPEN)
    seen = replace(face, landmarks=landmarks)
    reference = reference_mouth(opened, seen, person.lip_line_cm)
    again = renderer_with(person, renderer._painter, reference=reference)
    crop = square_of(face, person)
    shut = again.render(opened, seen, PRESSED, None)
    cavity = cavity_mask(crop, lip_rim(landmarks[:, :2])) > 0.9
    before, after = (crop.cut(frame_to_bgr(f)).astype(int) for f in (opened, shut))
    assert np.abs(after - before)[cavity].mean() > 15.0
    half = again.render(opened, seen, row(jawOpen=0.25), None)
    assert half.y.shape == opened.y.shape
    assert not np.array_equal(half.y, shut.y)


def test_teeth_that_a_source_shows_are_not_stretched_with_its_lips(
    person: Person, bare: _Bare, face: FaceObservation, opened: Frame
) -> None:
    """Even a net that would leave all of the source shows it none between parted lips."""
    landmarks = face.landmarks.copy()
    landmarks[:, :2] = targets_of(face, person, row(jawOpen=0.25))
    seen = replace(face, landmarks=landmarks)
    marked = frame_to_bgr(opened)
    rim = np.rint(lip_rim(landmarks[:, :2])).astype(np.int32)
    cv2.fillPoly(marked, [rim], (0, 255, 0))
    source = Frame(0, opened.time_s, *bgr_to_planes(marked, opened.colour), opened.colour)
    painter = _FakePainter(covers=False, gain=1.0)
    renderer = renderer_with(person, painter)
    renderer._own_teeth = lambda filled, *_, **__: filled  # type: ignore[method-assign]
    made = renderer.reenact(
        source, seen, targets_of(face, person, OPEN), face.pose, MouthInside(jaw_open=0.5)
    )
    warped = bare.reenact(
        source, seen, targets_of(face, person, OPEN), face.pose, MouthInside(jaw_open=0.5)
    )
    crop = square_of(face, person)
    cavity = cavity_mask(crop, lip_rim(targets_of(face, person, OPEN))) > 0.95

    def green(picture: np.ndarray) -> float:
        of = picture[cavity].astype(int)
        return float((of[:, 1] - of[:, [0, 2]].max(1) > 60).mean())

    assert green(crop.cut(frame_to_bgr(warped))) > 0.8
    assert green(crop.cut(frame_to_bgr(made))) < 0.02
    shown = painter.given[0][:3][::-1].transpose(1, 2, 0) * 255.0
    assert green(shown) < 0.02


class _Shown:
    """How much of what a source shows between its lips is seen in the mouth that is made."""

    def __init__(self, person: Person, face: FaceObservation, opened: Frame) -> None:
        self._person, self._face, self._opened = person, face, opened

    def __call__(
        self, source_jaw: float, wanted_jaw: float, *, teeth_seen: bool = True, grey: bool = False
    ) -> float:
        person, face = self._person, self._face
        landmarks = face.landmarks.copy()
        landmarks[:, :2] = targets_of(face, person, row(jawOpen=source_jaw))
        seen = replace(face, landmarks=landmarks)
        marked = frame_to_bgr(self._opened)
        cv2.fillPoly(marked, [np.rint(lip_rim(landmarks[:, :2])).astype(np.int32)], (0, 255, 0))
        colour = self._opened.colour
        source = Frame(0, self._opened.time_s, *bgr_to_planes(marked, colour), colour)
        other = ReferenceMouth(
            np.full((SIZE, SIZE, 3), 90, np.uint8),
            square_of(face, person).points(warp_points(face.landmarks)),
        )
        renderer = renderer_with(
            person,
            _FakePainter(covers=True, gain=1.0),
            reference=other if grey else None,
            teeth_seen=teeth_seen,
        )
        targets = targets_of(face, person, row(jawOpen=wanted_jaw))
        made = renderer.reenact(source, seen, targets, face.pose, MouthInside(jaw_open=wanted_jaw))
        crop = square_of(face, person)
        of = crop.cut(frame_to_bgr(made))[cavity_mask(crop, lip_rim(targets)) > 0.95].astype(int)
        return float((of[:, 1] - of[:, [0, 2]].max(1) > 60).mean())


@pytest.fixture(scope="module")
def shown(person: Person, face: FaceObservation, opened: Frame) -> _Shown:
    return _Shown(person, face, opened)


def test_what_a_slit_shows_is_not_put_into_a_wide_mouth(shown: _Shown) -> None:
    assert shown(0.15, 0.7) == 0.0
    assert shown(0.15, 0.7, grey=True) == 0.0


def test_a_mouth_that_opens_little_further_keeps_its_own_teeth(shown: _Shown) -> None:
    assert shown(0.2, 0.25) > 0.02
    assert shown(0.2, 0.25, grey=True) > 0.02


def test_an_open_smile_keeps_them_in_the_widest_mouth(shown: _Shown) -> None:
    assert shown(0.4, 1.0) > 0.1


def test_a_slit_without_teeth_is_not_taken_for_them(shown: _Shown) -> None:
    assert shown(0.12, 0.15) > 0.02
    assert shown(0.12, 0.15, teeth_seen=False) == 0.0


def test_a_reference_warped_to_its_own_points_is_itself(
    portrait: Frame, face: FaceObservation, person: Person, bare: _Bare
) -> None:
    reference = reference_mouth(portrait, face, person.lip_line_cm)
    side = round(SIDE_CM * face.pose.scale_px)
    assert 128 < side < 512
    assert reference.picture.shape == (side, side, 3)
    assert reference.points == pytest.approx(
        crop_mouth(face.pose, person.lip_line_cm, side).points(warp_points(face.landmarks))
    )
    again = reference.warped(reference.points, bare.mesh, (0, 0, side, side), 4.0)
    assert np.abs(again.astype(int) - reference.picture).max() <= 1


def test_a_reference_comes_along_with_a_shift(
    portrait: Frame, face: FaceObservation, person: Person, bare: _Bare
) -> None:
    reference = reference_mouth(portrait, face, person.lip_line_cm)
    shift = np.array([8.0, -4.0], np.float32)
    moved = reference.warped(reference.points + shift, bare.mesh, (64, 64, 192, 192), 2.0)
    wanted = reference.picture[68:196, 56:184].astype(int)
    assert np.abs(moved.astype(int) - wanted).mean() < 1.0


def test_a_reference_is_handed_to_the_net(
    person: Person, portrait: Frame, face: FaceObservation
) -> None:
    listener = _FakePainter(covers=False, gain=1.0)
    painting = renderer_with(person, listener)
    painting.render(portrait, face, OPEN, None)
    side = (SIZE, SIZE, 3)
    painting.reference = ReferenceMouth(
        np.full(side, (0, 51, 255), np.uint8),
        square_of(face, person).points(warp_points(face.landmarks)),
    )
    painting.render(portrait, face, OPEN, None)
    painting.reference = None
    painting.render(portrait, face, OPEN, None)
    without, known, gone = listener.given
    assert np.array_equal(gone, without)
    assert np.array_equal(known[:10], without[:10])
    assert not without[10:].any()
    assert (known[13] == 1.0).all()
    assert known[10:13].mean((1, 2)) == pytest.approx([1.0, 0.2, 0.0])
    # Colours are RGB: skin is redder than blue.
    assert without[0].mean() > without[2].mean()


# ------------------------------------------------------------------------------ places and sizes


@pytest.mark.parametrize("share", ["half of the mouth", "chin", "all of the mouth"])
@pytest.mark.parametrize("side", ["bottom", "right", "left"])
def test_a_mouth_that_is_partly_outside(
    share: str,
    side: str,
    renderer: NeuralRenderer,
    portrait: Frame,
    face: FaceObservation,
) -> None:
    lips = face.landmarks[[13, 14], :2].mean(0)
    height = face_height_px(face)
    beyond = {"half of the mouth": 0.0, "chin": 0.14, "all of the mouth": -0.4}[share] * height
    x, y = 0, 0
    width, high = portrait.width, portrait.height
    if side == "bottom":
        high = int(lips[1] + beyond)
    elif side == "right":
        width = int(lips[0] + beyond)
    else:
        x = int(lips[0] - beyond)
        width -= x
    matrix = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
    cut, seen = laid(portrait, face, matrix, (width, high))
    before = cut.y.copy()
    made = renderer.render(cut, seen, OPEN, IdlePose(yaw_deg=1.0))
    assert np.array_equal(cut.y, before)
    for p in PLANES:
        assert getattr(made, p).shape == getattr(cut, p).shape
    assert not np.array_equal(made.y, cut.y)


def test_a_face_that_left_the_picture(
    renderer: NeuralRenderer, portrait: Frame, face: FaceObservation
) -> None:
    far = np.array([[1.0, 0.0, -3.0 * portrait.width], [0.0, 1.0, 0.0]])
    _, seen = laid(portrait, face, far, (64, 64))
    made = renderer.render(portrait, seen, OPEN, None)
    assert same_outside(made, portrait, np.zeros(portrait.y.shape, bool))


@pytest.mark.parametrize("height", [96, 900])
def test_small_and_large_faces(
    height: int,
    renderer: NeuralRenderer,
    bare: _Bare,
    portrait: Frame,
    face: FaceObservation,
    person: Person,
) -> None:
    scale = height / face_height_px(face)
    sides = (round(scale * portrait.width), round(scale * portrait.height))
    matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    frame, seen = laid(portrait, face, matrix, sides)
    assert face_height_px(seen) == pytest.approx(height, rel=0.01)
    made = renderer.render(frame, seen, OPEN, None)
    crop = square_of(seen, person)
    square = on_picture(np.ones((SIZE, SIZE)), crop, frame)
    warped = bare.render(frame, seen, OPEN, None)
    assert same_outside(made, warped, square)
    inside = cavity_mask(crop, lip_rim(targets_of(seen, person, OPEN))) > 0.99
    shown, skin = (crop.cut(frame_to_bgr(f)).astype(int)[inside] for f in (made, warped))
    assert np.abs(shown - skin).mean() > 15.0


def test_a_rolled_head_gives_the_same_square(
    renderer: NeuralRenderer, portrait: Frame, face: FaceObservation, person: Person, opened: Frame
) -> None:
    centre = tuple(face.landmarks[[13, 14], :2].mean(0).tolist())
    matrix = cv2.getRotationMatrix2D(centre, 20.0, 1.0)
    frame, seen = laid(portrait, face, matrix, (portrait.width, portrait.height))
    assert abs(abs(seen.pose.roll_deg - face.pose.roll_deg) - 20.0) < 2.0
    made = renderer.render(frame, seen, OPEN, None)
    upright, rolled, before = (
        square_of(look, person).cut(frame_to_bgr(picture)).astype(int)
        for picture, look in ((opened, face), (made, seen), (portrait, face))
    )
    apart = np.abs(rolled - upright).mean()
    assert apart < 3.0
    assert apart < 0.3 * np.abs(upright - before).mean()


# ------------------------------------------------------------------------------------- the net


@pytest.mark.parametrize("size", ["full", "small"])
def test_the_nets_that_ship_open(size: PainterSize) -> None:
    painter = open_painter(threads=1, size=size)
    assert {spec.name for spec in painter.inputs} == {"layers"}
    assert {spec.name for spec in painter.outputs} == {"wishes", "tints", "gain"}
    layers = np.random.default_rng(4).random((1, neural.INPUTS, SIZE, SIZE), np.float32)
    layers[:, 7] = 0.0
    layers[:, 8:10] = 0.0
    made = painter.run({"layers": layers})
    painter.close()
    assert (made["gain"] == 1.0).all()
    assert np.abs(made["wishes"][0, :2]).max() <= 2.0
    assert np.abs(made["wishes"][0, 2]).max() <= 6.0
    assert np.exp(-0.9) <= made["tints"].min()
    assert made["tints"].max() <= np.exp(0.9 + 0.12)


@pytest.mark.parametrize("damage", ["cut", "noise", "nothing", "another net"])
def test_a_wrong_net_is_refused_in_one_line(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = zoo.own_file(PAINTER).read_bytes()
    path = tmp_path / PAINTER
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "noise": np.random.default_rng(0).bytes(4000),
            "nothing": b"",
            "another net": zoo.own_file("motion_mouth.onnx").read_bytes(),
        }[damage]
    )
    monkeypatch.setattr(zoo, "own_file", lambda _: path)
    with pytest.raises(IntegrityError, match="expected") as caught:
        open_painter(threads=1)
    assert "\n" not in str(caught.value)
    assert PAINTER in str(caught.value)


def test_a_changed_net_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bytearray(zoo.own_file(PAINTER).read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / PAINTER).write_bytes(whole)
    manifest = zoo.load_manifest()
    monkeypatch.setattr(zoo, "load_manifest", lambda: manifest)
    monkeypatch.setattr(zoo, "models_dir", lambda: tmp_path)
    with pytest.raises(IntegrityError, match=PAINTER):
        open_painter(threads=1)
    (tmp_path / PAINTER).unlink()
    with pytest.raises(EdgeAvatarError, match="missing; reinstall"):
        open_painter(threads=1)
