from __future__ import annotations

import errno
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeavatar.audio import write_wav
from edgeavatar.errors import OutputError, SpeechError
from edgeavatar.types import AudioChunk


def test_samples_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sound = rng.uniform(-1, 1, 5000).astype(np.float32)
    chunks = [AudioChunk(sound[:3000], 24000), AudioChunk(sound[3000:], 24000, 3000)]
    assert write_wav(tmp_path / "a.wav", chunks) == 5000
    with wave.open(str(tmp_path / "a.wav")) as wav:
        assert wav.getparams()[:4] == (1, 2, 24000, 5000)
        pcm = np.frombuffer(wav.readframes(5000), "<i2")
    assert np.abs(pcm / 32767 - sound).max() <= 0.5 / 32767 + 1e-6


def test_too_loud_is_clipped(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", [AudioChunk(np.array([2.0, -2.0], np.float32), 8000)])
    with wave.open(str(tmp_path / "a.wav")) as wav:
        assert np.frombuffer(wav.readframes(2), "<i2").tolist() == [32767, -32767]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    target.write_bytes(b"old")

    def broken() -> Iterator[AudioChunk]:
        yield AudioChunk(np.ones(10, np.float32), 8000)
        raise SpeechError("stop")

    with pytest.raises(SpeechError):
        write_wav(target, broken())
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_no_sound_no_folder_no_file_name_are_refused(tmp_path: Path) -> None:
    chunk = AudioChunk(np.ones(10, np.float32), 8000)
    with pytest.raises(OutputError, match="no sound"):
        write_wav(tmp_path / "a.wav", [])
    with pytest.raises(OutputError, match="cannot write"):
        write_wav(tmp_path / "missing" / "a.wav", [chunk])
    with pytest.raises(OutputError, match="a folder"):
        write_wav(tmp_path, [chunk])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(wave.Wave_write, "writeframesraw", full)
    with pytest.raises(OutputError, match=r"No space left.*make room"):
        write_wav(tmp_path / "a.wav", [AudioChunk(np.ones(10, np.float32), 8000)])
    assert list(tmp_path.iterdir()) == []
