from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeavatar.motion.phones import PHONES
from export.train import filmed, rigged
from export.train.pack import to_mu_law
from export.train.spoken import HELD_OUT, takes


def test_held_out_voices_are_in_no_mixture() -> None:
    listed = takes()
    learned = [take for take in listed if not take.held_out]
    assert {take.voice for take in listed if take.held_out} == set(HELD_OUT)
    assert not {take.voice for take in learned} & set(HELD_OUT)
    assert not {voice for take in learned for voice, _ in take.blend} & set(HELD_OUT)
    assert len({take.voice for take in learned}) > 150


def test_what_held_out_voices_say_nobody_else_says() -> None:
    listed = takes()
    held_out = {line for take in listed if take.held_out for line in take.sentences}
    learned = {line for take in listed if not take.held_out for line in take.sentences}
    assert len(held_out) == 48
    assert not held_out & learned
    # Random words are many: a listener cannot learn them by heart.
    assert len(learned) > 1800


def test_takes_are_the_same_each_time_and_have_their_own_files() -> None:
    assert takes() == takes()
    stems = [take.stem for take in takes()]
    assert len(set(stems)) == len(stems)


def clip_of(gaps: list[float], seen: list[bool] | None = None) -> filmed.FilmedClip:
    """Make a clip of a plain face: 100 px high, with the mouth in its middle."""
    marks = np.zeros((len(gaps), filmed.LANDMARKS, 2), np.float32)
    marks[:, 152, 1] = 100.0
    for i, gap in enumerate(gaps):
        for lower in (14, 87, 317):
            marks[i, lower, 1] = 60.0 + 100.0 * gap
        for upper in (13, 82, 312):
            marks[i, upper, 1] = 60.0
    marks[:, 61, 0], marks[:, 291, 0] = 30.0, 70.0
    marks[np.array(seen or [True] * len(gaps)) == False] = np.nan  # noqa: E712
    shapes = np.zeros((len(gaps), 52), np.float32)
    return filmed.FilmedClip("clip", np.zeros(10, np.float32), marks, shapes)


def test_the_gap_is_measured_above_the_rest_of_the_clip() -> None:
    gaps = [0.01] * 20 + [0.05, 0.09] + [0.01] * 20
    found = filmed.articulators_of(clip_of(gaps))["gap"]
    np.testing.assert_allclose(found, np.array(gaps) - 0.01, atol=1e-6)


def test_frames_without_a_face_are_unknown() -> None:
    seen = [True] * 30
    seen[7] = False
    found = filmed.articulators_of(clip_of([0.02] * 30, seen))["gap"]
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]


def test_a_tenth_of_the_clips_is_held_out_for_good() -> None:
    share = np.mean([filmed.is_held_out(f"clip{i}") for i in range(2000)])
    assert 0.07 < share < 0.14


def test_a_dropped_jaw_opens_and_sucked_lips_close() -> None:
    weights = np.zeros((3, rigged.COLUMNS))
    weights[1:, rigged.NAMED["jaw_drop"]] = 0.5
    weights[2, rigged.NAMED["suck_lower"]] = 0.8
    found = rigged.articulators_of(weights)
    assert found["gap"][0] == 0.0
    assert found["gap"][1] == pytest.approx(0.072)
    assert found["gap"][2] == 0.0
    assert found["jaw"][2] == 0.5


def test_mu_law_keeps_quiet_sound() -> None:
    levels = to_mu_law(np.array([-1.0, -0.001, 0.0, 0.001, 1.0], np.float32)).astype(int)
    assert levels[0] == 0
    assert levels[-1] == 255
    assert levels[1] < levels[2] - 2 < levels[3] - 4


def test_rig_recordings_are_read(shared_data: Path) -> None:
    take = next(rigged.rigged_takes(shared_data / "facegood"))
    assert len(take.samples) / 16000 == pytest.approx(len(take.channels["gap"]) / 30, abs=0.2)
    assert 0.04 < np.percentile(take.channels["gap"], 95) < 0.12


def test_the_nets_agree_on_the_number_of_phones() -> None:
    nets = Path(__file__).parents[2] / "export" / "nets" / "motion.py"
    assert f"PHONES = {len(PHONES)}\n" in nets.read_text(encoding="utf-8")
