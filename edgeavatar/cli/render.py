"""``edgeavatar render``: make a video of a face saying words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeavatar.cli.options import model_options, read_text, style_options, text_options

if TYPE_CHECKING:
    from edgeavatar.pipeline.job import RenderJob, RenderReport

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--source", "-s", type=_PATH, required=True, help="Photo or video with a face.")
@text_options
@click.option("--audio", "-a", type=_PATH, help="Recorded speech to follow instead of text.")
@click.option(
    "--motion",
    type=_PATH,
    help="Mouth-motion track to follow instead of the words; see `edgeavatar motion`.",
)
@click.option(
    "--output", "-o", type=_PATH, required=True, help="Video to write: .mp4, .mov, .mkv or .webm."
)
@click.option("--voice", help="Who says the text; see `edgeavatar voices`.")
@click.option("--rate", type=float, default=1.0, show_default=True, help="Speaking rate, 0.5 to 2.")
@click.option(
    "--volume",
    type=float,
    metavar="LUFS",
    help="Loudness of the sound. Default: -18 for text, audio as it is.",
)
@click.option(
    "--face", metavar="WHICH", help="largest, left, right, an index from 0, or x0,y0,x1,y1."
)
@click.option(
    "--fit",
    type=click.Choice(["loop", "freeze", "trim"]),
    default="loop",
    show_default=True,
    help="When the video is shorter than the sound: play it to and fro, hold its last frame, or "
    "cut the sound.",
)
@click.option("--still", is_flag=True, help="Keep the head of a photo still, its eyes open.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of a photo's head movement, brows and blinks.",
)
@style_options
@click.option(
    "--renderer",
    type=click.Choice(["auto", "neural", "neural-small", "geometric", "wav2lip"]),
    default="auto",
    show_default=True,
    help="What paints the mouth: a net over the warped face, or the warp and the modelled teeth "
    "alone. auto: the net where the source shows the inside of a mouth. neural-small: a net for "
    "slow machines. wav2lip: a net of yours, see --renderer-model.",
)
@click.option(
    "--renderer-model",
    type=_PATH,
    metavar="FILE.onnx",
    help="Net of the renderer wav2lip, converted from weights of your own; none are shipped.",
)
@click.option("--fps", help="Frame rate of a video made from a photo, as 30 or 30000/1001.")
@model_options
@click.option("--crf", type=int, help="Quality of the encoder, less is better.")
@click.option("--preset", help="Effort of the encoder, as veryfast or slow.")
@click.option("--encoder", help="FFmpeg's name of the encoder, as libx264.")
@click.option(
    "--label",
    default="AI-generated",
    show_default=True,
    help="Words laid over the lower left corner.",
)
@click.option("--no-label", is_flag=True, help="Leave the visible label out.")
@click.option(
    "--subtitles",
    multiple=True,
    metavar="KIND",
    help="srt, vtt: a file beside the output, with its name; track: in the file, to be switched "
    "on; burn: in the picture. Several: repeated, or with commas.",
)
@click.option(
    "--no-preflight",
    is_flag=True,
    help="Do not look at the source first; see `edgeavatar preflight`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
def render(
    text_file: Path | None,
    text: str | None,
    volume: float | None,
    fps: str | None,
    label: str,
    no_label: bool,
    subtitles: tuple[str, ...],
    no_preflight: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Make a video of a face saying words.

    The face comes from a photo or a video, the words from text or from a recording. Nothing leaves
    this machine. The result carries a visible label and container tags that say it was generated.

    \b
    Examples:
      edgeavatar render -s face.jpg -t "Good morning." -o hello.mp4
      edgeavatar render -s clip.mp4 --text-file speech.txt --voice af_heart -o talk.mp4
      edgeavatar render -s clip.mp4 --audio speech.wav -o dubbed.mp4
      edgeavatar render -s face.jpg -t "Good morning." --subtitles srt,burn -o hello.mp4
    """
    from edgeavatar.cli.progress import progress_bar
    from edgeavatar.pipeline import RenderJob
    from edgeavatar.pipeline import render as run
    from edgeavatar.rates import parse_rate

    job = RenderJob(
        text=read_text(text, text_file),
        volume_lufs=volume,
        fps=None if fps is None else parse_rate(fps),
        label=None if no_label else label,
        subtitles=_kinds(subtitles),
        **options,
    )
    job.check()
    notes = [] if no_preflight or quiet else _look_first(job, told=not as_json)
    with progress_bar(quiet=quiet or as_json) as tell:
        report = run(job, tell)
    if as_json:
        import dataclasses
        import json

        report = dataclasses.replace(report, warnings=[*notes, *report.warnings])
        click.echo(json.dumps(dataclasses.asdict(report)))
    elif not quiet:
        for line in _summary(report):
            click.echo(line)


def _look_first(job: RenderJob, *, told: bool) -> list[str]:
    """Say what of the source will cost something, before the work begins."""
    from edgeavatar.pipeline.preflighting import preflight_notes
    from edgeavatar.tuning import load_tuning

    # A profile that is not there stops a render; then nothing is to be looked at.
    load_tuning(job.profile, backend=job.backend, device=job.device)
    notes = preflight_notes(job.source, face=job.face, threads=job.threads)
    if told:
        for note in notes:
            click.echo(f"note: {note}", err=True)
    return notes


def _kinds(given: tuple[str, ...]) -> tuple[Any, ...]:
    """Kinds of subtitles, each once, in the order given; the job checks them."""
    kinds = (kind.strip().lower() for entry in given for kind in entry.split(","))
    return tuple(dict.fromkeys(kind for kind in kinds if kind))


def _summary(report: RenderReport) -> list[str]:
    lines = [
        f"{report.output}: {report.duration_s:.1f} s, {report.width}x{report.height} at "
        f"{report.fps:.5g} fps, made in {sum(report.seconds.values()):.1f} s"
    ]
    if report.frames_without_face:
        lines.append(
            f"no face to be trusted in {report.frames_without_face} of {report.frames} frames: "
            "those are the source's own"
        )
    if report.subtitles:
        lines.append(f"subtitles: {', '.join(report.subtitles)}")
    lines += [f"note: {warning}" for warning in report.warnings]
    return lines
