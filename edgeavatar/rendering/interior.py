"""The inside of the mouth as a layer: teeth, gums, tongue and a dark cavity under a head pose.

The layer is opaque and has no lips; the caller lays warped lips over it.

Colour
------
Shading happens in linear light. A gain of 1 is the light of the Face Research Lab London Set, in
which a front tooth of the default colour shows as it does there: over the 50 smiles that show
teeth, the mean tooth pixel has a luminance of 0.44 ± 0.09 (linear, white = 1), 1.46 times that of
the same people's cheeks (0.30 ± 0.12), and hardly follows the skin (slope 0.13 in logarithms).
So teeth must not be a fixed multiple of skin: :func:`light_from_skin` estimates the light instead.
Drawn into the mouths of 46 of these smiles in that light, the mean tooth pixel has 0.42 where the
photographs have 0.45, the brightest tenth begins at 0.58 against 0.59, and the dark line between
neighbouring teeth dips by 36 to 45% against 31 to 49%.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.kernels.cavity import (
    develop,
    light_vertices,
    lip_spans,
    open_vertices,
    rim_heights,
    shade_cavity,
)
from edgeavatar.kernels.raster import SAMPLE_COUNT, rasterise
from edgeavatar.rendering.dentition import (
    REST_MOUTH_WIDTH,
    MouthAnatomy,
    build_gum,
    build_teeth,
    jaw_transform,
)
from edgeavatar.rendering.shapes import join_meshes
from edgeavatar.rendering.tongue import Tongue, build_lining
from edgeavatar.types import MOTION_NAMES

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FloatArray, HeadPose

_LIP_CURVE = 0.25
"""How fast the lips recede from the middle, per cm: the inner corners of the canonical mesh lie
1.2 cm behind the middle of the upper rim at x = 2.15 cm."""

_SMILE_WIDTH_CM, _SMILE_OVERHANG_CM = 5.4, (0.17, 0.10)
_REST_WIDTH_CM, _REST_OVERHANG_CM = 4.7, (0.65, 0.30)
"""How far the upper and the lower lip stand before the plane of their inner rim where they shade,
for a mouth as wide (between its inner corners) as London people smile and as they rest. Drawn back
over the teeth, lips shade little: the smiles give 0.17. Relaxed lips hang over: in 91 frames of the
one filmed speaker at hand (GRID) the brightest tenth of the open mouth has but 0.42 of the cheek's
luminance, a third of what smiles show; his light comes from above, so half of that is taken."""

_PURSED = 0.4
"""How much further lips stand out for each cm that the mouth is narrower than at rest."""

_OVERHANG_SIDE_CM = 0.50
"""The same for the flesh at the corners."""

_RIM_STEPS = 96
"""Steps of the rim's profile: one every 2 to 3 px in a mouth 250 px wide."""

_MARGIN_PX = 2.0
_MARGIN_SHARE = 0.02
"""How far around the lips' rim is drawn for the caller's soft edge: px, and part of the mouth's
width."""


@dataclass(frozen=True, slots=True)
class InteriorLight:
    """Light that falls on the mouth from outside."""

    gain_bgr: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Strength and colour, linear; 1 is the studio of the London Set."""
    direction: tuple[float, float, float] = (-0.15, 0.35, 0.92)
    """Towards the light: picture's right, up, towards the viewer. Any length."""
    ambient: float = 0.45
    """Share of the light that comes from all around, 0 to 1."""
    sky: float = 0.55
    """How much more comes from above than from level, 0 even to 1."""


_JAW_OPEN = MOTION_NAMES.index("jawOpen")
_JAW_FORWARD = MOTION_NAMES.index("jawForward")
_PUCKER, _FUNNEL = MOTION_NAMES.index("mouthPucker"), MOTION_NAMES.index("mouthFunnel")
_PUCKER_CM, _FUNNEL_CM = 0.6, 0.5
"""How far pursed and funnelled lips are pushed forward in the rig."""
_TONGUE_OUT = MOTION_NAMES.index("tongueOut")
_TONGUE_UP = MOTION_NAMES.index("tongueUp")


@dataclass(frozen=True, slots=True)
class MouthInside:
    """What a row of mouth weights tells of jaw, tongue and how far the lips stand out."""

    jaw_open: float = 0.0
    jaw_forward: float = 0.0
    tongue_up: float = 0.0
    tongue_out: float = 0.0
    lip_forward_cm: float = 0.0

    @staticmethod
    def of_row(row: FloatArray) -> MouthInside:
        """Read a row ``(26,)`` in the order of :data:`~edgeavatar.types.MOTION_NAMES`."""
        return MouthInside(
            float(row[_JAW_OPEN]),
            float(row[_JAW_FORWARD]),
            float(row[_TONGUE_UP]),
            float(row[_TONGUE_OUT]),
            float(row[_PUCKER] * _PUCKER_CM + row[_FUNNEL] * _FUNNEL_CM),
        )


# -------------------------------------------------------------------------------- light estimates

# Means and covariance of the logarithms of linear BGR of cheeks and eye whites of the 102 neutral
# faces of the London Set, measured by face_colours; one studio, so what varies is the people.
_MEAN_LOG = np.array([-1.6548, -1.4063, -0.8753, -1.0956, -1.0634, -0.8932])
_PEOPLE = np.array(
    [
        [0.3710, 0.3187, 0.2722, 0.1020, 0.0826, 0.0826],
        [0.3187, 0.2823, 0.2444, 0.0880, 0.0715, 0.0706],
        [0.2722, 0.2444, 0.2188, 0.0747, 0.0611, 0.0615],
        [0.1020, 0.0880, 0.0747, 0.0752, 0.0660, 0.0568],
        [0.0826, 0.0715, 0.0611, 0.0660, 0.0598, 0.0521],
        [0.0826, 0.0706, 0.0615, 0.0568, 0.0521, 0.0493],
    ]
)

# How light varies between pictures: exposure by 0.7 stops (0.5 = 0.7 ln 2) after a camera's own
# automatics, white balance by 6% in blue and red against green.
_EXPOSURE_SD = 0.5
_BALANCE_SD = 0.06
# Some footage has a cast, which no automatics took away: of the two kinds of footage that are at
# hand the London Set has none and GRID one of 60% in blue against green.
_CAST_SD = 0.4
_CAST_SHARE = 0.1
_COMMON_LIGHTS = (
    (1.0 - _CAST_SHARE, np.diag([_BALANCE_SD**2, 0.02**2, _BALANCE_SD**2]) + _EXPOSURE_SD**2),
    (_CAST_SHARE, np.diag([_CAST_SD**2, 0.02**2, _CAST_SD**2]) + _EXPOSURE_SD**2),
)
"""How often light varies in a way, and the covariance of its logarithms."""


def to_linear(bgr: npt.NDArray[np.floating | np.uint8]) -> npt.NDArray[np.float64]:
    """Linear light, 0 to 1, of sRGB values 0 to 255; any shape."""
    x = np.asarray(bgr, dtype=np.float64) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def light_from_skin(
    skin_bgr: tuple[float, float, float] | npt.NDArray[np.floating],
    sclera_bgr: tuple[float, float, float] | npt.NDArray[np.floating] | None = None,
    *,
    base: InteriorLight | None = None,
) -> InteriorLight:
    """Estimate the light from the mean colour of the cheeks and, if known, of the eye whites.

    A cheek is dark because the skin or because the light is. The estimate is the most probable
    light when logarithms of skin colour vary over people as in the London Set (n = 102) and
    logarithms of light vary by 0.7 stops and 6% of white balance (maximum a posteriori of a
    linear Gaussian model). Eye whites vary half as much as skin does and so settle much of it.
    One picture in ten is taken to have a colour cast: where hues are those of no skin in white
    light, this becomes the likelier, and the light takes most of the hue (mean over the mixture).

    Parameters
    ----------
    skin_bgr
        Mean cheek colour, sRGB 0 to 255.
    sclera_bgr
        Mean of the brightest 30% of the eye whites, sRGB 0 to 255; None if not seen.
    base
        Direction, ambient share and sky of the result; the defaults if None.

    Raises
    ------
    ValueError
        If a colour is not three finite numbers.
    """
    colours = [skin_bgr] if sclera_bgr is None else [skin_bgr, sclera_bgr]
    seen = np.array(colours, dtype=np.float64)
    if seen.shape[1:] != (3,) or not np.isfinite(seen).all():
        raise ValueError(f"expected three finite numbers for a colour, found {colours}")
    logs = np.log(np.maximum(to_linear(np.clip(seen, 0, 255)), 1e-3)).reshape(-1)
    count = len(logs)
    design = np.tile(np.eye(3), (count // 3, 1))
    away = logs - _MEAN_LOG[:count]
    means, likelihoods = [], []
    for share, light in _COMMON_LIGHTS:
        spread = design @ light @ design.T + _PEOPLE[:count, :count]
        solved = np.linalg.solve(spread, away)
        means.append(light @ design.T @ solved)
        # Both have the same count of dimensions, so constants drop out.
        likelihoods.append(np.log(share) - 0.5 * (away @ solved + np.linalg.slogdet(spread)[1]))
    weights = np.exp(np.array(likelihoods) - max(likelihoods))
    log_gain = weights @ np.array(means) / weights.sum()
    blue, green, red = (float(v) for v in np.exp(np.clip(log_gain, -2.5, 1.0)))
    base = InteriorLight() if base is None else base
    return InteriorLight((blue, green, red), base.direction, base.ambient, base.sky)


_CHEEKS = (50, 280, 205, 425)
_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
_IRISES = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))


def face_colours(
    frame_bgr: ByteArray, landmarks: FloatArray, scale_px: float
) -> tuple[tuple[float, float, float], tuple[float, float, float] | None]:
    """Measure cheeks and eye whites the way that :func:`light_from_skin` expects them.

    Parameters
    ----------
    frame_bgr
        ``(H, W, 3)`` uint8.
    landmarks
        ``(478, 3)`` float32, px.
    scale_px
        Pixels per centimetre of the face (:attr:`HeadPose.scale_px`).

    Returns
    -------
    skin : tuple of float
        Mean cheek colour without the darkest and brightest tenth, sRGB BGR 0 to 255.
    sclera : tuple of float or None
        Mean of the brightest 30% of the eye whites; None where fewer than 12 pixels show.

    Raises
    ------
    ValueError
        If all cheeks lie outside the frame.
    """
    height, width = frame_bgr.shape[:2]
    reach = max(0.35 * scale_px, 1.0)
    patches = []
    for index in _CHEEKS:
        x, y = float(landmarks[index, 0]), float(landmarks[index, 1])
        x0, x1 = max(int(x - reach), 0), min(int(x + reach) + 1, width)
        y0, y1 = max(int(y - reach), 0), min(int(y + reach) + 1, height)
        if x0 < x1 and y0 < y1:
            patches.append(frame_bgr[y0:y1, x0:x1].reshape(-1, 3))
    if not patches:
        raise ValueError("expected a face inside the frame, found its cheeks outside")
    skin = _mean_between(np.concatenate(patches), 0.1, 0.9)

    whites = []
    for outline, iris in zip(_EYES, _IRISES, strict=True):
        eye = landmarks[list(outline), :2]
        x0, y0 = np.maximum(np.floor(eye.min(axis=0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(eye.max(axis=0)).astype(int) + 1, (width, height))
        if x0 >= x1 or y0 >= y1:
            continue
        ys, xs = np.ogrid[y0:y1, x0:x1]
        inside = _inside(eye, xs, ys)
        centre = landmarks[iris[0], :2]
        radius = np.linalg.norm(landmarks[list(iris[1:]), :2] - centre, axis=1).mean()
        inside &= np.hypot(xs - centre[0], ys - centre[1]) > 1.15 * radius
        whites.append(frame_bgr[y0:y1, x0:x1][inside])
    pixels = np.concatenate(whites) if whites else np.empty((0, 3), np.uint8)
    return skin, _mean_between(pixels, 0.7, 1.0) if len(pixels) >= 12 else None


def _mean_between(pixels: ByteArray, low: float, high: float) -> tuple[float, float, float]:
    """Mean, taken in linear light, of the pixels between two quantiles of luminance."""
    linear = to_linear(pixels)
    luminance = linear @ np.array([0.0722, 0.7152, 0.2126])
    floor, top = np.quantile(luminance, [low, high])
    mean = linear[(luminance >= floor) & (luminance <= top)].mean(axis=0)
    encoded = np.where(mean <= 0.0031308, 12.92 * mean, 1.055 * mean ** (1 / 2.4) - 0.055) * 255
    blue, green, red = (float(v) for v in encoded)
    return blue, green, red


def _inside(
    polygon: npt.NDArray[np.floating], xs: npt.NDArray[np.int_], ys: npt.NDArray[np.int_]
) -> npt.NDArray[np.bool_]:
    """Even-odd rule for each pixel centre."""
    inside = np.zeros(np.broadcast_shapes(xs.shape, ys.shape), dtype=bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if ay == by:
            continue
        crosses = (ay > ys) != (by > ys)
        inside ^= crosses & (xs < (bx - ax) * (ys - ay) / (by - ay) + ax)
    return inside


# ------------------------------------------------------------------------------------------- model


class InteriorModel:
    """One person's mouth, ready to be drawn. Keeps its memory between frames; not thread-safe.

    Parameters
    ----------
    anatomy
        The person; the defaults if None.
    """

    def __init__(self, anatomy: MouthAnatomy | None = None) -> None:
        self.anatomy = MouthAnatomy() if anatomy is None else anatomy
        upper = join_meshes(
            [tooth.mesh for tooth in build_teeth(self.anatomy, upper=True)]
            + [build_gum(self.anatomy, upper=True)]
        )
        lower = join_meshes(
            [tooth.mesh for tooth in build_teeth(self.anatomy, upper=False)]
            + [build_gum(self.anatomy, upper=False)]
        )
        lining, self._lining_weight = build_lining(self.anatomy)
        self._tongue = Tongue(self.anatomy)
        vertices, normals = self._tongue.shape()
        self._upper, self._lower, self._lining = upper, lower, lining

        counts = [len(upper.vertices), len(lower.vertices), len(vertices), len(lining.vertices)]
        ends = np.cumsum([0, *counts])
        self._parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        starts = ends[:-1]
        faces = [upper.triangles, lower.triangles, self._tongue.triangles, lining.triangles]
        self._triangles = np.ascontiguousarray(
            np.concatenate([f + s for f, s in zip(faces, starts, strict=True)]), dtype=np.int32
        )
        self._places = np.concatenate([upper.vertices, lower.vertices, vertices, lining.vertices])
        self._normals = np.concatenate([upper.normals, lower.normals, normals, lining.normals])
        self._albedo = np.concatenate(
            [upper.albedo, lower.albedo, self._tongue.albedo, lining.albedo]
        )
        self._gloss = np.concatenate([upper.gloss, lower.gloss, self._tongue.gloss, lining.gloss])
        self._colours = np.empty_like(self._places)
        self._open = np.empty((len(self._places), 4), dtype=np.float32)
        self._visible = np.empty((0, SAMPLE_COUNT, 0), dtype=np.int32)
        self._depth = np.empty((0, SAMPLE_COUNT, 0), dtype=np.float32)
        self._linear = np.empty((0, 0, 3), dtype=np.float32)

    def render(
        self,
        pose: HeadPose,
        *,
        jaw_open: float,
        region_xyxy: tuple[float, float, float, float],
        size: tuple[int, int],
        light: InteriorLight,
        lip_polygon: npt.NDArray[np.floating],
        tongue_up: float = 0.0,
        tongue_out: float = 0.0,
        tongue_front: float = 0.0,
        jaw_forward: float = 0.0,
        lip_forward_cm: float = 0.0,
        blur: float = 0.2,
    ) -> ByteArray:
        """Draw the inside of the mouth.

        Coordinates are those of OpenCV: whole numbers are pixel centres. The region is a slice
        ``frame[y0:y1, x0:x1]`` (its sides need not be whole); it is drawn at ``size``.

        Parameters
        ----------
        pose
            Head pose in the frame.
        jaw_open
            Weight of ``jawOpen``, 0 to 1 (see :data:`.dentition.JAW_OPEN_DEG`).
        region_xyxy
            Left, top, right, bottom in px of the frame.
        size
            Width and height of the result, px.
        light
            Light outside the mouth.
        lip_polygon
            ``(n, 2)`` rim of the inner lips in px of the frame, n ≥ 3, in order, either way round.
            Decides where light enters. Drawn is what lies inside it and a margin around it.
        tongue_up
            0 rest to 1 tip at the ridge behind the upper incisors (t, d, n, l).
        tongue_out
            0 rest; 0.4 between the teeth (th); 1 over the lower lip.
        tongue_front
            -1 low back vowel to 1 high front vowel.
        jaw_forward
            Weight of ``jawForward``.
        lip_forward_cm
            How far the lips are pushed forward (pucker, funnel), which deepens the shade.
        blur
            Softening, as a camera's own, see :func:`edgeavatar.kernels.cavity.develop`.

        Returns
        -------
        ndarray
            ``(height, width, 3)`` uint8 BGR. Away from the polygon it has one dark colour.

        Raises
        ------
        ValueError
            If a size is below 1, the region is empty or a number is not finite.
        """
        width, height = size
        x0, y0, x1, y1 = region_xyxy
        polygon = np.asarray(lip_polygon, dtype=np.float64)
        numbers = (
            *(*region_xyxy, jaw_open, tongue_up, tongue_out, tongue_front, jaw_forward),
            *(lip_forward_cm, pose.scale_px, *light.gain_bgr, *light.direction),
        )
        if width < 1 or height < 1 or not all(map(math.isfinite, numbers)):
            raise ValueError(f"expected a size of 1 px or more and finite numbers, found {size}")
        if x1 <= x0 or y1 <= y0 or pose.scale_px <= 0:
            raise ValueError(f"expected a region with an area and a scale, found {region_xyxy}")
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
            raise ValueError(f"expected a polygon (n, 2) with n >= 3, found {polygon.shape}")
        if not all(np.isfinite(a).all() for a in (polygon, pose.rotation, pose.translation_px)):
            raise ValueError("expected finite numbers in polygon and pose, found others")

        stretch = np.array([width / (x1 - x0), height / (y1 - y0)])
        origin = np.array([x0, y0])
        outline = (polygon - origin + 0.5) * stretch - 0.5
        margin = _MARGIN_PX + _MARGIN_SHARE * float(np.ptp(outline[:, 0]))
        spans = lip_spans(outline, width, height, margin)

        gain = np.array(light.gain_bgr, dtype=np.float32)
        backdrop = (0.02 * gain * np.array(self.anatomy.lining_bgr)).astype(np.float32)
        self._make_room(width, height)
        linear = self._linear

        jaw_rotation = self._pose_parts(jaw_open, jaw_forward, tongue_up, tongue_out, tongue_front)
        self._light_parts(pose.rotation, jaw_rotation, light, gain)
        screen = self._project(pose, origin, stretch)
        visible = rasterise(
            screen, self._triangles, spans, width, visible=self._visible, depth=self._depth
        )
        lip_z = self.anatomy.lip_z + lip_forward_cm
        rim, rim_x = rim_profile(polygon, pose, lip_z)
        open_vertices(self._places, rim, rim_x, (lip_z, _LIP_CURVE, _OVERHANG_SIDE_CM), self._open)
        shade_cavity(
            visible,
            spans,
            self._triangles,
            np.concatenate([screen[:, :2], self._open, self._colours], axis=1),
            _overhang((rim_x[1] - rim_x[0]) * REST_MOUTH_WIDTH / self.anatomy.mouth_width),
            light.sky,
            backdrop,
            linear,
        )
        out = np.empty((height, width, 3), dtype=np.uint8)
        develop(linear, spans, backdrop, blur, out)
        return out

    def _make_room(self, width: int, height: int) -> None:
        if self._linear.shape[:2] != (height, width):
            self._visible = np.empty((height, SAMPLE_COUNT, width), dtype=np.int32)
            self._depth = np.empty((height, SAMPLE_COUNT, width), dtype=np.float32)
            self._linear = np.empty((height, width, 3), dtype=np.float32)

    def _pose_parts(
        self,
        jaw_open: float,
        jaw_forward: float,
        tongue_up: float,
        tongue_out: float,
        tongue_front: float,
    ) -> FloatArray:
        """Put the moving parts in their places; returns the jaw's rotation."""
        rotation, shift = jaw_transform(jaw_open, jaw_forward)
        _, lower, tongue, lining = self._parts
        self._places[lower] = self._lower.vertices @ rotation.T + shift
        vertices, normals = self._tongue.shape(tongue_up, tongue_out, tongue_front)
        self._places[tongue] = vertices @ rotation.T + shift
        self._normals[tongue] = normals
        still = self._lining.vertices
        weight = self._lining_weight[:, None]
        self._places[lining] = still + weight * (still @ rotation.T + shift - still)
        return rotation

    def _light_parts(
        self,
        head: FloatArray,
        jaw: FloatArray,
        light: InteriorLight,
        gain: FloatArray,
    ) -> None:
        """Colours of all vertices; the light is turned instead of the normals."""
        direction = np.array(light.direction, dtype=np.float32)
        direction /= max(float(np.linalg.norm(direction)), 1e-6)
        in_head = np.stack([direction, np.array([0, 0, 1], np.float32)]) @ head
        in_jaw = in_head @ jaw
        for part, moving in zip(self._parts, (False, True, True, False), strict=True):
            towards, view = in_jaw if moving else in_head
            light_vertices(
                self._normals[part],
                self._albedo[part],
                self._gloss[part],
                np.ascontiguousarray(towards, dtype=np.float32),
                np.ascontiguousarray(view, dtype=np.float32),
                light.ambient,
                gain,
                self._colours[part],
            )

    def _project(
        self,
        pose: HeadPose,
        origin: npt.NDArray[np.float64],
        stretch: npt.NDArray[np.float64],
    ) -> FloatArray:
        """Vertices in pixels of the result; the third column is depth in pixels of the frame."""
        flip = np.array([1, -1, -1], dtype=np.float64) * pose.scale_px
        matrix = (pose.rotation.astype(np.float64) * flip[:, None]).copy()
        shift = pose.translation_px.astype(np.float64).copy()
        shift[:2] = (shift[:2] - origin + 0.5) * stretch - 0.5
        matrix[:2] *= stretch[:, None]
        screen: FloatArray = self._places @ matrix.T.astype(np.float32) + shift.astype(np.float32)
        return screen


def _overhang(rim_width: float) -> tuple[float, float]:
    """How far upper and lower lip hang over in an average person's mouth so wide (cm)."""
    smile = (rim_width - _REST_WIDTH_CM) / (_SMILE_WIDTH_CM - _REST_WIDTH_CM)
    smile = min(max(smile, 0.0), 1.0)
    smile *= smile * (3 - 2 * smile)
    pursed = _PURSED * max(_REST_WIDTH_CM - rim_width, 0.0)
    upper, lower = (
        rest + smile * (smiling - rest) + pursed
        for rest, smiling in zip(_REST_OVERHANG_CM, _SMILE_OVERHANG_CM, strict=True)
    )
    return upper, lower


def rim_profile(
    polygon: npt.NDArray[np.float64], pose: HeadPose, lip_z: float
) -> tuple[FloatArray, tuple[float, float]]:
    """Upper and lower rim of the lips as heights over x, in face-local cm.

    The polygon is put back onto the curved plane of the lips under the pose.

    Parameters
    ----------
    polygon
        ``(n, 2)`` px of the frame.
    pose
        Head pose.
    lip_z
        Depth coordinate of the lips' rim in the middle, cm.

    Returns
    -------
    rim : ndarray
        ``(k, 2)`` float32: upper and lower height at even steps of x.
    ends : tuple of float
        First and last x.
    """
    rotation = pose.rotation.astype(np.float64)
    seen = (polygon - pose.translation_px[:2]) / pose.scale_px * np.array([1.0, -1.0])
    facing = rotation[2, 2] if abs(rotation[2, 2]) > 0.2 else 0.2
    local = np.zeros((len(polygon), 3))
    for _ in range(3):
        depth = lip_z - _LIP_CURVE * np.minimum(local[:, 0] ** 2, 9.0)
        away = (depth - seen @ rotation[:2, 2]) / facing
        local = np.column_stack([seen, away]) @ rotation
    first, last = float(local[:, 0].min()), float(local[:, 0].max())
    # Lips seen from the side have no width; the kernels divide by it.
    last = max(last, first + 1e-3 * max(1.0, abs(first)))
    return rim_heights(local[:, :2], first, last, _RIM_STEPS), (first, last)
