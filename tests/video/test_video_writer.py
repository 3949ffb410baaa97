from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from video_maker import pattern

from edgeavatar.errors import OutputError, UsageError
from edgeavatar.types import AudioChunk, ColourTags, Frame
from edgeavatar.video import VideoWriter, available_encoders, open_video

F = Fraction
RATES = [F(24000, 1001), F(25), F(30000, 1001), F(30), F(50), F(60)]
FAST = {"preset": "ultrafast", "threads": 1}
COLOUR = ColourTags("bt709", "limited", 1, 1)


def make_frame(index, time_s, size=(64, 48), colour=COLOUR) -> Frame:
    return Frame(index, F(time_s), *pattern(index, *size), colour)


def write(path, times, size=(64, 48), colour=COLOUR, sound=None, **options):
    sound_rate = 24000 if sound is not None else None
    settings = {"rate": F(25), "colour": colour, "audio_rate": sound_rate, **FAST, **options}
    with VideoWriter(path, *size, **settings) as writer:
        if sound is not None:
            writer.write_audio(AudioChunk(sound, 24000))
        for index, time_s in enumerate(times):
            writer.write_frame(make_frame(index, time_s, size, colour))
    return path


def read_sound(path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as container:
        blocks = list(container.decode(audio=0))
        rate = blocks[0].sample_rate
        start = round(blocks[0].pts * blocks[0].time_base * rate)
        return np.concatenate([block.to_ndarray()[0] for block in blocks]), start


def click(at, count, rate=24000) -> np.ndarray:
    """Make a short windowed tone whose envelope peaks at sample ``at``."""
    t = np.arange(count) - at
    return (0.7 * np.exp(-((t / 40.0) ** 2)) * np.cos(2 * np.pi * 1500 * t / rate)).astype("f4")


def peak_position(samples, around) -> int:
    part = np.abs(samples[around - 2000 : around + 2000])
    return around - 2000 + int(part.argmax())


# ------------------------------------------------------------------------------------ time


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("ext", ["mp4", "mov"])
def test_constant_rates_are_written_exactly(tmp_path, rate, ext) -> None:
    path = write(tmp_path / f"a.{ext}", [i / rate for i in range(31)], rate=rate)
    with open_video(path) as reader:
        assert [f.time_s for f in reader.frames()] == [i / rate for i in range(31)]
        assert reader.info.rate == rate
        assert reader.end_time_s == 31 / rate


def test_variable_rate_is_written_exactly(tmp_path) -> None:
    times = [F(t, 90000) for t in (0, 3600, 3601, 9000, 18000, 18090, 90000)]
    path = write(tmp_path / "v.mp4", times, time_base=F(1, 90000), preset="medium")
    with open_video(path) as reader:
        assert [f.time_s for f in reader.frames()] == times


def test_the_last_frame_shows_until_the_end_given(tmp_path) -> None:
    path = tmp_path / "e.mp4"
    with VideoWriter(path, 64, 48, rate=F(25), **FAST) as writer:
        writer.write_frame(make_frame(0, 0))
        writer.write_frame(make_frame(1, F(1, 25)))
        writer.finish(F(3, 25))
    with open_video(path) as reader:
        assert len(list(reader.frames())) == 2
        assert reader.end_time_s == F(3, 25)


def test_the_last_frame_shows_as_long_as_the_one_before(tmp_path) -> None:
    path = write(tmp_path / "v.mp4", [F(0), F(1, 25), F(4, 25)])
    with open_video(path) as reader:
        assert len(list(reader.frames())) == 3
        assert reader.end_time_s == F(7, 25)


@pytest.mark.parametrize("ext", ["mkv", "webm"])
def test_matroska_is_within_half_a_millisecond(tmp_path, ext) -> None:
    rate = F(30000, 1001)
    options = {"preset": "8"} if ext == "webm" else {}
    path = write(tmp_path / f"a.{ext}", [i / rate for i in range(40)], rate=rate, **options)
    with open_video(path) as reader:
        for frame in reader.frames():
            assert abs(frame.time_s - frame.index / rate) <= F(1, 2000)


def test_time_must_advance(tmp_path) -> None:
    with pytest.raises(ValueError, match="later than"):
        write(tmp_path / "a.mp4", [F(1, 25), F(1, 25)])
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------ pixels


def test_lossless_pictures_come_back_bit_for_bit(tmp_path) -> None:
    path = write(tmp_path / "a.mkv", [F(i, 25) for i in range(5)], crf=0)
    with open_video(path) as reader:
        for frame in reader.frames():
            expected = pattern(frame.index, 64, 48)
            for got, want in zip((frame.y, frame.u, frame.v), expected, strict=True):
                assert np.array_equal(got, want)


def test_an_odd_size_loses_its_last_column_and_row(tmp_path) -> None:
    path = write(tmp_path / "o.mp4", [F(0)], size=(51, 35), crf=0)
    with open_video(path) as reader:
        (frame,) = reader.frames()
    y, u, v = pattern(0, 51, 35)
    assert np.array_equal(frame.y, y[:34, :50])
    assert np.array_equal(frame.u, u[:17, :25])
    assert np.array_equal(frame.v, v[:17, :25])


TAGS = [
    ColourTags("bt709", "limited", 1, 1),
    ColourTags("bt601", "full", 5, 6),
    ColourTags("bt601", "limited", 6, 6),
    ColourTags("bt2020", "limited", 9, 14),
    ColourTags("bt709", "full", 2, 2),
]


@pytest.mark.parametrize("colour", TAGS)
@pytest.mark.parametrize("ext", ["mp4", "mkv", "mov"])
def test_colour_tags_come_back(tmp_path, colour, ext) -> None:
    path = write(tmp_path / f"c.{ext}", [F(0), F(1, 25)], colour=colour)
    with open_video(path) as reader:
        assert reader.info.colour == colour
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert context.color_range == (2 if colour.range == "full" else 1)
        assert context.color_primaries == colour.primaries
        assert context.color_trc == colour.transfer


@pytest.mark.parametrize("colour", TAGS[:3])
def test_colour_tags_come_back_from_webm(tmp_path, colour) -> None:
    path = write(tmp_path / "c.webm", [F(0), F(1, 25)], colour=colour, preset="8")
    with open_video(path) as reader:
        assert reader.info.colour == colour


def test_pixel_aspect_is_stored_or_made_square(tmp_path) -> None:
    path = write(tmp_path / "a.mp4", [F(0)], sample_aspect_ratio=F(4, 3))
    with open_video(path) as reader:
        assert (reader.info.width, reader.info.height) == (64, 48)
        assert reader.sample_aspect_ratio == F(4, 3)
    wide = write(tmp_path / "w.webm", [F(0)], sample_aspect_ratio=F(4, 3), preset="8")
    with open_video(wide) as reader:
        assert (reader.info.width, reader.info.height) == (86, 48)
        assert reader.sample_aspect_ratio == 1
    tall = write(tmp_path / "t.webm", [F(0)], sample_aspect_ratio=F(3, 4), preset="8")
    with open_video(tall) as reader:
        assert (reader.info.width, reader.info.height) == (64, 64)


@pytest.mark.parametrize("encoder", available_encoders())
def test_every_encoder_works_and_is_silent(tmp_path, encoder, capfd) -> None:
    fast = {"libx264": "ultrafast", "libx265": "ultrafast", "libsvtav1": "12"}.get(encoder, "8")
    path = tmp_path / "a.mkv"
    write(path, [F(i, 25) for i in range(6)], encoder=encoder, preset=fast)
    with open_video(path) as reader:
        frames = list(reader.frames())
    assert len(frames) == 6
    for frame in frames:
        error = np.abs(frame.y.astype(int) - pattern(frame.index, 64, 48)[0])
        assert error.mean() < 4
    assert capfd.readouterr() == ("", "")


def test_a_size_that_the_encoder_refuses_is_named(tmp_path) -> None:
    with pytest.raises(OutputError, match=r"libsvtav1 takes, .* 20000 x 64 at 25 frames"):
        VideoWriter(tmp_path / "a.mp4", 20000, 64, rate=F(25), encoder="libsvtav1")
    assert not list(tmp_path.iterdir())


def test_a_frame_of_another_size_is_refused(tmp_path) -> None:
    with (
        pytest.raises(ValueError, match="64 x 48"),
        VideoWriter(tmp_path / "a.mp4", 64, 48, rate=F(25), **FAST) as writer,
    ):
        writer.write_frame(make_frame(0, 0, size=(48, 64)))


# ------------------------------------------------------------------------------------ sound


@pytest.mark.parametrize("ext", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("rate", [16000, 22050, 24000, 48000])
def test_sound_is_in_place_at_start_and_end(tmp_path, ext, rate) -> None:
    seconds, places = 12, (0.25, 11.75)
    path = tmp_path / f"s.{ext}"
    options = {"preset": "8", "threads": 1} if ext == "webm" else FAST
    samples = sum(click(round(p * rate), seconds * rate, rate) for p in places)
    with VideoWriter(path, 32, 32, rate=F(30000, 1001), audio_rate=rate, **options) as writer:
        for start in range(0, samples.size, 1000):
            writer.write_audio(AudioChunk(samples[start : start + 1000], rate, start))
        for index in range(360):
            writer.write_frame(make_frame(index, index * F(1001, 30000), (32, 32)))
    decoded, start = read_sound(path)
    assert start == 0
    assert abs(decoded.size - seconds * 48000) <= 1024
    for place in places:
        # The tone is 1.5 kHz: its next crest is 32 samples away.
        expected = round(round(place * rate) / rate * 48000)
        assert abs(peak_position(decoded, expected) - expected) <= 3


def test_the_track_lasts_as_long_as_the_sound_to_the_sample(tmp_path) -> None:
    path = write(tmp_path / "a.mp4", [F(i, 25) for i in range(25)], sound=np.zeros(23456, "f4"))
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.duration * stream.time_base == F(2 * 23456, 48000)


def test_a_gap_becomes_silence(tmp_path) -> None:
    path = tmp_path / "g.mp4"
    with VideoWriter(path, 64, 48, rate=F(25), audio_rate=24000, **FAST) as writer:
        writer.write_frame(make_frame(0, 0))
        writer.write_audio(AudioChunk(click(4000, 8000), 24000))
        writer.write_audio(AudioChunk(click(4000, 8000), 24000, 100_000))
    decoded, _ = read_sound(path)
    assert abs(peak_position(decoded, 208_000) - 208_000) <= 3
    assert np.abs(decoded[30_000:180_000]).max() < 0.01


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        (AudioChunk(np.zeros(10, "f4"), 16000, 100), "24000 Hz, found 16000"),
        (AudioChunk(np.zeros(10, "f4"), 24000, 50), "from sample 100 on"),
    ],
)
def test_sound_that_does_not_fit_is_refused(tmp_path, chunk, words) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", 64, 48, rate=F(25), audio_rate=24000, **FAST)
    writer.write_audio(AudioChunk(np.zeros(100, "f4"), 24000))
    with pytest.raises(ValueError, match=words):
        writer.write_audio(chunk)
    writer.abort()
    assert not list(tmp_path.iterdir())


def test_the_encoder_of_sound_takes_options(tmp_path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 24000).astype("f4")
    files = []
    for name, options in (("a", None), ("b", {}), ("c", {"aac_coder": "fast"})):
        path = tmp_path / f"{name}.mp4"
        with VideoWriter(
            path, 64, 48, rate=F(25), audio_rate=24000, audio_options=options, **FAST
        ) as writer:
            writer.write_frame(make_frame(0, 0))
            writer.write_audio(AudioChunk(sound, 24000))
        files.append(path.read_bytes())
    assert files[0] == files[1] != files[2]


def test_sound_needs_a_track(tmp_path) -> None:
    with (
        pytest.raises(ValueError, match="without audio_rate"),
        VideoWriter(tmp_path / "a.mp4", 64, 48, rate=F(25), **FAST) as writer,
    ):
        writer.write_audio(AudioChunk(np.zeros(100, "f4"), 24000))


def test_sound_and_picture_are_interleaved(tmp_path) -> None:
    path = tmp_path / "i.mp4"
    with VideoWriter(path, 64, 48, rate=F(25), audio_rate=24000, **FAST) as writer:
        writer.write_audio(AudioChunk(np.zeros(24000 * 8, "f4"), 24000))
        for index in range(200):
            writer.write_frame(make_frame(index, F(index, 25)))
    times = {"video": 0.0, "audio": 0.0}
    with av.open(str(path)) as container:
        packets = [p for p in container.demux() if p.dts is not None]
        for packet in sorted(packets, key=lambda p: p.pos):
            times[packet.stream.type] = float(packet.dts * packet.time_base)
            assert abs(times["video"] - times["audio"]) < 1.1


# ------------------------------------------------------------------------------------ container


def test_mp4_begins_with_its_index(tmp_path) -> None:
    data = write(tmp_path / "a.mp4", [F(0), F(1, 25)]).read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("ext", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize(
    "tags",
    [
        {"title": "Grüße", "comment": "AI-generated"},
        {"title": "Grüße", "org.example.made-by": "edgeavatar 0.1; seed=3"},
    ],
)
def test_metadata_survives(tmp_path, ext, tags) -> None:
    options = {"preset": "8"} if ext == "webm" else {}
    path = write(tmp_path / f"m.{ext}", [F(0)], metadata=tags, **options)
    with av.open(str(path)) as container:
        found = {key.lower(): value for key, value in container.metadata.items()}
    assert found.items() >= tags.items()


@pytest.mark.parametrize("ext", ["mp4", "mkv", "webm"])
def test_the_same_input_gives_the_same_bytes(tmp_path, ext) -> None:
    options = {"threads": 0, "preset": "8" if ext == "webm" else "medium"}
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 0.1, 24000).astype("f4")
    results = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.{ext}"
        write(path, [F(i, 25) for i in range(30)], (160, 96), sound=sound, **options)
        results.append(path.read_bytes())
        time.sleep(0.01)
    assert results[0] == results[1]


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.xyz", {}, r"\.mp4, \.m4v, \.mov, \.mkv, \.webm, found \.xyz in 'a"),
        ("noname", {}, "no extension"),
        ("a.mp4", {"encoder": "h264_best"}, "libx264, .*found 'h264_best'"),
        ("a.webm", {"encoder": "libx264"}, r"libvpx-vp9.* for \.webm"),
        ("a.mp4", {"crf": 99}, "from 0 to 51 for libx264, found 99"),
        ("a.mp4", {"preset": "warp"}, "ultrafast, .*found 'warp'"),
    ],
)
def test_settings_that_do_not_work_are_named(tmp_path, name, options, words) -> None:
    with pytest.raises(UsageError, match=words):
        VideoWriter(tmp_path / name, 64, 48, rate=F(25), **options)
    assert not list(tmp_path.iterdir())


def test_no_frames_is_an_error(tmp_path) -> None:
    with (
        pytest.raises(OutputError, match="at least one frame"),
        VideoWriter(tmp_path / "a.mp4", 64, 48, rate=F(25), **FAST),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path) -> None:
    with pytest.raises(OutputError, match="found none at"):
        VideoWriter(tmp_path / "no" / "a.mp4", 64, 48, rate=F(25))


def test_a_folder_in_the_way(tmp_path) -> None:
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(OutputError, match="found the folder"):
        VideoWriter(tmp_path / "a.mp4", 64, 48, rate=F(25))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_an_unwritable_folder() -> None:
    with pytest.raises(OutputError, match="cannot write in /proc"):
        VideoWriter("/proc/a.mp4", 64, 48, rate=F(25))


def test_an_error_leaves_what_was_there(tmp_path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")

    def times():
        yield from (F(index, 25) for index in range(20))
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write(path, times(), sound=np.zeros(24000, "f4"))
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_finished_file_replaces_what_was_there(tmp_path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")
    write(path, [F(0)])
    assert path.read_bytes()[4:8] == b"ftyp"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_link_is_written_through(tmp_path) -> None:
    real, link = tmp_path / "real.mp4", tmp_path / "link.mp4"
    real.touch()
    link.symlink_to(real)
    write(link, [F(0)])
    assert link.is_symlink()
    assert real.stat().st_size > 100


def test_closing_twice_is_harmless(tmp_path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", 64, 48, rate=F(25), **FAST)
    writer.write_frame(make_frame(0, 0))
    writer.finish()
    writer.finish()
    writer.abort()
    assert (tmp_path / "a.mp4").exists()


# ------------------------------------------------------------------------------------ processes

PRELUDE = """
import sys, time, resource
from fractions import Fraction as F
import numpy as np
from edgeavatar.types import AudioChunk, ColourTags, Frame
from edgeavatar.video import VideoWriter
rng = np.random.default_rng(0)
def noise(i, w=128, h=96):
    sizes = ((h, w), (h // 2, w // 2), (h // 2, w // 2))
    return Frame(i, F(i, 25), *(rng.integers(0, 256, s).astype(np.uint8) for s in sizes),
                 ColourTags())
"""


def run_python(code, *arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
@pytest.mark.parametrize("ext", ["mp4", "mkv"])
@pytest.mark.parametrize("limit", [100, 20_000, 300_000])
def test_a_full_disk_is_one_clear_line_and_nothing_left(tmp_path, ext, limit) -> None:
    # A limit on file size fails the same write calls as a full disk, with another errno.
    code = """
        from edgeavatar.errors import OutputError
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
        try:
            with VideoWriter(sys.argv[1], 128, 96, rate=F(25), crf=5, preset="ultrafast",
                             audio_rate=24000) as writer:
                for i in range(40):
                    writer.write_audio(AudioChunk(np.zeros(960, "f4"), 24000, i * 960))
                    writer.write_frame(noise(i))
        except OutputError as error:
            print(error)
            sys.exit(error.exit_code)
    """
    done = run_python(code, tmp_path / f"a.{ext}", limit)
    assert done.returncode == 11, done.stderr
    assert done.stdout.startswith("cannot write ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_nothing(tmp_path) -> None:
    code = """
        with VideoWriter(sys.argv[1], 128, 96, rate=F(25), preset="ultrafast") as writer:
            for i in range(100000):
                writer.write_frame(noise(i))
                if i == 20:
                    print("going", flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(tmp_path / "a.mp4")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        assert [p.suffix for p in tmp_path.iterdir()] == [".mp4"]
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
def test_memory_does_not_grow_with_length(tmp_path) -> None:
    code = """
        from edgeavatar.video import fit_frames, open_video
        with VideoWriter(sys.argv[1], 320, 180, rate=F(25), preset="ultrafast") as writer:
            for i in range(30):
                writer.write_frame(noise(i, 320, 180))
        count = int(sys.argv[3])
        with open_video(sys.argv[1]) as reader, VideoWriter(
            sys.argv[2], 320, 180, rate=reader.info.rate, time_base=reader.time_base,
            audio_rate=24000, preset="ultrafast", threads=1,
        ) as writer:
            for frame in fit_frames(reader, "loop", lambda t: t < F(count, 25)):
                writer.write_audio(AudioChunk(np.zeros(960, "f4"), 24000, frame.index * 960))
                writer.write_frame(frame)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    peaks = {}
    for count in (150, 1500):
        done = run_python(code, tmp_path / "a.mp4", tmp_path / "b.mp4", count)
        assert done.returncode == 0, done.stderr
        peaks[count] = int(done.stdout)
    assert peaks[1500] <= 1.05 * peaks[150]
