"""Synthetic speech with exact phoneme times: many voices, and voices between voices."""

from __future__ import annotations

import gzip
import itertools
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
FOREIGN = (
    *("ef_dora", "em_alex", "em_santa", "ff_siwis", "hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
    *("if_sara", "im_nicola", "jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"),
    *("pf_dora", "pm_alex", "pm_santa", "zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi"),
    *("zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang"),
)
"""They say English sentences with an accent."""
STRANGERS, WORDY_STRANGERS, BRITISH_STRANGERS = 120, 60, 60
LATE_STRANGERS = 120
"""Voices that nobody has: three style tables of Kokoro mixed, then moved away from their mean. The
first say sentences, the others random words; the British as the British say them, and every other
late one."""
_STRETCH = 1.2
"""How far: mixtures alone lie nearer to the mean voice than real ones do."""
_BRITISH = "bf_alice"
_SENTENCES_OF_A_VOICE = 14
_SENTENCES_OF_A_FOREIGNER = 10
_SENTENCES_OF_A_STRANGER = 6
_SENTENCES_HELD_OUT = 12
_WORDY_HIBARI = 420
"""Random words in a row: a listener that hears few sentences learns the sentences by heart."""
_RATES = (0.8, 0.9, 1.0, 1.1, 1.25)
_HIBARI_RATES = (0.8, 1.0, 1.2)


_SMALL_WORDS = (
    *("the", "a", "of", "and", "to", "in", "is", "it", "was", "for", "on", "are", "with", "they"),
    *("be", "at", "this", "my", "from", "or", "by", "but", "what", "we", "your", "can", "there"),
)


@dataclass(frozen=True, slots=True)
class Take:
    """One voice and the sentences it says."""

    voice: str
    blend: tuple[tuple[str, float], ...]
    """Kokoro's voices and their weights, made to speak English; empty for a voice as it is."""
    rate: float
    sentences: tuple[str, ...]
    held_out: bool
    wordy: bool = False
    """The sentences are random words."""
    british: bool = False
    """A blend speaks British English."""

    @property
    def stem(self) -> str:
        """Name of the file that caches it."""
        return f"{self.voice}-{self.rate:g}{'-words' if self.wordy else ''}"


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

    words = wordy_sentences()

    def some_words(count: int) -> tuple[str, ...]:
        return tuple(itertools.islice(words, count))

    # Nobody else says what the held-out voices say.
    listed = [Take(v, (), 1.0, some_words(_SENTENCES_HELD_OUT), True, wordy=True) for v in HELD_OUT]
    turn = len(HELD_OUT) * _SENTENCES_HELD_OUT
    listed += [
        Take("hibari", (), rate, some_words(_WORDY_HIBARI), False, wordy=True)
        for rate in _HIBARI_RATES
    ]
    listed += [Take("hibari", (), rate, tuple(lines), False) for rate in _HIBARI_RATES]
    native = [
        Take(v, (), float(draw.choice(_RATES)), some(_SENTENCES_OF_A_VOICE), False) for v in KOKORO
    ]
    foreign = [
        Take(v, ((v, 1.0),), float(draw.choice(_RATES)), some(_SENTENCES_OF_A_FOREIGNER), False)
        for v in FOREIGN
    ]
    everybody = np.array(KOKORO + FOREIGN)

    def stranger(number: int, *, wordy: bool, british: bool) -> Take:
        parts = draw.choice(everybody, 3, replace=False).tolist()
        weights = draw.dirichlet([0.7] * 3).tolist()
        blend = tuple(zip(parts, weights, strict=True))
        rate = float(draw.choice(_RATES))
        said = (some_words if wordy else some)(_SENTENCES_OF_A_STRANGER)
        return Take(f"stranger{number:03}", blend, rate, said, False, wordy, british)

    first_british = STRANGERS + WORDY_STRANGERS
    first_late = first_british + BRITISH_STRANGERS
    strangers = [
        stranger(i, wordy=i >= STRANGERS, british=i >= first_british) for i in range(first_late)
    ]
    # Everybody has said sentences that others say as well; now what nobody else does.
    wordy_native = [
        replace(
            take,
            rate=float(draw.choice(_RATES)),
            sentences=some_words(_SENTENCES_OF_A_VOICE),
            wordy=True,
        )
        for take in native
    ]
    wordy_foreign = [
        replace(
            take,
            rate=float(draw.choice(_RATES)),
            sentences=some_words(_SENTENCES_OF_A_FOREIGNER),
            wordy=True,
            british=i % 2 == 1,
        )
        for i, take in enumerate(foreign)
    ]
    late = [stranger(first_late + i, wordy=True, british=i % 2 == 1) for i in range(LATE_STRANGERS)]
    piles = (native, foreign, strangers, strangers, wordy_native, wordy_foreign, late)
    while any(piles):
        listed += [pile.pop(0) for pile in piles if pile]
    return listed


def wordy_sentences(seed: int = 9) -> Iterator[str]:
    """Draw words of the default voice's lexicon, four to eight in a row, with small words between.

    The lexicon is hibari's (misaki's, Apache-2.0): some 80 thousand words, so hardly two rows share
    one. Nobody would say this; but every sound meets every other.
    """
    import hibari

    path = Path(hibari.__file__).parent / "assets" / "lexicon_us_gold.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lexicon = json.load(file)
    known = sorted(w for w in lexicon if w.isascii() and w.isalpha() and w.islower())
    known = [w for w in known if 2 < len(w) < 11]
    draw = np.random.default_rng(seed)
    while True:
        row = []
        for _ in range(int(draw.integers(4, 9))):
            if draw.random() < 0.35:
                row.append(str(draw.choice(_SMALL_WORDS)))
            row.append(known[int(draw.integers(len(known)))])
        if len(row) > 6 and draw.random() < 0.4:
            row[len(row) // 2] += ","
        yield f"{' '.join(row).capitalize()}."


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
    if not take.blend:
        return open_voice(take.voice)
    from edgeavatar.backends import open_session
    from edgeavatar.speech import find_voice, kokoro

    # English is what it speaks, whoever lends the timbre.
    info = find_voice(_BRITISH if take.british else KOKORO[0])
    files = zoo.resolve(info.model)

    def style_of(voice: str) -> Floats:
        return np.fromfile(files[f"voice:{voice}"], "<f4")

    mixed = sum(weight * style_of(voice) for voice, weight in take.blend)
    if len(take.blend) > 1:
        mean = np.mean([style_of(voice) for voice in KOKORO + FOREIGN], axis=0)
        mixed = mean + _STRETCH * (mixed - mean)
    style = folder / "style.bin"
    np.asarray(mixed, "<f4").tofile(style)
    session = open_session(files["acoustic"], outputs=[kokoro.DURATIONS])
    vocabulary = json.loads(files["vocab"].read_text(encoding="utf-8"))
    return kokoro.KokoroVoice(info, session, style, vocabulary, lambda _: "")
