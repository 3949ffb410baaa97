from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from studio import Made, Said, face, moving, write_video

from edgeavatar import cli
from edgeavatar.pipeline import reference_cache, words
from edgeavatar.types import Frame
from edgeavatar.video.writer import VideoWriter


@pytest.fixture(autouse=True)
def _models(model_store: Callable[[str], object]) -> None:
    for name in ("face", "voice-hibari", "vad-silero"):
        model_store(name)


@pytest.fixture(autouse=True)
def references_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder, not yet there, in which renders of this test remember moments."""
    folder = tmp_path / "cache" / "references"
    monkeypatch.setattr(reference_cache, "references_folder", lambda: folder)
    return folder


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "face.png"
    cv2.imwrite(str(path), face())
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second at 25 frames per second."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", moving(25))


@pytest.fixture
def render_command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run ``edgeavatar render`` here; hears native libraries too."""

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        code = cli.run(["render", *(str(argument) for argument in arguments)])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Give the frames that are written and the mouth weights that are asked for from now on."""
    record = Made()
    write_frame, row_at = VideoWriter.write_frame, words._Stream.row_at

    def written(self: VideoWriter, frame: Frame) -> None:
        record.frames.append(frame)
        write_frame(self, frame)

    def asked(self: words._Stream, time_s: object) -> np.ndarray:
        row = row_at(self, time_s)
        record.rows.append(row)
        return row

    monkeypatch.setattr(VideoWriter, "write_frame", written)
    monkeypatch.setattr(words._Stream, "row_at", asked)
    return record
