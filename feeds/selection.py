"""Which articles are public at a moment, in which order, and in which feeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import PurePosixPath

from feeds.addresses import encoded, slug
from feeds.problems import Problem, problem
from feeds.publication import FeedKind, FeedSettings, Metadata, Seal

FOLDERS: dict[FeedKind, str] = {
    "section": "sections",
    "author": "authors",
    "tag": "tags",
    "language": "languages",
}


_KINDS: dict[str, FeedKind] = {name: kind for kind, name in FOLDERS.items()}


def is_due(article: Metadata, now: datetime) -> bool:
    """Published is not in the future, not expired, neither a draft nor withdrawn."""
    ended = article.expires is not None and article.expires <= now
    return article.published <= now and not (ended or article.draft or article.withdrawn)


def is_expired(article: Metadata, now: datetime) -> bool:
    """Was due, and ended as its author had said: readers may keep it."""
    ended = article.expires is not None and article.expires <= now
    return ended and is_due(article, article.published)


def without_rivals(articles: Iterable[Metadata]) -> tuple[list[Metadata], list[Problem]]:
    """`articles` without those whose id or address another has.

    The earlier `published` wins, then the smaller path without its extension, whatever the file times: a
    copy never takes the place of its original. A draft never wins: it may have any date.
    """
    taken: dict[tuple[str, str], Metadata] = {}
    kept = []
    problems = []
    for article in sorted(articles, key=lambda one: (one.draft, one.published, _stem(one.path))):
        claims = claims_of(article)
        rival = next(((claim[0], taken[claim]) for claim in claims if claim in taken), None)
        if rival is None:
            taken.update(dict.fromkeys(claims, article))
            kept.append(article)
        else:
            problems.append(_rivalry(article, *rival))
    return kept, problems


def claims_of(article: Metadata) -> list[tuple[str, str]]:
    """What no other article may have: its id, and its address unless that lies elsewhere."""
    return [("id", article.id)] + ([] if article.page is None else [("address", article.url)])


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _rivalry(article: Metadata, what: str, rival: Metadata) -> Problem:
    value = article.id if what == "id" else article.url
    return problem(f"{what}-duplicate", article.path, value=value, other=rival.path)


def newest_first(articles: Iterable[Metadata]) -> list[Metadata]:
    """Newest `published` first, ties by id."""
    by_id = sorted(articles, key=attrgetter("id"))
    return sorted(by_id, key=attrgetter("published"), reverse=True)


def place(article: Metadata | Seal) -> tuple[float, str]:
    """What orders articles newest first: the place of an article, or of the end of an archive page."""
    return -article.published.timestamp(), article.id


def names_of(article: Metadata, settings: FeedSettings) -> Iterator[tuple[FeedKind, str]]:
    """What an article belongs to besides the publication, of the kinds that have feeds."""
    if settings.sections and article.section:
        yield "section", article.section
    if settings.authors:
        yield from (("author", author.name) for author in article.authors)
    if settings.tags:
        yield from (("tag", tag) for tag in article.tags)
    if settings.languages:
        yield "language", article.language


def folders_of(article: Metadata) -> tuple[str, ...]:
    """The folders of every feed that an article can be in, the publication's first."""
    named = (folder_of(kind, name) for kind, name in names_of(article, FeedSettings()))
    return ("", *dict.fromkeys(named))


@lru_cache(maxsize=20_000)
def folder_of(kind: FeedKind, name: str) -> str:
    """The folder of the feed of what is called `name`, percent-encoded."""
    return f"{FOLDERS[kind]}/{encoded(slug(name))}/"


def kind_of(folder: str) -> FeedKind:
    """The kind of the feed in `folder`."""
    return _KINDS.get(folder.partition("/")[0], "publication")
