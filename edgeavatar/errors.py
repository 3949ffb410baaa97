"""Every error that edgeavatar raises on purpose.

The tree, with the exit code that the command line gives for each::

    EdgeAvatarError            1   (never raised itself)
    ├── UsageError             2   options that contradict each other
    ├── ModelNotFound          3   a model that is not installed
    ├── IntegrityError         4   a file whose hash, size or tensors are not the declared ones
    ├── InstallError           5   a registry, bundle or store that cannot be read or written
    ├── BackendError           6   a backend or device that is missing or fell back silently
    ├── MediaError             7   a picture, video, sound or motion track that cannot be read
    ├── NoFaceError            8   no face where one is needed
    ├── AmbiguousFaceError     9   several faces and no word which
    ├── SpeechError           10   words that cannot be spoken by this voice
    ├── OutputError           11   a result that cannot be written
    └── ConsentError          12   a face or voice without the consent on record

A message says what was expected, what was found and what to do. Only ``edgeavatar.cli`` turns an
error into an exit code; an interrupt (Ctrl-C) exits with 130.
"""

from __future__ import annotations

from typing import ClassVar


class EdgeAvatarError(Exception):
    """Root of all errors raised on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(EdgeAvatarError):
    """Options that contradict each other or a value that no option takes."""

    exit_code = 2


class ModelNotFound(EdgeAvatarError):  # noqa: N818 - the design names it so
    """A model is not in the store; the message names the command that installs it."""

    exit_code = 3


class IntegrityError(EdgeAvatarError):
    """A file differs from its declaration: hash, size, tensor names, shapes or types."""

    exit_code = 4


class InstallError(EdgeAvatarError):
    """A registry, an archive, a bundle or the store could not be used."""

    exit_code = 5


class BackendError(EdgeAvatarError):
    """A backend or device is missing, or what opened is not what was asked for."""

    exit_code = 6


class MediaError(EdgeAvatarError):
    """A picture, a video, a sound, a text file or a motion track could not be read."""

    exit_code = 7


class NoFaceError(EdgeAvatarError):
    """No face was found where one is needed."""

    exit_code = 8


class AmbiguousFaceError(EdgeAvatarError):
    """Several faces were found and nothing said which one is meant."""

    exit_code = 9


class SpeechError(EdgeAvatarError):
    """The words cannot be spoken: empty, unknown voice, or a language the voice does not have."""

    exit_code = 10


class OutputError(EdgeAvatarError):
    """The result could not be written; nothing is left behind."""

    exit_code = 11


class ConsentError(EdgeAvatarError):
    """A face or a voice is used without the consent that the settings demand."""

    exit_code = 12
