"""Which articles are public at a moment, and which feeds they are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath
from types import MappingProxyType

from feeds.addresses import encoded, slug
from feeds.archive import corrections, is_archived, is_within, unsealed_of
from feeds.dates import EPOCH
from feeds.problems import Position, Problem
from feeds.publication import Article, Feed, FeedKind, FeedSettings, Publication, Seal, Tombstone

FOLDERS: dict[FeedKind, str] = {
    "section": "sections",
    "author": "authors",
    "tag": "tags",
    "language": "languages",
}


def is_due(article: Article, now: datetime) -> bool:
    """Published is not in the future, not expired, neither a draft nor withdrawn."""
    ended = article.expires is not None and article.expires <= now
    return article.published <= now and not (ended or article.draft or article.withdrawn)


def next_due(articles: Iterable[Article], now: datetime) -> datetime | None:
    """The next moment after `now` at which `is_due` changes for one of `articles`."""
    moments = (
        moment
        for article in articles
        for moment in (article.published, article.expires)
        if moment and moment > now and is_due(article, moment) != is_due(article, now)
    )
    return min(moments, default=None)


def without_rivals(articles: Iterable[Article]) -> tuple[list[Article], list[Problem]]:
    """`articles` without those whose id or address another has.

    The earlier `published` wins, then the smaller path without its extension, whatever the file times: a
    copy never takes the place of its original. A draft never wins: it may have any date.
    """
    taken: dict[tuple[str, str], Article] = {}
    kept = []
    problems = []
    for article in sorted(articles, key=lambda one: (one.draft, one.published, _stem(one.path))):
        claims = [("id", article.id)] + ([] if article.page is None else [("address", article.url)])
        rival = next(((claim[0], taken[claim]) for claim in claims if claim in taken), None)
        if rival is None:
            taken.update(dict.fromkeys(claims, article))
            kept.append(article)
        else:
            problems.append(_rivalry(article, *rival))
    return kept, problems


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _rivalry(article: Article, what: str, rival: Article) -> Problem:
    value = article.id if what == "id" else article.url
    message = f"the {what} {value} is that of {rival.path} already"
    hint = "write another id" if what == "id" else "write another slug"
    return Problem(article.path, Position(), "error", f"{what}-duplicate", message, hint)


def newest_first(articles: Iterable[Article]) -> list[Article]:
    """Newest `published` first, ties by id."""
    by_id = sorted(articles, key=lambda article: article.id)
    return sorted(by_id, key=lambda article: article.published, reverse=True)


def feeds_of(
    publication: Publication,
    due: Iterable[Article],
    tombstones: Iterable[Tombstone] = (),
    seals: Mapping[str, tuple[Seal, ...]] = MappingProxyType({}),
) -> list[Feed]:
    """Every feed of the publication, in the order in which they are built.

    `due` are the public articles. A section, author, tag or language has a feed while it has one of them;
    languages only when there are several.
    """
    articles = newest_first(due)
    settings = publication.feeds
    feeds = [_feed(publication, "publication", "", "", articles)]
    if settings.sections:
        feeds += _named(publication, "section", articles, lambda article: filter(None, [article.section]))
    if settings.authors:
        feeds += _named(publication, "author", articles, lambda article: (a.name for a in article.authors))
    if settings.tags:
        feeds += _named(publication, "tag", articles, lambda article: article.tags)
    if settings.languages and len({article.language for article in articles}) > 1:
        feeds += _named(publication, "language", articles, lambda article: [article.language])
    shown = (_subscription(replace(feed, seals=seals.get(feed.folder, ())), settings) for feed in feeds)
    return [_with_tombstones(feed, settings.limit, tombstones) for feed in shown]


def _subscription(feed: Feed, settings: FeedSettings) -> Feed:
    """With an archive, what is in no page yet and what was corrected since; else the newest `limit`."""
    if is_archived(feed.kind, settings):
        shown = unsealed_of(feed.members, feed.seals)
        shown = newest_first([*shown, *corrections(feed.members, shown, settings.limit)])
    else:
        feed = replace(feed, seals=())
        shown = list(feed.members[: settings.limit])
    updated = max((article.updated for article in shown), default=EPOCH)
    return replace(feed, articles=tuple(shown), updated=updated)


def _with_tombstones(feed: Feed, limit: int, tombstones: Iterable[Tombstone]) -> Feed:
    """Adds the newest `limit` removals since the oldest article shown: no clock is involved."""
    regular = [one for one in feed.articles if not (feed.seals and is_within(one, feed.seals[-1]))]
    since = regular[-1].published if regular else EPOCH
    shown = sorted(
        (one for one in tombstones if feed.folder in one.feeds and one.when > since),
        key=lambda one: (one.when, one.id),
        reverse=True,
    )[:limit]
    updated = max([feed.updated, *(one.when for one in shown)])
    return replace(feed, tombstones=tuple(shown), updated=updated)


def folders_of(article: Article) -> tuple[str, ...]:
    """The folders of every feed that an article can be in, the publication's first."""
    named: list[tuple[FeedKind, str]] = [("section", article.section)] if article.section else []
    named += [("author", author.name) for author in article.authors]
    named += [("tag", tag) for tag in article.tags]
    named += [("language", article.language)]
    return ("", *dict.fromkeys(_folder(kind, slug(name)) for kind, name in named))


def _folder(kind: FeedKind, key: str) -> str:
    return f"{FOLDERS[kind]}/{encoded(key)}/" if key else ""


def _named(
    publication: Publication,
    kind: FeedKind,
    articles: Sequence[Article],
    names_of: Callable[[Article], Iterable[str]],
) -> list[Feed]:
    """A feed for each slug among the names, labelled with the spelling used most, ties by code point."""
    members: dict[str, dict[str, Article]] = {}
    spellings: dict[str, Counter[str]] = {}
    for article in articles:
        for name in names_of(article):
            key = slug(name)
            members.setdefault(key, {})[article.id] = article
            spellings.setdefault(key, Counter())[name] += 1
    labels = {key: min(counts, key=lambda name: (-counts[name], name)) for key, counts in spellings.items()}
    return [
        _feed(publication, kind, key, labels[key], list(members[key].values())) for key in sorted(members)
    ]


def _feed(publication: Publication, kind: FeedKind, key: str, name: str, articles: Sequence[Article]) -> Feed:
    return Feed(
        kind=kind,
        folder=_folder(kind, key),
        name=name,
        title=f"{publication.title}: {name}" if name else publication.title,
        description=f"{publication.description} ({name})" if name else publication.description,
        updated=EPOCH,
        articles=(),
        members=tuple(articles),
    )
