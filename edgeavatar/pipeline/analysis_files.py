"""The files of an analysis: a summary in JSON, and subtitles."""

from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import edgeavatar
from edgeavatar.subtitles.cues import Word, make_cues
from edgeavatar.subtitles.files import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgeavatar.analysis.results import Analysis

FORMAT: Final = "edgeavatar-analysis"
VERSION: Final = 1
_BY_ROW: Final = frozenset({"frames", "faces_by_frame", "sound"})
_DIGITS: Final = 4


def summary(analysis: Analysis) -> dict[str, Any]:
    """Give everything but the rows, as JSON knows it.

    What could not be measured is None; numbers are rounded to four digits after the point.
    """
    told: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "program": f"edgeavatar {edgeavatar.__version__}",
    }
    for each in dataclasses.fields(analysis):
        if each.name not in _BY_ROW:
            told[each.name] = _plain(getattr(analysis, each.name))
    if analysis.preflight is not None:
        told["preflight"] = {
            "verdict": analysis.preflight.verdict,
            "exit_code": analysis.preflight.exit_code,
            **told["preflight"],
        }
    return told


def summary_json(analysis: Analysis) -> str:
    """Write :func:`summary` as text."""
    return json.dumps(summary(analysis), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def subtitles_of(analysis: Analysis) -> Iterator[str]:
    """Yield a SubRip file of the words that were heard, piece by piece."""
    words = (
        Word(word.text, _exact(word.start_s), _exact(word.end_s), word.confidence)
        for word in analysis.words
    )
    return written(make_cues(words), "srt")


def _exact(time_s: float) -> Fraction:
    return Fraction(round(time_s * 1000), 1000)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    number = float(value)
    return round(number, _DIGITS) if math.isfinite(number) else None
