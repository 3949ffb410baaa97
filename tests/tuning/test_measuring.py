"""Measuring tiny nets on real sessions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tiny_world import x_of

from edgeavatar import zoo
from edgeavatar.backends.onnxruntime import OnnxRuntimeSession
from edgeavatar.tuning.choice import Measurement, choose
from edgeavatar.tuning.measuring import (
    QUICK,
    Effort,
    candidates,
    difference,
    measure,
    open_files,
    thread_counts,
)
from edgeavatar.tuning.subjects import Subject

NET = Subject("tiny", "net", lambda _given: {"x": x_of()})


def _measure(model: zoo.Model, effort: Effort = QUICK) -> dict[tuple[str, str], Measurement]:
    ways = list(candidates(NET, model, (1,)))
    found = measure(NET, model, open_files(model, ways), ways, effort)
    assert [m.candidate for m in found] == ways
    return {(m.candidate.file, m.candidate.backend): m for m in found}


# -------------------------------------------------------------------------------- what is measured


@pytest.mark.parametrize(
    ("cores", "counts"),
    [(1, (1,)), (2, (1, 2)), (4, (1, 2, 4)), (6, (1, 2, 4, 6)), (16, (1, 2, 4, 8, 16))],
)
def test_thread_counts(cores: int, counts: tuple[int, ...]) -> None:
    assert thread_counts(cores) == counts


def test_the_plainest_way_comes_first_and_all_ways_come(tiny_models: zoo.Model) -> None:
    ways = list(candidates(NET, tiny_models, (1, 2)))
    assert [(w.file, w.backend, w.threads) for w in ways[:5]] == [
        ("net", "onnxruntime", 2),
        ("net", "onnxruntime", 1),
        ("net", "openvino", 2),
        ("net", "openvino", 1),
        ("half", "openvino", 2),
    ]
    assert {w.file for w in ways} == {"net", "half", "wrong", "renamed", "broken"}
    assert {w.precision for w in ways if w.file == "half"} == {"fp16"}
    first = next(candidates(dataclasses.replace(NET, threads=1), tiny_models, (1, 2)))
    assert (first.file, first.threads) == ("net", 1)


def test_openvino_is_not_tried_where_shapes_vary(tiny_models: zoo.Model) -> None:
    ways = list(candidates(dataclasses.replace(NET, varying=True), tiny_models, (1, 2)))
    assert {w.backend for w in ways} == {"onnxruntime"}
    assert "half" not in {w.file for w in ways}


def test_large_files_are_opened_less_often(tiny_models: zoo.Model) -> None:
    large = dataclasses.replace(tiny_models.files["net"], bytes=90_000_000)
    model = dataclasses.replace(tiny_models, files={"net": large})
    ways = candidates(dataclasses.replace(NET, varying=True), model, (1, 2, 4, 8))
    assert [w.threads for w in ways] == [8, 4]


# ------------------------------------------------------------------------------------ how it ends


def test_difference() -> None:
    one = {"y": np.array([3.0, 4.0]), "n": np.ones(2, np.int64)}
    assert difference(one, one) == 0.0
    assert difference(one, {**one, "y": np.array([3.0, 4.5])}) == pytest.approx(0.1)
    assert difference(one, {**one, "y": np.array([3.0, np.nan])}) == float("inf")
    assert difference(one, {"y": one["y"]}) == float("inf")
    assert difference(one, {**one, "y": np.ones(3)}) == float("inf")
    assert difference({"y": np.zeros(2)}, {"y": np.zeros(2)}) == 0.0


def test_what_computes_the_same_is_timed_and_what_does_not_is_refused(
    tiny_models: zoo.Model,
) -> None:
    found = _measure(tiny_models)
    for way in (("net", "onnxruntime"), ("net", "openvino"), ("half", "openvino")):
        measured = found[way]
        assert measured.refusal == ""
        assert measured.runs >= 6
        assert measured.p10_ms is not None
        assert measured.p50_ms is not None
        assert measured.p95_ms is not None
        assert 0.0 < measured.p10_ms <= measured.p50_ms <= measured.p95_ms
    assert 0.0 < (found["half", "openvino"].difference or 0.0) < 0.01
    for backend in ("onnxruntime", "openvino"):
        wrong = found["wrong", backend]
        assert wrong.refusal == "outputs differ by 10.00%, at most 5.00% may be"
        assert wrong.difference == pytest.approx(0.1, abs=1e-4)
        assert (wrong.p50_ms, wrong.runs) == (None, 0)
        assert found["renamed", backend].refusal == "outputs are z, expected y"
        assert "expected an ONNX model" in found["broken", backend].refusal
    chosen = choose("net", list(found.values()))
    assert chosen is not None
    assert chosen.candidate.file in ("net", "half")


def test_a_variant_without_a_tolerance_is_held_to_a_strict_one(tiny_models: zoo.Model) -> None:
    files = dict(tiny_models.files)
    files["wrong"] = dataclasses.replace(files["wrong"], tolerance=None)
    found = _measure(dataclasses.replace(tiny_models, files=files))
    assert found["wrong", "openvino"].refusal.endswith("at most 0.10% may be")
    files["wrong"] = dataclasses.replace(files["wrong"], tolerance=0.2)
    found = _measure(dataclasses.replace(tiny_models, files=files))
    assert found["wrong", "openvino"].refusal == ""


def test_what_draws_at_random_is_compared_with_nothing(
    tiny_models: zoo.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, real = np.random.default_rng(5), OnnxRuntimeSession._run
    monkeypatch.setattr(
        OnnxRuntimeSession,
        "_run",
        lambda self, feeds: {k: v * generator.random() for k, v in real(self, feeds).items()},
    )
    found = _measure(tiny_models)
    assert found["net", "onnxruntime"].refusal == ""
    assert found["net", "openvino"].refusal == "outputs vary from run to run and cannot be compared"


def test_a_slow_way_is_given_up_early(
    tiny_models: zoo.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    from edgeavatar.backends.openvino import OpenVinoSession

    real = OpenVinoSession._run

    def slow(self: OpenVinoSession, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        time.sleep(0.02)
        return real(self, feeds)

    monkeypatch.setattr(OpenVinoSession, "_run", slow)
    found = _measure(tiny_models, Effort(seconds=1.0))
    # Six blocks of two calls, and then no more.
    assert found["net", "openvino"].runs == 12
    assert found["net", "onnxruntime"].runs > 50
    chosen = choose("net", list(found.values()))
    assert chosen is not None
    assert chosen.candidate.backend == "onnxruntime"


def test_a_file_that_is_not_the_declared_one_is_not_measured(tiny_models: zoo.Model) -> None:
    from edgeavatar.errors import IntegrityError

    path = Path(tiny_models.origin) / "half.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(IntegrityError, match=r"half\.bin: expected SHA-256"):
        _measure(tiny_models)
