"""Ways to spoil a good picture of a face, step by step; the ones that preflight must name.

Light is changed on linear values (gamma 2.2), as a lamp would. All functions take a BGR picture
``(h, w, 3)`` uint8, its face, and how much of it; noise comes from a generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edgeavatar.face.measures import face_height
from edgeavatar.types import FaceObservation

Bytes: TypeAlias = npt.NDArray[np.uint8]
Linear: TypeAlias = npt.NDArray[np.float32]
Draw: TypeAlias = np.random.Generator
Spoil: TypeAlias = Callable[[Bytes, FaceObservation, float, Draw], Bytes]

_GAMMA = 2.2
READ_NOISE = 0.002
"""Of the sensor, over full scale, on linear values: a small camera at a high gain."""


def _linear(bgr: Bytes) -> Linear:
    return np.asarray((bgr.astype(np.float32) / 255.0) ** _GAMMA, np.float32)


def _coded(light: npt.NDArray[Any]) -> Bytes:
    return np.asarray(np.rint(255.0 * np.clip(light, 0.0, 1.0) ** (1 / _GAMMA)), np.uint8)


def smaller(bgr: Bytes, face: FaceObservation, height_px: float, _: Draw) -> Bytes:
    """Scale the picture down until the face is so high."""
    scale = height_px / face_height(face.landmarks)
    size = tuple(max(2, round(side * scale)) for side in bgr.shape[1::-1])
    return np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)


def darker(bgr: Bytes, _: FaceObservation, stops: float, draw: Draw) -> Bytes:
    """Take light away; the noise of the sensor stays."""
    light = _linear(bgr) * np.float32(2.0**-stops)
    return _coded(light + draw.normal(0.0, READ_NOISE, light.shape))


def brighter(bgr: Bytes, _: FaceObservation, stops: float, __: Draw) -> Bytes:
    """Add light until the sensor is full."""
    return _coded(_linear(bgr) * np.float32(2.0**stops))


def side_lit(bgr: Bytes, face: FaceObservation, ratio: float, _: Draw) -> Bytes:
    """Leave one half of the face only so much of its luma."""
    height = face_height(face.landmarks)
    down = face.landmarks[152, :2] - face.landmarks[10, :2]
    across = np.array([down[1], -down[0]]) / np.linalg.norm(down)
    middle = face.landmarks[[10, 152, 4], :2].mean(0)
    y, x = np.mgrid[: bgr.shape[0], : bgr.shape[1]].astype(np.float32)
    place = ((x - middle[0]) * across[0] + (y - middle[1]) * across[1]) / (0.08 * height)
    lit = 1.0 / (1.0 + np.exp(-np.clip(place, -30, 30)))
    share = ratio + (1.0 - ratio) * lit
    return _coded(_linear(bgr) * (share**_GAMMA)[..., None])


def backlit(bgr: Bytes, face: FaceObservation, stops: float, draw: Draw) -> Bytes:
    """Expose for a bright background: the head falls into the dark."""
    height = face_height(face.landmarks)
    x0, y0 = face.landmarks[:, :2].mean(0)
    head: npt.NDArray[Any] = np.zeros(bgr.shape[:2], np.float32)
    centre = (round(float(x0)), round(float(y0 - 0.1 * height)))
    cv2.ellipse(head, centre, (round(0.6 * height), round(0.85 * height)), 0, 0, 360, 1, -1)
    head[round(float(y0 + 0.5 * height)) :] = 1.0
    head = cv2.GaussianBlur(head, (0, 0), 0.03 * height)[..., None]
    light = _linear(bgr)
    window = np.full_like(light, 0.9)
    light = head * light * np.float32(2.0**-stops) + (1.0 - head) * window
    return _coded(light + draw.normal(0.0, READ_NOISE, light.shape))


def noisy(bgr: Bytes, _: FaceObservation, sigma: float, draw: Draw) -> Bytes:
    """Add noise of a standard deviation in levels of 255."""
    return np.asarray(np.clip(np.rint(bgr + draw.normal(0.0, sigma, bgr.shape)), 0, 255), np.uint8)


def blurred(bgr: Bytes, face: FaceObservation, percent: float, _: Draw) -> Bytes:
    """Blur by a standard deviation in percent of the face's height."""
    sigma = percent / 100.0 * face_height(face.landmarks)
    return np.asarray(cv2.GaussianBlur(bgr, (0, 0), sigma), np.uint8)


def smeared(bgr: Bytes, face: FaceObservation, percent: float, _: Draw) -> Bytes:
    """Move the picture sideways during the exposure, by percent of the face's height."""
    length = max(1, round(percent / 100.0 * face_height(face.landmarks)))
    return np.asarray(cv2.blur(bgr, (length, 1)), np.uint8)


def blocky(bgr: Bytes, _: FaceObservation, quality: float, __: Draw) -> Bytes:
    """Save as JPEG and load again."""
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def leaning(bgr: Bytes, face: FaceObservation, degrees: float, _: Draw) -> Bytes:
    """Turn the picture around the face."""
    x, y = face.landmarks[:, :2].mean(0)
    turn = cv2.getRotationMatrix2D((float(x), float(y)), -degrees, 1.0)
    size = bgr.shape[1::-1]
    return np.asarray(cv2.warpAffine(bgr, turn, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def cut_off(bgr: Bytes, face: FaceObservation, share: float, _: Draw) -> Bytes:
    """Cut the lower part of the face off, so much of its height."""
    chin = float(face.landmarks[:, 1].max())
    bottom = round(chin - share * face_height(face.landmarks))
    return np.ascontiguousarray(bgr[: max(2, bottom & ~1)])


def glaring(bgr: Bytes, face: FaceObservation, share: float, _: Draw) -> Bytes:
    """Put white reflections over both eyes, as wide as so much of the eye's distance."""
    eyes = face.landmarks[[33, 263], :2]
    wide = float(np.linalg.norm(eyes[0] - eyes[1]))
    spots: npt.NDArray[Any] = np.zeros(bgr.shape[:2], np.float32)
    for first, second in ((33, 133), (263, 362)):
        x, y = face.landmarks[[first, second], :2].mean(0)
        axes = (max(1, round(share * wide / 2)), max(1, round(share * wide / 4)))
        cv2.ellipse(spots, (round(float(x)), round(float(y))), axes, 15, 0, 360, 1, -1)
    spots = cv2.GaussianBlur(spots, (0, 0), max(0.5, 0.01 * wide))[..., None]
    return np.asarray(np.rint(bgr * (1 - spots) + 250.0 * spots), np.uint8)


def covered(bgr: Bytes, face: FaceObservation, share: float, draw: Draw) -> Bytes:
    """Hold a hand before the lower face: four fingers in the colour of the forehead.

    ``share`` is how much of the way to the mouth it has come: 1 covers it.
    """
    height = face_height(face.landmarks)
    points = face.landmarks[:, :2]
    mouth = points[[61, 291, 13, 14]].mean(0)
    skin = np.median(
        bgr[tuple(np.rint(points[[151, 50, 280]]).astype(int).T[::-1])].astype(np.float32), axis=0
    )
    out = bgr.astype(np.float32)
    reach = 0.30 * height * share
    for finger in range(4):
        y = mouth[1] + (finger - 1.6) * 0.10 * height
        mask: npt.NDArray[Any] = np.zeros(bgr.shape[:2], np.float32)
        start = (round(float(mouth[0] - 1.2 * height)), round(float(y + 0.08 * height)))
        end = (round(float(mouth[0] - 0.25 * height + 1.6 * reach)), round(float(y)))
        cv2.line(mask, start, end, 1.0, max(2, round(0.095 * height)))
        mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.006 * height))
        rows = np.arange(bgr.shape[0], dtype=np.float32)
        shade = 0.92 - 0.28 * np.abs((rows - y) / (0.05 * height)).clip(0, 1.4) ** 2
        finger_colour = (skin * 0.9)[None, None] * shade[:, None, None]
        finger_colour = finger_colour + draw.normal(0, 2.0, bgr.shape[:2])[..., None]
        out = out * (1 - mask[..., None]) + finger_colour * mask[..., None]
    return np.asarray(np.clip(np.rint(out), 0, 255), np.uint8)


@dataclass(frozen=True, slots=True)
class Degradation:
    """One way to spoil a picture."""

    name: str
    factor: str
    """That preflight must name."""
    spoil: Spoil
    unit: str
    levels: tuple[float, ...]
    """From harmless to useless."""


DEGRADATIONS: tuple[Degradation, ...] = (
    Degradation("downscaled", "face-size", smaller, "px", (300, 200, 160, 128, 96, 80, 64, 48, 40)),
    Degradation("darkened", "dark", darker, "stops", (1, 2, 3, 4, 5, 6, 7)),
    Degradation("overexposed", "bright", brighter, "stops", (0.5, 1, 1.5, 2, 2.5, 3)),
    Degradation("side-lit", "side-light", side_lit, "ratio", (0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1)),
    Degradation("backlit", "backlight", backlit, "stops", (1, 2, 3, 4, 5, 6)),
    Degradation("noisy", "picture-noise", noisy, "levels", (2, 4, 6, 8, 12, 16, 24, 32)),
    Degradation("blurred", "blur", blurred, "%", (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4)),
    Degradation("smeared", "blur", smeared, "%", (1, 2, 3, 4, 6, 8, 12)),
    Degradation("JPEG", "blocks", blocky, "quality", (75, 50, 30, 20, 15, 10, 7, 5)),
    Degradation("leaning", "roll", leaning, "deg", (10, 20, 30, 45, 60, 75, 90)),
    Degradation("cut off", "cut-off", cut_off, "height", (0.02, 0.05, 0.1, 0.2, 0.3)),
    Degradation("glare", "glare", glaring, "eye distance", (0.1, 0.2, 0.3, 0.4)),
)
