"""Atom 1.0 (RFC 4287)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from feeds.addresses import below
from feeds.dates import rfc3339
from feeds.formats import _feedgen
from feeds.formats._categories import categories
from feeds.formats._feedgen import HISTORY, TOMBSTONES, XML, Entry, Generator, element, entry_bytes
from feeds.formats._links import document_links
from feeds.formats._media import add_media
from feeds.publication import Article, Author, Feed, Publication

MEDIA_TYPE = "application/atom+xml"

_PREFIXES = {"at": TOMBSTONES, "fh": HISTORY}


def document(feed: Feed, publication: Publication, entries: Iterable[bytes]) -> bytes:
    """The Atom document of `feed`; `entries` are what `entry` gives for its articles."""
    return _feedgen.document(_feed(feed, publication).atom_str(), entries, b"</feed>")


def entry(article: Article, publication: Publication) -> bytes:
    """The `entry` element of `article`."""
    return entry_bytes(_entry(article, publication).atom_entry(), _PREFIXES)


def _feed(feed: Feed, publication: Publication) -> Generator:
    generator = Generator(lambda parent: _extend_feed(parent, feed), _PREFIXES)
    page = below(publication.url, feed.folder)
    archive = f"/archive/{feed.page}" if feed.page else ""
    generator.id(f"tag:{publication.id}:{(feed.folder or 'feed').rstrip('/')}{archive}")
    generator.title(feed.title)
    generator.subtitle(feed.description)
    generator.updated(feed.updated)
    generator.language(feed.language)
    for relation, address in document_links(feed, "atom", publication):
        generator.link(href=address, rel=relation, type=MEDIA_TYPE)
    generator.link(href=page, rel="alternate", type="text/html")
    for hub in publication.hubs:
        generator.link(href=hub, rel="hub")
    for author in publication.authors or (Author(publication.title),):
        generator.author(_person(author))
    if publication.copyright:
        generator.rights(publication.copyright)
    if publication.icon:
        generator.icon(publication.icon)
    if publication.logo:
        generator.logo(publication.logo)
    return generator


def _extend_feed(parent: Any, feed: Feed) -> None:
    """What was removed, for the readers that know RFC 6721; the others leave it alone."""
    if feed.page:
        element(parent, f"{{{HISTORY}}}archive")
    for tombstone in feed.tombstones:
        attributes = {"ref": tombstone.id, "when": rfc3339(tombstone.when)}
        deleted = element(parent, f"{{{TOMBSTONES}}}deleted-entry", **attributes)
        if tombstone.reason:
            element(deleted, f"{{{TOMBSTONES}}}comment", tombstone.reason)


def _entry(article: Article, publication: Publication) -> Entry:
    entry = Entry(extend=lambda parent: _extend_entry(parent, article))
    entry.id(article.id)
    entry.title(article.title)
    entry.updated(article.updated)
    entry.published(article.published)
    entry.link(href=article.url, rel="alternate", type="text/html")
    for author in article.authors:
        entry.author(_person(author))
    entry.summary(article.summary or article.title)
    entry.content(article.content, type="html")
    entry.category(list(categories(article, publication)))
    if article.rights:
        entry.rights(article.rights)
    if enclosure := article.enclosure:
        entry.link(href=enclosure.url, rel="enclosure", type=enclosure.type, length=str(enclosure.length))
    return entry


def _extend_entry(entry: Any, article: Article) -> None:
    entry.set(f"{{{XML}}}lang", article.language)
    entry.find("content").set(f"{{{XML}}}base", article.url)
    add_media(entry, article)


def _person(author: Author) -> dict[str, str]:
    fields = {"name": author.name, "uri": author.url, "email": author.email}
    return {name: value for name, value in fields.items() if value}
