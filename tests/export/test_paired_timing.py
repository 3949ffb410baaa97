"""Contenders take turns."""

from __future__ import annotations

import time

import pytest

from export.timing import WARM_UP, paired


def test_the_slower_one_is_found_slower() -> None:
    found = paired({"slow": lambda: time.sleep(0.004), "fast": lambda: time.sleep(0.001)}, 15)
    assert found["slow"].speedup == pytest.approx(1.0)
    assert 1.5 < found["fast"].speedup < 5.0
    assert found["fast"].p50_ms <= found["fast"].p95_ms
    assert 0.9 < found["fast"].p50_ms < found["slow"].p50_ms


def test_everybody_has_the_same_number_of_turns_and_the_order_changes() -> None:
    turns: list[str] = []
    paired({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 4)
    assert turns.count("a") == turns.count("b") == 4 + WARM_UP
    assert "".join(turns[2 * WARM_UP :]) == "abbaabba"
