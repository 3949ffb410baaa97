"""From an analysis and its source to a report: pictures of the worst and best frames, a preview."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgeavatar.analysis.results import Analysis


def write_report(
    analysis: Analysis,
    source_path: Path,
    output_path: Path,
    *,
    models: Sequence[str] | None = None,
) -> None:
    """Write the report of an analysis as one HTML file.

    Parameters
    ----------
    analysis
        Of the source.
    source_path
        The file that was analysed; it is read again for pictures and preview.
    output_path
        HTML file to write; it appears when it is complete.
    models
        Names, as in the manifest, of the models that measured; default: those that must have.
    """
    raise NotImplementedError
