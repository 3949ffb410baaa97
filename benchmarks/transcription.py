"""Measure transcription: wrong words, invented words, word times, confidence, speed.

Materials:

- ``readings``: the two recordings of ``fixture-speech``, whose texts are known.
- ``voices``: installed voices say the sentences of ``benchmarks/speech.py``. Their word times are
  exact. Four of them were never heard by the listener that times the words (``export/train``).
- ``noisy``: the same with white noise and with music, 10 dB below the speech.
- ``filmed``: GRID clips, noisy and with word times of their corpus (good to some 20 ms); every
  twentieth clip, counted from the tenth. Words are given, so that only their times are measured.
- ``nothing``: 30 s each of silence, noises, hum, clicks, music, and of speech's loudness without
  its sounds. Every word is invented. ``undetected`` shows them to the recogniser directly, as if
  the detector had failed, and counts what the fit of words and sound lets pass.

Word errors are of words as sounds: digits and spellings of one sound are the same word. Times are
those of words that were heard right, start and end. Fit is the confidence of a whole stretch; AUC
is the share of pairs of a right and a wrong word in which the right one has more confidence.

    python benchmarks/transcription.py [--models tiny base] [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.motion import music
from benchmarks.speech import SENTENCES, print_table, pronounced, word_errors
from edgeavatar import zoo
from edgeavatar.audio import decode_audio, open_vad, resample
from edgeavatar.errors import ModelNotFound
from edgeavatar.motion.nets import open_listener
from edgeavatar.pipeline.transcribing import LEAST_FIT, Ears, Stretch, words_of
from edgeavatar.speech import open_recognizer, open_voice
from edgeavatar.speech.transcription import MODELS, SAMPLE_RATE
from edgeavatar.types import AudioChunk

Floats = npt.NDArray[np.float32]

ROOT = Path(__file__).resolve().parent.parent
VOICES = ("hibari", "af_heart", "af_sarah", "am_liam", "bm_lewis", "en_US-joe")
AAC_PRIMING = 1024
"""Samples before the sound of each GRID clip, which its edit list does not name."""

READINGS = {
    "two_cities": (
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the "
        "age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was "
        "the season of light, it was the season of darkness, it was the spring of hope, it was the "
        "winter of despair, we had everything before us, we had nothing before us, we were all "
        "going direct to heaven, we were all going direct the other way. In short, the period was "
        "so far like the present period that some of its noisiest authorities insisted on its "
        "being received, for good or for evil, in the superlative degree of comparison only."
    ),
    "beckett": "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
}


@dataclass(frozen=True)
class Spoken:
    """Sound with a known text, and its word times if they are known."""

    text: str
    samples: Floats
    words: tuple[tuple[str, float, float], ...] = ()


@dataclass
class Result:
    errors: int = 0
    words: int = 0
    seconds: float = 0.0
    work_s: float = 0.0
    off_ms: list[float] = field(default_factory=list)
    fits: list[float] = field(default_factory=list)
    confident: list[tuple[float, bool]] = field(default_factory=list)


class Told:
    """A recogniser that is told the words."""

    def __init__(self, text: str) -> None:
        self._text = text

    def recognize(self, samples: Floats) -> str:  # noqa: ARG002
        text, self._text = self._text, ""
        return text


def chunks(samples: Floats) -> Iterator[AudioChunk]:
    for i in range(0, len(samples), 8000):
        yield AudioChunk(samples[i : i + 8000].astype(np.float32), SAMPLE_RATE, i)


class Hearer:
    """Detector and recogniser, opened once; a listener for each recording, as it remembers."""

    def __init__(self, model: Any) -> None:
        self._detector = open_vad()
        self._recognizer = open_recognizer(model)

    def hear(self, samples: Floats, told: str | None = None) -> list[Stretch]:
        recognizer: Any = self._recognizer if told is None else Told(told)
        with open_listener() as listener:
            ears = Ears(self._detector, recognizer, listener)
            return list(words_of(chunks(samples), ears))

    def invent(self, samples: Floats) -> str:
        return self._recognizer.recognize(samples[: 15 * SAMPLE_RATE].astype(np.float32))


def bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum() or c == "'")


def add(result: Result, spoken: Spoken, stretches: Sequence[Stretch]) -> None:
    heard = [word for stretch in stretches for word in stretch.words]
    text = " ".join(stretch.text for stretch in stretches)
    expected = pronounced(spoken.text)
    result.errors += word_errors(expected, pronounced(text))
    result.words += len(expected)
    result.seconds += len(spoken.samples) / SAMPLE_RATE
    result.fits += [stretch.fit for stretch in stretches]
    truth = [bare(word) for word, _, _ in spoken.words]
    found = [bare(word.text) for word in heard]
    right = set()
    for block in SequenceMatcher(None, truth, found, autojunk=False).get_matching_blocks():
        for i in range(block.size):
            _, start, end = spoken.words[block.a + i]
            word = heard[block.b + i]
            right.add(block.b + i)
            result.off_ms += [
                1000 * abs(float(word.start_s) - start),
                1000 * abs(float(word.end_s) - end),
            ]
    if spoken.words:
        result.confident += [(w.confidence or 0.0, i in right) for i, w in enumerate(heard)]


def row(name: str, model: str, result: Result) -> dict[str, Any]:
    off = result.off_ms
    return {
        "material": name,
        "model": model,
        "words": result.words,
        "word_error_percent": round(100 * result.errors / max(1, result.words), 2),
        "real_time_factor": round(result.work_s / result.seconds, 3) if result.seconds else "",
        "times_median_ms": round(statistics.median(off), 1) if off else "",
        "times_p90_ms": round(float(np.percentile(off, 90)), 1) if off else "",
        "over_100_ms_percent": round(100 * float(np.mean(np.array(off) > 100)), 1) if off else "",
        "fit_least": min(result.fits) if result.fits else "",
        "fit_median": statistics.median(result.fits) if result.fits else "",
    }


def run(hearer: Hearer, materials: Sequence[Spoken], *, told: bool = False) -> Result:
    result = Result()
    for spoken in materials:
        start = time.perf_counter()
        stretches = hearer.hear(spoken.samples, spoken.text if told else None)
        result.work_s += time.perf_counter() - start
        add(result, spoken, stretches)
    return result


def readings() -> Iterator[tuple[str, list[Spoken]]]:
    for name, path in zoo.resolve("fixture-speech").items():
        samples = np.concatenate([c.samples for c in decode_audio(path, SAMPLE_RATE)])
        yield name, [Spoken(READINGS[name], samples)]


def say(name: str, sentences: Sequence[str]) -> list[Spoken]:
    voice = open_voice(name)
    rate = voice.info.sample_rate
    said = []
    for sentence in sentences:
        made = list(voice.synthesize(sentence))
        samples = resample(np.concatenate([c.audio.samples for c in made]), rate, SAMPLE_RATE)
        words = tuple(
            (w.text, w.start_sample / rate, w.end_sample / rate) for c in made for w in c.words
        )
        said.append(Spoken(sentence, samples, words))
    voice.close()
    return said


def mixed(spoken: Spoken, noise: npt.NDArray[np.float64], snr_db: float = 10.0) -> Spoken:
    speech = spoken.samples[np.abs(spoken.samples) > 0.01].astype(np.float64)
    gain = np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    samples = np.clip(spoken.samples + gain * noise, -1.0, 1.0).astype(np.float32)
    return Spoken(spoken.text, samples, spoken.words)


def filmed(folder: Path, every: int) -> Iterator[Spoken]:
    import av

    times = json.loads((folder / "grid_s1_words.json").read_text())
    for name in sorted(times)[every // 2 :: every]:
        with av.open(str(folder / "grid_s1" / f"{name}.mp4")) as container:
            decoded = container.decode(container.streams.audio[0])
            samples = np.concatenate([f.to_ndarray().mean(axis=0) for f in decoded])[AAC_PRIMING:]
        said = [(start, end, word) for start, end, word in times[name] if word not in ("sil", "sp")]
        words = tuple((w.upper() if len(w) == 1 else w, start, end) for start, end, w in said)
        text = " ".join(word for word, _, _ in words)
        yield Spoken(text, samples.astype(np.float32), words)


def nothing(seconds: int = 30) -> Iterator[tuple[str, Floats]]:
    draw = np.random.default_rng(3)
    count = seconds * SAMPLE_RATE
    times = np.arange(count) / SAMPLE_RATE
    spectrum = np.fft.rfft(draw.standard_normal(count))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count)
    path = zoo.resolve("fixture-speech")["two_cities"]
    speech = np.concatenate([c.samples for c in decode_audio(path, SAMPLE_RATE)])[:count]
    loudness = np.convolve(np.abs(speech), np.ones(400) / 400, "same")
    siren = np.sin(2 * np.pi * np.cumsum(600 + 300 * np.sin(np.pi * times)) / SAMPLE_RATE)
    hum = 0.3 * np.sin(100 * np.pi * times) + 0.2 * np.sin(300 * np.pi * times)
    sounds = {
        "silence": np.zeros(count),
        "faint noise": 0.001 * draw.standard_normal(count),
        "white noise": 0.1 * draw.standard_normal(count),
        "pink noise": 0.5 * pink / np.abs(pink).max(),
        "mains hum": hum,
        "clicks": 0.8 * (draw.random(count) < 0.0003),
        "siren": 0.3 * siren,
        "music": 0.25 * music(count, draw),
        "loud music": 0.6 * music(count, draw),
        "noise as loud as speech": 1.5 * loudness * draw.standard_normal(count),
        "buzz as loud as speech": 2 * loudness * np.sign(np.sin(240 * np.pi * times)),
    }
    for name, sound in sounds.items():
        yield name, np.clip(sound, -1, 1).astype(np.float32)


def passing(samples: Floats, text: str) -> int:
    """Words of a text that would be kept if the detector took all of the sound for speech."""
    from edgeavatar.motion.hearing import Hearing
    from edgeavatar.motion.phones import PHONES
    from edgeavatar.pipeline.transcribing import fit_of, spoken_phones
    from edgeavatar.speech.alignment import align_words

    with open_listener() as listener:
        hearing = Hearing()
        rows = listener.push(hearing.push(samples[: 15 * SAMPLE_RATE]))[:, : len(PHONES)]
    words, script = spoken_phones(text)
    if not words:
        return 0
    return len(words) if fit_of(align_words(rows, script)) >= LEAST_FIT else 0


def auc(confident: Sequence[tuple[float, bool]]) -> float | None:
    right = np.array([c for c, ok in confident if ok])
    wrong = np.array([c for c, ok in confident if not ok])
    if not len(right) or not len(wrong):
        return None
    above = (right[:, None] > wrong[None]).mean() + 0.5 * (right[:, None] == wrong[None]).mean()
    return round(float(above), 3)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--voices", nargs="+", default=VOICES)
    parser.add_argument("--quick", action="store_true", help="a quarter of the sentences and clips")
    parser.add_argument("--json", type=Path, help="write the result to a file as well")
    options = parser.parse_args()
    sentences = SENTENCES[::4] if options.quick else SENTENCES
    said = {name: say(name, sentences) for name in options.voices}
    data = Path(os.environ.get("EDGEAVATAR_DATA", ROOT.parent / "shared" / "data"))
    rows: list[dict[str, Any]] = []
    invented: list[dict[str, Any]] = []
    confident: list[tuple[float, bool]] = []
    clear: list[float] = []
    for model in options.models:
        try:
            hearer = Hearer(model)
        except ModelNotFound as error:
            print(f"{model} left out: {error}")
            continue
        for name, materials in readings():
            rows.append(row(name, model, run(hearer, materials)))
        draw = np.random.default_rng(1)
        for name, materials in said.items():
            result = run(hearer, materials)
            clear += result.off_ms
            confident += result.confident
            rows.append(row(name, model, result))
        for kind in ("white noise", "music"):
            result = Result()
            for materials in said.values():
                noisy = [
                    mixed(
                        spoken,
                        music(len(spoken.samples), draw)
                        if kind == "music"
                        else draw.standard_normal(len(spoken.samples)),
                    )
                    for spoken in materials[:: 1 if options.quick else 3]
                ]
                part = run(hearer, noisy)
                result.errors += part.errors
                result.words += part.words
                result.seconds += part.seconds
                result.work_s += part.work_s
                result.off_ms += part.off_ms
                result.fits += part.fits
                confident += part.confident
            rows.append(row(f"voices, {kind} 10 dB", model, result))
        for name, samples in nothing():
            kept = sum(len(s.words) for s in hearer.hear(samples))
            text = hearer.invent(samples)
            invented.append(
                {
                    "sound": name,
                    "model": model,
                    "invented_words": kept,
                    "undetected": len(text.split()),
                    "undetected_kept": passing(samples, text),
                }
            )
    film: dict[str, Any] | None = None
    if (data / "grid_s1").is_dir():
        clips = list(filmed(data, 80 if options.quick else 20))
        film = row("filmed", "words given", run(Hearer("tiny"), clips, told=True))
        rows.append(film)
    else:
        print(f"filmed left out: no GRID clips in {data}")
    print_table(rows)
    print()
    print_table(invented)
    times = {
        "clear_median_ms": round(statistics.median(clear), 1),
        "clear_p90_ms": round(float(np.percentile(clear, 90)), 1),
    }
    if film is not None:
        times |= {
            "filmed_median_ms": film["times_median_ms"],
            "filmed_p90_ms": film["times_p90_ms"],
        }
    told = {
        "benchmark": "transcription",
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "word_times": times,
        "confidence_auc": auc(confident),
        "invented_words": sum(r["invented_words"] for r in invented),
        "rows": rows,
        "nothing": invented,
    }
    print(f"\nword times {times}, confidence AUC {told['confidence_auc']}")
    line = json.dumps(told)
    if options.json is not None:
        options.json.write_text(line + "\n")
    print(line)


if __name__ == "__main__":
    main()
