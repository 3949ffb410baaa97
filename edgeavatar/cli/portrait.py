"""``edgeavatar portrait``: paint a person who does not exist."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    required=True,
    help="Which person; any whole number from 0.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Picture to write: .png or .jpg.",
)
@click.option(
    "--size",
    type=click.IntRange(64, 1024),
    default=1024,
    show_default=True,
    help="Width and height in pixels.",
)
@click.option(
    "--truncation",
    type=click.FloatRange(0.0, 1.0),
    default=0.6,
    show_default=True,
    help="0 is the mean face; towards 1 people differ more and so do the artefacts.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="Processor threads; default: all cores."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
def portrait(
    seed: int, output: Path, size: int, truncation: float, threads: int | None, quiet: bool
) -> None:
    """Paint a person who does not exist.

    The same seed gives the same face. The picture says in its metadata that it is synthetic.

    \b
    Examples:
      edgeavatar portrait --seed 90 -o face.png
      edgeavatar portrait --seed 7 --truncation 0.8 --size 512 -o face.jpg
    """
    from edgeavatar.portrait import MODEL_NAME, make_portrait, require_picture_name, write_portrait
    from edgeavatar.zoo import load_manifest

    require_picture_name(output)
    picture = make_portrait(seed, size=size, truncation=truncation, threads=threads)
    write_portrait(picture, output)
    if quiet:
        return
    click.echo(output)
    model = load_manifest().model(MODEL_NAME)
    if model.commercial_use != "yes":
        click.echo(
            f"note: commercial use of these weights, and so of the picture, is "
            f"{model.commercial_use}: {model.note}",
            err=True,
        )
