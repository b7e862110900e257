"""RSS 2.0 (rssboard.org/rss-specification), with the elements that its Advisory Board's profile names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from typing import Any

from feeds.addresses import below
from feeds.dates import rfc3339
from feeds.formats import _feedgen
from feeds.formats._categories import categories
from feeds.formats._feedgen import ATOM, DC, HISTORY, Entry, Generator, element, entry_bytes
from feeds.formats._links import document_links
from feeds.formats._media import add_media
from feeds.publication import Article, Feed, Publication

MEDIA_TYPE = "application/rss+xml"

_PREFIXES = {"fh": HISTORY}
_TITLE = re.compile(rb"<title>[^<]*</title>")


def document(feed: Feed, publication: Publication, items: Iterable[bytes]) -> bytes:
    """The RSS document of `feed`; `items` are what `entry` gives for its articles."""
    without = _TITLE.sub(_spell_title, _channel(feed, publication).rss_str())
    return _feedgen.document(without, items, b"</channel></rss>")


def entry(article: Article, publication: Publication) -> bytes:
    """The `item` element of `article`."""
    return _TITLE.sub(_spell_title, entry_bytes(_item(article, publication).rss_entry(), _PREFIXES))


def _channel(feed: Feed, publication: Publication) -> Generator:
    generator = Generator(lambda channel: _extend_channel(channel, feed, publication), _PREFIXES)
    page = below(publication.url, feed.folder)
    generator.title(feed.title)
    generator.description(feed.description)
    for relation, address in document_links(feed, "rss", publication):
        generator.link(href=address, rel=relation, type=MEDIA_TYPE)
    generator.link(href=page, rel="alternate", type="text/html")
    generator.language(feed.language)
    generator.pubDate(feed.updated)
    generator.updated(feed.updated)
    generator.ttl(publication.feeds.max_age // 60)
    if publication.copyright:
        generator.copyright(publication.copyright)
    if picture := publication.icon or publication.logo:
        generator.image(url=picture, title=feed.title, link=page)
    return generator


def _spell_title(title: re.Match[bytes]) -> bytes:
    """A title that speaks of `<b>` or `&amp;` is plain text only when spelt so (Profile, 3.1)."""
    return title[0].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;")


def _html(text: str) -> str:
    """Plain text for readers that take it for HTML (Profile, 4.1.1.20.4), escaped only where that matters."""
    return escape(text, quote=False) if unescape(text) != text or re.search("<[A-Za-z/!?]", text) else text


def _extend_channel(channel: Any, feed: Feed, publication: Publication) -> None:
    for relation, address in document_links(feed, "rss", publication):
        if relation != "self":  # feedgen writes that one
            element(channel, f"{{{ATOM}}}link", href=address, rel=relation, type=MEDIA_TYPE)
    if feed.page:
        element(channel, f"{{{HISTORY}}}archive")
    for author in publication.authors:
        element(channel, f"{{{DC}}}creator", author.name)
    for hub in publication.hubs:
        element(channel, f"{{{ATOM}}}link", href=hub, rel="hub")


def _item(article: Article, publication: Publication) -> Entry:
    item = Entry(extend=lambda parent: _extend_item(parent, article))
    item.title(article.title)
    item.guid(article.id, permalink=False)
    item.link(href=article.url, rel="alternate")
    item.summary(_html(article.summary or article.title))
    item.content(article.content)
    item.published(article.published)
    item.category(list(categories(article, publication)))
    if article.enclosure:
        item.enclosure(article.enclosure.url, str(article.enclosure.length), article.enclosure.type)
    return item


def _extend_item(item: Any, article: Article) -> None:
    for author in article.authors:
        element(item, f"{{{DC}}}creator", author.name)
    element(item, f"{{{ATOM}}}updated", rfc3339(article.updated))
    element(item, f"{{{DC}}}language", article.language)
    if article.rights:
        element(item, f"{{{DC}}}rights", article.rights)
    add_media(item, article)
