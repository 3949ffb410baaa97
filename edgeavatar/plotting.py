"""A picture of a mouth-motion track beside the sound that it belongs to, for people."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.aperture import lip_aperture
from edgeavatar.types import MOTION_NAMES

if TYPE_CHECKING:
    from fractions import Fraction

    from edgeavatar.types import FloatArray, PhonemeTiming, WordTiming

PLOT_SUFFIXES: Final = (".png", ".svg", ".pdf")
PLOTTED_S: Final = 30
"""Longest stretch of a track that is drawn; more would be neither legible nor small."""

_SILENCE = "_"
_BILABIALS = frozenset("pbm")
_Curve: TypeAlias = tuple[str, tuple[str, ...], str]
"""Label, columns whose mean is drawn, colour."""
_Span: TypeAlias = tuple[float, float]
"""Start and end in seconds."""
_MOUTH: tuple[_Curve, ...] = (
    ("jawOpen", ("jawOpen",), "#1f4e9c"),
    ("mouthClose", ("mouthClose",), "#c8352b"),
    ("mouthFunnel", ("mouthFunnel",), "#2f8f5b"),
    ("mouthPucker", ("mouthPucker",), "#8a5a00"),
    ("mouthStretch", ("mouthStretchLeft", "mouthStretchRight"), "#7b3fa0"),
)
_TONGUE: tuple[_Curve, ...] = (("tongueUp", ("tongueUp",), "#0f9bb0"),)
"""Apart from the others: it goes up to 1 and would hide them."""
_LOWEST_TOP = 0.2
"""The scale does not go closer: what hardly moves is to look like it."""
_INK, _FAINT, _SOUND, _GAP, _SHADE = "#222222", "#d5d8dd", "#8d99a8", "#d1495b", "#fbe6bf"

_FONTS = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans Devanagari",
)
"""The first comes with matplotlib and has the letters of the IPA; the others have words of other
scripts where they are installed."""
_POINTS_PER_INCH = 72
_DPI = 160
_DOT_POINTS = 6
"""Space between rows from which on each is a dot."""
_LINE_S = 7.5
"""Longest line of speech; what is longer goes on below, as in a score."""
_LINE_IN, _OVER_LINE_IN, _UNDER_LINE_IN = 7.2, 0.58, 0.55
_LEFT_IN, _RIGHT_IN = 1.0, 1.45
_SPEECH_IN_PER_S = 2.6
"""A letter fits into a phoneme of 40 ms."""
_SOUND_IN_PER_S = 0.55
_NARROWEST_IN = 12.0


@dataclass(frozen=True, slots=True)
class Plot:
    """What is to be drawn, of the first :data:`PLOTTED_S` at most."""

    title: str
    sound: FloatArray
    """``(n,)`` float32."""
    sample_rate: int
    rows: FloatArray
    """``(m, 26)`` float32, order of :data:`~edgeavatar.types.MOTION_NAMES`."""
    fps: Fraction
    phonemes: tuple[PhonemeTiming, ...]
    words: tuple[WordTiming, ...]
    duration_s: float
    """Of the whole track, which may be longer than what is drawn."""


def require_matplotlib() -> None:
    """Raise UsageError, with the command that helps, if there is nothing to draw with."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError(
            "--plot draws with matplotlib, and it is not installed; install it with: "
            "pip install 'edgeavatar[plot]', or leave --plot out"
        ) from None


def draw_plot(plot: Plot, file: IO[bytes], suffix: str) -> None:
    """Draw the sound with phonemes and words, the lip gap and the main weights over time.

    Parameters
    ----------
    plot : Plot
        What to draw.
    file : binary file
        Open for writing.
    suffix : str
        One of :data:`PLOT_SUFFIXES`.
    """
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    there = set(font_manager.get_font_names())
    style: dict[Any, Any] = {
        "font.family": [name for name in _FONTS if name in there],
        "font.size": 10,
        "axes.edgecolor": _FAINT,
        "axes.labelcolor": _INK,
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "svg.hashsalt": "edgeavatar",
    }
    drawn_s = min(plot.duration_s, float(PLOTTED_S))
    lines = -(-drawn_s // _LINE_S) if plot.phonemes else 1
    line_s = drawn_s / lines
    per_s = _SPEECH_IN_PER_S if plot.phonemes else _SOUND_IN_PER_S
    width = max(_LEFT_IN + per_s * line_s + _RIGHT_IN, _NARROWEST_IN)
    height = lines * _LINE_IN
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # Words in a script that no font here has are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), facecolor="white")
        for line in range(int(lines)):
            grid = figure.add_gridspec(
                4,
                1,
                height_ratios=(1.7, 1.0, 1.3, 0.55),
                hspace=0.1,
                left=_LEFT_IN / width,
                right=1 - _RIGHT_IN / width,
                top=1 - (line * _LINE_IN + _OVER_LINE_IN) / height,
                bottom=1 - ((line + 1) * _LINE_IN - _UNDER_LINE_IN) / height,
            )
            _draw_line(grid.subplots(sharex=True), plot, (line * line_s, (line + 1) * line_s))
        title = plot.title
        if plot.duration_s > drawn_s:
            title += f" · the first {PLOTTED_S} s of {plot.duration_s:.0f} s"
        at = (_LEFT_IN / width, 1 - _OVER_LINE_IN / 2 / height)
        figure.text(*at, title, fontsize=13, fontweight="bold", va="center", parse_math=False)
        # Without the time of day, so that the same track gives the same picture.
        dated = {".svg": "Date", ".pdf": "CreationDate"}
        metadata = {dated[suffix]: None} if suffix in dated else None
        figure.savefig(file, format=suffix.lstrip("."), dpi=_DPI, metadata=metadata)


def _draw_line(panels: Any, plot: Plot, span: _Span) -> None:
    """Draw a stretch of the plot as four panels over one another."""
    sound, gap, mouth, tongue = panels
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(*span)
        _draw_closures(axes, plot, span, "/p b m/" if axes is gap else None)
    inches = sound.get_window_extent().width / sound.figure.dpi
    points_per_s = inches * _POINTS_PER_INCH / (span[1] - span[0])
    _draw_sound(sound, plot, span, points_per_s)
    _draw_gap(gap, plot, points_per_s)
    _draw_weights(mouth, plot, _MOUTH)
    _draw_weights(tongue, plot, _TONGUE)
    tongue.set_ylim(0.0, 1.05)
    mouth.set_ylabel("weights")
    tongue.set_xlabel("time (s)")
    sound.figure.align_ylabels(panels)
    for axes in panels[1:]:
        _draw_legend(axes)


def _draw_sound(axes: Any, plot: Plot, span: _Span, points_per_s: float) -> None:
    low, high, times = _envelope(plot.sound, plot.sample_rate)
    peak = max(float(np.abs(plot.sound).max(initial=0.0)), 1e-3)
    axes.fill_between(times, low / peak, high / peak, color=_SOUND, linewidth=0.6, zorder=3)
    axes.set_ylabel("sound")
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0)
    if not plot.phonemes:
        axes.set_ylim(-1.1, 1.1)
        return
    # Letters and words have a strip of their own under the waveform.
    axes.set_ylim(-2.35, 1.1)
    axes.axhline(-1.15, color=_FAINT, linewidth=0.8, zorder=2)
    axes.axhline(-1.75, color=_FAINT, linewidth=0.8, zorder=2)
    rate = plot.sample_rate
    for phoneme in plot.phonemes:
        start, end = _within(span, phoneme, rate)
        if phoneme.symbol == _SILENCE or start >= end:
            continue
        axes.vlines((start, end), -1.75, 1.0, color=_FAINT, linewidth=0.6, zorder=1)
        room = (end - start) * points_per_s
        _write(axes, (start + end) / 2, -1.45, phoneme.symbol, _font_size(phoneme.symbol, room, 13))
    for word in plot.words:
        start, end = _within(span, word, rate)
        if start >= end:
            continue
        axes.vlines((start, end), -2.35, -1.75, color=_FAINT, linewidth=0.8, zorder=1)
        room = (end - start) * points_per_s
        _write(axes, (start + end) / 2, -2.05, word.text, _font_size(word.text, room, 11))


def _write(axes: Any, x: float, y: float, text: str, size: float) -> None:
    # Not as mathematics: a word may be "$5".
    axes.text(x, y, text, fontsize=size, ha="center", va="center", parse_math=False, zorder=5)


def _font_size(text: str, room_points: float, largest: float) -> float:
    """Size at which a text fits into its span; letters are about 0.62 of their size wide."""
    return float(np.clip(room_points / (0.62 * max(len(text), 1)), 6.5, largest))


def _draw_gap(axes: Any, plot: Plot, points_per_s: float) -> None:
    times = np.arange(len(plot.rows)) / float(plot.fps)
    gap = lip_aperture(plot.rows)
    axes.fill_between(times, 0.0, gap, color=_GAP, alpha=0.22, linewidth=0, zorder=3)
    dots = "." if points_per_s / float(plot.fps) >= _DOT_POINTS else None
    axes.plot(times, gap, color=_GAP, linewidth=1.5, marker=dots, label="lip gap", zorder=4)
    axes.set_ylim(0.0, max(0.1, 1.12 * float(gap.max(initial=0.0))))
    axes.set_ylabel("face heights")
    axes.grid(axis="y", color=_FAINT, linewidth=0.5)


def _draw_weights(axes: Any, plot: Plot, curves: tuple[_Curve, ...]) -> None:
    times = np.arange(len(plot.rows)) / float(plot.fps)
    highest = _LOWEST_TOP
    for label, names, colour in curves:
        curve = np.mean([plot.rows[:, MOTION_NAMES.index(name)] for name in names], axis=0)
        axes.plot(times, curve, color=colour, linewidth=1.5, label=label, zorder=4)
        highest = max(highest, float(curve.max(initial=0.0)))
    axes.set_ylim(0.0, 1.05 * highest)
    axes.grid(axis="y", color=_FAINT, linewidth=0.5)


def _draw_closures(axes: Any, plot: Plot, span: _Span, label: str | None) -> None:
    for phoneme in plot.phonemes:
        start, end = _within(span, phoneme, plot.sample_rate)
        if phoneme.symbol[:1] in _BILABIALS and start < end:
            axes.axvspan(start, end, color=_SHADE, linewidth=0, zorder=0, label=label)


def _within(span: _Span, timed: PhonemeTiming | WordTiming, sample_rate: int) -> _Span:
    """Start and end in seconds of what lies within a span; the end is no later if nothing does."""
    start, end = timed.start_sample / sample_rate, timed.end_sample / sample_rate
    return max(start, span[0]), min(end, span[1])


def _draw_legend(axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))  # one of all closures
    axes.legend(
        entries.values(),
        entries.keys(),
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=9.5,
        handlelength=1.4,
    )


def _envelope(sound: FloatArray, sample_rate: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lowest and highest sample of each stretch, and where its middle is in seconds."""
    step = max(1, sample_rate // 400)
    count = -(-len(sound) // step)
    padded = np.zeros(count * step, np.float32)
    padded[: len(sound)] = sound
    parts = padded.reshape(count, step)
    times = ((np.arange(count) + 0.5) * step / sample_rate).astype(np.float32)
    return parts.min(axis=1), parts.max(axis=1), times
