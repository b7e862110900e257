"""The pages for people: the start page, one for each feed, one for each article."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from feeds.addresses import FEED_FILES, below
from feeds.dates import in_words, rfc3339, zone
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
)


def start_page(feeds: Iterable[Feed], publication: Publication) -> bytes:
    """Every feed of the publication, and the newest articles."""
    first, *others = feeds
    groups = {title: [feed for feed in others if feed.kind == kind] for kind, title in GROUPS.items()}
    return _render("start.html", publication, first, groups=groups)


def feed_page(feed: Feed, publication: Publication) -> bytes:
    """What `feed` is, its addresses, and what is in it."""
    return _render("feed.html", publication, feed)


def article_page(article: Article, publication: Publication, feed: Feed) -> bytes:
    """`article` for a person; `feed` is the one that the page leads to."""
    html = Markup(article.preface + article.body)  # noqa: S704 - sanitised when it was read
    return _render("article.html", publication, feed, article=article, html=html)


def stylesheet() -> bytes:
    """The style of every page."""
    return _templates.get_template("style.css").render().encode()


def _render(template: str, publication: Publication, feed: Feed, **values: Any) -> bytes:
    local = zone(publication.timezone)
    page = _templates.get_template(template).render(
        publication=publication,
        feed=feed,
        base=urlsplit(publication.url).path,
        formats=[
            (label, media_type, FEED_FILES[name], below(publication.url, feed.folder + FEED_FILES[name]))
            for name, (label, media_type) in FORMATS.items()
            if name in publication.feeds.formats
        ],
        in_words=lambda moment: in_words(moment, local),
        rfc3339=rfc3339,
        **values,
    )
    return page.encode()
