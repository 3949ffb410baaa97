"""Variants are measured with no more runs than it takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_graphs import model, node

pytest.importorskip("onnx", reason="onnx is only needed for export")
pytest.importorskip("onnxslim", reason="onnxslim is only needed for export")

from export.differences import errors, remembered
from export.measuring import Result, measure
from export.recipes.base import Net, Runner, TaskFigure
from export.variants import Variant

Feeds = Mapping[str, np.ndarray]


def written(path: Path, factor: float) -> Path:
    weights = {"w": np.full((1, 4), factor, np.float32)}
    graph = model("g", [node("Mul", ("x", "w"), "y")], weights, {"x": (1, 4)}, {"y": (1, 4)})
    path.write_bytes(graph)
    return path


def inputs(count: int) -> list[Feeds]:
    return [{"x": np.full((1, 4), 1.0 + i, np.float32)} for i in range(count)]


class World:
    """A net that doubles, and how often it was asked and judged."""

    def __init__(self) -> None:
        self.asked: Counter[float] = Counter()
        self.judged: list[tuple[float, float]] = []

    def reference(self, feeds: Feeds) -> dict[str, Any]:
        self.asked[float(feeds["x"][0, 0])] += 1
        return {"y": 2.0 * feeds["x"]}

    def judge(self, one: Runner, other: Runner) -> TaskFigure:
        # Made anew each time, as a net with a memory makes its own.
        right, made = (float(run(inputs(6)[5])["y"][0, 0]) for run in (one, other))
        self.judged.append((right, made))
        return TaskFigure("closeness", 1.0 - abs(right - made), 0.0, 0.9)

    def net(self, **more: Any) -> Net:
        example = {"x": np.zeros((1, 4), np.float32)}
        return Net("n", None, example, ("y",), {}, lambda _: [], self.judge, **more)


def measured(folder: Path, world: World, **more: Any) -> list[Result]:
    variants = [
        Variant("onnx", "fp32", (written(folder / "a.onnx", 2.0),)),
        Variant("onnx", "fp16", (written(folder / "b.onnx", 2.25),)),
    ]
    return measure(world.net(**more), variants, world.reference, inputs(3), 1, 2)


def test_the_reference_runs_once_for_each_input_and_agreement_is_judged_once(
    tmp_path: Path,
) -> None:
    world = World()
    results = measured(tmp_path, world)
    assert [(r.backend, r.precision) for r in results] == [
        ("onnxruntime", "fp32"),
        ("onnxruntime", "fp16"),
        ("openvino", "fp32"),
        ("openvino", "fp16"),
    ]
    assert set(world.asked.values()) == {1}
    # For each file: one backend beside the other, and both beside the reference.
    assert world.judged == [(12.0, 12.0)] * 3 + [(13.5, 13.5)] + [(12.0, 13.5)] * 2
    for r in results:
        assert r.figures.agreement is not None
        assert r.figures.agreement.value == 1.0
        assert r.figures.rms_error == pytest.approx(0.0 if r.precision == "fp32" else 0.125)
    assert [r.figures.task.value for r in results[:2]] == [1.0, pytest.approx(-0.5)]


def test_a_net_that_one_backend_may_run_is_measured_there_alone(tmp_path: Path) -> None:
    results = measured(tmp_path, World(), backends=("onnxruntime",), bounded=False)
    assert [r.backend for r in results] == ["onnxruntime"] * 2
    assert all(r.figures.agreement is None for r in results)
    assert not any("error" in gate.name for r in results for gate in r.gates)


def test_answers_are_remembered_by_what_was_asked() -> None:
    asked = []

    def run(feeds: Feeds) -> dict[str, Any]:
        asked.append(feeds)
        return {"y": feeds["x"] + 1}

    ask = remembered(run)
    assert ask({"x": np.zeros(2)})["y"] is ask({"x": np.zeros(2)})["y"]
    assert len(asked) == 1
    ask({"x": np.zeros(2, np.float32)})
    ask({"x": np.zeros((1, 2))})
    ask({"x": np.ones(2)})
    ask({"z": np.zeros(2), "x": np.zeros(2)})
    assert len(asked) == 5


def test_an_answer_of_another_shape_is_infinitely_far() -> None:
    found = errors(lambda f: {"y": f["x"]}, inputs(1), [{"y": np.zeros((1, 5))}])
    assert found == (math.inf, math.inf)
