"""Samples for the mouth painter: faces laid over each other, colours, files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeavatar.face import FaceTracker
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.dentition import MouthAnatomy, fit_anatomy
from edgeavatar.rendering.geometry import STEADY, fit_person, mouth_displacement
from edgeavatar.rendering.interior import MouthInside, light_from_skin
from edgeavatar.rendering.layers import crop_mouth, moved_pose
from edgeavatar.types import MOTION_NAMES, IdlePose
from export.train import mouths, rig_mouths, rig_render
from export.train.mouths import Look, Sample

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"
PICTURE_PX = 512
SIZE = 128
COPIES = {
    "itself": np.eye(2, 3),
    "shifted": np.array([[1.0, 0.0, 17.5], [0.0, 1.0, -9.0]]),
    "scaled": np.array([[0.6, 0.0, 0.0], [0.0, 0.6, 0.0]]),
    "turned": cv2.getRotationMatrix2D((PICTURE_PX / 2, PICTURE_PX / 2), 17.0, 0.9),
}


@pytest.fixture(scope="module")
def tracker(model_store: Any) -> Iterator[FaceTracker]:
    model_store.resolve("face")
    with FaceTracker(threads=2) as found:
        yield found


@pytest.fixture(scope="module")
def here(tracker: FaceTracker) -> Look:
    picture = cv2.imread(str(PORTRAIT))
    assert picture is not None
    side = (PICTURE_PX, PICTURE_PX)
    small = cv2.resize(picture, side, interpolation=cv2.INTER_AREA).astype(np.uint8)
    look = mouths.look_at(small, tracker)
    assert look is not None
    return look


def copy_of(look: Look, matrix: np.ndarray) -> Look:
    """Bring a picture and its face elsewhere by a similarity."""
    height, width = look.bgr.shape[:2]
    how, edge = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    bgr = cv2.warpAffine(look.bgr, matrix, (width, height), flags=how, borderMode=edge)
    points = look.face.landmarks
    flat = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    depth = float(np.hypot(*matrix[:, 0])) * points[:, 2:]
    landmarks = np.concatenate([flat, depth], 1).astype(np.float32)
    face = replace(look.face, landmarks=landmarks, pose=moved_pose(look.face.pose, matrix))
    return Look(bgr.astype(np.uint8), mouths.as_frame(bgr.astype(np.uint8)), face)


@pytest.mark.parametrize("how", COPIES)
def test_a_face_is_laid_over_its_own_copy(how: str, here: Look) -> None:
    other = copy_of(here, COPIES[how])
    face, matrix = mouths.in_picture_of(other, here)
    assert matrix == pytest.approx(cv2.invertAffineTransform(COPIES[how]), abs=1e-3)
    assert face.landmarks == pytest.approx(here.face.landmarks, abs=2e-3)
    for name in ("rotation", "translation_px", "scale_px", "yaw_deg", "pitch_deg", "roll_deg"):
        wanted = getattr(here.face.pose, name)
        assert getattr(face.pose, name) == pytest.approx(wanted, abs=2e-2), name
    # And so is its picture: the square cut out of either shows the same.
    crop = crop_mouth(here.face.pose, fit_person([here.face], load_basis()).lip_line_cm, SIZE)
    cut = mouths.cut_from(other.bgr, matrix, crop).astype(int)
    assert np.abs(cut - crop.cut(here.bgr)).mean() < (0.01 if how == "itself" else 4.0)


def test_speech_does_not_move_the_overlay(here: Look) -> None:
    landmarks = here.face.landmarks.copy()
    speaking = [i for i in range(478) if i not in STEADY]
    landmarks[speaking, :2] += 9.0
    other = replace(here, face=replace(here.face, landmarks=landmarks))
    face, matrix = mouths.in_picture_of(other, here)
    assert matrix == pytest.approx(np.eye(2, 3), abs=1e-6)
    assert face.landmarks == pytest.approx(landmarks, abs=1e-3)


def test_an_odd_picture_becomes_an_even_frame() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (21, 33, 3)).astype(np.uint8)
    frame = mouths.as_frame(cv2.GaussianBlur(picture, (0, 0), 4.0).astype(np.uint8))
    assert (frame.height, frame.width) == (20, 32)
    again = frame_to_bgr(frame).astype(int)
    assert np.abs(again - cv2.GaussianBlur(picture, (0, 0), 4.0)[:20, :32]).mean() < 3.0


def test_skin_is_matched_where_it_is_to_be() -> None:
    draw = np.random.default_rng(2)
    source = draw.integers(90, 160, (32, 32, 3)).astype(np.uint8)
    keep = np.zeros((32, 32), bool)
    keep[:16] = True
    target = np.rint(source * np.array([0.8, 0.9, 1.1])).astype(np.uint8)
    target[16:] = 255 - target[16:]
    made = mouths.skin_matched(target, source, keep)
    assert np.abs(made[:16].astype(int) - source[:16]).max() <= 1
    wanted = np.clip(target[16:] / np.array([0.8, 0.9, 1.1]), 0, 255)
    assert np.abs(made[16:] - wanted).max() <= 2.0
    assert np.array_equal(mouths.skin_matched(source, source, keep), source)


@pytest.mark.parametrize(("level", "gain"), [(20, 1.4), (240, 0.7)])
def test_skin_is_not_matched_without_bounds(level: int, gain: float) -> None:
    source = np.full((8, 8, 3), 120, np.uint8)
    target = np.full((8, 8, 3), level, np.uint8)
    made = mouths.skin_matched(target, source, np.ones((8, 8), bool))
    assert (made == round(level * gain)).all()


# ------------------------------------------------------------------------------------- held out


def test_who_is_held_out_stays_so() -> None:
    # A change here would put people into training that published figures were measured on.
    held = [f"{n:03d}" for n in range(1, 174) if mouths.is_london_held_out(f"{n:03d}")]
    assert {"042", "086", "092", "105", "122", "135", "097"} <= set(held)
    assert not {"001", "002", "045", "173"} & set(held)
    share = np.mean([mouths.is_london_held_out(f"{n:04d}") for n in range(4000)])
    assert share == pytest.approx(mouths.HELD_OUT_SHARE / 256, abs=0.03)


def test_ten_to_twenty_people_are_held_out(shared_data: Path) -> None:
    found = sorted((shared_data / "london").glob("*_neutral.jpg"))
    if not found:
        pytest.skip("the London Set is not there")
    people = [path.stem.split("_")[0] for path in found]
    assert len(people) == 102
    assert 10 <= sum(mouths.is_london_held_out(person) for person in people) <= 20


# --------------------------------------------------------------------------------------- samples


@pytest.fixture(scope="module")
def painter(here: Look, tracker: FaceTracker) -> mouths.Painter:
    person = fit_person([here.face], load_basis())
    light = light_from_skin((130.0, 150.0, 200.0))
    return mouths.Painter(person, light, tracker.canonical.triangles)


def opened(look: Look, painter: mouths.Painter, jaw: float) -> Look:
    """Show the same face with its mouth open, the head turned a little in the picture."""
    row = np.zeros(len(MOTION_NAMES), np.float32)
    row[MOTION_NAMES.index("jawOpen")] = jaw
    landmarks = look.face.landmarks.copy()
    landmarks[:, :2] += mouth_displacement(look.face, painter.person, row)
    inside = MouthInside.of_row(row)
    pose = look.face.pose
    made = painter.renderer.reenact(look.frame, look.face, landmarks[:, :2], pose, inside)
    again = Look(frame_to_bgr(made), made, replace(look.face, landmarks=landmarks))
    return copy_of(again, cv2.getRotationMatrix2D((PICTURE_PX / 2, PICTURE_PX / 2), 6.0, 1.0))


@pytest.fixture(scope="module")
def samples(here: Look, painter: mouths.Painter) -> list[Sample]:
    target, seen = (opened(here, painter, jaw) for jaw in (0.4, 0.6))
    return [
        mouths.sample_of(
            name,
            painter,
            here,
            target,
            held_out=held_out,
            size=SIZE,
            teeth_known=not held_out,
            reference=reference,
        )
        for name, held_out, reference in (("001-ns", False, None), ("042-sn", True, seen))
    ]


def test_a_sample_shows_the_source_where_the_target_is(samples: list[Sample]) -> None:
    for sample in samples:
        layers = sample.layers
        assert sample.target.shape == layers.warped.shape == (SIZE, SIZE, 3)
        assert layers.cavity.sum() > 100
        assert np.abs(layers.shift).max() > 3.0
        away = layers.lips < 0.01
        gap = np.abs(sample.target.astype(int) - layers.warped)
        assert gap[away].mean() < 5.0
        assert gap[layers.cavity > 0.9].mean() > 3.0 * gap[away].mean()
        # The modelled inside is where the target has its own.
        inside = np.abs(sample.target.astype(int) - layers.interior)
        assert inside[layers.cavity > 0.9].mean() < gap[layers.cavity > 0.9].mean()


def test_a_reference_shows_the_mouth_that_was_seen(samples: list[Sample]) -> None:
    assert samples[0].layers.reference is None
    reference = samples[1].layers.reference
    assert reference is not None
    cavity = samples[1].layers.cavity > 0.9
    assert np.abs(reference.astype(int) - samples[1].target)[cavity].mean() < 12.0


def test_what_is_written_is_read_again(samples: list[Sample], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is only needed for training")
    pytest.importorskip("PIL", reason="Pillow is only needed for training")
    from edgeavatar.rendering.neural import INPUTS, _as_input
    from export.train.painter import gather, load, looked_at

    path = tmp_path / "london.npz"
    mouths.write(path, samples)
    corpus = load(path, "cpu")
    assert corpus.size == SIZE
    assert [entry["name"] for entry in corpus.index] == ["001-ns", "042-sn"]
    for key, wanted in (
        ("held_out", [False, True]),
        ("teeth_known", [True, False]),
        ("light_known", [False, False]),
        ("fitted", [False, False]),
        ("reference", [False, True]),
    ):
        assert [entry[key] for entry in corpus.index] == wanted
    for i, sample in enumerate(samples):
        layers = sample.layers
        blank = np.zeros_like(sample.target)
        for name, picture in (
            ("warped", layers.warped),
            ("interior", layers.interior),
            ("target", sample.target),
            ("reference", blank if layers.reference is None else layers.reference),
        ):
            read = corpus.pictures[name][i].numpy()[..., ::-1].astype(int)
            assert np.abs(read - picture).mean() < 3.0, name
        for name in ("cavity", "lips"):
            mask = getattr(corpus, name)[i].numpy() / 255.0
            assert np.abs(mask - getattr(layers, name)).max() <= 0.5 / 255.0 + 1e-6
        assert np.abs(corpus.shift[i].numpy() / 8.0 - layers.shift).max() <= 1.0 / 16.0 + 1e-6
    # What the net learns from is what it will be given.
    batch = gather(corpus, [0, 1])
    assert tuple(batch.layers.shape) == (2, INPUTS, 2 * SIZE, 2 * SIZE)
    assert batch.teeth.flatten().tolist() == [1.0, 0.0]
    assert batch.drawn.flatten().tolist() == [0.0, 0.0]
    assert not batch.layers[0, 10:].any()
    assert (batch.layers[1, 13] == 1.0).all()
    for sample, learned in zip(samples, looked_at(batch.layers).numpy(), strict=True):
        given = np.zeros((1, INPUTS, SIZE, SIZE), np.float32)
        runtime = _as_input(replace(sample.layers, reference=None), given)
        for channels, most in ((slice(0, 6), 0.02), (slice(6, 8), 0.01), (slice(8, 10), 0.01)):
            assert np.abs(learned[channels] - runtime[0, channels]).mean() < most


# ----------------------------------------------------------------------------------- fitted teeth


def test_teeth_that_show_are_fitted_and_drawn(here: Look, painter: mouths.Painter) -> None:
    person, light = painter.person, painter.light
    assert mouths.fitted_teeth([here], person, light) is None
    row = np.zeros(len(MOTION_NAMES), np.float32)
    for name, weight in (
        ("jawOpen", 0.25),
        ("mouthUpperUpLeft", 0.5),
        ("mouthUpperUpRight", 0.5),
        ("mouthStretchLeft", 0.4),
        ("mouthStretchRight", 0.4),
    ):
        row[MOTION_NAMES.index(name)] = weight
    usual = fit_anatomy(person.lip_line_cm, person.mouth_width_cm)
    wanted = replace(usual, upper_tooth_offset=usual.upper_tooth_offset + 0.2)
    owner = mouths.Painter(person, light, painter.triangles, (wanted, light))
    made = owner.renderer.render(here.frame, here.face, row, None)
    landmarks = here.face.landmarks.copy()
    landmarks[:, :2] += mouth_displacement(here.face, person, row)
    look = Look(frame_to_bgr(made), made, replace(here.face, landmarks=landmarks))
    found = mouths.fitted_teeth([here, look], person, light)
    assert found is not None
    assert found[0].upper_tooth_offset == pytest.approx(wanted.upper_tooth_offset, abs=0.13)
    fitted = mouths.Painter(person, light, painter.triangles, found)
    assert fitted.fitted
    assert not painter.fitted
    insides = []
    for one in (owner, fitted, painter):
        _, layers = one.layers(here, look.face, SIZE, None)
        insides.append(layers.interior[layers.cavity > 0.9].astype(int))
    assert np.abs(insides[1] - insides[0]).mean() < 0.7 * np.abs(insides[2] - insides[0]).mean()


def test_those_by_whom_runs_are_compared_stay_as_they_were() -> None:
    names = [f"{n:04d}" for n in range(4000)]
    share = np.mean([mouths.is_fitted(name, mouths.LONDON_FITTED) for name in names])
    assert share == pytest.approx(mouths.LONDON_FITTED / 256, abs=0.03)
    held = [mouths.is_london_held_out(name) for name in names]
    fitted = [mouths.is_fitted(name, mouths.LONDON_FITTED) for name in names]
    # Who is fitted has nothing to do with who is held out.
    assert abs(np.corrcoef(held, fitted)[0, 1]) < 0.06


# ------------------------------------------------------------------------------------ rig's mouths


@pytest.fixture(scope="module")
def rig(shared_data: Path) -> rig_render.RigMouth:
    path = shared_data / "ict_facekit.npz"
    if not path.exists():
        pytest.skip("the ICT rig is not there")
    return rig_render.read_rig_mouth(path, load_basis())


def test_the_rig_has_two_rows_of_teeth_one_of_which_moves(rig: rig_render.RigMouth) -> None:
    upper, lower = (np.unique(rig.upper), np.unique(rig.lower))
    for row, weight in ((upper, 0.0), (lower, 1.0)):
        teeth = row[rig.tooth[row] >= 0]
        assert set(rig.tooth[teeth]) == set(range(8))
        assert (rig.jaw_weight[teeth] == weight).all()
        for side in (-1.0, 1.0):
            mine = teeth[side * rig.places[teeth, 0] > 0]
            # Each tooth stands further back than the one before it.
            depth = [rig.places[mine[rig.tooth[mine] == k], 2].mean() for k in range(8)]
            assert (np.diff(depth) < 0).all()
    # What faces forward is lit, what stands between teeth is not.
    assert 0.8 < np.quantile(rig.light[upper], 0.9) <= 1.0
    assert np.quantile(rig.light[upper], 0.1) < 0.3
    tongue = rig.places[np.unique(rig.tongue)]
    assert np.abs(tongue[:, 0]).max() < 2.3
    # Landmarks of the lips lie on the lips of the rig.
    assert rig.skin[13, 1] > rig.skin[14, 1]
    assert rig.skin[[13, 14], 2] == pytest.approx([5.3, 5.4], abs=0.3)


def test_the_rigs_identity_is_found_again(rig: rig_render.RigMouth) -> None:
    wanted = np.zeros(rig_render.IDENTITIES, np.float32)
    wanted[[0, 3, 5]] = (1.2, -1.0, 0.8)
    face = rig.skin + np.tensordot(wanted, rig.skin_identities, 1)
    found = rig.identity_of(np.concatenate([face, np.zeros((10, 3), np.float32)]))
    moved = np.tensordot(found - wanted, rig.skin_identities, 1)
    asked = np.tensordot(wanted, rig.skin_identities, 1)
    assert np.abs(moved - moved.mean(0)).mean() < 0.25 * np.abs(asked - asked.mean(0)).mean()


@pytest.mark.parametrize(("lower_by", "size"), [(0.0, 1.0), (0.3, 0.9), (-0.2, 1.1)])
def test_the_rigs_rows_lie_where_they_are_put(
    lower_by: float, size: float, rig: rig_render.RigMouth
) -> None:
    usual = MouthAnatomy()
    anatomy = replace(
        usual,
        upper_tooth_offset=usual.upper_tooth_offset + lower_by,
        overbite=0.2,
        arch_scale=usual.arch_scale * size,
    )
    identity = np.linspace(-1.0, 1.0, rig_render.IDENTITIES).astype(np.float32)
    places = rig_render._placed(rig, identity, anatomy)
    front, low = rig.tooth == 0, rig.jaw_weight > 0.5
    assert places[front & ~low, 1].min() == pytest.approx(anatomy.upper_edge_y, abs=0.06)
    assert places[front & low, 1].max() == pytest.approx(anatomy.upper_edge_y + 0.2, abs=0.06)
    incisors = places[front & ~low, 0]
    # A central incisor of Wheeler's table has 8.5 mm.
    assert np.ptp(incisors) == pytest.approx(2 * 0.85 * anatomy.arch_scale, rel=0.12)


def test_every_expression_is_one() -> None:
    draw = np.random.default_rng(3)
    rows = np.stack([rig_mouths.expression(draw) for _ in range(300)])
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0
    jaw = rows[:, MOTION_NAMES.index("jawOpen")]
    assert jaw.min() < 0.1
    assert jaw.max() > 0.7
    for name in ("tongueUp", "tongueOut", "mouthFunnel", "mouthSmileLeft", "mouthUpperUpRight"):
        assert (rows[:, MOTION_NAMES.index(name)] > 0.1).mean() > 0.04, name
    left, right = (rows[:, MOTION_NAMES.index(f"mouthSmile{s}")] for s in ("Left", "Right"))
    assert np.corrcoef(left, right)[0, 1] > 0.95
    assert not np.array_equal(left, right)


@pytest.fixture(scope="module")
def strangers(here: Look, tracker: FaceTracker, rig: rig_render.RigMouth) -> list[Sample]:
    draw = np.random.default_rng(4)
    return list(rig_mouths.person_samples("001", (here, here), tracker, load_basis(), rig, draw))


def test_a_drawn_mouth_is_open_and_its_skin_is_the_persons(strangers: list[Sample]) -> None:
    assert len(strangers) == rig_mouths.SAMPLES
    for sample in strangers:
        layers, target = sample.layers, sample.target.astype(int)
        assert not sample.teeth_known
        assert sample.light_known
        # A lip or two of the opening, and no more than the square's middle.
        assert 150 < layers.cavity.sum() < 0.2 * layers.cavity.size
        away = layers.lips < 0.01
        assert np.abs(target - layers.warped)[away].mean() < 2.0
        inside = layers.cavity > 0.95
        assert np.abs(target - layers.warped)[inside].mean() > 15.0
        # No brighter and no darker on the whole than what is modelled, beyond what people are.
        luma = [p[inside].astype(float).mean() for p in (target, layers.interior)]
        assert 0.45 < luma[0] / luma[1] < 2.2
    assert {sample.fitted for sample in strangers} == {False, True}
    assert {sample.layers.reference is None for sample in strangers} == {False, True}


def test_a_drawn_reference_is_another_moment_of_the_same_mouth(
    here: Look,
    tracker: FaceTracker,
    rig: rig_render.RigMouth,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = np.zeros(len(MOTION_NAMES), np.float32)
    for name, weight in (("jawOpen", 0.4), ("mouthUpperUpLeft", 0.3), ("mouthUpperUpRight", 0.3)):
        row[MOTION_NAMES.index(name)] = weight
    # Where both have the same expression, both show the same.
    monkeypatch.setattr(rig_mouths, "expression", lambda _: row)
    draw = np.random.default_rng(5)
    found = rig_mouths.person_samples("001", (here, here), tracker, load_basis(), rig, draw)
    seen = 0
    for sample in found:
        reference = sample.layers.reference
        if reference is None:
            continue
        seen += 1
        inside = sample.layers.cavity > 0.95
        from_reference, from_skin, from_model = (
            np.abs(picture.astype(int) - sample.target)[inside].mean()
            for picture in (reference, sample.layers.warped, sample.layers.interior)
        )
        assert from_reference < 0.4 * from_skin
        assert from_reference < 0.9 * from_model
    assert seen >= 2


def test_the_same_seed_draws_the_same_mouth(
    here: Look, painter: mouths.Painter, rig: rig_render.RigMouth
) -> None:
    def drawn(seed: int) -> np.ndarray:
        mouth = rig_mouths.stranger(painter.person, rig, painter.light, np.random.default_rng(seed))
        triangles = painter.triangles
        camera = rig_mouths.Camera(painter.person, triangles, mouth, (1.0, 0.2))
        row = np.zeros(len(MOTION_NAMES), np.float32)
        row[MOTION_NAMES.index("jawOpen")] = 0.4
        face = rig_mouths.expressed(here, painter.person, row, IdlePose())
        return rig_mouths.photograph(camera, here, face, MouthInside.of_row(row))

    one = drawn(1)
    assert np.array_equal(drawn(1), one)
    assert (drawn(2) != one).any()
