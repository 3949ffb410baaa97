from __future__ import annotations

import numpy as np

from edgeavatar.speech.stretches import Joiner, Parter


def parted(probabilities: list[float], unbroken_s: float = 1.0) -> list[float]:
    parter = Parter(0.032, unbroken_s)
    out = [settled for p in probabilities for settled in parter.push(p)]
    return out + parter.flush()


def test_speech_with_pauses_stays_as_it_is() -> None:
    given = ([0.9] * 25 + [0.1] * 4) * 10
    assert parted(given) == given


def test_endless_speech_is_parted_where_it_is_least_likely() -> None:
    draw = np.random.default_rng(0)
    given = draw.uniform(0.8, 1.0, 100).tolist()
    given[22:26] = [0.5] * 4
    out = parted(given)
    assert len(out) == len(given)
    assert out[22:26] == [0.0] * 4
    assert out[:22] == given[:22]
    zeros = [i for i, p in enumerate(out) if p == 0.0]
    assert np.diff(zeros).max() <= 31


def test_silence_is_passed_on_at_once() -> None:
    parter = Parter(0.032)
    assert [parter.push(0.2) for _ in range(3)] == [[0.2]] * 3
    assert parter.push(0.8) == []
    assert parter.push(0.1) == [0.8, 0.1]


def joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joiner = Joiner(100, pause_s=1.0, longest_s=15.0)
    found = [joiner.push(*stretch) for stretch in stretches]
    found.append(joiner.flush())
    return [stretch for stretch in found if stretch is not None]


def test_short_pauses_are_within_a_stretch() -> None:
    assert joined([(0, 200), (300, 500), (601, 700)]) == [(0, 500), (601, 700)]


def test_stretches_are_not_joined_beyond_the_longest() -> None:
    assert joined([(0, 1000), (1050, 1500), (1550, 1600)]) == [(0, 1500), (1550, 1600)]
    assert joined([(0, 1000), (1050, 1501)]) == [(0, 1000), (1050, 1501)]


def test_a_stretch_is_given_when_the_pause_is_long_enough() -> None:
    joiner = Joiner(100, pause_s=1.0)
    assert joiner.push(0, 200) is None
    assert joiner.quiet_at(300) is None
    assert joiner.waiting
    assert joiner.quiet_at(301) == (0, 200)
    assert not joiner.waiting
    assert joiner.flush() is None
