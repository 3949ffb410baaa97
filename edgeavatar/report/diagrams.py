"""Where the light on the face comes from, and how the face sits in the frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar.analysis.figures import amount, share
from edgeavatar.report.columns import column, main_rows
from edgeavatar.report.markup import Markup, element, short

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Analysis, Style

_EVEN: Final = 0.15
"""Of the base-2 logarithm between the cheeks: 10 %, which no one sees as a side."""
_SIDEWAYS: Final = 1.0
"""From here on the lamp is drawn all the way to the side: one cheek twice as bright."""
_WIDTH: Final = 480
_FRAME_SIDE: Final = 290.0


def framing_section(analysis: Analysis) -> Markup | None:
    """Draw light and framing, or give None if neither is known."""
    drawn = [figure for figure in (_light(analysis), _framing(analysis)) if figure]
    if not drawn:
        return None
    return element(
        "section",
        element("h2", "Light and framing", id="framing-title"),
        element("div", drawn, class_="side"),
        id="framing",
        aria_labelledby="framing-title",
    )


def _light(analysis: Analysis) -> Markup | None:
    rows = main_rows(analysis)
    side = _middle(column(rows, "side_light"))
    luma = _middle(column(rows, "luma"))
    if side is None and luma is None:
        return None
    told = _light_words(side, luma)
    turn = 0.0 if side is None or abs(side) < _EVEN else max(-1.0, min(1.0, side / _SIDEWAYS))
    angle = math.radians(90 - 90 * turn)
    ahead = math.cos(angle), math.sin(angle)
    return element(
        "figure",
        element("h3", "Light on the face, seen from above"),
        element(
            "svg",
            element("title", told),
            element("path", d="M168 100A72 72 0 0 1 312 100Z", class_="shade"),
            _quarter(luma, -(side or 0.0), "M240 100H168A72 72 0 0 0 240 172Z"),
            _quarter(luma, side or 0.0, "M240 100H312A72 72 0 0 1 240 172Z"),
            element("path", d="M228 170 240 190 252 170", class_="outline"),
            element("circle", cx=240, cy=100, r=72, class_="outline"),
            _lamp((240 + 158 * ahead[0], 100 + 132 * ahead[1]), ahead)
            if side is not None
            else None,
            element("path", d="M222 272h36v24h-36ZM232 272l3-8h10l3 8", class_="outline"),
            element("text", "camera", x=268, y=289, class_="soft"),
            element("text", "picture\u2019s left", x=10, y=36, class_="soft"),
            element("text", "picture\u2019s right", x=470, y=36, text_anchor="end", class_="soft"),
            viewBox="0 0 480 304",
            role="img",
            class_="drawing",
        ),
        element("figcaption", told),
    )


def _light_words(side: float | None, luma: float | None) -> str:
    told = []
    if side is None:
        told.append("From which side the light comes could not be measured.")
    elif abs(side) < _EVEN:
        told.append("The light is even: both cheeks are about as bright.")
    else:
        where, ratio = "right" if side > 0 else "left", 2 ** abs(side)
        told.append(
            f"More light comes from the picture\u2019s {where}: that cheek is "
            f"{ratio:.1f} times as bright as the other."
        )
    if luma is not None:
        told.append(f"The skin is at {share(luma)} of full brightness.")
    return " ".join(told)


def _quarter(luma: float | None, side: float, path: str) -> Markup:
    """Draw one side of the face in the grey that it has."""
    level = (0.5 if luma is None else luma) * 2 ** (side / 2)
    grey = round(255 * min(max(level, 0.0), 1.0))
    return element("path", d=path, fill=f"#{grey:02x}{grey:02x}{grey:02x}")


def _lamp(at: tuple[float, float], outwards: tuple[float, float]) -> Markup:
    """Draw a lamp and an arrow from it to the head."""
    (x, y), (dx, dy) = at, (-outwards[0], -outwards[1])
    tip = x + 50 * dx, y + 50 * dy
    wings = " ".join(
        f"{short(tip[0] - 11 * dx - turn * 6 * dy)},{short(tip[1] - 11 * dy + turn * 6 * dx)}"
        for turn in (1, -1)
    )
    return element(
        "g",
        element("circle", cx=x, cy=y, r=12, class_="bar"),
        element(
            "line",
            x1=x + 17 * dx,
            y1=y + 17 * dy,
            x2=x + 41 * dx,
            y2=y + 41 * dy,
            class_="measure",
        ),
        element("polygon", points=f"{short(tip[0])},{short(tip[1])} {wings}", class_="key-two"),
    )


def _framing(analysis: Analysis) -> Markup | None:
    source, style = analysis.source, analysis.style
    if not source.width or not source.height:
        return None
    rows = main_rows(analysis)
    box = [_middle(column(rows, side)) for side in ("left", "top", "right", "bottom")]
    if any(value is None for value in box) and (style is None or style.headroom is None):
        return None
    scale = min(_FRAME_SIDE / source.height, (_WIDTH - 20) / source.width)
    width, height = source.width * scale, source.height * scale
    x0, y0 = (_WIDTH - width) / 2, 6.0
    told = _framing_words(style)
    pieces = [element("rect", x=x0, y=y0, width=width, height=height, class_="frame")]
    left, top, right, bottom = box
    if left is not None and top is not None and right is not None and bottom is not None:
        low_x, high_x = max(left, 0.0) * scale, min(right, source.width) * scale
        low_y, high_y = max(top, 0.0) * scale, min(bottom, source.height) * scale
        pieces.append(
            element(
                "rect",
                x=x0 + low_x,
                y=y0 + low_y,
                width=max(high_x - low_x, 1.0),
                height=max(high_y - low_y, 1.0),
                rx=4,
                class_="box",
            )
        )
    for third in (1 / 3, 2 / 3):
        x, y = x0 + third * width, y0 + third * height
        pieces.append(element("line", x1=x, x2=x, y1=y0, y2=y0 + height, class_="third"))
        pieces.append(element("line", x1=x0, x2=x0 + width, y1=y, y2=y, class_="third"))
    pieces += _marks(style, x0, y0, width, height)
    return element(
        "figure",
        element("h3", "Framing"),
        element(
            "svg",
            element("title", told),
            pieces,
            viewBox=f"0 0 {_WIDTH} {height + 12:.0f}",
            role="img",
            class_="drawing",
        ),
        element("figcaption", told),
    )


def _marks(style: Style | None, x0: float, y0: float, width: float, height: float) -> list[Markup]:
    """Draw headroom, and where the eyes are."""
    if style is None:
        return []
    pieces = []
    middle = x0 + width * (0.5 + (style.off_centre or 0.0))
    if style.headroom is not None and style.headroom > 0:
        end = y0 + height * min(style.headroom, 1.0)
        pieces += [
            element("line", x1=middle, x2=middle, y1=y0, y2=end, class_="measure"),
            element("line", x1=middle - 9, x2=middle + 9, y1=end, y2=end, class_="measure"),
            element("text", "headroom", x=middle + 14, y=max(end - 3, y0 + 12), class_="small"),
        ]
    if style.thirds_distance is not None:
        eyes = y0 + height * (1 / 3 - style.thirds_distance)
        pieces += [
            element("line", x1=middle - 26, x2=middle + 26, y1=eyes, y2=eyes, class_="measure"),
            element("circle", cx=middle, cy=eyes, r=4, class_="key-two"),
            element("text", "eyes", x=middle + 32, y=eyes + 4, class_="small"),
        ]
    return pieces


def _framing_words(style: Style | None) -> str:
    told = ["The box is the face; dashed lines are the thirds of the frame."]
    if style is None:
        return told[0]
    if style.shot is not None:
        told.insert(0, f"{style.shot.capitalize()}.")
    if style.headroom is not None:
        told.append(
            f"Headroom is {share(style.headroom)} of the height."
            if style.headroom > 0
            else "The head is cut off at the top."
        )
    if style.thirds_distance is not None:
        told.append(f"The eyes are {_beside(style.thirds_distance, 'above', 'below')} the upper")
        told[-1] += " third line."
    if style.off_centre is not None:
        where = _beside(style.off_centre, "to the right of", "to the left of")
        told.append(f"They are {where} the middle.")
    return " ".join(told)


def _beside(value: float, positive: str, negative: str) -> str:
    if abs(value) < 0.005:
        return "on"
    return f"{amount(abs(value), 'share', 0)} {positive if value > 0 else negative}"


def _middle(values: np.ndarray | None) -> float | None:
    if values is None:
        return None
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
