"""Timing ways to run one net against each other, and looking whether they compute the same.

All sessions are open at once and take turns in short blocks, so that whatever else the machine does
meets them alike; the first call of a block, which finds the caches cold, is not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeavatar import zoo
from edgeavatar.backends import open_session
from edgeavatar.backends.base import usable_cores
from edgeavatar.backends.selection import READERS, available_backends
from edgeavatar.errors import BackendError, IntegrityError
from edgeavatar.tuning.choice import Candidate, Measurement
from edgeavatar.tuning.subjects import Given, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from edgeavatar.backends import Session
    from edgeavatar.backends.base import Array
    from edgeavatar.manifest import Model

STRICT: Final = 1e-3
"""How far outputs may be from those of the base where the manifest declares no tolerance: float32
on two backends differs by less than 1e-4, a wrong operation by far more."""
CLEARLY_SLOWER: Final = 3.0
"""Times the fastest call of all from which a way is not measured any further."""
_BLOCK_S: Final = 0.008
_FEWEST_CALLS, _MOST_CALLS = 2, 16
"""Calls of a block, which ends after 8 ms; a heavy net is called once."""
_HEAVY_S: Final = 0.1
"""Time of a call from which a net is heavy: it is measured no longer than it must be."""
_REST_S: Final = 0.002
"""Pause between blocks: idle threads of a backend spin for about as long."""
_FEWEST_ROUNDS: Final = 3
"""Turns that each way has at least, twice as many where a call is short."""
_HEAVY_BYTES: Final = 32 * 2**20
"""Files from this size on are tried with all threads and with half of them only: each open session
holds a copy of them."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long it is measured."""

    seconds: float
    """For each way to run a net; what is slow takes longer, as each has three turns at least."""


NORMAL: Final = Effort(seconds=0.5)
QUICK: Final = Effort(seconds=0.1)


def thread_counts(cores: int) -> tuple[int, ...]:
    """Return the numbers of threads that are tried: powers of two, and all cores."""
    powers = [2**k for k in range(cores.bit_length()) if 2**k <= cores]
    return tuple(sorted({*powers, cores}))


def candidates(subject: Subject, model: Model, threads: Sequence[int]) -> Iterator[Candidate]:
    """Yield the ways to run a net, the plainest first: as it runs without a profile.

    Parameters
    ----------
    subject
        The net.
    model
        The entry that it belongs to.
    threads
        Numbers of threads to try.
    """
    backends = available_backends()
    base = model.files[subject.file]
    if base.bytes >= _HEAVY_BYTES:
        most = max(threads)
        threads = [n for n in threads if n in (most, (most + 1) // 2)]
    usual = min(threads, key=lambda n: abs(n - (subject.threads or max(threads))))
    ordered = [usual, *(n for n in threads if n != usual)]
    for file in (base, *model.variants(subject.file)):
        for backend in READERS.get(f".{file.path.rpartition('.')[2]}", ()):
            if backend in backends and not (subject.varying and backend == "openvino"):
                for count in ordered:
                    yield Candidate(file.key, file.precision, backend, count)


def difference(expected: Mapping[str, Array], found: Mapping[str, Array]) -> float:
    """Say how far outputs are from those that are expected.

    Returns
    -------
    float
        The root of the mean square of the difference over that of the expected output, of the
        output where it is largest; infinite where outputs are missing or of another shape.
    """
    worst = 0.0
    for name, wanted in expected.items():
        made = found.get(name)
        if made is None or made.shape != wanted.shape:
            return float("inf")
        if wanted.size:
            away = np.linalg.norm(made.astype(np.float64) - wanted.astype(np.float64))
            size = float(np.linalg.norm(wanted.astype(np.float64))) or 1.0
            ratio = float(away) / size
            worst = max(worst, float("inf") if np.isnan(ratio) else ratio)
    return worst


def measure(
    subject: Subject,
    model: Model,
    files: Mapping[str, Path],
    ways: Sequence[Candidate],
    effort: Effort,
) -> list[Measurement]:
    """Measure ways to run a net, taking turns.

    Parameters
    ----------
    subject
        The net.
    model
        The entry that it belongs to.
    files
        Its files by key.
    ways
        What to measure, the plainest first: its outputs are what others are compared with.
    effort
        How long.

    Returns
    -------
    list of Measurement
        One for each way, in their order.
    """
    with ExitStack() as stack:
        trials = [_Trial(way) for way in ways]
        for trial in trials:
            trial.open(subject, files, stack)
        reference = trials[0]
        if reference.session is None:
            return [trial.measurement() for trial in trials]
        feeds = subject.feeds(Given(files, reference.session.inputs))
        expected = reference.call(feeds)
        reference.difference = difference(expected, reference.timed_call(feeds))
        # A voice may draw numbers at random; then nothing can be said about equality.
        random = reference.difference > STRICT
        for trial in trials[1:]:
            if trial.session is not None:
                tolerance = model.files[trial.way.file].tolerance or STRICT
                trial.compare(feeds, None if random else expected, tolerance, reference.way)
        _take_turns([trial for trial in trials if not trial.refusal], feeds, effort)
        return [trial.measurement() for trial in trials]


@dataclass(slots=True)
class _Trial:
    """A way to run a net while it is measured."""

    way: Candidate
    session: Session | None = None
    refusal: str = ""
    difference: float | None = None
    compared_s: float = 0.0
    """Time of the call that was compared; the first of a session, so it may be long."""
    times_ms: list[float] = field(default_factory=list)

    def open(self, subject: Subject, files: Mapping[str, Path], stack: ExitStack) -> None:
        try:
            self.session = open_session(
                files[self.way.file],
                backend=self.way.backend,
                device="cpu",
                threads=self.way.threads,
                input_shapes=subject.input_shapes,
                outputs=subject.outputs,
            )
        except (BackendError, IntegrityError) as error:
            self.refusal = str(error)
            return
        stack.callback(self.session.close)

    def call(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        assert self.session is not None
        return self.session.run(feeds)

    def timed_call(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        start = time.perf_counter()
        made = self.call(feeds)
        self.compared_s = time.perf_counter() - start
        return made

    def compare(
        self,
        feeds: Mapping[str, Array],
        expected: Mapping[str, Array] | None,
        tolerance: float,
        reference: Candidate,
    ) -> None:
        try:
            found = self.timed_call(feeds)
        except BackendError as error:
            self.refusal = str(error)
            return
        if expected is None:
            if (self.way.file, self.way.backend) != (reference.file, reference.backend):
                self.refusal = "outputs vary from run to run and cannot be compared"
            return
        self.difference = difference(expected, found)
        if set(found) != set(expected):
            self.refusal = f"outputs are {', '.join(found)}, expected {', '.join(expected)}"
        elif not self.difference <= tolerance:
            self.refusal = (
                f"outputs differ by {self.difference:.2%}, at most {tolerance:.2%} may be"
            )

    def block(self, feeds: Mapping[str, Array], *, heavy: bool) -> None:
        """Take a turn: a call that is not counted, then some that are."""
        if not heavy:
            self.call(feeds)
        until = time.perf_counter() + _BLOCK_S
        for done in range(_MOST_CALLS):
            start = time.perf_counter()
            if done >= _FEWEST_CALLS and start > until:
                break
            self.call(feeds)
            self.times_ms.append((time.perf_counter() - start) * 1e3)
            if heavy:
                break

    def measurement(self) -> Measurement:
        p10, p50, p95 = np.percentile(self.times_ms, (10, 50, 95)) if self.times_ms else [None] * 3
        return Measurement(
            candidate=self.way,
            p10_ms=p10,
            p50_ms=p50,
            p95_ms=p95,
            runs=len(self.times_ms),
            difference=self.difference
            if self.difference is None or np.isfinite(self.difference)
            else None,
            refusal=self.refusal,
        )


def _take_turns(trials: list[_Trial], feeds: Mapping[str, Array], effort: Effort) -> None:
    heavy = max((trial.compared_s for trial in trials), default=0.0) > _HEAVY_S
    fewest = _FEWEST_ROUNDS if heavy else 2 * _FEWEST_ROUNDS
    live = trials
    start = time.perf_counter()
    done = 0
    while live and (done < fewest or time.perf_counter() - start < effort.seconds * len(live)):
        # Forth and back, so that nobody always runs behind the same neighbour.
        for trial in live if done % 2 == 0 else live[::-1]:
            time.sleep(_REST_S)
            trial.block(feeds, heavy=heavy)
        done += 1
        if done >= fewest:
            # By its fastest call: one that only had bad luck so far stays.
            limit = CLEARLY_SLOWER * min(min(trial.times_ms) for trial in live)
            live = [trial for trial in live if min(trial.times_ms) <= limit]


def busy_load() -> float | None:
    """Return the load average over a minute if it is more than half the usable cores."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
    return load if load > usable_cores() / 2 else None


def open_files(model: Model, ways: Sequence[Candidate]) -> Mapping[str, Path]:
    """Return the files of a model by key, checked as far as they are measured.

    Raises
    ------
    ModelNotFound, IntegrityError
        As :func:`edgeavatar.zoo.file_of`.
    """
    if not model.is_local:
        return zoo.check_installed(model)
    return {key: zoo.file_of(model.name, key) for key in {way.file for way in ways}}
