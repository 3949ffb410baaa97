"""Compare the voices: word error, speed, licence; and how late their boundaries are.

``python benchmarks/speech.py`` prints the table of ``docs/voices.md`` and one JSON line;
``--offsets`` measures the figures of ``edgeavatar.speech.timing.Lateness`` instead.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np

from edgeavatar.audio import resample
from edgeavatar.speech import list_voices, open_recognizer, open_voice
from edgeavatar.speech.base import Utterance
from edgeavatar.speech.english import phonemize, spell_out
from edgeavatar.speech.transcription import SAMPLE_RATE, Recognizer

VOICES = ("hibari", "af_heart", "af_bella", "am_michael", "bf_emma", "en_US-joe")

SENTENCES = (
    "The ferry to Oslo leaves at 7:45 every morning except Sunday.",
    "Margaret bought three pounds of cherries and a loaf of rye bread.",
    "On March 3rd, 1987, the bridge was closed for repairs.",
    "Please call Dr. Patel before noon if the fever comes back.",
    "The recipe needs 250 grams of flour and two cups of sugar.",
    "Quiet foxes jumped over the frozen brook behind the chapel.",
    "Thomas Jefferson kept careful records of the weather.",
    "Her flight from Chicago to Denver was delayed by two hours.",
    "The museum charges $12.50 for adults and nothing for children.",
    "A sudden gust of wind blew the papers across the parking lot.",
    "Professor Wallace explained the theory with a simple drawing.",
    "We measured a distance of 42 kilometers between the villages.",
    "If you turn the key twice, the engine should start at once.",
    "Nineteen students passed the exam, but only four of them smiled.",
    "The old clock in the hallway struck eleven as Susan arrived.",
    "Fresh mint and lemon make this drink perfect for hot afternoons.",
    "Robert thought the judge would change her mind by Thursday.",
    "The company was founded in 1923 and moved to Boston in 1958.",
    "Could you show me the quickest way to the railway station?",
    "Bright yellow leaves covered the path beside the river.",
    "Michael and Elizabeth have lived in Edinburgh since 2011.",
    "The doctor said that walking thirty minutes a day is enough.",
    "Never pour boiling water into a cold glass bottle.",
    "About 65% of the visitors came by train or by bicycle.",
)
"""Written for this comparison: names, numbers, dates, times and money among plain sentences."""

FRICATIVES = (
    "The essence of this season is a certain softness.",
    "A fish in the bushes wishes to see the sea.",
    "His lesson was also a useful possession.",
    "We saw a machine in the passage near the ocean.",
    "The boss is missing a message about the mission.",
    "My cousin is a musician who loves easy music.",
)
STOPS = (
    "My mama made a rhubarb omelette for a happy papa.",
    "A baby robot may open up a copper teapot by the abbey.",
    "The summer camera is a memory of a rapid lobby.",
    "A cheap ape may tap a ruby button in a hammock.",
    "Today a metal piano is the most annoying item in a motto.",
    "A broken cookie again to give a lucky sugar decade.",
)
VOWELS = frozenset("aeiouæɑɐɒɔəɛɜɪʊʌɚ")


def pronounced(text: str) -> list[str]:
    """Words as sounds without stress: digits and spellings of one sound are the same word."""
    _, letters = phonemize(spell_out(text).replace("-", " "))
    sounds = "".join(x.char if x.word >= 0 or x.char == " " else " " for x in letters)
    return sounds.replace("ˈ", "").replace("ˌ", "").split()


def word_errors(expected: list[str], found: list[str]) -> int:
    row = list(range(len(found) + 1))
    for i, word in enumerate(expected, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(found, 1):
            change = previous + (word != other)
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, change)
    return row[-1]


def compare(name: str, recognizer: Recognizer, *, verbose: bool) -> dict[str, object]:
    info = next(v for v in list_voices() if v.name == name)
    voice = open_voice(name)
    list(voice.synthesize("Warm up."))
    errors = words = 0
    work_s = cpu_s = speech_s = 0.0
    for sentence in SENTENCES:
        start, cpu = time.perf_counter(), time.process_time()
        chunks = list(voice.synthesize(sentence))
        work_s += time.perf_counter() - start
        cpu_s += time.process_time() - cpu
        samples = np.concatenate([c.audio.samples for c in chunks])
        speech_s += len(samples) / info.sample_rate
        heard = recognizer.recognize(resample(samples, info.sample_rate, SAMPLE_RATE))
        expected, found = pronounced(sentence), pronounced(heard)
        wrong = word_errors(expected, found)
        if wrong and verbose:
            print(f"  {name}: {wrong} in {heard!r}")
        errors += wrong
        words += len(expected)
    voice.close()
    return {
        "voice": name,
        "engine": info.engine,
        "commercial_use": info.commercial_use,
        "licence": info.licence,
        "word_error_percent": round(100 * errors / words, 2),
        "real_time_factor": round(work_s / speech_s, 4),
        "cpu_factor": round(cpu_s / speech_s, 4),
        "words": words,
    }


def winner(rows: list[dict[str, object]]) -> str:
    """Fastest of those free for commercial use whose word error is within 1 point of the best."""
    free = [r for r in rows if r["commercial_use"] == "yes"]
    best = min(float(str(r["word_error_percent"])) for r in free)
    close = [r for r in free if float(str(r["word_error_percent"])) <= best + 1.0]
    return str(min(close, key=lambda r: float(str(r["real_time_factor"])))["voice"])


def band_power(samples: np.ndarray, rate: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Power between two frequencies every 2 ms, in windows of 15 ms."""
    width, hop = round(0.015 * rate), rate // 500
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, width // 2), width)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(width), 1024)) ** 2
    frequencies = np.fft.rfftfreq(1024, 1 / rate)
    return power[:, (frequencies >= low_hz) & (frequencies < high_hz)].sum(axis=1)


def edges(utterance: Utterance, rate: int, symbols: str) -> Iterator[tuple[bool, float, float]]:
    """Boundaries between a vowel and a consonant of ``symbols``: is a mark there, when, event.

    Times in ms; a boundary before a mark is where the phoneme before it ends.
    """
    ends = np.cumsum([u.duration for u in utterance.units]) * 1000 / rate
    if symbols == "sʃzʒ":
        high = band_power(utterance.samples, rate, 4500, 11000)
        low = band_power(utterance.samples, rate, 200, 3500)
        curve = high / (high + low + 1e-6 * low.max())
    else:
        curve = -10 * np.log10(band_power(utterance.samples, rate, 900, 4500) + 1e-9)
    step = (rate // 500) * 1000 / rate
    sounding = [i for i, u in enumerate(utterance.units) if u.symbol]
    for before, here, after in zip(sounding, sounding[1:], sounding[2:], strict=False):
        units = utterance.units
        if units[here].symbol not in symbols:
            continue
        if units[before].symbol[-1] not in VOWELS or units[after].symbol[0] not in VOWELS:
            continue
        middle = (ends[before] + ends[here]) / 2 - 40
        window = slice(max(0, int((middle - 70) / step)), int((middle + 70) / step))
        peak = window.start + int(np.argmax(curve[window]))
        left = max(0, peak - 50) + int(np.argmin(curve[max(0, peak - 50) : peak + 1]))
        right = peak + int(np.argmin(curve[peak : peak + 50]))
        at = peak
        while at > left and curve[at] > (curve[peak] + curve[left]) / 2:
            at -= 1
        yield here > before + 1, float(ends[before]), at * step
        if units[here].symbol in "pbtdkɡ":
            continue  # its burst comes before its end
        at = peak
        while at < right and curve[at] > (curve[peak] + curve[right]) / 2:
            at += 1
        yield after > here + 1, float(ends[here]), at * step


def offsets(name: str) -> list[dict[str, object]]:
    voice = open_voice(name)
    rate = voice.info.sample_rate
    found: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for symbols, sentences in (("sʃzʒ", FRICATIVES), ("pbmtdkɡ", STOPS)):
        for sentence in sentences:
            utterance = voice._speak(sentence, 1.0)  # type: ignore[attr-defined]
            for marked, boundary_ms, event_ms in edges(utterance, rate, symbols):
                found["marked" if marked else "plain", symbols == "sʃzʒ"].append(
                    boundary_ms - event_ms
                )
    rows: list[dict[str, object]] = []
    for kind in ("plain", "marked"):
        late = found[kind, True] + found[kind, False]
        median = statistics.median(late)
        spread = statistics.median(abs(x - median) for x in late)
        rows.append(
            {
                "voice": name,
                "boundary": kind,
                "count": len(late),
                "late_ms": round(median, 1),
                "spread_ms": round(spread, 1),
            }
        )
    voice.close()
    return rows


def machine() -> dict[str, object]:
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "onnxruntime": version("onnxruntime"),
        "sherpa_onnx": version("sherpa_onnx"),
    }


def print_table(rows: list[dict[str, object]]) -> None:
    names = list(rows[0])
    print("| " + " | ".join(n.replace("_", " ") for n in names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[n]) for n in names) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", nargs="+", default=VOICES)
    parser.add_argument("--offsets", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="show what was misheard")
    options = parser.parse_args()
    if options.offsets:
        rows = [row for name in options.voices for row in offsets(name)]
        print_table(rows)
        print(json.dumps({"benchmark": "speech-offsets", **machine(), "rows": rows}))
        return
    recognizer = open_recognizer()
    rows = [compare(name, recognizer, verbose=options.verbose) for name in options.voices]
    print_table(rows)
    chosen = winner(rows)
    print(f"\ndefault by the rule: {chosen}")
    print(json.dumps({"benchmark": "speech", **machine(), "default": chosen, "rows": rows}))


if __name__ == "__main__":
    main()
