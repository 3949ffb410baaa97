"""Colour tags: between the ITU-T H.273 codes of a stream and :class:`~edgeavatar.types.ColourTags`.

A stream that names no matrix is read as players read it: below 720 stored lines BT.601, from there
on BT.709. A stream that names no range is limited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeavatar.types import ColourTags

if TYPE_CHECKING:
    from edgeavatar.types import ColourMatrix

UNSPECIFIED: Final = 2
"""Unspecified in the H.273 tables of primaries, transfer and matrix."""

_MATRIX_BY_CODE: Final[dict[int, ColourMatrix]] = {
    1: "bt709",
    4: "bt601",  # FCC Title 47: Kr 0.30, Kb 0.11, less than a level from BT.601 on most colours
    5: "bt601",
    6: "bt601",
    9: "bt2020",
    10: "bt2020",
}
_HD_LINES: Final = 720

RGB_TARGET_MATRIX: Final = 1
"""RGB sources become BT.709, limited range."""

FULL_RANGE: Final = 2
"""FFmpeg's ``AVCOL_RANGE_JPEG``."""
LIMITED_RANGE: Final = 1
"""FFmpeg's ``AVCOL_RANGE_MPEG``."""

_HDR_TRANSFERS: Final = {16: "PQ", 18: "HLG"}


def read_tags(
    *, matrix: int, range_: int, primaries: int, transfer: int, stored_height: int
) -> ColourTags:
    """Make the tags of a decoded stream.

    Parameters
    ----------
    matrix, primaries, transfer : int
        H.273 codes.
    range_ : int
        FFmpeg's code: 0 unspecified, 1 limited, 2 full.
    stored_height : int
        Lines as stored, before any rotation; decides the matrix of a stream that names none.
    """
    fallback: ColourMatrix = "bt709" if stored_height >= _HD_LINES else "bt601"
    return ColourTags(
        matrix=_MATRIX_BY_CODE.get(matrix, fallback),
        range="full" if range_ == FULL_RANGE else "limited",
        primaries=primaries if primaries > 0 else UNSPECIFIED,
        transfer=transfer if transfer > 0 else UNSPECIFIED,
    )


def matrix_code(colour: ColourTags) -> int:
    """Return the H.273 matrix code to write for ``colour``.

    BT.601 has two codes with the same numbers; the 625-line one goes with its own primaries.
    """
    if colour.matrix == "bt601":
        return 5 if colour.primaries == 5 else 6
    return 1 if colour.matrix == "bt709" else 9


def range_code(colour: ColourTags) -> int:
    """Return FFmpeg's range code to write for ``colour``."""
    return FULL_RANGE if colour.range == "full" else LIMITED_RANGE


def unusual_tags(*, matrix: int, transfer: int) -> str | None:
    """Say what this package does not do justice to, or return None."""
    if transfer in _HDR_TRANSFERS:
        return (
            f"the source is HDR ({_HDR_TRANSFERS[transfer]}); it is processed and written with "
            "8 bits, tags kept, so fine gradients may show steps"
        )
    if matrix not in _MATRIX_BY_CODE and matrix not in (0, UNSPECIFIED):
        return (
            f"the source's colour matrix (H.273 code {matrix}) is not supported; "
            "it is read as BT.601 or BT.709 by its height, and colours may be off"
        )
    return None
