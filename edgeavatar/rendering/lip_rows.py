"""Which landmarks of the canonical mesh are lips, row by row, and the skin around them.

Every row runs from the person's right to left and has nine landmarks, corners left out; each is the
neighbour in the mesh of the one at the same place of the next row.
"""

UPPER_INNER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
"""Inner rim of the upper lip from the person's right to left, corners left out."""
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Inner rim of the lower lip, opposite to :data:`UPPER_INNER_LIP`."""
UPPER_LIP_ROWS = (
    UPPER_INNER_LIP,
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (184, 74, 73, 72, 11, 302, 303, 304, 408),
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
)
"""All rows of the upper lip from its inner to its outer rim."""
LOWER_LIP_ROWS = (
    LOWER_INNER_LIP,
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
)
"""The same of the lower lip."""
SKIN_ABOVE = (186, 92, 165, 167, 164, 393, 391, 322, 410)
"""The row of skin above the upper lip."""
SKIN_BELOW = (43, 106, 182, 83, 18, 313, 406, 335, 273)
"""The row of skin below the lower lip."""
CHIN_BELOW = (202, 204, 194, 201, 200, 421, 418, 424, 422)
"""The row below that."""
INNER_CORNERS = (78, 308)
"""Right and left end of the inner lip line."""
CORNERS = (INNER_CORNERS, (62, 292), (76, 306), (61, 291), (57, 287))
"""Ends of the rows of lips and skin, from the inner rims outwards."""
