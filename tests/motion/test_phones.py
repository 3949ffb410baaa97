from __future__ import annotations

import numpy as np
import pytest

from edgeavatar.motion.phones import PHONES, phone_rows, phones_of


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("p", "p"),
        ("tʃ", "tʃ"),
        ("aɪ", "aɪ"),
        ("ɡ", "g"),
        ("ɾ", "d"),
        ("ɚ", "ə"),
        ("r", "ɹ"),
        ("y", "u"),
        ("ø", "o"),
        ("ɓ", "p"),
        ("_", "_"),
        ("ʰ", "_"),
    ],
)
def test_symbols_go_to_the_phones_with_the_nearest_lips(symbol: str, expected: str) -> None:
    found = phones_of(symbol)
    assert "".join(PHONES[i] for i, _ in found) == expected
    assert sum(share for _, share in found) == pytest.approx(1.0)


def test_bilabials_of_any_language_stay_bilabial() -> None:
    for symbol in "pbmʙɓʘ":
        assert PHONES[phones_of(symbol)[0][0]] in "pbm"


def test_rows_tell_how_much_of_their_time_each_phone_takes() -> None:
    rows = phone_rows([(0.10, 0.20, "p"), (0.20, 0.253, "aɪ")], np.arange(40) / 100.0)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-6)
    p, a, i = PHONES.index("p"), PHONES.index("a"), PHONES.index("ɪ")
    assert rows[5, 0] == 1.0
    assert rows[10, p] == pytest.approx(0.5)
    assert rows[10, 0] == pytest.approx(0.5)
    assert rows[15, p] == 1.0
    assert rows[:, a].sum() == pytest.approx(5.3 * 0.58, abs=1e-4)
    assert rows[:, i].sum() == pytest.approx(5.3 * 0.42, abs=1e-4)
