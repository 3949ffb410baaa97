"""Before anything is made: tell what a source and a sound will do to the result."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeavatar.analysis.factors import picture_factors
from edgeavatar.analysis.quality import measure_face, measure_frame
from edgeavatar.analysis.results import Preflight, SourceFacts
from edgeavatar.analysis.sound_factors import sound_factors
from edgeavatar.audio.wav import whole_file
from edgeavatar.face import FaceTracker
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pipeline.face_reading import face_row
from edgeavatar.pipeline.sound_analysis import analyse_sound
from edgeavatar.types import Frame
from edgeavatar.video.quantiser import mean_quantiser
from edgeavatar.video.source import open_source

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt

    from edgeavatar.video.reader import VideoReader

    Tell = Callable[[str, float | None, int], None]
    Table = dict[str, npt.NDArray[Any]]

SHORT_LOOKS: Final = 6
"""Frames that the short form looks at."""


def preflight(
    source: str | PathLike[str],
    audio: str | PathLike[str] | None = None,
    *,
    short: bool = False,
    face: str | None = None,
    threads: int | None = None,
    tell: Tell | None = None,
) -> Preflight:
    """Judge a source, and the sound that it is to follow.

    Parameters
    ----------
    source
        Photo or video with a face.
    audio
        Recorded speech; None leaves the sound out.
    short
        Look at a few frames only, for less than a second; what takes consecutive frames or
        listening is left out.
    face
        Which face is meant, see :func:`edgeavatar.face.select_face`.
    threads
        Of the face models.
    tell
        Called with the stage, the share done (None if unknown) and the frames read.

    Returns
    -------
    Preflight

    Raises
    ------
    MediaError
        A file cannot be read.
    ModelNotFound
        A model is not installed.
    UsageError
        The choice of the face has an unknown form.
    """
    path = Path(source)
    say = tell or (lambda *_: None)
    say("looking", None, 0)
    with ExitStack() as stack:
        opened = open_source(path)
        if not isinstance(opened, Frame):
            stack.enter_context(opened)
        tracker = stack.enter_context(FaceTracker(choice=face, threads=threads))
        looks = _Looks(tracker)
        if isinstance(opened, Frame):
            facts = _facts_of_photo(path, opened)
            looks.take([opened])
        else:
            looks.take(opened.glimpses(SHORT_LOOKS) if short else opened.frames())
            facts = _facts_of_video(path, opened)
        quantiser = None if isinstance(opened, Frame) else mean_quantiser(path)
    factors = picture_factors(
        facts, looks.frames(), looks.faces(), main_face=0, quantiser=quantiser
    )
    if audio is not None and not short:
        factors += sound_factors(analyse_sound(Path(audio), words=False))
    return Preflight(factors)


class _Looks:
    """What was seen in some frames, as columns."""

    def __init__(self, tracker: FaceTracker) -> None:
        self._tracker = tracker
        self._frames: list[dict[str, Any]] = []
        self._faces: list[dict[str, Any]] = []

    def take(self, frames: Iterable[Frame]) -> None:
        """Look at frames of one source."""
        for place, frame in enumerate(frames):
            bgr = frame_to_bgr(frame)
            row = {"index": place, "time_s": float(frame.time_s)}
            self._frames.append(row | dataclasses.asdict(measure_frame(frame.y)))
            face = self._tracker.track(bgr)
            if face is None:
                continue
            quality = dataclasses.asdict(measure_face(bgr, face))
            self._faces.append({"index": place, "track": 0} | face_row(face) | quality)

    def frames(self) -> Table:
        """One row per frame."""
        return _table(self._frames)

    def faces(self) -> Table:
        """One row per frame with a face."""
        return _table(self._faces)


def _table(rows: list[dict[str, Any]]) -> Table:
    if not rows:
        return {}
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _facts_of_photo(path: Path, photo: Frame) -> SourceFacts:
    return SourceFacts(path, "photo", None, photo.width, photo.height, frames=1)


def _facts_of_video(path: Path, reader: VideoReader) -> SourceFacts:
    info = reader.info
    count = reader.frames_seen
    end_s = float(reader.end_time_s)
    whole = count > 1 and end_s > 0.0
    return SourceFacts(
        path,
        "video",
        end_s or None,
        info.width,
        info.height,
        frame_rate=count / end_s if whole else float(info.rate),
        frames=count if whole else info.frame_count or None,
        has_audio=info.has_audio,
    )


def write_preflight(found: Preflight, source: Path, audio: Path | None, output: Path) -> None:
    """Write a preflight as JSON.

    The file has ``source``, ``audio``, ``verdict``, ``exit_code`` and ``factors``, one object with
    the fields of :class:`~edgeavatar.analysis.results.Factor` each. It appears when it is complete.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    told = {
        "source": str(source),
        "audio": None if audio is None else str(audio),
        "verdict": found.verdict,
        "exit_code": found.exit_code,
        "factors": [dataclasses.asdict(factor) for factor in found.factors],
    }
    with whole_file(output) as file:
        file.write((json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())
