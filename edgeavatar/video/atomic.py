"""A file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import weakref
from pathlib import Path

from edgeavatar.errors import OutputError


class AtomicFile:
    """A temporary file beside a target, to be renamed to it when complete.

    Parameters
    ----------
    target : Path
        A link is followed; an existing file is replaced on :meth:`commit` and not before.

    Attributes
    ----------
    path : Path
        The temporary file, empty at first; removed on :meth:`discard` and when this object is
        collected or the interpreter ends.

    Raises
    ------
    OutputError
        If the target's folder is missing or may not be written, or the target is no regular file.
    """

    def __init__(self, target: Path) -> None:
        try:
            self.target = Path(os.path.realpath(target))
        except OSError as error:  # a relative name in a folder that was removed
            raise OutputError(f"cannot write {target}: {_reason(error)}; name a folder") from error
        folder = self.target.parent
        self.path = folder / f".{secrets.token_hex(8)}.part{self.target.suffix}"
        try:
            if self.target.is_dir():
                raise OutputError(f"expected a file name to write to, found the folder {target}")
            if self.target.exists() and not self.target.is_file():
                raise OutputError(
                    f"expected a regular file to write to, found {target}; name another"
                )
            if not folder.is_dir():
                raise OutputError(
                    f"expected a folder to write {target.name} in, found none at {folder}; make it"
                )
            # The mode leaves it to the user's umask, as for any file a program makes.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            raise OutputError(
                f"cannot write in {folder}: {_reason(error)}; choose another place"
            ) from error
        self._cleanup = weakref.finalize(self, _remove, self.path)

    def commit(self) -> None:
        """Flush the temporary file to the disk and give it the target's name.

        Raises
        ------
        OutputError
            If the disk reports an error; nothing is left behind.
        """
        try:
            _sync(self.path)
            self.path.replace(self.target)
        except OSError as error:
            self.discard()
            raise OutputError(f"cannot write {self.target}: {_reason(error)}") from error
        self._cleanup.detach()
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                _sync(self.target.parent)

    def discard(self) -> None:
        """Remove the temporary file; the target stays as it was."""
        self._cleanup()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
