"""How well a moment of a source shows the inside of its person's mouth.

A painter that is shown such a moment takes teeth and light from it, so it had better be one in
which they are seen well. Every property counts as a factor from 0 to 1, and a moment is worth their
product: a good mouth in a blurred frame is as little use as a closed one in a sharp frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.rendering.geometric import lip_rim
from edgeavatar.rendering.geometry import smoothstep
from edgeavatar.rendering.layers import cavity_mask, crop_mouth, lip_mask
from edgeavatar.rendering.lipline import lip_gap
from edgeavatar.rendering.softness import squared_slope

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from edgeavatar.types import FaceObservation, FloatArray, Frame, HeadPose

SHOWN_GAP: Final = 0.025
"""Gap between the lips, in face heights, from which the inside of a mouth is seen."""
SHOWN_YAW_DEG: Final = 20.0
"""Turn of the head up to which it is seen well."""
LEAST_WORTH: Final = 0.2
"""Moments worth less are worse than none."""

GAP_CURVE: Final = ((SHOWN_GAP, 0.07, 0.13, 0.22), (0.0, 1.0, 1.0, 0.2))
"""Gaps in face heights and what they are worth. Teeth of a slit are stretched when it is moved to a
wide opening, so more is better up to where speech ends. A yawn shows a throat and stretched lips,
from which speech is far."""
POSE_DEG: Final = 15.0
"""Turn away from the usual pose at which a moment is worth 1/e."""
LIGHT_FACTOR: Final = 1.3
"""Ratio of the lips' red, green or blue to the usual one at which a moment is worth 1/e: a lamp
that was switched on, or make-up."""
_SIDE: Final = 256
_WHITE: Final = 250
"""Luma from which a pixel counts as clipped."""
_CLIPPED: Final = (0.01, 0.10)
"""Clipped shares of the mouth between which its worth falls to nothing."""
_TEETH: Final = (0.03, 0.25)
"""Shares of the opening between which teeth come to count in full."""
_CLENCHED: Final = (0.45, 0.6)
"""Shares of the opening between which teeth come to count as clenched, which are worth nothing:
they would be stretched over the whole of an open mouth."""


@dataclass(frozen=True, slots=True)
class MouthView:
    """What was measured in one moment; compared with others by :func:`worths`."""

    gap: float
    """Between the lips, in face heights."""
    teeth: float
    """Share of the opening that is neither dark nor as red as the lips."""
    sharpness: float
    """Of the edges of lips and teeth: 0 soft, 3 at most."""
    lips_bgr: tuple[float, float, float]
    """Middle colour of the lips, 0 to 255."""
    clipped: float
    """Share of the mouth that is white without texture."""
    yaw_deg: float
    pitch_deg: float
    presence: float
    """The face model's trust, 0 to 1."""


def shows_mouth(face: FaceObservation) -> bool:
    """Whether the lips are apart and the head is not turned away."""
    return lip_gap(face) > SHOWN_GAP and abs(face.pose.yaw_deg) < SHOWN_YAW_DEG


def view_mouth(frame: Frame, face: FaceObservation, lip_line_cm: float) -> MouthView | None:
    """Measure what a moment shows of the mouth.

    Parameters
    ----------
    frame, face
        A picture and the face in it.
    lip_line_cm
        See :attr:`~edgeavatar.rendering.geometry.Person.lip_line_cm`.

    Returns
    -------
    MouthView or None
        None where it does not show the inside, see :func:`shows_mouth`.
    """
    if not shows_mouth(face):
        return None
    crop = crop_mouth(face.pose, lip_line_cm, _SIDE)
    picture = crop.cut(frame_to_bgr(frame))
    opening = cavity_mask(crop, lip_rim(face.landmarks[:, :2]))
    mouth = lip_mask(crop, face.landmarks[:, :2])
    colour = picture.astype(np.float32)
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)
    inside = opening > 0.5
    lips = (mouth > 0.5) & (opening < 0.05)
    if not inside.any() or not lips.any():
        return None
    blue, green, red = np.median(colour[lips], axis=0).tolist()
    return MouthView(
        gap=lip_gap(face),
        teeth=_teeth_share(colour, luma, inside, lips),
        sharpness=_sharpness(luma, mouth > 0.5),
        lips_bgr=(blue, green, red),
        clipped=float((luma[mouth > 0.5] >= _WHITE).mean()),
        yaw_deg=face.pose.yaw_deg,
        pitch_deg=face.pose.pitch_deg,
        presence=face.score,
    )


def worths(views: Sequence[MouthView], usual: HeadPose) -> FloatArray:
    """Tell what moments of one source are worth as references, each from 0 to 1.

    Parameters
    ----------
    views
        Moments of one person in one source: sharpness and light are held against the others.
    usual
        How the head is mostly held, since a mouth seen from there needs the least moving.

    Returns
    -------
    FloatArray
        ``(len(views),)`` float32.
    """
    if not views:
        return np.zeros(0, np.float32)
    sharp = max(float(np.quantile([view.sharpness for view in views], 0.9)), 1e-9)
    lips = np.maximum([view.lips_bgr for view in views], 1.0)
    casts = np.abs(np.log(lips / np.median(lips, axis=0))).max(1)
    return np.array(
        [
            opening_worth(view.gap)
            * teeth_worth(view.teeth)
            * min(1.0, view.sharpness / sharp)
            * pose_worth(view, usual)
            * math.exp(-((cast / math.log(LIGHT_FACTOR)) ** 2))
            * (1.0 - smoothstep(*_CLIPPED, view.clipped))
            * view.presence
            for view, cast in zip(views, casts.tolist(), strict=True)
        ],
        np.float32,
    )


def is_worth_showing(
    frame: Frame, face: FaceObservation, lip_line_cm: float, usual: HeadPose
) -> bool:
    """Tell whether a moment that has no others beside it helps a painter that is shown it.

    Parameters
    ----------
    frame, face, lip_line_cm
        See :func:`view_mouth`.
    usual
        See :func:`worths`.
    """
    view = view_mouth(frame, face, lip_line_cm)
    return view is not None and float(worths([view], usual)[0]) >= LEAST_WORTH


def opening_worth(gap: float) -> float:
    """Tell what a gap between the lips, in face heights, is worth: speech much, a yawn little."""
    return float(np.interp(gap, *GAP_CURVE)) if gap > SHOWN_GAP else 0.0


def teeth_worth(share: float) -> float:
    """Tell what a share of teeth in the opening is worth: some much, none half, all nothing."""
    return (0.5 + 0.5 * smoothstep(*_TEETH, share)) * (1.0 - smoothstep(*_CLENCHED, share))


def pose_worth(view: MouthView, usual: HeadPose) -> float:
    """Tell what a pose is worth; a leaning head is as good, since it is set upright."""
    turn = math.hypot(view.yaw_deg - usual.yaw_deg, view.pitch_deg - usual.pitch_deg)
    return math.exp(-((turn / POSE_DEG) ** 2))


def _teeth_share(
    colour: FloatArray, luma: FloatArray, inside: npt.NDArray[np.bool_], lips: npt.NDArray[np.bool_]
) -> float:
    redness = (colour[..., 2] - colour[..., :2].mean(-1)) / np.maximum(luma, 1.0)
    pale = redness < 0.7 * max(float(np.median(redness[lips])), 0.0)
    bright = luma > 0.75 * float(np.median(luma[lips]))
    return float((pale & bright)[inside].mean())


def _sharpness(luma: FloatArray, mouth: npt.NDArray[np.bool_]) -> float:
    """How much steeper the edges are than after a blur: 0 for soft ones, whatever their contrast.

    Slopes at two scales tell a soft edge from a weak one (Zhuo & Sim 2011, as in
    :func:`~edgeavatar.rendering.softness.camera_softness`), so a dark opening is not taken for a
    sharp mouth.
    """
    fine, coarse = (squared_slope(luma, sigma)[mouth] for sigma in (1.0, 2.0))
    # A camera's noise has slopes as well, but no steep ones.
    steep = coarse >= max(float(np.quantile(coarse, 0.8)), 1.0)
    return max(float(fine[steep].sum() / coarse[steep].sum()) - 1.0, 0.0) if steep.any() else 0.0
