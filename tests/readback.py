"""Feeds read back by parsers that we did not write, into one shape that can be compared."""

from __future__ import annotations

import calendar
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from typing import Any

import feedparser  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Entry:
    """What a reader knows of an article. feedparser keeps neither `alt` nor `caption` of a picture.

    `image_size` is width and height in pixels, `enclosure` address, type and bytes, `duration` in seconds.
    """

    title: str
    id: str
    link: str
    authors: tuple[str, ...]
    published: datetime
    updated: datetime
    summary: str
    content: str
    categories: tuple[tuple[str, str], ...]
    image: str | None
    image_type: str | None
    image_size: tuple[int, int] | None
    alt: str | None = field(compare=False)
    caption: str | None = field(compare=False)
    credit: str | None
    thumbnail: str | None
    enclosure: tuple[str, str, int] | None
    duration: int | None
    language: str
    rights: str | None


@dataclass(frozen=True)
class Feed:
    """What a reader knows of a feed or of one of its archive pages; `address` is its own.

    `previous` and `current` are the links `prev-archive` and `current` (RFC 5005, 4). A tombstone is the id
    of an article, the moment of its removal as it is written, and the reason (RFC 6721).
    """

    id: str | None
    title: str
    description: str
    home_page: str
    address: str
    hubs: tuple[str, ...]
    language: str
    updated: datetime
    generator: str
    copyright: str | None
    authors: tuple[str, ...]
    icon: str | None
    logo: str | None
    previous: str | None
    current: str | None
    archive: bool
    tombstones: tuple[tuple[str, str, str], ...]


def read(name: str, document: bytes) -> list[Entry]:
    """The entries of a document of the format `name`: `rss`, `atom` or `json`."""
    return READERS[name](document)


def read_feed(name: str, document: bytes) -> Feed:
    """What a document of the format `name` says of the feed."""
    return _json_feed(json.loads(document)) if name == "json" else _xml_feed(parsed(document).feed)


def parsed(document: bytes) -> Any:
    """What feedparser makes of RSS or Atom, with its own cleaning switched off."""
    found = feedparser.parse(document, sanitize_html=False, resolve_relative_uris=False)
    assert not found.bozo, found.bozo_exception
    return found


def _read_xml(document: bytes) -> list[Entry]:
    found = parsed(document)
    return [_xml_entry(entry, found.version.startswith("rss")) for entry in found.entries]


def _xml_entry(entry: Any, is_rss: bool) -> Entry:
    media = entry.get("media_content", [{}])[0]
    credits_ = entry.get("media_credit") or [{}]
    thumbnails = entry.get("media_thumbnail") or [{}]
    duration = entry.get("itunes_duration")
    return Entry(
        title=entry.title,
        id=entry.id,
        link=entry.link,
        authors=tuple(author.name for author in entry.get("authors", []) if author),
        published=_moment(entry.published_parsed),
        updated=_moment(entry.updated_parsed),
        summary=unescape(entry.summary) if is_rss else entry.summary,  # a description is HTML
        content=entry.content[0].value,
        categories=tuple((tag.scheme, tag.label or tag.term) for tag in entry.get("tags", [])),
        image=media.get("url"),
        image_type=media.get("type"),
        image_size=(int(media["width"]), int(media["height"])) if "width" in media else None,
        alt=entry.get("media_title"),
        caption=entry.get("media_description"),
        credit=credits_[0].get("content"),
        thumbnail=thumbnails[0].get("url"),
        enclosure=next(((one.href, one.type, int(one.length)) for one in entry.enclosures), None),
        duration=duration and int(duration),
        language=entry.get("language") or entry.content[0].language,
        rights=entry.get("rights"),
    )


def _xml_feed(feed: Any) -> Feed:
    links = {link.rel: link.href for link in feed.links}
    made = feed.generator_detail
    deleted = feed.get("at_deleted-entry")  # one of them: it knows no tombstones, and keeps the last
    return Feed(
        id=feed.get("id"),
        title=feed.title,
        description=feed.subtitle,
        home_page=feed.link,
        address=links["self"],
        hubs=tuple(link.href for link in feed.links if link.rel == "hub"),
        language=feed.language,
        updated=_moment(feed.updated_parsed),
        generator=" ".join(filter(None, [made.name, made.get("version")])),
        copyright=feed.get("rights"),
        authors=tuple(author.name for author in feed.get("authors", [])),
        icon=feed.get("icon") or feed.get("image", {}).get("href"),
        logo=feed.get("logo"),
        previous=links.get("prev-archive"),
        current=links.get("current"),
        archive="fh_archive" in feed,
        tombstones=((deleted["ref"], deleted["when"], feed.get("at_comment")),) if deleted else (),
    )


def _moment(parts: Any) -> datetime:
    return datetime.fromtimestamp(calendar.timegm(parts), UTC)


def _read_json(document: bytes) -> list[Entry]:
    return [_json_entry(item) for item in json.loads(document)["items"]]


def _json_entry(item: dict[str, Any]) -> Entry:
    ours = item.get("_feedwright", {})
    image = ours.get("image", {})
    attachment = item.get("attachments", [{}])[0]
    return Entry(
        title=item["title"],
        id=item["id"],
        link=item["url"],
        authors=tuple(author["name"] for author in item.get("authors", [])),
        published=datetime.fromisoformat(item["date_published"]),
        updated=datetime.fromisoformat(item["date_modified"]),
        summary=item["summary"],
        content=item["content_html"],
        categories=tuple(("", tag) for tag in item.get("tags", [])),
        image=item.get("image"),
        image_type=image.get("type"),
        image_size=(image["width"], image["height"]) if "width" in image else None,
        alt=image.get("alt"),
        caption=image.get("caption"),
        credit=image.get("credit"),
        thumbnail=item.get("image"),  # of which a reader may make one (jsonfeed.org/version/1.1, items)
        enclosure=(attachment["url"], attachment["mime_type"], attachment["size_in_bytes"])
        if attachment
        else None,
        duration=attachment.get("duration_in_seconds"),
        language=item["language"],
        rights=ours.get("rights"),
    )


def _json_feed(feed: dict[str, Any]) -> Feed:
    ours = feed["_feedwright"]
    return Feed(
        id=None,
        title=feed["title"],
        description=feed["description"],
        home_page=feed["home_page_url"],
        address=feed["feed_url"],
        hubs=tuple(hub["url"] for hub in feed.get("hubs", [])),
        language=feed["language"],
        updated=datetime.fromisoformat(ours["updated"]),
        generator=ours["generator"],
        copyright=ours.get("copyright"),
        authors=tuple(author["name"] for author in feed.get("authors", [])),
        icon=feed.get("icon"),
        logo=ours.get("logo"),
        previous=feed.get("next_url"),
        current=ours.get("current"),
        archive=ours.get("archive", False),
        tombstones=(),
    )


READERS: dict[str, Callable[[bytes], list[Entry]]] = {
    "rss": _read_xml,
    "atom": _read_xml,
    "json": _read_json,
}
