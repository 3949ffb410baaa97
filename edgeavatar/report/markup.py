"""HTML and SVG from values: whatever is not markup already is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias

_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that HTML forbids, and halves of characters, which a file name can have and UTF-8
cannot write."""
_EMPTY: Final = frozenset({"br", "circle", "ellipse", "hr", "img", "line", "link", "meta", "path"})
_EMPTY_ALSO: Final = frozenset({"polygon", "polyline", "rect", "track"})
_SVG: Final = frozenset({"circle", "ellipse", "line", "path", "polygon", "polyline", "rect"})


class Markup(str):
    """Text that is HTML and goes into a page as it is."""

    __slots__ = ()


Child: TypeAlias = "str | float | Iterable[Child] | None"
Attribute: TypeAlias = "str | float | bool | None"


def text(value: str) -> Markup:
    """Escape text from outside; characters that no page may hold become U+FFFD."""
    return Markup(escape(_UNPRINTABLE.sub("\ufffd", value)))


def element(tag: str, *children: Child, **attributes: Attribute) -> Markup:
    """Make one element.

    Parameters
    ----------
    tag : str
        Its name.
    *children
        What is in it: markup as it is, other text escaped, numbers written short, iterables one
        after the other, None left out.
    **attributes
        A trailing ``_`` is dropped and other ``_`` become ``-``: ``class_``, ``aria_label``. True
        is an attribute without a value, False and None are left out.
    """
    opened = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}"
    if tag in _SVG:
        return Markup(f"{opened}/>")
    if tag in _EMPTY or tag in _EMPTY_ALSO:
        return Markup(f"{opened}>")
    return Markup(f"{opened}>{join(*children)}</{tag}>")


def join(*children: Child) -> Markup:
    """Put pieces one after the other; see :func:`element`."""
    return Markup("".join(_written(child) for child in children))


def short(value: float) -> str:
    """Write a coordinate with at most one decimal."""
    written = f"{value:.1f}"
    return "0" if written in ("0.0", "-0.0") else written.removesuffix(".0")


def _written(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return text(child)
    if isinstance(child, int | float):
        return short(child)
    return "".join(_written(part) for part in child)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = name.removesuffix("_").replace("_", "-")
    if value is True:
        return f" {name}"
    if isinstance(value, str):
        return f' {name}="{text(value)}"'
    return f' {name}="{short(value)}"'
