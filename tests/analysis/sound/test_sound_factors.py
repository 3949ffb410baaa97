"""Each way to spoil a sound is named by its factor, and a clear sound passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.degraded_sound import convolved, low_pass, room_response
from benchmarks.motion import fan, music
from edgeavatar.analysis.results import Factor, Speech
from edgeavatar.analysis.sound_factors import sound_factors
from edgeavatar.analysis.sound_findings import SoundFindings

RATE = 16000
Find = Callable[..., SoundFindings]
NAMES = ("speech", "noise", "clipping", "bandwidth", "reverberation", "loudness", "music")

CLEAR = Speech(
    speech_share=0.8,
    language=None,
    words=None,
    words_per_min=None,
    pauses=None,
    pause_median_s=None,
    fillers=None,
    pitch_median_hz=120.0,
    pitch_range_semitones=10.0,
    loudness_lufs=-20.0,
    loudness_range_lu=5.0,
    true_peak_dbtp=-3.0,
    snr_db=35.0,
    clipped_share=0.0,
    bandwidth_hz=8000.0,
    reverberation_s=0.3,
    speakers=None,
)


def judged(findings: SoundFindings) -> dict[str, Factor]:
    factors = sound_factors(findings)
    assert tuple(f.name for f in factors) == NAMES
    assert {f.group for f in factors} == {"sound"}
    return {f.name: f for f in factors}


def told(factors: dict[str, Factor]) -> set[str]:
    return {name for name, f in factors.items() if f.verdict in ("warn", "bad")}


def test_clear_speech_passes(find: Find, reading: np.ndarray) -> None:
    assert told(judged(find(np.pad(reading, RATE)))) == set()


def test_all_bounds_are_reached_in_order() -> None:
    values = {
        "noise": ("snr_db", np.linspace(40, -20, 200)),
        "clipping": ("clipped_share", np.linspace(0, 1, 1000)),
        "bandwidth": ("bandwidth_hz", np.linspace(12000, 500, 500)),
        "reverberation": ("reverberation_s", np.linspace(0.1, 4, 500)),
        "loudness": ("loudness_lufs", np.linspace(-10, -70, 500)),
    }
    order = {"good": 0, "warn": 1, "bad": 2}
    for name, (field, steps) in values.items():
        verdicts = [
            judged(SoundFindings(10.0, replace(CLEAR, **{field: float(v)})))[name].verdict
            for v in steps
        ]
        ranks = [order[v] for v in verdicts]
        assert ranks == sorted(ranks), name
        assert ranks[0] == 0, name
        assert ranks[-1] >= 1, name


@pytest.mark.parametrize(
    ("duration_s", "share", "verdict", "warn_at"),
    [
        (3.0, 0.5, "good", 0.75),
        (3.0, 0.2, "warn", 0.75),
        (1.0, 0.6, "good", 0.25),
        (1.0, 0.2, "bad", 0.25),
        (60.0, 0.1, "good", 2.0),
        (60.0, 0.03, "warn", 2.0),
        (0.0, 0.0, "bad", 0.25),
    ],
)
def test_a_short_sound_needs_less_speech(
    duration_s: float, share: float, verdict: str, warn_at: float
) -> None:
    factor = judged(SoundFindings(duration_s, replace(CLEAR, speech_share=share)))["speech"]
    assert (factor.verdict, factor.warn_at) == (verdict, warn_at)


def test_what_is_told_says_why_and_what_to_do() -> None:
    poor = replace(
        CLEAR,
        speech_share=0.0,
        snr_db=-10.0,
        clipped_share=0.6,
        bandwidth_hz=800.0,
        reverberation_s=3.0,
        loudness_lufs=-69.0,
    )
    spans = ((1.0, 2.0),)
    factors = judged(SoundFindings(10.0, poor, clipped_spans_s=spans, music_share=1.0))
    for factor in factors.values():
        assert factor.why, factor.name
        if factor.verdict in ("warn", "bad"):
            assert factor.effect, factor.name
            assert factor.advice, factor.name
    assert factors["clipping"].times_s == spans
    clear = judged(SoundFindings(10.0, CLEAR, clipped_spans_s=spans, music_share=0.0))
    assert all(f.effect == f.advice == "" and f.times_s == () for f in clear.values())
    assert all(f.why for f in clear.values())


def test_what_was_not_measured_is_unknown() -> None:
    empty = replace(
        CLEAR,
        snr_db=None,
        clipped_share=None,
        bandwidth_hz=None,
        reverberation_s=None,
    )
    factors = judged(SoundFindings(10.0, empty))
    for name in ("noise", "clipping", "bandwidth", "reverberation", "music"):
        assert factors[name].verdict == "unknown"
        assert factors[name].value is None


def spoilt(reading: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    draw = np.random.default_rng(0)
    level = np.sqrt((reading**2).mean())
    count = len(reading)
    noise = {"white": draw.standard_normal(count), "fan": fan(count, draw)}
    loud = 0.4 * np.clip(reading, -0.03, 0.03) / 0.03
    return {
        "white noise": (reading + level * noise["white"] / noise["white"].std(), "noise"),
        "a fan": (reading + level * noise["fan"] / noise["fan"].std(), "noise"),
        "cut peaks": (loud, "clipping"),
        "low-pass": (low_pass(reading, 1200), "bandwidth"),
        "a hall": (0.3 * convolved(reading, room_response(2.0, 4.0)), "reverberation"),
        "a whisper": (np.rint(reading * 10 ** (-45 / 20) * 32768) / 32768, "loudness"),
        "silence": (np.zeros(count), "speech"),
        "music alone": (0.1 * music(count, draw), "speech"),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("white noise", "a fan", "cut peaks", "low-pass", "a hall", "a whisper", "silence"),
        "music alone",
    ],
)
def test_what_is_spoilt_is_named(find: Find, reading: np.ndarray, name: str) -> None:
    sound, factor = spoilt(reading)[name]
    assert factor in told(judged(find(np.pad(sound, RATE))))
