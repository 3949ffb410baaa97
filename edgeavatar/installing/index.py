"""Where a pinned file of a package is to be had: the Simple API of package indexes.

Both forms are understood, HTML (PEP 503) and JSON (PEP 691), over HTTP(S) or in folders, and the
places of ``find-links``: folders, files and pages.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from edgeavatar.errors import InstallError
from edgeavatar.installing.pip_settings import PipSettings, read_pip_settings
from edgeavatar.installing.transport import (
    TRANSPORT_ERRORS,
    Transport,
    describe_failure,
    file_url_path,
    redact,
)
from edgeavatar.zoo import Archive

_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
_PAGE_LIMIT_BYTES = 64 << 20
"""No project page is near this size; a longer answer is not one."""


@dataclass(frozen=True, slots=True)
class Link:
    """A file that an index offers."""

    file: str
    url: str
    sha256: str | None
    """As the index states it; None if it does not."""


class Registry:
    """The package indexes that pip is configured for.

    Parameters
    ----------
    settings
        pip's configuration; read when the first file is looked for if None.
    """

    def __init__(self, settings: PipSettings | None = None) -> None:
        self._settings = settings
        self._transport: Transport | None = None

    @property
    def settings(self) -> PipSettings:
        """The configuration of pip.

        Raises
        ------
        InstallError
            If it cannot be read.
        """
        if self._settings is None:
            self._settings = read_pip_settings()
        return self._settings

    @property
    def transport(self) -> Transport:
        """What opens addresses as pip would.

        Raises
        ------
        InstallError
            If a configured certificate or proxy cannot be used.
        """
        if self._transport is None:
            self._transport = Transport(self.settings)
        return self._transport

    def find(self, archive: Archive) -> str:
        """Return the address of the pinned file at the first place that has it.

        ``find-links`` come before the indexes, these in their configured order. A place that states
        another SHA-256 for the file name than the pinned one is passed over.

        Raises
        ------
        InstallError
            If no place has it; the message says what each one answered.
        """
        answers: list[str] = []
        for place, page in _places(archive, self.settings):
            try:
                links = _read_page(page, self.transport)
            except TRANSPORT_ERRORS as error:
                answers.append(f"{redact(place)}: {describe_failure(error)}")
                continue
            except _NotAPageError as error:
                answers.append(f"{redact(place)}: {error}")
                continue
            named = [link for link in links if link.file == archive.file]
            for link in named:
                if link.sha256 in (None, archive.sha256):
                    return link.url
            if named:
                answers.append(f"{redact(place)}: has it with SHA-256 {named[0].sha256}")
            else:
                answers.append(f"{redact(place)}: does not have it")
        looked = "; ".join(answers) or "pip is configured with no-index and without find-links"
        raise InstallError(
            f"{archive.file} (SHA-256 {archive.sha256}) was not found: {looked}. "
            "Check pip's configuration (pip config list), or install from a bundle: "
            "edgeavatar models install --from BUNDLE.tar"
        )


class _NotAPageError(Exception):
    """An answer that is no list of files."""


def _places(archive: Archive, settings: PipSettings) -> Iterator[tuple[str, str]]:
    """Yield each configured place with the address to read there."""
    for place in settings.find_links:
        local = _local_path(place)
        yield place, place if local is None else local.absolute().as_uri()
    project = re.sub(r"[-_.]+", "-", archive.package).lower()
    for place in settings.index_urls:
        local = _local_path(place)
        base = place if local is None else local.absolute().as_uri()
        yield place, f"{base.rstrip('/')}/{project}/"


def _local_path(place: str) -> Path | None:
    if place.lower().startswith("file:"):
        return file_url_path(place)
    if re.match(r"[a-z][a-z0-9+.-]+://", place, re.IGNORECASE):
        return None
    return Path(place).expanduser()


def _read_page(url: str, transport: Transport) -> list[Link]:
    if url.lower().startswith("file:"):
        path = file_url_path(url)
        if path.is_dir():
            index = path / "index.html"
            if not index.is_file():
                return [_local_link(entry) for entry in sorted(path.iterdir())]
            url = index.as_uri()
        elif path.is_file() and path.suffix not in (".html", ".htm"):
            return [_local_link(path)]
    body, response = transport.read(url, {"Accept": _ACCEPT}, _PAGE_LIMIT_BYTES + 1)
    if len(body) > _PAGE_LIMIT_BYTES:
        raise _NotAPageError(f"its page is longer than {_PAGE_LIMIT_BYTES} bytes")
    kind = response.headers.get("content-type", "text/html")
    if kind.split(";")[0].strip().lower().endswith("json"):
        return _read_json(body, response.url)
    return _read_html(body.decode("utf-8", errors="replace"), response.url)


def _local_link(path: Path) -> Link:
    return Link(path.name, path.absolute().as_uri(), None)


def _read_json(body: bytes, base: str) -> list[Link]:
    try:
        files = json.loads(body)["files"]
        return [
            Link(
                str(entry["filename"]),
                urllib.parse.urljoin(base, str(entry["url"])),
                _sha256(entry.get("hashes", {}).get("sha256")),
            )
            for entry in files
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _NotAPageError("its answer is not a list of files") from None


def _read_html(text: str, base: str) -> list[Link]:
    parser = _Anchors()
    parser.feed(text)
    if parser.base:
        base = urllib.parse.urljoin(base, parser.base)
    links = []
    for href in parser.hrefs:
        url, _, fragment = urllib.parse.urljoin(base, href.strip()).partition("#")
        name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
        stated = urllib.parse.parse_qs(fragment).get("sha256")
        links.append(Link(name, url, _sha256(stated[0] if stated else None)))
    return links


def _sha256(stated: object) -> str | None:
    return stated.lower() if isinstance(stated, str) else None


class _Anchors(HTMLParser):
    """Collects the targets of all links, and the base that the page states."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.hrefs.append(href)
        elif tag == "base" and href and not self.base:
            self.base = href
