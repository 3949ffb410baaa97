"""What each phoneme asks of lips, jaw and tongue.

A symbol is read letter by letter as articulatory features (place of a consonant; height, backness
and rounding of a vowel; modifiers), and the features give the targets. So any IPA symbol of any
language has a viseme, and related sounds move alike. Targets are set in articulator space, where
they can be blended: how far the jaw is down and how far the lips are apart are separate goals, as
in the task-dynamic model (Saltzman & Munhall 1989), which is what lets a bilabial close the lips
over a jaw that stays open. :func:`articulators_to_rows` turns articulators into weights of the
rig.

The openings follow measurements of 260 GRID clips of one speaker (inner-lip gap by phoneme, face
mesh; in face heights: /eɪ aɪ/ .078, /ɛ/ .070, /iː/ .061, /t d n s/ .045, /uː/ .027, /ɔː/ .034,
/f/ .020, /w/ .015, /p b m/ under .005), with vowel height and rounding smoothing over what is
peculiar to him.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgeavatar.errors import UsageError
from edgeavatar.motion.aperture import GAP_PER_WEIGHT
from edgeavatar.types import MOTION_NAMES

if TYPE_CHECKING:
    import numpy.typing as npt

    from edgeavatar.types import FloatArray

    Channels = npt.NDArray[np.float64]

SILENCE = "_"

ARTICULATORS: tuple[str, ...] = (
    "jaw",
    "gap",
    "pucker",
    "funnel",
    "spread",
    "labiodental",
    "press",
    "tongue_tip",
    "tongue_out",
)
"""Channels of articulator space.

``jaw`` is the weight jawOpen; ``gap`` the distance of the inner lips beyond rest in face heights,
negative where the lips press; all others are 0 (rest) to 1 (fully used).
"""

Place = Literal[
    "bilabial",
    "bilabial_open",
    "labiodental",
    "dental",
    "alveolar",
    "sibilant",
    "postalveolar",
    "rhotic",
    "palatal",
    "labial_palatal",
    "velar",
    "labial_velar",
    "glottal",
]

PRESSED_GAP = -0.004
"""Gap asked of sealed lips: a little beyond contact (face heights)."""

_PLACES: dict[Place, str] = {
    "bilabial": "pbmʙɓʘ",
    "bilabial_open": "ɸβ",
    "labiodental": "fvɱʋⱱ",
    "dental": "θðǀ",
    "alveolar": "tdnɾrlɫɬɮɺɗʈɖɳɽɭǁǃ",
    "sibilant": "sz",
    "postalveolar": "ʃʒʂʐɕʑ",
    "rhotic": "ɹɻ",
    "palatal": "cɟɲçʝjʎʄǂ",
    "labial_palatal": "ɥ",
    "velar": "kgɡŋxɣɰʟɠqɢɴχʁʀʛ",
    "labial_velar": "wʍɧ",
    "glottal": "hɦʔħʕʜʢʡ",
}

_PLACE_OF: dict[str, Place] = {
    letter: place for place, letters in _PLACES.items() for letter in letters
}

_VOWELS: dict[str, tuple[float, float, bool]] = {
    "i": (0.0, 0.0, False),
    "y": (0.0, 0.0, True),
    "ɨ": (0.0, 0.5, False),
    "ʉ": (0.0, 0.5, True),
    "ɯ": (0.0, 1.0, False),
    "u": (0.0, 1.0, True),
    "ɪ": (0.17, 0.25, False),
    "ʏ": (0.17, 0.25, True),
    "ʊ": (0.17, 0.85, True),
    "e": (0.4, 0.0, False),
    "ø": (0.4, 0.0, True),
    "ɘ": (0.33, 0.5, False),
    "ɵ": (0.33, 0.5, True),
    "ɤ": (0.33, 1.0, False),
    "o": (0.33, 1.0, True),
    "ə": (0.3, 0.5, False),
    "ɛ": (0.67, 0.0, False),
    "œ": (0.67, 0.0, True),
    "ɜ": (0.5, 0.5, False),
    "ɞ": (0.67, 0.5, True),
    "ʌ": (0.7, 0.9, False),
    "ɔ": (0.6, 1.0, True),
    "æ": (0.85, 0.0, False),
    "ɐ": (0.6, 0.5, False),
    "a": (1.0, 0.2, False),
    "ɶ": (1.0, 0.0, True),
    "ɑ": (1.0, 1.0, False),
    "ɒ": (1.0, 1.0, True),
}
"""Vowel chart of the International Phonetic Association: height (0 close to 1 open), backness
(0 front to 1 back), rounding."""

_REDUCED = frozenset("əɨɘɵɐ")
"""Vowels that give way to their neighbours. /ɐ/ is here as English phonemizers use it, for the
weak vowel of the article "a"."""

_ALIASES = {"ɚ": "ə˞", "ɝ": "ɜ˞", "ᵻ": "ɪ", "ǝ": "ə", "ɩ": "ɪ", "ɷ": "ʊ", "ʧ": "tʃ", "ʤ": "dʒ"}
_ALIASES |= {"ʣ": "dz", "ʦ": "ts", "ʥ": "dʑ", "ʨ": "tɕ", "ꭧ": "tʂ", "ʮ": "ʏ", "ʯ": "ʏ"}

_ROUNDING_MARKS = frozenset("ʷᶣ\u032b\u0339")
_SPREADING_MARKS = frozenset("ʲ\u031c")
_RHOTIC_MARKS = frozenset("˞ʴʵ")

OPEN_HEIGHT = 0.6
"""Unrounded vowels at least this open are counted as open where closure is measured."""


@dataclass(frozen=True, slots=True)
class Viseme:
    """The goal of one letter of a phoneme."""

    target: Channels
    """``(9,)`` float64, order of :data:`ARTICULATORS`."""
    dominance: Channels
    """``(9,)`` float64 > 0: how strongly each articulator is claimed, against its neighbours."""
    share: float = 1.0
    """Part of the phoneme's time, relative to its other letters."""
    seals: bool = False
    """The lips must meet."""
    vowel: bool = False
    reduced: bool = False
    """A vowel that gives way to its neighbours."""

    def __post_init__(self) -> None:
        self.target.setflags(write=False)
        self.dominance.setflags(write=False)


def _channels(default: float, **values: float) -> Channels:
    row = np.full(len(ARTICULATORS), default)
    for name, value in values.items():
        row[ARTICULATORS.index(name)] = value
    return row


REST = Viseme(_channels(0.0), _channels(1.0))
"""Silence: everything at rest."""

_CONSONANTS: dict[Place, Viseme] = {
    "bilabial": Viseme(
        _channels(0.0, jaw=0.10, gap=PRESSED_GAP, press=1.0),
        _channels(
            0.15, jaw=0.8, gap=3.0, press=4.0, labiodental=1.0, tongue_tip=0.5, tongue_out=1.0
        ),
        seals=True,
    ),
    "bilabial_open": Viseme(
        _channels(0.0, jaw=0.09, gap=0.010, pucker=0.12),
        _channels(0.2, jaw=0.8, gap=3.0, labiodental=1.0, press=1.0),
    ),
    "labiodental": Viseme(
        _channels(0.0, jaw=0.07, gap=0.014, labiodental=1.0),
        _channels(0.3, jaw=1.2, gap=3.0, labiodental=4.0, press=2.0, tongue_out=1.0),
    ),
    "dental": Viseme(
        _channels(0.0, jaw=0.09, gap=0.019, tongue_tip=0.75, tongue_out=0.10),
        _channels(0.2, jaw=1.0, gap=1.5, press=1.0, tongue_tip=4.0, tongue_out=4.0),
    ),
    "alveolar": Viseme(
        _channels(0.0, jaw=0.18, gap=0.042, spread=0.3, tongue_tip=1.0),
        _channels(0.1, jaw=0.35, gap=0.30, press=1.0, labiodental=0.5, tongue_tip=4.0),
    ),
    "sibilant": Viseme(
        _channels(0.0, jaw=0.09, gap=0.047, spread=0.6, tongue_tip=0.5),
        _channels(0.25, jaw=1.4, gap=0.9, press=1.0, labiodental=1.0, tongue_tip=3.0),
    ),
    "postalveolar": Viseme(
        _channels(0.0, jaw=0.10, gap=0.046, funnel=0.30, pucker=0.22, tongue_tip=0.3),
        _channels(0.5, jaw=1.8, gap=1.2, funnel=2.0, pucker=1.8, press=1.0, tongue_tip=2.0),
    ),
    "rhotic": Viseme(
        _channels(0.0, jaw=0.13, gap=0.020, pucker=0.22, funnel=0.08),
        _channels(0.3, jaw=0.6, gap=1.3, pucker=1.0, funnel=0.8, tongue_tip=1.0),
    ),
    "palatal": Viseme(
        _channels(0.0, jaw=0.14, gap=0.042, spread=0.7),
        _channels(0.2, jaw=0.7, gap=0.6, spread=0.6, tongue_tip=1.0),
    ),
    "labial_palatal": Viseme(
        _channels(0.0, jaw=0.12, gap=0.014, pucker=0.5),
        _channels(0.4, jaw=0.8, gap=2.0, pucker=2.5, spread=1.0, tongue_tip=1.0),
    ),
    "velar": Viseme(
        _channels(0.0, jaw=0.20, gap=0.050),
        _channels(0.1, jaw=0.25, gap=0.24, press=0.8, tongue_tip=1.0),
    ),
    "labial_velar": Viseme(
        _channels(0.0, jaw=0.12, gap=0.007, pucker=0.60),
        _channels(0.5, jaw=0.8, gap=3.0, pucker=4.0, spread=1.0, tongue_tip=1.0),
    ),
    "glottal": Viseme(_channels(0.0, jaw=0.13, gap=0.035), _channels(0.03)),
}


_GROOVED = (_CONSONANTS["sibilant"], _CONSONANTS["postalveolar"])


def _vowel(height: float, back: float, rounded: bool, reduced: bool) -> Viseme:
    if rounded:
        target = _channels(
            0.0,
            jaw=0.14 + 0.16 * height,
            gap=0.021 + 0.031 * height,
            pucker=0.52 - 0.34 * height,
            funnel=0.26 * height,
        )
    else:
        target = _channels(
            0.0,
            jaw=0.20 + 0.15 * height,
            gap=0.066 + 0.025 * height,
            spread=max(0.0, 1.0 - 0.7 * height) * max(0.0, 1.0 - 1.6 * back),
        )
    weight = 0.55 if reduced else 1.0
    if reduced:
        target[:2] *= 0.92
    dominance = _channels(
        weight,
        pucker=weight * (1.6 if rounded else 0.6),
        funnel=weight * (1.2 if rounded else 0.6),
        tongue_tip=0.6,
        press=1.0,
        labiodental=0.8,
    )
    return Viseme(target, dominance, vowel=True, reduced=reduced)


def _letter(letter: str) -> Viseme | None:
    place = _PLACE_OF.get(letter)
    if place is not None:
        return _CONSONANTS[place]
    features = _VOWELS.get(letter)
    if features is not None:
        return _vowel(*features, reduced=letter in _REDUCED)
    return None


def known_letters(symbol: str) -> str:
    """Spell a symbol in letters and marks that are known, as far as Unicode can tell."""
    spelled = []
    for char in symbol:
        if _letter(char) is not None or char in _ROUNDING_MARKS | _SPREADING_MARKS | _RHOTIC_MARKS:
            spelled.append(char)
        elif char in _ALIASES:
            spelled.append(_ALIASES[char])
        elif char.isalpha() and unicodedata.category(char) != "Lm":
            base = unicodedata.normalize("NFKD", char).lower()
            known = "".join(c for c in base if _letter(c) is not None)
            spelled.append(known or "ə")
    return "".join(spelled)


def _modified(viseme: Viseme, **values: tuple[float, float]) -> Viseme:
    target, dominance = viseme.target.copy(), viseme.dominance.copy()
    for name, (goal, strength) in values.items():
        column = ARTICULATORS.index(name)
        target[column] = max(target[column], goal)
        dominance[column] = max(dominance[column], strength)
    return Viseme(target, dominance, viseme.share, viseme.seals, viseme.vowel, viseme.reduced)


@lru_cache(maxsize=512)
def visemes_of(symbol: str) -> tuple[Viseme, ...]:
    """Give the goals of a phoneme in order.

    Parameters
    ----------
    symbol : str
        IPA; one letter, or several for a diphthong, an affricate or a letter with modifiers.
        ``"_"``, and any symbol without a letter, is silence.

    Returns
    -------
    tuple of Viseme
        At least one. A diphthong has two, and so has an affricate.
    """
    goals: list[Viseme] = []
    for char in known_letters(symbol):
        viseme = _letter(char)
        if viseme is not None:
            goals.append(viseme)
        elif goals and char in _ROUNDING_MARKS:
            goals[-1] = _modified(goals[-1], pucker=(0.4, 1.5))
        elif goals and char in _SPREADING_MARKS:
            goals[-1] = _modified(goals[-1], spread=(0.6, 0.6))
        elif goals and char in _RHOTIC_MARKS:
            goals[-1] = _modified(goals[-1], pucker=(0.18, 0.6))
    if not goals:
        return (REST,)
    if len(goals) == 2:
        first, second = goals
        if first.vowel and second.vowel:
            return (_with_share(first, 0.58), _with_share(second, 0.42))
        if first is _CONSONANTS["alveolar"] and any(second is fricative for fricative in _GROOVED):
            # The stop of an affricate is made with the lips of its fricative.
            return (_modified(second, tongue_tip=(1.0, 4.0)), second)
    return tuple(goals)


def _with_share(viseme: Viseme, share: float) -> Viseme:
    return Viseme(
        viseme.target, viseme.dominance, share, viseme.seals, viseme.vowel, viseme.reduced
    )


def is_bilabial(symbol: str) -> bool:
    """Tell whether the lips must meet in this phoneme (/p b m/ and their kin)."""
    return any(viseme.seals for viseme in visemes_of(symbol))


def is_open_vowel(symbol: str) -> bool:
    """Tell whether the phoneme holds an open, unrounded vowel (/ɛ æ a ɑ ʌ aɪ aʊ/ and their kin)."""
    return any(
        char in _VOWELS
        and char not in _REDUCED
        and _VOWELS[char][0] >= OPEN_HEIGHT
        and not _VOWELS[char][2]
        for char in known_letters(symbol)
    )


# ------------------------------------------------------------------------- articulators to weights

_SOFTNESS = 0.010
"""Face heights over which lips change from parted by their own muscles to held together over an
open jaw; a sharp change would show as a corner in the track."""


def articulators_to_rows(channels: Channels) -> FloatArray:
    """Turn articulators into weights of the rig.

    The jaw, rounding and the like part the lips by themselves; what is missing to the asked gap is
    made up by the lips (upper lip raised, lower lip lowered), what is too much is taken back by
    mouthClose. :func:`~edgeavatar.motion.aperture.signed_aperture` of the result is the asked gap
    wherever no weight reaches its bounds.

    Parameters
    ----------
    channels : numpy.ndarray
        ``(n, 9)`` float64, order of :data:`ARTICULATORS`.

    Returns
    -------
    numpy.ndarray
        ``(n, 26)`` float32 in [0, 1], order of :data:`~edgeavatar.types.MOTION_NAMES`.

    Raises
    ------
    UsageError
        If the array does not have one column for each articulator.
    """
    if channels.ndim != 2 or channels.shape[1] != len(ARTICULATORS):
        raise UsageError(
            f"expected (n, {len(ARTICULATORS)}) articulators, found shape {channels.shape}"
        )
    jaw, gap, pucker, funnel, spread, labiodental, press, tip, out = channels.T
    weights = dict.fromkeys(MOTION_NAMES, np.zeros(len(channels)))
    weights["jawOpen"] = jaw
    weights["mouthPucker"] = pucker
    weights["mouthFunnel"] = funnel
    weights["mouthRollLower"] = 0.55 * labiodental + 0.12 * press
    weights["mouthRollUpper"] = 0.10 * press
    weights["mouthShrugLower"] = 0.08 * press
    weights["mouthPressLeft"] = weights["mouthPressRight"] = 0.30 * press
    weights["mouthSmileLeft"] = weights["mouthSmileRight"] = 0.10 * spread
    weights["mouthStretchLeft"] = weights["mouthStretchRight"] = 0.14 * spread
    weights["tongueUp"] = tip
    weights["tongueOut"] = out

    missing = gap - sum(GAP_PER_WEIGHT.get(name, 0.0) * w for name, w in weights.items())
    # Fades with the movement itself, so that a face at rest gets exactly zero.
    amount = np.sqrt(gap**2 + (0.2 * jaw) ** 2)
    softness = _SOFTNESS * amount / (amount + 0.01)
    reach = np.sqrt(missing**2 + softness**2)
    part, close = (reach + missing) / 2.0, (reach - missing) / 2.0
    weights["mouthClose"] = close / -GAP_PER_WEIGHT["mouthClose"]
    lower = 0.6 * part / (2.0 * GAP_PER_WEIGHT["mouthLowerDownLeft"])
    upper = 0.4 * part / (2.0 * GAP_PER_WEIGHT["mouthUpperUpLeft"])
    weights["mouthLowerDownLeft"] = weights["mouthLowerDownRight"] = lower
    weights["mouthUpperUpLeft"] = weights["mouthUpperUpRight"] = upper
    rows = np.stack([weights[name] for name in MOTION_NAMES], axis=1)
    return np.clip(rows, 0.0, 1.0).astype(np.float32)


def sustained_row(symbol: str) -> FloatArray:
    """Weights of a phoneme held alone: its first goal, without neighbours.

    Parameters
    ----------
    symbol : str
        As for :func:`visemes_of`.

    Returns
    -------
    numpy.ndarray
        ``(26,)`` float32 in [0, 1].
    """
    row: FloatArray = articulators_to_rows(visemes_of(symbol)[0].target[None])[0]
    return row
