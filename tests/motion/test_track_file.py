"""Motion tracks as files: what is written is read back, and every mistake has its line."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeavatar.errors import MediaError, UsageError
from edgeavatar.motion.track_file import TrackWriter, read_track
from edgeavatar.types import MOTION_NAMES, AudioChunk, PhonemeTiming, SpeechChunk, WordTiming

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "motion.md").read_text(encoding="utf-8")
WIDTH = len(MOTION_NAMES)
NTSC = Fraction(30000, 1001)


def rows_of(count: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, WIDTH), np.float32)


def piece(start_sample: int = 0) -> SpeechChunk:
    middle, end = start_sample + 800, start_sample + 1600
    return SpeechChunk(
        AudioChunk(np.zeros(1600, np.float32), 16000, start_sample),
        "a",
        (
            PhonemeTiming("_", start_sample, middle),
            PhonemeTiming("æ", middle, end, stress=2, word=0),
        ),
        (WordTiming("é", middle, end),),
    )


def written(rows: np.ndarray, rate: Fraction = Fraction(25), *speech: SpeechChunk) -> bytes:
    file = io.BytesIO()
    with TrackWriter(file, rate, {"program": "test"}) as track:
        for row in rows:
            track.write_row(row)
        for chunk in speech:
            track.write_speech(chunk)
        track.finish()
    return file.getvalue()


def plain(**changes: Any) -> dict[str, Any]:
    """Give the smallest track that another tool may write, with changes; None leaves a key out."""
    fields: dict[str, Any] = {
        "format": "edgeavatar-motion",
        "version": 1,
        "fps": 25,
        "names": ["jawOpen", "mouthClose"],
        "rows": [[0.5, 0], [1, 0.25], [0, 1]],
    }
    return {key: value for key, value in (fields | changes).items() if value is not None}


def put(folder: Path, content: bytes | str | dict[str, Any]) -> Path:
    path = folder / "track.json"
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ----------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(25, 2), NTSC, Fraction(2359, 81)])
def test_what_is_written_is_read_back(tmp_path: Path, rate: Fraction) -> None:
    rows = rows_of(40)
    track = read_track(put(tmp_path, written(rows, rate)))
    assert track.rate == rate
    assert track.names == MOTION_NAMES
    np.testing.assert_array_equal(track.rows, np.round(rows.astype(np.float64), 4).astype("f4"))
    assert track.rows.dtype == np.float32


def test_the_file_is_plain_json() -> None:
    fields = json.loads(written(rows_of(2), NTSC, piece(), piece(1600)))
    assert list(fields) == [
        "format", "version", "fps", "fps_exact", "names", "provenance", "rows", "words", "phonemes",
    ]  # fmt: skip
    assert fields["fps"] == 30000 / 1001
    assert fields["fps_exact"] == "30000/1001"
    assert fields["names"] == list(MOTION_NAMES)
    assert fields["provenance"] == {"program": "test"}
    assert [len(row) for row in fields["rows"]] == [WIDTH, WIDTH]
    assert fields["words"][0] == {"text": "é", "start_s": 0.05, "end_s": 0.1}
    assert fields["phonemes"][3] == {
        "symbol": "æ", "start_s": 0.15, "end_s": 0.2, "stress": 2, "word": 0,
    }  # fmt: skip


def test_without_speech_there_are_no_empty_lists() -> None:
    assert not {"words", "phonemes"} & set(json.loads(written(rows_of(1))))


def test_a_row_is_one_line_of_short_numbers() -> None:
    row = np.zeros(WIDTH, np.float32)
    row[:3] = 1 / 3, -1e-9, 1 + 1e-6
    lines = written(row[np.newaxis]).decode().splitlines()
    assert lines[lines.index('"rows": [') + 1].startswith("[0.3333, 0.0, 1.0, 0.0,")


@pytest.mark.parametrize("weight", [-0.01, 1.01, np.nan, np.inf])
def test_no_track_is_written_that_could_not_be_read(weight: float) -> None:
    row = np.zeros(WIDTH, np.float32)
    row[3] = weight
    with pytest.raises(UsageError, match="from 0 to 1 in row 0"):
        written(row[np.newaxis])
    with pytest.raises(UsageError, match="26 weights"):
        written(np.zeros((1, 25), np.float32))


def test_memory_does_not_grow_with_a_track(tmp_path: Path) -> None:
    row, chunk = rows_of(1)[0], piece()
    with (tmp_path / "track.json").open("wb") as file:
        tracemalloc.start()
        with TrackWriter(file, Fraction(25), {}) as track:
            for _ in range(20_000):
                track.write_row(row)
                track.write_speech(chunk)
            track.finish()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (tmp_path / "track.json").stat().st_size > 8_000_000
    assert peak < 3_500_000


# ----------------------------------------------------------------------------------------- reading


def test_the_page_names_every_column_and_its_example_is_a_track(tmp_path: Path) -> None:
    listed = PAGE.partition("\n- jaw:")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"`([a-zA-Z]+)`", listed)) == sorted(MOTION_NAMES)
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert read_track(put(tmp_path, example)).rows.shape == (5, WIDTH)


def test_columns_go_where_their_names_say(tmp_path: Path) -> None:
    names = ["mouthPucker", "jawOpen"]
    track = read_track(put(tmp_path, plain(names=names, rows=[[0.25, 1], [0, 0.5]])))
    expected = np.zeros((2, WIDTH), np.float32)
    expected[:, MOTION_NAMES.index("mouthPucker")] = 0.25, 0
    expected[:, MOTION_NAMES.index("jawOpen")] = 1, 0.5
    np.testing.assert_array_equal(track.rows, expected)
    assert track.names == MOTION_NAMES


def test_a_track_without_our_own_name_is_read(tmp_path: Path) -> None:
    names = [name for name in MOTION_NAMES if name != "tongueUp"]
    track = read_track(put(tmp_path, plain(names=names, rows=[[0.5] * 25])))
    assert track.rows[0].tolist() == [0.5 * (name != "tongueUp") for name in MOTION_NAMES]


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        ({"fps": 25}, Fraction(25)),
        ({"fps": 29.97}, NTSC),
        ({"fps": "30000/1001"}, NTSC),
        ({"fps": "12.5"}, Fraction(25, 2)),
        ({"fps": 29.97002997, "fps_exact": "30000/1001"}, NTSC),
        ({"fps": 1}, Fraction(1)),
        ({"fps": 120}, Fraction(120)),
    ],
)
def test_rates_as_other_tools_write_them(
    tmp_path: Path, given: dict[str, Any], rate: Fraction
) -> None:
    assert read_track(put(tmp_path, plain(**given))).rate == rate


def test_what_is_not_needed_may_be_anything(tmp_path: Path) -> None:
    given = "\ufeff" + json.dumps(plain(provenance=7, words="none", phonemes={}, tool="mine"))
    assert len(read_track(put(tmp_path, given)).rows) == 3


HELP = "docs/motion.md describes the format"
MISTAKES: list[tuple[bytes | str | dict[str, Any], str]] = [
    (
        '{"format": "edgeavatar-motion",\n "fps": }',
        "expected a motion track in JSON, found a mistake in line 2, column 9 (Expecting value); "
        "write one with: edgeavatar motion",
    ),
    ("[]", f"expected a motion track, which is one JSON object, found a list; {HELP}"),
    (
        plain(format=None),
        f'expected "format": "edgeavatar-motion", found no "format"; {HELP}',
    ),
    (
        plain(format="bvh"),
        f'expected "format": "edgeavatar-motion", found "bvh"; {HELP}',
    ),
    (
        plain(version=2),
        'expected "version": 1, found 2; this edgeavatar reads no other: write the track anew or '
        "update edgeavatar",
    ),
    (
        plain(fps=0.5),
        'expected "fps", rows per second, as a number or fraction from 1 to 120, found 0.5; '
        'write it as 25 or "30000/1001"',
    ),
    (
        plain(fps=25, fps_exact="24"),
        'expected "fps" and "fps_exact" of one rate, found 25 and 24; correct one, or leave '
        "fps_exact out",
    ),
    (
        plain(names=None),
        f'expected "names", a list of the columns\' names, found no "names"; {HELP}',
    ),
    (
        plain(names=["jawOpen", "MouthClosed"]),
        "expected \"names\" among the 26 of mouth motion, found 'MouthClosed' (perhaps "
        f"mouthClose); rename or leave out; {HELP}",
    ),
    (
        plain(names=["eyeBlinkLeft", "a", "b", "c", "d"]),
        "expected \"names\" among the 26 of mouth motion, found 'eyeBlinkLeft', 'a', 'b' and 2 "
        f"more; rename or leave out; {HELP}",
    ),
    (
        plain(names=["jawOpen", "jawOpen"]),
        'expected each of "names" once, found jawOpen twice; leave one out',
    ),
    (plain(names=[]), f'expected "names" of one column or more, found an empty list; {HELP}'),
    (plain(rows=None), f'expected "rows", a list of lists of weights, found none; {HELP}'),
    (
        plain(rows=[]),
        'expected one row or more, found an empty list of "rows"; add a row per frame',
    ),
    (
        plain(rows=[[0, 0], [0, 0, 0]]),
        'expected 2 weights, as many as "names", in row 1 of "rows" (the first is 0), found 3; '
        "give every row a weight for each name",
    ),
    (
        plain(rows=[[0, 0], 0.5]),
        f'expected a list of weights as row 1 of "rows" (the first is 0), found a number; {HELP}',
    ),
    (
        plain(rows=[[0, 0], [0, 0], [0, -0.25]]),
        'expected a weight from 0 to 1 for mouthClose in row 2 of "rows" (the first is 0), found '
        "-0.25; clip it",
    ),
]


@pytest.mark.parametrize(("content", "words"), MISTAKES)
def test_a_mistake_is_told(
    tmp_path: Path, content: bytes | str | dict[str, Any], words: str
) -> None:
    path = put(tmp_path, content)
    with pytest.raises(MediaError) as caught:
        read_track(path)
    assert str(caught.value) == f"{path}: {words}"


@pytest.mark.parametrize("fps", ["25", "0", "121", "-25", "NaN", "Infinity", "true", "[25]", '"x"'])
def test_rates_out_of_range_are_refused(tmp_path: Path, fps: str) -> None:
    path = put(tmp_path, json.dumps(plain()).replace('"fps": 25', f'"fps": {fps}'))
    if fps == "25":
        assert read_track(path).rate == 25
        return
    with pytest.raises(MediaError, match=r'"fps", rows per second, .* from 1 to 120, found '):
        read_track(path)


def test_a_rate_does_not_take_all_memory(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="from 1 to 120"):
        read_track(put(tmp_path, plain(fps="1e999999999")))


@pytest.mark.parametrize("weight", ["NaN", "Infinity", "-Infinity", "1.0001", "2", "1" * 400])
def test_weights_out_of_range_are_refused(tmp_path: Path, weight: str) -> None:
    path = put(tmp_path, json.dumps(plain()).replace("0.25", weight))
    with pytest.raises(MediaError, match=r"from 0 to 1 for mouthClose in row 1 .*; clip it"):
        read_track(path)


@pytest.mark.parametrize("weight", ["null", '"0.5"', "true", "[0]", "{}"])
def test_weights_are_numbers(tmp_path: Path, weight: str) -> None:
    path = put(tmp_path, json.dumps(plain()).replace("0.25", weight))
    with pytest.raises(MediaError, match="a number for mouthClose in row 1 "):
        read_track(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1, column 1"),
        (b"\xff\xfe{}", "other bytes at 0"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"fps": ' + b"9" * 5000 + b"}", "endless numbers"),
    ],
)
def test_what_is_no_json_is_told_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        read_track(put(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="found none to read: no such file or directory; check"):
        read_track(tmp_path / "missing.json")
    with pytest.raises(MediaError, match="is a directory"):
        read_track(tmp_path)
