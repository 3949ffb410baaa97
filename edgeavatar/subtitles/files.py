"""Subtitle files: SubRip and WebVTT, cue by cue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final, Literal

from edgeavatar.subtitles.cues import Cue

SubtitleFormat = Literal["srt", "vtt"]
Markup = Literal["srt", "vtt", "none"]
"""What players read text as."""

_JOINER: Final = "\u2060"
"""Word joiner: has no width, and parts what a player would take for a mark of its own."""
_MARKUP: Final = re.compile(r"<(?=[A-Za-z/!?])|\{(?=[\\A-Za-z])")
_VTT_ESCAPES: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


def written(cues: Iterable[Cue], kind: SubtitleFormat) -> Iterator[str]:
    r"""Yield the text of a subtitle file, piece by piece.

    Times are rounded to milliseconds. Lines end with a line feed. In WebVTT, ``&``, ``<`` and
    ``>`` are escaped (W3C WebVTT, section 4.2.2). SubRip has no escapes and players take ``<i>``
    and ``{\an8}`` for formatting, so a word joiner, which does not show, follows such a bracket
    and parts the arrow ``-->``.

    Parameters
    ----------
    cues : iterable of Cue
        In order.
    kind : str
        ``srt`` or ``vtt``.
    """
    if kind == "vtt":
        yield "WEBVTT\n\n"
    for number, cue in enumerate(cues, 1):
        lines = "\n".join(escaped(line, kind) for line in cue.lines)
        times = f"{timestamp(cue.start_s, kind)} --> {timestamp(cue.end_s, kind)}"
        head = f"{number}\n" if kind == "srt" else ""
        yield f"{head}{times}\n{lines}\n\n"


def timestamp(time_s: Fraction, kind: SubtitleFormat) -> str:
    """Write a time as ``hh:mm:ss,mmm`` (SubRip) or ``hh:mm:ss.mmm`` (WebVTT)."""
    whole, milliseconds = divmod(round(time_s * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    mark = "," if kind == "srt" else "."
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{milliseconds:03d}"


def escaped(line: str, markup: Markup) -> str:
    """Write a line so that it shows as it is; see :func:`written`."""
    if markup == "none":
        return line
    if markup == "vtt":
        for mark, escape in _VTT_ESCAPES:
            line = line.replace(mark, escape)
        return line
    line = line.replace("-->", f"--{_JOINER}>")
    return _MARKUP.sub(lambda m: m.group() + _JOINER, line)
