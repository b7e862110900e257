"""One author file -> one Article."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote, unquote

from feeds import dates, markup, shapes
from feeds.addresses import (
    FEED_FILES,
    STRAY_PERCENT,
    AddressError,
    absolute,
    ascii_id,
    below,
    is_slug,
    mixed_hosts,
    slug,
    web_url,
)
from feeds.located import Located, Place
from feeds.problems import ContentError, Position, Problem, problem
from feeds.publication import Article, Author, Enclosure, Image, Metadata, Publication
from feeds.source.fields import (
    MAX_ID,
    MAX_TITLE,
    ArticleFields,
    AuthorFields,
    EnclosureFields,
    Fields,
    ImageFields,
)
from feeds.source.folder import MEDIA
from feeds.source.front_matter import Source, read_source
from feeds.source.media import MediaFolder
from feeds.typed import check, did_you_mean, known_names, spellings, wanted

LANGUAGE_TAG = re.compile(shapes.LANGUAGE_TAG)

MAX_NAME = 240
"""Bytes of a file name, so that its encoded forms fit too."""

_FAR = timedelta(days=3653)

RESERVED = {
    *("sections", "authors", "tags", "languages", "archive", MEDIA),
    *FEED_FILES.values(),
    *("index.html", "feeds.opml", "serving.json", "routes.json"),
    *("style.css", "copy.js", "favicon.ico", "robots.txt"),
    *("health", "ready"),
}
"""What the path of an article's page may not begin with: files, folders and answers of other kinds."""

_FORMS = (".gz", ".br")

_NO_SECTION = "articles"
_MODELS: dict[str, type[Fields]] = {
    "image": ImageFields,
    "enclosure": EnclosureFields,
    "author": AuthorFields,
    "authors": AuthorFields,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a file: an article, unless one of the `problems` is an error.

    `metadata` are there also where the text alone cannot be used, or was not read. `has_own_id`: the file
    names its id. `source` is what the article was read from.
    """

    path: str
    article: Article | None
    problems: tuple[Problem, ...]
    metadata: Metadata | None = None
    has_own_id: bool = False
    source: Source | None = None


def read_article(
    path: str,
    data: bytes,
    publication: Publication,
    media: MediaFolder,
    kept_id: str | None = None,
    with_text: bool = True,
) -> Reading:
    """The article in the file `path`, whose bytes are `data`. Never raises for what an author can write.

    `kept_id` is the id that the file has by the ledger, if it does not name one itself. Without its text an
    article is read ten times as fast: enough to know where it belongs.
    """
    try:
        source = read_source(path, data, with_text)
    except ContentError as error:
        return Reading(path, None, error.problems)
    clock_changes: list[tuple[str, str]] = []
    context = {"zone": dates.zone(publication.timezone), "warnings": clock_changes}
    fields, errors = check(ArticleFields, source.metadata, path, context)
    problems = [*source.problems, *errors, *_metadata_warnings(path, source.metadata)]
    article = metadata = None
    if fields is not None:
        reader = _ArticleReader(path, source, fields, publication, media, kept_id, problems)
        for field_name, message in clock_changes:
            place = reader.date_key(field_name)
            reader.report("date-clock-change", place, key=place[0], said=message)
        article = reader.article()
        if not any(problem.level == "error" for problem in problems):
            metadata = article.metadata
            article = reader.with_text(article) if with_text else None
    if any(problem.level == "error" for problem in problems):
        article = None
    own = fields is not None and fields.id is not None
    return Reading(path, article, tuple(sorted(problems)), metadata, own, source)


def _metadata_warnings(path: str, metadata: Located) -> Iterator[Problem]:
    for position, code, words in metadata.warnings:
        yield problem(code, path, position, **words)
    for place, values, model in _tables(metadata.values):
        for code, words in _faults_of_keys(tuple(values), model):
            yield metadata.problem(code, path, (*place, words["key"]), **words)


@lru_cache(maxsize=100)  # most articles of a publication have the same keys
def _faults_of_keys(keys: tuple[str, ...], model: type[Fields]) -> list[tuple[str, dict[str, str]]]:
    return [*_unknown(keys, model), *_repeated(keys, model)]


def _unknown(keys: tuple[str, ...], model: type[Fields]) -> Iterator[tuple[str, dict[str, str]]]:
    known = known_names(model)
    for key in keys:
        if key not in known:
            yield "key-unknown", {"key": key, "better": did_you_mean(key, known)}


def _repeated(keys: tuple[str, ...], model: type[Fields]) -> Iterator[tuple[str, dict[str, str]]]:
    for names in spellings(model):
        counts, *ignored = [name for name in names if name in keys] or [""]
        for key in ignored:
            yield "key-repeated", {"key": key, "counts": counts}


def _tables(values: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any], type[Fields]]]:
    """Where keys stand in the metadata, and what they should be of."""
    yield (), values, ArticleFields
    for name, model in _MODELS.items():
        value = values.get(name)
        if isinstance(value, dict):
            yield (name,), value, model
        elif isinstance(value, list):
            yield from (((name, at), item, model) for at, item in enumerate(value) if isinstance(item, dict))


class _ArticleReader:
    """Turns checked fields into an Article, adding to `problems` what is wrong with a value."""

    def __init__(
        self,
        path: str,
        source: Source,
        fields: ArticleFields,
        publication: Publication,
        media: MediaFolder,
        kept_id: str | None,
        problems: list[Problem],
    ) -> None:
        self.path = path
        self.source = source
        self.fields = fields
        self.publication = publication
        self.media = media
        self.kept_id = kept_id
        self.problems = problems

    def report(self, code: str, place: Place, **values: Any) -> None:
        self.problems.append(self.source.metadata.problem(code, self.path, place, **values))

    def date_key(self, name: str) -> Place:
        """Where the date stands that the field `name` is read from."""
        return (name if name in self.source.metadata.values else "date",)

    def article(self) -> Article:
        fields, publication = self.fields, self.publication
        if fields.published - datetime.now(UTC) > _FAR:
            self.report("date-far", self.date_key("published"), year=fields.published.year)
        page = self.page()
        url = fields.link or below(publication.url, page)
        return Article(
            path=self.path,
            id=ascii_id(fields.id) if fields.id else self.kept_id or minted_id(publication.id, self.path),
            url=url,
            page=page if publication.article_pages and not fields.link else None,
            title=self.title(),
            published=fields.published,
            updated=self.updated(),
            authors=self.authors(),
            section=fields.section,
            tags=self.tags(),
            language=self.language(),
            rights=fields.rights or "",
            image=self.image(url),
            enclosure=self.enclosure(url),
            draft=fields.draft or False,
            expires=fields.expires,
            withdrawn=fields.withdrawn,
        )

    def with_text(self, article: Article) -> Article:
        try:
            body = self.body(article)
            footer = self.footer(article)
        except markup.MarkupError as error:
            here = Position(self.source.body_line)
            self.problems.append(problem("body-too-complex", self.path, here, said=error))
            return article
        summary = self.fields.summary or markup.shortened(body.first_paragraph)
        image = article.image if article.image and article.image.url not in body.images else None
        correction = self.fields.correction
        return replace(
            article,
            summary=summary,
            correction=correction or "",
            preface=(markup.correction_note(correction) if correction else "")
            + (markup.figure(image) if image else ""),
            body=body.html or markup.paragraph(summary or article.title),
            footer=footer,
        )

    def body(self, article: Article) -> markup.Markup:
        syntax: markup.Syntax = "html" if self.path.endswith(".html") else "markdown"
        text = self.source.body
        rendered = markup.render(text, syntax, article.url, self.publication.url, article.id)
        for name in rendered.removed:
            found_at = re.search(f"<{name}", text, re.IGNORECASE)
            before = text[: found_at.start() if found_at else 0]
            here = Position(self.source.body_line + before.count("\n"), len(before) - before.rfind("\n"))
            self.problems.append(problem("markup-removed", self.path, here, name=name))
        for offset, host in mixed_hosts(text):
            here = Position(
                self.source.body_line + text.count("\n", 0, offset), offset - text.rfind("\n", 0, offset)
            )
            self.problems.append(problem("link-lookalike", self.path, here, host=host))
        return rendered

    def footer(self, article: Article) -> str:
        publication = self.publication
        if not publication.footer:
            return ""
        text = markup.filled(publication.footer, article.title, article.url, publication.title)
        return markup.render(text, "markdown", article.url, publication.url, article.id).html

    def title(self) -> str:
        title = self.fields.title
        if len(title) > MAX_TITLE:
            self.report("title-long", ("title",), length=len(title))
        return title

    def updated(self) -> datetime:
        published, updated = self.fields.published, self.fields.updated
        if updated and updated < published:
            self.report("updated-early", ("updated",))
        return max(updated or published, published)

    def slug(self) -> str:
        name = stem(self.path).rpartition("/")[2]
        return unicodedata.normalize("NFC", self.fields.slug or (name if is_slug(name) else slug(name)))

    def page(self) -> str:
        """The path of the article's page below the publication's address, percent-encoded."""
        there = self.fields.published.astimezone(dates.zone(self.publication.timezone))
        values: dict[str, Callable[[], str]] = {
            "slug": self.slug,
            "year": lambda: f"{there.year:04}",
            "month": lambda: f"{there.month:02}",
            "day": lambda: f"{there.day:02}",
            "section": lambda: slug(self.fields.section or _NO_SECTION),
            "id": lambda: slug(self.fields.id or self.path),
        }
        page = "".join(
            quote(values[part](), safe="") if number % 2 else part
            for number, part in enumerate(_template(self.publication.permalink))
        )
        if any(len(part.encode()) > MAX_NAME for part in unquote(page).split("/")):
            self.report("address-long", ("slug",), page=page, limit=MAX_NAME)
        first = unquote(page.partition("/")[0])
        if first in RESERVED or first.endswith(_FORMS):
            self.report("address-reserved", ("slug",), page=page)
        return page

    def address(self, place: Place, reference: str, base: str) -> str:
        try:
            return web_url(absolute(reference, base, self.publication.url))
        except AddressError as error:
            key, path = ".".join(map(str, place)), "a path such as /media/port.jpg"
            self.report("address-invalid", place, key=key, said=error, wanted=path)
            return reference

    def authors(self) -> tuple[Author, ...]:
        if not self.fields.authors:
            return self.publication.authors
        return tuple(author_of(author) for author in self.fields.authors)

    def tags(self) -> tuple[str, ...]:
        """Without empty ones; of spellings that share a slug, the first."""
        kept = {slug(tag): tag for tag in reversed(self.fields.tags or []) if tag}
        if self.fields.tags and "" in self.fields.tags:
            self.report("tag-empty", ("tags",))
        return tuple(tag for tag in dict.fromkeys(self.fields.tags or []) if tag and kept[slug(tag)] == tag)

    def language(self) -> str:
        language = self.fields.language
        if language and not LANGUAGE_TAG.fullmatch(language):
            self.report("language-ignored", ("language",), value=language)
            language = None
        return language or self.publication.language

    def image(self, base: str) -> Image | None:
        fields: ImageFields | None = self.fields.image
        if fields is None:
            return None
        url = self.address(("image", "url"), fields.url, base)
        facts = self.media.facts(url)
        width, height = fields.width, fields.height
        if facts and width is None and height is None:
            width, height = facts.width, facts.height
        return Image(
            url=url,
            alt=fields.alt or "",
            caption=fields.caption or "",
            credit=fields.credit or "",
            width=width,
            height=height,
            type=fields.type or (facts.type if facts else None),
        )

    def enclosure(self, base: str) -> Enclosure | None:
        fields: EnclosureFields | None = self.fields.enclosure
        if fields is None:
            return None
        url = self.address(("enclosure", "url"), fields.url, base)
        facts = self.media.facts(url)
        length = fields.length or (facts.length if facts else None)
        media_type = fields.type or (facts.type if facts else None)
        for name, value in (("length", length), ("type", media_type)):
            if not value:
                what = wanted(ArticleFields, "enclosure")
                self.report("enclosure-missing", ("enclosure",), key=f"enclosure.{name}", wanted=what)
        return Enclosure(url, length or 0, media_type or "", fields.duration)


@cache
def _template(permalink: str) -> list[str]:
    """Percent-encoded texts, and between them the names of what is to be filled in."""
    return re.split(r"\{(\w+)\}", quote(STRAY_PERCENT.sub("%25", permalink.lstrip("/")), safe="/{}%"))


def author_of(fields: AuthorFields) -> Author:
    """An author as typed."""
    return Author(fields.name, fields.url, fields.email)


def minted_id(publication_id: str, path: str) -> str:
    """The id of an article that names none: a tag URI (RFC 4151) of the publication and the file's path.

    Of a path that makes it longer than an id may be, the beginning and a hash.
    """
    start, name = f"tag:{publication_id}:", stem(path)
    if len(start + quote(name)) <= MAX_ID:
        return start + quote(name)
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    room = max(0, MAX_ID - len(start) - len(digest) - 1)
    cut = name.encode()[: room // 3].decode(errors="ignore")
    return f"{start}{quote(cut)}-{digest}"


def stem(path: str) -> str:
    """What names the article in the file `path`: that without its extension, the folder of an `index.md`."""
    name = os.path.splitext(path)[0]  # noqa: PTH122 - a tenth of the time of PurePath
    return name.removesuffix("/index")
