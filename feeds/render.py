"""Documents -> files of `public/`, put together from the kept forms of articles."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.resources import files
from itertools import chain

from feeds.addresses import archive_folder
from feeds.catalogue import Catalogue
from feeds.dates import EPOCH
from feeds.documents import Document, feed_files, page_file, routes, serving
from feeds.formats import html, opml
from feeds.forms import Form
from feeds.history import routes as moved
from feeds.index import Index
from feeds.ledger import Ledger
from feeds.media_types import may_be_encoded
from feeds.output import File, Output
from feeds.publication import Feed
from feeds.reading import Outcome, Readers, Task
from feeds.source.folder import Folder

SITE_FILES = ("favicon.ico", "robots.txt")


class Renderer:
    """Makes documents of what is in `catalogue` and `ledger`.

    `pages` are bytes of article pages that are not published yet, by path of the article's file; `read` are
    outcomes of files that had to be read.
    """

    def __init__(
        self, folder: Folder, catalogue: Catalogue, ledger: Ledger, output: Output, readers: Readers
    ) -> None:
        self.folder = folder
        self.catalogue = catalogue
        self.ledger = ledger
        self.output = output
        self.index: Index = output.index
        self.readers = readers
        self.pages: dict[str, bytes] = {}
        self.read: list[Outcome] = []
        self._listed: list[str] | None = None
        self._lists = b"", b""

    def make(self, documents: Sequence[Document], now: datetime) -> Iterator[Document]:
        """Makes `documents`, in that order, each as soon as the articles in it are read, on all cores.

        Gives those that are made; among them the pages of articles that had to be read.
        """
        feeds = [self._feed(document) for document in documents]
        needed = [self._needed(document, feed) for document, feed in zip(documents, feeds, strict=True)]
        reading = self._read(list(dict.fromkeys(chain.from_iterable(needed))))
        here: set[str] = set()
        for document, feed, paths in zip(documents, feeds, needed, strict=True):
            while not here.issuperset(paths):
                here.add(next(reading))
            if feed and not self.catalogue.unusable.isdisjoint(article.path for article in feed.articles):
                here.update(reading)  # what follows reads too
                feed = self._settled(document)
            match document.kind:
                case "media":
                    self._copy(document)
                case "article":
                    self._publish_page(document.name)
                case _:
                    self.output.publish(document.owner, self._files(document, feed, now))
            yield document
            if not document.is_urgent:
                yield from map(self._publish_page, list(self.pages))
        yield from map(self._publish_page, list(self.pages))

    def missing(self, document: Document) -> list[str]:
        """The files that must be read before `document` can be made."""
        return self._needed(document, self._feed(document))

    def read_ahead(self, paths: Sequence[str]) -> Iterator[Document]:
        """Reads files; gives the pages that are made with that."""
        deque(self._read(paths), maxlen=0)
        yield from map(self._publish_page, list(self.pages))

    def _needed(self, document: Document, feed: Feed | None) -> list[str]:
        if document.kind == "article":
            article = self.catalogue.shown(document.name)
            known = article is None or article.page is None or document.name in self.pages
            return [] if known else [document.name]
        return self.index.without_text([article.path for article in feed.articles]) if feed else []

    def _files(self, document: Document, feed: Feed | None, now: datetime) -> Iterable[File]:
        publication = self.catalogue.publication
        match document.kind:
            case "serving":
                return [File("serving.json", serving(publication), "")]
            case "routes":
                return [File("routes.json", routes(moved(self.catalogue, self.ledger, now)), "")]
            case "site":
                return self._site_files()
            case "outline":
                own = self.catalogue.feed("", self.ledger)
                updated = own.updated if own else EPOCH
                outlines = self._directory()[1]
                return [File("feeds.opml", opml.document(publication, updated, outlines))] if outlines else []
        if feed is None:
            return []
        match document.kind:
            case "start":
                page = html.start_page(feed, publication, self._directory()[0], self._entries(feed, "html"))
                return [File("index.html", page)]
            case "listing":
                page = html.feed_page(feed, publication, self._entries(feed, "html"))
                return [File(page_file(feed.folder), page)]
        made = feed_files(feed, publication, lambda name: self._entries(feed, name))
        return made if feed.page is None else [*made, self._archive_page(feed, feed.page)]

    def _archive_page(self, feed: Feed, number: int) -> File:
        page = html.archive_page(feed, self.catalogue.publication, self._entries(feed, "html"))
        return File(page_file(archive_folder(feed.folder, number)), page)

    def _directory(self) -> tuple[bytes, bytes]:
        """All feeds, for the start page and for OPML; made again when there are others."""
        folders = self.catalogue.folders()
        if self._listed is not folders:
            heads = [self.catalogue.head(folder) for folder in folders]
            publication = self.catalogue.publication
            self._listed = folders
            self._lists = html.feed_list(heads[1:], publication), opml.outlines(heads, publication)
        return self._lists

    def _feed(self, document: Document) -> Feed | None:
        match document.kind:
            case "archive":
                return self.catalogue.archive_page(document.name, document.page, self.ledger)
            case "feed" | "listing" | "start":
                return self.catalogue.feed(document.name, self.ledger)
        return None

    def _settled(self, document: Document) -> Feed | None:
        """The feed of `document`, without articles whose text turns out to be unusable."""
        while True:
            feed = self._feed(document)
            if not feed or not (missing := self.index.without_text([one.path for one in feed.articles])):
                return feed
            deque(self._read(missing), maxlen=0)

    def _entries(self, feed: Feed, form: Form) -> list[bytes]:
        return self.index.forms([article.path for article in feed.articles], form)

    def _read(self, paths: Sequence[str]) -> Iterator[str]:
        """Reads files; gives the path of each when its text is kept, or the article passed over."""
        for outcome in self.readers.read([Task(path, self.ledger.ids.get(path)) for path in paths]):
            article = self.catalogue.articles[outcome.path]
            if outcome.text and outcome.metadata == article:
                self.index.keep_text(outcome.path, outcome.text.forms)
                if outcome.text.page and article.page and self.catalogue.shown(outcome.path):
                    self.pages[outcome.path] = outcome.text.page
            elif not self.index.revive_text(outcome.path):
                self.catalogue.pass_over(outcome.path)
            if outcome.gone and outcome.path in self.folder:
                self.folder.doubt(outcome.path)  # only for a moment, if a program replaces it
            if not outcome.gone:
                self.read.append(outcome)
            yield outcome.path

    def _publish_page(self, path: str) -> Document:
        """Publishes the page of the article in the file `path`, or takes it away where there is none."""
        document, article = Document("article", path), self.catalogue.shown(path)
        data = self.pages.pop(path, None)
        if article is None or article.page is None:
            self.output.publish(document.owner, [])
        elif data is not None:
            self.output.publish(document.owner, [File(page_file(article.page), data)])
        return document

    def _copy(self, document: Document) -> None:
        if document.name in self.folder:
            with suppress(FileNotFoundError):  # it has just gone, and the next look knows
                self.output.copy(document.owner, document.name, self.folder.content / document.name)
        else:
            self.output.publish(document.owner, [])

    def _site_files(self) -> Iterator[File]:
        yield from (File(name, html.asset(name)) for name in html.ASSETS)
        for name in SITE_FILES:
            own = self.folder.content / name
            default = files("feeds").joinpath("formats", "templates", name)
            data = own.read_bytes() if own.is_file() else default.read_bytes()
            yield File(name, data, "gz" if may_be_encoded(f"/{name}") else "")
