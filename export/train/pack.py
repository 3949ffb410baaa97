r"""Gather all that the motion nets learn from in files that travel to where they are trained.

python -m export.train.pack --data DATA --cache out/cache -o out/pack
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeavatar.motion.phones import phone_rows, phones_of
from edgeavatar.motion.visemes import ARTICULATORS
from edgeavatar.speech.english import phonemize
from edgeavatar.speech.phonemes import letter_units
from export.train import filmed, rigged
from export.train.dominance import dominance_channels
from export.train.spoken import spoken_takes

ROW_S = 0.01
PARTS = 7
SPOKEN, FILMED, RIGGED = range(3)


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound and what is known of the mouth in it."""

    name: str
    kind: int
    held_out: bool
    samples: npt.NDArray[np.float32]
    phones: npt.NDArray[np.int8]
    """``(rows,)`` index into PHONES, -1 where not known."""
    targets: npt.NDArray[np.float16]
    """``(rows, 9)`` articulators at 100 Hz, nan where not known."""
    script: tuple[tuple[int, ...], ...] = ()
    """Phones of each word, where their times are not known."""
    words: tuple[tuple[float, float], ...] = ()
    """Start and end of each word of the script in seconds."""


def recordings(data: Path, cache: Path) -> Iterator[Recording]:
    """Give everything: synthetic speech, filmed speech, rigged speech."""
    yield from _spoken(cache / "spoken")
    words = json.loads((data / "grid_s1_words.json").read_text())
    yield from _filmed(data / "grid_s1", words, cache / "grid")
    for take in rigged.rigged_takes(data / "facegood"):
        targets = _targets(take.channels, rigged.FPS)
        unknown = np.full(len(targets), -1, np.int8)
        held_out = take.name in ("1114_2_05", "1114_3_16")
        yield Recording(take.name, RIGGED, held_out, take.samples, unknown, targets)


def _spoken(cache: Path) -> Iterator[Recording]:
    for spoken in spoken_takes(cache):
        rate = spoken.speech.audio.sample_rate
        spans = [
            (p.start_sample / rate, p.end_sample / rate, p.symbol) for p in spoken.speech.phonemes
        ]
        channels = dominance_channels([spoken.speech])
        phones = phone_rows(spans, np.arange(len(channels)) * ROW_S).argmax(axis=1)
        yield Recording(
            spoken.take.stem,
            SPOKEN,
            spoken.take.held_out,
            spoken.samples,
            phones.astype(np.int8),
            channels.astype(np.float16),
        )


def _filmed(folder: Path, words: dict[str, list[list[object]]], cache: Path) -> Iterator[Recording]:
    pronounced: dict[str, tuple[int, ...]] = {}
    for clip in filmed.measured_clips(folder, cache):
        script, times = [], []
        for start, end, word in words[clip.name]:
            if word in ("sil", "sp"):
                continue
            text = str(word)
            if text not in pronounced:
                pronounced[text] = _pronounce(text)
            script.append(pronounced[text])
            times.append((float(str(start)), float(str(end))))
        targets = _targets(filmed.articulators_of(clip), filmed.FPS)
        # Before the first word and after the last, lips are parted, wet or licked.
        rows = np.arange(len(targets)) * ROW_S
        idle = (rows < times[0][0] - 0.1) | (rows > times[-1][1] + 0.1)
        targets[idle] = np.nan
        unknown = np.full(len(targets), -1, np.int8)
        yield Recording(
            clip.name,
            FILMED,
            filmed.is_held_out(clip.name),
            clip.samples,
            unknown,
            targets,
            tuple(script),
            tuple(times),
        )


def _pronounce(word: str) -> tuple[int, ...]:
    # A lone letter is its name, which the article "a" would hide.
    text = "eigh" if word == "a" else word.upper() if len(word) == 1 else word
    _, letters = phonemize(text, british=True)
    units = letter_units(letters, [1] * (len(letters) + 2))
    found = [phone for unit in units for phone, _ in phones_of(unit.symbol or "_")]
    return tuple(phone for phone in found if phone)


def _targets(channels: dict[str, npt.NDArray[np.float64]], fps: int) -> npt.NDArray[np.float16]:
    count = len(channels["gap"])
    rows = np.arange(count * 100 // fps)
    targets = np.full((len(rows), len(ARTICULATORS)), np.nan, np.float16)
    for name, values in channels.items():
        known = np.flatnonzero(~np.isnan(values))
        if len(known) > 0.9 * count:
            column = np.interp(rows * fps / 100.0, known, values[known])
            targets[:, ARTICULATORS.index(name)] = column
    return targets


# ------------------------------------------------------------------------------------------ files


def to_mu_law(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Compress to 8 bits (ITU-T G.711's curve, 255 steps): 38 dB of signal to noise."""
    x = np.clip(samples, -1.0, 1.0)
    y = np.sign(x) * np.log1p(255.0 * np.abs(x)) / np.log(256.0)
    return np.rint((y + 1.0) * 127.5).astype(np.uint8)


def write(path: Path, chosen: list[Recording]) -> None:
    """Write recordings end to end, with an index."""
    index = [
        {
            "name": r.name,
            "kind": r.kind,
            "held_out": r.held_out,
            "samples": len(r.samples),
            "rows": len(r.targets),
            "script": r.script,
            "words": r.words,
        }
        for r in chosen
    ]
    np.savez_compressed(
        path,
        index=json.dumps(index),
        sound=np.concatenate([to_mu_law(r.samples) for r in chosen]),
        phones=np.concatenate([r.phones for r in chosen]),
        targets=np.concatenate([r.targets for r in chosen]),
    )


def main() -> None:
    """Write the parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what is slow")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    everything = list(recordings(options.data, options.cache))
    total = sum(len(r.samples) for r in everything)
    parts: list[list[Recording]] = [[] for _ in range(PARTS)]
    done = 0
    for recording in everything:
        middle = done + len(recording.samples) // 2
        parts[middle * PARTS // total].append(recording)
        done += len(recording.samples)
    for i, part in enumerate(parts):
        path = options.output / f"part{i}.npz"
        write(path, part)
        minutes = sum(len(r.samples) for r in part) / 960000
        print(f"{path}: {len(part)} recordings, {minutes:.0f} min, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
