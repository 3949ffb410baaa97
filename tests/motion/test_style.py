from __future__ import annotations

import itertools
import math

import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.coarticulation import Articulation
from edgeavatar.motion.style import NEUTRAL, SpeakingStyle, style_named

FIELDS = ("articulation", "stress_contrast", "accents", "brow_lift", "nod_deg", "blinks_per_min")


def test_neutral_leaves_the_mouth_as_measured() -> None:
    assert style_named("neutral") == NEUTRAL == SpeakingStyle()
    assert NEUTRAL.mouth == Articulation()


@pytest.mark.parametrize("field", [*FIELDS, "sway", "tempo"])
def test_lively_is_more_of_everything_and_calm_less(field: str) -> None:
    calm, neutral, lively = (
        getattr(style_named(name), field) for name in ("calm", "neutral", "lively")
    )
    assert calm < 0.95 * neutral
    assert lively > 1.05 * neutral


@pytest.mark.parametrize("name", ["calm", "neutral", "lively"])
def test_articulation_changes_the_size_of_the_mouth_alone(name: str) -> None:
    usual, half, wide, rest = (style_named(name, x) for x in (1.0, 0.5, 1.5, 0.0))  # type: ignore[arg-type]
    assert half.mouth.strength == pytest.approx(0.5 * usual.mouth.strength)
    assert wide.mouth.strength == pytest.approx(1.5 * usual.mouth.strength)
    assert rest.mouth.strength == 0.0
    for other in (half, wide, rest):
        assert other.mouth.stress_gain == usual.mouth.stress_gain
        for field in (*FIELDS[1:], "sway", "tempo"):
            assert getattr(other, field) == getattr(usual, field)


def test_stress_stands_out_with_contrast() -> None:
    calm, neutral, lively = (style_named(name).mouth for name in ("calm", "neutral", "lively"))
    ranges = [mouth.stress_gain / mouth.unstressed_gain for mouth in (calm, neutral, lively)]
    assert all(after > 1.03 * before for before, after in itertools.pairwise(ranges))


@pytest.mark.parametrize("articulation", [-0.1, 1.51, math.nan, math.inf])
def test_articulation_has_bounds(articulation: float) -> None:
    with pytest.raises(UsageError, match=r"articulation from 0 to 1\.5, found"):
        style_named("neutral", articulation)


def test_unknown_styles_are_refused() -> None:
    with pytest.raises(UsageError, match="neutral, lively, calm, found 'angry'"):
        style_named("angry")  # type: ignore[arg-type]
