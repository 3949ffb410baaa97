"""The canonical face and the pose that takes it to a picture."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from edgeavatar.backends.protobuf import FIXED32, Field, iter_fields
from edgeavatar.errors import IntegrityError
from edgeavatar.face.topology import MESH_COUNT
from edgeavatar.pose import FLIP, angles_deg
from edgeavatar.types import HeadPose

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

_METADATA_MESH: Final = 1
_METADATA_BASIS: Final = 2
_MESH_VERTICES: Final = 3
_MESH_INDICES: Final = 4
_BASIS_LANDMARK: Final = 1
_BASIS_WEIGHT: Final = 2
_FLOATS_PER_VERTEX: Final = 5


@dataclass(frozen=True, slots=True)
class CanonicalMesh:
    """The mean face of the mesh model, in face-local space (see :class:`HeadPose`)."""

    vertices: FloatArray
    """``(468, 3)`` float32, centimetres."""
    triangles: npt.NDArray[np.int32]
    """``(898, 3)`` int32; counter-clockwise seen from the viewer. There are no holes: triangles
    among the inner lips close the mouth, triangles among the lid edges close the eyes."""
    uv: FloatArray
    """``(468, 2)`` float32 in [0, 1]."""
    pose_weights: FloatArray
    """``(468,)`` float32: how much each landmark counts in the pose; 0 for those that expressions
    move."""


def canonical_mesh() -> CanonicalMesh:
    """Read the canonical face of the installed face model.

    Raises
    ------
    ModelNotFound
        The face model is not installed.
    IntegrityError
        The file is damaged.
    """
    from edgeavatar import zoo

    return read_canonical_mesh(zoo.resolve("face")["geometry"])


@cache
def read_canonical_mesh(path: Path) -> CanonicalMesh:
    """Read the canonical face from the geometry metadata of the face model.

    The file is a ``GeometryPipelineMetadata`` message of MediaPipe: vertices with texture
    coordinates, triangles, and the weighted landmarks on which the pose is solved.

    Raises
    ------
    IntegrityError
        The file is not that message or does not describe 468 vertices.
    """
    try:
        return _parse_metadata(path.read_bytes())
    except (ValueError, IndexError, struct.error) as error:
        msg = (
            f"{path.name}: expected face geometry metadata, found {error}; install the model again"
        )
        raise IntegrityError(msg) from error


def solve_pose(landmarks: FloatArray, mesh: CanonicalMesh) -> HeadPose:
    """Find the similarity that takes the canonical face to landmarks.

    Weighted orthogonal Procrustes (Umeyama 1991) over the landmarks that expressions leave alone.

    Parameters
    ----------
    landmarks
        ``(n >= 468, 3)``: pixels, z in the same scale.
    mesh
        The canonical face.

    Returns
    -------
    HeadPose
        ``landmarks ~ scale * (R @ vertex) * (1, -1, -1) + translation`` in the least squares sense.
    """
    chosen = np.flatnonzero(mesh.pose_weights)
    weights = mesh.pose_weights[chosen].astype(np.float64)
    weights /= weights.sum()
    source = mesh.vertices[chosen].astype(np.float64)
    target = landmarks[chosen].astype(np.float64) * FLIP
    source_mean = weights @ source
    target_mean = weights @ target
    source = source - source_mean
    target = target - target_mean
    left, singular, right = np.linalg.svd((weights[:, None] * target).T @ source)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * signs) @ right
    scale = float((singular * signs).sum() / (weights @ (source**2).sum(axis=1)))
    translation = (target_mean - scale * rotation @ source_mean) * FLIP
    yaw_deg, pitch_deg, roll_deg = angles_deg(rotation)
    return HeadPose(
        rotation=rotation.astype(np.float32),
        translation_px=translation.astype(np.float32),
        scale_px=scale,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
    )


def _parse_metadata(content: bytes) -> CanonicalMesh:
    mesh_field: Field | None = None
    weights = np.zeros(MESH_COUNT, np.float32)
    for field in iter_fields(content):
        if field.number == _METADATA_MESH:
            mesh_field = field
        elif field.number == _METADATA_BASIS:
            entry = {item.number: item for item in iter_fields(field.payload)}
            landmark = entry[_BASIS_LANDMARK].value if _BASIS_LANDMARK in entry else 0
            if not isinstance(landmark, int):
                msg = "a landmark reference that is no number"
                raise ValueError(msg)
            (weights[landmark],) = struct.unpack("<f", entry[_BASIS_WEIGHT].payload)
    if mesh_field is None or not weights.any():
        msg = "no canonical mesh or no landmarks for the pose"
        raise ValueError(msg)
    numbers: list[float] = []
    indices: list[int] = []
    for item in iter_fields(mesh_field.payload):
        if item.number == _MESH_VERTICES and item.wire_type == FIXED32:
            numbers += struct.unpack("<f", item.payload)
        elif item.number == _MESH_INDICES and isinstance(item.value, int):
            indices.append(item.value)
    vertices = np.array(numbers, np.float32).reshape(-1, _FLOATS_PER_VERTEX)
    triangles = np.array(indices, np.int32).reshape(-1, 3)
    if len(vertices) != MESH_COUNT or not len(triangles) or triangles.max() >= MESH_COUNT:
        msg = f"{len(vertices)} vertices and {len(triangles)} triangles instead of {MESH_COUNT}"
        raise ValueError(msg)
    mesh = CanonicalMesh(vertices[:, :3].copy(), triangles, vertices[:, 3:].copy(), weights)
    for array in (mesh.vertices, mesh.triangles, mesh.uv, mesh.pose_weights):
        array.setflags(write=False)
    return mesh
