"""Words to speech with exact phoneme times, and speech to words."""

from __future__ import annotations

from edgeavatar.speech.base import Voice, VoiceInfo
from edgeavatar.speech.catalogue import list_voices, open_voice

__all__ = ["Voice", "VoiceInfo", "list_voices", "open_voice"]
