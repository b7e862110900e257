"""What readers show wrong of an article that can be published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape, unescape
from typing import Any
from urllib.parse import unquote, urlsplit

from feeds.located import Place
from feeds.markup import one_line
from feeds.problems import Position, Problem, problem
from feeds.publication import Article
from feeds.source.article import stem
from feeds.source.folder import MEDIA, suffix
from feeds.source.front_matter import Source
from feeds.source.media import MediaFolder

SMALL = 542, 304
"""Pixels: to so many Feedbin cuts the picture of an entry."""

_HTML = re.compile(r"<[A-Za-z/!][^<>]*>|&(?:#\w+|\w+);")
_HEADING = re.compile(r"\s*<h1[^>]*>(.*?)</h1>", re.DOTALL)
_TAG = re.compile("<[^>]*>")
_ADDRESSED = re.compile(r'<(?:a|audio|img|source|track|video) (?:[^">]|"[^"]*")*>')
_ATTRIBUTE = re.compile(r'(src|href|poster|alt)="([^"]*)"')
_DATA = re.compile(r"""(?:\]\(\s*|src\s*=\s*["']?)data:""", re.IGNORECASE)
_DECORATION = re.compile(r"""alt\s*=\s*(""|'')""", re.IGNORECASE)
_PATH = "a path such as /media/port.jpg"

Finding = tuple[str, Place | Position, dict[str, Any]]
"""The rule that is broken, where, and the words that it leaves open."""


def article_problems(article: Article, source: Source, media: MediaFolder) -> list[Problem]:
    """What to tell the author of `article`, whose file is `source`."""
    found = [
        *_of_dates(article),
        *_of_texts(article, source),
        *_of_names(article, source),
        *_of_picture(article, media),
        *_of_recording(article, media),
        *_of_body(article, source, media),
    ]
    return [
        problem(code, article.path, where, **values)
        if isinstance(where, Position)
        else source.metadata.problem(code, article.path, where, **values)
        for code, where, values in found
    ]


def _of_dates(article: Article) -> Iterator[Finding]:
    if article.published <= datetime.now(UTC) < article.updated:
        yield "updated-future", ("updated",), {}
    if article.expires and article.expires <= article.published:
        yield "expires-early", ("expires",), {}


def _of_texts(article: Article, source: Source) -> Iterator[Finding]:
    has_summary = bool(source.metadata.values.get("summary"))
    for key, text in (("title", article.title), ("summary", article.summary if has_summary else "")):
        if html := _HTML.search(text):
            yield "plain-text", (key,), {"key": key, "found": html[0]}
    if article.page and not article.draft and not has_summary and not source.body.strip():
        yield "text-missing", ("title",), {}
    heading = _HEADING.match(article.body)
    if heading and one_line(unescape(_TAG.sub("", heading[1]))).casefold() == article.title.casefold():
        yield "title-repeated", _first_line(source), {}


def _of_names(article: Article, source: Source) -> Iterator[Finding]:
    for key, names in (("section", [article.section or ""]), ("tags", article.tags)):
        for name in names:
            if "," in name:
                yield "tag-comma", (key,), {"key": key, "value": name}
    for key in {"author", "authors"} & source.metadata.values.keys():
        for author in article.authors:
            if "@" in author.name or author.name.lower().startswith("http"):
                yield "author-name", (key,), {"value": author.name}


def _of_picture(article: Article, media: MediaFolder) -> Iterator[Finding]:
    image = article.image
    if image is None:
        return
    if not image.alt and escape(image.url) not in article.body:
        what = "image: {url: …, alt: Two ferries at the quay}"
        yield "alt-missing", ("image",), {"what": "the picture of the article", "wanted": what}
    if image.width and image.height and (image.width < SMALL[0] or image.height < SMALL[1]):
        yield "image-small", ("image",), {"width": image.width, "height": image.height}
    if image.url.startswith("http://") and not image.url.startswith(media.site):
        yield "picture-insecure", ("image",), {"url": image.url}
    facts = media.facts(image.url)
    if facts is None and _is_ours(image.url, media):
        yield "media-missing", ("image",), {"path": _path(image.url, media)}
    for name in ("width", "height", "type") if facts else ():
        typed, real = getattr(image, name), getattr(facts, name)
        if typed and real and typed != real:
            yield "media-differs", ("image",), {"key": f"image.{name}", "typed": typed, "real": real}


def _of_recording(article: Article, media: MediaFolder) -> Iterator[Finding]:
    enclosure = article.enclosure
    if enclosure is None:
        return
    facts = media.facts(enclosure.url)
    if facts is None and _is_ours(enclosure.url, media):
        yield "media-missing", ("enclosure",), {"path": _path(enclosure.url, media)}
    for name in ("length", "type") if facts else ():
        typed, real = getattr(enclosure, name), getattr(facts, name)
        if real and typed != real:
            yield "media-differs", ("enclosure",), {"key": f"enclosure.{name}", "typed": typed, "real": real}


def _of_body(article: Article, source: Source, media: MediaFolder) -> Iterator[Finding]:
    body = article.body
    if "data:" in source.body and "data:" not in body and (data := _DATA.search(source.body)):
        yield "picture-data", _position(source, data.start()), {}
    tags = _ADDRESSED.findall(body)
    for picture in (tag for tag in tags if tag.startswith("<img")):
        attributes = dict(_ATTRIBUTE.findall(picture))
        url = unescape(attributes.get("src", ""))
        if not attributes.get("alt") and not _DECORATION.search(source.body):
            what = '![Two ferries at the quay](…), or alt="" in HTML if it is mere decoration'
            yield "alt-missing", _where(source, url), {"what": f"the picture {url}", "wanted": what}
        if url.startswith("http://") and not url.startswith(media.site):
            yield "picture-insecure", _where(source, url), {"url": url}
    for name, value in dict.fromkeys(_ATTRIBUTE.findall("".join(tags))):
        url = unescape(value)
        if name == "alt" or not url.startswith(media.site):
            continue
        path = urlsplit(url).path
        if _is_ours(url, media):
            if media.facts(url) is None and (article.image is None or url != article.image.url):
                yield "media-missing", _where(source, url), {"path": _path(url, media)}
        elif name == "href" and suffix(path) == ".md":
            wanted = f"/articles/{stem(path).rpartition('/')[2]}/"
            yield "link-to-source", _where(source, url), {"url": url, "wanted": wanted}


def _is_ours(url: str, media: MediaFolder) -> bool:
    return url.startswith(f"{media.site}{MEDIA}/")


def _path(url: str, media: MediaFolder) -> str:
    return unquote(url.removeprefix(media.site))


def _first_line(source: Source) -> Position:
    return _position(source, len(source.body) - len(source.body.lstrip()))


def _where(source: Source, url: str) -> Position:
    """Where the text names `url`, which was made absolute since, or the line on which the text begins."""
    for name in (url, unquote(urlsplit(url).path), unquote(url.rpartition("/")[2])):
        if name and (at := source.body.find(name)) >= 0:
            return _position(source, at)
    return Position(source.body_line)


def _position(source: Source, offset: int) -> Position:
    before = source.body[:offset]
    return Position(source.body_line + before.count("\n"), offset - before.rfind("\n"))
