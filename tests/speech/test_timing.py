from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgeavatar.speech.base import Unit, Utterance
from edgeavatar.speech.english import Letter
from edgeavatar.speech.phonemes import (
    espeak_to_misaki,
    espeak_units,
    letter_units,
    misaki_to_ipa,
)
from edgeavatar.speech.timing import LEAD_S, Lateness, place, silent_windows
from edgeavatar.types import SpeechChunk

RATE = 24000
EXACT = Lateness(0.0, 0.0)


def utterance(parts: list[tuple[str, float, bool]], *, words: tuple[str, ...]) -> Utterance:
    """Sounds (or silences) of given length in seconds; each sounding part is a word of its own."""
    rng = np.random.default_rng(0)
    units, blocks, word = [], [], 0
    for symbol, seconds, loud in parts:
        n = round(seconds * RATE)
        blocks.append(0.3 * rng.standard_normal(n) if loud else np.zeros(n))
        is_word = symbol not in ("_", "")
        units.append(Unit(symbol, n, 0, word if is_word else -1))
        word += is_word
    return Utterance(np.concatenate(blocks).astype(np.float32), tuple(units), words)


def put(u: Utterance, lateness: Lateness = EXACT, **options: float) -> SpeechChunk:
    settings = {"start_sample": 0, "first_word": 0, "pause_s": 0.3} | options
    return place(u, RATE, lateness=lateness, text="t", **settings)  # type: ignore[arg-type]


def check_cover(chunk: SpeechChunk) -> None:
    start = chunk.audio.start_sample
    assert chunk.phonemes[0].start_sample == start
    assert chunk.phonemes[-1].end_sample == start + len(chunk.audio.samples)
    for a, b in itertools.pairwise(chunk.phonemes):
        assert a.end_sample == b.start_sample
    for p in chunk.phonemes:
        assert p.end_sample > p.start_sample
        assert (p.word < 0) == (p.symbol == "_")


def test_edges_are_trimmed_to_the_sound() -> None:
    u = utterance([("_", 0.4, False), ("a", 0.2, True), ("_", 0.5, False)], words=("a",))
    chunk = put(u)
    check_cover(chunk)
    assert [p.symbol for p in chunk.phonemes] == ["_", "a", "_"]
    sound = chunk.phonemes[1]
    assert abs(sound.start_sample - LEAD_S * RATE) <= 0.01 * RATE
    assert abs((sound.end_sample - sound.start_sample) - 0.2 * RATE) <= 0.02 * RATE
    assert abs(len(chunk.audio.samples) - (LEAD_S + 0.2 + 0.3) * RATE) <= 0.02 * RATE
    assert chunk.words[0].start_sample == sound.start_sample
    assert chunk.words[0].end_sample == sound.end_sample


def test_a_sound_that_begins_at_once_gets_silence_before_it() -> None:
    chunk = put(utterance([("_", 0.01, True), ("a", 0.2, True), ("_", 0.01, False)], words=("a",)))
    check_cover(chunk)
    assert chunk.phonemes[0].end_sample == round(LEAD_S * RATE)
    assert not chunk.audio.samples[: round(0.05 * RATE)].any()


def test_marks_and_spaces_go_to_what_follows() -> None:
    parts = [("_", 0.1, False), ("a", 0.1, True), ("", 0.05, True), ("s", 0.1, True)]
    u = utterance([*parts, ("_", 0.1, False)], words=("a", "s"))
    a, s = put(u).phonemes[1:3]
    assert abs((a.end_sample - a.start_sample) - 0.1 * RATE) < 0.01 * RATE
    assert abs((s.end_sample - s.start_sample) - 0.15 * RATE) < 0.01 * RATE


def test_lateness_is_taken_out_by_kind() -> None:
    # The sound changes at 0.3 and 0.5 s; the units say so 60 ms late, 50 ms before a mark.
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(RATE)
    low = np.convolve(noise, np.hanning(48) / 24, "same")
    sound = [np.zeros(2400), low[:4800], (noise - low)[:4800], low[:4800], np.zeros(4800)]
    units = [("_", 0.1, -1), ("a", 0.26, 0), ("s", 0.19, 1), ("", 0.05, -1), ("i", 0.1, 2)]
    u = Utterance(
        np.concatenate(sound).astype(np.float32),
        tuple(Unit(x, round(n * RATE), 0, word) for x, n, word in [*units, ("_", 0.2, -1)]),
        ("a", "s", "i"),
    )

    def starts(lateness: Lateness) -> list[float]:
        chunk = put(u, lateness)
        zero = chunk.phonemes[1].start_sample - round(0.1 * RATE)
        return [(p.start_sample - zero) / RATE for p in chunk.phonemes[2:4]]

    right = starts(Lateness(plain_s=0.06, marked_s=0.05))
    assert abs(right[0] - 0.3) < 0.006
    assert abs(right[1] - 0.5) < 0.006
    wrong = starts(EXACT)
    assert wrong[0] > 0.325
    assert wrong[1] > 0.515


def test_a_pause_is_the_silence_that_is_there() -> None:
    # The phonemes beside the pause are given 0.1 s of its silence before it and 0.05 s after.
    sounding = utterance(
        [
            ("_", 0.1, False),
            ("a", 0.2, True),
            ("_", 0.25, False),
            ("i", 0.2, True),
            ("_", 0.1, False),
        ],
        words=("a", "i"),
    )
    seconds = [0.1, 0.3, 0.1, 0.25, 0.1]
    units = [
        Unit(u.symbol, round(n * RATE), 0, u.word)
        for u, n in zip(sounding.units, seconds, strict=True)
    ]
    chunk = put(Utterance(sounding.samples, tuple(units), sounding.words))
    check_cover(chunk)
    pause = next(p for p in chunk.phonemes[1:-1] if p.symbol == "_")
    assert abs((pause.end_sample - pause.start_sample) - 0.25 * RATE) < 0.015 * RATE


def test_a_final_stop_that_is_all_closure_is_kept() -> None:
    parts = [("_", 0.1, False), ("a", 0.2, True), ("k", 0.1, False), ("_", 0.2, False)]
    chunk = put(utterance(parts, words=("a", "k")))
    check_cover(chunk)
    assert [p.symbol for p in chunk.phonemes] == ["_", "a", "k", "_"]


def test_punctuation_without_a_pause_leaves_none() -> None:
    parts = [("_", 0.1, False), ("a", 0.2, True), ("_", 0.05, True), ("i", 0.2, True)]
    chunk = put(utterance([*parts, ("_", 0.1, False)], words=("a", "i")))
    check_cover(chunk)
    assert [p.symbol for p in chunk.phonemes] == ["_", "a", "i", "_"]


def test_a_stop_after_a_pause_keeps_time_to_close() -> None:
    parts = [("_", 0.4, False), ("b", 0.05, True), ("a", 0.2, True), ("_", 0.1, False)]
    chunk = put(utterance(parts, words=("b", "a")))
    stop = chunk.phonemes[1]
    assert stop.symbol == "b"
    assert (stop.end_sample - stop.start_sample) > 0.1 * RATE
    loud = int(np.abs(chunk.audio.samples).argmax())
    assert loud > stop.start_sample + 0.06 * RATE


def test_numbers_go_on_from_chunk_to_chunk() -> None:
    u = utterance([("_", 0.1, False), ("a", 0.2, True), ("_", 0.1, False)], words=("a",))
    chunk = put(u, start_sample=5000, first_word=7)
    check_cover(chunk)
    assert chunk.phonemes[1].word == 7
    assert chunk.words[0].start_sample == chunk.phonemes[1].start_sample


def test_silence_is_measured_against_the_loud_parts() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[6000:12000] = 0.5
    sound[18000:] = 0.001
    silent, hop = silent_windows(sound, RATE)
    assert not silent[6200 // hop : 11800 // hop].any()
    assert silent[18200 // hop :].all()
    assert silent_windows(np.zeros(100, np.float32), RATE)[0].all()
    assert len(silent_windows(np.zeros(0, np.float32), RATE)[0]) == 0


def test_letters_of_the_models_become_plain_ipa() -> None:
    assert [misaki_to_ipa(c) for c in "AIOQWYʤʧᵊᵻT"] == [
        "eɪ", "aɪ", "oʊ", "əʊ", "aʊ", "ɔɪ", "dʒ", "tʃ", "ə", "ɪ", "ɾ",
    ]  # fmt: skip
    assert [misaki_to_ipa(c) for c in ".,—"] == ["_"] * 3
    assert [misaki_to_ipa(c) for c in "ˈˌː "] == [""] * 4


def test_letters_and_durations_pair_up() -> None:
    letters = [Letter(c, 0) for c in "ˈɑːk"]
    units = letter_units(letters, [10, 1, 2, 3, 4, 20])
    assert [(u.symbol, u.duration, u.stress) for u in units] == [
        ("_", 10, 0), ("", 1, 2), ("ɑ", 5, 2), ("k", 4, 0), ("_", 20, 0),
    ]  # fmt: skip


def test_espeak_diphthongs_and_affricates_are_one_phoneme() -> None:
    phonemes = list("tʃˈeɪn, ɜː")
    index = [0, 0, 0, 0, 0, 0, -1, -1, 1, 1]
    units = espeak_units(phonemes, index, [5, *range(1, 11), 7])
    assert [(u.symbol, u.duration, u.stress) for u in units] == [
        ("_", 5, 0), ("tʃ", 3, 0), ("", 3, 2), ("eɪ", 9, 2), ("n", 6, 0),
        ("_", 7, 0), ("", 8, 0), ("ɜ", 19, 0), ("_", 7, 0),
    ]  # fmt: skip
    letters = [c for c, _ in espeak_to_misaki(phonemes, index)]
    assert "".join(letters) == "ʧˈAn, ɜː"


@pytest.mark.parametrize("before_s", [0.05, 0.28])
def test_a_pause_that_no_mark_tells_is_found(before_s: float) -> None:
    # The voice stops for 0.3 s; the model counts the silence to the phoneme before it or after it.
    sounding = utterance(
        [("_", 0.1, False), ("t", 0.1, True), ("", 0.3, False), ("i", 0.2, True)],
        words=("t", "i"),
    )
    seconds = [("_", 0.1, -1), ("t", 0.1 + before_s, 0), ("i", 0.5 - before_s, 1)]
    units = tuple(Unit(symbol, round(n * RATE), 0, word) for symbol, n, word in seconds)
    chunk = put(Utterance(sounding.samples, units, sounding.words))
    check_cover(chunk)
    assert [p.symbol for p in chunk.phonemes] == ["_", "t", "_", "i", "_"]
    pause = chunk.phonemes[2]
    assert abs((pause.end_sample - pause.start_sample) - 0.3 * RATE) < 0.02 * RATE


def test_the_closure_of_a_stop_is_no_pause() -> None:
    parts = [("_", 0.1, False), ("a", 0.2, True), ("k", 0.12, False), ("i", 0.2, True)]
    chunk = put(utterance(parts, words=("a", "k", "i")))
    assert [p.symbol for p in chunk.phonemes] == ["_", "a", "k", "i", "_"]
