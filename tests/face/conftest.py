"""One tracker for all tests of faces, and pictures of real people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from edgeavatar.face import FaceTracker
from edgeavatar.face.geometry import CanonicalMesh, read_canonical_mesh

Picture = np.ndarray


@pytest.fixture(scope="session", autouse=True)
def compiled_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEAVATAR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def face_models(model_store: Any) -> dict[str, Path]:
    return dict(model_store.resolve("face"))


@pytest.fixture(scope="session")
def canonical(face_models: dict[str, Path]) -> CanonicalMesh:
    return read_canonical_mesh(face_models["geometry"])


@pytest.fixture(scope="session")
def shared_tracker(face_models: dict[str, Path]) -> Iterator[FaceTracker]:
    with FaceTracker(face_models) as tracker:
        yield tracker


@pytest.fixture
def tracker(shared_tracker: FaceTracker) -> Iterator[FaceTracker]:
    """Give the tracker, as new."""
    shared_tracker.reset()
    yield shared_tracker
    shared_tracker.choice = None


@pytest.fixture(scope="session")
def read_frames() -> Callable[..., list[Picture]]:
    def read(path: Path, count: int | None = None, *, every: int = 1) -> list[Picture]:
        frames = []
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if count is not None and len(frames) == count:
                    break
                if index % every == 0:
                    frames.append(frame.to_ndarray(format="bgr24"))
        return frames

    return read


@pytest.fixture(scope="session")
def man(model_store: Any, read_frames: Callable[..., list[Picture]]) -> Picture:
    """Give a 640 x 480 frame of a man; his face is 217 pixels high."""
    return read_frames(model_store.resolve("fixture-vitallens")["video_1"], 1)[0]


@pytest.fixture(scope="session")
def other_man(model_store: Any, read_frames: Callable[..., list[Picture]]) -> Picture:
    """Give a 768 x 480 frame of another man; his face is 243 pixels high."""
    return read_frames(model_store.resolve("fixture-vitallens")["video_2"], 1)[0]


@pytest.fixture(scope="session")
def encode_video() -> Callable[[list[Picture], Path], Path]:
    def encode(frames: list[Picture], path: Path) -> Path:
        height, width = (size // 2 * 2 for size in frames[0].shape[:2])
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "23"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for frame in frames:
                picture = np.ascontiguousarray(frame[:height, :width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode(None))
        return path

    return encode


@pytest.fixture(scope="session")
def turn_picture() -> Callable[[Picture, float], tuple[Picture, np.ndarray]]:
    """Give a function that turns a picture clockwise and returns the map of its points."""

    def turn(picture: Picture, degrees: float) -> tuple[Picture, np.ndarray]:
        height, width = picture.shape[:2]
        middle = (width / 2 - 0.5, height / 2 - 0.5)
        matrix = cv2.getRotationMatrix2D(middle, -degrees, 1.0)
        turned = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return turned, matrix

    return turn
