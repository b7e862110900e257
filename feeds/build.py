"""Content folder -> `public/`.

Everything is built, in the order of how much it is asked for: publication, sections, authors, tags,
languages, then pages. No request builds anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

from feeds import selection
from feeds.addresses import feed_path
from feeds.archive import new_seals, pages_of
from feeds.config import load_publication
from feeds.formats import atom, html, jsonfeed, opml, rss
from feeds.history import removals, renames, routes, still_due
from feeds.index import Index
from feeds.ledger import Known, Ledger
from feeds.media_types import may_be_encoded
from feeds.output import Output
from feeds.problems import ContentError, Position, Problem
from feeds.publication import Article, Feed, FeedFormat, Publication, Redirect
from feeds.reading import ReadingChild
from feeds.selection import folders_of
from feeds.source.article import Reading
from feeds.source.folder import LEDGER, SourceFile, article_files, media_files
from feeds.source.media import absent
from feeds.status import index_folder

RENDERERS: dict[FeedFormat, Callable[[Feed, Publication], bytes]] = {
    "rss": rss.render,
    "atom": atom.render,
    "json": jsonfeed.render,
}
_WITH_BROTLI = ("publication", "section")
SITE_FILES = ("favicon.ico", "robots.txt")
_SETTLED_NS = 100_000_000
"""A file that changed less than this before it was read may change again with the same size and mtime."""


@dataclass(frozen=True, slots=True)
class Built:
    """What one look at the content made: `changed` counts the files of `public/` that differ now."""

    problems: tuple[Problem, ...]
    articles: int
    feeds: int
    changed: int
    next_due: datetime | None

    @property
    def has_errors(self) -> bool:
        return any(problem.level == "error" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Look:
    """What the content folder holds at a moment."""

    publication: Publication
    articles: Sequence[Article]
    problems: tuple[Problem, ...]
    readings: Sequence[Reading]

    @property
    def unreadable(self) -> set[str]:
        """Files that are there and are no article."""
        return {reading.path for reading in self.readings} - {article.path for article in self.articles}

    def as_known(self, due: Iterable[Article], before: Mapping[str, Known]) -> dict[str, Known]:
        """What is published now, and what was and only became unreadable."""
        digests = {reading.path: reading.digest for reading in self.readings}
        kept = {one.id: one for one in before.values() if one.path in self.unreadable}
        return kept | {
            one.id: Known(one.id, one.path, one.page, one.published, digests[one.path], folders_of(one))
            for one in due
        }


class Builder:
    """Builds the folder `output` from the folder `content`, again and again. `ledger` is a file.

    It keeps what it read of each file until the file changes, and the last configuration that was right.
    """

    def __init__(
        self,
        content: Path,
        output: Path,
        compress: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ledger: Path | None = None,
    ) -> None:
        self.clock = clock
        self.content = content
        self.output = output
        self.compress = compress
        self.ledger = ledger or content / LEDGER
        self._publication: Publication | None = None
        self._child: ReadingChild | None = None
        self._readings: dict[SourceFile, Reading] = {}

    def __enter__(self) -> Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forgets what was read, and ends the reading child."""
        self._readings.clear()
        if self._child:
            self._child.close()

    def build(self, now: datetime | None = None) -> Built:
        """Looks at the content and publishes what is due.

        With `now` it is a preview of that moment: nothing is noted as removed, renamed or published.
        Raises ContentError where there has never been a right configuration, or the ledger is newer than
        this program; OSError.
        """
        at = (now or self.clock()).replace(microsecond=0)
        index = None if now else Index(index_folder(self.output))
        try:
            known = index.known() if index else {}
            ledger = Ledger(self.ledger)
            look = self._look(ledger, known, at)
            due = [article for article in look.articles if still_due(article, at, known)]
            ledger.note(removals(known, look.articles, due, look.unreadable, ledger, at) if index else ())
            feeds = self._feeds(look.publication, due, ledger, at)
            unsaved = _save(ledger) if index else []
            moved = routes(look.publication, look.articles, due, ledger, at)
            changed = self._publish(look.publication, feeds, due, moved)
            if index and not unsaved:  # else the same events are found again, until they can be written
                index.replace(known, look.as_known(due, known))
        finally:
            if index:
                index.close()
        return Built(
            problems=tuple(sorted([*look.problems, *unsaved])),
            articles=len(due),
            feeds=len(feeds),
            changed=changed,
            next_due=selection.next_due(look.articles, at),
        )

    def _feeds(
        self, publication: Publication, due: Sequence[Article], ledger: Ledger, at: datetime
    ) -> list[Feed]:
        """Every subscription document, after sealing what is ripe for the archive."""
        tombstones = tuple(ledger.tombstones.values())
        feeds = selection.feeds_of(publication, due, tombstones, ledger.seals)
        seals = list(new_seals(feeds, publication.feeds, at))
        ledger.note(seals)
        return selection.feeds_of(publication, due, tombstones, ledger.seals) if seals else feeds

    def articles_without_id(self) -> list[Article]:
        """Those whose file names no id, with the id that they have. Raises ContentError and OSError."""
        look = self._look(Ledger(self.ledger), {}, self.clock())
        own = {reading.path for reading in look.readings if reading.has_own_id}
        return [article for article in look.articles if article.path not in own]

    def check(self) -> tuple[Problem, ...]:
        """Every problem of the content, without publishing anything. Raises ContentError and OSError."""
        return self._look(Ledger(self.ledger), {}, self.clock()).problems

    def _look(self, ledger: Ledger, known: Mapping[str, Known], at: datetime) -> Look:
        publication, problems = self._configured()
        found = article_files(self.content)
        paths = {file.path for file in found}
        ledger.note(renames(self.content, paths, known, ledger, publication, at))
        readings = list(self._read_all(found, ledger))
        articles, rivalries = selection.without_rivals(
            reading.article for reading in readings if reading.article
        )
        found_problems = [*problems, *rivalries, *(one for reading in readings for one in reading.problems)]
        return Look(publication, articles, tuple(sorted(found_problems)), readings)

    def _configured(self) -> tuple[Publication, tuple[Problem, ...]]:
        """The publication; while its file is wrong, the last one that was right."""
        try:
            publication, problems = load_publication(self.content)
        except ContentError as error:
            if self._publication is None:
                raise
            return self._publication, error.problems
        if publication != self._publication:
            self.close()
            self._publication = publication
            self._child = ReadingChild(self.content, publication)
        return publication, problems

    def _read_all(self, found: Iterable[SourceFile], ledger: Ledger) -> Iterator[Reading]:
        assert self._child is not None  # noqa: S101 - there is one as soon as there is a publication
        known, self._readings = self._readings, {}
        media = {file.path: file for file in media_files(self.content)}
        for file in found:
            started = time.time_ns()
            reading = known.get(file)
            if reading is None or any(media.get(one.path, absent(one.path)) != one for one in reading.media):
                reading = self._child.read(file.path, ledger.ids.get(file.path))
            if reading and started - file.modified > _SETTLED_NS:
                self._readings[file] = reading
            if reading:
                yield reading

    def _publish(
        self,
        publication: Publication,
        feeds: Sequence[Feed],
        due: Sequence[Article],
        moved: Sequence[Redirect],
    ) -> int:
        """Writes everything; gives the number of files that changed."""
        output = Output(self.output, self.compress)
        output.publish("serving.json", _serving(publication), encoded=False)
        _publish_feeds(output, publication, feeds)
        for feed in feeds:
            _publish_feeds(output, publication, pages_of(feed, publication))
        output.publish("routes.json", _routes(moved), encoded=False)
        _publish_pages(output, publication, feeds, due)
        self._publish_site_files(output)
        output.remove_others()
        return output.written

    def _publish_site_files(self, output: Output) -> None:
        for name in SITE_FILES:
            own = self.content / name
            data = own.read_bytes() if own.is_file() else _default(name)
            output.publish(name, data, encoded=may_be_encoded(f"/{name}"))
        for file in media_files(self.content):
            output.copy(file.path, self.content / file.path)


def _publish_feeds(output: Output, publication: Publication, feeds: Iterable[Feed]) -> None:
    for feed in feeds:
        for name in publication.feeds.formats:
            path = unquote(feed_path(feed.folder, name, feed.page))
            with_brotli = feed.kind in _WITH_BROTLI and not feed.page
            output.publish(path, RENDERERS[name](feed, publication), with_brotli=with_brotli)


def _publish_pages(
    output: Output, publication: Publication, feeds: Sequence[Feed], due: Iterable[Article]
) -> None:
    output.publish("index.html", html.start_page(feeds, publication))
    output.publish("style.css", html.stylesheet())
    for feed in feeds[1:]:
        output.publish(f"{unquote(feed.folder)}index.html", html.feed_page(feed, publication))
    if outlines := opml.render(feeds, publication):
        output.publish("feeds.opml", outlines)
    for article in due:
        if article.page is not None:
            output.publish(page_file(article.page), html.article_page(article, publication, feeds[0]))


def page_file(page: str) -> str:
    """The file in `public/` of the page at the percent-encoded path `page`."""
    path = unquote(page)
    return f"{path}index.html" if path.endswith("/") else path


def _serving(publication: Publication) -> bytes:
    """What the server must know beyond the bytes: the base path, cache lifetime and hubs."""
    return _json({"url": publication.url, "max_age": publication.feeds.max_age, "hubs": publication.hubs})


def _routes(moved: Iterable[Redirect]) -> bytes:
    """What answers at paths that moved or are gone."""
    return _json(
        {
            redirect.path: {"status": redirect.status}
            | ({"target": redirect.target} if redirect.target else {})
            for redirect in moved
        }
    )


def _save(ledger: Ledger) -> list[Problem]:
    """Writes the ledger down. Where that fails, what it says is in force all the same."""
    try:
        ledger.save()
    except OSError as error:
        message = f"the ledger cannot be written: {error.strerror}"
        hint = "let the server's user write it: it keeps removals and the ids of renamed files"
        return [Problem(LEDGER, Position(), "error", "ledger-unwritable", message, hint)]
    return []


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def _default(name: str) -> bytes:
    return files("feeds").joinpath("formats", "templates", name).read_bytes()
