"""Voices of others: with the durations of their phonemes, and packed for sherpa-onnx."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from edgeavatar import zoo
from edgeavatar.backends import open_session
from edgeavatar.backends.onnx_graph import add_graph_outputs
from edgeavatar.speech import hibari, kokoro, piper
from edgeavatar.speech.base import Voice
from edgeavatar.speech.catalogue import find_voice
from edgeavatar.speech.english import phonemize
from export.calibration import RecordingSession
from export.converting import Conversion, Tell
from export.gates import Gate
from export.graph import save
from export.recipes.asr import words_heard
from export.recipes.base import Feeds
from export.recipes.lexicon import (
    Reading,
    english_words,
    espeak_reading,
    lexicon,
    misaki_reading,
)

Sound = npt.NDArray[np.float32]

_SENTENCE = "Please leave your umbrella by the front door before you come in."
_KOKORO_VOICE = "af_heart"
_PIPER_HOP = 256
_SAME_SOUND = 1e-4
"""Difference of two runs of one graph over the largest value: rounding of 32 bit numbers."""
_SAME_ELSEWHERE = 1e-2
"""The same, of two builds of onnxruntime, which may sum otherwise: 40 dB below the loudest."""
_SAME_LENGTH = 0.05


def _joe() -> tuple[RecordingSession, Voice]:
    files = zoo.resolve("voice-joe")
    session = _session(files["acoustic"], piper.DURATIONS)
    info = find_voice("joe")
    return session, piper.PiperVoice(info, session, files["config"], _no_advice)  # type: ignore[arg-type]


def _hibari() -> tuple[RecordingSession, Voice]:
    files = zoo.resolve("voice-hibari")
    session = _session(files["acoustic"], hibari.DURATIONS)
    info = find_voice("hibari")
    return session, hibari.HibariVoice(info, session, _vocabulary("voice-hibari"), _no_advice)  # type: ignore[arg-type]


def _kokoro() -> tuple[RecordingSession, Voice]:
    files = zoo.resolve("voice-kokoro")
    session = _session(files["acoustic"], kokoro.DURATIONS)
    info, vocabulary = find_voice(_KOKORO_VOICE), _vocabulary("voice-kokoro")
    style = files[f"voice:{_KOKORO_VOICE}"]
    return session, kokoro.KokoroVoice(info, session, style, vocabulary, _no_advice)  # type: ignore[arg-type]


def _session(path: Path, durations: str) -> RecordingSession:
    return RecordingSession(open_session(path, backend="onnxruntime", outputs=[durations]))


def _vocabulary(model: str) -> dict[str, int]:
    vocabulary: dict[str, int] = json.loads(zoo.file_of(model, "vocab").read_text(encoding="utf-8"))
    return vocabulary


def _no_advice(script: str) -> str:
    return f"{script} is not read here"


def _asked(opened: Callable[[], tuple[RecordingSession, Voice]]) -> Feeds:
    """Give what a voice asks its graph when it speaks the sentence."""
    session, voice = opened()
    for _ in voice.synthesize(_SENTENCE):
        pass
    voice.close()
    feeds = dict(session.taken[0])
    if "scales" in feeds:
        # Noise would make every run of a Piper graph another.
        feeds["scales"] = feeds["scales"] * np.array([0.0, 1.0, 0.0], np.float32)
    return feeds


def with_durations(path: Path, durations: str, shape: Iterable[str | int]) -> onnx.ModelProto:
    """Read a graph and declare the durations of its phonemes as its last output.

    Parameters
    ----------
    path
        ONNX file.
    durations
        Name of a value inside.
    shape
        Of that value; names for what varies.

    Raises
    ------
    BackendError
        The graph has no such value.
    """
    content = add_graph_outputs(path.read_bytes(), [durations], what=path.name)
    model = onnx.load_from_string(content)
    declared = helper.make_tensor_value_info(durations, TensorProto.FLOAT, list(shape))
    model.graph.output[-1].CopyFrom(declared)
    onnx.checker.check_model(model)
    return model


def _with_durations(
    folder: Path,
    tell: Tell,
    *,
    model: str,
    durations: str,
    shape: tuple[str | int, ...],
    unit: int,
    sound: str,
    opened: Callable[[], tuple[RecordingSession, Voice]],
) -> list[Gate]:
    before = zoo.file_of(model, "acoustic")
    path = folder / before.name
    tell("declaring the durations")
    save(with_durations(before, durations, shape), path)
    tell("speaking with both graphs")
    feeds = _asked(opened)
    with open_session(before, backend="onnxruntime") as old:
        right = old.run(feeds)
    with open_session(path, backend="onnxruntime") as new:
        made = new.run(feeds)
    length = made[sound].shape[-1]
    total = round(float(np.round(made[durations]).sum())) * unit
    return [
        _same("same outputs as before", right, made, _SAME_SOUND),
        Gate("durations add up", f"{total}", f"{length}", total == length),
    ]


def _make_joe(folder: Path, tell: Tell) -> list[Gate]:
    files = zoo.resolve("voice-joe")
    checks = _with_durations(
        folder,
        tell,
        model="voice-joe",
        durations=piper.DURATIONS,
        shape=("batch_size", 1, "phonemes"),
        unit=_PIPER_HOP,
        sound="output",
        opened=_joe,
    )
    config = json.loads(files["config"].read_text(encoding="utf-8"))
    # What piper-tts multiplies durations by.
    config["hop_length"] = _PIPER_HOP
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / files["config"].name).write_text(text, encoding="utf-8")
    tell("speaking with piper-tts")
    return [*checks, _aligned(folder / files["acoustic"].name)]


def _aligned(path: Path) -> Gate:
    # GPL-3.0; it is used here and nothing of it goes into the files.
    from piper.voice import PiperVoice

    voice = PiperVoice.load(path)
    made, found = 0, 0
    for chunk in voice.synthesize(_SENTENCE, include_alignments=True):
        made += len(chunk.audio_float_array)
        found += sum(int(part.num_samples) for part in chunk.phoneme_alignments or ())
    return Gate("piper-tts aligns", f"{found} samples", f"{made} samples", 0 < found == made)


def _same(name: str, right: Mapping[str, Any], made: Mapping[str, Any], bound: float) -> Gate:
    away = max(
        float(np.abs(made[key] - value).max()) / float(np.abs(value).max())
        if made[key].shape == value.shape
        else np.inf
        for key, value in right.items()
    )
    return Gate(name, f"{away:.1e} away", f"at most {bound:.0e}", bool(away <= bound))


def _make_sherpa_piper(
    folder: Path, tell: Tell, words: Callable[[], Iterable[str]] = english_words
) -> list[Gate]:
    from edgeavatar.speech.espeak import Phonemizer, PiperModel

    files = zoo.resolve("voice-joe")
    config = json.loads(files["config"].read_text(encoding="utf-8"))
    symbols: dict[str, list[int]] = config["phoneme_id_map"]
    spoken = str(config["espeak"]["voice"])
    facts = {
        "model_type": "vits",
        "comment": "piper",
        "language": "English",
        "voice": spoken,
        "has_espeak": 1,
        "n_speakers": config["num_speakers"],
        "sample_rate": config["audio"]["sample_rate"],
        # What piper-tts puts between phonemes, where words are looked up.
        "add_blank": 1,
        "punctuation": " ".join(mark for mark in ",.?!;:" if mark in symbols),
    }
    save(_described(files["acoustic"], facts), folder / "model.onnx")
    _write_tokens(folder, {symbol: ids[0] for symbol, ids in symbols.items()})
    reading = espeak_reading(Phonemizer(spoken).phonemes)
    _write_lexicon(folder, tell, words(), reading, symbols)
    tell("speaking with sherpa-onnx")
    feeds = _asked(_joe)
    with open_session(files["acoustic"], backend="onnxruntime") as session:
        right = session.run(feeds)["output"].reshape(-1)
        phonemes = PiperModel(session, files["config"]).phonemes(_SENTENCE)

    def settings(looked_up: bool) -> Any:
        import sherpa_onnx

        part = sherpa_onnx.OfflineTtsVitsModelConfig(
            model=str(folder / "model.onnx"),
            tokens=str(folder / "tokens.txt"),
            lexicon=str(folder / "lexicon.txt") if looked_up else "",
            noise_scale=0.0,
            noise_scale_w=0.0,
        )
        return sherpa_onnx.OfflineTtsModelConfig(vits=part, num_threads=1)

    return _spoken(settings, 0, phonemes, lambda made: _as_loud(right, made))


def _make_sherpa_kokoro(
    folder: Path, tell: Tell, words: Callable[[], Iterable[str]] = english_words
) -> list[Gate]:
    files = zoo.resolve("voice-kokoro")
    vocabulary = _vocabulary("voice-kokoro")
    names = sorted(key for key in files if key.startswith("voice:"))
    facts = {
        "model_type": "kokoro",
        "version": 2,
        "language": "English",
        "voice": "en-us",
        "has_espeak": 1,
        "n_speakers": len(names),
        "speaker_names": ",".join(name.removeprefix("voice:") for name in names),
        "style_dim": f"{kokoro.MAX_LETTERS},1,256",
        "sample_rate": 24000,
    }
    tell("writing 54 voices")
    save(_described(files["acoustic"], facts), folder / "model.onnx")
    with (folder / "voices.bin").open("wb") as out:
        for name in names:
            styles = np.fromfile(files[name], "<f4").reshape(kokoro.MAX_LETTERS, -1)
            # sherpa-onnx takes row n for n phonemes, Kokoro was trained with row n - 1.
            out.write(np.concatenate([styles[:1], styles[:-1]]).tobytes())
    _write_tokens(folder, vocabulary)
    _write_lexicon(folder, tell, words(), misaki_reading, vocabulary)
    tell("speaking with sherpa-onnx")
    feeds = _asked(_kokoro)
    with open_session(files["acoustic"], backend="onnxruntime") as session:
        right = session.run(feeds)["audio"].reshape(-1)
    phonemes = [x.char for x in phonemize(_SENTENCE)[1] if x.char in vocabulary]

    def settings(looked_up: bool) -> Any:
        import sherpa_onnx

        part = sherpa_onnx.OfflineTtsKokoroModelConfig(
            model=str(folder / "model.onnx"),
            voices=str(folder / "voices.bin"),
            tokens=str(folder / "tokens.txt"),
            lexicon=str(folder / "lexicon.txt") if looked_up else "",
        )
        return sherpa_onnx.OfflineTtsModelConfig(kokoro=part, num_threads=1)

    speaker = names.index(f"voice:{_KOKORO_VOICE}")
    return _spoken(settings, speaker, phonemes, lambda made: _as_long(right, made))


def _as_loud(right: Sound, made: Sound) -> Gate:
    return _same("phonemes sound as here", {"sound": right}, {"sound": made}, _SAME_ELSEWHERE)


def _as_long(right: Sound, made: Sound) -> Gate:
    # INT8 rounds otherwise in sherpa-onnx's own onnxruntime, and then some phonemes last longer.
    away = abs(len(made) - len(right)) / len(right)
    found, wanted = f"{len(made)} samples", f"{len(right)}, within {_SAME_LENGTH:.0%}"
    return Gate("phonemes last as here", found, wanted, away <= _SAME_LENGTH)


def _described(path: Path, facts: Mapping[str, object]) -> onnx.ModelProto:
    model = onnx.load(str(path))
    helper.set_model_props(model, {key: str(value) for key, value in facts.items()})
    return model


def _write_tokens(folder: Path, ids: Mapping[str, int]) -> None:
    text = "".join(f"{symbol} {number}\n" for symbol, number in ids.items())
    (folder / "tokens.txt").write_text(text, encoding="utf-8")


def _write_lexicon(
    folder: Path, tell: Tell, words: Iterable[str], reading: Reading, known: Iterable[str]
) -> None:
    words = list(words)
    tell(f"reading {len(words)} words")
    (folder / "lexicon.txt").write_text(lexicon(words, reading, known), encoding="utf-8")


def _spoken(
    settings: Callable[[bool], Any],
    speaker: int,
    phonemes: Iterable[str],
    compare: Callable[[Sound], Gate],
) -> list[Gate]:
    """Speak with sherpa-onnx, by phonemes and by words."""
    import sherpa_onnx

    asked = sherpa_onnx.GenerationConfig()
    asked.sid = speaker
    asked.silence_scale = 1.0
    reader = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=settings(True)))
    by_words = reader.generate(_SENTENCE, asked)
    del reader
    asked.phoneme_codepoints = [[ord(phoneme) for phoneme in phonemes]]
    speaker_of_phonemes = sherpa_onnx.OfflineTts(
        sherpa_onnx.OfflineTtsConfig(model=settings(False))
    )
    by_phonemes = speaker_of_phonemes.generate("", asked)
    first, second = (np.array(a.samples, np.float32) for a in (by_phonemes, by_words))
    rate = int(by_phonemes.sample_rate)
    return [
        compare(first),
        words_heard("words of phonemes", _SENTENCE, first, rate),
        words_heard("words of a text", _SENTENCE, second, rate),
    ]


_SHERPA_NOTE = "Needs sherpa-onnx 2.0 or later."

RECIPES = (
    Conversion(
        name="voice-joe",
        title="the Piper voice en_US-joe, with the durations of its phonemes",
        model="voice-joe",
        usage=(
            '`piper.PiperVoice.load("en_US-joe-medium.onnx").synthesize(text, '
            "include_alignments=True)`"
        ),
        files=("en_US-joe-medium.onnx", "en_US-joe-medium.onnx.json"),
        make=_make_joe,
        note="piper-tts, which speaks it, is GPL-3.0-or-later; nothing of it is in the files.",
    ),
    Conversion(
        name="voice-hibari",
        title="the voice hibari, with the durations of its phonemes",
        model="voice-hibari",
        usage=(
            f"The output `{hibari.DURATIONS}` counts 600 samples, two spectral frames, for each "
            "input id."
        ),
        files=("hibari.onnx",),
        make=partial(
            _with_durations,
            model="voice-hibari",
            durations=hibari.DURATIONS,
            shape=("L",),
            unit=2,
            sound="f0",
            opened=_hibari,
        ),
    ),
    Conversion(
        name="voice-kokoro",
        title="Kokoro, with the durations of its phonemes",
        model="voice-kokoro",
        usage=f"The output `{kokoro.DURATIONS}` counts 600 samples for each input id.",
        files=("kokoro-v1.0.int8.onnx",),
        make=partial(
            _with_durations,
            model="voice-kokoro",
            durations=kokoro.DURATIONS,
            shape=(1, "sequence_length"),
            unit=kokoro.SAMPLES_PER_UNIT,
            sound="audio",
            opened=_kokoro,
        ),
    ),
    Conversion(
        name="sherpa-piper",
        title="the Piper voice en_US-joe, for sherpa-onnx",
        model="voice-joe",
        usage=(
            "`sherpa_onnx.OfflineTtsVitsModelConfig("
            'model="model.onnx", tokens="tokens.txt", lexicon="lexicon.txt")`; words that '
            "`lexicon.txt` does not have are not spoken. Without `lexicon`, give phonemes of "
            "espeak-ng in `GenerationConfig.phoneme_codepoints`, which reads every word."
        ),
        files=("model.onnx", "tokens.txt", "lexicon.txt"),
        make=_make_sherpa_piper,
        note=(
            "`lexicon.txt` was written by running espeak-ng (GPL-3.0-or-later); nothing of "
            f"espeak-ng itself is in the folder. {_SHERPA_NOTE}"
        ),
    ),
    Conversion(
        name="sherpa-kokoro",
        title="Kokoro with 54 voices, for sherpa-onnx",
        model="voice-kokoro",
        usage=(
            "`sherpa_onnx.OfflineTtsKokoroModelConfig("
            'model="model.onnx", voices="voices.bin", tokens="tokens.txt", '
            'lexicon="lexicon.txt")`; words that `lexicon.txt` does not have are not spoken. '
            "Without `lexicon`, give phonemes of misaki in `GenerationConfig.phoneme_codepoints`. "
            "`lexicon.txt` is American English; voices of other languages need phonemes."
        ),
        files=("model.onnx", "voices.bin", "tokens.txt", "lexicon.txt"),
        make=_make_sherpa_kokoro,
        note=f"`lexicon.txt` comes from the dictionary of misaki (Apache-2.0). {_SHERPA_NOTE}",
    ),
)
