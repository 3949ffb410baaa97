"""Compare ways to move a mouth from sound or text: how well it speaks, how fast, how evenly.

Systems: ``loudness`` (an envelope that looks at the whole recording: what any learned model must
beat), ``previous`` (the frozen regression of ``benchmarks/previous``), ``current audio``
(``edgeavatar.motion.acoustics`` with the speech detector, as a recording is rendered) and
``current text`` (exact phonemes, where they are known). All tracks are looked at as a video of 25
frames a second shows them; measures are those of ``edgeavatar.motion.measures``.

Materials:

- ``voices``: voices that no model learned from say sentences that none learned from. The reference
  is the rule-based motion of the exact phonemes, which favours rules and models taught by them;
  only closures, false closures and leakage are independent of it.
- ``filmed``: GRID clips that no model learned from; the reference is the inner-lip gap that the
  face model sees, less its 5th percentile in the clip. Only word times are known. So a bilabial is
  the start of "bin blue by place please b p", and is hit by a closure within 80 ms; ``inner hit``
  leaves out words after a silence, when lips are closed anyway, and ``other hit`` is the same at
  the start of words that begin without the lips: by chance or by mumbling. An open vowel is the
  middle of "lay place at white five nine a i". Contrast is the mean gap there over the mean
  smallest gap within 80 ms of a bilabial. ``filmed mouth`` is the reference held against these
  measures itself: what word times and the face model allow.
- ``rig``: FACEGOOD, one actor speaking Mandarin; the reference is the opening that his rig's jaw
  and lip weights make, correlated in windows of 10 s.
- ``readings``: recordings of two readers; pauses are found by energy. Range and tempo are relative
  to the text-driven motion of the same passage at the same length.
- ``noise``: the voices with a fan, music, a low level, a telephone band, clipping.
- ``same``: how alike text and sound of the same words move the mouth: the default voice and the
  held-out ones say the sentences, and the track of their sound is held against that of their known
  phonemes, which here hears how loud they are as in a render.
- ``speed``: CPU time over duration on one core, sound to rows without the detector, median of 3;
  greatest difference between a recording heard whole and in pieces of 137 ms.

Columns: r at the best lag within 2 frames, and at no lag; that lag, and the best within 10
(frames, positive: late; median); bilabials closed, open vowels wrongly closed; contrast; share of
silent frames that leak; range and tempo of opening over those of the reference; jitter of the gap
in silence (px at a face height of 256).

    python benchmarks/motion.py [--quick] [--only voices speed] [--json FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt

from benchmarks.previous import audio_rows as previous_rows
from benchmarks.previous import learned_clips
from edgeavatar import zoo
from edgeavatar.audio import open_vad
from edgeavatar.audio.resample import resample
from edgeavatar.audio.vad import VoiceActivityDetector
from edgeavatar.errors import EdgeAvatarError
from edgeavatar.face.measures import inner_lip_gap
from edgeavatar.motion.acoustics import audio_rows
from edgeavatar.motion.aperture import lip_aperture
from edgeavatar.motion.coarticulation import phoneme_rows
from edgeavatar.motion.measures import (
    CLOSED_SHARE,
    SETTLE_S,
    Extent,
    articulation_ratio,
    closure,
    closure_contrast,
    correlation,
    extent,
    lip_jitter,
    silence_leakage,
)
from edgeavatar.motion.sampling import sample_rows
from edgeavatar.motion.visemes import ARTICULATORS, SILENCE, articulators_to_rows
from edgeavatar.speech import DEFAULT_VOICE, open_voice
from edgeavatar.types import AudioChunk, PhonemeTiming, SpeechChunk
from export.train.filmed import is_held_out, measured_clips
from export.train.spoken import HELD_OUT

Floats: TypeAlias = npt.NDArray[np.float32]
Move: TypeAlias = Callable[[Iterable[AudioChunk], Iterator[float]], Iterator[Floats]]

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_RATE = 16000
FPS = 25
BEST_LAG, WIDE_LAG = 2, 10
PROBABILITY_HOP = 512
"""Samples that one speech probability speaks of."""
PIECE = round(0.137 * SAMPLE_RATE)

SENTENCES = (
    "Pam's papa packed a basket of apples, plums, and ham for the picnic.",
    "Mark had a bad habit of rubbing his palms before an exam.",
    "A black lamb jumped over the barn gate and ran past my mother.",
    "Abby, am I mad, or is that a camel on top of the cab?",
    "My pal Bob bought a pack of maps at the camp shop.",
    "Mop up the mud, wipe the lamps, and empty the bath.",
    "Five calm men climbed up the path and put up a dam by noon.",
    "Remember, a damp match cannot make a campfire, but a lamp may help.",
)
"""Written for this comparison; said in two halves with a pause of one second between them."""
PAUSE_S = 1.0

BILABIAL_WORDS = frozenset({"bin", "blue", "by", "place", "please", "b", "p"})
OPEN_WORDS = frozenset({"lay", "place", "at", "white", "five", "nine", "a", "i"})
LABIAL_LETTERS = frozenset("bfmopvw")
"""Words that begin so (or with the w of "one") do not tell how often lips close without reason."""
NO_WORDS = frozenset({"sil", "sp"})
WORD_WINDOW_S = 0.08
"""Word times come from an aligner and are that uncertain."""

TWO_CITIES = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age "
    "of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the "
    "season of Light, it was the season of Darkness, it was the spring of hope, it was the winter "
    "of despair, we had everything before us, we had nothing before us, we were all going direct "
    "to Heaven, we were all going direct the other way. In short, the period was so far like the "
    "present period, that some of its noisiest authorities insisted on its being received, for "
    "good or for evil, in the superlative degree of comparison only."
)
"""Dickens, A Tale of Two Cities (1859): what the reader of ``two_cities`` says."""

SOME_SPEECH = "ə"
"""Stands for speech of which no more is known: neither a bilabial nor an open vowel."""


# ----------------------------------------------------------------------------------------- systems


def loudness_rows(samples: Floats) -> Floats:
    """Open the mouth with the energy of the sound: ``(n, 26)`` rows at 100 Hz.

    Log energy of 25 ms, smoothed over ±30 ms, from 6 dB above the floor of the whole recording (its
    5th percentile, but no more than 46 dB below the loud end) to the loud end (its 95th).
    """
    hop, width = SAMPLE_RATE // 100, SAMPLE_RATE // 40
    count = -(-len(samples) // hop)
    padded = np.zeros(count * hop + width)
    padded[width // 2 : width // 2 + len(samples)] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)[: count * hop : hop]
    level = 10.0 * np.log10((windows**2).mean(axis=1) + 1e-14)
    level = np.maximum(level, np.percentile(level, 95.0) - 60.0)
    kernel = np.hanning(9)[1:-1]
    level = np.convolve(np.pad(level, 3, mode="edge"), kernel / kernel.sum(), mode="valid")
    quiet, loud = np.percentile(level, [5.0, 95.0])
    floor = max(quiet, loud - 46.0) + 6.0
    opening = np.clip((level - floor) / max(loud - floor, 1.0), 0.0, 1.0)
    channels = np.zeros((count, len(ARTICULATORS)))
    channels[:, ARTICULATORS.index("gap")] = 0.09 * opening
    channels[:, ARTICULATORS.index("jaw")] = 0.30 * opening
    return articulators_to_rows(channels)


MOVES: dict[str, Move] = {"previous": previous_rows, "current audio": audio_rows}


def pieces(samples: Floats, size: int) -> Iterator[AudioChunk]:
    for first in range(0, len(samples), size):
        yield AudioChunk(samples[first : first + size], SAMPLE_RATE, first)


def chances_of(samples: Floats, detector: VoiceActivityDetector) -> list[float]:
    """Speech probability of each 512 samples."""
    detector.reset()
    parts = [detector.push(samples), detector.flush()]
    return [float(chance) for part in parts for chance in part]


def heard_rows(move: Move, samples: Floats, chances: Sequence[float]) -> Floats:
    """Rows of a recording that comes in pieces of a quarter of a second."""
    return np.concatenate(list(move(pieces(samples, SAMPLE_RATE // 4), iter(chances))))


def streamed_rows(
    move: Move, samples: Floats, size: int, detector: VoiceActivityDetector
) -> Floats:
    """Rows of a recording whose probabilities come no earlier than its sound, as in a render."""
    detector.reset()
    waiting: deque[float] = deque()

    def listen() -> Iterator[AudioChunk]:
        for chunk in pieces(samples, size):
            waiting.extend(float(p) for p in detector.push(chunk.samples))
            yield chunk
        waiting.extend(float(p) for p in detector.flush())

    def drain() -> Iterator[float]:
        while True:
            yield waiting.popleft()

    return np.concatenate(list(move(listen(), drain())))


def shown_gaps(rows: Floats, frames: int) -> Floats:
    """Lip gaps that a video of 25 frames a second shows of a track."""
    moments = (Fraction(k, FPS) for k in range(frames))
    return lip_aperture(np.stack(list(sample_rows([rows], moments))))


# -------------------------------------------------------------------------------------- recordings


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a filmed clip."""

    text: str
    start_s: float
    end_s: float
    after_silence: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound, and what is known of it."""

    name: str
    samples: Floats
    """``(n,)`` at 16 kHz."""
    speech: tuple[PhonemeTiming, ...]
    """Phonemes; or stand-ins of ``SOME_SPEECH`` that only tell where there is speech."""
    rate: int = SAMPLE_RATE
    """Of the times of ``speech``."""
    reference: Floats | None = None
    """Gap in each frame."""
    phonemes_known: bool = False
    words: tuple[Word, ...] = ()
    window: int = 0
    """Frames over which to correlate; 0 is all."""
    model_gaps: Floats | None = None
    """Gaps of another mouth that said the same, for range and tempo only."""

    @property
    def frames(self) -> int:
        """Frames that the sound and the reference both have."""
        count = len(self.samples) * FPS // SAMPLE_RATE
        return count if self.reference is None else min(count, len(self.reference))

    @property
    def spoken(self) -> slice:
        """Frames from the first to the last speech."""
        heard = [p for p in self.speech if p.symbol != SILENCE]
        first = heard[0].start_sample * FPS // self.rate
        return slice(first, min(self.frames, -(-heard[-1].end_sample * FPS // self.rate)))


def text_rows(phonemes: Sequence[PhonemeTiming], rate: int) -> Floats:
    """Mouth motion of known phonemes."""
    silent = np.zeros(phonemes[-1].end_sample, np.float32)
    chunk = SpeechChunk(AudioChunk(silent, rate), "", tuple(phonemes), ())
    return np.concatenate(list(phoneme_rows([chunk])))


def rendered_text_rows(recording: Recording) -> Floats:
    """Mouth motion of known phonemes together with their sound, as text is rendered."""
    scale = SAMPLE_RATE / recording.rate
    phonemes = tuple(
        replace(
            p, start_sample=round(p.start_sample * scale), end_sample=round(p.end_sample * scale)
        )
        for p in recording.speech
    )
    sound = np.zeros(phonemes[-1].end_sample, np.float32)
    count = min(len(sound), len(recording.samples))
    sound[:count] = recording.samples[:count]
    chunk = SpeechChunk(AudioChunk(sound, SAMPLE_RATE), "", phonemes, ())
    return np.concatenate(list(phoneme_rows([chunk])))


def say(voice_name: str, halves: Sequence[str], pause_s: float, cache: Path) -> Recording:
    """Speak, or read what was spoken before, with a silence between the halves."""
    digest = hashlib.sha256(json.dumps([halves, pause_s]).encode()).hexdigest()[:10]
    path = cache / f"{voice_name}-{digest}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _store(path, voice_name, halves, pause_s)
    with np.load(path) as stored:
        timings = tuple(PhonemeTiming(*entry) for entry in json.loads(str(stored["phonemes"])))
        samples = stored["samples"].astype(np.float32) / 32768.0
        rate = int(stored["rate"])
    recording = Recording(voice_name, samples, timings, rate, phonemes_known=True)
    gaps = shown_gaps(text_rows(timings, rate), recording.frames)
    return replace(recording, reference=gaps)


def _store(path: Path, voice_name: str, halves: Sequence[str], pause_s: float) -> None:
    voice = open_voice(voice_name)
    rate = voice.info.sample_rate
    sound: list[Floats] = []
    timings: list[tuple[str, int, int, int, int]] = []
    end = 0
    for half in halves:
        if sound:
            pause = round(pause_s * rate)
            sound.append(np.zeros(pause, np.float32))
            timings.append((SILENCE, end, end + pause, 0, -1))
            end += pause
        start = end
        for chunk in voice.synthesize(half):
            sound.append(chunk.audio.samples)
            end += len(chunk.audio.samples)
            timings += [
                (p.symbol, start + p.start_sample, start + p.end_sample, p.stress, p.word)
                for p in chunk.phonemes
            ]
    voice.close()
    samples = resample(np.concatenate(sound), rate, SAMPLE_RATE)
    draft = path.with_suffix(".part.npz")
    np.savez(draft, samples=_as_pcm(samples), rate=rate, phonemes=json.dumps(timings))
    draft.replace(path)


def _as_pcm(samples: npt.ArrayLike) -> npt.NDArray[np.int16]:
    return np.clip(np.rint(np.asarray(samples) * 32768.0), -32768, 32767).astype(np.int16)


def spoken_recordings(
    cache: Path, *, quick: bool, names: Sequence[str] = HELD_OUT
) -> list[Recording]:
    middle = len(SENTENCES) // 2
    halves = [" ".join(SENTENCES[:middle]), " ".join(SENTENCES[middle:])]
    return [say(name, halves, PAUSE_S, cache) for name in (names[-2:] if quick else names)]


def words_of(entries: Iterable[tuple[float, float, str]]) -> tuple[Word, ...]:
    """Read a clip's word list, silences left out."""
    words = []
    before = "sil"
    for start, end, text in entries:
        if text not in NO_WORDS:
            words.append(Word(text, start, end, before in NO_WORDS))
        before = text
    return tuple(words)


def filmed_gaps(landmarks: Floats) -> Floats | None:
    """Inner-lip gap of each frame less its 5th percentile; None where too few faces were seen."""
    seen = np.flatnonzero(np.isfinite(landmarks).all(axis=(1, 2)))
    if len(seen) < 0.9 * len(landmarks):
        return None
    gaps = [inner_lip_gap(landmarks[i]) for i in seen]
    filled = np.interp(np.arange(len(landmarks)), seen, gaps)
    return np.maximum(filled - np.percentile(filled, 5.0), 0.0).astype(np.float32)


def filmed_recordings(data: Path, *, quick: bool) -> list[Recording]:
    folder, cache = data / "grid_s1", ROOT / "out" / "cache" / "grid"
    paths = {path.stem: path for path in folder.glob("*.mp4")}
    words = json.loads((data / "grid_s1_words.json").read_text(encoding="utf-8"))
    learned = learned_clips(paths)
    names = [n for n in sorted(paths) if is_held_out(n) and n in words and n not in learned]
    recordings = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in names[:: 4 if quick else 1]:
            (Path(scratch) / paths[name].name).symlink_to(paths[name].resolve())
        for clip in measured_clips(Path(scratch), cache):
            gaps = filmed_gaps(clip.landmarks)
            if gaps is None:
                continue
            said = words_of(words[clip.name])
            spans = [(w.start_s, w.end_s) for w in said]
            recordings.append(
                Recording(clip.name, clip.samples, speech_in(spans), reference=gaps, words=said)
            )
    return recordings


def speech_in(spans: Iterable[tuple[float, float]]) -> tuple[PhonemeTiming, ...]:
    """Stand-ins for the phonemes that lie in spans of seconds."""
    return tuple(
        PhonemeTiming(SOME_SPEECH, round(a * SAMPLE_RATE), round(b * SAMPLE_RATE)) for a, b in spans
    )


def quiet_spans(samples: Floats) -> list[tuple[float, float]]:
    """Pauses in seconds: 0.4 s or more of 50 ms frames 25 dB below the speech (90th percentile)."""
    size = SAMPLE_RATE // 20
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float64)
    level = 10.0 * np.log10((frames**2).mean(axis=1) + 1e-12)
    quiet = level < np.percentile(level, 90.0) - 25.0
    return [(a / 20.0, b / 20.0) for a, b in _runs(quiet) if b - a >= 8]


def speech_between(samples: Floats) -> tuple[PhonemeTiming, ...]:
    """Stand-ins for what is said between the pauses of a recording."""
    pauses = quiet_spans(samples)
    starts = [0.0, *(end for _, end in pauses)]
    ends = [*(start for start, _ in pauses), len(samples) / SAMPLE_RATE]
    return speech_in((a, b) for a, b in zip(starts, ends, strict=True) if b > a)


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and past-the-last index of each stretch of set flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def rig_opening(weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Lip gap that FACEGOOD's ``(n, 116)`` weights make: jaw drop, and what parts the lips."""
    w = weights.astype(np.float64)
    opening = 0.18 * w[:, 74] + 0.05 * w[:, 63] + 0.035 * w[:, 42:46].mean(axis=1)
    opening += 0.019 * (w[:, 59] + w[:, 60]) + 0.019 * (w[:, 79] + w[:, 80])
    return np.asarray(opening)


def rig_recordings(data: Path, *, quick: bool) -> list[Recording]:
    paths = sorted((data / "facegood").glob("*.flac"), reverse=True)
    recordings = []
    for path in paths[: 1 if quick else None]:
        samples = read_sound(path)
        opening = rig_opening(np.load(path.with_suffix(".npy")))
        frames = np.arange(len(opening) * FPS // 30)
        gaps = np.interp(frames / FPS, np.arange(len(opening)) / 30.0, opening).astype(np.float32)
        speech = speech_between(samples)
        recordings.append(Recording(path.stem, samples, speech, reference=gaps, window=10 * FPS))
    return recordings


def read_sound(path: Path) -> Floats:
    """Mono at 16 kHz."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
        rate = stream.rate
    full = 2.0 ** (8 * parts[0].itemsize - 1) if parts[0].dtype.kind == "i" else 1.0
    samples = np.concatenate([part.mean(axis=0) for part in parts]) / full
    return resample(samples.astype(np.float32), rate, SAMPLE_RATE)


def readings(cache: Path) -> list[Recording]:
    files = zoo.resolve("fixture-speech")
    recordings = []
    for name in ("two_cities", "beckett"):
        samples = read_sound(files[name])
        recording = Recording(name, samples, speech_between(samples))
        if name == "two_cities":
            recording = replace(recording, model_gaps=_same_length(recording, cache))
        recordings.append(recording)
    return recordings


def _same_length(recording: Recording, cache: Path) -> Floats:
    """Gaps of the text-driven motion of the passage, as long as the reader takes for it."""
    said = say("hibari", [TWO_CITIES], 0.0, cache)
    stretch = (recording.spoken.stop - recording.spoken.start) / (
        said.spoken.stop - said.spoken.start
    )
    rate = round(said.rate / stretch)
    gaps = shown_gaps(text_rows(said.speech, rate), math.ceil(said.frames * stretch))
    spoken = replace(said, rate=rate, samples=np.zeros(len(gaps) * SAMPLE_RATE // FPS, np.float32))
    return gaps[replace(spoken, reference=None).spoken]


# ------------------------------------------------------------------------------------------- noise


def fan(count: int, draw: np.random.Generator) -> npt.NDArray[np.float64]:
    """Steady noise that falls by 3 dB per octave."""
    spectrum = np.fft.rfft(draw.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1.0 / SAMPLE_RATE)
    return np.asarray(np.fft.irfft(spectrum / np.sqrt(np.maximum(frequencies, 60.0)), count))


def music(count: int, draw: np.random.Generator) -> npt.NDArray[np.float64]:
    """Chords of three tones with harmonics, a bass, and bursts of noise on the beat."""
    times = np.arange(count) / SAMPLE_RATE
    sound = np.zeros(count)
    beat_s = 0.5
    chords = ((220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7))
    for beat in range(math.ceil(count / SAMPLE_RATE / beat_s)):
        first = round(beat * beat_s * SAMPLE_RATE)
        chord = chords[beat // 4 % len(chords)]
        if beat % 4 == 0:
            tone = times[first : first + round(4 * beat_s * SAMPLE_RATE)] - times[first]
            swell = np.minimum(1.0, tone / 0.02) * np.exp(-tone / 1.5)
            for pitch in chord:
                for k in range(1, 7):
                    phase = draw.uniform(0.0, 2.0 * np.pi)
                    part = np.sin(2.0 * np.pi * k * pitch * tone + phase) / k
                    sound[first : first + len(tone)] += 0.3 * swell * part
        tone = times[first : first + round(beat_s * SAMPLE_RATE)] - times[first]
        bass = np.sin(2.0 * np.pi * chord[0] / 4.0 * tone) * np.exp(-tone / 0.25)
        hit = draw.standard_normal(len(tone)) * np.exp(-tone / 0.03)
        sound[first : first + len(tone)] += 0.5 * bass + 0.4 * hit
    return sound


def beside(recording: Recording, noise: npt.NDArray[np.float64], snr_db: float) -> Floats:
    """Mix noise under the speech; the ratio is that of mean powers while somebody speaks."""
    talks = np.zeros(len(recording.samples), bool)
    scale = SAMPLE_RATE / recording.rate
    for p in recording.speech:
        if p.symbol != SILENCE:
            talks[round(p.start_sample * scale) : round(p.end_sample * scale)] = True
    power = float((recording.samples[talks].astype(np.float64) ** 2).mean())
    wanted = math.sqrt(power / 10.0 ** (snr_db / 10.0))
    mixed = recording.samples + noise * (wanted / math.sqrt(float((noise**2).mean())))
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max())), np.float32)


def telephone(samples: Floats) -> Floats:
    """Keep 300 to 3400 Hz."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
    gain = np.interp(frequencies, [200.0, 300.0, 3400.0, 3600.0], [0.0, 1.0, 1.0, 0.0])
    return np.fft.irfft(spectrum * gain, len(samples)).astype(np.float32)


def clipped(samples: Floats) -> Floats:
    """Cut peaks off at a quarter of the highest."""
    return np.clip(3.6 * samples / np.abs(samples).max(), -0.9, 0.9).astype(np.float32)


def disturbed(recording: Recording) -> dict[str, Recording]:
    """Give the recording as it is and in each kind of trouble, the same on every run."""
    draw = np.random.default_rng(20)
    samples, count = recording.samples, len(recording.samples)
    quiet = _as_pcm(0.1 * samples).astype(np.float32) / 32768.0
    kinds = {
        "clean": samples,
        "fan": beside(recording, fan(count, draw), 10.0),
        "music": beside(recording, music(count, draw), 10.0),
        "quiet": quiet,
        "telephone": telephone(samples),
        "clipped": clipped(samples),
    }
    return {kind: replace(recording, samples=sound) for kind, sound in kinds.items()}


# ---------------------------------------------------------------------------------------- measures


@dataclass(frozen=True, slots=True)
class Figures:
    """What is printed of one system on one material; nan where it cannot be told."""

    r: float
    r_at_0: float
    lag: float
    offset: float
    r_words: float
    hit: float
    inner_hit: float
    other_hit: float
    false: float
    contrast: float
    leakage: float
    range: float
    tempo: float
    jitter: float


_CURVE = ("r", "r_at_0", "lag", "offset")
_SHARES = ("hit", "false", "contrast")
_MANNER = ("leakage", "range", "tempo", "jitter")
COLUMNS: dict[str, tuple[str, ...]] = {
    "voices": (*_CURVE, *_SHARES, *_MANNER),
    "filmed": (*_CURVE, "r_words", "inner_hit", "other_hit", *_SHARES, *_MANNER),
    "rig": (*_CURVE, *_MANNER),
    "readings": _MANNER,
    "noise": ("r", *_SHARES, "leakage"),
}


def figures(recordings: Sequence[Recording], tracks: Sequence[Floats]) -> Figures:
    """Measure one system: its gaps in each recording.

    Closures are counted over all recordings, ranges averaged before they are compared, everything
    else is the mean over recordings (or windows) that have it. A mouth that does not move
    correlates by 0.
    """
    best, at_0, in_words, lags, offsets = [], [], [], [], []
    closures = np.zeros(8, int)
    contrasts, leaks, seconds = [], [], []
    at_open: list[float] = []
    at_bilabial: list[float] = []
    own, wanted = [], []
    trembling = trembling_frames = 0.0
    for recording, gaps in zip(recordings, tracks, strict=True):
        times = np.arange(len(gaps)) / FPS
        speech, rate = recording.speech, recording.rate
        spoken = recording.spoken
        reference = recording.reference
        if reference is not None:
            size = recording.window or len(gaps)
            for first in range(0, len(gaps) - size + 1, size):
                a, b = gaps[first : first + size], reference[first : first + size]
                near, wide = (correlation(a, b, max_lag=n) for n in (BEST_LAG, WIDE_LAG))
                best.append(_or_0(near.r))
                at_0.append(_or_0(correlation(a, b, max_lag=0).r))
                if not math.isnan(near.r):
                    lags.append(near.lag)
                    offsets.append(wide.lag)
            if spoken.stop - spoken.start > 2 * BEST_LAG + 3:
                a, b = gaps[spoken], reference[: len(gaps)][spoken]
                in_words.append(_or_0(correlation(a, b, max_lag=BEST_LAG).r))
        if recording.words:
            counts, opened, smallest = word_closures(gaps, times, recording.words)
            closures += counts
            at_open += opened
            at_bilabial += smallest
        elif recording.phonemes_known:
            score = closure(gaps, times, speech, rate)
            counted = (score.closed_bilabials, score.bilabials)
            bad = (score.closed_vowels, score.open_vowels)
            closures += np.array([*counted, *bad, 0, 0, 0, 0])
            contrasts.append(closure_contrast(gaps, times, speech, rate))
        leaks.append(silence_leakage(gaps, times, speech, rate))
        seconds.append(len(gaps))
        model = reference[: len(gaps)][spoken] if reference is not None else recording.model_gaps
        if model is not None and min(len(model), spoken.stop - spoken.start) >= FPS:
            own.append(extent(gaps[spoken], FPS))
            wanted.append(extent(model, FPS))
        for first, end in silent_frames(times, speech, rate):
            still = np.zeros((end - first, 1, 2), np.float32)
            still[:, 0, 1] = gaps[first:end]
            trembling += lip_jitter(still, 1.0) ** 2 * (end - first - 2)
            trembling_frames += end - first - 2
    if at_open and at_bilabial:
        contrasts.append(_mean(at_open) / max(0.001, _mean(at_bilabial)))
    ratios = articulation_ratio(_mean_extent(own), _mean_extent(wanted))
    share = [closures[i] / closures[i + 1] if closures[i + 1] else math.nan for i in range(0, 8, 2)]
    known = [not math.isnan(leak) for leak in leaks]
    return Figures(
        r=_mean(best),
        r_at_0=_mean(at_0),
        lag=_median(lags),
        offset=_median(offsets),
        r_words=_mean(in_words),
        hit=share[0],
        inner_hit=share[2],
        other_hit=share[3],
        false=share[1],
        contrast=_mean([c for c in contrasts if not math.isnan(c)]),
        leakage=float(np.average(np.array(leaks)[known], weights=np.array(seconds)[known]))
        if any(known)
        else math.nan,
        range=ratios[0],
        tempo=ratios[1],
        jitter=math.sqrt(trembling / trembling_frames) if trembling_frames else math.nan,
    )


def word_closures(
    gaps: Floats, times: npt.NDArray[np.float64], words: Sequence[Word]
) -> tuple[npt.NDArray[np.int_], list[float], list[float]]:
    """Count closures by word times.

    Returns
    -------
    counts : numpy.ndarray
        Bilabials hit and all; open vowels closed and all; bilabials not after a silence, hit and
        all; other starts of words not after a silence, closed and all.
    opened, smallest : list of float
        Gap of each open vowel; smallest gap at each bilabial.
    """
    limit = CLOSED_SHARE * float(np.percentile(gaps, 90))
    counts = np.zeros(8, int)
    opened: list[float] = []
    smallest: list[float] = []
    for word in words:
        near = gaps[np.abs(times - word.start_s) <= WORD_WINDOW_S]
        hit = bool(near.size and near.min() < limit)
        if word.text in BILABIAL_WORDS and near.size:
            smallest.append(float(near.min()))
            counts[:2] += hit, 1
            if not word.after_silence:
                counts[4:6] += hit, 1
        elif word.text[0] not in LABIAL_LETTERS and not word.after_silence:
            counts[6:] += hit, 1
        if word.text in OPEN_WORDS:
            gap = float(np.interp((word.start_s + word.end_s) / 2.0, times, gaps))
            opened.append(gap)
            counts[2:4] += gap < limit, 1
    return counts, opened, smallest


def silent_frames(
    times: npt.NDArray[np.float64], speech: Sequence[PhonemeTiming], rate: int
) -> list[tuple[int, int]]:
    """Stretches of three frames or more, as far from speech as where leakage is looked for."""
    silent = np.ones(len(times), bool)
    for p in speech:
        if p.symbol != SILENCE:
            start, end = p.start_sample / rate - SETTLE_S, p.end_sample / rate + SETTLE_S
            silent &= (times < start) | (times > end)
    return [(a, b) for a, b in _runs(silent) if b - a >= 3]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _or_0(r: float) -> float:
    return 0.0 if math.isnan(r) else r


def _mean_extent(extents: Sequence[Extent]) -> Extent:
    if not extents:
        return Extent(math.nan, math.nan)
    return Extent(_mean([e.range for e in extents]), _mean([e.frequency_hz for e in extents]))


# ------------------------------------------------------------------------------------------ tables


def compare(
    recordings: Sequence[Recording], detector: VoiceActivityDetector, own: str | None = None
) -> dict[str, Figures]:
    """Measure every system; ``own`` is the name under which the reference itself is a row."""
    tracks: dict[str, list[Floats]] = {"loudness": [], **{name: [] for name in MOVES}}
    for recording in recordings:
        chances = chances_of(recording.samples, detector)
        for name, track in tracks.items():
            if name == "loudness":
                rows = loudness_rows(recording.samples)
            else:
                rows = heard_rows(MOVES[name], recording.samples, chances)
            track.append(shown_gaps(rows, recording.frames))
    if own is not None:
        tracks[own] = [r.reference[: r.frames] for r in recordings if r.reference is not None]
    return {name: figures(recordings, track) for name, track in tracks.items()}


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[tuple[str, object]], digits: int = 3
) -> None:
    print(f"\n{title}")
    width = max(len(name) for name, _ in rows)
    print(" " * width + "".join(f"{column.replace('_', ' '):>11}" for column in columns))
    for name, row in rows:
        values = [getattr(row, column) for column in columns]
        shown = "".join(f"{'-' if math.isnan(v) else format(v, f'.{digits}f'):>11}" for v in values)
        print(f"{name:<{width}}{shown}")


def plain(columns: Sequence[str], row: object) -> dict[str, float | None]:
    """Make a row fit for JSON."""
    values = {column: float(getattr(row, column)) for column in columns}
    return {k: None if math.isnan(v) else round(v, 5) for k, v in values.items()}


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two mouths move that say the same."""

    r: float
    r_at_0: float
    lag: float


def likeness(recording: Recording, detector: VoiceActivityDetector) -> Likeness:
    """Hold the track of a sound against that of its phonemes."""
    chances = chances_of(recording.samples, detector)
    heard = shown_gaps(heard_rows(audio_rows, recording.samples, chances), recording.frames)
    known = shown_gaps(rendered_text_rows(recording), recording.frames)
    best = correlation(heard, known, max_lag=BEST_LAG)
    return Likeness(best.r, correlation(heard, known, max_lag=0).r, best.lag)


@dataclass(frozen=True, slots=True)
class Speed:
    """Cost and evenness of one system."""

    cpu_factor: float
    difference: float


REPEATS = 4
"""Times the sound is heard in a row, so that there is something to time."""


def _cpu_factor(name: str, samples: Floats, chances: list[float]) -> float:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    samples, chances = np.tile(samples, REPEATS), chances * REPEATS
    warm_up = samples[: 4 * SAMPLE_RATE]
    spent = []
    detector = open_vad() if name == "detector" else None
    for sound in (warm_up, samples, samples, samples):
        start = time.process_time()
        if detector is not None:
            chances_of(sound, detector)
        elif name == "loudness":
            loudness_rows(sound)
        else:
            heard_rows(MOVES[name], sound, chances)
        spent.append(time.process_time() - start)
    return statistics.median(spent[1:]) * SAMPLE_RATE / len(samples)


def speeds(recording: Recording, detector: VoiceActivityDetector) -> dict[str, Speed]:
    """Time each system in a process of its own on one core, and cut its stream."""
    whole_windows = len(recording.samples) // PROBABILITY_HOP * PROBABILITY_HOP
    recording = replace(recording, samples=recording.samples[:whole_windows])
    chances = chances_of(recording.samples, detector)
    limits = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    before = dict(os.environ)
    os.environ.update({f"{name}_NUM_THREADS": "1" for name in limits})
    found = {}
    try:
        for name in ("loudness", *MOVES, "detector"):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                factor = pool.apply(_cpu_factor, (name, recording.samples, chances))
            difference = math.nan
            if name in MOVES:
                whole = streamed_rows(
                    MOVES[name], recording.samples, len(recording.samples), detector
                )
                cut = streamed_rows(MOVES[name], recording.samples, PIECE, detector)
                difference = float(np.abs(whole - cut).max())
            found[name] = Speed(factor, difference)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return found


MATERIALS = ("voices", "same", "filmed", "rig", "readings", "noise", "speed")


def main() -> None:
    """Print a table for each material and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=MATERIALS, default=MATERIALS)
    parser.add_argument("--quick", action="store_true", help="fewer voices and clips")
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "cache" / "bench")
    parser.add_argument("--data", type=Path, help="folder of the data sets; $EDGEAVATAR_DATA")
    parser.add_argument("--json", type=Path, help="file to write the JSON line to as well")
    options = parser.parse_args()
    data = options.data or Path(
        os.environ.get("EDGEAVATAR_DATA") or ROOT.parent / "shared" / "data"
    )
    detector = open_vad()
    results: dict[str, object] = {}

    def report(material: str, title: str, found: dict[str, Figures]) -> None:
        columns = COLUMNS[material]
        print_table(f"{material}: {title}", columns, list(found.items()))
        results[material] = {name: plain(columns, row) for name, row in found.items()}

    voices = []
    if {"voices", "noise", "speed"} & set(options.only):
        voices = spoken_recordings(options.cache, quick=options.quick)
    if "voices" in options.only:
        report(
            "voices", f"{len(voices)} held-out voices", compare(voices, detector, "current text")
        )
    if "same" in options.only:
        chosen = spoken_recordings(
            options.cache, quick=options.quick, names=(DEFAULT_VOICE, *HELD_OUT)
        )
        alike = {recording.name: likeness(recording, detector) for recording in chosen}
        columns = ("r", "r_at_0", "lag")
        print_table("same: sound against text of the same words", columns, list(alike.items()))
        results["same"] = {name: plain(columns, row) for name, row in alike.items()}
    for material, folder, gather, own in (
        ("filmed", "grid_s1", filmed_recordings, "filmed mouth"),
        ("rig", "facegood", rig_recordings, "actor"),
    ):
        if material not in options.only:
            continue
        if not (data / folder).is_dir():
            print(f"\n{material}: skipped, the data set {folder} is not there (--data)")
            continue
        recordings = gather(data, quick=options.quick)
        report(material, f"{len(recordings)} recordings", compare(recordings, detector, own))
    if "readings" in options.only:
        try:
            report("readings", "two readers", compare(readings(options.cache), detector))
        except EdgeAvatarError as error:
            print(f"\nreadings: skipped, {error}")
    if "noise" in options.only:
        noisy = [disturbed(recording) for recording in voices[-1 if options.quick else 0 :]]
        found = {
            f"{kind}, {name}": row
            for kind in noisy[0]
            for name, row in compare([c[kind] for c in noisy], detector).items()
        }
        report("noise", f"{len(noisy)} held-out voices", found)
    if "speed" in options.only:
        costs = speeds(voices[-1], detector)
        columns = ("cpu_factor", "difference")
        print_table("speed: one core", columns, list(costs.items()), digits=5)
        results["speed"] = {name: plain(columns, row) for name, row in costs.items()}
    detector.close()
    line = json.dumps(
        {
            "benchmark": "motion",
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "quick": options.quick,
            **results,
        }
    )
    print(f"\n{line}")
    if options.json:
        options.json.write_text(line + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
