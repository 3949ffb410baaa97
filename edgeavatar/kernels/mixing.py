"""Laying layers of a mouth over each other by wishes on a coarser grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import ByteArray, FloatArray


def mix_layers(
    interior: ByteArray,
    reference: ByteArray | None,
    cavity: FloatArray,
    lips: FloatArray,
    wishes: FloatArray,
    tints: FloatArray,
    onto_wishes: npt.NDArray[np.float64],
) -> tuple[ByteArray, FloatArray]:
    """Mix the inside of a mouth, and tell how much of it covers the skin.

    Shares are ``exp(wish)``, those of skin times ``exp(6 - 12 * cavity)`` and those of the
    reference times ``exp(-4)``; wishes of 0 show the interior in the cavity. The twin in torch,
    with which the wishes were learned, is ``mix`` in ``export/nets/painter.py``.

    Parameters
    ----------
    interior, reference
        ``(h, w, 3)`` uint8; a reference that is not there has no share.
    cavity, lips
        ``(h, w)`` float32 in [0, 1].
    wishes
        ``(3, m, n)`` float32: for skin, interior and reference. Read bilinearly; pixels outside
        repeat the border.
    tints
        ``(6,)`` float32: factors of the interior's and of the reference's three colours, in the
        order of the pictures' own.
    onto_wishes
        ``(2, 3)``: from pixels of the layers to pixels of the wishes.

    Returns
    -------
    colour : ndarray
        ``(h, w, 3)`` uint8.
    alpha : ndarray
        ``(h, w)`` float32 in [0, 1], 0 where ``lips`` is.
    """
    colour = np.zeros_like(interior)
    alpha = np.zeros(cavity.shape, np.float32)
    _mix_layers(
        interior,
        interior if reference is None else reference,
        reference is not None,
        cavity,
        lips,
        np.ascontiguousarray(wishes, np.float32),
        np.ascontiguousarray(tints, np.float32),
        np.asarray(onto_wishes, np.float32),
        colour,
        alpha,
    )
    return colour, alpha


@numba.njit(cache=True, nogil=True)
def _mix_layers(  # type: ignore[no-untyped-def]
    interior, reference, known, cavity, lips, wishes, tints, onto, colour, alpha
):
    height, width = cavity.shape
    rows, columns = wishes.shape[1], wishes.shape[2]
    for row in range(height):
        for col in range(width):
            if lips[row, col] <= np.float32(0):
                continue
            x = onto[0, 0] * col + onto[0, 1] * row + onto[0, 2]
            y = onto[1, 0] * col + onto[1, 1] * row + onto[1, 2]
            x = min(max(x, np.float32(0)), np.float32(columns - 1))
            y = min(max(y, np.float32(0)), np.float32(rows - 1))
            j, i = min(int(x), columns - 2), min(int(y), rows - 2)
            fx, fy = x - np.float32(j), y - np.float32(i)
            a, b = (np.float32(1) - fx) * (np.float32(1) - fy), fx * (np.float32(1) - fy)
            c, d = (np.float32(1) - fx) * fy, fx * fy
            skin = np.float32(6) - np.float32(12) * cavity[row, col]
            skin += (
                a * wishes[0, i, j]
                + b * wishes[0, i, j + 1]
                + c * wishes[0, i + 1, j]
                + d * wishes[0, i + 1, j + 1]
            )
            modelled = (
                a * wishes[1, i, j]
                + b * wishes[1, i, j + 1]
                + c * wishes[1, i + 1, j]
                + d * wishes[1, i + 1, j + 1]
            )
            skin, modelled, other = np.exp(skin), np.exp(modelled), np.float32(0)
            if known:
                other = np.exp(
                    a * wishes[2, i, j]
                    + b * wishes[2, i, j + 1]
                    + c * wishes[2, i + 1, j]
                    + d * wishes[2, i + 1, j + 1]
                    - np.float32(4)
                )
            shown = modelled + other
            alpha[row, col] = shown / (skin + shown) * lips[row, col]
            modelled, other = modelled / shown, other / shown
            for k in range(3):
                value = modelled * tints[k] * interior[row, col, k]
                value += other * tints[3 + k] * reference[row, col, k]
                colour[row, col, k] = np.uint8(min(value, np.float32(255)) + np.float32(0.5))
