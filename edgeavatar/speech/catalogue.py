"""The voices that exist, and how to open one."""

from __future__ import annotations

import difflib
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from edgeavatar import zoo
from edgeavatar.errors import SpeechError
from edgeavatar.speech.base import Voice, VoiceInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeavatar.backends import BackendChoice, DeviceChoice, Session, TunedModels

DEFAULT_VOICE = "hibari"
"""Winner of the comparison in ``docs/voices.md``."""

_KOKORO_PREFIX = "voice:"
_LANGUAGE_OF = {
    "a": ("en-US", "American English"),
    "b": ("en-GB", "British English"),
    "e": ("es-ES", "Spanish"),
    "f": ("fr-FR", "French"),
    "h": ("hi-IN", "Hindi"),
    "i": ("it-IT", "Italian"),
    "j": ("ja-JP", "Japanese"),
    "p": ("pt-BR", "Brazilian Portuguese"),
    "z": ("zh-CN", "Mandarin Chinese"),
}
_NO_PHONEMES = {
    "ja-JP": "Japanese, which needs a grapheme-to-phoneme library that edgeavatar does not have",
    "zh-CN": "Mandarin, which needs a grapheme-to-phoneme library that edgeavatar does not have",
}
_ALIASES = {"joe": "en_US-joe", "default": DEFAULT_VOICE}
_UNVOICED_SCRIPTS = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
_SCRIPT_LANGUAGES = {"DEVANAGARI": "hi-IN"}


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, VoiceInfo]:
    manifest = zoo.load_manifest()
    hibari, kokoro, joe = (
        manifest.model(name) for name in ("voice-hibari", "voice-kokoro", "voice-joe")
    )
    voices = [
        VoiceInfo(
            name="hibari",
            engine="hibari",
            languages=("en-US",),
            gender="female",
            description="American English, small and fast",
            sample_rate=24000,
            model=hibari.name,
            licence=hibari.licence_weights,
            commercial_use=hibari.commercial_use,
        )
    ]
    names = [k.removeprefix(_KOKORO_PREFIX) for k in kokoro.files if k.startswith(_KOKORO_PREFIX)]
    for name in sorted(names):
        language, called = _LANGUAGE_OF[name[0]]
        needs = _NO_PHONEMES.get(language, "")
        voices.append(
            VoiceInfo(
                name=name,
                engine="kokoro",
                languages=(language,),
                gender="female" if name[1] == "f" else "male",
                description=called,
                sample_rate=24000,
                model=kokoro.name,
                licence=kokoro.licence_weights,
                commercial_use=kokoro.commercial_use,
                unavailable=needs,
            )
        )
    voices.append(
        VoiceInfo(
            name="en_US-joe",
            engine="piper",
            languages=("en-US",),
            gender="male",
            description="American English, through piper-tts (GPL-3.0)",
            sample_rate=22050,
            model=joe.name,
            licence=joe.licence_weights,
            commercial_use=joe.commercial_use,
        )
    )
    return {voice.name: voice for voice in voices}


def list_voices() -> list[VoiceInfo]:
    """List every voice the manifest knows, installed or not, the default one first.

    Returns
    -------
    list of VoiceInfo
    """
    voices = list(_catalogue().values())
    return sorted(voices, key=lambda v: v.name != DEFAULT_VOICE)


def is_installed(info: VoiceInfo) -> bool:
    """Tell whether a voice's model is in the store.

    Parameters
    ----------
    info : VoiceInfo
        From :func:`list_voices`.

    Returns
    -------
    bool
    """
    return zoo.is_installed(zoo.load_manifest().model(info.model))


def find_voice(name: str | None = None) -> VoiceInfo:
    """Find a voice by name.

    Parameters
    ----------
    name : str, optional
        As in :func:`list_voices`; the default voice if none.

    Returns
    -------
    VoiceInfo

    Raises
    ------
    SpeechError
        There is no such voice (the message lists close names), or it cannot speak here.
    """
    catalogue = _catalogue()
    wanted = _ALIASES.get(name or DEFAULT_VOICE, name or DEFAULT_VOICE)
    info = catalogue.get(wanted)
    if info is None:
        short = {key.split("_", 1)[-1].lower(): key for key in catalogue}
        close = difflib.get_close_matches(wanted, catalogue, n=3, cutoff=0.5)
        close += [
            short[k] for k in difflib.get_close_matches(wanted.lower(), short, n=3, cutoff=0.6)
        ]
        found = ", ".join(dict.fromkeys(close)) or f"{DEFAULT_VOICE} (default)"
        raise SpeechError(
            f"expected a known voice, found {wanted!r}; did you mean {found}? "
            "edgeavatar voices lists all"
        )
    if info.unavailable:
        raise SpeechError(
            f"voice {info.name!r} speaks {info.unavailable}; choose a voice of another language "
            "(edgeavatar voices)"
        )
    return info


def open_voice(
    name: str | None = None,
    *,
    backend: BackendChoice = "auto",
    device: DeviceChoice = "auto",
    threads: int | None = None,
    tuned: TunedModels | None = None,
) -> Voice:
    """Open a voice.

    Parameters
    ----------
    name : str, optional
        As in :func:`list_voices`; the default voice if none.
    backend, device, threads, tuned
        As for :func:`edgeavatar.backends.open_session`; hibari takes one thread if none is given
        and it was not measured.

    Returns
    -------
    Voice

    Raises
    ------
    SpeechError
        There is no such voice, or it cannot speak here.
    ModelNotFound
        Its model is not installed; the message names the command that installs it.
    """
    info = find_voice(name)
    files = zoo.resolve(info.model)

    def session(durations: str, *, threads: int | None = threads) -> Session:
        return _open(
            files["acoustic"],
            backend=backend,
            device=device,
            threads=threads,
            outputs=[durations],
            tuned=tuned,
        )

    if info.engine == "hibari":
        from edgeavatar.speech import hibari

        vocabulary = json.loads(files["vocab"].read_text(encoding="utf-8"))
        # So small that a second thread costs more than it brings.
        usual = None if tuned is not None and files["acoustic"] in tuned else 1
        model = session(hibari.DURATIONS, threads=threads or usual)
        return hibari.HibariVoice(info, model, vocabulary, _advice)
    if info.engine == "kokoro":
        from edgeavatar.speech import kokoro

        vocabulary = json.loads(files["vocab"].read_text(encoding="utf-8"))
        style = files[_KOKORO_PREFIX + info.name]
        return kokoro.KokoroVoice(info, session(kokoro.DURATIONS), style, vocabulary, _advice)
    from edgeavatar.speech import piper

    return piper.PiperVoice(info, session(piper.DURATIONS), files["config"], _advice)


def _open(
    path: Path,
    *,
    backend: BackendChoice,
    device: DeviceChoice,
    threads: int | None,
    outputs: Sequence[str],
    tuned: TunedModels | None,
) -> Session:
    from edgeavatar.backends import open_session

    return open_session(
        path, backend=backend, device=device, threads=threads, outputs=outputs, tuned=tuned
    )


def _advice(script: str) -> str:
    """Say which voice reads a script."""
    language = _SCRIPT_LANGUAGES.get(script)
    names = [v.name for v in list_voices() if v.languages[0] == language and not v.unavailable]
    if names:
        return f"use --voice {names[0]}"
    if script in _UNVOICED_SCRIPTS:
        return (
            "Japanese and Mandarin voices need a grapheme-to-phoneme library that edgeavatar does "
            "not have; give a text in another language"
        )
    return "no voice speaks a language written in them; transliterate or translate the text"
