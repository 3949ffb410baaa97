"""From an analysis and its source to a report: pictures of the worst and best frames, a preview."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final

from edgeavatar import __version__
from edgeavatar.audio.wav import whole_file
from edgeavatar.errors import EdgeAvatarError
from edgeavatar.pipeline.report_frames import draw_thumbnails
from edgeavatar.pipeline.report_preview import make_preview
from edgeavatar.report.page import render_page
from edgeavatar.report.pictures import MadeWith, ReportPictures
from edgeavatar.zoo import load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edgeavatar.analysis.results import Analysis
    from edgeavatar.face import FaceTracker

LARGEST_BYTES: Final = 3_000_000
"""Of a report, so that it can be mailed."""


def write_report(
    analysis: Analysis,
    source_path: Path,
    output_path: Path,
    *,
    models: Sequence[str] | None = None,
    tracker: FaceTracker | None = None,
) -> None:
    """Write the report of an analysis as one HTML file.

    Parameters
    ----------
    analysis
        Of the source.
    source_path
        The file that was analysed; it is read again for pictures and preview.
    output_path
        HTML file to write; it appears when it is complete, and replaces an older one.
    models
        Names, as in the manifest, of the models that measured; default: those that must have.
    tracker
        Draws the mesh; default: one is opened if there is a face. It is reset.

    Raises
    ------
    MediaError
        The source can no longer be read.
    OutputError
        The report cannot be written.
    """
    pictures = gather_pictures(analysis, source_path, tracker)
    known = load_manifest().models
    names = models if models is not None else list(_models_of(analysis))
    made_with = MadeWith(
        version=__version__,
        models=tuple((known[name].title, known[name].version) for name in names),
        made_on=datetime.datetime.now().astimezone().date().isoformat(),
    )
    page = render_page(analysis, pictures, made_with).encode()
    with whole_file(output_path) as file:
        file.write(page)


def gather_pictures(
    analysis: Analysis, source_path: Path, tracker: FaceTracker | None = None
) -> ReportPictures:
    """Make all that a report shows of a source.

    What cannot be made is left out, with a note: the figures are worth a report by themselves.

    Raises
    ------
    MediaError
        The source can no longer be read.
    """
    thumbnails = draw_thumbnails(analysis, source_path, tracker)
    notes = []
    preview = None
    try:
        preview = make_preview(analysis, source_path)
    except EdgeAvatarError as error:
        notes.append(f"There is no preview: {error}.")
    return ReportPictures(thumbnails, preview, tuple(notes))


def _models_of(analysis: Analysis) -> Iterator[str]:
    if analysis.source.kind != "sound":
        yield "face"
    if analysis.speech is not None:
        yield "vad-silero"
