"""The whole way from torch to files that passed, with a net small enough to look through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeavatar.errors import IntegrityError, UsageError

torch = pytest.importorskip("torch", reason="torch is only needed for export")
onnx = pytest.importorskip("onnx", reason="onnx is only needed for export")
pytest.importorskip("onnxslim", reason="onnxslim is only needed for export")
pytest.importorskip("nncf", reason="nncf is only needed for export")

from export.building import Wanted, build, compare, read_report
from export.graph import shipped_tensors, trace, with_half_weights
from export.nets.painter import Painter
from export.quantize import Sensitivity, calibrate, kept_in_float, quantized, sensitivities
from export.recipes.base import Net, Recipe, Runner, TaskFigure, onnx_runner

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def small_net() -> Any:
    torch.manual_seed(0)
    convolutions = [torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU()]
    for _ in range(3):
        convolutions += [torch.nn.Conv2d(16, 16, 3, padding=1), torch.nn.ReLU()]
    return torch.nn.Sequential(*convolutions, torch.nn.Conv2d(16, 2, 1)).eval()


def pictures(which: str) -> Iterator[Mapping[str, np.ndarray]]:
    draw = np.random.default_rng(len(which))
    for _ in range(12):
        yield {"x": draw.random((1, 3, 32, 32)).astype(np.float32)}


def recipe(bound: float) -> Recipe:
    def judge(reference: Runner, candidate: Runner) -> TaskFigure:
        away = [
            float(np.abs(reference(f)["y"] - candidate(f)["y"]).mean()) for f in pictures("judge")
        ]
        return TaskFigure("closeness", 1.0 - float(np.mean(away)), 1.0 - max(away), bound)

    def nets(_: Path | None) -> list[Net]:
        example = {"x": np.zeros((1, 3, 32, 32), np.float32)}
        return [
            Net("small", ("m", "small"), example, ("y",), {}, pictures, judge, module=small_net())
        ]

    return Recipe("small", "a small net", "none", nets)


WANTED = Wanted(rounds=3, threads=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(recipe(0.9), None, folder, WANTED, lambda _: None)
    return folder


def test_every_variant_is_measured_on_every_backend_that_reads_it(built: Path) -> None:
    results = read_report(built)["results"]
    seen = {(r["format"], r["precision"], r["backend"]) for r in results}
    precisions = ("fp32", "fp16", "int8", "mixed")
    assert seen == {
        *(("onnx", p, b) for p in precisions for b in ("onnxruntime", "openvino")),
        *(("openvino", p, "openvino") for p in precisions),
    }
    for r in results:
        figures = r["figures"]
        bounds = {"fp32": (0.0, 1e-5), "fp16": (1e-5, 1e-3), "int8": (2e-4, 0.1)}
        low, high = bounds.get(r["precision"], bounds["int8"])
        assert low <= figures["rms_error"] <= high
        assert figures["task"]["value"] > 0.99


def test_the_report_is_written_for_people_too(built: Path) -> None:
    page = (built / "report.md").read_text()
    assert "| small onnx int8 | onnxruntime |" in page
    assert "Error of the outputs" in page
    card = (built / "card.md").read_text()
    assert card.startswith("# small\n")
    assert "| opset | 17 |" in card
    assert (built / "report.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(built.glob("part-*"))


def test_two_builds_make_the_same_files(built: Path, tmp_path: Path) -> None:
    again = build(recipe(0.9), None, tmp_path, WANTED, lambda _: None)
    assert again["sha256"] == read_report(built)["sha256"]


def test_what_fails_is_reported_and_taken_away(tmp_path: Path) -> None:
    only = Wanted(formats=("onnx",), precisions=("fp32", "int8"), rounds=3, threads=1)
    report = build(recipe(1.01), None, tmp_path, only, lambda _: None)
    assert not any(r["passed"] for r in report["results"])
    assert "closeness" in (tmp_path / "report.md").read_text()
    assert sorted(p.name for p in tmp_path.glob("*.onnx")) == ["small_fp32.onnx"]
    assert (tmp_path / "manifest.toml").read_text() == ""


def test_files_are_compared_again_and_must_be_the_same_ones(built: Path) -> None:
    results = compare(recipe(0.9), built, WANTED, lambda _: None)
    assert {r.precision for r in results} >= {"fp32", "fp16"}
    base = next(r for r in results if r.precision == "fp32" and r.backend == "onnxruntime")
    assert base.figures.rms_error < 1e-6
    path = built / "small_fp32.onnx"
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    try:
        with pytest.raises(IntegrityError, match=r"small_fp32\.onnx"):
            compare(recipe(0.9), built, WANTED, lambda _: None)
    finally:
        path.write_bytes(content)


def test_a_folder_without_a_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps([1]))
    with pytest.raises(IntegrityError, match="expected the report of a build"):
        read_report(tmp_path)


def test_weights_come_back_out_of_the_graph_that_ships(tmp_path: Path) -> None:
    net = small_net()
    example = {"x": np.zeros((1, 3, 32, 32), np.float32)}
    graph = trace(net, example, ("y",), {})
    onnx.save(with_half_weights(graph), str(tmp_path / "a.onnx"))
    wanted = {k: v.clone() for k, v in net.state_dict().items()}
    found = shipped_tensors(small_net(), example, ("y",), {}, tmp_path / "a.onnx")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.allclose(found[name], tensor, atol=1e-3), name
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match="found another"):
        shipped_tensors(other, example, ("y",), {}, tmp_path / "a.onnx")


def test_weights_of_nodes_that_stay_in_float_are_not_halved() -> None:
    net = small_net()
    graph = trace(net, {"x": np.zeros((1, 3, 32, 32), np.float32)}, ("y",), {})
    first = next(n for n in graph.graph.node if n.op_type == "Conv")
    half = with_half_weights(graph, (first.name,))
    kinds = {t.name: t.data_type for t in half.graph.initializer}
    assert kinds[first.input[1]] == onnx.TensorProto.FLOAT
    # The three between; the last has fewer numbers than are worth it.
    assert list(kinds.values()).count(onnx.TensorProto.FLOAT16) == 3


def test_each_layer_is_measured_alone_and_the_worst_stay_in_float() -> None:
    net = small_net()
    graph = trace(net, {"x": np.zeros((1, 3, 32, 32), np.float32)}, ("y",), {})
    calibrated = calibrate(graph, pictures("calibration"), ("Conv",))
    assert len(calibrated.layers) == 5
    feeds = next(pictures("judge"))
    right = onnx_runner(graph)(feeds)["y"]

    def error(model: Any) -> float:
        return float(np.abs(onnx_runner(model)(feeds)["y"] - right).max())

    found = list(sensitivities(calibrated, error))
    assert [s.layer for s in found] == list(calibrated.layers)
    everything = error(quantized(calibrated, calibrated.layers))
    assert 0.0 < max(s.error for s in found) < 2.0 * everything
    assert error(quantized(calibrated, [])) < 1e-6


class Residual(torch.nn.Module):
    """What a layer makes is enlarged, added to what another made, and a number to that."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = torch.nn.Conv2d(3, 16, 3, padding=1)
        self.two = torch.nn.Conv2d(16, 16, 2, stride=2)

    def forward(self, x: Any) -> Any:
        one = torch.relu(self.one(x))
        two = torch.nn.functional.interpolate(self.two(one), scale_factor=2, mode="nearest")
        return torch.relu(one + two) + 0.5


def test_what_lies_between_layers_in_int8_is_int8_too() -> None:
    graph = trace(Residual(), {"x": np.zeros((1, 3, 32, 32), np.float32)}, ("y",), {})
    calibrated = calibrate(graph, pictures("calibration"), ("Conv",))
    kinds = {node.name: node.op_type for node in calibrated.model.graph.node}
    one, two = calibrated.layers
    between = [kinds[name] for name in calibrated.followers([one, two])]
    assert sorted(between) == ["Add", "Relu", "Relu", "Resize"]
    # Of a sum, one part of which stays in float, nothing is rounded; nor one with a number.
    assert [kinds[name] for name in calibrated.followers([two])] == ["Resize"]
    assert [kinds[name] for name in calibrated.followers([one])] == ["Relu"]
    feeds = next(pictures("judge"))
    right, made = (onnx_runner(g)(feeds)["y"] for g in (graph, quantized(calibrated, [one, two])))
    assert 0.0 < np.abs(made - right).max() < 0.05 * np.abs(right).max()
    # Rounded, enlarged and added without a float between.
    whole = quantized(calibrated, [one, two]).graph
    after = {i: n.op_type for n in whole.node for i in n.input}
    (enlarged,) = (n for n in whole.node if n.op_type == "Resize")
    assert after[enlarged.output[0]] == "QuantizeLinear"


def test_the_fewest_layers_that_make_half_of_the_squared_error_stay_in_float() -> None:
    found = [Sensitivity("a", 1.0), Sensitivity("b", 3.0), Sensitivity("c", 2.0)]
    assert kept_in_float(found) == ("b",)
    assert kept_in_float(found, 0.9) == ("b", "c")
    assert kept_in_float([]) == ()


def test_weights_come_back_where_halved_ones_changed_the_order_of_nodes(tmp_path: Path) -> None:
    """The painter shares single numbers between nodes, which then stand elsewhere."""
    net = Painter(8)
    example = {"layers": np.random.default_rng(0).random((1, 14, 32, 32), np.float32)}
    outputs = ("wishes", "tints", "gain")
    draw = torch.Generator().manual_seed(3)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, generator=draw)
    graph = with_half_weights(trace(net, example, outputs, {}))
    onnx.save(graph, str(tmp_path / "a.onnx"))
    found = shipped_tensors(Painter(8), example, outputs, {}, tmp_path / "a.onnx")
    for name, tensor in net.state_dict().items():
        assert torch.allclose(found[name], tensor, atol=2e-3, rtol=1e-3), name
