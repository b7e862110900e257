"""OPML 2.0 (opml.org/spec2.opml): all feeds, for a reader to subscribe to at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lxml import etree

from feeds.addresses import FEED_FILES, below
from feeds.dates import rfc822
from feeds.publication import Feed, FeedFormat, Publication

_PREFERRED: tuple[FeedFormat, ...] = ("rss", "atom")
"""OPML 2.0 knows both, and readers take `type="rss"` for either; a JSON Feed few would import."""


def outlines(feeds: Iterable[Feed], publication: Publication) -> bytes:
    """An outline for each of `feeds`; none where neither RSS nor Atom is published."""
    chosen = next((name for name in _PREFERRED if name in publication.feeds.formats), None)
    return b"".join(_outline(feed, publication, chosen) for feed in feeds) if chosen else b""


def _outline(feed: Feed, publication: Publication, name: FeedFormat) -> bytes:
    page = below(publication.url, feed.folder)
    attributes = {"type": "rss", "text": feed.title, "title": feed.title, "htmlUrl": page}
    attributes |= {"xmlUrl": below(page, FEED_FILES[name]), "language": feed.language}
    return etree.tostring(etree.Element("outline", attributes), encoding="utf-8", xml_declaration=False)


def document(publication: Publication, updated: datetime, feeds: bytes) -> bytes:
    """The OPML document of what `outlines` gives; `updated` is when something changed in it."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = publication.title
    etree.SubElement(head, "dateModified").text = rfc822(updated)
    etree.SubElement(root, "body").text = "|"
    before, _, after = etree.tostring(root, encoding="utf-8", xml_declaration=True).rpartition(b"|")
    return before + feeds + after
