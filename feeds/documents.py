"""What there is to publish: which documents, in which order, and what each is made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, get_args
from urllib.parse import unquote

from feeds.addresses import feed_path
from feeds.archive import is_archived, page_of
from feeds.catalogue import KINDS, Catalogue, Update
from feeds.forms import DOCUMENTS
from feeds.ledger import Ledger
from feeds.output import File
from feeds.publication import Feed, FeedFormat, Metadata, Publication, Redirect, Seal
from feeds.selection import folders_of, kind_of, newest_first

Kind = Literal[
    "serving", "routes", "media", "feed", "archive", "listing", "start", "outline", "site", "article"
]
_ORDER: tuple[Kind, ...] = get_args(Kind)


class Document(NamedTuple):
    """One thing to publish, in one or several files.

    `name` is the folder of a feed, of its `archive` page number `page` or of its human page (`listing`); the
    path of the file of an `article` or of `media`; else "".
    """

    kind: Kind
    name: str = ""
    page: int = 0

    @classmethod
    def of(cls, owner: str) -> Document:
        """The document that is known as `owner` in the index."""
        kind, page, name = owner.split(" ", 2)
        return cls(kind, name, int(page))  # type: ignore[arg-type]

    @property
    def owner(self) -> str:
        """What it is known as in the index."""
        return f"{self.kind} {self.page} {self.name}"

    @property
    def is_urgent(self) -> bool:
        """Whether the program is not ready before this is there."""
        return self.kind not in ("archive", "listing", "article") and (
            self.kind != "feed" or kind_of(self.name) in ("publication", "section")
        )


class Touched(NamedTuple):
    """Documents to make, each list in order.

    What is made `at_once` are the new archive pages, whose articles leave the subscription document and must
    not be nowhere for a moment, and whatever an article was in that is public no longer.
    """

    at_once: list[Document]
    then: list[Document]


def everything(catalogue: Catalogue, ledger: Ledger, media: Iterable[str]) -> Iterator[Document]:
    """Every document, in the order in which they are asked for."""
    yield from without_pages(catalogue, media)
    folders = catalogue.folders()
    for folder in folders:
        yield from _archive(folder, catalogue, ledger)
    yield from (Document("listing", folder) for folder in folders if folder)
    for article in newest_first(catalogue.public.values()):
        if article.page is not None:
            yield Document("article", article.path)


def without_pages(catalogue: Catalogue, media: Iterable[str] = ()) -> Iterator[Document]:
    """Every document but the pages: what `everything` begins with."""
    yield Document("serving")
    yield Document("routes")
    yield from (Document("media", path) for path in media)
    yield from (Document("feed", folder) for folder in catalogue.folders())
    yield Document("start")
    yield Document("outline")
    yield Document("site")


def touched(update: Update, catalogue: Catalogue, ledger: Ledger, seals: Iterable[Seal]) -> Touched:
    """The documents that `update` may have changed; `seals` are those of new archive pages."""
    if not update.changes:
        return Touched([], [])
    at_once = dict.fromkeys(Document("archive", seal.feed, seal.number) for seal in seals)
    found = {Document("routes"), Document("start"), Document("outline")}
    found |= set(_of_feeds(update.folders))
    for folder in update.renamed:
        found |= set(_archive(folder, catalogue, ledger))
    for change in update.changes:
        for article in filter(None, (change.before, change.after)):
            own = {Document("article", article.path), *_pages(article, catalogue, ledger)}
            found |= own
            if change.after is None:
                folders = update.folders.intersection(folders_of(article))
                at_once |= dict.fromkeys(sorted({*own, *_of_feeds(folders)}, key=_place))
    return Touched(list(at_once), sorted(found.difference(at_once), key=_place))


def _of_feeds(folders: Iterable[str]) -> Iterator[Document]:
    """The subscription documents and the human pages."""
    for folder in folders:
        yield Document("feed", folder)
        if folder:
            yield Document("listing", folder)


def _archive(folder: str, catalogue: Catalogue, ledger: Ledger) -> Iterator[Document]:
    """The pages of a feed, the newest first."""
    if is_archived(kind_of(folder), catalogue.publication.feeds):
        for number in range(len(ledger.seals.get(folder, ())), 0, -1):
            yield Document("archive", folder, number)


def _pages(article: Metadata, catalogue: Catalogue, ledger: Ledger) -> Iterator[Document]:
    """The archive pages that `article` is in or was in."""
    settings = catalogue.publication.feeds
    for folder in folders_of(article):
        if is_archived(kind_of(folder), settings) and (
            page := page_of(article, ledger.seals.get(folder, ()))
        ):
            yield Document("archive", folder, page)


def _place(document: Document) -> tuple[int, int, str, int]:
    kind = KINDS.index(kind_of(document.name)) if document.kind in ("feed", "archive", "listing") else 0
    return _ORDER.index(document.kind), kind, document.name, document.page


def page_file(page: str) -> str:
    """The file in `public/` of the page at the percent-encoded path `page`."""
    path = unquote(page)
    return f"{path}index.html" if path.endswith("/") else path


def serving(publication: Publication) -> bytes:
    """What the server must know beyond the bytes: the base path, cache lifetime and hubs."""
    return _json({"url": publication.url, "max_age": publication.feeds.max_age, "hubs": publication.hubs})


def routes(moved: Iterable[Redirect]) -> bytes:
    """What answers at paths that moved or are gone."""
    return _json(
        {
            redirect.path: {"status": redirect.status}
            | ({"target": redirect.target} if redirect.target else {})
            for redirect in moved
        }
    )


def feed_files(
    feed: Feed, publication: Publication, entries: Callable[[FeedFormat], list[bytes]]
) -> Iterator[File]:
    """`feed` in every format; `entries` gives its articles in one."""
    with_brotli = feed.kind in ("publication", "section") and not feed.page
    for name in publication.feeds.formats:
        path = unquote(feed_path(feed.folder, name, feed.page))
        data = DOCUMENTS[name](feed, publication, entries(name))
        yield File(path, data, "gz br" if with_brotli else "gz")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
