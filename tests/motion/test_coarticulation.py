from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from edgeavatar.errors import UsageError
from edgeavatar.motion.aperture import lip_aperture, signed_aperture
from edgeavatar.motion.coarticulation import Articulation, phoneme_rows
from edgeavatar.motion.dynamics import SPEED
from edgeavatar.motion.visemes import is_bilabial, visemes_of
from edgeavatar.types import MOTION_NAMES, AudioChunk, PhonemeTiming, SpeechChunk

RATE = 24000
PHONEMES = "p b t d k ɡ m n ŋ f v θ ð s z ʃ h l ɹ w j tʃ dʒ i ɪ ɛ æ ɑ ɔ ʊ u ʌ ə eɪ aɪ oʊ aʊ ɔɪ"
INVENTORY = PHONEMES.split()
JAW = MOTION_NAMES.index("jawOpen")
PUCKER = MOTION_NAMES.index("mouthPucker")

Score = Sequence[tuple[str, float] | tuple[str, float, int]]


def chunk_of(score: Score, rate: int = RATE, start: int = 0) -> SpeechChunk:
    """Make a chunk from (symbol, milliseconds[, stress]) entries."""
    phonemes = []
    position = start
    for word, (symbol, length_ms, *stress) in enumerate(score):
        end = position + round(length_ms * rate / 1000.0)
        phonemes.append(
            PhonemeTiming(
                symbol, position, end, stress[0] if stress else 0, -1 if symbol == "_" else word
            )
        )
        position = end
    audio = AudioChunk(sound_of(phonemes), rate, start)
    return SpeechChunk(audio, "", tuple(phonemes), ())


def sound_of(phonemes: Sequence[PhonemeTiming]) -> np.ndarray:
    """Make noise as loud as speech: vowels 8 dB above consonants, silence silent."""
    draw = np.random.default_rng(0)
    parts = [np.zeros(0, np.float32)]
    for p in phonemes:
        level = 0.0 if p.symbol == "_" else 0.1 if visemes_of(p.symbol)[0].vowel else 0.04
        noise = draw.standard_normal(p.end_sample - p.start_sample)
        parts.append((level * noise).astype(np.float32))
    return np.concatenate(parts)


def rows_of(score: Score, style: Articulation | None = None, rate: int = RATE) -> np.ndarray:
    return np.concatenate(list(phoneme_rows([chunk_of(score, rate)], style)))


def random_score(seed: int, shortest_ms: float, longest_ms: float, count: int = 60) -> Score:
    draw = np.random.default_rng(seed)
    score: list[tuple[str, float, int]] = [("_", 200.0, 0)]
    for _ in range(count):
        symbol = str(draw.choice(INVENTORY))
        score.append((symbol, float(draw.uniform(shortest_ms, longest_ms)), int(draw.integers(3))))
        if draw.random() < 0.06:
            score.append(("_", float(draw.uniform(40.0, 500.0)), 0))
    return [*score, ("_", 300.0, 0)]


def longest_run(flags: np.ndarray) -> int:
    best = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        best = max(best, run)
    return best


@pytest.mark.parametrize("length_ms", [15, 25, 40])
def test_a_fleeting_bilabial_closes_for_fifty_milliseconds(length_ms: float) -> None:
    gaps = lip_aperture(
        rows_of([("_", 200), ("k", 60), ("ɑ", 160, 2), ("b", length_ms), ("ɑ", 160, 1), ("_", 300)])
    )
    assert longest_run(gaps[30:60] < 0.002) >= 5


TEMPI = [(25.0, 50.0), (40.0, 90.0), (60.0, 160.0), (100.0, 300.0)]


@pytest.mark.parametrize("tempo", TEMPI)
@pytest.mark.parametrize("seed", range(4))
def test_lips_close_in_every_bilabial_for_a_frame_at_25_fps(
    seed: int, tempo: tuple[float, float]
) -> None:
    chunk = chunk_of(random_score(seed, *tempo))
    rows = np.concatenate(list(phoneme_rows([chunk])))
    gaps = lip_aperture(rows)
    closed = gaps < 0.15 * np.percentile(gaps, 90)
    bilabials = [p for p in chunk.phonemes if is_bilabial(p.symbol)]
    assert len(bilabials) >= 3
    for phoneme in bilabials:
        middle = (phoneme.start_sample + phoneme.end_sample) / (2 * RATE)
        near = closed[round(100 * (middle - 0.075)) : round(100 * (middle + 0.075)) + 1]
        # Four rows in a line span 30 ms and the crossings beyond them make up the 40.
        assert longest_run(near) >= 4, (phoneme, near)


@pytest.mark.parametrize("tempo", TEMPI)
@pytest.mark.parametrize("seed", range(3))
def test_movement_is_bounded_and_no_faster_than_a_face(
    seed: int, tempo: tuple[float, float]
) -> None:
    rows = rows_of(random_score(seed, *tempo))
    assert np.isfinite(rows).all()
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0
    speed = np.abs(np.diff(rows, axis=0)).max(axis=0) * 100.0
    assert speed[JAW] <= SPEED["jaw"] + 1e-3
    assert speed[PUCKER] <= SPEED["pucker"] + 1e-3
    assert np.abs(np.diff(signed_aperture(rows))).max() * 100.0 <= SPEED["gap"] + 1e-3
    # No corners. A limited speed that turns about gives 2 * speed * 6 / 16 after smoothing.
    turn = np.abs(np.diff(rows, n=2, axis=0)).max(axis=0) * 100.0
    assert turn.max() <= 12.5
    assert turn[JAW] <= 0.75 * SPEED["jaw"] + 1e-3
    assert np.abs(np.diff(signed_aperture(rows), n=2)).max() * 100.0 <= 0.75 * SPEED["gap"] + 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_silence_is_rest(seed: int) -> None:
    chunk = chunk_of(random_score(seed, 40.0, 140.0))
    rows = np.concatenate(list(phoneme_rows([chunk], Articulation(lead_s=0.0))))
    times = np.arange(len(rows)) / 100.0
    far = np.ones(len(rows), bool)
    for phoneme in chunk.phonemes:
        if phoneme.symbol != "_":
            start, end = phoneme.start_sample / RATE, phoneme.end_sample / RATE
            far &= (times < start - 0.12) | (times > end + 0.12)
    assert far.sum() > 10
    assert not rows[far].any()


def split(chunk: SpeechChunk, sizes: Sequence[int]) -> Iterator[SpeechChunk]:
    """Cut the same speech into chunks of so many phonemes."""
    left = list(chunk.phonemes)
    turn = 0
    while left:
        size = sizes[turn % len(sizes)]
        part, left = left[:size], left[size:]
        turn += 1
        start, end = part[0].start_sample, part[-1].end_sample
        samples = chunk.audio.samples[start:end]
        yield SpeechChunk(AudioChunk(samples, chunk.audio.sample_rate, start), "", tuple(part), ())


@pytest.mark.parametrize("rate", [22050, 24000])
@pytest.mark.parametrize("sizes", [(1,), (7,), (30, 1, 2), (1000,)])
def test_a_stream_is_the_same_however_it_is_cut(rate: int, sizes: tuple[int, ...]) -> None:
    chunk = chunk_of(random_score(5, 25.0, 120.0, count=90), rate)
    whole = np.concatenate(list(phoneme_rows([chunk])))
    blocks = list(phoneme_rows(split(chunk, sizes)))
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)
    assert all(len(block) for block in blocks)
    assert len(whole) == -(-len(chunk.audio.samples) * 100 // rate)


def test_rows_come_before_the_rest_of_the_text() -> None:
    taken = []

    def chunks() -> Iterator[SpeechChunk]:
        position = 0
        for i in range(5):
            taken.append(i)
            chunk = chunk_of([("_", 100), ("m", 80), ("ɑ", 900, 2), ("_", 400)], start=position)
            position += len(chunk.audio.samples)
            yield chunk

    first = next(phoneme_rows(chunks()))
    assert taken == [0]
    assert len(first) >= 80


@pytest.mark.parametrize("rate", [22050, 24000, 16000])
def test_rows_stand_at_hundredths_of_a_second(rate: int) -> None:
    score = [("_", 300), ("p", 100), ("ɑ", 200, 2), ("p", 100), ("_", 300)]
    opened = lip_aperture(rows_of(score, Articulation(lead_s=0.0), rate))
    centre = float((opened * np.arange(len(opened))).sum() / opened.sum())
    assert centre == pytest.approx(50.0, abs=1.0)


def test_lead_moves_the_mouth_ahead_of_the_sound() -> None:
    score = [("_", 300), ("p", 100), ("ɑ", 200, 2), ("p", 100), ("_", 300)]
    even = rows_of(score, Articulation(lead_s=0.0))
    ahead = rows_of(score, Articulation(lead_s=0.05))
    # Loudness is read at whole samples, so the rows are not equal to the bit.
    np.testing.assert_allclose(ahead[:-5], even[5:], atol=1e-3)


def test_mama_closes_twice_and_opens_twice() -> None:
    rows = rows_of([("_", 200), ("m", 90), ("ɑ", 140, 2), ("m", 80), ("ə", 120), ("_", 300)])
    gaps = signed_aperture(rows)
    assert gaps[22:26].max() < 0.0
    assert gaps[33:40].max() > 0.07
    assert gaps[44:50].min() < 0.0
    assert gaps[53:60].max() > 0.025
    assert rows[24, JAW] > 0.03


def test_rounding_begins_before_the_rounded_vowel() -> None:
    rounded = rows_of([("_", 200), ("s", 110), ("u", 160, 2), ("_", 300)])
    spread = rows_of([("_", 200), ("s", 110), ("i", 160, 2), ("_", 300)])
    end_of_s = 29
    assert rounded[end_of_s, PUCKER] > 0.12
    assert rounded[end_of_s, PUCKER] > 1.4 * spread[end_of_s, PUCKER]


def test_diphthong_glides_from_open_to_round() -> None:
    rows = rows_of([("_", 200), ("aʊ", 300, 2), ("_", 300)])
    gaps = lip_aperture(rows)
    assert gaps[28] > 2.0 * gaps[46]
    assert rows[46, PUCKER] > rows[26, PUCKER] + 0.3
    # A glide, not a jump: far from the fastest that lips can move.
    assert np.abs(np.diff(gaps[26:46])).max() * 100.0 < 0.6 * SPEED["gap"]


def test_stress_opens_and_haste_closes() -> None:
    def peak(length_ms: float, stress: int) -> float:
        score = [("_", 200), ("t", 60), ("ɑ", length_ms, stress), ("t", 60), ("_", 300)]
        return float(lip_aperture(rows_of(score)).max())

    assert peak(150, 2) > 1.05 * peak(150, 1) > 1.15 * peak(150, 0)
    assert peak(30, 1) < 0.95 * peak(150, 1)


def test_strength_scales_openings_and_keeps_closures() -> None:
    score = [("_", 200), ("m", 90), ("æ", 160, 2), ("p", 80), ("u", 120, 1), ("_", 300)]
    soft, plain, strong = (
        rows_of(score, Articulation(strength=strength)) for strength in (0.5, 1.0, 1.4)
    )
    peaks = [float(lip_aperture(rows).max()) for rows in (soft, plain, strong)]
    assert peaks[0] == pytest.approx(0.5 * peaks[1], rel=0.1)
    assert peaks[2] > 1.25 * peaks[1]
    for rows in (soft, plain, strong):
        assert signed_aperture(rows)[24] < 0.0


def test_without_strength_the_mouth_stays_at_rest() -> None:
    score = [("_", 200), ("m", 90), ("æ", 160, 2), ("p", 80), ("u", 120, 1), ("_", 300)]
    assert not rows_of(score, Articulation(strength=0.0)).any()


@pytest.mark.parametrize("strength", [0.05, 0.3, 1.7])
def test_lips_close_at_any_strength_above_zero(strength: float) -> None:
    score = [("_", 200), ("k", 60), ("ɑ", 160, 2), ("b", 70), ("ɑ", 160, 1), ("_", 300)]
    rows = rows_of(score, Articulation(strength=strength))
    assert rows.min() >= 0.0
    assert rows.max() <= 1.0
    assert longest_run(signed_aperture(rows)[38:54] < 0.0) >= 4
    assert lip_aperture(rows).max() > 0.03 * strength


def test_a_short_vowel_between_bilabials_is_seen() -> None:
    gaps = lip_aperture(
        rows_of([("_", 200), ("b", 60), ("ɛ", 70, 1), ("m", 60), ("ɪ", 80), ("_", 300)])
    )
    assert gaps[26:33].max() > 0.02


def test_a_short_bilabial_moves_out_of_the_way_of_a_short_vowel() -> None:
    even = Articulation(lead_s=0.0)
    vowel_first = [("_", 200), ("t", 60), ("ɑ", 50, 1), ("m", 40), ("ð", 60), ("i", 90), ("_", 300)]
    gaps = lip_aperture(rows_of(vowel_first, even))
    assert gaps[28:30].mean() > 0.025
    vowel_last = [("_", 200), ("t", 60), ("ð", 60), ("m", 40), ("ɑ", 50, 1), ("t", 60), ("_", 300)]
    gaps = lip_aperture(rows_of(vowel_last, even))
    assert gaps[38:40].mean() > 0.027


def test_nothing_gives_nothing_and_silence_gives_rest() -> None:
    assert list(phoneme_rows([])) == []
    assert not rows_of([("_", 1000)]).any()
    assert len(rows_of([("_", 4)])) == 1


def test_broken_streams_are_refused() -> None:
    good = chunk_of([("_", 100), ("m", 100)])
    late = chunk_of([("m", 100)], start=len(good.audio.samples) + 1)
    with pytest.raises(UsageError, match="next speech chunk at sample 4800"):
        list(phoneme_rows([good, late]))
    other = chunk_of([("m", 100)], rate=22050, start=len(good.audio.samples))
    with pytest.raises(UsageError, match="24000 samples per second, found 22050"):
        list(phoneme_rows([good, other]))
    short = SpeechChunk(AudioChunk(np.zeros(9600, np.float32), RATE), "", good.phonemes, ())
    with pytest.raises(UsageError, match="up to sample 9600"):
        list(phoneme_rows([short]))
    gap = SpeechChunk(good.audio, "", good.phonemes[1:], ())
    with pytest.raises(UsageError, match="from sample 0 on"):
        list(phoneme_rows([gap]))


def test_wild_styles_are_refused() -> None:
    with pytest.raises(UsageError, match=r"strength from 0\.0 to 1\.7, found 3"):
        Articulation(strength=3.0)


def test_memory_does_not_grow_with_the_text() -> None:
    def peak(chunks: int) -> int:
        def text() -> Iterator[SpeechChunk]:
            position = 0
            for seed in range(chunks):
                chunk = chunk_of(random_score(seed % 3, 40.0, 140.0), start=position)
                position += len(chunk.audio.samples)
                yield chunk

        tracemalloc.start()
        for _ in phoneme_rows(text()):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(3)
    assert peak(40) < 1.2 * peak(5)
