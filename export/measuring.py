"""Every variant on every backend: errors, the task, time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from edgeavatar.backends import open_session
from edgeavatar.backends.base import Session, usable_cores
from edgeavatar.errors import IntegrityError
from export.differences import errors, remembered
from export.gates import Figures, Format, Gate, Precision, gates
from export.recipes.base import Feeds, Net, Runner
from export.timing import Timing, paired
from export.variants import Variant

READS: dict[Format, tuple[str, ...]] = {
    "onnx": ("onnxruntime", "openvino"),
    "openvino": ("openvino",),
}


@dataclass(frozen=True, slots=True)
class Result:
    """One variant on one backend."""

    stem: str
    format: Format
    precision: Precision
    backend: str
    threads: int
    figures: Figures
    timing: Timing
    gates: tuple[Gate, ...]
    kept: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate is open."""
        return all(gate.passed for gate in self.gates)

    def as_json(self) -> dict[str, Any]:
        """Give plain values."""
        return {**asdict(self), "passed": self.passed}


def measure(
    net: Net,
    variants: Sequence[Variant],
    reference: Runner,
    held_out: Sequence[Feeds],
    threads: int | None = None,
    rounds: int = 60,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Measure and judge every variant on every backend that may open it.

    Parameters
    ----------
    net
        From a recipe.
    variants
        Its files; those in single precision are among them.
    reference
        The net before it was exported.
    held_out
        What it meets, and was not calibrated with.
    threads
        Of one inference; as the runtime opens the net if None.
    rounds
        Of timing.
    tell
        Called with what is being done.
    """
    count = threads or net.threads or usable_cores()
    # Judges ask for the same answers again for every variant.
    reference = remembered(reference)
    right = [reference(feeds) for feeds in held_out]
    times = {
        backend: _times(net, _read_by(backend, variants), backend, held_out, count, rounds, tell)
        for backend in net.backends
        if _read_by(backend, variants)
    }
    results: dict[tuple[str, Variant], Result] = {}
    for v in variants:
        tell(f"judging {v.format} {v.precision}")
        plain = next(w for w in variants if w.precision == "fp32" and w.format == v.format)
        with ExitStack() as stack:
            runs = {
                backend: remembered(stack.enter_context(_open(v, backend, count)).run)
                for backend in times
                if backend in READS[v.format]
            }
            agreement = net.judge(*runs.values()) if len(runs) == 2 else None
            for backend, run in runs.items():
                timing = times[backend][_key(v)]
                figures = Figures(
                    v.precision,
                    *errors(run, held_out, right),
                    net.judge(reference, run),
                    timing.speedup,
                    v.size_bytes,
                    plain.size_bytes,
                    agreement,
                    net.bounded,
                )
                results[backend, v] = Result(
                    net.stem,
                    v.format,
                    v.precision,
                    backend,
                    count,
                    figures,
                    timing,
                    gates(figures),
                    v.kept,
                )
    return [results[backend, v] for backend in times for v in _read_by(backend, variants)]


def _read_by(backend: str, variants: Sequence[Variant]) -> list[Variant]:
    return [v for v in variants if backend in READS[v.format]]


def _open(variant: Variant, backend: str, threads: int) -> Session:
    return open_session(variant.path, backend=backend, threads=threads)  # type: ignore[arg-type]


def _times(
    net: Net,
    variants: Sequence[Variant],
    backend: str,
    held_out: Sequence[Feeds],
    threads: int,
    rounds: int,
    tell: Callable[[str], None],
) -> dict[str, Timing]:
    """Let all variants that a backend reads take turns."""
    tell(f"timing {len(variants)} variants on {backend}")
    # What is not asked for is still what others are compared with.
    plain_ones = sorted((v for v in variants if v.precision == "fp32"), key=lambda v: v.format)
    base = plain_ones[0]  # that of ONNX, where there is one
    with ExitStack() as stack:
        turns: dict[str, Callable[[], object]] = {}
        for v in [base, *(v for v in variants if v != base)]:
            session = stack.enter_context(_open(v, backend, threads))
            _check_declared(net, session)
            turns[_key(v)] = _turn(session, held_out)
        return paired(turns, rounds)


def _key(variant: Variant) -> str:
    return f"{variant.format} {variant.precision}"


def _turn(session: Session, feeds: Sequence[Feeds]) -> Callable[[], object]:
    middle = feeds[len(feeds) // 2]
    return lambda: session.run(middle)


def _check_declared(net: Net, session: Session) -> None:
    inputs = [spec.name for spec in session.inputs]
    outputs = [spec.name for spec in session.outputs]
    if sorted(inputs) != sorted(net.inputs) or sorted(outputs) != sorted(net.outputs):
        raise IntegrityError(
            f"{session.path.name}: expected {', '.join(net.inputs)} in and "
            f"{', '.join(net.outputs)} out, found {', '.join(inputs)} and {', '.join(outputs)}"
        )
    for spec in session.inputs:
        if not spec.admits(net.inputs[spec.name].shape):
            raise IntegrityError(f"{session.path.name}: expected another shape than {spec}")
