"""A face's skin is pushed, never turned over: landmarks give way before they would pass each other.

A pursed lower lip comes down on a chin that stays; a lip line that is moved to where the picture
shows it may pass the row beside it. Where the mesh folds, skin and lip take turns in the picture,
and the edge of the fold is a staircase of the field's nodes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edgeavatar.rendering.lip_rows import (
    CHIN_BELOW,
    CORNERS,
    LOWER_LIP_ROWS,
    SKIN_ABOVE,
    SKIN_BELOW,
    UPPER_LIP_ROWS,
)
from edgeavatar.rendering.mesh import doubled_areas

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

YIELDS = (0.0, 0.3, 0.3, 0.3, 1.0)
"""How readily a row goes out of the way, from the inner rim outwards: skin before lips, and a rim
never, since it is where it is meant to be."""
KEPT = 0.4
"""Least area of a triangle over its area before. At 0.2 what is squeezed is still narrower than the
nodes of the field lie apart, and its edge a staircase."""
ROUNDS, HASTE = 16, 1.6
"""Rounds of giving way at most, and how far beyond what is asked a landmark goes in each
(over-relaxation): of 18 mouths on three faces 13 folded, and one still does after them; without
haste that takes 30 rounds."""

MOST = 0.04
"""How far a landmark may give way, in heights of the face: a fully pursed mouth takes .03. Beyond,
as on the far half of a mouth turned by 30 degrees, triangles seen edge-on ask for the impossible,
and a fold is the lesser evil."""


def _strips() -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Triangles between neighbouring rows, ``(t, 3)``, and how readily each landmark yields."""
    yields = np.zeros(478, np.float32)
    triangles: list[tuple[int, ...]] = []
    for rows, upper in (
        ((*UPPER_LIP_ROWS, SKIN_ABOVE), True),
        ((*LOWER_LIP_ROWS, SKIN_BELOW), False),
    ):
        strips = [(right, *row, left) for row, (right, left) in zip(rows, CORNERS, strict=True)]
        for strip, share in zip(strips, YIELDS, strict=True):
            yields[list(strip)] = share
        pairs = list(pairwise(strips)) + ([] if upper else [(SKIN_BELOW, CHIN_BELOW)])
        for inner, outer in pairs:
            for (a, b), (c, d) in zip(pairwise(inner), pairwise(outer), strict=True):
                # Whichever way the mesh divides a quadrangle, neither half may turn over.
                halves = ((a, b, c), (b, d, c), (a, b, d), (a, d, c))
                triangles += [half[::-1] for half in halves] if upper else halves
    yields[list(CHIN_BELOW)] = YIELDS[-1]
    return np.array(triangles, np.intp), yields


_TRIANGLES, _YIELDS = _strips()


def unfolded(before: FloatArray, after: FloatArray) -> FloatArray:
    """Let the landmarks around a mouth give way until no triangle between them is turned over.

    Each triangle asks its corners for the least movement that gives it its area back (projection of
    constraints, Müller et al. 2007, "Position Based Dynamics", section 3); asked by several, a
    landmark goes their mean way.

    Parameters
    ----------
    before, after
        ``(n, 2)`` float32 px: the landmarks, and where they are to go.

    Returns
    -------
    FloatArray
        ``(n, 2)`` float32 px: ``after``, but for those that gave way.
    """
    out = after.astype(np.float32)
    own = doubled_areas(before[_TRIANGLES])
    # What the source itself shows turned over, on the far side of a turned head, is let be.
    shown = own > 1e-3
    corners, least = _TRIANGLES[shown], KEPT * own[shown]
    yields = _YIELDS[corners]
    most = np.float32(MOST * np.ptp(before[:, 1]))
    for _ in range(ROUNDS):
        at = out[corners]
        missing = least - doubled_areas(at)
        tight = missing > 0
        if not tight.any():
            break
        where, ready = at[tight], yields[tight]
        opposite = where[:, [2, 0, 1]] - where[:, [1, 2, 0]]
        gradient = np.stack([-opposite[..., 1], opposite[..., 0]], -1)
        effort = (ready * (gradient**2).sum(-1)).sum(-1)
        step = missing[tight] / np.maximum(effort, 1e-6)
        moves = (step[:, None] * ready)[..., None] * gradient
        total, asked = np.zeros_like(out), np.zeros(len(out), np.float32)
        np.add.at(total, corners[tight], moves)
        np.add.at(asked, corners[tight], 1.0)
        out += np.float32(HASTE) * total / np.maximum(asked, 1.0)[:, None]
        given = out - after
        far = np.linalg.norm(given, axis=1, keepdims=True)
        out = after + given * np.minimum(1.0, most / np.maximum(far, 1e-6))
    return out
