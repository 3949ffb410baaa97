"""Index sets of the 478-point MediaPipe face mesh.

"Left" and "right" are the person's own. Closed rings run round and do not repeat their first point.
The sets are facts of the published model (MediaPipe face mesh connections and
``face_blendshapes_graph``); triangles and the mean face are read from the model's own files by
:func:`edgeavatar.face.geometry.read_canonical_mesh`.
"""

from __future__ import annotations

from typing import Final

Indices = tuple[int, ...]

LANDMARK_COUNT: Final = 478
MESH_COUNT: Final = 468
"""The first 468 landmarks are the mesh; 468 to 477 are the irises."""

FACE_TOP: Final = 10
CHIN: Final = 152
RIGHT_EYE_OUTER: Final = 33
LEFT_EYE_OUTER: Final = 263
RIGHT_EYE_INNER: Final = 133
LEFT_EYE_INNER: Final = 362
NOSE_TIP: Final = 4
RIGHT_MOUTH_CORNER: Final = 61
LEFT_MOUTH_CORNER: Final = 291
RIGHT_INNER_MOUTH_CORNER: Final = 78
LEFT_INNER_MOUTH_CORNER: Final = 308

OUTER_LIP_UPPER: Final[Indices] = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
"""Right corner to left corner along the upper edge of the vermilion."""
OUTER_LIP_LOWER: Final[Indices] = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
"""Right corner to left corner along the lower edge of the vermilion."""
INNER_LIP_UPPER: Final[Indices] = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
"""Right corner to left corner along the upper edge of the mouth opening."""
INNER_LIP_LOWER: Final[Indices] = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Right corner to left corner along the lower edge of the mouth opening."""


def _ring(upper: Indices, lower: Indices) -> Indices:
    return upper + lower[-2:0:-1]


OUTER_LIPS: Final[Indices] = _ring(OUTER_LIP_UPPER, OUTER_LIP_LOWER)
"""Ring of 20 points, clockwise in the picture from the person's right corner."""
INNER_LIPS: Final[Indices] = _ring(INNER_LIP_UPPER, INNER_LIP_LOWER)
"""Ring of 20 points, clockwise in the picture from the person's right corner."""

_MIDDLE_LIPS_UPPER: Final[Indices] = (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306)
_MIDDLE_LIPS_LOWER: Final[Indices] = (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306)
_DEEP_LIPS_UPPER: Final[Indices] = (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292)
_DEEP_LIPS_LOWER: Final[Indices] = (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292)

LIP_RINGS: Final[tuple[Indices, ...]] = (
    OUTER_LIPS,
    _ring(_MIDDLE_LIPS_UPPER, _MIDDLE_LIPS_LOWER),
    _ring(_DEEP_LIPS_UPPER, _DEEP_LIPS_LOWER),
    INNER_LIPS,
)
"""The four rings of the lips from the skin to the mouth opening, point over point."""

LIPS: Final[Indices] = tuple(sorted({index for ring in LIP_RINGS for index in ring}))
"""All 80 landmarks of the lips."""

RIGHT_EYE_UPPER: Final[Indices] = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_EYE_LOWER: Final[Indices] = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_EYE_UPPER: Final[Indices] = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LEFT_EYE_LOWER: Final[Indices] = (263, 249, 390, 373, 374, 380, 381, 382, 362)
"""Lid edges run from the outer to the inner corner."""
RIGHT_EYE: Final[Indices] = _ring(RIGHT_EYE_UPPER, RIGHT_EYE_LOWER)
LEFT_EYE: Final[Indices] = _ring(LEFT_EYE_UPPER, LEFT_EYE_LOWER)

RIGHT_BROW_UPPER: Final[Indices] = (70, 63, 105, 66, 107)
RIGHT_BROW_LOWER: Final[Indices] = (46, 53, 52, 65, 55)
LEFT_BROW_UPPER: Final[Indices] = (300, 293, 334, 296, 336)
LEFT_BROW_LOWER: Final[Indices] = (276, 283, 282, 295, 285)
"""Brow edges run from the outer to the inner end."""

RIGHT_IRIS_CENTRE: Final = 468
RIGHT_IRIS: Final[Indices] = (469, 470, 471, 472)
LEFT_IRIS_CENTRE: Final = 473
LEFT_IRIS: Final[Indices] = (474, 475, 476, 477)

FACE_OVAL: Final[Indices] = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288),
    *(397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136),
    *(172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Ring of 36 points, clockwise in the picture from the top of the forehead."""

BLENDSHAPE_LANDMARKS: Final[Indices] = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63),
    *(65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132),
    *(133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161),
    *(162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263),
    *(267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310),
    *(311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373),
    *(374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398),
    *(400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
)
"""The 146 landmarks that the blendshape model reads, in its order."""
