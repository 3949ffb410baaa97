"""What is heard in a file: read once, piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeavatar.analysis.sound_findings import SoundFindings
from edgeavatar.speech.transcription import RecognizerSize


def analyse_sound(
    path: Path,
    *,
    words: bool = True,
    model: RecognizerSize = "tiny",
    threads: int | None = None,
    until_s: float | None = None,
    tell: Callable[[str, float | None, int], None] | None = None,
) -> SoundFindings:
    """Find what is heard in a file.

    Memory does not grow with the length of the sound but for what is returned: 50 bytes for each
    50 ms, and the words.

    Parameters
    ----------
    path : Path
        Anything with sound.
    words : bool
        Whether to listen for words; without them, what hangs on words is None. Costs most of the
        time.
    model : str
        Recogniser.
    threads : int, optional
        Of the recogniser; None is 1.
    until_s : float, optional
        Only so much of the beginning is read.
    tell : callable, optional
        Called with the stage, the share done (None if unknown) and 0.

    Returns
    -------
    SoundFindings

    Raises
    ------
    MediaError
        The file cannot be read or has no sound.
    ModelNotFound
        A model is not installed.
    """
    raise NotImplementedError
