from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeavatar.face import FaceTracker, topology
from edgeavatar.face.geometry import CanonicalMesh, solve_pose
from edgeavatar.face.measures import inner_lip_gap, jitter
from edgeavatar.face.smoothing import CausalSmoother, OneEuroFilter, smooth_offline
from edgeavatar.pose import rotation_of, to_picture
from edgeavatar.types import FaceObservation, HeadPose

RATE_HZ = 25.0


@pytest.fixture(scope="module")
def make_face(canonical: CanonicalMesh) -> Callable[..., FaceObservation]:
    irises = np.tile(canonical.vertices[[33]], (10, 1))
    points = np.concatenate([canonical.vertices, irises])

    def make(
        *,
        open_cm: float = 0.0,
        x: float = 300.0,
        yaw_deg: float = 0.0,
        noise_px: float = 0.0,
        seed: int = 0,
    ) -> FaceObservation:
        shaped = points.copy()
        shaped[list(topology.INNER_LIP_LOWER), 1] -= open_cm
        pose = HeadPose(
            rotation_of(yaw_deg, 0, 0), np.array([x, 200, 0], np.float32), 14.5, yaw_deg, 0, 0
        )
        landmarks = to_picture(shaped, pose)
        if noise_px:
            noise = np.random.default_rng(seed).normal(0, noise_px, landmarks.shape)
            landmarks = landmarks + noise.astype(np.float32)
        weights = np.full(52, open_cm / 4, np.float32)
        return FaceObservation(landmarks, 1.0, solve_pose(landmarks, canonical), weights)

    return make


def _gaps(faces: list[FaceObservation]) -> np.ndarray:
    return np.array([inner_lip_gap(face.landmarks) for face in faces])


def _landmarks(faces: list[FaceObservation]) -> np.ndarray:
    return np.array([face.landmarks for face in faces])


def _offline(faces: list[FaceObservation], radius: int = 3) -> list[FaceObservation]:
    smooth = [face for face in smooth_offline(faces, radius=radius) if face is not None]
    assert len(smooth) == len(faces)
    return smooth


def _causal(faces: list[FaceObservation]) -> list[FaceObservation]:
    smoother = CausalSmoother(RATE_HZ)
    return [face for face in map(smoother.update, faces) if face is not None]


@pytest.mark.parametrize("smooth", [_offline, _causal])
def test_noise_shrinks(
    make_face: Callable[..., FaceObservation],
    smooth: Callable[[list[FaceObservation]], list[FaceObservation]],
) -> None:
    noisy = [make_face(noise_px=0.2, seed=seed) for seed in range(60)]
    before, after = jitter(_landmarks(noisy)), jitter(_landmarks(smooth(noisy)))
    assert before > 0.4
    assert after < 0.5 * before


def test_speech_is_left_as_it_was_measured(make_face: Callable[..., FaceObservation]) -> None:
    # Closures of two frames, as in "papa" at 25 frames per second.
    opened = [1.0, 1.2, 1.0, 0.0, 0.0, 0.8, 1.2, 0.9, 0.0, 0.1] * 3
    talking = [make_face(open_cm=gap, noise_px=0.1, seed=index) for index, gap in enumerate(opened)]
    before, after = _gaps(talking), _gaps(_offline(talking))
    np.testing.assert_allclose(after, before, atol=0.004)
    closed = np.array(opened) < 0.2
    assert (after - before)[closed].max() < 0.002
    assert after[closed].max() + 0.02 < after[~closed].min()
    weights = np.array([face.blendshapes[25] for face in _offline(talking)])
    np.testing.assert_allclose(weights, np.array(opened) / 4, atol=0.02)


def test_the_offline_filter_has_no_lag(make_face: Callable[..., FaceObservation]) -> None:
    times = np.arange(60) / RATE_HZ
    faces = [
        make_face(yaw_deg=15 * np.sin(2 * np.pi * t), x=300 + 20 * np.sin(2 * np.pi * t))
        for t in times
    ]
    yaw = np.array([face.pose.yaw_deg for face in faces])
    smooth = np.array([face.pose.yaw_deg for face in _offline(faces)])
    # Shaking the head once per second by 15 degrees.
    np.testing.assert_allclose(smooth, yaw, atol=0.15)


def test_reversed_in_time_the_offline_filter_does_the_same(
    make_face: Callable[..., FaceObservation],
) -> None:
    faces = [
        make_face(open_cm=0.5 + 0.5 * np.sin(index / 3), x=300 + index, noise_px=0.3, seed=index)
        for index in range(25)
    ]
    forward = _landmarks(_offline(faces))
    backward = _landmarks(_offline(faces[::-1]))[::-1]
    np.testing.assert_allclose(forward, backward, atol=1e-3)


def test_gaps_and_cuts_are_not_smoothed_over(make_face: Callable[..., FaceObservation]) -> None:
    here = [make_face(x=200) for _ in range(6)]
    there = [make_face(x=500) for _ in range(6)]
    for stream in ([*here, *there], [*here, None, *there]):
        smooth = list(smooth_offline(stream))
        assert [face is None for face in smooth] == [face is None for face in stream]
        for before, after in zip(stream, smooth, strict=True):
            if before is not None and after is not None:
                np.testing.assert_allclose(after.landmarks, before.landmarks, atol=1e-2)
        smoother = CausalSmoother(RATE_HZ)
        for before in stream:
            after = smoother.update(before)
            assert (after is None) == (before is None)
            if before is not None and after is not None:
                np.testing.assert_allclose(after.landmarks, before.landmarks, atol=1e-2)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7, 20])
def test_every_frame_comes_out_once(make_face: Callable[..., FaceObservation], count: int) -> None:
    faces = [make_face(x=300 + 2 * index) for index in range(count)]
    smooth = _offline(faces, radius=3)
    for before, after in zip(faces, smooth, strict=True):
        assert after.score == before.score
        np.testing.assert_allclose(after.landmarks, before.landmarks, atol=0.05)


def test_the_offline_filter_holds_a_window_only(
    make_face: Callable[..., FaceObservation],
) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def source() -> Iterator[FaceObservation]:
        nonlocal most
        for index in range(15):
            face = make_face(x=300.0 + index)
            alive.append(weakref.ref(face.landmarks))
            yield face
            del face
            gc.collect()
            most = max(most, sum(reference() is not None for reference in alive))

    for _ in smooth_offline(source(), radius=2):
        pass
    assert 5 <= most <= 7


def test_wrong_settings(make_face: Callable[..., FaceObservation]) -> None:
    with pytest.raises(ValueError, match="radius >= 1"):
        list(smooth_offline([make_face()], radius=0))
    with pytest.raises(ValueError, match="noise_cm >= 0"):
        list(smooth_offline([make_face()], noise_cm=-1))


def test_no_noise_leaves_the_face_alone(make_face: Callable[..., FaceObservation]) -> None:
    faces = [make_face(open_cm=0.02 * (index % 2)) for index in range(9)]
    smooth = [face for face in smooth_offline(faces, noise_cm=0) if face is not None]
    np.testing.assert_allclose(_gaps(smooth), _gaps(faces), atol=1e-5)


def test_one_euro_filter_follows_the_published_formula() -> None:
    rate, min_cutoff, beta = 50.0, 1.0, 0.5
    signal = np.cumsum(np.random.default_rng(0).normal(0, 1, 40))
    smoother = OneEuroFilter(rate, min_cutoff_hz=min_cutoff, beta=beta)

    def share(cutoff: float) -> float:
        tau = 1 / (2 * np.pi * cutoff)
        return 1 / (1 + tau * rate)

    value, speed = signal[0], 0.0
    expected = [value]
    for sample in signal[1:]:
        speed += share(1.0) * ((sample - value) * rate - speed)
        value += share(min_cutoff + beta * abs(speed)) * (sample - value)
        expected.append(value)
    found = [smoother.update(np.array([[sample]]))[0, 0] for sample in signal]
    np.testing.assert_allclose(found, expected)


def test_a_real_talking_face_keeps_its_range(
    shared_data: Path,
    tracker: FaceTracker,
    read_frames: Callable[..., list[np.ndarray]],
) -> None:
    faces = [
        face
        for frame in read_frames(shared_data / "grid_s1" / "bbal7s.mp4")
        if (face := tracker.track(frame)) is not None
    ]
    before, offline, causal = _gaps(faces), _gaps(_offline(faces)), _gaps(_causal(faces))
    assert np.std(offline) > 0.99 * np.std(before)
    assert np.std(causal) > 0.95 * np.std(before)
    assert np.corrcoef(before, offline)[0, 1] > 0.995
    assert np.corrcoef(before, causal)[0, 1] > 0.98
