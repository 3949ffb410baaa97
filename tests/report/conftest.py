from __future__ import annotations

from html.parser import HTMLParser

import pytest


class Page(HTMLParser):
    """A page as a browser's parser takes it apart."""

    EMPTY = frozenset({"br", "hr", "img", "link", "meta", "track"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> has an attribute twice")
        self.tags.append((tag, dict(attrs)))
        if tag not in ("a", "span", "strong", "bdi"):
            self.texts.append(" ")
        if tag not in self.EMPTY:
            self._open.append(tag)
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if "svg" not in self._open:
            self.faults.append(f"<{tag}/> outside of a drawing")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            self.scripts.append(data)
        elif "style" in self._open:
            self.styles.append(data)
        else:
            self.texts.append(data)
            if self._open and self._open[-1] in ("h1", "h2", "h3", "bdi") and self.headings:
                level, text = self.headings[-1]
                self.headings[-1] = (level, text + data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in tags]

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


@pytest.fixture
def read_page() -> type[Page]:
    return Page
