"""``edgeavatar speak``: turn text into speech with exact timings."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeavatar.cli.options import model_options, read_text, text_options
from edgeavatar.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgeavatar.types import AudioChunk, SpeechChunk

_PATH = click.Path(path_type=Path)


@click.command()
@text_options
@click.option("--output", "-o", type=_PATH, required=True, help="Sound to write: .wav.")
@click.option("--voice", help="Who says the text; see `edgeavatar voices`.")
@click.option("--rate", type=float, default=1.0, show_default=True, help="Speaking rate, 0.5 to 2.")
@click.option(
    "--volume",
    default="-18",
    show_default=True,
    metavar="LUFS|off",
    help="Loudness of the sound (ITU-R BS.1770); off leaves it as the voice gives it.",
)
@click.option("--timings", type=_PATH, help="JSON to write: when each phoneme and word sounds.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def speak(
    text: str | None,
    text_file: Path | None,
    output: Path,
    voice: str | None,
    rate: float,
    volume: str,
    timings: Path | None,
    backend: Any,
    device: Any,
    threads: int | None,
    profile: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Turn text into speech with exact timings.

    The text is spoken sentence by sentence, so a book needs little more memory than a line. The
    sound (16-bit mono) and the timings appear under their names when both are complete. Times are
    in samples of the sound.

    \b
    Examples:
      edgeavatar speak --text "Good morning." -o hello.wav
      edgeavatar speak --text-file book.txt --voice af_heart --rate 1.1 -o book.wav
      echo "Hello." | edgeavatar speak --text-file - -o hello.wav --timings hello.json
    """
    from edgeavatar.audio import level_speech, write_wav
    from edgeavatar.audio.wav import whole_file
    from edgeavatar.speech import open_voice
    from edgeavatar.tuning import load_tuning

    target_lufs = _loudness(volume)
    words = read_text(text, text_file)
    if words is None:
        raise UsageError("expected one of --text and --text-file, found neither")
    if output.suffix.lower() != ".wav":
        raise UsageError(f"expected an output that ends in .wav, found {output.name}; rename it")
    if timings is not None and timings.absolute() == output.absolute():
        raise UsageError("expected two files for sound and timings, found one; rename one")
    tuning = load_tuning(profile, backend=backend, device=device)
    speaker = open_voice(
        voice, backend=backend, device=device, threads=threads, tuned=tuning.models
    )
    record = _Record()
    with contextlib.ExitStack() as stack:
        stack.callback(speaker.close)
        file = None if timings is None else stack.enter_context(whole_file(timings))
        chunks = speaker.synthesize(words, rate=rate)
        if target_lufs is not None:
            chunks = level_speech(chunks, target_lufs)
        samples = write_wav(output, record.listen(chunks))
        summary: dict[str, Any] = {
            "voice": speaker.info.name,
            "rate": rate,
            "sample_rate": speaker.info.sample_rate,
            "samples": samples,
            "duration_s": round(samples / speaker.info.sample_rate, 4),
        }
        if file is not None:
            file.write(_json(summary | record.as_json()))
    if as_json:
        counts = {name: len(entries) for name, entries in record.as_json().items()}
        files = {"output": str(output), "timings": str(timings) if timings else None}
        told = files | summary | counts | {"warnings": list(tuning.notes)}
        click.echo(_json(told).decode().strip())
    elif not quiet:
        click.echo(f"{output}  {summary['duration_s']:.2f} s  voice {speaker.info.name}")
        for note in tuning.notes:
            click.echo(f"note: {note}")


class _Record:
    """What was spoken and when."""

    def __init__(self) -> None:
        self._sentences: list[dict[str, Any]] = []
        self._words: list[dict[str, Any]] = []
        self._phonemes: list[dict[str, Any]] = []

    def listen(self, chunks: Iterable[SpeechChunk]) -> Iterator[AudioChunk]:
        for chunk in chunks:
            start = chunk.audio.start_sample
            end = start + len(chunk.audio.samples)
            self._sentences.append({"text": chunk.text, "start_sample": start, "end_sample": end})
            for word in chunk.words:
                self._words.append(_fields(word, "text", "start_sample", "end_sample"))
            for p in chunk.phonemes:
                self._phonemes.append(
                    _fields(p, "symbol", "start_sample", "end_sample", "stress", "word")
                )
            yield chunk.audio

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "sentences": self._sentences,
            "words": self._words,
            "phonemes": self._phonemes,
        }


def _fields(value: object, *names: str) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _json(value: dict[str, Any]) -> bytes:
    import json

    return (json.dumps(value, ensure_ascii=False) + "\n").encode()


def _loudness(volume: str) -> float | None:
    if volume.lower() == "off":
        return None
    try:
        lufs = float(volume)
    except ValueError:
        lufs = 0.0
    if not -60.0 <= lufs <= -5.0:
        raise UsageError(f"expected a --volume from -60 to -5 LUFS or off, found {volume!r}")
    return lufs
