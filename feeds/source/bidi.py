"""Characters that turn the direction of text around (Unicode Standard Annex 9), unseen by the author.

Readers put titles, bylines and texts of several publications on one page: what one leaves open goes on there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_OVERRIDE = re.compile(r"[\u202d\u202e]|\\u202[dDeE]|&#(?:[xX]202[dDeE]|823[78]);")
_SIGNS = ("\u202d", "\u202e", "202", "823")
"""One of them is in whatever that matches: looking for these costs a tenth."""

_PARAGRAPH = re.compile(r"(?:.+\n?)+")
_CLOSED_BY = {
    "\u202a": "\u202c",
    "\u202b": "\u202c",
    "\u2066": "\u2069",
    "\u2067": "\u2069",
    "\u2068": "\u2069",
}
_CONTROL = re.compile("[\u202a-\u202c\u2066-\u2069]")


def direction_faults(text: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Where in `text` the direction is overridden, or turned and not turned back: offset, rule, values.

    Marks (U+200E, U+200F) and pairs that are closed in their paragraph are how such text is written rightly.
    """
    for match in _OVERRIDE.finditer(text) if any(sign in text for sign in _SIGNS) else ():
        name = match[0] if match[0].isascii() else _name(match[0])
        yield match.start(), "direction-override", {"character": name}
    if not _CONTROL.search(text):
        return
    for paragraph in _PARAGRAPH.finditer(text):
        for offset, character in _left_open(paragraph[0]):
            names = {"character": _name(character), "close": _name(_CLOSED_BY[character])}
            yield paragraph.start() + offset, "direction-open", names


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


def _left_open(paragraph: str) -> list[tuple[int, str]]:
    stack: list[tuple[int, str]] = []
    for match in _CONTROL.finditer(paragraph):
        if match[0] in _CLOSED_BY:
            stack.append((match.start(), match[0]))
        elif stack and _CLOSED_BY[stack[-1][1]] == match[0]:
            stack.pop()
    return stack
