"""What is unusual but can be rendered: the result is whole, and the report says the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from studio import Made, face, moving, nobody, silence, write_video, write_wav

import edgeavatar
from edgeavatar.pipeline import RenderReport
from edgeavatar.types import Frame
from edgeavatar.video.reader import open_video
from edgeavatar.video.source import open_source

Render = Callable[..., RenderReport]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Render quickly and see that the whole result can be decoded."""

    def quickly(source: Path, **options: object) -> RenderReport:
        if options.keys().isdisjoint({"text", "audio"}):
            options["audio"] = silence(tmp_path / "silence.wav", 0.2)
        output = tmp_path / "out.mp4"
        report = edgeavatar.render(source=source, output=output, preset="ultrafast", **options)
        with av.open(str(output)) as result:
            assert sum(1 for _ in result.decode(video=0)) == report.frames
        with av.open(str(output)) as result:
            heard = sum(frame.samples for frame in result.decode(audio=0))
        assert abs(heard / 48000 - report.duration_s) < 0.03 + 1 / report.fps
        return report

    return quickly


def source_frames(path: Path) -> list[Frame]:
    source = open_source(path)
    return [source] if isinstance(source, Frame) else list(source.frames())


def same(frame: Frame, other: Frame) -> bool:
    return all(np.array_equal(getattr(frame, p), getattr(other, p)) for p in "yuv")


def changed_columns(frame: Frame, source: Frame) -> np.ndarray:
    return np.flatnonzero((frame.y != source.y).any(axis=0))


# ----------------------------------------------------------------------------------------- sound


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0.0, 0.2, 16000)


def hum() -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)


@pytest.mark.parametrize("sound", [lambda: np.zeros(16000), noise, hum])
def test_without_speech_the_mouth_rests(
    render: Render, made: Made, photo: Path, tmp_path: Path, sound: Callable[[], np.ndarray]
) -> None:
    audio = write_wav(tmp_path / "sound.wav", sound())
    report = render(photo, audio=audio, still=True, label=None)
    assert report.duration_s == 1.0
    assert len(made.rows) == len(made.frames) == 25
    assert max(row.max() for row in made.rows) < 0.02
    assert all(same(frame, source_frames(photo)[0]) for frame in made.frames)


@pytest.mark.parametrize("samples", [1, 100])
def test_the_shortest_sound_makes_one_frame(
    render: Render, photo: Path, tmp_path: Path, samples: int
) -> None:
    report = render(photo, audio=write_wav(tmp_path / "click.wav", np.zeros(samples)))
    assert report.frames == 1
    assert report.duration_s == 0.04


# ----------------------------------------------------------------------------------------- video


@pytest.mark.parametrize(("fit", "frames"), [("loop", 10), ("freeze", 10), ("trim", 1)])
def test_a_video_of_one_frame(render: Render, tmp_path: Path, fit: str, frames: int) -> None:
    source = write_video(tmp_path / "one.mp4", [face()])
    audio = silence(tmp_path / "sound.wav", 0.4)
    report = render(source, audio=audio, fit=fit)
    assert report.frames == frames
    assert report.duration_s == frames / 25


def test_a_video_cut_in_the_middle_is_used_as_far_as_it_goes(
    render: Render, tmp_path: Path
) -> None:
    source = write_video(tmp_path / "clip.mp4", moving(25), movflags="faststart")
    content = source.read_bytes()
    source.write_bytes(content[: len(content) * 6 // 10])
    with open_video(source) as reader:
        left = sum(1 for _ in reader.frames())
    assert 3 < left < 22
    report = render(source, audio=silence(tmp_path / "sound.wav", 1.5))
    assert report.frames == 38
    assert any("ends early" in warning for warning in report.warnings)


def test_frames_without_the_face_pass_through(render: Render, made: Made, tmp_path: Path) -> None:
    shown = moving(24)
    pictures = [nobody()] * 5 + shown[:12] + [nobody()] * 6 + shown[12:]
    source = write_video(tmp_path / "clip.mp4", pictures)
    report = render(source, text="Hello there, my friend.", fit="freeze", label=None)
    assert report.frames >= len(pictures)
    assert report.frames_without_face == 11
    originals = source_frames(source)
    faceless = [*range(5), *range(17, 23)]
    for index in faceless:
        assert same(made.frames[index], originals[index])
    talked = [i for i in range(len(pictures)) if not same(made.frames[i], originals[i])]
    assert set(talked).isdisjoint(faceless)
    assert len(talked) > 10


def test_a_face_that_comes_too_late_is_reported(render: Render, tmp_path: Path) -> None:
    source = write_video(tmp_path / "clip.mp4", [nobody()] * 12 + [face()] * 3)
    report = render(source)
    assert report.frames_without_face == report.frames == 5


def test_a_turned_video(render: Render, made: Made, tmp_path: Path) -> None:
    tall = np.vstack([nobody(), face()])
    lying = np.ascontiguousarray(np.rot90(tall))
    source = write_video(tmp_path / "clip.mp4", [lying] * 3, rotation_deg=270)
    report = render(source, label=None, text="Hi.")
    assert (report.width, report.height) == (320, 640)
    assert report.frames_without_face == 0
    rows = np.flatnonzero((made.frames[8].y != source_frames(source)[0].y).any(axis=1))
    assert rows.min() > 320


# ------------------------------------------------------------------------------------ which face


@pytest.mark.parametrize(
    ("choice", "left"),
    [("left", True), ("right", False), ("1", False), ("330,0,640,320", False)],
)
def test_the_chosen_face_talks_and_the_other_does_not(
    render: Render, made: Made, tmp_path: Path, choice: str, left: bool
) -> None:
    source = tmp_path / "two.png"
    cv2.imwrite(str(source), np.hstack([face(), face()[:, ::-1]]))
    report = render(source, text="Hello.", face=choice, still=True, label=None)
    assert report.frames_without_face == 0
    original = source_frames(source)[0]
    columns = np.concatenate([changed_columns(frame, original) for frame in made.frames])
    assert len(columns) > 100
    assert columns.max() < 320 if left else columns.min() >= 320


# ---------------------------------------------------------------------------------------- photos


def _jpeg_lying_on_its_side(path: Path) -> None:
    content = cv2.imencode(".jpg", np.rot90(face()))[1].tobytes()
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    length = (len(turned) + 2).to_bytes(2, "big")
    path.write_bytes(content[:2] + b"\xff\xe1" + length + turned + content[2:])


def _on_canvas(side: int) -> np.ndarray:
    canvas = np.full((480, 640, 3), 120, np.uint8)
    canvas[100 : 100 + side, 200 : 200 + side] = face(side)
    return canvas


def _with_alpha() -> np.ndarray:
    opaque = np.full((320, 320, 1), 255, np.uint8)
    opaque[:40] = 0
    return np.concatenate([face(), opaque], axis=2)


PHOTOS: dict[str, Callable[[], np.ndarray]] = {
    "alpha, 16 bits": lambda: _with_alpha().astype(np.uint16) * 257,
    "grey, odd size": lambda: cv2.cvtColor(face(331), cv2.COLOR_BGR2GRAY),
    "at the edge": lambda: face()[:, 60:],
    "face of 60 pixels": lambda: _on_canvas(90),
    "64 pixels": lambda: face(64),
}


@pytest.mark.parametrize("kind", PHOTOS)
def test_photo(render: Render, made: Made, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "photo.png"
    cv2.imwrite(str(source), PHOTOS[kind]())
    report = render(source, text="Hi.", label=None, still=True)
    assert report.frames_without_face == 0
    original = source_frames(source)[0]
    assert sum(not same(frame, original) for frame in made.frames) > 5


def test_a_photo_on_its_side(render: Render, made: Made, tmp_path: Path) -> None:
    source = tmp_path / "phone.jpg"
    _jpeg_lying_on_its_side(source)
    report = render(source, text="Hi.", label=None, still=True)
    assert report.frames_without_face == 0
    upright = face()
    difference = np.abs(made.frames[0].y.astype(int) - _luma(upright)).mean()
    assert difference < 4


def _luma(bgr: np.ndarray) -> np.ndarray:
    blue, green, red = (bgr[..., i].astype(float) for i in range(3))
    return 16 + 219 / 255 * (0.0722 * blue + 0.7152 * green + 0.2126 * red)


@pytest.mark.parametrize("size", [(3840, 2160), (3840, 2880), (12000, 9000)])
def test_a_large_photo(render: Render, tmp_path: Path, size: tuple[int, int]) -> None:
    # With 2880 rows, the search for small faces once never ended.
    picture = cv2.resize(face(), size, interpolation=cv2.INTER_LINEAR)
    source = tmp_path / "large.jpg"
    cv2.imwrite(str(source), picture, [cv2.IMWRITE_JPEG_QUALITY, 70])
    del picture
    report = render(source, audio=silence(tmp_path / "s.wav", 0.1), fps=Fraction(10))
    assert report.frames == 1
    assert report.width == 3840
    assert report.frames_without_face == 0


def test_frame_rates_of_a_photo(render: Render, photo: Path, tmp_path: Path) -> None:
    for fps in (Fraction(1), Fraction(24000, 1001), Fraction(120)):
        report = render(photo, audio=silence(tmp_path / "s.wav", 0.1), fps=fps)
        assert report.fps == float(fps)
        assert report.frames == -(-fps // 10)


def test_a_report_is_complete(render: Render, photo: Path, tmp_path: Path) -> None:
    report = render(photo, text="Hi.")
    values = dataclasses.asdict(report)
    assert values["output"] == str(tmp_path / "out.mp4")
    assert values["voice"] == "hibari"
    assert set(values["seconds"]) == {"opening", "learning the face", "rendering", "finishing"}
    assert values["backends"].keys() >= {"detector", "mesh", "blendshapes"}
