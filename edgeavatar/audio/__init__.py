"""Sound: decode, resample, measure, level, hear where speech is."""

from __future__ import annotations

from edgeavatar.audio.decode import decode_audio, sound_duration_s
from edgeavatar.audio.loudness import level_speech, limit_peaks, measure_lufs
from edgeavatar.audio.resample import Resampler, resample, resample_stream
from edgeavatar.audio.vad import (
    SpeechSegment,
    VoiceActivityDetector,
    detect_speech,
    open_vad,
)
from edgeavatar.audio.wav import write_wav

__all__ = [
    "Resampler",
    "SpeechSegment",
    "VoiceActivityDetector",
    "decode_audio",
    "detect_speech",
    "level_speech",
    "limit_peaks",
    "measure_lufs",
    "open_vad",
    "resample",
    "resample_stream",
    "sound_duration_s",
    "write_wav",
]
