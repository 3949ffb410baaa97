"""Which of the measured ways to run a model is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeavatar.backends import BackendName
    from edgeavatar.manifest import Precision

NEAR_TIE: Final = 0.05
"""Share of the shortest time within which a simpler way is preferred: two measurements of the same
session differ by as much."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a model."""

    file: str
    """Key of the file in the manifest."""
    precision: Precision
    backend: BackendName
    threads: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What became of a candidate."""

    candidate: Candidate
    p10_ms: float | None
    """Time that a tenth of the calls keep to; None if it was refused before it was timed."""
    p50_ms: float | None
    p95_ms: float | None
    runs: int
    """Calls that were timed."""
    difference: float | None
    """How far its outputs are from those of the base, see
    :func:`edgeavatar.tuning.measuring.difference`; None if that cannot be told."""
    refusal: str = ""
    """Why it may not be used; empty if it may."""


def choose(base: str, measurements: Sequence[Measurement]) -> Measurement | None:
    """Take the fastest that may be used, or a simpler one that is within 5 % of it.

    The time of the fastest tenth decides: other programs disturb it less than the median.
    Simpler is the base file before a variant, then fewer threads, then what comes first.

    Parameters
    ----------
    base
        Key of the base file.
    measurements
        Of one model file, the plainest first.

    Returns
    -------
    Measurement or None
        None where nothing may be used.
    """
    usable = [(m.p10_ms, m) for m in measurements if m.p10_ms is not None and not m.refusal]
    if not usable:
        return None
    limit_ms = (1.0 + NEAR_TIE) * min(time_ms for time_ms, _ in usable)
    near = [m for time_ms, m in usable if time_ms <= limit_ms]
    return min(near, key=lambda m: (m.candidate.file != base, m.candidate.threads))


def verdict(measurement: Measurement, chosen: Candidate | None) -> str:
    """Say what was decided of a candidate, as the table shows it."""
    if measurement.refusal:
        return f"refused: {measurement.refusal}"
    return "chosen" if measurement.candidate == chosen else ""


def reason(chosen: Measurement, plain: Measurement | None) -> str:
    """Say why a candidate was chosen.

    Parameters
    ----------
    chosen
        The one.
    plain
        The plainest way, if it was measured.
    """
    told = f"{chosen.candidate.precision}, {_threads(chosen.candidate)}, {chosen.p50_ms:.2f} ms"
    if plain is None or plain.p50_ms is None or plain.candidate == chosen.candidate:
        return told
    return (
        f"{told}; {plain.candidate.precision} on {plain.candidate.backend}, "
        f"{_threads(plain.candidate)}: {plain.p50_ms:.2f} ms"
    )


def _threads(candidate: Candidate) -> str:
    return f"{candidate.threads} thread{'s' if candidate.threads != 1 else ''}"
