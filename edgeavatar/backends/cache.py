"""Compiled models on disk, so that the second start is fast.

An entry is one file: a SHA-256 of the payload, then the payload. Entries are written under a
temporary name and renamed, so processes that start together see a whole entry or none, and a
damaged entry is found before a backend parses it. Every failure of the disk means "no cache": the
model is compiled and the work goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

CACHE_ENV: Final = "EDGEAVATAR_CACHE"
_DIGEST_BYTES: Final = hashlib.sha256().digest_size
_KEEP_S: Final = 60 * 24 * 3600
_NAME: Final = re.compile(r".+-[0-9a-f]{24}(\.\w+\.part)?")
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Folder of compiled models: ``$EDGEAVATAR_CACHE`` or the user's own cache folder."""
    chosen = os.environ.get(CACHE_ENV)
    root = Path(chosen) if chosen else user_cache_path("edgeavatar", appauthor=False)
    return root / "compiled"


def cache_key(model: Path, *parts: object) -> str:
    """Name of the entry for a model file under given versions and settings.

    The file counts by its resolved path, size and time of change: a store replaces files as a
    whole, and hashing 90 MB at each start would cost what the cache saves.

    Raises
    ------
    OSError
        The file cannot be examined.
    """
    status = model.stat()
    identity = (str(model.resolve()), status.st_size, status.st_mtime_ns, *parts)
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:24]
    return f"{model.stem}-{digest}"


def read_entry(key: str) -> bytes | None:
    """Return the payload of an entry, or ``None`` if there is no sound one."""
    path = cache_folder() / key
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        _log.info("dropping the damaged cache entry %s", path)
        discard_entry(key)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return payload


def write_entry(key: str, payload: bytes) -> bool:
    """Store a payload; whether it could be stored."""
    folder = cache_folder()
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{key}.", suffix=".part", dir=folder)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(payload).digest())
            file.write(payload)
        temporary.replace(folder / key)
        _drop_unused(folder)
    except OSError as error:
        _log.info("no cache of compiled models in %s: %s", folder, error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return False
    return True


def discard_entry(key: str) -> None:
    """Remove an entry if it is there and can be removed."""
    with contextlib.suppress(OSError):
        (cache_folder() / key).unlink()


def _drop_unused(folder: Path) -> None:
    """Remove what no start has read for long: entries of older versions, leftovers of crashes."""
    oldest = time.time() - _KEEP_S
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
