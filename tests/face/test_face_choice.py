from __future__ import annotations

from dataclasses import replace

import pytest

from edgeavatar.errors import AmbiguousFaceError, NoFaceError, UsageError
from edgeavatar.face import check_choice, select_face
from edgeavatar.types import FaceBox

SIZE = (1000, 600)


def _box(x: float, size: float) -> FaceBox:
    return FaceBox((x - size / 2, 300 - size / 2, x + size / 2, 300 + size / 2), 0.9)


LEFT, MIDDLE, RIGHT = _box(100, 90), _box(500, 120), _box(900, 100)
FACES = [MIDDLE, RIGHT, LEFT]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("largest", MIDDLE),
        ("left", LEFT),
        ("right", RIGHT),
        ("0", LEFT),
        ("1", MIDDLE),
        ("2", RIGHT),
        ("850,250,950,350", RIGHT),
        ("40,200,560,400", MIDDLE),
        ("60, 260, 140, 340", LEFT),
    ],
)
def test_choices(choice: str, expected: FaceBox) -> None:
    assert select_face(FACES, choice, SIZE) is expected


def test_one_face_and_a_dominant_face_need_no_choice() -> None:
    assert select_face([LEFT], None, SIZE) is LEFT
    large = _box(500, 160)
    assert select_face([LEFT, large, RIGHT], None, SIZE) is large


def test_comparable_faces_are_listed() -> None:
    with pytest.raises(AmbiguousFaceError) as caught:
        select_face(FACES, None, SIZE)
    message = str(caught.value)
    assert message.startswith("expected one face, found 3; choose largest, left, right, an index")
    assert "0: at (100, 300), 90 x 90 px" in message
    assert "1: at (500, 300), 120 x 120 px; 2: at (900, 300), 100 x 100 px" in message


def test_what_may_be_a_pattern_is_no_second_face() -> None:
    face = _box(400, 200)
    pattern = replace(_box(100, 200), score=0.62)
    for choice in (None, "largest", "left", "0"):
        assert select_face([face, pattern], choice, SIZE) is face
    with pytest.raises(UsageError, match="below 1"):
        select_face([face, pattern], "1", SIZE)
    assert select_face([face, pattern], "50,250,150,350", SIZE) is pattern
    assert select_face([pattern], None, SIZE) is pattern


def test_no_face() -> None:
    with pytest.raises(NoFaceError, match="none in the picture of 1000 x 600"):
        select_face([], "largest", SIZE)
    with pytest.raises(NoFaceError, match="none there; faces are 0: at"):
        select_face(FACES, "200,200,300,300", SIZE)


@pytest.mark.parametrize(
    "choice", ["biggest", "", "-1", "1.5", "1,2,3", "5,5,5,9", "9,9,1,1", "a,b,c,d"]
)
def test_wording_that_means_nothing(choice: str) -> None:
    with pytest.raises(UsageError, match="expected a face choice among largest, left"):
        check_choice(choice)
    with pytest.raises(UsageError):
        select_face(FACES, choice, SIZE)


def test_an_index_beyond_the_faces() -> None:
    check_choice("3")
    with pytest.raises(UsageError, match="index below 3, found 3; faces are 0"):
        select_face(FACES, "3", SIZE)
