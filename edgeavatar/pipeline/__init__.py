"""Where the stages meet: a face and words become a talking video."""

from edgeavatar.pipeline.job import RenderJob, RenderReport
from edgeavatar.pipeline.run import render

__all__ = ["RenderJob", "RenderReport", "render"]
