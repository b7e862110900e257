"""`publication.toml` -> Publication."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from feeds import shapes
from feeds.addresses import AddressError, ascii_url, below, web_url
from feeds.dates import zone_names
from feeds.located import Located, SyntaxFaultError, read_toml
from feeds.markup import xml_safe
from feeds.problems import ContentError, FieldError, Problem, problem
from feeds.publication import FeedFormat, FeedSettings, Publication, Redirect
from feeds.source.article import LANGUAGE_TAG, author_of
from feeds.source.fields import Address, Byline, Line
from feeds.source.folder import CONFIG
from feeds.source.front_matter import decoded
from feeds.typed import check, did_you_mean

_FIRST_YEAR = "2026"
_GONE = 410
_TAG_AUTHORITY = r"[A-Za-z0-9@._-]+,\d{4}(-\d{2}(-\d{2})?)?"

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Names of this machine, which mean another to everybody else."""


def _site(value: str) -> str:
    if "?" in value or "#" in value:
        raise AddressError(f"{value!r} is not an address that others can begin with")
    return web_url(value).rstrip("/") + "/"


def _zone(value: str) -> str:
    if value not in zone_names():
        raise FieldError("timezone-invalid", value=value, better=did_you_mean(value, zone_names()))
    return value


def _zones(schema: dict[str, Any]) -> None:
    schema["enum"] = sorted(zone_names())


def _language(value: str) -> str:
    if not LANGUAGE_TAG.fullmatch(value):
        raise FieldError("language-invalid", value=value)
    return value


def _tag_authority(value: str) -> str:
    """RFC 4151, 2.1: a domain name or an e-mail address, a comma, a date."""
    if not re.fullmatch(_TAG_AUTHORITY, value):
        raise FieldError("publication-id-invalid", value=value)
    return value


def _permalink(value: str) -> str:
    rest = re.sub(r"\{(slug|year|month|day|section|id)\}", "", value)
    if re.search("[{}]", rest) or not re.search(r"\{(slug|id)\}", value):
        raise FieldError("permalink-invalid")
    if {".", ".."} & set(unquote(value).split("/")) or not unquote(value).isprintable():
        raise FieldError("permalink-invalid")
    return value


def _picture(value: str) -> str:
    return web_url(value) if "://" in value else value


def _old_path(value: str) -> str:
    if not value.startswith("/"):
        raise FieldError("redirect-invalid", said=f"{value!r} is not a path: it begins with no slash")
    return value


def _target(value: object) -> object:
    if value != _GONE and not (isinstance(value, str) and value.startswith(("/", "https://", "http://"))):
        raise FieldError("redirect-invalid", said=f"{value!r} is neither a path, nor an address, nor 410")
    return value


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeedsTable(Table):
    limit: Annotated[int, Field(gt=0, le=10_000, description="articles in a feed, at least")] = 20
    archive_size: Annotated[
        int, Field(ge=0, le=10_000, description="articles in an archive page; 0 for no archive")
    ] = 30
    max_age: Annotated[int, Field(ge=60, le=86_400, description="seconds that a copy may be kept")] = 1800
    formats: Annotated[
        tuple[FeedFormat, ...], Field(min_length=1, description="the formats that are made")
    ] = ("rss", "atom", "json")
    sections: Annotated[bool, Field(description="a feed for each section")] = True
    authors: Annotated[bool, Field(description="a feed for each author")] = True
    tags: Annotated[bool, Field(description="a feed for each tag")] = True
    languages: Annotated[bool, Field(description="a feed for each language, where there are several")] = True


class EntryTable(Table):
    footer: Annotated[
        str, Field(description="Markdown with {title}, {url} and {publication}, below the full content")
    ] = ""


class PagesTable(Table):
    articles: Annotated[bool, Field(description="a page for each article")] = True


class PublicationTable(Table):
    title: Line = Field(description='write title = "The Example Times"')
    description: Line = Field(description='write description = "What it is about, in a sentence"')
    url: Annotated[Line, AfterValidator(_site), shapes.SITE] = Field(
        description='write url = "https://example.org/"'
    )
    language: Annotated[Line, AfterValidator(_language), shapes.LANGUAGE] = Field(
        "en", description='write a language tag such as language = "es"'
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description='write timezone = "Europe/Madrid"', json_schema_extra=_zones
    )
    id: Annotated[Line, AfterValidator(_tag_authority), shapes.shape(_TAG_AUTHORITY)] | None = Field(
        None, description='write id = "example.org,2026": a domain that is yours and a date on which it was'
    )
    authors: Byline = Field([], description='write authors = ["Staff"]')
    copyright: str = Field("", description='write copyright = "© 2026 The Example Times"')
    icon: Annotated[Line, AfterValidator(_picture), shapes.PICTURE] | None = Field(
        None, description='write icon = "/media/icon.png"'
    )
    logo: Annotated[Line, AfterValidator(_picture), shapes.PICTURE] | None = Field(
        None, description='write logo = "/media/logo.png"'
    )
    permalink: Annotated[Line, AfterValidator(_permalink), shapes.PERMALINK] = Field(
        "/articles/{slug}/", description='write permalink = "/{year}/{month}/{slug}/"'
    )
    hubs: list[Address] = Field([], description='write hubs = ["https://hub.example/"]')
    feeds: FeedsTable = Field(
        FeedsTable(), description="write it as limit = 20, archive_size = 30, max_age = 1800, tags = false"
    )
    entry: EntryTable = Field(EntryTable(), description='write [entry] with footer = "…"')
    pages: PagesTable = Field(PagesTable(), description="write [pages] with articles = true or false")
    redirects: dict[
        Annotated[str, AfterValidator(_old_path), shapes.OLD_PATH],
        Annotated[str | int, BeforeValidator(_target), shapes.TARGET],
    ] = Field(
        {},
        description='write "/old.xml" = "/feed.rss", or = 410',
        json_schema_extra={"additionalProperties": False},
    )


def load_publication(content: Path) -> tuple[Publication, tuple[Problem, ...]]:
    """The publication in the folder `content`, and warnings. Raises ContentError, and OSError."""
    text = xml_safe(decoded(CONFIG, (content / CONFIG).read_bytes()))
    try:
        found = read_toml(text)
    except SyntaxFaultError as fault:
        raise ContentError(fault.problem(CONFIG)) from fault
    table, problems = check(PublicationTable, found, CONFIG)
    if table is None:
        raise ContentError(*sorted(problems))
    if table.pages.articles and not table.permalink.endswith(("/", ".html")):
        raise ContentError(found.problem("permalink-page", CONFIG, ("permalink",)))
    return _publication(table), tuple(_warnings(table, found))


def _publication(table: PublicationTable) -> Publication:
    return Publication(
        title=table.title,
        description=table.description,
        url=table.url,
        id=table.id or f"{_host(table.url)},{_FIRST_YEAR}",
        language=table.language,
        timezone=table.timezone,
        authors=tuple(author_of(author) for author in table.authors),
        copyright=table.copyright,
        icon=_media(table.icon, table.url),
        logo=_media(table.logo, table.url),
        permalink=table.permalink,
        hubs=tuple(table.hubs),
        feeds=FeedSettings(**table.feeds.model_dump()),
        footer=table.entry.footer,
        article_pages=table.pages.articles,
        redirects=tuple(_redirects(table)),
    )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _media(reference: str | None, url: str) -> str | None:
    if reference is None:
        return None
    return reference if "://" in reference else ascii_url(below(url, reference))


def _redirects(table: PublicationTable) -> Iterator[Redirect]:
    for path, target in table.redirects.items():
        if isinstance(target, int):
            yield Redirect(path, target)
        else:
            yield Redirect(path, 301, target)


def _warnings(table: PublicationTable, found: Located) -> Iterator[Problem]:
    yield from (problem(code, CONFIG, at, **values) for at, code, values in found.warnings)
    host = _host(table.url)
    if table.id is None:
        yield found.problem("id-absent", CONFIG, ("url",), host=host, year=_FIRST_YEAR)
    if host in LOCAL_HOSTS:
        yield found.problem("url-local", CONFIG, ("url",), host=host)
