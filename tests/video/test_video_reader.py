from __future__ import annotations

import shutil
import tracemalloc
import zlib
from fractions import Fraction
from itertools import islice, pairwise

import av
import numpy as np
import pytest
from video_maker import pattern

from edgeavatar.errors import MediaError
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.types import ColourTags
from edgeavatar.video import open_video
from edgeavatar.video.decode import Decoder

F = Fraction
RATES = [F(24000, 1001), F(25), F(30000, 1001), F(30), F(50), F(60)]
LOSSY = {"preset": "ultrafast", "crf": "25", "threads": "1"}


def planes(frame):
    return frame.y, frame.u, frame.v


def fingerprint(frame):
    return frame.index, frame.time_s, tuple(zlib.crc32(plane) for plane in planes(frame))


def solid(bgr, size, fmt):
    picture = np.empty((size[1], size[0], 3), np.uint8)
    picture[:] = bgr
    return av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
        format=fmt, dst_colorspace=1, dst_color_range=1
    )


# ------------------------------------------------------------------------------------ pixels


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("a.mp4", {}),
        ("full.mp4", {"pix_fmt": "yuvj420p", "range_": 2}),
        ("nv12.nut", {"codec": "rawvideo", "pix_fmt": "nv12", "options": {}}),
        ("a.mkv", {"codec": "ffv1", "options": {}}),
        ("odd.mkv", {"codec": "ffv1", "options": {}, "size": (51, 35)}),
        ("odd.nut", {"codec": "rawvideo", "pix_fmt": "nv12", "options": {}, "size": (51, 35)}),
    ],
)
def test_planes_of_420_video_are_bit_exact(make_video, name, spec) -> None:
    width, height = spec.get("size", (64, 48))
    with open_video(make_video(name, 5, **spec)) as reader:
        frames = list(reader.frames())
    assert [f.index for f in frames] == [0, 1, 2, 3, 4] == [f.source_index for f in frames]
    for frame in frames:
        for got, expected in zip(planes(frame), pattern(frame.index, width, height), strict=True):
            assert np.array_equal(got, expected)
            assert got.flags.c_contiguous
            assert got.flags.owndata


@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(64, 48), (51, 35)])
def test_rotation_and_mirroring_move_pixels(make_video, degrees, hflip, size) -> None:
    spec = {"codec": "ffv1", "options": {}}
    path = make_video("r.mkv", 2, size=size, rotation_deg=degrees, hflip=hflip, **spec)
    with open_video(path) as reader:
        frames = list(reader.frames())
        info = reader.info
    turned = degrees in (90, 270)
    assert (info.width, info.height) == (size[::-1] if turned else size)
    assert len(frames) == 2
    for frame in frames:
        stored_planes = pattern(frame.index, *size)
        for got, stored in zip(planes(frame), stored_planes, strict=True):
            # PyAV turns counter-clockwise, then mirrors.
            expected = np.rot90(stored, degrees // 90)
            assert np.array_equal(got, expected[:, ::-1] if hflip else expected)
            assert got.flags.owndata
            assert got.flags.c_contiguous
    if not hflip:
        assert info.rotation_deg == -degrees % 360


@pytest.mark.parametrize(("degrees", "expected"), [(0, F(4, 3)), (90, F(3, 4)), (180, F(4, 3))])
def test_pixel_aspect_turns_with_the_picture(make_video, degrees, expected) -> None:
    with open_video(make_video("r.mp4", 1, rotation_deg=degrees, aspect=F(4, 3))) as reader:
        assert reader.sample_aspect_ratio == expected


def test_a_crooked_rotation_is_ignored_with_a_warning(make_video) -> None:
    with open_video(make_video("r.mp4", 1, rotation_deg=30)) as reader:
        assert (reader.info.width, reader.info.height) == (64, 48)
        assert "quarter turn" in reader.warnings[0]


@pytest.mark.parametrize(
    "fmt",
    [
        "yuv422p",
        "yuv444p",
        "yuv420p10le",
        "yuv422p10le",
        "gbrp10le",
        "yuva420p",
        "bgr0",
        "yuvj444p",
    ],
)
def test_other_formats_are_converted_to_the_same_colours(make_video, fmt) -> None:
    colours = [(30, 60, 200), (200, 120, 40), (128, 128, 128), (250, 250, 250)]
    full = fmt == "yuvj444p"
    pictures = []
    for bgr in colours:
        picture = solid(bgr, (64, 48), "yuv444p" if full else fmt)
        if full:
            picture = solid(bgr, (64, 48), "bgr24").reformat(
                format="yuvj444p", dst_colorspace=5, dst_color_range=2
            )
        pictures.append(picture)
    rgb = fmt in ("gbrp10le", "bgr0")
    path = make_video(
        "a.mkv",
        pictures,
        codec="ffv1" if fmt != "yuvj444p" else "mjpeg",
        pix_fmt=fmt,
        options={},
        matrix=2 if rgb else 5 if full else 1,
        range_=0 if rgb else 2 if full else 1,
    )
    with open_video(path) as reader:
        frames = list(reader.frames())
        assert reader.info.colour.range == ("full" if full else "limited")
    for frame, bgr in zip(frames, colours, strict=True):
        assert frame.u.shape == (24, 32)
        error = np.abs(frame_to_bgr(frame).astype(int) - bgr)
        assert error.max() <= 3


def test_ten_bit_gradients_keep_their_place(make_video) -> None:
    ramp = np.tile(np.linspace(64, 940, 128).astype("<u2"), (48, 1))
    picture = av.VideoFrame(128, 48, "yuv420p10le")
    for plane, values in zip(
        picture.planes,
        (ramp, np.full((24, 64), 512, "<u2"), np.full((24, 64), 512, "<u2")),
        strict=True,
    ):
        rows = np.frombuffer(memoryview(plane), "<u2").reshape(-1, plane.line_size // 2)
        rows[: values.shape[0], : values.shape[1]] = values
    path = make_video(
        "t.mkv", [picture], size=(128, 48), codec="ffv1", pix_fmt="yuv420p10le", options={}
    )
    with open_video(path) as reader:
        frame = next(reader.frames())
    assert np.abs(frame.y.astype(float) - ramp / 4).max() <= 1
    assert np.all(frame.u == 128)


# ------------------------------------------------------------------------------------ colour tags


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"matrix": 1, "range_": 1, "primaries": 1, "transfer": 1}, ("bt709", "limited", 1, 1)),
        ({"matrix": 5, "range_": 2, "primaries": 5, "transfer": 6}, ("bt601", "full", 5, 6)),
        ({"matrix": 6, "range_": 1, "primaries": 6, "transfer": 6}, ("bt601", "limited", 6, 6)),
        ({"matrix": 9, "range_": 1, "primaries": 9, "transfer": 14}, ("bt2020", "limited", 9, 14)),
        ({}, ("bt601", "limited", 2, 2)),
        ({"size": (128, 720)}, ("bt709", "limited", 2, 2)),
        # A phone held upright stores 1280 x 720 and a quarter turn; the stored height counts.
        ({"size": (128, 718), "rotation_deg": 90}, ("bt601", "limited", 2, 2)),
    ],
)
def test_colour_tags(make_video, spec, expected) -> None:
    with open_video(make_video("c.mp4", 1, **spec)) as reader:
        assert reader.info.colour == ColourTags(*expected)
        assert next(reader.frames()).colour == reader.info.colour


def test_hdr_is_read_and_named(make_video) -> None:
    path = make_video("h.mp4", 1, matrix=9, primaries=9, transfer=16, range_=1)
    with open_video(path) as reader:
        assert reader.info.colour == ColourTags("bt2020", "limited", 9, 16)
        assert "HDR (PQ)" in reader.warnings[0]


# ------------------------------------------------------------------------------------ time


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("ext", ["mp4", "mov"])
def test_times_are_exact_at_constant_rates(make_video, rate, ext) -> None:
    with open_video(make_video(f"a.{ext}", 40, rate=rate, options=LOSSY)) as reader:
        times = [frame.time_s for frame in reader.frames()]
        assert times == [i / rate for i in range(40)]
        assert reader.info.rate == rate
        assert reader.info.frame_count == 40
        assert reader.end_time_s == 40 / rate
        assert (1 / reader.time_base / rate).denominator == 1


def test_times_of_variable_rate_are_exact_and_start_at_zero(make_video) -> None:
    pts = [900, 4500, 4501, 9000, 18000, 18090, 90000]
    path = make_video("v.mp4", 7, time_base=F(1, 90000), pts=pts, options=LOSSY)
    with open_video(path) as reader:
        assert [f.time_s for f in reader.frames()] == [F(p - 900, 90000) for p in pts]
        assert reader.time_base == F(1, 90000)


def test_matroska_times_are_its_milliseconds(make_video) -> None:
    rate = F(30000, 1001)
    with open_video(make_video("m.mkv", 30, rate=rate, options=LOSSY)) as reader:
        for frame in reader.frames():
            assert abs(frame.time_s - frame.index / rate) <= F(1, 2000)
            assert (frame.time_s / reader.time_base).denominator == 1


def test_missing_times_are_made_up_at_the_nominal_rate(make_video) -> None:
    with open_video(make_video("raw.h264", 20, options=LOSSY, format="h264")) as reader:
        assert [f.time_s for f in reader.frames()] == [F(i, 25) for i in range(20)]
        assert any("no usable time" in warning for warning in reader.warnings)


# ------------------------------------------------------------------------------------ seeking

X264 = {"preset": "medium", "crf": "30", "threads": "1"}
SEEKABLE = {
    "closed.mp4": {"options": {**LOSSY, "x264-params": "keyint=10:bframes=0"}},
    "open.mp4": {
        "options": {**X264, "x264-params": "keyint=12:bframes=4:open-gop=1:scenecut=0:b-adapt=0"}
    },
    "long.mkv": {"options": {**X264, "x264-params": "keyint=500"}},
    "refresh.mp4": {"options": {**X264, "x264-params": "keyint=20:intra-refresh=1:bframes=0"}},
    "vp9.webm": {
        "codec": "libvpx-vp9",
        "options": {"crf": "40", "b": "0", "g": "12", "cpu-used": "5", "auto-alt-ref": "1"},
    },
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": "keyint=12:log-level=none"},
    },
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "10", "g": "12"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}},
    "h264.ts": {"options": {**X264, "x264-params": "keyint=12:bframes=3"}},
    "raw.h264": {"options": {**X264, "x264-params": "keyint=12:bframes=3"}, "format": "h264"},
}


@pytest.mark.parametrize("name", SEEKABLE)
def test_backwards_gives_the_same_frames_as_forwards(make_video, name) -> None:
    path = make_video(name, 50, size=(96, 64), **SEEKABLE[name])
    with open_video(path) as reader:
        forwards = [fingerprint(frame) for frame in reader.frames()]
        assert len(forwards) == 50
        window = 7 * reader.frame_bytes
        backwards = [fingerprint(f) for f in reader.frames_reversed(49, 0, window_bytes=window)]
        assert backwards == forwards[::-1]
        part = [fingerprint(f) for f in reader.frames_reversed(40, 13, window_bytes=1)]
        assert part == forwards[13:41][::-1]
        assert [fingerprint(f) for f in reader.frames(31)] == forwards[31:]


@pytest.mark.parametrize("name", ["closed.mp4", "open.mp4", "vp9.webm", "hevc.mp4", "av1.mp4"])
def test_backwards_seeks_and_does_not_start_over(make_video, monkeypatch, name) -> None:
    passed = []

    class Counting(Decoder):
        def __iter__(self):
            for picture in super().__iter__():
                passed.append(picture.pts)
                yield picture

    with open_video(make_video(name, 96, size=(96, 64), **SEEKABLE[name])) as reader:
        assert len(list(reader.frames())) == 96
        monkeypatch.setattr("edgeavatar.video.reader.Decoder", Counting)
        window = 12 * reader.frame_bytes
        assert len(list(reader.frames_reversed(95, window_bytes=window))) == 96
    # Decoding from the beginning for each of the eight windows would be 4.5 times the frames.
    assert len(passed) <= 2 * 96


def test_an_index_not_seen_before_is_reached_by_decoding(make_video) -> None:
    with open_video(make_video("a.mp4", 30)) as reader:
        assert [f.index for f in reader.frames(27)] == [27, 28, 29]
        assert list(reader.frames(30)) == []


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("p.mp4", {"size": (128, 96), "options": {**LOSSY, "bf": "2", "refs": "3"}}),
        ("q.mp4", {"size": (90, 66), "options": LOSSY}),
        ("r.nut", {"codec": "rawvideo", "pix_fmt": "nv12", "options": {}}),
    ],
)
def test_shared_planes_stay_as_they_are_while_they_are_held(make_video, name, spec) -> None:
    with open_video(make_video(name, 60, **spec)) as reader:
        seen = [fingerprint(frame) for frame in reader.frames()]
        held = list(reader.frames(shared=True))
    assert [fingerprint(frame) for frame in held] == seen
    assert len(seen) == 60
    assert all(plane.flags.c_contiguous for frame in held for plane in planes(frame))


def test_iterations_do_not_disturb_each_other(make_video) -> None:
    with open_video(make_video("a.mp4", 12)) as reader:
        pairs = zip(reader.frames(), islice(reader.frames(), 3, None), strict=False)
        assert [(a.index, b.index) for a, b in pairs] == [(i, i + 3) for i in range(9)]


def test_only_seen_frames_can_be_asked_for_backwards(make_video) -> None:
    with open_video(make_video("a.mp4", 5)) as reader:
        next(reader.frames())
        with pytest.raises(ValueError, match="1 > start >= stop >= 0"):
            next(reader.frames_reversed(3))


def test_running_backwards_keeps_to_its_window(make_video) -> None:
    size = (640, 480)
    options = {**LOSSY, "x264-params": "keyint=500"}
    picture = pattern(0, *size)
    path = make_video("long.mp4", [picture] * 120, size=size, options=options)
    with open_video(path) as reader:
        for _ in reader.frames():
            pass
        window = 10 * reader.frame_bytes
        tracemalloc.start()
        for _ in reader.frames_reversed(119, 0, window_bytes=window):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert 5 * reader.frame_bytes < peak < window + 3 * reader.frame_bytes


# ------------------------------------------------------------------------------------ bad input


def check_error(path, *words) -> None:
    with pytest.raises(MediaError) as caught, open_video(path) as reader:
        list(reader.frames())
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for word in words:
        assert word in message


def test_a_missing_file(tmp_path) -> None:
    check_error(tmp_path / "no.mp4", "no such file")


def test_a_folder(tmp_path) -> None:
    check_error(tmp_path, "not a file")


def test_an_empty_file(tmp_path) -> None:
    path = tmp_path / "e.mp4"
    path.touch()
    check_error(path, "an empty file")


@pytest.mark.parametrize("name", ["a.txt", "a.mp4", "a.nfo"])
def test_text_as_video(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_text("This is a letter and no video.\n" * 200)
    check_error(path)


def test_a_playlist_cannot_reach_out(tmp_path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n")
    check_error(path)


def test_an_mp4_without_its_index(make_video) -> None:
    whole = make_video("a.mp4", 30)
    path = whole.with_name("cut.mp4")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    check_error(path, "cut short")


def test_sound_only(tmp_path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        block = av.AudioFrame.from_ndarray(
            np.zeros((1, 4800), np.float32), format="fltp", layout="mono"
        )
        block.sample_rate = 48000
        out.mux(stream.encode(block))
        out.mux(stream.encode(None))
    check_error(path, "only sound")


def test_no_frames_at_all(make_video) -> None:
    whole = make_video("a.mkv", 3, options=LOSSY)
    data = whole.read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")
    path = whole.with_name("none.mkv")
    path.write_bytes(data[:cluster])
    check_error(path)


def test_damage_in_the_middle_is_survived_and_told(make_video) -> None:
    rng = np.random.default_rng(0)
    noise = [
        tuple(rng.integers(16, 235, p.shape).astype(np.uint8) for p in pattern(0, 64, 48))
        for _ in range(40)
    ]
    whole = make_video("a.mp4", noise, options={**LOSSY, "x264-params": "keyint=10"})
    data = bytearray(whole.read_bytes())
    start = data.index(b"mdat")
    end = data.index(b"moov")
    middle = (start + end) // 2
    data[middle : middle + 3000] = rng.integers(0, 256, 3000).astype(np.uint8).tobytes()
    path = whole.with_name("hurt.mp4")
    path.write_bytes(data)
    with open_video(path) as reader:
        frames = list(reader.frames())
        assert 30 <= len(frames) <= 40
        assert any("damaged" in warning for warning in reader.warnings)
        assert all(b.time_s > a.time_s for a, b in pairwise(frames))
        again = [f.index for f in reader.frames_reversed(len(frames) - 1, window_bytes=1 << 15)]
        assert again == list(range(len(frames)))[::-1]


def test_a_file_that_ends_early_gives_what_it_has(make_video, tmp_path) -> None:
    whole = make_video("a.mkv", 200, options={**LOSSY, "x264-params": "keyint=10"})
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with open_video(path) as reader:
        assert 50 < len(list(reader.frames())) < 150


def test_a_faststart_file_that_ends_early_says_so(make_video, tmp_path) -> None:
    whole = make_video("a.mp4", 200, options={**LOSSY, "x264-params": "keyint=10"})
    fast = tmp_path / "fast.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(fast), "w", container_options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    path = tmp_path / "cut.mp4"
    path.write_bytes(fast.read_bytes()[: fast.stat().st_size // 2])
    with open_video(path) as reader:
        assert 50 < len(list(reader.frames())) < 150
        assert any("ends early: it declares 8.0 s" in warning for warning in reader.warnings)


def test_frames_that_an_edit_list_hides_stay_hidden(make_video, tmp_path) -> None:
    options = {**X264, "x264-params": "keyint=12:bframes=2"}
    whole = make_video("whole.mp4", 60, options=options)
    path = tmp_path / "edited.mp4"
    with (
        av.open(str(whole)) as source,
        av.open(str(path), "w", container_options={"avoid_negative_ts": "disabled"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        hidden = round(F(17, 25) / source.streams.video[0].time_base)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.pts, packet.dts = packet.pts - hidden, packet.dts - hidden
                packet.stream = stream
                out.mux(packet)
    with open_video(whole) as reader:
        expected = [fingerprint(frame)[2] for frame in reader.frames(17)]
    with open_video(path) as reader:
        frames = [fingerprint(frame) for frame in reader.frames()]
        assert frames == [(i, F(i, 25), print_) for i, print_ in enumerate(expected)]
        window = 5 * reader.frame_bytes
        backwards = [fingerprint(f) for f in reader.frames_reversed(42, window_bytes=window)]
        assert backwards == frames[::-1]
        assert reader.warnings == []


def test_a_change_of_size_keeps_the_first(make_video, tmp_path) -> None:
    parts = [
        make_video(f"{size[0]}.h264", 5, size=size, options=LOSSY, format="h264")
        for size in ((64, 48), (32, 24))
    ]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_video(path) as reader:
        frames = list(reader.frames())
    assert len(frames) == 10
    assert {frame.y.shape for frame in frames} == {(48, 64)}
    assert {frame.u.shape for frame in frames} == {(24, 32)}


def test_interlaced_video_is_read_as_it_is_and_named(make_video) -> None:
    path = make_video("i.mkv", 4, options={**X264, "x264-params": "tff=1"})
    with open_video(path) as reader:
        assert len(list(reader.frames())) == 4
        assert "interlaced" in reader.warnings[0]


def test_a_file_that_vanishes_after_opening(make_video) -> None:
    path = make_video("a.mp4", 3)
    with open_video(path) as reader:
        path.unlink()
        with pytest.raises(MediaError, match="no such file"):
            next(reader.frames())


def test_one_frame_is_a_video(make_video) -> None:
    with open_video(make_video("a.mp4", 1)) as reader:
        (frame,) = reader.frames()
        assert frame.time_s == 0
        assert reader.end_time_s == F(1, 25)
        assert [f.index for f in reader.frames_reversed(0)] == [0]


def test_sound_beside_the_picture_is_noticed(make_video) -> None:
    with open_video(make_video("a.mp4", 3, audio=True)) as reader:
        assert reader.info.has_audio
    with open_video(make_video("b.mp4", 3)) as reader:
        assert not reader.info.has_audio


def test_a_copy_elsewhere_reads_the_same(make_video, tmp_path) -> None:
    path = make_video("a.mp4", 4)
    odd = tmp_path / "näme with %03d [x].bin"
    shutil.copy(path, odd)
    with open_video(path) as one, open_video(odd) as two:
        assert [fingerprint(f) for f in one.frames()] == [fingerprint(f) for f in two.frames()]
