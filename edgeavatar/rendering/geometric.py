"""The geometric renderer: the person's own pixels, moved, over a modelled mouth interior.

No weights are involved. Lips, jaw and cheeks are the source's own pixels at the source's own
sharpness, pulled by a mesh; only where the lips part is something painted that the source does not
show. It is the baseline that every other renderer is measured against, and their fallback.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from edgeavatar.kernels.blend import blend_frame
from edgeavatar.kernels.colour import bgr_to_planes
from edgeavatar.kernels.warp import polygon_alpha, rasterise_field, warp_plane
from edgeavatar.rendering.far_side import hidden_share, on_outline, with_the_seen
from edgeavatar.rendering.geometry import (
    EYE_CORNERS,
    LOWER_LIDS,
    UPPER_LIDS,
    Person,
    blink_displacement,
    down_axis,
    face_height_px,
    head_displacement,
    lip_displacement,
    mouth_displacement,
    smoothstep,
    sway_pose,
)
from edgeavatar.rendering.interior import InteriorLight, InteriorModel, MouthInside
from edgeavatar.rendering.lip_rows import (
    INNER_CORNERS,
    LOWER_INNER_LIP,
    LOWER_LIP_ROWS,
    UPPER_INNER_LIP,
    UPPER_LIP_ROWS,
)
from edgeavatar.rendering.lipline import closedness, lip_edge_offsets, lip_gap, move_lip_edges
from edgeavatar.rendering.mesh import (
    FACE_OVAL,
    HEAD_REACH,
    HEAD_RIGID,
    MOUTH_REACH,
    RING_SCALES,
    WarpMesh,
    fade,
    ring_points,
    warp_points,
)
from edgeavatar.rendering.shapes import smooth_normals
from edgeavatar.rendering.softness import camera_softness, softened
from edgeavatar.types import Frame

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, HeadPose, IdlePose

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom (exclusive) in even luma pixels."""

FIELD_NODES = 240
"""Nodes of the displacement field along one face height: 1 to 3 px apart in common videos."""
COVERING_NODES = 600
"""The same while lids or lips close over what the source shows: they part as sharply as nodes."""
BORDER_FADE = 0.05
"""Band along the picture's border, in face heights, in which movement fades: what lies beyond the
border is not known."""
LIP_EDGE = 0.006
"""Width, in face heights, of the edge between lip and teeth in a common video."""
LIP_TAKEN = 0.6
"""Most of a lip, as the model sees it, that may be left out at its edge."""
OWN_SHOWN = (0.3, 0.8)
"""Openings of the source over the one to be made between which its own teeth come to show. What a
slit shows, stretched over an open mouth, is dark or striped, and comes and goes as the source
talks: on six clips that were trained on, beside a reference, the cavity's error is 16.2 with these
bounds and 17.3 without, and changes by 15.2 levels a frame and not 16.9."""
WELL_SHOWN = (0.022, 0.034)
"""Gaps in face heights between which they come to show whatever is made, where there are no others:
a smile keeps its teeth in the widest mouth."""
RIM_SOFTNESS = 0.006
"""Width, in face heights, over which the interior fades in inside the lips' rim."""

TOOTH_BARED = 0.02
"""Most tooth, in face heights, that is made up for above what the source shows: about 4 mm, after
which a crown has come to its end and gums follow."""
TOOTH_STRETCHED = 0.6
"""Part of the shown height of the teeth that is stretched for it: their tips keep their form."""


class MouthRenderer(Protocol):
    """Anything that gives a frame a new mouth."""

    def render(
        self, frame: Frame, face: FaceObservation, row: FloatArray, idle: IdlePose | None
    ) -> Frame:
        """Return the frame with the mouth of ``row`` (and the head of ``idle``)."""
        ...


class GeometricRenderer:
    """Warps one person's frames and fills the opened mouth.

    Parameters
    ----------
    person
        From :func:`~edgeavatar.rendering.geometry.fit_person`.
    face_triangles
        ``(898, 3)`` int32, the canonical face mesh.
    interior
        The modelled teeth, gums and tongue.
    light
        The light on the face.
    teeth_seen
        Whether the source showed teeth at all; if not, what is seen through a slit is not taken for
        them.
    """

    def __init__(
        self,
        person: Person,
        face_triangles: npt.NDArray[np.int32],
        interior: InteriorModel,
        light: InteriorLight,
        *,
        teeth_seen: bool = True,
    ) -> None:
        self._light = light
        self._teeth_seen = teeth_seen
        self._person = person
        self.mesh = WarpMesh.build(face_triangles)
        self._outwards = smooth_normals(person.neutral_cm, face_triangles)
        self._interior = interior
        self._mouth_fade = fade(MOUTH_REACH)[:, None, None]
        self._head_fade = fade(HEAD_REACH, HEAD_RIGID)[:, None, None]

    def render(
        self, frame: Frame, face: FaceObservation, row: FloatArray, idle: IdlePose | None
    ) -> Frame:
        """Give a frame the mouth of ``row`` and the head of ``idle``.

        Parameters
        ----------
        frame
            Left unchanged; pixels outside the moved region are the same bits in the result.
        face
            The face in this frame, in its pixels.
        row
            ``(26,)`` float32, order of :data:`~edgeavatar.types.MOTION_NAMES`.
        idle
            Head sway and blink of a still picture; None for filmed heads.
        """
        mouth = mouth_displacement(face, self._person, row)
        hidden = hidden_share(self._outwards, face.pose)
        face = replace(face, landmarks=on_outline(face, hidden))
        mouth = with_the_seen(mouth, face, hidden)
        rings = ring_points(face.landmarks)
        moved = mouth
        ring_moved = self._mouth_fade * mouth[list(FACE_OVAL)][None]
        pose = face.pose
        blink = 0.0
        if idle is not None:
            pose = sway_pose(face, idle)
            blink = idle.blink
            moved = mouth + blink_displacement(face, idle)
            moved += head_displacement(face.landmarks, face.pose, pose)
            head = head_displacement(rings, face.pose, pose).reshape(len(RING_SCALES), -1, 2)
            ring_moved = ring_moved + self._head_fade * head
        offsets = np.concatenate([moved, ring_moved.reshape(-1, 2)])
        return self._paint(frame, face, pose, offsets, MouthInside.of_row(row), blink)

    def reenact(
        self,
        frame: Frame,
        face: FaceObservation,
        landmarks: FloatArray,
        pose: HeadPose,
        inside: MouthInside,
    ) -> Frame:
        """Give a frame the landmarks of another one, however they came about.

        Parameters
        ----------
        frame, face
            As for :meth:`render`.
        landmarks
            ``(478, 2)`` float32, px of ``frame``.
        pose
            Head pose of ``landmarks``.
        inside
            What the row would have told of jaw and tongue.
        """
        moved = landmarks - face.landmarks[:, :2]
        oval = moved[list(FACE_OVAL)]
        rings = np.concatenate([share * oval for share in fade(HEAD_REACH, HEAD_RIGID)])
        return self._paint(frame, face, pose, np.concatenate([moved, rings]), inside, 0.0)

    def _paint(
        self,
        frame: Frame,
        face: FaceObservation,
        pose: HeadPose,
        offsets: FloatArray,
        inside: MouthInside,
        blink: float,
    ) -> Frame:
        """Move landmarks and rings by ``offsets`` px; fill eyes that blink and the mouth."""
        points = warp_points(face.landmarks)
        if not np.abs(offsets).max() > 1.0 / 64.0:
            return frame
        region = _moving_region(points, offsets, frame)
        if region is None:
            return frame
        edges = lip_edge_offsets(frame, face)
        sources, targets = _with_rims(face, edges, points, points + offsets)
        apart = 1.0 - closedness(face)
        # So many cost six times as much: only as far as there is something to cover.
        covering = 1.0 if blink > 0 else apart
        nodes = FIELD_NODES + (COVERING_NODES - FIELD_NODES) * covering
        # The interior fades in over a band inside the rims: lips have to fill it, and not what the
        # source shows between them, squeezed together.
        reach = LIP_EDGE * face_height_px(face) * apart
        face = replace(face, landmarks=move_lip_edges(face, edges))
        warped = self._warp(frame, sources, targets, region, face_height_px(face) / nodes, reach)
        if blink > 0:
            warped = self._fill_eyes(warped, frame, face, pose, targets)
        return self._fill_mouth(warped, frame, face, pose, targets, inside)

    def _warp(
        self,
        frame: Frame,
        sources: FloatArray,
        targets: FloatArray,
        region: Box,
        step_px: float,
        lip_reach_px: float,
    ) -> Frame:
        x0, y0, x1, y1 = region
        step = max(1.0, step_px)
        shape = (math.ceil((y1 - y0) / step) + 2, math.ceil((x1 - x0) / step) + 2)
        order = self.mesh.back_to_front(sources, targets)
        field = rasterise_field(
            targets,
            sources - targets,
            self.mesh.triangles[order],
            self.mesh.reach_of_lips(lip_reach_px / step)[order],
            (x0, y0),
            step,
            shape,
        )
        _fade_at_border(field, (x0, y0), step, frame, BORDER_FADE * float(np.ptp(sources[:478, 1])))
        y, u, v = frame.y.copy(), frame.u.copy(), frame.v.copy()
        warp_plane(frame.y, field, (x0, y0), step, region, subsampled=False, out=y)
        box = (x0 // 2, y0 // 2, min(x1 // 2, u.shape[1]), min(y1 // 2, u.shape[0]))
        warp_plane(frame.u, field, (x0, y0), step, box, subsampled=True, out=u)
        warp_plane(frame.v, field, (x0, y0), step, box, subsampled=True, out=v)
        return Frame(frame.index, frame.time_s, y, u, v, frame.colour, frame.source_index)

    def _fill_eyes(
        self,
        warped: Frame,
        source: Frame,
        face: FaceObservation,
        pose: HeadPose,
        targets: FloatArray,
    ) -> Frame:
        """Keep the eyeballs in place behind the lids that move over them."""
        softness = max(0.8, RIM_SOFTNESS * face_height_px(face))
        for upper, lower, (outer, inner) in zip(UPPER_LIDS, LOWER_LIDS, EYE_CORNERS, strict=True):
            rim = smooth_rim(targets[[outer, *upper, inner, *reversed(lower)]])
            box = even_box(rim, 2.0 + softness, warped)
            if box is None:
                continue
            alpha = polygon_alpha(rim, box, softness)
            if alpha.any():
                planes = _shifted_planes(source, face, pose, box, (outer, inner))
                warped = blend_frame(warped, planes, alpha, box[0], box[1])
        return warped

    def _fill_mouth(
        self,
        warped: Frame,
        source: Frame,
        face: FaceObservation,
        pose: HeadPose,
        targets: FloatArray,
        inside: MouthInside,
    ) -> Frame:
        softness = max(0.8, RIM_SOFTNESS * face_height_px(face))
        rim = lip_rim(targets)
        box = even_box(rim, 2.0 + softness, warped)
        if box is None:
            return warped
        alpha = polygon_alpha(rim, box, softness)
        if not alpha.any():
            return warped
        picture = self._draw_inside(pose, inside, rim, box, camera_softness(source, face))
        filled = blend_frame(warped, bgr_to_planes(picture, source.colour), alpha, *box[:2])
        return self._own_teeth(filled, source, face, pose, targets)

    def _draw_inside(
        self, pose: HeadPose, inside: MouthInside, rim: FloatArray, box: Box, softness_px: float
    ) -> ByteArray:
        """Draw the modelled inside in a box of the picture, ``(h, w, 3)`` BGR."""
        x0, y0, x1, y1 = box
        picture = self._interior.render(
            pose=pose,
            **asdict(inside),
            region_xyxy=(float(x0), float(y0), float(x1), float(y1)),
            size=(x1 - x0, y1 - y0),
            light=self._light,
            lip_polygon=rim,
        )
        return softened(picture, softness_px)

    def _own_teeth(
        self,
        filled: Frame,
        source: Frame,
        face: FaceObservation,
        pose: HeadPose,
        targets: FloatArray,
        *,
        beside_others: bool = False,
    ) -> Frame:
        """Put back what the source shows between its own lips: the person's own teeth.

        They stay with the skull while the lips move over them. ``face`` has its rims on the edges
        of the lips, see :func:`~edgeavatar.rendering.lipline.lip_edge_offsets`; with
        ``beside_others`` there are real teeth already, so that a slit's are not needed.
        """
        down = down_axis(face.pose)
        shown, made = (_opening(points, down) for points in (face.landmarks[:, :2], targets))
        share = smoothstep(*OWN_SHOWN, shown / made) if self._teeth_seen else 0.0
        if not beside_others:
            share = max(share, smoothstep(*WELL_SHOWN, lip_gap(face)))
        apart = share * (1.0 - closedness(face))
        softness = max(0.8, RIM_SOFTNESS * face_height_px(face))
        rim = lip_rim(targets)
        box = even_box(rim, 2.0 + softness, filled)
        if apart <= 0 or box is None:
            return filled
        carried = face.landmarks[:, :2] + _head_shift(face, pose, INNER_CORNERS)
        stretch = _ToothStretch.under(carried, targets, down_axis(pose), face_height_px(face))
        own_alpha = polygon_alpha(rim, box, softness) * np.float32(apart)
        own_alpha *= polygon_alpha(stretch.rim(carried, softness), box, 2.0 * softness)
        step = max(1.0, face_height_px(face) / FIELD_NODES)
        field = stretch.field(box, step) - _head_shift(face, pose, INNER_CORNERS)
        planes = _planes_through(source, field, box, step)
        return blend_frame(filled, planes, own_alpha, box[0], box[1])


def _opening(points: FloatArray, down: FloatArray) -> float:
    """Mean height of an opening, px."""
    apart = points[list(LOWER_INNER_LIP)] - points[list(UPPER_INNER_LIP)]
    return max(float((apart @ down).mean()), 1e-3)


def _with_rims(
    face: FaceObservation, edges: FloatArray, points: FloatArray, targets: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Let lips that are apart begin where the picture shows their edge, and a little further.

    Sampling at the very edge mixes a bright thread of teeth into it, which would be seen where the
    lips go, above all in the line on which they are made to meet. What the sources are moved by,
    the targets are moved by as well, or else an opening would shrink at once when speech begins;
    only as far as the lips close do they go without it.
    """
    upper, lower = list(UPPER_INNER_LIP), list(LOWER_INNER_LIP)
    down, height = down_axis(face.pose), face_height_px(face)
    shown = np.maximum((points[lower] - points[upper]) @ down, 1e-3)
    made = np.maximum((targets[lower] - targets[upper]) @ down, 0.0)
    kept = np.clip(made / shown, 0.0, 1.0)
    outer = points[[UPPER_LIP_ROWS[-1], LOWER_LIP_ROWS[-1]]]
    thickness = np.linalg.norm(outer - points[[upper, lower]], axis=2) / height
    beyond = edges + np.float32(LIP_EDGE * (1.0 - closedness(face)))
    # A rim that crossed the outer one would fold the lip.
    beyond = np.minimum(beyond, LIP_TAKEN * thickness)
    outwards = (np.float32(height) * beyond)[:, :, None] * down
    kept_outwards = kept[:, None] * outwards
    return (
        points + lip_displacement(points, -outwards[0], outwards[1]),
        targets + lip_displacement(targets, -kept_outwards[0], kept_outwards[1]),
    )


def _head_shift(face: FaceObservation, pose: HeadPose, corners: tuple[int, int]) -> FloatArray:
    """How far a head that took another pose carried the middle of two landmarks, ``(2,)`` px."""
    moved = head_displacement(face.landmarks[list(corners)], face.pose, pose)
    return np.asarray(moved.mean(0), np.float32)


def _shifted_planes(
    source: Frame,
    face: FaceObservation,
    pose: HeadPose,
    box: Box,
    corners: tuple[int, int],
) -> tuple[ByteArray, ByteArray, ByteArray]:
    """Carry the source's pixels of a box along with the head; returns ``y, u, v`` planes."""
    field = np.broadcast_to(-_head_shift(face, pose, corners), (3, 3, 2)).astype(np.float32)
    return _planes_through(source, field, box, float(max(box[2] - box[0], box[3] - box[1])))


def _planes_through(
    source: Frame, field: FloatArray, box: Box, step: float
) -> tuple[ByteArray, ByteArray, ByteArray]:
    """Sample a box of the source through a field; returns ``y, u, v`` planes of the box."""
    x0, y0, x1, y1 = box
    planes = []
    for plane, half in ((source.y, 1), (source.u, 2), (source.v, 2)):
        part = (x0 // half, y0 // half, x1 // half, y1 // half)
        out = np.empty_like(plane)
        warp_plane(plane, field, (x0, y0), step, part, subsampled=half == 2, out=out)
        planes.append(np.ascontiguousarray(out[part[1] : part[3], part[0] : part[2]]))
    return planes[0], planes[1], planes[2]


@dataclass(frozen=True, slots=True)
class _ToothStretch:
    """Makes up for the tooth that a rising upper lip bares and the source does not show.

    A modelled tooth above a real one never has its width, place and colour: two rows would be seen.
    The real ones are stretched up to the lip instead.
    """

    down: FloatArray
    along: FloatArray
    place: FloatArray
    """``(11,)`` px along the mouth, ascending, at which the others are known."""
    edge: FloatArray
    """``(11,)`` px along ``down``: where the source's own teeth begin, carried by the head."""
    bared: FloatArray
    """``(11,)`` px of tooth to be made up for above it."""
    above: FloatArray
    """``(11,)`` px between it and the lip, of either sign."""
    stretched: FloatArray
    """``(11,)`` px of tooth below it that are stretched."""

    @staticmethod
    def under(
        carried: FloatArray, targets: FloatArray, down: FloatArray, height_px: float
    ) -> _ToothStretch:
        """Compare the source's own rims, carried by the head, with those that are wanted."""
        along = np.array([down[1], -down[0]], np.float32)
        first, last = INNER_CORNERS
        upper = [first, *UPPER_INNER_LIP, last]
        lower = [first, *LOWER_INNER_LIP, last]
        place = np.maximum.accumulate(carried[upper] @ along)
        edge = carried[upper] @ down
        shown = np.interp(place, *_ascending(carried[lower], along, down)) - edge
        lip = np.interp(place, *_ascending(targets[upper], along, down))
        shown = np.maximum(shown, 0.0)
        above = edge - lip
        bared = np.clip(above, 0.0, np.minimum(TOOTH_BARED * height_px, shown))
        parts = (place, edge, bared, above, TOOTH_STRETCHED * shown)
        return _ToothStretch(down, along, *(np.asarray(part, np.float32) for part in parts))

    def rim(self, carried: FloatArray, softness: float) -> FloatArray:
        """Outline of the own teeth, the stretched ones included.

        Where they reach the lip, it is drawn a little beyond, since only the lip covers them there.
        """
        upper = list(UPPER_INNER_LIP)
        reach = np.where(self.above > self.bared, self.bared, self.bared + 2.0 * softness)
        reach = np.where(self.above < -2.0 * softness, 0.0, reach)[1:-1]
        raised = carried.copy()
        raised[upper] -= reach[:, None].astype(np.float32) * self.down
        return lip_rim(raised)

    def field(self, box: Box, step: float) -> FloatArray:
        """Displacement at nodes over a box, from where a pixel is to where its tooth is."""
        x0, y0, x1, y1 = box
        x = x0 + step * np.arange(math.ceil((x1 - x0) / step) + 2, dtype=np.float32)
        y = y0 + step * np.arange(math.ceil((y1 - y0) / step) + 2, dtype=np.float32)
        along = x[None, :] * self.along[0] + y[:, None] * self.along[1]
        depth = x[None, :] * self.down[0] + y[:, None] * self.down[1]
        edge, bared, kept = (
            np.interp(along, self.place, values)
            for values in (self.edge, self.bared, self.stretched)
        )
        below = depth - (edge - bared)
        share = bared / np.maximum(bared + kept, 1e-3)
        moved = bared - np.clip(below, 0.0, bared + kept) * share
        return np.asarray(moved[..., None] * self.down, np.float32)


def _ascending(
    curve: FloatArray, along: FloatArray, down: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Places along the mouth, made to ascend, and heights of a curve from corner to corner."""
    return np.maximum.accumulate(curve @ along), curve @ down


def even_box(curve: FloatArray, margin: float, frame: Frame) -> Box | None:
    """Even pixel box around a curve, clipped to the picture; None if nothing is left."""
    x0, y0 = (max(0, math.floor(v - margin)) & ~1 for v in curve.min(0))
    right, bottom = (math.ceil(v + margin) + 1 for v in curve.max(0))
    x1 = min(frame.width & ~1, right + (right & 1))
    y1 = min(frame.height & ~1, bottom + (bottom & 1))
    return (x0, y0, x1, y1) if x1 - x0 >= 2 and y1 - y0 >= 2 else None


def lip_rim(targets: FloatArray, steps: int = 4) -> FloatArray:
    """Inner rim of the lips as a smooth closed curve.

    Parameters
    ----------
    targets
        ``(n, 2)`` float32 pixels, landmarks first.
    steps
        Points between two landmarks (Catmull-Rom).

    Returns
    -------
    FloatArray
        ``(20 * steps, 2)`` float32.
    """
    order = (INNER_CORNERS[0], *UPPER_INNER_LIP, INNER_CORNERS[1], *reversed(LOWER_INNER_LIP))
    return smooth_rim(targets[list(order)], steps)


def smooth_rim(p: FloatArray, steps: int = 4) -> FloatArray:
    """Draw a closed Catmull-Rom curve through ``(n, 2)`` points, ``(n * steps, 2)`` float32."""
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = (np.arange(steps, dtype=np.float32) / steps)[None, :, None]
    a, b, c, d = (q[:, None, :] for q in (before, p, after, beyond))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return np.ascontiguousarray(curve.reshape(-1, 2), np.float32)


def _moving_region(points: FloatArray, offsets: FloatArray, frame: Frame) -> Box | None:
    """Even box around everything that moves, clipped to the picture; None if nothing is inside."""
    moving = np.abs(offsets).max(1) > 1.0 / 64.0
    both = np.concatenate([points[moving], points[moving] + offsets[moving]])
    # A vertex moves the triangles around it too: the margin covers the longest edge of the mesh.
    margin = 0.12 * float(np.ptp(points[:478, 1])) + 2.0
    x0, y0 = (max(0, math.floor(v - margin)) & ~1 for v in both.min(0))
    x1 = min(frame.width, (math.ceil(both[:, 0].max() + margin) + 1) & ~1)
    y1 = min(frame.height, (math.ceil(both[:, 1].max() + margin) + 1) & ~1)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _fade_at_border(
    field: FloatArray, origin: tuple[int, int], step: float, frame: Frame, band: float
) -> None:
    """Scale a field to zero towards the picture's border (changes ``field``)."""
    x = origin[0] + step * np.arange(field.shape[1], dtype=np.float32)
    y = origin[1] + step * np.arange(field.shape[0], dtype=np.float32)
    # Zero from one node before the border on, since pixels are read between nodes.
    near_x = (np.minimum(x, frame.width - 1 - x) - step) / band
    near_y = (np.minimum(y, frame.height - 1 - y) - step) / band
    field *= (np.clip(near_y, 0, 1)[:, None] * np.clip(near_x, 0, 1)[None, :])[..., None]
