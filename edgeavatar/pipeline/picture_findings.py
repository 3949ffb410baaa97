"""From the columns of a video or a photo to what they say in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeavatar.analysis.framing import frame_face
from edgeavatar.analysis.illuminant import light_temperature_k
from edgeavatar.analysis.movement import angular_speed, camera_kind
from edgeavatar.analysis.results import FaceTrack, Movement, Style
from edgeavatar.analysis.tracks import describe_track, main_track

if TYPE_CHECKING:
    from edgeavatar.pipeline.picture_analysis import Seen

MOST_TRACKS = 200
"""Tracks that are described; a video that is cut fast has one for each shot and face."""


@dataclass(frozen=True, slots=True)
class PictureFindings:
    """What is seen in all."""

    faces: tuple[FaceTrack, ...]
    main_face: int | None
    movement: Movement | None
    style: Style


def sum_up(seen: Seen, speaking: npt.NDArray[np.bool_] | None) -> PictureFindings:
    """Sum up what was seen.

    Parameters
    ----------
    seen
        Row by row.
    speaking
        For each frame, whether there is speech; None without sound.
    """
    faces: dict[str, npt.NDArray[Any]] = dict(seen.faces)
    frames: dict[str, npt.NDArray[Any]] = dict(seen.frames)
    numbers, rows = np.unique(faces["track"], return_counts=True)
    longest = sorted(numbers[np.argsort(-rows, kind="stable")][:MOST_TRACKS].tolist())
    main = main_track(faces)
    chosen = {name: column[faces["track"] == main] for name, column in faces.items()}
    return PictureFindings(
        faces=tuple(describe_track(number, frames, faces, speaking) for number in longest),
        main_face=main,
        movement=None if seen.duration_s is None else _movement(frames, chosen),
        style=_style(seen, frames, chosen),
    )


def _movement(frames: dict[str, npt.NDArray[Any]], main: dict[str, npt.NDArray[Any]]) -> Movement:
    time_s = frames["time_s"]
    camera, speed = camera_kind(
        time_s, frames["camera_dx"], frames["camera_dy"], frames["camera_px_per_s"]
    )
    looked = frames["body"] >= 0
    return Movement(
        cuts_s=tuple(float(at) for at in time_s[frames["cut"]]),
        camera=camera,
        camera_px_per_s=speed,
        head_deg_per_s=angular_speed(
            time_s[main["index"]], main["yaw_deg"], main["pitch_deg"], main["roll_deg"]
        ),
        body_found_share=float((frames["body"][looked] == 1).mean()) if looked.any() else None,
        gesture_energy=_median(frames["gesture"]),
        background_steadiness=_mean(frames["still"]),
    )


def _style(
    seen: Seen, frames: dict[str, npt.NDArray[Any]], main: dict[str, npt.NDArray[Any]]
) -> Style:
    framing = None
    if len(main["index"]):
        places = ("height_px", "crown_y", "eyes_x", "eyes_y")
        framing = frame_face(
            seen.width, seen.height, *(float(np.median(main[name])) for name in places)
        )
    return Style(
        shot=None if framing is None else framing.shot,
        headroom=None if framing is None else framing.headroom,
        off_centre=None if framing is None else framing.off_centre,
        thirds_distance=None if framing is None else framing.thirds_distance,
        colour_temperature_k=light_temperature_k(main["skin"], main["sclera"]),
        contrast=_mean(frames["contrast"]),
        brightness=_mean(frames["luma"]),
    )


def _median(values: npt.NDArray[Any]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


def _mean(values: npt.NDArray[Any]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else None
