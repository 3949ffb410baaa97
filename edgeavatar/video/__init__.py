"""Reading and writing pictures in time: photos, videos, and the sound beside them."""

from edgeavatar.video.encoders import available_encoders
from edgeavatar.video.fit import FittedFrames, fit_frames
from edgeavatar.video.photo import photo_info, read_photo
from edgeavatar.video.prefetch import prefetch
from edgeavatar.video.reader import VideoReader, open_video
from edgeavatar.video.source import open_source
from edgeavatar.video.writer import VideoWriter

__all__ = [
    "FittedFrames",
    "VideoReader",
    "VideoWriter",
    "available_encoders",
    "fit_frames",
    "open_source",
    "open_video",
    "photo_info",
    "prefetch",
    "read_photo",
]
