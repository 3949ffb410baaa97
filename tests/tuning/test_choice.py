from __future__ import annotations

from edgeavatar.tuning.choice import Candidate, Measurement, choose, reason, verdict


def _measured(
    ms: float | None, file: str = "net", threads: int = 1, backend: str = "onnxruntime", **more: str
) -> Measurement:
    precision = "fp32" if file == "net" else "int8"
    way = Candidate(file, precision, backend, threads)  # type: ignore[arg-type]
    return Measurement(way, ms, ms, ms, 0 if ms is None else 9, 0.0, **more)


def test_the_fastest_is_taken() -> None:
    ways = [_measured(4.0), _measured(2.0, "int8"), _measured(3.0, backend="openvino")]
    assert choose("net", ways) is ways[1]


def test_on_a_near_tie_the_base_file_is_taken() -> None:
    ways = [_measured(2.0, "int8"), _measured(2.09)]
    assert choose("net", ways) is ways[1]
    ways = [_measured(2.0, "int8"), _measured(2.11)]
    assert choose("net", ways) is ways[0]


def test_on_a_near_tie_fewer_threads_are_taken() -> None:
    ways = [_measured(2.0, threads=4), _measured(2.09, threads=2), _measured(2.2, threads=1)]
    assert choose("net", ways) is ways[1]


def test_the_base_file_counts_more_than_threads_and_the_plainer_way_comes_first() -> None:
    ways = [_measured(2.0, "int8", 1), _measured(2.0, threads=4), _measured(2.0, "int8", 2)]
    assert choose("net", ways) is ways[1]
    ways = [_measured(2.05, backend="openvino"), _measured(2.0)]
    assert choose("net", ways) is ways[0]


def test_what_is_refused_is_never_taken() -> None:
    wrong = _measured(0.1, "int8", refusal="outputs differ by 30%")
    failed = _measured(None, backend="openvino", refusal="no such operation")
    slow = _measured(9.0)
    assert choose("net", [wrong, failed, slow]) is slow
    assert choose("net", [wrong, failed]) is None
    assert choose("net", []) is None


def test_the_fastest_tenth_decides() -> None:
    """On a busy machine a median says more about the others than about the net."""
    way = Candidate("net", "fp32", "openvino", 1)
    disturbed = Measurement(way, 1.0, 20.0, 30.0, 9, 0.0)
    assert choose("net", [_measured(2.0), disturbed]) is disturbed


def test_what_is_told() -> None:
    base, small = _measured(4.0, threads=2), _measured(2.0, "int8")
    assert reason(small, base) == "int8, 1 thread, 2.00 ms; fp32 on onnxruntime, 2 threads: 4.00 ms"
    assert reason(base, base) == reason(base, None) == "fp32, 2 threads, 4.00 ms"
    assert verdict(small, small.candidate) == "chosen"
    assert verdict(base, small.candidate) == ""
    assert verdict(_measured(None, refusal="bad"), None) == "refused: bad"
