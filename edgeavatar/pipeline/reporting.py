"""From an analysis and its source to a report: pictures of the worst and best frames, a preview."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edgeavatar import __version__
from edgeavatar.audio.wav import whole_file
from edgeavatar.errors import EdgeAvatarError
from edgeavatar.pipeline.report_frames import draw_thumbnails
from edgeavatar.pipeline.report_preview import make_preview
from edgeavatar.report.page import render_page
from edgeavatar.report.pictures import MadeWith, ReportPictures
from edgeavatar.speech.transcription import MODELS
from edgeavatar.zoo import load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgeavatar.analysis.results import Analysis
    from edgeavatar.face import FaceTracker
    from edgeavatar.pipeline.clear_frames import ClearFrames
    from edgeavatar.pipeline.report_preview import PreviewFilm
    from edgeavatar.speech.transcription import RecognizerSize

LARGEST_BYTES: Final = 3_000_000
"""Of a report, so that it can be mailed. Only an endless transcript makes a larger one."""
_SPARE_BYTES: Final = 60_000
"""For what a preview adds to a page beside itself: captions, and times that are links."""


def write_report(
    analysis: Analysis,
    source_path: Path,
    output_path: Path,
    *,
    recogniser: RecognizerSize | None = None,
    tracker: FaceTracker | None = None,
    film: PreviewFilm | None = None,
    kept: ClearFrames | None = None,
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
    recogniser
        Which one wrote the words down; None leaves it unnamed.
    tracker
        Draws the mesh; default: one is opened if there is a face.
    film
        Made of the source before, so that it need not be read again for the preview.
    kept
        Frames of the source, so that those of them that are shown need not be decoded again.

    Raises
    ------
    MediaError
        The source can no longer be read.
    OutputError
        The report cannot be written.
    """
    known = load_manifest().models
    names = list(_models_of(analysis, recogniser))
    made_with = MadeWith(
        version=__version__,
        models=tuple((known[name].title, known[name].version) for name in names),
        made_on=datetime.datetime.now().astimezone().date().isoformat(),
    )
    pictures = ReportPictures(draw_thumbnails(analysis, source_path, tracker, kept))
    taken = len(render_page(analysis, pictures, made_with).encode())
    room_bytes = LARGEST_BYTES - taken - _SPARE_BYTES
    pictures = _with_preview(pictures, analysis, source_path, room_bytes, film)
    page = render_page(analysis, pictures, made_with).encode()
    with whole_file(output_path) as file:
        file.write(page)


def _with_preview(
    pictures: ReportPictures,
    analysis: Analysis,
    source_path: Path,
    room_bytes: int,
    film: PreviewFilm | None,
) -> ReportPictures:
    """Add a preview; where none can be made, a note: the figures are worth a report without."""
    if analysis.source.kind == "photo":
        return pictures
    try:
        # Three bytes are four characters of the page.
        preview = make_preview(analysis, source_path, room_bytes * 3 // 4, film)
    except EdgeAvatarError as error:
        return replace(pictures, notes=(f"there is no preview: {error}",))
    if preview is None:
        return replace(pictures, notes=("there is no preview: it would make this file too large",))
    return replace(pictures, preview=preview)


def _models_of(analysis: Analysis, recogniser: RecognizerSize | None) -> Iterator[str]:
    """Give the names, as in the manifest, of the models that must have measured."""
    if analysis.source.kind != "sound":
        yield "face"
    if analysis.movement is not None and analysis.movement.body_found_share is not None:
        yield "body-pose"
    if analysis.speech is not None:
        yield "vad-silero"
    if analysis.words:
        if recogniser is not None:
            yield MODELS[recogniser]
        # The net that hears phones gives words their times.
        yield "motion-nets"
