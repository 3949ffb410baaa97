"""A file is read once and everything in it is told, with the columns that go with it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.transcription import READINGS, pronounced, word_errors
from edgeavatar.audio import resample, write_wav
from edgeavatar.audio.vad import VoiceActivityDetector
from edgeavatar.errors import MediaError
from edgeavatar.pipeline.sound_analysis import analyse_sound, findings_of
from edgeavatar.pipeline.transcribing import hear_words, open_ears
from edgeavatar.types import AudioChunk

RATE = 16000


def test_a_reading(model_store, reading_path: Path) -> None:  # type: ignore[no-untyped-def]
    model_store.resolve("asr-moonshine-tiny")
    told: list[tuple[str, float | None, int]] = []
    found = analyse_sound(reading_path, tell=lambda *what: told.append(what))
    speech = found.speech
    expected = pronounced(READINGS["two_cities"])
    heard = pronounced(" ".join(word.text for word in found.words))
    assert word_errors(expected, heard) <= 0.03 * len(expected)
    # The same words at the same times as a transcript has.
    with open_ears() as ears:
        words = [w for stretch in hear_words(reading_path, ears) for w in stretch.words]
    assert [w.text for w in found.words] == [w.text for w in words]
    assert [w.start_s for w in found.words] == pytest.approx([float(w.start_s) for w in words])
    assert speech.language == "en"
    assert speech.words == len(words)
    assert speech.fillers == 0
    assert speech.speakers is None
    assert 150 < (speech.words_per_min or 0) < 260
    assert 10 <= (speech.pauses or 0) <= 25
    # A man.
    assert 85 < (speech.pitch_median_hz or 0) < 155
    assert 5 < (speech.pitch_range_semitones or 0) < 16
    assert speech.clipped_share == 0.0
    assert 0.7 < speech.speech_share < 0.9
    shares = [share for _, share, _ in told if share is not None]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.01)


def test_columns_have_a_row_every_50_ms(reading_path: Path) -> None:
    found = analyse_sound(reading_path, words=False)
    columns = found.columns
    count = int(np.ceil(found.duration_s / 0.05))
    assert {name: len(column) for name, column in columns.items()} == dict.fromkeys(
        ("time_s", "loudness_lufs", "speech", "pitch_hz"), count
    )
    assert columns["time_s"][:3] == pytest.approx([0.0, 0.05, 0.1])
    voiced = np.isfinite(columns["pitch_hz"].astype(float))
    talks = columns["speech"].astype(float) >= 0.5
    assert talks[voiced].mean() > 0.95
    assert 0.3 < voiced[talks].mean() < 0.95
    loud = columns["loudness_lufs"].astype(float)
    assert loud[talks].mean() > loud[~talks].mean() + 5
    # Nobody listened for words.
    speech = found.speech
    for value in (speech.words, speech.words_per_min, speech.pauses, speech.fillers):
        assert value is None
    assert speech.language is None
    assert found.words == ()


def test_the_rate_of_the_file_does_not_matter_to_what_is_heard(
    reading: np.ndarray, tmp_path: Path
) -> None:
    found = {}
    for rate in (16000, 44100):
        path = tmp_path / f"{rate}.wav"
        write_wav(path, (AudioChunk(resample(reading, RATE, rate), rate, 0) for _ in range(1)))
        found[rate] = analyse_sound(path, words=False)
    low, high = found[16000], found[44100]
    assert low.duration_s == pytest.approx(high.duration_s, abs=0.04)
    assert low.speech.snr_db == pytest.approx(high.speech.snr_db, abs=0.3)
    assert low.speech.loudness_lufs == pytest.approx(high.speech.loudness_lufs, abs=0.2)
    assert low.speech.pitch_median_hz == pytest.approx(high.speech.pitch_median_hz, rel=0.02)
    assert low.speech_spans_s == pytest.approx(np.array(high.speech_spans_s), abs=0.07)
    # The one file ends at 8 kHz, the other has the slope of a resampler above.
    assert 7500 <= (low.speech.bandwidth_hz or 0) <= (high.speech.bandwidth_hz or 0) <= 9000


def test_how_the_stream_is_cut_does_not_matter(
    reading: np.ndarray, detector: VoiceActivityDetector
) -> None:
    found = []
    for size in (len(reading), 1111):
        chunks = (AudioChunk(reading[i : i + size], RATE, i) for i in range(0, len(reading), size))
        found.append(findings_of(chunks, RATE, detector).speech)
    assert found[0].snr_db == pytest.approx(found[1].snr_db, abs=0.01)
    assert found[0].bandwidth_hz == found[1].bandwidth_hz
    assert found[0].pitch_median_hz == pytest.approx(found[1].pitch_median_hz, rel=0.01)
    assert found[0].speech_share == pytest.approx(found[1].speech_share, abs=1e-3)


def test_only_the_beginning(reading_path: Path) -> None:
    found = analyse_sound(reading_path, words=False, until_s=5.0)
    assert 5.0 <= found.duration_s < 6.1


def test_sound_is_let_go(reading: np.ndarray, detector: VoiceActivityDetector) -> None:
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0

    def chunks() -> Iterator[AudioChunk]:
        nonlocal most
        for i in range(240):
            samples = reading[(i * 8000) % 200000 :][:8000].copy()
            alive.append(weakref.ref(samples))
            if i % 20 == 0:
                gc.collect()
            most = max(most, sum(ref() is not None for ref in alive))
            yield AudioChunk(samples, RATE, i * 8000)
            del samples

    found = findings_of(chunks(), RATE, detector)
    assert found.duration_s == pytest.approx(120.0, abs=0.04)
    assert most < 12


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        analyse_sound(tmp_path / "missing.wav", words=False)
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(MediaError, match="empty"):
        analyse_sound(empty, words=False)


@pytest.mark.parametrize("rate", [8000, 22050, 96000])
@pytest.mark.parametrize("seconds", [0.001, 0.05, 1.7])
def test_any_rate_and_length(
    rate: int, seconds: float, reading: np.ndarray, detector: VoiceActivityDetector
) -> None:
    sound = resample(reading[3 * RATE : 5 * RATE], RATE, rate)[: round(seconds * rate)]
    found = findings_of(iter([AudioChunk(sound, rate, 0)]), rate, detector)
    assert found.duration_s == pytest.approx(len(sound) / rate)
    count = int(np.ceil(round(found.duration_s / 0.05, 6)))
    assert {len(column) for column in found.columns.values()} == {count}
    assert all(0 <= a < b <= found.duration_s for a, b in found.speech_spans_s)
