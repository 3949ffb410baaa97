"""The moment of a video that a painter is shown, and what is remembered of it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from studio import write_video

import edgeavatar
from edgeavatar.face import FaceTracker
from edgeavatar.face.smoothing import smooth_offline
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pipeline import reference_cache
from edgeavatar.pipeline.faces import Acquaintance, FaceTrack
from edgeavatar.pipeline.reference_cache import Note
from edgeavatar.rendering.basis import load_basis
from edgeavatar.rendering.geometric import lip_rim
from edgeavatar.rendering.lipline import lip_gap
from edgeavatar.types import Frame
from edgeavatar.video.reader import VideoReader, open_video


class Film:
    """A video that counts how often it is looked all over."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader
        self.path = reader.path
        self.searches = 0

    def glimpses(self, count: int) -> Iterator[Frame]:
        self.searches += 1
        return self._reader.glimpses(count)

    def glimpse(self, time_s: Fraction) -> Frame | None:
        return self._reader.glimpse(time_s)


@pytest.fixture(scope="module")
def man(model_store: Any) -> list[np.ndarray]:
    """Give a man whose lips are closed for 30 frames, and open for 20, with his jaw dropped."""
    with open_video(model_store.resolve("fixture-vitallens")["video_2"]) as reader:
        frames = [f for f in islice(reader.frames(), 210) if f.source_index < 30 or f.index >= 190]
    size = (384, 240)
    small = [cv2.resize(frame_to_bgr(f), size, interpolation=cv2.INTER_AREA) for f in frames]
    with FaceTracker() as tracker:
        return [*small[:30], *(_jaw_dropped(p, tracker) for p in small[30:])]


def _jaw_dropped(picture: np.ndarray, tracker: FaceTracker) -> np.ndarray:
    face = tracker.track(picture)
    assert face is not None
    rim = lip_rim(face.landmarks[:, :2])
    opening = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(opening, [np.rint(rim).astype(np.int32)], 1.0)
    opening[: round(float(rim[:, 1].mean()))] = 0.0
    return (picture * (1 - 0.7 * opening[..., None])).astype(np.uint8)


@pytest.fixture(scope="module")
def talking(man: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("talking") / "talking.mp4", man)


@pytest.fixture(scope="module")
def silent(man: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("silent") / "silent.mp4", man[:30])


@pytest.fixture(scope="module")
def track(model_store: Any) -> Iterator[FaceTrack]:
    model_store.resolve("face")
    with FaceTracker() as tracker:
        track = FaceTrack(tracker, smooth_offline, load_basis(), [])
        yield track
        track.close()


@pytest.fixture(scope="module")
def known() -> dict[Path, Acquaintance]:
    """Keep who was met, since that is not what is tested."""
    return {}


@pytest.fixture
def look(
    track: FaceTrack, known: dict[Path, Acquaintance]
) -> Callable[[Path], tuple[Acquaintance, Acquaintance, int]]:
    """Learn a face, look around, and give what was known before and after, and the searches."""

    def run(path: Path) -> tuple[Acquaintance, Acquaintance, int]:
        with open_video(path) as reader:
            film = Film(reader)
            before = known.get(path) or track.learn(reader.frames())
            known[path] = before
            return before, track.look_around(before, film), film.searches

    return run


Look = Callable[[Path], tuple[Acquaintance, Acquaintance, int]]


def test_a_mouth_that_opens_late_is_found(look: Look, talking: Path) -> None:
    before, after, searches = look(talking)
    assert before.open_mouth is None
    assert after.open_mouth is not None
    frame, face = after.open_mouth
    assert frame.time_s > 1
    assert 0.03 < lip_gap(face) < 0.13
    assert searches == 1


def test_a_second_look_reads_the_time_and_sees_the_same(look: Look, talking: Path) -> None:
    first, second = (look(talking) for _ in range(2))
    assert (first[2], second[2]) == (1, 0)
    assert first[1].open_mouth is not None
    assert second[1].open_mouth is not None
    (frame, face), (again, same) = first[1].open_mouth, second[1].open_mouth
    assert np.array_equal(frame.y, again.y)
    assert np.array_equal(face.landmarks, same.landmarks)
    assert np.array_equal(face.blendshapes, same.blendshapes)


def test_a_closed_mouth_is_no_reference_and_that_is_remembered(look: Look, silent: Path) -> None:
    for searches in (1, 0):
        _, after, found = look(silent)
        assert after.open_mouth is None
        assert found == searches


def test_glances_leave_the_track_alone(model_store: Any, man: list[np.ndarray]) -> None:
    model_store.resolve("face")
    with FaceTracker() as tracker:

        def seen(*, glancing: bool) -> list[np.ndarray]:
            tracker.reset()
            landmarks = []
            for picture in man[:6]:
                face = tracker.track(picture)
                assert face is not None
                landmarks.append(face.landmarks)
                if glancing:
                    elsewhere = tracker.glance(np.roll(man[40], 20, axis=1), face)
                    assert elsewhere is not None
                    assert tracker.glance(np.zeros_like(picture), face) is None
            return landmarks

        assert np.array_equal(seen(glancing=False), seen(glancing=True))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff", b"[]", b'{"time": 1}', b'{"time_s": "1/0"}', b'{"time_s": [1]}'],
)
def test_a_damaged_entry_is_written_anew(
    content: bytes, look: Look, talking: Path, references_folder: Path
) -> None:
    look(talking)
    (entry,) = references_folder.iterdir()
    sound = entry.read_bytes()
    entry.write_bytes(content)
    _, after, searches = look(talking)
    assert searches == 1
    assert after.open_mouth is not None
    assert entry.read_bytes() == sound


@pytest.mark.parametrize("time_s", [Fraction(0), Fraction(1, 7919), Fraction(999)])
def test_a_time_at_which_no_open_mouth_is_seen_is_not_believed(
    time_s: Fraction, look: Look, talking: Path
) -> None:
    key = reference_cache.entry_key(talking, None)
    assert key is not None
    assert reference_cache.write_entry(key, Note(time_s))
    _, after, searches = look(talking)
    assert searches == 1
    assert after.open_mouth is not None
    assert reference_cache.read_entry(key) != Note(time_s)


def test_nothing_but_a_time_is_kept_and_for_nobody_else(
    look: Look, talking: Path, references_folder: Path
) -> None:
    _, after, _ = look(talking)
    assert after.open_mouth is not None
    (entry,) = references_folder.iterdir()
    assert json.loads(entry.read_text()) == {"time_s": str(after.open_mouth[0].time_s)}
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(references_folder.stat().st_mode) == 0o700


def test_a_cache_that_cannot_be_written_is_no_error(
    look: Look, talking: Path, references_folder: Path
) -> None:
    references_folder.parent.write_text("in the way")
    _, after, searches = look(talking)
    assert searches == 1
    assert after.open_mouth is not None


def test_the_content_counts_and_not_the_name(tmp_path: Path, talking: Path) -> None:
    copy = tmp_path / "copy.mov"
    shutil.copyfile(talking, copy)
    key = reference_cache.entry_key(talking, None)
    assert reference_cache.entry_key(copy, None) == key
    assert reference_cache.entry_key(copy, "left") != key
    with copy.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x00\x01")
    assert reference_cache.entry_key(copy, None) != key
    assert reference_cache.entry_key(tmp_path / "none.mp4", None) is None


def test_the_sources_used_last_are_remembered(references_folder: Path) -> None:
    for number in range(reference_cache.MOST_ENTRIES + 5):
        assert reference_cache.write_entry(f"{number}.json", Note(None))
        os.utime(references_folder / f"{number}.json", (number, number))
        assert reference_cache.read_entry("0.json") is not None
    kept = {path.name for path in references_folder.iterdir()}
    assert len(kept) == reference_cache.MOST_ENTRIES
    assert "0.json" in kept
    assert "1.json" not in kept


def test_the_geometric_renderer_looks_for_none(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("expected no search")

    monkeypatch.setattr(FaceTrack, "look_around", refuse)
    report = edgeavatar.render(
        source=clip, output=tmp_path / "out.mp4", text="Hi.", renderer="geometric", threads=2
    )
    assert report.renderer == "geometric"


def test_a_photo_is_not_looked_around(photo: Path, tmp_path: Path, references_folder: Path) -> None:
    edgeavatar.render(source=photo, output=tmp_path / "out.mp4", text="Hi.", threads=2)
    assert not references_folder.exists()


def test_a_photo_of_clenched_teeth_is_no_reference(track: FaceTrack, model_store: Any) -> None:
    """Its teeth would be stretched over all of an open mouth."""
    with open_video(model_store.resolve("fixture-vitallens")["video_2"]) as reader:
        smiling = next(islice(reader.frames(), 203, None))
    rim = lip_rim(track.learn([smiling]).usual.landmarks[:, :2])
    opening = np.zeros(smiling.y.shape, np.float32)
    cv2.fillPoly(opening, [np.rint(rim).astype(np.int32)], 1.0)
    dropped = opening.copy()
    dropped[: round(float(rim[:, 1].mean()))] = 0.0
    shade = 1 - 0.7 * cv2.GaussianBlur(dropped, (0, 0), 1.0)
    parted = replace(smiling, y=(smiling.y * shade).astype(np.uint8))
    assert track.learn([parted]).open_mouth is not None
    white = smiling.y + opening * (200.0 - smiling.y)
    small = opening[::2, ::2] > 0
    clenched = replace(
        smiling,
        y=white.astype(np.uint8),
        u=np.where(small, 128, smiling.u).astype(np.uint8),
        v=np.where(small, 128, smiling.v).astype(np.uint8),
    )
    assert lip_gap(track.learn([clenched]).usual) > 0.03
    assert track.learn([clenched]).open_mouth is None
