"""Jitted loops over pixels, each with a plain numpy twin that the tests hold it to.

numba keeps the machine code it makes beside the source or in the user's cache folder, and gives up
where neither can be written, as on a kiosk with a read-only disk. So a place is chosen here, before
the first kernel is imported.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numba

ROOM_BYTES = 32 << 20
"""Free space that a folder must have: the code of all kernels takes 7 MB on x86-64."""


def compiled_code_folder(package: Path, environment: Mapping[str, str]) -> Path | None:
    """Return where numba is to keep machine code, or None where its own choice works.

    ``$EDGEAVATAR_CACHE/kernels`` if that variable is set; else a new folder that only this user can
    read and that ends with the process, if neither ``package`` nor the user's cache folder can be
    written. ``$NUMBA_CACHE_DIR`` has the last word.

    Parameters
    ----------
    package
        Folder of the kernels' source.
    environment
        Variables of the process.
    """
    if environment.get("NUMBA_CACHE_DIR"):
        return None
    if environment.get("EDGEAVATAR_CACHE"):
        folder = Path(environment["EDGEAVATAR_CACHE"]) / "kernels"
        if _can_write(folder):
            return folder
    users = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/")) / ".cache"
    if _can_write(package / "__pycache__") or _can_write(Path(users) / "numba"):
        return None
    # A shared name would let another user plant code, which numba would run.
    folder = Path(tempfile.mkdtemp(prefix="edgeavatar-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return shutil.disk_usage(folder).free >= ROOM_BYTES
    except OSError:
        return False


_folder = compiled_code_folder(Path(__file__).parent, os.environ)
if _folder is not None:
    numba.config.CACHE_DIR = str(_folder)  # type: ignore[attr-defined]
