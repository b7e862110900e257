"""The pages for people: the start page, one for each feed, one for each article."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from feeds.addresses import FEED_FILES, below
from feeds.dates import EPOCH, in_words, rfc3339, zone
from feeds.formats import atom, jsonfeed, rss
from feeds.publication import Article, Feed, FeedFormat, Publication

FORMATS: dict[FeedFormat, tuple[str, str]] = {
    "rss": ("RSS", rss.MEDIA_TYPE),
    "atom": ("Atom", atom.MEDIA_TYPE),
    "json": ("JSON Feed", jsonfeed.MEDIA_TYPE),
}
GROUPS = {"section": "Sections", "author": "Authors", "tag": "Tags", "language": "Languages"}

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("feeds", "formats/templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
    auto_reload=False,
)


def start_page(feed: Feed, publication: Publication, feeds: bytes, entries: Iterable[bytes]) -> bytes:
    """Every feed of the publication, whose own is `feed`; `feeds` is what `feed_list` says of the others."""
    return _page("start.html", publication, feed, feeds=_marked_up([feeds]), entries=_marked_up(entries))


def feed_list(feeds: Iterable[Feed], publication: Publication) -> bytes:
    """The list of `feeds` on the start page."""
    groups: dict[str, list[Feed]] = {title: [] for title in GROUPS.values()}
    for feed in feeds:
        groups[GROUPS[feed.kind]].append(feed)
    base = urlsplit(publication.url).path
    formats = [(FORMATS[name], FEED_FILES[name]) for name in FORMATS if name in publication.feeds.formats]
    return _rendered("feeds.html", publication, groups=groups, base=base, formats=formats) + b"\n"


def feed_page(feed: Feed, publication: Publication, entries: Iterable[bytes]) -> bytes:
    """What `feed` is, its addresses, and what is in it: `entries` are what `entry` gives for its articles."""
    return _page("feed.html", publication, feed, entries=_marked_up(entries))


def entry(article: Article, publication: Publication) -> bytes:
    """The list item of `article` on the page of a feed."""
    return _rendered("entry.html", publication, article=article) + b"\n"


def article_page(article: Article, publication: Publication) -> bytes:
    """`article` for a person; it leads to the publication's feeds."""
    html = Markup(article.preface + article.body)  # noqa: S704 - sanitised when it was read
    publications = (publication.title, publication.description, publication.language)
    feed = Feed("publication", "", "", *publications, EPOCH)
    return _page("article.html", publication, feed, article=article, html=html)


def stylesheet() -> bytes:
    """The style of every page."""
    return _templates.get_template("style.css").render().encode()


def _marked_up(entries: Iterable[bytes]) -> Markup:
    return Markup(b"".join(entries).decode())  # noqa: S704 - escaped by the template of an entry


def _page(template: str, publication: Publication, feed: Feed, **values: Any) -> bytes:
    formats = [
        (label, media_type, FEED_FILES[name], below(publication.url, feed.folder + FEED_FILES[name]))
        for name, (label, media_type) in FORMATS.items()
        if name in publication.feeds.formats
    ]
    base = urlsplit(publication.url).path
    return _rendered(template, publication, feed=feed, base=base, formats=formats, **values)


def _rendered(template: str, publication: Publication, **values: Any) -> bytes:
    local = zone(publication.timezone)
    page = _templates.get_template(template).render(
        publication=publication,
        in_words=lambda moment: in_words(moment, local),
        rfc3339=rfc3339,
        **values,
    )
    return page.encode()
