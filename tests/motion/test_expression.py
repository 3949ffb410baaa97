from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.expression import sound_expression, speech_expression
from edgeavatar.motion.style import SpeakingStyle, style_named
from edgeavatar.types import AudioChunk, PhonemeTiming, SpeechChunk, WordTiming

RATE = 16000
EMPHASIS, ASKING, LID = range(3)
SHOWN = SpeakingStyle(accents=1.0)
"""Every accent that may be shown is."""


class Talk:
    """Speech made of written words, each /t ɑ n/; a star before a word stresses it.

    A number among the words is a silence of so many seconds.
    """

    def __init__(self) -> None:
        self.chunks: list[SpeechChunk] = []
        self.vowels: dict[str, tuple[float, float]] = {}
        self.words: list[WordTiming] = []

    @property
    def end(self) -> int:
        audio = self.chunks[-1].audio if self.chunks else AudioChunk(np.zeros(0, "f4"), RATE)
        return audio.start_sample + len(audio.samples)

    def say(self, *items: str | float, vowel_s: float = 0.14) -> Talk:
        start = position = self.end
        phonemes, words, text = [], [], []
        for item in items:
            if isinstance(item, float):
                after = position + round(item * RATE)
                phonemes.append(PhonemeTiming("_", position, after))
                position = after
                continue
            written = item.strip("*,;:?!.—")
            word = len(self.words) + len(words)
            text.append(item.strip("*"))
            first = position
            for symbol, length in (("t", 0.06), ("ɑ", vowel_s), ("n", 0.06)):
                after = position + round(length * RATE)
                stress = 2 if symbol == "ɑ" and item.startswith("*") else 0
                phonemes.append(PhonemeTiming(symbol, position, after, stress, word))
                if symbol == "ɑ":
                    self.vowels[written] = (position / RATE, after / RATE)
                position = after
            words.append(WordTiming(written, first, position))
        audio = AudioChunk(np.zeros(position - start, np.float32), RATE, start)
        self.chunks.append(SpeechChunk(audio, " ".join(text), tuple(phonemes), tuple(words)))
        self.words += words
        return self

    def rows(self, seed: int = 0, style: SpeakingStyle = SHOWN) -> np.ndarray:
        return np.concatenate(list(speech_expression(self.chunks, seed, style)))


def chatter(seed: int, seconds: float) -> Talk:
    """Sentences of two to nine words, some with a comma, and pauses between them."""
    draw = np.random.default_rng(seed)
    talk = Talk()
    while talk.end < seconds * RATE:
        items: list[str | float] = [0.1]
        for _ in range(int(draw.integers(2, 10))):
            star = "*" if draw.random() < 0.4 else ""
            comma = "," if draw.random() < 0.1 else ""
            items.append(f"{star}w{len(talk.words) + len(items)}{comma}")
        talk.say(*items, float(draw.uniform(0.2, 0.6)), vowel_s=float(draw.uniform(0.08, 0.2)))
    return talk


def runs(curve: np.ndarray) -> list[tuple[float, float]]:
    """Start and end, in seconds, of where a curve is above 0."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], curve > 1e-6, [False]]).astype(int)))
    return [(start / 100.0, end / 100.0) for start, end in edges.reshape(-1, 2)]


def blink_starts(rows: np.ndarray) -> np.ndarray:
    return np.array([start - 0.01 for start, _ in runs(rows[:, LID])])


def split(chunks: Sequence[SpeechChunk], sizes: Sequence[int]) -> Iterator[SpeechChunk]:
    """Cut speech into chunks of so many phonemes; a word goes with its beginning."""
    turn = 0
    for chunk in chunks:
        left = list(chunk.phonemes)
        while left:
            size = sizes[turn % len(sizes)]
            part, left = left[:size], left[size:]
            turn += 1
            start, end = part[0].start_sample, part[-1].end_sample
            words = tuple(word for word in chunk.words if start <= word.start_sample < end)
            text = ""
            if words:
                first = chunk.words.index(words[0])
                written = chunk.text.split(" ")
                text = " ".join(written[first : first + len(words)])
            audio = AudioChunk(np.zeros(end - start, np.float32), RATE, start)
            yield SpeechChunk(audio, text, tuple(part), words)


# ------------------------------------------------------------------------------------------ brows


def test_the_brows_rise_with_the_last_stressed_word_of_a_phrase() -> None:
    talk = Talk().say(0.1, "I", "*never", "*said", "he", "*took", "the", "*money", "then.", 0.9)
    rows = talk.rows(seed=3)
    raises = runs(rows[:, EMPHASIS])
    onset, end = talk.vowels["money"]
    start, back = raises[-1]
    assert start == pytest.approx(onset - 0.06, abs=0.02)
    height = rows[:, EMPHASIS].max()
    assert 0.6 <= height <= 1.0
    top = int(np.flatnonzero(rows[:, EMPHASIS] > 0.999 * height)[0]) / 100.0
    assert 0.13 <= top - start <= 0.26
    assert end + 0.3 < back < end + 0.7
    assert not rows[:, ASKING].any()
    # Three other stressed words raise nothing, but for the first one at times.
    assert len(raises) <= 2
    if len(raises) == 2:
        assert raises[0][0] == pytest.approx(talk.vowels["never"][0] - 0.06, abs=0.02)


def test_after_a_pause_the_first_stressed_word_is_marked_at_times_and_less() -> None:
    talk = Talk().say(0.1, "I", "*never", "said", "that", "he", "*took", "it.", 0.6)
    early = []
    for seed in range(60):
        rows = talk.rows(seed)
        window = slice(*(round(100 * t) for t in talk.vowels["never"]))
        early.append(float(rows[window, EMPHASIS].max()))
    shown = [height for height in early if height > 0.1]
    assert 15 <= len(shown) <= 45
    assert max(shown) <= 0.7
    assert np.ptp(shown) > 0.1


def test_without_stress_the_last_word_counts() -> None:
    talk = Talk().say(0.1, "one", "two", "three", 0.5)
    ((start, _),) = runs(talk.rows()[:, EMPHASIS])
    assert start == pytest.approx(talk.vowels["three"][0] - 0.06, abs=0.02)


@pytest.mark.parametrize(("mark", "count"), [(",", 2), (" —", 2), ("", 1), (".", 1)])
def test_a_comma_ends_a_phrase_and_an_abbreviation_does_not(mark: str, count: int) -> None:
    words = ["we", f"*met{mark}", "the", "*two"]
    rows = Talk().say(0.1, *words, 0.8, vowel_s=0.4).rows(seed=1)
    at = [start for start, _ in runs(rows[:, EMPHASIS])]
    assert len(at) == count


def test_accents_in_quick_succession_share_a_raise() -> None:
    talk = Talk().say(0.1, "*one,", "*two,", "*three,", "*four", 0.8)
    ((start, back),) = runs(talk.rows()[:, EMPHASIS])
    assert start == pytest.approx(talk.vowels["one"][0] - 0.06, abs=0.02)
    assert back < talk.vowels["one"][1] + 0.6


def test_sounds_of_a_closed_stop_end_no_phrase() -> None:
    whole = Talk().say(0.1, "we", "*met", 0.08, "*him", "there", 0.8)
    broken = Talk().say(0.1, "we", "*met", 0.2, "*him", "there", 0.8)
    onset = whole.vowels["met"][0]
    assert not whole.rows()[round(100 * onset) + 5, EMPHASIS]
    assert broken.rows()[round(100 * onset) + 5, EMPHASIS]


def test_brows_stay_up_until_a_question_ends() -> None:
    talk = Talk().say(0.1, "did", "you", "*take", "any", "of", "it?", 1.0)
    rows = talk.rows()
    ((start, back),) = runs(rows[:, ASKING])
    assert start == pytest.approx(talk.vowels["take"][0] - 0.06, abs=0.02)
    spoken = talk.words[-1].end_sample / RATE
    held = rows[round(100 * (start + 0.26)) : round(100 * spoken), ASKING]
    assert held.min() > 0.74
    assert spoken + 0.25 < back < spoken + 0.55
    assert not rows[:, EMPHASIS].any()


def test_only_the_last_phrase_of_a_question_asks() -> None:
    talk = Talk().say(0.1, "*well;", "did", "he", "really", "*take", "it?", "*no!", 0.9)
    rows = talk.rows()
    ((start, _),) = runs(rows[:, ASKING])
    assert start == pytest.approx(talk.vowels["take"][0] - 0.06, abs=0.02)
    assert rows[round(100 * talk.vowels["well"][0]) + 8, EMPHASIS] > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_the_face_is_at_rest_half_a_second_into_silence(seed: int) -> None:
    talk = Talk()
    for sentence in range(12):
        talk.say(0.1, f"a{sentence}", f"*b{sentence}", f"*c{sentence}{'.?'[sentence % 2]}", 1.0)
    rows = talk.rows(seed)
    for word in talk.words[2::3]:
        end = round(100 * word.end_sample / RATE)
        assert not rows[end + 55 : end + 90, :LID].any()


def test_raises_are_smooth_and_vary_in_size() -> None:
    rows = chatter(1, 240.0).rows()
    assert rows.dtype == np.float32
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0
    curve = rows[:, EMPHASIS].astype(np.float64)
    # A smoothstep of 150 ms has a slope of 10 a second and turns by 6 / 15² per row, or less.
    assert np.abs(np.diff(curve)).max() <= 0.1 + 1e-6
    assert np.abs(np.diff(curve, n=2)).max() <= 0.028
    heights = [curve[round(100 * a) : round(100 * b)].max() for a, b in runs(curve)]
    assert len(heights) > 30
    assert np.std(heights) > 0.08


def test_styles_show_the_same_accents_more_or_less_often() -> None:
    talk = chatter(5, 300.0)
    lively, neutral, calm = (
        [a for a, _ in runs(talk.rows(0, style_named(name))[:, EMPHASIS])]
        for name in ("lively", "neutral", "calm")
    )
    assert len(lively) > 1.1 * len(neutral) > 1.3 * len(calm) > 20
    minutes = talk.end / RATE / 60.0
    assert 10 < len(neutral) / minutes < 40
    assert all(b - a >= 0.5 for a, b in pairwise(lively))


# ------------------------------------------------------------------------------------------ blinks


def test_eyes_blink_between_phrases_and_not_in_words() -> None:
    talk = chatter(2, 900.0)
    starts = blink_starts(talk.rows())
    ends = [0.0]
    for word, after in pairwise(talk.words):
        if after.start_sample - word.end_sample > 0.15 * RATE:
            ends.append(word.end_sample / RATE)
    after_end = np.array([min(t - e for e in ends if e <= t + 0.02) for t in starts])
    within = np.array(
        [
            any(w.start_sample + 800 < t * RATE < w.end_sample - 800 for w in talk.words)
            for t in starts
        ]
    )
    # Pauses of 0.3 to 0.7 s take up a quarter of the time, and the 0.1 s near their start a tenth
    # of that; words less their edges take up 45 %.
    assert (after_end < 0.1).mean() > 0.5
    assert within.mean() < 0.15


@pytest.mark.parametrize("kind", ["text", "silence", "sound"])
def test_blinks_keep_their_rate_and_spread(kind: str) -> None:
    gaps = []
    for seed in range(4):
        if kind == "text":
            rows = chatter(seed, 600.0).rows(seed)
        elif kind == "silence":
            rows = Talk().say(600.0).rows(seed)
        else:
            rows = heard(babble(seed, 300.0), seed)
        starts = blink_starts(rows)
        assert starts[0] >= 0.79
        gaps.append(np.diff(starts))
    joined = np.concatenate(gaps)
    assert 3.5 < joined.mean() < 4.5
    assert 1.2 < joined.std() < 2.6
    assert joined.min() >= 0.79
    assert joined.max() < 13.0


@pytest.mark.parametrize(("name", "per_min"), [("lively", 21), ("neutral", 15), ("calm", 11)])
def test_styles_blink_more_or_less_often(name: str, per_min: float) -> None:
    talk = chatter(1, 900.0)
    counts = [len(blink_starts(talk.rows(seed, style_named(name)))) for seed in range(3)]  # type: ignore[arg-type]
    assert np.mean(counts) / 15.0 == pytest.approx(per_min, rel=0.12)


def test_every_blink_shuts_the_eyes() -> None:
    rows = chatter(4, 120.0).rows()
    for start, end in runs(rows[:, LID]):
        assert rows[round(100 * start) : round(100 * end), LID].max() > 0.99
        assert 0.2 < end - start < 0.36


# --------------------------------------------------------------------------------------- streaming


@pytest.mark.parametrize("sizes", [[1], [2, 7], [40, 3]])
def test_it_does_not_matter_how_speech_is_cut(sizes: list[int]) -> None:
    talk = chatter(3, 90.0)
    whole = talk.rows(7)
    cut = np.concatenate(list(speech_expression(split(talk.chunks, sizes), 7, SHOWN)))
    assert len(whole) == -(-talk.end * 100 // RATE)
    np.testing.assert_array_equal(cut, whole)


def test_a_seed_is_repeated_and_another_differs() -> None:
    talk = chatter(3, 60.0)
    np.testing.assert_array_equal(talk.rows(1), talk.rows(1))
    assert not np.array_equal(talk.rows(1)[:, EMPHASIS], talk.rows(2)[:, EMPHASIS])
    assert not np.array_equal(blink_starts(talk.rows(1)), blink_starts(talk.rows(2)))


def test_nothing_gives_nothing() -> None:
    assert list(speech_expression([], 0, SHOWN)) == []
    assert list(sound_expression([], 0, SHOWN)) == []


def test_rows_come_while_speech_goes_on() -> None:
    """Even when somebody never takes a breath."""
    given = 0.0
    talk = Talk().say(*(f"*w{i}" for i in range(120)))

    def told() -> Iterator[SpeechChunk]:
        for chunk in split(talk.chunks, [1]):
            end = chunk.audio.start_sample / RATE
            assert given > end - 5.5
            yield chunk

    for block in speech_expression(told(), 0, SHOWN):
        given += len(block) / 100.0
    assert given == pytest.approx(talk.end / RATE, abs=0.011)


@pytest.mark.parametrize("kind", ["text", "sound"])
def test_memory_does_not_grow_with_the_speech(kind: str) -> None:
    # Python keeps thousands of tuples of fewer than 20 to use them again.
    talk = Talk().say(0.1, *(f"*w{i}," for i in range(8)), 0.4)
    sound = babble(0, 20.0)

    def text(turns: int) -> Iterator[SpeechChunk]:
        samples = words = 0
        for _ in range(turns):
            for chunk in talk.chunks:
                start = chunk.audio.start_sample
                phonemes = [
                    replace(
                        p,
                        start_sample=p.start_sample + samples,
                        end_sample=p.end_sample + samples,
                        word=p.word if p.word < 0 else p.word + words,
                    )
                    for p in chunk.phonemes
                ]
                audio = AudioChunk(chunk.audio.samples, RATE, start + samples)
                yield SpeechChunk(audio, chunk.text, tuple(phonemes), chunk.words)
            samples += talk.end
            words += len(talk.words)

    def peak(turns: int) -> int:
        tracemalloc.start()
        blocks = (
            speech_expression(text(turns), 0, SHOWN)
            if kind == "text"
            else sound_expression(pieces(np.tile(sound, turns), 8000), 0, SHOWN)
        )
        base = tracemalloc.get_traced_memory()[0]
        for _ in blocks:
            pass
        found = tracemalloc.get_traced_memory()[1] - base
        tracemalloc.stop()
        return found

    peak(1)
    if kind == "text":
        assert peak(200) < 1.2 * peak(10)
    else:
        # The recording itself is not counted but for what is cut from it.
        assert peak(6) < 1.3 * peak(2) + 5 * sound.nbytes


# ------------------------------------------------------------------------------------------- sound


def burst(draw: np.random.Generator, length_s: float, level_db: float) -> np.ndarray:
    """Make a syllable: noise that swells and fades."""
    count = round(length_s * RATE)
    return 10 ** (level_db / 20) * np.hanning(count) * draw.standard_normal(count)


def quiet(length_s: float) -> np.ndarray:
    return np.zeros(round(length_s * RATE))


def babble(seed: int, seconds: float) -> np.ndarray:
    """Make phrases of syllables of uneven loudness, with pauses."""
    draw = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < seconds * RATE:
        for _ in range(int(draw.integers(4, 14))):
            parts.append(burst(draw, draw.uniform(0.12, 0.25), -25 + 3 * draw.standard_normal()))
        parts.append(quiet(draw.uniform(0.3, 0.8)))
    return np.concatenate(parts).astype(np.float32)


def pieces(samples: np.ndarray, size: int = 4000) -> Iterator[AudioChunk]:
    for first in range(0, len(samples), size):
        yield AudioChunk(samples[first : first + size].astype(np.float32), RATE, first)


def heard(samples: np.ndarray, seed: int = 0, size: int = 4000) -> np.ndarray:
    return np.concatenate(list(sound_expression(pieces(samples, size), seed, SHOWN)))


def phrases_with_one_loud_syllable(
    gain_db: float, loud_db: float
) -> tuple[np.ndarray, list[float]]:
    draw = np.random.default_rng(8)
    parts, middles = [quiet(0.3)], []
    for phrase in range(12):
        for syllable in range(8):
            loud = syllable == 3 + phrase % 4
            if loud:
                middles.append(sum(map(len, parts)) / RATE + 0.1)
            parts.append(burst(draw, 0.2, gain_db + (loud_db if loud else 0.0)))
        parts.append(quiet(0.5))
    return np.concatenate(parts), middles


@pytest.mark.parametrize("gain_db", [-40.0, -20.0, -12.0])
def test_the_loudest_syllable_of_a_phrase_is_heard_at_any_level(gain_db: float) -> None:
    sound, middles = phrases_with_one_loud_syllable(gain_db, 7.0)
    rows = heard(sound)
    raises = runs(rows[:, EMPHASIS])
    assert len(raises) == len(middles)
    for (start, _), middle in zip(raises, middles, strict=True):
        assert start == pytest.approx(middle - 0.14, abs=0.05)
    assert not rows[:, ASKING].any()


def test_even_syllables_raise_less() -> None:
    even, middles = phrases_with_one_loud_syllable(-20.0, 0.0)
    assert len(runs(heard(even)[:, EMPHASIS])) < len(middles)


@pytest.mark.parametrize("kind", ["silence", "hum", "noise", "room"])
def test_what_is_no_speech_has_no_accents_but_blinks(kind: str) -> None:
    count = 60 * RATE
    times = np.arange(count) / RATE
    draw = np.random.default_rng(0)
    sound = {
        "silence": np.zeros(count),
        "hum": 0.2 * np.sin(2 * np.pi * 110.0 * times),
        "noise": 0.1 * draw.standard_normal(count),
        "room": 0.0005 * draw.standard_normal(count),
    }[kind]
    rows = heard(sound)
    assert not rows[100:, EMPHASIS].any()
    assert 8 <= len(blink_starts(rows)) <= 24


def test_eyes_blink_in_pauses_that_are_heard() -> None:
    sound, _ = phrases_with_one_loud_syllable(-20.0, 5.0)
    sound = np.concatenate([sound, sound, sound])
    starts = blink_starts(heard(sound))
    period = (len(sound) // 3 - 0.3 * RATE) / 12 / RATE
    in_turn = np.array([((t - 0.3) % (len(sound) / 3 / RATE)) % period for t in starts])
    # Of 2.1 s, the 0.15 s after the speech's end at 1.6 s.
    assert ((in_turn > 1.55) & (in_turn < 1.75)).mean() > 0.6


@pytest.mark.parametrize("size", [1, 77, 160, 48000])
def test_it_does_not_matter_how_sound_is_cut(size: int) -> None:
    sound = babble(1, 4.0 if size == 1 else 30.0)
    np.testing.assert_array_equal(heard(sound, 5, size), heard(sound, 5, 4000))
    assert len(heard(sound, 5)) == -(-len(sound) // 160)


def test_sound_is_heard_with_bounded_delay() -> None:
    given = 0.0

    def told() -> Iterator[AudioChunk]:
        for chunk in pieces(babble(2, 60.0), 1600):
            assert given > chunk.start_sample / RATE - 3.1
            yield chunk

    for block in sound_expression(told(), 0, SHOWN):
        given += len(block) / 100.0


def test_another_sample_rate_is_refused() -> None:
    chunk = AudioChunk(np.zeros(100, np.float32), 48000)
    with pytest.raises(UsageError, match="16000 samples per second, found 48000"):
        list(sound_expression([chunk], 0, SHOWN))
