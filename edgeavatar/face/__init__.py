"""Faces in pictures: detection, the 478-point mesh, head pose, expression, tracking."""

from __future__ import annotations

from edgeavatar.face.choice import check_choice, select_face
from edgeavatar.face.detector import FaceDetector
from edgeavatar.face.geometry import CanonicalMesh, canonical_mesh
from edgeavatar.face.tracker import FaceTracker

__all__ = [
    "CanonicalMesh",
    "FaceDetector",
    "FaceTracker",
    "canonical_mesh",
    "check_choice",
    "select_face",
]
