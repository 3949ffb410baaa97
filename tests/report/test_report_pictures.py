"""What a report shows of a source: read from real files, of a portrait of nobody."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import findings
import numpy as np
import pytest

from edgeavatar.analysis.results import Analysis, Factor, Preflight, SourceFacts, TimedWord
from edgeavatar.audio.wav import write_wav
from edgeavatar.errors import MediaError, OutputError
from edgeavatar.face import FaceTracker
from edgeavatar.kernels.colour import bgr_to_planes
from edgeavatar.pipeline import report_preview
from edgeavatar.pipeline.clear_frames import ClearFrames
from edgeavatar.pipeline.report_frames import choose_moments, draw_thumbnails
from edgeavatar.pipeline.report_preview import make_preview
from edgeavatar.pipeline.reporting import write_report
from edgeavatar.types import AudioChunk, ColourTags, Frame
from edgeavatar.video.reader import VideoReader, open_video
from edgeavatar.video.writer import VideoWriter

PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"
SIDE = 480
SECONDS = 4
RATE = 25
BEEP_S = 1.0
ROOM = 2_000_000


@pytest.fixture(scope="module")
def tracker(model_store: Any) -> Any:
    with FaceTracker(dict(model_store.resolve("face"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    picture = cv2.imread(str(PORTRAIT))
    assert picture is not None
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def clip(face: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give 4 s of 640 x 480: a face, but not from 2 to 3 s; a beep and a flash at 1 s."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    colour = ColourTags()
    sound = np.zeros(48_000 * SECONDS, np.float32)
    start = round(48_000 * BEEP_S)
    sound[start : start + 9600] = 0.5 * np.sin(np.arange(9600) * 2 * np.pi * 880 / 48_000)
    with VideoWriter(path, 640, SIDE, rate=Fraction(RATE), audio_rate=48_000) as writer:
        for index in range(SECONDS * RATE):
            picture = np.full((SIDE, 640, 3), 90, np.uint8)
            if not 2 * RATE <= index < 3 * RATE:
                picture[:, 80:560] = face
            if index == RATE * BEEP_S:
                picture[:] = 255
            writer.write_frame(
                Frame(index, Fraction(index, RATE), *bgr_to_planes(picture, colour), colour)
            )
        writer.write_audio(AudioChunk(sound, 48_000))
    return path


@pytest.fixture(scope="module")
def found(face: np.ndarray, clip: Path, tracker: FaceTracker) -> Analysis:
    box = np.array(tracker.find(face)[0].bbox_xyxy) + np.array((80, 0, 80, 0))
    index = np.arange(SECONDS * RATE)
    own = index[(index < 2 * RATE) | (index >= 3 * RATE)]
    factor = Factor(
        "mouth-covered", "Something before the mouth", "visibility", "warn", 0.1, "share", 0.02,
        0.5, "why", "it is painted over", "take it away", frames=((84, 92), (70, 71)),
    )  # fmt: skip
    base = findings.filmed(float(SECONDS), clip.name)
    columns = dict(zip(("left", "top", "right", "bottom"), box, strict=True))
    return replace(
        base,
        source=replace(base.source, path=clip, width=640, height=SIDE),
        words=(TimedWord("one", 0.5, 0.8, 0.9), TimedWord("two", 3.2, 3.6, 0.9)),
        preflight=Preflight((factor,)),
        frames={"index": index, "time_s": index / RATE},
        faces_by_frame={
            "index": own,
            "track": np.zeros(len(own), np.int32),
            **{name: np.full(len(own), value) for name, value in columns.items()},
            "yaw_deg": np.where(own == 10, 0.0, 12.0),
            "pitch_deg": np.zeros(len(own)),
            "mouth_covered": np.where(own >= 3 * RATE, 0.9, 0.0) + 0.1 * (own == 90),
        },
    )


def _frames(data: bytes) -> list[tuple[float, np.ndarray]]:
    with av.open(io.BytesIO(data), "r") as container:
        return [
            (float(f.time or 0), f.to_ndarray(format="bgr24")) for f in container.decode(video=0)
        ]


def _sound(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data), "r") as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_moments_show_most_of_what_falls_short_and_the_best(found: Analysis) -> None:
    moments = choose_moments(found)
    assert [(m.kind, m.index) for m in moments[:3]] == [("worst", 90), ("worst", 62), ("best", 10)]
    assert moments[0].caption == "Something before the mouth: it is painted over."
    assert moments[1].box is None
    times = [moment.time_s for moment in moments]
    assert min(abs(a - b) for i, a in enumerate(times) for b in times[:i]) >= 1.0


def test_without_a_fault_the_least_clear_frame_is_shown(found: Analysis) -> None:
    index = np.arange(100)
    table = {name: np.resize(values, 100) for name, values in found.faces_by_frame.items()}
    turned = np.where(index == 60, 28.0, 3.0)
    table |= {"index": index, "yaw_deg": turned, "mouth_covered": np.zeros(100)}
    worst = choose_moments(replace(found, preflight=None, faces_by_frame=table))[0]
    assert (worst.kind, worst.index) == ("worst", 60)
    assert worst.caption == "The head is turned most here."


def test_mesh_is_drawn_on_the_face_and_nowhere_else(
    found: Analysis, clip: Path, face: np.ndarray, tracker: FaceTracker
) -> None:
    shown = draw_thumbnails(found, clip, tracker)
    assert [thumbnail.kind for thumbnail in shown[:3]] == ["worst", "worst", "best"]
    best = shown[2]
    picture = cv2.imdecode(np.frombuffer(best.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape[:2] == (best.height, best.width)
    assert max(best.width / 480, best.height / 360) == pytest.approx(1.0, abs=0.01)
    assert len(best.jpeg) < 60_000
    assert "mesh" in best.alt
    assert shown[1].alt.endswith("no face found.")
    bare = draw_thumbnails(replace(found, faces_by_frame={}), clip)
    assert bare
    assert all("mesh" not in thumbnail.alt for thumbnail in bare)
    # Lines are as light blue as nothing else in the picture.
    assert (face[:, :, 0].astype(int) - face[:, :, 2] > 50).mean() < 0.001
    blue = picture[:, :, 0].astype(int) - picture[:, :, 2]
    rows, columns = np.nonzero(blue > 50)
    assert len(rows) > 500
    assert 0.25 < columns.mean() / picture.shape[1] < 0.75


def test_preview_is_small_and_keeps_the_times_of_the_source(found: Analysis, clip: Path) -> None:
    preview = make_preview(found, clip, ROOM)
    assert preview is not None
    assert (preview.width, preview.height) == (320, 240)
    assert preview.is_whole
    assert preview.duration_s == pytest.approx(SECONDS, abs=1e-6)
    frames = _frames(preview.data)
    times = [time_s for time_s, _ in frames]
    assert len(times) == pytest.approx(15 * SECONDS, abs=2)
    assert all(abs(t * RATE - round(t * RATE)) < 1e-3 for t in times)
    bright = [time_s for time_s, picture in frames if picture.mean() > 200]
    sound = _sound(preview.data)
    beep = np.flatnonzero(np.abs(sound) > 0.1)[0] / 48_000
    assert beep == pytest.approx(BEEP_S, abs=0.03)
    assert bright == [pytest.approx(BEEP_S, abs=1e-6)]
    assert "two" in (preview.captions or "")


def test_long_source_is_cut_and_says_so(
    found: Analysis, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = report_preview.PreviewSize(Fraction(2), 30)
    monkeypatch.setattr(report_preview, "PREVIEW_SIZES", (size,))
    preview = make_preview(found, clip, ROOM)
    assert preview is not None
    assert not preview.is_whole
    assert preview.duration_s == 2.0
    assert len(_sound(preview.data)) / 48_000 == pytest.approx(2.0, abs=0.05)
    assert max(time_s for time_s, _ in _frames(preview.data)) < 2.0
    assert "two" not in (preview.captions or "")


def test_film_made_on_the_way_is_the_preview(
    found: Analysis, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = make_preview(found, clip, ROOM)
    film = report_preview.PreviewFilm(clip, tmp_path / "film.mp4")
    with open_video(clip) as reader:
        passed = sum(1 for _ in film.beside(reader))
    assert passed == SECONDS * RATE

    def read_again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(report_preview, "_filmed", read_again)
    preview = make_preview(found, clip, ROOM, film)
    assert preview is not None
    assert again is not None
    assert preview == again
    with pytest.raises(AssertionError):
        make_preview(found, clip, len(preview.data) - 1, film)


def test_film_that_cannot_be_made_stops_nobody(clip: Path, tmp_path: Path) -> None:
    film = report_preview.PreviewFilm(clip, tmp_path / "no folder" / "film.mp4")
    with open_video(clip) as reader:
        assert sum(1 for _ in film.beside(reader)) == SECONDS * RATE
    assert film.made is None


def test_frames_that_were_kept_are_not_decoded_again(
    found: Analysis, clip: Path, tracker: FaceTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = found.faces_by_frame
    table = {
        **rows,
        "yaw_deg": np.where(np.isin(rows["index"], (10, 90)), 2.0, 12.0),
        "mouth_covered": np.where(rows["index"] % 2 == 0, 0.0, np.nan),
        "sharpness": np.where(rows["index"] % 5 == 0, 40.0, np.nan),
    }
    analysis = replace(found, preflight=None, faces_by_frame=table)
    kept = ClearFrames()
    with open_video(clip) as reader:
        for frame in reader.frames():
            place = np.flatnonzero(table["index"] == frame.index)
            if len(place):
                row = {name: column[place[0]] for name, column in table.items()}
                kept.add(frame, {name: v for name, v in row.items() if not np.isnan(v)})
    assert kept.find(60) is None
    expected = draw_thumbnails(analysis, clip, tracker)
    best = [m.index for m in choose_moments(analysis) if m.kind == "best"]
    assert best == [10, 90]
    sought: list[float] = []

    def glimpse(self: VideoReader, time_s: Fraction) -> Frame | None:
        sought.append(float(time_s) * RATE)
        return seek(self, time_s)

    seek = VideoReader.glimpse
    monkeypatch.setattr(VideoReader, "glimpse", glimpse)
    assert draw_thumbnails(analysis, clip, tracker, kept) == expected
    assert not set(best) & {round(number) for number in sought}
    assert len(sought) < len(expected)


def test_preview_shrinks_to_its_room(found: Analysis, clip: Path) -> None:
    whole = make_preview(found, clip, ROOM)
    assert whole is not None
    tight = make_preview(found, clip, len(whole.data) - 1)
    assert tight is not None
    assert len(tight.data) < len(whole.data)
    assert make_preview(found, clip, 1000) is None


def test_report_is_one_file_that_holds_all(
    found: Analysis, clip: Path, tmp_path: Path, tracker: FaceTracker, read_page: Callable[..., Any]
) -> None:
    path = tmp_path / "report.html"
    write_report(found, clip, path, recogniser="base", tracker=tracker)
    assert list(tmp_path.iterdir()) == [path]
    page = read_page(path.read_text("utf-8"))
    assert page.faults == []
    assert len(page.all("video")) == 1
    assert len(page.all("img")) >= 3
    for model in ("face detector", "points of a body", "voice activity", "recognition, larger"):
        assert model in page.text
    assert path.stat().st_size < 1_000_000


def test_photo_and_sound_have_reports(
    face: np.ndarray, tmp_path: Path, tracker: FaceTracker, read_page: Any
) -> None:
    photo = tmp_path / "face.png"
    cv2.imwrite(str(photo), face)
    box = tracker.find(face)[0].bbox_xyxy
    base = findings.photo()
    sides = dict(zip(("left", "top", "right", "bottom"), np.array(box)[:, None], strict=True))
    seen = replace(base, faces_by_frame={**base.faces_by_frame, **sides})
    write_report(seen, photo, tmp_path / "photo.html", tracker=tracker)
    page = read_page((tmp_path / "photo.html").read_text("utf-8"))
    assert len(page.all("img")) == 1
    assert "mesh" in (page.all("img")[0]["alt"] or "")
    assert not page.all("video", "audio")
    wav = tmp_path / "talk.wav"
    tone = np.sin(np.arange(32_000) / 16_000 * 2 * np.pi * 220).astype(np.float32) * 0.3
    write_wav(wav, [AudioChunk(tone, 16_000)])
    heard = replace(findings.heard(), source=SourceFacts(wav, "sound", 2.0, has_audio=True))
    write_report(heard, wav, tmp_path / "talk.html")
    page = read_page((tmp_path / "talk.html").read_text("utf-8"))
    assert len(page.all("audio")) == 1
    assert not page.all("img")
    preview = make_preview(heard, wav, ROOM)
    assert preview is not None
    assert len(_sound(preview.data)) / 48_000 == pytest.approx(2.0, abs=0.05)


def test_faults_leave_nothing_behind(found: Analysis, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with pytest.raises(MediaError, match="no such file"):
        write_report(found, tmp_path / "gone.mp4", path)
    with pytest.raises(OutputError):
        write_report(replace(found, faces_by_frame={}), clip, tmp_path / "nowhere" / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_preview_that_cannot_be_made_is_a_note(
    found: Analysis, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_page: Any
) -> None:
    monkeypatch.setattr("edgeavatar.pipeline.reporting.LARGEST_BYTES", 110_000)
    path = tmp_path / "report.html"
    write_report(replace(found, faces_by_frame={}), clip, path)
    page = read_page(path.read_text("utf-8"))
    assert not page.all("video")
    assert "There is no preview: it would make this file too large." in page.text
