"""Moonshine for sherpa-onnx: its token table, in the form that sherpa-onnx reads."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeavatar import zoo
from edgeavatar.audio import decode_audio
from edgeavatar.audio.resample import resample_stream
from edgeavatar.speech.transcription import MODEL, SAMPLE_RATE, Recognizer, open_recognizer
from edgeavatar.types import AudioChunk
from export.converting import Conversion, Tell
from export.gates import Gate

Sound = npt.NDArray[np.float32]

_SAID = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better."
"""What the fixture ``beckett`` says."""
_FILES = ("encoder_model.ort", "decoder_model_merged.ort", "tokens.txt")


def words_of(text: str) -> str:
    """Give the words of a text, in small letters and without punctuation."""
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def words_heard(name: str, text: str, samples: Sound, rate: int) -> Gate:
    """Check that the installed recogniser hears the words of a text.

    Parameters
    ----------
    name
        Of the check.
    text
        What was to be said.
    samples
        ``(n,)`` float32.
    rate
        Hertz.
    """
    if not len(samples):
        return Gate(name, "no sound", words_of(text), passed=False)
    chunks = resample_stream([AudioChunk(samples, rate)], SAMPLE_RATE)
    return same_words(name, open_recognizer().recognize(_joined(chunks)), text)


def same_words(name: str, found: str, wanted: str) -> Gate:
    """Check that two texts have the same words."""
    heard, said = words_of(found), words_of(wanted)
    return Gate(name, heard, said, heard == said)


def _joined(chunks: Iterable[AudioChunk]) -> Sound:
    return np.concatenate([chunk.samples for chunk in chunks])


def _make(folder: Path, tell: Tell) -> list[Gate]:
    import sherpa_onnx

    files = zoo.resolve(MODEL)
    encoder, decoder, tokens = (folder / name for name in _FILES)
    tell("writing the token table")
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        # The runtime writes the table when it opens the recogniser.
        Recognizer(files["encoder"], files["decoder"], files["tokenizer"], cache=Path(cache))
        (written,) = Path(cache).glob("*.txt")
        written.replace(tokens)
    shutil.copyfile(files["encoder"], encoder)
    shutil.copyfile(files["decoder"], decoder)
    tell("transcribing a reading")
    recognizer = sherpa_onnx.OfflineRecognizer.from_moonshine_v2(
        encoder=str(encoder), decoder=str(decoder), tokens=str(tokens), num_threads=1
    )
    stream = recognizer.create_stream()
    reading = zoo.file_of("fixture-speech", "beckett")
    stream.accept_waveform(SAMPLE_RATE, _joined(decode_audio(reading, SAMPLE_RATE)))
    recognizer.decode_stream(stream)
    return [same_words("words of a reading", stream.result.text, _SAID)]


RECIPES = (
    Conversion(
        name="sherpa-moonshine",
        title="English speech recognition, for sherpa-onnx",
        model=MODEL,
        usage=(
            "`sherpa_onnx.OfflineRecognizer.from_moonshine_v2("
            'encoder="encoder_model.ort", decoder="decoder_model_merged.ort", tokens="tokens.txt")`'
        ),
        files=_FILES,
        make=_make,
    ),
)
