"""Words to speech with exact phoneme times, and speech to words."""

from __future__ import annotations

from edgeavatar.speech.base import MAX_RATE, MIN_RATE, Voice, VoiceInfo
from edgeavatar.speech.catalogue import (
    DEFAULT_VOICE,
    find_voice,
    is_installed,
    list_voices,
    open_voice,
)
from edgeavatar.speech.speed import known_speed, measure_speed
from edgeavatar.speech.transcription import Recognizer, Segment, open_recognizer, transcribe

__all__ = [
    "DEFAULT_VOICE",
    "MAX_RATE",
    "MIN_RATE",
    "Recognizer",
    "Segment",
    "Voice",
    "VoiceInfo",
    "find_voice",
    "is_installed",
    "known_speed",
    "list_voices",
    "measure_speed",
    "open_recognizer",
    "open_voice",
    "transcribe",
]
