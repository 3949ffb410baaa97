"""The page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeavatar.analysis.results import Analysis
    from edgeavatar.report.pictures import MadeWith, ReportPictures


def render_page(
    analysis: Analysis, pictures: ReportPictures, made_with: MadeWith | None = None
) -> str:
    """Draw the report of an analysis."""
    raise NotImplementedError
