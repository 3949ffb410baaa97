"""Spoil clear speech step by step, and see where the mouth that follows it goes wrong.

From this come the bounds of ``edgeavatar.analysis.sound_factors``.

Clear speech is that of six voices and of the two readings of ``fixture-speech``. Half of the
speakers choose the bounds, the other half, who say other sentences, test them. The truth is how the
mouth moves by the clean sound. Measures:

- ``r``: correlation of the lip gap, in a video of 25 frames a second, with that of the clean sound,
  at the best lag within 2 frames.
- ``closed``: bilabials with the lips closed (voices only, whose phonemes are known).
- ``silence``: share of frames far from speech in which the mouth is open by more than 15 % of the
  90th percentile of the clean gap.
- ``wrong``: word error in percent, by sound (tiny model).

Degradations: noise (white, fan, babble of six other voices, music) at ratios of mean powers while
somebody speaks; peaks cut so that a share of the speech is cut, then turned down by 6 dB, kept as
16 bits; low-pass; rooms by the image method (Allen and Berkley 1979) at 0.5 m and 2 m, whose RT60
is read off the response (Schroeder 1965); level, kept as 16 bits.

A change counts as seen where r falls below 0.9, and as spoilt where it falls below what opening the
mouth by loudness alone reaches on clean sound (``benchmarks/motion.py``, ``loudness``).

    python -m benchmarks.degraded_sound [--quick] [--only noise room] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.motion import (
    FPS,
    SAMPLE_RATE,
    beside,
    chances_of,
    fan,
    heard_rows,
    loudness_rows,
    music,
    pieces,
    read_sound,
    say,
    shown_gaps,
    silent_frames,
    speech_between,
)
from benchmarks.motion import Recording as Spoken
from benchmarks.speech import SENTENCES, print_table, pronounced, word_errors
from benchmarks.transcription import READINGS
from edgeavatar import zoo
from edgeavatar.analysis.sound_factors import sound_factors
from edgeavatar.audio.vad import VoiceActivityDetector, open_vad
from edgeavatar.motion.acoustics import audio_rows
from edgeavatar.motion.measures import CLOSED_SHARE, closure, correlation
from edgeavatar.pipeline.sound_analysis import findings_of
from edgeavatar.speech.transcription import Recognizer, open_recognizer

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent
CHOOSING = ("hibari", "af_sarah", "am_michael", "two_cities")
TESTING = ("en_US-joe", "am_liam", "bm_lewis", "beckett")
VOICES = ("hibari", "en_US-joe", "af_sarah", "am_liam", "bm_lewis", "af_heart", "am_michael")
"""Each says three sentences of its own."""
READ_S, READ_WORDS = 22, 63
LEAD_S = 1.0
"""Silence before and after each reading, as recordings have it."""
FLOOR_DB = -70.0
"""Noise of the clean sound, below its speech: digital silence is no recording."""
SEEN = 0.9

SNR_DB = (30, 20, 15, 10, 5, 0, -5)
CUT = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
LOWPASS_HZ = (6000, 5000, 4000, 3400, 3000, 2500, 2000, 1500)
RT60_S = (0.2, 0.35, 0.5, 0.8, 1.2, 1.6)
DISTANCES_M = (0.5, 2.0)
LEVELS_DB = (0, -10, -20, -30, -40, -50, -60)
SPEECH_DBFS = -20.0
NOT_TRANSCRIBED = frozenset({"white", "music", "room, 0.5 m"})
"""To save time."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Speech that is not spoilt yet."""

    name: str
    spoken: Spoken
    text: str

    @property
    def samples(self) -> Floats:
        return self.spoken.samples


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recording, spoilt in one way."""

    name: str
    kind: str
    step: float
    """What was asked for: dB, share, Hz, s."""
    truth: float
    """What is so: as the step, but RT60 of the response."""
    r: float
    closed: tuple[int, int]
    silence: float
    errors: int | None
    words: int
    measured: dict[str, float | None]
    verdicts: dict[str, str]


# ------------------------------------------------------------------------------------ clear speech


def clear_speech(cache: Path, names: Sequence[str]) -> list[Clear]:
    found = []
    for i, voice in enumerate(VOICES):
        if voice in names:
            a, b, c = SENTENCES[3 * i : 3 * i + 3]
            found.append(_padded(voice, say(voice, [f"{a} {b}", c], 0.8, cache), f"{a} {b} {c}"))
    for name, path in zoo.resolve("fixture-speech").items():
        if name in names:
            samples = read_sound(path)[: READ_S * SAMPLE_RATE]
            text = (
                _first_words(READINGS[name], READ_WORDS) if name == "two_cities" else READINGS[name]
            )
            found.append(_padded(name, Spoken(name, samples, speech_between(samples)), text))
    return found


def _first_words(text: str, count: int) -> str:
    return " ".join(text.split()[:count])


def _padded(name: str, spoken: Spoken, text: str) -> Clear:
    lead = round(LEAD_S * SAMPLE_RATE)
    shift = round(LEAD_S * spoken.rate)
    speech = tuple(
        replace(p, start_sample=p.start_sample + shift, end_sample=p.end_sample + shift)
        for p in spoken.speech
    )
    samples = np.pad(spoken.samples, (lead, lead))
    padded = Spoken(name, samples, speech, spoken.rate, phonemes_known=spoken.phonemes_known)
    power = _speech_power(padded)
    gain = 10.0 ** (SPEECH_DBFS / 20.0) / math.sqrt(power)
    draw = np.random.default_rng(len(samples))
    floor = 10.0 ** ((SPEECH_DBFS + FLOOR_DB) / 20.0) * draw.standard_normal(len(samples))
    return Clear(name, replace(padded, samples=_kept(samples * gain + floor)), text)


def _talks(spoken: Spoken) -> npt.NDArray[np.bool_]:
    talks = np.zeros(len(spoken.samples), bool)
    scale = SAMPLE_RATE / spoken.rate
    for p in spoken.speech:
        if p.symbol != "_":
            talks[round(p.start_sample * scale) : round(p.end_sample * scale)] = True
    return talks


def _speech_power(spoken: Spoken) -> float:
    return float((spoken.samples[_talks(spoken)].astype(np.float64) ** 2).mean())


def _kept(samples: npt.ArrayLike) -> Floats:
    """Round to 16 bits, cutting what is over."""
    return np.clip(np.rint(np.asarray(samples) * 32768.0), -32768, 32767).astype(
        np.float32
    ) / np.float32(32768.0)


# ---------------------------------------------------------------------------------------- spoiling


def spoilt(clear: Clear, others: Sequence[Clear], kinds: Sequence[str]) -> Iterator[Any]:
    """Give kind, step, truth and samples of each degradation."""
    count = len(clear.samples)
    draw = np.random.default_rng(count)
    noises = {
        "white": draw.standard_normal(count),
        "fan": fan(count, draw),
        "babble": babble(count, others, draw),
        "music": music(count, draw),
    }
    yield "clean", 0.0, 0.0, clear.samples
    for kind, noise in noises.items():
        if kind in kinds or "noise" in kinds:
            for snr in SNR_DB:
                yield kind, snr, snr, _kept(beside(clear.spoken, noise, snr))
    if "clipping" in kinds:
        for share in CUT:
            yield "clipping", share, share, cut(clear, share)
    if "bandwidth" in kinds:
        for edge in LOWPASS_HZ:
            yield "bandwidth", edge, edge, _kept(low_pass(clear.samples, edge))
    if "room" in kinds:
        for distance in DISTANCES_M:
            for rt60 in RT60_S:
                response = room_response(rt60, distance)
                wet = convolved(clear.samples, response)
                gain = math.sqrt(
                    float((clear.samples**2).mean()) / float((wet.astype(np.float64) ** 2).mean())
                )
                yield f"room, {distance:g} m", rt60, rt60_of(response), _kept(wet * gain)
    if "level" in kinds:
        for level in LEVELS_DB:
            yield "level", level, level, _kept(clear.samples * 10.0 ** (level / 20.0))


def babble(count: int, others: Sequence[Clear], draw: np.random.Generator) -> Wide:
    """Six voices at once, from anywhere in what others say."""
    mixed = np.zeros(count)
    for k in range(6):
        other = others[k % len(others)]
        lead = round(LEAD_S * SAMPLE_RATE)
        said = other.samples[lead:-lead].astype(np.float64)
        said = said[np.abs(said).cumsum() > 0]
        turned = np.roll(np.resize(said, count), int(draw.integers(count)))
        mixed += turned / math.sqrt(float((turned**2).mean()))
    return mixed


def cut(clear: Clear, share: float) -> Floats:
    """Cut a share of the samples of speech at the top, and turn down what is left by 6 dB."""
    loud = np.abs(clear.samples[_talks(clear.spoken)])
    limit = float(np.quantile(loud, 1.0 - share))
    return _kept(0.5 * np.clip(clear.samples, -limit, limit) / limit)


def low_pass(samples: Floats, edge_hz: float) -> Floats:
    """Keep what is below, with a slope of a tenth of the edge."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
    gain = np.interp(frequencies, [edge_hz, 1.1 * edge_hz], [1.0, 1e-4])
    return np.fft.irfft(spectrum * gain, len(samples)).astype(np.float32)


def room_response(rt60_s: float, distance_m: float) -> Wide:
    """Impulse response of a shoebox by the image method, at 16 kHz; high-passed at 60 Hz."""
    sound_m_s = 343.0
    # Larger rooms for longer times, as they are.
    size = np.array([4.0, 3.2, 2.5]) * (1.0 + 0.8 * max(0.0, rt60_s - 0.35))
    volume = float(size.prod())
    area = 2.0 * float(size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    absorption = 1.0 - math.exp(-0.1611 * volume / (area * rt60_s))  # Eyring
    reflection = math.sqrt(1.0 - absorption)
    source = size * np.array([0.42, 0.37, 0.55])
    ear = source + distance_m * np.array([0.8, 0.58, 0.15])
    reach = sound_m_s * 1.1 * rt60_s
    response = np.zeros(int(1.1 * rt60_s * SAMPLE_RATE) + 64)
    orders = [np.arange(-math.ceil(reach / (2 * s)), math.ceil(reach / (2 * s)) + 1) for s in size]
    for mirrored in np.ndindex(2, 2, 2):
        parts, bounces = [], []
        for axis in range(3):
            n = orders[axis]
            parts.append((1 - 2 * mirrored[axis]) * source[axis] + 2 * n * size[axis] - ear[axis])
            bounces.append(np.abs(n - mirrored[axis]) + np.abs(n))
        flat = parts[1][:, None] ** 2 + parts[2][None] ** 2
        hits = bounces[1][:, None] + bounces[2][None]
        for x, bounce in zip(parts[0], bounces[0], strict=True):
            away = np.sqrt(x**2 + flat)
            near = away < reach
            at = np.rint(away[near] / sound_m_s * SAMPLE_RATE).astype(np.intp)
            gain = reflection ** (hits[near] + bounce) / away[near]
            response += np.bincount(at, gain, len(response))[: len(response)]
    spectrum = np.fft.rfft(response)
    frequencies = np.fft.rfftfreq(len(response), 1.0 / SAMPLE_RATE)
    response = np.fft.irfft(spectrum * (frequencies > 60.0), len(response))
    return np.asarray(response[int(np.argmax(np.abs(response))) :])


def rt60_of(response: Wide) -> float:
    """Fit the backward integral of a response from -5 to -25 dB (ISO 3382: T20)."""
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10.0 * np.log10(energy / energy[0] + 1e-12)
    fit = np.flatnonzero((level < -5.0) & (level > -25.0))
    return float(-60.0 / np.polyfit(fit / SAMPLE_RATE, level[fit], 1)[0])


def convolved(samples: Floats, response: Wide) -> Wide:
    size = 1 << math.ceil(math.log2(len(samples) + len(response)))
    product = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    return np.asarray(np.fft.irfft(product, size)[: len(samples)])


# --------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True, slots=True)
class Rig:
    """What hears."""

    detector: VoiceActivityDetector
    recognizer: Recognizer


def moved(samples: Floats, rig: Rig, frames: int) -> Floats:
    rows = heard_rows(audio_rows, samples, chances_of(samples, rig.detector))
    return shown_gaps(rows, frames)


def outcomes(
    clear: Clear, others: Sequence[Clear], kinds: Sequence[str], rig: Rig
) -> list[Outcome]:
    spoken = clear.spoken
    truth = moved(clear.samples, rig, spoken.frames)
    times = np.arange(spoken.frames) / FPS
    still = silent_frames(times, spoken.speech, spoken.rate)
    limit = CLOSED_SHARE * float(np.percentile(truth, 90))
    expected = pronounced(clear.text)
    found = []
    for kind, step, real, samples in spoilt(clear, others, kinds):
        gaps = moved(samples, rig, spoken.frames)
        r = correlation(gaps, truth, max_lag=2).r
        score = closure(gaps, times, spoken.speech, spoken.rate)
        listens = kind not in NOT_TRANSCRIBED
        heard = findings_of(
            pieces(samples, 8000), SAMPLE_RATE, rig.detector, rig.recognizer if listens else None
        )
        text = " ".join(word.text for word in heard.words)
        factors = sound_factors(heard)
        leaks = [float((gaps[a:b] > limit).mean()) for a, b in still]
        found.append(
            Outcome(
                clear.name,
                kind,
                step,
                real,
                0.0 if math.isnan(r) else r,
                (score.closed_bilabials, score.bilabials) if spoken.phonemes_known else (0, 0),
                float(np.average(leaks, weights=[b - a for a, b in still])) if still else math.nan,
                word_errors(expected, pronounced(text)) if listens else None,
                len(expected),
                {f.name: f.value for f in factors},
                {f.name: f.verdict for f in factors},
            )
        )
    return found


# ------------------------------------------------------------------------------------------ bounds


KINDS = ("noise", "clipping", "bandwidth", "room", "level")
FACTORS = {
    "noise": ("white", "fan", "babble", "music"),
    "clipping": ("clipping",),
    "bandwidth": ("bandwidth",),
    "reverberation": ("room, 0.5 m", "room, 2 m"),
    "loudness": ("level",),
}
"""The factor that should name each kind of degradation."""
WORSE_ABOVE = frozenset({"clipping", "reverberation"})


def steps_table(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row for each kind and step, over all speakers."""
    rows = []
    for kind, step in dict.fromkeys((o.kind, o.step) for o in found):
        same = [o for o in found if (o.kind, o.step) == (kind, step)]
        heard = [o for o in same if o.errors is not None]
        closed = np.sum([o.closed for o in same], axis=0)
        factor = next((f for f, kinds in FACTORS.items() if kind in kinds), None)
        values = [o.measured[factor] for o in same] if factor else []
        known = [v for v in values if v is not None]
        rows.append(
            {
                "kind": kind,
                "step": f"{step:g}",
                "r": f"{np.mean([o.r for o in same]):.3f}",
                "least r": f"{min(o.r for o in same):.2f}",
                "closed %": f"{100 * closed[0] / closed[1]:.0f}" if closed[1] else "",
                "silence %": f"{100 * np.nanmean([o.silence for o in same]):.0f}",
                "wrong %": f"{100 * _wrong(heard):.0f}" if heard else "",
                "measured": f"{np.median(known):.3g} [{min(known):.3g}, {max(known):.3g}]"
                if known
                else "",
            }
        )
    return rows


def _wrong(heard: Sequence[Outcome]) -> float:
    return sum(o.errors or 0 for o in heard) / sum(o.words for o in heard)


def bound(
    found: Sequence[Outcome], factor: str, kinds: Sequence[str], least_r: float
) -> float | None:
    """Value of a factor that best tells whether r falls below a limit: mean of both shares right.

    None if r never does.
    """
    sign = 1.0 if factor in WORSE_ABOVE else -1.0
    points = [
        (sign * value, o.r < least_r)
        for o in found
        if o.kind == "clean" or o.kind in kinds
        if (value := o.measured[factor]) is not None
    ]
    values = np.array([v for v, _ in points])
    poor = np.array([p for _, p in points])
    if not poor.any():
        return None
    edges = np.unique(values)
    middles = (edges[1:] + edges[:-1]) / 2.0
    scores = [(values > m)[poor].mean() + (values <= m)[~poor].mean() for m in middles]
    return float(sign * middles[int(np.argmax(scores))])


def alarms(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Hits and false alarms of the factors as they stand."""
    rows = []
    for factor, kinds in FACTORS.items():
        own = [o for o in found if o.kind in kinds]
        seen = [o for o in own if o.r < SEEN]
        unseen = [o for o in own if o.r >= SEEN]
        clean = [o for o in found if o.kind == "clean"]
        elsewhere = [o for o in found if o.kind not in (*kinds, "clean")]

        def told(some: Sequence[Outcome], factor: str = factor) -> str:
            return f"{sum(o.verdicts[factor] in ('warn', 'bad') for o in some)}/{len(some)}"

        rows.append(
            {
                "factor": factor,
                "seen, told": told(seen),
                "unseen, told": told(unseen),
                "clean, told": told(clean),
                "other kinds, told": told(elsewhere),
            }
        )
    return rows


def loudness_r(clears: Sequence[Clear], rig: Rig) -> float:
    """Mean correlation that opening by loudness alone reaches on clean sound."""
    found = []
    for clear in clears:
        frames = clear.spoken.frames
        gaps = shown_gaps(loudness_rows(clear.samples), frames)
        found.append(correlation(gaps, moved(clear.samples, rig, frames), max_lag=2).r)
    return float(np.mean(found))


def main() -> None:
    """Print the tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--quick", action="store_true", help="two speakers of each half")
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "cache" / "bench")
    parser.add_argument("--json", type=Path, help="file to write the JSON line to as well")
    parser.add_argument("--outcomes", type=Path, help="file of outcomes: read, or written")
    options = parser.parse_args()
    rig = Rig(open_vad(), open_recognizer())
    halves = {
        name: clear_speech(options.cache, names[-2:] if options.quick else names)
        for name, names in (("choosing", CHOOSING), ("testing", TESTING))
    }
    known = options.outcomes is not None and options.outcomes.is_file()
    found: dict[str, list[Outcome]] = {}
    if known:
        stored = json.loads(options.outcomes.read_text(encoding="utf-8"))
        found = {half: [_outcome(fields) for fields in rows] for half, rows in stored.items()}
    for half, clears in halves.items():
        others = halves["testing" if half == "choosing" else "choosing"]
        if known:
            found[half] = remeasured(found[half], clears, others, options.only, rig)
            continue
        found[half] = []
        for clear in clears:
            found[half] += outcomes(clear, others, options.only, rig)
            print(f"{half}: {clear.name}", flush=True)
    if options.outcomes is not None:
        line = json.dumps({half: [asdict(o) for o in rows] for half, rows in found.items()})
        options.outcomes.write_text(line + "\n", encoding="utf-8")
    spoilt_r = loudness_r(halves["choosing"], rig)
    bounds = {
        name: {
            "seen": bound(found["choosing"], factor, kinds, SEEN),
            "spoilt": bound(found["choosing"], factor, kinds, spoilt_r),
        }
        for name, factor, kinds in (
            ("noise, steady", "noise", ("white", "fan", "music")),
            ("noise, voices", "noise", ("babble",)),
            *((f, f, kinds) for f, kinds in FACTORS.items() if f != "noise"),
        )
    }
    for half, rows in found.items():
        print(f"\n{half}")
        print_table(steps_table(rows))
        print()
        print_table(alarms(rows))
    print(f"\nr of opening by loudness: {spoilt_r:.2f}")
    print_table([{"factor": name, **both} for name, both in bounds.items()])
    line = json.dumps(
        {
            "benchmark": "degraded_sound",
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "quick": options.quick,
            "loudness_r": round(spoilt_r, 3),
            "bounds": bounds,
            "steps": {half: steps_table(rows) for half, rows in found.items()},
            "alarms": {half: alarms(rows) for half, rows in found.items()},
        }
    )
    print(f"\n{line}")
    if options.json:
        options.json.write_text(line + "\n", encoding="utf-8")


def _outcome(fields: dict[str, Any]) -> Outcome:
    return Outcome(**{**fields, "closed": tuple(fields["closed"])})


def remeasured(
    found: Sequence[Outcome],
    clears: Sequence[Clear],
    others: Sequence[Clear],
    kinds: Sequence[str],
    rig: Rig,
) -> list[Outcome]:
    """Measure the same sounds anew, without moving a mouth or listening for words."""
    renewed = []
    for clear in clears:
        known = {(o.kind, o.step): o for o in found if o.name == clear.name}
        for kind, step, _, samples in spoilt(clear, others, kinds):
            factors = sound_factors(findings_of(pieces(samples, 8000), SAMPLE_RATE, rig.detector))
            renewed.append(
                replace(
                    known[kind, step],
                    measured={f.name: f.value for f in factors},
                    verdicts={f.name: f.verdict for f in factors},
                )
            )
    return renewed


if __name__ == "__main__":
    main()
