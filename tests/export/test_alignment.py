from __future__ import annotations

import numpy as np
import pytest

from export.train.alignment import SLACK_ROWS, align

PHONES = 6


def heard(path: list[int], sure: float = 0.9) -> np.ndarray:
    """Make log probabilities of a listener that is mostly right."""
    rows = np.full((len(path), PHONES), (1.0 - sure) / (PHONES - 1), np.float32)
    rows[np.arange(len(path)), path] = sure
    return np.log(rows)


def test_known_words_are_found_where_they_sound() -> None:
    path = [0] * 20 + [1] * 8 + [2] * 10 + [0] * 6 + [3] * 9 + [4] * 7 + [0] * 15
    found = align(heard(path), [[1, 2], [3, 4]], [[0.2, 0.38], [0.44, 0.6]])
    assert found.tolist() == path


def test_words_may_follow_each_other_without_silence() -> None:
    path = [0] * 5 + [1] * 8 + [2] * 10 + [0] * 5
    found = align(heard(path), [[1], [2]], [[0.05, 0.13], [0.13, 0.23]])
    assert found.tolist() == path


def test_what_was_misheard_is_put_right_by_the_script() -> None:
    path = [0] * 10 + [1] * 10 + [2] * 10 + [0] * 10
    rows = heard(path)
    rows[13:16] = heard([5] * 3)
    assert align(rows, [[1, 2]], [[0.1, 0.3]]).tolist() == path


def test_a_word_stays_near_its_time() -> None:
    # The same word sounds twice, and only the second is meant.
    path = [0] * 10 + [1] * 10 + [0] * 60 + [1] * 10 + [0] * 10
    found = align(heard(path, sure=0.8), [[1]], [[0.8, 0.9]])
    assert set(found[: 80 - SLACK_ROWS].tolist()) == {0}
    assert found[83:88].tolist() == [1] * 5


@pytest.mark.parametrize("count", [3, 4])
def test_every_phone_of_the_script_is_given_a_row(count: int) -> None:
    found = align(heard([0] * 30), [[1, 2, 3][:count]], [[0.1, 0.2]])
    kept = [int(p) for p in found if p]
    assert sorted(set(kept)) == [1, 2, 3]
