from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeavatar.errors import IntegrityError
from edgeavatar.face import canonical_mesh
from edgeavatar.face.geometry import CanonicalMesh, read_canonical_mesh, solve_pose
from edgeavatar.pose import angles_deg, rotation_of, to_face_local, to_picture
from edgeavatar.types import HeadPose


def _pose(yaw_deg: float, pitch_deg: float, roll_deg: float) -> HeadPose:
    return HeadPose(
        rotation=rotation_of(yaw_deg, pitch_deg, roll_deg),
        translation_px=np.array([320.0, 200.0, 5.0], np.float32),
        scale_px=12.5,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
    )


def test_the_canonical_face(canonical: CanonicalMesh) -> None:
    assert canonical.vertices.shape == (468, 3)
    assert canonical.triangles.shape == (898, 3)
    assert canonical.uv.min() >= 0
    assert canonical.uv.max() <= 1
    assert np.count_nonzero(canonical.pose_weights) == 33
    assert not canonical.vertices.flags.writeable
    assert canonical_mesh() is canonical
    corners = canonical.vertices[canonical.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.mean(normals[:, 2] > 0) > 0.95, "triangles face the viewer"


def test_damaged_metadata(face_models: dict[str, Path], tmp_path: Path) -> None:
    content = face_models["geometry"].read_bytes()
    for name, damaged in (("cut", content[:9000]), ("text", b"no mesh here"), ("empty", b"")):
        path = tmp_path / f"{name}.binarypb"
        path.write_bytes(damaged)
        with pytest.raises(IntegrityError, match=f"{name}.*install the model again"):
            read_canonical_mesh(path)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 45), (-25, 15, -40)])
def test_a_known_pose_is_found_again(
    canonical: CanonicalMesh, angles: tuple[float, float, float]
) -> None:
    truth = _pose(*angles)
    found = solve_pose(to_picture(canonical.vertices, truth), canonical)
    np.testing.assert_allclose(found.rotation, truth.rotation, atol=1e-5)
    np.testing.assert_allclose(found.translation_px, truth.translation_px, atol=1e-3)
    assert found.scale_px == pytest.approx(truth.scale_px, rel=1e-5)
    assert (found.yaw_deg, found.pitch_deg, found.roll_deg) == pytest.approx(angles, abs=1e-3)


def test_the_pose_is_the_best_in_the_least_squares_sense(canonical: CanonicalMesh) -> None:
    generator = np.random.default_rng(0)
    landmarks = to_picture(canonical.vertices, _pose(10, -5, 8))
    landmarks += generator.normal(0, 2, landmarks.shape).astype(np.float32)

    def cost(pose: HeadPose) -> float:
        away = to_picture(canonical.vertices, pose) - landmarks
        return float(canonical.pose_weights @ np.sum(away.astype(np.float64) ** 2, axis=1))

    best = solve_pose(landmarks, canonical)
    for _ in range(60):
        other = HeadPose(
            rotation=rotation_of(*generator.normal(0, 0.5, 3)) @ best.rotation,
            translation_px=best.translation_px + generator.normal(0, 0.3, 3).astype(np.float32),
            scale_px=best.scale_px * float(np.exp(generator.normal(0, 0.01))),
            yaw_deg=0,
            pitch_deg=0,
            roll_deg=0,
        )
        assert cost(other) > cost(best)


def test_signs_of_the_angles(canonical: CanonicalMesh) -> None:
    nose, forehead = 4, 10

    def moved(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
        rest = to_picture(canonical.vertices, _pose(0, 0, 0))
        return to_picture(canonical.vertices, _pose(yaw_deg, pitch_deg, roll_deg)) - rest

    assert moved(20, 0, 0)[nose, 0] > 0, "turns to the picture's right"
    assert moved(0, 20, 0)[nose, 1] < 0, "looks up"
    assert moved(0, 0, 20)[forehead, 0] > 0, "leans clockwise"
    assert angles_deg(rotation_of(12, -7, 33)) == pytest.approx((12, -7, 33), abs=1e-4)


def test_there_and_back(canonical: CanonicalMesh) -> None:
    pose = _pose(-18, 9, 27)
    back = to_face_local(to_picture(canonical.vertices, pose), pose)
    np.testing.assert_allclose(back, canonical.vertices, atol=1e-4)
