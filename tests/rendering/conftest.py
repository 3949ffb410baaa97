"""A real face to render: the demo's portrait, as the face model sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edgeavatar.rendering.geometry import Person
    from edgeavatar.types import FaceObservation, Frame

PORTRAIT = Path(__file__).parents[2] / "examples" / "portrait.jpg"


@pytest.fixture(scope="session")
def portrait() -> Frame:
    from edgeavatar.video.photo import read_photo

    return read_photo(PORTRAIT)


@pytest.fixture(scope="session")
def raw_face(portrait: Frame, model_store: Any) -> FaceObservation:
    from edgeavatar.face import FaceTracker
    from edgeavatar.kernels.colour import frame_to_bgr

    model_store.resolve("face")
    with FaceTracker() as tracker:
        face = tracker.track(frame_to_bgr(portrait))
    assert face is not None
    return face


@pytest.fixture(scope="session")
def face(portrait: Frame, raw_face: FaceObservation) -> FaceObservation:
    from edgeavatar.rendering.lipline import lip_line_offsets, move_lip_line

    offsets = lip_line_offsets(portrait, raw_face)
    assert offsets is not None
    return replace(raw_face, landmarks=move_lip_line(raw_face, offsets))


@pytest.fixture(scope="session")
def person(face: FaceObservation) -> Person:
    from edgeavatar.rendering.basis import load_basis
    from edgeavatar.rendering.geometry import fit_person

    return fit_person([face], load_basis())
