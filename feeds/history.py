"""What changed since the last look -> events of the ledger; what answers at addresses that were left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from feeds.catalogue import Catalogue, Change
from feeds.ledger import Event, Ledger, left, removed, renamed, restored
from feeds.publication import Metadata, Redirect
from feeds.selection import is_expired
from feeds.source.article import minted_id
from feeds.source.front_matter import MAX_FILE

MOVED, GONE = 301, 410


def renames(
    content: Path,
    new: Iterable[str],
    gone: Mapping[bytes, Metadata],
    ledger: Ledger,
    publication_id: str,
    at: datetime,
) -> Iterator[Event]:
    """A file that is gone and a new one with the same bytes are one article: it keeps the id of its path.

    `gone` are the articles of the files that are gone, by digest.
    """
    minted = {
        digest: one
        for digest, one in gone.items()
        if one.id in (ledger.ids.get(one.path), minted_id(publication_id, one.path))
    }
    for path in sorted(new) if minted else ():
        if one := minted.pop(_digest(content / path), None):
            yield renamed(path, one.id, at)


def _digest(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return hashlib.sha256(opened.read(MAX_FILE + 1)).digest()
    except OSError:
        return b""


def events_of(
    changes: Iterable[Change], catalogue: Catalogue, ledger: Ledger, at: datetime
) -> Iterator[Event]:
    """Articles that are published no longer, that moved to another address, or that came back."""
    changes = list(changes)
    public = {change.after.id: change.after for change in changes if change.after}
    for old in (change.before for change in changes if change.before):
        new = public.get(old.id)
        is_known = old.page is None or ledger.addresses.get(old.page) == old.id  # a clone's ledger came first
        if not is_known and (new is None or new.page != old.page):
            yield left(old, at)
        kept = catalogue.with_id(old.id)
        if new is None and not (kept and is_expired(kept, at)) and old.id not in ledger.tombstones:
            yield removed(old, at, (kept and kept.withdrawn) or "")
    for id_ in ledger.tombstones.keys() & public.keys():
        yield restored(id_, at)


def routes(catalogue: Catalogue, ledger: Ledger, now: datetime) -> list[Redirect]:
    """What answers where no page is: what the publication says, then addresses that articles left."""
    found = {
        article.page: Redirect(f"/{article.page}", GONE)
        for article in catalogue.ended()
        if article.page is not None and (article.withdrawn or is_expired(article, now))
    }
    for address, id_ in ledger.addresses.items():
        article = catalogue.public.get(id_)
        target = None if article is None or article.page is None else f"/{article.page}"
        found[address] = Redirect(f"/{address}", MOVED if target else GONE, target)
    kept = {
        redirect.path: redirect for page, redirect in sorted(found.items()) if not catalogue.has_page(page)
    }
    own = {redirect.path: redirect for redirect in catalogue.publication.redirects}
    return list((kept | own).values())
