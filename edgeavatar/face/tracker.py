"""One face, from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from edgeavatar.backends import BackendChoice, DeviceChoice, TunedModels
from edgeavatar.face.choice import check_choice, select_face
from edgeavatar.face.detector import FaceDetector
from edgeavatar.face.frame_crop import crop_frame
from edgeavatar.face.geometry import read_canonical_mesh, solve_pose
from edgeavatar.face.mesh import MESH_SIZE, BlendshapeModel, MeshModel, MeshReading
from edgeavatar.face.region import (
    Region,
    follow,
    misfit,
    region_of_box,
    region_of_pose,
)
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.types import FaceBox, FaceObservation, Frame, HeadPose

if TYPE_CHECKING:
    from edgeavatar.types import ByteArray

MIN_PRESENCE: Final = 0.5
"""Presence below which a face counts as lost (MediaPipe face landmarker default)."""
_REFINEMENTS: Final = 2
"""Mesh passes after the first on a newly found face; the detector's box is off by a few percent."""
_MISSED: Final = 0.02
"""Misfit of the region from which a frame is read again at the right place: a head moving fast by
3% of the region in each frame is off by 1.5 pixels at face height 256 otherwise, by 0.7 with it.
People who sit and talk stay below."""
_SEARCH_SIDE: Final = 2.0
"""Side of the search around the last place, over the side of the lost region."""
_FULL_SEARCH_EVERY: Final = 10
"""Tiles cost up to 200 single passes, so a picture without a large face is tiled only so often."""
_FORGET_AFTER: Final = 25
_BOX_SIDE: Final = 0.9
"""Side of the region of a detected box over that of the mesh on the same face: mean of 22 faces."""
_REACH: Final = 0.25
_REACH_GROWTH: Final = 0.02
_MAX_REACH: Final = 0.5
"""How far from its last place a face counts as the same one: distance over the region's side plus
the logarithm of the change in size, growing with the frames it was lost. The middles of two faces
side by side are half a side apart or more."""


class FaceTracker:
    """Follows one face through a video, or reads the face of a photo.

    The first frame with a face decides which face is followed. A face that is lost is looked for
    near its last place first; another face of the picture does not take over before 25 frames have
    passed without it.

    Parameters
    ----------
    models
        Paths by the keys ``detector``, ``mesh``, ``blendshapes`` and ``geometry``; those of the
        installed model ``face`` by default.
    choice
        Which face, see :func:`edgeavatar.face.select_face`.
    min_presence
        Presence from 0 to 1 below which a face counts as lost.
    backend, device, threads, tuned
        See :func:`edgeavatar.backends.open_session`.

    Raises
    ------
    ModelNotFound
        The face model is not installed.
    UsageError
        The choice has an unknown form.
    """

    def __init__(
        self,
        models: Mapping[str, Path] | None = None,
        *,
        choice: str | None = None,
        min_presence: float = MIN_PRESENCE,
        backend: BackendChoice = "auto",
        device: DeviceChoice = "auto",
        threads: int | None = None,
        tuned: TunedModels | None = None,
    ) -> None:
        check_choice(choice)
        if models is None:
            from edgeavatar import zoo

            models = zoo.resolve("face")
        self.choice = choice
        self.min_presence = min_presence
        self.canonical = read_canonical_mesh(models["geometry"])
        self.detector = FaceDetector(
            models["detector"], backend=backend, device=device, threads=threads, tuned=tuned
        )
        self.mesh = MeshModel(
            models["mesh"], backend=backend, device=device, threads=threads, tuned=tuned
        )
        self.blendshapes = BlendshapeModel(
            models["blendshapes"], backend=backend, device=device, threads=threads, tuned=tuned
        )
        self._region: Region | None = None
        self._frames_lost = 0
        self.searched: list[FaceBox] | None = None
        """What the detector found, unconfirmed, if all of the frame that was tracked last was
        searched down to small faces; None otherwise."""
        self._solved: tuple[MeshReading, HeadPose, Region] | None = None

    def track(
        self, picture: ByteArray | Frame, *, expression: bool = True
    ) -> FaceObservation | None:
        """Read the face in the next frame.

        Parameters
        ----------
        picture
            ``(H, W, 3)`` uint8, BGR; or a frame, of which only the face becomes BGR as long as it
            is where it was. The observation is the same.
        expression
            False leaves the blendshapes NaN, for :meth:`express` to fill in.

        Returns
        -------
        FaceObservation or None
            ``None`` where the face is not seen.

        Raises
        ------
        AmbiguousFaceError
            The first frame with faces shows several of comparable size and no choice was made.
        """
        self.searched = None
        reading = None
        if self._region is not None and self._frames_lost == 0:
            reading = self._read_along(picture, self._region)
        if reading is None:
            reading = self._search(frame_to_bgr(picture) if isinstance(picture, Frame) else picture)
            if reading is not None:
                self._region = self._fitting(reading)
        if reading is None or self._region is None:
            self._frames_lost += 1
            return None
        self._frames_lost = 0
        self._region = follow(self._region, self._fitting(reading))
        seen = reading.observed(self._pose(reading))
        return self.express(seen) if expression else seen

    def express(self, face: FaceObservation) -> FaceObservation:
        """Fill in the blendshapes of a face.

        They follow from the landmarks alone. This may be called by another thread than the one that
        tracks, as long as that leaves them out.
        """
        weights = self.blendshapes.read(face.landmarks, roll_deg=face.pose.roll_deg)
        return replace(face, blendshapes=weights)

    def glance(self, bgr: ByteArray, near: FaceObservation) -> FaceObservation | None:
        """Read a face in a frame from elsewhere, where another frame showed it.

        Neither what was tracked before nor what is tracked after is affected, so that the same
        frame gives the same observation whatever else was looked at.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        near
            The same face in another frame of the same size.

        Returns
        -------
        FaceObservation or None
            None where no face is seen near that place.
        """
        kept = self._region, self._frames_lost
        self._region, self._frames_lost = region_of_pose(near.pose, self.canonical), 0
        try:
            reading = self._read_along(bgr, self._region) or self._search(bgr)
        finally:
            self._region, self._frames_lost = kept
        return None if reading is None else self._observe(reading)

    def read_box(
        self, bgr: ByteArray, box: tuple[float, float, float, float]
    ) -> FaceObservation | None:
        """Read a face whose mesh is known to fill a box, without looking for faces elsewhere.

        What is tracked is not affected.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        box
            Left, top, right and bottom of the mesh, in pixels.

        Returns
        -------
        FaceObservation or None
            None where no face is seen in it.
        """
        reading = self._settle(bgr, FaceBox(box, 1.0, ()))
        return None if reading is None else self._observe(reading)

    def find(self, bgr: ByteArray) -> list[FaceBox]:
        """Find all faces of a picture, each confirmed by the mesh.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.

        Returns
        -------
        list[FaceBox]
            Best score first.
        """
        self.searched = self.detector.detect(bgr)
        return [box for box in self.searched if self._read(bgr, region_of_box(box)) is not None]

    def reset(self) -> None:
        """Forget the face, as at a cut."""
        self._region = None
        self._frames_lost = 0

    def close(self) -> None:
        """Free the models."""
        for model in (self.detector, self.mesh, self.blendshapes):
            model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _search(self, bgr: ByteArray) -> MeshReading | None:
        if self._region is None or self._frames_lost >= _FORGET_AFTER:
            return self._choose(bgr)
        near = Region(self._region.centre, self._region.side * _SEARCH_SIDE, self._region.angle_rad)
        boxes = self.detector.detect_in(bgr, near)
        if not boxes:
            boxes = self.detector.detect_large(bgr)
        if not boxes and self._frames_lost % _FULL_SEARCH_EVERY == 0:
            boxes = self.find(bgr)
        nearest = min(boxes, key=self._distance, default=None)
        reach = min(_REACH + _REACH_GROWTH * self._frames_lost, _MAX_REACH)
        if nearest is None or self._distance(nearest) > reach:
            return None
        return self._settle(bgr, nearest)

    def _choose(self, bgr: ByteArray) -> MeshReading | None:
        if self._frames_lost % _FULL_SEARCH_EVERY and not self.detector.detect_large(bgr):
            return None
        boxes = self.find(bgr)
        if not boxes:
            return None
        self.reset()
        return self._settle(bgr, select_face(boxes, self.choice, (bgr.shape[1], bgr.shape[0])))

    def _settle(self, bgr: ByteArray, box: FaceBox) -> MeshReading | None:
        reading = self._read(bgr, region_of_box(box))
        for _ in range(_REFINEMENTS):
            if reading is None:
                return None
            reading = self._read(bgr, self._fitting(reading))
        return reading

    def _read_along(self, picture: ByteArray | Frame, region: Region) -> MeshReading | None:
        reading = self._read(picture, region)
        if reading is None:
            return None
        fitting = self._fitting(reading)
        if misfit(region, fitting) < _MISSED:
            return reading
        return self._read(picture, follow(region, fitting))

    def _fitting(self, reading: MeshReading) -> Region:
        return self._solve(reading)[2]

    def _pose(self, reading: MeshReading) -> HeadPose:
        return self._solve(reading)[1]

    def _solve(self, reading: MeshReading) -> tuple[MeshReading, HeadPose, Region]:
        # A frame that is read once is asked for its pose and the region twice.
        if self._solved is None or self._solved[0] is not reading:
            pose = solve_pose(reading.landmarks, self.canonical)
            self._solved = reading, pose, region_of_pose(pose, self.canonical)
        return self._solved

    def _read(self, picture: ByteArray | Frame, region: Region) -> MeshReading | None:
        if isinstance(picture, Frame):
            reading = self.mesh.read_crop(crop_frame(picture, region, MESH_SIZE), region)
        else:
            reading = self.mesh.read(picture, region)
        return reading if reading.presence >= self.min_presence else None

    def _observe(self, reading: MeshReading) -> FaceObservation:
        return self.express(reading.observed(self._pose(reading)))

    def _distance(self, box: FaceBox) -> float:
        assert self._region is not None
        found = region_of_box(box)
        away = math.dist(found.centre, self._region.centre) / self._region.side
        return away + abs(math.log(found.side / (_BOX_SIDE * self._region.side)))
