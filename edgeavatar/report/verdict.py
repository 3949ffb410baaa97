"""What to do first, and every factor with its bounds and reasons."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from edgeavatar.analysis.figures import UNKNOWN, amount, bound, count, sentence, worse
from edgeavatar.report.markup import Markup, element, join
from edgeavatar.report.times import spans_of

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Analysis, Factor, Verdict
    from edgeavatar.report.times import Clock

WORDS: Final[dict[Verdict, str]] = {
    "good": "Good",
    "warn": "Costs quality",
    "bad": "Not usable",
    "unknown": "Not judged",
}
_HEADLINES: Final[dict[Verdict, str]] = {
    "good": "Good to use",
    "warn": "Usable, at a cost that shows",
    "bad": "Not usable as it is",
    "unknown": "Could not be judged",
}
_GROUPS: Final = {
    "resolution": "Resolution",
    "lighting": "Light",
    "visibility": "What is seen of the face",
    "damage": "Motion and compression",
    "sound": "Sound",
}
_SEVERITY: Final[dict[Verdict, int]] = {"bad": 0, "warn": 1, "unknown": 2, "good": 3}
_FIRST: Final = 3
"""Things to mend that are named at the top; more is no longer what to do first."""


def verdict_section(analysis: Analysis) -> Markup:
    """Say in plain words how good the source is and what to do first."""
    preflight = analysis.preflight
    if preflight is None:
        return _panel(
            "unknown",
            "Not judged",
            element("p", "The quality check was not part of this analysis."),
        )
    known = [factor for factor in preflight.factors if factor.verdict != "unknown"]
    faulty = sorted(
        (factor for factor in known if factor.verdict != "good"),
        key=lambda factor: _SEVERITY[factor.verdict],
    )
    return _panel(
        preflight.verdict,
        _HEADLINES[preflight.verdict],
        element("p", _summary(len(preflight.factors), known, faulty)),
        element("ol", map(_first_step, faulty[:_FIRST])) if faulty else None,
        _rest(faulty),
    )


def factors_section(analysis: Analysis, clock: Clock) -> Markup | None:
    """Give the table of all factors, or None if nothing was judged."""
    if analysis.preflight is None or not analysis.preflight.factors:
        return None
    order = list(_GROUPS)
    factors = sorted(
        analysis.preflight.factors,
        key=lambda factor: (order.index(factor.group), _SEVERITY[factor.verdict]),
    )
    heads = ("Factor", "Verdict", "Measured", "What it does, and what to do")
    return element(
        "section",
        element("h2", "What was judged", id="factors-title"),
        element(
            "table",
            element(
                "caption",
                "Each factor with its value, the bounds from which it costs something, and where "
                "these come from.",
            ),
            element("thead", element("tr", (element("th", head, scope="col") for head in heads))),
            (
                element(
                    "tbody",
                    element("tr", element("th", _GROUPS[group], scope="rowgroup", colspan="4")),
                    (_row(factor, analysis, clock) for factor in members),
                )
                for group, members in groupby(factors, key=lambda factor: factor.group)
            ),
        ),
        class_="factors",
        id="factors",
        aria_labelledby="factors-title",
    )


def badge(verdict: Verdict) -> Markup:
    """Give a verdict as a sign of its own shape and a word."""
    return element("span", sign(verdict), WORDS[verdict], class_=f"badge {verdict}")


def sign(verdict: Verdict) -> Markup:
    """Draw the sign of a verdict; its shape tells it, not only its colour."""
    outline: dict[Verdict, Markup] = {
        "good": element("circle", cx="8", cy="8", r="6.8"),
        "warn": element("path", d="M8 1.6 15 14.2H1Z"),
        "bad": element("path", d="M5 1.2h6L14.8 5v6L11 14.8H5L1.2 11V5Z"),
        "unknown": element("circle", cx="8", cy="8", r="6.8", stroke_dasharray="2.4 2.2"),
    }
    inside: dict[Verdict, str] = {
        "good": "m4.8 8.3 2.2 2.2 4.2-4.6",
        "warn": "M8 6v4M8 11.6v.8",
        "bad": "m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2",
        "unknown": "M6 6.3c0-2.7 4-2.7 4 0 0 1.5-2 1.4-2 3M8 11.1v.8",
    }
    return element(
        "svg",
        outline[verdict],
        element("path", d=inside[verdict]),
        viewBox="0 0 16 16",
        width="16",
        height="16",
        fill="none",
        stroke="currentColor",
        stroke_width="1.5",
        stroke_linecap="round",
        stroke_linejoin="round",
        aria_hidden="true",
    )


def bounds_of(factor: Factor) -> list[str]:
    """Write the bounds of a factor, in the direction in which it gets worse."""
    word = worse(factor)
    bounds = (("costs quality", factor.warn_at), ("not usable", factor.bad_at))
    return [
        f"{cost} {word} {bound(value, factor.unit)}" for cost, value in bounds if value is not None
    ]


def _panel(verdict: Verdict, headline: str, *body: Markup | None) -> Markup:
    return element(
        "section",
        element("h2", sign(verdict), headline, id="verdict-title"),
        body,
        class_=f"verdict {verdict}",
        id="verdict",
        aria_labelledby="verdict-title",
    )


def _summary(total: int, known: list[Factor], faulty: list[Factor]) -> str:
    if not known:
        return "No factor could be judged in this file."
    bad = sum(factor.verdict == "bad" for factor in faulty)
    good = len(known) - len(faulty)
    told = [f"{good} of {count(total, 'factor')} {'is' if good == 1 else 'are'} good"]
    if len(faulty) > bad:
        told.append(f"{len(faulty) - bad} cost{'s' if len(faulty) - bad == 1 else ''} quality")
    if bad:
        told.append(f"{bad} make{'s' if bad == 1 else ''} it unusable")
    if total > len(known):
        told.append(f"{total - len(known)} could not be judged")
    tail = " Mend this first:" if len(faulty) == 1 else " Mend these first, in this order:"
    return f"{', '.join(told)}.{tail if faulty else ''}"


def _first_step(factor: Factor) -> Markup:
    return element(
        "li",
        element("a", factor.title, href=f"#{_anchor(factor)}"),
        f": {amount(factor.value, factor.unit)} ({'; '.join(bounds_of(factor))}). ",
        sentence(factor.advice or factor.effect),
    )


def _rest(faulty: list[Factor]) -> Markup | None:
    if len(faulty) <= _FIRST:
        return None
    links = (element("a", f.title, href=f"#{_anchor(f)}") for f in faulty[_FIRST:])
    return element("p", "Then: ", Markup(", ".join(links)), ".")


def _row(factor: Factor, analysis: Analysis, clock: Clock) -> Markup:
    spans = spans_of(factor, analysis) if factor.verdict in ("warn", "bad") else ()
    value = amount(factor.value, factor.unit)
    return element(
        "tr",
        element("th", factor.title, scope="row", class_="factor"),
        element("td", badge(factor.verdict), class_="state"),
        element(
            "td",
            None if value == UNKNOWN else element("p", value, class_="num"),
            (element("p", told, class_="small soft bound") for told in bounds_of(factor)),
            class_="measure",
        ),
        element(
            "td",
            element("p", sentence(factor.effect)) if factor.effect else None,
            element("p", element("strong", "Do: "), sentence(factor.advice))
            if factor.advice
            else None,
            element("p", "At ", clock.ranges(spans)) if spans else None,
            element("p", "Bounds: ", sentence(factor.why, start=False), class_="small soft")
            if factor.why
            else None,
        ),
        id=_anchor(factor),
    )


def _anchor(factor: Factor) -> str:
    return join("factor-", "".join(c if c.isalnum() else "-" for c in factor.name))
