"""What changed between the last time something was published and now, as events for the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from feeds.ledger import Event, Known, Ledger, left, removed, renamed, restored
from feeds.publication import Article, Publication, Redirect
from feeds.selection import is_due
from feeds.source.article import minted_id
from feeds.source.front_matter import MAX_FILE

MOVED, GONE = 301, 410


def renames(
    content: Path,
    paths: Collection[str],
    known: Mapping[str, Known],
    ledger: Ledger,
    publication: Publication,
    at: datetime,
) -> Iterator[Event]:
    """A file that is gone and a new one with the same bytes are one article: it keeps the id of its path."""
    gone = {
        one.digest: one
        for one in known.values()
        if one.path not in paths and one.id in (ledger.ids.get(one.path), minted_id(publication.id, one.path))
    }
    if not gone:
        return
    for path in sorted(set(paths) - {one.path for one in known.values()}):
        with (content / path).open("rb") as file:
            digest = hashlib.sha256(file.read(MAX_FILE + 1)).hexdigest()
        if one := gone.pop(digest, None):
            yield renamed(path, one.id, at)


def removals(
    known: Mapping[str, Known],
    articles: Iterable[Article],
    due: Iterable[Article],
    unreadable: Collection[str],
    ledger: Ledger,
    at: datetime,
) -> Iterator[Event]:
    """Articles that are published no longer, that moved to another address, or that came back.

    A file that became `unreadable` is not a removal: its author may be in the middle of a sentence.
    """
    kept = {article.id: article for article in articles}
    public = {article.id: article for article in due}
    for one in known.values():
        article = public.get(one.id)
        if article is None and one.path in unreadable:
            continue
        if one.page is not None and (article is None or article.page != one.page):
            yield left(one, at)
        if article is None and not _expired(kept.get(one.id), at) and one.id not in ledger.tombstones:
            withdrawn = kept[one.id].withdrawn if one.id in kept else None
            yield removed(one, at, withdrawn or "")
    for id_ in ledger.tombstones.keys() & public.keys():
        yield restored(id_, at)


def _expired(article: Article | None, now: datetime) -> bool:
    """Ended as its author had said: readers may keep it."""
    return bool(
        article and article.expires and article.expires <= now and not (article.draft or article.withdrawn)
    )


def still_due(article: Article, now: datetime, known: Mapping[str, Known]) -> bool:
    """Whether an article is public at `now`, also after the clock was set back to before its moment."""
    one = known.get(article.id)
    was_out = one is not None and one.published == article.published
    return is_due(article, max(now, article.published) if was_out else now)


def routes(
    publication: Publication,
    articles: Iterable[Article],
    due: Iterable[Article],
    ledger: Ledger,
    now: datetime,
) -> list[Redirect]:
    """What answers where no page is: what the publication says, then addresses that articles left."""
    pages = {article.id: article.page for article in due if article.page is not None}
    taken = set(pages.values())
    found = {
        article.page: Redirect(f"/{article.page}", GONE)
        for article in articles
        if article.page is not None and (article.withdrawn or _expired(article, now))
    }
    for address, id_ in ledger.addresses.items():
        page = pages.get(id_)
        target = None if page is None else f"/{page}"
        found[address] = Redirect(f"/{address}", MOVED if target else GONE, target)
    kept = {redirect.path: redirect for address, redirect in sorted(found.items()) if address not in taken}
    return list((kept | {redirect.path: redirect for redirect in publication.redirects}).values())
