"""The neural renderer: the geometric one's layers, mixed and relit by a small net.

The warp, the modelled interior and another moment of the same person are the layers; the net
(``export/nets/painter.py``) decides where each of them shows between and on the lips, in what
light, and how the light on moved skin changes. It draws no texture, so what is shown is as sharp
as the source and as steady as the layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar import zoo
from edgeavatar.errors import IntegrityError
from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr, planes_to_bgr
from edgeavatar.kernels.relight import relight_frame
from edgeavatar.kernels.warp import rasterise_field
from edgeavatar.rendering.geometric import GeometricRenderer, lip_rim
from edgeavatar.rendering.layers import (
    SHIFT_NODES,
    MouthCrop,
    crop_mouth,
    draw_interior,
    draw_layers,
)
from edgeavatar.rendering.mesh import warp_points
from edgeavatar.rendering.softness import camera_softness

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.backends.base import BackendChoice, DeviceChoice, Session
    from edgeavatar.rendering.geometric import Box
    from edgeavatar.rendering.geometry import Person
    from edgeavatar.rendering.interior import InteriorLight, InteriorModel, MouthInside
    from edgeavatar.rendering.layers import MouthLayers
    from edgeavatar.rendering.mesh import WarpMesh
    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame, HeadPose

PAINTER = "mouth_painter.onnx"
SIZE = 256
"""Pixels along a side of what the net is given."""
INPUTS = 14
SHIFT_PX = 16.0
"""Pixels that count as 1 in the shift."""


def open_painter(
    backend: BackendChoice = "auto", device: DeviceChoice = "auto", threads: int | None = None
) -> Session:
    """Open the net that ships with edgeavatar.

    Parameters
    ----------
    backend, device, threads
        See :func:`edgeavatar.backends.open_session`.

    Raises
    ------
    ModelNotFound, IntegrityError
        If the net is missing or damaged.
    """
    from edgeavatar.backends import open_session

    session = open_session(zoo.own_file(PAINTER), backend=backend, device=device, threads=threads)
    shapes = {spec.name: spec.shape for spec in (*session.inputs, *session.outputs)}
    eighth = SIZE // 8
    wanted = {
        "layers": (1, INPUTS, SIZE, SIZE),
        "colour": (1, 3, SIZE, SIZE),
        "alpha": (1, 1, SIZE, SIZE),
        "gain": (1, 1, eighth, eighth),
    }
    if shapes != wanted:
        session.close()
        raise IntegrityError(f"{session.path}: expected {wanted}, found {shapes}; reinstall it")
    return session


@dataclass(frozen=True, slots=True)
class ReferenceMouth:
    """Another moment of the same person, whose inside of the mouth shows."""

    picture: ByteArray
    """``(s, s, 3)`` BGR: the square around the mouth."""
    points: FloatArray
    """``(766, 2)``: landmarks and rings in px of the square."""

    def warped(self, targets: FloatArray, mesh: WarpMesh) -> ByteArray:
        """Bring it to landmarks and rings ``(766, 2)`` in px of the square."""
        size = self.picture.shape[0]
        step = size / SHIFT_NODES
        field = rasterise_field(
            targets,
            self.points - targets,
            mesh.triangles,
            mesh.reach,
            (0, 0),
            step,
            (SHIFT_NODES + 1, SHIFT_NODES + 1),
        )
        nodes = np.arange(size, dtype=np.float32) / np.float32(step)
        at = np.broadcast_to(nodes, (size, size))
        fine = cv2.remap(field, at, np.ascontiguousarray(at.T), cv2.INTER_LINEAR)
        x = np.arange(size, dtype=np.float32)
        return np.asarray(
            cv2.remap(
                self.picture,
                fine[..., 0] + x[None, :],
                fine[..., 1] + x[:, None],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )


def reference_mouth(frame: Frame, face: FaceObservation, lip_line_cm: float) -> ReferenceMouth:
    """Keep what a frame shows of a mouth.

    Parameters
    ----------
    frame, face
        A moment at which the mouth is open.
    lip_line_cm
        See :attr:`~edgeavatar.rendering.geometry.Person.lip_line_cm`.
    """
    crop = crop_mouth(face.pose, lip_line_cm, SIZE)
    return ReferenceMouth(crop.cut(frame_to_bgr(frame)), crop.points(warp_points(face.landmarks)))


class NeuralRenderer(GeometricRenderer):
    """Warps one person's frames and has a net paint the mouth.

    Parameters
    ----------
    person, face_triangles, interior, light
        As for :class:`~edgeavatar.rendering.geometric.GeometricRenderer`.
    painter
        From :func:`open_painter`; the caller closes it.
    reference
        Another moment of the same person, if the source has one.
    """

    def __init__(
        self,
        person: Person,
        face_triangles: npt.NDArray[np.int32],
        interior: InteriorModel,
        light: InteriorLight,
        painter: Session,
        reference: ReferenceMouth | None = None,
    ) -> None:
        super().__init__(person, face_triangles, interior, light)
        self._painter = painter
        self.reference = reference
        self._given = np.zeros((1, INPUTS, SIZE, SIZE), np.float32)

    def _fill_mouth(
        self,
        warped: Frame,
        source: Frame,
        face: FaceObservation,
        pose: HeadPose,
        targets: FloatArray,
        inside: MouthInside,
    ) -> Frame:
        crop = crop_mouth(pose, self._person.lip_line_cm, SIZE)
        box = _box_of(crop, warped)
        if box is None:
            return warped
        rim = lip_rim(targets)
        layers = draw_layers(
            crop,
            _cut(warped, crop, box),
            (warp_points(face.landmarks), targets),
            (self.mesh.triangles, self.mesh.reach),
            draw_interior(
                self._interior,
                crop,
                pose,
                inside,
                self._light,
                rim,
                camera_softness(source, face),
            ),
            rim,
            None
            if self.reference is None
            else self.reference.warped(crop.points(targets), self.mesh),
        )
        made = self._painter.run({"layers": _as_input(layers, self._given)})
        x0, y0, x1, y1 = box
        size = (x1 - x0, y1 - y0)
        gain = _placed(made["gain"][0, 0], crop, box, 8, outside=1.0)
        lit = relight_frame(warped, gain, x0, y0)
        # A small face takes fewer pixels than were painted; skipping some would make it flicker.
        step = 1 << min(5, max(0, math.floor(math.log2(crop.scale))))
        small = (SIZE // step, SIZE // step)
        thin = cv2.resize(made["alpha"][0, 0], small, interpolation=cv2.INTER_AREA)
        alpha = _placed(thin, crop, box, step, outside=0.0)
        if not alpha.any():
            return lit
        colour = made["colour"][0, ::-1].transpose(1, 2, 0) * np.float32(255.0)
        picture = cv2.warpAffine(
            cv2.resize(np.rint(colour).astype(np.uint8), small, interpolation=cv2.INTER_AREA),
            _onto_box(crop, box, step),
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        painted = blend_frame(
            lit, bgr_to_planes(np.asarray(picture, np.uint8), source.colour), alpha, x0, y0
        )
        return self._own_teeth(painted, source, face, pose, targets)


def _box_of(crop: MouthCrop, frame: Frame) -> Box | None:
    """Even box of the picture around the square; None if nothing of it lies in the picture."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64) * (crop.size - 1)
    inverse = cv2.invertAffineTransform(crop.matrix)
    places = corners @ inverse[:, :2].T + inverse[:, 2]
    x0, y0 = (max(0, math.floor(v)) & ~1 for v in places.min(0))
    x1 = min(frame.width & ~1, (math.ceil(places[:, 0].max()) + 2) & ~1)
    y1 = min(frame.height & ~1, (math.ceil(places[:, 1].max()) + 2) & ~1)
    return (x0, y0, x1, y1) if x1 - x0 >= 2 and y1 - y0 >= 2 else None


def _cut(frame: Frame, crop: MouthCrop, box: Box) -> ByteArray:
    """Cut the square out of a frame, converting no more of it than needed."""
    matrix = crop.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ np.array(box[:2], np.float64)
    return MouthCrop(crop.size, matrix).cut(planes_to_bgr(frame, *box))


def _onto_box(crop: MouthCrop, box: Box, step: int) -> npt.NDArray[np.float64]:
    """Affine map from a picture of the square, of every ``step``-th pixel, to a box."""
    inverse = cv2.invertAffineTransform(crop.matrix)
    # Pixel k of the small picture is the middle of step pixels.
    turn = inverse[:, :2] * step
    shift = inverse[:, :2] @ np.full(2, (step - 1) / 2.0) + inverse[:, 2]
    shift -= np.array(box[:2], np.float64)
    return np.concatenate([turn, shift[:, None]], axis=1)


def _placed(
    values: FloatArray, crop: MouthCrop, box: Box, step: int, *, outside: float
) -> FloatArray:
    """Draw a map over the square into a box of the picture."""
    x0, y0, x1, y1 = box
    drawn = cv2.warpAffine(
        np.ascontiguousarray(values),
        _onto_box(crop, box, step),
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=outside,
    )
    return np.asarray(drawn, np.float32)


def _as_input(layers: MouthLayers, out: FloatArray) -> FloatArray:
    """Write layers into ``(1, 14, s, s)`` as the net was trained with them."""
    scale = np.float32(1.0 / 255.0)
    side = (SIZE, SIZE)
    np.multiply(layers.warped[..., ::-1].transpose(2, 0, 1), scale, out=out[0, 0:3])
    np.multiply(layers.interior[..., ::-1].transpose(2, 0, 1), scale, out=out[0, 3:6])
    out[0, 6], out[0, 7] = layers.cavity, layers.lips
    shift = cv2.resize(layers.shift / np.float32(SHIFT_PX), side, interpolation=cv2.INTER_LINEAR)
    out[0, 8:10] = shift.transpose(2, 0, 1)
    if layers.reference is None:
        out[0, 10:] = 0.0
    else:
        np.multiply(layers.reference[..., ::-1].transpose(2, 0, 1), scale, out=out[0, 10:13])
        out[0, 13] = 1.0
    return out
