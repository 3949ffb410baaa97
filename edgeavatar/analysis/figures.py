"""Numbers as people read them: with units, and no more digits than are true."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Factor

UNKNOWN: Final = "not measured"
_SPACE: Final = "\u00a0"
_MINUS: Final = "\u2212"
_UNITS: Final = {
    "deg": "°",
    "degrees": "°",
    "px": f"{_SPACE}px",
    "fps": f"{_SPACE}frames/s",
    "ratio": "",
    "": "",
}
_DECIMALS: Final = {"deg": 0, "stops": 1, "ratio": 2, "% of the face": 2}
"""Of units whose measures are known to be no finer."""
_LEAST_PERCENT: Final = 0.1
_BEST_SHARE: Final = 0.01
"""Shares are counted in frames or samples; a hundredth is what most of them can tell."""


def number(value: float, decimals: int) -> str:
    """Write a number with so many decimals and a real minus."""
    written = f"{value:.{decimals}f}"
    if not float(written):
        written = written.lstrip("-")
    return written.replace("-", _MINUS)


def rounded(value: float) -> str:
    """Write a number with two or three digits that count."""
    size = abs(value)
    if size >= 10_000:
        return f"{number(value / 1000, 0)}{_SPACE}000" if size < 1e6 else number(value, 0)
    if size >= 10 or value == round(value):
        return number(value, 0)
    return number(value, 1 if size >= 1 else 2)


def amount(value: float | None, unit: str, decimals: int | None = None) -> str:
    """Write a measured value with its unit; ``share`` becomes per cent.

    Parameters
    ----------
    value : float or None
        None, and what is no number, is "not measured".
    unit : str
        As in :class:`edgeavatar.analysis.results.Factor`.
    decimals : int, optional
        Default: as many as two or three digits take.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if unit == "faces":
        return count(round(value), "face")
    if decimals is None:
        decimals = _DECIMALS.get(unit)
    if unit == "share":
        value, unit = value * 100, "%"
        if 0 < value < _LEAST_PERCENT:
            return f"under {_LEAST_PERCENT}{_SPACE}%"
        if decimals is None:
            decimals = 1 if 0 < value < 10 else 0
    digits = rounded(value) if decimals is None else number(value, decimals)
    return f"{digits}{_UNITS.get(unit, f'{_SPACE}{unit}')}"


def bound(value: float, unit: str) -> str:
    """Write a bound: as it was set, since it is no measurement."""
    if unit == "share":
        value, unit = value * 100, "%"
    written = f"{value:.4g}".replace("-", _MINUS)
    return f"{written}{_UNITS.get(unit, f'{_SPACE}{unit}')}"


def worse(factor: Factor) -> Literal["above", "below", "from"]:
    """Tell on which side of its bounds a factor is worse; "from" where only one is known."""
    warn, bad = factor.warn_at, factor.bad_at
    if warn is not None and bad is not None and warn != bad:
        return "above" if bad > warn else "below"
    only = warn if warn is not None else bad
    if only is None or factor.value is None or factor.verdict == "unknown":
        return "from"
    return "above" if (factor.value >= only) != (factor.verdict == "good") else "below"


def plain(written: str) -> str:
    """Write with characters that any terminal has."""
    return written.translate({ord(_SPACE): " ", ord(_MINUS): "-"})


def share(value: float | None) -> str:
    """Write a share in whole per cent; what is not quite none or all is not called so."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if 0 < value < _BEST_SHARE:
        return f"under 1{_SPACE}%"
    if 1 - _BEST_SHARE < value < 1:
        return f"over 99{_SPACE}%"
    return f"{number(value * 100, 0)}{_SPACE}%"


def signed(value: float, unit: str, decimals: int = 0) -> str:
    """Write a number with its sign."""
    written = amount(value, unit, decimals)
    return f"+{written}" if float(f"{value:.{decimals}f}") > 0 else written


def clock(time_s: float, *, tenths: bool = False) -> str:
    """Write a time as minutes and seconds, with hours where there are any."""
    whole = round(time_s * 10) / 10 if tenths else math.floor(time_s + 1e-6)
    minutes, seconds = divmod(max(0.0, whole), 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{seconds:04.1f}" if tenths else f"{int(seconds):02d}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def duration(time_s: float | None) -> str:
    """Write how long something lasts."""
    if time_s is None or not math.isfinite(time_s):
        return UNKNOWN
    if time_s < 60:
        return amount(time_s, "s", 1)
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}{_SPACE}min {seconds}{_SPACE}s"


def sentence(fragment: str, *, start: bool = True) -> str:
    """Write a fragment as a sentence, or as the end of one."""
    whole = f"{fragment[:1].upper()}{fragment[1:]}" if start else fragment
    return whole if not whole or whole.endswith((".", "!", "?")) else f"{whole}."


def count(number_of: int, one: str, many: str | None = None) -> str:
    """Write a number of things."""
    return f"{number_of} {one if number_of == 1 else many or one + 's'}"
