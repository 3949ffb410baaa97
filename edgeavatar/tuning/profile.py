"""The profile: a JSON file that says what was measured on which machine and what was chosen."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast, get_args

from edgeavatar.backends import BackendName
from edgeavatar.errors import IntegrityError, OutputError
from edgeavatar.manifest import PRECISIONS, Precision
from edgeavatar.tuning.choice import Candidate, Measurement
from edgeavatar.tuning.machine import Machine

PROFILE_ENV: Final = "EDGEAVATAR_PROFILE"
SCHEMA: Final = 1
_MOST_BYTES: Final = 4 * 2**20
_MOST_THREADS: Final = 1024


@dataclass(frozen=True, slots=True)
class TunedFile:
    """What was measured of one model file."""

    model: str
    file: str
    """Key of the base file."""
    measured: datetime
    sha256: Mapping[str, str]
    """Of every file that was measured, and of the weights it reads, by key."""
    chosen: Candidate
    reason: str
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """All that was measured on a machine."""

    edgeavatar: str
    """Version of edgeavatar that measured."""
    measured: datetime
    """When the last measurement ended; in UTC."""
    machine: Machine
    notes: tuple[str, ...]
    """What casts doubt on the measurements."""
    files: tuple[TunedFile, ...]


def profile_path() -> Path | None:
    """Return where ``edgeavatar tune`` writes and other commands read, whether or not it is there.

    ``$EDGEAVATAR_PROFILE`` if it is set, where ``none`` means no profile (None is returned), else
    ``profile.json`` in the user's configuration folder of edgeavatar.
    """
    chosen = os.environ.get(PROFILE_ENV)
    if chosen == "none":
        return None
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path("edgeavatar", appauthor=False) / "profile.json"


def write_profile(profile: Profile, path: Path) -> None:
    """Write a profile, making its folder; it appears under its name when it is complete.

    Raises
    ------
    OutputError
        It cannot be written; what was there before is kept.
    """
    text = profile_text(profile)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".part", dir=path.parent
        )
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # Another user, such as a kiosk's service, may be the one who renders.
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise OutputError(
            f"the profile cannot be written to {path}: {(error.strerror or str(error)).lower()}; "
            "choose another place with -o"
        ) from None


def profile_text(profile: Profile) -> str:
    """Return what a profile's file holds."""
    return json.dumps(_as_json(profile), indent=1, ensure_ascii=False) + "\n"


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Raises
    ------
    FileNotFoundError
        There is none.
    IntegrityError
        It cannot be read or is not a profile; the message says what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise _damaged(path, f"cannot be read ({(error.strerror or str(error)).lower()})") from None
    if len(content) > _MOST_BYTES:
        raise _damaged(path, "is longer than 4 MiB")
    try:
        return _profile(json.loads(content))
    except RecursionError:
        raise _damaged(path, "is nested too deeply") from None
    except (ValueError, KeyError, TypeError) as error:
        said = f"lacks {error}" if isinstance(error, KeyError) else f"is not a profile: {error}"
        raise _damaged(path, said) from None


def _damaged(path: Path, what: str) -> IntegrityError:
    return IntegrityError(f"the profile {path} {' '.join(what.split())}; run: edgeavatar tune")


def _as_json(profile: Profile) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "measured": _written(profile.measured),
        "edgeavatar": profile.edgeavatar,
        "machine": asdict(profile.machine),
        "notes": list(profile.notes),
        "models": [
            {
                "model": tuned.model,
                "file": tuned.file,
                "measured": _written(tuned.measured),
                "sha256": dict(tuned.sha256),
                "chosen": asdict(tuned.chosen),
                "reason": tuned.reason,
                "candidates": [
                    asdict(m.candidate)
                    | {
                        "p10_ms": _rounded(m.p10_ms),
                        "p50_ms": _rounded(m.p50_ms),
                        "p95_ms": _rounded(m.p95_ms),
                        "runs": m.runs,
                        "difference": _rounded(m.difference, 6),
                        "refusal": m.refusal,
                    }
                    for m in tuned.measurements
                ],
            }
            for tuned in profile.files
        ],
    }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)


def _profile(told: Any) -> Profile:
    if not isinstance(told, dict):
        raise TypeError("expected a table")
    if told.get("schema") != SCHEMA:
        raise ValueError(f"expected schema {SCHEMA}, found {told.get('schema')!r}")
    machine = told["machine"]
    backends = _of(machine, "backends", dict)
    return Profile(
        edgeavatar=_of(told, "edgeavatar", str),
        measured=_moment(told),
        machine=Machine(
            processor=_of(machine, "processor", str),
            processor_id=_of(machine, "processor_id", str),
            usable_cores=_of(machine, "usable_cores", int),
            backends={str(name): str(version) for name, version in backends.items()},
        ),
        notes=tuple(str(note) for note in _of(told, "notes", list)),
        files=tuple(_tuned_file(entry) for entry in _of(told, "models", list)),
    )


def _tuned_file(told: Any) -> TunedFile:
    digests = _of(told, "sha256", dict)
    chosen = _candidate(_of(told, "chosen", dict))
    base = _of(told, "file", str)
    if not {base, chosen.file} <= set(digests):
        raise ValueError(f"no sha256 of {base} or {chosen.file}")
    return TunedFile(
        model=_of(told, "model", str),
        file=base,
        measured=_moment(told),
        sha256={str(key): str(digest) for key, digest in digests.items()},
        chosen=chosen,
        reason=" ".join(_of(told, "reason", str).split()),
        measurements=tuple(_measurement(entry) for entry in _of(told, "candidates", list)),
    )


def _candidate(told: Any) -> Candidate:
    backend, precision = _of(told, "backend", str), _of(told, "precision", str)
    threads = _of(told, "threads", int)
    if backend not in get_args(BackendName):
        raise ValueError(f"no backend {backend!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"no precision {precision!r}")
    if not 1 <= threads <= _MOST_THREADS:
        raise ValueError(f"expected 1 to {_MOST_THREADS} threads, found {threads}")
    return Candidate(
        file=_of(told, "file", str),
        precision=cast(Precision, precision),
        backend=cast(BackendName, backend),
        threads=threads,
    )


def _measurement(told: Any) -> Measurement:
    return Measurement(
        candidate=_candidate(told),
        p10_ms=_number(told, "p10_ms"),
        p50_ms=_number(told, "p50_ms"),
        p95_ms=_number(told, "p95_ms"),
        runs=_of(told, "runs", int),
        difference=_number(told, "difference"),
        refusal=_of(told, "refusal", str),
    )


def _of(table: Any, name: str, kind: type) -> Any:
    if not isinstance(table, dict):
        raise TypeError(f"expected a table around {name}")
    value = table[name]
    if type(value) is not kind:
        raise TypeError(f"expected {name} as {kind.__name__}, found {type(value).__name__}")
    return value


def _number(table: Any, name: str) -> float | None:
    value = table[name]
    if value is not None and type(value) not in (int, float):
        raise TypeError(f"expected {name} as a number, found {type(value).__name__}")
    return None if value is None else float(value)


def _moment(table: Any) -> datetime:
    moment = datetime.fromisoformat(_of(table, "measured", str))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
