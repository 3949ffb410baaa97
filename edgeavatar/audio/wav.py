"""WAV files, complete or not there at all."""

from __future__ import annotations

import os
import tempfile
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edgeavatar.errors import OutputError
from edgeavatar.types import AudioChunk


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
        The folder is missing or not writable, the disk is full, or there was no sound at all.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that can be written"
        ) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            total = _write(file, chunks, path)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return total


def _write(file: object, chunks: Iterable[AudioChunk], path: Path) -> int:
    total = 0
    with wave.open(file, "wb") as wav:  # type: ignore[call-overload]
        for chunk in chunks:
            if total == 0:
                wav.setnchannels(1)
                wav.setsampwidth(2)
                wav.setframerate(chunk.sample_rate)
            pcm = np.rint(np.clip(chunk.samples, -1.0, 1.0) * 32767.0).astype("<i2")
            wav.writeframes(pcm.tobytes())
            total += len(pcm)
        if total == 0:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(8000)
    if total == 0:
        raise OutputError(f"cannot write {path}: there is no sound to write")
    return int(total)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
