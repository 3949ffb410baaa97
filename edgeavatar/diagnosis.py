"""What this machine can do, and what is missing before it can make a video. Touches no network."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from edgeavatar import __version__, zoo
from edgeavatar.backends import available_backends, available_devices, open_session
from edgeavatar.backends.base import usable_cores
from edgeavatar.backends.cache import cache_folder
from edgeavatar.errors import EdgeAvatarError, IntegrityError, ModelNotFound
from edgeavatar.tuning.settings import (
    ProfileState,
    Tuning,
    load_tuning,
    profile_status,
    unmeasured,
)

REQUIRED_PROFILE = "default"

VIDEO_ENCODERS = (
    "libx264",
    "libx265",
    "libvpx-vp9",
    "libsvtav1",
    "h264_nvenc",
    "h264_qsv",
    "h264_v4l2m2m",
    "h264_videotoolbox",
)
AUDIO_ENCODERS = ("aac", "libopus")
REQUIRED_ENCODERS = ("libx264", "aac")
"""What an mp4 needs, the default output."""

MIN_FREE_BYTES = 500_000_000
"""Below this much room the store is told as a problem: the default models and one archive."""

_INSTRUCTION_SETS = {
    "sse4_2": "SSE4.2",
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512F",
    "avx512_vnni": "AVX-512-VNNI",
    "avx512_bf16": "AVX-512-BF16",
    "amx_int8": "AMX-INT8",
    "amx_bf16": "AMX-BF16",
    "asimd": "NEON",
    "asimdhp": "NEON-FP16",
    "asimddp": "NEON-DOTPROD",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
    "sve2": "SVE2",
}
"""Flags of the Linux kernel (x86 and Arm) that change how fast the networks run -> common name."""

ModelState = Literal["built in", "installed", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class Machine:
    """The computer and its system."""

    system: str
    processor: str
    cores: int
    """Logical processors."""
    usable_cores: int
    """Those this process may run on."""
    memory_bytes: int
    """0 if unknown."""
    instruction_sets: tuple[str, ...]
    python: str
    executable: str


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model of the manifest."""

    name: str
    title: str
    state: ModelState
    required: bool
    bytes: int
    licence: str
    commercial_use: str


@dataclass(frozen=True, slots=True)
class TuningStatus:
    """What ``edgeavatar tune`` measured here, if it did."""

    path: str
    """Of the profile, whether or not it is there; empty where there shall be none."""
    state: ProfileState
    measured: str
    """When, in UTC; empty if there is no profile to be read."""
    age_days: float
    models: int
    """Nets that the profile is used for."""
    told: str
    """Why it is not used, or not for all; empty if there is nothing to tell."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found."""

    version: str
    machine: Machine
    packages: dict[str, str]
    """Name -> version; ``""`` if it is not installed."""
    backends: dict[str, str]
    """Name -> version."""
    devices: dict[str, dict[str, str]]
    """Backend -> device -> the backend's own name for it."""
    face_detector: str
    """Backend, device and time of one run of a real model, as tuned, or why there is none."""
    models: tuple[ModelStatus, ...]
    store: str
    cache: str
    tuning: TuningStatus
    encoders: tuple[str, ...]
    """Built into PyAV; one that needs hardware may still refuse to open."""
    problems: tuple[str, ...]
    """Each says what to do; empty when a video can be made."""

    @property
    def ready(self) -> bool:
        """Whether nothing is in the way."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``."""
        return {"ready": self.ready} | asdict(self)


def diagnose() -> Diagnosis:
    """Look at machine, packages, backends, models and encoders.

    What is broken becomes a line in ``problems``; only a manifest that cannot be read raises.

    Raises
    ------
    IntegrityError
        The manifest is damaged.
    """
    problems: list[str] = []
    packages = _packages(problems)
    devices: dict[str, dict[str, str]] = {}
    backends: dict[str, str] = {}
    try:
        backends = {str(name): version for name, version in available_backends().items()}
        devices = {
            str(backend): {str(device): title for device, title in found.items()}
            for backend, found in available_devices().items()
        }
    except (ImportError, OSError, RuntimeError) as error:
        problems.append(f"a backend does not load ({error}); install edgeavatar again")
    models = _models(problems)
    _check_folders(problems)
    tuning = load_tuning()
    return Diagnosis(
        version=__version__,
        machine=_machine(),
        packages=packages,
        backends=backends,
        devices=devices,
        face_detector=_try_face_detector(models, tuning, problems),
        models=models,
        store=str(zoo.store_root()),
        cache=str(cache_folder()),
        tuning=_tuning(tuning),
        encoders=_encoders(problems),
        problems=tuple(problems),
    )


def _tuning(tuning: Tuning) -> TuningStatus:
    # A machine that was not tuned is ready all the same: nothing here is a problem.
    status = profile_status()
    told, models = status.told, 0
    if status.state == "fits" and status.profile is not None:
        notes, new = list(tuning.notes), unmeasured(status.profile)
        if new:
            notes.append(f"not yet measured here: {', '.join(new)}; run: edgeavatar tune")
        told, models = "; ".join(notes), len(tuning.models)
    path = "" if status.path is None else str(status.path)
    if status.profile is None:
        return TuningStatus(path, status.state, "", 0.0, models, told)
    measured = status.profile.measured
    age_s = (datetime.now(UTC) - measured).total_seconds()
    return TuningStatus(
        path=path,
        state=status.state,
        measured=measured.isoformat(timespec="seconds"),
        age_days=round(age_s / 86400, 2),
        models=models,
        told=told,
    )


def _machine() -> Machine:
    flags, processor = _processor()
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 0
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=processor,
        cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        memory_bytes=memory,
        instruction_sets=flags,
        python=platform.python_version(),
        executable=sys.executable,
    )


def _processor() -> tuple[tuple[str, ...], str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        simd = cast(dict[str, Any], np.show_config(mode="dicts"))["SIMD Extensions"]
        return tuple(simd.get("found", ())), platform.processor()
    return parse_cpuinfo(text)


def parse_cpuinfo(text: str) -> tuple[tuple[str, ...], str]:
    """Read instruction sets and processor name from the text of Linux's ``/proc/cpuinfo``."""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    have = set(flags[1].split()) if flags else set()
    name = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return (
        tuple(title for flag, title in _INSTRUCTION_SETS.items() if flag in have),
        name[1].strip() if name else platform.machine(),
    )


def _packages(problems: list[str]) -> dict[str, str]:
    try:
        required = importlib.metadata.requires("edgeavatar") or []
    except importlib.metadata.PackageNotFoundError:
        problems.append("edgeavatar itself is not installed; run: pip install edgeavatar")
        return {}
    names = [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in required if "extra ==" not in line]
    versions: dict[str, str] = {}
    for name in sorted(names, key=str.lower):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = ""
            problems.append(f"the package {name} is missing; run: pip install {name}")
    return versions


def _models(problems: list[str]) -> tuple[ModelStatus, ...]:
    found = []
    missing = []
    for model in zoo.load_manifest().models.values():
        if model.task == "fixture":
            continue
        required = model.is_local or REQUIRED_PROFILE in model.profiles
        state: ModelState = "built in" if model.is_local else "installed"
        try:
            zoo.resolve(model.name)
        except ModelNotFound:
            state = "missing"
            if required:
                missing.append(model.name)
        except IntegrityError as error:
            state = "damaged"
            problems.append(str(error))
        found.append(
            ModelStatus(
                name=model.name,
                title=model.title,
                state=state,
                required=required,
                bytes=model.bytes,
                licence=model.licence_weights,
                commercial_use=model.commercial_use,
            )
        )
    if missing:
        problems.append(
            f"missing in {zoo.store_root()}: {', '.join(missing)}; run: edgeavatar models install"
        )
    return tuple(found)


def _check_folders(problems: list[str]) -> None:
    # The store need not exist before the first installation; its nearest parent must have room.
    folder = zoo.store_root()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        problems.append(f"the model store {zoo.store_root()} lies below a file; move {folder}")
        return
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        problems.append(
            f"only {free / 1e6:.0f} MB are free at {folder}; free {MIN_FREE_BYTES / 1e6:.0f} MB "
            "or point EDGEAVATAR_MODELS to another disk"
        )


def _try_face_detector(models: tuple[ModelStatus, ...], tuning: Tuning, problems: list[str]) -> str:
    if not any(model.name == "face" and model.state == "installed" for model in models):
        return "not tried: the face model is not installed"
    try:
        path = zoo.resolve("face")["detector"]
        tuned = ", as tuned" if path in tuning.models else ""
        with open_session(path, tuned=tuning.models) as session:
            feeds = {
                spec.name: np.zeros([size or 1 for size in spec.shape or ()], spec.dtype)
                for spec in session.inputs
            }
            session.run(feeds)
            start = time.perf_counter()
            session.run(feeds)
            took_ms = (time.perf_counter() - start) * 1e3
            return f"{session.backend} on {session.device}, {took_ms:.1f} ms{tuned}"
    except EdgeAvatarError as error:
        problems.append(str(error))
        return f"failed: {error}"


def _encoders(problems: list[str]) -> tuple[str, ...]:
    remedy = "install its wheel again: pip install --force-reinstall av"
    try:
        import av
    except (ImportError, OSError) as error:
        problems.append(f"PyAV does not load ({error}); {remedy}")
        return ()
    found = []
    for name in (*VIDEO_ENCODERS, *AUDIO_ENCODERS):
        try:
            av.codec.Codec(name, "w")
        except av.codec.codec.UnknownCodecError:
            if name in REQUIRED_ENCODERS:
                problems.append(f"PyAV {av.__version__} lacks the encoder {name}; {remedy}")
            continue
        found.append(name)
    return tuple(found)
