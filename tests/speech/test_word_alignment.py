from __future__ import annotations

from fractions import Fraction

import numpy as np

from edgeavatar.speech.alignment import align_words


def heard(rows: str, *, sure: float = 0.9) -> np.ndarray:
    """Probabilities of a net that hears one of the phones 0 to 4 in each row, surely or not."""
    probability = np.full((len(rows), 5), (1.0 - sure) / 4, np.float32)
    for i, phone in enumerate(rows):
        probability[i, int(phone)] = sure
    return probability


def times(rows: str, script: list[list[int]]) -> list[tuple[float, float]]:
    speaking = np.array([row != "0" for row in rows])
    spans = align_words(heard(rows), script, speaking)
    return [(float(span.start_s), float(span.end_s)) for span in spans]


def test_words_lie_where_their_phones_were_heard() -> None:
    rows = "0" * 10 + "1" * 5 + "2" * 5 + "0" * 8 + "3" * 6 + "1" * 4 + "0" * 5
    # Between two rows: the edge of row 10 is at 9.5 hundredths.
    assert times(rows, [[1, 2], [3, 1]]) == [(0.095, 0.195), (0.275, 0.375)]


def test_words_may_follow_each_other_at_once() -> None:
    assert times("1" * 5 + "2" * 5, [[1], [2]]) == [(0.0, 0.045), (0.045, 0.095)]


def test_a_phone_takes_30_ms() -> None:
    (first, second) = times("1" * 10 + "3" * 10, [[1], [2, 3]])
    assert second[1] - second[0] >= 0.06
    assert first[1] == second[0] == 0.065


def test_a_misheard_phone_moves_nothing_else() -> None:
    rows = "0" * 10 + "1" * 5 + "4" * 5 + "1" * 5 + "0" * 10
    assert times(rows, [[1, 2, 1]]) == [(0.095, 0.245)]


def test_speech_heard_as_half_silent_is_brought_back() -> None:
    muffled = heard("0" * 20 + "1" * 8 + "2" * 8 + "0" * 20, sure=0.998)
    muffled[20:36, 1:] *= 0.1
    muffled[20:36, 0] = 1.0 - muffled[20:36, 1:].sum(axis=1)
    assert (muffled[20:36].argmax(axis=1) == 0).all()
    speaking = np.zeros(56, bool)
    speaking[18:38] = True
    script = [[1, 2]]
    assert align_words(muffled, script, speaking)[0].start_s == Fraction(39, 200)
    assert align_words(muffled, script, speaking)[0].end_s == Fraction(71, 200)


def test_confidence_is_how_well_the_word_was_heard() -> None:
    rows = "1" * 6 + "2" * 6
    right, wrong = align_words(heard(rows), [[1], [4]])
    assert abs(right.confidence - 0.9) < 0.02
    assert wrong.confidence < 0.1


def test_too_many_phones_share_the_time() -> None:
    spans = align_words(heard("111111"), [[1] * 6, [2] * 2])
    assert [(span.start_s, span.end_s) for span in spans] == [
        (0, Fraction(9, 200)),
        (Fraction(9, 200), Fraction(6, 100)),
    ]
    assert [span.confidence for span in spans] == [0.0, 0.0]


def test_a_word_without_phones_takes_no_time() -> None:
    spans = align_words(heard("1" * 6 + "2" * 6), [[1], [], [2]])
    assert spans[1].start_s == spans[1].end_s == spans[0].end_s
    assert align_words(heard("0000"), []) == []
    assert align_words(heard("0000"), [[]])[0].confidence == 0.0
    assert align_words(np.zeros((0, 5), np.float32), [[1]])[0].end_s == 0
