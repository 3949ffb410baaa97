"""The neural renderer: the geometric one's layers, mixed and relit by a small net.

The warp, the modelled interior and another moment of the same person are the layers; the net
(``export/nets/painter.py``) decides where each of them shows between and on the lips, in what
light, and how the light on moved skin changes. It looks at 128 pixels and decides for as many;
what is mixed are the layers in the picture's own size. It draws no texture, so what is shown is as
sharp as the source and as steady as the layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from edgeavatar import zoo
from edgeavatar.errors import IntegrityError
from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import bgr_to_planes, frame_to_bgr, planes_to_bgr
from edgeavatar.kernels.mixing import mix_layers
from edgeavatar.kernels.relight import relight_frame
from edgeavatar.kernels.warp import polygon_alpha, rasterise_field
from edgeavatar.rendering.geometric import FIELD_NODES, GeometricRenderer, even_box, lip_rim
from edgeavatar.rendering.geometry import face_height_px
from edgeavatar.rendering.layers import (
    CAVITY_EDGE,
    LIP_OUTLINE,
    LIPS_BEYOND,
    LIPS_EDGE,
    SHIFT_NODES,
    SIDE_CM,
    crop_mouth,
    draw_layers,
)
from edgeavatar.rendering.lipline import closedness
from edgeavatar.rendering.mesh import warp_points
from edgeavatar.rendering.softness import camera_softness

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.backends.base import BackendChoice, DeviceChoice, Session, TunedModels
    from edgeavatar.rendering.geometric import Box
    from edgeavatar.rendering.geometry import Person
    from edgeavatar.rendering.interior import InteriorLight, InteriorModel, MouthInside
    from edgeavatar.rendering.layers import MouthCrop, MouthLayers
    from edgeavatar.rendering.mesh import WarpMesh
    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame, HeadPose

PainterSize = Literal["full", "small"]
PAINTERS: dict[PainterSize, str] = {
    "full": "mouth_painter.onnx",
    "small": "mouth_painter_small.onnx",
}
SIZE = 128
"""Pixels along a side of what the net is given."""
INPUTS = 14
SHIFT_PX = 8.0
"""Pixels that count as 1 in the shift."""
GAIN_STEP = 4
"""Pixels along a side that share a gain of brightness."""
RIM_SHARE = 0.7
"""Width of the cavity's soft edge over the softness of the picture: on dim film the edge of lips is
no harder than that of anything else. At 0.7 it is as hard as that of 24 clips really is."""
REFERENCE_SIDE = (128, 512)
"""Bounds of a reference's side in px; between them it is cut at the picture's own scale."""


def open_painter(
    backend: BackendChoice = "auto",
    device: DeviceChoice = "auto",
    threads: int | None = None,
    *,
    size: PainterSize = "full",
    tuned: TunedModels | None = None,
) -> Session:
    """Open a net that ships with edgeavatar.

    Parameters
    ----------
    backend, device, threads, tuned
        See :func:`edgeavatar.backends.open_session`.
    size
        ``small`` takes less than half the time and is a little less true to what is seen.

    Raises
    ------
    ModelNotFound, IntegrityError
        If the net is missing or damaged.
    """
    from edgeavatar.backends import open_session

    path = zoo.own_file(PAINTERS[size])
    session = open_session(path, backend=backend, device=device, threads=threads, tuned=tuned)
    shapes = {spec.name: spec.shape for spec in (*session.inputs, *session.outputs)}
    wanted = {
        "layers": (1, INPUTS, SIZE, SIZE),
        "wishes": (1, 3, SIZE, SIZE),
        "tints": (1, 6),
        "gain": (1, 1, SIZE // GAIN_STEP, SIZE // GAIN_STEP),
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

    def warped(self, targets: FloatArray, mesh: WarpMesh, box: Box, step: float) -> ByteArray:
        """Bring it to landmarks and rings in px of some picture, and give a box of that picture.

        Parameters
        ----------
        targets
            ``(766, 2)`` px.
        mesh
            Over them.
        box
            Left, top, right, bottom (exclusive).
        step
            Px between the nodes of the displacement field.

        Returns
        -------
        ByteArray
            ``(bottom - top, right - left, 3)`` BGR.
        """
        x0, y0, x1, y1 = box
        shape = (math.ceil((y1 - y0) / step) + 1, math.ceil((x1 - x0) / step) + 1)
        field = rasterise_field(
            targets, self.points - targets, mesh.triangles, mesh.reach, (x0, y0), step, shape
        )
        y, x = np.mgrid[: y1 - y0, : x1 - x0].astype(np.float32)
        fine = cv2.remap(field, x / np.float32(step), y / np.float32(step), cv2.INTER_LINEAR)
        return np.asarray(
            cv2.remap(
                self.picture,
                fine[..., 0] + (x + np.float32(x0)),
                fine[..., 1] + (y + np.float32(y0)),
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
    size = int(np.clip(round(SIDE_CM * face.pose.scale_px), *REFERENCE_SIDE))
    crop = crop_mouth(face.pose, lip_line_cm, size)
    return ReferenceMouth(crop.cut(frame_to_bgr(frame)), crop.points(warp_points(face.landmarks)))


class NeuralRenderer(GeometricRenderer):
    """Warps one person's frames and has a net paint the mouth.

    Parameters
    ----------
    person, face_triangles, interior, light, teeth_seen
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
        *,
        teeth_seen: bool = True,
    ) -> None:
        super().__init__(person, face_triangles, interior, light, teeth_seen=teeth_seen)
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
        side_px = SIZE / crop.scale
        outline = targets[list(LIP_OUTLINE)]
        square = crop.box_in(warped)
        box = even_box(outline, 2.0 + LIPS_BEYOND * side_px, warped)
        if square is None or box is None:
            return warped
        rim = lip_rim(targets)
        softness = camera_softness(source, face)
        interior = self._draw_inside(pose, inside, rim, box, softness)
        opening = polygon_alpha(rim, box, max(0.8, CAVITY_EDGE * side_px, RIM_SHARE * softness))
        apart = np.float32(1.0 - closedness(face))
        if apart > 0 and self.reference is None:
            # The net was taught on sources with closed lips; what it leaves of the source between
            # parted ones would be teeth that were stretched with the lips, a second row. Beside a
            # reference it leaves little, and 24 clips are truer with it: SSIM .882 for .878.
            planes = bgr_to_planes(interior, source.colour)
            warped = blend_frame(warped, planes, apart * opening, *box[:2])
        there = crop.moved(*box[:2])
        layers = draw_layers(
            crop,
            crop.moved(*square[:2]).cut(planes_to_bgr(warped, *square)),
            (warp_points(face.landmarks), targets),
            (self.mesh.triangles, self.mesh.reach),
            there.cut(interior, beyond_black=True),
            rim,
            self._referred(crop.points(targets), (0, 0, SIZE, SIZE), SIZE / SHIFT_NODES),
        )
        made = self._painter.run({"layers": _as_input(layers, self._given)})
        gain = _placed(made["gain"][0, 0], crop, square, GAIN_STEP, outside=1.0)
        lit = relight_frame(warped, gain, *square[:2])
        colour, alpha = mix_layers(
            interior,
            self._referred(targets, box, max(1.0, face_height_px(face) / FIELD_NODES)),
            opening,
            polygon_alpha(outline, box, LIPS_EDGE * side_px, LIPS_BEYOND * side_px),
            made["wishes"][0],
            made["tints"][0, [2, 1, 0, 5, 4, 3]],
            there.matrix,
        )
        if not alpha.any():
            return lit
        painted = blend_frame(lit, bgr_to_planes(colour, source.colour), alpha, *box[:2])
        # Each frame's own teeth and those of the reference never agree quite.
        beside = self.reference is not None
        return self._own_teeth(painted, source, face, pose, targets, beside_others=beside)

    def _referred(self, targets: FloatArray, box: Box, step: float) -> ByteArray | None:
        return (
            None if self.reference is None else self.reference.warped(targets, self.mesh, box, step)
        )


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
