"""What a rule of `feedwright check` is."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["error", "warning"]


class Rule(NamedTuple):
    """One thing that can be wrong, in words for somebody who has never seen a feed.

    `found` and `write` are the two halves of its line; words in braces stand for what is in the file.
    `source` is the paragraph of a specification, or the reader that needs it with the file that shows it.
    `bad` breaks the rule and `good` does not: lines of metadata, of the text or of `publication.toml`, as
    `place` says, or the whole file of that name. Where no file shows it, they are empty.
    """

    code: str
    level: Level
    found: str
    write: str
    why: str
    source: str
    bad: str = ""
    good: str = ""
    place: str = "metadata"
