"""The motion benchmark's own references, its baseline, and the frozen regression beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import motion, previous
from edgeavatar.motion.aperture import lip_aperture
from edgeavatar.types import AudioChunk, PhonemeTiming
from export.train.filmed import is_held_out

RATE = 16000


def buzz(length_s: float) -> np.ndarray:
    """Make a buzz of 120 Hz with one formant at 700 Hz."""
    times = np.arange(round(length_s * RATE)) / RATE
    sound = np.zeros_like(times)
    for k in range(1, 40):
        sound += np.sin(240 * np.pi * k * times) / (1.0 + ((120 * k - 700) / 200.0) ** 2)
    edge = np.minimum(1.0, np.minimum(times, times[-1] - times) / 0.02)
    return 0.2 * edge * sound / np.abs(sound).max()


def silence(length_s: float) -> np.ndarray:
    return np.zeros(round(length_s * RATE))


SYLLABLES = np.concatenate([silence(0.6), buzz(0.3), silence(0.8), buzz(0.3), silence(0.5)]).astype(
    np.float32
)


def spoken(*timings: tuple[str, float, float]) -> tuple[PhonemeTiming, ...]:
    return tuple(PhonemeTiming(s, round(a * RATE), round(b * RATE)) for s, a, b in timings)


# ----------------------------------------------------------------------------------------- systems


def test_the_loudness_baseline_opens_with_the_sound_however_loud_it_is() -> None:
    hiss = 1e-4 * np.random.default_rng(3).standard_normal(len(SYLLABLES))
    sound = (SYLLABLES + hiss).astype(np.float32)
    gaps = lip_aperture(motion.loudness_rows(sound))
    assert len(gaps) == 250
    assert gaps[68:82].min() > 0.08
    assert gaps[178:192].min() > 0.08
    assert gaps[:55].max() < 1e-6
    assert gaps[100:160].max() < 1e-6
    quiet = lip_aperture(motion.loudness_rows(0.1 * sound))
    assert np.abs(quiet - gaps).max() < 0.002


def test_the_loudness_baseline_does_not_hear_steady_noise() -> None:
    noise = motion.fan(len(SYLLABLES), np.random.default_rng(0))
    sound = SYLLABLES + 0.01 * noise / noise.std()
    gaps = lip_aperture(motion.loudness_rows(sound.astype(np.float32)))
    assert gaps[100:160].max() < 0.02
    assert gaps[68:82].min() > 0.06


EXPECTED_LOUD = [0.03499, 0.06930, 0.06882, 0.06762, 0.07264, 0.05606, 0.03332, 0.00502]
EXPECTED_QUIET = [0.02910, 0.05477, 0.06019, 0.06104, 0.06405, 0.04958, 0.03070, 0.00430]
"""Lip gaps every 50 ms from 0.6 and 3.1 s on, as the package gave them when it was copied."""


def test_the_frozen_regression_gives_what_it_gave() -> None:
    sound = np.concatenate([SYLLABLES, 0.2 * SYLLABLES])
    gaps = lip_aperture(np.concatenate(list(previous.audio_rows([AudioChunk(sound, RATE)]))))
    assert len(gaps) == 500
    assert not gaps[105:160].any()
    assert gaps[60:100:5] == pytest.approx(EXPECTED_LOUD, abs=2e-4)
    assert gaps[310:350:5] == pytest.approx(EXPECTED_QUIET, abs=2e-4)


def test_the_frozen_regression_learned_from_none_of_the_clips_that_it_held_out() -> None:
    names = [f"clip{i:04}" for i in range(1000)]
    learned = previous.learned_clips(reversed(names))
    assert len(learned) == 160
    assert learned == previous.learned_clips(names)


def test_a_tenth_of_the_clips_is_held_out_by_name_alone() -> None:
    held = [is_held_out(f"clip{i:04}") for i in range(2000)]
    assert 0.08 < np.mean(held) < 0.125
    # The first bytes of their SHA-256 are 25 and 26.
    assert is_held_out("bwit1a")
    assert not is_held_out("swio2p")


# -------------------------------------------------------------------------------------- references


def test_rows_are_looked_at_where_the_frames_are() -> None:
    rows = motion.loudness_rows(SYLLABLES)
    assert motion.shown_gaps(rows, 60) == pytest.approx(lip_aperture(rows)[:240:4], abs=1e-6)


def test_the_opening_of_a_rig_is_the_sum_of_what_parts_its_lips() -> None:
    weights = np.zeros((7, 116), np.float16)
    for row, column in enumerate((74, 63, 42, 59, 80, 0)):
        weights[row, column] = 1.0
    weights[6, [74, 60]] = 0.5
    expected = [0.18, 0.05, 0.035 / 4, 0.019, 0.019, 0.0, 0.09 + 0.0095]
    assert motion.rig_opening(weights) == pytest.approx(expected, abs=1e-6)


def test_pauses_are_found_by_energy() -> None:
    hiss = 1e-4 * np.random.default_rng(1).standard_normal(len(SYLLABLES))
    pauses = motion.quiet_spans((SYLLABLES + hiss).astype(np.float32))
    assert pauses == [
        pytest.approx((0.0, 0.6)),
        pytest.approx((0.9, 1.7)),
        pytest.approx((2.0, 2.5)),
    ]
    between = motion.speech_between(SYLLABLES)
    assert [(p.start_sample / RATE, p.end_sample / RATE) for p in between] == [
        pytest.approx((0.6, 0.9)),
        pytest.approx((1.7, 2.0)),
    ]


def test_a_filmed_gap_rests_at_zero_and_bridges_lost_frames() -> None:
    marks = np.zeros((40, 478, 2), np.float32)
    marks[:, 152, 1] = 100.0
    openings = 3.0 + 8.0 * (np.arange(40) % 8 == 4)
    for upper, lower in ((13, 14), (82, 87), (312, 317)):
        marks[:, upper, 1] = 60.0
        marks[:, lower, 1] = 60.0 + openings
    marks[10] = np.nan
    gaps = motion.filmed_gaps(marks)
    assert gaps is not None
    assert gaps == pytest.approx((openings - 3.0) / 100.0, abs=1e-6)
    marks[:5] = np.nan
    assert motion.filmed_gaps(marks) is None


# ---------------------------------------------------------------------------------------- measures


def test_closures_are_counted_at_the_starts_of_words() -> None:
    entries = [(0.0, 0.5, "sil"), (0.5, 0.8, "bin"), (0.8, 1.1, "blue"), (1.1, 1.4, "at")]
    words = motion.words_of([*entries, (1.4, 1.7, "soon"), (1.7, 2.0, "sil")])
    assert [w.after_silence for w in words] == [True, False, False, False]
    times = np.arange(50) / 25.0
    gaps = np.full(50, 0.1, np.float32)
    gaps[np.abs(times - 0.56) < 0.01] = 0.0
    gaps[np.abs(times - 1.24) < 0.01] = 0.0
    counts, opened, smallest = motion.word_closures(gaps, times, words)
    assert counts.tolist() == [1, 2, 0, 1, 0, 1, 0, 2]
    assert opened == pytest.approx([0.025], abs=1e-6)
    assert smallest == pytest.approx([0.0, 0.1])
    gaps[np.abs(times - 1.4) < 0.01] = 0.0
    assert motion.word_closures(gaps, times, words)[0].tolist() == [1, 2, 0, 1, 0, 1, 1, 2]


def test_figures_tell_a_good_mouth_from_a_late_a_leaking_and_a_dead_one() -> None:
    phonemes = spoken(
        *(("_", 0.0, 0.4), ("b", 0.4, 0.5), ("æ", 0.5, 0.8), ("m", 0.8, 0.9), ("æ", 0.9, 1.2)),
        *(("_", 1.2, 2.0), ("p", 2.0, 2.1), ("æ", 2.1, 2.4), ("_", 2.4, 3.0)),
    )
    recording = motion.Recording("test", np.zeros(48000, np.float32), phonemes, phonemes_known=True)
    reference = motion.shown_gaps(motion.text_rows(phonemes, RATE), 75)
    recording = replace(recording, reference=reference)
    own = motion.figures([recording], [reference])
    assert (own.r, own.lag, own.hit, own.false, own.leakage) == (pytest.approx(1.0), 0, 1, 0, 0)
    assert (own.range, own.tempo, own.jitter) == (pytest.approx(1.0), pytest.approx(1.0), 0.0)
    late = motion.figures([recording], [np.roll(reference, 4)])
    assert (late.lag, late.offset) == (2, 4)
    assert late.r < 0.9
    leaking = reference + 0.05 * (np.arange(75) % 2).astype(np.float32)
    shaken = motion.figures([recording], [leaking])
    assert shaken.leakage > 0.9
    assert shaken.jitter == pytest.approx(0.1 * 256, rel=0.01)
    dead = motion.figures([recording], [np.zeros(75, np.float32)])
    assert (dead.r, dead.range) == (0.0, 0.0)


def test_noise_is_mixed_at_the_ratio_of_speech() -> None:
    recording = motion.Recording("test", SYLLABLES, spoken(("æ", 0.6, 0.9), ("æ", 1.7, 2.0)))
    noise = motion.music(len(SYLLABLES), np.random.default_rng(2))
    added = motion.beside(recording, noise, 10.0) - SYLLABLES
    speech = np.concatenate([SYLLABLES[9600:14400], SYLLABLES[27200:32000]])
    ratio = 10.0 * np.log10((speech**2).mean() / (added**2).mean())
    assert ratio == pytest.approx(10.0, abs=0.1)


def test_a_telephone_passes_only_its_band() -> None:
    times = np.arange(RATE) / RATE
    tone = {hz: np.sin(2 * np.pi * hz * times).astype(np.float32) for hz in (100, 1000, 5000)}
    heard = motion.telephone(sum(tone.values()))
    assert np.abs(heard - tone[1000]).max() < 1e-3
