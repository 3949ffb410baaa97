"""Where in a video its mouth is seen best, on disk, so that it is looked for once.

A mouth is a part of a person by which they can be told, so no picture is kept and no measure of a
face: an entry is a time, at which the picture is decoded anew for what the frames since its key
frame cost. Its name is a digest of the video's content, which tells the video to nobody who does
not have it.

Entries are read by their owner alone, written under a temporary name and renamed; a damaged one
counts as none. Every failure of the disk means "no cache".
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeavatar.backends.cache import cache_folder

if TYPE_CHECKING:
    from typing import BinaryIO

SEARCH_VERSION: Final = 2
"""Changes with anything that may make another moment the best one."""
MOST_ENTRIES: Final = 64
_PIECES, _PIECE_BYTES = 16, 1 << 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Note:
    """What an entry says."""

    time_s: Fraction | None
    """Time of the best moment from the first frame; None where no moment is worth it."""


def references_folder() -> Path:
    """Folder of the entries, beside that of the compiled models."""
    return cache_folder().parent / "references"


def entry_key(source: Path, face: str | None) -> str | None:
    """Name of the entry for a face of a video; None if the file cannot be read.

    Of a long file 16 pieces count, a megabyte in all: reading gigabytes at each start would cost
    what the cache saves, and what is found at an entry's time is looked at again.
    """
    try:
        with source.open("rb") as file:
            content = _sampled_digest(file)
    except OSError:
        return None
    identity = repr((SEARCH_VERSION, content, face))
    return f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"


def read_entry(key: str) -> Note | None:
    """Return what an entry says, or None if there is no sound one."""
    path = references_folder() / key
    try:
        told = json.loads(path.read_bytes())
        time_s = told["time_s"]
        note = Note(None if time_s is None else Fraction(time_s))
    except OSError:
        return None
    except (ValueError, KeyError, TypeError, ArithmeticError):
        _log.info("passing over the damaged cache entry %s", path)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return note


def write_entry(key: str, note: Note) -> bool:
    """Store what was found; whether it could be stored."""
    folder = references_folder()
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{key}.", suffix=".part", dir=folder)
        temporary = Path(name)
        told = {"time_s": None if note.time_s is None else str(note.time_s)}
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(told, file)
        temporary.replace(folder / key)
        _drop_oldest(folder)
    except OSError as error:
        _log.info("no cache of references in %s: %s", folder, error)
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return False
    return True


def _sampled_digest(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    digest = hashlib.sha256(str(size).encode())
    for piece in range(_PIECES):
        file.seek(max(0, size - _PIECE_BYTES) * piece // (_PIECES - 1))
        digest.update(file.read(_PIECE_BYTES))
    return digest.hexdigest()


def _drop_oldest(folder: Path) -> None:
    """Keep the entries that were used last; leftovers of crashes age and go as they do."""
    entries = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[MOST_ENTRIES:]:
        with contextlib.suppress(OSError):
            path.unlink()
