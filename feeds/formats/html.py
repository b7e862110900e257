"""The pages for people: the start page, one for each feed and archive page, one for each article."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

import jinja2
from markupsafe import Markup

from feeds.addresses import FEED_FILES, archive_folder, below
from feeds.dates import EPOCH, in_words, rfc3339, zone
from feeds.formats import atom, jsonfeed, rss
from feeds.formats._metadata import news_article, open_graph
from feeds.publication import Article, Feed, FeedFormat, FeedKind, Publication, direction_of
from feeds.selection import folder_of, names_of

ASSETS = ("style.css", "copy.js")
"""What pages load besides pictures and recordings."""

FORMATS: dict[FeedFormat, tuple[str, str]] = {
    "rss": ("RSS", rss.MEDIA_TYPE),
    "atom": ("Atom", atom.MEDIA_TYPE),
    "json": ("JSON Feed", jsonfeed.MEDIA_TYPE),
}
GROUPS = {"section": "Sections", "author": "Authors", "tag": "Tags", "language": "Languages"}

_WORDS: dict[FeedKind, tuple[str, str]] = {
    "publication": ("Publication", ""),
    "section": ("Section", "in this section"),
    "author": ("Author", "by this author"),
    "tag": ("Tag", "with this tag"),
    "language": ("Language", "in this language"),
}
"""What a feed is of, and which articles are in it."""

_READERS = {
    "An app on this device": "feed:{address}",
    "Feedbin": "https://feedbin.com/?subscribe={quoted}",
    "Feedly": "https://feedly.com/i/subscription/feed/{quoted}",
    "Inoreader": "https://www.inoreader.com/?add_feed={quoted}",
    "NewsBlur": "https://www.newsblur.com/?url={quoted}",
    "The Old Reader": "https://theoldreader.com/feeds/subscribe?url={quoted}",
}
"""Where common readers take the address of a feed. Apps register the scheme `feed` (NetNewsWire, Reeder)."""

_TAG = re.compile(r'<(/?)(table|pre)((?: [^>"]*(?:"[^"]*"[^>"]*)*)?)>|<[^>"]*(?:"[^"]*"[^>"]*)*>')

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("feeds", "formats/templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
    auto_reload=False,
)
_templates.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
_templates.globals.update(archive_folder=archive_folder, direction_of=direction_of, rfc3339=rfc3339)


def start_page(feed: Feed, publication: Publication, feeds: bytes, entries: Iterable[bytes]) -> bytes:
    """Every feed of the publication, whose own is `feed`; `feeds` is what `feed_list` says of the others."""
    return _feed_page("start.html", publication, feed, entries, feeds=_marked_up([feeds]))


def feed_list(feeds: Iterable[Feed], publication: Publication) -> bytes:
    """The list of `feeds` on the start page."""
    groups: dict[str, list[Feed]] = {title: [] for title in GROUPS.values()}
    for feed in feeds:
        groups[GROUPS[feed.kind]].append(feed)
    base = urlsplit(publication.url).path
    return _rendered("feeds.html", publication, groups=groups, base=base) + b"\n"


def feed_page(feed: Feed, publication: Publication, entries: Iterable[bytes]) -> bytes:
    """What `feed` is, how to follow it, and what is in it: `entries` are what `entry` gives."""
    return _feed_page("feed.html", publication, feed, entries)


def archive_page(feed: Feed, publication: Publication, entries: Iterable[bytes]) -> bytes:
    """The articles of an archive page. As in feeds, it leads to the page before it, not to that after."""
    return _feed_page("archive.html", publication, feed, entries)


def entry(article: Article, publication: Publication) -> bytes:
    """The list item of `article` on the page of a feed."""
    return _rendered("entry.html", publication, article=article) + b"\n"


def article_page(article: Article, publication: Publication) -> bytes:
    """`article` for a person and for who shows a link to it; it leads to the feeds that it is in."""
    html = Markup(article.preface + _scrollable(article.body))  # noqa: S704 - sanitised when it was read
    publications = (publication.title, publication.description, publication.language)
    feed = Feed("publication", "", "", *publications, EPOCH)
    found = [(kind, name, folder_of(kind, name)) for kind, name in names_of(article, publication.feeds)]
    return _page(
        "article.html",
        publication,
        feed,
        article=article,
        html=html,
        feeds=[(kind, name, folder) for kind, name, folder in found if kind != "language"],
        authors={name: folder for kind, name, folder in found if kind == "author"},
        open_graph=list(open_graph(article, publication)),
        json_ld=news_article(article, publication),
    )


def asset(name: str) -> bytes:
    """The bytes of one of `ASSETS`."""
    return _templates.get_template(name).render().encode()


def _scrollable(html: str) -> str:
    """`html`, as the sanitiser writes it, with what may be wider than a phone reachable by keyboard."""

    def reachable(tag: re.Match[str]) -> str:
        end, name, attributes = tag.groups()
        if name == "pre":
            return tag[0] if end else f'<pre tabindex="0"{attributes}>'
        if name == "table":
            opening = f'<div class="wide" role="region" aria-label="Table" tabindex="0"><table{attributes}>'
            return "</table></div>" if end else opening
        return tag[0]

    return _TAG.sub(reachable, html) if "<table" in html or "<pre" in html else html


def _marked_up(entries: Iterable[bytes]) -> Markup:
    return Markup(b"".join(entries).decode())  # noqa: S704 - escaped by the template of an entry


def _feed_page(
    template: str, publication: Publication, feed: Feed, entries: Iterable[bytes], **values: Any
) -> bytes:
    folder = feed.folder if feed.page is None else archive_folder(feed.folder, feed.page)
    kind, about = _WORDS[feed.kind]
    preferred = next(name for name in FORMATS if name in publication.feeds.formats)
    address = below(publication.url, feed.folder + FEED_FILES[preferred])
    forms = {"address": address, "quoted": quote(address, safe="")}
    return _page(
        template,
        publication,
        feed,
        address=below(publication.url, folder),
        kind=kind,
        about=about,
        readers=[(reader, form.format_map(forms)) for reader, form in _READERS.items()],
        entries=_marked_up(entries),
        **values,
    )


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
        publication=publication, in_words=lambda moment: in_words(moment, local), **values
    )
    return page.encode()
