"""Measuring a machine: every installed net in every way that it can be run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from edgeavatar import __version__, zoo
from edgeavatar.backends.base import usable_cores
from edgeavatar.errors import UsageError
from edgeavatar.tuning.choice import choose, reason
from edgeavatar.tuning.machine import this_machine, what_changed
from edgeavatar.tuning.measuring import (
    NORMAL,
    QUICK,
    busy_load,
    candidates,
    measure,
    open_files,
    thread_counts,
)
from edgeavatar.tuning.profile import Profile, TunedFile
from edgeavatar.tuning.settings import digests
from edgeavatar.tuning.subjects import Subject, installed_subjects

if TYPE_CHECKING:
    from edgeavatar.tuning.choice import Measurement

    Progress = Callable[[Subject, int, int], None]

LARGE_SPREAD: Final = 0.5
"""Time that 19 of 20 calls keep to, over the median, less 1: from here on something else ran."""


@dataclass(frozen=True, slots=True)
class TuneJob:
    """What is to be measured."""

    models: tuple[str, ...] = ()
    """Names of models; empty for all that are installed and can be measured."""
    threads: tuple[int, ...] = ()
    """Numbers of threads to try; empty for powers of two up to the usable cores."""
    quick: bool = False
    """Measure less, for a first look."""

    def check(self) -> None:
        """Raise UsageError for thread counts that this machine does not have."""
        for count in self.threads:
            if not 1 <= count <= usable_cores():
                raise UsageError(
                    f"expected threads from 1 to {usable_cores()}, the cores that this process may "
                    f"use, found {count}"
                )


def tune(job: TuneJob, before: Profile | None = None, progress: Progress | None = None) -> Profile:
    """Measure the installed models of this machine.

    Parameters
    ----------
    job
        What to measure.
    before
        A profile whose other models are kept, if it was measured on this machine.
    progress
        Called before each net with it, its number from 0 and the number of nets.

    Raises
    ------
    UsageError
        A model cannot be measured or a number of threads is out of range.
    ModelNotFound, IntegrityError
        A model is not installed, or a file of it is not the declared one.
    """
    job.check()
    manifest = zoo.load_manifest()
    subjects = _asked(job, list(installed_subjects(manifest)), manifest)
    threads = job.threads or thread_counts(usable_cores())
    load = busy_load()
    notes = []
    if load is not None:
        notes.append(
            f"the machine was busy: a load of {load:.1f} on {usable_cores()} cores; measure again "
            "when it is idle"
        )
    files: list[TunedFile] = []
    for number, subject in enumerate(subjects):
        if progress is not None:
            progress(subject, number, len(subjects))
        tuned = _tuned(subject, manifest, threads, quick=job.quick)
        if tuned is not None:
            files.append(tuned)
    spread = _spread(files)
    if spread > LARGE_SPREAD:
        notes.append(
            f"the times spread by {spread:.0%} above their medians: something else was running; "
            "measure again when the machine is idle"
        )
    here = this_machine()
    if before is not None and what_changed(before.machine, here) is None:
        new = {(tuned.model, tuned.file) for tuned in files}
        files += [t for t in before.files if (t.model, t.file) not in new]
    return Profile(
        edgeavatar=__version__,
        measured=_now(),
        machine=here,
        notes=tuple(notes),
        files=tuple(files),
    )


def _asked(job: TuneJob, subjects: list[Subject], manifest: zoo.Manifest) -> list[Subject]:
    if not job.models:
        if not subjects:
            raise UsageError(
                "no model is installed that can be measured; run: edgeavatar models install"
            )
        return subjects
    known = dict.fromkeys(subject.model for subject in subjects)
    for name in job.models:
        if name not in known:
            manifest.model(name)
            raise UsageError(
                f"expected models among {', '.join(known) or '(none is installed)'}, found {name}, "
                "which is not installed or has nothing to measure"
            )
    return [subject for subject in subjects if subject.model in job.models]


def _tuned(
    subject: Subject, manifest: zoo.Manifest, threads: Sequence[int], *, quick: bool
) -> TunedFile | None:
    model = manifest.model(subject.model)
    ways = list(candidates(subject, model, threads))
    if not ways:
        return None
    measured = measure(subject, model, open_files(model, ways), ways, QUICK if quick else NORMAL)
    chosen = choose(subject.file, measured)
    if chosen is None:
        return None
    plain: Measurement | None = measured[0] if not measured[0].refusal else None
    return TunedFile(
        model=model.name,
        file=subject.file,
        measured=_now(),
        sha256=digests(model, {subject.file, *(way.file for way in ways)}),
        chosen=chosen.candidate,
        reason=reason(chosen, plain),
        measurements=tuple(measured),
    )


def _spread(files: Sequence[TunedFile]) -> float:
    """Give how far the slow calls of what was chosen are above the median, middle of all nets."""
    spreads = [
        m.p95_ms / m.p50_ms - 1.0
        for tuned in files
        for m in tuned.measurements
        if m.candidate == tuned.chosen and m.p50_ms and m.p95_ms
    ]
    return statistics.median(spreads) if spreads else 0.0


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
