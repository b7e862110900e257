"""An article -> the bytes that documents are put together from: made once, kept in the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from feeds.formats import atom, html, jsonfeed, rss
from feeds.publication import Article, Feed, FeedFormat, Publication

Form = Literal["rss", "atom", "json", "html"]
"""An entry in a feed of a format, or in the list on the human page of a feed."""

Forms = dict[Form, bytes]

DOCUMENTS: dict[FeedFormat, Callable[[Feed, Publication, Iterable[bytes]], bytes]] = {
    "rss": rss.document,
    "atom": atom.document,
    "json": jsonfeed.document,
}
_ENTRIES: dict[Form, Callable[[Article, Publication], bytes]] = {
    "rss": rss.entry,
    "atom": atom.entry,
    "json": jsonfeed.entry,
    "html": html.entry,
}


def forms_of(article: Article, publication: Publication) -> Forms:
    """`article` as an entry of every document that it can be in."""
    names: tuple[Form, ...] = (*publication.feeds.formats, "html")
    return {name: _ENTRIES[name](article, publication) for name in names}
