"""From a profile to what sessions are opened with, if it holds on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgeavatar import zoo
from edgeavatar.backends import Setting
from edgeavatar.errors import IntegrityError, UsageError
from edgeavatar.tuning.machine import this_machine, what_changed
from edgeavatar.tuning.profile import Profile, TunedFile, profile_path, read_profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeavatar.backends import BackendChoice, DeviceChoice, TunedModels
    from edgeavatar.manifest import Model

ProfileState = Literal["none", "fits", "stale", "damaged"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a profile gives to those who open models."""

    models: TunedModels = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """One line for each reason why a profile, or a part of it, is not used."""


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    """Whether there is a profile, and whether it holds here."""

    path: Path | None
    """None where the environment says that there shall be none."""
    state: ProfileState
    profile: Profile | None
    """None where there is none to be read."""
    told: str
    """Why it is not used, in a line; empty where it is or where there is none."""


def load_tuning(
    choice: str | os.PathLike[str] = "auto",
    *,
    backend: BackendChoice = "auto",
    device: DeviceChoice = "auto",
) -> Tuning:
    """Read what a profile says of the models that are installed.

    A profile that is damaged, or was measured on another machine, with other backends or other
    model files, is passed over with a line.

    Parameters
    ----------
    choice
        ``"auto"`` is what ``edgeavatar tune`` wrote, if it did; ``"none"`` is no profile; anything
        else is a profile's file.
    backend, device
        What is asked for; a backend, or another device than the CPU, goes without a profile.

    Raises
    ------
    UsageError
        There is no such file.
    IntegrityError
        The manifest is damaged.
    """
    if choice == "none" or backend != "auto" or device not in ("auto", "cpu"):
        return Tuning()
    asked = None if choice == "auto" else Path(choice)
    status = profile_status(asked)
    if status.state == "none":
        if asked is not None:
            raise UsageError(
                f"expected a profile at {asked}, found none; make it with: edgeavatar tune -o "
                f"{asked}"
            )
        return Tuning()
    if status.profile is None or status.state != "fits":
        return Tuning(notes=(status.told,))
    models: dict[Path, Setting] = {}
    changed, notes = [], []
    for tuned in status.profile.files:
        model = zoo.load_manifest().models.get(tuned.model)
        if model is None or not zoo.is_installed(model):
            continue
        try:
            found = _setting(tuned, model)
        except IntegrityError as error:
            notes.append(f"the profile is not used for {tuned.model}/{tuned.file}: {error}")
            continue
        if found is None:
            changed.append(f"{tuned.model}/{tuned.file}")
        else:
            models[zoo.model_dir(model) / model.files[tuned.file].path] = found
    if changed:
        notes.append(
            f"the profile {status.path} is not used for {', '.join(changed)}: the files have "
            "changed since they were measured; run: edgeavatar tune"
        )
    return Tuning(models, tuple(notes))


def profile_status(path: Path | None = None) -> ProfileStatus:
    """Look at a profile.

    Parameters
    ----------
    path
        Its file; that of ``edgeavatar tune`` if None.
    """
    path = profile_path() if path is None else path
    if path is None:
        return ProfileStatus(None, "none", None, "")
    try:
        profile = read_profile(path)
    except FileNotFoundError:
        return ProfileStatus(path, "none", None, "")
    except IntegrityError as error:
        return ProfileStatus(path, "damaged", None, f"no profile is used: {error}")
    why = what_changed(profile.machine, this_machine())
    if why is None:
        return ProfileStatus(path, "fits", profile, "")
    told = f"the profile {path} is not used: {why}; run: edgeavatar tune"
    return ProfileStatus(path, "stale", profile, told)


def unmeasured(profile: Profile) -> list[str]:
    """Name the variants that came after a profile was measured, as ``model/file``."""
    models = zoo.load_manifest().models
    return [
        f"{tuned.model}/{variant.key}"
        for tuned in profile.files
        if tuned.model in models
        for variant in models[tuned.model].variants(tuned.file)
        if variant.key not in tuned.sha256
    ]


def digests(model: Model, keys: set[str]) -> Mapping[str, str]:
    """Return the declared SHA-256 of files and of the weights they read, by key."""
    weights = {model.files[key].weights for key in keys} - {None}
    return {key: file.sha256 for key, file in model.files.items() if key in keys | weights}


def _setting(tuned: TunedFile, model: Model) -> Setting | None:
    """Turn what was measured into a setting; None if it was of other files than are here."""
    keys = {tuned.file, tuned.chosen.file}
    if not keys <= set(model.files):
        return None
    if any(tuned.sha256.get(key) != digest for key, digest in digests(model, keys).items()):
        return None
    chosen = tuned.chosen
    path = zoo.model_dir(model) / model.files[tuned.file].path
    if chosen.file != tuned.file:
        # Whoever opens the base has it checked; nobody else checks what is opened in its place.
        if model.files[chosen.file].variant_of != tuned.file:
            return None
        path = zoo.file_of(model.name, chosen.file)
    return Setting(path, chosen.backend, chosen.threads, f"profile: {tuned.reason}")
