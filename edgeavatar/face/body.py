"""Shoulders, elbows and wrists of the person whose face is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from edgeavatar.backends import BackendChoice, DeviceChoice, open_session
from edgeavatar.errors import IntegrityError
from edgeavatar.face.measures import face_height
from edgeavatar.face.region import Region, crop
from edgeavatar.face.topology import CHIN, FACE_TOP, NOSE_TIP

if TYPE_CHECKING:
    from types import TracebackType

    from edgeavatar.types import ByteArray, FaceObservation, FloatArray

SIZE: Final = 256
_POINTS, _VALUES = 39, 5
_NOSE: Final = 0
JOINTS: Final = {
    "left_shoulder": 11,
    "right_shoulder": 12,
    "left_elbow": 13,
    "right_elbow": 14,
    "left_wrist": 15,
    "right_wrist": 16,
}
"""Points that are kept, and their places in the model's output (BlazePose topology)."""
_BELOW: Final = 2.5
_SIDE: Final = 8.0
"""Middle of the square below that of the face, and its side, in face heights (19 cm): from the
crown to the hips, and arms that are not quite stretched. A square that hangs on the face needs no
detector of bodies and cannot wander off to another person."""
_MIN_PRESENCE: Final = 0.5
_VISIBLE: Final = 0.5
"""MediaPipe's own bounds."""
_NOSE_AWAY: Final = 0.35
"""Face heights between the noses of body and face from which it is another's body: of 12 readings
of four people, .02 to .13."""


@dataclass(frozen=True, slots=True)
class BodyReading:
    """Where arms are."""

    points: FloatArray
    """``(6, 2)`` in pixels of the picture, order of :data:`JOINTS`; NaN where one is not seen."""


class BodyModel:
    """Reads the body below a face (BlazePose, Bazarevsky et al. 2020).

    Parameters
    ----------
    path
        ``pose_landmark_full.tflite``; that of the installed model ``body-pose`` by default.
    backend, device, threads
        See :func:`edgeavatar.backends.open_session`.

    Raises
    ------
    ModelNotFound
        The model is not installed.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        backend: BackendChoice = "auto",
        device: DeviceChoice = "auto",
        threads: int | None = None,
    ) -> None:
        if path is None:
            from edgeavatar import zoo

            path = zoo.resolve("body-pose")["landmarks"]
        self.session = open_session(path, backend=backend, device=device, threads=threads)
        if not {"Identity", "Identity_1"} <= {spec.name for spec in self.session.outputs}:
            self.session.close()
            msg = f"{path.name}: expected the outputs Identity and Identity_1"
            raise IntegrityError(msg)

    def read(self, bgr: ByteArray, face: FaceObservation) -> BodyReading | None:
        """Read the body of a face.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        face
            Seen in it.

        Returns
        -------
        BodyReading or None
            None if no body is seen that belongs to the face, or none of its shoulders.
        """
        tall = face_height(face.landmarks)
        middle = (face.landmarks[FACE_TOP, :2] + face.landmarks[CHIN, :2]) / 2 + 0.5
        region = Region((float(middle[0]), float(middle[1]) + _BELOW * tall), _SIDE * tall)
        pixels = crop(bgr, region, SIZE)[None, :, :, ::-1]
        answer = self.session.run({"input_1": pixels * np.float32(1 / 255)})
        if float(answer["Identity_1"].ravel()[0]) < _MIN_PRESENCE:
            return None
        values = answer["Identity"].reshape(_POINTS, _VALUES).astype(np.float64)
        places = (values[:, :2] - SIZE / 2) * (region.side / SIZE) + np.array(region.centre) - 0.5
        away = np.linalg.norm(places[_NOSE] - face.landmarks[NOSE_TIP, :2])
        if away > _NOSE_AWAY * tall:
            return None
        chosen = list(JOINTS.values())
        visible = 1.0 / (1.0 + np.exp(-np.clip(values[chosen, 3], -60.0, 60.0))) >= _VISIBLE
        height, width = bgr.shape[:2]
        points = places[chosen]
        inside = ((points >= 0) & (points < (width, height))).all(axis=1)
        points[~(visible & inside)] = np.nan
        if np.isnan(points[:2]).all():  # a head alone
            return None
        return BodyReading(points.astype(np.float32))

    def close(self) -> None:
        """Free the model."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
