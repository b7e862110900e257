"""The data that flows through the house: frozen, and without I/O.

Texts are XML-safe, addresses are absolute ASCII URLs, and moments are in UTC with whole seconds, from
the moment that they stand in one of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

FeedFormat = Literal["rss", "atom", "json"]
Direction = Literal["ltr", "rtl"]
FeedKind = Literal["publication", "section", "author", "tag", "language"]

_RTL_LANGUAGES = {"ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "syr", "ug", "ur", "yi"}
_RTL_SCRIPTS = {"adlm", "arab", "hebr", "mand", "nkoo", "rohg", "samr", "syrc", "thaa"}


def direction_of(language: str) -> Direction:
    """Of the script in which the language with the tag `language` is written."""
    primary, *subtags = language.lower().split("-")
    scripts = [subtag for subtag in subtags if len(subtag) == 4]
    rtl = scripts[0] in _RTL_SCRIPTS if scripts else primary in _RTL_LANGUAGES
    return "rtl" if rtl else "ltr"


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    url: str | None = None
    email: str | None = None

    def __reduce__(self) -> tuple[type[Author], tuple[Any, ...]]:
        """See `Metadata`."""
        return Author, (self.name, self.url, self.email)


@dataclass(frozen=True, slots=True)
class Image:
    """The picture of an article. `width` and `height` in pixels, `type` a MIME type."""

    url: str
    alt: str = ""
    caption: str = ""
    credit: str = ""
    width: int | None = None
    height: int | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A recording or a download. `length` in bytes, `duration` in seconds, `type` a MIME type."""

    url: str
    length: int
    type: str
    duration: int | None = None


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """The `[feeds]` table of `publication.toml`. `max_age` in seconds."""

    limit: int = 20
    archive_size: int = 30
    max_age: int = 1800
    formats: tuple[FeedFormat, ...] = ("rss", "atom", "json")
    sections: bool = True
    authors: bool = True
    tags: bool = True
    languages: bool = True


@dataclass(frozen=True, slots=True)
class Redirect:
    """What answers at a path that moved or is gone. `target` is None where `status` is 410."""

    path: str
    status: int
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """The outlet, as `publication.toml` describes it.

    `url` ends with a slash. `id` is the authority and date of minted ids (RFC 4151). `timezone` is a
    name in the tzdata package.
    """

    title: str
    description: str
    url: str
    id: str
    language: str = "en"
    timezone: str = "UTC"
    authors: tuple[Author, ...] = ()
    copyright: str = ""
    icon: str | None = None
    logo: str | None = None
    permalink: str = "/articles/{slug}/"
    hubs: tuple[str, ...] = ()
    feeds: FeedSettings = field(default_factory=FeedSettings)
    footer: str = ""
    article_pages: bool = True
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """What decides when an article is public, where it stands, and what feeds it is in.

    `path` is that of its file, below the content folder. `page` is the path of its page below the
    publication's address, percent-encoded, or None where it has none of ours.
    """

    path: str
    id: str
    url: str
    page: str | None
    title: str
    published: datetime
    updated: datetime
    authors: tuple[Author, ...]
    section: str | None
    tags: tuple[str, ...]
    language: str
    draft: bool
    expires: datetime | None
    withdrawn: str | None

    def __reduce__(self) -> tuple[type[Metadata], tuple[Any, ...]]:
        """Only metadata travel between processes; a dataclass left to itself costs five times as much."""
        return Metadata, _metadata(self)


_metadata: Callable[[Metadata], tuple[Any, ...]] = attrgetter(*Metadata.__slots__)


@dataclass(frozen=True, slots=True)
class Article(Metadata):
    """What an editor wrote, ready for any feed.

    `preface` (correction note and picture), `body` and `footer` are sanitised HTML.
    """

    summary: str = ""
    correction: str = ""
    preface: str = ""
    body: str = ""
    footer: str = ""
    rights: str = ""
    image: Image | None = None
    enclosure: Enclosure | None = None

    @property
    def metadata(self) -> Metadata:
        """What is kept of every article, without its text."""
        return Metadata(*_metadata(self))

    @property
    def direction(self) -> Direction:
        """Of the script in which the language is written."""
        return direction_of(self.language)

    @property
    def content(self) -> str:
        """The full HTML that a feed carries; it says its direction itself, because readers do not."""
        html = self.preface + self.body + self.footer
        return f'<div dir="rtl" lang="{self.language}">{html}</div>' if self.direction == "rtl" else html

    @property
    def byline(self) -> str:
        """The names of the authors as a person reads them: `A`, `A and B`, `A, B and C`."""
        names = [author.name for author in self.authors]
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An article that was published and is not any more (RFC 6721). `feeds` are the folders it was in."""

    id: str
    when: datetime
    feeds: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seal:
    """The end of archive page `number` of the feed in the folder `feed`: its newest article."""

    feed: str
    number: int
    published: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Feed:
    """Articles at one address, newest first, most of them in `language`.

    `folder` is "" for the publication, else such as `sections/culture/`, percent-encoded; `name` is the
    section, author, tag or language it is of, "" for the publication. Tombstones show in Atom alone.
    `page` is the number of an archive page, or None in the subscription document; `previous_page` that of
    the archive page before this document.
    """

    kind: FeedKind
    folder: str
    name: str
    title: str
    description: str
    language: str
    updated: datetime
    articles: tuple[Metadata, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    page: int | None = None
    previous_page: int | None = None
