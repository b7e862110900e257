"""Every article there is, which of them are public, and the feeds that they are in, newest first.

It is kept from change to change, so that a save costs what it touches, however many articles there are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heappop, heappush
from itertools import chain, islice
from urllib.parse import unquote

from feeds.addresses import below
from feeds.archive import articles_in_page, is_archived, unsealed
from feeds.dates import EPOCH
from feeds.ledger import Ledger
from feeds.problems import Problem
from feeds.publication import Feed, FeedKind, Metadata, Publication
from feeds.selection import (
    claims_of,
    folder_of,
    folders_of,
    is_due,
    kind_of,
    names_of,
    newest_first,
    place,
    without_rivals,
)

_MANY = 64
"""Articles at once for which sorting anew is cheaper than putting each in its place."""

KINDS: tuple[FeedKind, ...] = ("publication", "section", "author", "tag", "language")
"""The order in which feeds are asked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an article was to the public before a look, and what it is after it."""

    before: Metadata | None
    after: Metadata | None


@dataclass(frozen=True, slots=True)
class Update:
    """The articles that changed, and the folders of feeds that they were in or are in.

    `renamed` are folders of feeds that go by another spelling now.
    """

    changes: Sequence[Change]
    folders: set[str]
    renamed: set[str]


@dataclass(slots=True)
class Members:
    """The public articles of a feed, newest first; those that were corrected, the newest update first."""

    articles: list[Metadata] = field(default_factory=list)
    corrected: list[Metadata] = field(default_factory=list)
    spellings: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """The spelling used most, ties by code point."""
        return min(self.spellings, key=lambda name: (-self.spellings[name], name), default="")

    def replace(self, gone: Iterable[Metadata], new: Sequence[Metadata]) -> None:
        """`new` are newest first."""
        for article in gone:
            del self.articles[bisect_left(self.articles, place(article), key=place)]
            if article.updated != article.published:
                del self.corrected[bisect_left(self.corrected, _update_place(article), key=_update_place)]
        corrected = [article for article in new if article.updated != article.published]
        if len(new) > _MANY:
            self.articles = newest_first([*self.articles, *new]) if self.articles else list(new)
            self.corrected = sorted([*self.corrected, *corrected], key=_update_place)
            return
        for article in new:
            insort(self.articles, article, key=place)
        for article in corrected:
            insort(self.corrected, article, key=_update_place)


def _update_place(article: Metadata) -> tuple[float, str]:
    return -article.updated.timestamp(), article.id


class Catalogue:
    """The articles of `publication`. `articles` by path of their files, `public` by id.

    `unusable` are paths of articles whose text cannot be shown: they are passed over.
    """

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        self.articles: dict[str, Metadata] = {}
        self.public: dict[str, Metadata] = {}
        self.rivalries: dict[str, Problem] = {}
        self.unusable: set[str] = set()
        self._holders: dict[str, dict[str, tuple[str, ...]]] = {"id": {}, "address": {}}
        self._ending: set[str] = set()
        self._moments: list[tuple[datetime, str]] = []
        self._members: defaultdict[str, Members] = defaultdict(Members)
        self._languages: Counter[str] = Counter()
        self._folders: list[str] | None = None

    # Articles

    def shown(self, path: str) -> Metadata | None:
        """The article in the file `path` if it is public."""
        article = self.articles.get(path)
        return article if article and self.public.get(article.id) is article else None

    def with_id(self, id_: str) -> Metadata | None:
        """The article with that id, public or not."""
        paths = self._holders["id"].get(id_, ())
        return next((self.articles[path] for path in paths if path not in self.rivalries), None)

    def has_page(self, page: str) -> bool:
        """Whether a public article has its page there."""
        paths = self._holders["address"].get(below(self.publication.url, page), ())
        return any(self.shown(path) for path in paths)

    def ended(self) -> Iterator[Metadata]:
        """The articles that are withdrawn, or have a moment at which they expire."""
        return (self.articles[path] for path in self._ending)

    def next_due(self) -> datetime | None:
        """The first moment after the last update at which an article becomes public or ends."""
        while self._moments:
            moment, path = self._moments[0]
            article = self.articles.get(path)
            if article and moment in (article.published, article.expires):
                return moment
            heappop(self._moments)
        return None

    def load(self, articles: Iterable[tuple[Metadata, bool]]) -> None:
        """Takes articles as a catalogue had them before: with each, whether it was public."""
        rivals: set[str] = set()
        public = []
        for article, is_public in articles:
            rivals |= self._put(article.path, article, article.published if is_public else EPOCH)
            if is_public:
                self.public[article.id] = article
                public.append(article)
        self._settle_rivals(self._with_their_rivals(rivals))
        self._rearranged([Change(None, article) for article in public])

    def update(self, changed: Mapping[str, Metadata | None], now: datetime) -> Update:
        """Takes what is in the files `changed` now, and what time has done to the others."""
        before = {path: article for path in changed if (article := self.shown(path))}
        rivals: set[str] = set()
        for path, article in changed.items():
            if article is not None and article == self.articles.get(path):
                self._take_in(path)
            else:
                rivals |= self._put(path, article, now)
        rivals = self._with_their_rivals(rivals & self.articles.keys())
        touched = changed.keys() | rivals | self._turned(now)
        before |= {path: article for path in touched - changed.keys() if (article := self.shown(path))}
        self._settle_rivals(rivals)
        out = {article.id: article for article in before.values()}
        after = {path: article for path in touched if (article := self._due(path, out, now))}
        for article in before.values():
            if self.public.get(article.id) is article:
                del self.public[article.id]
        self.public.update((article.id, article) for article in after.values())
        return self._rearranged(
            [
                Change(before.get(path), after.get(path))
                for path in before | after
                if path in changed or before.get(path) is not after.get(path)
            ]
        )

    def _due(self, path: str, out: Mapping[str, Metadata], now: datetime) -> Metadata | None:
        """The clock may have been set back: what was out stays out."""
        article = self.articles.get(path)
        if article is None or path in self.rivalries:
            return None
        was = out.get(article.id)
        still = was is not None and was.published == article.published
        return article if is_due(article, max(now, article.published) if still else now) else None

    def _turned(self, now: datetime) -> set[str]:
        """The articles for which a moment has come."""
        turned = set()
        while self._moments and self._moments[0][0] <= now:
            turned.add(heappop(self._moments)[1])
        return turned & self.articles.keys()

    def _put(self, path: str, article: Metadata | None, now: datetime) -> set[str]:
        """Gives the paths that claim what this one claims or claimed."""
        rivals: set[str] = set()
        if old := self.articles.pop(path, None):
            for kind, value in claims_of(old):
                left = tuple(holder for holder in self._holders[kind].pop(value) if holder != path)
                if left:
                    self._holders[kind][value] = left
                    rivals.update(left)
        self.rivalries.pop(path, None)
        self._take_in(path)
        self._ending.discard(path)
        if article is None:
            return rivals
        self.articles[path] = article
        for kind, value in claims_of(article):
            others = self._holders[kind].get(value, ())
            self._holders[kind][value] = (*others, path)
            rivals.update((*others, path) if others else ())
        if article.expires or article.withdrawn:
            self._ending.add(path)
        never = article.draft or article.withdrawn or not is_due(article, article.published)
        for moment in (article.published, article.expires):
            if moment and moment > now and not never:
                heappush(self._moments, (moment, path))
        return rivals

    def _take_in(self, path: str) -> None:
        """Its text may be another: it is passed over no longer."""
        if path in self.unusable:
            self.unusable.discard(path)
            self._folders = None

    def _with_their_rivals(self, paths: set[str]) -> set[str]:
        """Who loses to one article takes nothing from a third, so all of them are settled together."""
        found: set[str] = set()
        while paths:
            found |= paths
            claims = [claim for path in paths for claim in claims_of(self.articles[path])]
            paths = {holder for kind, value in claims for holder in self._holders[kind][value]} - found
        return found

    def _settle_rivals(self, paths: Iterable[str]) -> None:
        articles = [self.articles[path] for path in paths]
        _, problems = without_rivals(articles)
        for article in articles:
            self.rivalries.pop(article.path, None)
        self.rivalries |= {problem.path: problem for problem in problems}

    # Feeds

    def _rearranged(self, changes: Sequence[Change]) -> Update:
        gone: defaultdict[str, list[Metadata]] = defaultdict(list)
        new: defaultdict[str, list[Metadata]] = defaultdict(list)
        spelled: defaultdict[str, Counter[str]] = defaultdict(Counter)
        languages = len(self._languages)
        moved = [change for change in changes if change.before is not change.after]
        for articles, folders, step in (
            ([change.before for change in moved if change.before], gone, -1),
            (newest_first(change.after for change in moved if change.after), new, 1),
        ):
            for article in articles:
                folders[""].append(article)
                for kind, name in names_of(article, self.publication.feeds):
                    folder = folder_of(kind, name)
                    spelled[folder][name] += step
                    in_feed = folders[folder]
                    if not in_feed or in_feed[-1] is not article:  # two of its tags may share a slug
                        in_feed.append(article)
                _count(self._languages, article.language, step)
        renamed = set()
        for folder in gone.keys() | new.keys():
            members = self._members[folder]
            name = members.name
            members.replace(gone[folder], new[folder])
            for spelling, step in spelled[folder].items():
                _count(members.spellings, spelling, step)
            if members.name != name:
                renamed.add(folder)
            if not members.articles and folder:
                del self._members[folder]
        stayed = (change.after for change in changes if change.after and change.before is change.after)
        around = chain.from_iterable(map(folders_of, stayed))
        touched = {*gone, *new, *filter(self._members.__contains__, around)}
        if (languages > 1) != (len(self._languages) > 1):
            touched |= {folder for folder in self._members if kind_of(folder) == "language"}
        if renamed or (languages > 1) != (len(self._languages) > 1):
            self._folders = None
        return Update(changes, touched, renamed)

    def folders(self) -> list[str]:
        """The folders of all feeds, in the order in which they are asked for; another list if they change."""
        if self._folders is None:
            self._folders = in_order({"", *(folder for folder in self._members if self._has_feed(folder))})
        return self._folders

    def pass_over(self, path: str) -> None:
        """The text of that article cannot be shown."""
        self.unusable.add(path)
        self._folders = None

    def members(self, folder: str) -> Sequence[Metadata]:
        """The public articles of the feed in `folder`, newest first."""
        return self._members[folder].articles if folder in self._members else []

    def _has_feed(self, folder: str) -> bool:
        several = kind_of(folder) != "language" or len(self._languages) > 1
        return several and any(article.path not in self.unusable for article in self.members(folder))

    def feed(self, folder: str, ledger: Ledger) -> Feed | None:
        """The subscription document in `folder`, if there is one.

        With an archive it holds what is in no page yet and what was corrected since, else the newest `limit`.
        """
        if folder and not self._has_feed(folder):
            return None
        settings, kind = self.publication.feeds, kind_of(folder)
        seals = ledger.seals.get(folder, ()) if is_archived(kind, settings) else ()
        members = self.members(folder)
        usable = (article for article in members if article.path not in self.unusable)
        if is_archived(kind, settings):
            last = unsealed(members, seals)
            regular = [article for article in members[:last] if article.path not in self.unusable]
            corrected = self._corrections(folder, regular, set(map(id, members[:last])))
        else:
            regular, corrected = list(islice(usable, settings.limit)), []
        since = regular[-1].published if regular else EPOCH
        tombstones = tuple(islice(ledger.tombstones_since(since, folder), settings.limit))
        dates = [article.updated for article in (*regular, *corrected)] + [one.when for one in tombstones]
        return replace(
            self.head(folder),
            updated=max(dates, default=EPOCH),
            articles=tuple(newest_first([*regular, *corrected])),
            tombstones=tombstones,
            previous_page=len(seals) or None,
        )

    def _corrections(self, folder: str, regular: Sequence[Metadata], shown: set[int]) -> list[Metadata]:
        """Sealed articles that were updated since the oldest one shown was published: at most `limit`."""
        found: list[Metadata] = []
        for article in self._members[folder].corrected if folder in self._members else ():
            if (regular and article.updated <= regular[-1].published) or len(
                found
            ) == self.publication.feeds.limit:
                break
            if id(article) not in shown and article.path not in self.unusable:
                found.append(article)
        return found

    def archive_page(self, folder: str, page: int, ledger: Ledger) -> Feed | None:
        """The archive page with that number, if there is one."""
        seals = ledger.seals.get(folder, ())
        if page > len(seals) or (folder and not self._has_feed(folder)):
            return None
        inside = articles_in_page(self.members(folder), seals, page)
        articles = tuple(article for article in inside if article.path not in self.unusable)
        return replace(
            self.head(folder),
            updated=max((article.updated for article in articles), default=seals[page - 1].published),
            articles=articles,
            page=page,
            previous_page=page - 1 or None,
        )

    def head(self, folder: str) -> Feed:
        """What the feed in `folder` is, without what is in it."""
        publication, kind = self.publication, kind_of(folder)
        name = self._members[folder].name if folder in self._members else ""
        return Feed(
            kind=kind,
            folder=folder,
            name=name,
            title=f"{publication.title}: {name}" if name else publication.title,
            description=f"{publication.description} ({name})" if name else publication.description,
            language=name if kind == "language" else publication.language,
            updated=EPOCH,
        )


def _count(counter: Counter[str], name: str, step: int) -> None:
    counter[name] += step
    if not counter[name]:
        del counter[name]


def in_order(folders: Iterable[str]) -> list[str]:
    """`folders` in the order in which their feeds are asked for."""
    return sorted(folders, key=lambda folder: (KINDS.index(kind_of(folder)), unquote(folder)))
