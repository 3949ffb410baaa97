"""Mouth-motion tracks as files: JSON that this program writes, and other tools too.

A track is one JSON object. ``format`` and ``version`` say what it is; ``fps`` how many rows there
are for a second, and ``fps_exact`` the same as a fraction; ``names`` what the columns are;
``rows`` holds a list of weights from 0 to 1 for each frame. What else is there is for people and
other programs: ``provenance``, and for speech ``words`` and ``phonemes`` with times in seconds.
``docs/motion.md`` describes it to those who write their own.
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

import numpy as np

from edgeavatar.errors import MediaError, UsageError
from edgeavatar.rates import FPS, FPS_DENOMINATOR, exact_rate
from edgeavatar.types import MOTION_NAMES, MotionTrack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from edgeavatar.types import FloatArray, SpeechChunk

FORMAT: Final = "edgeavatar-motion"
VERSION: Final = 1
DECIMALS: Final = 4
"""Of each weight: half of the last one moves the lips of a face 1000 pixels high by 0.01 pixels."""

_HELP = "docs/motion.md describes the format"
_SPOOLED_BYTES = 1 << 20
_COPIED_BYTES = 1 << 16


# ----------------------------------------------------------------------------------------- writing


class TrackWriter:
    """A track being written, row by row; memory does not grow with it.

    Used in a ``with`` block; :meth:`finish` completes the JSON.

    Parameters
    ----------
    file : binary file
        Open for writing.
    rate : Fraction
        Rows per second.
    provenance : mapping
        Where the motion comes from; anything that JSON holds.

    Attributes
    ----------
    rows, phonemes, words : int
        Written so far.
    """

    def __init__(self, file: IO[bytes], rate: Fraction, provenance: Mapping[str, Any]) -> None:
        self.rows = self.phonemes = self.words = 0
        self._file = file
        self._closing = ExitStack()
        self._heard: dict[str, IO[bytes]] = {}
        head = {
            "format": FORMAT,
            "version": VERSION,
            "fps": float(rate),
            "fps_exact": str(rate),
            "names": list(MOTION_NAMES),
            "provenance": dict(provenance),
        }
        fields = ",\n".join(f"{json.dumps(key)}: {_json(value)}" for key, value in head.items())
        # Names of files may be any bytes: those that are no text become escapes of JSON.
        self._file.write(f'{{{fields},\n"rows": ['.encode("utf-8", "backslashreplace"))

    def write_row(self, row: FloatArray) -> None:
        """Append the weights of a frame, rounded to :data:`DECIMALS`.

        Parameters
        ----------
        row : numpy.ndarray
            ``(26,)`` in [0, 1], order of :data:`~edgeavatar.types.MOTION_NAMES`.

        Raises
        ------
        UsageError
            If the row has another width or a weight lies outside [0, 1].
        """
        rounded = np.round(np.asarray(row, np.float64), DECIMALS) + 0.0  # no minus zero
        if rounded.shape != (len(MOTION_NAMES),):
            raise UsageError(
                f"expected a motion row of {len(MOTION_NAMES)} weights, found {rounded.shape}"
            )
        if not ((rounded >= 0.0) & (rounded <= 1.0)).all():
            raise UsageError(f"expected weights from 0 to 1 in row {self.rows}, found {rounded}")
        self._file.write(b",\n" if self.rows else b"\n")
        self._file.write(_json(rounded.tolist()).encode())
        self.rows += 1

    def write_speech(self, chunk: SpeechChunk) -> None:
        """Append the phonemes and words of a piece of speech; a track may have none."""
        rate = chunk.audio.sample_rate

        def times(start_sample: int, end_sample: int) -> dict[str, float]:
            return {"start_s": round(start_sample / rate, 6), "end_s": round(end_sample / rate, 6)}

        for word in chunk.words:
            entry = {"text": word.text, **times(word.start_sample, word.end_sample)}
            self._hear("words", entry, first=self.words == 0)
            self.words += 1
        for phoneme in chunk.phonemes:
            entry = {
                "symbol": phoneme.symbol,
                **times(phoneme.start_sample, phoneme.end_sample),
                "stress": phoneme.stress,
                "word": phoneme.word,
            }
            self._hear("phonemes", entry, first=self.phonemes == 0)
            self.phonemes += 1

    def _hear(self, kind: str, entry: Mapping[str, Any], *, first: bool) -> None:
        # Speech comes while rows are written, and JSON lists do not interleave: it waits on disk.
        if kind not in self._heard:
            spool = tempfile.SpooledTemporaryFile(_SPOOLED_BYTES)  # noqa: SIM115 - closed on exit
            self._heard[kind] = self._closing.enter_context(spool)
        line = _json(entry)
        self._heard[kind].write((f"\n{line}" if first else f",\n{line}").encode())

    def finish(self) -> None:
        """Write what follows the rows."""
        self._file.write(b"\n]")
        for kind, spool in self._heard.items():
            self._file.write(f',\n"{kind}": ['.encode())
            spool.seek(0)
            while part := spool.read(_COPIED_BYTES):
                self._file.write(part)
            self._file.write(b"\n]")
        self._file.write(b"}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


# ----------------------------------------------------------------------------------------- reading


def read_track(path: str | Path) -> MotionTrack:
    """Read a track, of this program or of another.

    Parameters
    ----------
    path : str or Path
        A JSON file as :class:`TrackWriter` writes it. ``names`` may be any of
        :data:`~edgeavatar.types.MOTION_NAMES` in any order, ``fps`` a number or a fraction as a
        string, and what is not needed here may be missing or be anything.

    Returns
    -------
    MotionTrack
        Names are all of :data:`~edgeavatar.types.MOTION_NAMES`; rows ``(n, 26)`` float32 in
        [0, 1], n >= 1, columns that the file does not have being 0; rate from 1 to 120.

    Raises
    ------
    MediaError
        The file cannot be read, or something in it is not as described; the message says what.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise MediaError(
            f"expected a motion track at {path}, found none to read: {reason}; check the path"
        ) from None
    except UnicodeDecodeError as error:
        raise MediaError(
            f"expected a motion track in UTF-8, found other bytes at {error.start} of {path}; "
            f"write one with: edgeavatar motion"
        ) from None
    reader = _Reader(path)
    fields = reader.fields(text)
    reader.check_kind(fields)
    rate = reader.rate(fields)
    names = reader.names(fields)
    given = reader.rows(fields, names)
    rows = np.zeros((len(given), len(MOTION_NAMES)), np.float32)
    rows[:, [MOTION_NAMES.index(name) for name in names]] = given
    return MotionTrack(rate, MOTION_NAMES, rows)


class _Reader:
    """Checks of one file, each with the message that says what is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _wrong(self, expected: str, found: str, remedy: str = _HELP) -> MediaError:
        return MediaError(f"{self._path}: expected {expected}, found {found}; {remedy}")

    def fields(self, text: str) -> dict[str, Any]:
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise self._wrong(
                "a motion track in JSON",
                f"a mistake in line {error.lineno}, column {error.colno} ({error.msg})",
                "write one with: edgeavatar motion",
            ) from None
        except (RecursionError, ValueError):  # deeper, or longer in digits, than Python reads
            raise self._wrong(
                "a motion track in JSON", "one that is nested too deep or has endless numbers"
            ) from None
        if not isinstance(fields, dict):
            raise self._wrong("a motion track, which is one JSON object", _kind(fields))
        return fields

    def check_kind(self, fields: dict[str, Any]) -> None:
        found = fields.get("format")
        if found != FORMAT:
            raise self._wrong(f'"format": "{FORMAT}"', _shown(fields, "format"))
        version = fields.get("version")
        if isinstance(version, bool) or version != VERSION:
            raise self._wrong(
                f'"version": {VERSION}',
                _shown(fields, "version"),
                "this edgeavatar reads no other: write the track anew or update edgeavatar",
            )

    def rate(self, fields: dict[str, Any]) -> Fraction:
        found = self._fraction(fields, "fps")
        if "fps_exact" not in fields:
            return found
        exact = self._fraction(fields, "fps_exact")
        if found != exact:
            raise self._wrong(
                '"fps" and "fps_exact" of one rate',
                f"{fields['fps']} and {fields['fps_exact']}",
                "correct one, or leave fps_exact out",
            )
        return exact

    def _fraction(self, fields: dict[str, Any], key: str) -> Fraction:
        value = fields.get(key)
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError
            if isinstance(value, str) and not _RATE.fullmatch(value):
                raise ValueError
            rate = exact_rate(Fraction(value))
        except (ValueError, OverflowError, ZeroDivisionError):  # nan, inf, 1/0
            rate = Fraction(0)
        if not FPS[0] <= rate <= FPS[1]:
            raise self._wrong(
                f'"{key}", rows per second, as a number or fraction from {FPS[0]} to {FPS[1]}',
                _shown(fields, key),
                f'write it as 25 or "30000/{FPS_DENOMINATOR}"',
            )
        return rate

    def names(self, fields: dict[str, Any]) -> list[str]:
        names = fields.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._wrong('"names", a list of the columns\' names', _shown(fields, "names"))
        if not names:
            raise self._wrong('"names" of one column or more', "an empty list")
        unknown = [name for name in names if name not in MOTION_NAMES]
        if unknown:
            raise self._wrong(
                f'"names" among the {len(MOTION_NAMES)} of mouth motion',
                ", ".join(_with_likeness(name) for name in unknown[:_NAMES_SHOWN])
                + (f" and {len(unknown) - _NAMES_SHOWN} more" * (len(unknown) > _NAMES_SHOWN)),
                f"rename or leave out; {_HELP}",
            )
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise self._wrong('each of "names" once', f"{twice[0]} twice", "leave one out")
        return names

    def rows(self, fields: dict[str, Any], names: list[str]) -> FloatArray:
        rows = fields.pop("rows", None)
        if not isinstance(rows, list):
            raise self._wrong('"rows", a list of lists of weights', _kind(rows))
        if not rows:
            raise self._wrong("one row or more", 'an empty list of "rows"', "add a row per frame")
        given = np.empty((len(rows), len(names)), np.float32)
        for number, row in enumerate(rows):
            given[number] = self._row(number, row, names)
            rows[number] = None  # lists of floats take nine times the room of the array
        return given

    def _row(self, number: int, row: object, names: list[str]) -> list[float]:
        where = f'row {number} of "rows" (the first is 0)'
        if not isinstance(row, list):
            raise self._wrong(f"a list of weights as {where}", _kind(row))
        if len(row) != len(names):
            raise self._wrong(
                f'{len(names)} weights, as many as "names", in {where}',
                str(len(row)),
                "give every row a weight for each name",
            )
        for name, weight in zip(names, row, strict=True):
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                raise self._wrong(f"a number for {name} in {where}", _kind(weight))
            if not 0 <= weight <= 1:  # also not a number
                raise self._wrong(
                    f"a weight from 0 to 1 for {name} in {where}",
                    str(weight)[:_NUMBER_SHOWN],
                    "clip it",
                )
        return row


_RATE = re.compile(r"\d{1,9}(\.\d{1,12}|/\d{1,9})?")
"""Not all that Fraction reads: 1e999999999 would take all memory."""
_NAMES_SHOWN = 3
_TEXT_SHOWN = 60
_NUMBER_SHOWN = 20


def _with_likeness(name: str) -> str:
    lower = {known.lower(): known for known in MOTION_NAMES}
    close = difflib.get_close_matches(name.lower(), lower, n=2, cutoff=0.75)
    if not close:
        return repr(name)
    return f"{name!r} (perhaps {' or '.join(lower[match] for match in close)})"


def _shown(fields: Mapping[str, Any], key: str) -> str:
    if key not in fields:
        return f'no "{key}"'
    value = fields[key]
    if isinstance(value, list | dict):
        return _kind(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _TEXT_SHOWN else f"{text[:_TEXT_SHOWN]}…"


def _kind(value: object) -> str:
    if value is None:
        return "none"
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return kinds.get(type(value), "a number")
