"""Synthetic speech with exact phoneme times: many voices, and voices between voices."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeavatar import zoo
from edgeavatar.audio.resample import resample_stream
from edgeavatar.speech import open_voice
from edgeavatar.speech.base import Voice
from edgeavatar.types import AudioChunk, PhonemeTiming, SpeechChunk

Floats = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
SENTENCES = Path(__file__).with_name("sentences.txt")

HELD_OUT = ("af_sarah", "am_liam", "bm_lewis", "en_US-joe")
"""Never learned from, not even as a part of a mixture."""
KOKORO = (
    *("af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole"),
    *("af_nova", "af_river", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir"),
    *("am_michael", "am_onyx", "am_puck", "am_santa", "bf_alice", "bf_emma", "bf_isabella"),
    *("bf_lily", "bm_daniel", "bm_fable", "bm_george"),
)
MIXTURES = 30
"""Voices that are a weighted mean of two of Kokoro's style tables: nobody else has them."""
_SENTENCES_OF_A_VOICE = 14
_SENTENCES_OF_A_MIXTURE = 12
_SENTENCES_HELD_OUT = 12
_RATES = (0.8, 0.9, 1.0, 1.1, 1.25)
_HIBARI_RATES = (0.8, 1.0, 1.2)


@dataclass(frozen=True, slots=True)
class Take:
    """One voice and the sentences it says."""

    voice: str
    other: str
    """Second voice of a mixture; empty for a plain voice."""
    share: float
    """Weight of ``other``."""
    rate: float
    sentences: tuple[str, ...]
    held_out: bool

    @property
    def name(self) -> str:
        """Name of the voice, the same for all its takes."""
        return f"{self.voice}+{self.other}-{self.share:.2f}" if self.other else self.voice

    @property
    def stem(self) -> str:
        """Name of the file that caches it."""
        return f"{self.name}-{self.rate:g}"


@dataclass(frozen=True, slots=True)
class SpokenTake:
    """Sound and the phonemes in it."""

    take: Take
    samples: Floats
    """``(n,)`` at 16 kHz in [-1, 1]."""
    speech: SpeechChunk
    """Phonemes and words of the whole take, in samples of the voice's own rate; its sound is
    silent, only the length is right."""


def takes() -> list[Take]:
    """List what is spoken, in an order in which any beginning holds many voices."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    draw = np.random.default_rng(3)
    turn = 0

    def some(count: int) -> tuple[str, ...]:
        nonlocal turn
        chosen = tuple(lines[(turn + i) % len(lines)] for i in range(count))
        turn += count
        return chosen

    listed = [Take(v, "", 0.0, 1.0, some(_SENTENCES_HELD_OUT), True) for v in HELD_OUT]
    listed += [Take("hibari", "", 0.0, rate, tuple(lines), False) for rate in _HIBARI_RATES]
    plain = [
        Take(v, "", 0.0, float(draw.choice(_RATES)), some(_SENTENCES_OF_A_VOICE), False)
        for v in KOKORO
    ]
    mixed = []
    for _ in range(MIXTURES):
        one, other = draw.choice(KOKORO, 2, replace=False)
        share, rate = float(draw.uniform(0.3, 0.7)), float(draw.choice(_RATES))
        mixed.append(Take(str(one), str(other), share, rate, some(_SENTENCES_OF_A_MIXTURE), False))
    while plain or mixed:
        listed += [pile.pop(0) for pile in (plain, mixed) if pile]
    return listed


def spoken_takes(cache: Path) -> Iterator[SpokenTake]:
    """Speak every take, or read what was spoken before."""
    cache.mkdir(parents=True, exist_ok=True)
    for take in takes():
        path = cache / f"{take.stem}.npz"
        if not path.exists():
            _store(path, take)
        with np.load(path) as stored:
            yield _read(take, stored["samples"], json.loads(str(stored["speech"])))


def _read(take: Take, samples: npt.NDArray[np.int16], speech: dict[str, object]) -> SpokenTake:
    phonemes = tuple(PhonemeTiming(*entry) for entry in speech["phonemes"])  # type: ignore[attr-defined]
    rate = int(speech["rate"])  # type: ignore[call-overload]
    silent = np.zeros(phonemes[-1].end_sample, np.float32)
    chunk = SpeechChunk(AudioChunk(silent, rate), " ".join(take.sentences), phonemes, ())
    return SpokenTake(take, samples.astype(np.float32) / 32768.0, chunk)


def _store(path: Path, take: Take) -> None:
    with tempfile.TemporaryDirectory() as folder:
        voice = _open(take, Path(folder))
        chunks = list(voice.synthesize(" ".join(take.sentences), rate=take.rate))
        voice.close()
    resampled = resample_stream((c.audio for c in chunks), SAMPLE_RATE)
    samples = np.concatenate([c.samples for c in resampled])
    speech = {
        "rate": chunks[0].audio.sample_rate,
        "phonemes": [
            [p.symbol, p.start_sample, p.end_sample, p.stress, p.word]
            for c in chunks
            for p in c.phonemes
        ],
    }
    draft = path.with_suffix(".part.npz")
    levels = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    np.savez(draft, samples=levels, speech=json.dumps(speech, ensure_ascii=False))
    draft.replace(path)


def _open(take: Take, folder: Path) -> Voice:
    if not take.other:
        return open_voice(take.voice)
    from edgeavatar.backends import open_session
    from edgeavatar.speech import find_voice, kokoro

    info = find_voice(take.voice)
    files = zoo.resolve(info.model)
    one, other = (np.fromfile(files[f"voice:{v}"], "<f4") for v in (take.voice, take.other))
    style = folder / "style.bin"
    ((1.0 - take.share) * one + take.share * other).astype("<f4").tofile(style)
    session = open_session(files["acoustic"], outputs=[kokoro.DURATIONS])
    vocabulary = json.loads(files["vocab"].read_text(encoding="utf-8"))
    return kokoro.KokoroVoice(info, session, style, vocabulary, lambda _: "")
