"""``render --renderer wav2lip``: what it touches, what it hears, and when it keeps still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_generator import write_generator
from studio import Made, Said, face, moving, nobody, silence, write_video

import edgeavatar
from edgeavatar.audio.mel_windows import MelWindows
from edgeavatar.errors import IntegrityError, ModelNotFound, UsageError
from edgeavatar.face import FaceTracker, canonical_mesh
from edgeavatar.kernels.colour import bgr_to_planes
from edgeavatar.rendering import wav2lip
from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.dentition import fit_anatomy
from edgeavatar.rendering.geometric import smooth_rim
from edgeavatar.rendering.geometry import SPEAKING, face_height_px, fit_person
from edgeavatar.rendering.interior import InteriorModel, light_from_skin
from edgeavatar.rendering.wav2lip import LOWER_FACE, Wav2LipRenderer, open_generator
from edgeavatar.types import (
    MOTION_NAMES,
    AudioChunk,
    ColourTags,
    FaceObservation,
    Frame,
)
from edgeavatar.video.writer import VideoWriter

TEXT = "Mama. Papa, hello."
REST = np.zeros(len(MOTION_NAMES), np.float32)
TALK = np.full(len(MOTION_NAMES), 0.3, np.float32)


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generator(tmp_path_factory.mktemp("generator") / "generator.onnx")


class Wild:
    """A net that gives noise, part of it beyond all colours."""

    def __init__(self) -> None:
        self.fed: list[dict[str, np.ndarray]] = []
        self._draw = np.random.default_rng(0)

    def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.fed.append(feeds)
        return {"mouth": self._draw.uniform(-2, 3, (1, 3, 96, 96)).astype(np.float32)}


def as_frame(bgr: np.ndarray) -> Frame:
    colour = ColourTags()
    return Frame(0, Fraction(0), *bgr_to_planes(bgr, colour), colour)


@pytest.fixture(scope="module")
def tracker() -> FaceTracker:
    return FaceTracker(threads=1)


def seen(tracker: FaceTracker, bgr: np.ndarray) -> FaceObservation:
    tracker.reset()
    found = tracker.track(bgr)
    assert found is not None
    return found


def renderer(
    face_seen: FaceObservation,
    net: object,
    hear: Callable[[Fraction], np.ndarray | None] = lambda _: np.zeros((80, 16), np.float32),
) -> Wav2LipRenderer:
    person = fit_person([face_seen], load_basis())
    interior = InteriorModel(fit_anatomy(person.lip_line_cm, person.mouth_width_cm))
    light = light_from_skin((120, 140, 190), None)
    return Wav2LipRenderer(person, canonical_mesh().triangles, interior, light, net, hear)


def outside(face_seen: FaceObservation, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Luma and chroma pixels that lie outside of what may be painted."""
    rim = smooth_rim(face_seen.landmarks[list(LOWER_FACE), :2])
    inside = np.zeros((frame.height, frame.width), np.uint8)
    cv2.fillPoly(inside, [np.rint(16 * rim).astype(np.int32)], 1, shift=4)
    even = np.pad(inside, ((0, frame.height % 2), (0, frame.width % 2)))
    blocks = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).max((1, 3))
    return inside == 0, blocks == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: picture[:311, :309],  # odd sizes
        lambda picture: picture[:262],  # the picture ends at the chin
        lambda picture: cv2.warpAffine(
            picture, cv2.getRotationMatrix2D((160, 160), 25, 1), (320, 320)
        ),
    ],
    ids=["whole", "odd", "cut", "leaning"],
)
def test_outside_the_lower_face_nothing_changes(
    change: Callable[[np.ndarray], np.ndarray], tracker: FaceTracker
) -> None:
    bgr = np.ascontiguousarray(change(face()))
    frame, found = as_frame(bgr), seen(tracker, bgr)
    before = [plane.copy() for plane in (frame.y, frame.u, frame.v)]
    made = renderer(found, Wild()).render(frame, found, TALK, None)
    luma, chroma = outside(found, frame)
    for old, new, kept, plane in zip(
        before, (made.y, made.u, made.v), (luma, chroma, chroma), "yuv", strict=True
    ):
        assert np.array_equal(old[kept], new[kept]), plane
        assert (old[~kept] != new[~kept]).mean() > 0.3, plane
    for old, plane in zip(before, (frame.y, frame.u, frame.v), strict=True):
        assert np.array_equal(old, plane)


def test_the_net_is_given_the_face_upright_and_half_of_it(tracker: FaceTracker) -> None:
    turn = cv2.getRotationMatrix2D((160, 160), 25, 1)
    pictures = [face(), cv2.warpAffine(face(), turn, (320, 320))]
    wild = Wild()
    mel = np.arange(1280, dtype=np.float32).reshape(80, 16)
    for bgr in pictures:
        found = seen(tracker, bgr)
        renderer(found, wild, lambda _: mel).render(as_frame(bgr), found, TALK, None)
    straight, leaning = (fed["face"] for fed in wild.fed)
    assert straight.shape == (1, 6, 96, 96)
    assert straight.dtype == np.float32
    assert np.array_equal(straight[0, :3, :48], straight[0, 3:, :48])
    assert not straight[0, :3, 48:].any()
    assert straight[0, 3:, 48:].mean((1, 2)).min() > 0.1
    assert np.array_equal(wild.fed[0]["mel"], mel[None, None])
    # The same face, however the head leans; blue, green, red of skin ascend.
    assert np.abs(straight - leaning)[0, :, 10:90, 20:76].mean() < 0.03
    blue, green, red = straight[0, 3:, 56:64, 20:28].mean((1, 2))
    assert blue < green < red
    # Eyes in the upper half, and the mouth in the lower one.
    crop = wav2lip.crop_face(seen(tracker, pictures[0]))
    points = crop.points(seen(tracker, pictures[0]).landmarks[[33, 263, 13, 152], :2])
    assert points[:2, 1].max() < 40
    assert 58 < points[2, 1] < 76
    assert 88 < points[3, 1] < 95


def test_a_net_that_gives_the_source_leaves_it_as_sharp(tracker: FaceTracker) -> None:
    class Mirror:
        def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            # A lamp of another colour, which is evened out.
            cast = np.array([0.05, 0.0, -0.05], np.float32)[:, None, None]
            return {"mouth": feeds["face"][:, 3:] + cast}

    bgr = face()
    frame, found = as_frame(bgr), seen(tracker, bgr)
    made = renderer(found, Mirror()).render(frame, found, TALK, None)
    for old, new in ((frame.y, made.y), (frame.u, made.u), (frame.v, made.v)):
        assert np.abs(old.astype(int) - new.astype(int)).max() <= 6
        assert np.abs(old.astype(int) - new.astype(int)).mean() < 0.2


def test_no_seam_is_left_at_the_rim(tracker: FaceTracker) -> None:
    class Black:
        def run(self, _: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"mouth": np.zeros((1, 3, 96, 96), np.float32)}

    bgr = face()
    frame, found = as_frame(bgr), seen(tracker, bgr)
    made = renderer(found, Black()).render(frame, found, TALK, None)
    # Where the soft edge ends, a net that paints all black is hardly darker than the source.
    inside = ~outside(found, frame)[0]
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    width = wav2lip.EDGE * face_height_px(found)
    rim = (depth > 0.5 * width) & (depth < 1.2 * width)
    away = frame.y[rim].astype(int) - made.y[rim].astype(int)
    assert abs(away.mean()) < 10  # of 101 without colours that are matched


def test_without_speech_it_is_the_geometric_renderer(tracker: FaceTracker) -> None:
    bgr = face()
    frame, found = as_frame(bgr), seen(tracker, bgr)
    wild = Wild()
    painter = renderer(found, wild)
    assert painter.render(frame, found, REST, None) is frame
    turned = replace(found, pose=replace(found.pose, yaw_deg=60.0))
    assert painter.render(frame, turned, TALK, None) is frame
    deaf = renderer(found, wild, lambda _: None)
    assert deaf.render(frame, found, TALK, None) is not frame
    assert wild.fed == []
    # Between rest and speech it is a mixture.
    hint = REST.copy()
    hint[0] = sum(SPEAKING) / 2
    partly = painter.render(frame, found, hint, None)
    wholly = renderer(found, Wild()).render(frame, found, TALK, None)
    changed = [np.abs(made.y.astype(int) - frame.y).mean() for made in (partly, wholly)]
    assert 0.3 < changed[0] / changed[1] < 0.7


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> dict[str, list]:
    """Give what the renderer hears at which time, and the sound that is written."""
    record: dict[str, list] = {"mel": [], "sound": []}
    speak, write_audio = Wav2LipRenderer.speak, VideoWriter.write_audio

    def speaking(
        self: Wav2LipRenderer, frame: Frame, found: FaceObservation, mel: np.ndarray
    ) -> Frame:
        record["mel"].append((frame.time_s, mel))
        return speak(self, frame, found, mel)

    def writing(self: VideoWriter, chunk: AudioChunk) -> None:
        record["sound"].append(chunk)
        write_audio(self, chunk)

    monkeypatch.setattr(Wav2LipRenderer, "speak", speaking)
    monkeypatch.setattr(VideoWriter, "write_audio", writing)
    return record


def check_heard(record: dict[str, list]) -> None:
    """Compare with the windows of the whole sound that was written."""
    windows = MelWindows(record["sound"][0].sample_rate)
    windows.push(np.concatenate([chunk.samples for chunk in record["sound"]]))
    windows.finish()
    assert len(record["mel"]) > 10
    for time_s, mel in record["mel"]:
        assert np.abs(mel - windows.window_at(time_s)).max() < 1e-3
    assert max(mel.max() for _, mel in record["mel"]) > 0.0


def test_text_from_words_to_video(
    photo: Path, generator: Path, tmp_path: Path, made: Made, heard: dict[str, list]
) -> None:
    report = edgeavatar.render(
        source=photo,
        output=tmp_path / "out.mp4",
        text=TEXT,
        renderer="wav2lip",
        renderer_model=str(generator),
        still=True,
        label=None,
        threads=1,
    )
    assert report.renderer == "wav2lip"
    assert " on cpu: " in report.backends["painter"]
    assert report.frames_without_face == 0
    check_heard(heard)
    pictures = np.stack([frame.y for frame in made.frames]).astype(int)
    spread = pictures.max(0) - pictures.min(0)
    assert spread[160:].max() > 40
    assert not spread[:100].any()
    # It paints while there is speech, and only then.
    resting = [float(np.abs(row).max()) <= SPEAKING[0] for row in made.rows]
    assert len(heard["mel"]) == len(resting) - sum(resting)
    assert 2 < sum(resting) < len(resting) - 10


def test_a_recording_over_a_clip_in_which_nobody_is_for_a_while(
    generator: Path, tmp_path: Path, made: Made, heard: dict[str, list]
) -> None:
    words = tmp_path / "words.mp4"
    track = moving(30)
    source = write_video(tmp_path / "clip.mp4", [*track[:15], *[nobody()] * 10, *track[15:]])
    edgeavatar.render(source=source, output=words, text=TEXT, renderer="geometric", threads=1)
    made.frames.clear()
    made.rows.clear()
    heard["sound"].clear()
    report = edgeavatar.render(
        source=source,
        output=tmp_path / "out.mp4",
        audio=words,
        renderer="wav2lip",
        renderer_model=generator,
        label=None,
        threads=1,
    )
    assert report.frames_without_face > 5
    check_heard(heard)
    painted = list(made.frames)
    made.frames.clear()
    edgeavatar.render(
        source=source,
        output=tmp_path / "other.mp4",
        audio=words,
        renderer="geometric",
        label=None,
        threads=1,
    )
    times = {time_s for time_s, _ in heard["mel"]}
    assert 10 < len(times) < len(painted)
    for mine, other in zip(painted, made.frames, strict=True):
        # No face, no speech or a face that is not followed yet: the same bits in both.
        if mine.time_s not in times:
            assert np.array_equal(mine.y, other.y)
            assert np.array_equal(mine.u, other.u)
        else:
            assert np.array_equal(mine.y[:100], other.y[:100])


def test_silence_moves_nothing(
    photo: Path, generator: Path, tmp_path: Path, made: Made, heard: dict[str, list]
) -> None:
    edgeavatar.render(
        source=photo,
        output=tmp_path / "out.mp4",
        audio=silence(tmp_path / "silence.wav", 0.6),
        renderer="wav2lip",
        renderer_model=generator,
        still=True,
        label=None,
        threads=1,
    )
    assert heard["mel"] == []
    assert len(made.frames) == 15
    assert all(np.array_equal(frame.y, made.frames[0].y) for frame in made.frames)


def test_a_swaying_head_takes_the_painted_mouth_along(
    photo: Path, generator: Path, tmp_path: Path, made: Made, heard: dict[str, list]
) -> None:
    frames = {}
    for choice, model in (("wav2lip", generator), ("geometric", None)):
        made.frames.clear()
        edgeavatar.render(
            source=photo,
            output=tmp_path / f"{choice}.mp4",
            text="Mama, papa, oh.",
            renderer=choice,
            renderer_model=model,
            label=None,
            threads=1,
        )
        frames[choice] = list(made.frames)
    times = {time_s for time_s, _ in heard["mel"]}
    assert len(times) > 10
    moved = False
    for mine, other in zip(frames["wav2lip"], frames["geometric"], strict=True):
        away = np.abs(mine.y.astype(int) - other.y.astype(int))
        moved = moved or np.abs(mine.y[:100].astype(int) - frames["wav2lip"][0].y[:100]).max() > 8
        assert away[:100].max() <= 2
        assert away.any() == (mine.time_s in times)
    assert moved


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--renderer", "wav2lip"], UsageError, "--renderer-model FILE.onnx"),
        (["--renderer-model", "GENERATOR"], UsageError, "the renderer is auto; leave it out"),
        (
            ["--renderer", "wav2lip", "--renderer-model", "GENERATOR", "--motion", "TRACK"],
            UsageError,
            "follows the sound, and --motion is a track",
        ),
        (
            ["--renderer", "wav2lip", "--renderer-model", "GENERATOR", "--articulation", "1.2"],
            UsageError,
            "--articulation is for the other renderers",
        ),
        (
            ["--renderer", "wav2lip", "--renderer-model", "nowhere.onnx"],
            ModelNotFound,
            "nowhere.onnx, found no file; write one from a checkpoint: python -m export build",
        ),
        (
            ["--renderer", "wav2lip", "--renderer-model", "LARGER"],
            IntegrityError,
            "expected mel float32 [1, 1, 80, 16], face float32 [1, 6, 96, 96]",
        ),
        (
            ["--renderer", "wav2lip", "--renderer-model", "PAINTER"],
            IntegrityError,
            "found layers float32 [1, 14, 128, 128]",
        ),
        (
            ["--renderer", "wav2lip", "--renderer-model", "CHECKPOINT"],
            IntegrityError,
            "found .pth; convert a checkpoint",
        ),
        (
            ["--renderer", "wav2lip", "--renderer-model", "DAMAGED"],
            IntegrityError,
            "damaged.onnx: ",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str],
    code: type[UsageError],
    words: str,
    photo: Path,
    generator: Path,
    tmp_path: Path,
    render_command: Callable[..., Said],
) -> None:
    from edgeavatar import zoo

    folder = tmp_path / "files"
    folder.mkdir()
    checkpoint, damaged = folder / "wav2lip.pth", folder / "damaged.onnx"
    checkpoint.write_bytes(b"PK")
    damaged.write_bytes(generator.read_bytes()[:200])
    names = {
        "GENERATOR": generator,
        "LARGER": write_generator(folder / "larger.onnx", 192),
        "PAINTER": zoo.own_file("mouth_painter.onnx"),
        "CHECKPOINT": checkpoint,
        "DAMAGED": damaged,
        "TRACK": folder / "track.jsonl",
    }
    given = [names.get(argument, argument) for argument in arguments]
    said = render_command("-s", photo, "-t", "Hi.", "-o", tmp_path / "out.mp4", "-q", *given)
    assert said.code == code.exit_code
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out.mp4").exists()


def test_the_backend_that_was_asked_for_is_used(generator: Path) -> None:
    for backend in ("openvino", "onnxruntime"):
        with open_generator(generator, backend, threads=1) as session:
            assert session.backend == backend
            made = session.run(
                {
                    "mel": np.zeros((1, 1, 80, 16), np.float32),
                    "face": np.zeros((1, 6, 96, 96), np.float32),
                }
            )
            assert np.allclose(made["mouth"], 0.5)
