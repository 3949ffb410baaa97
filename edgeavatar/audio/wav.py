"""WAV files, complete or not there at all."""

from __future__ import annotations

import os
import tempfile
import wave
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from edgeavatar.errors import OutputError
from edgeavatar.types import AudioChunk


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file that appears under its name when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        Target; an existing file is replaced.

    Yields
    ------
    IO[bytes]
        Open for writing, beside the target under a hidden name; removed on any error.

    Raises
    ------
    OutputError
        The folder is missing or cannot be written, the target is a folder, or the disk is full.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"expected a file name to write to, found a folder: {path}; add a name")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that can be written"
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_wav(path: str | Path, chunks: Iterable[AudioChunk]) -> int:
    """Write a stream of sound as 16-bit mono PCM.

    The file appears under its name when it is complete; on any error nothing is left behind.

    Parameters
    ----------
    path : str or Path
        Target; an existing file is replaced.
    chunks : iterable of AudioChunk
        Chunks of one rate that follow each other. Values outside [-1, 1] are clipped.

    Returns
    -------
    int
        Samples written.

    Raises
    ------
    OutputError
        As :func:`whole_file`, or there was no sound at all.
    """
    total = 0
    stream = iter(chunks)
    with whole_file(path) as file:
        chunk = next(stream, None)
        if chunk is None:
            raise OutputError(f"cannot write {path}: there is no sound to write")
        with wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(chunk.sample_rate)
            while chunk is not None:
                pcm = np.rint(np.clip(chunk.samples, -1.0, 1.0) * 32767.0).astype("<i2")
                wav.writeframesraw(pcm.tobytes())
                total += len(pcm)
                chunk = next(stream, None)
    return total


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
