"""Every variant on every backend: errors, the task, time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeavatar.backends import open_session
from edgeavatar.backends.base import Session, usable_cores
from edgeavatar.errors import IntegrityError
from export.differences import errors
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
    right = [reference(feeds) for feeds in held_out]
    results: list[Result] = []
    for backend in READS["onnx"]:
        mine = [v for v in variants if backend in READS[v.format]]
        if not mine:
            continue
        sessions = {
            v: open_session(v.path, backend=backend, threads=count)  # type: ignore[arg-type]
            for v in mine
        }
        # What is not asked for is still what others are compared with.
        plain_ones = sorted((v for v in mine if v.precision == "fp32"), key=lambda v: v.format)
        base = plain_ones[0]  # that of ONNX, where there is one
        for v in mine:
            _check_declared(net, sessions[v])
        tell(f"timing {len(mine)} variants on {backend}")
        turns: dict[str, Callable[[], object]] = {
            _key(v): _turn(sessions[v], held_out) for v in [base, *(v for v in mine if v != base)]
        }
        times = paired(turns, rounds)
        for v in mine:
            tell(f"judging {v.format} {v.precision} on {backend}")
            largest, rms = errors(sessions[v].run, held_out, right)
            plain = next(w for w in variants if w.precision == "fp32" and w.format == v.format)
            agreement = None
            others = [b for b in READS["onnx"] if b != backend and b in READS[v.format]]
            if others:
                with open_session(v.path, backend=others[0], threads=count) as other:  # type: ignore[arg-type]
                    agreement = net.judge(other.run, sessions[v].run)
            figures = Figures(
                v.precision,
                largest,
                rms,
                net.judge(reference, sessions[v].run),
                times[_key(v)].speedup,
                v.size_bytes,
                plain.size_bytes,
                agreement,
            )
            results.append(
                Result(
                    net.stem,
                    v.format,
                    v.precision,
                    backend,
                    count,
                    figures,
                    times[_key(v)],
                    gates(figures),
                    v.kept,
                )
            )
        for session in sessions.values():
            session.close()
    return results


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
