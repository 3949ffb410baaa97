"""The faces beside the one that is followed: found now and then, read every few frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeavatar.face.choice import SURE_SCORE
from edgeavatar.face.geometry import solve_pose
from edgeavatar.face.region import Region, follow, region_of_box, region_of_pose

if TYPE_CHECKING:
    from edgeavatar.face.tracker import FaceTracker
    from edgeavatar.types import ByteArray, FaceObservation

MOST: Final = 3
"""Faces that are read beside the main one; each costs as much as it does."""
_SAME: Final = 0.35
"""Distance of two middles over the side of a region below which they are one face; faces side by
side are half a side apart or more."""
_COARSE: Final = 0.08
"""Height of the smallest face that is looked for often, over the longer side of the picture."""


class OtherFaces:
    """Follows faces loosely with the models of a tracker.

    Parameters
    ----------
    tracker
        Follows the main face; only its models are used.
    """

    def __init__(self, tracker: FaceTracker) -> None:
        self._tracker = tracker
        self._regions: list[Region] = []

    def search(
        self, bgr: ByteArray, main: FaceObservation | None, *, small_too: bool = False
    ) -> None:
        """Look for faces that are not known yet.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8, what was tracked last.
        main
            The face that is followed, which is not one of these.
        small_too
            Also look for faces that are less than 8% of the picture's longer side high, which
            costs ten times as much, unless the tracker had to do so itself.
        """
        least = None if small_too else _COARSE * max(bgr.shape[:2])
        boxes = self._tracker.searched if small_too else None
        if boxes is None:
            boxes = self._tracker.detector.detect(bgr, min_face_px=least)
        known = [*self._regions, *self._main_region(main)]
        for box in boxes:
            if box.score < SURE_SCORE:
                continue
            region = region_of_box(box)
            if len(self._regions) < MOST and not any(_same(region, other) for other in known):
                self._regions.append(region)
                known.append(region)

    def read(self, bgr: ByteArray, main: FaceObservation | None) -> list[FaceObservation]:
        """Read the faces that are known; those that are no longer seen are forgotten.

        Returns
        -------
        list[FaceObservation]
            In no lasting order, blendshapes NaN: see
            :meth:`~edgeavatar.face.tracker.FaceTracker.express`.
        """
        seen: list[FaceObservation] = []
        kept = self._main_region(main)
        taken = len(kept)
        for region in self._regions:
            face = self._read(bgr, region)
            if face is None:
                continue
            fitting = region_of_pose(face.pose, self._tracker.canonical)
            if not any(_same(fitting, other) for other in kept):
                kept.append(follow(region, fitting))
                seen.append(face)
        self._regions = kept[taken:]
        return seen

    def forget(self) -> None:
        """Forget all faces, as at a cut."""
        self._regions = []

    def _read(self, bgr: ByteArray, region: Region) -> FaceObservation | None:
        # A second look, at the place that the first one found: between two looks a head has moved.
        canonical = self._tracker.canonical
        for _ in range(2):
            reading = self._tracker.mesh.read(bgr, region)
            if reading.presence < self._tracker.min_presence:
                return None
            pose = solve_pose(reading.landmarks, canonical)
            region = region_of_pose(pose, canonical)
        return reading.observed(pose)

    def _main_region(self, main: FaceObservation | None) -> list[Region]:
        return [] if main is None else [region_of_pose(main.pose, self._tracker.canonical)]


def _same(one: Region, other: Region) -> bool:
    side = min(one.side, other.side)
    dx, dy = one.centre[0] - other.centre[0], one.centre[1] - other.centre[1]
    return dx * dx + dy * dy < (_SAME * side) ** 2
