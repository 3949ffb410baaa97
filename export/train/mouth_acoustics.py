r"""Fit ``models/mouth_acoustics.npz``: articulators from what is heard.

Two kinds of teacher. Synthetic speech of many voices, whose phoneme times are exact, teaches all
outputs what the phoneme-driven motion does at the same moment. Real video (GRID, one speaker)
teaches lip gap, jaw and closures as the face model measures them. Sound is varied by level,
colouring and noise. Then outputs are stretched to the spread of their teachers, because a
regression that is unsure stays near the mean and would mumble.

    python -m export.train.mouth_acoustics --grid shared/data/grid_s1 --cache out/cache \
        -o models/mouth_acoustics.npz
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from edgeavatar.audio.resample import resample_stream
from edgeavatar.face import FaceTracker
from edgeavatar.motion.acoustics import (
    CONTEXT,
    OUTPUTS,
    AcousticModel,
    features_of,
)
from edgeavatar.motion.aperture import signed_aperture
from edgeavatar.motion.bands import SAMPLE_RATE, Listener
from edgeavatar.motion.coarticulation import phoneme_rows
from edgeavatar.motion.measures import correlation
from edgeavatar.speech import open_voice
from edgeavatar.types import (
    BLENDSHAPE_NAMES,
    MOTION_NAMES,
    AudioChunk,
    PhonemeTiming,
    SpeechChunk,
)

Floats = npt.NDArray[np.float64]

GRID_PRIMING = 1024
"""Samples of AAC priming at the start of each GRID clip; its edit list does not name them."""
GRID_FPS = 25
VOICES = (
    "af_alloy",
    "af_aoede",
    "af_bella",
    "af_heart",
    "af_jessica",
    "af_kore",
    "af_nicole",
    "af_nova",
    "af_river",
    "af_sky",
    "am_adam",
    "am_echo",
    "am_eric",
    "am_fenrir",
    "am_michael",
    "am_onyx",
    "am_puck",
    "bf_alice",
    "bf_emma",
    "bf_lily",
    "bm_daniel",
    "bm_fable",
    "bm_george",
)
"""Kokoro voices to learn from, beside hibari; licences as clear as the result's must be."""
HELD_OUT_VOICES = ("af_sarah", "am_liam", "bm_lewis", "en_US-joe")
HELD_OUT_CLIPS = 80
HIDDEN = 16
EPOCHS = 20
LEARNING_RATE = 3e-3
BATCH = 512
VARIANTS = 3
"""Times each recording is heard, all but one of them disturbed."""
GRID_WEIGHT = 2
MAX_STRETCH = 1.5
"""Beyond this, an output that is mostly guessed would be mostly noise."""
FACE_HEIGHT_CM = 17.7
CLOSED_GAP = 0.008
"""Measured gap (face heights) below which lips count as touching."""

SENTENCES = (
    "When the sunlight strikes raindrops in the air, they act as a prism and form a rainbow.",
    "My father bought a big brown boat, but nobody believed it would float.",
    "She had your dark suit in greasy wash water all year.",
    "Don't ask me to carry an oily rag like that.",
    "We always thought we would die with our boots on.",
    "The price of apples jumped from five to twelve pounds in a week.",
    "Do you know which shop sells cheap shoes and warm jackets?",
    "Please put the paper cup back on top of the table.",
    "Few people live above the village, where the river is cold and wide.",
    "Good morning! How are you doing today, and where did you go?",
    "It may well be the most beautiful museum that I have ever visited.",
    "Yesterday the children watched three yellow ducks swimming under the bridge.",
    "Every member of the group must remember to bring a map and a compass.",
    "The judge chose to change the usual measure of punishment.",
    "Have you ever heard such a strange noise from an empty room?",
    "My uncle Bob pumps up both bicycle tyres before each trip.",
)
SENTENCES_EACH = 5
HIBARI_RATES = (0.85, 1.0, 1.2)


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound and what the mouth does, row by row; nan where it is not known."""

    name: str
    samples: Floats
    targets: Floats
    """``(rows, len(OUTPUTS))`` at 100 Hz."""
    held_out: bool


# ---------------------------------------------------------------------------------------- teachers


def synthetic(cache: Path) -> Iterator[Recording]:
    """Speak with each voice; every one but hibari says another choice of sentences."""
    turn = 0
    for voice in VOICES + HELD_OUT_VOICES:
        texts = [SENTENCES[(turn + i) % len(SENTENCES)] for i in range(SENTENCES_EACH)]
        turn += SENTENCES_EACH
        yield _spoken(voice, texts, 1.0, cache)
    for rate in HIBARI_RATES:
        yield _spoken("hibari", list(SENTENCES), rate, cache)


def _spoken(voice: str, texts: list[str], rate: float, cache: Path) -> Recording:
    name = f"{voice}-{rate:g}"
    path = cache / f"{name}.npz"
    if not path.exists():
        speaker = open_voice(voice)
        chunks = list(speaker.synthesize(" ".join(texts), rate=rate))
        speaker.close()
        samples = np.concatenate(
            [c.samples for c in resample_stream((c.audio for c in chunks), SAMPLE_RATE)]
        )
        timings = [
            [p.symbol, p.start_sample, p.end_sample, p.stress] for c in chunks for p in c.phonemes
        ]
        rate_hz = chunks[0].audio.sample_rate
        np.savez(path, samples=samples, rate_hz=rate_hz, timings=json.dumps(timings))
    with np.load(path) as stored:
        phonemes = tuple(PhonemeTiming(*timing) for timing in json.loads(str(stored["timings"])))
        silent = np.zeros(phonemes[-1].end_sample, np.float32)
        chunk = SpeechChunk(AudioChunk(silent, int(stored["rate_hz"])), "", phonemes, ())
        return Recording(
            name,
            stored["samples"].astype(np.float64),
            _phoneme_targets(chunk),
            voice in HELD_OUT_VOICES,
        )


def _phoneme_targets(chunk: SpeechChunk) -> Floats:
    rows = np.concatenate(list(phoneme_rows([chunk])))
    column = {name: rows[:, MOTION_NAMES.index(name)].astype(np.float64) for name in MOTION_NAMES}
    gap = signed_aperture(rows).astype(np.float64)
    channels = {
        "jaw": column["jawOpen"],
        "gap": np.maximum(gap, 0.0),
        "pucker": column["mouthPucker"],
        "funnel": column["mouthFunnel"],
        "spread": column["mouthStretchLeft"] / 0.14,
        "labiodental": np.maximum(0.0, column["mouthRollLower"] - 1.2 * column["mouthRollUpper"])
        / 0.55,
        "tongue_tip": column["tongueUp"],
        "seal": column["mouthRollUpper"] / 0.10,
    }
    return np.stack([channels[name] for name in OUTPUTS], axis=1)


def measured(folder: Path, count: int, cache: Path) -> Iterator[Recording]:
    """Measure real clips with the face model."""
    paths = sorted(folder.glob("*.mp4"))
    random.Random(0).shuffle(paths)
    for i, clip in enumerate(paths[:count]):
        path = cache / f"{clip.stem}.npz"
        if not path.exists():
            samples, targets = _measure(clip)
            np.savez(path, samples=samples, targets=targets)
        with np.load(path) as stored:
            yield Recording(clip.stem, stored["samples"], stored["targets"], i < HELD_OUT_CLIPS)


def _measure(clip: Path) -> tuple[Floats, Floats]:
    with av.open(str(clip)) as container:
        frames = container.decode(container.streams.audio[0])
        samples = np.concatenate([f.to_ndarray().mean(axis=0) for f in frames])
    with av.open(str(clip)) as container:
        pictures = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)]
    tracker = FaceTracker(choice="largest", threads=1)
    times, gaps, jaws = [], [], []
    for i, picture in enumerate(pictures):
        seen = tracker.track(picture)
        if seen is not None:
            lips = seen.landmarks[[13, 14], :2].astype(np.float64)
            height = seen.pose.scale_px * FACE_HEIGHT_CM
            times.append(100.0 * i / GRID_FPS)
            gaps.append(float(np.linalg.norm(lips[0] - lips[1])) / height)
            jaws.append(float(seen.blendshapes[BLENDSHAPE_NAMES.index("jawOpen")]))
    rows = np.arange(100 * len(pictures) // GRID_FPS)
    targets = np.full((len(rows), len(OUTPUTS)), np.nan)
    if len(times) > 2:
        rest = float(np.percentile(gaps, 5))
        gap = np.interp(rows, times, np.maximum(np.array(gaps) - rest, 0.0))
        targets[:, OUTPUTS.index("gap")] = gap
        targets[:, OUTPUTS.index("jaw")] = np.interp(rows, times, jaws)
        targets[:, OUTPUTS.index("seal")] = gap < CLOSED_GAP
    return samples[GRID_PRIMING:].astype(np.float64), targets


# ----------------------------------------------------------------------------------------- hearing


def disturbed(samples: Floats, draw: np.random.Generator) -> Floats:
    """Change level and colour of a recording, and add noise."""
    spectrum = np.fft.rfft(samples)
    octaves = np.log2((np.linspace(0.0, SAMPLE_RATE / 2, len(spectrum)) + 150.0) / 1000.0)
    colour = draw.uniform(-2.0, 2.0) * octaves
    for _ in range(3):
        bump = (octaves - draw.uniform(-2.5, 2.8)) / 0.8
        colour += draw.uniform(-5.0, 5.0) * np.exp(-(bump**2))
    level = draw.uniform(-18.0, 6.0)
    heard = np.fft.irfft(spectrum * 10.0 ** ((colour + level) / 20.0), len(samples))
    if draw.random() < 0.6:
        noise = np.fft.rfft(draw.standard_normal(len(samples)))
        noise /= np.maximum(np.arange(len(noise)), 20.0) ** draw.uniform(0.0, 0.6)
        hiss = np.fft.irfft(noise, len(samples))
        ratio = 10.0 ** (-draw.uniform(10.0, 35.0) / 20.0)
        heard += hiss / hiss.std() * np.sqrt((heard**2).mean()) * ratio
    return heard


def heard_features(samples: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Features of each row, and whether it lies in or near speech."""
    listener = Listener()
    parts = [listener.push(samples.astype(np.float32)), listener.finish()]
    reach = max(high for _, high in CONTEXT)
    bands = np.concatenate([p.bands for p in parts])
    loud = np.concatenate([p.over_level_db for p in parts]) > -36.0
    near = np.convolve(loud, np.ones(21), mode="same") > 0.5
    return features_of(np.pad(bands, ((reach, reach), (0, 0)))), near


def examples(
    recordings: list[Recording], draw: np.random.Generator, variants: int
) -> tuple[Floats, Floats]:
    """Features and targets of all rows, each recording heard several times."""
    inputs, targets = [], []
    for recording in recordings:
        real = np.isnan(recording.targets).any()
        for variant in range(variants):
            samples = recording.samples
            features, near = heard_features(disturbed(samples, draw) if variant else samples)
            count = min(len(features), len(recording.targets))
            # Between video frames there is nothing measured; and before and after the words real
            # lips are parted or wet or licked, which no sound tells.
            rows = np.arange(0, count, 4) if real else np.arange(count)
            if real:
                rows = np.repeat(rows[near[rows]], GRID_WEIGHT)
            inputs.append(features[rows])
            targets.append(recording.targets[rows])
    return np.concatenate(inputs), np.concatenate(targets)


# ----------------------------------------------------------------------------------------- fitting


def fit(inputs: Floats, targets: Floats, seed: int) -> AcousticModel:
    """Fit with Adam on the squared error of standardised targets, unknown ones left out."""
    draw = np.random.default_rng(seed)
    shift, scale = inputs.mean(axis=0), inputs.std(axis=0) + 0.05
    middle, spread = np.nanmean(targets, axis=0), np.nanstd(targets, axis=0)
    x = ((inputs - shift) / scale).astype(np.float32)
    known = ~np.isnan(targets)
    y = np.where(known, (targets - middle) / spread, 0.0).astype(np.float32)
    size, width = x.shape[1], y.shape[1]
    weights = [
        draw.standard_normal((size, HIDDEN)).astype(np.float32) / np.sqrt(size),
        np.zeros(HIDDEN, np.float32),
        draw.standard_normal((HIDDEN, width)).astype(np.float32) / np.sqrt(HIDDEN),
        np.zeros(width, np.float32),
    ]
    means = [np.zeros_like(w) for w in weights]
    squares = [np.zeros_like(w) for w in weights]
    steps = EPOCHS * (len(x) // BATCH)
    step = 0
    for _ in range(EPOCHS):
        order = draw.permutation(len(x))
        for first in range(0, len(x) - BATCH + 1, BATCH):
            step += 1
            part = order[first : first + BATCH]
            a = x[part]
            h = np.tanh(a @ weights[0] + weights[1])
            error = (h @ weights[2] + weights[3] - y[part]) * known[part] / BATCH
            back = error @ weights[2].T * (1.0 - h * h)
            slopes = [a.T @ back, back.sum(axis=0), h.T @ error, error.sum(axis=0)]
            rate = LEARNING_RATE * 0.5 * (1.0 + np.cos(np.pi * step / steps))
            for w, m, s, g in zip(weights, means, squares, slopes, strict=True):
                m += 0.1 * (g - m)
                s += 0.001 * (g * g - s)
                w -= rate * (m / (1 - 0.9**step)) / (np.sqrt(s / (1 - 0.999**step)) + 1e-8)
    hidden, hidden_bias, out, out_bias = (w.astype(np.float64) for w in weights)
    # Into plain units, so that the runtime needs no more than two products.
    hidden = hidden / scale[:, None]
    plain = AcousticModel(
        hidden, hidden_bias - shift @ hidden, out * spread, out_bias * spread + middle
    )
    return _stretched(plain, inputs, targets)


def _stretched(model: AcousticModel, inputs: Floats, targets: Floats) -> AcousticModel:
    """Give each articulator the spread of its teachers; the seal is a score and stays."""
    said = model(inputs)
    gain, shift = np.ones(len(OUTPUTS)), np.zeros(len(OUTPUTS))
    for column in range(len(OUTPUTS) - 1):
        known = ~np.isnan(targets[:, column])
        a, b = said[known, column], targets[known, column]
        gain[column] = min(b.std() / a.std(), MAX_STRETCH)
        shift[column] = b.mean() - gain[column] * a.mean()
    return AcousticModel(
        model.hidden, model.hidden_bias, model.out * gain, model.out_bias * gain + shift
    )


def score(model: AcousticModel, recordings: list[Recording]) -> dict[str, float]:
    """Correlate said and taught gap on recordings, and compare their spread."""
    r, spread = [], []
    column = OUTPUTS.index("gap")
    for recording in recordings:
        features, near = heard_features(recording.samples)
        count = min(len(features), len(recording.targets))
        said = np.maximum(model(features)[:count, column], 0.0)
        taught = recording.targets[:count, column]
        if np.isnan(taught).any():
            continue
        r.append(correlation(said, taught, max_lag=8).r)
        speech = near[:count]
        spread.append(np.ptp(np.percentile(said[speech], [5, 95])))
        spread[-1] /= np.ptp(np.percentile(taught[speech], [5, 95]))
    return {"r": float(np.mean(r)), "range_ratio": float(np.mean(spread)), "n": len(r)}


def main() -> None:
    """Fit, score on what was held out, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", type=Path, required=True, help="folder of GRID clips")
    parser.add_argument("--clips", type=int, default=240, help="how many of them")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what is slow")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    spoken = list(synthetic(options.cache))
    real = list(measured(options.grid, options.clips, options.cache))
    draw = np.random.default_rng(options.seed)
    inputs, targets = examples([r for r in spoken + real if not r.held_out], draw, VARIANTS)
    model = fit(inputs, targets, options.seed)
    stored = {
        name: getattr(model, name).astype(np.float16)
        for name in ("hidden", "hidden_bias", "out", "out_bias")
    }
    np.savez_compressed(options.output, **stored)
    rounded = AcousticModel(*(a.astype(np.float64) for a in stored.values()))
    print(
        json.dumps(
            {
                "rows": len(inputs),
                "weights": sum(a.size for a in stored.values()),
                "bytes": options.output.stat().st_size,
                "voices_not_trained_on": score(rounded, [r for r in spoken if r.held_out]),
                "clips_not_trained_on": score(rounded, [r for r in real if r.held_out]),
            }
        )
    )


if __name__ == "__main__":
    main()
