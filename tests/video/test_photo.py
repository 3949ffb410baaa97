from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from edgeavatar.errors import MediaError
from edgeavatar.kernels.colour import frame_to_bgr
from edgeavatar.types import ColourTags, Frame
from edgeavatar.video import VideoReader, open_source, photo_info, read_photo

RED, GREEN, BLUE, GREY = (20, 30, 220), (40, 200, 50), (210, 60, 20), (120, 120, 120)


def picture(width=96, height=64) -> np.ndarray:
    """Make four quarters of different colours, so that any turn shows."""
    bgr = np.empty((height, width, 3), np.uint8)
    bgr[: height // 2, : width // 2] = RED
    bgr[: height // 2, width // 2 :] = GREEN
    bgr[height // 2 :, : width // 2] = BLUE
    bgr[height // 2 :, width // 2 :] = GREY
    return bgr


def encode(ext, pixels, *params) -> bytes:
    ok, data = cv2.imencode(ext, pixels, list(params))
    assert ok
    return data.tobytes()


def exif(orientation) -> bytes:
    return (
        b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHH", 1, 0x0112, 3, 1, orientation, 0) + b"\0\0\0\0"
    )


def jpeg_with_exif(pixels, orientation) -> bytes:
    data = encode(".jpg", pixels, cv2.IMWRITE_JPEG_QUALITY, 98)
    block = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def png_chunk(kind, body) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with_exif(pixels, orientation) -> bytes:
    data = encode(".png", pixels)
    return data[:33] + png_chunk(b"eXIf", exif(orientation)) + data[33:]


def close(frame, expected, limit=5) -> bool:
    got = frame_to_bgr(frame).astype(int)
    if got.shape != expected.shape:
        return False
    # Beside the seams of the quarters, half-size chroma has neither the one colour nor the other.
    kernel = np.ones((9, 9), np.uint8)
    pixels = np.ascontiguousarray(expected, np.uint8)
    flat = np.all(cv2.dilate(pixels, kernel) == cv2.erode(pixels, kernel), axis=2)
    return bool(flat.mean() > 0.4 and np.abs(got - expected)[flat].max() <= limit)


@pytest.mark.parametrize("ext", [".jpg", ".png", ".webp", ".bmp", ".tiff"])
def test_formats_are_known_by_content(tmp_path, ext) -> None:
    path = tmp_path / "face.dat"
    path.write_bytes(encode(ext, picture()))
    frame = read_photo(path)
    assert close(frame, picture())
    assert frame.colour == ColourTags("bt709", "limited", 1, 1)
    assert (frame.index, frame.time_s) == (0, 0)
    assert isinstance(open_source(path), Frame)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_exif_orientation_is_applied(tmp_path, orientation) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(jpeg_with_exif(picture(), orientation))
    # OpenCV's own reading of the tag is the yardstick.
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert close(read_photo(path), expected)
    if orientation in (6, 8):
        assert expected.shape[:2] == (96, 64)
    path.write_bytes(png_with_exif(picture(), orientation))
    assert close(read_photo(path), expected)


def test_transparency_lies_over_grey(tmp_path) -> None:
    bgra = np.dstack([picture(), np.full((64, 96), 255, np.uint8)])
    bgra[:, :32, 3] = 0
    bgra[:, 32:64, 3] = 128
    path = tmp_path / "cut.png"
    path.write_bytes(encode(".png", bgra))
    expected = picture().astype(int)
    expected[:, :32] = 128
    expected[:, 32:64] = (expected[:, 32:64] * 128 + 128 * 127) // 255
    assert close(read_photo(path), expected)


def test_sixteen_bits_and_grey(tmp_path) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(encode(".png", picture().astype(np.uint16) * 257))
    assert close(read_photo(path), picture())
    grey = picture()[..., 1]
    path.write_bytes(encode(".png", grey))
    assert close(read_photo(path), np.repeat(grey[..., None], 3, axis=2))
    path.write_bytes(encode(".jpg", grey))
    assert close(read_photo(path), np.repeat(grey[..., None], 3, axis=2))


def test_odd_sizes_lose_a_row_and_a_column(tmp_path) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(encode(".png", picture(97, 65)))
    frame = read_photo(path)
    assert close(frame, picture(97, 65)[:64, :96])


@pytest.mark.parametrize(
    ("ext", "size", "limit", "expected"),
    [
        (".png", (300, 200), 150, (150, 100)),
        (".png", (200, 301), 151, (100, 152)),
        (".jpg", (1600, 1200), 200, (200, 150)),
        (".jpg", (1599, 401), 200, (200, 50)),
    ],
)
def test_large_photos_are_scaled_down(tmp_path, ext, size, limit, expected) -> None:
    path = tmp_path / "large"
    path.write_bytes(encode(ext, picture(*size)))
    frame = read_photo(path, max_side_px=limit)
    assert (frame.width, frame.height) == expected
    assert close(frame, picture(*expected))


def test_the_default_limit_is_uhd(tmp_path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(encode(".jpg", picture(4800, 3200)))
    frame = read_photo(path)
    assert (frame.width, frame.height) == (3840, 2560)


@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
def test_a_huge_jpeg_takes_bounded_memory(tmp_path) -> None:
    path = tmp_path / "huge.jpg"
    # One value repeated: 16000 x 16000 pixels, 768 MB if decoded whole.
    path.write_bytes(encode(".jpg", np.full((16000, 16000), 90, np.uint8)))
    code = (
        "import resource, sys\n"
        "from edgeavatar.video import read_photo\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "frame = read_photo(sys.argv[1])\n"
        "print(frame.width, frame.height, peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    width, height, grown_mib = map(int, done.stdout.split())
    assert (width, height) == (3840, 3840)
    assert grown_mib < 300


def test_a_huge_png_is_refused_before_it_is_decoded(tmp_path) -> None:
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"\0" * 50)
    )
    with pytest.raises(MediaError, match="20000 x 20000 pixels, which takes 1144 MiB"):
        read_photo(path)


def cmyk_jpeg() -> bytes:
    data = bytearray(encode(".jpg", picture()))
    frame = data.index(b"\xff\xc0")
    data[frame + 9] = 4
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no picture this program knows"),
        (b"hello, I am no picture at all", "no picture this program knows"),
        (encode(".jpg", picture())[:300], "damaged"),
        (encode(".jpg", picture(960, 640))[:-2000], "damaged"),
        (encode(".png", picture())[:60], "damaged"),
        (encode(".webp", picture())[:60], "damaged"),
        (encode(".tiff", picture())[:400], "damaged"),
        (encode(".bmp", picture())[:4000], "damaged"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "convert it to JPEG"),
        (cmyk_jpeg(), "CMYK"),
        (encode(".png", np.zeros((1, 40, 3), np.uint8)), "at least 2 x 2"),
    ],
)
def test_bad_pictures_are_one_clear_line(tmp_path, data, words, capfd) -> None:
    path = tmp_path / "bad.img"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=words) as caught:
        read_photo(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_missing_photos_and_folders(tmp_path) -> None:
    for call in (read_photo, open_source):
        with pytest.raises(MediaError, match="no such file"):
            call(tmp_path / "no.jpg")
        with pytest.raises(MediaError, match="not a file"):
            call(tmp_path)


def gif(path, count) -> None:
    with av.open(str(path), "w", format="gif") as out:
        stream = out.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb8"
        for index in range(count):
            pixels = np.roll(picture(), 8 * index, axis=1)
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(format="rgb8")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def test_a_gif_is_a_video_if_it_moves(tmp_path) -> None:
    path = tmp_path / "a.jpg"
    gif(path, 6)
    with open_source(path) as reader:
        assert isinstance(reader, VideoReader)
        frames = list(reader.frames())
        assert [f.time_s for f in frames] == [Fraction(i, 10) for i in range(6)]
    with pytest.raises(MediaError, match="animation"):
        read_photo(path)
    gif(path, 1)
    frame = open_source(path)
    assert isinstance(frame, Frame)
    # Eight bits a pixel: three for red and green, two for blue.
    assert close(frame, picture(), limit=45)


def test_avif_is_a_photo(tmp_path) -> None:
    path = tmp_path / "a.png"
    with av.open(str(path), "w", format="avif") as out:
        stream = out.add_stream("libsvtav1", rate=1, options={"preset": "10", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture(), format="bgr24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=5, dst_color_range=1)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    frame = open_source(path)
    assert isinstance(frame, Frame)
    assert close(frame, picture(), limit=6)


def test_a_video_is_a_video_whatever_its_name(make_video) -> None:
    path = make_video("a.mp4", 3)
    renamed = path.rename(path.with_name("photo.jpg"))
    with open_source(renamed) as reader:
        assert isinstance(reader, VideoReader)
        assert len(list(reader.frames())) == 3


def test_photo_info(tmp_path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", picture()))
    info = photo_info(read_photo(path), Fraction(30))
    assert info.is_photo
    assert (info.width, info.height, info.rate, info.frame_count) == (96, 64, 30, 1)
