"""How fast a voice is on this machine, measured once and remembered."""

from __future__ import annotations

import json
import os
import platform
import time
from typing import TYPE_CHECKING

from edgeavatar import zoo
from edgeavatar.speech.catalogue import open_voice

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edgeavatar.backends import TunedModels
    from edgeavatar.speech.base import VoiceInfo
    from edgeavatar.types import SpeechChunk

_FAST = 0.3
_SAMPLE = {
    "en": "The quick brown fox jumps over the lazy dog, and nobody knows why it bothers to.",
    "es": "El veloz murciélago hindú comía feliz cardillo y kiwi en la plaza.",
    "fr": "Portez ce vieux whisky au juge blond qui fume sur la terrasse.",
    "hi": "आज मौसम बहुत अच्छा है और हम बाज़ार जा रहे हैं।",
    "it": "Pranzo d'acqua fa volti sghembi, e nessuno sa bene perché.",
    "pt": "Um pequeno jabuti xereta viu dez cegonhas felizes no jardim.",
}


def measure_speed(info: VoiceInfo, tuned: TunedModels | None = None) -> float:
    """Measure a voice's real-time factor here and remember it.

    Voices of one model run the same graph and share the figure.

    Parameters
    ----------
    info : VoiceInfo
        An installed voice.
    tuned : Mapping, optional
        What was measured on this machine, as for :func:`open_voice`.

    Returns
    -------
    float
        Seconds of work for one second of speech, model loaded.

    Raises
    ------
    ModelNotFound
        The voice is not installed.
    """
    voice = open_voice(info.name, tuned=tuned)
    try:
        text = _SAMPLE[info.languages[0].split("-")[0]]
        factor = _time(voice.synthesize(text))
        # A fast voice is timed again: its first sentence also loads dictionaries.
        if factor < _FAST:
            factor = min(_time(voice.synthesize(text)) for _ in range(3))
    finally:
        voice.close()
    _remember(_key(info, tuned), factor)
    return factor


def known_speed(info: VoiceInfo, tuned: TunedModels | None = None) -> float | None:
    """Give the real-time factor measured earlier on this machine.

    Parameters
    ----------
    info : VoiceInfo
        An installed voice.
    tuned : Mapping, optional
        As for :func:`measure_speed`.

    Returns
    -------
    float or None
        None if it was never measured with these versions, or in the way that ``tuned`` asks for.
    """
    value = _read().get(_key(info, tuned))
    return float(value) if isinstance(value, int | float) else None


def _time(chunks: Iterable[SpeechChunk]) -> float:
    start = time.perf_counter()
    seconds = 0.0
    for chunk in chunks:
        seconds += len(chunk.audio.samples) / chunk.audio.sample_rate
    return (time.perf_counter() - start) / seconds


def _key(info: VoiceInfo, tuned: TunedModels | None) -> str:
    from importlib.metadata import version

    setting = tuned.get(zoo.file_of(info.model, "acoustic")) if tuned else None
    way = f" {setting.path.name} {setting.backend} {setting.threads}" if setting else ""
    return (
        f"{info.model} onnxruntime {version('onnxruntime')} {platform.machine()} "
        f"{_processor()} x{os.cpu_count()}{way}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor()


def _file() -> Path:
    from edgeavatar.backends.cache import cache_folder

    return cache_folder().parent / "voice-speed.json"


def _read() -> dict[str, object]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(key: str, factor: float) -> None:
    """Write the figure; a cache that cannot be written is no error."""
    path = _file()
    temporary = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        known = _read() | {key: round(factor, 4)}
        temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
