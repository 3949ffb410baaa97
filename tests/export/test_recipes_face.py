"""The face models as OpenVINO's files: built from the installed ones, judged by what they see."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeavatar.errors import UsageError

pytest.importorskip("onnx", reason="onnx is only needed for export")
pytest.importorskip("onnxslim", reason="onnxslim is only needed for export")
pytest.importorskip("nncf", reason="nncf is only needed for export")

from export.building import Wanted, build, compare, read_report
from export.calibration import CALIBRATION
from export.ir import read
from export.publishing import publish
from export.recipes import recipe_named
from export.recipes.base import Recipe
from export.recipes.face import (
    Met,
    face_net,
    looked_at,
    portraits,
    same_faces,
    same_points,
    same_weights,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

_SEEDS = {"calibration": (100, 101), "held-out": (200,)}


@pytest.fixture(scope="module")
def met(model_store: Any) -> Any:
    for model in ("face", "portrait"):
        model_store.resolve(model)
    return cache(lambda which: looked_at(portraits(_SEEDS[which])))


def recipe(key: str, met: Any) -> Recipe:
    return Recipe(f"face-{key}", "a net", "none", lambda _: [face_net(key, met)])


@pytest.fixture(scope="module")
def built(met: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blendshapes")
    build(recipe("blendshapes", met), None, folder, Wanted(rounds=3, threads=1), lambda _: None)
    return folder


def test_a_tracker_shows_all_three_nets_what_they_meet(met: Any) -> None:
    seen: Met = met(CALIBRATION)
    shapes = {
        key: {a.shape for feeds in getattr(seen, key) for a in feeds.values()}
        for key in ("detector", "mesh", "blendshapes")
    }
    assert shapes == {
        "detector": {(1, 128, 128, 3)},
        "mesh": {(1, 256, 256, 3)},
        "blendshapes": {(1, 146, 2)},
    }
    # Two people, upright and leaning.
    assert len(seen.blendshapes) == 4
    faces = [feeds["input_12"] for feeds in seen.mesh]
    assert min(a.min() for a in faces) >= 0.0
    assert 0.5 < max(a.max() for a in faces) <= 1.0


def test_no_file_but_openvinos_is_made_and_judged(built: Path) -> None:
    results = read_report(built)["results"]
    assert [(r["format"], r["precision"], r["backend"]) for r in results] == [
        ("openvino", precision, "openvino") for precision in ("fp32", "fp16", "int8", "mixed")
    ]
    plain, half, whole, mixed = results
    # The same backend on the same numbers; half precision is what the file came with.
    assert plain["figures"]["rms_error"] < 1e-6
    assert half["figures"]["rms_error"] < 1e-6
    assert half["figures"]["size_bytes"] < plain["figures"]["size_bytes"]
    # Normalisations stay in float: rounded, they leave nothing of the output.
    assert 0.0 < whole["figures"]["rms_error"] < 0.3
    assert 0.0 < mixed["figures"]["rms_error"] < 0.3
    # They never were ONNX, and have no opset.
    assert "| opset |" not in (built / "card.md").read_text()
    kinds = [op.get_type_name() for op in read(built / "face_blendshapes_fp32.xml").get_ops()]
    assert "FakeQuantize" not in kinds
    assert mixed["kept"]


def test_layers_are_told_apart_by_what_rounding_them_costs(built: Path) -> None:
    report = read_report(built)
    found = report["sensitivities"]["face_blendshapes"]
    errors = [layer["error"] for layer in found]
    assert len(found) == 19
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 3 * np.median(errors)
    assert found[0]["layer"] in report["results"][3]["kept"]


def test_what_fails_its_gates_is_taken_away_and_nothing_is_published(built: Path) -> None:
    report = read_report(built)
    for r in report["results"]:
        middle = "" if r["precision"] == "fp16" else f"_{r['precision']}"
        path = built / f"face_blendshapes{middle}.xml"
        assert path.exists() == (r["passed"] or r["precision"] == "fp32")
    # The weights are not ours to ship.
    with pytest.raises(UsageError, match="found none"):
        publish(report, built, built, ())


def test_files_are_compared_again_with_the_graph_they_were_made_of(built: Path, met: Any) -> None:
    again = compare(recipe("blendshapes", met), built, Wanted(rounds=3, threads=1), lambda _: None)
    before = read_report(built)["results"]
    errors = {r["precision"]: r["figures"]["rms_error"] for r in before}
    assert again[0].precision == "fp32"
    for result in again:
        assert result.figures.rms_error == pytest.approx(errors[result.precision], abs=1e-6)


def test_files_do_not_change_from_one_build_to_the_next(
    built: Path, met: Any, tmp_path: Path
) -> None:
    wanted = Wanted(precisions=("int8",), rounds=2, threads=1)
    build(recipe("blendshapes", met), None, tmp_path, wanted, lambda _: None)
    first, second = (
        json.loads((folder / "report.json").read_text())["sha256"] for folder in (built, tmp_path)
    )
    assert {name.partition(".")[0] for name in second} == {
        "face_blendshapes_fp32",
        "face_blendshapes_int8",
    }
    assert second == {name: first[name] for name in second}


def test_meshes_are_compared_where_there_is_a_face(met: Any) -> None:
    feeds = met(CALIBRATION).mesh[:1]
    run = face_net("mesh", met).reference()
    right = run(feeds[0])
    points = right["Identity"].reshape(478, 3)
    height = float(np.linalg.norm(points[10, :2] - points[152, :2]))

    def moved(share: float, pixels: float) -> Any:
        away = points.copy()
        away[: round(478 * share), 0] += pixels * height / 256.0
        return lambda _: {**right, "Identity": away.reshape(1, 1, 1, -1)}

    assert same_points(feeds, run, run).value == 1.0
    assert same_points(feeds, run, moved(1.0, 0.4)).value == 1.0
    assert same_points(feeds, run, moved(0.5, 0.6)).value == pytest.approx(0.5)
    gone = {**right, "Identity_1": np.full((1, 1, 1, 1), -9.0, np.float32)}
    assert same_points(feeds, run, lambda _: gone).value == 0.0


def test_faces_are_compared_one_by_one(met: Any) -> None:
    feeds = met(CALIBRATION).detector[:1]
    run = face_net("detector", met).reference()
    right = run(feeds[0])
    assert same_faces(feeds, run, run).value == 1.0
    blind = {**right, "classificators": np.full((1, 896, 1), -9.0, np.float32)}
    assert same_faces(feeds, run, lambda _: blind).value == 0.0
    assert same_faces(feeds, lambda _: blind, run).value == 0.0
    beside = right["regressors"].copy()
    beside[:, :, 0] += 0.25 * beside[:, :, 2]
    # A quarter of the width aside: three quarters of five quarters are shared.
    found = same_faces(feeds, run, lambda _: {**right, "regressors": beside})
    assert found.value == pytest.approx(0.6, abs=0.05)


def test_expressions_are_compared_weight_by_weight(met: Any) -> None:
    feeds = met(CALIBRATION).blendshapes[:2]
    run = face_net("blendshapes", met).reference()

    def off(given: Any) -> dict[str, np.ndarray]:
        ((name, weights),) = run(given).items()
        return {name: weights + np.where(np.arange(52) < 13, 0.06, 0.04).astype(np.float32)}

    assert same_weights(feeds, run, run).value == 1.0
    assert same_weights(feeds, run, off).value == pytest.approx(0.75)


def test_a_face_model_takes_no_checkpoint() -> None:
    chosen = recipe_named("face-mesh")
    assert isinstance(chosen, Recipe)
    with pytest.raises(UsageError, match="no --checkpoint"):
        chosen.nets(Path("x.pt"))
