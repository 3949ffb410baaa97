"""The renderer for people who hold weights of Wav2Lip: a net paints the mouth of the sound.

The net (``export/nets/wav2lip.py``; Prajwal et al. 2020) is given the face at 96 pixels, as it is
and with its lower half black, and the sound of the next 0.2 s. What it gives is laid over the lower
face alone, in the colours that are around it there; the picture's own grain is kept where the net
shows what the source shows. In pauses, and as the head turns away, it fades to what the geometric
renderer makes of the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.errors import BackendError, IntegrityError, ModelNotFound
from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import bgr_to_planes, planes_to_bgr
from edgeavatar.kernels.warp import polygon_alpha
from edgeavatar.rendering.geometric import GeometricRenderer, even_box, smooth_rim
from edgeavatar.rendering.geometry import (
    SPEAKING,
    blink_displacement,
    down_axis,
    face_height_px,
    head_displacement,
    mouth_strength,
    smoothstep,
    sway_pose,
)
from edgeavatar.rendering.interior import MouthInside
from edgeavatar.rendering.layers import MouthCrop
from edgeavatar.rendering.mesh import RING_SCALES, ring_points
from edgeavatar.types import MOTION_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction
    from pathlib import Path

    import numpy.typing as npt

    from edgeavatar.backends.base import BackendChoice, DeviceChoice, Session
    from edgeavatar.rendering.geometry import Person
    from edgeavatar.rendering.interior import InteriorLight, InteriorModel
    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame, IdlePose

SIZE: Final = 96
"""Pixels along a side of what the net is given and gives."""
INPUTS: Final = {"mel": (1, 1, 80, 16), "face": (1, 6, SIZE, SIZE)}
OUTPUTS: Final = {"mouth": (1, 3, SIZE, SIZE)}
PAD: Final = 0.05
"""How far the face's box goes beyond the chin, in its heights: the published 10 px of a face 200 px
high."""
MESH: Final = 468
"""Landmarks on the skin; irises follow."""

LOWER_FACE: Final = (
    2, 98, 203, 207, 192, 214, 135, 169, 170, 140, 171,
    175, 396, 369, 395, 394, 364, 434, 416, 427, 423, 327,
)  # fmt: skip
"""Outline of what is painted: below the nose, within the cheeks, above the edge of the chin."""
EDGE: Final = 0.04
"""Width of its soft edge, in face heights; it lies inside the outline."""

RIM_PX: Final = 4.0
"""Half of the width of the band around the outline in which colours are compared, px of the net."""
REACHES_PX: Final = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Over so many px of the net a difference of colours at the rim is evened out: a place takes over
most of what is nearest, and in the middle something of all sides."""
LIKE, UNLIKE = 4.0, 16.0
"""Grey levels by which the net's picture may differ from the source's where all of the source's
grain is kept, and from where none is: an edge of lips that have moved would be seen twice."""
LIKE_PX: Final = 2.0
"""The difference is judged over so many px of the net."""


def open_generator(
    path: Path,
    backend: BackendChoice = "auto",
    device: DeviceChoice = "auto",
    threads: int | None = None,
) -> Session:
    """Open a generator that ``python -m export build wav2lip`` has written.

    Parameters
    ----------
    path
        The file.
    backend, device, threads
        See :func:`edgeavatar.backends.open_session`.

    Raises
    ------
    ModelNotFound
        There is no such file.
    IntegrityError
        It is damaged, a checkpoint that was not converted, or has other tensors than
        :data:`INPUTS` and :data:`OUTPUTS`.
    BackendError
        It does not run on that backend or device.
    """
    from edgeavatar.backends import open_session
    from edgeavatar.backends.selection import READERS

    if not path.is_file():
        raise ModelNotFound(
            f"expected a generator of the wav2lip renderer at {path}, found no file; write one from"
            " a checkpoint: python -m export build wav2lip --checkpoint FILE -o DIR"
        )
    if path.suffix not in READERS:
        raise IntegrityError(
            f"{path.name}: expected a file {', '.join(READERS)}, found {path.suffix or 'no type'};"
            " convert a checkpoint: python -m export build wav2lip --checkpoint FILE -o DIR"
        )
    try:
        # One shape lets both backends be measured against each other.
        session = open_session(
            path, backend=backend, device=device, threads=threads, input_shapes=INPUTS
        )
    except BackendError:
        with open_session(path, backend=backend, device=device, threads=threads) as other:
            _check(other)
        raise
    try:
        _check(session)
    except IntegrityError:
        session.close()
        raise
    return session


def _check(session: Session) -> None:
    wanted = INPUTS | OUTPUTS
    specs = {spec.name: spec for spec in (*session.inputs, *session.outputs)}
    fits = specs.keys() == wanted.keys() and all(
        specs[name].admits(shape) and specs[name].dtype == np.float32
        for name, shape in wanted.items()
    )
    if not fits:
        shapes = ", ".join(f"{name} float32 {list(shape)}" for name, shape in wanted.items())
        found = ", ".join(str(spec) for spec in specs.values())
        raise IntegrityError(
            f"{session.path.name}: expected {shapes}, found {found}; give a file that `python -m"
            " export build wav2lip` has written"
        )


def crop_face(face: FaceObservation) -> MouthCrop:
    """Place the box of a face, upright with the head, on a square of :data:`SIZE` px.

    It is stretched to the square, as the published boxes are.
    """
    down = down_axis(face.pose).astype(np.float64)
    axes = np.stack([np.array([down[1], -down[0]]), down])
    places = face.landmarks[:MESH, :2].astype(np.float64) @ axes.T
    low, high = places.min(0), places.max(0)
    high[1] += PAD * (high[1] - low[1])
    scale = SIZE / np.maximum(high - low, 1.0)
    # The middle of the first pixel lies half a pixel inside.
    matrix = np.concatenate([scale[:, None] * axes, (-scale * low - 0.5)[:, None]], axis=1)
    return MouthCrop(SIZE, matrix)


def as_input(crop: ByteArray) -> FloatArray:
    """Give a face as the net was trained with it.

    Parameters
    ----------
    crop
        ``(96, 96, 3)`` BGR.

    Returns
    -------
    FloatArray
        ``(1, 6, 96, 96)``, 0 to 1: with the lower half black, then whole.
    """
    whole = crop.transpose(2, 0, 1).astype(np.float32) / np.float32(255.0)
    half = whole.copy()
    half[:, SIZE // 2 :] = 0.0
    return np.concatenate([half, whole])[None]


def matched(made: FloatArray, source: FloatArray, outline: FloatArray) -> FloatArray:
    """Give a picture the colours that another one has along an outline.

    Parameters
    ----------
    made, source
        ``(96, 96, 3)`` float32, 0 to 255.
    outline
        ``(n, 2)`` float32 px.

    Returns
    -------
    FloatArray
        ``made`` with a smooth change of colour, which meets ``source`` along the outline.
    """
    cover = polygon_alpha(outline, (0, 0, SIZE, SIZE), 2.0 * RIM_PX, RIM_PX)
    rim = (4.0 * cover * (1.0 - cover))[..., None]
    away = np.concatenate([(source - made) * rim, rim], axis=2)
    # Gaussians that are wider and weaker by halves add up to a weight that falls with the cube of
    # the distance, smoothly and down to the middle.
    spread = np.sum([cv2.GaussianBlur(away, (0, 0), reach) / reach for reach in REACHES_PX], axis=0)
    return np.asarray(made + spread[..., :3] / np.maximum(spread[..., 3:], 1e-12), np.float32)


def likeness(made: FloatArray, source: FloatArray) -> FloatArray:
    """Tell where two pictures ``(96, 96, 3)``, 0 to 255, show the same: ``(96, 96)``, 0 to 1."""
    away = np.abs(made - source).max(axis=2)
    # The largest of some places, so that grain beside an edge that has moved goes as well.
    side = 2 * round(LIKE_PX) + 1
    worst = cv2.GaussianBlur(cv2.dilate(away, np.ones((side, side), np.uint8)), (0, 0), LIKE_PX)
    t = np.clip((UNLIKE - worst) / (UNLIKE - LIKE), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


class Wav2LipRenderer(GeometricRenderer):
    """Has a generator paint the lower face of one person.

    Parameters
    ----------
    person, face_triangles, interior, light
        As for :class:`~edgeavatar.rendering.geometric.GeometricRenderer`.
    generator
        From :func:`open_generator`; the caller closes it.
    hear
        From the time of a frame to the spectrum of the sound from there on, ``(80, 16)`` float32,
        see :class:`~edgeavatar.audio.mel_windows.MelWindows`; None where there is no sound.
    """

    def __init__(
        self,
        person: Person,
        face_triangles: npt.NDArray[np.int32],
        interior: InteriorModel,
        light: InteriorLight,
        generator: Session,
        hear: Callable[[Fraction], FloatArray | None],
    ) -> None:
        super().__init__(person, face_triangles, interior, light)
        self._head = _Head(person, face_triangles, interior, light)
        self._generator = generator
        self._hear = hear

    def render(
        self, frame: Frame, face: FaceObservation, row: FloatArray, idle: IdlePose | None
    ) -> Frame:
        """Give a frame the mouth of its sound and the head of ``idle``.

        ``row`` tells when there is speech and what the mouth does where there is none; see
        :meth:`GeometricRenderer.render <edgeavatar.rendering.geometric.GeometricRenderer.render>`
        for all of them. Without head movement, pixels outside of :data:`LOWER_FACE` are the same
        bits in the result while there is speech.
        """
        speaking = smoothstep(*SPEAKING, float(np.abs(row).max())) * mouth_strength(face)
        mel = self._hear(frame.time_s) if speaking > 0.0 else None
        if mel is None:
            return super().render(frame, face, row, idle)
        spoken = self.speak(frame, face, mel)
        if idle is not None:
            spoken = self._head.carry(spoken, face, idle)
        if speaking >= 1.0:
            return spoken
        share = np.full(frame.y.shape, speaking, np.float32)
        rest = super().render(frame, face, row, idle)
        return blend_frame(rest, (spoken.y, spoken.u, spoken.v), share, 0, 0)

    def speak(self, frame: Frame, face: FaceObservation, mel: FloatArray) -> Frame:
        """Lay what the net makes of a frame and a sound over the lower face.

        Parameters
        ----------
        frame
            Left unchanged; outside of :data:`LOWER_FACE` the result has the same bits.
        face
            The face in this frame, in its pixels.
        mel
            ``(80, 16)`` float32.
        """
        crop = crop_face(face)
        around = crop.box_in(frame)
        outline = smooth_rim(face.landmarks[list(LOWER_FACE), :2])
        box = even_box(outline, 2.0, frame)
        if around is None or box is None:
            return frame
        seen = crop.moved(*around[:2]).cut(planes_to_bgr(frame, *around))
        fed = {"mel": mel[None, None], "face": as_input(seen)}
        given = self._generator.run(fed)["mouth"][0].transpose(1, 2, 0)
        source = seen.astype(np.float32)
        made = np.clip(given, 0.0, 1.0) * np.float32(255.0)
        made = matched(made, source, crop.points(outline))
        # What the source has beyond 96 px is laid over it again, where both show the same.
        kept = likeness(made, source)[..., None]
        there = crop.moved(*box[:2])
        size = (box[2] - box[0], box[3] - box[1])
        coarse = _drawn(np.concatenate([made, source, kept], axis=2), there.matrix, size)
        grain = planes_to_bgr(frame, *box) - coarse[..., 3:6]
        colour = np.clip(coarse[..., :3] + coarse[..., 6:] * grain + 0.5, 0.0, 255.0)
        alpha = polygon_alpha(outline, box, EDGE * face_height_px(face))
        planes = bgr_to_planes(colour.astype(np.uint8), frame.colour)
        return blend_frame(frame, planes, alpha, *box[:2])


class _Head(GeometricRenderer):
    """Moves a head and its lids, and leaves the mouth as it is."""

    def carry(self, frame: Frame, face: FaceObservation, idle: IdlePose) -> Frame:
        """Give a frame the head of ``idle``."""
        pose = sway_pose(face, idle)
        moved = blink_displacement(face, idle)
        moved += head_displacement(face.landmarks, face.pose, pose)
        rings = head_displacement(ring_points(face.landmarks), face.pose, pose)
        rings = self._head_fade * rings.reshape(len(RING_SCALES), -1, 2)
        offsets = np.concatenate([moved, rings.reshape(-1, 2)])
        shut = MouthInside.of_row(np.zeros(len(MOTION_NAMES), np.float32))
        return self._paint(frame, face, pose, offsets, shut, idle.blink)

    def _fill_mouth(self, warped: Frame, *_: object) -> Frame:
        return warped


def _drawn(
    picture: FloatArray, matrix: npt.NDArray[np.float64], size: tuple[int, int]
) -> FloatArray:
    """Draw a square of the net, ``(96, 96, c)``, into a picture of ``size`` (width, height)."""
    parts = [
        cv2.warpAffine(
            np.ascontiguousarray(part),
            matrix,
            size,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(size[1], size[0], -1)
        # OpenCV takes at most 4 channels.
        for part in (picture[..., :3], picture[..., 3:6], picture[..., 6:])
    ]
    return np.asarray(np.concatenate(parts, axis=2), np.float32)
