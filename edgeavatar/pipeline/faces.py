"""The picture half of a render: whose face it is, and where it is in every frame."""

from __future__ import annotations

import contextlib
import tempfile
from collections import deque
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np

from edgeavatar.errors import NoFaceError, OutputError
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pipeline.references import find_reference
from edgeavatar.rendering.dentition_fit import ShownTeeth, view_teeth
from edgeavatar.rendering.geometry import fit_person
from edgeavatar.rendering.interior import InteriorLight, face_colours, light_from_skin
from edgeavatar.rendering.lipline import lip_gap, lip_line_offsets, move_lip_line
from edgeavatar.rendering.reference import is_worth_showing, shows_mouth
from edgeavatar.types import FaceObservation, HeadPose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgeavatar.face import FaceTracker
    from edgeavatar.pipeline.picture import Glimpses
    from edgeavatar.rendering.basis import FaceBasis
    from edgeavatar.rendering.dentition_fit import TeethView
    from edgeavatar.rendering.geometry import Person
    from edgeavatar.types import FloatArray, Frame

Colour: TypeAlias = tuple[float, float, float]
FaceColours: TypeAlias = tuple[Colour, Colour | None]
"""BGR of the cheeks, and of the eye whites where they show."""

PROBE_FRAMES = 120
"""Frames looked at before the first is rendered, to learn the person's resting face: 4 seconds."""
PROBE_WANTED = 24
"""Observations that are enough for that."""
_FLOATS = 478 * 3 + 1 + 9 + 3 + 4 + 52
"""Of one observation: landmarks, score, rotation, translation, scale and angles, blendshapes."""


class FaceStore:
    """Observations by source frame, on disk: a loop meets the same frames again and again."""

    def __init__(self) -> None:
        with _on_disk():
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._known: dict[int, bool] = {}

    def put(self, index: int, face: FaceObservation | None) -> None:
        """Remember what was seen in a source frame."""
        self._known[index] = face is not None
        if face is None:
            return
        pose = face.pose
        values = np.concatenate(
            [
                face.landmarks.ravel(),
                [face.score],
                pose.rotation.ravel(),
                pose.translation_px,
                [pose.scale_px, pose.yaw_deg, pose.pitch_deg, pose.roll_deg],
                face.blendshapes,
            ]
        ).astype(np.float32)
        with _on_disk():
            self._file.seek(index * _FLOATS * 4)
            self._file.write(values.tobytes())

    def __contains__(self, index: int) -> bool:
        return index in self._known

    def get(self, index: int) -> FaceObservation | None:
        """Return what was put for a source frame."""
        if not self._known[index]:
            return None
        with _on_disk():
            self._file.seek(index * _FLOATS * 4)
            v = np.frombuffer(self._file.read(_FLOATS * 4), np.float32)
        landmarks, score, rotation, translation, numbers, weights = np.split(
            v, np.cumsum([478 * 3, 1, 9, 3, 4])
        )
        pose = HeadPose(rotation.reshape(3, 3), translation, *(float(number) for number in numbers))
        return FaceObservation(landmarks.reshape(478, 3), float(score[0]), pose, weights)

    def close(self) -> None:
        """Delete everything."""
        # What is still buffered is written first, which a full disk refuses; nobody reads it now.
        with contextlib.suppress(OSError):
            self._file.close()


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            "expected room for what is seen in the frames, 6 kB each, in the folder of temporary "
            f"files, found: {(error.strerror or str(error)).lower()}; make room there, or set "
            "TMPDIR to another folder"
        ) from error


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What the first frames tell of a person."""

    person: Person
    light: InteriorLight
    usual: FaceObservation
    """The face as the head is mostly held."""
    open_mouth: tuple[Frame, FaceObservation] | None
    """A moment at which the inside of the mouth shows, if it was seen to."""
    teeth: tuple[ShownTeeth, ...] = ()
    """What the first frames show of the person's own teeth."""


class FaceTrack:
    """The chosen face through all frames.

    Parameters
    ----------
    tracker
        Follows one face; already told which.
    smooth
        Steadies a stream of observations without delay (it may read a few frames ahead).
    basis
        How landmarks move with blendshape weights.
    notes
        What to tell of the models.
    """

    def __init__(
        self,
        tracker: FaceTracker,
        smooth: Callable[[Iterable[FaceObservation | None]], Iterator[FaceObservation | None]],
        basis: FaceBasis,
        notes: list[str],
    ) -> None:
        self.notes = notes
        self._tracker = tracker
        self._smooth = smooth
        self._basis = basis
        self._store = FaceStore()
        self._lip_line: FloatArray | None = None

    def learn(self, frames: Iterable[Frame]) -> Acquaintance:
        """Look at the first frames and learn the person, and the light on the face.

        Raises
        ------
        NoFaceError
            If no frame shows a face.
        """
        seen: list[FaceObservation] = []
        lines: list[FloatArray] = []
        colours: list[FaceColours] = []
        views: list[tuple[TeethView, FaceObservation]] = []
        looked = 0
        shown: tuple[float, Frame, FaceObservation] | None = None
        for looked, frame in enumerate(frames, 1):
            bgr = frame_to_bgr(frame)
            face = self._tracker.track(bgr)
            if face is not None:
                seen.append(face)
                if shows_mouth(face):
                    gap = lip_gap(face)
                    shown = max(shown or (gap, frame, face), (gap, frame, face), key=itemgetter(0))
                colours.append(face_colours(bgr, face.landmarks, face.pose.scale_px))
                view = view_teeth(frame, face, light_from_skin(*colours[-1]))
                if view is not None:
                    views.append((view, face))
                line = lip_line_offsets(frame, face)
                if line is not None:
                    lines.append(line)
            if len(seen) >= PROBE_WANTED or (seen and looked >= PROBE_FRAMES):
                break
        if not seen:
            raise NoFaceError(
                f"expected a face in the source, found none in {looked} "
                f"frame{'s' if looked != 1 else ''}; use a picture in which the face is at least "
                "96 pixels high, from the front and well lit"
            )
        self._tracker.reset()
        if lines:
            self._lip_line = np.median(lines, axis=0).astype(np.float32)
        person = fit_person([self._with_lip_line(face) for face in seen], self._basis)
        usual = _usual(seen)
        open_mouth = None
        # A photo's smile may be clenched: its teeth would be stretched over all of an open mouth.
        if shown is not None and is_worth_showing(*shown[1:], person.lip_line_cm, usual.pose):
            open_mouth = shown[1:]
        teeth = tuple(ShownTeeth.of(view, face, person) for view, face in views)
        return Acquaintance(person, _typical_light(colours), usual, open_mouth, teeth)

    def look_around(self, known: Acquaintance, film: Glimpses) -> Acquaintance:
        """Look all over a video for the moment that shows the inside of the mouth best.

        It is also looked for in the first frames, so what they told of it counts no more; the teeth
        that show in it are known as those of the first frames are.
        """

        def glance(frame: Frame) -> FaceObservation | None:
            return self._tracker.glance(frame_to_bgr(frame), known.usual)

        found = find_reference(
            film, glance, known.person.lip_line_cm, known.usual.pose, self._tracker.choice
        )
        if found is None:
            return replace(known, open_mouth=None)
        frame, face = found
        colours = face_colours(frame_to_bgr(frame), face.landmarks, face.pose.scale_px)
        view = view_teeth(frame, face, light_from_skin(*colours))
        more = () if view is None else (ShownTeeth.of(view, face, known.person),)
        return replace(known, open_mouth=found, teeth=(*known.teeth, *more))

    def follow(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, FaceObservation | None]]:
        """Yield every frame with its face, or with None where there is none to be trusted."""
        waiting: deque[Frame] = deque()
        for face in self._smooth(self._seen(frames, waiting)):
            yield waiting.popleft(), None if face is None else self._with_lip_line(face)

    @property
    def backends(self) -> dict[str, str]:
        """What each model runs on, and why."""
        sessions = {
            "detector": self._tracker.detector.session,
            "mesh": self._tracker.mesh.session,
            "blendshapes": self._tracker.blendshapes.session,
        }
        return {name: f"{s.backend} on {s.device}: {s.reason}" for name, s in sessions.items()}

    def close(self) -> None:
        """Forget everything."""
        self._store.close()

    def _seen(
        self, frames: Iterable[Frame], waiting: deque[Frame]
    ) -> Iterator[FaceObservation | None]:
        """Yield what is seen in each frame, and let the frame wait for it to be steadied."""
        for frame in frames:
            index = frame.source_index
            if index not in self._store:
                self._store.put(index, self._tracker.track(frame_to_bgr(frame)))
            waiting.append(frame)
            yield self._store.get(index)

    def _with_lip_line(self, face: FaceObservation) -> FaceObservation:
        if self._lip_line is None:
            return face
        return replace(face, landmarks=move_lip_line(face, self._lip_line))


def _usual(seen: list[FaceObservation]) -> FaceObservation:
    angles = np.array([(face.pose.yaw_deg, face.pose.pitch_deg) for face in seen])
    away = np.linalg.norm(angles - np.median(angles, axis=0), axis=1)
    return seen[int(away.argmin())]


def _typical_light(colours: list[FaceColours]) -> InteriorLight:
    """Light over all looks at the face; frames in which the eyes are shut tell nothing of them."""
    skin = np.median([skin for skin, _ in colours], axis=0)
    whites = [white for _, white in colours if white is not None]
    return light_from_skin(skin, np.median(whites, axis=0) if whites else None)
