"""How somebody speaks: large or small movements of mouth, brows and head, few or many blinks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from edgeavatar.errors import UsageError
from edgeavatar.motion.coarticulation import Articulation

StyleName = Literal["neutral", "lively", "calm"]

ARTICULATION: Final = (0.0, 1.5)
"""What a user may ask for: from a mouth that stays at rest to one that speaks to the back row.
Between them lies what Lindblom (1990) calls hypo- and hyperspeech: talkers spend more or less
movement on the same words as their listeners need it."""


@dataclass(frozen=True, slots=True)
class SpeakingStyle:
    """Sizes and rates of what moves in a speaking face; the defaults are the neutral style.

    Brows are in the units of :attr:`~edgeavatar.types.IdlePose.brow_up`, of which 1 is 3.5 mm: a
    raise that is seen at once, while frontalis can do a centimetre.
    """

    articulation: float = 1.0
    """:attr:`~edgeavatar.motion.coarticulation.Articulation.strength` of the mouth."""
    stress_contrast: float = 1.0
    """How much more than others stressed vowels open, against measured speakers."""
    accents: float = 0.8
    """Share of phrases with a raise of the brows. Speakers raise them with pitch accents, but far
    from all of them (Cavé et al. 1996: 71 % of raises come with a rise of pitch, and many rises
    come without)."""
    brow_lift: float = 0.55
    """Raise of the brows at full emphasis, 0 to 0.88, so that with their drift they stay below 1.
    Brows that move with the accent make it more prominent (Krahmer & Swerts 2007)."""
    nod_deg: float = 1.1
    """Nod at full emphasis. Heads move quickly with stress (Hadar et al. 1983), and mostly nod
    (Graf et al. 2002), by a few degrees; a photo bears less than a head."""
    blinks_per_min: float = 15.0
    """People blink 17 times a minute at rest, 26 times in conversation and 4.5 times when they read
    (Bentivoglio et al. 1997); who speaks to a camera is between reading and talking."""
    sway: float = 1.0
    """Size of the slow movement of the head."""
    tempo: float = 1.0
    """Speed of that movement."""

    @property
    def mouth(self) -> Articulation:
        """How the mouth articulates in this style."""
        plain = Articulation()
        return Articulation(
            strength=self.articulation,
            stress_gain=1.0 + self.stress_contrast * (plain.stress_gain - 1.0),
            unstressed_gain=1.0 + self.stress_contrast * (plain.unstressed_gain - 1.0),
        )


NEUTRAL: Final = SpeakingStyle()

_STYLES: dict[StyleName, SpeakingStyle] = {
    "neutral": NEUTRAL,
    # Near what is measured in conversation, and what the photo bears.
    "lively": SpeakingStyle(
        articulation=1.1,
        stress_contrast=1.8,
        accents=1.0,
        brow_lift=0.88,
        nod_deg=1.9,
        blinks_per_min=21.0,
        sway=1.4,
        tempo=1.25,
    ),
    # Near what is measured in reading and rest.
    "calm": SpeakingStyle(
        articulation=0.9,
        stress_contrast=0.6,
        accents=0.55,
        brow_lift=0.3,
        nod_deg=0.5,
        blinks_per_min=11.0,
        sway=0.6,
        tempo=0.8,
    ),
}


def check_style(name: str, articulation: float) -> None:
    """Raise UsageError unless :func:`style_named` takes these."""
    if name not in get_args(StyleName):
        raise UsageError(
            f"expected a style of {', '.join(get_args(StyleName))}, found {name!r}; choose one"
        )
    low, high = ARTICULATION
    if not low <= articulation <= high:
        raise UsageError(
            f"expected an articulation from {low:g} to {high:g}, found {articulation:g}"
        )


def style_named(name: StyleName, articulation: float = 1.0) -> SpeakingStyle:
    """Give a style with the mouth's movements larger or smaller than usual in it.

    Parameters
    ----------
    name : str
        ``neutral``, ``lively`` or ``calm``.
    articulation : float
        Size of the mouth's movements, 0 to 1.5, where 1 is usual in the style and 0 is a mouth at
        rest; nothing else changes with it.

    Raises
    ------
    UsageError
        If there is no such style, or the articulation is out of range.
    """
    check_style(name, articulation)
    style = _STYLES[name]
    return replace(style, articulation=style.articulation * articulation)
