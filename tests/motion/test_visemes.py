from __future__ import annotations

import numpy as np
import pytest

from edgeavatar import zoo
from edgeavatar.errors import UsageError
from edgeavatar.motion.aperture import GAP_PER_WEIGHT, lip_aperture, signed_aperture
from edgeavatar.motion.visemes import (
    ARTICULATORS,
    PRESSED_GAP,
    articulators_to_rows,
    is_bilabial,
    is_open_vowel,
    sustained_row,
    visemes_of,
)
from edgeavatar.types import MOTION_NAMES

ENGLISH_PHONEMES = """
p b t d k ɡ m n ŋ f v θ ð s z ʃ ʒ h l ɹ w j tʃ dʒ ɾ ʔ
i ɪ e ɛ æ ɑ ɒ ɔ ʊ u ʌ ə ɜ ɐ ᵻ ɚ eɪ aɪ oʊ əʊ aʊ ɔɪ
"""
OTHER_PHONEMES = """
y ø œ ɯ ɤ ɨ ʉ ɲ ʎ ç x ɣ χ ʁ ħ ʕ q ɢ ɸ β ɥ ɕ ʑ ʂ ʐ ʈ ɖ ɳ ʋ r ɽ ɬ ɮ ʙ ɓ
tɕ dz pf ã õ t͡s kʷ tʲ
"""
ENGLISH = ENGLISH_PHONEMES.split()
ELSEWHERE = OTHER_PHONEMES.split()


def weight(symbol: str, name: str) -> float:
    return float(sustained_row(symbol)[MOTION_NAMES.index(name)])


@pytest.mark.parametrize("symbol", ENGLISH + ELSEWHERE)
def test_every_phoneme_moves_something_and_stays_in_bounds(symbol: str) -> None:
    row = sustained_row(symbol)
    assert row.shape == (len(MOTION_NAMES),)
    assert row.dtype == np.float32
    assert row.min() >= 0.0
    assert row.max() <= 1.0
    assert row[MOTION_NAMES.index("jawOpen")] > 0.0


@pytest.mark.parametrize("symbol", ["_", "", ".", "ˈ", "3"])
def test_what_has_no_letter_is_silence(symbol: str) -> None:
    assert not sustained_row(symbol).any()


@pytest.mark.parametrize("symbol", ["Ж", "漢", "ŧ", "Å"])
def test_letters_outside_the_alphabet_still_move_the_mouth(symbol: str) -> None:
    assert sustained_row(symbol).any()


def test_accents_fall_back_to_their_letter() -> None:
    np.testing.assert_array_equal(sustained_row("ü"), sustained_row("u"))
    np.testing.assert_array_equal(sustained_row("ñ"), sustained_row("n"))


@pytest.mark.parametrize("symbol", ["p", "b", "m", "ɓ", "ʙ", "pʰ", "b̥"])
def test_bilabials_close_the_lips_over_an_open_jaw(symbol: str) -> None:
    assert is_bilabial(symbol)
    assert weight(symbol, "jawOpen") > 0.05
    assert weight(symbol, "mouthClose") > 0.05
    assert signed_aperture(sustained_row(symbol)) < 0.0


def test_only_bilabials_seal() -> None:
    sealed = {symbol for symbol in ENGLISH if is_bilabial(symbol)}
    assert sealed == {"p", "b", "m"}


def test_labiodentals_tuck_the_lower_lip() -> None:
    for symbol in "fv":
        assert weight(symbol, "mouthRollLower") > 0.4
        assert 0.0 < lip_aperture(sustained_row(symbol)) < 0.02


def test_rounded_phonemes_round_and_others_do_not() -> None:
    for symbol in ("u", "w", "ʊ", "oʊ", "ɔ", "ʃ", "tʃ"):
        assert weight(symbol, "mouthPucker") + weight(symbol, "mouthFunnel") > 0.25
    for symbol in ("i", "æ", "s", "p"):
        assert weight(symbol, "mouthPucker") == 0.0


def test_opening_follows_vowel_height() -> None:
    for series in ("ieɛæ", "uoɔɒ"):
        gaps = [float(lip_aperture(sustained_row(symbol))) for symbol in series]
        jaws = [weight(symbol, "jawOpen") for symbol in series]
        assert gaps == sorted(gaps)
        assert jaws == sorted(jaws)
    assert lip_aperture(sustained_row("i")) > lip_aperture(sustained_row("u"))


def test_sibilants_bring_the_teeth_together_with_lips_apart() -> None:
    for symbol in "szʃʒ":
        assert weight(symbol, "jawOpen") < 0.11
        assert lip_aperture(sustained_row(symbol)) > 0.03


def test_tongue_rises_for_tongue_tip_sounds_alone() -> None:
    for symbol in "tdnlθð":
        assert weight(symbol, "tongueUp") > 0.5
    for symbol in "pkfaiu":
        assert weight(symbol, "tongueUp") == 0.0


def test_diphthongs_and_affricates_have_two_goals() -> None:
    for symbol in ("eɪ", "aɪ", "oʊ", "aʊ", "ɔɪ", "əʊ", "tʃ", "dʒ", "t͡s"):
        assert len(visemes_of(symbol)) == 2
    first, second = visemes_of("aʊ")
    pucker = ARTICULATORS.index("pucker")
    assert first.target[pucker] == 0.0
    assert second.target[pucker] > 0.4
    assert first.share > second.share


def test_modifiers_change_the_lips() -> None:
    pucker, spread = ARTICULATORS.index("pucker"), ARTICULATORS.index("spread")
    assert visemes_of("kʷ")[0].target[pucker] > visemes_of("k")[0].target[pucker]
    assert visemes_of("kʲ")[0].target[spread] > visemes_of("k")[0].target[spread]


def test_open_vowels() -> None:
    opened = {symbol for symbol in ENGLISH if is_open_vowel(symbol)}
    assert opened == {"ɛ", "æ", "ɑ", "ʌ", "aɪ", "aʊ"}


def test_targets_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        visemes_of("a")[0].target[0] = 1.0


def test_rows_have_the_asked_aperture() -> None:
    draw = np.random.default_rng(0)
    channels = draw.uniform(0.0, 1.0, (500, len(ARTICULATORS)))
    channels[:, ARTICULATORS.index("jaw")] *= 0.4
    channels[:, ARTICULATORS.index("gap")] = draw.uniform(PRESSED_GAP, 0.1, 500)
    channels[:, ARTICULATORS.index("pucker")] *= 0.6
    channels[:, ARTICULATORS.index("funnel")] *= 0.3
    rows = articulators_to_rows(channels)
    inside = (rows < 1.0)[:, [MOTION_NAMES.index("mouthLowerDownLeft")]].all(axis=1)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(
        signed_aperture(rows[inside]), channels[inside, ARTICULATORS.index("gap")], atol=1e-6
    )


def test_rest_is_exactly_zero() -> None:
    assert not articulators_to_rows(np.zeros((3, len(ARTICULATORS)))).any()


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="articulators"):
        articulators_to_rows(np.zeros((3, 5)))
    with pytest.raises(UsageError, match="motion rows"):
        lip_aperture(np.zeros((3, 52), np.float32))


def test_aperture_is_that_of_the_face_basis() -> None:
    with np.load(zoo.own_file("face_basis.npz")) as stored:
        basis = stored["basis"].astype(np.float64)
        names = [str(name) for name in stored["names"]]
    for name in MOTION_NAMES:
        moved = 0.0
        if name in names:
            upper, lower = basis[names.index(name), [13, 14], 1]
            moved = (upper - lower) / 17.7
        assert GAP_PER_WEIGHT.get(name, 0.0) == pytest.approx(moved, abs=0.002)
