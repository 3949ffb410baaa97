from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.sampling import sample_rows
from edgeavatar.types import MOTION_NAMES

WIDTH = len(MOTION_NAMES)


def ramp(count: int) -> np.ndarray:
    """Rows of which row i holds i everywhere."""
    return np.repeat(np.arange(count, dtype=np.float32)[:, None], WIDTH, axis=1)


@pytest.mark.parametrize(
    "rate",
    [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(100)],
)
def test_rows_are_read_at_the_exact_time_of_each_frame(rate: Fraction) -> None:
    times = [i / rate for i in range(int(rate) * 5)]
    rows = list(sample_rows([ramp(200), ramp(400)[200:]], [t for t in times if t < 3]))
    for time, row in zip(times, rows, strict=False):
        assert row[0] == pytest.approx(float(time * 100), abs=1e-3)


def test_uneven_times_and_repeated_times() -> None:
    times = [Fraction(0), Fraction(1, 7), Fraction(1, 7), Fraction(2, 9), Fraction(3)]
    rows = list(sample_rows([ramp(1000)], times))
    np.testing.assert_allclose([r[3] for r in rows], [float(t * 100) for t in times], rtol=1e-6)


def test_rest_past_the_end() -> None:
    rows = list(
        sample_rows([ramp(3)], [Fraction(2, 100), Fraction(5, 200), Fraction(3, 100), Fraction(9)])
    )
    assert [float(r[0]) for r in rows] == [2.0, 1.0, 0.0, 0.0]


def test_no_motion_at_all_is_rest() -> None:
    assert not next(sample_rows([], [Fraction(1)])).any()


def test_blocks_are_taken_only_when_a_time_needs_them() -> None:
    taken = []

    def blocks() -> Iterator[np.ndarray]:
        for i in range(100):
            taken.append(i)
            yield ramp(10)

    now = [Fraction(0)]

    def times() -> Iterator[Fraction]:
        while True:
            yield now[0]

    rows = sample_rows(blocks(), times())
    next(rows)
    assert len(taken) == 1
    now[0] = Fraction(35, 100)
    next(rows)
    assert len(taken) == 4


def test_times_must_not_fall() -> None:
    with pytest.raises(UsageError, match="never fall"):
        list(sample_rows([ramp(10)], [Fraction(1, 50), Fraction(1, 100)]))
    with pytest.raises(UsageError, match="never fall"):
        list(sample_rows([ramp(10)], [Fraction(-1, 100)]))


def test_blocks_of_another_width_are_refused() -> None:
    with pytest.raises(UsageError, match="26 weights"):
        list(sample_rows([np.zeros((5, 52), np.float32)], [Fraction(0)]))


def test_tracks_of_another_width() -> None:
    rows = list(sample_rows([ramp(10)[:, :3]], [Fraction(1, 200), Fraction(1)], width=3))
    np.testing.assert_allclose(rows, [[0.5, 0.5, 0.5], [0.0, 0.0, 0.0]])
    with pytest.raises(UsageError, match="3 weights"):
        list(sample_rows([ramp(10)], [Fraction(0)], width=3))
