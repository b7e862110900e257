"""The links of a document to itself and to its archive (RFC 5005, 4), the same in every format."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.addresses import below, feed_path
from feeds.publication import Feed, FeedFormat, Publication


def document_links(feed: Feed, name: FeedFormat, publication: Publication) -> Iterator[tuple[str, str]]:
    """Relation and address. A page does not link to the one after it, so it never changes for that one."""
    yield "self", below(publication.url, feed_path(feed.folder, name, feed.page))
    if feed.previous_page:
        yield "prev-archive", below(publication.url, feed_path(feed.folder, name, feed.previous_page))
    if feed.page:
        yield "current", below(publication.url, feed_path(feed.folder, name))
