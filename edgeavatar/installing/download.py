"""Fetches one pinned archive, resuming what an interruption left."""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Callable
from pathlib import Path

from edgeavatar.errors import InstallError, IntegrityError
from edgeavatar.installing.index import Registry
from edgeavatar.installing.progress import Reporter
from edgeavatar.installing.transport import (
    TRANSPORT_ERRORS,
    Response,
    Transport,
    describe_failure,
    redact,
)
from edgeavatar.zoo import Archive, file_sha256

_BLOCK_BYTES = 1 << 16
_PROGRESS_BYTES = 1 << 20
"""After an attempt that brought this much, all retries are open again."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)\Z")


_OTHER_SOURCE = (
    "The registry or a mirror gives another file than the pinned one: try another index, or "
    "install from a bundle: edgeavatar models install --from BUNDLE.tar"
)


class _StoreError(Exception):
    """Carries an OSError of the store past the handlers of the connection's."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


def fetch_archive(
    archive: Archive,
    folder: Path,
    *,
    registry: Registry,
    report: Reporter,
) -> Path:
    """Return the verified archive in ``folder``, fetching it unless it is there.

    What has arrived is kept as ``NAME.part`` on any failure or interrupt and continued by the next
    call, if the server can; the SHA-256 of the whole decides. The caller holds the archive's lock.

    Parameters
    ----------
    registry
        Where to look for it; asked only when something has to be fetched.
    report
        Receives the progress.

    Raises
    ------
    InstallError
        If it cannot be fetched.
    IntegrityError
        If what the address gives is not the pinned archive.
    OSError
        If the store cannot be written.
    """
    complete = folder / archive.file
    part = folder / f"{archive.file}.part"
    if complete.exists():
        if complete.stat().st_size == archive.bytes and file_sha256(complete) == archive.sha256:
            return complete
        complete.unlink()
    resumed = part.exists() and part.stat().st_size > 0
    url = registry.find(archive)
    _fill(part, url, archive, registry, report)
    found = file_sha256(part)
    if found != archive.sha256 and resumed:
        # What was there before may have been of another file; only a whole download tells.
        report.say(f"{archive.file}: the resumed download does not fit; starting over")
        part.unlink()
        _fill(part, url, archive, registry, report)
        found = file_sha256(part)
    if found != archive.sha256:
        part.unlink()
        raise IntegrityError(
            f"{archive.file} from {redact(url)}: expected SHA-256 {archive.sha256}, found {found}; "
            f"nothing of it was used. {_OTHER_SOURCE}"
        )
    part.replace(complete)
    return complete


def _fill(
    part: Path,
    url: str,
    archive: Archive,
    registry: Registry,
    report: Reporter,
) -> None:
    """Fetch until ``part`` has the archive's size."""
    failures = 0
    size = part.stat().st_size if part.exists() else 0
    if size > archive.bytes:
        part.unlink()
        size = 0
    report.begin(f"fetching {archive.file}", archive.bytes, size)
    try:
        while size < archive.bytes:
            before = size
            failure: Exception | None = None
            try:
                _continue(part, size, url, archive, registry.transport, report)
            except _StoreError as error:
                raise error.error from None
            except TRANSPORT_ERRORS as error:
                failure = error
            size = part.stat().st_size if part.exists() else 0
            if size >= archive.bytes:
                break
            failures = 1 if size - before >= _PROGRESS_BYTES else failures + 1
            if not registry.transport.may_retry(failure, failures):
                raise _gave_up(archive, url, failure, size)
    finally:
        report.end()


def _continue(
    part: Path, size: int, url: str, archive: Archive, transport: Transport, report: Reporter
) -> None:
    """Open the address once and append what it gives from ``size`` on."""
    headers = {"Range": f"bytes={size}-"} if size else {}
    try:
        with transport.open(url, headers) as response:
            offset, total = _extent(response)
            if total not in (None, archive.bytes):
                raise IntegrityError(
                    f"{archive.file} from {redact(url)}: expected {archive.bytes} bytes, found "
                    f"{total}; nothing of it was used. {_OTHER_SOURCE}"
                )
            if url.lower().startswith("file:"):
                offset = size
                response.stream.seek(offset)
            if offset not in (0, size):
                raise OSError("the server sent another range than the one asked for")
            _append(part, offset, archive, response.stream.read, report)
    except urllib.error.HTTPError as error:
        if error.code == 416 and size:
            # The server has no more than is here, so what is here is not of this file.
            part.unlink(missing_ok=True)
            return
        raise


def _extent(response: Response) -> tuple[int, int | None]:
    """Return where an answer starts in the file, -1 if that is not clear, and the file's size."""
    if response.status == 206:
        match = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
        if match is None:
            return -1, None
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("content-length", "")
    plain = response.headers.get("content-encoding", "identity") == "identity"
    return 0, int(length) if plain and length.isdecimal() else None


def _append(
    part: Path,
    offset: int,
    archive: Archive,
    read: Callable[[int], bytes],
    report: Reporter,
) -> None:
    done = offset
    try:
        stream = part.open("r+b" if offset else "wb")
    except OSError as error:
        raise _StoreError(error) from None
    with stream:
        stream.seek(offset)
        while block := read(_BLOCK_BYTES):
            done += len(block)
            if done > archive.bytes:
                # Longer than the pinned archive: keep no more than its size, the hash will tell.
                block = block[: len(block) - (done - archive.bytes)]
            try:
                stream.write(block)
                stream.flush()
            except OSError as error:
                raise _StoreError(error) from None
            report.advance(min(done, archive.bytes))
            if done >= archive.bytes:
                return


def _gave_up(archive: Archive, url: str, failure: Exception | None, size: int) -> InstallError:
    reason = describe_failure(failure) if failure else "the connection closed early"
    return InstallError(
        f"{archive.file} could not be fetched from {redact(url)}: {reason} "
        f"({size} of {archive.bytes} bytes are here and will be continued); run the command again"
    )
