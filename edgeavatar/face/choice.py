"""Which of several faces is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgeavatar.errors import AmbiguousFaceError, NoFaceError, UsageError
from edgeavatar.types import FaceBox

DOMINANT: Final = 2.5
"""Area over the area of every other face from which a face is taken without asking."""

SURE_SCORE: Final = 0.75
"""Score of the detector below which what is found beside a surer face is no face: of 456 faces (24
photos of the London set, 14 frames of clips; 60 to 250 pixels high, upright, leaning by 30 and 60
degrees, and in 0.3 of the light) the least had 0.78; what else was found there had 0.52 to 0.75."""

_HELP: Final = "largest, left, right, an index, or a box x0,y0,x1,y1"


def check_choice(choice: str | None) -> None:
    """Check the wording of a choice before there is a picture.

    Raises
    ------
    UsageError
        It is none of the forms that :func:`select_face` takes.
    """
    if choice is None or choice in ("largest", "left", "right") or _index_of(choice) is not None:
        return
    _box_of(choice)


def select_face(
    boxes: Sequence[FaceBox], choice: str | None, image_size: tuple[int, int]
) -> FaceBox:
    """Pick one of the faces found in a picture.

    Faces are numbered from 0, from left to right. What the detector is not sure of
    (:data:`SURE_SCORE`) counts only where nothing surer is found, and in a given box.

    Parameters
    ----------
    boxes
        The faces.
    choice
        ``"largest"``, ``"left"``, ``"right"``, an index, or ``"x0,y0,x1,y1"`` in pixels (the face
        that shares most with that box, its middle inside it). ``None`` takes the only face or one
        that is at least 2.5 times as large in area as each other.
    image_size
        Width and height of the picture.

    Raises
    ------
    NoFaceError
        There is no face, or none in the given box.
    AmbiguousFaceError
        No choice was made and several faces are of comparable size.
    UsageError
        The choice has none of these forms or the index is too large.
    """
    check_choice(choice)
    width, height = image_size
    if not boxes:
        msg = (
            f"expected a face, found none in the picture of {width} x {height} pixels; use one"
            " where a face is seen from the front, upright, at least 96 pixels high"
        )
        raise NoFaceError(msg)
    ordered = sorted(_sure(boxes), key=_middle)
    if choice is None:
        return _dominant(ordered)
    if choice == "largest":
        return max(ordered, key=_area)
    if choice == "left":
        return ordered[0]
    if choice == "right":
        return ordered[-1]
    index = _index_of(choice)
    if index is None:
        return _inside(sorted(boxes, key=_middle), _box_of(choice))
    if index >= len(ordered):
        msg = f"expected a face index below {len(ordered)}, found {index}; {_listing(ordered)}"
        raise UsageError(msg)
    return ordered[index]


def _sure(boxes: Sequence[FaceBox]) -> Sequence[FaceBox]:
    return [box for box in boxes if box.score >= SURE_SCORE] or boxes


def _dominant(ordered: Sequence[FaceBox]) -> FaceBox:
    largest = max(ordered, key=_area)
    others = [face for face in ordered if face is not largest]
    if all(_area(largest) >= DOMINANT * _area(face) for face in others):
        return largest
    msg = f"expected one face, found {len(ordered)}; choose {_HELP}; {_listing(ordered)}"
    raise AmbiguousFaceError(msg)


def _inside(ordered: Sequence[FaceBox], box: tuple[float, float, float, float]) -> FaceBox:
    def shared(face: FaceBox) -> float:
        left, top, right, bottom = face.bbox_xyxy
        across = min(right, box[2]) - max(left, box[0])
        down = min(bottom, box[3]) - max(top, box[1])
        return max(across, 0.0) * max(down, 0.0)

    def has_middle(face: FaceBox) -> bool:
        x, y = _middle(face)
        return box[0] <= x <= box[2] and box[1] <= y <= box[3]

    candidates = [face for face in ordered if has_middle(face)]
    if not candidates:
        msg = f"expected a face in the box {box}, found none there; {_listing(ordered)}"
        raise NoFaceError(msg)
    return max(candidates, key=shared)


def _listing(ordered: Sequence[FaceBox]) -> str:
    entries = []
    for index, face in enumerate(ordered):
        x, y = _middle(face)
        entries.append(f"{index}: at ({x:.0f}, {y:.0f}), {face.width:.0f} x {face.height:.0f} px")
    return "faces are " + "; ".join(entries)


def _index_of(choice: str) -> int | None:
    return int(choice) if choice.isascii() and choice.isdigit() else None


def _box_of(choice: str) -> tuple[float, float, float, float]:
    try:
        left, top, right, bottom = (float(part) for part in choice.split(","))
    except ValueError:
        left = top = right = bottom = 0.0
    if not (right > left and bottom > top):
        msg = f"expected a face choice among {_HELP}, found {choice!r}"
        raise UsageError(msg)
    return left, top, right, bottom


def _area(face: FaceBox) -> float:
    return face.width * face.height


def _middle(face: FaceBox) -> tuple[float, float]:
    left, top, right, bottom = face.bbox_xyxy
    return (left + right) / 2, (top + bottom) / 2
