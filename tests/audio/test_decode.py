from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgeavatar.audio import decode_audio, sound_duration_s
from edgeavatar.audio.resample import BLOCK_SAMPLES
from edgeavatar.errors import MediaError

FORMATS = [
    ("wav", "pcm_s16le", "s16"),
    ("wav", "pcm_u8", "u8"),
    ("wav", "pcm_f32le", "flt"),
    ("flac", "flac", "s16"),
    ("mp3", "libmp3lame", "fltp"),
    ("m4a", "aac", "fltp"),
    ("mp4", "aac", "fltp"),
    ("mkv", "aac", "fltp"),
    ("ogg", "libopus", "flt"),
    ("webm", "libopus", "flt"),
]


def bursts(rate: int, seconds: float = 3.0) -> np.ndarray:
    """Soft noise bursts of 30 ms, every 0.25 s, below 3 kHz so that all codecs keep them."""
    rng = np.random.default_rng(1)
    sound = np.zeros(round(rate * seconds))
    t = np.arange(round(0.03 * rate)) / rate
    for k in range(1, int(seconds * 4)):
        tone = sum(np.sin(2 * np.pi * (f * t + rng.random())) for f in rng.uniform(300, 3000, 6))
        at = round(k * 0.25 * rate)
        sound[at : at + len(t)] = tone * np.hanning(len(t)) / 12
    return sound.astype(np.float32)


def encode(
    path: Path,
    sound: np.ndarray,
    rate: int,
    codec: str,
    sample_format: str,
    *,
    start_s: float = 0.0,
    video_start_s: float | None = None,
    layout: str = "mono",
) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.format = sample_format
        video = None
        if video_start_s is not None:
            video = out.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        planes = np.atleast_2d(sound)
        packets = []
        step = 960
        for at in range(0, planes.shape[1], step):
            part = np.ascontiguousarray(planes[:, at : at + step])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate = rate
            frame.time_base = Fraction(1, rate)
            frame.pts = at + round(start_s * rate)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        if video is not None:
            for i in range(10):
                picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "bgr24")
                picture.pts = i + round(video_start_s * 25)
                picture.time_base = Fraction(1, 25)
                packets += video.encode(picture)
            packets += video.encode(None)
        for packet in packets:
            out.mux(packet)


def read(path: Path, rate: int, **options: Fraction) -> np.ndarray:
    chunks = list(decode_audio(path, rate, **options))
    at = 0
    for chunk in chunks:
        assert chunk.start_sample == at
        assert chunk.sample_rate == rate
        assert chunk.samples.dtype == np.float32
        assert 0 < len(chunk.samples) <= BLOCK_SAMPLES
        at += len(chunk.samples)
    return np.concatenate([c.samples for c in chunks])


def lag(found: np.ndarray, expected: np.ndarray) -> float:
    """Delay of ``found`` in samples, to a fraction of one."""
    n = 1 << (len(found) + len(expected)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(found, n) * np.conj(np.fft.rfft(expected, n)), n)
    peak = int(np.argmax(cross))
    a, b, c = (cross[(peak + k) % n] for k in (-1, 0, 1))
    peak = peak - n if peak > n // 2 else peak
    return peak + float((a - c) / (2 * (a - 2 * b + c)))


@pytest.mark.parametrize(("suffix", "codec", "sample_format"), FORMATS)
@pytest.mark.parametrize(("source", "target"), [(48000, 16000), (16000, 24000)])
def test_sample_k_sounds_at_k_over_rate(
    tmp_path: Path, suffix: str, codec: str, sample_format: str, source: int, target: int
) -> None:
    path = tmp_path / f"sound.{suffix}"
    encode(path, bursts(source), source, codec, sample_format)
    found = read(path, target)
    expected = bursts(target)
    thirds = len(expected) // 3
    for start in (0, thirds, 2 * thirds):
        part = slice(start, start + thirds)
        assert abs(lag(found[part], expected[part])) < 0.001 * target
    assert abs(len(found) - len(expected)) <= 0.05 * target


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "m4a"])
def test_a_late_start_is_silence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"late.{suffix}"
    encode(path, bursts(48000), 48000, "aac", "fltp", start_s=0.4)
    found = read(path, 16000)
    expected = np.concatenate([np.zeros(6400, np.float32), bursts(16000)])
    assert abs(lag(found, expected)) < 16
    assert np.abs(found[:6000]).max() < 1e-3


@pytest.mark.parametrize(("sound_s", "picture_s"), [(0.0, 0.2), (0.2, 0.0), (1.0, 1.2)])
def test_sound_and_picture_share_their_start(
    tmp_path: Path, sound_s: float, picture_s: float
) -> None:
    path = tmp_path / "both.mkv"
    encode(path, bursts(48000), 48000, "aac", "fltp", start_s=sound_s, video_start_s=picture_s)
    found = read(path, 16000)
    shift = round((sound_s - picture_s) * 16000)
    expected = bursts(16000)
    expected = (
        expected[-shift:] if shift < 0 else np.concatenate([np.zeros(shift, np.float32), expected])
    )
    assert abs(lag(found, expected)) < 16


def test_origin_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    encode(path, bursts(16000), 16000, "pcm_s16le", "s16")
    found = read(path, 16000, origin_s=Fraction(1, 2))
    assert np.allclose(found, bursts(16000)[8000:], atol=1e-4)


def test_a_gap_in_the_timestamps_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    sound = bursts(48000)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=48000, layout="mono")
        for at in range(0, len(sound), 960):
            frame = av.AudioFrame.from_ndarray(sound[None, at : at + 960], "fltp", "mono")
            frame.sample_rate = 48000
            frame.time_base = Fraction(1, 48000)
            frame.pts = at + (24000 if at >= 48000 else 0)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    found = read(path, 16000)
    whole = bursts(16000)
    expected = np.concatenate([whole[:16000], np.zeros(8000, np.float32), whole[16000:]])
    assert len(found) == len(expected)
    assert abs(lag(found[24000:], expected[24000:])) < 2
    assert np.abs(found[16200:23800]).max() < 1e-3


def test_stereo_and_surround_become_their_mean(tmp_path: Path) -> None:
    left, right = bursts(48000), 0.5 * bursts(48000)[::-1]
    encode(tmp_path / "a.wav", np.stack([left, right]), 48000, "pcm_f32le", "flt", layout="stereo")
    found = read(tmp_path / "a.wav", 48000)
    assert np.allclose(found, (left + right) / 2, atol=1e-6)
    planes = np.zeros((6, 4800), np.float32)
    planes[3] = 1.0
    encode(tmp_path / "b.wav", planes, 48000, "pcm_f32le", "flt", layout="5.1")
    assert np.abs(read(tmp_path / "b.wav", 48000)).max() == 0.0
    planes[:] = 0.25
    encode(tmp_path / "c.wav", planes, 48000, "pcm_f32le", "flt", layout="5.1")
    assert np.allclose(read(tmp_path / "c.wav", 48000), 0.25, atol=1e-6)


def test_duration_is_known_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    encode(path, bursts(48000), 48000, "aac", "fltp")
    assert abs(float(sound_duration_s(path)) - 3.0) < 0.05


def test_what_is_no_sound_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("These are words, not sound.\n" * 50)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    encode(tmp_path / "cut.mp4", bursts(48000), 48000, "aac", "fltp")
    whole = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    encode(tmp_path / "header.wav", bursts(16000), 16000, "pcm_s16le", "s16")
    (tmp_path / "header.wav").write_bytes((tmp_path / "header.wav").read_bytes()[:44])
    with av.open(str(tmp_path / "mute.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "bgr24")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    names = [
        "missing.wav",
        "empty.wav",
        "text.mp3",
        "list.m3u8",
        "cut.mp4",
        "header.wav",
        "mute.mp4",
        ".",
    ]
    for name in names:
        with pytest.raises(MediaError) as caught:
            list(decode_audio(tmp_path / name, 16000))
        assert "\n" not in str(caught.value), name
        assert "expected" in str(caught.value), name
        assert "found" in str(caught.value), name


def test_a_file_cut_short_gives_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    encode(path, bursts(16000), 16000, "pcm_s16le", "s16")
    path.write_bytes(path.read_bytes()[: 44 + 32000 + 200])
    found = read(path, 16000)
    assert 15900 <= len(found) <= 16100


def test_a_broken_stretch_does_not_shift_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "scratched.m4a"
    encode(path, bursts(48000), 48000, "aac", "fltp")
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : third + 400] = bytes(400)
    path.write_bytes(bytes(data))
    found, expected = read(path, 16000), bursts(16000)
    assert abs(lag(found[32000:], expected[32000:])) < 16
