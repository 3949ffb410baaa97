from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeavatar import cli
from edgeavatar.errors import ModelNotFound, OutputError, UsageError
from edgeavatar.portrait import Portrait, make_portrait, style_of, write_portrait

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "portrait.jpg"
PAINTED = Portrait(
    image=np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8),
    seed=7,
    truncation=0.5,
)


@pytest.fixture(scope="module")
def face(model_store: Any) -> Portrait:
    model_store.resolve("portrait")
    return make_portrait(90)


def test_the_example_is_this_seed(face: Portrait) -> None:
    kept = cv2.imread(str(EXAMPLE)).astype(int)
    assert face.image.shape == kept.shape == (1024, 1024, 3)
    assert face.image.dtype == np.uint8
    # 1.4 grey levels are the JPEG's own loss; another person is 40 and more away.
    assert np.abs(face.image - kept).mean() < 3.0


def test_same_seed_same_person(face: Portrait) -> None:
    again = make_portrait(90, threads=1, size=256)
    expected = cv2.resize(face.image, (256, 256), interpolation=cv2.INTER_AREA).astype(int)
    assert again.image.shape == (256, 256, 3)
    assert np.abs(again.image - expected).max() <= 1


def test_truncation_draws_people_together(model_store: Any) -> None:
    mapping = model_store.resolve("portrait")["mapping_xml"]

    def distance(truncation: float) -> float:
        one, two = (style_of(mapping, seed, truncation) for seed in (1, 2))
        return float(np.abs(one - two).mean())

    assert distance(0.0) == 0.0
    assert distance(0.5) == pytest.approx(distance(1.0) / 2, rel=1e-3)
    assert distance(1.0) > 0.1


@pytest.mark.parametrize(
    ("seed", "size", "truncation"), [(-1, 512, 0.5), (1, 63, 0.5), (1, 1025, 0.5), (1, 512, 1.5)]
)
def test_out_of_range(seed: int, size: int, truncation: float) -> None:
    with pytest.raises(UsageError, match="found"):
        make_portrait(seed, size=size, truncation=truncation)


def test_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path))
    with pytest.raises(ModelNotFound, match="edgeavatar models install portrait"):
        make_portrait(1)


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks = []
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        chunks.append((kind, body))
        at += 12 + length
    return chunks


def test_png_tells_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    write_portrait(PAINTED, path)
    chunks = _png_chunks(path.read_bytes())
    assert [chunks[0][0], chunks[-1][0]] == [b"IHDR", b"IEND"]
    texts = dict(body.split(b"\0", 1) for kind, body in chunks if kind == b"tEXt")
    assert texts[b"Software"].startswith(b"edgeavatar ")
    assert b"synthetic, AI-generated" in texts[b"Source"]
    assert texts[b"Comment"] == b"edgeavatar portrait --seed 7 --truncation 0.5 --size 96"
    xmp = next(body for kind, body in chunks if kind == b"iTXt")
    assert b"trainedAlgorithmicMedia" in xmp
    assert np.array_equal(cv2.imread(str(path)), PAINTED.image)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG"])
def test_jpeg_tells_its_origin(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"face{suffix}"
    write_portrait(PAINTED, path)
    data = path.read_bytes()
    head = data[: data.index(b"\xff\xdb")]
    assert b"synthetic, AI-generated" in head
    assert b"--seed 7" in head
    assert b"trainedAlgorithmicMedia" in head
    assert cv2.imread(str(path)).shape == PAINTED.image.shape


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "face.png").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_portrait(PAINTED, tmp_path / "face.png")
    with pytest.raises(OutputError, match="cannot write"):
        write_portrait(PAINTED, tmp_path / "absent" / "face.png")
    with pytest.raises(UsageError, match=r"\.gif"):
        write_portrait(PAINTED, tmp_path / "face.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]


def test_command(face: Portrait, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "face.png"
    assert cli.run(["portrait", "--seed", "5", "--size", "64", "-o", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{path}\n"
    assert "commercial use" in err
    assert "unclear" in err
    assert err.count("\n") == 1
    picture = cv2.imread(str(path))
    assert picture.shape == (64, 64, 3)
    small = cv2.resize(face.image, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(picture.astype(int) - small).mean() > 20.0, "seed 5 is not seed 90"


def test_a_wrong_name_is_refused_before_painting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGEAVATAR_MODELS", str(tmp_path / "none"))
    assert cli.run(["portrait", "--seed", "5", "-o", str(tmp_path / "face.gif")]) == 2
    assert ".gif" in capsys.readouterr().err
