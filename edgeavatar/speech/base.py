"""What every voice is: a protocol, a description, and the pieces an engine hands back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from edgeavatar.types import SpeechChunk

if TYPE_CHECKING:
    from edgeavatar.types import FloatArray

CommercialUse = Literal["yes", "no", "unclear"]

MIN_RATE = 0.5
MAX_RATE = 2.0


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice as it is listed."""

    name: str
    """What ``--voice`` takes."""
    engine: str
    """``hibari``, ``kokoro`` or ``piper``."""
    languages: tuple[str, ...]
    """BCP-47 tags, the voice's own first."""
    gender: str
    description: str
    sample_rate: int
    model: str
    """Name in the model store."""
    licence: str
    """SPDX expression of the weights."""
    commercial_use: CommercialUse
    unavailable: str = ""
    """Why the voice cannot speak here even when its model is installed; empty if it can."""


@runtime_checkable
class Voice(Protocol):
    """An opened voice."""

    @property
    def info(self) -> VoiceInfo:
        """Description of the voice."""
        ...

    def synthesize(self, text: str, *, rate: float = 1.0) -> Iterator[SpeechChunk]:
        """Speak a text, sentence by sentence.

        Parameters
        ----------
        text : str
            Any length; it is read as the chunks are asked for.
        rate : float
            Speaking rate, 0.5 (slow) to 2.0 (fast), 1.0 is the voice's own.

        Yields
        ------
        SpeechChunk
            Chunks that follow each other without a gap, times in samples of the whole stream.

        Raises
        ------
        SpeechError
            The text holds nothing to speak, or words that this voice cannot speak.
        UsageError
            The rate is out of range.
        """
        ...

    def close(self) -> None:
        """Release the model."""
        ...


@dataclass(frozen=True, slots=True)
class Unit:
    """One symbol given to an acoustic model, and how long the model made it."""

    symbol: str
    """IPA phoneme, ``"_"`` for silence, or ``""`` for a mark that has no sound of its own."""
    duration: int
    """Samples."""
    stress: int = 0
    """0 none, 1 secondary, 2 primary."""
    word: int = -1
    """Index into the utterance's words; -1 if none."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What an engine returns for one sentence, before pauses are put in order."""

    samples: FloatArray
    """``(n,)`` float32."""
    units: tuple[Unit, ...]
    """Durations add up to ``n``."""
    words: tuple[str, ...]
    """Words as written, in the order spoken."""
