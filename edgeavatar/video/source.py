"""Opening whatever shows a face: a photo or a video."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from edgeavatar.errors import MediaError
from edgeavatar.video.photo import read_bytes, read_photo, sniff
from edgeavatar.video.photo_header import looks_like_photo
from edgeavatar.video.reader import VideoReader, open_video

if TYPE_CHECKING:
    import os

    from edgeavatar.types import Frame


def open_source(path: str | os.PathLike[str]) -> VideoReader | Frame:
    """Open a photo or a video, told apart by content.

    An animated GIF, PNG or AVIF is a video; with a single frame it is a photo.

    Parameters
    ----------
    path : path-like
        A local file; its extension is not looked at.

    Returns
    -------
    Frame
        For a photo; see :func:`~edgeavatar.video.photo.read_photo`.
    VideoReader
        For a video; see :func:`~edgeavatar.video.reader.open_video`.

    Raises
    ------
    MediaError
        As these two do.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise MediaError(
                f"expected a photo or a video at {path}, found no such file; check the path"
            )
        if not path.is_file():
            raise MediaError(
                f"expected a photo or a video, found {path}, which is not a file; name a file"
            )
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise MediaError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    if not looks_like_photo(start):
        return open_video(path)
    header = sniff(path, read_bytes(path))
    if header is not None and header.format == "gif":
        reader = open_video(path)
        return reader if len(list(islice(reader.frames(), 2))) > 1 else read_photo(path)
    if header is not None and header.is_animated and header.format != "webp":
        return open_video(path)
    return read_photo(path)
