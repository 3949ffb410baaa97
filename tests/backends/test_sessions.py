from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeavatar.backends import Setting, available_backends, available_devices, open_session
from edgeavatar.backends.base import usable_cores
from edgeavatar.errors import BackendError, IntegrityError, ModelNotFound, UsageError

BACKENDS = ["onnxruntime", "openvino"]


def _x(rows: int = 1) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, 8)).astype(np.float32)


# ------------------------------------------------------------------------------ the same numbers


@pytest.mark.parametrize("backend", BACKENDS)
def test_float_graphs_agree_with_numpy(tiny: Path, weights: np.ndarray, backend: Any) -> None:
    with open_session(tiny, backend=backend) as session:
        assert (session.backend, session.device) == (backend, "cpu")
        assert [str(spec) for spec in session.inputs] == ["x float32 [1, 8]"]
        assert [str(spec) for spec in session.outputs] == ["y float32 [1, 4]"]
        answer = session.run({"x": _x()})["y"]
    np.testing.assert_allclose(answer, np.maximum(_x() @ weights, 0), atol=1e-5)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell")
@pytest.mark.skipif(usable_cores() < 2, reason="there is but one processor")
def test_no_session_holds_its_thread_to_one_processor(model_store: Any) -> None:
    path = model_store.resolve("face")["mesh"]
    places: list[set[int]] = []
    allowed = os.sched_getaffinity(0)
    with open_session(path, threads=1, input_shapes={"input_12": (1, 256, 256, 3)}) as session:
        feeds = {"input_12": _ramps()}
        worker = threading.Thread(target=lambda: [session.run(feeds) for _ in range(40)])
        worker.start()
        while worker.is_alive() and worker.native_id is not None:
            with contextlib.suppress(ProcessLookupError):
                places.append(os.sched_getaffinity(worker.native_id))
            time.sleep(0.002)
        worker.join()
    assert places
    assert all(place == allowed for place in places)


def test_a_quantised_voice_agrees_between_backends(model_store: Any) -> None:
    # Dynamic quantisation rounds each layer's input to 8 bits at its own largest value, so a last
    # bit of difference grows; 4% of the mean value is what was seen, the durations are exact.
    path = model_store.resolve("voice-hibari")["acoustic"]
    tokens = np.array([[0, *np.random.default_rng(0).integers(43, 100, 20), 0]], np.int64)
    feeds = {"ids": tokens, "speed": np.ones(1, np.float32)}
    answers = []
    for backend in BACKENDS:
        with open_session(path, backend=backend, outputs=["/Clip_output_0"]) as session:  # type: ignore[arg-type]
            answers.append(session.run(feeds))
    first, second = answers
    np.testing.assert_array_equal(first["/Clip_output_0"], second["/Clip_output_0"])
    for name, expected in first.items():
        away = np.abs(expected - second[name]).mean() / np.abs(expected).mean()
        assert away < 0.06, name


# Recorded from the reference runtime of these files, LiteRT 2.3.0 on one thread. In bfloat16, the
# default of OpenVINO on processors that have it, the mesh is off by more than half a pixel.


def test_the_mesh_network_gives_the_numbers_of_the_reference_runtime(model_store: Any) -> None:
    path = model_store.resolve("face")["mesh"]
    with open_session(path, input_shapes={"input_12": (1, 256, 256, 3)}) as session:
        answer = session.run({"input_12": _ramps()})
    np.testing.assert_allclose(
        answer["Identity"].reshape(478, 3)[[0, 4, 152, 473]],
        [
            [121.19678, 141.62222, -24.05828],
            [117.35683, 118.94266, -36.78028],
            [130.42725, 194.27681, -9.21412],
            [165.71138, 88.93432, 0.47786],
        ],
        atol=0.002,
    )
    assert float(answer["Identity_1"].item()) == pytest.approx(-8.301537, abs=0.001)


def test_the_detector_gives_the_numbers_of_the_reference_runtime(model_store: Any) -> None:
    with open_session(model_store.resolve("face")["detector"]) as session:
        answer = session.run({"input": np.ascontiguousarray(_ramps()[:, ::2, ::2]) * 2 - 1})
    chosen = [0, 100, 5, -1]
    np.testing.assert_allclose(
        answer["regressors"].ravel()[chosen],
        [1.3138193, -1.3724874, -3.9057562, -6.6365991],
        atol=1e-3,
    )
    np.testing.assert_allclose(
        answer["classificators"].ravel()[chosen],
        [-5.6386943, -5.0476551, -3.7676282, -36.5933838],
        atol=1e-3,
    )


def test_the_blendshapes_are_those_of_the_reference_runtime(model_store: Any) -> None:
    points = 100 * np.random.default_rng(0).random((1, 146, 2)).astype(np.float32)
    with open_session(model_store.resolve("face")["blendshapes"]) as session:
        answer = session.run({session.inputs[0].name: points})[session.outputs[0].name]
    np.testing.assert_allclose(
        answer[:6],
        [0.00037123, 0.00412583, 0.01086010, 0.65815127, 0.19144370, 0.09756350],
        atol=1e-5,
    )


def _ramps() -> np.ndarray:
    y, x = np.mgrid[0:256, 0:256] / 255
    return np.stack([x, y, (x + y) / 2], axis=-1)[None].astype(np.float32)


def test_answers_belong_to_the_caller(tiny: Path) -> None:
    for backend in BACKENDS:
        with open_session(tiny, backend=backend) as session:  # type: ignore[arg-type]
            first = session.run({"x": _x()})["y"]
            kept = first.copy()
            session.run({"x": 100 * np.ones((1, 8), np.float32)})
            np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("backend", BACKENDS)
def test_feeds_that_nobody_may_write_to(tiny: Path, backend: Any) -> None:
    x = _x()
    with open_session(tiny, backend=backend) as session:
        expected = session.run({"x": x})["y"]
        locked = np.frombuffer(x.tobytes(), np.float32).reshape(x.shape)
        assert not locked.flags.writeable
        np.testing.assert_array_equal(session.run({"x": locked})["y"], expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_varying_shapes_and_other_memory_layouts(
    make_tiny: Callable[[int | None], Path], weights: np.ndarray, backend: Any
) -> None:
    with open_session(make_tiny(None), backend=backend) as session:
        assert session.inputs[0].shape == (None, 8)
        for rows in (1, 5, 2):
            x = np.asfortranarray(_x(rows))
            np.testing.assert_allclose(
                session.run({"x": x})["y"], np.maximum(x @ weights, 0), atol=1e-5
            )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shape_can_be_fixed(make_tiny: Callable[[int | None], Path], backend: Any) -> None:
    path = make_tiny(None)
    with open_session(path, backend=backend, input_shapes={"x": (3, 8)}) as session:
        assert session.inputs[0].shape == (3, 8)
        assert session.run({"x": _x(3)})["y"].shape == (3, 4)
        with pytest.raises(BackendError, match=r"expected the input x float32 \[3, 8\]"):
            session.run({"x": _x(2)})
    with pytest.raises(BackendError, match="found \\['z'\\]"):
        open_session(path, backend=backend, input_shapes={"z": (3, 8)})
    with pytest.raises(BackendError, match="does not take the shape"):
        open_session(path, backend=backend, input_shapes={"x": (3, 9)})


# -------------------------------------------------------------------------------------- wrong use


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("feeds", "complaint"),
    [
        ({}, "expected the input x, found nothing"),
        ({"z": _x()}, "expected the input x, found z"),
        ({"x": _x(), "z": _x()}, "expected the inputs x, found also z"),
        ({"x": _x().astype(np.float64)}, r"x float32 \[1, 8\], found x float64 \[1, 8\]"),
        ({"x": _x()[0]}, r"found x float32 \[8\]"),
        ({"x": _x(2)}, r"found x float32 \[2, 8\]"),
    ],
)
def test_wrong_feeds_are_refused_before_the_backend(
    tiny: Path, backend: Any, feeds: dict[str, np.ndarray], complaint: str
) -> None:
    with (
        open_session(tiny, backend=backend) as session,
        pytest.raises(BackendError, match=complaint),
    ):
        session.run(feeds)


def test_a_closed_session_is_refused(tiny: Path) -> None:
    session = open_session(tiny)
    session.close()
    session.close()
    with pytest.raises(BackendError, match="closed"):
        session.run({"x": _x()})


def test_options_that_cannot_be(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="backend among"):
        open_session(tiny, backend="tflite")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="device among"):
        open_session(tiny, device="tpu")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 1 thread"):
        open_session(tiny, threads=0)
    with pytest.raises(ModelNotFound, match="models install"):
        open_session(tmp_path / "none.onnx")
    other = tmp_path / "model.pb"
    other.write_bytes(b"x")
    other.with_suffix(".ort").write_bytes(b"x")
    with pytest.raises(BackendError, match=r"expected a file \.tflite, .* found \.pb"):
        open_session(other)
    with pytest.raises(BackendError, match=r"openvino does not read \.ort"):
        open_session(other.with_suffix(".ort"), backend="openvino")


def test_outputs_can_be_added_to_onnx_only(model_store: Any) -> None:
    with pytest.raises(BackendError, match=r"\.onnx files only"):
        open_session(model_store.resolve("face")["detector"], outputs=["conv2d"])


# ------------------------------------------------------------------------- device and backend used


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_device_that_is_not_there_is_refused(tiny: Path, backend: Any) -> None:
    for device in ("gpu", "npu", "cuda", "tensorrt"):
        if device not in available_devices()[backend]:
            with pytest.raises(
                BackendError,
                match=f"expected the device {device} in {backend}".replace("openvino", "OpenVINO"),
            ):
                open_session(tiny, backend=backend, device=device)  # type: ignore[arg-type]


def test_auto_with_a_device_that_is_nowhere(tiny: Path) -> None:
    if any("npu" in found for found in available_devices().values()):
        pytest.skip("this machine has an NPU")
    with pytest.raises(BackendError, match=r"expected the device npu, found onnxruntime: cpu"):
        open_session(tiny, device="npu")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_silent_fallback_of_onnxruntime_is_an_error(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA, so it would not fall back")
    # The build claims CUDA, onnxruntime itself then falls back to the CPU with a warning.
    monkeypatch.setattr(
        "edgeavatar.backends.onnxruntime.ort.get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    with pytest.raises(BackendError, match=r"expected onnxruntime to use CUDA\w+, found CPU"):
        open_session(tiny, backend="onnxruntime", device="cuda")


def test_a_silent_fallback_of_openvino_is_an_error(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    real = openvino.CompiledModel.get_property

    def elsewhere(self: Any, name: str) -> Any:
        return ["GPU.0"] if name == "EXECUTION_DEVICES" else real(self, name)

    monkeypatch.setattr(openvino.CompiledModel, "get_property", elsewhere)
    with pytest.raises(BackendError, match="expected OpenVINO to use CPU, found GPU"):
        open_session(tiny, backend="openvino")


def test_a_backend_that_is_not_installed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "edgeavatar.backends.selection._is_installed", lambda name: name != "openvino"
    )
    with pytest.raises(BackendError, match=r"expected openvino for tiny\.onnx, found it not"):
        open_session(tiny, backend="openvino")
    with open_session(tiny) as session:
        assert session.backend == "onnxruntime"
        assert session.reason == "openvino is not here or lacks cpu"
    assert set(available_backends()) == {"onnxruntime"}


def test_auto_says_why(
    tiny: Path, make_tiny: Callable[[int | None], Path], model_store: Any
) -> None:
    with open_session(tiny) as session:
        assert session.reason.startswith("measured here: openvino ")
        chosen, reason = session.backend, session.reason
    with open_session(tiny) as again:
        assert (again.backend, again.reason) == (chosen, reason)
    with open_session(make_tiny(None)) as session:
        assert (session.backend, "varying shape" in session.reason) == ("onnxruntime", True)
    with open_session(model_store.resolve("face")["detector"]) as session:
        assert session.reason == "openvino is the only backend that reads .tflite"
    with open_session(tiny, backend="openvino") as session:
        assert session.reason == "openvino was asked for"


def test_auto_keeps_to_onnxruntime_where_the_numbers_differ(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeavatar.backends.openvino import OpenVinoSession

    real = OpenVinoSession._run
    monkeypatch.setattr(
        OpenVinoSession,
        "_run",
        lambda self, feeds: {name: 1.02 * y for name, y in real(self, feeds).items()},
    )
    with open_session(tiny) as session:
        assert session.backend == "onnxruntime"
        assert session.reason == "openvino differs from onnxruntime by 2.0% on this model"


def test_a_model_that_openvino_cannot_run(model_store: Any) -> None:
    with pytest.raises(BackendError, match="lacks an operation of this model"):
        open_session(model_store.resolve("vad-silero")["vad"], backend="openvino")


def test_what_is_there_is_listed() -> None:
    assert set(available_backends()) == {"onnxruntime", "openvino"}
    assert all(version[0].isdigit() for version in available_backends().values())
    assert all("cpu" in devices for devices in available_devices().values())


# ------------------------------------------------------------------------------- what was measured


@pytest.fixture
def other(tiny: Path) -> Path:
    path = tiny.with_name("other.onnx")
    path.write_bytes(tiny.read_bytes())
    return path


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_was_measured_is_opened(tiny: Path, other: Path, backend: Any) -> None:
    tuned = {tiny: Setting(other, backend, 1, "it was fastest")}
    with open_session(tiny, tuned=tuned, device="cpu") as session:
        assert (session.path, session.backend, session.reason) == (other, backend, "it was fastest")
        assert session.run({"x": _x()})["y"].shape == (1, 4)
    with open_session(other, backend="onnxruntime", tuned={}) as session:
        assert session.reason == "onnxruntime was asked for"


def test_an_explicit_backend_or_device_wins(tiny: Path, other: Path) -> None:
    tuned = {tiny: Setting(other, "openvino", 1, "it was fastest")}
    with open_session(tiny, backend="onnxruntime", tuned=tuned) as session:
        assert (session.path, session.backend) == (tiny, "onnxruntime")
    with open_session(tiny, backend="openvino", tuned=tuned) as session:
        assert (session.path, session.reason) == (tiny, "openvino was asked for")
    if not any("npu" in found for found in available_devices().values()):
        with pytest.raises(BackendError, match="expected the device npu"):
            open_session(tiny, device="npu", tuned=tuned)


@pytest.mark.parametrize(("asked", "used"), [(None, 3), (2, 2)])
def test_explicit_threads_win(
    tiny: Path, asked: int | None, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeavatar.backends import onnxruntime

    found = []
    real = onnxruntime.open_model

    def watched(path: Path, *, threads: int, **more: Any) -> Any:
        found.append(threads)
        return real(path, threads=threads, **more)

    monkeypatch.setattr(onnxruntime, "open_model", watched)
    tuned = {tiny: Setting(tiny, "onnxruntime", 3, "it was fastest")}
    open_session(tiny, threads=asked, tuned=tuned).close()
    assert found == [used]


# ----------------------------------------------------------------------------------- broken files


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_damaged_onnx_file(tiny: Path, backend: Any, capfd: pytest.CaptureFixture[str]) -> None:
    content = tiny.read_bytes()
    tiny.write_bytes(content[:-20])
    with pytest.raises(IntegrityError, match=r"tiny\.onnx: expected an ONNX model") as caught:
        open_session(tiny, backend=backend)
    tiny.write_bytes(content.replace(b"MatMul", b"NoSuch"))
    with pytest.raises((IntegrityError, BackendError)) as worse:
        open_session(tiny, backend=backend)
    for error in (caught, worse):
        assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_tflite_file(
    model_store: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = model_store.resolve("face")["detector"].read_bytes()
    damaged = {
        "empty": b"",
        "text": b"hello, this is no model",
        "cut": content[: len(content) // 2],
        "zeroed": bytes(8) + content[8:],
        "scrambled": content[:8] + content[8:4000][::-1] + content[4000:],
    }
    for name, data in damaged.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        with pytest.raises(IntegrityError, match=name) as caught:
            open_session(path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------------------------- caching


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_second_start_reads_the_cache_and_computes_the_same(
    tiny: Path, cache_home: Path, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_session(tiny, backend=backend) as session:
        first = session.run({"x": _x()})["y"]
    entries = list((cache_home / "compiled").iterdir())
    assert len(entries) == 1
    asked = []
    from edgeavatar.backends import cache

    real = cache.read_entry

    def watched(key: str) -> bytes | None:
        found = real(key)
        asked.append(found is not None)
        return found

    monkeypatch.setattr(f"edgeavatar.backends.{backend}.read_entry", watched)
    with open_session(tiny, backend=backend) as session:
        np.testing.assert_array_equal(session.run({"x": _x()})["y"], first)
    assert asked == [True]
    # Another model in the same place has an entry of its own.
    tiny.write_bytes(tiny.read_bytes() + b"\xf2\x06\x01x")
    with open_session(tiny, backend=backend) as session:
        session.run({"x": _x()})
    assert asked == [True, False]


@pytest.mark.parametrize("backend", BACKENDS)
def test_damaged_entries_are_replaced(tiny: Path, cache_home: Path, backend: Any) -> None:
    open_session(tiny, backend=backend).close()
    (entry,) = (cache_home / "compiled").iterdir()
    sound = entry.read_bytes()
    for damage in (sound[:100], sound[:-1] + bytes([sound[-1] ^ 1]), b""):
        entry.write_bytes(damage)
        with open_session(tiny, backend=backend) as session:
            session.run({"x": _x()})
        assert len(entry.read_bytes()) == len(sound)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cache_that_cannot_be_written_is_done_without(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Any
) -> None:
    # A file in the place of the folder stops root as well, whom permissions would not.
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("EDGEAVATAR_CACHE", str(tmp_path / "blocked"))
    with open_session(tiny, backend=backend) as session:
        session.run({"x": _x()})
    with open_session(tiny) as session:
        session.run({"x": _x()})


def test_entries_nobody_reads_are_dropped(tiny: Path, cache_home: Path) -> None:
    folder = cache_home / "compiled"
    folder.mkdir(parents=True)
    old = folder / f"mesh-{'0' * 24}"
    left = folder / f"mesh-{'1' * 24}.abc123.part"
    foreign = folder / "notes.txt"
    for path in (old, left, foreign):
        path.write_text("")
        os.utime(path, (0, 0))
    open_session(tiny, backend="openvino").close()
    assert not old.exists()
    assert not left.exists()
    assert foreign.exists()


def test_processes_that_start_together_share_one_cache(tiny: Path, cache_home: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from edgeavatar.backends import open_session\n"
        "for backend in ('openvino', 'onnxruntime'):\n"
        "    for _ in range(5):\n"
        "        with open_session(Path(sys.argv[1]), backend=backend) as session:\n"
        "            print(float(session.run({'x': np.ones((1, 8), np.float32)})['y'].sum()))\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tiny)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert {errors for _, errors in outputs} == {""}
    numbers = {round(float(line), 4) for lines, _ in outputs for line in lines.split()}
    assert len(numbers) == 1
    assert not list((cache_home / "compiled").glob("*.part"))
