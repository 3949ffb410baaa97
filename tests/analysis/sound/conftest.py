from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeavatar.analysis.sound_findings import SoundFindings
from edgeavatar.audio import decode_audio, open_vad
from edgeavatar.audio.vad import VoiceActivityDetector
from edgeavatar.pipeline.sound_analysis import findings_of
from edgeavatar.types import AudioChunk

RATE = 16000


@pytest.fixture(scope="session")
def reading_path(model_store: Any) -> Path:
    path: Path = model_store.resolve("fixture-speech")["two_cities"]
    return path


@pytest.fixture(scope="session")
def reading(reading_path: Path) -> np.ndarray:
    """Give the first 15 s, at 16 kHz; its own noise is 25 dB below the speech."""
    sound = np.concatenate([c.samples for c in decode_audio(reading_path, RATE)])
    return (4.0 * sound[: 15 * RATE]).astype(np.float32)


@pytest.fixture(scope="session")
def detector(model_store: Any) -> Iterator[VoiceActivityDetector]:
    model_store.resolve("vad-silero")
    opened = open_vad()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def find(detector: VoiceActivityDetector) -> Callable[..., SoundFindings]:
    """Analyse samples, without words."""

    def analyse(samples: np.ndarray, rate: int = RATE) -> SoundFindings:
        size = 7000
        chunks = (
            AudioChunk(samples[i : i + size].astype(np.float32), rate, i)
            for i in range(0, len(samples), size)
        )
        return findings_of(chunks, rate, detector)

    return analyse
