"""OPML 2.0 (opml.org/spec2.opml): all feeds, for a reader to subscribe to at once."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from feeds.addresses import FEED_FILES, below
from feeds.dates import rfc822
from feeds.publication import Feed, Publication

_PREFERRED = ("rss", "atom")
"""OPML 2.0 knows both, and readers take `type="rss"` for either; a JSON Feed few would import."""


def render(feeds: Iterable[Feed], publication: Publication) -> bytes | None:
    """The OPML document of `feeds`, or None where neither RSS nor Atom is published."""
    chosen = next((name for name in _PREFERRED if name in publication.feeds.formats), None)
    if chosen is None:
        return None
    listed = list(feeds)
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = publication.title
    etree.SubElement(head, "dateModified").text = rfc822(listed[0].updated)
    body = etree.SubElement(root, "body")
    for feed in listed:
        page = below(publication.url, feed.folder)
        attributes = {"type": "rss", "text": feed.title, "title": feed.title, "htmlUrl": page}
        address = below(page, FEED_FILES["rss" if chosen == "rss" else "atom"])
        etree.SubElement(body, "outline", attributes | {"xmlUrl": address, "language": feed.language})
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)
