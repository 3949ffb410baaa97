"""Which variants may ship: pure decisions from given figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("onnx", reason="onnx is only needed for export")

from export.gates import Figures, gates
from export.recipes.base import TaskFigure

TASK = TaskFigure("mouth-box SSIM", 0.9993, 0.996, 0.99)
GOOD = Figures(
    precision="int8",
    largest_error=0.4,
    rms_error=0.05,
    task=TASK,
    speedup=2.1,
    size_bytes=600,
    base_bytes=2000,
    agreement=None,
)


def closed(figures: Figures) -> list[str]:
    return [gate.name for gate in gates(figures) if not gate.passed]


def test_a_good_variant_passes_every_gate() -> None:
    assert closed(GOOD) == []


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"speedup": 1.05}, "speed"),
        ({"rms_error": 0.2}, "rms error"),
        ({"rms_error": float("nan")}, "rms error"),
        ({"speedup": float("nan")}, "speed"),
        ({"task": replace(TASK, value=0.98)}, "mouth-box SSIM"),
        ({"size_bytes": 2000}, "size"),
        ({"agreement": replace(TASK, value=0.9)}, "backends agree"),
    ],
)
def test_each_gate_closes_alone(change: dict[str, object], gate: str) -> None:
    assert closed(replace(GOOD, **change)) == [gate]  # type: ignore[arg-type]


def test_float_is_held_to_each_single_value_and_may_be_as_fast_as_before() -> None:
    same = replace(GOOD, precision="fp16", rms_error=1e-4, largest_error=1e-3, speedup=1.0)
    assert closed(same) == []
    assert closed(replace(same, largest_error=0.1)) == ["largest error"]
    assert closed(replace(same, speedup=0.8)) == ["speed"]


def test_single_precision_need_not_be_smaller_than_itself() -> None:
    plain = replace(GOOD, precision="fp32", rms_error=1e-7, largest_error=1e-6, size_bytes=2000)
    assert closed(replace(plain, speedup=1.0)) == []


def test_all_that_a_task_asks_for_is_held_to_its_bound() -> None:
    away = TaskFigure("distance dB", 0.4, 0.9, 1.0, less_is_better=True)
    same = TaskFigure("same durations", 1.0, 1.0, 1.0)
    assert closed(replace(GOOD, task=replace(away, also=(same,)))) == []
    far = replace(away, value=1.5, also=(replace(same, value=0.9),))
    assert closed(replace(GOOD, task=far)) == ["distance dB", "same durations"]
    assert [g.wanted for g in gates(replace(GOOD, task=far))[1:3]] == ["at most 1", "at least 1"]


def test_single_values_of_a_wave_are_held_to_nothing() -> None:
    wave = replace(GOOD, rms_error=0.3, bounded=False)
    assert closed(wave) == []
    assert "rms error" not in [gate.name for gate in gates(wave)]
    assert closed(replace(wave, bounded=True)) == ["rms error"]
