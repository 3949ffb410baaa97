"""Before anything is made: tell what a source and a sound will do to the result."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeavatar.analysis.factors import picture_factors
from edgeavatar.analysis.figures import amount, plain
from edgeavatar.analysis.quality import measure_face, measure_frame
from edgeavatar.analysis.results import Factor, Preflight, SourceFacts
from edgeavatar.analysis.sound_factors import sound_factors
from edgeavatar.audio.wav import whole_file
from edgeavatar.errors import EdgeAvatarError
from edgeavatar.face import FaceTracker
from edgeavatar.face.choice import DOMINANT, check_choice
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pipeline.face_reading import face_row
from edgeavatar.pipeline.picture_analysis import look_at_photo, look_at_video
from edgeavatar.pipeline.sound_analysis import analyse_sound
from edgeavatar.types import Frame
from edgeavatar.video.quantiser import MOST_FRAMES, mean_quantiser
from edgeavatar.video.source import open_source

if TYPE_CHECKING:
    from os import PathLike

    import numpy.typing as npt

    from edgeavatar.video.reader import VideoReader

    Tell = Callable[[str, float | None, int], None]
    Table = dict[str, npt.NDArray[Any]]

SHORT_LOOKS: Final = 6
"""Key frames that the short form looks at."""
MOST_NOTES: Final = 3
"""Lines in which it says what matters."""


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
    check_choice(face)
    choice = face or "largest"
    opened = open_source(path)
    if isinstance(opened, Frame):
        if short:
            frames, faces = _glances([opened], 1.0, choice, threads)
        else:
            seen = look_at_photo(opened, threads=threads, choice=choice)
            frames, faces = dict(seen.frames), dict(seen.faces)
        facts = SourceFacts(path, "photo", None, opened.width, opened.height, frames=1)
        quantiser = None
    else:
        with opened:
            if short:
                rate = float(opened.info.rate)
                looks = opened.key_glimpses(SHORT_LOOKS)
                frames, faces = _glances(looks, rate, choice, threads)
            else:
                seen = look_at_video(opened, say, threads=threads, choice=choice)
                frames, faces = dict(seen.frames), dict(seen.faces)
            facts = _facts_of_video(path, opened, None if short else len(frames["index"]))
        quantiser = mean_quantiser(path, SHORT_LOOKS if short else MOST_FRAMES)
    factors = picture_factors(
        facts, frames, faces, dominant=None if face else DOMINANT, quantiser=quantiser
    )
    if audio is not None and not short:
        say("listening", None, 0)
        factors += sound_factors(analyse_sound(Path(audio), words=False))
    return Preflight(factors)


def preflight_notes(
    source: str | PathLike[str], *, face: str | None = None, threads: int | None = None
) -> list[str]:
    """Say in at most three lines what will cost most, before a render.

    Never fails: what is wrong with the source itself, the render tells.

    Parameters
    ----------
    source, face, threads
        As for :func:`preflight`, of which this is the short form.
    """
    try:
        found = preflight(source, short=True, face=face, threads=threads)
    except (EdgeAvatarError, OSError, ValueError):
        return []
    worst = sorted(
        (factor for factor in found.factors if factor.verdict in ("warn", "bad")),
        key=lambda factor: factor.verdict != "bad",
    )
    # No face, and several faces: those stop a render, which says so itself.
    told = [factor for factor in worst if factor.name not in ("faces", "face-missing")]
    return [
        f"{factor.title.lower()} {_measured(factor)}: {factor.effect}; {factor.advice}"
        for factor in told[:MOST_NOTES]
    ]


def _measured(factor: Factor) -> str:
    return plain(amount(factor.value, factor.unit))


def _glances(
    looks: Iterable[Frame], rate: float, choice: str, threads: int | None
) -> tuple[Table, Table]:
    """Look at some frames, each by itself: one row for each, and one for the face in each."""
    frames: list[dict[str, Any]] = []
    faces: list[dict[str, Any]] = []
    with FaceTracker(choice=choice, threads=threads) as tracker:
        for frame in looks:
            bgr = frame_to_bgr(frame)
            place = {"index": round(float(frame.time_s) * rate)}
            quality = dataclasses.asdict(measure_frame(frame.y))
            frames.append(place | {"time_s": float(frame.time_s)} | quality)
            face = tracker.track(bgr)
            if face is not None:
                quality = dataclasses.asdict(measure_face(bgr, face))
                faces.append(place | {"track": 0} | face_row(face) | quality)
    return _table(frames), _table(faces)


def _table(rows: list[dict[str, Any]]) -> Table:
    if not rows:
        return {}
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _facts_of_video(path: Path, reader: VideoReader, count: int | None) -> SourceFacts:
    """Say what is known of a video; ``count`` is the number of its frames if it was read."""
    info = reader.info
    end_s = float(reader.end_time_s)
    return SourceFacts(
        path,
        "video",
        end_s or None,
        info.width,
        info.height,
        frame_rate=count / end_s if count and end_s > 0.0 else float(info.rate),
        frames=count or info.frame_count or None,
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
