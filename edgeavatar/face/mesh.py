"""The mesh and blendshape networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.backends import BackendChoice, DeviceChoice, Session, TunedModels, open_session
from edgeavatar.errors import IntegrityError
from edgeavatar.face.region import Region, crop
from edgeavatar.face.topology import BLENDSHAPE_LANDMARKS, LANDMARK_COUNT, NOSE_TIP
from edgeavatar.types import BLENDSHAPE_NAMES, FaceObservation

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray, FloatArray, HeadPose

MESH_SIZE: Final = 256
"""Side of the mesh model's input in pixels."""


@dataclass(frozen=True, slots=True)
class MeshReading:
    """What the mesh model says of one region."""

    landmarks: FloatArray
    """``(478, 3)`` float32 in pixels of the picture (indices of pixel centres)."""
    presence: float
    """Probability that the region holds a face."""

    def observed(self, pose: HeadPose) -> FaceObservation:
        """Make an observation of it whose blendshapes are NaN: nobody has read them yet."""
        unread = np.full(len(BLENDSHAPE_NAMES), np.nan, np.float32)
        return FaceObservation(self.landmarks, self.presence, pose, unread)


class MeshModel:
    """478 landmarks of the face in a region.

    Parameters
    ----------
    path
        ``face_landmarks_detector.tflite``.
    backend, device, threads, tuned
        See :func:`edgeavatar.backends.open_session`.
    """

    def __init__(
        self,
        path: Path,
        *,
        backend: BackendChoice = "auto",
        device: DeviceChoice = "auto",
        threads: int | None = None,
        tuned: TunedModels | None = None,
    ) -> None:
        self.session = open_session(
            path,
            backend=backend,
            device=device,
            threads=threads,
            input_shapes={"input_12": (1, MESH_SIZE, MESH_SIZE, 3)},
            tuned=tuned,
        )
        _expect(self.session, "Identity", 3 * LANDMARK_COUNT)
        _expect(self.session, "Identity_1", 1)

    def read(self, bgr: ByteArray, region: Region) -> MeshReading:
        """Place the mesh in a region of a picture.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        region
            Where the face is.

        Returns
        -------
        MeshReading
            Landmarks in pixels of the picture. They mean something only where ``presence`` is
            high.
        """
        return self.read_crop(crop(bgr, region, MESH_SIZE), region)

    def read_crop(self, bgr: ByteArray, region: Region) -> MeshReading:
        """Place the mesh in a region that was cut out of a picture.

        Parameters
        ----------
        bgr
            ``(256, 256, 3)`` uint8, see :func:`edgeavatar.face.region.crop`.
        region
            Where it was cut out.
        """
        pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        answer = self.session.run({"input_12": np.float32(1 / 255) * pixels[None]})
        points = answer["Identity"].reshape(LANDMARK_COUNT, 3).astype(np.float64)
        scale = region.side / MESH_SIZE
        cosine, sine = math.cos(region.angle_rad) * scale, math.sin(region.angle_rad) * scale
        landmarks = np.empty((LANDMARK_COUNT, 3), np.float32)
        offset = points[:, :2] - MESH_SIZE / 2
        landmarks[:, :2] = offset @ np.array([[cosine, sine], [-sine, cosine]])
        landmarks[:, :2] += np.array(region.centre) - 0.5
        landmarks[:, 2] = points[:, 2] * scale
        logit = float(answer["Identity_1"].reshape(-1)[0])
        return MeshReading(landmarks, 1.0 / (1.0 + math.exp(-max(-60.0, logit))))

    def close(self) -> None:
        """Free the model."""
        self.session.close()


class BlendshapeModel:
    """52 expression weights from landmarks.

    Parameters
    ----------
    path
        ``face_blendshapes.tflite``.
    backend, device, threads, tuned
        See :func:`edgeavatar.backends.open_session`.
    """

    def __init__(
        self,
        path: Path,
        *,
        backend: BackendChoice = "auto",
        device: DeviceChoice = "auto",
        threads: int | None = None,
        tuned: TunedModels | None = None,
    ) -> None:
        self.session = open_session(
            path, backend=backend, device=device, threads=threads, tuned=tuned
        )
        self._input = self.session.inputs[0].name
        self._output = self.session.outputs[0].name
        _expect(self.session, self._output, len(BLENDSHAPE_NAMES))
        self._chosen = np.array(BLENDSHAPE_LANDMARKS)

    def read(self, landmarks: FloatArray, *, roll_deg: float = 0.0) -> FloatArray:
        """Measure the expression.

        Parameters
        ----------
        landmarks
            ``(478, 3)`` float32 in pixels.
        roll_deg
            How far the head leans clockwise. The network was made for heads that are about upright
            (a lean of 30 degrees moves weights by up to 0.08), so the points are turned back.

        Returns
        -------
        numpy.ndarray
            ``(52,)`` float32 in [0, 1], order of :data:`edgeavatar.types.BLENDSHAPE_NAMES`.
        """
        roll = math.radians(roll_deg)
        upright = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
        points = landmarks[self._chosen, :2] - landmarks[NOSE_TIP, :2]
        points = (points @ upright).astype(np.float32)
        answer = self.session.run({self._input: points[None]})[self._output]
        return np.clip(answer.reshape(-1), 0.0, 1.0).astype(np.float32)

    def close(self) -> None:
        """Free the model."""
        self.session.close()


def _expect(session: Session, output: str, count: int) -> None:
    spec = next((spec for spec in session.outputs if spec.name == output), None)
    if spec is None or spec.shape is None or math.prod(dim or 1 for dim in spec.shape) != count:
        found = ", ".join(str(spec) for spec in session.outputs)
        msg = f"{session.path.name}: expected an output {output} of {count} numbers, found {found}"
        raise IntegrityError(msg)
