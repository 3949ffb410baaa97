"""What a clumsy or hostile user gives: one clear line, the documented code, nothing left behind."""

from __future__ import annotations

import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from studio import Said, face, nobody, silence, write_video, write_wav

from edgeavatar import zoo

Run = Callable[..., Said]
Maker = Callable[[Path], object]


def _picture(make: Callable[[], np.ndarray]) -> Maker:
    return lambda path: cv2.imwrite(str(path), make())


def _bytes(content: bytes | Callable[[], bytes]) -> Maker:
    return lambda path: path.write_bytes(content() if callable(content) else content)


def _cut(path: Path, share: float, *, faststart: bool = False) -> None:
    muxer = {"movflags": "faststart"} if faststart else {}
    write_video(path, [face()] * 10, **muxer)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def _cut_photo(path: Path) -> None:
    content = cv2.imencode(".jpg", face())[1].tobytes()
    path.write_bytes(content[: len(content) // 2])


def _png_that_promises(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def _two() -> np.ndarray:
    return np.hstack([face(), face()[:, ::-1]])


FILES: dict[str, Maker] = {
    "face.png": _picture(face),
    "two.png": _picture(_two),
    "nobody.png": _picture(nobody),
    "tiny.png": _picture(lambda: face(64)),
    "dot.png": _picture(lambda: face(2)[:1, :1]),
    "bomb.png": _bytes(lambda: _png_that_promises(30000, 30000)),
    "half.jpg": _cut_photo,
    "text.jpg": _bytes(b"hello"),
    "text.mp4": _bytes(b"This is no video.\n" * 100),
    "random.mp4": _bytes(lambda: np.random.default_rng(0).bytes(50_000)),
    "empty.mp4": _bytes(b""),
    "no-index.mp4": lambda path: _cut(path, 0.5),
    "no-frame.mp4": lambda path: _cut(path, 0.1, faststart=True),
    "nobody.mp4": lambda path: write_video(path, [nobody()] * 5),
    "two.mp4": lambda path: write_video(path, [_two()] * 3),
    "clip.mp4": lambda path: write_video(path, [face()] * 3),
    "folder": Path.mkdir,
    "folder.mp4": Path.mkdir,
    "loop.png": lambda path: path.symlink_to(path),
    "line\nbreak.mp4": _bytes(b"no video"),
    "speech.wav": lambda path: silence(path, 0.2),
    "zero.wav": _bytes(b""),
    "no-sample.wav": lambda path: write_wav(path, np.zeros(0)),
    "blank.txt": _bytes(b" \n\n"),
    "latin1.txt": _bytes("caf\xe9".encode("latin-1")),
    "words.txt": _bytes(b"Hello."),
}
LONG = "a" * 300 + ".png"
SOURCES = [
    ("missing.mp4", 7, "no such file; check the path"),
    ("", 7, "not a file"),
    ("folder", 7, "not a file"),
    ("loop.png", 7, "no such file"),
    (LONG, 7, "file name too long"),
    ("http://example.org/face.jpg", 7, "no such file"),
    ("text.jpg", 7, "no media"),
    ("text.mp4", 7, "no media"),
    ("random.mp4", 7, "no media"),
    ("empty.mp4", 7, "an empty file"),
    ("line\nbreak.mp4", 7, "line\\nbreak.mp4"),
    ("no-index.mp4", 7, "cut short"),
    ("no-frame.mp4", 7, "found none that decodes"),
    ("speech.wav", 7, "only sound"),
    ("half.jpg", 7, "damaged"),
    ("dot.png", 7, "2 x 2 pixels"),
    ("bomb.png", 7, "30000 x 30000 pixels"),
    ("nobody.png", 8, "found none in 1 frame;"),
    ("nobody.mp4", 8, "found none in 5 frames;"),
    ("two.png", 9, "faces are 0: at ("),
    ("two.mp4", 9, "choose largest, left, right"),
    ("tiny.png", 2, "--no-label"),
]
AUDIO = [
    ("missing.wav", 7, "no such file"),
    ("folder", 7, "found a folder"),
    (LONG, 7, "file name too long"),
    ("zero.wav", 7, "an empty file"),
    ("no-sample.wav", 7, "without a sample"),
    ("words.txt", 7, "cannot be read as one"),
    ("face.png", 7, "give a file with an audio track"),
    ("clip.mp4", 7, "give a file with an audio track"),
]
WORDS = [
    (["-t", ""], 10, "empty text"),
    (["-t", " \t\n "], 10, "empty text"),
    (["-t", "🎉🎉"], 10, "emoji"),
    (["-t", "Привет, мир"], 10, "Cyrillic"),
    (["-t", "Hi.", "--voice", "nobody"], 10, "edgeavatar voices"),
    (["--text-file", "missing.txt"], 7, "no such file"),
    (["--text-file", "folder"], 7, "is a directory"),
    (["--text-file", "blank.txt"], 10, "empty text"),
    (["--text-file", "latin1.txt"], 7, "UTF-8"),
    (["--text-file", "face.png"], 7, "UTF-8"),
    (["-t", "Hi.", "-a", "speech.wav"], 2, "found both"),
    (["-t", "Hi.", "--text-file", "words.txt"], 2, "leave one out"),
    (["--text-file", "words.txt", "-a", "speech.wav"], 2, "found both"),
    ([], 2, "found neither"),
    (["-a", "speech.wav", "--voice", "hibari"], 2, "--voice"),
    (["-a", "speech.wav", "--rate", "1.5"], 2, "--rate"),
]
OPTIONS = [
    (["--fps", "0"], 2, "from 1 to 120"),
    (["--fps", "-5"], 2, "from 1 to 120"),
    (["--fps", "1000"], 2, "from 1 to 120"),
    (["--fps", "fast"], 2, "'fast'"),
    (["--fps", "nan"], 2, "'nan'"),
    (["--fps", "1/0"], 2, "'1/0'"),
    (["-s", "clip.mp4", "--fps", "30"], 2, "--fps is for photos"),
    (["--rate", "0"], 2, "from 0.5 to 2.0"),
    (["--rate", "nan"], 2, "from 0.5 to 2.0"),
    (["--rate", "fast"], 2, "'fast'"),
    (["--volume", "nan"], 2, "from -60 to -5 LUFS"),
    (["--volume", "3"], 2, "from -60 to -5 LUFS"),
    (["--crf", "-1"], 2, "from 0 to 51"),
    (["--crf", "99"], 2, "from 0 to 51"),
    (["--preset", "warp"], 2, "veryfast"),
    (["--encoder", "theirs"], 2, "libx264"),
    (["--encoder", "libvpx-vp9", "-o", "new.mov"], 2, "libx265"),
    (["--seed", "-1"], 2, "-1"),
    (["--articulation", "1.6"], 2, "from 0 to 1.5"),
    (["--style", "angry"], 2, "'angry'"),
    (["--threads", "0"], 2, "0"),
    (["--fit", "stretch"], 2, "'stretch'"),
    (["--device", "npu"], 6, "npu"),
    (["--label", ""], 2, "--no-label"),
    (["--label", "a\nb"], 2, "printable"),
    (["--label", "wide " * 12], 2, "shorter --label"),
    (["-s", "two.png", "--face", "2"], 2, "below 2"),
    (["-s", "two.png", "--face", "middle"], 2, "'middle'"),
    (["-s", "two.png", "--face", "0,0,9,9"], 8, "found none there"),
]
OUTPUTS = [
    ("new", 2, "no extension"),
    ("new.avi", 2, "found .avi"),
    ("", 2, "no extension"),
    ("missing/new.mp4", 11, "make it"),
    ("words.txt/new.mp4", 11, "make it"),
    ("folder.mp4", 11, "found the folder"),
    ("a" * 300 + ".mp4", 11, "file name too long"),
    ("./face.png", 2, "the source itself"),
]


def _refused(run: Run, arguments: list[str], code: int, words: str) -> None:
    """Run and see that the only trace is one line on stderr."""
    needed = [name for name in FILES if name in {argument.strip("./") for argument in arguments}]
    needed += [name.partition("/")[0] for name in arguments if name.partition("/")[0] in FILES]
    for name in {"face.png", *needed}:
        FILES[name](Path(name))
    Path("out.mp4").write_text("an older result")
    before = sorted(Path().rglob("*"))
    said = run(*arguments, "--quiet")
    assert said.err.startswith("error: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert words in said.err
    assert said.code == code
    assert said.out == ""
    assert sorted(Path().rglob("*")) == before
    assert Path("out.mp4").read_text() == "an older result"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("source", "code", "words"), SOURCES)
def test_bad_source(render_command: Run, source: str, code: int, words: str) -> None:
    _refused(render_command, ["-s", source, "-a", "speech.wav", "-o", "out.mp4"], code, words)


@pytest.mark.parametrize(("audio", "code", "words"), AUDIO)
def test_bad_audio(render_command: Run, audio: str, code: int, words: str) -> None:
    _refused(render_command, ["-s", "face.png", "-a", audio, "-o", "out.mp4"], code, words)


@pytest.mark.parametrize(("given", "code", "words"), WORDS)
def test_bad_words(render_command: Run, given: list[str], code: int, words: str) -> None:
    _refused(render_command, ["-s", "face.png", *given, "-o", "out.mp4"], code, words)


@pytest.mark.parametrize(("options", "code", "told"), OPTIONS)
def test_bad_option(render_command: Run, options: list[str], code: int, told: str) -> None:
    words = ["-t", "Hi."] if "--rate" in options else ["-a", "speech.wav"]
    # Of an option that is given twice, the last counts.
    arguments = ["-s", "face.png", *words, "-o", "out.mp4", *options]
    _refused(render_command, arguments, code, told)


@pytest.mark.parametrize(("output", "code", "words"), OUTPUTS)
def test_bad_output(render_command: Run, output: str, code: int, words: str) -> None:
    _refused(render_command, ["-s", "face.png", "-a", "speech.wav", "-o", output], code, words)


def test_the_recording_is_not_overwritten(render_command: Run) -> None:
    arguments = ["-s", "face.png", "-a", "speech.wav", "-o", "./speech.wav"]
    _refused(render_command, arguments, 2, "the recording itself")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder of Linux")
def test_a_folder_that_nobody_can_write(render_command: Run) -> None:
    arguments = ["-s", "face.png", "-a", "speech.wav", "-o", "/proc/out.mp4"]
    _refused(render_command, arguments, 11, "cannot write in /proc")


# ----------------------------------------------------------------------------------------- models


@pytest.mark.parametrize(
    ("words", "model"),
    [
        (["-t", "Hi."], "voice-hibari"),
        (["-t", "Hi.", "--voice", "af_heart"], "voice-kokoro"),
        (["-a", "speech.wav"], "vad-silero"),
    ],
)
def test_a_model_that_is_not_installed(
    render_command: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], model: str
) -> None:
    Path("store").mkdir()
    monkeypatch.setenv("EDGEAVATAR_MODELS", "store")
    arguments = ["-s", "face.png", *words, "-o", "out.mp4"]
    _refused(render_command, arguments, 3, f"edgeavatar models install {model}")


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
@pytest.mark.parametrize(
    ("model", "key"), [("face", "mesh"), ("voice-hibari", "acoustic")], ids=lambda value: value
)
def test_a_model_that_is_damaged(
    render_command: Run, monkeypatch: pytest.MonkeyPatch, model: str, key: str, damage: str
) -> None:
    store = Path("store").absolute()
    for name in ("face", "voice-hibari"):
        shutil.copytree(zoo.store_root() / name, store / name)
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(store))
    file = zoo.resolve(model)[key]
    assert store in file.parents
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        middle = len(content) // 2
        rest = b"" if damage == "cut" else bytes([content[middle] ^ 1]) + content[middle + 1 :]
        file.write_bytes(content[:middle] + rest)
    arguments = ["-s", "face.png", "-t", "Hi.", "-o", "out.mp4"]
    _refused(render_command, arguments, 4, f"edgeavatar models install {model} --force")
