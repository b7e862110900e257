"""Archive pages (RFC 5005, 4): which articles left the subscription document, and where they are.

A page is a range of the order in which articles are published, written to the ledger when it is sealed. So
an article that is backdated, corrected or withdrawn changes the one page whose range it is in, and one that
is added changes none: a page links to the one before it, never to the one after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from feeds.ledger import Event, sealed
from feeds.publication import Article, Feed, FeedKind, FeedSettings, Publication, Seal

ARCHIVED: tuple[FeedKind, ...] = ("publication", "section")

Seals = Mapping[str, Sequence[Seal]]


def new_seals(feeds: Iterable[Feed], settings: FeedSettings, at: datetime) -> Iterator[Event]:
    """The pages to seal: `archive_size` articles, the oldest, while there are `limit` newer ones as well."""
    for feed in feeds:
        if not is_archived(feed.kind, settings):
            continue
        unsealed = sorted(unsealed_of(feed.members, feed.seals), key=_reverse_key, reverse=True)
        number = len(feed.seals)
        while len(unsealed) >= settings.limit + settings.archive_size:
            page, unsealed = unsealed[: settings.archive_size], unsealed[settings.archive_size :]
            number += 1
            yield sealed(Seal(feed.folder, number, page[-1].published, page[-1].id), at)


def is_archived(kind: FeedKind, settings: FeedSettings) -> bool:
    """Whether feeds of this kind have archive pages."""
    return kind in ARCHIVED and settings.archive_size > 0


def unsealed_of(articles: Iterable[Article], seals: Sequence[Seal]) -> list[Article]:
    """The articles that are in no page yet."""
    return [article for article in articles if not (seals and is_within(article, seals[-1]))]


def is_within(article: Article, seal: Seal) -> bool:
    """Whether the article is in the page that `seal` ends, or in one before it.

    Feeds are newest first with ties by id, so of one moment the larger id is the older.
    """
    return article.published < seal.published or (
        article.published == seal.published and article.id >= seal.id
    )


def corrections(articles: Iterable[Article], shown: Sequence[Article], limit: int) -> list[Article]:
    """Sealed articles that were updated since the oldest one shown was published: at most `limit`."""
    since = shown[-1].published if shown else None
    kept = {article.id for article in shown}
    updated = [one for one in articles if one.id not in kept and (since is None or one.updated > since)]
    updated = [one for one in updated if one.updated != one.published]
    return sorted(updated, key=lambda one: (one.updated, one.id), reverse=True)[:limit]


def pages_of(feed: Feed, publication: Publication) -> Iterator[Feed]:
    """The archive pages of a feed, the newest first, each as a feed of its own."""
    if not is_archived(feed.kind, publication.feeds):
        return
    left = list(feed.members)
    found = []
    for seal in feed.seals:
        inside = tuple(article for article in left if is_within(article, seal))
        left = left[: len(left) - len(inside)]
        found.append(feed.as_page(seal.number, inside))
    yield from reversed(found)


def _reverse_key(article: Article) -> tuple[float, str]:
    return -article.published.timestamp(), article.id
