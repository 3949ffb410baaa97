from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.motion.dynamics import SPEED
from edgeavatar.motion.nets import HEARD
from edgeavatar.motion.phones import PHONES
from edgeavatar.motion.restraint import LOOK_AHEAD, Restraint
from edgeavatar.motion.visemes import ARTICULATORS, PRESSED_GAP

GAP, PRESS = ARTICULATORS.index("gap"), ARTICULATORS.index("press")


def movement(count: int, gap: float = 0.06) -> np.ndarray:
    wanted = np.zeros((count, len(ARTICULATORS)))
    wanted[:, GAP] = gap
    return wanted


def saying(count: int, phone: str = "a", **spans: tuple[int, int]) -> np.ndarray:
    rows = np.zeros((count, HEARD), np.float32)
    rows[:, PHONES.index(phone)] = 1.0
    rows[:, -1] = 0.8
    for other, (first, end) in spans.items():
        rows[first:end] = 0.0
        rows[first:end, 0 if other == "silence" else PHONES.index(other)] = 1.0
        rows[first:end, -1] = 0.0 if other == "silence" else 0.5
    return rows


def restrained(
    wanted: np.ndarray, phones: np.ndarray, voiced: np.ndarray | None = None, **options: float
) -> np.ndarray:
    held = Restraint(**options)
    heard = np.ones(len(phones), bool) if voiced is None else voiced
    return np.concatenate([held.push(wanted, phones, heard), held.flush()])


def test_lips_meet_where_a_bilabial_is_heard() -> None:
    rows = restrained(movement(100), saying(100, m=(50, 56)))
    # Lips come together and part a row ahead of the sound; 40 ms is a frame at 25 fps.
    assert (rows[50:55, GAP] < 0.001).all()
    assert rows[52, GAP] == pytest.approx(PRESSED_GAP, abs=1e-6)
    assert rows[52, PRESS] > 0.4
    assert rows[40, GAP] == pytest.approx(0.06)


def test_a_doubtful_bilabial_closes_nothing() -> None:
    phones = 0.85 * saying(100) + 0.15 * saying(100, phone="m")
    assert restrained(movement(100), phones)[50, GAP] == pytest.approx(0.06)


def test_silence_is_rest_to_the_bit_and_starts_soon() -> None:
    rows = restrained(movement(200), saying(200, silence=(80, 140)))
    assert rows[80, GAP] == pytest.approx(0.06)
    assert not rows[92:130].any()
    assert rows[150, GAP] == pytest.approx(0.06)


def test_the_gap_between_words_is_no_pause() -> None:
    rows = restrained(movement(200), saying(200, silence=(80, 85)))
    assert rows[75:95, GAP].min() == pytest.approx(0.06)


def test_what_the_detector_does_not_hear_is_rest() -> None:
    voiced = np.ones(200, bool)
    voiced[80:140] = False
    rows = restrained(movement(200), saying(200), voiced)
    assert not rows[92:130].any()


def test_what_has_been_inaudible_for_a_while_is_rest() -> None:
    heard = saying(200)
    heard[80:140, -1] = 0.01
    rows = restrained(movement(200), heard)
    assert rows[83, GAP] > 0.03
    assert not rows[94:130].any()
    # A weak fricative is not a pause.
    heard = saying(200)
    heard[80:84, -1] = 0.01
    assert restrained(movement(200), heard)[82, GAP] == pytest.approx(0.06)


def test_a_click_does_not_open_the_mouth() -> None:
    phones = saying(100, silence=(0, 100))
    phones[50:52] = saying(2)
    assert not restrained(movement(100), phones).any()


def test_nothing_moves_faster_than_a_face() -> None:
    draw = np.random.default_rng(0)
    wanted = draw.uniform(0.0, 1.0, (400, len(ARTICULATORS)))
    rows = restrained(wanted, saying(400))
    fastest = np.abs(np.diff(rows, axis=0)).max(axis=0) * 100.0
    for name, speed in zip(ARTICULATORS, fastest, strict=True):
        assert speed <= SPEED[name] + 1e-9
    assert fastest[GAP] > 0.5 * SPEED["gap"]


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_stream_is_the_same_however_it_is_cut(size: int) -> None:
    draw = np.random.default_rng(1)
    wanted = draw.uniform(0.0, 0.09, (300, len(ARTICULATORS)))
    phones = np.empty((300, HEARD), np.float32)
    phones[:, :-1] = draw.dirichlet(np.full(len(PHONES), 0.05), 300)
    phones[:, -1] = draw.uniform(0.0, 0.1, 300)
    voiced = draw.random(300) > 0.2
    whole = restrained(wanted, phones, voiced)
    held = Restraint()
    parts = [
        held.push(wanted[i : i + size], phones[i : i + size], voiced[i : i + size])
        for i in range(0, 300, size)
    ]
    np.testing.assert_allclose(np.concatenate([*parts, held.flush()]), whole, atol=1e-12)
    assert len(whole) == 300


def test_a_closure_is_begun_in_time() -> None:
    wanted = movement(100, gap=0.09)
    wanted[50:60, GAP] = 0.0
    rows = restrained(wanted, saying(100))
    # Less than the look-ahead before it, and reached within a frame of 40 ms.
    assert rows[50 - LOOK_AHEAD - 1, GAP] == pytest.approx(0.09)
    assert rows[48, GAP] < 0.085
    assert rows[53, GAP] < 0.01


def test_strength_scales_and_zero_is_rest() -> None:
    half = restrained(movement(60), saying(60), strength=0.5)
    assert half[30, GAP] == pytest.approx(0.03)
    assert not restrained(movement(60), saying(60, m=(20, 30)), strength=0.0)[:, PRESS].any()
