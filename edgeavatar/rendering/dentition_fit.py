"""What frames with parted lips tell of a person's own teeth, for the modelled ones.

Teeth are what is pale between red lips: less red than the lips towards the colour of the light, and
bright beside what is behind them. Where enough of them shows, the opening is unrolled onto the
plane of the incisors, and the model is drawn into the same openings with its rows at different
heights and in different sizes. Those at which it looks most like what was seen are taken (analysis
by synthesis), held back by how much people differ; then the colour of its teeth.

Bounds and spreads
------------------
- Upper incisal edge: 0.31 ± 0.19 cm below the resting lip line, see :mod:`.dentition`. Below a
  relaxed upper lip 0.34 cm of it show in people under 30 and none in those over 60 (R. G. Vig and
  G. C. Brundo, "The kinetics of anterior tooth display", Journal of Prosthetic Dentistry 39(5),
  1978), so that it may lie above the line.
- Overbite: 0.2 to 0.3 cm is ordinary; an open bite and a lower incisor covered by two thirds of its
  crown are common malocclusions (W. R. Proffit et al., *Contemporary Orthodontics*). In the fit it
  also takes up what the jaw's estimated opening is wrong by.
- Size of the arch: 6% of its width at the canines (S. E. Bishara et al., see :mod:`.dentition`) are
  2 mm.
- Colour: bounds wide enough for shades A1 to C4 of the VITA guide, whose luminances differ by a
  factor of 1.7, in a light that is misjudged by as much.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.pose import to_picture
from edgeavatar.rendering.dentition import INCISAL_Z, MouthAnatomy
from edgeavatar.rendering.geometry import source_speech
from edgeavatar.rendering.interior import (
    InteriorLight,
    InteriorModel,
    MouthInside,
    rim_profile,
    to_linear,
)
from edgeavatar.rendering.lip_rows import (
    INNER_CORNERS,
    LOWER_INNER_LIP,
    LOWER_LIP_ROWS,
    UPPER_INNER_LIP,
    UPPER_LIP_ROWS,
)
from edgeavatar.rendering.softness import camera_softness, softened

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from edgeavatar.rendering.geometry import Person
    from edgeavatar.types import ByteArray, FaceObservation, FloatArray, Frame, HeadPose

    Doubles = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

# ------------------------------------------------------------------------------------ what is seen

STEP_CM = 0.04
"""Distance of the nodes onto which an opening is unrolled: a pixel of a face 480 px high."""
HALF_WIDTH_CM = 2.4
"""Half the width that is unrolled; the first premolars end at 2.3."""
_ARCH_CURVE = 0.28
"""How fast the front of the arch recedes, per cm: 0.8 cm at the canines, 1.7 to the side."""
LEAST_SCALE_PX = 5.0
"""Pixels per centimetre below which an incisor is but four pixels wide."""
MOST_TURN_DEG = 25.0
"""Turn or nod of the head beyond which the far half of the lips' rim is a guess."""
LEAST_GAP_CM = 0.25
"""Opening in the middle below which lips shade all that is between them."""
LEAST_TEETH_CM2 = 0.25
"""Area of teeth, a third of an incisor, below which nothing was seen."""

_LUMA = np.array([0.0722, 0.7152, 0.2126], np.float32)
_NOISE = 0.004
"""Added to linear light before ratios are taken: two grey levels in the dark, a camera's noise."""
_TOOTH_REDNESS = 0.02
"""Logarithm of red over green of teeth in white light."""
_PALE = 0.5
"""Part of the way in redness from lips to teeth from which a pixel may be tooth."""
_LEAST_REDNESS = 0.2
"""By how much (in logarithms) lips have to be redder than teeth would be, to tell them apart; the
palest of 89 people of the London Set have 0.29."""
_LEAST_LUMA = 0.12
"""Luminance over that of the lips below which a pixel has no colour but noise."""
_LIT = 0.42
"""Luminance over that of the bright teeth below which a pixel is their shade or what is behind."""
_LIP_PLANE_CM = 5.45


@dataclass(frozen=True, slots=True)
class TeethView:
    """What one frame shows between the lips, unrolled to ``(h, w)`` nodes."""

    pose: HeadPose
    rim_px: FloatArray
    """``(20, 2)``: inner rim of the lips in px of the frame."""
    softness_px: float
    """Of the frame, see :func:`~edgeavatar.rendering.softness.camera_softness`."""
    nodes_px: FloatArray
    """``(h, w, 2)``: where the nodes lie in the frame."""
    inside: Bools
    """``(h, w)``: nodes between the rims."""
    seen: FloatArray
    """``(h, w, 3)`` linear BGR, white = 1."""
    teeth: Bools
    """``(h, w)``: nodes on teeth."""

    @property
    def teeth_cm2(self) -> float:
        """Area of the teeth that show."""
        return float(self.teeth.sum()) * STEP_CM**2


def view_teeth(frame: Frame, face: FaceObservation, light: InteriorLight) -> TeethView | None:
    """Look for teeth between parted lips.

    Parameters
    ----------
    frame, face
        A picture and the face in it.
    light
        On the face in this frame.

    Returns
    -------
    TeethView or None
        None where too little is seen to be sure: lips closed or hardly parted, head turned away,
        face small, lips as pale as teeth, or less than :data:`LEAST_TEETH_CM2` of teeth.
    """
    pose = face.pose
    turn = max(abs(pose.yaw_deg), abs(pose.pitch_deg))
    if pose.scale_px < LEAST_SCALE_PX or turn > MOST_TURN_DEG:
        return None
    order = (INNER_CORNERS[0], *UPPER_INNER_LIP, INNER_CORNERS[1], *reversed(LOWER_INNER_LIP))
    rim = face.landmarks[list(order), :2]
    if (rim < 0).any() or (rim >= (frame.width, frame.height)).any():
        return None
    x, upper, lower = _rims(pose, rim)
    if float((upper - lower)[np.abs(x) < 0.8].mean()) < LEAST_GAP_CM:
        return None
    bgr = frame_to_bgr(frame)
    rows = (*UPPER_LIP_ROWS[1:3], *LOWER_LIP_ROWS[1:3])
    lip_points = face.landmarks[[i for row in rows for i in row], :2]
    lip = np.median(_linear_at(bgr, lip_points[None], pose.scale_px)[0], axis=0)
    redness = _redness(lip) - _TOOTH_REDNESS - math.log(light.gain_bgr[2] / light.gain_bgr[1])
    if redness < _LEAST_REDNESS:
        return None
    xs, ys = np.meshgrid(x, np.arange(upper.max(), lower.min(), -STEP_CM))
    places = np.stack([xs, ys, INCISAL_Z - _ARCH_CURVE * xs**2], axis=-1)
    nodes = to_picture(places.reshape(-1, 3), pose)[:, :2].reshape(*xs.shape, 2)
    seen = _linear_at(bgr, nodes, pose.scale_px)
    inside = (ys < upper) & (ys > lower)
    # A node alone may be noise, three by three are a millimetre.
    soft = np.asarray(cv2.blur(seen, (3, 3)), np.float32)
    pale = (_redness(lip) - _redness(soft)) / redness > _PALE
    likely = inside & pale & (soft @ _LUMA > _LEAST_LUMA * float(lip @ _LUMA))
    view = TeethView(
        pose, rim, camera_softness(frame, face), nodes, inside, seen, _lit(soft, likely)
    )
    return view if view.teeth_cm2 >= LEAST_TEETH_CM2 else None


def _rims(pose: HeadPose, rim_px: FloatArray) -> tuple[Doubles, Doubles, Doubles]:
    """Places across the mouth, and the heights of both rims over them, cm."""
    heights, (first, last) = rim_profile(np.asarray(rim_px, np.float64), pose, _LIP_PLANE_CM)
    x = np.arange(-HALF_WIDTH_CM, HALF_WIDTH_CM + 1e-6, STEP_CM)
    at = np.linspace(first, last, len(heights))
    upper, lower = (np.interp(x, at, heights[:, k]) for k in (0, 1))
    beside = (x < first) | (x > last)
    lower[beside] = upper[beside]
    return x, upper, lower


def _linear_at(frame_bgr: ByteArray, points_px: FloatArray, scale_px: float) -> FloatArray:
    """Linear BGR at ``(h, w, 2)`` px, ``(h, w, 3)``, no finer than the nodes."""
    height, width = frame_bgr.shape[:2]
    last = np.array([width - 1, height - 1])
    x0, y0 = (int(v) for v in np.clip(points_px.min((0, 1)) - 8, 0, last))
    x1, y1 = (int(v) + 1 for v in np.clip(points_px.max((0, 1)) + 8, 0, last))
    part = to_linear(frame_bgr[y0:y1, x0:x1]).astype(np.float32)
    sigma = 0.4 * scale_px * STEP_CM
    if sigma > 0.4:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), sigma), np.float32)
    return _nodes_of(part, points_px - np.array([x0, y0], np.float32))


def _nodes_of(picture: FloatArray, points_px: FloatArray) -> FloatArray:
    x, y = (np.ascontiguousarray(points_px[..., k], np.float32) for k in (0, 1))
    found = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def _redness(linear: FloatArray) -> FloatArray:
    return np.asarray(np.log((linear[..., 2] + _NOISE) / (linear[..., 1] + _NOISE)), np.float32)


def _lit(linear: FloatArray, likely: Bools) -> Bools:
    """Nodes among the likely ones that are nearly as bright as the brightest of them."""
    if not likely.any():
        return likely
    luma = linear @ _LUMA
    return np.asarray(likely & (luma > _LIT * float(np.quantile(luma[likely], 0.8))))


# ------------------------------------------------------------------------------------- what fits it


@dataclass(frozen=True, slots=True)
class ShownTeeth:
    """What a frame shows of teeth, and how jaw and tongue stand in it."""

    view: TeethView
    inside: MouthInside

    @staticmethod
    def of(view: TeethView, face: FaceObservation, person: Person) -> ShownTeeth:
        """Read jaw and tongue off the face of the frame."""
        weights, _ = source_speech(face, person)
        return ShownTeeth(view, MouthInside.of_row(np.clip(weights, 0.0, 1.0)))


VIEWS = 6
"""Most frames that are drawn, for the sake of time: those with the most teeth."""
UPPER_SD_CM, OVERBITE_SD_CM, ARCH_SD = 0.19, 0.2, 0.06
"""How much people differ."""
UPPER_CM, OVERBITE_CM, ARCH = (-0.17, 0.79), (-0.28, 0.68), (0.88, 1.12)
"""Bounds of the upper incisal edge below the lip line, of the overbite, and of the arch over that
which the mouth's width tells."""
_COARSE_CM, _FINE_CM, _ARCH_STEP = 0.16, 0.08, 0.04
_PULL = 0.04
"""Part of the remaining mismatch that a value costs which lies one standard deviation away. Slits
filled with tooth show no edge, and less would let the model's lower row stand in for the upper."""
_GAIN = (0.6, 1.3)
"""Brightness that heights may not be chosen for: it is fitted by itself."""
TOOTH_LUMA, TOOTH_HUE = (0.35, 1.3), (0.75, 1.25)
"""Bounds of the teeth's colour over the model's: luminance, and blue or red against it."""


def fit_dentition(
    shown: Sequence[ShownTeeth], anatomy: MouthAnatomy, light: InteriorLight
) -> tuple[MouthAnatomy, InteriorLight]:
    """Make modelled teeth those that were seen.

    Where the incisal edges of both rows lie, how large the arches are and what colour teeth have is
    fitted within bounds. Dark teeth and teeth in the dark look the same: what luminance differs by
    goes to teeth and light alike.

    Parameters
    ----------
    shown
        Frames of one person; those without teeth left out.
    anatomy
        What is known without them.
    light
        On the face, as it will be drawn with.

    Returns
    -------
    anatomy, light
        The very ones that were given if nothing was shown.
    """
    if not shown:
        return anatomy, light
    most = sorted(shown, key=lambda s: -s.view.teeth_cm2)[:VIEWS]
    placed = _with_size(most, _with_heights(most, anatomy, light), light)
    return _with_colour(placed, light, _colour_ratio(most, InteriorModel(placed), light))


def _with_heights(
    shown: Sequence[ShownTeeth], anatomy: MouthAnatomy, light: InteriorLight
) -> MouthAnatomy:
    """Move both rows: a coarse search over all heights, then a fine one around the best."""

    def cost(upper: float, overbite: float) -> tuple[float, MouthAnatomy]:
        made = replace(anatomy, upper_tooth_offset=upper, overbite=overbite)
        away = (upper - anatomy.upper_tooth_offset) / UPPER_SD_CM
        over = (overbite - anatomy.overbite) / OVERBITE_SD_CM
        return _mismatch(shown, made, light) * (1 + _PULL * (away**2 + over**2)), made

    ups, overs = (np.arange(low, high + 1e-6, _COARSE_CM) for low, high in (UPPER_CM, OVERBITE_CM))
    best = min((cost(float(u), float(o)) for u in ups for o in overs), key=lambda c: c[0])
    around = (-_FINE_CM, 0.0, _FINE_CM)
    coarse = best[1]
    for up in around:
        for over in around:
            upper = min(max(coarse.upper_tooth_offset + up, UPPER_CM[0]), UPPER_CM[1])
            overbite = min(max(coarse.overbite + over, OVERBITE_CM[0]), OVERBITE_CM[1])
            best = min(best, cost(upper, overbite), key=lambda c: c[0])
    return best[1]


def _with_size(
    shown: Sequence[ShownTeeth], anatomy: MouthAnatomy, light: InteriorLight
) -> MouthAnatomy:
    """Scale teeth and arches."""

    def cost(size: float) -> tuple[float, MouthAnatomy]:
        made = replace(anatomy, arch_scale=anatomy.arch_scale * size)
        pull = _PULL * ((size - 1) / ARCH_SD) ** 2
        return _mismatch(shown, made, light) * (1 + pull), made

    sizes = np.arange(ARCH[0], ARCH[1] + 1e-6, _ARCH_STEP)
    return min((cost(float(s)) for s in sizes), key=lambda c: c[0])[1]


def _with_colour(
    anatomy: MouthAnatomy, light: InteriorLight, ratio: FloatArray
) -> tuple[MouthAnatomy, InteriorLight]:
    """Tint teeth by a ratio of linear BGR; half of its luminance goes to the light."""
    luma = max(float(ratio @ _LUMA), 1e-3)
    share = math.sqrt(min(max(luma, TOOTH_LUMA[0]), TOOTH_LUMA[1]))
    hue = np.clip(ratio / luma, *TOOTH_HUE)
    blue, green, red = (
        float(c) for c in np.minimum(np.array(anatomy.tooth_bgr) * share * hue, 1.0)
    )
    gain_blue, gain_green, gain_red = (share * g for g in light.gain_bgr)
    return (
        replace(anatomy, tooth_bgr=(blue, green, red)),
        replace(light, gain_bgr=(gain_blue, gain_green, gain_red)),
    )


def _mismatch(shown: Sequence[ShownTeeth], anatomy: MouthAnatomy, light: InteriorLight) -> float:
    """Mean difference of what was seen and what is drawn, in square roots of linear light."""
    model = InteriorModel(anatomy)
    found = []
    for one in shown:
        drawn = _drawn(one, model, light)
        where = one.view.inside
        s, d = (np.sqrt(np.maximum(a[where], 0.0)) for a in (one.view.seen, drawn))
        gain = np.clip((s * d).sum(0) / np.maximum((d * d).sum(0), 1e-6), *_GAIN)
        found.append(float(np.abs(s - gain * d).mean()))
    return float(np.mean(found))


def _colour_ratio(
    shown: Sequence[ShownTeeth], model: InteriorModel, light: InteriorLight
) -> FloatArray:
    """Linear BGR of teeth as seen over that of teeth drawn in the same places, ``(3,)``."""
    ratios = []
    for one in shown:
        picture = _drawn(one, model, light)
        both = _lit(picture, one.view.teeth)
        drawn = np.median(picture[both], axis=0)
        ratios.append(np.median(one.view.seen[both], axis=0) / np.maximum(drawn, 1e-3))
    return np.asarray(np.median(ratios, axis=0), np.float32)


def _drawn(shown: ShownTeeth, model: InteriorModel, light: InteriorLight) -> FloatArray:
    """Draw the model into the opening of a view; linear BGR at its nodes."""
    view = shown.view
    places = view.nodes_px.reshape(-1, 2)
    margin = 6.0
    corner = np.floor(places.min(0) - margin)
    extent = np.ceil(places.max(0) + margin) - corner
    x0, y0, x1, y1 = (float(v) for v in (*corner, *(corner + extent)))
    shrink = min(1.0, 1.0 / (STEP_CM * view.pose.scale_px))
    width, height = (max(8, round(float(n) * shrink)) for n in extent)
    picture = model.render(
        view.pose,
        **asdict(shown.inside),
        region_xyxy=(x0, y0, x1, y1),
        size=(width, height),
        light=light,
        lip_polygon=view.rim_px,
    )
    picture = softened(picture, view.softness_px * shrink)
    at = (view.nodes_px - corner + 0.5) * (np.array([width, height]) / extent) - 0.5
    return _nodes_of(to_linear(picture).astype(np.float32), at.astype(np.float32))
