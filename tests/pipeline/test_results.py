"""What a result must be: the source where nothing moves, and times that are exact."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from studio import Made, moving, silence, write_video, write_wav

import edgeavatar
from edgeavatar.audio import decode_audio, measure_lufs
from edgeavatar.pipeline import RenderReport
from edgeavatar.trust.label import draw_label
from edgeavatar.types import FaceObservation, Frame
from edgeavatar.video.reader import open_video
from edgeavatar.video.source import open_source

LOWER_LIDS = (145, 374)
"""Landmarks in the middle of both lower eyelids."""


def render(source: Path, output: Path, **options: object) -> RenderReport:
    return edgeavatar.render(source=source, output=output, preset="ultrafast", **options)


def frames_of(path: Path) -> list[Frame]:
    source = open_source(path)
    return [source] if isinstance(source, Frame) else list(source.frames())


def sound_of(path: Path) -> np.ndarray:
    return np.concatenate([chunk.samples for chunk in decode_audio(path, 48000)])


# ---------------------------------------------------------------------------------------- pixels


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, FaceObservation]]:
    """Give the frames, by index, and the faces that the renderer is given from now on."""
    from edgeavatar.rendering.geometric import GeometricRenderer

    record: list[tuple[int, FaceObservation]] = []
    inner = GeometricRenderer.render

    def noting(
        self: GeometricRenderer, frame: Frame, face: FaceObservation, *rest: object
    ) -> Frame:
        record.append((frame.index, face))
        return inner(self, frame, face, *rest)

    monkeypatch.setattr(GeometricRenderer, "render", noting)
    return record


def test_only_mouth_and_label_change(
    clip: Path, tmp_path: Path, made: Made, seen: list[tuple[int, FaceObservation]]
) -> None:
    render(clip, tmp_path / "out.mp4", text="Hello there, my friend.")
    originals = frames_of(clip)
    label = draw_label("AI-generated", 320, 320, originals[0].colour)
    height, width = label.alpha.shape
    faces = dict(seen)
    assert len(faces) == len(made.frames) > 25
    changed_count = 0
    for frame in made.frames:
        original = originals[frame.source_index]
        changed = frame.y != original.y
        corner = changed[label.y0 : label.y0 + height, label.x0 : label.x0 + width]
        assert corner.mean() > 0.9
        corner[:] = False
        for plane in "uv":
            coloured = getattr(frame, plane) != getattr(original, plane)
            cx, cy = label.x0 // 2, label.y0 // 2
            coloured[cy : cy + height // 2, cx : cx + width // 2] = False
            changed[::2, ::2] |= coloured
        landmarks = faces[frame.index].landmarks[:, :2]
        tall = np.ptp(landmarks[:, 1])
        left, _ = landmarks.min(axis=0) - 0.3 * tall
        right, bottom = landmarks.max(axis=0) + 0.3 * tall
        rows, columns = np.nonzero(changed)
        changed_count += len(rows)
        if len(rows):
            assert rows.min() > landmarks[list(LOWER_LIDS), 1].max()
            assert rows.max() < bottom
            assert columns.min() > left
            assert columns.max() < right
    assert changed_count > 25 * 1000


@pytest.mark.parametrize("label", ["AI-generated", None])
def test_silence_shows_the_source_and_the_label(
    clip: Path, tmp_path: Path, made: Made, label: str | None
) -> None:
    sound = silence(tmp_path / "silence.wav", 0.6)
    render(clip, tmp_path / "out.mp4", audio=sound, label=label)
    originals = frames_of(clip)
    assert len(made.frames) == 15
    drawn = draw_label("AI-generated", 320, 320, originals[0].colour)
    for frame in made.frames:
        expected = originals[frame.source_index]
        if label is not None:
            assert not np.array_equal(frame.y, expected.y)
            expected = drawn.apply(expected)
        for plane in "yuv":
            np.testing.assert_array_equal(getattr(frame, plane), getattr(expected, plane))


def test_the_label_is_in_the_decoded_result(photo: Path, tmp_path: Path) -> None:
    sound = silence(tmp_path / "silence.wav", 0.2)
    out = tmp_path / "out.mp4"
    render(photo, out, audio=sound, still=True)
    original = frames_of(photo)[0]
    label = draw_label("AI-generated", 320, 320, original.colour)
    height, width = label.alpha.shape
    expected = label.apply(original).y[label.y0 : label.y0 + height, label.x0 : label.x0 + width]
    for frame in frames_of(out):
        shown = frame.y[label.y0 : label.y0 + height, label.x0 : label.x0 + width]
        assert np.abs(shown.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.webm"])
def test_the_container_says_that_it_was_generated(photo: Path, tmp_path: Path, name: str) -> None:
    sound = silence(tmp_path / "silence.wav", 0.1)
    render_options = {} if name.endswith(".webm") else {"preset": "ultrafast"}
    edgeavatar.render(
        source=photo, output=tmp_path / name, audio=sound, label=None, **render_options
    )
    with av.open(str(tmp_path / name)) as result:
        tags = {key.lower(): value for key, value in result.metadata.items()}
    assert tags["comment"].startswith("AI-generated: ")
    assert f"edgeavatar {edgeavatar.__version__}" in tags["comment"]
    assert "digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in tags["description"]


@pytest.mark.parametrize("source", ["photo", "clip"])
def test_the_same_job_gives_the_same_bytes(
    source: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = request.getfixturevalue(source)
    contents = []
    for name in ("one.mp4", "two.mp4"):
        edgeavatar.render(source=path, output=tmp_path / name, text="Hello there.")
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_seed_moves_the_head_of_a_photo_and_still_does_not(
    photo: Path, tmp_path: Path, made: Made
) -> None:
    sound = silence(tmp_path / "silence.wav", 1.0)
    luma = []
    for options in ({"seed": 0}, {"seed": 1}, {"still": True}):
        made.frames.clear()
        render(photo, tmp_path / "out.mp4", audio=sound, fps=Fraction(5), label=None, **options)
        luma.append(np.stack([frame.y for frame in made.frames]))
    first, second, still = luma
    assert not np.array_equal(first, second)
    assert not np.array_equal(first[1], first[4])
    assert np.array_equal(still[1], still[4])


# ------------------------------------------------------------------------------------------ times


@pytest.mark.parametrize(
    ("fit", "sound_s", "frames", "end_s"),
    [
        ("loop", 1.6, 40, 1.6),
        ("freeze", 1.6, 40, 1.6),
        ("trim", 1.6, 25, 1.0),
        ("loop", 0.5, 13, 0.52),
        ("trim", 0.5, 13, 0.52),
        ("loop", 2.99, 75, 3.0),
    ],
)
def test_fit(
    clip: Path, tmp_path: Path, made: Made, fit: str, sound_s: float, frames: int, end_s: float
) -> None:
    sound, out = silence(tmp_path / "silence.wav", sound_s), tmp_path / "out.mp4"
    report = render(clip, out, audio=sound, fit=fit)
    assert report.duration_s == pytest.approx(end_s, abs=1e-9)
    assert report.frames == frames
    shown = [frame.source_index for frame in made.frames]
    assert shown[:13] == list(range(13))
    if fit == "freeze":
        assert shown[25:] == [24] * (frames - 25 if frames > 25 else 0)
    elif fit == "loop":
        assert all(abs(a - b) == 1 for a, b in itertools.pairwise(shown))
    with open_video(out) as result:
        times = [frame.time_s for frame in result.frames()]
        assert times == [Fraction(i, 25) for i in range(frames)]
        assert result.end_time_s == pytest.approx(end_s, abs=1e-9)
    with av.open(str(out)) as result:
        sounding = result.streams.audio[0]
        assert sounding.start_time == 0
        length_s = float(sounding.duration * sounding.time_base)
    assert length_s == pytest.approx(min(sound_s, end_s), abs=1 / 48000)


def test_broadcast_rates_stay_exact(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    source = write_video(tmp_path / "clip.mp4", moving(20, 192), rate=rate)
    out = tmp_path / "out.mp4"
    report = render(source, out, audio=silence(tmp_path / "s.wav", 1.5))
    assert report.fps == float(rate)
    with open_video(out) as result:
        assert result.info.rate == rate
        times = [frame.time_s for frame in result.frames()]
    assert times == [i / rate for i in range(len(times))]
    assert len(times) == 45


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    ticks = [0, 3003, 6006, 7000, 12000, 12900, 20000, 24001, 27000, 30000, 36000, 39003]
    source = write_video(
        tmp_path / "clip.mp4", moving(12, 192), pts=ticks, time_base=Fraction(1, 90000)
    )
    original = [frame.time_s for frame in frames_of(source)]
    assert original == [Fraction(tick, 90000) for tick in ticks]
    out = tmp_path / "out.mp4"
    render(source, out, audio=silence(tmp_path / "s.wav", 0.44), fit="trim")
    assert [frame.time_s for frame in frames_of(out)] == original


# ------------------------------------------------------------------------------------------ sound


def clicks(length_s: float, at_s: list[float], rate: int) -> np.ndarray:
    sound = np.zeros(round(length_s * rate))
    shape = np.exp(-np.arange(40) / 8.0) * np.cos(np.arange(40) * 1.2)
    for time_s in at_s:
        start = round(time_s * rate)
        sound[start : start + len(shape)] += 0.9 * shape
    return sound


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.webm"])
def test_sound_stays_where_it_was(photo: Path, tmp_path: Path, name: str) -> None:
    at_s = [0.05, 0.5, 11.3, 11.9]
    sound = write_wav(tmp_path / "clicks.wav", clicks(12.0, at_s, 44100), 44100)
    preset = None if name.endswith(".webm") else "ultrafast"
    edgeavatar.render(
        source=photo,
        output=tmp_path / name,
        audio=sound,
        still=True,
        fps=Fraction(2),
        preset=preset,
    )
    heard = np.abs(sound_of(tmp_path / name))
    for time_s in at_s:
        near = round((time_s - 0.02) * 48000)
        peak = near + int(np.argmax(heard[near : near + 1920]))
        assert heard[peak] > 0.3
        assert abs(peak / 48000 - time_s) < 0.001
    with av.open(str(tmp_path / name)) as result:
        starts = [stream.start_time * stream.time_base for stream in result.streams]
    assert max(starts) - min(starts) < Fraction(1, 100)


def test_a_recording_keeps_its_loudness_unless_it_is_told(photo: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.02, 5 * 16000)
    noise[: 2 * 16000] = 0.0
    noise[60000] = 0.9
    sound = write_wav(tmp_path / "noise.wav", noise)
    quiet = {"audio": sound, "still": True, "fps": Fraction(2), "label": None}
    out = tmp_path / "out.mp4"
    render(photo, out, **quiet)
    before = measure_lufs(sound_of(sound), 48000)
    assert abs(measure_lufs(sound_of(out), 48000) - before) < 0.3
    render(photo, out, volume_lufs=-20.0, **quiet)
    assert abs(measure_lufs(sound_of(out), 48000) + 20.0) < 0.5


def test_text_is_spoken_at_the_usual_loudness(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    text = "The loudness of this sentence is measured by the standard."
    for options, target in (({}, -18.0), ({"volume_lufs": -26.0}, -26.0)):
        render(photo, out, text=text, fps=Fraction(2), **options)
        assert abs(measure_lufs(sound_of(out), 48000) - target) < 0.7


def test_a_faster_rate_makes_a_shorter_video(photo: Path, tmp_path: Path) -> None:
    text = "This sentence is spoken at two rates."
    lengths = [
        render(photo, tmp_path / "out.mp4", text=text, rate=rate, fps=Fraction(5)).duration_s
        for rate in (1.0, 1.5)
    ]
    assert 0.55 < lengths[1] / lengths[0] < 0.8


# --------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("when", ["opening", "learning the face", "rendering", "finishing"])
def test_nothing_is_left_by_a_render_that_fails(
    photo: Path, tmp_path: Path, when: str, kind: type[BaseException]
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "out.mp4").write_text("an older result")
    sound = silence(tmp_path / "silence.wav", 0.4)

    def fail(stage: str, share: float | None, frames: int) -> None:
        assert share is None or 0.0 <= share <= 1.0
        if stage == when and (when != "rendering" or frames == 5):
            raise kind("stop")

    with pytest.raises(kind, match="stop"):
        edgeavatar.render(source=photo, output=folder / "out.mp4", audio=sound, progress=fail)
    assert [path.name for path in folder.iterdir()] == ["out.mp4"]
    assert (folder / "out.mp4").read_text() == "an older result"


def test_a_result_replaces_an_older_one(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("an older result")
    stages: list[str] = []
    counts: list[int] = []

    def note(stage: str, _: float | None, frames: int) -> None:
        stages.append(stage)
        counts.append(frames)

    sound = silence(tmp_path / "silence.wav", 0.2)
    report = edgeavatar.render(source=photo, output=out, audio=sound, progress=note)
    assert list(dict.fromkeys(stages)) == [
        "opening",
        "learning the face",
        "rendering",
        "finishing",
    ]
    assert counts == [0, 0, 1, 2, 3, 4, 5, 5] == sorted(counts)
    assert len(frames_of(out)) == report.frames == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "silence.wav"]


def test_frames_do_not_pile_up_in_memory(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are freed while the video goes on, whatever its length."""
    import weakref

    from edgeavatar.video.writer import VideoWriter

    alive: list[int] = []
    planes: list[weakref.ref[np.ndarray]] = []
    write = VideoWriter.write_frame

    def count(self: VideoWriter, frame: Frame) -> None:
        planes.append(weakref.ref(frame.y))
        alive.append(sum(plane() is not None for plane in planes))
        write(self, frame)

    monkeypatch.setattr(VideoWriter, "write_frame", count)
    render(clip, tmp_path / "out.mp4", audio=silence(tmp_path / "s.wav", 3.0), fit="trim")
    render(clip, tmp_path / "out.mp4", audio=silence(tmp_path / "s.wav", 3.0), fit="loop")
    assert max(alive) < 40
